/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands of operators: reload, and the runtime edits that are kept in
 * <state_dir>/<instance>.edits. */
#include "engine/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "base/own.h"
#include "engine/agents.h"
#include "engine/drain.h"
#include "engine/explain.h"
#include "engine/successor.h"
#include "engine/upgrade.h"
#include "io/conf_file.h"
#include "io/ctl_server.h"

/* ---- the file -----------------------------------------------------------------------------------*/

static void edits_path(const struct engine *e, const char *suffix, char out[static 512])
{
	snprintf(out, 512, "%s/%s.edits%s", e->conf->state_dir, e->conf->instance, suffix);
}

int edits_load(struct engine *e, struct engine_error *err)
{
	auto_free char *text = NULL;
	unsigned int line = 0;
	char path[512];
	size_t len;
	int ret;

	e->edits = edits_new();
	if (!e->edits)
		return -ENOMEM;
	edits_path(e, "", path);
	ret = conf_read_file(NULL, path, &text, &len);
	if (ret == -ENOENT)
		return 0;
	if (!ret)
		ret = edits_parse(e->edits, text, len, &line);
	if (ret == -EINVAL)
		snprintf(err->text, sizeof(err->text),
			 "%s:%u: not a runtime edit; remove the line, or the file to forget all "
			 "edits",
			 path, line);
	else if (ret)
		snprintf(err->text, sizeof(err->text), "%s: %s", path, strerror(-ret));
	if (!ret && edits_count(e->edits))
		log_info("runtime edits from before are in force: %zu (%s)", edits_count(e->edits),
			 path);
	return ret;
}

static int write_file(const char *path, const char *text, size_t len)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) ? -errno : 0;
}

/* Written beside and moved into place, so that a crash leaves the old or the new edits. */
int edits_save(const struct engine *e)
{
	auto_free char *text = NULL;
	char path[512], fresh[512];
	size_t len;
	int err;

	err = edits_format(e->edits, &text, &len);
	if (err)
		return err;
	if (mkdir(e->conf->state_dir, 0755) && errno != EEXIST)
		return -errno;
	edits_path(e, "", path);
	edits_path(e, ".new", fresh);
	err = write_file(fresh, text, len);
	if (!err && rename(fresh, path))
		err = -errno;
	return err;
}

/* ---- onto the model -----------------------------------------------------------------------------*/

/* By hand nothing is said. */
static void agent_decides(struct engine *e, struct backend *b)
{
	b->drained = b->agent.in_force.admin == AGENT_DRAIN;
	b->disabled = b->agent.in_force.admin == AGENT_MAINT;
	if (b->drained)
		drain_begin(e, b, 0, 0);
	else
		drain_end(b);
}

void edits_to_backend(struct engine *e, struct backend *b)
{
	const struct edit *edit = edits_find(e->edits, b->service->name, b->name);

	if (b->leaving) {
		b->weight = 0;
		b->drained = b->disabled = b->edited = false;
		return;
	}
	b->weight = edit && edit->has_weight ? edit->weight : agents_weight(b);
	b->drained = edit && edit->drained;
	b->disabled = edit && edit->disabled;
	b->edited = edit != NULL;
	if (b->drained)
		drain_begin(e, b, edit->deadline, edit->deadline - edit->at);
	else if (agents_admin_counts(e, b))
		agent_decides(e, b);
	else
		drain_end(b);
}

static int configured_weight(void *arg, const char *service, const char *backend)
{
	const struct conf *conf = arg;
	const struct conf_service *s = conf_find_service(conf, service);
	const struct conf_backend *b = s ? conf_find_backend(s, backend) : NULL;

	return b ? b->weight : -1;
}

struct dropped {
	const struct conf *conf;
	struct engine_error *text;
};

static int configured_of(void *arg, const char *service, const char *backend)
{
	return configured_weight((void *)((struct dropped *)arg)->conf, service, backend);
}

static void note_dropped(void *arg, const char *sentence)
{
	struct engine_error *text = ((struct dropped *)arg)->text;
	size_t used = strlen(text->text);

	log_warning("%s", sentence);
	if (used < sizeof(text->text) - 2)
		snprintf(text->text + used, sizeof(text->text) - used, "%s%s", used ? "\n" : "",
			 sentence);
}

void edits_reconcile_all(struct engine *e, const struct conf *conf, struct engine_error *text)
{
	struct dropped d = {.conf = conf, .text = text};
	int err;

	if (!edits_reconcile(e->edits, configured_of, note_dropped, &d))
		return;
	err = edits_save(e);
	if (err)
		log_error("runtime edits not saved in %s: %s; mend state_dir, or they end with the "
			  "daemon",
			  conf->state_dir, strerror(-err));
}

/* ---- commands -----------------------------------------------------------------------------------*/

/* The names there are, for who asked for one that is not. */
static void list_services(const struct engine *e, char *out, size_t size)
{
	size_t i, used = 0;

	out[0] = '\0';
	for (i = 0; i < e->n_services && i < 20 && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "",
					 e->services[i]->name);
	if (e->n_services > 20 && used < size)
		snprintf(out + used, size - used, ", and %zu more", e->n_services - 20);
}

struct service *commands_service(const struct engine *e, const char *name, struct ctl_reply *r)
{
	struct service *s = service_find(e, name);
	char names[2048];

	if (s)
		return s;
	list_services(e, names, sizeof(names));
	r->status = -ENOENT;
	snprintf(r->text, sizeof(r->text), "there is no service \"%s\"; there are: %s", name,
		 names);
	return NULL;
}

static void list_backends(const struct service *s, char *out, size_t size)
{
	size_t i, used = 0;

	out[0] = '\0';
	for (i = 0; i < s->n_backends && i < 20 && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "",
					 s->backends[i]->name);
	if (s->n_backends > 20 && used < size)
		snprintf(out + used, size - used, ", and %zu more", s->n_backends - 20);
}

static struct backend *find_or_explain(const struct engine *e, const struct ctl_command *c,
				       struct ctl_reply *r)
{
	struct service *s = service_find(e, c->service);
	struct backend *b = s ? backend_find(s, c->backend) : NULL;
	char names[2048];

	if (b && !b->leaving)
		return b;
	r->status = -ENOENT;
	if (b) {
		snprintf(
			r->text, sizeof(r->text),
			"backend \"%s\" leaves service \"%s\": it is no longer configured, gets no "
			"new flows, and goes when those that it has have ended; put it back into "
			"the "
			"configuration to keep it",
			c->backend, c->service);
		return NULL;
	}
	if (s) {
		list_backends(s, names, sizeof(names));
		snprintf(r->text, sizeof(r->text),
			 "service \"%s\" has no backend \"%s\"; it has: %s", c->service, c->backend,
			 names);
	} else {
		commands_service(e, c->service, r);
	}
	return NULL;
}

static struct edit edit_for(const struct engine *e, const struct backend *b,
			    const struct ctl_command *c)
{
	const struct edit *former = edits_find(e->edits, b->service->name, b->name);
	struct edit x = {0};

	if (former)
		x = *former;
	memcpy(x.service, b->service->name, sizeof(x.service));
	memcpy(x.backend, b->name, sizeof(x.backend));
	memcpy(x.user, c->user, sizeof(x.user));
	memcpy(x.reason, c->reason, sizeof(x.reason));
	x.uid = c->uid;
	x.at = time(NULL);
	return x;
}

static void change(struct edit *x, const struct backend *b, const struct ctl_command *c)
{
	switch (c->verb) {
	case CTL_DRAIN:
		x->drained = true;
		x->disabled = x->enabled = false;
		if (c->deadline_s)
			x->deadline = x->at + c->deadline_s;
		break;
	case CTL_ENABLE:
	case CTL_DISABLE:
		x->disabled = c->verb == CTL_DISABLE;
		x->enabled = c->verb == CTL_ENABLE && b->agent.in_force.admin != AGENT_READY;
		x->drained = false;
		x->deadline = 0;
		break;
	case CTL_WEIGHT:
		x->has_weight = c->weight != b->conf->weight ||
				(agents_weight(b) != b->conf->weight && !x->has_weight);
		x->weight = c->weight;
		x->configured = b->conf->weight;
		break;
	default:
		break;
	}
}

/* "90 s", "10 min", "1 h" */
static void say_duration(int64_t s, char *out, size_t size)
{
	if (s >= 3600 && s % 3600 == 0)
		snprintf(out, size, "%lld h", (long long)s / 3600);
	else if (s > 60 && s % 60 == 0)
		snprintf(out, size, "%lld min", (long long)s / 60);
	else
		snprintf(out, size, "%lld s", (long long)s);
}

static void explain_edit(const struct backend *b, const struct ctl_command *c, struct ctl_reply *r)
{
	char what[128], deadline[64] = "", left[24];

	if (drain_left_s(&b->drain) >= 0) {
		say_duration(drain_left_s(&b->drain), left, sizeof(left));
		snprintf(deadline, sizeof(deadline), "; those that it has move in %s", left);
	}
	if (c->verb == CTL_WEIGHT)
		snprintf(what, sizeof(what), "weight %u (configured %u%s)", b->weight,
			 b->conf->weight,
			 b->weight == c->weight ? "" : "; its agent asks for another one");
	else if (c->verb == CTL_DRAIN)
		snprintf(what, sizeof(what), "drained: it gets no new flows%s", deadline);
	else if (c->verb == CTL_DISABLE)
		snprintf(what, sizeof(what), "in maintenance: it gets no packets");
	else
		snprintf(what, sizeof(what), "enabled%s",
			 b->agent.in_force.admin == AGENT_READY
				 ? ""
				 : ", whatever its agent says, until that is ready itself");
	snprintf(r->text, sizeof(r->text), "%s/%s: %s%s", b->service->name, b->name, what,
		 b->edited ? "; kept over reloads and restarts until changed back" : "");
}

/* What was done, without the name that is in front of it. */
static void tell_edit(struct engine *e, struct backend *b, enum standing before,
		      const struct ctl_command *c, const struct ctl_reply *r)
{
	struct history_event event = {.from = before, .to = backend_standing(b)};
	const char *what = strchr(r->text, ' ');

	edit_by(c->user, c->uid, event.by);
	if (c->reason[0])
		snprintf(event.reason, sizeof(event.reason), "%s", c->reason);
	else
		snprintf(event.reason, sizeof(event.reason), "%.*s", (int)sizeof(event.reason) - 1,
			 what ? what + 1 : r->text);
	changes_tell(e, b, SHUNT_EVENT_EDITED, &event);
}

static void edit(struct engine *e, const struct ctl_command *c, struct ctl_reply *r)
{
	struct backend *b = find_or_explain(e, c, r);
	enum standing before;
	struct edit x;
	int err;

	if (!b)
		return;
	before = backend_standing(b);
	x = edit_for(e, b, c);
	change(&x, b, c);
	r->status = edits_put(e->edits, &x);
	if (r->status)
		return;
	edits_to_backend(e, b);
	service_rebuild(e, b->service);
	explain_edit(b, c, r);
	tell_edit(e, b, before, c, r);
	err = edits_save(e);
	if (err) {
		size_t used = strlen(r->text);

		log_error("runtime edits not saved in %s: %s; mend state_dir, or they end with the "
			  "daemon",
			  e->conf->state_dir, strerror(-err));
		snprintf(r->text + used, sizeof(r->text) - used,
			 "\nwarning: it is in force but not saved, so it ends with the daemon: %s: "
			 "%s; mend that folder (state_dir) and say it again",
			 e->conf->state_dir, strerror(-err));
	}
}

/* Words as log_level has them, in the order of enum log_level. */
static int level_of(const char *word)
{
	int i = LOG_LEVEL_ERROR;

	while (i <= LOG_LEVEL_DEBUG && strcmp(conf_log_name((enum conf_log)i), word) != 0)
		i++;
	return i <= LOG_LEVEL_DEBUG ? i : LOG_LEVEL_NONE;
}

static void set_log_level(struct engine *e, const struct ctl_command *c, struct ctl_reply *r)
{
	const char *configured = conf_log_name(e->conf->log_level), *now;
	char by[EDIT_BY_MAX];

	if (c->level[0] && strcmp(c->level, "configured") != 0 &&
	    level_of(c->level) == LOG_LEVEL_NONE) {
		r->status = -EINVAL;
		snprintf(r->text, sizeof(r->text), "shuntd does not know the level \"%s\"",
			 c->level);
		return;
	}
	if (c->level[0])
		log_override(level_of(c->level));
	now = conf_log_name((enum conf_log)log_level());
	snprintf(r->level, sizeof(r->level), "%s", now);
	snprintf(r->configured, sizeof(r->configured), "%s", configured);
	if (log_overridden() == LOG_LEVEL_NONE)
		snprintf(r->text, sizeof(r->text), "%s, as configured", now);
	else
		snprintf(r->text, sizeof(r->text),
			 "%s until shuntd starts again, or shunt log-level configured "
			 "(configured: %s)",
			 now, configured);
	edit_by(c->user, c->uid, by);
	if (c->level[0])
		log_write(log_level(), "log level: %s, by %s", r->text, by);
}

static void on_command(void *arg, const struct ctl_command *c, struct ctl_reply *r)
{
	struct engine *e = arg;
	struct engine_error text = {0};

	switch (c->verb) {
	case CTL_RELOAD:
		r->status = reload_now(e, &text);
		snprintf(r->text, sizeof(r->text), "%s", text.text);
		break;
	case CTL_MAKE_PLAN:
		r->status = preview_make(e, c->file, &r->plan, &text);
		snprintf(r->text, sizeof(r->text), "%s", text.text);
		break;
	case CTL_TRACE:
		trace_begin(e, c, r);
		break;
	case CTL_TRACE_END:
		trace_end(e, c, r);
		break;
	case CTL_LOG_LEVEL:
		set_log_level(e, c, r);
		break;
	case CTL_UPGRADE:
		successor_ask(e, c, r);
		break;
	case CTL_ROLLBACK:
		r->status = upgrade_roll_back(e, c->uid, r->text, sizeof(r->text));
		break;
	default:
		edit(e, c, r);
	}
}

int commands_open(struct engine *e, struct engine_error *err)
{
	int ret = ctl_server_open(e->base, e->conf->run_dir, e->conf->instance, on_command, e,
				  &e->ctl);

	if (ret)
		snprintf(err->text, sizeof(err->text),
			 "cannot listen for commands in %s (run_dir): %s", e->conf->run_dir,
			 strerror(-ret));
	return ret;
}
