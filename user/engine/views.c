/* SPDX-License-Identifier: BSD-2-Clause */
/* The engine's state as an operator is shown it, and the meters behind the rates. */
#include "engine/state.h"
#include "engine/loads.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/agents.h"
#include "engine/drain.h"
#include "engine/passive.h"
#include "engine/explain.h"
#include "engine/transitions.h"
#include "engine/replicate.h"
#include "engine/upgrade.h"
#include "engine/web.h"
#include "io/stats_server.h"
#include "pure/verdict.h"

/* ---- meters -------------------------------------------------------------------------------------*/

static uint64_t per_second(uint64_t before, uint64_t now, int64_t elapsed_us)
{
	return now > before ? (now - before) * 1000000 / (uint64_t)elapsed_us : 0;
}

static void meter_sample(struct meter *m, const struct dp_counter *now, int64_t elapsed_us)
{
	if (elapsed_us > 0) {
		m->packets_per_s = per_second(m->last.packets, now->packets, elapsed_us);
		m->bytes_per_s = per_second(m->last.bytes, now->bytes, elapsed_us);
		m->flows_per_s = per_second(m->last.flows, now->flows, elapsed_us);
	}
	m->last = *now;
}

static void sample_row(const struct engine *e, struct meter *m, uint32_t row, int64_t elapsed_us)
{
	struct dp_counter now;

	dp_counter_read(e->dp, row, &now);
	meter_sample(m, &now, elapsed_us);
}

static enum shunt_forward method_of(enum shunt_verdict v)
{
	switch (v) {
	case SHUNT_FORWARD_DSR:
		return SHUNT_DSR;
	case SHUNT_FORWARD_IPIP:
		return SHUNT_IPIP;
	case SHUNT_FORWARD_NAT:
		return SHUNT_NAT;
	case SHUNT_FORWARD_MASQ:
		return SHUNT_MASQ;
	case SHUNT_FORWARD_GUE:
		return SHUNT_GUE;
	case SHUNT_FORWARD_GRE:
		return SHUNT_GRE;
	default:
		return SHUNT_LOCAL;
	}
}

/* Forwarded packets are counted in the backends' rows alone: one record a packet. */
static uint64_t forwarded(const struct engine *e, enum shunt_verdict v)
{
	enum shunt_forward method = method_of(v);
	struct dp_counter now;
	uint64_t packets = e->moved[method];
	size_t i, k;

	for (i = 0; i < e->n_services; i++) {
		const struct service *s = e->services[i];

		for (k = 0; k < s->n_backends; k++) {
			if (s->backends[k]->conf->forward != method)
				continue;
			dp_counter_read(e->dp, s->row + s->backends[k]->number, &now);
			packets += now.packets;
		}
	}
	return packets;
}

/* From what the rows' meters have just read: with 40,000 backends a second reading is a tenth of a
 * core's work that nobody asked for. */
static uint64_t forwarded_by_sample(const struct engine *e, enum shunt_verdict v)
{
	enum shunt_forward method = method_of(v);
	uint64_t packets = e->moved[method];
	size_t i, k;

	for (i = 0; i < e->n_services; i++) {
		const struct service *s = e->services[i];

		for (k = 0; k < s->n_backends; k++)
			if (s->backends[k]->conf->forward == method)
				packets += s->backends[k]->meter.last.packets;
	}
	return packets;
}

void views_method_changes(struct engine *e, const struct backend *b, enum shunt_forward before)
{
	struct dp_counter now;

	if (before == b->conf->forward || before >= SHUNT_FORWARD_MAX)
		return;
	dp_counter_read(e->dp, b->service->row + b->number, &now);
	e->moved[before] += now.packets;
	e->moved[b->conf->forward] -= now.packets;
}

static void sample_verdicts(struct engine *e, int64_t elapsed_us)
{
	uint64_t packets[SHUNT_VERDICT_MAX];
	int v;

	dp_verdicts_read(e->dp, packets);
	for (v = 1; v < SHUNT_VERDICT_MAX; v++) {
		struct view_verdict *view = &e->verdicts[v];

		if (verdict_class(v) == SHUNT_CLASS_FORWARD)
			packets[v] = forwarded_by_sample(e, v);
		if (elapsed_us > 0)
			view->packets_per_s = per_second(view->packets, packets[v], elapsed_us);
		view->verdict = v;
		view->packets = packets[v];
	}
}

static void on_sample(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;
	mono_t now = mono_now();
	int64_t elapsed_us = mono_is_never(e->sampled) ? 0 : mono_diff_us(e->sampled, now);
	size_t i, k;

	(void)fd;
	(void)what;
	for (i = 0; i < e->n_services; i++) {
		struct service *s = e->services[i];

		sample_row(e, &s->no_backend, s->row, elapsed_us);
		for (k = 0; k < s->n_backends; k++)
			sample_row(e, &s->backends[k]->meter, s->row + s->backends[k]->number,
				   elapsed_us);
	}
	sample_verdicts(e, elapsed_us);
	e->sampled = now;
	engine_lines_end(e);
	explain_prepare(e);
}

/* ---- rows ---------------------------------------------------------------------------------------*/

static uint64_t age_ms(mono_t since)
{
	return (uint64_t)mono_diff_us(since, mono_now()) / 1000;
}

static void add_traffic(struct view_traffic *to, const struct meter *m,
			const struct dp_counter *now)
{
	to->packets += now->packets;
	to->bytes += now->bytes;
	to->flows += now->flows;
	to->packets_per_s += m->packets_per_s;
	to->bytes_per_s += m->bytes_per_s;
	to->flows_per_s += m->flows_per_s;
}

static void view_status(void *arg, struct view_status *out)
{
	const struct engine *e = arg;
	struct dp_flow_counts flows;
	size_t i;

	snprintf(out->version, sizeof(out->version), "%s", SHUNT_VERSION);
	snprintf(out->instance, sizeof(out->instance), "%s", e->conf->instance);
	snprintf(out->config_file, sizeof(out->config_file), "%s", e->config_path);
	snprintf(out->config_error, sizeof(out->config_error), "%s", e->config_error);
	out->pid = (uint32_t)getpid();
	out->uptime_ms = age_ms(e->started);
	out->config_age_ms = age_ms(e->loaded);
	out->services = (uint32_t)e->n_services;
	for (i = 0; i < e->n_services; i++) {
		out->backends += (uint32_t)e->services[i]->conf->n_backends;
		out->usable_backends += e->services[i]->usable;
	}
	out->edits = (uint32_t)edits_count(e->edits);
	out->events = stats_server_event_seq(e->stats);
	out->map_bytes = dp_map_bytes(e->dp);
	dp_flow_counts_read(e->dp, &flows);
	out->flow_lookups = flows.lookups;
	out->flows_remembered = flows.remembered;
	out->flows_no_room = flows.no_room;
	replicate_view(e, &out->peers);
	upgrade_view(e, &out->upgrade);
	webs_view(e, out);
}

static bool view_interface(void *arg, uint32_t i, struct view_interface *out)
{
	const struct engine *e = arg;
	const struct interface *from;

	if (i >= e->n_interfaces)
		return false;
	from = &e->interfaces[i];
	memcpy(out->name, from->conf.name, sizeof(out->name));
	out->ifindex = from->ifindex;
	out->xdp = from->mode == DP_NATIVE    ? VIEW_XDP_NATIVE
		   : from->mode == DP_GENERIC ? VIEW_XDP_GENERIC
					      : VIEW_XDP_NONE;
	out->link_up = from->link_up;
	interfaces_note(from, out->note);
	return true;
}

bool views_service(void *arg, uint32_t i, struct view_service *out)
{
	const struct engine *e = arg;
	const struct service *s;
	struct dp_counter now;
	size_t k;

	if (i >= e->n_services)
		return false;
	s = e->services[i];
	memcpy(out->name, s->name, sizeof(out->name));
	out->vip = s->conf->vip;
	out->vip_bits = s->conf->vip_bits;
	out->port = s->conf->port;
	if (s->conf->n_ports && !s->conf->port)
		conf_ports_format(s->conf, out->ports);
	out->protocol = s->conf->protocol;
	out->scheduler = s->conf->scheduler;
	out->forward = s->conf->forward;
	out->on_empty = s->conf->on_empty;
	out->check = s->conf->check.kind;
	out->slots = s->slots;
	out->last_pool = s->last_pool;
	out->moving = s->moving;
	out->backends = (uint32_t)s->conf->n_backends;
	out->usable = s->usable;
	out->failing_open = s->failing_open && s->n_backends > 0;
	out->panicking = s->pools.panicking;
	out->not_up = s->pools.wanted - s->pools.up;
	for (k = 0; k < s->n_backends; k++) {
		dp_counter_read(e->dp, s->row + s->backends[k]->number, &now);
		add_traffic(&out->traffic, &s->backends[k]->meter, &now);
	}
	dp_counter_read(e->dp, s->row, &now);
	out->over_rate = now.flows; /* an own row's: struct shunt_counter */
	now.flows = 0;
	add_traffic(&out->traffic, &s->no_backend, &now);
	out->traffic.flows_per_s -= s->no_backend.flows_per_s;
	out->no_backend = now.packets;
	return true;
}

static int64_t view_find_service(void *arg, const char *name)
{
	const struct engine *e = arg;
	size_t i;

	for (i = 0; i < e->n_services; i++)
		if (strcmp(e->services[i]->name, name) == 0)
			return (int64_t)i;
	return -1;
}

/* Those that NAT remembers are not known. */
static void view_left(struct engine *e, const struct backend *b, struct view_backend *out)
{
	const uint64_t tick_us = (1000000ull << SHUNT_FLOW_TICK_SHIFT) / mono_kernel_hz();
	const struct service *s = b->service;
	struct transitions_left left;

	if (!drain_by_slots(s))
		return;
	transitions_left(e, b, b->drain.slots, &left);
	out->flows_known = true;
	out->flows_left = left.flows;
	out->oldest_ms = left.in_use ? left.oldest * tick_us / 1000 : 0;
}

static void view_drain(struct engine *e, const struct backend *b, struct view_backend *out)
{
	const struct drain *d = &b->drain;
	const mono_t now = mono_now();

	out->leaving = b->leaving;
	out->drain = d->state;
	out->flows_known = loads_flows(e, b, &out->flows_left);
	if (d->state != VIEW_DRAIN_GOING)
		return;
	out->idle_ms = (uint64_t)mono_diff_us(d->active, now) / 1000;
	out->quiet_ms = drain_quiet_ms(e, b);
	view_left(e, b, out);
	if (!mono_is_never(d->deadline) && d->deadline.us > now.us)
		out->deadline_ms = (uint64_t)mono_diff_us(now, d->deadline) / 1000;
}

/* What was changed by hand, since when, by whom and why. */
static void view_edit(const struct engine *e, const struct backend *b, struct view_backend *out)
{
	const struct edit *edit =
		b->edited ? edits_find(e->edits, b->service->name, b->name) : NULL;
	int64_t age_s;

	out->admin = b->disabled  ? VIEW_ADMIN_DISABLED
		     : b->drained ? VIEW_ADMIN_DRAINED
				  : VIEW_ADMIN_ENABLED;
	out->edited = b->edited;
	agents_view(e, b, out);
	if (!edit || out->admin_by[0])
		return;
	age_s = time(NULL) - edit->at;
	out->admin_age_ms = age_s > 0 ? (uint64_t)age_s * 1000 : 1; /* 0 is nobody's */
	edit_by(edit->user, edit->uid, out->admin_by);
	memcpy(out->admin_reason, edit->reason, sizeof(out->admin_reason));
}

/* Of states that are neither its health's nor set by hand; what stands first is shown. */
static void view_state_age(const struct backend *b, struct view_backend *out)
{
	const bool has_next_hop =
		out->nexthop == VIEW_NH_RESOLVED || out->nexthop == VIEW_NH_NOT_NEEDED;
	const mono_t since = b->leaving	     ? b->drain.began
			     : !has_next_hop ? b->told_at
					     : b->standby_since;

	if (!mono_is_never(since))
		out->state_age_ms = age_ms(since) + 1; /* 0: not known */
}

bool views_backend(void *arg, uint32_t service, uint32_t i, struct view_backend *out)
{
	struct engine *e = arg;
	const struct backend *b;
	struct dp_counter now;

	if (service >= e->n_services || i >= e->services[service]->n_backends)
		return false;
	b = e->services[service]->backends[i];
	memcpy(out->service, b->service->name, sizeof(out->service));
	memcpy(out->name, b->name, sizeof(out->name));
	out->addr = b->addr;
	out->port = b->conf->port;
	out->forward = b->conf->forward;
	out->weight = b->weight;
	out->pool = (uint8_t)b->conf->pool;
	out->standby = members_stands_by(b);
	out->climb = b->held_back ? POOL_STEPS - b->held_back : 0;
	members_words(e, b, out->gets);
	view_drain(e, b, out);
	out->configured_weight = b->conf->weight;
	view_edit(e, b, out);
	out->health = b->health.state;
	out->health_age_ms = age_ms(b->health.since);
	checks_view(b, out);
	passive_view(b, out);
	out->nexthop = nexthops_state(e, b);
	view_state_age(b, out);
	memcpy(out->mac, b->nexthop.dmac, sizeof(out->mac));
	memcpy(out->egress, b->nexthop.ifname, sizeof(out->egress));
	out->slots = b->slots;
	out->changes = b->changes;
	dp_counter_read(e->dp, b->service->row + b->number, &now);
	add_traffic(&out->traffic, &b->meter, &now);
	return true;
}

static int64_t view_find_backend(void *arg, uint32_t service, const char *name)
{
	const struct engine *e = arg;
	const struct service *s = e->services[service];
	size_t i;

	for (i = 0; i < s->n_backends; i++)
		if (strcmp(s->backends[i]->name, name) == 0)
			return (int64_t)i;
	return -1;
}

static bool view_history(void *arg, uint32_t service, uint32_t backend, uint32_t i,
			 struct history_event *out)
{
	const struct engine *e = arg;

	return history_read(&e->services[service]->backends[backend]->history, i, out);
}

bool views_verdict(void *arg, enum shunt_verdict v, struct view_verdict *out)
{
	const struct engine *e = arg;
	uint64_t packets[SHUNT_VERDICT_MAX];

	dp_verdicts_read(e->dp, packets);
	*out = e->verdicts[v];
	out->verdict = v;
	out->packets = verdict_class(v) == SHUNT_CLASS_FORWARD ? forwarded(e, v) : packets[v];
	return true;
}

static uint64_t view_generation(void *arg)
{
	return ((const struct engine *)arg)->generation;
}

int views_open(struct engine *e, struct engine_error *err)
{
	const struct stats_source source = {
		.arg = e,
		.generation = view_generation,
		.status = view_status,
		.interface = view_interface,
		.service = views_service,
		.find_service = view_find_service,
		.backend = views_backend,
		.verdict = views_verdict,
		.fingerprint = fingerprints_view,
		.find_backend = view_find_backend,
		.history = view_history,
		.plan = preview_view,
		.figure = figures_view,
		.explain = explain_packet,
		.flows = flows_page,
		.flows_check = client_flows_check,
		.traced = trace_page,
	};
	const struct timeval interval = {.tv_sec = 1};
	int ret =
		stats_server_open(e->base, e->conf->run_dir, e->conf->instance, &source, &e->stats);

	if (ret) {
		snprintf(err->text, sizeof(err->text), "cannot serve stats in %s (run_dir): %s",
			 e->conf->run_dir, strerror(-ret));
		return ret;
	}
	e->sample = event_new(e->base, -1, EV_PERSIST, on_sample, e);
	if (!e->sample || event_add(e->sample, &interval)) {
		snprintf(err->text, sizeof(err->text), "cannot serve stats: no memory");
		return -ENOMEM;
	}
	on_sample(-1, 0, e);
	webs_configure(e);
	return 0;
}
