/* SPDX-License-Identifier: BSD-2-Clause */
/* A way through the model in words. */
#include "model.h"

#include "shunt_abi.h"

static void print_action(FILE *out, struct model_action a)
{
	static const char *const words[DO_MAX] = {
		[DO_SYN] = "flow %u sends a SYN",
		[DO_DATA] = "flow %u sends data",
		[DO_FINISH] = "that packet's second read",
		[DO_CLOSE] = "flow %u ends",
		[DO_FORGET] = "another flow takes the place of flow %u's entry",
		[DO_USE] = "another flow of slot %u goes elsewhere than to cur",
		[DO_TICK] = "a tick passes",
		[DO_WANT] = "slot %u is to get backend %u",
		[DO_DOWN] = "backend %u dies; its slots are to get backend %u",
		[DO_UP] = "backend %u recovers",
		[DO_REHASH] = "the other hash is configured",
		[DO_TURNS] = "the other kind of scheduler is configured, and slot %u is to get "
			     "backend %u",
		[DO_PASS] = "the daemon begins a pass over the slots",
		[DO_STORE] = "the daemon's next step",
		[DO_KILL] = "the daemon is killed",
	};

	/* a.a and a.b are more than some of them want */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
	fprintf(out, words[a.kind], a.a, a.b);
#pragma GCC diagnostic pop
	if (a.kind == DO_SYN || a.kind == DO_DATA || a.kind == DO_FINISH) {
		unsigned place = a.b % MODEL_PLACES, turn = a.b / MODEL_PLACES;

		if (place < MODEL_NO_PLACE)
			fprintf(out, ", and takes flow %u's place", place);
		else if (place > MODEL_NO_PLACE)
			fprintf(out, ", for which others leave no room");
		if (turn)
			fprintf(out, "; it is backend %u's turn", turn);
	}
}

static int ago(uint8_t age)
{
	return (int)age - (int)MODEL_AHEAD;
}

static void print_state(FILE *out, const struct model_world *w, const struct model_state *s)
{
	for (unsigned i = 0; i < w->slots; i++) {
		const struct model_slot *l = &s->slot[i];

		fprintf(out, " | slot %u: %u", i, l->cur);
		if (l->changed)
			fprintf(out, " base %u used -%d since %+d%s%s", l->base, ago(l->used),
				-ago(l->since), l->flags & SHUNT_BASE_LEARNING ? " learning" : "",
				l->flags & SHUNT_BASE_FULL ? " full" : "");
		if (l->changed && l->flags & SHUNT_BASE_SINCE)
			fprintf(out, " counts");
	}
	if (w->rehashes)
		fprintf(out, " | hash %u%s", s->hash, s->notes ? ", flows are noted" : "");
	if (w->turns)
		fprintf(out, " | by %s", s->all ? "turn" : "slots");
	for (unsigned f = 0; f < w->flows; f++) {
		static const char *const phase[] = {"", " opening at", " at"};
		const struct model_flow *c = &s->flow[f];
		const struct model_entry *e = &s->entry[f];

		fprintf(out, " | flow %u", f);
		if (c->phase)
			fprintf(out, "%s %u", phase[c->phase], c->backend);
		if (e->backend)
			fprintf(out, " (entry %u of -%d%s)", e->backend, ago(e->age),
				e->confirmed ? "" : "?");
	}
	fputc('\n', out);
}

void model_print_trace(FILE *out, const struct model_world *w, const struct model_result *r)
{
	struct model_state s;
	const char *why;

	model_start(w, &s);
	for (size_t i = 0; i < r->trace_len; i++) {
		model_do(w, &s, r->trace[i], &why);
		fprintf(out, "# %2zu. ", i + 1);
		print_action(out, r->trace[i]);
		print_state(out, w, &s);
	}
	if (r->broken)
		fprintf(out, "# => %s\n", r->broken);
}
