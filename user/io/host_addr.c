/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/host_addr.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/addr.h"

static bool is_it(const struct sockaddr *s, const struct addr *a)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (s->sa_family == AF_INET && a->family == 4) {
		memcpy(&v4, s, sizeof(v4));
		return memcmp(&v4.sin_addr, a->bytes, 4) == 0;
	}
	if (s->sa_family == AF_INET6 && a->family == 6) {
		memcpy(&v6, s, sizeof(v6));
		return memcmp(&v6.sin6_addr, a->bytes, 16) == 0;
	}
	return false;
}

bool host_has_addr(const struct addr *a)
{
	struct ifaddrs *all, *i;
	bool found = false;

	if (getifaddrs(&all) < 0)
		return true;
	for (i = all; i && !found; i = i->ifa_next)
		found = i->ifa_addr && is_it(i->ifa_addr, a);
	freeifaddrs(all);
	return found;
}
