/* SPDX-License-Identifier: BSD-2-Clause */
/* Probe results to health, and health to slots. */
#include "engine/state.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"

/* What its kind says beyond address and time. */
static void question_of_kind(const struct conf_check *check, struct probe_question *q)
{
	memcpy(q->status, check->status, check->statuses * sizeof(q->status[0]));
	q->statuses = check->statuses;
	q->tls = check->tls == CONF_YES;
	q->verify = check->verify == CONF_YES;
	q->expiry_warn_days = check->expiry_warn_days;
	q->record = (uint8_t)check->record;
	q->transport = (uint8_t)check->transport;
	for (size_t i = 0; i < CONF_CHECK_TEXTS; i++) {
		const struct conf_text *t = &check->texts[i];

		/* There is room for the longest that a configuration can say. */
		if (t->len && probe_question_set(q, i, t->bytes, t->len) < 0)
			log_error("checks: a text of a check was left out, since it is too long");
	}
}

void checks_question(const struct conf_service *s, const struct conf_backend *b,
		     struct probe_question *q)
{
	const struct conf_check *check = &s->check;

	memset(q, 0, sizeof(*q)); /* compared by memcmp */
	q->kind = check->kind;
	if (check->kind == CONF_CHECK_NONE)
		return;
	q->addr = b->addr;
	q->port = check->port ? check->port : b->port;
	q->interval_ms = check->interval_ms;
	q->timeout_ms = check->timeout_ms;
	q->jitter = (uint8_t)check->jitter;
	question_of_kind(check, q);
}

int checks_start(struct engine *e, struct backend *b)
{
	struct probe_question q;
	int err;

	checks_question(b->service->conf, b->conf, &q);
	b->has_result = false;
	if (q.kind == CONF_CHECK_NONE) {
		health_init(&b->health, HEALTH_UNCHECKED, mono_now());
		return 0;
	}
	/* A state that an earlier check or daemon had concluded stays until this one has: unknown does
	 * not mean down, and down is not up before it has answered. */
	if (b->health.state != HEALTH_DOWN)
		health_init(&b->health, HEALTH_UNKNOWN, mono_now());
	b->probe_id = ++e->last_probe_id;
	err = index_add(&e->by_probe, &b->by_probe, b->probe_id);
	if (!err) {
		err = probe_pool_add(e->probes, b->probe_id, &q);
		if (err)
			index_remove(&e->by_probe, &b->by_probe);
	}
	if (err)
		b->probe_id = 0;
	return err;
}

void checks_stop(struct engine *e, struct backend *b)
{
	if (!b->probe_id)
		return;
	probe_pool_remove(e->probes, b->probe_id);
	index_remove(&e->by_probe, &b->by_probe);
	b->probe_id = 0;
}

static struct backend *by_probe_id(const struct engine *e, uint64_t id)
{
	struct index_node *node = index_first(&e->by_probe, id);

	return node ? container_of(node, struct backend, by_probe) : NULL;
}

static void tell_change(struct engine *e, struct backend *b, enum health_state before,
			enum health_change change)
{
	const struct health_policy policy = conf_check_policy(&b->service->conf->check);
	const mono_t now = mono_now();
	uint16_t took = health_took(before, b->health.state, &policy);
	struct history_event event = {
		.from = (enum standing)before,
		.to = (enum standing)b->health.state,
		.latency_us = b->result.latency_us,
	};

	check_name(&b->result, event.code);
	if (change == HEALTH_HELD)
		snprintf(event.reason, sizeof(event.reason),
			 "it answers, but comes and goes: held down for %u s, until its penalty %u "
			 "is below %u",
			 health_held_s(&b->health, &policy.flap, now),
			 health_penalty(&b->health, &policy.flap, now), policy.flap.reuse);
	else
		snprintf(event.reason, sizeof(event.reason), "%s, %u of %u", b->result.text, took,
			 took);
	changes_tell(e, b, SHUNT_EVENT_HEALTH, &event);
}

static void on_result(void *arg, uint64_t id, const struct check_result *r)
{
	struct engine *e = arg;
	struct backend *b = by_probe_id(e, id);
	struct health_policy policy;
	enum health_change change;
	enum health_state before;

	if (!b)
		return;
	b->result = *r;
	b->has_result = true;
	if (check_verdict(r) == CHECK_NO_VERDICT)
		return;
	before = b->health.state;
	policy = conf_check_policy(&b->service->conf->check);
	change = health_note(&b->health, check_verdict(r) == CHECK_GOOD, &policy, mono_now());
	probe_pool_pace(e->probes, id, health_pace_ms(&b->health, &policy));
	if (change == HEALTH_SAME)
		return;
	tell_change(e, b, before, change);
	if (change != HEALTH_HELD)
		service_touch(e, b->service);
}

static void on_restart(void *arg, const char *why)
{
	(void)arg;
	log_warning("checks: the probing process: %s", why);
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
