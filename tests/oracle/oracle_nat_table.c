/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tables of translated connections may look like before and after a packet.  Which of the
 * places that shunt_abi.h allows a connection gets is the packet path's own business. */
#include "oracle_nat.h"

#include <string.h>

#define RECORDS_MAX 1024

static uint32_t n_records(const struct oracle_case *c)
{
	return c->t->nat_buckets * SHUNT_NAT_WAYS;
}

static uint64_t word_of(const struct shunt_nat_bucket *b, uint32_t i)
{
	return b[i / SHUNT_NAT_WAYS].word[i % SHUNT_NAT_WAYS];
}

/* ---- tuples -------------------------------------------------------------------------------------*/

/* Two ports as they stand on the wire. */
static void split_ports(uint32_t ports, uint16_t *first, uint16_t *second)
{
	uint8_t b[4];

	memcpy(b, &ports, 4);
	*first = (uint16_t)(b[0] << 8 | b[1]);
	*second = (uint16_t)(b[2] << 8 | b[3]);
}

struct oracle_tuple oracle_nat_of_client(const struct oracle_nat *n, uint32_t rec)
{
	const struct shunt_nat_conn *conn = &n->conns[rec];
	bool is6 = conn->state & SHUNT_NAT_CLIENT6;
	struct oracle_tuple q = {.family = is6 ? 6 : 4, .proto = SHUNT_NAT_PROTO(conn->state)};

	memcpy(q.src, is6 ? n->addrs[rec].client : &conn->client, is6 ? 16 : 4);
	memcpy(q.dst, is6 ? n->addrs[rec].vip : &conn->vip, is6 ? 16 : 4);
	split_ports(conn->client_ports, &q.sport, &q.dport);
	return q;
}

struct oracle_tuple oracle_nat_of_backend(const struct oracle_nat *n, uint32_t rec)
{
	const struct shunt_nat_conn *conn = &n->conns[rec];
	bool is6 = conn->state & SHUNT_NAT_BACKEND6;
	struct oracle_tuple q = {.family = is6 ? 6 : 4, .proto = SHUNT_NAT_PROTO(conn->state)};

	memcpy(q.src, is6 ? n->addrs[rec].backend : &conn->backend, is6 ? 16 : 4);
	memcpy(q.dst, is6 ? n->addrs[rec].pool : &conn->pool, is6 ? 16 : 4);
	split_ports(conn->backend_ports, &q.sport, &q.dport);
	return q;
}

bool oracle_same_tuple(const struct oracle_tuple *a, const struct oracle_tuple *b)
{
	return a->family == b->family && a->proto == b->proto && a->sport == b->sport &&
	       a->dport == b->dport && memcmp(a->src, b->src, 16) == 0 &&
	       memcmp(a->dst, b->dst, 16) == 0;
}

/* ---- time ---------------------------------------------------------------------------------------*/

/* Ticks for which a record has been void; not positive: it lives. */
static int32_t void_for(const struct oracle_case *c, const struct oracle_nat *n, uint32_t rec)
{
	return (int32_t)(c->in->tick - n->conns[rec].until);
}

/* Whether a new connection may have the record: it is free, or void for long, and known to be. */
static bool may_be_taken(const struct oracle_case *c, uint32_t rec)
{
	const struct oracle_nat *n = &c->s->nat;
	uint64_t w = word_of(n->requests, rec);

	if (w == 0)
		return true;
	return w != SHUNT_NAT_BUSY && (int32_t)(c->in->tick - (uint32_t)w - SHUNT_NAT_GRACE) > 0 &&
	       void_for(c, n, rec) > (int32_t)SHUNT_NAT_GRACE;
}

/* Whether a new connection that finds no room may have the record: of TCP that is not established, or
 * of UDP that nobody has answered; but not the one that the same packet has just @lost. */
static bool is_half_open(const struct oracle_case *c, uint32_t rec, uint32_t lost)
{
	uint32_t state = c->s->nat.conns[rec].state;

	if (rec == lost || !(word_of(c->s->nat.requests, rec) >> 63))
		return false;
	return !(state & (SHUNT_NAT_PROTO(state) == 6 ? SHUNT_NAT_ESTABLISHED : SHUNT_NAT_REPLIED));
}

/* ---- finding ------------------------------------------------------------------------------------*/

/* The @i-th of the words, of 2 * SHUNT_NAT_WAYS, in which the tuple is looked for. */
static uint32_t candidate(const struct shunt_nat_place *place, uint32_t i)
{
	uint32_t bucket = i < SHUNT_NAT_WAYS ? place->first : place->second;

	return bucket * SHUNT_NAT_WAYS + i % SHUNT_NAT_WAYS;
}

static struct shunt_nat_place place_of(const struct oracle_case *c, const struct oracle_tuple *q,
				       uint32_t buckets)
{
	return shunt_nat_mix(oracle_hash(c->t, q), q->proto, buckets - 1);
}

uint32_t oracle_nat_find_request(const struct oracle_case *c, const struct oracle_nat *n,
				 const struct oracle_tuple *q)
{
	struct shunt_nat_place place = place_of(c, q, c->t->nat_buckets);

	for (uint32_t i = 0; i < 2 * SHUNT_NAT_WAYS; i++) {
		uint32_t rec = candidate(&place, i);
		struct oracle_tuple is = oracle_nat_of_client(n, rec);

		if (word_of(n->requests, rec) >> 32 == place.tag && oracle_same_tuple(&is, q) &&
		    void_for(c, n, rec) <= 0)
			return rec;
	}
	return ORACLE_NOBODY;
}

uint32_t oracle_nat_find_reply(const struct oracle_case *c, const struct oracle_nat *n,
			       const struct oracle_tuple *q)
{
	struct shunt_nat_place place = place_of(c, q, c->t->nat_reply_buckets);

	for (uint32_t i = 0; i < 2 * SHUNT_NAT_WAYS; i++) {
		uint64_t w = word_of(n->replies, candidate(&place, i));
		struct oracle_tuple is;

		if (w >> 32 != place.tag || (uint32_t)w >= n_records(c))
			continue;
		is = oracle_nat_of_backend(n, (uint32_t)w);
		if (oracle_same_tuple(&is, q) && void_for(c, n, (uint32_t)w) <= 0)
			return (uint32_t)w;
	}
	return ORACLE_NOBODY;
}

bool oracle_nat_is_full(const struct oracle_case *c, const struct oracle_tuple *q, uint32_t lost)
{
	struct shunt_nat_place place = place_of(c, q, c->t->nat_buckets);

	for (uint32_t i = 0; i < 2 * SHUNT_NAT_WAYS; i++)
		if (may_be_taken(c, candidate(&place, i)) ||
		    is_half_open(c, candidate(&place, i), lost))
			return false;
	return true;
}

/* Whether the record, which has been given to another connection, was the oldest half-open one where
 * that found no room. */
static bool may_be_evicted(const struct oracle_case *c, uint32_t rec, uint32_t lost)
{
	struct oracle_tuple q = oracle_nat_of_client(&c->seen->nat, rec);
	struct shunt_nat_place place = place_of(c, &q, c->t->nat_buckets);
	const struct shunt_nat_conn *conns = c->s->nat.conns;

	for (uint32_t i = 0; i < 2 * SHUNT_NAT_WAYS; i++) {
		uint32_t other = candidate(&place, i);

		if (may_be_taken(c, other) || (is_half_open(c, other, lost) &&
					       (int32_t)(conns[other].seen - conns[rec].seen) < 0))
			return false;
	}
	return is_half_open(c, rec, lost);
}

/* Whether the record has lost the port that the opened one has. */
static bool has_lost_port(const struct oracle_case *c, const struct oracle_nat_step *step,
			  uint32_t rec)
{
	struct oracle_tuple was, is;

	if (!step->opened || step->used == ORACLE_NOBODY || !is_half_open(c, rec, step->lost))
		return false;
	was = oracle_nat_of_backend(&c->s->nat, rec);
	is = oracle_nat_of_backend(&c->seen->nat, step->used);
	return oracle_same_tuple(&was, &is);
}

bool oracle_nat_replies_full(const struct oracle_case *c)
{
	uint32_t free = 0;

	for (uint32_t i = 0; i < c->t->nat_reply_buckets * SHUNT_NAT_WAYS; i++) {
		if (i % SHUNT_NAT_WAYS == 0)
			free = 0;
		free += word_of(c->s->nat.replies, i) == 0;
		if (i % SHUNT_NAT_WAYS == SHUNT_NAT_WAYS - 1 && free == 0)
			return true;
	}
	return false;
}

uint32_t oracle_nat_taken(const struct oracle_case *c, const struct oracle_nat *nat,
			  const struct oracle_tuple *reply, uint32_t first, uint32_t n)
{
	uint32_t taken = 0;

	for (uint32_t i = 0; i < c->t->nat_reply_buckets * SHUNT_NAT_WAYS; i++) {
		uint64_t w = word_of(nat->replies, i);
		struct oracle_tuple is, like = *reply;

		if (!(w >> 63) || (uint32_t)w >= n_records(c))
			continue;
		is = oracle_nat_of_backend(nat, (uint32_t)w);
		like.dport = is.dport;
		taken += oracle_same_tuple(&is, &like) && is.dport >= first && is.dport < first + n;
	}
	return taken;
}

/* ---- what may change ----------------------------------------------------------------------------*/

/* The records that were freed, or given to somebody else. */
struct freed {
	bool is[RECORDS_MAX];
};

static bool is_same_record(const struct oracle_case *c, uint32_t rec)
{
	const struct oracle_nat *was = &c->s->nat, *is = &c->seen->nat;

	return memcmp(&was->conns[rec], &is->conns[rec], sizeof(*was->conns)) == 0 &&
	       memcmp(&was->addrs[rec], &is->addrs[rec], sizeof(*was->addrs)) == 0;
}

/* The word may have learnt when its record is void. */
static bool is_word_of(const struct oracle_case *c, uint32_t rec, uint64_t must, uint64_t is)
{
	uint32_t ends = c->in->tick - (uint32_t)void_for(c, &c->s->nat, rec);

	return is == must || (must >> 63 && is == (must >> 32 << 32 | ends)) ||
	       (must >> 32 == SHUNT_NAT_GONE >> 32 && is == (SHUNT_NAT_GONE | ends));
}

static const char *check_record(const struct oracle_case *c, const struct oracle_nat_step *step,
				uint32_t rec, struct freed *freed)
{
	uint64_t was = word_of(c->s->nat.requests, rec), is = word_of(c->seen->nat.requests, rec);

	if (rec == step->used) {
		freed->is[rec] = step->opened;
		if (step->opened)
			return may_be_taken(c, rec) || may_be_evicted(c, rec, step->lost)
				       ? NULL
				       : "a record was taken that is not free";
		if (memcmp(&c->s->nat.addrs[rec], &c->seen->nat.addrs[rec],
			   sizeof(*c->s->nat.addrs)))
			return "the addresses of a record in use were written";
		return is == was ? NULL : "the word of a record in use was written";
	}
	if (!is_same_record(c, rec)) {
		freed->is[rec] = step->failed && is == 0 &&
				 (may_be_taken(c, rec) || may_be_evicted(c, rec, step->lost));
		return freed->is[rec] ? NULL : "somebody else's record was written";
	}
	if (is == 0 && was != 0) {
		freed->is[rec] = may_be_taken(c, rec) || has_lost_port(c, step, rec);
		return freed->is[rec] ? NULL : "a record was freed that somebody has";
	}
	if (rec == step->lost)
		was = SHUNT_NAT_GONE | (uint32_t)was;
	return is_word_of(c, rec, was, is) ? NULL : "somebody else's word was written";
}

static const char *check_reply(const struct oracle_case *c, const struct oracle_nat_step *step,
			       uint32_t i, const struct freed *freed)
{
	uint64_t was = word_of(c->s->nat.replies, i), is = word_of(c->seen->nat.replies, i);
	bool was_freed = was == 0 || ((uint32_t)was < n_records(c) && freed->is[(uint32_t)was]);
	bool is_new = step->opened && is && (uint32_t)is == step->used;

	if (is == was)
		return is && was_freed && !is_new ? "a freed record can still be found" : NULL;
	if (!was_freed)
		return "a backend's word was taken away";
	return is == 0 || is_new ? NULL : "a backend's word is nobody's";
}

const char *oracle_nat_check(const struct oracle_case *c, const struct oracle_nat_step *step)
{
	struct freed freed = {{false}};
	const char *wrong = NULL;
	uint32_t spent = 0;

	if (n_records(c) > RECORDS_MAX)
		return "the oracle has no room for so many records";
	for (uint32_t rec = 0; rec < n_records(c) && !wrong; rec++) {
		wrong = check_record(c, step, rec, &freed);
		spent += rec != step->used && !is_same_record(c, rec);
	}
	if (!wrong && spent > 1)
		wrong = "more than one record was tried";
	for (uint32_t i = 0; i < c->t->nat_reply_buckets * SHUNT_NAT_WAYS && !wrong; i++)
		wrong = check_reply(c, step, i, &freed);
	return wrong;
}
