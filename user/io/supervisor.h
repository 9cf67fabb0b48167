/* SPDX-License-Identifier: BSD-2-Clause */
/* What started the daemon and waits for it to be ready, where something does. */
#ifndef SHUNT_SUPERVISOR_H
#define SHUNT_SUPERVISOR_H

#include <stdint.h>

/* Tells it @text, "READY=1" say, through the datagram socket that NOTIFY_SOCKET in the environment names
 * (a path, or a name after @). Returns 0, also when nothing waits, or -errno. sd_notify(3). */
int supervisor_tell(const char *text) __attribute__((warn_unused_result));

/* How often it wants to hear "WATCHDOG=1", or it ends the daemon: WATCHDOG_USEC, if it is for this process.
 * 0: never. sd_watchdog_enabled(3). */
int64_t supervisor_watchdog_us(void);

#endif
