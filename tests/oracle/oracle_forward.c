/* SPDX-License-Identifier: BSD-2-Clause */
/* The last stage but one: the frame that must leave, put together byte by byte from the front. */
#include "oracle.h"

#include <string.h>

#define TYPE_IPV4 0x0800
#define TYPE_IPV6 0x86dd
#define TYPE_TAG 0x8100
#define TYPE_OUTER_TAG 0x88a8
#define PROTO_IPV4_INSIDE 4
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_IPV6_INSIDE 41
#define PROTO_GRE 47
#define TUNNEL_TTL 64
#define SUMMED_MAX 9216 /* a longer packet that cannot vouch for itself is not summed */
#define SHORTEST_FRAME 60 /* Ethernet pads up to here */

static void put(struct oracle_result *r, const void *bytes, size_t len)
{
	memcpy(r->frame + r->len, bytes, len);
	r->len += len;
}

static void put8(struct oracle_result *r, uint32_t value)
{
	put(r, &(uint8_t){(uint8_t)value}, 1);
}

static void put16(struct oracle_result *r, uint32_t value)
{
	put8(r, value >> 8);
	put8(r, value);
}

void oracle_put_ethernet(const struct shunt_backend *be, uint8_t family, struct oracle_result *r)
{
	r->len = 0;
	put(r, be->dmac, 6);
	put(r, be->smac, 6);
	if (be->tags == 2) {
		put16(r, TYPE_OUTER_TAG);
		put(r, &be->vlan_tci[0], 2);
		put16(r, TYPE_TAG);
		put(r, &be->vlan_tci[1], 2);
	} else if (be->tags == 1) {
		put16(r, TYPE_TAG);
		put(r, &be->vlan_tci[0], 2);
	}
	put16(r, family == 4 ? TYPE_IPV4 : TYPE_IPV6);
}

static uint32_t sum_of(const uint8_t *bytes, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	return sum;
}

/* RFC 1071. */
static uint16_t checksum_of(uint32_t sum)
{
	while (sum > 0xffff)
		sum = sum % 0x10000 + sum / 0x10000;
	return (uint16_t)~sum;
}

static void set16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint8_t outer_proto(const struct oracle_parsed *p, const struct shunt_backend *be)
{
	switch (be->method) {
	case SHUNT_GUE:
		return PROTO_UDP;
	case SHUNT_GRE:
		return PROTO_GRE;
	default:
		return p->family == 4 ? PROTO_IPV4_INSIDE : PROTO_IPV6_INSIDE;
	}
}

/* Bytes between the outer header and the packet. */
static size_t shim_len(const struct shunt_backend *be)
{
	return be->method == SHUNT_GUE ? 12 : be->method == SHUNT_GRE ? 4 : 0;
}

static void put_source(uint64_t hash, const struct shunt_backend *be, size_t len,
		       struct oracle_result *r)
{
	uint8_t *last;
	uint32_t host = be->source_bits ? shunt_source_host(hash, be->source_bits) : 0;

	put(r, be->source, len);
	last = r->frame + r->len;
	for (int i = 1; i <= 4; i++, host >>= 8)
		last[-i] |= (uint8_t)host;
}

/* RFC 2003 section 3.1. */
static void put_outer_ipv4(const struct oracle_parsed *p, uint64_t hash,
			   const struct shunt_backend *be, struct oracle_result *r)
{
	uint8_t *header = r->frame + r->len;

	put8(r, 0x45);
	put8(r, p->tos);
	put16(r, (uint32_t)(20 + shim_len(be) + p->l3_len));
	put16(r, 0); /* id */
	put16(r, 0x4000); /* don't fragment */
	put8(r, TUNNEL_TTL);
	put8(r, outer_proto(p, be));
	put16(r, 0);
	put_source(hash, be, 4, r);
	put(r, be->addr, 4);
	set16(header + 10, checksum_of(sum_of(header, 20)));
}

/* RFC 2473 section 3; the flow label is the upper 20 bits of the flow's hash. */
static void put_outer_ipv6(const struct oracle_parsed *p, uint64_t hash,
			   const struct shunt_backend *be, struct oracle_result *r)
{
	uint32_t label = (uint32_t)(hash >> 44);

	put8(r, 0x60 | p->tos >> 4);
	put8(r, (uint32_t)(p->tos << 4) | label >> 16);
	put16(r, label);
	put16(r, (uint32_t)(shim_len(be) + p->l3_len));
	put8(r, outer_proto(p, be));
	put8(r, TUNNEL_TTL);
	put_source(hash, be, 16, r);
	put(r, be->addr, 16);
}

/* RFC 2784; draft-ietf-intarea-gue-09, with the UDP checksum left open. */
static void put_shim(const struct oracle_parsed *p, uint64_t hash, const struct shunt_backend *be,
		     struct oracle_result *r)
{
	if (be->method == SHUNT_GRE) {
		put16(r, 0);
		put16(r, p->family == 4 ? TYPE_IPV4 : TYPE_IPV6);
	}
	if (be->method == SHUNT_GUE) {
		put16(r, shunt_gue_port_of(hash));
		put16(r, SHUNT_GUE_PORT);
		put16(r, (uint32_t)(12 + p->l3_len));
		put16(r, 0);
		put8(r, 0);
		put8(r, p->family == 4 ? PROTO_IPV4_INSIDE : PROTO_IPV6_INSIDE);
		put16(r, 0);
	}
}

/* Takes a hop off the packet: the checksum as RFC 1624 changes it, right before or not. */
static void take_hop(const struct oracle_parsed *p, uint8_t *ip)
{
	uint32_t sum = ((uint32_t)ip[10] << 8 | ip[11]) + 0x0100;

	ip[p->family == 4 ? 8 : 7]--;
	if (p->family == 6)
		return;
	sum = sum > 0xffff ? sum - 0xffff : sum;
	set16(ip + 10, sum == 0xffff ? 0 : (uint16_t)sum);
}

uint8_t *oracle_put_packet(const struct oracle_arrival *in, const struct oracle_parsed *p,
			   struct oracle_result *r)
{
	bool is_padding = in->len <= SHORTEST_FRAME;
	uint8_t *ip = r->frame + r->len;

	put(r, in->frame + p->l3, is_padding ? in->len - p->l3 : p->l3_len);
	return ip;
}

static enum shunt_verdict forward_dsr(const struct oracle_arrival *in,
				      const struct oracle_parsed *p, const struct shunt_backend *be,
				      struct oracle_result *r)
{
	if (p->ttl < 2)
		return SHUNT_DROP_TTL;
	if (p->l3_len > be->mtu)
		return SHUNT_DROP_TOO_BIG;
	oracle_put_ethernet(be, p->family, r);
	take_hop(p, oracle_put_packet(in, p, r));
	return SHUNT_FORWARD_DSR;
}

/* Whether the packet's own checksums cover all of it. */
static bool vouches_for_itself(const struct oracle_parsed *p, const uint8_t *ip)
{
	const uint8_t *udp = ip + (p->l4 - p->l3);
	size_t l4_len = p->l3 + p->l3_len - p->l4;

	if (!p->is_whole || (p->family == 6 && p->l4 - p->l3 != 40))
		return false;
	if (p->proto == PROTO_TCP)
		return true;
	return (udp[6] | udp[7]) && ((size_t)udp[4] << 8 | udp[5]) == l4_len;
}

/* Makes the packet's own checksums right. */
static void correct(const struct oracle_parsed *p, uint8_t *ip)
{
	size_t header_len = p->l4 - p->l3, l4_len = p->l3_len - header_len;
	uint8_t *l4 = ip + header_len, *field = l4 + (p->proto == PROTO_TCP ? 16 : 6);
	uint32_t sum = p->proto + (uint32_t)l4_len;

	sum += p->family == 4 ? sum_of(ip + 12, 8) : sum_of(ip + 8, 32);
	set16(field, 0);
	set16(field, checksum_of(sum + sum_of(l4, l4_len)));
	if (p->family == 6)
		return;
	set16(ip + 10, 0);
	set16(ip + 10, checksum_of(sum_of(ip, header_len)));
}

/* RFC 8200 section 8.1: the checksum of the UDP header @at bytes into the frame, behind an IPv6
 * header.  It is what it must be when the packet's own checksums are right; else the backend drops
 * the one for the other. */
static void finish_udp(const struct oracle_parsed *p, size_t at, struct oracle_result *r)
{
	uint8_t *udp = r->frame + at, packet[ORACLE_FRAME_MAX];
	uint32_t sum = PROTO_UDP + (uint32_t)(12 + p->l3_len);
	bool vouches = vouches_for_itself(p, udp + 12);
	uint16_t checksum;

	if (!vouches && p->l3_len > SUMMED_MAX)
		return;
	memcpy(packet, udp + 12, p->l3_len);
	if (vouches)
		correct(p, packet);
	sum += sum_of(udp - 32, 32) + sum_of(udp, 12) + sum_of(packet, p->l3_len);
	checksum = checksum_of(sum);
	set16(udp + 6, checksum ? checksum : 0xffff);
}

static enum shunt_verdict forward_tunnel(const struct oracle_arrival *in,
					 const struct oracle_parsed *p, uint64_t hash,
					 const struct shunt_backend *be, struct oracle_result *r)
{
	bool outer_is_ipv6 = be->flags & SHUNT_BE_ADDR6;
	size_t shim;

	if (p->ttl < 2)
		return SHUNT_DROP_TTL;
	if (p->l3_len + shim_len(be) + (outer_is_ipv6 ? 40 : 20) > be->mtu)
		return SHUNT_DROP_TOO_BIG;
	oracle_put_ethernet(be, outer_is_ipv6 ? 6 : 4, r);
	if (outer_is_ipv6)
		put_outer_ipv6(p, hash, be, r);
	else
		put_outer_ipv4(p, hash, be, r);
	shim = r->len;
	put_shim(p, hash, be, r);
	take_hop(p, oracle_put_packet(in, p, r));
	if (be->method == SHUNT_GUE && be->flags & SHUNT_BE_UDP_CSUM)
		finish_udp(p, shim, r);
	return be->method == SHUNT_GUE	 ? SHUNT_FORWARD_GUE
	       : be->method == SHUNT_GRE ? SHUNT_FORWARD_GRE
					 : SHUNT_FORWARD_IPIP;
}

enum shunt_verdict oracle_forward(const struct oracle_arrival *in, const struct oracle_parsed *p,
				  uint64_t hash, const struct shunt_backend *be,
				  struct oracle_result *r)
{
	r->len = 0;
	switch (be->method) {
	case SHUNT_DSR:
		return forward_dsr(in, p, be, r);
	case SHUNT_IPIP:
	case SHUNT_GUE:
	case SHUNT_GRE:
		return forward_tunnel(in, p, hash, be, r);
	case SHUNT_LOCAL:
		put(r, in->frame, in->len);
		return SHUNT_FORWARD_LOCAL;
	default:
		return SHUNT_DROP_BAD_TABLE;
	}
}
