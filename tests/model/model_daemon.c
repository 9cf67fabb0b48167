/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's part: a pass over the slots, one store after the other. */
#include "model.h"

#include "pure/transit.h"
#include "shunt_abi.h"

#define WRITES_BASE 1u
#define WRITES_SLOT 2u

bool model_is_up(const struct model_state *s, unsigned backend)
{
	return backend && s->up >> backend & 1;
}

/* The daemon's clock at this moment: such that it wraps within the ages that are kept. */
#define NOW 3u

static uint16_t tick_of(uint8_t age)
{
	return (uint16_t)(NOW + MODEL_AHEAD - age);
}

static uint8_t age_of(uint16_t tick)
{
	return (uint8_t)(uint16_t)(NOW + MODEL_AHEAD - tick);
}

static struct transit_slot as_words(const struct model_slot *m)
{
	return (struct transit_slot){
		.slot = m->cur | (m->changed ? SHUNT_SLOT_CHANGED : 0),
		.base = {m->base, tick_of(m->used), tick_of(m->since), m->flags},
	};
}

static struct model_slot as_ages(struct transit_slot s)
{
	return (struct model_slot){
		.cur = s.slot & SHUNT_SLOT_BACKEND,
		.changed = transit_is_on(s.slot),
		.base = s.base.base,
		.used = age_of(s.base.used),
		.since = age_of(s.base.since),
		.flags = s.base.flags,
	};
}

/* Undoes what the rule is that the world is without. */
static void mutate(enum model_without without, const struct model_slot *was, struct model_slot *is)
{
	bool again = was->changed && is->cur != was->cur;
	bool goes_on = was->changed && is->cur == was->cur;

	if (without == WITHOUT_LEARNING ||
	    (without == WITHOUT_LEARNING_FOR_ALL && is->flags & SHUNT_BASE_SINCE))
		is->flags &= ~SHUNT_BASE_LEARNING;
	if (without == WITHOUT_OLD_BASE && again)
		is->base = was->cur;
	if (without == WITHOUT_USED_ANEW && again)
		is->used = was->used;
	if (without == WITHOUT_USED_AFTER_ALL && goes_on)
		is->used = was->used;
	if (without == WITHOUT_NEW_BASE && again)
		is->base = was->base;
}

/* Of a service that remembers all flows none has to be told from new ones. */
static enum transit_kind kind_of(const struct model_world *w, const struct model_state *s)
{
	bool is_by_slots = s->flip == FLIP_SLOTS || (!s->all && s->flip != FLIP_ALL);

	return w->udp && (is_by_slots || s->flip == FLIP_ALL) ? TRANSIT_LEARN : TRANSIT_SYN;
}

/* What becomes of slot @at. */
static void decide(const struct model_world *w, const struct model_state *s, unsigned at,
		   struct model_slot *next)
{
	uint8_t alive[MODEL_BACKENDS + 1];
	struct transit_rules rules = {
		.kind = kind_of(w, s),
		.believe = s->flip == FLIP_SLOTS && w->without != WITHOUT_BELIEF,
		.all = s->flip == FLIP_ALL && w->without != WITHOUT_SINCE_FOR_ALL,
		.alive = alive,
		.now = NOW,
		.idle = w->timeout,
		.cap = INT16_MAX,
		.anew = s->flip == FLIP_HASH && w->without != WITHOUT_ANEW,
		.flow = w->timeout,
	};
	struct model_slot was = s->slot[at];
	struct transit_slot words;

	for (unsigned b = 0; b <= MODEL_BACKENDS; b++)
		alive[b] = model_is_up(s, b);
	words = transit_change(as_words(&was), s->wanted[at], &rules);
	*next = as_ages(words);
	mutate(w->without, &was, next);
	if (s->flip == FLIP_ALL || s->flip == FLIP_SLOTS)
		return; /* whether it may settle is asked afterwards */
	if (w->without == WITHOUT_USED)
		next->used = next->since;
	words = transit_settle(as_words(next), &rules);
	if (w->without == WITHOUT_USED && transit_is_on(words.slot))
		words.base.used = tick_of(was.used);
	*next = as_ages(words);
}

uint8_t model_notes_for(const struct model_world *w)
{
	return w->without == WITHOUT_NOTING_LONG ? 0 : w->timeout + 1;
}

/* As user/engine/rehash.c: all that it goes by is in the tables and the configuration. */
static enum model_flip plan_flip(const struct model_world *w, const struct model_state *s)
{
	if (s->all != s->wanted_all)
		return s->wanted_all ? FLIP_ALL : FLIP_SLOTS;
	if (s->hash == s->wanted_hash)
		return s->notes ? FLIP_BACK : FLIP_NONE;
	if (!s->notes)
		return FLIP_NOTES;
	return s->noted >= model_notes_for(w) ? FLIP_HASH : FLIP_NONE;
}

static void flip(struct model_state *s)
{
	s->notes = s->flip == FLIP_NOTES;
	s->noted = 0;
	if (s->flip == FLIP_HASH)
		s->hash = s->wanted_hash;
	s->all = s->wanted_all;
	s->flip = FLIP_NONE;
}

/* They are all written before the daemon looks whether one may settle. */
static void freshen(const struct model_world *w, struct model_state *s)
{
	for (unsigned i = 0; i < w->slots && w->without != WITHOUT_FRESHENING; i++)
		if (s->slot[i].changed)
			s->slot[i].used = MODEL_AHEAD;
}

static void end_pass(struct model_state *s)
{
	s->stage = DAEMON_IDLE;
	s->unfinished = 0;
	s->stood = 0;
}

static void go_over(struct model_state *s)
{
	bool freshens = s->flip == FLIP_HASH || s->flip == FLIP_SLOTS;

	flip(s);
	if (freshens)
		s->stage = DAEMON_FRESHEN;
	else
		end_pass(s);
}

enum model_outcome model_pass(const struct model_world *w, struct model_state *s)
{
	if (s->stage != DAEMON_IDLE || s->packet)
		return MODEL_NOT_NOW;
	s->stage = DAEMON_ROWS_UP;
	s->unfinished = 1;
	s->flip = plan_flip(w, s);
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
		if (s->flip)
			s->stage = DAEMON_FLIP;
		else
			end_pass(s);
		break;
	case DAEMON_FLIP:
		if (s->packet)
			return MODEL_NOT_NOW;
		go_over(s);
		break;
	case DAEMON_FRESHEN:
		freshen(w, s);
		end_pass(s);
		break;
	default:
		return MODEL_NOT_NOW;
	}
	return MODEL_DONE;
}
