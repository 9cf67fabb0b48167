/* SPDX-License-Identifier: BSD-2-Clause */
/* Gives a running daemon one command over its control socket and waits for the answer. */
#ifndef SHUNT_CTL_CLIENT_H
#define SHUNT_CTL_CLIENT_H

#include "pure/client_error.h"
#include "pure/ctl.h"

/* Returns 0 when the daemon answered; what it answered is in @reply. Errors are -errno with @e
 * filled: -ECONNREFUSED no daemon, -EACCES, -EPROTONOSUPPORT, -ETIMEDOUT, -ECONNRESET when it ended
 * meanwhile: then and at a timeout it is not known whether the command was carried out. */
int ctl_client_call(const char *run_dir, const char *instance, const struct ctl_command *command,
		    struct ctl_reply *reply, struct client_error *e)
	__attribute__((warn_unused_result));

#endif
