/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration files: reading, reading again, and noticing that a backends file has changed. What
 * does not parse changes nothing. */
#include "engine/state.h"

#include "engine/paths.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "io/conf_file.h"

/* Reads through to the files, except that the configuration itself comes from memory when there is
 * a text: a backends file that changes must not bring a half-edited configuration into force. */
struct reader {
	struct watches *watches; /* of what is read besides */
	const char *path;
	const char *text;
	size_t len;
	char *kept; /* what was read of @path, the caller's */
	size_t kept_len;
	size_t unwatched; /* files; one is told of */
};

static int copy_of(const char *text, size_t len, char **data)
{
	char *copy = malloc(len + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, len);
	copy[len] = '\0';
	*data = copy;
	return 0;
}

static int read_config(struct reader *r, char **data, size_t *len)
{
	int err;

	if (r->text) {
		err = copy_of(r->text, r->len, data);
		if (!err)
			*len = r->len;
		return err;
	}
	err = conf_read_file(NULL, r->path, data, len);
	if (err)
		return err;
	free(r->kept); /* it may be read again, by a backends_file that names it */
	r->kept = NULL;
	r->kept_len = *len;
	err = copy_of(*data, *len, &r->kept);
	if (err)
		free(*data);
	return err;
}

static int read_for_reload(void *arg, const char *path, char **data, size_t *len)
{
	struct reader *r = arg;
	int err;

	if (strcmp(path, r->path) == 0)
		return read_config(r, data, len);
	/* Before it is read: what changes later is noticed. */
	err = watches_add(r->watches, path);
	if (err && err != -ENOENT && err != -ENOTDIR && !r->unwatched++)
		log_warning("%s: changes will not be noticed (%s): reload after them", path,
			    strerror(-err));
	return conf_read_file(NULL, path, data, len);
}

static void refuse(struct engine *e, const struct engine_error *why)
{
	e->reloads_refused++;
	snprintf(e->config_error, sizeof(e->config_error), "%.511s", why->text);
	engine_tell(e, SHUNT_EVENT_RELOAD_REFUSED, NULL, NULL,
		    "configuration refused, the former one stays in force: %s", why->text);
}

static int fixed_keys_agree(const struct conf *a, const struct conf *b, struct engine_error *err)
{
	const char *key = NULL;

	if (strcmp(a->instance, b->instance) != 0)
		key = "instance";
	else if (strcmp(a->hash_secret ? a->hash_secret : "", b->hash_secret ? b->hash_secret : ""))
		key = "hash_secret";
	else if (strcmp(a->run_dir, b->run_dir) != 0)
		key = "run_dir";
	else if (strcmp(a->state_dir, b->state_dir) != 0)
		key = "state_dir";
	else if (strcmp(a->probe_user, b->probe_user) != 0)
		key = "probe_user";
	if (!key)
		return 0;
	snprintf(err->text, sizeof(err->text),
		 "%s: %s differs from the running configuration; it cannot change while the daemon "
		 "runs: restart shuntd",
		 b->file, key);
	return -EINVAL;
}

/* Reads and watches. What a refused configuration names is watched as well, so that the file it
 * lacked is noticed. */
static int parse(struct engine *e, struct reader *r, struct conf **conf, struct engine_error *err)
{
	struct conf_error why = {0};
	int ret;

	watches_begin(&e->watches);
	ret = conf_parse(e->config_path, read_for_reload, r, conf, &why);
	if (ret)
		snprintf(err->text, sizeof(err->text), "%s", why.text);
	return ret;
}

int reload_allows(const struct engine *e, const struct conf *conf, struct engine_error *err)
{
	int ret = fixed_keys_agree(e->conf, conf, err);

	return ret ? ret : interfaces_check(e, conf, err);
}

static int parse_and_apply(struct engine *e, struct reader *r, struct engine_error *err,
			   struct engine_error *dropped)
{
	struct conf *conf = NULL;
	int ret = parse(e, r, &conf, err);

	if (ret)
		return ret;
	ret = reload_allows(e, conf, err);
	if (!ret)
		ret = apply_conf(e, conf, dropped, err);
	if (ret)
		conf_free(conf);
	return ret;
}

static void summarize(const struct engine *e, struct engine_error *text)
{
	size_t backends = 0, i;

	for (i = 0; i < e->n_services; i++)
		backends += e->services[i]->conf->n_backends;
	snprintf(text->text, sizeof(text->text), "%s: loaded, services: %zu, backends: %zu",
		 e->config_path, e->n_services, backends);
}

static void add_line(struct engine_error *text, const char *line)
{
	size_t used = strlen(text->text);

	if (line[0])
		snprintf(text->text + used, sizeof(text->text) - used, "\n%s", line);
}

/* @from_memory: only the backends files are read again. */
static int reload(struct engine *e, bool from_memory, struct engine_error *text)
{
	struct reader r = {.watches = &e->watches, .path = e->config_path};
	struct engine_error dropped = {0}, why = {0};
	int ret;

	if (from_memory) {
		r.text = e->config_text;
		r.len = e->config_len;
	}
	text->text[0] = '\0';
	ret = parse_and_apply(e, &r, text, &dropped);
	watches_end(&e->watches, ret == 0);
	if (ret) {
		free(r.kept);
		refuse(e, text);
		return ret;
	}
	if (r.kept) {
		free(e->config_text);
		e->config_text = r.kept;
		e->config_len = r.kept_len;
	}
	e->config_error[0] = '\0';
	e->reloads++;
	e->loaded = mono_now();
	preview_drop(e);
	ret = interfaces_attach(e, &why);
	paths_follow(e);
	summarize(e, text);
	engine_tell(e, SHUNT_EVENT_RELOADED, NULL, NULL, "%s", text->text);
	add_line(text, dropped.text); /* these two are in the log already */
	add_line(text, why.text);
	return ret;
}

int reload_now(struct engine *e, struct engine_error *text)
{
	return reload(e, false, text);
}

/* ---- watching -----------------------------------------------------------------------------------*/

#define SOON_US 50000 /* several writes in a row, or of several files, make one reload */
#define SOON_MAX_US 1000000 /* but writes without end do not put it off for ever */

/* Has @ev fire soon, or later than it would if it waits already. */
static void put_off(struct engine *e, struct event *ev)
{
	const struct timeval soon = {.tv_usec = SOON_US};
	mono_t now = mono_now();

	if (!event_pending(ev, EV_TIMEOUT, NULL))
		e->changed = now;
	else if (mono_diff_us(e->changed, now) > SOON_MAX_US)
		return;
	event_add(ev, &soon);
}

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;
	enum watch_news news = watches_read(&e->watches);

	(void)fd;
	(void)what;
	if (news == WATCH_NOTHING)
		return;
	e->written = mono_now();
	if (news == WATCH_CHANGED || event_pending(e->reload_soon, EV_TIMEOUT, NULL))
		put_off(e, e->reload_soon);
	if (event_pending(e->reload_asked, EV_TIMEOUT, NULL))
		put_off(e, e->reload_asked);
}

static void on_backends_changed(evutil_socket_t fd, short what, void *arg)
{
	struct engine_error text = {0};

	(void)fd;
	(void)what;
	reload(arg, true, &text);
}

static void on_asked(evutil_socket_t fd, short what, void *arg)
{
	struct engine_error text = {0};

	(void)fd;
	(void)what;
	reload_now(arg, &text);
}

/* From the loop: a hundred signals that come while one reload runs are one more; and not while a
 * backends file is being written. */
void engine_reload(struct engine *e)
{
	static const struct timeval now;

	if (!mono_is_never(e->written) && mono_diff_us(e->written, mono_now()) < SOON_US)
		put_off(e, e->reload_asked);
	else
		event_add(e->reload_asked, &now);
}

int reload_open(struct engine *e, struct engine_error *err)
{
	int ret = watches_open(&e->watches);

	if (ret) {
		snprintf(err->text, sizeof(err->text), "cannot watch files: %s", strerror(-ret));
		return ret;
	}
	e->watch = event_new(e->base, e->watches.fd, EV_READ | EV_PERSIST, on_watch, e);
	e->reload_soon = evtimer_new(e->base, on_backends_changed, e);
	e->reload_asked = evtimer_new(e->base, on_asked, e);
	if (!e->watch || !e->reload_soon || !e->reload_asked || event_add(e->watch, NULL)) {
		snprintf(err->text, sizeof(err->text), "cannot watch files: no memory");
		return -ENOMEM;
	}
	return 0;
}

int reload_first(struct engine *e, struct engine_error *err)
{
	struct reader r = {.watches = &e->watches, .path = e->config_path};
	int ret = parse(e, &r, &e->conf, err);

	watches_end(&e->watches, true);
	if (ret) {
		free(r.kept);
		return ret;
	}
	e->config_text = r.kept;
	e->config_len = r.kept_len;
	return 0;
}
