/* SPDX-License-Identifier: BSD-2-Clause */
/* A walk over what is remembered of flows: what flows.c and client_flows.c share. */
#ifndef SHUNT_ENGINE_FLOWS_H
#define SHUNT_ENGINE_FLOWS_H

#include "engine/state.h"
#include "pure/msg.h"

/* One page of it. */
struct walk {
	struct engine *e;
	const struct msg_get *get;
	bool (*put)(void *to, const struct view_flow *f);
	void *to;
	uint16_t now; /* flow tick */
	uint32_t looked;
	mono_t until;
	uint32_t longest; /* flow timeout of any service, in ticks */
	const struct service *last; /* found; most flows that stand together are of few services */
};

/* Counts what is looked at; whether that is enough for a page. */
bool walk_is_over(struct walk *w);
/* Gives @f, if it is of the service and backend that are asked for. False: there is no room for it. */
bool walk_give(struct walk *w, const struct view_flow *f);
/* Writes into @f the names of service and backend. */
void walk_name_backend(const struct service *s, uint32_t number, struct view_flow *f);

uint64_t walk_ticks_ms(uint32_t ticks);

/* Of one client's flows, from @at on (0: the first): where to go on, with CLIENT_WALK set, or 0: these were
 * all. */
#define CLIENT_WALK (3ull << 62)
uint64_t client_flows_walk(struct walk *w, uint64_t at);

#endif
