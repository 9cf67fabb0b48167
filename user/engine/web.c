/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/web.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "io/stats_server.h"
#include "io/web.h"
#include "pure/msg.h"

struct webs {
	struct conf_web conf; /* as it was started */
	struct web *web; /* NULL: it could not be */
	uint64_t restarts; /* of those before */
};

static int on_request(void *arg, const void *request, size_t len, struct msg_out *o)
{
	struct engine *e = arg;

	return stats_server_answer(e->stats, request, len, o);
}

static void on_trouble(void *arg, const char *words)
{
	(void)arg;
	log_warning("web: %s", words);
}

static bool is_same(const struct conf_web *a, const struct conf_web *b)
{
	return a->on == b->on && a->metrics_limit == b->metrics_limit &&
	       a->listen.port == b->listen.port &&
	       addr_compare(&a->listen.addr, &b->listen.addr) == 0;
}

static void start(struct engine *e)
{
	const struct conf_web *conf = &e->conf->web;
	const struct web_setup setup = {
		.base = e->base,
		.listen = conf->listen.addr,
		.port = conf->listen.port,
		.user = e->conf->probe_user,
		.metrics_limit = conf->metrics_limit,
		.answer = on_request,
		.trouble = on_trouble,
		.arg = e,
	};
	int err = web_open(&setup, &e->webs->web);

	if (err)
		log_error("web: cannot start the process that serves the page and the metrics as "
			  "user \"%s\": %s",
			  e->conf->probe_user, strerror(-err));
}

static void stop(struct webs *w)
{
	if (w->web)
		w->restarts += web_restarts(w->web);
	web_close(w->web);
	w->web = NULL;
}

void webs_configure(struct engine *e)
{
	if (!e->webs)
		e->webs = calloc(1, sizeof(*e->webs));
	if (!e->webs || !e->stats || is_same(&e->webs->conf, &e->conf->web))
		return;
	stop(e->webs);
	e->webs->conf = e->conf->web;
	if (e->conf->web.on)
		start(e);
}

void webs_close(struct engine *e)
{
	if (e->webs)
		stop(e->webs);
	free(e->webs);
	e->webs = NULL;
}

void webs_tell(struct engine *e, const struct msg_event *event)
{
	char buf[2048] __attribute__((aligned(8)));
	struct msg_out o = {.buf = buf, .size = sizeof(buf)};

	if (e->webs && e->webs->web && msg_put_event(&o, event) == 0)
		web_tell(e->webs->web, o.buf, o.used);
}

void webs_view(const struct engine *e, struct view_status *out)
{
	char text[ADDR_PORT_TEXT_MAX];
	const struct webs *w = e->webs;

	if (!w || !w->conf.on)
		return;
	snprintf(out->web, sizeof(out->web), "http://%s/",
		 addr_port_format(&w->conf.listen.addr, w->conf.listen.port, text));
	snprintf(out->web_why, sizeof(out->web_why), "%s",
		 w->web ? web_why(w->web) : "its process could not be started; the log says why");
}

uint64_t webs_restarts(const struct engine *e)
{
	if (!e->webs)
		return 0;
	return e->webs->restarts + (e->webs->web ? web_restarts(e->webs->web) : 0);
}
