/* SPDX-License-Identifier: BSD-2-Clause */
/* NAT's pools and timeouts, and its connections on their way to larger tables. Where a record stands
 * follows from its tuples and the tables' sizes, so each is put in anew. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "io/dp_impl.h"
#include "pure/hashkey.h"
#include "shunt_abi.h"

/* ---- pools and timeouts -----------------------------------------------------------------------*/

/* A packet may read meanwhile: a pool's addresses stand before it counts them, and those beyond stay. */
void dp_nat_write(struct dp *dp, const struct shunt_nat_ctl *c)
{
	struct shunt_nat_ctl *there = dp->set.map[DP_NAT_CTL].mem;
	size_t i;

	memcpy(there->timeout, c->timeout, sizeof(there->timeout));
	there->first_port = c->first_port;
	there->ports = c->ports;
	for (i = 0; i < SHUNT_NAT_POOLS; i++) {
		memcpy(there->pool[i].addr, c->pool[i].addr,
		       c->pool[i].n * sizeof(c->pool[i].addr[0]));
		__atomic_store_n(&there->pool[i].n, c->pool[i].n, __ATOMIC_RELEASE);
	}
}

/* ---- the tables of a set ----------------------------------------------------------------------*/

/* Without NAT its tables have one bucket. */
static uint64_t nat_of(const struct dp_set *set)
{
	uint64_t buckets = set->map[DP_NAT_REQUESTS].entries;

	return set->map[DP_NAT_REQUESTS].fd >= 0 && buckets > 1 ? buckets * SHUNT_NAT_WAYS / 2 : 0;
}

static bool nat_fits(const struct dp_map *m)
{
	uint32_t buckets = m[DP_NAT_REQUESTS].entries;

	return buckets && !(buckets & (buckets - 1)) && m[DP_NAT_CTL].entries == 1 &&
	       m[DP_NAT_CONNS].entries == (uint64_t)buckets * SHUNT_NAT_WAYS &&
	       (m[DP_NAT_REPLIES].entries == buckets || buckets == 1) &&
	       (m[DP_NAT_ADDRS].entries == m[DP_NAT_CONNS].entries || m[DP_NAT_ADDRS].entries == 1);
}

static bool has_nat(const struct dp_map *m)
{
	return m[DP_NAT_REQUESTS].fd >= 0 && m[DP_NAT_REPLIES].fd >= 0 && m[DP_NAT_CONNS].fd >= 0 &&
	       m[DP_NAT_ADDRS].fd >= 0 && m[DP_NAT_CTL].fd >= 0;
}

int dp_nat_measure(struct dp_set *set)
{
	const struct dp_map *m = set->map;

	if (has_nat(m) && !nat_fits(m))
		return -EINVAL;
	set->sizes.nat = has_nat(m) ? nat_of(set) : 0;
	set->sizes.nat6 = set->sizes.nat && m[DP_NAT_ADDRS].entries > 1;
	return 0;
}

struct tables {
	struct shunt_nat_bucket *requests, *replies;
	struct shunt_nat_conn *conns;
	struct shunt_nat_addrs *addrs;
	uint32_t n_requests, n_replies, n_addrs;
};

static void *map_of(const struct dp_set *set, enum dp_map_id i, size_t size)
{
	void *mem = mmap(NULL, set->map[i].entries * size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 set->map[i].fd, 0);

	return mem == MAP_FAILED ? NULL : mem;
}

static void unmap(void *mem, size_t len)
{
	if (mem)
		munmap(mem, len);
}

static void tables_close(struct tables *t)
{
	unmap(t->requests, t->n_requests * sizeof(*t->requests));
	unmap(t->replies, t->n_replies * sizeof(*t->replies));
	unmap(t->conns, t->n_requests * SHUNT_NAT_WAYS * sizeof(*t->conns));
	unmap(t->addrs, t->n_addrs * sizeof(*t->addrs));
}

static int tables_open(const struct dp_set *set, struct tables *t)
{
	*t = (struct tables){
		.requests = map_of(set, DP_NAT_REQUESTS, sizeof(*t->requests)),
		.replies = map_of(set, DP_NAT_REPLIES, sizeof(*t->replies)),
		.conns = map_of(set, DP_NAT_CONNS, sizeof(*t->conns)),
		.addrs = map_of(set, DP_NAT_ADDRS, sizeof(*t->addrs)),
		.n_requests = set->map[DP_NAT_REQUESTS].entries,
		.n_replies = set->map[DP_NAT_REPLIES].entries,
		.n_addrs = set->map[DP_NAT_ADDRS].entries,
	};
	return t->requests && t->replies && t->conns && t->addrs ? 0 : -ENOMEM;
}

/* ---- one connection ---------------------------------------------------------------------------*/

struct entry {
	uint64_t word; /* as it stands in the table that it comes from */
	struct shunt_nat_conn conn;
	struct shunt_nat_addrs addrs;
	struct shunt_nat_place request, reply; /* in the table that it goes to */
};

static uint64_t hash_request(const struct dp *dp, const struct entry *e)
{
	if (e->conn.state & SHUNT_NAT_CLIENT6)
		return hashkey_flow6(dp->hash_key, e->addrs.client, e->addrs.vip,
				     e->conn.client_ports);
	return hashkey_flow4(dp->hash_key, e->conn.client, e->conn.vip, e->conn.client_ports);
}

static uint64_t hash_reply(const struct dp *dp, const struct entry *e)
{
	if (e->conn.state & SHUNT_NAT_BACKEND6)
		return hashkey_flow6(dp->hash_key, e->addrs.backend, e->addrs.pool,
				     e->conn.backend_ports);
	return hashkey_flow4(dp->hash_key, e->conn.backend, e->conn.pool, e->conn.backend_ports);
}

static uint64_t *word_at(struct shunt_nat_bucket *b, uint32_t at)
{
	return (uint64_t *)&b[at / SHUNT_NAT_WAYS].word[at % SHUNT_NAT_WAYS];
}

static uint64_t read_word(struct shunt_nat_bucket *b, uint32_t at)
{
	return __atomic_load_n(word_at(b, at), __ATOMIC_ACQUIRE);
}

/* The i-th of the sixteen words in which something may stand. */
static uint32_t candidate(const struct shunt_nat_place *p, uint32_t i)
{
	return (i < SHUNT_NAT_WAYS ? p->first : p->second) * SHUNT_NAT_WAYS + i % SHUNT_NAT_WAYS;
}

/* Whether a connection with one of the tuples of @e is there already: both tags are 31 bits, so a
 * stranger is taken for it once in 10^8 times, and then a connection is lost. */
static bool is_there(struct tables *t, const struct entry *e)
{
	uint32_t i;

	for (i = 0; i < 2 * SHUNT_NAT_WAYS; i++)
		if (read_word(t->requests, candidate(&e->request, i)) >> 32 == e->request.tag ||
		    read_word(t->replies, candidate(&e->reply, i)) >> 32 == e->reply.tag)
			return true;
	return false;
}

/* Puts @word into a free one of the sixteen; which, or -1. */
static int64_t put(struct shunt_nat_bucket *b, const struct shunt_nat_place *p, uint64_t word)
{
	uint32_t i, at;
	uint64_t none;

	for (i = 0; i < 2 * SHUNT_NAT_WAYS; i++) {
		/* From both ends, so that neither bucket fills first. */
		at = candidate(p, (i & 1 ? SHUNT_NAT_WAYS : 0) + i / 2);
		none = 0;
		if (__atomic_compare_exchange_n(word_at(b, at), &none, word, false,
						__ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			return at;
	}
	return -1;
}

static void add(struct tables *to, struct entry *e)
{
	int64_t rec, at;

	if (is_there(to, e))
		return;
	rec = put(to->requests, &e->request, SHUNT_NAT_BUSY);
	if (rec < 0)
		return;
	if (to->n_addrs > rec)
		to->addrs[rec] = e->addrs;
	at = put(to->replies, &e->reply, (uint64_t)e->reply.tag << 32 | (uint64_t)rec);
	if (at >= 0) {
		e->conn.reply_at = (uint32_t)at;
		to->conns[rec] = e->conn;
	}
	__atomic_store_n(word_at(to->requests, (uint32_t)rec), at < 0 ? 0 : e->word,
			 __ATOMIC_RELEASE);
}

static void add_all(const struct dp *dp, struct tables *from, struct tables *to)
{
	uint32_t rec, n = from->n_requests * SHUNT_NAT_WAYS;
	struct entry e;

	for (rec = 0; rec < n; rec++) {
		e.word = read_word(from->requests, rec);
		if (!(e.word >> 63) && e.word >> 32 != SHUNT_NAT_GONE >> 32)
			continue; /* free or being filled: if it matters, the second run copies it */
		e.conn = from->conns[rec];
		e.addrs = rec < from->n_addrs ? from->addrs[rec] : (struct shunt_nat_addrs){0};
		e.request = shunt_nat_mix(hash_request(dp, &e), SHUNT_NAT_PROTO(e.conn.state),
					  to->n_requests - 1);
		e.reply = shunt_nat_mix(hash_reply(dp, &e), SHUNT_NAT_PROTO(e.conn.state),
					to->n_replies - 1);
		add(to, &e);
	}
}

int dp_copy_nat(const struct dp *dp, const struct dp_set *from, struct dp_set *to)
{
	struct tables source, target;
	int rc;

	if (!from->sizes.nat || !to->sizes.nat ||
	    from->map[DP_NAT_REQUESTS].id == to->map[DP_NAT_REQUESTS].id)
		return 0;
	rc = tables_open(from, &source);
	if (rc == 0) {
		rc = tables_open(to, &target);
		if (rc == 0)
			add_all(dp, &source, &target);
		tables_close(&target);
	}
	tables_close(&source);
	return rc;
}
