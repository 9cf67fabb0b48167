/* SPDX-License-Identifier: BSD-2-Clause */
/* The network namespace of the path probes (shunt_path.h), and the veth that is all there is in it. Its
 * process makes the namespace, as itself or else in a user namespace of its own; the daemon makes the veth
 * and puts one end of it there. */
#ifndef SHUNT_NL_SPACE_H
#define SHUNT_NL_SPACE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"

#define NL_SPACE_WAIT_MS 5000

/* The MAC address of the end in the namespace. */
extern const uint8_t nl_space_mac[6];

/* ---- of the process that probes ------------------------------------------------------------------*/

/* Leaves the host's network: from here on the process is in a network namespace that nobody else has. Without
 * CAP_SYS_ADMIN it is in a user namespace of its own as well, with all capabilities there and none elsewhere;
 * -EPERM and -ENOSPC where the host does not let users make these (user.max_user_namespaces). */
int nl_space_leave(void) __attribute__((warn_unused_result));

/* Waits for the daemon's end and has all addresses of path probes be this process's, every other one
 * behind the veth, and frames leave whole: with their checksums, and no longer than the link takes.
 * -ETIMEDOUT after NL_SPACE_WAIT_MS, or another -errno. */
int nl_space_settle(void) __attribute__((warn_unused_result));

/* ---- of the daemon -------------------------------------------------------------------------------*/

/* Makes a veth between here and the namespace of process @pid, up at this end, whose ifindex it gives in
 * @ifindex. It ends with that namespace. -errno. */
int nl_space_join(pid_t pid, uint32_t *ifindex) __attribute__((warn_unused_result));

/* An address of this host of that family: of the interface that has its address @own, if that has one, else the
 * one that a packet by the default route has; none where there is neither. */
struct addr nl_space_source(const struct addr *own, uint8_t family);

#endif
