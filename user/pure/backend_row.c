/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/backend_row.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static uint32_t sum(const uint16_t *words, size_t n)
{
	uint32_t total = 0;
	size_t i;

	for (i = 0; i < n; i++)
		total += words[i];
	return total;
}

static uint8_t inner_protocol(const struct backend_row_spec *spec)
{
	return spec->vip_family == 6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
}

static uint8_t outer_protocol(const struct backend_row_spec *spec)
{
	switch (spec->method) {
	case SHUNT_GUE:
		return IPPROTO_UDP;
	case SHUNT_GRE:
		return IPPROTO_GRE;
	default:
		return inner_protocol(spec);
	}
}

/* The outer IPv4 header's words that do not change from packet to packet: version and IHL (tos 0),
 * id 0, DF, TTL 64 and protocol, the two addresses; length and checksum are left out. */
static uint32_t outer_sum4(const struct shunt_backend *b, uint8_t protocol)
{
	uint16_t words[10] = {htons(0x4500), 0, 0, htons(0x4000), htons(0x4000 | protocol)};

	memcpy(&words[6], &b->source[0], 4);
	memcpy(&words[8], &b->addr[0], 4);
	return sum(words, 10);
}

/* What the UDP checksum over IPv6 covers and does not change: the addresses and the next header of
 * the pseudo header, the destination port, and the GUE header. */
static uint32_t gue_sum6(const struct shunt_backend *b, uint8_t inner)
{
	uint16_t words[19] = {htons(IPPROTO_UDP), htons(SHUNT_GUE_PORT), htons(inner)};

	memcpy(&words[3], b->source, 16);
	memcpy(&words[11], b->addr, 16);
	return sum(words, 19);
}

bool backend_row_is_tunnel(enum shunt_forward method)
{
	return method == SHUNT_IPIP || method == SHUNT_GUE || method == SHUNT_GRE;
}

static void fill_tunnel(const struct backend_row_spec *spec, struct shunt_backend *b)
{
	if (spec->method != SHUNT_GUE)
		b->source_bits = spec->source_bits;
	if (spec->addr.family == 4) {
		b->outer_csum = outer_sum4(b, outer_protocol(spec));
	} else if (spec->method == SHUNT_GUE && spec->udp_csum) {
		b->flags |= SHUNT_BE_UDP_CSUM;
		b->outer_csum = gue_sum6(b, inner_protocol(spec));
	}
}

void backend_row_build(const struct backend_row_spec *spec, struct shunt_backend *out)
{
	struct shunt_backend b = {
		.ifindex = spec->ifindex,
		.mtu = spec->mtu > UINT16_MAX ? UINT16_MAX : (uint16_t)spec->mtu,
		.method = (uint8_t)spec->method,
		.tags = spec->tags,
		.port = htons(spec->port),
		.vlan_tci = {htons(spec->vlan_tci[0]), htons(spec->vlan_tci[1])},
	};

	memcpy(b.addr, spec->addr.bytes, sizeof(b.addr));
	memcpy(b.source, spec->source.bytes, sizeof(b.source));
	memcpy(b.dmac, spec->dmac, sizeof(b.dmac));
	memcpy(b.smac, spec->smac, sizeof(b.smac));
	b.flags = (spec->usable ? SHUNT_BE_USABLE : 0) | (spec->no_new ? SHUNT_BE_NO_NEW : 0) |
		  (spec->addr.family == 6 ? SHUNT_BE_ADDR6 : 0) |
		  (spec->passive ? SHUNT_BE_PASSIVE : 0);
	if (backend_row_is_tunnel(spec->method))
		fill_tunnel(spec, &b);
	if (spec->method == SHUNT_NAT)
		b.nat_pool = spec->nat_pool;
	*out = b;
}

static bool has_source(uint8_t method)
{
	return backend_row_is_tunnel((enum shunt_forward)method) || method == SHUNT_NAT;
}

void backend_row_read(const struct shunt_backend *row, struct backend_row_spec *out)
{
	uint8_t family = row->flags & SHUNT_BE_ADDR6 ? 6 : 4;

	*out = (struct backend_row_spec){
		.addr.family = family,
		.source.family = has_source(row->method) ? family : 0,
		.source_bits = row->source_bits,
		.ifindex = row->ifindex,
		.vlan_tci = {ntohs(row->vlan_tci[0]), ntohs(row->vlan_tci[1])},
		.tags = row->tags,
		.mtu = row->mtu,
		.method = (enum shunt_forward)row->method,
		.port = ntohs(row->port),
		.nat_pool = row->method == SHUNT_NAT ? row->nat_pool : 0,
		.udp_csum = row->flags & SHUNT_BE_UDP_CSUM,
		.usable = row->flags & SHUNT_BE_USABLE,
		.no_new = row->flags & SHUNT_BE_NO_NEW,
		.passive = row->flags & SHUNT_BE_PASSIVE,
	};
	memcpy(out->addr.bytes, row->addr, sizeof(row->addr));
	memcpy(out->source.bytes, row->source, sizeof(row->source));
	memcpy(out->dmac, row->dmac, sizeof(row->dmac));
	memcpy(out->smac, row->smac, sizeof(row->smac));
}
