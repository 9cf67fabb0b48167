/* SPDX-License-Identifier: BSD-2-Clause */
#include "frame.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <string.h>

#define PAYLOAD 30 /* with the TCP or UDP header */
#define TCP_FLAGS 13
#define SYN 0x02
#define ACK 0x10

static void put16(uint8_t *at, uint16_t v)
{
	at[0] = v >> 8;
	at[1] = v;
}

/* RFC 1071, over what includes the checksum: 0 when it is right. */
static uint16_t checksum(const uint8_t *bytes, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += bytes[i] << 8 | bytes[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static uint8_t *put_ipv4(uint8_t *ip, uint8_t protocol, const struct addr *vip)
{
	ip[0] = 0x45;
	put16(ip + 2, 20 + PAYLOAD);
	put16(ip + 6, 0x4000);
	ip[8] = BENCH_HOPS;
	ip[9] = protocol;
	memcpy(ip + 16, vip->bytes, 4);
	return ip + 20;
}

static uint8_t *put_ipv6(uint8_t *ip, uint8_t protocol, const struct addr *vip)
{
	ip[0] = 0x60;
	put16(ip + 4, PAYLOAD);
	ip[6] = protocol;
	ip[7] = BENCH_HOPS;
	memcpy(ip + 8, "\x20\x01\x0d\xb8\x00\x00\x00\x07", 8);
	memcpy(ip + 24, vip->bytes, 16);
	return ip + 40;
}

void frame_build(const struct bench_case *c, const struct addr *vip, uint16_t port,
		 enum frame_flags flags, struct frame *out)
{
	uint8_t *l3 = out->bytes + BENCH_L3, *l4;

	memset(out, 0, sizeof(*out));
	memcpy(out->bytes, "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02", 12);
	put16(out->bytes + 12, c->is_v6 ? ETH_P_IPV6 : ETH_P_IP);
	l4 = c->is_v6 ? put_ipv6(l3, c->protocol, vip) : put_ipv4(l3, c->protocol, vip);
	put16(l4 + 2, port);
	if (c->protocol == IPPROTO_UDP) {
		put16(l4 + 4, PAYLOAD);
		put16(l4 + 6, 0x5aa5); /* any but 0, which would mean none */
	} else {
		l4[12] = 5 << 4;
		l4[TCP_FLAGS] = flags == FRAME_SYN ? SYN : ACK;
	}
	if (c->frame == BENCH_LONG_IP)
		put16(l3 + (c->is_v6 ? 4 : 2), 1000);
	if (c->frame == BENCH_SHORT_TCP)
		l4[12] = 4 << 4;
	out->len = l4 + PAYLOAD - out->bytes;
	frame_set_flow(out, c->is_v6, 0);
}

void frame_state(const struct frame *f, bool is_v6, struct bench_state *out)
{
	uint16_t dport;

	*out = (struct bench_state){.frame_len = f->len};
	memcpy(&out->mac_front, f->bytes, 8);
	memcpy(&out->mac_back, f->bytes + BENCH_MAC_BACK, 8);
	memcpy(&out->ttl4, f->bytes + BENCH_TTL4, 4);
	memcpy(&out->daddr, f->bytes + BENCH_SADDR4 + 4, 4);
	memcpy(&dport, f->bytes + (is_v6 ? BENCH_PORTS6 : BENCH_PORTS4) + 2, 2);
	out->dport = (uint32_t)dport << 16;
}

void frame_set_flow(struct frame *f, bool is_v6, uint32_t flow)
{
	struct bench_state state;
	uint32_t saddr4 = bench_saddr4(flow), ports;
	uint64_t saddr6 = bench_saddr6(flow);

	frame_state(f, is_v6, &state);
	ports = bench_ports(flow, state.dport);
	if (is_v6)
		memcpy(f->bytes + BENCH_SADDR6_LOWER, &saddr6, 8);
	else
		memcpy(f->bytes + BENCH_SADDR4, &saddr4, 4);
	memcpy(f->bytes + (is_v6 ? BENCH_PORTS6 : BENCH_PORTS4), &ports, 4);
}

static uint8_t outer_protocol(const struct bench_case *c)
{
	switch (c->method) {
	case SHUNT_GUE:
		return IPPROTO_UDP;
	case SHUNT_GRE:
		return IPPROTO_GRE;
	default:
		return c->is_v6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	}
}

static const char *check_shim(const struct bench_case *c, const struct frame *out)
{
	const uint8_t *at = out->bytes + BENCH_L3 + (c->is_v6 ? 40 : 20);
	const uint8_t gre[] = {0, 0, c->is_v6 ? 0x86 : 0x08, c->is_v6 ? 0xdd : 0};
	const uint8_t gue[] = {0, c->is_v6 ? 41 : 4, 0, 0};

	if (c->method == SHUNT_GRE)
		return memcmp(at, gre, 4) ? "the GRE header is wrong" : NULL;
	if (c->method != SHUNT_GUE)
		return NULL;
	if (at[0] < 0xc0 || (at[2] << 8 | at[3]) != SHUNT_GUE_PORT || memcmp(at + 8, gue, 4))
		return "the GUE header is wrong";
	return !(at[6] | at[7]) == c->is_v6 ? "the UDP checksum is wrong" : NULL;
}

static const char *check_outer4(const struct bench_case *c, const struct frame *out,
				const struct shunt_backend *b)
{
	struct iphdr ip;

	memcpy(&ip, out->bytes + BENCH_L3, sizeof(ip));
	if (checksum(out->bytes + BENCH_L3, sizeof(ip)))
		return "the tunnel header's checksum is wrong";
	if (ip.version != 4 || ip.ihl != 5 || ntohs(ip.tot_len) != out->len - BENCH_L3)
		return "the tunnel header's length is wrong";
	if (ip.ttl == 0 || ip.protocol != outer_protocol(c))
		return "the tunnel header's protocol or TTL is wrong";
	if (ip.saddr != b->source[0] || ip.daddr != b->addr[0])
		return "the tunnel's addresses are not the backend's";
	return check_shim(c, out);
}

static const char *check_outer6(const struct bench_case *c, const struct frame *out,
				const struct shunt_backend *b)
{
	struct ipv6hdr ip;

	memcpy(&ip, out->bytes + BENCH_L3, sizeof(ip));
	if (ip.version != 6 || ntohs(ip.payload_len) != out->len - BENCH_L3 - sizeof(ip))
		return "the tunnel header's length is wrong";
	if (ip.hop_limit == 0 || ip.nexthdr != outer_protocol(c))
		return "the tunnel header's next header or hop limit is wrong";
	if (memcmp(&ip.saddr, b->source, 16) != 0 || memcmp(&ip.daddr, b->addr, 16) != 0)
		return "the tunnel's addresses are not the backend's";
	return check_shim(c, out);
}

/* The backend to whose next hop the frame goes; NULL. */
static const struct shunt_backend *backend_of(const struct frame *out,
					      const struct shunt_backend *backends, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (memcmp(out->bytes, backends[i].dmac, ETH_ALEN) == 0)
			return &backends[i];
	return NULL;
}

static const char *check_headers(const struct bench_case *c, const struct frame *out,
				 const struct shunt_backend *backends, uint32_t n)
{
	const struct shunt_backend *b = backend_of(out, backends, n);
	uint16_t type;

	if (!b || memcmp(out->bytes + ETH_ALEN, b->smac, ETH_ALEN) != 0)
		return "the MACs are no backend's";
	memcpy(&type, out->bytes + 2 * ETH_ALEN, 2);
	if (type != (c->is_v6 ? htons(ETH_P_IPV6) : htons(ETH_P_IP)))
		return "the Ethernet type is wrong";
	if (c->pushed == 0)
		return NULL;
	return c->is_v6 ? check_outer6(c, out, b) : check_outer4(c, out, b);
}

/* What a router does to the packet; RFC 1624 for its checksum, which need not be right before. */
static void take_hop(struct frame *f, bool is_v6)
{
	uint8_t *csum = f->bytes + BENCH_TTL4 + 2;
	uint32_t sum = (uint32_t)(csum[0] << 8 | csum[1]) + 0x0100;

	f->bytes[is_v6 ? BENCH_HOPS6 : BENCH_TTL4]--;
	if (!is_v6)
		put16(csum, (uint16_t)(sum + (sum >> 16)));
}

const char *frame_check(const struct bench_case *c, const struct frame *sent,
			const struct frame *out, const struct shunt_backend *backends,
			uint32_t n_backends)
{
	struct frame in[1] = {*sent};

	if (c->kind == BENCH_CASE && !c->verdict)
		take_hop(in, c->is_v6);
	if (out->len != in->len + c->pushed)
		return "the frame's length is wrong";
	if (memcmp(out->bytes + BENCH_L3 + c->pushed, in->bytes + BENCH_L3, in->len - BENCH_L3) !=
	    0)
		return "the packet itself has changed";
	if (c->verdict && memcmp(out->bytes, in->bytes, BENCH_L3) != 0)
		return "the Ethernet header has changed";
	return c->kind == BENCH_CASE && !c->verdict ? check_headers(c, out, backends, n_backends)
						    : NULL;
}
