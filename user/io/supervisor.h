/* SPDX-License-Identifier: BSD-2-Clause */
/* What started the daemon and waits for it to be ready, where something does. */
#ifndef SHUNT_SUPERVISOR_H
#define SHUNT_SUPERVISOR_H

/* Tells it, through the datagram socket that NOTIFY_SOCKET in the environment names (a path, or a
 * name after @), that the daemon is ready. Returns 0, also when nothing waits, or -errno.
 * sd_notify(3), "READY=1". */
int supervisor_ready(void) __attribute__((warn_unused_result));

#endif
