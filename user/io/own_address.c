/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/own_address.h"

#include <errno.h>
#include <netinet/in.h>

#include "base/own.h"

#define ANY_PORT 9 /* discard: nothing is sent */

static int open_socket(const struct addr *a, int type)
{
	int fd = socket(a->family == 6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

int own_address_towards(const struct addr *to, struct addr *out)
{
	auto_close int fd = open_socket(to, SOCK_DGRAM);
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(to, ANY_PORT, &ss);

	if (fd < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&ss, len) < 0)
		return -errno;
	len = sizeof(ss);
	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return -errno;
	*out = addr_from_sockaddr(&ss);
	return 0;
}

bool own_address_is(const struct addr *a)
{
	auto_close int fd = open_socket(a, SOCK_DGRAM);
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(a, 0, &ss);

	return fd >= 0 && bind(fd, (struct sockaddr *)&ss, len) == 0;
}

int own_address_is_served(const struct addr *a, int protocol, uint16_t port)
{
	auto_close int fd = open_socket(a, protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM);
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(a, port, &ss);
	int one = 1;

	if (fd < 0)
		return fd;
	/* Former connections are in nobody's way then; who listens is. */
	if (protocol != IPPROTO_UDP &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&ss, len) == 0)
		return 0;
	return errno == EADDRINUSE ? 1 : -errno;
}
