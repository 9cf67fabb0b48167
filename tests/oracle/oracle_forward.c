/* SPDX-License-Identifier: BSD-2-Clause */
/* The last stage but one: the frame that must leave, put together byte by byte from the front. */
#include "oracle.h"

#include <string.h>

#define TYPE_IPV4 0x0800
#define TYPE_IPV6 0x86dd
#define TYPE_TAG 0x8100
#define TYPE_OUTER_TAG 0x88a8
#define PROTO_IPV4_INSIDE 4
#define PROTO_IPV6_INSIDE 41
#define TUNNEL_TTL 64
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

/* MACs, the backend's tags, then @type. */
static void put_ethernet(const struct shunt_backend *be, uint16_t type, struct oracle_result *r)
{
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
	put16(r, type);
}

/* RFC 1071 over an IPv4 header of 20 bytes whose checksum field is 0. */
static uint16_t header_checksum(const uint8_t *header)
{
	uint32_t sum = 0;

	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)header[i] << 8 | header[i + 1];
	while (sum > 0xffff)
		sum = sum % 0x10000 + sum / 0x10000;
	return (uint16_t)~sum;
}

/* RFC 2003 section 3.1. */
static void put_outer_ipv4(const struct oracle_parsed *p, const struct shunt_backend *be,
			   struct oracle_result *r)
{
	uint8_t *header = r->frame + r->len;
	uint16_t checksum;

	put8(r, 0x45);
	put8(r, p->tos);
	put16(r, (uint32_t)(20 + p->l3_len));
	put16(r, 0); /* id */
	put16(r, 0x4000); /* don't fragment */
	put8(r, TUNNEL_TTL);
	put8(r, p->family == 4 ? PROTO_IPV4_INSIDE : PROTO_IPV6_INSIDE);
	put16(r, 0);
	put(r, be->source, 4);
	put(r, be->addr, 4);
	checksum = header_checksum(header);
	header[10] = (uint8_t)(checksum >> 8);
	header[11] = (uint8_t)checksum;
}

/* RFC 2473 section 3; the flow label is the upper 20 bits of the flow's hash. */
static void put_outer_ipv6(const struct oracle_parsed *p, uint64_t hash,
			   const struct shunt_backend *be, struct oracle_result *r)
{
	uint32_t label = (uint32_t)(hash >> 44);

	put8(r, 0x60 | p->tos >> 4);
	put8(r, (uint32_t)(p->tos << 4) | label >> 16);
	put16(r, label);
	put16(r, (uint32_t)p->l3_len);
	put8(r, p->family == 4 ? PROTO_IPV4_INSIDE : PROTO_IPV6_INSIDE);
	put8(r, TUNNEL_TTL);
	put(r, be->source, 16);
	put(r, be->addr, 16);
}

/* The IP packet as it came, and what is behind it if that can be Ethernet's padding. */
static void put_packet(const struct oracle_arrival *in, const struct oracle_parsed *p,
		       struct oracle_result *r)
{
	bool is_padding = in->len <= SHORTEST_FRAME;

	put(r, in->frame + p->l3, is_padding ? in->len - p->l3 : p->l3_len);
}

static enum shunt_verdict forward_dsr(const struct oracle_arrival *in,
				      const struct oracle_parsed *p, const struct shunt_backend *be,
				      struct oracle_result *r)
{
	if (p->l3_len > be->mtu)
		return SHUNT_DROP_TOO_BIG;
	put_ethernet(be, p->family == 4 ? TYPE_IPV4 : TYPE_IPV6, r);
	put_packet(in, p, r);
	return SHUNT_FORWARD_DSR;
}

static enum shunt_verdict forward_ipip(const struct oracle_arrival *in,
				       const struct oracle_parsed *p, uint64_t hash,
				       const struct shunt_backend *be, struct oracle_result *r)
{
	bool outer_is_ipv6 = be->flags & SHUNT_BE_ADDR6;

	if (p->l3_len + (outer_is_ipv6 ? 40 : 20) > be->mtu)
		return SHUNT_DROP_TOO_BIG;
	put_ethernet(be, outer_is_ipv6 ? TYPE_IPV6 : TYPE_IPV4, r);
	if (outer_is_ipv6)
		put_outer_ipv6(p, hash, be, r);
	else
		put_outer_ipv4(p, be, r);
	put_packet(in, p, r);
	return SHUNT_FORWARD_IPIP;
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
		return forward_ipip(in, p, hash, be, r);
	case SHUNT_LOCAL:
		put(r, in->frame, in->len);
		return SHUNT_FORWARD_LOCAL;
	default:
		return SHUNT_DROP_BAD_TABLE;
	}
}
