/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/agents.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "io/conf_file.h"

struct agents {
	struct event *tick;
	mono_t ticked; /* never: not yet */
	struct agent_line *left; /* by an earlier daemon */
	size_t n_left;
};

/* ---- the file -----------------------------------------------------------------------------------*/

static int compare(const void *a, const void *b)
{
	const struct agent_line *x = a, *y = b;
	const int order = strcmp(x->service, y->service);

	return order ? order : strcmp(x->backend, y->backend);
}

static int read_lines(struct agents *a, const char *text, size_t len)
{
	size_t at = 0, used = 1;

	for (size_t i = 0; i < len; i++)
		a->n_left += text[i] == '\n';
	a->left = calloc(a->n_left + 1, sizeof(*a->left));
	if (!a->left)
		return -ENOMEM;
	for (a->n_left = 0; at < len && used; at += used) {
		used = agent_line_read(text + at, len - at, &a->left[a->n_left]);
		a->n_left += used > 0;
	}
	qsort(a->left, a->n_left, sizeof(*a->left), compare);
	return 0;
}

static struct agent_wish left_of(const struct agents *a, const struct backend *b)
{
	struct agent_line key = {0}, *found;

	memcpy(key.service, b->service->name, sizeof(key.service));
	memcpy(key.backend, b->name, sizeof(key.backend));
	found = a->n_left ? bsearch(&key, a->left, a->n_left, sizeof(key), compare) : NULL;
	return found ? found->wish : AGENT_NO_WISH;
}

/* What cannot be read is as nothing: agents say it again soon. */
static int load(struct engine *e)
{
	auto_free char *text = NULL;
	char path[512];
	size_t len = 0;

	snprintf(path, sizeof(path), "%s/%s.agents", e->conf->state_dir, e->conf->instance);
	if (conf_read_file(NULL, path, &text, &len))
		return 0;
	return read_lines(e->agents, text, len);
}

static void save_backend(const struct backend *b, FILE *f)
{
	struct agent_line l = {.wish = b->agent.in_force};
	char line[AGENT_LINE_MAX];

	if (!b->agent.begun || agent_wish_is_same(l.wish, AGENT_NO_WISH))
		return;
	memcpy(l.service, b->service->name, sizeof(l.service));
	memcpy(l.backend, b->name, sizeof(l.backend));
	fwrite(line, 1, strlen(agent_line_format(&l, line)), f);
}

/* Not synced: after a crash of the machine the agents are asked anew all the same. */
static void save(const struct engine *e)
{
	char path[512], fresh[520];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.agents", e->conf->state_dir, e->conf->instance);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	f = fopen(fresh, "we");
	for (size_t i = 0; f && i < e->n_services; i++)
		for (size_t k = 0; k < e->services[i]->n_backends; k++)
			save_backend(e->services[i]->backends[k], f);
	if (!f || fclose(f) || rename(fresh, path))
		log_warning(
			"what agents ask for is not kept over a restart: %s: %s; mend state_dir",
			path, strerror(errno));
}

/* ---- in force -----------------------------------------------------------------------------------*/

static bool asks_agent(const struct backend *b, size_t check)
{
	return conf_service_check(b->service->conf, check)->kind == CONF_CHECK_AGENT;
}

bool agents_admin_counts(const struct engine *e, const struct backend *b)
{
	const struct edit *edit = edits_find(e->edits, b->service->name, b->name);

	return b->agent.in_force.admin != AGENT_READY &&
	       !(edit && (edit->drained || edit->disabled || edit->enabled));
}

uint16_t agents_weight(const struct backend *b)
{
	if (!b->agent.begun)
		return b->conf->weight;
	return agent_weight(b->conf->weight, b->agent.in_force.percent, CONF_WEIGHT_MAX);
}

static bool weight_counts(const struct engine *e, const struct backend *b)
{
	const struct edit *edit = edits_find(e->edits, b->service->name, b->name);

	return b->agent.begun && b->agent.in_force.percent != 100 && !(edit && edit->has_weight);
}

void agents_view(const struct engine *e, const struct backend *b, struct view_backend *out)
{
	if (b->leaving || !(agents_admin_counts(e, b) || (!b->edited && weight_counts(e, b))))
		return;
	snprintf(out->admin_by, sizeof(out->admin_by), "its agent");
	memcpy(out->admin_reason, b->agent.words, sizeof(out->admin_reason));
	if (!mono_is_never(b->agent.since))
		out->admin_age_ms = (uint64_t)mono_diff_us(b->agent.since, mono_now()) / 1000;
}

/* What was overruled by `shunt enable` is over, and so is that it was. */
static void forget_overruling(struct engine *e, const struct backend *b)
{
	const struct edit *edit = edits_find(e->edits, b->service->name, b->name);
	struct edit x;

	if (!edit || !edit->enabled || b->agent.in_force.admin != AGENT_READY)
		return;
	x = *edit;
	x.enabled = false;
	if (edits_put(e->edits, &x) || edits_save(e))
		log_warning("backend %s/%s: an edit that is over is not forgotten",
			    b->service->name, b->name);
}

static void tell(struct engine *e, struct backend *b, enum standing before, bool weighs)
{
	struct history_event event = {.from = before, .to = backend_standing(b)};

	snprintf(event.by, sizeof(event.by), "its agent");
	if (weighs)
		snprintf(event.reason, sizeof(event.reason), "weight %u, %u%% of %u: %.80s",
			 b->weight, b->agent.in_force.percent, b->conf->weight, b->agent.words);
	else
		snprintf(event.reason, sizeof(event.reason), "%s", b->agent.words);
	changes_tell(e, b, SHUNT_EVENT_HEALTH, &event);
}

/* A weight on its way is told of when it has come to its end. */
static bool step(struct engine *e, struct backend *b)
{
	const enum standing before = backend_standing(b);
	const struct agent_wish was = b->agent.in_force;
	const struct agent_wish *now = &b->agent.in_force;

	if (b->leaving || !agent_step(&b->agent.in_force, b->agent.wanted))
		return false;
	if (now->admin != was.admin || agent_wish_is_same(was, AGENT_NO_WISH))
		b->agent.since = mono_now();
	forget_overruling(e, b);
	edits_to_backend(e, b);
	if (now->admin != was.admin)
		tell(e, b, before, false);
	if (now->percent != was.percent && now->percent == b->agent.wanted.percent)
		tell(e, b, backend_standing(b), true);
	return true;
}

/* ---- pace ---------------------------------------------------------------------------------------*/

static bool is_on_its_way(const struct backend *b)
{
	return !b->leaving && !agent_wish_is_same(b->agent.wanted, b->agent.in_force);
}

static bool step_all(struct engine *e, struct service *s, bool *more)
{
	bool changed = false;

	s->agents_step = false;
	for (size_t i = 0; i < s->n_backends; i++) {
		changed |= step(e, s->backends[i]);
		s->agents_step |= is_on_its_way(s->backends[i]);
	}
	if (changed)
		service_touch(e, s);
	*more |= s->agents_step;
	return changed;
}

/* At once, unless something was changed less than a second ago. */
static void wake(struct engine *e)
{
	struct agents *a = e->agents;
	int64_t us = mono_is_never(a->ticked)
			     ? 0
			     : AGENT_PACE_MS * 1000 - mono_diff_us(a->ticked, mono_now());
	struct timeval wait = {.tv_sec = us / 1000000, .tv_usec = us % 1000000};

	if (us < 0)
		wait = (struct timeval){0};
	if (!event_pending(a->tick, EV_TIMEOUT, NULL))
		event_add(a->tick, &wait);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;
	bool changed = false, more = false;

	(void)fd;
	(void)what;
	e->agents->ticked = mono_now();
	for (size_t i = 0; i < e->n_services; i++)
		if (e->services[i]->agents_step)
			changed |= step_all(e, e->services[i], &more);
	if (changed)
		save(e);
	if (more)
		wake(e);
}

/* ---- what is heard ------------------------------------------------------------------------------*/

/* Of what somebody has said since the checks began; until then what was. Who says nothing of it does not
 * hold on to what another one has asked for. */
static void join(struct backend *b)
{
	struct agent_wish said = {.admin = AGENT_READY, .percent = CHECK_WEIGHT_PERCENT_MAX};
	bool admin = false, percent = false;

	for (size_t i = 0; i < b->n_checks; i++) {
		const struct probing *p = &b->checks[i];
		struct agent_wish one = p->agent;

		if (!p->says_admin)
			one.admin = AGENT_READY;
		if (!p->says_percent)
			one.percent = CHECK_WEIGHT_PERCENT_MAX;
		said = agent_join(said, one);
		admin |= p->says_admin;
		percent |= p->says_percent;
	}
	if (admin)
		b->agent.wanted.admin = said.admin;
	if (percent)
		b->agent.wanted.percent = said.percent;
}

void agents_hear(struct engine *e, struct probing *p)
{
	struct backend *b = p->backend;
	const struct agent_wish before = b->agent.wanted;
	bool changed;

	if (p->result.layer != CHECK_LAYER_7 ||
	    (p->result.code != CHECK_OK && p->result.code != CHECK_SAYS_DOWN))
		return;
	if (!p->says_admin && !p->says_percent)
		p->agent = AGENT_NO_WISH;
	changed = agent_hear(&p->agent, &p->result);
	p->says_admin |= agent_speaks_of_admin(&p->result);
	p->says_percent |= agent_speaks_of_weight(&p->result);
	join(b);
	changed |= !agent_wish_is_same(before, b->agent.wanted);
	if (changed || !b->agent.words[0])
		snprintf(b->agent.words, sizeof(b->agent.words), "%s", p->result.text);
	if (agent_wish_is_same(before, b->agent.wanted) && !is_on_its_way(b))
		return;
	b->service->agents_step = true;
	wake(e);
}

void agents_begin(struct engine *e, struct backend *b)
{
	struct agent_wish wish = AGENT_NO_WISH;
	bool asks = false;

	for (size_t i = 0; i < b->n_checks; i++)
		asks |= asks_agent(b, i);
	if (asks == b->agent.begun)
		return; /* as it is, until the new checks have heard */
	if (asks && !e->said_ready)
		wish = left_of(e->agents, b);
	b->agent.wanted = b->agent.in_force = wish;
	b->agent.begun = asks;
	if (!agent_wish_is_same(wish, AGENT_NO_WISH))
		snprintf(b->agent.words, sizeof(b->agent.words),
			 "its agent asked so before the restart");
	edits_to_backend(e, b);
}

/* ---- opening ------------------------------------------------------------------------------------*/

int agents_open(struct engine *e, struct engine_error *err)
{
	e->agents = calloc(1, sizeof(*e->agents));
	if (e->agents) {
		e->agents->ticked = mono_never();
		e->agents->tick = evtimer_new(e->base, on_tick, e);
	}
	if (e->agents && e->agents->tick && load(e) == 0)
		return 0;
	snprintf(err->text, sizeof(err->text), "no memory");
	return -ENOMEM;
}

void agents_close(struct engine *e)
{
	if (!e->agents)
		return;
	if (e->agents->tick)
		event_free(e->agents->tick);
	free(e->agents->left);
	free(e->agents);
	e->agents = NULL;
}
