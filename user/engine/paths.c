/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/paths.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "engine/state.h"
#include "io/dp_path.h"
#include "io/nl_space.h"

#define NUMBERS_STEP 64
#define LISTEN_MAX 64
#define SOURCES 16

/* An address of this host, where a backend's route says none of the family. */
struct own_source {
	struct addr own; /* that which the route says, of the other family */
	struct addr addr;
	uint8_t family;
};

struct paths {
	struct dp_path *dp;
	struct probe_pool *probes;
	struct backend **of; /* by number; 0 is nobody's */
	uint32_t size, least; /* of which those below this are taken */
	struct own_source sources[SOURCES]; /* looked up since tables and interfaces last changed */
	size_t n_sources;
	struct addr host
		[2]; /* this host's addresses, IPv4 and IPv6, where a backend's route says none */
};

/* ---- numbers ------------------------------------------------------------------------------------*/

static int grow(struct paths *p)
{
	uint32_t size = p->size ? p->size * 2 : NUMBERS_STEP;
	struct backend **of = realloc(p->of, size * sizeof(*of));

	if (!of)
		return -ENOMEM;
	memset(of + p->size, 0, (size - p->size) * sizeof(*of));
	p->of = of;
	p->size = size;
	return 0;
}

/* The least that is free, so that they stay within the tables. */
static int take_number(struct paths *p, struct backend *b)
{
	uint32_t n;
	int err = 0;

	for (n = p->least + 1; n < p->size && p->of[n]; n++)
		;
	if (n >= p->size)
		err = grow(p);
	if (err)
		return err;
	p->of[n] = b;
	p->least = n;
	b->path = n;
	return 0;
}

/* ---- where they lead ----------------------------------------------------------------------------*/

/* Asking takes as long as there are addresses on this host, and many backends share an interface. */
static struct addr source_beside(struct paths *p, const struct addr *own, uint8_t family)
{
	struct own_source one = {.own = *own, .family = family};
	size_t i;

	for (i = 0; i < p->n_sources; i++)
		if (p->sources[i].family == family && addr_compare(&p->sources[i].own, own) == 0)
			return p->sources[i].addr;
	one.addr = nl_space_source(own, family);
	if (!addr_is_none(&one.addr) && p->n_sources < SOURCES)
		p->sources[p->n_sources++] = one;
	return one.addr;
}

/* An address of this host to which the backend's reply will come; none while its route is not known. */
static struct addr host_towards(struct paths *p, const struct backend *b, uint8_t family)
{
	if (b->nexthop.source.family == family)
		return b->nexthop.source;
	return b->nexthop.ifindex ? source_beside(p, &b->nexthop.source, family) : (struct addr){0};
}

void paths_aim(struct engine *e, const struct backend *b)
{
	struct addr host;

	if (!b->path || !b->service->conf)
		return;
	host = host_towards(e->paths, b, b->service->conf->vip.family);
	if (dp_path_target(e->paths->dp, b->path, b->service->row + b->number, &host))
		log_error("checks: backend %s/%s: no room to probe it on a client's way",
			  b->service->name, b->name);
}

static void listen_all(struct engine *e)
{
	uint32_t at[LISTEN_MAX];
	struct dp_error why = {0};
	size_t n = 0, i;

	for (i = 0; i < e->n_interfaces && n < LISTEN_MAX; i++)
		if (e->interfaces[i].ifindex)
			at[n++] = e->interfaces[i].ifindex;
	if (dp_path_listen(e->paths->dp, at, n, &why))
		log_warning("checks: %s", why.text);
}

void paths_follow(struct engine *e)
{
	struct dp_error why = {0};
	uint32_t n;

	if (!e->paths)
		return;
	e->paths->n_sources = 0;
	if (dp_path_bind(e->paths->dp, e->dp, &why))
		log_error("checks: %s; backends that are probed on a client's way look dead",
			  why.text);
	for (n = 1; n < e->paths->size; n++)
		if (e->paths->of[n])
			paths_aim(e, e->paths->of[n]);
	listen_all(e);
}

/* ---- the process --------------------------------------------------------------------------------*/

static int on_way(void *arg, pid_t pid)
{
	const struct engine *e = arg;
	struct dp_error why = {0};
	uint32_t ifindex = 0;
	int rc = nl_space_join(pid, &ifindex);

	if (rc) {
		log_error("checks: cannot make the veth of the probing process: %s", strerror(-rc));
		return rc;
	}
	rc = dp_path_enter(e->paths->dp, ifindex, nl_space_mac, &why);
	if (rc)
		log_error("checks: %s", why.text);
	return rc;
}

static int open_all(struct engine *e, struct paths *p)
{
	const struct probe_calls calls = checks_calls(e, on_way);
	struct dp_error why = {0};
	int rc = dp_path_open(&p->dp, &why);

	if (rc == 0)
		rc = dp_path_bind(p->dp, e->dp, &why);
	if (rc) {
		log_error("checks: %s", why.text);
		return rc;
	}
	rc = probe_pool_open_path(e->base, e->conf->probe_user, &calls, &p->probes);
	if (rc)
		log_error("checks: cannot start the process that probes on a client's way: %s",
			  strerror(-rc));
	return rc;
}

static void close_all(struct paths *p)
{
	if (p->probes)
		probe_pool_close(p->probes);
	dp_path_close(p->dp);
	free(p->of);
	free(p);
}

static int open_paths(struct engine *e)
{
	struct paths *p;
	int rc;

	if (e->paths)
		return 0;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	rc = open_all(e, p);
	if (rc) {
		close_all(p);
		return rc;
	}
	e->paths = p;
	listen_all(e);
	return 0;
}

int paths_take(struct engine *e, struct backend *b, struct addr *from)
{
	int rc = open_paths(e);

	if (rc == 0 && !b->path)
		rc = take_number(e->paths, b);
	if (rc)
		return rc;
	*from = dp_path_source(b->path, from->family);
	paths_aim(e, b);
	return 0;
}

void paths_give(struct engine *e, struct backend *b)
{
	if (!b->path)
		return;
	e->paths->of[b->path] = NULL;
	if (e->paths->least >= b->path)
		e->paths->least = b->path - 1;
	b->path = 0;
}

struct probe_pool *paths_pool(const struct engine *e)
{
	return e->paths->probes;
}

void paths_close(struct engine *e)
{
	if (e->paths)
		close_all(take_ptr(e->paths));
}
