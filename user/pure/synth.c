/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/synth.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#define TCP_LEN 20
#define UDP_LEN 9
#define ICMP_LEN 8
#define TCP_SYN 0x02
#define TCP_ACK 0x10

static void put16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static uint32_t ip_sum(const uint8_t *header)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < 20; i += 2)
		sum += (uint32_t)header[i] << 8 | header[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

static size_t put_ip4(uint8_t *ip, const struct addr *from, const struct addr *to, uint8_t proto,
		      size_t len)
{
	memset(ip, 0, 20);
	ip[0] = 0x45;
	put16(ip + 2, (uint32_t)(20 + len));
	ip[6] = 0x40; /* DF */
	ip[8] = 64;
	ip[9] = proto;
	memcpy(ip + 12, from->bytes, 4);
	memcpy(ip + 16, to->bytes, 4);
	put16(ip + 10, ip_sum(ip));
	return 20;
}

static size_t put_ip6(uint8_t *ip, const struct addr *from, const struct addr *to, uint8_t proto,
		      size_t len)
{
	memset(ip, 0, 40);
	ip[0] = 0x60;
	put16(ip + 4, (uint32_t)len);
	ip[6] = proto;
	ip[7] = 64;
	memcpy(ip + 8, from->bytes, 16);
	memcpy(ip + 24, to->bytes, 16);
	return 40;
}

static size_t put_ip(uint8_t *ip, const struct addr *from, const struct addr *to, uint8_t proto,
		     size_t len)
{
	return from->family == 6 ? put_ip6(ip, from, to, proto, len)
				 : put_ip4(ip, from, to, proto, len);
}

/* TCP with @flags, or UDP if there are none; returns its length. */
static size_t put_l4(uint8_t *l4, uint8_t flags, uint16_t from, uint16_t to)
{
	size_t len = flags ? TCP_LEN : UDP_LEN;

	memset(l4, 0, len);
	put16(l4, from);
	put16(l4 + 2, to);
	if (!flags) {
		put16(l4 + 4, UDP_LEN);
		return len;
	}
	l4[12] = TCP_LEN / 4 << 4;
	l4[13] = flags;
	put16(l4 + 14, 1024);
	return len;
}

/* What the router quotes is what the service has sent to the client. */
static size_t put_icmp(uint8_t *ip, const struct synth *s)
{
	bool v6 = s->vip.family == 6, is_tcp = s->kind == SYNTH_ICMP_TCP;
	size_t l4 = is_tcp ? TCP_LEN : UDP_LEN, quoted = (v6 ? 40 : 20) + l4, at;
	uint8_t *icmp;

	at = put_ip(ip, &s->client, &s->vip, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, ICMP_LEN + quoted);
	icmp = ip + at;
	memset(icmp, 0, ICMP_LEN);
	icmp[0] = v6 ? 1 : 3;
	icmp[1] = v6 ? 3 : 1; /* the address, the host, cannot be reached */
	at += ICMP_LEN;
	at += put_ip(ip + at, &s->vip, &s->client, is_tcp ? IPPROTO_TCP : IPPROTO_UDP, l4);
	return at + put_l4(ip + at, is_tcp ? TCP_ACK : 0, s->port, s->client_port);
}

static size_t put_flow(uint8_t *ip, const struct synth *s)
{
	bool is_tcp = s->kind != SYNTH_UDP;
	size_t at = put_ip(ip, &s->client, &s->vip, is_tcp ? IPPROTO_TCP : IPPROTO_UDP,
			   is_tcp ? TCP_LEN : UDP_LEN);

	return at + put_l4(ip + at,
			   !is_tcp  ? 0
			   : s->syn ? TCP_SYN
				    : TCP_ACK,
			   s->client_port, s->port);
}

size_t synth_frame(const struct synth *s, uint8_t frame[static SYNTH_FRAME_MAX])
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	uint8_t *ip = frame + ETH_HLEN;
	bool quotes = s->kind == SYNTH_ICMP_TCP || s->kind == SYNTH_ICMP_UDP;

	memcpy(frame, macs, sizeof(macs));
	put16(frame + 12, s->vip.family == 6 ? ETH_P_IPV6 : ETH_P_IP);
	return ETH_HLEN + (quotes ? put_icmp(ip, s) : put_flow(ip, s));
}

size_t synth_l3_len(size_t frame_len)
{
	return frame_len - ETH_HLEN;
}
