/* SPDX-License-Identifier: BSD-2-Clause */
/* What is rare: pieces of packets, and what ICMP says about flows. */
#include "fuzz.h"

#include <netinet/in.h>
#include <string.h>

#define N(array) (sizeof(array) / sizeof(*(array)))
#define PROTO_FRAGMENT 44

static uint8_t pick(struct dice *d, const uint8_t *from, uint32_t n)
{
	return once_in(d, 12) ? (uint8_t)roll64(d) : from[roll(d, n)];
}

/* ---- pieces -------------------------------------------------------------------------------------*/

/* Four ids for each flow, so that the pieces of its packets meet. */
static uint16_t id_of(const struct recipe *r, struct dice *d)
{
	return (uint16_t)((r->sport ^ r->dport * 5) & ~3u) | (uint16_t)roll(d, 4);
}

/* A stretch of the @len bytes that IP carries, in units of 8 bytes but for its end, and where it says
 * that it begins. */
struct piece {
	size_t from, len;
	size_t offset;
	bool more;
};

static struct piece piece_roll(size_t len, struct dice *d)
{
	struct piece p = {.len = len};

	if (!once_in(d, 2))
		p.from = 8 * roll(d, (uint32_t)len / 8 + 1);
	p.len = len - p.from;
	if (p.len > 8 && !(p.from && once_in(d, 2))) {
		p.len = 8 * (1 + (size_t)roll(d, (uint32_t)(p.len - 1) / 8));
		p.more = true;
	}
	p.offset = p.from && once_in(d, 16) ? 65480 + 8 * (size_t)roll(d, 7) : p.from;
	return p;
}

/* Leaves @p of what begins at @l4. */
static void keep(struct frame *f, size_t l4, const struct piece *p)
{
	memmove(f->bytes + l4, f->bytes + l4 + p->from, p->len);
	f->len = l4 + p->len;
	f->l3_len = f->len - f->l3;
}

static void fragment4(const struct recipe *r, struct dice *d, struct frame *f)
{
	size_t header_len = f->l4 - f->l3;
	struct piece p = piece_roll(f->l3_len - header_len, d);
	uint8_t *ip = f->bytes + f->l3;

	keep(f, f->l4, &p);
	put16(ip + 2, (uint16_t)f->l3_len);
	put16(ip + 4, id_of(r, d));
	put16(ip + 6, (uint16_t)((p.more ? 0x2000 : 0) | p.offset / 8));
	put16(ip + 10, 0);
	put16(ip + 10, (uint16_t)~fold16(sum16(0, ip, header_len)));
}

/* RFC 8200 section 4.5. */
static void fragment6(const struct recipe *r, struct dice *d, struct frame *f)
{
	struct piece p = piece_roll(f->l3 + f->l3_len - f->l4, d);
	uint8_t *ip = f->bytes + f->l3, *next = ip + 6, *ext = f->bytes + f->l4;

	keep(f, f->l4, &p);
	if (f->len + 8 > FUZZ_FRAME_MAX)
		return;
	for (int i = 0; i < r->n_ext; i++)
		next = i ? next + 8 * (size_t)r->ext_units[i - 1] : ip + 40;
	memmove(ext + 8, ext, p.len);
	f->len += 8;
	f->l3_len += 8;
	ext[0] = *next;
	ext[1] = 0;
	put16(ext + 2, (uint16_t)(p.offset | p.more));
	put32(ext + 4, id_of(r, d) * 0x10003u);
	*next = PROTO_FRAGMENT;
	put16(ip + 4, (uint16_t)(f->l3_len - 40));
}

void fuzz_fragment(const struct recipe *r, struct dice *d, struct frame *f)
{
	if (r->proto == IPPROTO_UDP && once_in(d, 8))
		put16(f->bytes + f->l4 + 6, 0);
	if (r->family == 4)
		fragment4(r, d, f);
	else
		fragment6(r, d, f);
}

/* ---- ICMP ---------------------------------------------------------------------------------------*/

/* The packet that somebody complains about: one of the other direction. */
static struct recipe quoted(const struct recipe *r)
{
	struct recipe q = *r;

	memcpy(q.src, r->dst, 16);
	memcpy(q.dst, r->src, 16);
	q.sport = r->dport;
	q.dport = r->sport;
	q.tags = 0;
	q.padding = 0;
	return q;
}

/* Appends the beginning of a packet that the recipe @r is answered with. */
static void put_quote(const struct recipe *r, struct dice *d, struct frame *f)
{
	struct recipe q = quoted(r);
	struct frame packet;
	size_t len;

	frame_build(&q, &packet);
	if (once_in(d, 6))
		fuzz_fragment(&q, d, &packet);
	if (once_in(d, 20))
		packet.bytes[packet.l3 + (q.family == 4 ? 9 : 6)] = q.family == 4 ? 1 : 58;
	len = packet.l4 + 8 - packet.l3;
	if (once_in(d, 2))
		len = once_in(d, 4) ? roll(d, (uint32_t)packet.l3_len + 1) : packet.l3_len;
	if (len > packet.l3_len)
		len = packet.l3_len;
	if (len > 576 && !once_in(d, 4))
		len = 576;
	if (len > 1400)
		len = 1400;
	frame_put(f, packet.bytes + packet.l3, len);
}

/* RFC 792, RFC 4443. */
static void put_message(const struct recipe *r, struct dice *d, struct frame *f)
{
	static const uint8_t types4[] = {3, 3, 3, 4, 5, 11, 12, 8, 8, 0},
			     types6[] = {1, 2, 2, 3, 4, 128, 128, 129, 135};
	uint8_t head[8] = {0};
	bool is_echo;

	head[0] = r->family == 4 ? pick(d, types4, N(types4)) : pick(d, types6, N(types6));
	head[1] = r->family == 4 && head[0] == 3 ? 4 : pick(d, (uint8_t[]){0, 1, 3, 4}, 4);
	if (head[0] == 8 || head[0] == 128)
		head[1] = once_in(d, 20) ? 1 : 0;
	is_echo = head[0] == 8 || head[0] == 0 || head[0] == 128 || head[0] == 129;
	put16(head + 6, (uint16_t)(once_in(d, 2)   ? 1400
				   : once_in(d, 2) ? roll(d, 200)
						   : roll64(d)));
	frame_put(f, head, 8);
	if (!is_echo)
		put_quote(r, d, f);
	for (uint32_t i = is_echo ? roll(d, 64) : 0; i > 0; i--)
		frame_put(f, &(uint8_t){(uint8_t)roll64(d)}, 1);
}

void fuzz_icmp(const struct recipe *r, struct dice *d, struct frame *out)
{
	struct recipe outer = *r;
	size_t addrs = r->family == 4 ? 0 : 32;
	uint32_t sum;

	outer.n_ext = 0;
	outer.frag = once_in(d, 30) ? 0x2000 : 0;
	if (!once_in(d, 4)) /* a router */
		roll_bytes(d, outer.src, r->family == 4 ? 4 : 16);
	*out = (struct frame){0};
	frame_put_l2(out, &outer, r->family);
	out->l3 = out->len;
	frame_put_ip(out, &outer, r->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, 0);
	out->l4 = out->len;
	put_message(r, d, out);
	out->l3_len = out->len - out->l3;
	/* the header again, with its length */
	out->len = out->l3;
	frame_put_ip(out, &outer, r->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
		     out->l3 + out->l3_len - out->l4);
	out->len = out->l3 + out->l3_len;
	sum = addrs ? 58 + (uint32_t)(out->len - out->l4) : 0;
	sum = sum16(sum, out->bytes + out->l3 + 8, addrs);
	sum = sum16(sum, out->bytes + out->l4, out->len - out->l4);
	put16(out->bytes + out->l4 + 2, (uint16_t)~fold16(sum));
}
