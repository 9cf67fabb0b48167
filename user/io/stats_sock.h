/* SPDX-License-Identifier: BSD-2-Clause */
/* A NETLINK_USERSOCK socket as both ends of the stats protocol use it: every message received comes
 * with its sender's port id and credentials, which the kernel vouches for. */
#ifndef SHUNT_STATS_SOCK_H
#define SHUNT_STATS_SOCK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct stats_sock_from {
	uint32_t port; /* sender's netlink port id */
	uint32_t uid, pid;
};

/* Opens a socket with a port id of the kernel's choice, into @port. Close it with close(). */
int stats_sock_open(int *fd, uint32_t *port) __attribute__((warn_unused_result));

/* Receives one datagram without waiting. Returns its length; -EAGAIN: there is none; -EMSGSIZE: it
 * was longer than @size and is lost; -EPERM: it came without credentials and is lost; or what the
 * system said. */
ssize_t stats_sock_recv(int fd, void *buf, size_t size, struct stats_sock_from *from);

/* Sends to a port id. -ECONNREFUSED: nobody has it; -EAGAIN: no room on the other side, for as long
 * as SO_SNDTIMEO says. With @flags as for sendto(). */
int stats_sock_send(int fd, uint32_t port, const void *buf, size_t len, int flags);

/* Sends to a multicast group, 1 to 32, without waiting for anybody. */
int stats_sock_send_group(int fd, unsigned int group, const void *buf, size_t len);

/* Has what is sent to the group received, too. -EPERM: needs CAP_NET_ADMIN. */
int stats_sock_join(int fd, unsigned int group) __attribute__((warn_unused_result));

/* The inode of the network namespace that we are in; 0 when /proc does not say. */
uint64_t stats_sock_netns(void);

#endif
