/* SPDX-License-Identifier: BSD-2-Clause */
/* Which of a service's backends a new configuration keeps, which it adds, which leave and which are gone
 * at once. */
#include "engine/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/drain.h"
#include "engine/questions.h"

static int by_backend(const void *a, const void *b)
{
	const struct backend *x = *(struct backend *const *)a, *y = *(struct backend *const *)b;
	int order = strcmp(x->name, y->name);

	/* Another address is another server: its flows would break, its counters would lie. */
	return order ? order : addr_compare(&x->addr, &y->addr);
}

static struct backend *match_backend(struct backend **in, size_t n, const struct conf_backend *conf)
{
	struct backend key, *wanted = &key, **found;

	memcpy(key.name, conf->name, sizeof(key.name));
	key.addr = conf->addr;
	found = bsearch(&wanted, in, n, sizeof(*in), by_backend);
	return found ? *found : NULL;
}

static struct backend *new_backend(struct service *s, const struct conf_backend *conf,
				   uint16_t number)
{
	struct backend *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->service = s;
	memcpy(b->name, conf->name, sizeof(b->name));
	b->addr = conf->addr;
	b->number = number;
	b->nexthop.state = NL_RESOLVING;
	b->told = VIEW_NH_RESOLVING;
	return b;
}

static bool check_changed(const struct backend *b, const struct conf_service *conf,
			  const struct conf_backend *conf_backend)
{
	return !b->conf || !questions_are_same(b->service->conf, b->conf, conf, conf_backend);
}

/* Matches what it can, and notes in @taken the numbers that stay in use until the end of the
 * execution, those of backends that go included. */
static int match_backends(struct change *c, uint8_t *taken)
{
	struct service *s = c->service;
	auto_free struct backend **in = plan_sorted(s->backends, s->n_backends, by_backend);
	size_t i;

	if (!in)
		return -ENOMEM;
	for (i = 0; i < s->n_backends; i++)
		taken[s->backends[i]->number] = 1;
	for (i = 0; i < c->n_backends; i++) {
		struct change_backend *cb = &c->backends[i];

		cb->conf = &c->conf->backends[i];
		cb->backend = match_backend(in, s->n_backends, cb->conf);
		if (cb->backend)
			cb->check_changed = check_changed(cb->backend, c->conf, cb->conf);
	}
	return 0;
}

/* A number to look from, and whether that has begun anew. */
struct numbers {
	uint32_t at;
	bool anew;
};

/* The next free one: first behind the one given last, within the rows that there are, so that numbers
 * that had been given back, which flows may still be remembered by, are given again late. */
static uint32_t next_number(struct numbers *n, const uint8_t *taken, uint32_t rows)
{
	if (!n->anew)
		while (n->at < rows && taken[n->at])
			n->at++;
	if (!n->anew && n->at >= rows)
		*n = (struct numbers){.at = 1, .anew = true};
	while (n->anew && taken[n->at])
		n->at++;
	return n->at;
}

static int add_backends(struct change *c, uint8_t *taken)
{
	struct numbers numbers = {.at = c->service->last_number + 1u};
	size_t i;

	c->last_number = c->service->last_number;
	for (i = 0; i < c->n_backends; i++) {
		struct change_backend *cb = &c->backends[i];

		if (!cb->backend) {
			uint32_t number = next_number(&numbers, taken, c->service->rows);

			if (number > SHUNT_BACKENDS_PER_SERVICE)
				return -E2BIG;
			taken[number] = 1;
			c->last_number = (uint16_t)number;
			cb->backend = new_backend(c->service, cb->conf, (uint16_t)number);
			if (!cb->backend)
				return -ENOMEM;
			cb->is_new = cb->check_changed = true;
		}
		c->list[i] = cb->backend;
	}
	return 0;
}

/* What becomes of @b, which the configuration does not have: it leaves, or is gone. */
static int plan_unmatched(struct change *c, struct backend *b, struct plan *p)
{
	struct change_backend *cb = &c->backends[c->n_backends];

	if (!drain_leaves(c->conf, b)) {
		p->gone_backends[p->n_gone_backends++] =
			(struct gone_backend){.backend = b, .row = c->service->row + b->number};
		return 0;
	}
	*cb = (struct change_backend){.backend = b, .kept = drain_keep(b)};
	if (!cb->kept)
		return -ENOMEM;
	cb->check_changed = check_changed(b, c->conf, cb->kept);
	c->list[c->n_backends++] = b;
	return 0;
}

int plan_backends(struct change *c, struct plan *p)
{
	struct service *s = c->service;
	size_t n = c->conf->n_backends, i, k;
	auto_free uint8_t *taken = calloc(SHUNT_BACKENDS_PER_SERVICE * 2 + 2, 1);
	int err;

	c->backends = calloc(n + s->n_backends + 1, sizeof(*c->backends));
	c->list = calloc(n + s->n_backends + 1, sizeof(*c->list));
	if (!taken || !c->backends || !c->list)
		return -ENOMEM;
	c->n_backends = n;
	err = match_backends(c, taken);
	if (!err)
		err = add_backends(c, taken);
	if (err)
		return err;

	memset(taken, 0, SHUNT_BACKENDS_PER_SERVICE + 1);
	for (i = 0; i < n; i++)
		taken[c->list[i]->number] = 1;
	for (k = 0; k < s->n_backends && !err; k++)
		if (!taken[s->backends[k]->number])
			err = plan_unmatched(c, s->backends[k], p);
	return err;
}
