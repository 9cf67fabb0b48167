/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/engine.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "engine/agents.h"
#include "engine/drain.h"
#include "engine/explain.h"
#include "engine/loads.h"
#include "engine/passive.h"
#include "engine/paths.h"
#include "engine/plan.h"
#include "engine/policies.h"
#include "engine/quic.h"
#include "engine/rehash.h"
#include "engine/transitions.h"
#include "engine/upgrade.h"
#include "engine/replicate.h"
#include "engine/web.h"
#include "io/conf_file.h"
#include "io/ctl_server.h"
#include "io/dp_path.h"
#include "io/stats_server.h"
#include "io/supervisor.h"
#include "pure/hashkey.h"
#include "pure/msg.h"

/* ---- lookups ------------------------------------------------------------------------------------*/

struct service *service_find(const struct engine *e, const char *name)
{
	size_t i;

	for (i = 0; i < e->n_services; i++)
		if (strcmp(e->services[i]->name, name) == 0)
			return e->services[i];
	return NULL;
}

struct backend *backend_find(const struct service *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->n_backends; i++)
		if (strcmp(s->backends[i]->name, name) == 0)
			return s->backends[i];
	return NULL;
}

void backend_free(struct backend *b)
{
	history_fini(&b->history);
	free(b->checks);
	free(b->passive);
	free(b->kept);
	free(b);
}

void service_free(struct service *s)
{
	size_t i;

	for (i = 0; i < s->n_backends; i++)
		backend_free(s->backends[i]);
	free(s->backends);
	free(s);
}

/* ---- readiness ----------------------------------------------------------------------------------*/

static bool is_resolving(const struct engine *e)
{
	size_t i, k;

	for (i = 0; i < e->n_services; i++)
		for (k = 0; k < e->services[i]->n_backends; k++)
			if (nexthops_state(e, e->services[i]->backends[k]) == VIEW_NH_RESOLVING)
				return true;
	return false;
}

static void tell_empty(struct engine *e)
{
	const size_t each = 10; /* what people read; more are counted */
	size_t empty = 0, i;

	for (i = 0; i < e->n_services; i++) {
		if (e->services[i]->usable)
			continue;
		if (++empty <= each)
			slots_tell_if_empty(e, e->services[i]);
	}
	if (empty > each)
		log_warning("%zu more services have no usable backend; shunt services lists them",
			    empty - each);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval again = {.tv_usec = 20000};
	struct engine *e = arg;
	char state[128];
	int err;

	(void)fd;
	(void)what;
	if (is_resolving(e) && mono_diff_us(e->started, mono_now()) < 2000000) {
		event_add(e->ready, &again);
		return;
	}
	if (e->said_ready)
		return;
	slots_flush(e); /* what was resolved in this very turn of the loop counts */
	e->said_ready = true;
	tell_empty(e);
	engine_tell(e, SHUNT_EVENT_STARTED, NULL, NULL,
		    "ready: instance %s, services: %zu, interfaces: %zu", e->conf->instance,
		    e->n_services, e->n_interfaces);
	snprintf(state, sizeof(state), "READY=1\nSTATUS=Services: %zu, interfaces: %zu",
		 e->n_services, e->n_interfaces);
	err = supervisor_tell(state);
	if (err)
		log_warning("cannot tell NOTIFY_SOCKET that it is ready: %s", strerror(-err));
}

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	slots_flush(arg);
}

/* ---- opening ------------------------------------------------------------------------------------*/

static void libbpf_line(void *arg, bool warning, const char *line)
{
	(void)arg;
	if (warning) /* one level lower: what matters comes back as an error */
		log_info("%s", line);
	else
		log_debug("%s", line);
}

static void pin_dir(const struct conf *conf, char *out, size_t size)
{
	snprintf(out, size, "/sys/fs/bpf/shunt/%s", conf->instance);
}

static int open_dataplane(struct engine *e, struct engine_error *err)
{
	char dir[128];
	struct dp_options opt = {.pin_dir = dir, .libbpf_log = libbpf_line};
	struct dp_error why = {0};
	int ret;

	pin_dir(e->conf, dir, sizeof(dir));
	if (plan_sizes(e->conf, &opt.sizes) || policies_sizes(e->conf, &opt.sizes) ||
	    quic_sizes(e->conf, &opt.sizes)) {
		snprintf(err->text, sizeof(err->text), "no memory");
		return -ENOMEM;
	}
	hashkey_derive(e->conf->hash_secret, opt.hash_key);
	opt.share = e->conf->attach == CONF_ATTACH_SHARED;
	ret = dp_open(&opt, &e->dp, &why);
	if (ret)
		snprintf(err->text, sizeof(err->text), "%s", why.text);
	return ret;
}

static int allocate(struct engine *e, struct engine_error *err)
{
	e->scratch_slots = calloc(65536, sizeof(*e->scratch_slots));
	e->scratch = calloc(SHUNT_BACKENDS_PER_SERVICE, sizeof(*e->scratch));
	e->scratch_pool = calloc(SHUNT_BACKENDS_PER_SERVICE, sizeof(*e->scratch_pool));
	e->scratch_counts = calloc(SHUNT_BACKENDS_PER_SERVICE + 1, sizeof(*e->scratch_counts));
	e->scratch_alive = calloc(SHUNT_BACKENDS_PER_SERVICE + 1, 1);
	e->flush = event_new(e->base, -1, 0, on_flush, e);
	e->ready = evtimer_new(e->base, on_ready, e);
	if (e->scratch_slots && e->scratch && e->scratch_pool && e->scratch_counts &&
	    e->scratch_alive && e->flush && e->ready)
		return 0;
	snprintf(err->text, sizeof(err->text), "no memory");
	return -ENOMEM;
}

/* The first configuration is applied like any other, from a state that an earlier daemon left or
 * from none. */
static int apply_first(struct engine *e, struct engine_error *err)
{
	struct engine_error dropped = {0};
	struct dp_error why = {0};
	int ret = upgrade_check(e, err);

	if (ret)
		return ret;
	ret = adopt_tables(e);
	if (ret) {
		snprintf(err->text, sizeof(err->text), "cannot adopt the tables: %s",
			 strerror(-ret));
		return ret;
	}
	ret = apply_conf(e, e->conf, &dropped, err);
	if (ret)
		return ret;
	ret = dp_commit(e->dp, &why);
	if (ret) {
		snprintf(err->text, sizeof(err->text), "%s", why.text);
		return ret;
	}
	upgrade_watch(e);
	ret = interfaces_attach(e, err);
	paths_follow(e);
	return ret;
}

static int interfaces_first(struct engine *e, struct engine_error *err)
{
	return interfaces_check(e, e->conf, err);
}

static int open_all(struct engine *e, struct engine_error *err)
{
	static int (*const steps[])(struct engine *, struct engine_error *) = {
		reload_open, reload_first,  allocate,	    members_open,  transitions_open,
		rehash_open, loads_open,    drain_open,	    nexthops_open, interfaces_first,
		edits_load,  agents_open,   open_dataplane, checks_open,   apply_first,
		views_open,  commands_open,
	};
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int ret = steps[i](e, err);

		if (ret)
			return ret;
	}
	return 0;
}

int engine_open_as(struct event_base *base, const char *config, const struct engine_start *start,
		   struct engine **out, struct engine_error *err)
{
	const struct timeval now = {0};
	struct engine *e = calloc(1, sizeof(*e));
	int ret = -ENOMEM;

	if (e) {
		e->base = base;
		e->start = start;
		e->watches.fd = -1;
		e->started = e->loaded = mono_now();
		e->generation = (uint64_t)time(NULL) << 20;
		e->config_path = strdup(config);
		ret = e->config_path ? open_all(e, err) : -ENOMEM;
	}
	if (ret) {
		if (!err->text[0])
			snprintf(err->text, sizeof(err->text), "%s", strerror(-ret));
		engine_close(e);
		return ret;
	}
	event_add(e->ready, &now);
	*out = e;
	return 0;
}

int engine_open(struct event_base *base, const char *config, struct engine **out,
		struct engine_error *err)
{
	static const struct engine_start start;

	return engine_open_as(base, config, &start, out, err);
}

static void free_event(struct event *ev)
{
	if (ev)
		event_free(ev);
}

void engine_close(struct engine *e)
{
	size_t i;

	if (!e)
		return;
	ctl_server_close(e->ctl);
	webs_close(e);
	stats_server_close(e->stats);
	passive_close(e);
	explain_close(e);
	alerts_close(e);
	agents_close(e);
	checks_drop_gates(e);
	if (e->probes)
		probe_pool_close(e->probes);
	paths_close(e);
	if (e->nl)
		nl_shutdown(e->nl);
	if (e->dp)
		dp_close(e->dp);
	for (i = 0; i < e->n_services; i++)
		service_free(e->services[i]);
	free(e->services);
	free(e->interfaces);
	free(e->vips);
	index_fini(&e->by_addr);
	index_fini(&e->by_probe);
	policies_free(e);
	quic_free(e);
	ranges_fini(&e->rows);
	ranges_fini(&e->lines);
	upgrade_close(e);
	free_event(e->again);
	free_event(e->drains);
	free_event(e->flush);
	free_event(e->sample);
	free_event(e->ready);
	free_event(e->reload_soon);
	free_event(e->reload_asked);
	free_event(e->watch);
	watches_close(&e->watches);
	replicate_close(e);
	fingerprints_free(e);
	preview_drop(e);
	edits_free(e->edits);
	conf_free(e->conf);
	free(e->config_text);
	free(e->config_path);
	free(e->scratch_slots);
	free(e->scratch);
	free(e->scratch_pool);
	free(e->scratch_counts);
	free(e->scratch_alive);
	free_event(e->look);
	free_event(e->forget);
	free_event(e->rehash);
	loads_close(e);
	free(e);
}

/* ---- without a running engine -------------------------------------------------------------------*/

static int parse(const char *config, struct conf **conf, struct engine_error *err)
{
	struct conf_error why = {0};
	int ret = conf_parse(config, conf_read_file, NULL, conf, &why);

	if (ret)
		snprintf(err->text, sizeof(err->text), "%s", why.text);
	return ret;
}

int engine_check(const char *config, struct engine_error *summary, struct engine_error *err)
{
	struct conf *conf = NULL;
	size_t backends = 0, i;
	int ret = parse(config, &conf, err);

	if (ret)
		return ret;
	for (i = 0; i < conf->n_services; i++)
		backends += conf->services[i].n_backends;
	snprintf(summary->text, sizeof(summary->text), "%s: ok, services: %zu, backends: %zu",
		 config, conf->n_services, backends);
	quic_tell(conf);
	conf_free(conf);
	return 0;
}

int engine_remove(const char *config, struct engine_error *err)
{
	struct dp_error why = {0};
	struct conf *conf = NULL;
	char dir[128];
	size_t i;
	int ret = parse(config, &conf, err);

	if (ret)
		return ret;
	pin_dir(conf, dir, sizeof(dir));
	for (i = 0; i < conf->n_interfaces; i++)
		dp_path_remove(conf->interfaces[i].name);
	ret = dp_remove(dir, &why);
	if (ret)
		snprintf(err->text, sizeof(err->text), "%s", why.text);
	conf_free(conf);
	return ret;
}
