/* SPDX-License-Identifier: BSD-2-Clause */
/* From a configuration to services, rows and slots, in two steps: a plan that may fail and changes
 * nothing (plan.c), and its execution, which cannot fail half-way.
 *
 * The order of the execution is the contract that no packet meets an index pointing at nothing:
 * owners and rows of what is new, slots, the services' own entries by one flip and a grace period,
 * and only then the rows and slots of what is gone. */
#include "engine/plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/drain.h"
#include "engine/explain.h"
#include "engine/loads.h"
#include "engine/passive.h"
#include "engine/policies.h"
#include "engine/quic.h"
#include "engine/rehash.h"
#include "engine/transitions.h"
#include "engine/web.h"
#include "engine/replicate.h"
#include "pure/hashkey.h"

/* Flow ticks are jiffies >> SHUNT_FLOW_TICK_SHIFT; HZ is at most 1000, and one tick too many only
 * keeps an idle flow a little longer. */
uint16_t flow_ticks(uint32_t timeout_ms)
{
	uint64_t ticks = (uint64_t)timeout_ms * mono_kernel_hz() / 1000 >> SHUNT_FLOW_TICK_SHIFT;

	return ticks >= UINT16_MAX / 2 ? UINT16_MAX / 2 : (uint16_t)(ticks + 1);
}

/* Whether a backend translates, one that leaves included; with @all, whether each does. */
static bool translates(const struct change *c, bool all)
{
	bool has = all ? conf_service_only_translates(c->conf) : conf_service_translates(c->conf);
	size_t i;

	for (i = c->conf->n_backends; i < c->n_backends; i++)
		if (conf_translates(c->backends[i].kept->forward) != all)
			return !all;
	return has;
}

/* SHUNT_SVC_* that the service gets. */
static uint16_t plan_flags(const struct change *c)
{
	const struct conf_service *conf = c->conf;
	uint16_t flags = conf->on_empty == CONF_EMPTY_PASS ? SHUNT_SVC_ON_EMPTY_PASS : 0;

	if (conf_is_quic(conf))
		flags |= SHUNT_SVC_QUIC;
	if (translates(c, false))
		flags |= SHUNT_SVC_NAT;
	if (c->scheme.source_bits)
		flags |= SHUNT_SVC_SOURCE;
	if (c->scheme.affinity)
		flags |= SHUNT_SVC_AFFINE;
	flags |= rehash_flags(c);
	if (!conf_remembers_flows(c->scheme.scheduler))
		return flags | (rehash_sees_no_beginning(&c->scheme, conf) ? SHUNT_SVC_LEARN : 0);
	if (conf_counts_flows(c->scheme.scheduler))
		flags |= SHUNT_SVC_LOADS;
	/* What translates remembers its backend itself. */
	return flags | (translates(c, true) ? SHUNT_SVC_TURNS : SHUNT_SVC_FLOWS);
}

uint32_t service_salt(const char *name)
{
	static const uint64_t salt_key[2] = {0x73616c74, 0x666c6f77};

	return (uint32_t)siphash24(name, strlen(name), salt_key);
}

static struct shunt_service service_of(const struct change *c)
{
	const struct conf_service *conf = c->conf;

	return (struct shunt_service){
		.slots_at = c->slots_at,
		.slot_mask = (uint16_t)(c->slots - 1),
		.row = c->row,
		.backends = (uint16_t)(c->rows - 1), /* slots name new ones before this holds */
		.flags = plan_flags(c),
		.scheduler = c->scheme.scheduler,
		.flow_timeout = flow_ticks(conf_flow_timeout_ms(conf)),
		.source_bits = c->scheme.source_bits,
		.policy = c->policy,
		.salt = service_salt(conf->name),
	};
}

void owner_write(struct engine *e, const struct service *s, const struct backend *b)
{
	struct shunt_owner o = {0};

	memcpy(o.service, s->name, sizeof(o.service));
	if (b) {
		memcpy(o.backend, b->name, sizeof(o.backend));
		memcpy(o.addr, b->addr.bytes, sizeof(o.addr));
		o.addr6 = b->addr.family == 6;
		o.number = b->number;
		o.leaves_by = b->leaving ? (__u32)b->drain.by : 0;
	} else {
		o.slots_at = s->slots_at;
		o.slots = s->slots;
		o.rows = s->rows;
		o.keeps_since = (__u64)s->keeps_since.us;
		o.knows_all = s->knows_all;
	}
	dp_owner_write(e->dp, s->row + (b ? b->number : 0), &o);
}

static void configure(struct engine *e, struct change_backend *cb)
{
	if (cb->conf) {
		cb->backend->conf = cb->conf;
		drain_come_back(e, cb->backend);
	} else {
		drain_leave(e, cb->backend, take_ptr(cb->kept));
	}
}

/* All flows, of which it has remembered few so far. */
static bool begins_to_remember(const struct change *c)
{
	return !c->is_new && c->rehash == REHASH_NONE && !(c->service->flags & SHUNT_SVC_FLOWS) &&
	       plan_flags(c) & SHUNT_SVC_FLOWS;
}

/* Flows that are older than its remembering are found by their slots, and TCP's go on so for as long as
 * they live. */
static bool knows_all(const struct change *c)
{
	if (!(plan_flags(c) & SHUNT_SVC_FLOWS))
		return false;
	return c->is_new || c->rehash == REHASH_SWITCH || c->service->knows_all;
}

/* The service as the change has it, before any packet can find it. */
static void take_over(struct engine *e, struct change *c)
{
	struct service *s = c->service;
	uint16_t was;
	size_t i;

	s->conf = c->conf;
	c->former_row = s->row;
	c->former_rows = s->rows;
	s->rows = c->rows;
	if (c->new_lines)
		transitions_move(e, s, c->slots_at, c->slots);
	s->slots_at = c->slots_at;
	s->slots = c->slots;
	s->logical = c->logical;
	was = s->flags;
	s->anew = c->rehash == REHASH_SWITCH;
	c->forgets = s->flags & SHUNT_SVC_FLOWS && !(plan_flags(c) & SHUNT_SVC_FLOWS);
	s->believe = c->forgets;
	s->begins = begins_to_remember(c);
	s->knows_all = knows_all(c);
	s->flags = plan_flags(c);
	s->scheme = c->scheme;
	if (!(was & s->flags & SHUNT_SVC_KEEP))
		s->keeps_since = mono_never();
	s->policy = c->policy;
	s->last_number = c->last_number;
	if (c->row != s->row || c->is_new) {
		if (c->is_new)
			dp_owner_reset_counters(e->dp, c->row);
		else
			dp_owner_carry_counters(e->dp, s->row, c->row);
	}
	for (i = 0; i < c->n_backends; i++) {
		struct backend *b = c->backends[i].backend;

		configure(e, &c->backends[i]);
		if (!c->backends[i].is_new)
			views_method_changes(e, b, (enum shunt_forward)b->row.method);
		if (c->backends[i].is_new)
			dp_owner_reset_counters(e->dp, c->row + b->number);
		else if (c->row != s->row)
			dp_owner_carry_counters(e->dp, s->row + b->number, c->row + b->number);
		if (c->row != s->row && b->adopted)
			dp_backend_write(e->dp, c->row + b->number, &b->row);
		else if (c->row != s->row)
			memset(&b->row, 0, sizeof(b->row)); /* not written there yet */
		edits_to_backend(e, b);
	}
	s->row = c->row;
	owner_write(e, s, NULL);
	for (i = 0; i < c->n_backends; i++)
		owner_write(e, s, c->backends[i].backend);
}

static void start_backends(struct engine *e, struct change *c)
{
	size_t i;

	for (i = 0; i < c->n_backends; i++) {
		struct backend *b = c->backends[i].backend;
		int err = nexthops_watch(e, b);

		if (!err && c->backends[i].check_changed) {
			checks_stop(e, b);
			err = checks_start(e, b);
		} else if (!err) {
			checks_follow(e, b);
		}
		if (err)
			log_error("backend %s/%s: cannot be watched: %s", c->service->name, b->name,
				  strerror(-err));
	}
}

static void install(struct engine *e, struct plan *p)
{
	size_t i;

	for (i = 0; i < p->n_changes; i++) {
		struct change *c = &p->changes[i];
		struct service *s = c->service;

		take_over(e, c);
		free(s->backends);
		s->backends = take_ptr(c->list);
		s->n_backends = c->n_backends;
		start_backends(e, c);
		service_rebuild(e, s);
		c->quic = quic_switch(e, s, c->quic); /* the former one, from here on */
	}
}

/* What packets are to find once the plan is executed, with all memory that it takes. */
static int prepare_services(const struct engine *e, const struct conf *conf, const struct plan *p,
			    struct dp_services **out, struct engine_error *err)
{
	auto_free struct dp_service *entries = NULL;
	struct dp_error why = {0};
	size_t n = 0, i;
	int ret = plan_entries(conf, &entries, &n);

	if (ret)
		return ret;
	for (i = 0; i < n; i++) /* the plan's changes are in the configuration's order */
		if (entries[i].svc.row < p->n_changes)
			entries[i].svc = service_of(&p->changes[entries[i].svc.row]);
		else if (dp_vip_is_live(e->dp, &entries[i].vip, entries[i].vip_bits))
			entries[i].svc.flags = SHUNT_VIP_LIVE; /* for the time being */
	ret = dp_services_prepare(e->dp, entries, n, out, &why);
	if (ret)
		snprintf(err->text, sizeof(err->text), "%s", why.text);
	return ret;
}

static void clear_rows(struct engine *e, uint32_t row, uint32_t n)
{
	const struct shunt_backend no_backend = {0};
	const struct shunt_owner nobody = {0};
	uint32_t i;

	for (i = row; i < row + n; i++) {
		dp_backend_write(e->dp, i, &no_backend);
		dp_owner_write(e->dp, i, &nobody);
	}
}

static void retire(struct engine *e, struct plan *p)
{
	size_t i;

	for (i = 0; i < p->n_gone_backends; i++) {
		struct gone_backend *g = &p->gone_backends[i];

		checks_stop(e, g->backend);
		nexthops_unwatch(e, g->backend);
		if (g->row)
			clear_rows(e, g->row, 1);
		backend_free(g->backend);
	}
	p->n_gone_backends = 0;
	for (i = 0; i < p->n_gone_rows; i++) {
		clear_rows(e, p->gone_rows[i].at, p->gone_rows[i].n);
		ranges_give(&e->rows, p->gone_rows[i].at, p->gone_rows[i].n);
	}
	for (i = 0; i < p->n_gone_lines; i++)
		ranges_give(&e->lines, p->gone_lines[i].at, p->gone_lines[i].n);
	for (i = 0; i < p->n_changes; i++)
		quic_give_back(e, &p->changes[i].quic);
	for (i = 0; i < p->n_gone_services; i++) {
		quic_give_back(e, &p->gone_services[i]->quic);
		p->gone_services[i]->n_backends = 0; /* freed above */
		service_free(p->gone_services[i]);
	}
}

/* Flows that are counted go along with rows that move, and are nobody's where rows are given up: who has
 * them next would have the flows too. */
static void move_flows(struct engine *e, const struct plan *p)
{
	const uint32_t n = dp_sizes(e->dp)->rows;
	auto_free uint32_t *to = NULL;
	uint32_t row;
	size_t i;

	if (!p->n_gone_rows && !p->n_gone_backends)
		return;
	to = malloc(n * sizeof(*to));
	if (!to) /* some are counted to the wrong rows, until they end */
		return;
	for (row = 0; row < n; row++)
		to[row] = row;
	for (i = 0; i < p->n_gone_backends; i++)
		to[p->gone_backends[i].row] = 0;
	for (i = 0; i < p->n_gone_rows; i++)
		memset(&to[p->gone_rows[i].at], 0, p->gone_rows[i].n * sizeof(*to));
	for (i = 0; i < p->n_changes; i++) {
		const struct change *c = &p->changes[i];

		for (row = 1; c->new_rows && row < c->former_rows; row++)
			to[c->former_row + row] = c->row + row;
	}
	dp_flows_move_rows(e->dp, to, n);
}

/* What cannot fail, from here on. */
static void execute(struct engine *e, struct plan *p, struct dp_services *services)
{
	size_t i;

	install(e, p);
	free(e->services);
	e->services = take_ptr(p->services);
	e->n_services = p->n_changes;
	e->generation++;
	dp_services_apply(e->dp, services);
	for (i = 0; i < e->n_services; i++) {
		const struct change *c = &p->changes[i];

		/* The daemon may have been stopped since the slots were written. */
		if (c->rehash == REHASH_SWITCH || c->new_lines || c->forgets)
			transitions_freshen(e, e->services[i]);
		rehash_note(e, e->services[i]);
	}
	rehash_wait(e);
	vips_take(e, take_ptr(p->vips), p->n_vips);
	dp_answer_rate(e->dp, e->conf->icmp_rate);
	move_flows(e, p);
	retire(e, p);
}

static void tell_rehashes(struct engine *e, const struct plan *p, struct engine_error *text)
{
	size_t i;

	for (i = 0; i < p->n_changes; i++)
		rehash_tell(e, &p->changes[i], false, text);
}

int apply_conf(struct engine *e, struct conf *conf, struct engine_error *dropped,
	       struct engine_error *err)
{
	auto_free struct interface *interfaces = interfaces_list(e, conf);
	struct dp_services *services = NULL;
	struct conf *former = e->conf;
	struct policies policies = {0};
	struct plan p = {0};
	int ret = -ENOMEM;

	if (interfaces)
		ret = plan_make(e, conf, &p, err);
	if (ret)
		return ret;
	ret = policies_plan(e, conf, &p, &policies, err);
	if (!ret)
		ret = quic_plan(e, conf, &p, err);
	if (!ret)
		ret = prepare_services(e, conf, &p, &services, err);
	if (ret) {
		policies_drop(e, &policies);
		quic_drop(e, &p);
		plan_drop(e, &p);
		return ret;
	}
	edits_reconcile_all(e, conf, dropped);
	tell_rehashes(e, &p, dropped);
	e->conf = conf;
	log_set_level((enum log_level)conf->log_level); /* the same words in the same order */
	free(e->interfaces);
	e->interfaces = take_ptr(interfaces);
	e->n_interfaces = conf->n_interfaces;
	nat_install(e, conf);
	quic_tell(conf);
	execute(e, &p, services);
	policies_switch(e, &policies);
	checks_follow_gates(e, conf);
	alerts_configure(e);
	webs_configure(e);
	passive_configure(e);
	replicate_configure(e);
	loads_start(e);
	own_ask(e);
	trace_follow(e);
	plan_fini(&p);
	if (former != conf)
		conf_free(former);
	return 0;
}
