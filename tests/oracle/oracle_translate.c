/* SPDX-License-Identifier: BSD-2-Clause */
/* What a packet becomes that gets other addresses and ports: within its family everything else stays,
 * and between the families it is as RFC 7915 has it. */
#include "oracle_nat.h"
#include "oracle_rare.h"

#include <string.h>

#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_ROUTING 43
#define PROTO_FRAGMENT 44
#define PROTO_AUTHENTICATION 51
#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_LSRR 131
#define OPTION_SSRR 137
#define MOST_WITHOUT_DF 1260 /* RFC 7915 section 5.1 */
#define DONT_FRAGMENT 0x4000

static uint32_t sum_of(const uint8_t *bytes, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	return sum;
}

static void set16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

uint16_t oracle_changed_checksum(uint16_t before, uint32_t was, uint32_t is)
{
	uint64_t error = (uint64_t)(uint16_t)~before + 0xffff * 0x10000ull - was;
	uint64_t sum = (error + is) % 0xffff;

	return (uint16_t) ~(sum ? sum : 0xffff);
}

/* The right checksum over what sums up to @sum. */
static uint16_t checksum_of(uint32_t sum)
{
	return oracle_changed_checksum(0xffff, 0, sum);
}

/* ---- what IP carries ----------------------------------------------------------------------------*/

/* The same bytes of TCP or UDP in an IP packet before and after. */
struct carried {
	const struct oracle_parsed *p;
	uint8_t *l4;
	size_t len; /* up to the IP packet's end */
	uint32_t addrs_were; /* sums of addresses */
	uint32_t addrs_are;
};

static uint32_t addrs_of(const uint8_t *src, const uint8_t *dst, uint8_t family)
{
	size_t len = family == 4 ? 4 : 16;

	return sum_of(src, len) + sum_of(dst, len);
}

/* RFC 768 over RFC 8200: UDP without a checksum gets one. */
static void sum_udp(const struct carried *what)
{
	uint16_t len = get16(what->l4 + 4), sum;

	sum = checksum_of(what->addrs_are + len + PROTO_UDP + sum_of(what->l4, len));
	set16(what->l4 + 6, sum ? sum : 0xffff);
}

static void change_carried(const struct carried *what, const struct oracle_tuple *to)
{
	uint8_t *field = what->l4 + (what->p->proto == PROTO_TCP ? 16 : 6);
	uint32_t was = what->addrs_were + sum_of(what->l4, what->len) - get16(field), is;
	uint16_t sum;

	set16(what->l4, to->sport);
	set16(what->l4 + 2, to->dport);
	is = what->addrs_are + sum_of(what->l4, what->len) - get16(field);
	sum = oracle_changed_checksum(get16(field), was, is);
	if (what->p->proto == PROTO_TCP)
		set16(field, sum);
	else if (get16(field))
		set16(field, sum ? sum : 0xffff);
	else if (to->family == 6 && what->p->family == 4)
		sum_udp(what);
}

/* ---- the same family ----------------------------------------------------------------------------*/

/* Gives the packet at @ip, which is as it came, the addresses and, if it @has_ports, the ports of @to, and
 * a hop less. */
static void rewrite(const struct oracle_parsed *p, const struct oracle_tuple *to, bool has_ports,
		    uint8_t *ip)
{
	size_t header_len = p->l4 - p->l3, addr_len = p->family == 4 ? 4 : 16;
	struct carried what = {
		.p = p,
		.l4 = ip + header_len,
		.len = p->l3_len - header_len,
		.addrs_were = addrs_of(p->src, p->dst, p->family),
		.addrs_are = addrs_of(to->src, to->dst, p->family),
	};
	uint32_t was = sum_of(ip, header_len);

	if (has_ports)
		change_carried(&what, to);
	memcpy(ip + (p->family == 4 ? 12 : 8), to->src, addr_len);
	memcpy(ip + (p->family == 4 ? 16 : 24), to->dst, addr_len);
	ip[p->family == 4 ? 8 : 7]--;
	if (p->family == 6)
		return;
	was -= get16(ip + 10);
	set16(ip + 10, oracle_changed_checksum(get16(ip + 10), was,
					       sum_of(ip, header_len) - get16(ip + 10)));
}

/* ---- the other family ---------------------------------------------------------------------------*/

/* Whether the options make no sense, or hold a source route with somewhere to go: RFC 791. */
static bool is_routed4(const uint8_t *option, const uint8_t *end)
{
	size_t left;

	while (option < end && option[0] != OPTION_END) {
		left = (size_t)(end - option);
		if (option[0] == OPTION_NOP) {
			option++;
			continue;
		}
		if (left < 2 || option[1] < 2 || option[1] > left)
			return true;
		if ((option[0] == OPTION_LSRR || option[0] == OPTION_SSRR) &&
		    (option[1] < 3 || option[2] <= option[1]))
			return true;
		option += option[1];
	}
	return false;
}

/* Whether the extension headers, which are sound, may not be left out. */
static bool is_needed6(const uint8_t *ip, const uint8_t *end)
{
	uint8_t proto = ip[6];

	for (const uint8_t *ext = ip + 40; ext < end; ext += 8 + 8 * ext[1]) {
		if (proto == PROTO_AUTHENTICATION || (proto == PROTO_ROUTING && ext[3]))
			return true;
		proto = ext[0];
	}
	return false;
}

static void head6(const struct oracle_parsed *p, const struct oracle_tuple *to, size_t l4_len,
		  uint8_t *ip)
{
	ip[0] = (uint8_t)(0x60 | p->tos >> 4);
	ip[1] = (uint8_t)(p->tos << 4);
	set16(ip + 4, (uint16_t)l4_len);
	ip[6] = p->proto;
	ip[7] = (uint8_t)(p->ttl - 1);
	memcpy(ip + 8, to->src, 16);
	memcpy(ip + 24, to->dst, 16);
}

/* A short packet may be cut up on its way, and has an id that nobody foretells: @id. */
static void head4(const struct oracle_parsed *p, const struct oracle_tuple *to, size_t l4_len,
		  uint16_t id, uint8_t *ip)
{
	bool is_long = 20 + l4_len > MOST_WITHOUT_DF;

	ip[0] = 0x45;
	ip[1] = p->tos;
	set16(ip + 2, (uint16_t)(20 + l4_len));
	set16(ip + 4, is_long ? 0 : id);
	set16(ip + 6, is_long ? DONT_FRAGMENT : 0);
	ip[8] = (uint8_t)(p->ttl - 1);
	ip[9] = p->proto;
	memcpy(ip + 12, to->src, 4);
	memcpy(ip + 16, to->dst, 4);
	set16(ip + 10, checksum_of(sum_of(ip, 20)));
}

static void put_other_family(const struct oracle_case *c, const struct oracle_tuple *to,
			     struct oracle_result *r)
{
	const struct oracle_parsed *p = &c->p;
	size_t head_len = to->family == 4 ? 20 : 40, l4_len = p->l3 + p->l3_len - p->l4;
	uint8_t *ip = r->frame + r->len;
	struct carried what = {
		.p = p,
		.l4 = ip + head_len,
		.len = l4_len,
		.addrs_were = addrs_of(p->src, p->dst, p->family),
		.addrs_are = addrs_of(to->src, to->dst, to->family),
	};
	bool has_id = c->seen->frame && c->seen->len > r->len + 6;

	memset(ip, 0, head_len);
	memcpy(what.l4, c->in->frame + p->l4, l4_len);
	change_carried(&what, to);
	if (to->family == 4)
		head4(p, to, l4_len, has_id ? get16(c->seen->frame + r->len + 4) : 0, ip);
	else
		head6(p, to, l4_len, ip);
	r->len += head_len + l4_len;
}

static enum shunt_verdict other_family(const struct oracle_case *c, const struct shunt_backend *way,
				       const struct oracle_tuple *to, size_t most,
				       struct oracle_result *r)
{
	const struct oracle_parsed *p = &c->p;
	const uint8_t *ip = c->in->frame + p->l3, *l4 = c->in->frame + p->l4;

	if (p->l3 + p->l3_len - p->l4 + (to->family == 4 ? 20 : 40) > most)
		return SHUNT_DROP_TOO_BIG;
	if (p->family == 4 ? is_routed4(ip + 20, l4) : is_needed6(ip, l4))
		return SHUNT_DROP_NAT_FAMILY;
	oracle_put_ethernet(way, to->family, r);
	put_other_family(c, to, r);
	return SHUNT_GO_ON;
}

enum shunt_verdict oracle_translate(const struct oracle_case *c, const struct shunt_backend *way,
				    const struct oracle_tuple *to, size_t most,
				    struct oracle_result *r)
{
	if (c->p.ttl < 2)
		return SHUNT_DROP_TTL;
	if (to->family != c->p.family)
		return other_family(c, way, to, most, r);
	if (c->p.l3_len > most)
		return SHUNT_DROP_TOO_BIG;
	oracle_put_ethernet(way, to->family, r);
	rewrite(&c->p, to, true, oracle_put_packet(c->in, &c->p, r));
	return SHUNT_GO_ON;
}

/* ---- fragments ----------------------------------------------------------------------------------*/

/* RFC 7915 section 4.1: what makes an IPv6 packet of head6() a piece; and section 5.1.1, for head4(). */
static void piece6(const struct oracle_parsed *p, const struct oracle_piece *f, uint8_t *ip)
{
	uint8_t *head = ip + 40;

	ip[6] = PROTO_FRAGMENT;
	head[0] = f->proto;
	head[1] = 0;
	set16(head + 2, (uint16_t)(f->offset | f->more));
	memset(head + 4, 0, 4);
	memcpy(head + (p->family == 4 ? 6 : 4), f->id, p->family == 4 ? 2 : 4);
}

static void piece4(const struct oracle_piece *f, uint8_t *ip)
{
	memcpy(ip + 4, f->id + 2, 2);
	set16(ip + 6, (uint16_t)((f->more ? 0x2000 : 0) | f->offset / 8));
	ip[9] = f->proto;
	set16(ip + 10, 0);
	set16(ip + 10, checksum_of(sum_of(ip, 20)));
}

static enum shunt_verdict piece_of_other_family(const struct oracle_case *c,
						const struct oracle_piece *f,
						const struct shunt_backend *way,
						const struct oracle_tuple *to,
						struct oracle_result *r)
{
	const struct oracle_parsed *p = &c->p;
	const uint8_t *ip = c->in->frame + p->l3, *carried = c->in->frame + f->at;
	size_t heads = to->family == 4 ? 20 : 48;
	struct carried what = {
		.p = p,
		.l4 = r->frame,
		.len = f->len,
		.addrs_were = addrs_of(p->src, p->dst, p->family),
		.addrs_are = addrs_of(to->src, to->dst, to->family),
	};
	uint8_t *out;

	if (p->family == 4 ? is_routed4(ip + 20, carried) : is_needed6(ip, carried - 8))
		return SHUNT_DROP_NAT_FAMILY;
	if (f->proto != PROTO_TCP && f->proto != PROTO_UDP)
		return SHUNT_DROP_NAT_FAMILY;
	if (to->family == 4 && 20 + f->offset + f->len > 65535)
		return SHUNT_DROP_NAT_FAMILY;
	if (to->family == 6 && !f->offset && f->proto == PROTO_UDP && !get16(carried + 6))
		return SHUNT_DROP_NAT_FAMILY;
	oracle_put_ethernet(way, to->family, r);
	out = r->frame + r->len;
	memset(out, 0, heads);
	memcpy(out + heads, carried, f->len);
	what.l4 = out + heads;
	if (!f->offset)
		change_carried(&what, to);
	if (to->family == 4)
		head4(p, to, f->len, 0, out);
	else
		head6(p, to, f->len + 8, out);
	if (to->family == 4)
		piece4(f, out);
	else
		piece6(p, f, out);
	r->len += heads + f->len;
	return SHUNT_GO_ON;
}

enum shunt_verdict oracle_translate_piece(const struct oracle_case *c, const struct oracle_piece *f,
					  const struct shunt_backend *way,
					  const struct oracle_tuple *to, struct oracle_result *r)
{
	size_t len = f->at + f->len - (f->offset ? f->at : c->p.l4);

	if (c->p.ttl < 2)
		return SHUNT_DROP_TTL;
	if (to->family == c->p.family) {
		if (c->p.l3_len > way->mtu)
			return SHUNT_DROP_TOO_BIG;
		oracle_put_ethernet(way, to->family, r);
		rewrite(&c->p, to, !f->offset, oracle_put_packet(c->in, &c->p, r));
		return SHUNT_GO_ON;
	}
	if (len + (to->family == 4 ? 20 : 48) > way->mtu)
		return SHUNT_DROP_TOO_BIG;
	return piece_of_other_family(c, f, way, to, r);
}
