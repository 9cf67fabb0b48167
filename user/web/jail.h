/* SPDX-License-Identifier: BSD-2-Clause */
/* How the web process becomes one that has nothing to lose. */
#ifndef SHUNT_JAIL_H
#define SHUNT_JAIL_H

#include <sys/types.h>

/* For good: another user without groups or capabilities, no privileges to gain, no core dumps, no new
 * processes, few descriptors, little memory, and only such system calls as serving over sockets that are
 * open takes: none opens a file or a connection. Returns 0 or -errno; after an error it must not go on. */
int jail_enter(uid_t uid, gid_t gid) __attribute__((warn_unused_result));

#endif
