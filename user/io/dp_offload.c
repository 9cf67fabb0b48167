/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/dp_offload.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/own.h"

#define STATS_MAX 1024

static bool ask(int fd, const char *ifname, void *data)
{
	struct ifreq request = {.ifr_data = data};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", ifname);
	return ioctl(fd, SIOCETHTOOL, &request) == 0;
}

/* A veth tells its other end's ifindex, in that one's namespace, as the first of its statistics. */
static bool is_veth(int fd, const char *ifname, uint32_t *peer)
{
	struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
	struct {
		struct ethtool_stats head;
		uint64_t value[STATS_MAX];
	} stats = {.head.cmd = ETHTOOL_GSTATS};

	if (!ask(fd, ifname, &driver) || strcmp(driver.driver, "veth") != 0)
		return false;
	*peer = 0;
	if (driver.n_stats && driver.n_stats <= STATS_MAX) {
		stats.head.n_stats = driver.n_stats;
		if (ask(fd, ifname, &stats))
			*peer = (uint32_t)stats.value[0];
	}
	return true;
}

enum dp_offload dp_offload_ask(const char *ifname, struct dp_offload_peer *peer)
{
	auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ethtool_value computes = {.cmd = ETHTOOL_GTXCSUM};
	uint32_t back;

	*peer = (struct dp_offload_peer){0};
	if (fd < 0 || !is_veth(fd, ifname, &peer->ifindex))
		return DP_OFFLOAD_NO;
	/* The number may be another interface's here: a pair points at each other. */
	if (!if_indextoname(peer->ifindex, peer->ifname) || !is_veth(fd, peer->ifname, &back) ||
	    back != if_nametoindex(ifname) || !ask(fd, peer->ifname, &computes))
		return DP_OFFLOAD_UNKNOWN;
	return computes.data ? DP_OFFLOAD_YES : DP_OFFLOAD_NO;
}

bool dp_offload_takes_tags(const char *ifname)
{
	auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ethtool_value flags = {.cmd = ETHTOOL_GFLAGS};

	return fd >= 0 && ask(fd, ifname, &flags) && (flags.data & ETH_FLAG_RXVLAN);
}
