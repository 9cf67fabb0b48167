/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/stats_sock.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/own.h"

int stats_sock_open(int *out, uint32_t *port)
{
	auto_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_USERSOCK);
	struct sockaddr_nl sa = {.nl_family = AF_NETLINK};
	socklen_t len = sizeof(sa);
	int on = 1;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return -errno;
	*port = sa.nl_pid;
	*out = take_fd(&fd);
	return 0;
}

static bool credentials(struct msghdr *mh, struct stats_sock_from *from)
{
	struct cmsghdr *c;
	struct ucred cred;

	for (c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
			continue;
		memcpy(&cred, CMSG_DATA(c), sizeof(cred));
		from->uid = cred.uid;
		from->pid = (uint32_t)cred.pid;
		return true;
	}
	return false;
}

ssize_t stats_sock_recv(int fd, void *buf, size_t size, struct stats_sock_from *from)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct ucred)) + 64];
	} control;
	struct sockaddr_nl sa = {0};
	struct iovec iov = {.iov_base = buf, .iov_len = size};
	struct msghdr mh = {
		.msg_name = &sa,
		.msg_namelen = sizeof(sa),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return -errno;
	if (mh.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	if (!credentials(&mh, from))
		return -EPERM;
	from->port = sa.nl_pid;
	return n;
}

int stats_sock_send(int fd, uint32_t port, const void *buf, size_t len, int flags)
{
	struct sockaddr_nl sa = {.nl_family = AF_NETLINK, .nl_pid = port};

	if (sendto(fd, buf, len, flags, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	return 0;
}

int stats_sock_send_group(int fd, unsigned int group, const void *buf, size_t len)
{
	struct sockaddr_nl sa = {.nl_family = AF_NETLINK, .nl_groups = 1u << (group - 1)};

	/* After the group the kernel tries port id 0, which is its own and does not listen here:
	 * ECONNREFUSED says nothing of the group. */
	if (sendto(fd, buf, len, MSG_DONTWAIT, (struct sockaddr *)&sa, sizeof(sa)) < 0 &&
	    errno != ECONNREFUSED)
		return -errno;
	return 0;
}

int stats_sock_join(int fd, unsigned int group)
{
	if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return -errno;
	return 0;
}

uint64_t stats_sock_netns(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) == 0 ? st.st_ino : 0;
}
