/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/probe_asks.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "io/probe_msg.h"

static int compare_asks(const void *a, const void *b)
{
	const struct probe_ask *x = a, *y = b;

	size_t x_size = probe_question_size(x->question);
	size_t y_size = probe_question_size(y->question);

	if (x_size != y_size)
		return x_size > y_size ? 1 : -1;
	return memcmp(x->question, y->question, x_size);
}

static int compare_members(const void *a, const void *b)
{
	const struct probe_member *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static struct probe_member *member_find(struct probe_asks *t, uint64_t id)
{
	struct probe_member key = {.id = id};
	void *node = tfind(&key, &t->by_id, compare_members);

	return node ? *(struct probe_member **)node : NULL;
}

/* ---- slots -------------------------------------------------------------------------------------- */

static int slots_grow(struct probe_asks *t)
{
	uint32_t room = t->slots_room ? t->slots_room * 2 : 64;
	struct probe_slot *grown;

	if (t->n_slots < t->slots_room)
		return 0;
	if (t->n_slots == PROBE_CHECKS_MAX)
		return -ENOSPC;
	grown = realloc(t->slots, room * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	t->slots = grown;
	t->slots_room = room;
	return 0;
}

static int slot_take(struct probe_asks *t, struct probe_ask *a)
{
	uint32_t i;
	int err;

	if (t->first_free) {
		i = t->first_free - 1;
		t->first_free = t->slots[i].next_free;
	} else {
		err = slots_grow(t);
		if (err < 0)
			return err;
		i = t->n_slots++;
		t->slots[i] = (struct probe_slot){0};
	}
	t->slots[i].ask = a;
	a->wire_id = (uint64_t)++t->slots[i].generation << 32 | i;
	return 0;
}

static void slot_give(struct probe_asks *t, uint64_t wire_id)
{
	struct probe_slot *s = &t->slots[probe_slot(wire_id)];

	s->ask = NULL;
	s->next_free = t->first_free;
	t->first_free = probe_slot(wire_id) + 1;
}

/* ---- asks --------------------------------------------------------------------------------------- */

static void outbox_push(struct probe_asks *t, struct probe_ask *a)
{
	if (!a->queued)
		TAILQ_INSERT_TAIL(&t->outbox, a, outbox_link);
	a->queued = true;
}

static void outbox_drop(struct probe_asks *t, struct probe_ask *a)
{
	if (a->queued)
		TAILQ_REMOVE(&t->outbox, a, outbox_link);
	a->queued = false;
}

static void ask_free(struct probe_asks *t, struct probe_ask *a)
{
	outbox_drop(t, a);
	slot_give(t, a->wire_id);
	free(a->question);
	free(a);
}

static int ask_new(struct probe_asks *t, const struct probe_question *q, struct probe_ask **out)
{
	size_t size = probe_question_size(q);
	auto_free struct probe_question *copy = malloc(size);
	auto_free struct probe_ask *mine = calloc(1, sizeof(*mine));
	struct probe_ask *a;
	int err;

	if (!mine || !copy)
		return -ENOMEM;
	memcpy(copy, q, size);
	TAILQ_INIT(&mine->members);
	err = slot_take(t, mine);
	if (err < 0)
		return err;
	a = take_ptr(mine);
	a->question = take_ptr(copy);
	if (!tsearch(a, &t->by_question, compare_asks)) {
		ask_free(t, a);
		return -ENOMEM;
	}
	outbox_push(t, a);
	*out = a;
	return 0;
}

static int ask_find_or_new(struct probe_asks *t, const struct probe_question *q,
			   struct probe_ask **out)
{
	struct probe_question normal;
	struct probe_ask key = {.question = &normal};
	void *node;
	int err = probe_question_normalize(q, &normal);

	if (err < 0)
		return err;
	node = tfind(&key, &t->by_question, compare_asks);
	if (!node)
		return ask_new(t, &normal, out);
	*out = *(struct probe_ask **)node;
	return 0;
}

/* The last member has gone. */
static void ask_leave(struct probe_asks *t, struct probe_ask *a)
{
	tdelete(a, &t->by_question, compare_asks);
	if (a->told)
		outbox_push(t, a);
	else
		ask_free(t, a);
}

void probe_asks_told(struct probe_asks *t, struct probe_ask *a)
{
	outbox_drop(t, a);
	a->told = true;
	if (a->n_members == 0)
		ask_free(t, a);
}

static void replay_drop(struct probe_asks *t, struct probe_member *m)
{
	if (m->replay)
		TAILQ_REMOVE(&t->replays, m, replay_link);
	m->replay = false;
}

void probe_asks_untold(struct probe_asks *t)
{
	struct probe_member *m;
	struct probe_ask *a;

	while ((m = TAILQ_FIRST(&t->replays)))
		replay_drop(t, m);
	for (uint32_t i = 0; i < t->n_slots; i++) {
		a = t->slots[i].ask;
		if (!a)
			continue;
		a->told = false;
		a->has_last = false;
		if (a->n_members)
			outbox_push(t, a);
		else
			ask_free(t, a);
	}
}

/* ---- members ------------------------------------------------------------------------------------ */

static int fan_grow(struct probe_asks *t, size_t n)
{
	uint64_t *grown;

	if (n <= t->fan_room)
		return 0;
	grown = realloc(t->fan, 2 * n * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	t->fan = grown;
	t->fan_room = 2 * n;
	return 0;
}

static void member_join(struct probe_asks *t, struct probe_member *m, struct probe_ask *a)
{
	m->ask = a;
	a->n_members++;
	TAILQ_INSERT_TAIL(&a->members, m, link);
	if (!a->has_last)
		return;
	m->replay = true;
	TAILQ_INSERT_TAIL(&t->replays, m, replay_link);
}

int probe_asks_add(struct probe_asks *t, uint64_t id, const struct probe_question *q)
{
	auto_free struct probe_member *m = calloc(1, sizeof(*m));
	struct probe_ask *a;
	int err;

	if (!m)
		return -ENOMEM;
	m->id = id;
	if (member_find(t, id))
		return -EEXIST;
	err = ask_find_or_new(t, q, &a);
	if (err < 0)
		return err;
	if (fan_grow(t, a->n_members + 1) < 0 || !tsearch(m, &t->by_id, compare_members)) {
		if (a->n_members == 0)
			ask_leave(t, a);
		return -ENOMEM;
	}
	member_join(t, take_ptr(m), a);
	return 0;
}

void probe_asks_remove(struct probe_asks *t, uint64_t id)
{
	struct probe_member *m = member_find(t, id);
	struct probe_ask *a;

	if (!m)
		return;
	a = m->ask;
	tdelete(m, &t->by_id, compare_members);
	replay_drop(t, m);
	TAILQ_REMOVE(&a->members, m, link);
	free(m);
	if (--a->n_members == 0)
		ask_leave(t, a);
	else if (a->told)
		outbox_push(t, a); /* it may have been the one that was in a hurry */
}

void probe_asks_pace(struct probe_asks *t, uint64_t id, uint32_t interval_ms)
{
	struct probe_member *m = member_find(t, id);
	uint32_t before;

	if (!m)
		return;
	before = m->pace_ms ? m->pace_ms : m->ask->question->interval_ms;
	m->pace_ms = interval_ms;
	if (before != interval_ms)
		outbox_push(t, m->ask);
}

uint32_t probe_ask_interval_ms(const struct probe_ask *a)
{
	const struct probe_member *m;
	uint32_t least = UINT32_MAX;

	TAILQ_FOREACH(m, &a->members, link)
	{
		uint32_t wants = m->pace_ms ? m->pace_ms : a->question->interval_ms;

		least = wants < least ? wants : least;
	}
	return least;
}

/* ---- results ------------------------------------------------------------------------------------ */

bool probe_asks_tell(struct probe_asks *t, uint64_t wire_id, const struct check_result *r,
		     probe_result_fn *fn, void *arg)
{
	uint32_t slot = probe_slot(wire_id);
	struct probe_member *m;
	struct probe_ask *a;
	size_t n = 0;

	if (slot >= t->n_slots)
		return false;
	a = t->slots[slot].ask;
	if (!a || a->wire_id != wire_id)
		return true;
	a->has_last = check_verdict(r) != CHECK_NO_VERDICT;
	a->last = *r;
	TAILQ_FOREACH(m, &a->members, link)
	t->fan[n++] = m->id;
	/* @fn may remove any member and any ask, so each is looked up again. */
	for (size_t i = 0; i < n; i++) {
		m = member_find(t, t->fan[i]);
		if (!m || m->ask->wire_id != wire_id)
			continue;
		replay_drop(t, m);
		fn(arg, m->id, r);
	}
	return true;
}

void probe_asks_replay(struct probe_asks *t, probe_result_fn *fn, void *arg)
{
	struct probe_member *m;
	struct check_result r;

	while ((m = TAILQ_FIRST(&t->replays))) {
		replay_drop(t, m);
		r = m->ask->last;
		fn(arg, m->id, &r);
	}
}

/* ---- the table ---------------------------------------------------------------------------------- */

void probe_asks_init(struct probe_asks *t)
{
	*t = (struct probe_asks){0};
	TAILQ_INIT(&t->outbox);
	TAILQ_INIT(&t->replays);
}

void probe_asks_fini(struct probe_asks *t)
{
	while (t->by_id)
		probe_asks_remove(t, (*(struct probe_member **)t->by_id)->id);
	for (uint32_t i = 0; i < t->n_slots; i++) {
		if (t->slots[i].ask)
			free(t->slots[i].ask->question);
		free(t->slots[i].ask);
	}
	free(t->slots);
	free(t->fan);
}
