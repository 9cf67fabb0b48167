/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/passive.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "pure/passive.h"

#define TICK_MS 100

/* What is known of a backend's packets. */
struct passive {
	uint32_t row; /* whose counts were read */
	uint32_t step_ms; /* between readings */
	struct passive_track track;
	struct passive_state state;
	mono_t since; /* when it was taken out, or came back, or was suspected */
	bool fell; /* its check has said down while it was out */
};

static const struct passive_policy *policy_of(const struct service *s)
{
	return &s->conf->passive;
}

static bool is_judged(const struct service *s)
{
	return s->conf && policy_of(s)->action != PASSIVE_OFF;
}

bool passive_is_out(const struct backend *b)
{
	return b->passive && b->passive->state.out;
}

/* ---- what is told ------------------------------------------------------------------------------*/

static void tell(struct engine *e, struct backend *b, enum standing from, const char *reason)
{
	struct history_event event = {.from = from, .to = backend_standing(b), .code = "PASSIVE"};

	snprintf(event.reason, sizeof(event.reason), "%s", reason);
	changes_tell(e, b, SHUNT_EVENT_HEALTH, &event);
}

static void tell_suspected(struct engine *e, struct backend *b, enum passive_change change,
			   enum standing from)
{
	const struct passive_policy *p = policy_of(b->service);
	const struct passive_state *s = &b->passive->state;
	char found[PASSIVE_WORDS_MAX], reason[HISTORY_REASON_MAX];

	passive_words(&s->finding, found);
	if (change == PASSIVE_TAKEN_OUT)
		snprintf(reason, sizeof(reason), "%s; out for %u s at least", found,
			 (uint32_t)(mono_diff_us(mono_now(), s->back_at) / 1000000 + 1));
	else
		snprintf(reason, sizeof(reason), "%s; stays in%s", found,
			 p->action == PASSIVE_MARK ? " (action: mark)" : ": too few would be left");
	tell(e, b, from, reason);
}

void passive_view(const struct backend *b, struct view_backend *out)
{
	const struct passive *v = b->passive;
	const mono_t now = mono_now();

	if (!v || (!v->state.out && mono_is_never(v->state.suspected)))
		return;
	passive_words(&v->state.finding, out->passive);
	out->passive_out = v->state.out;
	out->passive_age_ms = (uint64_t)mono_diff_us(v->since, now) / 1000;
	if (v->state.out && mono_diff_us(now, v->state.back_at) > 0)
		out->passive_back_ms = (uint64_t)mono_diff_us(now, v->state.back_at) / 1000;
}

/* ---- coming back -------------------------------------------------------------------------------*/

/* It stood as @from until now. */
static void come_back(struct engine *e, struct backend *b, enum standing from, const char *why)
{
	struct passive *v = b->passive;

	v->since = mono_now();
	passive_forget(&v->track);
	service_touch(e, b->service);
	tell(e, b, from, why);
}

/* One that is out: may it come back? */
static void try_back(struct engine *e, struct backend *b)
{
	struct passive *v = b->passive;
	const bool bad = b->health.state == HEALTH_DOWN, recovered = v->fell && !bad;
	const enum standing from = backend_standing(b);
	char why[HISTORY_REASON_MAX];

	v->fell = v->fell || bad;
	if (!passive_returns(&v->state, bad, recovered, mono_now()))
		return;
	if (recovered)
		snprintf(why, sizeof(why), "passive: back, as its check says up again");
	else
		snprintf(why, sizeof(why),
			 "passive: back after its time%s; %u s if it is taken out again soon",
			 b->health.state == HEALTH_UP ? ", and its check says up" : "",
			 passive_hold_ms(&v->state, policy_of(b->service)) / 1000);
	come_back(e, b, from, why);
}

/* ---- judging -----------------------------------------------------------------------------------*/

static bool is_wanted(const struct backend *b)
{
	return b->weight && !b->drained && !b->disabled && !b->leaving;
}

static struct passive_room room_of(const struct service *s)
{
	struct passive_room room = {.panic = s->conf->panic};

	for (size_t i = 0; i < s->n_backends; i++) {
		const struct backend *b = s->backends[i];

		if (!is_wanted(b))
			continue;
		room.wanted++;
		room.out += passive_is_out(b);
		room.up += !passive_is_out(b) && health_is_usable(&b->health) && b->usable;
	}
	return room;
}

static void found(struct engine *e, struct backend *b, const struct passive_finding *f)
{
	const struct passive_policy *p = policy_of(b->service);
	const struct passive_room room = room_of(b->service);
	const enum standing from = backend_standing(b);
	struct passive *v = b->passive;
	const enum passive_change change =
		passive_found(&v->state, p, f, passive_may_take(p, &room), mono_now());

	if (change == PASSIVE_SAME)
		return;
	v->since = mono_now();
	if (change == PASSIVE_CLEARED) {
		tell(e, b, from, "passive: nothing speaks against it any more");
		return;
	}
	if (change == PASSIVE_TAKEN_OUT) {
		v->fell = b->health.state == HEALTH_DOWN;
		service_touch(e, b->service);
	}
	tell_suspected(e, b, change, from);
}

static void read_backend(const struct engine *e, struct backend *b)
{
	struct passive_totals now;
	struct passive *v = b->passive;
	const uint32_t row = b->service->row + b->number;
	const uint32_t step_ms = passive_step_ms(policy_of(b->service));

	if (!v) {
		v = calloc(1, sizeof(*v));
		if (!v)
			return;
		b->passive = v;
	}
	dp_passive_read(e->dp, row, &now);
	if (v->row != row || v->step_ms != step_ms)
		v->track.has_last = false;
	v->row = row;
	v->step_ms = step_ms;
	passive_note(&v->track, &now);
	if (!b->in_slots || v->state.out)
		passive_forget(&v->track); /* what goes there is not what goes to the others */
}

static void judge(struct engine *e, struct service *s)
{
	auto_free struct passive_finding *findings = calloc(s->n_backends, sizeof(*findings));
	auto_free const struct passive_track **tracks = calloc(s->n_backends, sizeof(*tracks));
	auto_free struct backend **judged = calloc(s->n_backends, sizeof(struct backend *));
	size_t n = 0;

	if (!findings || !tracks || !judged)
		return;
	for (size_t i = 0; i < s->n_backends; i++) {
		struct backend *b = s->backends[i];

		if (!b->passive || b->passive->state.out)
			continue;
		judged[n] = b;
		tracks[n++] = &b->passive->track;
	}
	if (passive_judge(policy_of(s), tracks, n, findings))
		return;
	for (size_t i = 0; i < n; i++)
		found(e, judged[i], &findings[i]);
}

static void tick(struct engine *e, struct service *s, mono_t now)
{
	const int64_t step_us = (int64_t)passive_step_ms(policy_of(s)) * 1000;

	if (!mono_is_never(s->passive_at) &&
	    mono_diff_us(s->passive_at, now) < step_us - TICK_MS * 1000 / 2)
		return;
	s->passive_at = now;
	for (size_t i = 0; i < s->n_backends; i++) {
		read_backend(e, s->backends[i]);
		if (passive_is_out(s->backends[i]))
			try_back(e, s->backends[i]);
	}
	judge(e, s);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;
	const mono_t now = mono_now();

	(void)fd, (void)what;
	for (size_t i = 0; i < e->n_services; i++)
		if (is_judged(e->services[i]) && e->services[i]->n_backends)
			tick(e, e->services[i], now);
}

/* ---- following the configuration ---------------------------------------------------------------*/

static void drop(struct engine *e, struct backend *b)
{
	const enum standing from = backend_standing(b);

	if (passive_is_out(b)) {
		b->passive->state.out = false;
		come_back(e, b, from,
			  "passive: back, as its service has no passive checks that do so");
	}
	free(b->passive);
	b->passive = NULL;
}

/* Whoever is followed or taken out without the configuration saying so is not any more. */
static void reconcile(struct engine *e, struct service *s)
{
	for (size_t i = 0; i < s->n_backends; i++) {
		struct backend *b = s->backends[i];

		if (b->passive && (!is_judged(s) ||
				   (b->passive->state.out && policy_of(s)->action != PASSIVE_DOWN)))
			drop(e, b);
	}
}

void passive_configure(struct engine *e)
{
	const struct timeval interval = {.tv_usec = TICK_MS * 1000};
	bool any = false;

	for (size_t i = 0; i < e->n_services; i++) {
		reconcile(e, e->services[i]);
		any |= is_judged(e->services[i]);
	}
	if (any && !e->passive)
		e->passive = event_new(e->base, -1, EV_PERSIST, on_tick, e);
	if (any && e->passive && !event_pending(e->passive, EV_TIMEOUT, NULL))
		event_add(e->passive, &interval);
	if (!any)
		passive_close(e);
}

void passive_close(struct engine *e)
{
	if (e->passive)
		event_free(e->passive);
	e->passive = NULL;
}
