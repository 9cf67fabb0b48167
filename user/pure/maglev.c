/* SPDX-License-Identifier: BSD-2-Clause */
/* Maglev in two levels. A backend's permutation of the slots is (position, skip), walked by add and
 * mask. The next free slot in it is found by probing a bitmap, which stays in the first-level cache,
 * while many slots are free, and by looking at each of the few that are left after that: slot s is
 * (s - position) / skip steps ahead, where the division is a multiplication by skip's inverse modulo
 * the number of slots.
 *
 * Nobody takes more than its share of the whole table, rounded up, so that unequal weights and
 * failures leave the table even. The second level refills the slots of each backend that is down by
 * itself, the ring of turns beginning behind that backend and permutations beginning anew, so that
 * what one failure moved stays where it is when another follows. (Measured with 100 backends and
 * 65536 slots: a second failure moves 0.06% of the slots beyond its own; refilling the slots of both
 * in one go moves 0.27%; without the bound it is 0.04%, at up to five slots above the share.) */
#include "pure/maglev.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "pure/hashkey.h"

#define SLOTS_PER_BACKEND 100
#define SLOTS_MIN 1024u
#define SLOTS_MAX 65536u

/* A backend in the ring of turns. */
struct turn {
	uint32_t position; /* of the permutation: the slot it looks at next */
	uint32_t skip;
	uint32_t inverse; /* of skip */
	uint32_t credit; /* running sum of weights less what its slots cost */
	uint32_t weight;
	uint32_t room; /* how many slots more it may take */
	uint32_t index; /* in the canonical order */
	uint16_t number;
	bool up; /* and not held back */
	uint8_t held_back; /* SLOT_SHARES: all, it is down */
	uint64_t id;
};

struct table {
	struct turn *all; /* those with a weight, in canonical order */
	uint32_t n_all;
	struct turn *ring; /* those that take turns now, in canonical order: all, or those up */
	uint32_t n_ring;
	uint32_t next; /* whose turn is next */
	uint32_t idle; /* turns since one was taken */
	uint32_t price; /* of a slot: the largest weight in the ring */
	uint32_t mask; /* number of slots less one */
	uint32_t n_free;
	uint32_t few; /* free slots are listed when there are no more than this */
	uint64_t *free_map; /* a bit a slot while more are free */
	uint16_t *free_list; /* [few] */
	uint16_t *slots; /* owner: index in all */
	uint32_t *owned_from; /* [n_all + 1] where each backend's slots begin in owned */
	uint16_t *owned; /* slots, sorted by owner */
};

uint64_t slot_backend_id(const char *name)
{
	static const uint64_t key[2] = {0x7368756e74206261ull, 0x636b656e64206964ull};

	return siphash24(name, strlen(name), key);
}

uint32_t slots_for(size_t backends)
{
	uint32_t slots = SLOTS_MIN;

	while (slots < SLOTS_MAX && slots / SLOTS_PER_BACKEND < backends)
		slots *= 2;
	return slots;
}

static int compare_turns(const void *a, const void *b)
{
	const struct turn *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

/* Modulo 2^32; each step doubles the number of bits that are right, from three. */
static uint32_t inverse_of(uint32_t odd)
{
	uint32_t x = odd;

	for (int bits = 3; bits < 32; bits *= 2)
		x *= 2 - odd * x;
	return x;
}

static void rewind_turn(struct turn *t, uint32_t mask)
{
	t->position = t->id & mask;
	t->credit = 0;
}

/* Whether one with a weight is up, and not held back unless @held. */
static bool any_up(const struct slot_backend *b, size_t n, bool held)
{
	for (size_t i = 0; i < n; i++)
		if (b[i].weight > 0 && b[i].up && (held || b[i].held_back == 0))
			return true;
	return false;
}

/* Enters those with a weight in canonical order. When all that are up are held back, none is: there
 * is nobody to have their slots. */
static void enter_backends(struct table *t, const struct slot_backend *b, size_t n)
{
	const bool hold = any_up(b, n, false);

	for (size_t i = 0; i < n; i++) {
		struct turn *turn = &t->all[t->n_all];

		if (b[i].weight == 0)
			continue;
		*turn = (struct turn){
			.skip = (b[i].id >> 32 | 1) & t->mask,
			.weight = b[i].weight,
			.number = b[i].number,
			.held_back = !b[i].up ? SLOT_SHARES
				     : hold   ? b[i].held_back
					      : 0,
			.id = b[i].id,
		};
		turn->up = turn->held_back == 0;
		turn->inverse = inverse_of(turn->skip);
		rewind_turn(turn, t->mask);
		t->n_all++;
	}
	qsort(t->all, t->n_all, sizeof(*t->all), compare_turns);
	for (uint32_t i = 0; i < t->n_all; i++)
		t->all[i].index = i;
}

/* Makes the @n at @ring those who take turns, each with room for its share of the whole table,
 * rounded up, less what it owns. */
static void begin_ring(struct table *t, struct turn *ring, uint32_t n)
{
	uint64_t weights = 0;

	t->ring = ring;
	t->n_ring = n;
	t->next = t->price = 0;
	for (uint32_t i = 0; i < n; i++) {
		weights += ring[i].weight;
		if (ring[i].weight > t->price)
			t->price = ring[i].weight;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t owns = t->owned_from[ring[i].index + 1] - t->owned_from[ring[i].index];
		uint32_t most = ((t->mask + 1ull) * ring[i].weight + weights - 1) / weights;

		ring[i].room = most > owns ? most - owns : 0;
	}
}

/* Lets those rounds pass in which nobody's credit reaches the price. */
static void skip_rounds(struct table *t)
{
	uint32_t rounds = UINT32_MAX;

	for (uint32_t i = 0; i < t->n_ring; i++) {
		const struct turn *turn = &t->ring[i];
		uint32_t idle = (t->price - turn->credit - 1) / turn->weight;

		if (turn->room > 0 && idle < rounds)
			rounds = idle;
	}
	for (uint32_t i = 0; i < t->n_ring; i++)
		if (t->ring[i].room > 0)
			t->ring[i].credit += rounds * t->ring[i].weight;
}

/* Whose turn it is to take a slot. Somebody has room as long as a slot is free. */
static inline struct turn *next_turn(struct table *t)
{
	for (;; t->idle++) {
		struct turn *turn;

		if (t->next == 0 && t->idle >= t->n_ring)
			skip_rounds(t);
		turn = &t->ring[t->next];
		if (++t->next == t->n_ring)
			t->next = 0;
		if (turn->room == 0)
			continue;
		turn->credit += turn->weight;
		if (turn->credit < t->price)
			continue;
		turn->credit -= t->price;
		turn->room--;
		t->idle = 0;
		return turn;
	}
}

static inline void take_probing(struct table *t, struct turn *turn)
{
	uint32_t slot = turn->position, mask = t->mask, skip = turn->skip;

	while (!(t->free_map[slot / 64] >> slot % 64 & 1))
		slot = (slot + skip) & mask;
	t->free_map[slot / 64] &= ~(1ull << slot % 64);
	t->n_free--;
	t->slots[slot] = turn->index;
	turn->position = (slot + skip) & mask;
}

static inline void take_listed(struct table *t, struct turn *turn)
{
	uint32_t nearest = UINT32_MAX; /* steps ahead << 16 | place in the list */
	uint16_t *place, slot;

	for (uint32_t i = 0; i < t->n_free; i++) {
		uint32_t ahead = (t->free_list[i] - turn->position) * turn->inverse & t->mask;
		uint32_t candidate = ahead << 16 | i;

		nearest = candidate < nearest ? candidate : nearest;
	}
	place = &t->free_list[nearest & 0xffff];
	slot = *place;
	*place = t->free_list[--t->n_free];
	t->slots[slot] = turn->index;
	turn->position = (slot + turn->skip) & t->mask;
}

/* Moves what is free from the map, which is empty afterwards, into the list. */
static void list_free(struct table *t)
{
	uint32_t n = 0;

	for (uint32_t word = 0; word <= t->mask / 64; word++) {
		for (uint64_t bits = t->free_map[word]; bits; bits &= bits - 1)
			t->free_list[n++] = word * 64 + __builtin_ctzll(bits);
		t->free_map[word] = 0;
	}
}

/* Takes every free slot of the map, by turns. */
static void fill_free(struct table *t)
{
	while (t->n_free > t->few)
		take_probing(t, next_turn(t));
	list_free(t);
	while (t->n_free > 0)
		take_listed(t, next_turn(t));
}

static void free_slot(struct table *t, uint32_t slot)
{
	t->free_map[slot / 64] |= 1ull << slot % 64;
	t->n_free++;
}

/* The first level: every slot, among all. */
static void fill_all(struct table *t)
{
	begin_ring(t, t->all, t->n_all);
	for (uint32_t s = 0; s <= t->mask; s++)
		free_slot(t, s);
	fill_free(t);
}

/* Sorts the slots by owner, by counting. */
static void group_slots(struct table *t)
{
	uint32_t *from = t->owned_from;

	memset(from, 0, (t->n_all + 1) * sizeof(*from));
	for (uint32_t s = 0; s <= t->mask; s++)
		from[t->slots[s]]++;
	for (uint32_t i = 1; i <= t->n_all; i++)
		from[i] += from[i - 1];
	/* from[i] is the end of i's slots now, and their beginning when they are in. */
	for (uint32_t s = t->mask + 1; s-- > 0;)
		t->owned[--from[t->slots[s]]] = s;
}

/* Makes the turns begin with the first in the ring behind the backend of @index. */
static void begin_behind(struct table *t, uint32_t index)
{
	t->next = 0;
	for (uint32_t i = 0; i < t->n_ring; i++) {
		rewind_turn(&t->ring[i], t->mask);
		if (t->ring[i].index < index)
			t->next = (i + 1) % t->n_ring;
	}
}

/* The second level: the slots of those that are down, among those that are up. @ring has room for
 * all. */
static void refill_down(struct table *t, struct turn *ring)
{
	uint32_t up = 0;

	for (uint32_t i = 0; i < t->n_all; i++)
		if (t->all[i].up)
			ring[up++] = t->all[i];
	if (up == t->n_all)
		return;
	group_slots(t);
	begin_ring(t, ring, up);
	for (uint32_t down = 0; down < t->n_all; down++) {
		if (t->all[down].up)
			continue;
		for (uint32_t i = t->owned_from[down]; i < t->owned_from[down + 1]; i++)
			free_slot(t, t->owned[i]);
		begin_behind(t, down);
		fill_free(t);
	}
}

/* Gives who is held back the rest of the slots that were its own at first, always the same ones first. */
static void give_back(struct table *t)
{
	for (uint32_t index = 0; index < t->n_all; index++) {
		const uint32_t from = t->owned_from[index], n = t->owned_from[index + 1] - from;
		const uint32_t parts = SLOT_SHARES - t->all[index].held_back;

		if (parts == SLOT_SHARES)
			continue;
		for (uint32_t i = 0; i < (n * parts + SLOT_SHARES - 1) / SLOT_SHARES; i++)
			t->slots[t->owned[from + i]] = index;
	}
}

int maglev_fill(const struct slot_backend *b, size_t n, uint16_t slots[], uint32_t n_slots)
{
	struct table t = {.slots = slots, .mask = n_slots - 1};

	t.few = 1u << __builtin_ctz(n_slots) / 2; /* where listing begins to cost less */
	auto_free struct turn *all = t.all = malloc((n + 1) * sizeof(*all));
	auto_free struct turn *ring = malloc((n + 1) * sizeof(*ring));
	auto_free uint64_t *map = t.free_map = calloc(n_slots / 64 + 1, sizeof(*map));
	auto_free uint16_t *list = t.free_list = malloc(t.few * sizeof(*list));
	auto_free uint32_t *from = t.owned_from = calloc(n + 1, sizeof(*from));
	auto_free uint16_t *owned = t.owned = malloc(n_slots * sizeof(*owned));

	if (!all || !ring || !map || !list || !from || !owned)
		return -ENOMEM;
	if (!any_up(b, n, true)) {
		memset(slots, 0, n_slots * sizeof(*slots));
		return -ENOENT;
	}
	enter_backends(&t, b, n);
	fill_all(&t);
	refill_down(&t, ring);
	give_back(&t);
	for (uint32_t s = 0; s < n_slots; s++)
		slots[s] = all[slots[s]].number;
	return 0;
}
