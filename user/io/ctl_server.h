/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands over AF_UNIX SOCK_SEQPACKET at <run_dir>/<instance>.sock, as include/shunt_msg.h says.
 * The file has mode 0600, and SO_PEERCRED must say uid 0 or our own. */
#ifndef SHUNT_CTL_SERVER_H
#define SHUNT_CTL_SERVER_H

#include <stdint.h>

#include "pure/ctl.h"

struct event_base;
struct ctl_server;

/* Carries @c out and fills @r, which comes zeroed (status 0, no text). Called from the loop, one
 * command at a time; the answer goes out when it returns. Names come as they were sent: they may not
 * exist. */
typedef void ctl_command_fn(void *arg, const struct ctl_command *c, struct ctl_reply *r);

struct ctl_server_counters {
	uint64_t commands; /* carried out, whatever the outcome */
	uint64_t refused; /* connections of others than uid 0 and our own, or too many at once */
	uint64_t malformed; /* packets not understood */
};

/* Listens; makes @run_dir (one level, mode 0755) if it is missing, and replaces a socket that nobody
 * listens on. -EADDRINUSE: another daemon does; -ENAMETOOLONG; or what the system said. */
int ctl_server_open(struct event_base *base, const char *run_dir, const char *instance,
		    ctl_command_fn *command, void *arg, struct ctl_server **out)
	__attribute__((warn_unused_result));
/* Also removes the socket file. NULL is fine. */
void ctl_server_close(struct ctl_server *s);

const struct ctl_server_counters *ctl_server_counters(const struct ctl_server *s);

#endif
