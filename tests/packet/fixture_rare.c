/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture_rare.h"

#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

int rare_setup(void **state)
{
	struct fixture *f = *state;

	fixture_reset(state);
	for (uint8_t family = 4; family <= 6; family += 2) {
		world_vip(f, family, WORLD_DSR, true);
		world_vip(f, family, WORLD_ANY, true);
	}
	for (uint32_t cpu = 0; cpu < f->cpus; cpu++)
		f->answers[cpu].rate = RARE_RATE;
	return 0;
}

bool rare_is_forwarded(enum world_kind kind)
{
	return kind <= WORLD_LOCAL || kind == WORLD_EXACT;
}

/* Where the pieces begin in @whole, and (IPv6) the byte that says what is there. */
static size_t base_of(const struct recipe *r, const struct frame *whole, bool ext_inside,
		      size_t *next_at)
{
	size_t at = whole->l3 + 40;

	*next_at = whole->l3 + 6;
	if (r->family == 4)
		return whole->l4;
	for (int i = 0; i < r->n_ext && !ext_inside; i++) {
		*next_at = at;
		at += 8u * r->ext_units[i];
	}
	return at;
}

static void finish_ipv4(struct frame *out, const struct piece *p)
{
	uint8_t *ip = out->bytes + out->l3;
	size_t header_len = 4u * (ip[0] & 15);

	put16(ip + 2, (uint16_t)out->l3_len);
	put16(ip + 4, (uint16_t)p->id);
	put16(ip + 6, (uint16_t)((p->more ? 0x2000 : 0) | p->from / 8));
	put16(ip + 10, 0);
	put16(ip + 10, (uint16_t)~fold16(sum16(0, ip, header_len)));
}

void rare_piece(const struct recipe *r, const struct frame *whole, const struct piece *p,
		struct frame *out)
{
	size_t next_at, base = base_of(r, whole, p->ext_inside, &next_at);
	uint8_t head[8] = {whole->bytes[next_at]};

	*out = (struct frame){.l3 = whole->l3};
	frame_put(out, whole->bytes, base);
	if (r->family == 6) {
		put16(head + 2, (uint16_t)(p->from | p->more));
		put32(head + 4, p->id);
		out->bytes[next_at] = IPPROTO_FRAGMENT;
		frame_put(out, head, 8);
	}
	out->l4 = out->len;
	frame_put(out, whole->bytes + base + p->from, p->len);
	out->l3_len = out->len - out->l3;
	if (r->family == 6)
		put16(out->bytes + out->l3 + 4, (uint16_t)(out->l3_len - 40));
	else
		finish_ipv4(out, p);
}

struct recipe rare_piece_flow(const struct recipe *r, const struct piece *p)
{
	struct recipe flow = *r;

	flow.sport = (uint16_t)(r->family == 4 ? p->id : p->id >> 16);
	flow.dport = (uint16_t)(r->family == 4 ? (uint32_t)r->proto << 8 : p->id);
	return flow;
}

void rare_icmp(const struct recipe *r, const struct icmp *m, struct frame *out)
{
	uint8_t head[8] = {m->type, m->code},
		proto = r->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	uint32_t sum = 0;

	*out = (struct frame){0};
	frame_put_l2(out, r, r->family);
	out->l3 = out->len;
	frame_put_ip(out, r, proto, 8 + m->len);
	out->l4 = out->len;
	put32(head + 4, m->rest);
	frame_put(out, head, 8);
	frame_put(out, m->body, m->len);
	out->l3_len = out->len - out->l3;
	if (r->family == 6)
		sum = sum16(sum16(proto + 8 + (uint32_t)m->len, r->src, 16), r->dst, 16);
	put16(out->bytes + out->l4 + 2,
	      (uint16_t)~fold16(sum16(sum, out->bytes + out->l4, 8 + m->len)));
}

void rare_assert(struct fixture *f, const struct frame *in, enum shunt_verdict verdict, int action)
{
	struct outcome o;

	fixture_run(f, in, &o);
	assert_int_equal(o.verdicts, 1);
	assert_int_equal(o.verdict, verdict);
	assert_int_equal(o.action, action);
}

void rare_assert_forwarded(struct fixture *f, const struct recipe *flow, enum world_kind kind,
			   uint8_t number, const struct frame *in)
{
	int action = kind == WORLD_LOCAL ? XDP_PASS : XDP_TX;
	struct frame must;
	struct outcome o;

	fixture_run(f, in, &o);
	assert_int_equal(o.verdicts, 0);
	assert_int_equal(o.action, action);
	expect_frame(f, flow, kind, in, number, &o.out, &must);
	assert_same_frame(&o.out, &must);
	assert_int_equal(o.rows, 1);
	assert_int_equal(o.row, world_row(flow->family, flow->proto, kind) + number);
	assert_int_equal(o.packets, 1);
	assert_int_equal(o.bytes, in->l3_len);
	fixture_run_poisoned(f, in, 0xa5, &o);
	assert_int_equal(o.action, action);
	assert_same_frame(&o.out, &must);
}
