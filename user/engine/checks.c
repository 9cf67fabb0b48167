/* SPDX-License-Identifier: BSD-2-Clause */
/* Probe results to health: of each check, of what services need, and of backends by all of their checks. */
#include "engine/state.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "engine/agents.h"
#include "engine/paths.h"
#include "engine/questions.h"

/* ---- one check ----------------------------------------------------------------------------------*/

static const struct conf_check *check_of(const struct probing *p)
{
	if (p->gate)
		return p->gate->conf;
	return conf_service_check(p->backend->service->conf, (size_t)(p - p->backend->checks));
}

static struct probe_pool *pool_of(const struct engine *e, const struct probing *p)
{
	return p->by_path ? paths_pool(e) : e->probes;
}

/* Has it asked, on a client's way where the question says so. */
static int ask(struct engine *e, struct probing *p, struct probe_question *q)
{
	int err = 0;

	p->by_path = q->from.family != 0;
	if (p->by_path)
		err = paths_take(e, p->backend, &q->from);
	return err ? err : probe_pool_add(pool_of(e, p), p->id, q);
}

/* A state that an earlier check or daemon had concluded stays until this one has: unknown does not mean
 * down, and down is not up before it has answered. */
static int start(struct engine *e, struct probing *p, struct probe_question *q, bool down)
{
	int err;

	health_init(&p->health, down ? HEALTH_DOWN : HEALTH_UNKNOWN, mono_now());
	if (q->kind == CONF_CHECK_NONE) {
		health_init(&p->health, HEALTH_UNCHECKED, mono_now());
		return 0;
	}
	p->id = ++e->last_probe_id;
	err = index_add(&e->by_probe, &p->by_probe, p->id);
	if (!err) {
		err = ask(e, p, q);
		if (err)
			index_remove(&e->by_probe, &p->by_probe);
	}
	if (err)
		p->id = 0;
	return err;
}

static void stop(struct engine *e, struct probing *p)
{
	if (!p->id)
		return;
	probe_pool_remove(pool_of(e, p), p->id);
	index_remove(&e->by_probe, &p->by_probe);
	p->id = 0;
}

static bool answers_badly(const struct probing *p)
{
	return p->has_result && check_verdict(&p->result) == CHECK_BAD;
}

/* ---- all checks of a backend --------------------------------------------------------------------*/

static enum health_state joined(const struct backend *b)
{
	enum health_state states[CONF_CHECKS_OF_SERVICE];

	for (size_t i = 0; i < b->n_checks; i++)
		states[i] = health_counts_as(&b->checks[i].health);
	return health_joined(b->service->conf->join, states, b->n_checks);
}

int checks_start(struct engine *e, struct backend *b)
{
	const size_t n = conf_service_checks(b->service->conf);
	const bool down = b->health.state == HEALTH_DOWN;
	int err = 0;

	b->checks = calloc(n, sizeof(*b->checks));
	if (!b->checks)
		return -ENOMEM;
	b->n_checks = n;
	b->decided = 0;
	for (size_t i = 0; i < n && !err; i++) {
		struct probe_question q;

		b->checks[i].backend = b;
		question_of(conf_service_check(b->service->conf, i), b->service->conf, b->conf, &q);
		err = start(e, &b->checks[i], &q, down);
	}
	if (err)
		checks_stop(e, b);
	agents_begin(e, b);
	if (joined(b) != b->health.state || mono_is_never(b->health.since))
		health_init(&b->health, joined(b), mono_now());
	return err;
}

void checks_stop(struct engine *e, struct backend *b)
{
	for (size_t i = 0; i < b->n_checks; i++)
		stop(e, &b->checks[i]);
	paths_give(e, b);
	free(b->checks);
	b->checks = NULL;
	b->n_checks = 0;
}

/* ---- what is told -------------------------------------------------------------------------------*/

static bool is_down(const struct gate *g)
{
	return g->probing.health.state == HEALTH_DOWN;
}

/* Of what @s needs the first that is down; if none is any more, the first; NULL: it needs nothing. */
static const struct gate *needed(const struct service *s)
{
	for (size_t i = 0; s->gates[i]; i++)
		if (is_down(s->gates[i]))
			return s->gates[i];
	return s->gates[0];
}

static void reason_of(const struct probing *p, enum health_state before, enum health_change change,
		      char *out, size_t size)
{
	const struct health_policy policy = conf_check_policy(check_of(p));
	const uint16_t took = health_took(before, p->health.state, &policy);
	const struct gate *gate = p->health.cut ? needed(p->backend->service) : NULL;
	const mono_t now = mono_now();

	if (p->health.cut)
		snprintf(out, size, "%.52s; it needs %.40s, which is down: %.36s", p->result.text,
			 gate ? gate->name : "?", gate ? gate->probing.result.text : "");
	else if (change == HEALTH_HELD)
		snprintf(out, size,
			 "it answers, but comes and goes: held down for %u s, until its penalty %u "
			 "is below %u",
			 health_held_s(&p->health, &policy.flap, now),
			 health_penalty(&p->health, &policy.flap, now), policy.flap.reuse);
	else if (change == HEALTH_GOES_UP && before == p->health.state)
		snprintf(out, size, "%s: it answers again", p->result.text);
	else
		snprintf(out, size, "%s, %u of %u", p->result.text, took, took);
}

/* Whether it does not matter to how it stands that it is up. */
static bool stands_by_hand(const struct backend *b)
{
	return b->drained || b->disabled || b->leaving;
}

/* The check @p of a backend has changed, and the backend with it or not. */
static void tell_backend(struct engine *e, struct probing *p, enum health_state before,
			 enum health_state own, enum health_change change)
{
	struct backend *b = p->backend;
	struct history_event event = {
		.from = (enum standing)before,
		.to = (enum standing)b->health.state,
		.latency_us = p->result.latency_us,
	};

	/* It was told of when it began to stand so, and is when that ends. */
	if (before == HEALTH_UNKNOWN && event.to == STANDING_UP && stands_by_hand(b))
		return;

	check_name(&p->result, event.code);
	memcpy(event.check, check_of(p)->name, sizeof(event.check));
	reason_of(p, own, change, event.reason, sizeof(event.reason));
	changes_tell(e, b, SHUNT_EVENT_HEALTH, &event);
}

/* Looks for one that has made the state of @b what it is, beginning with who did so last. */
static void find_decided(struct backend *b)
{
	for (size_t i = 0; i < b->n_checks; i++) {
		if (health_counts_as(&b->checks[b->decided].health) == b->health.state)
			return;
		b->decided = i;
	}
}

/* Takes what has become of @p, one of its backend's checks, for the whole backend. */
static void rejoin(struct engine *e, struct probing *p, enum health_state own,
		   enum health_change change)
{
	struct backend *b = p->backend;
	const enum health_state before = b->health.state, now = joined(b);

	if (now != before) {
		health_init(&b->health, now, mono_now());
		b->decided = (size_t)(p - b->checks);
		service_touch(e, b->service);
	}
	find_decided(b);
	tell_backend(e, p, before, own, change);
}

static void set_pace(const struct engine *e, const struct probing *p)
{
	const struct health_policy policy = conf_check_policy(check_of(p));

	if (p->id)
		probe_pool_pace(pool_of(e, p), p->id, health_pace_ms(&p->health, &policy));
}

static void tell_joined(struct engine *e, struct backend *b, enum health_state before)
{
	const struct probing *p = &b->checks[b->decided];
	struct history_event event = {
		.from = (enum standing)before,
		.to = (enum standing)b->health.state,
	};

	memcpy(event.check, check_of(p)->name, sizeof(event.check));
	snprintf(event.reason, sizeof(event.reason), "%.90s%sits checks count otherwise now",
		 p->result.text, p->result.text[0] ? "; " : "");
	changes_tell(e, b, SHUNT_EVENT_HEALTH, &event);
}

void checks_follow(struct engine *e, struct backend *b)
{
	const enum health_state before = b->health.state, now = joined(b);

	for (size_t i = 0; i < b->n_checks; i++)
		set_pace(e, &b->checks[i]);
	if (now == before || !b->n_checks)
		return;
	health_init(&b->health, now, mono_now());
	find_decided(b);
	tell_joined(e, b, before);
}

void checks_view(const struct backend *b, struct view_backend *out)
{
	const struct probing *p;

	if (b->decided >= b->n_checks || !b->checks[b->decided].has_result)
		return;
	p = &b->checks[b->decided];
	check_name(&p->result, out->code);
	memcpy(out->check, check_of(p)->name, sizeof(out->check));
	out->latency_us = p->result.latency_us;
	if (p->health.cut || p->health.held)
		reason_of(p, HEALTH_UP, p->health.held ? HEALTH_HELD : HEALTH_SAME, out->reason,
			  sizeof(out->reason));
	else
		snprintf(out->reason, sizeof(out->reason), "%s", p->result.text);
}

/* ---- gates --------------------------------------------------------------------------------------*/

static bool needs(const struct service *s, const struct gate *g)
{
	size_t i = 0;

	while (s->gates[i] && s->gates[i] != g)
		i++;
	return s->gates[i];
}

/* All that need @g, if they do not answer, are cut off. */
static void gate_falls(struct engine *e, const struct gate *g)
{
	for (size_t i = 0; i < e->n_services; i++) {
		struct service *s = e->services[i];

		for (size_t k = 0; needs(s, g) && k < s->n_backends; k++) {
			struct backend *b = s->backends[k];

			for (size_t n = 0; n < b->n_checks; n++)
				if (health_gate_fell(&b->checks[n].health,
						     answers_badly(&b->checks[n])))
					rejoin(e, &b->checks[n], b->health.state, HEALTH_GOES_DOWN);
		}
	}
}

static void gate_changed(struct engine *e, const struct gate *g, enum health_change change)
{
	engine_tell(e, SHUNT_EVENT_HEALTH, NULL, NULL, "check %s: %s: %s", g->name,
		    health_name(g->probing.health.state), g->probing.result.text);
	if (change == HEALTH_GOES_DOWN)
		gate_falls(e, g);
}

static struct gate *find_gate(const struct engine *e, const char *name)
{
	for (size_t i = 0; i < e->n_gates; i++)
		if (e->gates[i] && strcmp(e->gates[i]->name, name) == 0)
			return e->gates[i];
	return NULL;
}

static void drop(struct engine *e, struct gate *g)
{
	if (!g)
		return;
	stop(e, &g->probing);
	free(g);
}

void checks_drop_gates(struct engine *e)
{
	for (size_t i = 0; i < e->n_gates; i++)
		drop(e, e->gates[i]);
	free(e->gates);
	e->gates = NULL;
	e->n_gates = 0;
}

static struct gate *new_gate(struct engine *e, const struct conf_check *conf)
{
	struct gate *g = calloc(1, sizeof(*g));
	struct probe_question q;

	if (!g)
		return NULL;
	g->conf = conf;
	memcpy(g->name, conf->name, sizeof(g->name));
	g->probing.gate = g;
	question_of(conf, NULL, NULL, &q);
	if (start(e, &g->probing, &q, false) == 0)
		return g;
	log_error("check %s: cannot be followed", conf->name);
	free(g);
	return NULL;
}

/* The one that there was, if it asks the same still; it is the caller's then. */
static struct gate *take_gate(struct engine *e, const struct conf_check *conf)
{
	struct gate *g = find_gate(e, conf->name);
	struct probe_question before, after;

	if (!g)
		return NULL;
	question_of(g->conf, NULL, NULL, &before);
	question_of(conf, NULL, NULL, &after);
	if (memcmp(&before, &after, sizeof(before)) != 0)
		return NULL;
	for (size_t i = 0; i < e->n_gates; i++)
		if (e->gates[i] == g)
			e->gates[i] = NULL;
	g->conf = conf;
	set_pace(e, &g->probing);
	return g;
}

static bool is_needed(const struct conf *conf, const struct conf_check *check)
{
	for (size_t i = 0; i < conf->n_services; i++)
		for (size_t k = 0; conf->services[i].needs[k]; k++)
			if (conf->services[i].needs[k] == check)
				return true;
	return false;
}

static void join_gates(const struct engine *e, struct service *s)
{
	size_t n = 0;

	for (size_t i = 0; s->conf->needs[i]; i++) {
		s->gates[n] = find_gate(e, s->conf->needs[i]->name);
		n += s->gates[n] != NULL;
	}
	s->gates[n] = NULL;
}

void checks_follow_gates(struct engine *e, const struct conf *conf)
{
	struct gate **gates = calloc(conf->n_checks + 1, sizeof(struct gate *));
	size_t n = 0;

	for (size_t i = 0; gates && i < conf->n_checks; i++) {
		const struct conf_check *check = &conf->checks[i];

		if (addr_is_none(&check->target) || !is_needed(conf, check))
			continue;
		gates[n] = take_gate(e, check);
		if (!gates[n])
			gates[n] = new_gate(e, check);
		n += gates[n] != NULL;
	}
	checks_drop_gates(e);
	e->gates = gates;
	e->n_gates = n;
	for (size_t i = 0; i < e->n_services; i++)
		join_gates(e, e->services[i]);
}

/* ---- results ------------------------------------------------------------------------------------*/

/* Nothing comes back on a client's way: what a backend may lack for that. */
static void say_silent(struct probing *p)
{
	const struct backend *b = p->backend;
	const struct addr asked = question_asked(b->service->conf);
	const enum shunt_forward how = b->conf->forward;
	bool tunnels = how == SHUNT_IPIP || how == SHUNT_GUE || how == SHUNT_GRE;
	char vip[ADDR_TEXT_MAX];

	addr_format(&asked, vip);
	snprintf(p->result.text, sizeof(p->result.text), "no answer by %s: has it %s on lo%s?",
		 conf_forward_name(how), vip,
		 tunnels ? ", its end of the tunnel, and rp_filter 0 there" : "");
}

static void on_result(void *arg, uint64_t id, const struct check_result *r)
{
	struct engine *e = arg;
	struct index_node *node = index_first(&e->by_probe, id);
	struct probing *p = node ? container_of(node, struct probing, by_probe) : NULL;
	const struct gate *gate;
	struct health_policy policy;
	enum health_change change;
	enum health_state own;

	if (!p)
		return;
	p->result = *r;
	p->has_result = true;
	if (p->by_path && r->code == CHECK_TIMEOUT && r->layer == CHECK_LAYER_4)
		say_silent(p);
	if (p->backend && check_of(p)->kind == CONF_CHECK_AGENT)
		agents_hear(e, p);
	if (check_verdict(r) == CHECK_NO_VERDICT)
		return;
	gate = p->backend ? needed(p->backend->service) : NULL;
	policy = conf_check_policy(check_of(p));
	own = p->health.state;
	change = health_note_behind(&p->health, check_verdict(r) == CHECK_GOOD,
				    gate && is_down(gate), &policy, mono_now());
	set_pace(e, p);
	if (change != HEALTH_SAME && p->backend)
		rejoin(e, p, own, change);
	else if (change != HEALTH_SAME)
		gate_changed(e, p->gate, change);
}

static void on_restart(void *arg, const char *why)
{
	(void)arg;
	log_warning("checks: the probing process: %s", why);
}

struct probe_calls checks_calls(struct engine *e, probe_way_fn *way)
{
	return (struct probe_calls){
		.result = on_result, .restarted = on_restart, .way = way, .arg = e};
}

int checks_open(struct engine *e, struct engine_error *err)
{
	int ret =
		probe_pool_open(e->base, e->conf->probe_user, on_result, on_restart, e, &e->probes);

	if (ret == -EPERM)
		snprintf(
			err->text, sizeof(err->text),
			"probes read untrusted bytes and do not run as \"%s\"; set probe_user to a "
			"user without privileges, such as nobody",
			e->conf->probe_user);
	else if (ret)
		snprintf(err->text, sizeof(err->text),
			 "cannot start the probing process as user \"%s\": %s; set probe_user to "
			 "an existing user without privileges",
			 e->conf->probe_user, strerror(-ret));
	return ret;
}
