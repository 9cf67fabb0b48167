/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>

#include "engine/replicate.h"

static int by_salt(const void *a, const void *b)
{
	const struct known_service *x = a, *y = b;

	return (x->salt > y->salt) - (x->salt < y->salt);
}

void names_fini(struct names *n)
{
	free(n->services);
	free(n->backends);
	*n = (struct names){0};
}

static int make_room(struct names *n, const struct engine *e)
{
	size_t backends = 0, i;

	for (i = 0; i < e->n_services; i++)
		backends += e->services[i]->n_backends;
	n->services = calloc(e->n_services + 1, sizeof(*n->services));
	n->backends = calloc(backends + 1, sizeof(*n->backends));
	return n->services && n->backends ? 0 : -ENOMEM;
}

void names_of(const struct service *s, struct known_backend *room, struct known_service *k)
{
	size_t i;

	*k = (struct known_service){service_salt(s->name), s, room, s->n_backends};
	for (i = 0; i < s->n_backends; i++)
		room[i] = (struct known_backend){
			peer_backend_id(s->backends[i]->name, &s->backends[i]->addr),
			s->backends[i]->number};
}

int names_refresh(struct names *n, const struct engine *e)
{
	struct known_backend *room;
	size_t i;

	if (n->services && n->generation == e->generation)
		return 0;
	names_fini(n);
	if (make_room(n, e)) {
		names_fini(n);
		return -ENOMEM;
	}
	room = n->backends;
	for (i = 0; i < e->n_services; i++) {
		names_of(e->services[i], room, &n->services[i]);
		room += e->services[i]->n_backends;
	}
	n->n = e->n_services;
	n->generation = e->generation;
	qsort(n->services, n->n, sizeof(*n->services), by_salt);
	return 0;
}

const struct known_service *names_service(const struct names *n, uint32_t salt)
{
	const struct known_service key = {.salt = salt};

	return n->n ? bsearch(&key, n->services, n->n, sizeof(key), by_salt) : NULL;
}

uint16_t names_number(const struct known_service *k, uint64_t id)
{
	size_t i;

	for (i = 0; i < k->n; i++)
		if (k->backends[i].id == id)
			return k->backends[i].number;
	return 0;
}

uint64_t names_id(const struct known_service *k, uint16_t number)
{
	size_t i;

	for (i = 0; i < k->n; i++)
		if (k->backends[i].number == number)
			return k->backends[i].id;
	return 0;
}

void names_flow(const struct known_service *k, uint16_t number, struct dp_flow *f)
{
	const struct service *s = k->service;

	f->number = number;
	f->svc = (struct shunt_service){
		.slots_at = s->slots_at,
		.slot_mask = (uint16_t)(s->slots - 1),
		.row = s->row,
		.salt = k->salt,
		.flags = s->flags,
		.flow_timeout = flow_ticks(conf_flow_timeout_ms(s->conf)),
	};
}

uint8_t names_slots_log2(const struct known_service *k)
{
	uint8_t log2 = 0;

	while (1u << log2 < k->service->slots)
		log2++;
	return log2;
}
