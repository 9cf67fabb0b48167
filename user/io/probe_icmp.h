/* SPDX-License-Identifier: BSD-2-Clause */
/* Echo requests (RFC 792, RFC 4443) of all icmp checks over one socket a family: a ping socket where
 * net.ipv4.ping_group_range lets the child have one, else the raw socket that the daemon has opened for
 * it. */
#ifndef SHUNT_PROBE_ICMP_H
#define SHUNT_PROBE_ICMP_H

struct event_base;
struct probe_icmp;

/* Returns 0, or -ENOMEM. Sockets that cannot be had are said of later, by the probes that need them. */
int probe_icmp_open(struct event_base *base, struct probe_icmp **out)
	__attribute__((warn_unused_result));
void probe_icmp_close(struct probe_icmp *icmp);

#endif
