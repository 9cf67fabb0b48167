/* SPDX-License-Identifier: BSD-2-Clause */
/* Who has an address: one question to everybody on a segment for each, and whoever answers within a moment.
 * ARP: RFC 826; neighbour discovery: RFC 4861, section 4.3. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/mono.h"
#include "base/own.h"
#include "io/host.h"

#define WAIT_US 300000
#define LINKS_MAX 16
#define QUESTIONS_MAX 64 /* on an interface; more services than that are not asked for */

struct arp {
	uint16_t hardware, protocol; /* network byte order */
	uint8_t hardware_len, protocol_len;
	uint16_t operation;
	uint8_t from_mac[6], from[4], to_mac[6], to[4];
} __attribute__((packed));

/* An interface that is asked on. */
struct segment {
	const char *name;
	int arp, nd; /* sockets, -1: none */
	uint32_t ifindex;
	uint8_t mac[6];
	uint8_t source[4]; /* 0: it has none, and probes as one without (RFC 5227) */
};

/* ---- ARP ----------------------------------------------------------------------------------------*/

static void open_arp(struct segment *s)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ARP)};
	auto_close int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ifreq request = {0};

	if (fd < 0)
		return;
	at.sll_ifindex = (int)s->ifindex;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", s->name);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		return;
	memcpy(s->mac, request.ifr_hwaddr.sa_data, sizeof(s->mac));
	if (ioctl(fd, SIOCGIFADDR, &request) == 0)
		memcpy(s->source, request.ifr_addr.sa_data + 2, sizeof(s->source));
	s->arp = take_fd(&fd);
}

static void ask_arp(const struct segment *s, const struct addr *who)
{
	struct sockaddr_ll all = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ARP),
		.sll_ifindex = (int)s->ifindex,
		.sll_halen = 6,
		.sll_addr = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	};
	struct arp arp = {
		.hardware = htons(1),
		.protocol = htons(ETH_P_IP),
		.hardware_len = 6,
		.protocol_len = 4,
		.operation = htons(1),
	};

	memcpy(arp.from_mac, s->mac, 6);
	memcpy(arp.from, s->source, 4);
	memcpy(arp.to, who->bytes, 4);
	(void)sendto(s->arp, &arp, sizeof(arp), 0, (struct sockaddr *)&all, sizeof(all));
}

/* ---- neighbour discovery ------------------------------------------------------------------------*/

static void open_nd(struct segment *s)
{
	auto_close int fd =
		socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6);
	const int hops = 255;
	struct icmp6_filter filter;

	if (fd < 0)
		return;
	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(ND_NEIGHBOR_ADVERT, &filter);
	if (setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &(int){0}, sizeof(int)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, s->name, (socklen_t)strlen(s->name) + 1) <
		    0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &s->ifindex, sizeof(s->ifindex)) < 0)
		return;
	s->nd = take_fd(&fd);
}

static void ask_nd(const struct segment *s, const struct addr *who)
{
	struct sockaddr_in6 group = {.sin6_family = AF_INET6, .sin6_scope_id = s->ifindex};
	struct {
		struct nd_neighbor_solicit head;
		struct nd_opt_hdr option;
		uint8_t mac[6];
	} ns = {
		.head.nd_ns_type = ND_NEIGHBOR_SOLICIT,
		.option = {.nd_opt_type = ND_OPT_SOURCE_LINKADDR, .nd_opt_len = 1},
	};

	memcpy(&ns.head.nd_ns_target, who->bytes, 16);
	memcpy(ns.mac, s->mac, 6);
	/* The solicited-node group: ff02::1:ff and the address's last 24 bits (RFC 4291, 2.7.1). */
	inet_pton(AF_INET6, "ff02::1:ff00:0", &group.sin6_addr);
	memcpy(&group.sin6_addr.s6_addr[13], &who->bytes[13], 3);
	(void)sendto(s->nd, &ns, sizeof(ns), 0, (struct sockaddr *)&group, sizeof(group));
}

/* ---- answers ------------------------------------------------------------------------------------*/

static void note(const struct segment *s, const struct addr *who, const uint8_t mac[6],
		 struct doctor_service *services, size_t n)
{
	size_t i;

	if (memcmp(mac, s->mac, 6) == 0)
		return; /* this host itself */
	for (i = 0; i < n; i++) {
		if (services[i].held || addr_compare(&services[i].vip, who) != 0)
			continue;
		services[i].held = true;
		memcpy(services[i].holder, mac, 6);
		snprintf(services[i].holder_link, sizeof(services[i].holder_link), "%s", s->name);
	}
}

static void hear_arp(const struct segment *s, struct doctor_service *services, size_t n)
{
	struct addr who = {.family = 4};
	struct arp arp;

	while (recv(s->arp, &arp, sizeof(arp), 0) >= (ssize_t)sizeof(arp)) {
		if (arp.operation != htons(2) || arp.hardware_len != 6 || arp.protocol_len != 4)
			continue;
		memcpy(who.bytes, arp.from, 4);
		note(s, &who, arp.from_mac, services, n);
	}
}

/* The MAC is in the option; one that leaves it out says nothing that is of use. */
static void hear_nd(const struct segment *s, struct doctor_service *services, size_t n)
{
	struct {
		struct nd_neighbor_advert head;
		struct nd_opt_hdr option;
		uint8_t mac[6];
	} na;
	struct addr who = {.family = 6};

	while (recv(s->nd, &na, sizeof(na), 0) >= (ssize_t)sizeof(na)) {
		if (na.option.nd_opt_type != ND_OPT_TARGET_LINKADDR)
			continue;
		memcpy(who.bytes, &na.head.nd_na_target, 16);
		note(s, &who, na.mac, services, n);
	}
}

static void hear(const struct segment *segments, size_t n, struct doctor_service *services,
		 size_t n_services)
{
	const mono_t until = mono_add_us(mono_now(), WAIT_US);
	struct pollfd fds[2 * LINKS_MAX];
	int64_t left_us;
	size_t i;

	for (i = 0; i < n; i++) {
		fds[2 * i] = (struct pollfd){.fd = segments[i].arp, .events = POLLIN};
		fds[2 * i + 1] = (struct pollfd){.fd = segments[i].nd, .events = POLLIN};
	}
	while ((left_us = mono_diff_us(mono_now(), until)) > 0) {
		if (poll(fds, 2 * n, (int)(left_us / 1000 + 1)) <= 0)
			continue;
		for (i = 0; i < n; i++) {
			if (fds[2 * i].revents)
				hear_arp(&segments[i], services, n_services);
			if (fds[2 * i + 1].revents)
				hear_nd(&segments[i], services, n_services);
		}
	}
}

static void ask_all(const struct segment *s, struct doctor_service *services, size_t n)
{
	size_t i, asked = 0;

	for (i = 0; i < n && asked < QUESTIONS_MAX; i++) {
		struct doctor_service *x = &services[i];

		if (x->vip_bits < addr_bits(&x->vip) || (x->vip.family == 4 ? s->arp : s->nd) < 0)
			continue;
		if (x->vip.family == 4)
			ask_arp(s, &x->vip);
		else
			ask_nd(s, &x->vip);
		x->asked = true;
		asked++;
	}
}

void host_ask_holders(const char *const *links, size_t n, struct doctor_service *services,
		      size_t n_services)
{
	struct segment segments[LINKS_MAX];
	size_t i, open = 0;

	for (i = 0; i < n && open < LINKS_MAX; i++) {
		struct segment *s = &segments[open];

		*s = (struct segment){.name = links[i], .arp = -1, .nd = -1};
		s->ifindex = if_nametoindex(links[i]);
		if (!s->ifindex)
			continue;
		open_arp(s);
		open_nd(s);
		ask_all(s, services, n_services);
		open++;
	}
	if (open)
		hear(segments, open, services, n_services);
	for (i = 0; i < open; i++) {
		if (segments[i].arp >= 0)
			close(segments[i].arp);
		if (segments[i].nd >= 0)
			close(segments[i].nd);
	}
}
