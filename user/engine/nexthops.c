/* SPDX-License-Identifier: BSD-2-Clause */
/* Next hops as rtnetlink reports them, to the backends that have them. */
#include "engine/state.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "pure/hashkey.h"

static uint64_t addr_key(const struct addr *a)
{
	static const uint64_t key[2] = {0x61646472, 0x6b6579};

	return siphash24(a, sizeof(*a), key);
}

static bool is_needed(const struct backend *b)
{
	return b->conf->forward != SHUNT_LOCAL;
}

/* What has become of the next hop, or of what the method asks of it, since it was told last. */
static void tell(struct engine *e, struct backend *b)
{
	enum view_nexthop before = b->told, after = nexthops_state(e, b);

	b->told = after;
	if (before != after || mono_is_never(b->told_at))
		b->told_at = mono_now();
	if (before != after && before != VIEW_NH_RESOLVING)
		engine_tell(e, SHUNT_EVENT_NEXTHOP, b->service, b,
			    "backend %s/%s: next hop: %s -> %s%s", b->service->name, b->name,
			    view_nexthop_name(before), view_nexthop_name(after),
			    view_nexthop_advice(after));
	else if (before != after && after != VIEW_NH_RESOLVED && after != VIEW_NH_NOT_NEEDED)
		engine_warn(e, "backend %s/%s: next hop: %s%s", b->service->name, b->name,
			    view_nexthop_name(after), view_nexthop_advice(after));
}

static int watch(struct engine *e, struct backend *b)
{
	struct nl_nexthop known;
	int err;

	err = index_add(&e->by_addr, &b->by_addr, addr_key(&b->addr));
	if (err)
		return err;
	err = nl_watch(e->nl, &b->addr);
	if (err) {
		index_remove(&e->by_addr, &b->by_addr);
		return err;
	}
	b->watched = true;
	/* Another service may watch the address already: then no first report is due. */
	if (nl_nexthop(e->nl, &b->addr, &known) == 0 && known.state != NL_RESOLVING) {
		b->nexthop = known;
		b->adopted = false;
	}
	return 0;
}

int nexthops_watch(struct engine *e, struct backend *b)
{
	int err = 0;

	if (!is_needed(b))
		nexthops_unwatch(e, b);
	else if (!b->watched)
		err = watch(e, b);
	if (!err)
		tell(e, b); /* the method may be another one */
	return err;
}

void nexthops_unwatch(struct engine *e, struct backend *b)
{
	if (!b->watched)
		return;
	nl_unwatch(e->nl, &b->addr);
	index_remove(&e->by_addr, &b->by_addr);
	b->watched = false;
}

bool nexthops_has_source(const struct backend *b)
{
	const struct conf_service *s = b->service->conf;
	const struct conf_source *set =
		b->addr.family == 6 ? &s->tunnel.source6 : &s->tunnel.source4;

	if (conf_is_tunnel(b->conf->forward) && !addr_is_none(&set->addr))
		return true;
	if (b->conf->forward == SHUNT_NAT && s->nat_pool.n)
		return true;
	if (!conf_is_tunnel(b->conf->forward) && b->conf->forward != SHUNT_NAT)
		return true;
	return !addr_is_none(&b->nexthop.source);
}

/* What the method lacks where there is a next hop. A router would send a packet for the vip, which dsr
 * leaves in it, back to this host. */
static enum view_nexthop fitness(const struct backend *b)
{
	if (b->conf->forward == SHUNT_DSR && !addr_is_none(&b->nexthop.via))
		return VIEW_NH_ROUTER;
	/* The row of another method does not say; the first report does, at once. */
	return b->adopted || nexthops_has_source(b) ? VIEW_NH_RESOLVED : VIEW_NH_NO_SOURCE;
}

enum view_nexthop nexthops_state(const struct engine *e, const struct backend *b)
{
	if (!is_needed(b))
		return VIEW_NH_NOT_NEEDED;
	switch (b->nexthop.state) {
	case NL_RESOLVED:
		return interfaces_has(e, b->nexthop.ifindex) ? fitness(b) : VIEW_NH_OTHER_INTERFACE;
	case NL_RESOLVING:
		return VIEW_NH_RESOLVING;
	case NL_NO_NEIGHBOUR:
		return VIEW_NH_NO_NEIGHBOUR;
	case NL_LINK_DOWN:
		return VIEW_NH_LINK_DOWN;
	case NL_LOCAL:
		return VIEW_NH_IS_LOCAL;
	case NL_UNSUPPORTED:
		return VIEW_NH_OTHER_INTERFACE;
	case NL_NO_ROUTE:
		break;
	}
	return VIEW_NH_NO_ROUTE;
}

/* Replies of masq have the client's address, and the router between knows a way there that need not lead
 * through this host. */
static void warn_of_router(struct engine *e, const struct backend *b, const struct addr *former)
{
	char router[ADDR_TEXT_MAX];

	if (b->conf->forward == SHUNT_MASQ && !addr_is_none(&b->nexthop.via) &&
	    addr_compare(&b->nexthop.via, former) != 0)
		engine_warn(
			e,
			"backend %s/%s: masq through the router %s, which has to send replies to "
			"clients back through this host; if it cannot, forward by nat",
			b->service->name, b->name, addr_format(&b->nexthop.via, router));
}

static void note(struct engine *e, struct backend *b, const struct nl_nexthop *nh)
{
	const struct addr former = b->nexthop.via;
	bool had_one = b->nexthop.state == NL_RESOLVED;

	/* While a next hop is looked for again, the former one still serves. */
	if (nh->state == NL_RESOLVING && had_one)
		return;
	b->nexthop = *nh;
	b->adopted = false;
	warn_of_router(e, b, &former);
	tell(e, b);
	service_touch(e, b->service);
}

static void on_nexthop(void *arg, const struct addr *a, const struct nl_nexthop *nh)
{
	struct engine *e = arg;
	struct index_node *node;

	own_note(e, a, nh);
	for (node = index_first(&e->by_addr, addr_key(a)); node; node = index_next(node)) {
		struct backend *b = container_of(node, struct backend, by_addr);

		if (addr_compare(&b->addr, a) == 0)
			note(e, b, nh);
	}
}

static void on_link(void *arg, const struct nl_link *link, bool gone)
{
	interfaces_link_event(arg, link, gone);
}

int nexthops_open(struct engine *e, struct engine_error *err)
{
	const struct nl_events events = {.nexthop = on_nexthop, .link = on_link, .arg = e};
	int ret = nl_open(e->base, &events, &e->nl);

	if (ret)
		snprintf(err->text, sizeof(err->text), "cannot follow routes and neighbours: %s",
			 strerror(-ret));
	return ret;
}
