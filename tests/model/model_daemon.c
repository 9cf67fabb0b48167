/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's part: a pass over the slots, one store after the other. */
#include "model.h"

#include <string.h>

#include "shunt_abi.h"

#define WRITES_BASE 1u
#define WRITES_SLOT 2u

bool model_is_up(const struct model_state *s, unsigned backend)
{
	return backend && s->up >> backend & 1;
}

static void begin(const struct model_world *w, const struct model_slot *now, unsigned wanted,
		  struct model_slot *next)
{
	uint8_t ahead = now->since < MODEL_AHEAD ? now->since : MODEL_AHEAD;

	ahead += !ahead;
	*next = (struct model_slot){
		.cur = wanted,
		.changed = 1,
		.base = now->cur,
		.used = MODEL_AHEAD,
		.since = ahead - 1,
		.flags = w->udp && w->without != WITHOUT_LEARNING ? SHUNT_BASE_LEARNING : 0,
	};
}

/* From now on flows of what was cur go elsewhere, of which `used` has not been told yet.  Without a base,
 * which has died, those that are not remembered have been cur's. */
static void change_again(const struct model_world *w, const struct model_state *s, unsigned wanted,
			 struct model_slot *next)
{
	bool takes_base = !next->base && w->without != WITHOUT_NEW_BASE;

	if ((takes_base || w->without == WITHOUT_OLD_BASE) && model_is_up(s, next->cur))
		next->base = next->cur;
	if (w->without != WITHOUT_USED_ANEW)
		next->used = MODEL_AHEAD;
	next->cur = wanted;
}

static void go_on(const struct model_world *w, const struct model_state *s, unsigned wanted,
		  struct model_slot *next)
{
	const struct model_slot now = *next;
	uint8_t old = w->timeout + 1 + MODEL_AHEAD;

	if (next->base && !model_is_up(s, next->base)) {
		next->used = MODEL_AHEAD;
		next->base = 0;
		next->flags &= ~SHUNT_BASE_LEARNING;
	}
	if (next->flags & SHUNT_BASE_LEARNING && next->since > old) {
		next->flags &= ~SHUNT_BASE_LEARNING;
		next->used = MODEL_AHEAD;
	}
	if (next->cur != wanted) {
		change_again(w, s, wanted, next);
		return;
	}
	if ((w->without == WITHOUT_USED ? next->since : next->used) > old &&
	    !(now.flags & SHUNT_BASE_LEARNING))
		next->changed = 0;
}

/* What becomes of slot @at. */
static void decide(const struct model_world *w, const struct model_state *s, unsigned at,
		   struct model_slot *next)
{
	*next = s->slot[at];
	if (next->changed)
		go_on(w, s, s->wanted[at], next);
	else if (next->cur != s->wanted[at] && !model_is_up(s, next->cur))
		next->cur = s->wanted[at];
	else if (next->cur != s->wanted[at])
		begin(w, &s->slot[at], s->wanted[at], next);
}

enum model_outcome model_pass(struct model_state *s)
{
	if (s->stage != DAEMON_IDLE || s->packet)
		return MODEL_NOT_NOW;
	s->stage = DAEMON_ROWS_UP;
	s->unfinished = 1;
	return MODEL_DONE;
}

static void next_slot(const struct model_world *w, struct model_state *s)
{
	s->next = (struct model_slot){0};
	s->late = 0;
	s->writes = 0;
	s->at++;
	s->stage = s->at < w->slots ? DAEMON_SLOT : DAEMON_ROWS_DOWN;
	if (s->stage == DAEMON_ROWS_DOWN)
		s->at = 0;
}

static void write_word(struct model_slot *to, const struct model_slot *from, bool base)
{
	if (base) {
		to->base = from->base;
		to->used = from->used;
		to->since = from->since;
		to->flags = from->flags;
	} else {
		to->cur = from->cur;
		to->changed = from->changed;
	}
}

/* What has to be written to make @from of @to. */
static uint8_t writes_of(const struct model_slot *to, const struct model_slot *from)
{
	bool base = to->base != from->base || to->used != from->used || to->since != from->since ||
		    to->flags != from->flags;
	bool slot = to->cur != from->cur || to->changed != from->changed;

	return (base ? WRITES_BASE : 0) | (slot ? WRITES_SLOT : 0);
}

/* Decides about the slot in hand.  The store that settles it follows at once. */
static void look(const struct model_world *w, struct model_state *s)
{
	struct model_slot *slot = &s->slot[s->at];

	decide(w, s, s->at, &s->next);
	s->writes = writes_of(slot, &s->next);
	s->stage = DAEMON_WRITE_1;
	if (slot->changed && !s->next.changed) {
		*slot = s->next;
		s->writes = 0;
	}
	if (!s->writes)
		next_slot(w, s);
}

static bool may_settle(const struct model_world *w, const struct model_state *s)
{
	struct model_slot next;

	decide(w, s, s->at, &next);
	return s->slot[s->at].changed && !next.changed;
}

enum model_outcome model_store(const struct model_world *w, struct model_state *s)
{
	struct model_slot *slot = &s->slot[s->at];
	uint8_t first = w->without == WITHOUT_BASE_FIRST ? WRITES_SLOT : WRITES_BASE;

	switch (s->stage) {
	case DAEMON_ROWS_UP:
		s->rows |= s->up;
		s->stage = DAEMON_SLOT;
		break;
	case DAEMON_SLOT:
		if (s->packet && may_settle(w, s))
			return MODEL_NOT_NOW;
		look(w, s);
		break;
	case DAEMON_WRITE_1:
		if (s->writes & first)
			write_word(slot, &s->next, first == WRITES_BASE);
		s->stage = DAEMON_WRITE_2;
		if (s->writes & ~first)
			break;
		next_slot(w, s);
		break;
	case DAEMON_WRITE_2:
		write_word(slot, &s->next, first != WRITES_BASE);
		next_slot(w, s);
		break;
	case DAEMON_ROWS_DOWN:
		s->rows = s->up;
		s->stage = DAEMON_IDLE;
		s->unfinished = 0;
		break;
	default:
		return MODEL_NOT_NOW;
	}
	return MODEL_DONE;
}
