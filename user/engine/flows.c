/* SPDX-License-Identifier: BSD-2-Clause */
/* Which flows are remembered, page by page: of the flow table and of the translated connections so many
 * words a page, whoever they are of, so that the loop is never held up for longer than that takes. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "engine/explain.h"
#include "engine/flows.h"
#include "io/dp_list.h"
#include "pure/msg.h"

#define WORDS_A_PAGE 65536
#define BUDGET_US 3000

/* Cursors: the number of a word and these. */
#define IN_FLOWS (1ull << 62)
#define IN_NAT (2ull << 62)
#define WHERE CLIENT_WALK /* 3: in those of one client */

bool walk_is_over(struct walk *w)
{
	if (++w->looked > WORDS_A_PAGE)
		return true;
	return w->looked % 256 == 0 && mono_diff_us(mono_now(), w->until) <= 0;
}

uint64_t walk_ticks_ms(uint32_t ticks)
{
	return ((uint64_t)ticks << SHUNT_FLOW_TICK_SHIFT) * 1000 / mono_kernel_hz();
}

static bool has_row(const struct service *s, uint32_t row)
{
	return s && row >= s->row && row < s->row + s->rows;
}

static const struct service *of_row(struct walk *w, uint32_t row)
{
	size_t i;

	if (has_row(w->last, row))
		return w->last;
	for (i = 0; i < w->e->n_services; i++)
		if (has_row(w->e->services[i], row))
			return w->last = w->e->services[i];
	return NULL;
}

void walk_name_backend(const struct service *s, uint32_t number, struct view_flow *f)
{
	size_t i;

	memcpy(f->service, s->name, sizeof(f->service));
	for (i = 0; i < s->n_backends; i++)
		if (s->backends[i]->number == number)
			memcpy(f->backend, s->backends[i]->name, sizeof(f->backend));
}

static bool is_wanted(const struct walk *w, const struct view_flow *f)
{
	return (!w->get->service[0] || strcmp(w->get->service, f->service) == 0) &&
	       (!w->get->backend[0] || strcmp(w->get->backend, f->backend) == 0);
}

bool walk_give(struct walk *w, const struct view_flow *f)
{
	return !is_wanted(w, f) || w->put(w->to, f);
}

/* ---- the flow table ---------------------------------------------------------------------------*/

/* Without rows the table says of a flow only which number its backend has. One service that may have put it
 * there has. */
static const struct service *only_one(const struct walk *w)
{
	const struct service *found = NULL;
	size_t i;

	for (i = 0; i < w->e->n_services; i++) {
		const struct service *s = w->e->services[i];

		if (!s->moving && !(s->flags & SHUNT_SVC_FLOWS))
			continue;
		if (found)
			return NULL;
		found = s;
	}
	return found;
}

static bool give_word(struct walk *w, const struct dp_listed *l)
{
	const struct service *s = l->row ? of_row(w, l->row) : only_one(w);
	struct view_flow f = {.number = l->number, .age_ms = walk_ticks_ms(l->age)};
	uint32_t timeout = w->longest;

	if (s) {
		walk_name_backend(s, l->number, &f);
		timeout = flow_ticks(s->flags & SHUNT_SVC_AFFINE ? s->conf->affinity_timeout_ms
								 : s->conf->flow_timeout_ms);
	}
	if (l->age > timeout)
		return true;
	f.kind = s && s->flags & SHUNT_SVC_AFFINE  ? VIEW_FLOW_SOURCE
		 : s && s->flags & SHUNT_SVC_FLOWS ? VIEW_FLOW_ALL
						   : VIEW_FLOW_MOVING;
	f.state = l->ended ? VIEW_FLOW_ENDED : l->confirmed ? VIEW_FLOW_CONFIRMED : VIEW_FLOW_NEW;
	return walk_give(w, &f);
}

/* Returns the next word to look at, or their number. */
static uint64_t walk_flows(struct walk *w, uint64_t i)
{
	const uint64_t n = dp_flow_words(w->e->dp);
	struct dp_listed l;

	for (; i < n && !walk_is_over(w); i++)
		if (dp_flow_read(w->e->dp, i, w->now, &l) && !give_word(w, &l))
			return i;
	return i < n ? i : n;
}

/* ---- translated connections -------------------------------------------------------------------*/

static enum view_flow_state state_of(uint32_t state)
{
	const uint32_t fins = SHUNT_NAT_FIN_CLIENT | SHUNT_NAT_FIN_BACKEND;

	if (state & SHUNT_NAT_RESET)
		return VIEW_FLOW_RESET;
	if (state & fins)
		return VIEW_FLOW_CLOSING;
	if (state & SHUNT_NAT_ESTABLISHED)
		return VIEW_FLOW_ESTABLISHED;
	return state & SHUNT_NAT_REPLIED ? VIEW_FLOW_CONFIRMED : VIEW_FLOW_NEW;
}

static const struct service *of_address(struct walk *w, const struct dp_nat_listed *l)
{
	int64_t i = explain_match(w->e, &l->vip, l->port, l->protocol);

	return i < 0 ? NULL : w->e->services[i];
}

static bool is_same(const struct addr *asked, const struct addr *a)
{
	return addr_is_none(asked) || addr_compare(asked, a) == 0;
}

static bool is_asked_for(const struct msg_get *get, const struct dp_nat_listed *l)
{
	return is_same(&get->client, &l->client) && is_same(&get->vip, &l->vip) &&
	       (!get->client_port || get->client_port == l->client_port) &&
	       (!get->port || get->port == l->port) &&
	       (!get->protocol || get->protocol == l->protocol);
}

static bool give_connection(struct walk *w, const struct dp_nat_listed *l)
{
	const struct service *s = of_address(w, l);
	struct view_flow f = {.kind = VIEW_FLOW_NAT,
			      .state = state_of(l->state),
			      .number = l->number,
			      .age_ms = walk_ticks_ms(l->age),
			      .protocol = l->protocol,
			      .client = l->client,
			      .vip = l->vip,
			      .pool = l->pool,
			      .client_port = l->client_port,
			      .port = l->port,
			      .pool_port = l->pool_port};

	if (s)
		walk_name_backend(s, l->number, &f);
	return walk_give(w, &f);
}

static uint64_t walk_nat(struct walk *w, uint64_t i)
{
	const uint64_t n = dp_nat_records(w->e->dp);
	struct dp_nat_listed l;

	for (; i < n && !walk_is_over(w); i++)
		if (dp_nat_read(w->e->dp, i, w->now, &l) && is_asked_for(w->get, &l) &&
		    !give_connection(w, &l))
			return i;
	return i < n ? i : n;
}

/* ---- a page -----------------------------------------------------------------------------------*/

static uint32_t longest_timeout(const struct engine *e)
{
	uint32_t longest = 0, ms;
	size_t i;

	for (i = 0; i < e->n_services; i++) {
		const struct conf_service *c = e->services[i]->conf;

		ms = c->flow_timeout_ms > c->affinity_timeout_ms ? c->flow_timeout_ms
								 : c->affinity_timeout_ms;
		longest = ms > longest ? ms : longest;
	}
	return flow_ticks(longest);
}

uint64_t flows_page(void *arg, const struct msg_get *get,
		    bool (*put)(void *to, const struct view_flow *f), void *to)
{
	struct walk w = {.e = arg, .get = get, .put = put, .to = to};
	uint64_t where = get->cursor & WHERE, i = get->cursor & ~WHERE;

	w.now = dp_tick(w.e->dp);
	w.until = mono_add_us(mono_now(), BUDGET_US);
	w.longest = longest_timeout(w.e);
	if (where != IN_NAT && !addr_is_none(&get->client)) {
		i = client_flows_walk(&w, i);
		if (i)
			return i;
	} else if (where != IN_NAT) {
		i = walk_flows(&w, i);
		if (i < dp_flow_words(w.e->dp))
			return IN_FLOWS | i;
		i = 0;
	}
	i = walk_nat(&w, i);
	return i < dp_nat_records(w.e->dp) ? IN_NAT | i : 0;
}
