/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration files: reading, reading again, and noticing that a backends file has changed. What
 * does not parse changes nothing. */
#include "engine/state.h"

#include <errno.h>
#include <event2/event.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "io/conf_file.h"

/* Reads through to the files, except that the configuration itself comes from memory when there is
 * a text: a backends file that changes must not bring a half-edited configuration into force. */
struct reader {
	const char *path;
	const char *text;
	size_t len;
	char *kept; /* what was read of @path, the caller's */
	size_t kept_len;
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

static int read_for_reload(void *arg, const char *path, char **data, size_t *len)
{
	struct reader *r = arg;
	int err;

	if (strcmp(path, r->path) != 0)
		return conf_read_file(NULL, path, data, len);
	if (r->text) {
		err = copy_of(r->text, r->len, data);
		if (!err)
			*len = r->len;
		return err;
	}
	err = conf_read_file(NULL, path, data, len);
	if (err)
		return err;
	r->kept_len = *len;
	err = copy_of(*data, *len, &r->kept);
	if (err)
		free(*data);
	return err;
}

static void refuse(struct engine *e, const struct engine_error *why)
{
	snprintf(e->config_error, sizeof(e->config_error), "%.511s", why->text);
	log_error("configuration refused, the former one stays in force: %s", why->text);
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

static int parse_and_apply(struct engine *e, struct reader *r, struct engine_error *err,
			   struct engine_error *dropped)
{
	struct conf_error why = {0};
	struct conf *conf = NULL;
	int ret = conf_parse(e->config_path, read_for_reload, r, &conf, &why);

	if (ret) {
		snprintf(err->text, sizeof(err->text), "%s", why.text);
		return ret;
	}
	ret = fixed_keys_agree(e->conf, conf, err);
	if (!ret)
		ret = interfaces_check(e, conf, err);
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
		backends += e->services[i]->n_backends;
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
	struct reader r = {.path = e->config_path};
	struct engine_error dropped = {0}, why = {0};
	int ret;

	if (from_memory) {
		r.text = e->config_text;
		r.len = e->config_len;
	}
	text->text[0] = '\0';
	ret = parse_and_apply(e, &r, text, &dropped);
	if (ret) {
		free(r.kept);
		refuse(e, text);
		reload_watch(e); /* a file that appears later is noticed */
		return ret;
	}
	if (r.kept) {
		free(e->config_text);
		e->config_text = r.kept;
		e->config_len = r.kept_len;
	}
	e->config_error[0] = '\0';
	e->loaded = mono_now();
	reload_watch(e);
	ret = interfaces_attach(e, &why);
	summarize(e, text);
	log_info("%s", text->text);
	add_line(text, dropped.text); /* these two are in the log already */
	add_line(text, why.text);
	return ret;
}

int reload_now(struct engine *e, struct engine_error *text)
{
	return reload(e, false, text);
}

/* ---- watching -----------------------------------------------------------------------------------*/

/* Folders, not files: editors and mv replace a file, and its inode with it. */
static void watch_folder_of(struct engine *e, const char *path)
{
	auto_free char *copy = strdup(path);

	if (copy)
		inotify_add_watch(e->inotify_fd, dirname(copy),
				  IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM |
					  IN_ONLYDIR);
}

void reload_watch(struct engine *e)
{
	size_t i;

	for (i = 0; i < e->conf->n_watched; i++)
		watch_folder_of(e, e->conf->watched[i]);
}

static bool is_watched(const struct engine *e, const char *name)
{
	size_t i;

	for (i = 0; i < e->conf->n_watched; i++) {
		const char *slash = strrchr(e->conf->watched[i], '/');

		if (strcmp(slash ? slash + 1 : e->conf->watched[i], name) == 0)
			return true;
	}
	return false;
}

static void on_inotify(evutil_socket_t fd, short what, void *arg)
{
	char buffer[8192] __attribute__((aligned(__alignof__(struct inotify_event))));
	/* Several writes in a row, or of several files, make one reload. */
	const struct timeval soon = {.tv_usec = 50000};
	struct engine *e = arg;
	ssize_t len;

	(void)what;
	while ((len = read(fd, buffer, sizeof(buffer))) > 0) {
		const char *at = buffer;

		while (at < buffer + len) {
			const struct inotify_event *ev = (const void *)at;

			if ((ev->mask & IN_Q_OVERFLOW) || (ev->len && is_watched(e, ev->name)))
				event_add(e->reload_soon, &soon);
			at += sizeof(*ev) + ev->len;
		}
	}
}

static void on_backends_changed(evutil_socket_t fd, short what, void *arg)
{
	struct engine_error text = {0};

	(void)fd;
	(void)what;
	reload(arg, true, &text);
}

int reload_open(struct engine *e, struct engine_error *err)
{
	e->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (e->inotify_fd < 0) {
		snprintf(err->text, sizeof(err->text), "cannot watch files: %s", strerror(errno));
		return -errno;
	}
	e->watch = event_new(e->base, e->inotify_fd, EV_READ | EV_PERSIST, on_inotify, e);
	e->reload_soon = evtimer_new(e->base, on_backends_changed, e);
	if (!e->watch || !e->reload_soon || event_add(e->watch, NULL)) {
		snprintf(err->text, sizeof(err->text), "cannot watch files: no memory");
		return -ENOMEM;
	}
	return 0;
}

int reload_first(struct engine *e, struct engine_error *err)
{
	struct reader r = {.path = e->config_path};
	struct conf_error why = {0};
	int ret = conf_parse(e->config_path, read_for_reload, &r, &e->conf, &why);

	if (ret) {
		free(r.kept);
		snprintf(err->text, sizeof(err->text), "%s", why.text);
		return ret;
	}
	e->config_text = r.kept;
	e->config_len = r.kept_len;
	return 0;
}
