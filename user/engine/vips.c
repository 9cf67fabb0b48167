/* SPDX-License-Identifier: BSD-2-Clause */
/* The services' addresses, and which of them has a service with a live backend: what the packet path
 * answers echo requests by. */
#include "engine/state.h"

#include <stdlib.h>

static int by_address(const void *a, const void *b)
{
	const struct vip *x = a, *y = b;
	int order = addr_compare(&x->addr, &y->addr);

	return order ? order : x->bits - y->bits;
}

static struct vip vip_of(const struct conf_service *conf)
{
	return (struct vip){.addr = conf->vip, .bits = conf->vip_bits};
}

struct vip *vips_list(const struct conf *conf, size_t *n)
{
	struct vip *list = calloc(conf->n_services + 1, sizeof(*list));
	size_t i;

	*n = 0;
	if (!list)
		return NULL;
	for (i = 0; i < conf->n_services; i++)
		list[i] = vip_of(&conf->services[i]);
	qsort(list, conf->n_services, sizeof(*list), by_address);
	for (i = 0; i < conf->n_services; i++)
		if (*n == 0 || by_address(&list[*n - 1], &list[i]) != 0)
			list[(*n)++] = list[i];
	return list;
}

void vips_take(struct engine *e, struct vip *list, size_t n)
{
	size_t i;

	free(e->vips);
	e->vips = list;
	e->n_vips = n;
	for (i = 0; i < e->n_services; i++) {
		struct service *s = e->services[i];
		struct vip wanted = vip_of(s->conf);

		s->vip = bsearch(&wanted, list, n, sizeof(*list), by_address);
		s->live = s->usable > 0;
		s->vip->live += s->live;
	}
	for (i = 0; i < n; i++)
		dp_vip_live(e->dp, &list[i].addr, list[i].bits, list[i].live > 0);
}

void vips_note(struct engine *e, struct service *s)
{
	bool live = s->usable > 0, was;

	if (!s->vip || s->live == live)
		return;
	was = s->vip->live > 0;
	s->live = live;
	s->vip->live += live ? 1 : -1;
	if ((s->vip->live > 0) != was)
		dp_vip_live(e->dp, &s->vip->addr, s->vip->bits, !was);
}
