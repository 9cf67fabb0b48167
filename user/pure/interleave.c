/* SPDX-License-Identifier: BSD-2-Clause */
/* Smooth weighted round robin. A backend with the share x of the table takes its turn number k
 * (from 0) not before slot floor(k / x) and before slot ceil((k + 1) / x), the earliest deadline
 * first; then no backend is ever a whole slot ahead of its share or behind it. Turns wait in a list
 * for each slot until they may be taken, and in a heap from then on.
 * Baruah, Cohen, Plaxton and Varvel, "Proportionate progress", 1996. */
#include "pure/maglev.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"

struct lane {
	uint64_t id;
	uint64_t taken; /* slots so far */
	uint32_t weight;
	uint32_t later; /* the next in the list that this one waits in; NOBODY ends it */
	uint16_t number;
};
#define NOBODY UINT32_MAX

struct lanes {
	struct lane *lane; /* in canonical order */
	uint32_t n;
	uint64_t weights; /* sum */
	uint32_t n_slots;
	uint32_t *waiting; /* [n_slots] first of those that may take a slot from here on */
	uint64_t *heap; /* deadline << 16 | index of the lane; the smallest first */
	uint32_t heaped;
};

static int compare_lanes(const void *a, const void *b)
{
	const struct lane *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

static void enter_lanes(struct lanes *l, const struct slot_backend *b, size_t n, bool equal)
{
	for (size_t i = 0; i < n; i++) {
		/* Scaled by SLOT_SHARES: equal factors change no turn. */
		uint32_t weight =
			(equal && b[i].weight ? 1 : b[i].weight) * (SLOT_SHARES - b[i].held_back);

		if (weight == 0 || !b[i].up)
			continue;
		l->lane[l->n++] = (struct lane){
			.id = b[i].id,
			.weight = weight,
			.number = b[i].number,
		};
		l->weights += weight;
	}
	qsort(l->lane, l->n, sizeof(*l->lane), compare_lanes);
}

static void heap_push(struct lanes *l, uint64_t key)
{
	uint32_t at = l->heaped++;

	for (; at > 0 && l->heap[(at - 1) / 2] > key; at = (at - 1) / 2)
		l->heap[at] = l->heap[(at - 1) / 2];
	l->heap[at] = key;
}

static uint64_t heap_pop(struct lanes *l)
{
	uint64_t top = l->heap[0], key = l->heap[--l->heaped];
	uint32_t at = 0;

	for (uint32_t child = 1; child < l->heaped; child = 2 * at + 1) {
		if (child + 1 < l->heaped && l->heap[child + 1] < l->heap[child])
			child++;
		if (key <= l->heap[child])
			break;
		l->heap[at] = l->heap[child];
		at = child;
	}
	l->heap[at] = key;
	return top;
}

/* Makes a lane wait for the slot from which on it may take its next turn. That is never the slot of
 * its last one: since no slot is left over, a turn waits for its very last slot only where the shares
 * of all come out even, and there the next turn may be taken one slot later. */
static void wait_for_turn(struct lanes *l, uint32_t index)
{
	struct lane *lane = &l->lane[index];
	uint64_t from = lane->taken * l->weights / lane->weight;

	if (from >= l->n_slots)
		return;
	lane->later = l->waiting[from];
	l->waiting[from] = index;
}

/* Moves those that may take slot @s into the heap. */
static void admit(struct lanes *l, uint32_t s)
{
	for (uint32_t i = l->waiting[s]; i != NOBODY; i = l->lane[i].later) {
		const struct lane *lane = &l->lane[i];
		uint64_t before = (lane->taken + 1) * l->weights + lane->weight - 1;

		heap_push(l, before / lane->weight << 16 | i);
	}
}

static void fill_by_deadline(struct lanes *l, uint16_t slots[])
{
	for (uint32_t s = 0; s < l->n_slots; s++)
		l->waiting[s] = NOBODY;
	for (uint32_t i = 0; i < l->n; i++)
		wait_for_turn(l, i);
	for (uint32_t s = 0; s < l->n_slots; s++) {
		uint32_t index;

		admit(l, s);
		index = heap_pop(l) & 0xffff;
		slots[s] = l->lane[index].number;
		l->lane[index].taken++;
		wait_for_turn(l, index);
	}
}

int interleave_fill(const struct slot_backend *b, size_t n, bool equal, uint16_t slots[],
		    uint32_t n_slots)
{
	struct lanes l = {.n_slots = n_slots};

	auto_free struct lane *lane = l.lane = malloc((n + 1) * sizeof(*lane));
	auto_free uint32_t *waiting = l.waiting = malloc(n_slots * sizeof(*waiting));
	auto_free uint64_t *heap = l.heap = malloc((n + 1) * sizeof(*heap));

	if (!lane || !waiting || !heap)
		return -ENOMEM;
	enter_lanes(&l, b, n, equal);
	if (l.n == 0) {
		memset(slots, 0, n_slots * sizeof(*slots));
		return -ENOENT;
	}
	fill_by_deadline(&l, slots);
	return 0;
}
