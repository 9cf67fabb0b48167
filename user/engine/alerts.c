/* SPDX-License-Identifier: BSD-2-Clause */
/* Events to whoever the configuration says is to be told. */
#include "engine/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "io/notify.h"
#include "io/post.h"
#include "pure/event_text.h"

enum { ALERT_EXEC, ALERT_WEBHOOK, ALERTS };

struct alerts {
	struct notify *to[ALERTS];
	char timeout[16]; /* of the webhook, as its program's argument */
	char *exec[CONF_NOTIFY_ARGS + 1]; /* copies: a reload frees the configuration's */
	char *post[5];
	uint32_t timeout_ms, a_minute;
};

static void complain(void *arg, const char *words)
{
	engine_warn(arg, "notify: %s", words);
}

static int start(struct engine *e, int which, char *const *argv)
{
	const bool webhook = which == ALERT_WEBHOOK;
	const struct notify_setup setup = {
		.base = e->base,
		.argv = argv,
		.name = webhook ? "webhook" : argv[0],
		.user = e->conf->probe_user,
		.timeout_ms = e->conf->notify.timeout_ms + (webhook ? 500 : 0), /* it has its own */
		.a_minute = e->conf->notify.a_minute,
		.complain = complain,
		.status_words = webhook ? post_words : NULL,
		.arg = e,
	};

	return notify_open(&setup, &e->alerts->to[which]);
}

static int start_webhook(struct engine *e, struct alerts *a)
{
	static char self[] = "/proc/self/exe", mode[] = "--post";

	snprintf(a->timeout, sizeof(a->timeout), "%u", e->conf->notify.timeout_ms);
	a->post[0] = self;
	a->post[1] = mode;
	a->post[2] = strdup(e->conf->notify.webhook);
	a->post[3] = a->timeout;
	return a->post[2] ? start(e, ALERT_WEBHOOK, a->post) : -ENOMEM;
}

static int start_exec(struct engine *e, struct alerts *a)
{
	for (size_t i = 0; e->conf->notify.exec[i]; i++) {
		a->exec[i] = strdup(e->conf->notify.exec[i]);
		if (!a->exec[i])
			return -ENOMEM;
	}
	return start(e, ALERT_EXEC, a->exec);
}

void alerts_close(struct engine *e)
{
	struct alerts *a = e->alerts;

	if (!a)
		return;
	for (int i = 0; i < ALERTS; i++)
		notify_close(a->to[i]);
	for (size_t i = 0; a->exec[i]; i++)
		free(a->exec[i]);
	free(a->post[2]);
	free(a);
	e->alerts = NULL;
}

static bool texts_are_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_same(const struct alerts *a, const struct conf_notify *conf)
{
	if (!a || a->timeout_ms != conf->timeout_ms || a->a_minute != conf->a_minute)
		return false;
	for (size_t i = 0; i <= CONF_NOTIFY_ARGS; i++)
		if (!texts_are_same(a->exec[i], conf->exec[i]))
			return false;
	return texts_are_same(a->post[2], conf->webhook);
}

void alerts_configure(struct engine *e)
{
	const struct conf_notify *conf = &e->conf->notify;
	int err = 0;

	if (is_same(e->alerts, conf))
		return;
	alerts_close(e);
	if (!conf->exec[0] && !conf->webhook)
		return;
	e->alerts = calloc(1, sizeof(*e->alerts));
	if (e->alerts) {
		e->alerts->timeout_ms = conf->timeout_ms;
		e->alerts->a_minute = conf->a_minute;
	}
	if (!e->alerts)
		err = -ENOMEM;
	if (!err && conf->exec[0])
		err = start_exec(e, e->alerts);
	if (!err && conf->webhook)
		err = start_webhook(e, e->alerts);
	if (err)
		log_error("notify: cannot run programs as user \"%s\": %s; nobody is told",
			  e->conf->probe_user, strerror(-err));
}

void alerts_tell(struct engine *e, const struct msg_event *event)
{
	char variables[EVENT_VARIABLES][EVENT_VARIABLE_MAX], json[EVENT_JSON_MAX];
	const char *env[EVENT_VARIABLES + 1] = {0};

	if (!e->alerts || !event_is_news(event))
		return;
	for (size_t i = 0; i < EVENT_VARIABLES; i++)
		env[i] = event_variable(event, i, variables[i]);
	event_json(event, json);
	for (int i = 0; i < ALERTS; i++)
		if (e->alerts->to[i])
			notify_run(e->alerts->to[i], json, env);
}
