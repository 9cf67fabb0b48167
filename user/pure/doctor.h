/* SPDX-License-Identifier: BSD-2-Clause */
/* What a host lacks for shunt to do well, from facts that were gathered before: each check is a small
 * function of the facts alone. A finding says what it is, what comes of it, and what mends it. */
#ifndef SHUNT_DOCTOR_H
#define SHUNT_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pure/conf.h"
#include "pure/view.h"

/* ---- facts --------------------------------------------------------------------------------------*/

/* Of the host as a whole. */
struct doctor_host {
	uint32_t kernel[2]; /* 6, 18; 0: not known */
	uint32_t cpus; /* that run */
	int jit; /* net.core.bpf_jit_enable; -1: not known, as in most network namespaces */
	bool bpffs; /* /sys/fs/bpf is one */
	bool pinned; /* there is a folder of this instance in it */
	char old_pins[4][64]; /* folders of other versions than ours in that */
	size_t n_old_pins;
	bool memory_limited; /* locked memory is: RLIMIT_MEMLOCK of the daemon, or of who asks */
	bool clock_unsynced; /* the kernel says that nobody keeps it */
	int forwards4, forwards6; /* ip_forward, and net.ipv6.conf.all.forwarding; -1: not known */
};

/* Of a configured interface; where it is a VLAN device, itself. */
struct doctor_interface {
	char name[16];
	bool exists, up;
	uint32_t mtu;
	uint32_t rx_queues, rx_queues_max; /* 0: not known */
	bool combined; /* they are set together with those for sending */
	char driver[32]; /* empty: not known */
	bool lro, gro;
	bool takes_tags; /* its hardware takes VLAN tags off */
	bool has_vlans; /* VLAN devices stand on it */
	bool peer_lacks_checksums; /* a veth's other end */
	char peer[16]; /* that one */
	uint32_t program; /* XDP's, the kernel's number; 0: none */
	bool program_is_generic; /* it runs in generic mode */
	int rp_filter; /* the larger one of its own and all's; -1: not known */
	/* What the daemon says. */
	bool told;
	enum view_xdp xdp;
	char note[VIEW_NOTE_MAX];
};

struct doctor_backend {
	char service[SHUNT_NAME_MAX], name[SHUNT_NAME_MAX];
	struct addr addr, vip;
	enum shunt_forward forward;
	enum view_nexthop nexthop; /* as the daemon says, or by a look at the routes */
	char egress[16]; /* empty: not known */
	uint32_t path_mtu; /* of the route or the interface; 0: not known */
	uint8_t mac[6]; /* of the next hop, if the daemon knows it */
	enum health_state health; /* HEALTH_UNKNOWN without a daemon */
	char reason[VIEW_REASON_MAX];
	bool by_hand; /* drained or in maintenance */
};

struct doctor_service {
	char name[SHUNT_NAME_MAX];
	struct addr vip;
	uint8_t vip_bits;
	bool local, translates, masquerades; /* a backend does */
	bool on_host; /* the address is one of this host's */
	bool on_link; /* it is in a network of an interface's: who wants it asks who has it */
	char link[16]; /* that interface */
	bool asked; /* who has it */
	bool held; /* and somebody else said that he has */
	uint8_t holder[6];
	char holder_link[16]; /* interface that he answered on */
	uint32_t backends, usable; /* as the daemon says */
	bool panicking, failing_open; /* so that backends get packets whatever their checks say */
};

struct doctor_facts {
	char instance[32];
	bool daemon; /* it answers */
	char daemon_error[256]; /* why it does not */
	bool forbidden; /* since it does not answer this user */
	struct view_status status;
	char file[256]; /* of the configuration */
	char file_error[512]; /* empty: it can be read */
	bool file_differs; /* from what is in force */
	const struct conf *conf; /* of the file, or NULL */
	struct doctor_host host;
	struct doctor_interface *interfaces;
	size_t n_interfaces;
	struct doctor_service *services;
	size_t n_services;
	struct doctor_backend *backends;
	size_t n_backends;
	struct view_verdict *verdicts;
	size_t n_verdicts;
};

/* ---- findings -----------------------------------------------------------------------------------*/

enum doctor_severity { DOCTOR_NOTE, DOCTOR_WARNING, DOCTOR_ERROR, DOCTOR_SEVERITY_MAX };
const char *doctor_severity_name(enum doctor_severity s); /* "note", "warning", "error" */

struct doctor_finding {
	enum doctor_severity severity;
	const char *check; /* its name in the table: "lro" */
	char what[1024]; /* one line, without a stop, as the next one */
	char consequence[320];
	/* A command line; empty: there is none. Where `where` is empty it is for this host, else for
	 * whom it says: "backend web/b1". */
	char remedy[512];
	char where[192];
};

struct doctor_report {
	struct doctor_finding *list; /* the worst first once doctor_run() has returned */
	size_t n, room;
	size_t checks; /* that were made */
	const char *running; /* the check that is being made */
	bool out_of_memory;
};

/* Makes all checks. Returns 0 or -ENOMEM; @out is to be freed in both cases. */
int doctor_run(const struct doctor_facts *facts, struct doctor_report *out);
void doctor_report_fini(struct doctor_report *r);

/* ---- for the files of checks --------------------------------------------------------------------*/

typedef void doctor_check_fn(const struct doctor_facts *f, struct doctor_report *r);

/* Adds a finding of the running check; never NULL. */
struct doctor_finding *doctor_find(struct doctor_report *r, enum doctor_severity severity,
				   const char *what, ...) __attribute__((format(printf, 3, 4)));
#define doctor_says(member, ...) snprintf(member, sizeof(member), __VA_ARGS__)

struct doctor_check {
	const char *name;
	doctor_check_fn *run;
};
/* Each ends with one without a name. */
extern const struct doctor_check doctor_host_checks[], doctor_interface_checks[],
	doctor_service_checks[];

#endif
