/* SPDX-License-Identifier: BSD-2-Clause */
/* What an ICMP error about a translated connection becomes: it and what it quotes get the addresses and
 * ports of the other side, and between the families the headers that RFC 7915 has for them. */
#include "oracle_nat.h"
#include "oracle_rare.h"

#include <string.h>

#define PROTO_ICMP 1
#define PROTO_TCP 6
#define PROTO_FRAGMENT 44
#define PROTO_ICMPV6 58
#define LONGEST6 1280 /* RFC 4443 section 2.4 */

static void set16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void put_addrs(uint8_t *ip, uint8_t family, const uint8_t *src, const uint8_t *dst)
{
	memcpy(ip + (family == 4 ? 12 : 8), src, family == 4 ? 4 : 16);
	memcpy(ip + (family == 4 ? 16 : 24), dst, family == 4 ? 4 : 16);
}

static uint32_t sum_addrs(const uint8_t *ip, uint8_t family)
{
	return family == 4 ? oracle_sum(ip + 12, 8) : oracle_sum(ip + 8, 32);
}

/* ---- what is quoted -----------------------------------------------------------------------------*/

/* Of TCP or UDP at @l4 @len bytes are quoted: its ports become those of @to, turned round, and the
 * checksum, if it is there, fits them and addresses that sum up to @are and not @were. */
static void quoted_ports(uint8_t *l4, size_t len, uint8_t proto, const struct oracle_tuple *to,
			 const uint32_t addrs[static 2])
{
	uint32_t was = addrs[0] + oracle_sum(l4, 4), is;
	uint8_t *field = l4 + (proto == PROTO_TCP ? 16 : 6);
	uint16_t sum;

	set16(l4, to->dport);
	set16(l4 + 2, to->sport);
	if (len < (size_t)(field - l4) + 2 || (proto != PROTO_TCP && !get16(field)))
		return;
	is = addrs[1] + oracle_sum(l4, 4);
	sum = oracle_changed_checksum(get16(field), was, is);
	set16(field, proto != PROTO_TCP && !sum ? 0xffff : sum);
}

/* ---- the same family ----------------------------------------------------------------------------*/

/* An IPv4 header's checksum, of which the bytes but for that summed up to @was. */
static void fit_header4(uint8_t *ip, size_t len, uint32_t was)
{
	set16(ip + 10,
	      oracle_changed_checksum(get16(ip + 10), was, oracle_sum(ip, len) - get16(ip + 10)));
}

static void give_header(uint8_t *ip, uint8_t family, const uint8_t *src, const uint8_t *dst,
			int hops)
{
	size_t len = family == 4 ? 20 : 0;
	uint32_t was = oracle_sum(ip, len) - (len ? get16(ip + 10) : 0);

	put_addrs(ip, family, src, dst);
	ip[family == 4 ? 8 : 7] = (uint8_t)(ip[family == 4 ? 8 : 7] - hops);
	if (family == 4)
		fit_header4(ip, len, was);
}

static void same_family(const struct oracle_case *c, size_t ports, const struct oracle_tuple *to,
			uint8_t *ip)
{
	uint8_t family = c->p.family, *icmp = ip + (c->p.l4 - c->p.l3), *quote = icmp + 8;
	size_t len = c->p.l3_len - (size_t)(icmp - ip);
	uint32_t was = oracle_sum(icmp, len) - get16(icmp + 2), is, addrs[2];
	struct oracle_parsed about = c->p;

	oracle_quote(quote, len - 8, &about); /* for the protocol */
	was += family == 6 ? sum_addrs(ip, 6) : 0;
	addrs[0] = sum_addrs(quote, family);
	give_header(ip, family, to->src, to->dst, 1);
	give_header(quote, family, to->dst, to->src, 0);
	addrs[1] = sum_addrs(quote, family);
	quoted_ports(quote + ports, len - 8 - ports, about.proto, to, addrs);
	is = oracle_sum(icmp, len) - get16(icmp + 2) + (family == 6 ? sum_addrs(ip, 6) : 0);
	set16(icmp + 2, oracle_changed_checksum(get16(icmp + 2), was, is));
}

/* ---- the other family ---------------------------------------------------------------------------*/

/* An error as it is told: type, code, and an MTU or nothing. */
struct told {
	uint8_t type, code;
	uint32_t mtu;
};

/* RFC 7915 section 4.2.  @longer: what headers are longer by in IPv6. */
static bool tell6(const uint8_t *icmp, uint32_t longer, struct told *t)
{
	static const int8_t unreachable[16] = {0, 0, -1, 4, 2, 0, 0, 0, 0, 1, 1, 0, 0, 1, -1, 1};
	uint32_t mtu = get16(icmp + 6) + longer;

	if (icmp[0] == 11) {
		*t = (struct told){3, icmp[1], 0};
		return true;
	}
	if (icmp[0] != 3 || icmp[1] > 15 || unreachable[icmp[1]] < 0)
		return false;
	if (icmp[1] == 4)
		*t = (struct told){2, 0, mtu > LONGEST6 ? mtu : LONGEST6};
	else
		*t = (struct told){1, (uint8_t)unreachable[icmp[1]], 0};
	return true;
}

/* Section 5.2. */
static bool tell4(const uint8_t *icmp, uint32_t longer, struct told *t)
{
	static const uint8_t unreachable[5] = {1, 10, 1, 1, 3};
	uint32_t mtu = (uint32_t)get16(icmp + 4) << 16 | get16(icmp + 6);

	if (icmp[0] == 3)
		*t = (struct told){11, icmp[1], 0};
	else if (icmp[0] == 2)
		*t = (struct told){3, 4, (mtu < 65535 ? mtu : 65535)};
	else if (icmp[0] == 1 && icmp[1] < 5)
		*t = (struct told){3, unreachable[icmp[1]], 0};
	else
		return false;
	if (icmp[0] == 2)
		t->mtu = t->mtu < 68 + longer ? 68 : t->mtu - longer; /* RFC 791: the least */
	return true;
}

/* What is quoted, and of what it is the first piece, if it is one. */
struct quote {
	const uint8_t *ip, *l4;
	size_t len; /* from l4 on */
	uint8_t proto, tos, ttl;
	uint16_t carried; /* bytes, as it says */
	bool is_piece, more;
	uint8_t id[4]; /* as IPv6 has it */
};

static struct quote quote_of(const struct oracle_case *c, size_t ports)
{
	const uint8_t *ip = c->in->frame + c->p.l4 + 8;
	size_t end = c->p.l3 + c->p.l3_len;
	struct quote q = {.ip = ip, .l4 = ip + ports, .len = end - (c->p.l4 + 8 + ports)};
	struct oracle_parsed about = c->p, chain = {0};

	oracle_quote(ip, end - c->p.l4 - 8, &about);
	q.proto = about.proto;
	if (c->p.family == 4) {
		q.tos = ip[1];
		q.ttl = ip[8];
		q.carried = (uint16_t)(get16(ip + 2) - ports);
		q.is_piece = q.more = ip[6] & 0x20;
		memcpy(q.id + 2, ip + 4, 2);
		return q;
	}
	q.tos = (uint8_t)(ip[0] << 4 | ip[1] >> 4);
	q.ttl = ip[7];
	q.carried = (uint16_t)(get16(ip + 4) - (ports - 40));
	chain.proto = ip[6];
	q.is_piece = oracle_parse_chain(ip, 40, ports, &chain) == SHUNT_PASS_FRAGMENT;
	q.more = q.is_piece && ip[ports - 8 + 3] & 1;
	memcpy(q.id, ip + ports - 4, 4);
	return q;
}

/* Appends a header from @src to @dst around @len bytes of what @q says. */
static uint8_t *put4(uint8_t *ip, const struct quote *q, const struct oracle_tuple *to, bool turned,
		     uint32_t len)
{
	memset(ip, 0, 20);
	ip[0] = 0x45;
	ip[1] = q->tos;
	set16(ip + 2, 20 + len);
	if (q->is_piece)
		memcpy(ip + 4, q->id + 2, 2);
	ip[6] = q->is_piece ? (q->more ? 0x20 : 0) : 0x40;
	ip[8] = q->ttl;
	ip[9] = q->proto;
	put_addrs(ip, 4, turned ? to->dst : to->src, turned ? to->src : to->dst);
	set16(ip + 10, oracle_checksum(oracle_sum(ip, 20)));
	return ip + 20;
}

static uint8_t *put6(uint8_t *ip, const struct quote *q, const struct oracle_tuple *to, bool turned,
		     uint32_t len)
{
	memset(ip, 0, 48);
	ip[0] = (uint8_t)(0x60 | q->tos >> 4);
	ip[1] = (uint8_t)(q->tos << 4);
	set16(ip + 4, len + (q->is_piece ? 8 : 0));
	ip[6] = q->is_piece ? PROTO_FRAGMENT : q->proto;
	ip[7] = q->ttl;
	put_addrs(ip, 6, turned ? to->dst : to->src, turned ? to->src : to->dst);
	if (!q->is_piece)
		return ip + 40;
	ip[40] = q->proto;
	ip[43] = q->more;
	memcpy(ip + 44, q->id, 4);
	return ip + 48;
}

/* Writes the error to @ip; how long it is. */
static size_t put_error(const struct oracle_case *c, const struct quote *q, const struct told *t,
			const struct oracle_tuple *to, uint8_t *ip)
{
	bool is4 = to->family == 4;
	size_t heads = is4 ? 20 : q->is_piece ? 48 : 40, len = q->len;
	uint32_t addrs[2] = {sum_addrs(q->ip, c->p.family)}, sum;
	uint8_t *icmp, *l4;
	struct quote outer = {
		.proto = is4 ? PROTO_ICMP : PROTO_ICMPV6,
		.tos = c->p.tos,
		.ttl = (uint8_t)(c->p.ttl - 1),
	};

	if (!is4 && 48 + heads + len > LONGEST6)
		len = LONGEST6 - 48 - heads;
	icmp = is4 ? put4(ip, &outer, to, false, (uint32_t)(8 + heads + len))
		   : put6(ip, &outer, to, false, (uint32_t)(8 + heads + len));
	memset(icmp, 0, 8);
	icmp[0] = t->type;
	icmp[1] = t->code;
	set16(icmp + 4, t->mtu >> 16);
	set16(icmp + 6, t->mtu);
	l4 = is4 ? put4(icmp + 8, q, to, true, q->carried)
		 : put6(icmp + 8, q, to, true, q->carried);
	memcpy(l4, q->l4, len);
	addrs[1] = sum_addrs(ip, to->family);
	quoted_ports(l4, q->len, q->proto, to, addrs);
	sum = oracle_sum(icmp, 8 + heads + len);
	if (!is4)
		sum += sum_addrs(ip, 6) + PROTO_ICMPV6 + (uint32_t)(8 + heads + len);
	set16(icmp + 2, oracle_checksum(sum));
	return (size_t)(l4 - ip) + len;
}

enum shunt_verdict oracle_translate_error(const struct oracle_case *c, size_t ports,
					  const struct shunt_backend *way,
					  const struct oracle_tuple *to, struct oracle_result *r)
{
	const uint8_t *icmp = c->in->frame + c->p.l4;
	struct quote q = quote_of(c, ports);
	uint32_t longer = q.is_piece ? 28 : 20;
	struct told t;

	oracle_put_ethernet(way, to->family, r);
	if (to->family == c->p.family) {
		same_family(c, ports, to, oracle_put_packet(c->in, &c->p, r));
		return SHUNT_GO_ON;
	}
	if (!(to->family == 6 ? tell6(icmp, longer, &t) : tell4(icmp, longer, &t)))
		return SHUNT_DROP_NAT_FAMILY;
	r->len += put_error(c, &q, &t, to, r->frame + r->len);
	return SHUNT_GO_ON;
}
