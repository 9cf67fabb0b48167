/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/explain.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "io/dp_dry.h"
#include "io/dp_find.h"
#include "pure/explain.h"
#include "pure/synth.h"
#include "pure/verdict.h"

/* After so many seconds in which nothing was loaded the twin is, a program a second, so that whoever asks in
 * an hour of need does not wait for it, nor the daemon. */
#define IDLE_S 10
/* Where the kernel takes longer to look at one, the others wait until somebody asks. */
#define LOOK_AT_MOST_US 100000

/* A packet that is being explained. */
struct question {
	struct engine *e;
	struct explain_facts f;
	struct dp_dry dry;
	int64_t number; /* of the service that it matches; -1: none */
	struct shunt_service svc; /* as packets find it */
	struct dp_tuple tuple;
	struct dp_known known;
	struct shunt_nat_conn conn;
	int64_t service, backend; /* that it goes to, or whose verdict it has; -1: none */
};

/* ---- which service ----------------------------------------------------------------------------*/

static bool has_port(const struct conf_service *c, uint16_t port)
{
	size_t i;

	if (!c->port && !c->n_ports)
		return true;
	for (i = 0; i < c->n_ports; i++)
		if (port >= c->ports[i].from && port <= c->ports[i].to)
			return true;
	return c->port && port == c->port;
}

static bool has_address(const struct conf_service *c, const struct addr *vip)
{
	return c->vip.family == vip->family && addr_is_within(vip, &c->vip, c->vip_bits);
}

/* Longer prefixes first, then those with ports. */
static uint32_t rank(const struct conf_service *c)
{
	return 2u * c->vip_bits + (c->port || c->n_ports) + 1;
}

int64_t explain_match(const struct engine *e, const struct addr *vip, uint16_t port,
		      uint8_t protocol)
{
	int64_t found = -1;
	uint32_t best = 0;
	size_t i;

	for (i = 0; i < e->n_services; i++) {
		const struct conf_service *c = e->services[i]->conf;

		if (c->protocol != protocol || !has_address(c, vip) || !has_port(c, port) ||
		    rank(c) <= best)
			continue;
		best = rank(c);
		found = (int64_t)i;
	}
	return found;
}

static void near_of(struct engine *e, size_t i, const struct dp_tuple *t, struct explain_near *out)
{
	const struct conf_service *c = e->services[i]->conf;

	*out = (struct explain_near){.name = e->services[i]->name,
				     .same_address = has_address(c, &t->vip),
				     .same_protocol = c->protocol == t->protocol,
				     .same_port = has_port(c, t->port)};
}

static void find_closest(struct question *q)
{
	struct explain_near near, best = {0};
	struct view_service view = {0};
	int score, top = 0;
	size_t i, others = 0;

	for (i = 0; i < q->e->n_services; i++) {
		near_of(q->e, i, &q->tuple, &near);
		score = explain_nearness(&near);
		others = score == top && top ? others + 1 : score > top ? 0 : others;
		if (score <= top)
			continue;
		top = score;
		best = near;
		memset(&view, 0, sizeof(view));
		views_service(q->e, (uint32_t)i, &view);
	}
	view_service_address(&view, best.address);
	explain_closest(top ? &best : NULL, others, q->tuple.port, q->tuple.protocol, q->f.closest);
}

struct by_row {
	uint32_t row;
	struct shunt_service *out;
};

static void on_service(void *arg, const struct dp_service *s)
{
	struct by_row *find = arg;

	if (s->svc.row == find->row && (s->protocol == IPPROTO_TCP || s->protocol == IPPROTO_UDP))
		*find->out = s->svc;
}

static void match(struct question *q)
{
	struct explain_facts *f = &q->f;
	struct by_row find = {.out = &q->svc};

	q->number = -1;
	if (!f->in.has_ports)
		return;
	q->tuple = (struct dp_tuple){.client = f->in.source,
				     .vip = f->in.destination,
				     .client_port = f->in.source_port,
				     .port = f->in.destination_port,
				     .protocol = f->in.protocol};
	q->number = explain_match(q->e, &q->tuple.vip, q->tuple.port, q->tuple.protocol);
	if (q->number < 0) {
		find_closest(q);
		return;
	}
	f->has_service = views_service(q->e, (uint32_t)q->number, &f->service);
	find.row = q->e->services[q->number]->row;
	dp_services_each(q->e->dp, on_service, &find);
}

/* ---- what is known of the flow ----------------------------------------------------------------*/

static const struct backend *numbered(const struct service *s, uint16_t number)
{
	size_t i;

	for (i = 0; i < s->n_backends; i++)
		if (s->backends[i]->number == number)
			return s->backends[i];
	return NULL;
}

static void name_of(const struct service *s, uint16_t number, char out[static SHUNT_NAME_MAX])
{
	const struct backend *b = number ? numbered(s, number) : NULL;

	if (b)
		memcpy(out, b->name, SHUNT_NAME_MAX);
	else if (number)
		snprintf(out, SHUNT_NAME_MAX, "a former backend, number %u", number);
	else
		out[0] = '\0';
}

static uint64_t ticks_ms(uint32_t ticks)
{
	return ((uint64_t)ticks << SHUNT_FLOW_TICK_SHIFT) * 1000 / mono_kernel_hz();
}

static void look_at_flow(struct question *q, const struct service *s)
{
	struct explain_facts *f = &q->f;
	const struct dp_known *k = &q->known;
	uint16_t base = k->at.base.base;

	dp_flow_look(q->e->dp, &q->svc, &q->tuple, &q->known);
	base = k->at.base.base;
	f->has_slot = true;
	f->slot = k->slot;
	f->slots = q->svc.slot_mask + 1u;
	f->by_source = q->svc.flags & SHUNT_SVC_SOURCE;
	f->moves = transit_is_on(k->at.slot);
	f->learning = f->moves && k->at.base.flags & SHUNT_BASE_LEARNING;
	name_of(s, k->at.slot & SHUNT_SLOT_BACKEND, f->cur);
	name_of(s, base ? base : k->at.slot & SHUNT_SLOT_BACKEND, f->base);
	f->remembers_all = q->svc.flags & SHUNT_SVC_FLOWS;
	f->has_entry = k->has_entry;
	f->holds = k->holds;
	f->confirmed = k->confirmed;
	f->age_ms = ticks_ms(k->age);
	name_of(s, k->number, f->entry);
}

static void look_at_tables(struct question *q)
{
	const struct service *s = q->number < 0 ? NULL : q->e->services[q->number];
	struct explain_facts *f = &q->f;

	if (!s)
		return;
	f->has_list = s->conf->has_list;
	f->only_allowed = s->conf->only_allowed;
	f->has_rates = s->conf->rate.new_flows || s->conf->rate.per_source;
	look_at_flow(q, s);
	f->has_connection =
		q->svc.flags & SHUNT_SVC_NAT && dp_nat_look(q->e->dp, &q->tuple, &q->conn);
	if (f->has_connection)
		f->connection_age_ms = ticks_ms(dp_nat_age(q->e->dp, q->conn.seen));
}

/* ---- what the packet path did -----------------------------------------------------------------*/

/* Whose row it is. */
static void find_row(struct question *q)
{
	const struct engine *e = q->e;
	uint32_t row = q->dry.row;
	size_t i, k;

	q->service = q->number;
	q->backend = -1;
	for (i = 0; i < e->n_services && row; i++) {
		const struct service *s = e->services[i];

		if (row < s->row || row >= s->row + s->rows)
			continue;
		q->service = (int64_t)i;
		for (k = 0; k < s->n_backends; k++)
			if (s->row + s->backends[k]->number == row)
				q->backend = (int64_t)k;
	}
}

/* By what the packet path goes by, in its order. */
static enum explain_why why_of(const struct question *q, uint16_t number)
{
	const struct explain_facts *f = &q->f;
	const struct dp_known *k = &q->known;
	const bool syn = f->in.protocol == IPPROTO_TCP && (f->in.tcp_flags & 0x12) == 0x02;

	if (f->has_connection && number == q->conn.number)
		return EXPLAIN_CONNECTION;
	if (k->holds && k->number == number)
		return EXPLAIN_ENTRY;
	if (f->opens && q->svc.flags & SHUNT_SVC_TURNS)
		return EXPLAIN_TURN;
	if (q->svc.flags & SHUNT_SVC_FLOWS && f->remembers)
		return q->svc.flags & SHUNT_SVC_LOADS ? EXPLAIN_LOAD : EXPLAIN_TURN;
	if (!f->moves && number == (k->at.slot & SHUNT_SLOT_BACKEND))
		return EXPLAIN_SETTLED;
	if (number == (k->at.slot & SHUNT_SLOT_BACKEND) && (syn || f->in.protocol == IPPROTO_UDP))
		return EXPLAIN_NEW;
	if (number == k->at.base.base || number == (k->at.slot & SHUNT_SLOT_BACKEND))
		return EXPLAIN_OLD;
	return EXPLAIN_OTHERWISE;
}

static void note_backend(struct question *q)
{
	struct explain_facts *f = &q->f;
	const struct backend *b;

	if (q->backend < 0)
		return;
	b = q->e->services[q->service]->backends[q->backend];
	f->has_backend =
		views_backend(q->e, (uint32_t)q->service, (uint32_t)q->backend, &f->backend);
	f->mtu = b->row.mtu;
	f->translates = b->row.method == SHUNT_NAT || b->row.method == SHUNT_MASQ;
	f->why = q->service == q->number ? why_of(q, b->number) : EXPLAIN_OTHERWISE;
	if (f->verdict != SHUNT_FORWARD_LOCAL)
		memcpy(f->egress, f->backend.egress, sizeof(f->egress));
}

static int run(struct question *q, struct explanation *out)
{
	struct dp_error err = {""};
	struct explain_facts *f = &q->f;
	int rc;

	if (q->number >= 0)
		q->dry.own_row = q->e->services[q->number]->row;
	rc = dp_dry_run(q->e->dp, &q->dry, &err);
	if (rc) {
		snprintf(out->error, sizeof(out->error), "%s", err.text);
		return rc;
	}
	f->verdict = q->dry.verdict;
	f->remembers = q->dry.remembers;
	f->no_room = q->dry.no_room;
	f->opens = q->dry.opens;
	f->out_len = q->dry.out_len;
	dissect_words(q->dry.out, q->dry.out_len, f->out);
	find_row(q);
	note_backend(q);
	if (!f->egress[0] && q->dry.action == XDP_TX)
		memcpy(f->egress, f->interface, sizeof(f->egress));
	f->former = q->e->upgrade.state >= SHUNT_UPGRADE_REFUSED;
	return 0;
}

/* ---- question and answer ----------------------------------------------------------------------*/

static int no_interface(const struct engine *e, const char *name, struct explanation *out)
{
	size_t i, used;

	snprintf(out->error, sizeof(out->error),
		 "there is no interface \"%s\"; shunt is told to use:", name);
	for (i = 0; i < e->n_interfaces; i++) {
		used = strlen(out->error);
		snprintf(out->error + used, sizeof(out->error) - used, "%s %s", i ? "," : "",
			 e->interfaces[i].conf.name);
	}
	return -ENODEV;
}

static int take_interface(struct question *q, const char *name, struct explanation *out)
{
	const struct engine *e = q->e;
	size_t i;

	if (!name[0])
		return 0;
	snprintf(q->f.interface, sizeof(q->f.interface), "%s", name);
	for (i = 0; i < e->n_interfaces; i++) {
		const struct interface *on = &e->interfaces[i];

		if (strcmp(on->conf.name, name) != 0 && strcmp(on->port, name) != 0)
			continue;
		q->dry.ifindex = on->ifindex;
		q->f.xdp = on->mode == DP_NATIVE    ? VIEW_XDP_NATIVE
			   : on->mode == DP_GENERIC ? VIEW_XDP_GENERIC
						    : VIEW_XDP_NONE;
		return 0;
	}
	q->dry.ifindex = if_nametoindex(name);
	return q->dry.ifindex ? 0 : no_interface(e, name, out);
}

/* The frame that is asked about, or one that is made up, into @made. */
static int take_frame(struct question *q, const struct explain_ask *ask,
		      uint8_t made[static SYNTH_FRAME_MAX], struct explanation *out)
{
	struct synth s = {.kind = ask->protocol == IPPROTO_UDP ? SYNTH_UDP : SYNTH_TCP,
			  .client = ask->client,
			  .vip = ask->vip,
			  .client_port = ask->client_port,
			  .port = ask->port,
			  .syn = !ask->established};

	q->dry.frame = ask->frame.at;
	q->dry.len = ask->frame.len;
	if (ask->frame.len)
		return 0;
	if (addr_is_none(&ask->client) || ask->client.family != ask->vip.family ||
	    (ask->protocol != IPPROTO_TCP && ask->protocol != IPPROTO_UDP)) {
		snprintf(out->error, sizeof(out->error),
			 "client and service have to be of one IP version, with TCP or UDP");
		return -EINVAL;
	}
	q->dry.frame = made;
	q->dry.len = (uint32_t)synth_frame(&s, made);
	return 0;
}

static void fill_packet(const struct question *q, struct view_explain *v)
{
	const struct explain_facts *f = &q->f;

	v->verdict = f->verdict;
	v->action = (uint8_t)q->dry.action;
	if (q->service >= 0)
		memcpy(v->service, q->e->services[q->service]->name, sizeof(v->service));
	if (f->has_backend)
		memcpy(v->backend, f->backend.name, sizeof(v->backend));
	v->forward = f->backend.forward;
	v->why = f->why;
	memcpy(v->interface, f->interface, sizeof(v->interface));
	memcpy(v->egress, f->egress, sizeof(v->egress));
	v->slot = f->slot;
	v->slots = f->has_slot ? f->slots : 0;
	v->moves = f->moves;
	memcpy(v->cur, f->cur, sizeof(v->cur));
	memcpy(v->base, f->moves ? f->base : "", f->moves ? sizeof(v->base) : 1);
	memcpy(v->entry, f->holds ? f->entry : "", f->holds ? sizeof(v->entry) : 1);
	v->remembers = f->remembers;
	v->no_room = f->no_room;
	v->opens = f->opens;
}

static void add_frame(struct explanation *out, const uint8_t *frame, uint32_t len, bool leaves)
{
	struct view_frame *v = &out->frames[out->n_frames++];

	v->leaves = leaves;
	v->bytes.len = len < sizeof(v->bytes.at) ? len : sizeof(v->bytes.at);
	memcpy(v->bytes.at, frame, v->bytes.len);
}

static void fill(const struct question *q, struct explanation *out)
{
	enum shunt_verdict_class class = verdict_class(q->f.verdict);

	out->about_packet = true;
	fill_packet(q, &out->packet);
	out->n_steps = explain_words(&q->f, out->steps);
	add_frame(out, q->dry.frame, q->dry.len, false);
	if (class != SHUNT_CLASS_DROP && class != SHUNT_CLASS_PASS)
		add_frame(out, q->dry.out, q->dry.out_len, true);
}

void explain_prepare(struct engine *e)
{
	const mono_t began = mono_now();

	if (!dp_dry_is_loaded(e->dp))
		dp_dry_drop(e->dp); /* one of former tables, which stay as long as it does */
	if (!e->said_ready || e->dry_generation != e->generation) {
		e->dry_generation = e->generation;
		e->dry_wait_s = IDLE_S;
	}
	if (e->dry_wait_s == 0 || --e->dry_wait_s > 0)
		return;
	if (dp_dry_prepare(e->dp, NULL) > 0 && mono_diff_us(began, mono_now()) <= LOOK_AT_MOST_US)
		e->dry_wait_s = 1;
}

void explain_close(struct engine *e)
{
	if (e->trace_lease)
		event_free(e->trace_lease);
	e->trace_lease = NULL;
}

int explain_packet(void *arg, const struct explain_ask *ask, struct explanation *out)
{
	struct question q = {.e = arg, .number = -1, .service = -1, .backend = -1};
	uint8_t made[SYNTH_FRAME_MAX];
	int rc;

	if (ask->service[0])
		return explain_service(q.e, ask->service, out);
	rc = take_interface(&q, ask->interface, out);
	if (rc == 0)
		rc = take_frame(&q, ask, made, out);
	if (rc)
		return rc;
	dissect_frame(q.dry.frame, q.dry.len, &q.f.in);
	q.f.len = q.dry.len;
	match(&q);
	look_at_tables(&q);
	rc = run(&q, out);
	if (rc == 0)
		fill(&q, out);
	return rc;
}
