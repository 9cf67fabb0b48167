/* SPDX-License-Identifier: BSD-2-Clause */
/* What the packet path does with one packet: the decision of include/shunt_abi.h's section on slots,
 * and what it means to the connection. */
#include "model.h"

#include "shunt_abi.h"

static unsigned slot_of(const struct model_world *w, const struct model_state *s, unsigned flow)
{
	return (flow + s->hash) % w->slots;
}

static bool row_is_usable(const struct model_state *s, unsigned backend)
{
	return backend && s->rows >> backend & 1;
}

static bool since_counts(const struct model_world *w, const struct model_state *s,
			 const struct model_slot *slot)
{
	if (w->without == WITHOUT_SINCE || !slot->changed)
		return false;
	return !s->all || slot->flags & SHUNT_BASE_SINCE;
}

/* The age that entries made or refreshed now get. */
static uint8_t mark(const struct model_world *w, const struct model_state *s,
		    const struct model_slot *slot)
{
	if (!since_counts(w, s, slot))
		return MODEL_AHEAD;
	return slot->since < MODEL_AHEAD ? slot->since : MODEL_AHEAD;
}

static bool entry_holds(const struct model_world *w, const struct model_state *s,
			const struct model_slot *slot, const struct model_entry *e)
{
	return e->backend && e->age <= w->timeout + MODEL_AHEAD &&
	       (!since_counts(w, s, slot) || e->age <= slot->since);
}

/* How readily an entry gives way; 0: never. */
static unsigned readiness(const struct model_world *w, const struct model_entry *e)
{
	bool expired = e->age > w->timeout + MODEL_AHEAD;

	if (e->confirmed && !expired && w->without != WITHOUT_TWO_TOUCH)
		return 0;
	if (w->without == WITHOUT_TWO_TOUCH)
		return 1 + e->age;
	return expired << 6 | !e->confirmed << 5 | (1 + e->age);
}

static unsigned entries(const struct model_world *w, const struct model_state *s)
{
	unsigned n = 0;

	for (unsigned f = 0; f < w->flows; f++)
		n += s->entry[f].backend != 0;
	return n;
}

/* Whether @place is where the table would remember @flow: MODEL_NO_PLACE for its own word, a free one,
 * or nowhere, which *found tells. */
static bool is_the_place(const struct model_world *w, const struct model_state *s, unsigned flow,
			 unsigned place, bool *found)
{
	unsigned best = 0;

	*found = true;
	if (s->entry[flow].backend || entries(w, s) < w->room)
		return place == MODEL_NO_PLACE;
	for (unsigned f = 0; f < w->flows; f++)
		if (s->entry[f].backend && readiness(w, &s->entry[f]) > best)
			best = readiness(w, &s->entry[f]);
	*found = best > 0;
	if (!best)
		return place == MODEL_NO_PLACE;
	return place < w->flows && s->entry[place].backend &&
	       readiness(w, &s->entry[place]) == best;
}

static void entry_lost(struct model_state *s, unsigned flow)
{
	s->flow[flow].cheated |= s->flow[flow].phase == FLOW_OPENING;
	s->entry[flow] = (struct model_entry){0};
}

/* What a packet asks of the flow table. */
struct asking {
	unsigned flow, place;
	unsigned turn; /* whose it is */
	bool is_syn;
	bool crowded; /* others have all the room */
	bool is_late; /* its first read may be of before the daemon's last stores */
};

enum remembered { REMEMBERED, NO_ROOM, NOT_THAT_PLACE };

static enum remembered remember(const struct model_world *w, struct model_state *s,
				const struct asking *q, unsigned backend)
{
	struct model_slot *slot = &s->slot[slot_of(w, s, q->flow)];
	bool found;

	if (q->crowded && !s->entry[q->flow].backend)
		found = false;
	else if (!is_the_place(w, s, q->flow, q->place, &found))
		return NOT_THAT_PLACE;
	if (!found) {
		if (slot->changed)
			slot->flags |= SHUNT_BASE_FULL;
		return NO_ROOM;
	}
	if (q->place != MODEL_NO_PLACE && !q->crowded)
		entry_lost(s, q->place);
	s->entry[q->flow] = (struct model_entry){.backend = backend, .age = mark(w, s, slot)};
	return REMEMBERED;
}

/* One without an entry that holds, in a slot in transition.  Returns the backend, or -1. */
static int go_unknown(const struct model_world *w, struct model_state *s, const struct asking *q,
		      unsigned cur, bool is_orphan)
{
	const struct model_slot *slot = &s->slot[slot_of(w, s, q->flow)];
	unsigned base = row_is_usable(s, slot->base) ? slot->base : cur;
	bool learning = slot->flags & SHUNT_BASE_LEARNING;
	bool begins = w->udp || q->is_syn || is_orphan;
	unsigned to = learning && !is_orphan ? base : cur;

	if (!begins)
		return q->place == MODEL_NO_PLACE && !q->crowded ? (int)base : -1;
	switch (remember(w, s, q, to)) {
	case REMEMBERED:
		return to;
	case NO_ROOM:
		return w->udp ? to : w->without == WITHOUT_ROOM_TO_BASE ? cur : base;
	case NOT_THAT_PLACE:
		break;
	}
	return -1;
}

/* Whether a slot's new flows are @backend's; there are others than those that are shown. */
static bool may_have_a_turn(const struct model_world *w, const struct model_state *s,
			    unsigned backend)
{
	for (unsigned i = 0; i < w->slots; i++)
		if (s->slot[i].cur == backend)
			return true;
	return row_is_usable(s, backend) && model_is_up(s, backend);
}

/* The same where all flows are remembered, whatever the slot is.  What is not remembered goes by the slot,
 * which is all that writes `used`. */
static int go_by_turn(const struct model_world *w, struct model_state *s, const struct asking *q,
		      unsigned cur, bool is_orphan)
{
	struct model_slot *slot = &s->slot[slot_of(w, s, q->flow)];
	bool has_base = slot->changed && row_is_usable(s, slot->base);
	bool learning = slot->changed && slot->flags & SHUNT_BASE_LEARNING;
	bool starts = ((w->udp || q->is_syn) && !learning) || is_orphan;
	unsigned old = has_base ? slot->base : cur, to = starts ? q->turn : old;
	enum remembered is = NO_ROOM;

	if (starts ? !may_have_a_turn(w, s, to) : q->turn)
		return -1;
	if ((starts || learning) && to)
		is = remember(w, s, q, to);
	else if (q->place != MODEL_NO_PLACE || q->crowded)
		return -1;
	if (is == NOT_THAT_PLACE)
		return -1;
	if (is == REMEMBERED || !to)
		return to;
	if (old != cur)
		slot->used = MODEL_AHEAD;
	return old;
}

/* The backend of a packet that found its slot in transition, with @cur, or of one of a service that remembers
 * all flows.  -1: as go_unknown(). */
static int go_changed(const struct model_world *w, struct model_state *s, const struct asking *q,
		      unsigned cur)
{
	struct model_slot *slot = &s->slot[slot_of(w, s, q->flow)];
	struct model_entry *e = &s->entry[q->flow];
	int to;

	if (entry_holds(w, s, slot, e) && row_is_usable(s, e->backend)) {
		if (q->place != MODEL_NO_PLACE || q->crowded || q->turn)
			return -1;
		e->age = mark(w, s, slot);
		e->confirmed |= !q->is_syn;
		to = e->backend;
	} else if (s->all) {
		return go_by_turn(w, s, q, cur, entry_holds(w, s, slot, e));
	} else {
		to = go_unknown(w, s, q, cur, entry_holds(w, s, slot, e));
	}
	if (to >= 0 && (unsigned)to != cur && !s->all)
		slot->used = MODEL_AHEAD;
	return to;
}

/* The packet has gone to @to, which is noted of its flow. */
static void note(const struct model_world *w, struct model_state *s, const struct asking *q,
		 unsigned to)
{
	const struct model_slot *slot = &s->slot[slot_of(w, s, q->flow)];
	struct model_entry *e = &s->entry[q->flow];

	if (!s->notes || !to || w->without == WITHOUT_NOTING)
		return;
	if (!entry_holds(w, s, slot, e) || e->backend != to) {
		remember(w, s, q, to);
		return;
	}
	e->age = mark(w, s, slot);
	e->confirmed |= !q->is_syn;
}

static enum model_outcome broken(const char **why, const char *words)
{
	*why = words;
	return MODEL_BROKEN;
}

/* What the packet is to its connection. */
static enum model_outcome arrive(const struct model_world *w, struct model_state *s,
				 const struct asking *q, unsigned to, const char **why)
{
	struct model_flow *f = &s->flow[q->flow];
	bool lives = row_is_usable(s, to) && model_is_up(s, to);

	if (!lives && s->up && !s->unfinished && !q->is_late)
		return broken(why, "a packet went to a dead backend although another one lives");
	if (f->phase == FLOW_ESTABLISHED && f->backend != to)
		return broken(why, "an established connection changed its backend");
	if (f->phase == FLOW_OPENING && !q->is_syn && f->backend != to && !f->cheated)
		return broken(why,
			      "a connection's second packet went to another backend than its SYN");
	if (q->is_syn && lives)
		*f = (struct model_flow){.phase = FLOW_OPENING, .backend = to};
	else if (w->udp && lives)
		*f = (struct model_flow){.phase = FLOW_ESTABLISHED, .backend = to};
	else if (f->phase == FLOW_OPENING && f->backend == to)
		*f = (struct model_flow){.phase = FLOW_ESTABLISHED, .backend = to};
	else if (f->phase != FLOW_ESTABLISHED)
		*f = (struct model_flow){0};
	f->idle = 0;
	return MODEL_DONE;
}

/* The rest of a packet that read @cur in a slot in transition. */
static enum model_outcome second_read(const struct model_world *w, struct model_state *s,
				      const struct asking *q, unsigned cur, const char **why)
{
	int to = go_changed(w, s, q, cur);

	s->packet = 0;
	s->seen = 0;
	if (to < 0)
		return MODEL_NOT_NOW;
	note(w, s, q, to);
	return arrive(w, s, q, to, why);
}

/* Whether the connection's own end would send such a packet. */
static bool would_send(const struct model_world *w, const struct model_flow *f, bool is_syn)
{
	return !is_syn || (!w->udp && f->phase != FLOW_ESTABLISHED);
}

#define PACKET_IS_SYN 0x80u

enum model_outcome model_packet(const struct model_world *w, struct model_state *s,
				struct model_action a, const char **why)
{
	struct asking q = {
		.flow = a.a,
		.place = a.b % MODEL_PLACES,
		.turn = a.b / MODEL_PLACES,
		.is_syn = a.kind == DO_SYN,
	};
	const struct model_slot *slot;

	if (a.kind == DO_FINISH) {
		if (!s->packet)
			return MODEL_NOT_NOW;
		q.flow = (s->packet & ~PACKET_IS_SYN) - 1;
		q.is_syn = s->packet & PACKET_IS_SYN;
		q.is_late = true;
	}
	if (q.turn && !s->all)
		return MODEL_NOT_NOW;
	if (q.place == MODEL_CROWDED) {
		q.place = MODEL_NO_PLACE;
		q.crowded = true;
	}
	if (q.crowded && !w->crowd)
		return MODEL_NOT_NOW;
	if (a.kind == DO_FINISH)
		return second_read(w, s, &q, s->seen, why);
	if (s->packet || !would_send(w, &s->flow[q.flow], q.is_syn))
		return MODEL_NOT_NOW;
	slot = &s->slot[slot_of(w, s, q.flow)];
	if (s->all ? !(slot->changed && w->torn) : slot->changed && !w->torn)
		return second_read(w, s, &q, slot->cur, why);
	if (q.place != MODEL_NO_PLACE || q.crowded || q.turn)
		return MODEL_NOT_NOW;
	if (!slot->changed) {
		note(w, s, &q, slot->cur);
		return arrive(w, s, &q, slot->cur, why);
	}
	s->packet = (q.flow + 1) | (q.is_syn ? PACKET_IS_SYN : 0);
	s->seen = slot->cur;
	return MODEL_DONE;
}
