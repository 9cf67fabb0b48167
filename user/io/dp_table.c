/* SPDX-License-Identifier: BSD-2-Clause */
/* Slots, backends, owners and counters: plain memory shared with the packet path, no system calls.
 * Indices are the engine's own and inside the capacity, or that is a mistake of its making. */
#include <assert.h>
#include <string.h>

#include "io/dp_impl.h"
#include "shunt_abi.h"

/* ---- slots ------------------------------------------------------------------------------------*/

static uint16_t *slot_at(const struct dp *dp, uint32_t slots_at, uint32_t n)
{
	struct shunt_slot_line *lines = dp->set.map[DP_SLOTS].mem;

	assert(n % SHUNT_SLOTS_PER_LINE == 0);
	assert((uint64_t)slots_at + n / SHUNT_SLOTS_PER_LINE <= dp->set.sizes.slot_lines);
	return lines[slots_at].slot;
}

uint32_t dp_slots_write(struct dp *dp, uint32_t slots_at, const uint16_t *slots, uint32_t n)
{
	uint16_t *there = slot_at(dp, slots_at, n);
	uint32_t i, differed = 0;

	/* Whoever sees a slot sees the row that was written before it. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	for (i = 0; i < n; i++) {
		if (there[i] == slots[i])
			continue;
		__atomic_store_n(&there[i], slots[i], __ATOMIC_RELAXED);
		differed++;
	}
	return differed;
}

struct transit_slot dp_slot_read(const struct dp *dp, uint32_t slots_at, uint32_t i)
{
	const struct shunt_slot_line *slots = dp->set.map[DP_SLOTS].mem;
	const struct shunt_base_line *bases = dp->set.map[DP_BASES].mem;
	uint32_t line = slots_at + i / SHUNT_SLOTS_PER_LINE, at = i % SHUNT_SLOTS_PER_LINE;
	struct transit_slot s;
	uint64_t base;

	assert(line < dp->set.sizes.slot_lines);
	s.slot = slots[line].slot[at];
	base = __atomic_load_n((const uint64_t *)&bases[line].slot[at], __ATOMIC_RELAXED);
	memcpy(&s.base, &base, sizeof(base));
	return s;
}

void dp_slot_write(struct dp *dp, uint32_t slots_at, uint32_t i, const struct transit_slot *was,
		   const struct transit_slot *s)
{
	struct shunt_slot_line *slots = dp->set.map[DP_SLOTS].mem;
	struct shunt_base_line *bases = dp->set.map[DP_BASES].mem;
	uint32_t line = slots_at + i / SHUNT_SLOTS_PER_LINE, at = i % SHUNT_SLOTS_PER_LINE;
	uint64_t base;

	memcpy(&base, &s->base, sizeof(base));
	if (memcmp(&was->base, &s->base, sizeof(base)) != 0)
		__atomic_store_n((uint64_t *)&bases[line].slot[at], base, __ATOMIC_RELEASE);
	if (was->slot != s->slot)
		__atomic_store_n(&slots[line].slot[at], s->slot, __ATOMIC_RELEASE);
}

void dp_slots_read(const struct dp *dp, uint32_t slots_at, uint16_t *slots, uint32_t n)
{
	memcpy(slots, slot_at(dp, slots_at, n), n * sizeof(*slots));
}

/* ---- backends ---------------------------------------------------------------------------------*/

#define ROW_WORDS (sizeof(struct shunt_backend) / sizeof(uint64_t))
#define FLAGS_WORD (offsetof(struct shunt_backend, flags) / sizeof(uint64_t))

_Static_assert(FLAGS_WORD == ROW_WORDS - 1, "the word of the flags is written last");
_Static_assert(offsetof(struct shunt_backend, dmac) % 8 == 0, "a MAC stands within one word");

static void store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* A change of one word, such as the next hop's new MAC, is one store. Any other change of a usable
 * row takes it out of use for the few nanoseconds of the stores. A packet that had read the flags
 * just before may still read a mix of old and new and be lost, as may those that are under way to
 * the next hop given up; waiting a grace period here would lose all that come within it. */
void dp_backend_write(struct dp *dp, uint32_t row, const struct shunt_backend *b)
{
	uint64_t *there = (uint64_t *)&dp_backends(dp)[row];
	struct shunt_backend unusable;
	uint64_t want[ROW_WORDS], off[ROW_WORDS];
	size_t i, differ = 0;

	assert(row < dp->set.sizes.rows);
	memcpy(want, b, sizeof(want));
	memcpy(&unusable, there, sizeof(unusable));
	for (i = 0; i < ROW_WORDS; i++)
		differ += there[i] != want[i];
	if (differ == 0)
		return;
	if (differ > 1 && unusable.flags & SHUNT_BE_USABLE) {
		unusable.flags &= (uint8_t)~SHUNT_BE_USABLE;
		memcpy(off, &unusable, sizeof(off));
		store(&there[FLAGS_WORD], off[FLAGS_WORD]);
	}
	for (i = 0; i < ROW_WORDS; i++)
		if (i == FLAGS_WORD || there[i] != want[i])
			store(&there[i], want[i]);
}

void dp_backend_read(const struct dp *dp, uint32_t row, struct shunt_backend *b)
{
	assert(row < dp->set.sizes.rows);
	*b = dp_backends(dp)[row];
}

/* ---- owners -----------------------------------------------------------------------------------*/

void dp_owner_read(const struct dp *dp, uint32_t row, struct shunt_owner *o)
{
	assert(row < dp->set.sizes.rows);
	*o = dp_owners(dp)[row];
	o->service[SHUNT_NAME_MAX - 1] = o->backend[SHUNT_NAME_MAX - 1] = '\0';
}

static bool is_same_owner(const struct shunt_owner *a, const struct shunt_owner *b)
{
	return strcmp(a->service, b->service) == 0 && strcmp(a->backend, b->backend) == 0 &&
	       a->number == b->number && a->addr6 == b->addr6 &&
	       (!a->backend[0] || memcmp(a->addr, b->addr, sizeof(a->addr)) == 0);
}

/* Whose the row is stays, at any moment: what else is said of it holds one by one. */
static void change_owner(struct shunt_owner *there, const struct shunt_owner *next)
{
	__atomic_store_n(&there->slots_at, next->slots_at, __ATOMIC_RELEASE);
	__atomic_store_n(&there->slots, next->slots, __ATOMIC_RELEASE);
	__atomic_store_n(&there->rows, next->rows, __ATOMIC_RELEASE);
	__atomic_store_n(&there->leaves_by, next->leaves_by, __ATOMIC_RELEASE);
	__atomic_store_n(&there->keeps_since, next->keeps_since, __ATOMIC_RELEASE);
	__atomic_store_n(&there->knows_all, next->knows_all, __ATOMIC_RELEASE);
}

/* A row that changes hands is free while it is written, so that a daemon killed meanwhile leaves no false
 * name. */
void dp_owner_write(struct dp *dp, uint32_t row, const struct shunt_owner *o)
{
	struct shunt_owner *there = &dp_owners(dp)[row];
	struct shunt_owner next = *o;

	assert(row < dp->set.sizes.rows);
	next.base_packets = there->base_packets;
	next.base_bytes = there->base_bytes;
	next.base_flows = there->base_flows;
	if (memcmp(there, &next, sizeof(next)) == 0)
		return; /* nobody dies in the middle of writing what is there */
	if (is_same_owner(there, &next)) {
		change_owner(there, &next);
		return;
	}
	next.service[0] = '\0';
	__atomic_store_n(&there->service[0], '\0', __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	*there = next;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&there->service[0], o->service[0], __ATOMIC_RELEASE);
}

void dp_owner_reset_counters(struct dp *dp, uint32_t row)
{
	struct shunt_owner *o = &dp_owners(dp)[row];
	struct dp_counter now;

	assert(row < dp->set.sizes.rows);
	dp_counter_sum(dp, &dp->set, row, &now);
	o->base_packets = now.packets;
	o->base_bytes = now.bytes;
	o->base_flows = now.flows;
}

void dp_owner_carry_counters(struct dp *dp, uint32_t from, uint32_t to)
{
	struct shunt_owner *o = &dp_owners(dp)[to];
	struct dp_counter so_far;

	assert(from < dp->set.sizes.rows && to < dp->set.sizes.rows);
	dp_owner_reset_counters(dp, to);
	dp_counter_read(dp, from, &so_far);
	o->base_packets -= so_far.packets;
	o->base_bytes -= so_far.bytes;
	o->base_flows -= so_far.flows;
}

/* ---- counters ---------------------------------------------------------------------------------*/

void dp_counter_read(const struct dp *dp, uint32_t row, struct dp_counter *c)
{
	const struct shunt_owner *o = &dp_owners(dp)[row];

	assert(row < dp->set.sizes.rows);
	dp_counter_sum(dp, &dp->set, row, c);
	c->packets -= o->base_packets;
	c->bytes -= o->base_bytes;
	c->flows -= o->base_flows;
}

void dp_verdicts_read(const struct dp *dp, uint64_t packets[static SHUNT_VERDICT_MAX])
{
	const struct shunt_verdict_line *line = dp->set.map[DP_VERDICTS].mem;
	uint32_t cpu, v;

	memset(packets, 0, SHUNT_VERDICT_MAX * sizeof(*packets));
	for (cpu = 0; cpu < dp->cpus; cpu++)
		for (v = 0; v < SHUNT_VERDICT_MAX; v++)
			packets[v] += __atomic_load_n(&line[cpu].packets[v], __ATOMIC_RELAXED);
}

void dp_flow_counts_read(const struct dp *dp, struct dp_flow_counts *c)
{
	const struct shunt_verdict_line *line = dp->set.map[DP_VERDICTS].mem;
	uint32_t cpu;

	*c = (struct dp_flow_counts){0};
	for (cpu = 0; cpu < dp->cpus; cpu++) {
		const __u64 *words = line[cpu].packets;

		c->lookups += __atomic_load_n(&words[SHUNT_COUNT_LOOKUPS], __ATOMIC_RELAXED);
		c->remembered += __atomic_load_n(&words[SHUNT_COUNT_REMEMBERED], __ATOMIC_RELAXED);
		c->no_room += __atomic_load_n(&words[SHUNT_COUNT_NO_ROOM], __ATOMIC_RELAXED);
	}
}

/* ---- answers ----------------------------------------------------------------------------------*/

void dp_answer_rate(struct dp *dp, uint32_t rate)
{
	struct shunt_answer *answers = dp->set.map[DP_ANSWERS].mem;
	uint32_t cpu;

	for (cpu = 0; cpu < dp->cpus; cpu++)
		__atomic_store_n(&answers[cpu].rate, rate, __ATOMIC_RELAXED);
}
