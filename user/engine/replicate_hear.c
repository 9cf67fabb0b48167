/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <time.h>

#include "engine/replicate.h"

static uint64_t wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- too early ----------------------------------------------------------------------------------*/

#define EARLY_PLACES 8 /* in which an entry may stand */

/* Where the flow is kept, or is to be: its place, a free one, the oldest. */
static struct early *place_of(const struct replicate *r, const struct peer_entry *entry)
{
	struct early *best = NULL;
	uint32_t at = (uint32_t)((entry->hash ^ entry->salt) * 0x9e3779b97f4a7c15ull >> 32), i;

	for (i = 0; i < EARLY_PLACES; i++) {
		struct early *x = &r->early[(at + i) % REPLICATE_EARLY];

		if (x->entry.hash == entry->hash && x->entry.salt == entry->salt)
			return x;
		if (!best || (best->entry.hash &&
			      (!x->entry.hash || mono_diff_us(x->heard, best->heard) > 0)))
			best = x;
	}
	return best;
}

static void keep(struct replicate *r, const struct peer_entry *entry, bool again)
{
	struct early *place = place_of(r, entry);

	if (!entry->hash)
		return;
	r->early_n += !place->entry.hash;
	*place = (struct early){*entry, mono_now(), again};
	r->counters.early++;
}

static void drop(struct replicate *r, struct early *x)
{
	x->entry = (struct peer_entry){0};
	r->early_n--;
}

/* ---- taking -------------------------------------------------------------------------------------*/

/* Returns false when it is too early: the slot is not in transition here, or the backend not known. */
static bool take(struct replicate *r, const struct known_service *k, const struct peer_entry *entry,
		 bool again, uint16_t now)
{
	const uint16_t number = names_number(k, entry->backend);
	struct dp_flow f = {
		.hash = entry->hash,
		.slot = entry->slot,
		.slots_log2 = entry->slots_log2,
		.again = again,
	};
	enum dp_flow_result result;

	if (!number)
		return false;
	names_flow(k, number, &f);
	result = dp_flow_take(r->engine->dp, &f, now);
	r->counters.taken += result == DP_FLOW_TAKEN;
	r->counters.no_room += result == DP_FLOW_NO_ROOM;
	return result != DP_FLOW_SETTLED;
}

static void take_message(struct replicate *r, const struct peer_message *m)
{
	const bool again = m->type == PEER_AGAIN;
	const uint16_t now = dp_tick(r->engine->dp);
	size_t i;

	if (names_refresh(&r->names, r->engine))
		return;
	for (i = 0; i < m->n; i++) {
		const struct peer_entry *entry = &m->entries[i];
		const struct known_service *k = names_service(&r->names, entry->salt);

		r->counters.heard++;
		if (!k)
			r->counters.unknown++;
		else if (!take(r, k, entry, again, now))
			keep(r, entry, again);
	}
	if (m->type == PEER_HELLO)
		r->hurry = r->told->n;
}

void replicate_heard(void *arg, const uint8_t *data, size_t len)
{
	struct replicate *r = arg;
	struct peer_message m;
	enum peer_fate fate = peer_msg_open(data, len, r->key, &m);

	if (fate == PEER_TAKEN && m.secret != r->secret)
		fate = PEER_OTHER_SECRET;
	if (fate == PEER_TAKEN)
		fate = peer_admit(&r->senders, &m, wall_ms());
	r->counters.fates[fate]++;
	if (fate == PEER_TAKEN)
		take_message(r, &m);
}

/* The names of all may be those before the change. */
static void take_early(struct replicate *r, const struct known_service *k)
{
	const uint16_t tick = dp_tick(r->engine->dp);
	const mono_t now = mono_now();
	uint32_t i;

	for (i = 0; i < REPLICATE_EARLY && r->early_n; i++) {
		struct early *x = &r->early[i];

		if (!x->entry.hash)
			continue;
		if (mono_diff_us(x->heard, now) > REPLICATE_EARLY_MS * 1000ll)
			drop(r, x);
		else if (x->entry.salt == k->salt && take(r, k, &x->entry, x->again, tick))
			drop(r, x);
	}
}

void replicate_changed(struct engine *e, struct service *s)
{
	struct replicate *r = e->replicate;
	struct known_backend *room;
	struct known_service k;

	if (!r || !r->early_n)
		return;
	room = calloc(s->n_backends + 1, sizeof(*room));
	if (!room)
		return;
	names_of(s, room, &k);
	take_early(r, &k);
	free(room);
}
