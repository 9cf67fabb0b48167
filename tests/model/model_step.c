/* SPDX-License-Identifier: BSD-2-Clause */
/* What can happen, and what it changes. */
#include "model.h"

#include <string.h>

/* The age from which on all are alike: nothing asks for more than the timeout and one tick. */
static uint8_t oldest(const struct model_world *w)
{
	return w->timeout + 2 + MODEL_AHEAD;
}

static uint8_t older(const struct model_world *w, uint8_t age)
{
	return age < oldest(w) ? age + 1 : age;
}

void model_start(const struct model_world *w, struct model_state *s)
{
	memset(s, 0, sizeof(*s));
	for (unsigned b = 1; b <= w->backends; b++)
		s->up |= 1u << b;
	s->rows = s->up;
	s->changes = w->changes;
	for (unsigned i = 0; i < w->slots; i++) {
		s->slot[i] = (struct model_slot){.cur = 1, .used = oldest(w), .since = oldest(w)};
		s->wanted[i] = 1;
	}
}

static enum model_outcome tick(const struct model_world *w, struct model_state *s)
{
	bool writing = s->stage == DAEMON_WRITE_1 || s->stage == DAEMON_WRITE_2;

	if (s->packet || (writing && s->late))
		return MODEL_NOT_NOW;
	s->late = writing;
	if (s->stage != DAEMON_IDLE && s->flip != FLIP_NONE && s->stood < 2)
		s->stood++;
	for (unsigned i = 0; i < w->slots; i++) {
		s->slot[i].used = older(w, s->slot[i].used);
		s->slot[i].since = older(w, s->slot[i].since);
	}
	if (writing) {
		s->next.used = older(w, s->next.used);
		s->next.since = older(w, s->next.since);
	}
	if (s->notes && s->noted < model_notes_for(w))
		s->noted++;
	for (unsigned f = 0; f < w->flows; f++) {
		if (s->entry[f].backend)
			s->entry[f].age = older(w, s->entry[f].age);
		if (s->flow[f].phase && ++s->flow[f].idle > w->timeout)
			s->flow[f] = (struct model_flow){0};
	}
	return MODEL_DONE;
}

static bool changes_left(const struct model_world *w, struct model_state *s)
{
	if (s->stage != DAEMON_IDLE || s->packet || (w->changes && !s->changes))
		return false;
	if (w->changes)
		s->changes--;
	return true;
}

static enum model_outcome want(const struct model_world *w, struct model_state *s, unsigned slot,
			       unsigned backend)
{
	if (s->wanted[slot] == backend || !model_is_up(s, backend) || !changes_left(w, s))
		return MODEL_NOT_NOW;
	s->wanted[slot] = backend;
	return model_pass(w, s);
}

/* @heir gets the slots; 0 when nobody is left. */
static enum model_outcome down(const struct model_world *w, struct model_state *s, unsigned backend,
			       unsigned heir)
{
	if (!model_is_up(s, backend) || heir == backend)
		return MODEL_NOT_NOW;
	if (heir ? !model_is_up(s, heir) : (s->up & ~(1u << backend)) != 0)
		return MODEL_NOT_NOW;
	if (!changes_left(w, s))
		return MODEL_NOT_NOW;
	s->up &= ~(1u << backend);
	for (unsigned i = 0; i < w->slots; i++)
		if (s->wanted[i] == backend)
			s->wanted[i] = heir;
	for (unsigned f = 0; f < w->flows; f++)
		if (s->flow[f].backend == backend)
			s->flow[f] = (struct model_flow){0};
	return model_pass(w, s);
}

static enum model_outcome up(const struct model_world *w, struct model_state *s, unsigned backend)
{
	if (!backend || model_is_up(s, backend) || !changes_left(w, s))
		return MODEL_NOT_NOW;
	s->up |= 1u << backend;
	for (unsigned i = 0; i < w->slots; i++)
		if (!s->wanted[i])
			s->wanted[i] = backend;
	return model_pass(w, s);
}

static enum model_outcome kill(const struct model_world *w, struct model_state *s)
{
	if (!w->kills || s->stage == DAEMON_IDLE)
		return MODEL_NOT_NOW;
	if (s->stage == DAEMON_FRESHEN && s->stood > 1)
		return MODEL_NOT_NOW;
	s->stage = DAEMON_IDLE;
	s->at = 0;
	s->late = 0;
	s->writes = 0;
	s->next = (struct model_slot){0};
	s->flip = FLIP_NONE;
	s->stood = 0;
	return MODEL_DONE;
}

/* Also back to the one that is in force. */
static enum model_outcome rehash(const struct model_world *w, struct model_state *s)
{
	if (!w->rehashes || !changes_left(w, s))
		return MODEL_NOT_NOW;
	s->wanted_hash ^= 1;
	return model_pass(w, s);
}

/* The table of another scheduler is another one. */
static enum model_outcome turns(const struct model_world *w, struct model_state *s, unsigned slot,
				unsigned backend)
{
	if (!w->turns || (s->up && !model_is_up(s, backend)) || !changes_left(w, s))
		return MODEL_NOT_NOW;
	s->wanted_all ^= 1;
	if (s->up)
		s->wanted[slot] = backend;
	return model_pass(w, s);
}

static enum model_outcome forget(const struct model_world *w, struct model_state *s, unsigned flow)
{
	const struct model_entry *e = &s->entry[flow];

	if (!w->crowd || !e->backend)
		return MODEL_NOT_NOW;
	if (e->confirmed && e->age <= w->timeout + MODEL_AHEAD && w->without != WITHOUT_TWO_TOUCH)
		return MODEL_NOT_NOW;
	s->flow[flow].cheated |= s->flow[flow].phase == FLOW_OPENING;
	s->entry[flow] = (struct model_entry){0};
	return MODEL_DONE;
}

static enum model_outcome use(const struct model_world *w, struct model_state *s, unsigned slot)
{
	if (!w->crowd || !s->slot[slot].changed || s->slot[slot].used == MODEL_AHEAD)
		return MODEL_NOT_NOW;
	s->slot[slot].used = MODEL_AHEAD;
	return MODEL_DONE;
}

static enum model_outcome close_flow(struct model_state *s, unsigned flow)
{
	if (!s->flow[flow].phase)
		return MODEL_NOT_NOW;
	s->flow[flow] = (struct model_flow){0};
	return MODEL_DONE;
}

enum model_outcome model_do(const struct model_world *w, struct model_state *s,
			    struct model_action a, const char **why)
{
	switch ((enum model_kind)a.kind) {
	case DO_SYN:
	case DO_DATA:
	case DO_FINISH:
		return model_packet(w, s, a, why);
	case DO_CLOSE:
		return close_flow(s, a.a);
	case DO_FORGET:
		return forget(w, s, a.a);
	case DO_USE:
		return use(w, s, a.a);
	case DO_TICK:
		return tick(w, s);
	case DO_WANT:
		return want(w, s, a.a, a.b);
	case DO_DOWN:
		return down(w, s, a.a, a.b);
	case DO_UP:
		return up(w, s, a.a);
	case DO_REHASH:
		return rehash(w, s);
	case DO_TURNS:
		return turns(w, s, a.a, a.b);
	case DO_PASS:
		return model_pass(w, s);
	case DO_STORE:
		return model_store(w, s);
	case DO_KILL:
		return kill(w, s);
	case DO_MAX:
		break;
	}
	return MODEL_NOT_NOW;
}

bool model_settles(const struct model_world *w, struct model_state s)
{
	unsigned rounds = (w->rehashes || w->turns ? 4 : 2) * w->timeout + 10 + MODEL_AHEAD;

	s.packet = 0;
	for (unsigned i = 0; i < rounds; i++) {
		while (s.stage != DAEMON_IDLE)
			model_store(w, &s);
		tick(w, &s);
		model_pass(w, &s);
	}
	for (unsigned i = 0; i < w->slots; i++)
		if (s.slot[i].changed || s.slot[i].cur != s.wanted[i])
			return false;
	return s.hash == s.wanted_hash && !s.notes && s.all == s.wanted_all;
}
