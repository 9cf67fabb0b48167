/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP: errors about a flow go where the flow goes, echo requests are answered, and senders are told
 * what became of their packets. */
#include "oracle_rare.h"

#include <string.h>

#define PROTO_ICMP 1
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_FRAGMENT 44
#define PROTO_ICMPV6 58
#define TTL 64
#define TOS 0xc0 /* network control */

static uint16_t be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void set16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

uint32_t oracle_sum(const uint8_t *bytes, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	return sum;
}

uint16_t oracle_checksum(uint32_t sum)
{
	while (sum > 0xffff)
		sum = sum % 0x10000 + sum / 0x10000;
	return (uint16_t)~sum;
}

uint32_t oracle_pseudo_sum(const struct oracle_parsed *p, size_t len)
{
	if (p->family == 4)
		return 0;
	return oracle_sum(p->src, 16) + oracle_sum(p->dst, 16) + (uint32_t)len + PROTO_ICMPV6;
}

static bool is_in(const struct oracle_vip *v, const struct oracle_parsed *p)
{
	if (v->family != p->family)
		return false;
	for (int i = 0; i < v->bits; i++)
		if ((v->addr[i / 8] ^ p->dst[i / 8]) & 128 >> i % 8)
			return false;
	return true;
}

/* The address itself, or else the longest prefix, also where that has nothing. */
const struct oracle_vip *oracle_vip(const struct oracle_case *c)
{
	const struct oracle_vip *best = NULL, *v;

	for (size_t i = 0; i < c->t->n_vips; i++) {
		v = &c->t->vips[i];
		if (is_in(v, &c->p) &&
		    (!best || v->is_exact || (!best->is_exact && v->bits > best->bits)))
			best = v;
	}
	return best && !best->is_nobody ? best : NULL;
}

bool oracle_may_answer(const struct oracle_case *c)
{
	static const uint8_t none[8];
	const uint8_t *src = c->p.src;

	if (c->in->frame[0] & 1 || memcmp(src, c->p.dst, 16) == 0)
		return false;
	if (c->p.family == 4)
		return src[0] != 0 && src[0] != 127 && src[0] < 224;
	return memcmp(src, none, 8) != 0 && src[0] != 0xff;
}

/* ---- echo ---------------------------------------------------------------------------------------*/

static void swap(uint8_t *a, uint8_t *b, size_t len)
{
	uint8_t kept[16];

	memcpy(kept, a, len);
	memcpy(a, b, len);
	memcpy(b, kept, len);
}

/* The checksum after one word has changed, right or not: RFC 1624, equation 3. */
static void change_word(uint8_t *checksum, uint16_t was, uint16_t is)
{
	set16(checksum, oracle_checksum((uint32_t)(uint16_t)~be16(checksum) + (uint16_t)~was + is));
}

static enum shunt_verdict echo(const struct oracle_case *c, struct oracle_result *r)
{
	size_t head = c->p.family == 4 ? 20 : 40, len = c->p.l3 + c->p.l3_len - c->p.l4;
	uint8_t *ip = r->frame + c->p.l3, *icmp = r->frame + c->p.l4, old = c->p.ttl;
	uint32_t sum = oracle_sum(c->in->frame + c->p.l4, len) + oracle_pseudo_sum(&c->p, len);

	if (c->p.l4 - c->p.l3 != head || !oracle_may_answer(c) || len > ORACLE_READ_MAX ||
	    oracle_checksum(sum) != 0)
		return SHUNT_PASS_ICMP;
	r->len = c->in->len;
	memcpy(r->frame, c->in->frame, c->in->len);
	swap(r->frame, r->frame + 6, 6);
	if (c->p.family == 4) {
		swap(ip + 12, ip + 16, 4);
		ip[8] = TTL;
		change_word(ip + 10, (uint16_t)(old << 8 | PROTO_ICMP), TTL << 8 | PROTO_ICMP);
		icmp[0] = 0;
		change_word(icmp + 2, 8 << 8, 0);
	} else {
		swap(ip + 8, ip + 24, 16);
		ip[7] = TTL;
		icmp[0] = 129;
		change_word(icmp + 2, 128 << 8, 129 << 8);
	}
	return SHUNT_REPLY_ECHO;
}

/* ---- errors -------------------------------------------------------------------------------------*/

static bool read_quote4(const uint8_t *ip, size_t len, struct oracle_parsed *flow, size_t *ports)
{
	size_t header_len;

	if (len < 20)
		return false;
	header_len = 4 * (size_t)(ip[0] % 16);
	if (ip[0] / 16 != 4 || memcmp(ip + 12, flow->dst, 4) != 0 || be16(ip + 6) & 0x1fff ||
	    header_len < 20 || len < header_len + 8)
		return false;
	memcpy(flow->src, ip + 16, 4);
	flow->proto = ip[9];
	*ports = header_len;
	return true;
}

static bool read_quote6(const uint8_t *ip, size_t len, struct oracle_parsed *flow, size_t *ports)
{
	struct oracle_parsed chain = {0};
	enum shunt_verdict verdict;

	if (len < 40 || ip[0] / 16 != 6 || memcmp(ip + 8, flow->dst, 16) != 0)
		return false;
	memcpy(flow->src, ip + 24, 16);
	chain.proto = ip[6];
	verdict = oracle_parse_chain(ip, 40, len, &chain);
	flow->proto = chain.proto;
	*ports = chain.l4;
	if (verdict == SHUNT_PASS_FRAGMENT) {
		if (len < chain.l4 + 16 || be16(ip + chain.l4 + 2) & 0xfff8)
			return false;
		flow->proto = ip[chain.l4];
		*ports += 8;
		return true;
	}
	return verdict == SHUNT_GO_ON && len >= chain.l4 + 8;
}

size_t oracle_quote(const uint8_t *ip, size_t len, struct oracle_parsed *flow)
{
	size_t ports = 0;

	if (!(flow->family == 4 ? read_quote4(ip, len, flow, &ports)
				: read_quote6(ip, len, flow, &ports)) ||
	    (flow->proto != PROTO_TCP && flow->proto != PROTO_UDP))
		return 0;
	flow->sport = be16(ip + ports + 2);
	flow->dport = be16(ip + ports);
	return ports;
}

bool oracle_is_error(const struct oracle_parsed *p, uint8_t type)
{
	if (p->family == 6)
		return type >= 1 && type <= 4;
	return type == 3 || type == 4 || type == 11 || type == 12;
}

/* To the backend that has the flow; nothing is remembered of it. */
static enum shunt_verdict error(struct oracle_case *c, struct oracle_result *r)
{
	const uint8_t *quote = c->in->frame + c->p.l4 + 8;
	size_t len = c->p.l3 + c->p.l3_len - c->p.l4 - 8;
	struct oracle_case about = *c;
	const struct shunt_service *svc;
	enum shunt_verdict verdict;
	struct oracle_tuple q;
	uint32_t number;

	if (oracle_is_martian(&c->p))
		return SHUNT_DROP_BAD_SOURCE;
	if (!oracle_quote(quote, len, &about.p))
		return SHUNT_PASS_ICMP;
	verdict = oracle_martian(&about.p);
	if (verdict != SHUNT_GO_ON)
		return verdict == SHUNT_PASS_NOT_VIP ? SHUNT_PASS_ICMP : verdict;
	svc = oracle_find(c->t, &about.p);
	if (!svc || svc->flags & SHUNT_SVC_TURNS)
		return SHUNT_PASS_ICMP;
	q = oracle_tuple_of(&about.p);
	verdict = oracle_number_about(&about, svc, &number, r);
	if (verdict == SHUNT_GO_ON)
		verdict = oracle_backend(c, svc, number, r);
	if (verdict != SHUNT_GO_ON)
		return verdict;
	if (oracle_translates(&c->t->backends[r->row]))
		return SHUNT_PASS_ICMP;
	r->egress = c->t->backends[r->row].ifindex;
	return oracle_forward(c->in, &c->p, oracle_hash(c->t, &q), &c->t->backends[r->row], r);
}

enum shunt_verdict oracle_icmp(struct oracle_case *c, struct oracle_result *r)
{
	const struct oracle_vip *vip = oracle_vip(c);
	const uint8_t *icmp = c->in->frame + c->p.l4;

	if (!vip || c->p.l3 + c->p.l3_len < c->p.l4 + 8)
		return SHUNT_PASS_ICMP;
	if (icmp[0] == (c->p.family == 4 ? 8 : 128) && icmp[1] == 0)
		return vip->is_live ? echo(c, r) : SHUNT_PASS_ICMP;
	return oracle_is_error(&c->p, icmp[0]) ? error(c, r) : SHUNT_PASS_ICMP;
}

/* ---- answers ------------------------------------------------------------------------------------*/

/* Takes one of the answers that there are still to be had on this CPU. */
static bool take_answer(const struct oracle_case *c, struct oracle_result *r)
{
	const struct shunt_answer *was = &c->s->answers[c->in->cpu];
	uint64_t credit = was->credit + (c->in->jiffies - was->refilled) * was->rate;
	uint64_t most = (uint64_t)was->rate * c->t->hz;

	credit = credit < most ? credit : most;
	r->answer_written = true;
	r->answer_was = *was;
	r->answer_is = *was;
	r->answer_is.refilled = c->in->jiffies;
	r->answer_is.credit = credit < c->t->hz ? credit : credit - c->t->hz;
	return credit >= c->t->hz;
}

/* The largest packet of the sender's that the backend's path takes. */
static uint32_t mtu_of(const struct oracle_case *c, const struct shunt_backend *be)
{
	bool to6 = be->flags & SHUNT_BE_ADDR6;
	int front = 0;

	if (be->method == SHUNT_IPIP || be->method == SHUNT_GRE || be->method == SHUNT_GUE)
		front = (to6 ? 40 : 20) + (be->method == SHUNT_GUE   ? 12
					   : be->method == SHUNT_GRE ? 4
								     : 0);
	else if (be->method == SHUNT_NAT && to6 != (c->p.family == 6))
		front = !to6 ? -20 : c->p.is_whole ? 20 : 28; /* RFC 7915 sections 4.2 and 5.2 */
	return be->mtu > front ? (uint32_t)(be->mtu - front) : 0;
}

/* RFC 792, RFC 4443: the error of that type and code, with @rest in its fourth word, and as much of
 * the packet as may be. */
static void put_error(const struct oracle_case *c, const uint8_t head[static 8],
		      struct oracle_result *r)
{
	const struct oracle_parsed *p = &c->p;
	size_t ip_len = p->family == 4 ? 20 : 40, most = (p->family == 4 ? 576 : 1280) - ip_len - 8;
	size_t quote = p->l3_len < most ? p->l3_len : most, len = 8 + quote;
	uint8_t *ip = r->frame + p->l3, *icmp = ip + ip_len;

	memcpy(r->frame, c->in->frame, p->l3);
	swap(r->frame, r->frame + 6, 6);
	memset(ip, 0, ip_len);
	if (p->family == 4) {
		memcpy(ip, (uint8_t[]){0x45, TOS, 0, 0, 0, 0, 0x40, 0, TTL, PROTO_ICMP}, 10);
		set16(ip + 2, (uint32_t)(20 + len));
		memcpy(ip + 12, p->dst, 4);
		memcpy(ip + 16, p->src, 4);
		set16(ip + 10, oracle_checksum(oracle_sum(ip, 20)));
	} else {
		memcpy(ip, (uint8_t[]){0x60 | TOS >> 4, (uint8_t)(TOS << 4)}, 2);
		set16(ip + 4, (uint32_t)len);
		ip[6] = PROTO_ICMPV6;
		ip[7] = TTL;
		memcpy(ip + 8, p->dst, 16);
		memcpy(ip + 24, p->src, 16);
	}
	memcpy(icmp, head, 8);
	memcpy(icmp + 8, c->in->frame + p->l3, quote);
	set16(icmp + 2, oracle_checksum(oracle_sum(icmp, len) + oracle_pseudo_sum(p, len)));
	r->len = p->l3 + ip_len + len;
}

enum shunt_verdict oracle_answer(const struct oracle_case *c, enum shunt_verdict verdict,
				 struct oracle_result *r)
{
	bool is4 = c->p.family == 4, is_ttl = verdict == SHUNT_DROP_TTL;
	uint8_t head[8] = {0};
	uint32_t mtu;

	if (is_ttl) {
		head[0] = is4 ? 11 : 3;
	} else {
		mtu = mtu_of(c, &c->t->backends[r->row]);
		if (!mtu)
			return verdict;
		head[0] = is4 ? 3 : 2;
		head[1] = is4 ? 4 : 0;
		set16(head + 4, mtu >> 16);
		set16(head + 6, mtu);
	}
	if (!oracle_may_answer(c) || !take_answer(c, r))
		return verdict;
	put_error(c, head, r);
	return is_ttl ? SHUNT_REPLY_TTL : SHUNT_REPLY_TOO_BIG;
}
