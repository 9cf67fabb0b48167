/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/backend_row.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* The outer IPv4 header's words that do not change from packet to packet: version and IHL (tos 0),
 * id 0, DF, TTL 64 and protocol, the two addresses; length and checksum are left out. */
static uint32_t outer_sum(const struct shunt_backend *b, uint8_t protocol)
{
	uint16_t words[10] = {htons(0x4500), 0, 0, htons(0x4000), htons(0x4000 | protocol)};
	uint32_t sum = 0;
	int i;

	memcpy(&words[6], &b->source[0], 4);
	memcpy(&words[8], &b->addr[0], 4);
	for (i = 0; i < 10; i++)
		sum += words[i];
	return sum;
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
		  (spec->addr.family == 6 ? SHUNT_BE_ADDR6 : 0);
	if (spec->method == SHUNT_IPIP && spec->addr.family == 4)
		b.outer_csum = outer_sum(&b, spec->vip_family == 6 ? IPPROTO_IPV6 : IPPROTO_IPIP);
	if (spec->method == SHUNT_NAT)
		b.nat_pool = spec->nat_pool;
	*out = b;
}

static bool has_source(uint8_t method)
{
	return method == SHUNT_IPIP || method == SHUNT_NAT;
}

void backend_row_read(const struct shunt_backend *row, struct backend_row_spec *out)
{
	uint8_t family = row->flags & SHUNT_BE_ADDR6 ? 6 : 4;

	*out = (struct backend_row_spec){
		.addr.family = family,
		.source.family = has_source(row->method) ? family : 0,
		.ifindex = row->ifindex,
		.vlan_tci = {ntohs(row->vlan_tci[0]), ntohs(row->vlan_tci[1])},
		.tags = row->tags,
		.mtu = row->mtu,
		.method = (enum shunt_forward)row->method,
		.port = ntohs(row->port),
		.nat_pool = row->method == SHUNT_NAT ? row->nat_pool : 0,
		.usable = row->flags & SHUNT_BE_USABLE,
		.no_new = row->flags & SHUNT_BE_NO_NEW,
	};
	memcpy(out->addr.bytes, row->addr, sizeof(row->addr));
	memcpy(out->source.bytes, row->source, sizeof(row->source));
	memcpy(out->dmac, row->dmac, sizeof(row->dmac));
	memcpy(out->smac, row->smac, sizeof(row->smac));
}
