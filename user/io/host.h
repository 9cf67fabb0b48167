/* SPDX-License-Identifier: BSD-2-Clause */
/* What this host is like, read from files, rtnetlink and the drivers, for who looks for what ails it. Reads
 * only; what cannot be read is not known. */
#ifndef SHUNT_HOST_H
#define SHUNT_HOST_H

#include "pure/doctor.h"

/* ---- host.c -------------------------------------------------------------------------------------*/

/* Fills @out; @pid: of the daemon, 0: there is none. */
void host_look(const char *instance, uint32_t pid, struct doctor_host *out);
/* A number in a file of /proc/sys, "net/ipv4/ip_forward"; -1: there is none. */
int host_sysctl(const char *name);

/* ---- host_net.c ---------------------------------------------------------------------------------*/

struct host_net; /* a socket to rtnetlink */
/* NULL: it cannot be opened. */
struct host_net *host_net_open(void);
void host_net_close(struct host_net *h); /* NULL is fine */

/* Fills all but the name and what the daemon says. */
void host_interface(struct host_net *h, struct doctor_interface *i);

struct host_route {
	bool found, local;
	bool on_link; /* no gateway */
	char link[16];
	uint32_t mtu; /* of the route, or of the interface */
	struct addr source; /* that the kernel would take */
	struct addr gateway; /* none: it is on the link, or there is no route */
};
void host_route(struct host_net *h, const struct addr *to, struct host_route *out);

/* ---- host_arp.c ---------------------------------------------------------------------------------*/

/* Asks on the interfaces @links, @n of them, who has the address of each of @services, by ARP or neighbour
 * discovery, and waits a moment. Fills asked, held and what belongs to it. Needs CAP_NET_RAW; without it
 * nobody is asked. */
void host_ask_holders(const char *const *links, size_t n, struct doctor_service *services,
		      size_t n_services);

#endif
