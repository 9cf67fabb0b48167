/* SPDX-License-Identifier: BSD-2-Clause */
/* Breadth first through all states, so that the first way to a broken promise is a shortest one. */
#include "model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct known {
	struct model_state *state;
	uint32_t *from; /* the state before it, by index */
	struct model_action *by;
	uint32_t n, room;
	uint32_t *table; /* index and one; 0: empty */
	uint32_t mask;
};

static uint32_t state_hash(const struct model_state *s)
{
	const uint8_t *bytes = (const uint8_t *)s;
	uint64_t h = 0, word;

	for (size_t i = 0; i < sizeof(*s); i += sizeof(word)) {
		size_t n = sizeof(*s) - i < sizeof(word) ? sizeof(*s) - i : sizeof(word);

		word = 0;
		memcpy(&word, bytes + i, n);
		h = (h ^ word) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 29;
	}
	return h >> 16;
}

static uint32_t *place_of(const struct known *k, const struct model_state *s)
{
	uint32_t at = state_hash(s) & k->mask;

	while (k->table[at] && memcmp(&k->state[k->table[at] - 1], s, sizeof(*s)) != 0)
		at = (at + 1) & k->mask;
	return &k->table[at];
}

static int grow_table(struct known *k)
{
	uint32_t size = k->mask ? 2 * (k->mask + 1) : 1u << 16;
	uint32_t *table = calloc(size, sizeof(*table));

	if (!table)
		return -ENOMEM;
	free(k->table);
	k->table = table;
	k->mask = size - 1;
	for (uint32_t i = 0; i < k->n; i++)
		*place_of(k, &k->state[i]) = i + 1;
	return 0;
}

static int grow_list(struct known *k)
{
	uint32_t room = k->room ? k->room + k->room / 2 : 1u << 14;
	struct model_state *state = realloc(k->state, room * sizeof(*state));
	uint32_t *from;
	struct model_action *by;

	if (!state)
		return -ENOMEM;
	k->state = state;
	from = realloc(k->from, room * sizeof(*from));
	if (!from)
		return -ENOMEM;
	k->from = from;
	by = realloc(k->by, room * sizeof(*by));
	if (!by)
		return -ENOMEM;
	k->by = by;
	k->room = room;
	return 0;
}

/* Adds @s if it is new. */
static int note(struct known *k, const struct model_state *s, uint32_t from, struct model_action by)
{
	uint32_t *place;
	int err = 0;

	if (k->n == k->room)
		err = grow_list(k);
	if (!err && (!k->mask || k->n > k->mask / 2))
		err = grow_table(k);
	if (err)
		return err;
	place = place_of(k, s);
	if (*place)
		return 0;
	k->state[k->n] = *s;
	k->from[k->n] = from;
	k->by[k->n] = by;
	*place = ++k->n;
	return 0;
}

static int tell_way(const struct known *k, uint32_t at, const struct model_action *last,
		    struct model_result *r)
{
	size_t n = last ? 1 : 0;

	for (uint32_t i = at; i; i = k->from[i])
		n++;
	r->trace = calloc(n ? n : 1, sizeof(*r->trace));
	if (!r->trace)
		return -ENOMEM;
	r->trace_len = n;
	if (last)
		r->trace[--n] = *last;
	for (uint32_t i = at; i; i = k->from[i])
		r->trace[--n] = k->by[i];
	return 0;
}

struct range {
	uint8_t a, b; /* how many values the arguments take */
};

/* Flows from 0, slots from 0, backends from 0 (nobody); places from 0, and two for no place: a free
 * word, and no room because of others; times the backends, whose turn it may be. */
static struct range range_of(const struct model_world *w, enum model_kind kind)
{
	uint8_t backends = w->backends + 1;
	uint8_t places = w->turns ? MODEL_PLACES * backends : MODEL_NO_PLACE + 1 + w->crowd;

	switch (kind) {
	case DO_SYN:
	case DO_DATA:
		return (struct range){w->flows, places};
	case DO_FINISH:
		return (struct range){1, places};
	case DO_CLOSE:
	case DO_FORGET:
		return (struct range){w->flows, 1};
	case DO_USE:
		return (struct range){w->slots, 1};
	case DO_WANT:
	case DO_TURNS:
		return (struct range){w->slots, backends};
	case DO_DOWN:
		return (struct range){backends, backends};
	case DO_UP:
		return (struct range){backends, 1};
	default:
		return (struct range){1, 1};
	}
}

static int try_one(const struct model_world *w, struct known *k, uint32_t at,
		   struct model_action action, struct model_result *r)
{
	struct model_state s = k->state[at];

	switch (model_do(w, &s, action, &r->broken)) {
	case MODEL_NOT_NOW:
		return 0;
	case MODEL_DONE:
		r->steps++;
		return note(k, &s, at, action);
	case MODEL_BROKEN:
		break;
	}
	return tell_way(k, at, &action, r);
}

static int try_all(const struct model_world *w, struct known *k, uint32_t at,
		   struct model_result *r)
{
	int err = 0;

	if (!model_settles(w, k->state[at])) {
		r->broken = "a slot does not settle although nothing happens any more";
		return tell_way(k, at, NULL, r);
	}
	for (uint8_t kind = 0; kind < DO_MAX; kind++) {
		struct range n = range_of(w, kind);

		for (unsigned i = 0; i < (unsigned)n.a * n.b && !err && !r->broken; i++)
			err = try_one(w, k, at, (struct model_action){kind, i / n.b, i % n.b}, r);
	}
	return err;
}

int model_search(const struct model_world *w, struct model_result *r)
{
	struct known k = {0};
	struct model_state s;
	int err;

	memset(r, 0, sizeof(*r));
	model_start(w, &s);
	err = note(&k, &s, 0, (struct model_action){0});
	for (uint32_t at = 0; at < k.n && !err && !r->broken; at++) {
		if (w->limit && k.n > w->limit)
			break;
		err = try_all(w, &k, at, r);
		r->complete = at + 1 == k.n && !r->broken;
	}
	r->states = k.n;
	free(k.state);
	free(k.from);
	free(k.by);
	free(k.table);
	return err;
}
