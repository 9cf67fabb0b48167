/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames: sound ones for the fixture's services in every shape, then damage. */
#include "fuzz.h"

#include <netinet/in.h>
#include <string.h>

#define N(array) (sizeof(array) / sizeof(*(array)))

/* ---- sound -------------------------------------------------------------------------------------*/

static const uint8_t ext_protos[] = {0, 43, 51, 60, 135};
static const uint16_t types[] = {0x0800, 0x86dd, 0x8100, 0x88a8, 0x0806, 0x9100, 0x0100, 0x8847};
static const uint8_t protos[] = {0, 1, 4, 6, 17, 41, 43, 44, 47, 50, 51, 58, 59, 60, 132, 135, 255};

/* Anybody's; or one that is nobody's, or next to one of those. */
static void source_roll(struct recipe *r, struct dice *d)
{
	static const uint8_t first4[] = {0, 1, 126, 127, 128, 223, 224, 239, 240, 254, 255};
	static const uint8_t last6[] = {0, 1, 2, 255};

	roll_bytes(d, r->src, r->family == 4 ? 4 : 16);
	if (r->family == 4)
		r->src[0] =
			once_in(d, 30) ? first4[roll(d, N(first4))] : (uint8_t)(1 + roll(d, 126));
	if (r->family == 4 || !once_in(d, 30))
		return;
	if (once_in(d, 3)) {
		r->src[0] = (uint8_t)(254 + roll(d, 2));
		return;
	}
	memset(r->src, 0, 15);
	r->src[15] = last6[roll(d, N(last6))];
	if (once_in(d, 3))
		r->src[10] = r->src[11] = 0xff;
	if (once_in(d, 2))
		r->src[roll(d, 16)] ^= (uint8_t)(1 << roll(d, 8));
}

static void flow_roll(struct recipe *r, struct dice *d)
{
	uint8_t family = once_in(d, 2) ? 4 : 6;
	uint8_t proto = once_in(d, 2) ? IPPROTO_TCP : IPPROTO_UDP;

	*r = world_recipe(family, proto, roll(d, WORLD_MAX));
	r->sport = (uint16_t)roll64(d);
	source_roll(r, d);
	if (once_in(d, 3))
		fuzz_some_source(family, d, r->src);
	if (once_in(d, 6)) /* for the service for any port, if for any */
		r->dport = (uint16_t)(once_in(d, 3) ? roll(d, 3) : roll64(d));
	if (once_in(d, 40))
		r->dst[roll(d, family == 4 ? 4 : 16)] ^= (uint8_t)(1 << roll(d, 8));
	if (once_in(d, 100))
		memcpy(r->src, r->dst, 16);
}

void fuzz_frames_fill(struct fuzz_frames *g, struct dice *d)
{
	for (size_t i = 0; i < FUZZ_FLOWS; i++)
		flow_roll(&g->flows[i], d);
}

static void ext_roll(struct recipe *r, struct dice *d)
{
	r->n_ext = (uint8_t)(1 + roll(d, RECIPE_EXT_MAX));
	for (int i = 0; i < r->n_ext; i++) {
		r->ext[i] = ext_protos[roll(d, N(ext_protos))];
		if (once_in(d, 40))
			r->ext[i] = protos[roll(d, N(protos))];
		r->ext_units[i] = (uint8_t)(1 + roll(d, once_in(d, 30) ? 40 : 4));
	}
}

/* Mostly small; else about what a path may take, with or without a tunnel, to the byte. */
static uint16_t payload_roll(const struct recipe *r, struct dice *d)
{
	static const uint16_t mtus[] = {1500, 1400, 576, 68};
	static const uint16_t outer[] = {0, 20, 40, 24, 32, 44, 52};
	int len = mtus[roll(d, N(mtus))] - outer[roll(d, N(outer))];

	if (!once_in(d, 12))
		return (uint16_t)roll(d, once_in(d, 4) ? 200 : 20);
	len -= r->family == 4 ? 20 + 4 * r->option_words : 40;
	for (int i = 0; i < r->n_ext; i++)
		len -= 8 * r->ext_units[i];
	len -= r->proto == IPPROTO_TCP ? 20 : 8;
	len += (int)roll(d, 5) - 2;
	return (uint16_t)(len > 0 ? len : 0);
}

/* One more packet of the flow @r, in some shape. */
static void packet_roll(struct recipe *r, struct dice *d)
{
	static const uint8_t flags[] = {TCP_FLAG_SYN, TCP_FLAG_SYN, TCP_FLAG_ACK, TCP_FLAG_ACK,
					TCP_FLAG_SYN | TCP_FLAG_ACK};

	r->tcp_flags = once_in(d, 4) ? (uint8_t)roll64(d) : flags[roll(d, N(flags))];
	r->tags = once_in(d, 3) ? (uint8_t)(1 + roll(d, 2)) : 0;
	r->tci[0] = (uint16_t)roll64(d);
	r->tos = (uint8_t)roll64(d);
	r->ttl = (uint8_t)roll64(d);
	if (once_in(d, 4))
		r->option_words = (uint8_t)roll(d, 11);
	if (once_in(d, 4))
		ext_roll(r, d);
	if (once_in(d, 30))
		r->proto = protos[roll(d, N(protos))];
	if (once_in(d, 20))
		r->frag = (uint16_t)(1u << roll(d, 16));
	r->payload = payload_roll(r, d);
	if (once_in(d, 4))
		r->padding = (uint16_t)roll(d, once_in(d, 8) ? 700 : 50);
}

/* ---- damage ------------------------------------------------------------------------------------
 * Each finds its field by the offsets that the frame was built with; a frame that has shrunk since
 * may have lost it. */

static uint8_t *at(struct frame *f, size_t offset)
{
	static uint8_t nowhere[4];

	memset(nowhere, 0, sizeof(nowhere));
	return offset + 4 <= f->len ? f->bytes + offset : nowhere;
}

static void flip_bit(struct dice *d, struct frame *f)
{
	size_t headers = f->l4 + 20 < f->len ? f->l4 + 20 : f->len;

	f->bytes[roll(d, (uint32_t)(once_in(d, 4) ? f->len : headers))] ^=
		(uint8_t)(1 << roll(d, 8));
}

static void set_byte(struct dice *d, struct frame *f)
{
	f->bytes[12 + roll(d, (uint32_t)f->len - 12)] = (uint8_t)roll64(d);
}

static void cut(struct dice *d, struct frame *f)
{
	f->len = 14 + roll(d, (uint32_t)f->len - 13);
}

static void cut_headers(struct dice *d, struct frame *f)
{
	size_t len = 14 + roll(d, (uint32_t)f->l4 + 20 - 13);

	if (len < f->len)
		f->len = len;
}

static void lengthen(struct dice *d, struct frame *f)
{
	size_t more = roll(d, once_in(d, 2) ? 8 : 80);

	if (f->len + more > FUZZ_FRAME_MAX)
		return;
	roll_bytes(d, f->bytes + f->len, more);
	f->len += more;
}

static void set_type(struct dice *d, struct frame *f)
{
	put16(at(f, once_in(d, 2) ? 12 : f->l3 - 2), types[roll(d, N(types))]);
}

/* A length field gets a length that is not quite right, or not at all. */
static void set_length(struct dice *d, uint8_t *field)
{
	uint16_t len = get16(field);

	switch (roll(d, 4)) {
	case 0:
		len = (uint16_t)roll64(d);
		break;
	case 1:
		len = (uint16_t)roll(d, 64);
		break;
	default:
		len = (uint16_t)(len + roll(d, 25) - 12);
	}
	put16(field, len);
}

static bool is_ipv4(struct frame *f)
{
	return *at(f, f->l3) >> 4 == 4;
}

static void set_ip_length(struct dice *d, struct frame *f)
{
	set_length(d, at(f, f->l3 + (is_ipv4(f) ? 2 : 4)));
}

static void set_version_ihl(struct dice *d, struct frame *f)
{
	uint8_t *first = at(f, f->l3);

	*first = once_in(d, 4) ? (uint8_t)roll64(d) : (uint8_t)((*first & 0xf0) | roll(d, 16));
}

static void set_proto(struct dice *d, struct frame *f)
{
	*at(f, f->l3 + (is_ipv4(f) ? 9 : 6)) = protos[roll(d, N(protos))];
}

static void set_frag(struct dice *d, struct frame *f)
{
	put16(at(f, f->l3 + 6), (uint16_t)(roll64(d) & roll64(d) & roll64(d)));
}

/* In an extension header, if there are any: what follows, or the length. */
static void set_ext(struct dice *d, struct frame *f)
{
	size_t ext = f->l3 + 40;

	if (is_ipv4(f) || f->l4 <= ext)
		return;
	ext += 8 * roll(d, (uint32_t)(f->l4 - ext) / 8);
	if (once_in(d, 3))
		*at(f, ext) = protos[roll(d, N(protos))];
	else if (once_in(d, 2))
		*at(f, ext + 3) = (uint8_t)roll(d, 3); /* segments left */
	else
		*at(f, ext + 1) = (uint8_t)(once_in(d, 2) ? roll(d, 8) : roll64(d));
}

/* The same of IPv4's options: some kind, its length, what it points at. */
static void set_option(struct dice *d, struct frame *f)
{
	static const uint8_t kinds[] = {0, 1, 7, 131, 137, 148};
	size_t option = f->l3 + 20;

	if (!is_ipv4(f) || f->l4 <= option)
		return;
	option += roll(d, (uint32_t)(f->l4 - option));
	if (option + 3 > f->len)
		return;
	f->bytes[option] = kinds[roll(d, N(kinds))];
	f->bytes[option + 1] = (uint8_t)(once_in(d, 2) ? 3 : roll(d, 12));
	f->bytes[option + 2] = (uint8_t)roll(d, 12);
}

static void set_tcp_offset(struct dice *d, struct frame *f)
{
	*at(f, f->l4 + 12) = (uint8_t)roll64(d);
}

static void set_udp_length(struct dice *d, struct frame *f)
{
	set_length(d, at(f, f->l4 + 4));
}

static void set_port(struct dice *d, struct frame *f)
{
	put16(at(f, f->l4 + 2),
	      (uint16_t)(once_in(d, 4) ? 0 : WORLD_PORT + roll(d, WORLD_MAX + 2)));
}

static void insert_tag(struct dice *d, struct frame *f)
{
	if (f->len + 4 > FUZZ_FRAME_MAX)
		return;
	memmove(f->bytes + 16, f->bytes + 12, f->len - 12);
	put16(f->bytes + 12, once_in(d, 2) ? 0x8100 : types[roll(d, N(types))]);
	put16(f->bytes + 14, (uint16_t)roll64(d));
	f->len += 4;
	f->l3 += 4;
	f->l4 += 4;
}

static void remove_bytes(struct dice *d, struct frame *f)
{
	size_t from = 12 + roll(d, (uint32_t)f->len - 12), n = 1 + roll(d, 8);

	if (from + n > f->len || f->len - n < 14)
		return;
	memmove(f->bytes + from, f->bytes + from + n, f->len - from - n);
	f->len -= n;
}

static void make_noise(struct dice *d, struct frame *f)
{
	roll_bytes(d, f->bytes + f->l3, f->len > f->l3 ? f->len - f->l3 : 0);
	if (once_in(d, 2))
		*at(f, f->l3) = once_in(d, 2) ? 0x45 : 0x60;
}

static void (*const damages[])(struct dice *d, struct frame *f) = {
	flip_bit,	 set_byte,	 cut,		cut_headers, lengthen,
	set_type,	 set_port,	 set_proto,	set_frag,    set_ip_length,
	set_version_ihl, set_ext,	 insert_tag,	flip_bit,    remove_bytes,
	set_tcp_offset,	 set_udp_length, set_ip_length, set_option,
};

void fuzz_damage(struct dice *d, struct frame *f)
{
	if (once_in(d, 50))
		make_noise(d, f);
	else
		damages[roll(d, N(damages))](d, f);
}

void fuzz_frame(const struct fuzz_world *w, const struct fuzz_frames *g, struct dice *d,
		struct frame *out)
{
	struct recipe r = g->flows[roll(d, FUZZ_FLOWS)];

	if (once_in(d, 5))
		flow_roll(&r, d);
	if (once_in(d, 6))
		fuzz_nat_reply(w, d, &r);
	packet_roll(&r, d);
	switch (roll(d, 24)) {
	case 0:
	case 2:
		fuzz_icmp(&r, d, out);
		break;
	case 1:
	case 3:
		frame_build(&r, out);
		fuzz_fragment(&r, d, out);
		break;
	default:
		frame_build(&r, out);
		if (r.proto == IPPROTO_UDP && once_in(d, 3))
			fuzz_quic_payload(w, d, out);
	}
	if (out->len > FUZZ_FRAME_MAX)
		out->len = FUZZ_FRAME_MAX;
	if (once_in(d, 2))
		for (uint32_t n = 1 + roll(d, 4); n > 0; n--)
			fuzz_damage(d, out);
}
