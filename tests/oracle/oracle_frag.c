/* SPDX-License-Identifier: BSD-2-Clause */
/* Fragments: the first is steered, the others go where it went. */
#include "oracle_rare.h"

#include <string.h>

#define PROTO_TCP 6
#define PROTO_UDP 17
#define MOST 65535 /* bytes of an IP packet */

static uint16_t be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* ---- the table ----------------------------------------------------------------------------------*/

static uint16_t tick_of(const struct oracle_case *c)
{
	return (uint16_t)(c->in->jiffies >> SHUNT_FRAG_TICK_SHIFT);
}

/* Where the packet is looked for, as shunt_abi_rare.h has it. */
struct place {
	size_t bucket;
	uint64_t tag;
};

static struct place place_of(const struct oracle_case *c, uint64_t hash)
{
	uint64_t a = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15ull;
	uint64_t b = (a ^ a >> 29) * 0xbf58476d1ce4e5b9ull;

	return (struct place){(a >> 32) & (c->t->frag_buckets - 1), b >> SHUNT_FRAG_TAG_SHIFT | 1};
}

/* Ticks since it was written, and one, for a clock may be a tick ahead. */
static uint16_t age_of(const struct oracle_case *c, uint64_t word)
{
	return (uint16_t)(tick_of(c) - (uint16_t)word + 1);
}

uint64_t oracle_whereto(const struct oracle_case *c, uint64_t hash)
{
	struct place place = place_of(c, hash);
	uint32_t most = (SHUNT_FRAG_TIMEOUT_S * c->t->hz >> SHUNT_FRAG_TICK_SHIFT) + 1;

	for (int i = 0; i < SHUNT_FRAGS_PER_BUCKET; i++) {
		uint64_t w = c->s->frags[place.bucket].word[i];

		if (w >> SHUNT_FRAG_TAG_SHIFT == place.tag)
			return age_of(c, w) <= most
				       ? w >> SHUNT_FRAG_WHERETO_SHIFT & SHUNT_FRAG_WHERETO
				       : ORACLE_NOT_THERE;
	}
	return ORACLE_NOT_THERE;
}

/* How readily a word is given up: the packet's own at once, then a free one, then by age. */
static uint32_t readiness(const struct oracle_case *c, const struct place *place, uint64_t word)
{
	if (word >> SHUNT_FRAG_TAG_SHIFT == place->tag)
		return 0x20000;
	return word >> SHUNT_FRAG_TAG_SHIFT ? age_of(c, word) : 0x10000 + age_of(c, word);
}

/* Of equally ready words any may be taken: that which was seen to be. */
void oracle_remember_piece(const struct oracle_case *c, uint64_t hash, uint32_t whereto,
			   struct oracle_result *r)
{
	struct place place = place_of(c, hash);
	const __u64 *was = c->s->frags[place.bucket].word, *is;
	uint32_t readiest = 0;
	int at = -1;

	r->frag_is = place.tag << SHUNT_FRAG_TAG_SHIFT |
		     (uint64_t)whereto << SHUNT_FRAG_WHERETO_SHIFT | tick_of(c);
	is = c->seen->frags[place.bucket].word;
	for (int i = 0; i < SHUNT_FRAGS_PER_BUCKET; i++)
		if (readiness(c, &place, was[i]) > readiest)
			readiest = readiness(c, &place, was[i]);
	for (int i = 0; i < SHUNT_FRAGS_PER_BUCKET; i++)
		if (readiness(c, &place, was[i]) == readiest && (at < 0 || is[i] == r->frag_is))
			at = i;
	r->frag_written = true;
	r->frag_word = place.bucket * SHUNT_FRAGS_PER_BUCKET + (size_t)at;
	r->frag_was = was[at];
}

/* ---- the fragment -------------------------------------------------------------------------------*/

/* Reads the fragment header, or what is one of IPv4's.  RFC 791, RFC 8200 section 4.5. */
static bool read_fragment(const struct oracle_case *c, struct oracle_piece *f)
{
	const uint8_t *ip = c->in->frame + c->p.l3, *head = c->in->frame + c->p.l4;

	f->at = c->p.l4;
	f->len = c->p.l3 + c->p.l3_len - c->p.l4;
	if (c->p.family == 4) {
		memcpy(f->id, (uint8_t[]){ip[4], ip[5], c->p.proto, 0}, 4);
		f->offset = 8 * (size_t)(be16(ip + 6) & 0x1fff);
		f->more = ip[6] & 0x20;
		f->proto = c->p.proto;
		return true;
	}
	if (f->len < 8)
		return false;
	memcpy(f->id, head + 4, 4);
	f->offset = be16(head + 2) & 0xfff8u;
	f->more = head[3] & 1;
	f->proto = head[0];
	f->at += 8;
	f->len -= 8;
	return true;
}

static uint64_t hash_of(const struct oracle_case *c, const struct oracle_piece *f)
{
	struct oracle_tuple q = {
		.family = c->p.family,
		.sport = be16(f->id),
		.dport = be16(f->id + 2),
	};

	memcpy(q.src, c->p.src, 16);
	memcpy(q.dst, c->p.dst, 16);
	return oracle_hash(c->t, &q);
}

static bool is_sound(const struct oracle_case *c, const struct oracle_piece *f)
{
	size_t uncounted = c->p.family == 6 ? 48 : 0;

	return f->len > 0 && !(f->more && f->len % 8) &&
	       f->offset + c->p.l3_len <= MOST + uncounted;
}

/* The first fragment must have the whole TCP or UDP header: RFC 7112, RFC 1858. */
enum shunt_verdict oracle_piece_ports(struct oracle_case *c, const struct oracle_piece *f)
{
	struct oracle_parsed *p = &c->p;
	enum shunt_verdict verdict = SHUNT_GO_ON;
	size_t len;

	p->proto = f->proto;
	p->l4 = f->at;
	if (p->family == 6)
		verdict = oracle_parse_chain(c->in->frame, f->at, f->at + f->len, p);
	if (verdict == SHUNT_PASS_EXT_HEADERS)
		return verdict;
	if (verdict != SHUNT_GO_ON)
		return SHUNT_DROP_FRAGMENT_BAD;
	if (p->proto != PROTO_TCP && p->proto != PROTO_UDP)
		return SHUNT_PASS_FRAGMENT;
	len = f->at + f->len - p->l4;
	if (p->proto == PROTO_UDP && len < 8)
		return SHUNT_DROP_FRAGMENT_BAD;
	/* a UDP length is that of the whole packet */
	if (p->proto == PROTO_UDP && f->more)
		len = MOST;
	return oracle_parse_ports(c->in->frame + p->l4, len, p) == SHUNT_GO_ON
		       ? SHUNT_GO_ON
		       : SHUNT_DROP_FRAGMENT_BAD;
}

/* Like any packet's of its flow; but what would be translated is nobody's. */
static enum shunt_verdict backend_of_first(const struct oracle_case *c, struct oracle_result *r)
{
	const struct shunt_service *svc = oracle_find(c->t, &c->p);
	enum shunt_verdict verdict = oracle_martian(&c->p);
	uint32_t number;

	if (verdict != SHUNT_GO_ON)
		return verdict;
	if (!svc || svc->flags & SHUNT_SVC_NAT)
		return SHUNT_PASS_NOT_VIP;
	verdict = oracle_source(c, svc, r);
	if (verdict == SHUNT_GO_ON)
		verdict = oracle_number(c, svc, &number, r);
	if (verdict == SHUNT_GO_ON)
		verdict = oracle_backend(c, svc, number, r);
	if (verdict == SHUNT_GO_ON && oracle_translates(&c->t->backends[r->row]))
		return SHUNT_PASS_NOT_VIP;
	return verdict;
}

static enum shunt_verdict first(struct oracle_case *c, const struct oracle_piece *f,
				struct oracle_result *r)
{
	enum shunt_verdict verdict = oracle_piece_ports(c, f);

	if (verdict != SHUNT_GO_ON)
		return verdict;
	verdict = backend_of_first(c, r);
	if (f->more && verdict == SHUNT_GO_ON)
		oracle_remember_piece(c, f->hash, r->row, r);
	if (f->more && verdict == SHUNT_PASS_NOT_VIP)
		oracle_remember_piece(c, f->hash, 0, r);
	return verdict;
}

/* A piece that would write over the ports or flags that the first one was judged by is none. */
static enum shunt_verdict later(const struct oracle_case *c, const struct oracle_piece *f,
				struct oracle_result *r)
{
	uint64_t whereto = oracle_whereto(c, f->hash);

	if (f->proto == PROTO_TCP && f->offset < 20)
		return SHUNT_DROP_FRAGMENT_BAD;
	if (whereto == 0)
		return SHUNT_PASS_FRAGMENT;
	if (whereto >= c->t->rows || !(c->t->backends[whereto].flags & SHUNT_BE_USABLE))
		return SHUNT_DROP_FRAGMENT_ORPHAN;
	r->row = (uint32_t)whereto;
	return SHUNT_GO_ON;
}

enum shunt_verdict oracle_piece(const struct oracle_case *c, struct oracle_piece *f)
{
	if (!read_fragment(c, f))
		return SHUNT_DROP_FRAGMENT_BAD;
	if (f->proto != PROTO_TCP && f->proto != PROTO_UDP &&
	    !(c->p.family == 6 && oracle_is_ext(f->proto)))
		return SHUNT_PASS_FRAGMENT;
	if (!is_sound(c, f))
		return SHUNT_DROP_FRAGMENT_BAD;
	f->hash = hash_of(c, f);
	return SHUNT_GO_ON;
}

enum shunt_verdict oracle_fragment(struct oracle_case *c, struct oracle_result *r)
{
	enum shunt_verdict verdict;
	struct oracle_piece f = {0};

	if (!oracle_vip(c))
		return SHUNT_PASS_FRAGMENT;
	verdict = oracle_piece(c, &f);
	if (verdict != SHUNT_GO_ON)
		return verdict;
	r->may_be_told = f.offset == 0;
	verdict = f.offset ? later(c, &f, r) : first(c, &f, r);
	c->p.is_whole = false;
	if (verdict != SHUNT_GO_ON)
		return verdict;
	r->egress = c->t->backends[r->row].ifindex;
	return oracle_forward(c->in, &c->p, f.hash, &c->t->backends[r->row], r);
}
