/* SPDX-License-Identifier: BSD-2-Clause */
/* Who the processes are: the daemon, those that it starts as somebody else, and whom the command believes. */
#ifndef SHUNT_IDENTITY_H
#define SHUNT_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

#define IDENTITY_DAEMON "shunt" /* the user that the package's unit runs the daemon as */

/* Whom a child becomes. */
struct identity {
	bool becomes; /* else it stays who it is, and uid and gid are this process's */
	uid_t uid;
	gid_t gid;
};

/* What children of this process become that are to be @user, who means nothing unless this process is root or
 * has CAP_SETUID and CAP_SETGID. Returns 0; -ENOENT when there is no such user; -EPERM when that is root or who
 * this process is; another -errno where users cannot be read. */
int identity_of(const char *user, struct identity *out) __attribute__((warn_unused_result));

/* In a child, also between fork and exec: becomes @who, without groups and capabilities, and can gain no
 * privileges any more, by no program. False if it cannot, and is to end then. */
bool identity_become(const struct identity *who) __attribute__((warn_unused_result));

/* Whether what @uid says is believed to be the daemon's: root's, this process's user's, IDENTITY_DAEMON's. */
bool identity_is_daemon(uid_t uid);

#endif
