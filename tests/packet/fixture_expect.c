/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture_expect.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "pure/hashkey.h"

#define MIN_FRAME 60

static uint64_t flow_hash(const struct fixture *f, const struct recipe *r)
{
	uint32_t src[4], dst[4], ports;

	memcpy(src, r->src, 16);
	memcpy(dst, r->dst, 16);
	ports = htons(r->sport) | (uint32_t)htons(r->dport) << 16;
	return r->family == 4 ? hashkey_flow4(f->hash_key, src[0], dst[0], ports)
			      : hashkey_flow6(f->hash_key, src, dst, ports);
}

static bool is_tunnel(enum world_kind kind)
{
	return world_way(kind)->family != 0;
}

size_t expect_overhead(enum world_kind kind)
{
	const struct world_way *way = world_way(kind);
	size_t shim = way->method == SHUNT_GUE ? 12 : way->method == SHUNT_GRE ? 4 : 0;

	return is_tunnel(kind) ? (way->family == 4 ? 20 : 40) + shim : 0;
}

/* The tunnel's source: all but the bits that may vary by flow is fixed, and those come from what
 * left. */
static void expect_source(enum world_kind kind, const uint8_t *left, uint8_t out[static 16])
{
	const struct world_way *way = world_way(kind);
	size_t last = way->family == 4 ? 0 : 12;
	uint32_t fixed, varied, mask = (uint32_t)((1ull << way->source_bits) - 1) & ~3u;

	world_source(kind, out);
	memcpy(&fixed, out + last, 4);
	memcpy(&varied, left + (way->family == 4 ? 12 : 8 + last), 4);
	put32(out + last, ntohl(fixed) | (ntohl(varied) & mask));
}

/* Appends what GUE and GRE put behind the outer header; @left: where it stands in what left. */
static void expect_shim(struct frame *out, const struct world_way *w, uint8_t family,
			const uint8_t *left)
{
	uint8_t gre[4] = {0, 0, family == 4 ? 0x08 : 0x86, family == 4 ? 0x00 : 0xdd};
	uint8_t gue[12] = {left[0], left[1], 6080 >> 8, 6080 & 0xff, [9] = family == 4 ? 4 : 41};

	if (w->method == SHUNT_GRE)
		frame_put(out, gre, 4);
	if (w->method != SHUNT_GUE)
		return;
	assert_in_range(get16(left), 49152, 65535);
	frame_put(out, gue, 12);
}

/* Fills in the UDP header @at bytes into the frame, over @len bytes. */
static void finish_udp(struct frame *out, const struct recipe *way, size_t at, size_t len,
		       bool summed)
{
	uint32_t sum = 17 + (uint32_t)len;
	uint16_t csum;

	put16(out->bytes + at + 4, (uint16_t)len);
	if (!summed)
		return;
	sum = sum16(sum16(sum, way->src, 16), way->dst, 16);
	csum = (uint16_t)~fold16(sum16(sum, out->bytes + at, len));
	put16(out->bytes + at + 6, csum ? csum : 0xffff);
}

void expect_hop(uint8_t *ip)
{
	size_t len = 4u * (ip[0] & 15);

	if (ip[0] >> 4 == 6) {
		ip[7]--;
		return;
	}
	ip[8]--;
	put16(ip + 10, 0);
	put16(ip + 10, (uint16_t)~fold16(sum16(0, ip, len)));
}

static uint8_t outer_proto(const struct world_way *w, uint8_t family)
{
	if (w->method == SHUNT_GUE)
		return 17;
	return w->method == SHUNT_GRE ? 47 : family == 4 ? 4 : 41;
}

void expect_frame(const struct fixture *f, const struct recipe *r, enum world_kind kind,
		  const struct frame *in, uint8_t number, const struct frame *left,
		  struct frame *out)
{
	const struct world_way *w = world_way(kind);
	struct recipe way = {
		.family = w->family,
		.smac = {2, 0x5c, 0, 0, (uint8_t)kind, 1},
		.dmac = {2, 0xbe, 0, 0, (uint8_t)kind, number},
		.tags = w->tags,
		.tci = {0x2064, 0x4065},
		.tos = r->tos,
		.ttl = 64,
		.frag = 0x4000,
	};
	size_t tail = in->len - in->l3 - in->l3_len, l3, shim, packet;

	*out = (struct frame){0};
	frame_put_l2(out, &way, is_tunnel(kind) ? way.family : r->family);
	l3 = out->len;
	shim = l3 + (way.family == 4 ? 20 : 40);
	packet = l3 + expect_overhead(kind);
	if (way.family == 4)
		memcpy(way.dst, (uint8_t[]){10, 0, (uint8_t)kind, number}, 4);
	else
		memcpy(way.dst, (uint8_t[]){0xfd, 1, [7] = 0xab, [15] = number}, 16);
	if (is_tunnel(kind)) {
		expect_source(kind, left->bytes + l3, way.src);
		frame_put_ip(out, &way, outer_proto(w, r->family), packet - shim + in->l3_len);
		expect_shim(out, w, r->family, left->bytes + shim);
	}
	if (way.family == 6)
		put32(out->bytes + l3,
		      6u << 28 | (uint32_t)r->tos << 20 | (uint32_t)(flow_hash(f, r) >> 44));
	frame_put(out, in->bytes + in->l3, in->l3_len);
	expect_hop(out->bytes + packet);
	if (w->method == SHUNT_GUE)
		finish_udp(out, &way, shim, out->len - shim, w->udp_csum);
	frame_put(out, in->bytes + in->l3 + in->l3_len, in->len <= MIN_FRAME ? tail : 0);
	if (kind == WORLD_LOCAL)
		*out = *in;
}

void assert_same_frame(const struct frame *is, const struct frame *must)
{
	assert_int_equal(is->len, must->len);
	assert_memory_equal(is->bytes, must->bytes, must->len);
}

void assert_frame_forwarded(struct fixture *f, const struct recipe *r, enum world_kind kind,
			    const struct frame *in)
{
	struct frame must;
	struct outcome o;
	int action = kind == WORLD_LOCAL ? XDP_PASS : XDP_TX;

	fixture_run_poisoned(f, in, 0xa5, &o);
	assert_int_equal(o.action, action);
	expect_frame(f, r, kind, in, 1, &o.out, &must);
	assert_same_frame(&o.out, &must);
	fixture_run(f, in, &o);
	assert_int_equal(o.action, action);
	assert_same_frame(&o.out, &must);
	assert_int_equal(o.verdicts, 0);
	assert_int_equal(o.rows, 1);
	assert_int_equal(o.row, world_row(r->family, r->proto, kind) + 1);
	assert_int_equal(o.packets, 1);
	assert_int_equal(o.bytes, in->l3_len);
}

void assert_forwarded(struct fixture *f, const struct recipe *r, enum world_kind kind)
{
	struct frame in;

	frame_build(r, &in);
	assert_frame_forwarded(f, r, kind, &in);
}

void assert_verdict(struct fixture *f, const struct recipe *r, enum shunt_verdict verdict,
		    int action)
{
	struct outcome o;
	struct frame in;

	frame_build(r, &in);
	fixture_run(f, &in, &o);
	assert_int_equal(o.verdicts, 1);
	assert_int_equal(o.verdict, verdict);
	assert_int_equal(o.action, action);
	if (verdict == SHUNT_PASS_NO_BACKEND || verdict == SHUNT_DROP_NO_BACKEND)
		return;
	assert_int_equal(o.rows, 0);
}
