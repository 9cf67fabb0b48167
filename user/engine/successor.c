/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/successor.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "engine/engine.h"
#include "engine/plan.h"
#include "engine/policies.h"
#include "engine/quic.h"
#include "io/conf_file.h"
#include "io/execute.h"

/* The loop waits for it: so long at most, which is less than the client waits. */
#define WITHIN_MS 20000

static uint32_t few(uint32_t n)
{
	return n < 64 ? n : 64;
}

/* The same kinds of tables, and next to nothing in them. */
static int small_sizes(const struct conf *conf, struct dp_sizes *s)
{
	if (plan_sizes(conf, s) || policies_sizes(conf, s) || quic_sizes(conf, s))
		return -ENOMEM;
	s->services = few(s->services);
	s->spans = few(s->spans);
	s->rows = few(s->rows);
	s->slot_lines = few(s->slot_lines);
	s->flows = s->flows < 64 ? s->flows : 64;
	s->frags = s->frags < 64 ? s->frags : 64;
	s->nat = s->nat < 64 ? s->nat : 64;
	s->policies = few(s->policies);
	s->source_words = few(s->source_words);
	s->quic_records = few(s->quic_records);
	s->quic_places = few(s->quic_places);
	s->rate_sources = s->rate_sources < 64 ? s->rate_sources : 64;
	return 0;
}

static int load(const struct conf *conf, struct engine_error *err)
{
	struct dp_options opt = {0};
	struct dp_error why = {""};
	struct dp *dp = NULL;
	int ret = small_sizes(conf, &opt.sizes);

	if (ret)
		return ret;
	ret = dp_open(&opt, &dp, &why);
	if (ret)
		snprintf(err->text, sizeof(err->text), "%s", why.text);
	dp_close(dp);
	return ret;
}

int engine_try(const char *config, struct engine_error *summary, struct engine_error *err)
{
	struct conf_error why = {0};
	struct conf *conf = NULL;
	int ret = engine_check(config, summary, err);

	if (!ret)
		ret = conf_parse(config, conf_read_file, NULL, &conf, &why);
	if (!ret)
		ret = load(conf, err);
	conf_free(conf);
	return ret;
}

/* ---- the command --------------------------------------------------------------------------------*/

static void fail(struct ctl_reply *r, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void fail(struct ctl_reply *r, int status, const char *format, ...)
{
	va_list args;
	size_t used;

	r->status = status;
	va_start(args, format);
	vsnprintf(r->text, sizeof(r->text), format, args);
	va_end(args);
	used = strlen(r->text);
	snprintf(r->text + used, sizeof(r->text) - used,
		 "; the running daemon goes on, and nothing has changed");
}

/* Runs it with these arguments, of which the first is filled in; 0, or -errno with words in @r. */
static int run(const struct engine *e, char *argv[], char *text, size_t size, struct ctl_reply *r)
{
	const char *exe = e->start->exe;
	int status;

	argv[0] = (char *)exe;
	status = execute(exe, argv, WITHIN_MS, text, size);
	if (status == -ETIMEDOUT)
		fail(r, status, "%s %s has not ended within %d s", exe, argv[1], WITHIN_MS / 1000);
	else if (status < 0)
		fail(r, status, "cannot run %s: %s", exe, strerror(-status));
	else if (status > 0)
		fail(r, -ENOEXEC, "%s %s ends with exit status %d: %s", exe, argv[1], status, text);
	return status > 0 ? -ENOEXEC : status;
}

void successor_ask(struct engine *e, const struct ctl_command *c, struct ctl_reply *r)
{
	char version[128], text[1024];
	char *say_version[] = {NULL, "--version", NULL};
	char *try[] = {NULL, "--try", "-c", e->config_path, NULL};

	if (!e->start || !e->start->exe) {
		fail(r, -ENOTSUP, "this daemon does not know its executable");
		return;
	}
	if (run(e, say_version, version, sizeof(version), r) || run(e, try, text, sizeof(text), r))
		return;
	version[strcspn(version, "\n")] = '\0';
	snprintf(r->text, sizeof(r->text), "shuntd " SHUNT_VERSION " is replaced by %s (%s)",
		 e->start->exe, version);
	log_info("uid %u: %s", c->uid, r->text);
	e->replaced = true;
	e->replaced_accepting = c->accept;
	event_base_loopexit(e->base, NULL);
}

bool engine_is_replaced(const struct engine *e, bool *accepts_changes)
{
	*accepts_changes = e->replaced_accepting;
	return e->replaced;
}
