/* SPDX-License-Identifier: BSD-2-Clause */
/* From route, link and neighbour to a next hop, and to those who want to know. */
#include <errno.h>
#include <event2/event.h>
#include <string.h>

#include "io/nl_link.h"
#include "io/nl_state.h"

/* ---- neighbours of watches --------------------------------------------------------------------*/

void nl_detach_neigh(struct nl_watch *w)
{
	struct nl_neigh *n = w->neigh;

	if (!n)
		return;
	w->neigh = NULL;
	LIST_REMOVE(w, of_neigh);
	nl_neigh_drop(n);
}

int nl_attach_neigh(struct nl *nl, struct nl_watch *w)
{
	struct nl_neigh_key key = {.ifindex = w->route.ifindex};
	struct nl_egress egress;
	struct nl_neigh *n = NULL;
	int err = 0;

	key.addr = addr_is_none(&w->route.via) ? w->addr : w->route.via;
	if (w->route.kind == NL_ROUTE_UNICAST &&
	    nl_egress_find(&nl->ifaces, key.ifindex, &egress) == 0)
		err = nl_neigh_get(&nl->neighbours, &key, egress.upper->seen.up, &n);
	if (n == w->neigh)
		return err;
	nl_detach_neigh(w);
	w->neigh = n;
	if (n)
		LIST_INSERT_HEAD(&n->watches, w, of_neigh);
	return err;
}

/* ---- next hops --------------------------------------------------------------------------------*/

static enum nl_state neigh_state(const struct nl_neigh *n)
{
	if (!n)
		return NL_RESOLVING;
	if (n->failed)
		return NL_NO_NEIGHBOUR;
	return n->has_mac ? NL_RESOLVED : NL_RESOLVING;
}

static void fill_egress(const struct nl_watch *w, const struct nl_egress *e, struct nl_nexthop *nh)
{
	nh->ifindex = e->port->ifindex;
	memcpy(nh->ifname, e->port->seen.name, sizeof(nh->ifname));
	memcpy(nh->smac, e->upper->seen.mac, sizeof(nh->smac));
	memcpy(nh->vlan_tci, e->tci, sizeof(nh->vlan_tci));
	nh->tags = e->tags;
	nh->mtu = w->route.mtu && w->route.mtu < e->mtu ? w->route.mtu : e->mtu;
	nh->via = w->route.via;
	nh->source = w->route.source;
}

static void fill_unicast(const struct nl *nl, const struct nl_watch *w, struct nl_nexthop *nh)
{
	struct nl_egress e;
	int err = nl_egress_find(&nl->ifaces, w->route.ifindex, &e);

	if (err == -ENODEV) {
		/* Gone: where else the address goes, if anywhere, is being asked. */
		nh->state = NL_LINK_DOWN;
		nh->ifindex = w->route.ifindex;
		return;
	}
	fill_egress(w, &e, nh);
	if (err)
		nh->state = NL_UNSUPPORTED;
	else if (!e.up)
		nh->state = NL_LINK_DOWN;
	else
		nh->state = neigh_state(w->neigh);
	if (nh->state == NL_RESOLVED)
		memcpy(nh->dmac, w->neigh->mac, sizeof(nh->dmac));
}

static void work_out(const struct nl *nl, const struct nl_watch *w, struct nl_nexthop *nh)
{
	const struct nl_iface *iface = nl_set_find(&nl->ifaces, &w->route.ifindex);

	/* Holes as well: next hops are compared as bytes. */
	memset(nh, 0, sizeof(*nh));
	nh->state = NL_RESOLVING;
	if (w->route.kind == NL_ROUTE_NONE)
		nh->state = NL_NO_ROUTE;
	else if (w->route.kind == NL_ROUTE_LOCAL)
		nh->state = NL_LOCAL;
	else if (w->route.kind == NL_ROUTE_UNSUPPORTED)
		nh->state = NL_UNSUPPORTED;
	else if (w->route.kind == NL_ROUTE_UNICAST)
		fill_unicast(nl, w, nh);
	if (nh->state != NL_LOCAL && nh->state != NL_UNSUPPORTED)
		return;
	nh->ifindex = w->route.ifindex;
	nh->source = w->route.source;
	if (iface)
		memcpy(nh->ifname, iface->seen.name, sizeof(nh->ifname));
}

/* ---- reports ----------------------------------------------------------------------------------*/

void nl_touch(struct nl *nl, struct nl_watch *w)
{
	static const struct timeval next_turn;

	if (w->to_report)
		return;
	w->to_report = true;
	TAILQ_INSERT_TAIL(&nl->touched, w, report);
	event_add(nl->report_timer, &next_turn);
}

void nl_touch_link(struct nl *nl, uint32_t ifindex)
{
	for (size_t i = 0; i < nl->watches.n; i++) {
		struct nl_watch *w = nl->watches.items[i];

		/* Either the link of the route, or one below it. */
		if (w->route.ifindex == ifindex || w->last.ifindex == ifindex)
			nl_touch(nl, w);
	}
}

void nl_touch_neigh(void *nl, struct nl_neigh *n)
{
	struct nl_watch *w;

	LIST_FOREACH(w, &n->watches, of_neigh)
	nl_touch(nl, w);
}

void nl_on_report(int fd, short what, void *arg)
{
	struct nl_watch *w;
	struct nl *nl = arg;

	(void)fd;
	(void)what;
	while ((w = TAILQ_FIRST(&nl->touched))) {
		struct addr addr = w->addr;
		struct nl_nexthop nh;

		TAILQ_REMOVE(&nl->touched, w, report);
		w->to_report = false;
		work_out(nl, w, &nh);
		if (w->reported && memcmp(&nh, &w->last, sizeof(nh)) == 0)
			continue;
		w->reported = true;
		memcpy(&w->last, &nh, sizeof(nh));
		/* May end the watch, or begin others. */
		if (nl->to.nexthop)
			nl->to.nexthop(nl->to.arg, &addr, &nh);
	}
}
