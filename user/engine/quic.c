/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/quic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/plan.h"
#include "pure/quic_table.h"

/* The ids of a service in their places, before these are in the maps. */
struct built {
	struct shunt_quic_server *servers;
	uint32_t places;
};

static size_t ids_of(const struct conf_backend *b)
{
	size_t n = 0;

	while (n < CONF_SERVER_IDS && b->server_ids[n].len)
		n++;
	return n;
}

static bool has_id(const struct quic_server *list, size_t n, const struct conf_server_id *id)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (list[i].id->len == id->len &&
		    memcmp(list[i].id->octets, id->octets, id->len) == 0)
			return true;
	return false;
}

/* Adds the ids of those that leave, but for those that others have taken over. */
static size_t add_leaving(const struct change *c, struct quic_server *list, size_t n)
{
	size_t i, k;

	for (i = c->conf->n_backends; i < c->n_backends; i++) {
		const struct conf_backend *b = c->backends[i].kept;

		for (k = 0; k < ids_of(b); k++)
			if (!has_id(list, n, &b->server_ids[k]))
				list[n++] = (struct quic_server){&b->server_ids[k],
								 c->backends[i].backend->number};
	}
	return n;
}

/* @c: the change that knows the backends' numbers; NULL: any number will do. */
static int build(const struct conf_service *s, const struct change *c, struct built *out)
{
	auto_free struct quic_server *list =
		calloc((c ? c->n_backends : s->n_backends) * CONF_SERVER_IDS + 1, sizeof(*list));
	size_t n = 0, i, k;

	if (!list)
		return -ENOMEM;
	for (i = 0; i < s->n_backends; i++) {
		const struct conf_backend *b = c ? c->backends[i].conf : &s->backends[i];
		uint32_t number = c ? c->backends[i].backend->number : 1;

		for (k = 0; k < ids_of(b); k++)
			list[n++] = (struct quic_server){&b->server_ids[k], number};
	}
	if (c)
		n = add_leaving(c, list, n);
	return quic_table_build(list, n, &out->servers, &out->places);
}

int quic_sizes(const struct conf *conf, struct dp_sizes *sizes)
{
	uint64_t places = 0;
	uint32_t records = 0;
	size_t i;

	for (i = 0; i < conf->n_services; i++) {
		struct built b = {0};
		int err;

		if (!conf_is_quic(&conf->services[i]))
			continue;
		err = build(&conf->services[i], NULL, &b);
		if (err)
			return err;
		free(b.servers);
		places += b.places;
		records++;
	}
	if (places * 2 > UINT32_MAX)
		return -ENOMEM;
	sizes->quic_places = (uint32_t)places * 2;
	sizes->quic_records = records ? records * 2 + 1 : 0;
	return 0;
}

/* ---- places -------------------------------------------------------------------------------------*/

static int follow_sizes(struct engine *e)
{
	const struct dp_sizes *s = dp_sizes(e->dp);
	int err = ranges_grow(&e->quic_numbers, s->quic_records ? s->quic_records - 1 : 0);

	return err ? err : ranges_grow(&e->quic_places, s->quic_places);
}

int quic_init(struct engine *e)
{
	int err = ranges_init(&e->quic_numbers, 0);

	if (!err)
		err = ranges_init(&e->quic_places, 0);
	return err ? err : follow_sizes(e);
}

void quic_free(struct engine *e)
{
	ranges_fini(&e->quic_numbers);
	ranges_fini(&e->quic_places);
}

void quic_adopt(struct engine *e, struct service *s, const struct dp_service *found)
{
	uint32_t number = dp_quic_chosen(e->dp, found->svc.row);
	struct shunt_quic record;

	if (!(found->svc.flags & SHUNT_SVC_QUIC) || s->quic.number || !number ||
	    number >= dp_sizes(e->dp)->quic_records)
		return;
	dp_quic_read(e->dp, number, &record);
	if (ranges_claim(&e->quic_numbers, number - 1, 1))
		return;
	s->quic.number = number;
	if (ranges_claim(&e->quic_places, record.servers_at, record.servers_mask + 1))
		return; /* nobody else will be given them: they are somebody's */
	s->quic.at = record.servers_at;
	s->quic.places = record.servers_mask + 1;
}

void quic_give_back(struct engine *e, const struct quic_place *former)
{
	if (former->number)
		ranges_give(&e->quic_numbers, former->number - 1, 1);
	if (former->places)
		ranges_give(&e->quic_places, former->at, former->places);
}

static int take(struct engine *e, uint32_t places, struct quic_place *out)
{
	uint32_t at;
	int err = ranges_take(&e->quic_numbers, 1, &at);

	if (err)
		return err;
	out->number = at + 1;
	err = ranges_take(&e->quic_places, places, &out->at);
	if (!err)
		out->places = places;
	return err;
}

/* Has the maps grow by what all of @conf takes, and @places more. */
static int make_room(struct engine *e, const struct conf *conf, uint32_t places,
		     struct engine_error *err)
{
	struct dp_sizes sizes = *dp_sizes(e->dp), need = {0};
	struct dp_error why = {0};
	int ret = quic_sizes(conf, &need);

	if (ret)
		return ret;
	sizes.quic_records += need.quic_records;
	sizes.quic_places += need.quic_places + places;
	ret = dp_grow(e->dp, &sizes, &why);
	if (ret)
		snprintf(err->text, sizeof(err->text), "%s", why.text);
	return ret ? ret : follow_sizes(e);
}

/* ---- planning -----------------------------------------------------------------------------------*/

static int plan_one(struct engine *e, const struct conf *conf, struct change *c,
		    struct engine_error *err)
{
	struct shunt_quic record;
	struct built b = {0};
	int ret = build(c->conf, c, &b);
	auto_free struct shunt_quic_server *servers = b.servers;

	if (!ret)
		ret = take(e, b.places, &c->quic);
	if (ret == -ENOSPC) {
		quic_give_back(e, &c->quic);
		c->quic = (struct quic_place){0};
		ret = make_room(e, conf, b.places, err);
		if (!ret)
			ret = take(e, b.places, &c->quic);
	}
	if (ret)
		return ret;
	quic_record(&c->conf->quic, &record);
	record.servers_at = c->quic.at;
	record.servers_mask = c->quic.places - 1;
	dp_quic_servers_write(e->dp, c->quic.at, servers, c->quic.places);
	dp_quic_write(e->dp, c->quic.number, &record);
	return 0;
}

int quic_plan(struct engine *e, const struct conf *conf, struct plan *p, struct engine_error *err)
{
	size_t i;
	int ret = 0;

	for (i = 0; i < p->n_changes && !ret; i++)
		if (conf_is_quic(p->changes[i].conf))
			ret = plan_one(e, conf, &p->changes[i], err);
	if (ret && !err->text[0])
		snprintf(err->text, sizeof(err->text), "quic_lb not applied: %s", strerror(-ret));
	if (ret)
		quic_drop(e, p);
	return ret;
}

size_t quic_without_id(const struct conf_service *s)
{
	size_t n = 0, i;

	for (i = 0; i < s->n_backends; i++)
		n += !ids_of(&s->backends[i]);
	return n;
}

void quic_tell(const struct conf *conf)
{
	const size_t each = 10; /* what people read; more are counted */
	size_t services = 0, i;

	for (i = 0; i < conf->n_services; i++) {
		const struct conf_service *s = &conf->services[i];
		size_t n = conf_is_quic(s) ? quic_without_id(s) : 0;

		if (n && ++services <= each)
			log_warning("service %s: quic_lb: %zu of %zu backends have no server_id "
				    "and get only packets whose connection id names nobody",
				    s->name, n, s->n_backends);
	}
	if (services > each)
		log_warning("quic_lb: %zu more services have backends without a server_id",
			    services - each);
}

void quic_drop(struct engine *e, struct plan *p)
{
	size_t i;

	for (i = 0; i < p->n_changes; i++) {
		quic_give_back(e, &p->changes[i].quic);
		p->changes[i].quic = (struct quic_place){0};
	}
}

struct quic_place quic_switch(struct engine *e, struct service *s, struct quic_place to)
{
	struct quic_place former = s->quic;

	s->quic = to;
	dp_quic_choose(e->dp, s->row, to.number);
	return former;
}
