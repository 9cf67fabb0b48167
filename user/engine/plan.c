/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/rehash.h"

/* ---- sizes --------------------------------------------------------------------------------------*/

/* Rows for @highest backends and the service itself, with room for half as many again, so that a
 * few more backends move nothing. */
static uint32_t rows_for(uint32_t highest)
{
	uint32_t wanted = highest + highest / 2 + 2, rows = 4;

	while (rows < wanted)
		rows *= 2;
	return rows;
}

static uint32_t slots_of(const struct conf_service *conf)
{
	return conf->slots ? conf->slots : slots_for(conf->n_backends);
}

static uint32_t at_least(uint32_t floor, uint64_t wanted)
{
	return wanted < floor ? floor : (uint32_t)wanted;
}

int plan_sizes(const struct conf *conf, struct dp_sizes *sizes)
{
	struct dp_sizes need = {0};
	uint64_t rows = 0, lines = 0;
	bool flow_rows = false, passive = false;
	size_t i;
	int err = plan_entries_need(conf, &need);

	if (err)
		return err;

	for (i = 0; i < conf->n_services; i++) {
		rows += rows_for((uint32_t)conf->services[i].n_backends);
		lines += slots_of(&conf->services[i]) / SHUNT_SLOTS_PER_LINE;
		flow_rows |= conf_remembers_flows(conf->services[i].scheduler);
		passive |= conf->services[i].passive.action != PASSIVE_OFF;
	}
	*sizes = (struct dp_sizes){
		.services = at_least(256, need.services + (uint64_t)need.services / 2),
		.spans = at_least(64, need.spans + (uint64_t)need.spans / 2),
		.rows = at_least(4096, rows + rows / 2),
		.slot_lines = at_least(8192, lines + lines / 2),
		.flows = conf->flow_table,
		.news = conf->peers.n > 0,
		.passive = passive,
		.flow_rows = flow_rows,
		.frags = conf->fragments,
	};
	nat_sizes(conf, sizes);
	return 0;
}

/* ---- matching -----------------------------------------------------------------------------------*/

static int by_service_name(const void *a, const void *b)
{
	return strcmp((*(struct service *const *)a)->name, (*(struct service *const *)b)->name);
}

void *plan_sorted(const void *pointers, size_t n, int (*compare)(const void *, const void *))
{
	void **copy = calloc(n + 1, sizeof(*copy));

	if (!copy)
		return NULL;
	if (n) {
		memcpy(copy, pointers, n * sizeof(*copy));
		qsort(copy, n, sizeof(*copy), compare);
	}
	return copy;
}

/* ---- services -----------------------------------------------------------------------------------*/

static struct service *match_service(struct service **in, size_t n, const struct conf_service *conf)
{
	struct service key, *wanted = &key, **found;

	memcpy(key.name, conf->name, sizeof(key.name));
	found = bsearch(&wanted, in, n, sizeof(*in), by_service_name);
	return found ? *found : NULL;
}

static int plan_service(struct change *c, struct service **in, size_t n, struct plan *p)
{
	c->service = match_service(in, n, c->conf);
	if (!c->service) {
		c->service = calloc(1, sizeof(*c->service));
		if (!c->service)
			return -ENOMEM;
		memcpy(c->service->name, c->conf->name, sizeof(c->service->name));
		c->service->born = mono_now();
		c->is_new = true;
	}
	return plan_backends(c, p);
}

static int by_pointer(const void *a, const void *b)
{
	uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;

	return x < y ? -1 : x > y;
}

/* The services that no change keeps, with all their backends and regions. */
static int plan_gone(struct engine *e, struct plan *p)
{
	auto_free struct service **kept = calloc(p->n_changes + 1, sizeof(*kept));
	size_t i, k;

	if (!kept)
		return -ENOMEM;
	for (i = 0; i < p->n_changes; i++)
		kept[i] = p->changes[i].service;
	qsort(kept, p->n_changes, sizeof(*kept), by_pointer);
	for (i = 0; i < e->n_services; i++) {
		struct service *s = e->services[i];

		if (bsearch(&s, kept, p->n_changes, sizeof(*kept), by_pointer))
			continue;
		p->gone_services[p->n_gone_services++] = s;
		for (k = 0; k < s->n_backends; k++)
			p->gone_backends[p->n_gone_backends++] =
				(struct gone_backend){.backend = s->backends[k]};
		p->gone_rows[p->n_gone_rows++] = (struct range){s->row, s->rows};
		p->gone_lines[p->n_gone_lines++] =
			(struct range){s->slots_at, s->slots / SHUNT_SLOTS_PER_LINE};
	}
	return 0;
}

/* ---- regions ------------------------------------------------------------------------------------*/

static uint16_t highest_of(const struct change *c)
{
	uint16_t highest = 0;
	size_t i;

	for (i = 0; i < c->n_backends; i++)
		if (c->list[i]->number > highest)
			highest = c->list[i]->number;
	return highest;
}

/* A table does not shrink: which flows a slot of a smaller one would have nobody could say. */
static void want_slots(struct change *c)
{
	c->logical = slots_of(c->conf);
	c->slots = c->service->slots > c->logical ? c->service->slots : c->logical;
}

/* Rows that move take their slots along: a slot names a row by its distance from the first. */
static void want_regions(struct change *c)
{
	const struct service *s = c->service;

	c->highest = highest_of(c);
	c->row = s->row;
	c->rows = s->rows;
	c->slots_at = s->slots_at;
	c->new_rows = c->is_new || c->highest + 1u > s->rows;
	if (c->new_rows)
		c->rows = rows_for(c->highest);
	c->new_lines = c->new_rows || c->slots != s->slots;
}

static int make_room(struct engine *e, const struct conf *conf, const struct plan *p,
		     struct engine_error *err)
{
	struct dp_sizes sizes = *dp_sizes(e->dp), nat = {0};
	struct dp_error why = {0};
	uint32_t rows = 0, lines = 0;
	size_t i;
	int ret;

	for (i = 0; i < p->n_changes; i++) {
		rows += p->changes[i].new_rows ? p->changes[i].rows : 0;
		lines += p->changes[i].new_lines ? p->changes[i].slots / SHUNT_SLOTS_PER_LINE : 0;
	}
	if (ranges_longest(&e->rows) < rows)
		sizes.rows += rows * 2;
	if (ranges_longest(&e->lines) < lines)
		sizes.slot_lines += lines * 2;
	nat_sizes(conf, &nat);
	sizes.nat = nat.nat > sizes.nat ? nat.nat : sizes.nat;
	sizes.nat6 = sizes.nat6 || nat.nat6;
	sizes.news = sizes.news || conf->peers.n;
	for (i = 0; i < conf->n_services; i++) {
		sizes.flow_rows |= conf_remembers_flows(conf->services[i].scheduler);
		sizes.passive |= conf->services[i].passive.action != PASSIVE_OFF;
	}
	ret = plan_more_entries(conf, &sizes);
	if (ret)
		return ret;
	ret = dp_grow(e->dp, &sizes, &why);
	if (ret) {
		snprintf(err->text, sizeof(err->text), "%s", why.text);
		return ret;
	}
	ret = ranges_grow(&e->rows, dp_sizes(e->dp)->rows);
	return ret ? ret : ranges_grow(&e->lines, dp_sizes(e->dp)->slot_lines);
}

static int take_regions(struct engine *e, struct change *c)
{
	int err = 0;

	if (c->new_rows) {
		err = ranges_take(&e->rows, c->rows, &c->row);
		c->new_rows = !err;
	}
	if (!err && c->new_lines)
		err = ranges_take(&e->lines, c->slots / SHUNT_SLOTS_PER_LINE, &c->slots_at);
	c->new_lines = !err && c->new_lines;
	return err;
}

static void note_left_regions(struct plan *p)
{
	size_t i, k;

	for (i = 0; i < p->n_changes; i++) {
		struct change *c = &p->changes[i];
		const struct service *s = c->service;

		if (c->is_new)
			continue;
		if (c->new_rows)
			p->gone_rows[p->n_gone_rows++] = (struct range){s->row, s->rows};
		if (c->new_lines)
			p->gone_lines[p->n_gone_lines++] =
				(struct range){s->slots_at, s->slots / SHUNT_SLOTS_PER_LINE};
		for (k = 0; c->new_rows && k < p->n_gone_backends; k++)
			if (p->gone_backends[k].backend->service == s)
				p->gone_backends[k].row = 0;
	}
}

static void give_regions(struct engine *e, const struct plan *p)
{
	size_t i;

	for (i = 0; i < p->n_changes; i++) {
		const struct change *c = &p->changes[i];

		if (c->new_rows)
			ranges_give(&e->rows, c->row, c->rows);
		if (c->new_lines)
			ranges_give(&e->lines, c->slots_at, c->slots / SHUNT_SLOTS_PER_LINE);
	}
}

static int plan_regions(struct engine *e, const struct conf *conf, struct plan *p,
			struct engine_error *err)
{
	size_t i;
	int ret;

	for (i = 0; i < p->n_changes; i++)
		want_regions(&p->changes[i]);
	ret = make_room(e, conf, p, err);
	for (i = 0; !ret && i < p->n_changes; i++)
		ret = take_regions(e, &p->changes[i]);
	if (!ret) {
		note_left_regions(p);
		return 0;
	}
	for (; i < p->n_changes; i++)
		p->changes[i].new_rows = p->changes[i].new_lines = false; /* not taken */
	return ret;
}

/* ---- the whole ----------------------------------------------------------------------------------*/

static int allocate(const struct engine *e, const struct conf *conf, struct plan *p)
{
	size_t services = e->n_services + conf->n_services + 1, backends = 1, i;

	for (i = 0; i < e->n_services; i++)
		backends += e->services[i]->n_backends;
	p->changes = calloc(conf->n_services + 1, sizeof(*p->changes));
	p->services = calloc(conf->n_services + 1, sizeof(*p->services));
	p->vips = vips_list(conf, &p->n_vips);
	p->gone_services = calloc(services, sizeof(*p->gone_services));
	p->gone_backends = calloc(backends, sizeof(*p->gone_backends));
	p->gone_rows = calloc(services, sizeof(*p->gone_rows));
	p->gone_lines = calloc(services, sizeof(*p->gone_lines));
	if (!p->changes || !p->services || !p->vips || !p->gone_services || !p->gone_backends ||
	    !p->gone_rows || !p->gone_lines)
		return -ENOMEM;
	return 0;
}

static int match_all(const struct engine *e, const struct conf *conf, struct plan *p)
{
	auto_free struct service **in = plan_sorted(e->services, e->n_services, by_service_name);
	size_t i;

	if (!in)
		return -ENOMEM;
	for (i = 0; i < conf->n_services; i++) {
		struct change *c = &p->changes[i];
		int err;

		c->conf = &conf->services[i];
		p->n_changes = i + 1;
		err = plan_service(c, in, e->n_services, p);
		if (err)
			return err;
		p->services[i] = c->service;
	}
	return 0;
}

/* Frees the services and backends that only the plan knows. */
static void drop_new(struct plan *p)
{
	size_t i, k;

	for (i = 0; i < p->n_changes; i++) {
		struct change *c = &p->changes[i];

		for (k = 0; k < c->n_backends; k++)
			if (c->backends[k].is_new)
				backend_free(c->backends[k].backend);
		if (c->is_new)
			free(c->service);
	}
}

static int fail(struct engine *e, struct plan *p, int ret, struct engine_error *err)
{
	if (!err->text[0])
		snprintf(err->text, sizeof(err->text), "configuration not applied: %s",
			 strerror(-ret));
	plan_drop(e, p);
	return ret;
}

int plan_compare(struct engine *e, const struct conf *conf, struct plan *p,
		 struct engine_error *err)
{
	int ret = allocate(e, conf, p);
	size_t i;

	if (!ret)
		ret = match_all(e, conf, p);
	if (!ret)
		ret = plan_gone(e, p);
	for (i = 0; !ret && i < p->n_changes; i++) {
		want_slots(&p->changes[i]);
		rehash_plan(&p->changes[i]);
	}
	return ret ? fail(e, p, ret, err) : 0;
}

int plan_make(struct engine *e, const struct conf *conf, struct plan *p, struct engine_error *err)
{
	int ret = plan_compare(e, conf, p, err);

	if (!ret) {
		ret = plan_regions(e, conf, p, err);
		if (ret)
			fail(e, p, ret, err);
	}
	return ret;
}

void plan_drop(struct engine *e, struct plan *p)
{
	give_regions(e, p);
	drop_new(p);
	plan_fini(p);
}

void plan_fini(struct plan *p)
{
	size_t i, k;

	for (i = 0; i < p->n_changes; i++) {
		for (k = 0; k < p->changes[i].n_backends; k++)
			free(p->changes[i].backends[k].kept);
		free(p->changes[i].backends);
		free(p->changes[i].list);
	}
	free(p->changes);
	free(p->services);
	free(p->vips);
	free(p->gone_services);
	free(p->gone_backends);
	free(p->gone_rows);
	free(p->gone_lines);
	*p = (struct plan){0};
}
