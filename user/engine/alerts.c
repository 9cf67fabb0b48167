/* SPDX-License-Identifier: BSD-2-Clause */
/* Events to whoever the configuration says is to be told. */
#include "engine/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "io/notify.h"
#include "io/notify_post.h"
#include "pure/event_text.h"

struct alerts {
	struct notify *exec; /* NULL: none */
	struct notify_post *post; /* the same */
	char *argv[CONF_NOTIFY_ARGS + 1]; /* copies: a reload frees the configuration's */
	char *urls[CONF_WEBHOOKS + 1];
	uint32_t timeout_ms, a_minute;
};
_Static_assert(CONF_WEBHOOKS <= NOTIFY_POST_HOOKS, "the process that posts has room for all");

static void complain(void *arg, const char *words)
{
	(void)arg;
	/* Not engine_warn(), which leaves out lines when there are many: this comes when there are. */
	log_warning("notify: %s", words);
}

static int copy_texts(char *to[], char *const from[])
{
	for (size_t i = 0; from[i]; i++) {
		to[i] = strdup(from[i]);
		if (!to[i])
			return -ENOMEM;
	}
	return 0;
}

static void free_texts(char *texts[])
{
	for (size_t i = 0; texts[i]; i++)
		free(texts[i]);
}

static int start_webhooks(struct engine *e, struct alerts *a)
{
	const struct notify_post_setup setup = {
		.base = e->base,
		.urls = (const char *const *)a->urls,
		.user = e->conf->probe_user,
		.timeout_ms = a->timeout_ms,
		.a_minute = a->a_minute,
		.complain = complain,
		.arg = e,
	};

	return notify_post_open(&setup, &a->post);
}

static int start_exec(struct engine *e, struct alerts *a)
{
	const struct notify_setup setup = {
		.base = e->base,
		.argv = a->argv,
		.name = a->argv[0],
		.user = e->conf->probe_user,
		.timeout_ms = a->timeout_ms,
		.a_minute = a->a_minute,
		.complain = complain,
		.arg = e,
	};

	return notify_open(&setup, &a->exec);
}

void alerts_close(struct engine *e)
{
	struct alerts *a = e->alerts;

	if (!a)
		return;
	notify_close(a->exec);
	notify_post_close(a->post);
	free_texts(a->argv);
	free_texts(a->urls);
	free(a);
	e->alerts = NULL;
}

static bool texts_are_same(char *const a[], char *const b[])
{
	size_t i = 0;

	while (a[i] && b[i] && strcmp(a[i], b[i]) == 0)
		i++;
	return !a[i] && !b[i];
}

static bool is_same(const struct alerts *a, const struct conf_notify *conf)
{
	return a && a->timeout_ms == conf->timeout_ms && a->a_minute == conf->a_minute &&
	       texts_are_same(a->argv, conf->exec) && texts_are_same(a->urls, conf->webhooks);
}

static int start(struct engine *e, const struct conf_notify *conf)
{
	struct alerts *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return -ENOMEM;
	e->alerts = a;
	a->timeout_ms = conf->timeout_ms;
	a->a_minute = conf->a_minute;
	err = copy_texts(a->argv, conf->exec);
	if (!err)
		err = copy_texts(a->urls, conf->webhooks);
	if (!err && a->argv[0])
		err = start_exec(e, a);
	if (!err && a->urls[0])
		err = start_webhooks(e, a);
	return err;
}

void alerts_configure(struct engine *e)
{
	const struct conf_notify *conf = &e->conf->notify;
	int err;

	if (is_same(e->alerts, conf))
		return;
	alerts_close(e);
	if (!conf->exec[0] && !conf->webhooks[0])
		return;
	err = start(e, conf);
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
	if (e->alerts->exec)
		notify_run(e->alerts->exec, json, env);
	if (e->alerts->post)
		notify_post_send(e->alerts->post, json);
}
