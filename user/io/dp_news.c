/* SPDX-License-Identifier: BSD-2-Clause */
/* What several balancers tell each other of flows: what packets have newly confirmed here, and the same
 * from elsewhere into the flow table. Places and ages as shunt_abi.h says; whole words, since packets
 * read and write them all the time. */
#include <string.h>

#include "io/dp_impl.h"

/* ---- out of the packet path -------------------------------------------------------------------*/

size_t dp_news_cpus(const struct dp *dp)
{
	return dp->set.sizes.news ? dp->cpus : 0;
}

/* Of one CPU, numbers from *read on. */
static size_t read_cpu(const struct shunt_news *news, uint64_t *read, struct shunt_new *out,
		       size_t max, uint64_t *lost)
{
	uint64_t written = __atomic_load_n(&news->written, __ATOMIC_ACQUIRE), from = *read, over;
	size_t n = 0;

	if (written < from) /* a map made anew begins from 0 */
		from = 0;
	if (written - from > SHUNT_NEWS) {
		*lost += written - from - SHUNT_NEWS;
		from = written - SHUNT_NEWS;
	}
	for (; from + n < written && n < max; n++)
		out[n] = *(const volatile struct shunt_new *)&news->entry[(from + n) % SHUNT_NEWS];
	*read = from + n;
	/* The one after the last that is counted may be half written already. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	over = __atomic_load_n(&news->written, __ATOMIC_RELAXED) + 1;
	over = over > from + SHUNT_NEWS ? over - from - SHUNT_NEWS : 0;
	over = over > n ? n : over;
	memmove(out, out + over, (n - over) * sizeof(*out));
	*lost += over;
	return n - over;
}

size_t dp_news_read(const struct dp *dp, uint64_t *read, struct shunt_new *out, size_t max,
		    uint64_t *lost)
{
	const struct shunt_news *news = dp->set.map[DP_NEWS].mem;
	size_t n = 0, cpu;

	for (cpu = 0; cpu < dp_news_cpus(dp) && n < max; cpu++)
		n += read_cpu(&news[cpu], &read[cpu], out + n, max - n, lost);
	return n;
}

/* ---- into the flow table ----------------------------------------------------------------------*/

struct place {
	__u64 *first, *second; /* words of its two buckets */
	__u32 *first_rows, *second_rows; /* NULL: not noted */
	uint64_t tag;
};

static __u32 *rows_of(const struct dp *dp, uint32_t bucket)
{
	struct shunt_flow_rows *rows = dp->set.map[DP_FLOW_ROWS].mem;

	return dp->set.sizes.flow_rows ? rows[bucket].row : NULL;
}

static struct place place_of(const struct dp *dp, const struct dp_flow *f)
{
	struct shunt_flow_bucket *flows = dp->set.map[DP_FLOWS].mem;
	uint64_t a = (f->hash ^ f->hash >> 32 ^ f->svc.salt) * 0x9e3779b97f4a7c15ull;
	uint64_t b = (a ^ a >> 29) * 0xbf58476d1ce4e5b9ull;
	uint32_t mask = dp->set.map[DP_FLOWS].entries - 1;
	uint32_t first = (uint32_t)(a >> 32) & mask, second = (uint32_t)b & mask;

	return (struct place){
		.first = flows[first].word,
		.second = flows[second].word,
		.first_rows = rows_of(dp, first),
		.second_rows = rows_of(dp, second),
		.tag = b >> SHUNT_FLOW_TAG_SHIFT,
	};
}

static uint64_t load(const __u64 *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* The word number @i of both buckets, 0 to 15. */
static __u64 *word_at(const struct place *p, uint32_t i)
{
	return i < SHUNT_FLOWS_PER_BUCKET ? &p->first[i] : &p->second[i - SHUNT_FLOWS_PER_BUCKET];
}

#define WORDS (2u * SHUNT_FLOWS_PER_BUCKET)

static uint32_t find(const struct place *p)
{
	uint32_t i;

	for (i = 0; i < WORDS; i++)
		if (load(word_at(p, i)) >> SHUNT_FLOW_TAG_SHIFT == p->tag)
			break;
	return i;
}

static bool is_expired(const struct dp_flow *f, uint16_t now, uint64_t w)
{
	return shunt_flow_age(now, (uint16_t)w) > f->svc.flow_timeout + SHUNT_FLOW_AHEAD;
}

/* How readily a word gives up its place; 0: never. */
static uint32_t score(const struct dp_flow *f, uint16_t now, uint64_t w)
{
	const uint32_t age = shunt_flow_age(now, (uint16_t)w);

	if (!(w >> 32 | (uint32_t)w))
		return 4u << 16;
	if (is_expired(f, now, w))
		return (w & SHUNT_FLOW_CONFIRMED ? 2u << 16 : 3u << 16) | age;
	return w & SHUNT_FLOW_CONFIRMED ? 0 : 1u << 16 | age;
}

static uint32_t choose(const struct dp_flow *f, const struct place *p, uint16_t now)
{
	uint32_t best = WORDS, most = 0, i;

	for (i = 0; i < WORDS; i++) {
		uint32_t s = score(f, now, load(word_at(p, i)));

		if (s > most) {
			most = s;
			best = i;
		}
	}
	return best;
}

static uint16_t later(uint16_t a, uint16_t b)
{
	return (int16_t)(uint16_t)(a - b) > 0 ? a : b;
}

/* Where the flow is in this host's table, which may be larger or smaller than the other's: of larger
 * ones it may be any of a few slots, which are the other's one repeated. True if one of them is in
 * transition; *mark is @now, or later if they say so. */
static bool slot_moves(const struct dp *dp, const struct dp_flow *f, uint16_t now, uint16_t *mark)
{
	const struct shunt_slot_line *slots = dp->set.map[DP_SLOTS].mem;
	const struct shunt_base_line *bases = dp->set.map[DP_BASES].mem;
	const uint32_t n = f->svc.slot_mask + 1u, step = 1u << f->slots_log2;
	const bool all = f->svc.flags & SHUNT_SVC_FLOWS;
	bool moves = false;
	uint32_t i;

	*mark = now;
	for (i = f->slot & f->svc.slot_mask & (step - 1); i < n; i += step) {
		const uint32_t line = f->svc.slots_at + i / SHUNT_SLOTS_PER_LINE;
		const uint32_t at = i % SHUNT_SLOTS_PER_LINE;
		const struct shunt_base base = bases[line].slot[at];

		if (!(__atomic_load_n(&slots[line].slot[at], __ATOMIC_ACQUIRE) &
		      SHUNT_SLOT_CHANGED))
			continue;
		moves = true;
		if ((!all || base.flags & SHUNT_BASE_SINCE) &&
		    (uint16_t)(base.since - now) < SHUNT_FLOW_AHEAD)
			*mark = later(*mark, base.since);
	}
	return moves;
}

static void note_row(const struct place *p, uint32_t i, uint32_t row)
{
	__u32 *rows = i < SHUNT_FLOWS_PER_BUCKET ? p->first_rows : p->second_rows;

	if (rows)
		__atomic_store_n(&rows[i % SHUNT_FLOWS_PER_BUCKET], row, __ATOMIC_RELAXED);
}

enum dp_flow_result dp_flow_take(struct dp *dp, const struct dp_flow *f, uint16_t now)
{
	const struct place p = place_of(dp, f);
	const bool every = f->svc.flags & (SHUNT_SVC_FLOWS | SHUNT_SVC_KEEP);
	uint32_t i = find(&p);
	uint16_t mark;
	uint64_t w;

	if (!slot_moves(dp, f, now, &mark) && !every)
		return DP_FLOW_SETTLED;
	w = i < WORDS ? load(word_at(&p, i)) : 0;
	if (w && f->again && !is_expired(f, now, w) && (w >> 16 & SHUNT_SLOT_BACKEND) != f->number)
		return DP_FLOW_KNOWN;
	if (i == WORDS)
		i = choose(f, &p, now);
	if (i == WORDS)
		return DP_FLOW_NO_ROOM;
	if (every) /* whether it is a flow or a source nobody says who remembers both */
		note_row(&p, i, f->svc.flags & SHUNT_SVC_KEEP ? 0 : f->svc.row + f->number);
	__atomic_store_n(word_at(&p, i),
			 p.tag << SHUNT_FLOW_TAG_SHIFT | SHUNT_FLOW_CONFIRMED |
				 (uint64_t)f->number << 16 | mark,
			 __ATOMIC_RELEASE);
	return DP_FLOW_TAKEN;
}

bool dp_flow_lives(const struct dp *dp, const struct dp_flow *f, uint16_t now)
{
	const struct place p = place_of(dp, f);
	uint32_t i = find(&p);
	uint16_t mark;
	uint64_t w;

	if (i == WORDS)
		return false;
	w = load(word_at(&p, i));
	if ((w >> 16 & SHUNT_SLOT_BACKEND) != f->number || is_expired(f, now, w))
		return false;
	return f->svc.flags & (SHUNT_SVC_FLOWS | SHUNT_SVC_KEEP) || slot_moves(dp, f, now, &mark);
}
