/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/nl.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "io/nl_link.h"
#include "io/nl_state.h"

#define EXPIRY_S 30

/* ---- links ------------------------------------------------------------------------------------*/

int nl_link_by_name(const struct nl *nl, const char *name, struct nl_link *out)
{
	for (size_t i = 0; i < nl->ifaces.n; i++) {
		const struct nl_iface *iface = nl->ifaces.items[i];

		if (strcmp(iface->seen.name, name) == 0) {
			*out = iface->seen;
			return 0;
		}
	}
	return -ENODEV;
}

static bool has_vlans(const struct nl *nl, uint32_t ifindex)
{
	for (size_t i = 0; i < nl->ifaces.n; i++) {
		const struct nl_iface *iface = nl->ifaces.items[i];

		if (iface->vlan && iface->lower == ifindex)
			return true;
	}
	return false;
}

int nl_port_of(const struct nl *nl, const char *name, struct nl_port *out)
{
	const struct nl_iface *master;
	struct nl_egress e = {0};
	struct nl_link link;
	int rc;

	if (nl_link_by_name(nl, name, &link))
		return -ENODEV;
	rc = nl_egress_find(&nl->ifaces, link.ifindex, &e);
	if (!e.port)
		return -ENODEV;
	*out = (struct nl_port){.link = e.port->seen, .tags = e.tags};
	out->link.up = e.port->seen.up && link.up;
	out->has_vlans = has_vlans(nl, e.port->ifindex);
	master = nl_set_find(&nl->ifaces, &e.port->master);
	if (master && master->bond)
		memcpy(out->bond, master->seen.name, sizeof(out->bond));
	return e.port->vlan ? rc : 0; /* other links without Ethernet are their own */
}

/* ---- watches ----------------------------------------------------------------------------------*/

static int watch_compare(const void *watch, const void *addr)
{
	return addr_compare(&((const struct nl_watch *)watch)->addr, addr);
}

int nl_watch(struct nl *nl, const struct addr *a)
{
	struct nl_watch *w = nl_set_find(&nl->watches, a);

	if (w) {
		w->count++;
		return 0;
	}
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->addr = *a;
	w->count = 1;
	if (nl_set_insert(&nl->watches, w) < 0) {
		free(w);
		return -ENOMEM;
	}
	nl_ask_one(nl, w);
	nl_ask_soon(nl, true);
	return 0;
}

static void watch_free(struct nl *nl, struct nl_watch *w)
{
	nl_detach_neigh(w);
	if (w->to_ask)
		TAILQ_REMOVE(&nl->asked, w, ask);
	if (w->to_report)
		TAILQ_REMOVE(&nl->touched, w, report);
	nl_set_remove(&nl->watches, &w->addr);
	free(w);
}

void nl_unwatch(struct nl *nl, const struct addr *a)
{
	struct nl_watch *w = nl_set_find(&nl->watches, a);

	if (w && --w->count == 0)
		watch_free(nl, w);
}

int nl_nexthop(const struct nl *nl, const struct addr *a, struct nl_nexthop *out)
{
	const struct nl_watch *w = nl_set_find(&nl->watches, a);

	if (!w)
		return -ENOENT;
	*out = w->last;
	return 0;
}

/* ---- beginning and end ------------------------------------------------------------------------*/

static int open_sockets(struct nl *nl)
{
	static const int groups[] = {
		RTNLGRP_LINK,	     RTNLGRP_IPV4_IFADDR,
		RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
		RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_RULE,
		RTNLGRP_IPV6_RULE,   RTNLGRP_NEIGH,
		RTNLGRP_NEXTHOP,     0,
	};
	static const int none[] = {0};
	int err = nl_wire_open(&nl->events, groups);

	return err ? err : nl_wire_open(&nl->asks, none);
}

static int make_events(struct nl *nl)
{
	static const struct timeval expiry = {.tv_sec = EXPIRY_S};
	short reading = EV_READ | EV_PERSIST;

	nl->events_ready = event_new(nl->base, nl->events.fd, reading, nl_on_events_ready, nl);
	nl->asks_ready = event_new(nl->base, nl->asks.fd, reading, nl_on_asks_ready, nl);
	nl->read_again = evtimer_new(nl->base, nl_on_read_again, nl);
	nl->ask_timer = evtimer_new(nl->base, nl_on_ask, nl);
	nl->report_timer = evtimer_new(nl->base, nl_on_report, nl);
	nl->resync_timer = evtimer_new(nl->base, nl_on_resync, nl);
	nl->expiry_timer = event_new(nl->base, -1, EV_PERSIST, nl_on_expiry, nl);
	if (!nl->events_ready || !nl->asks_ready || !nl->read_again || !nl->ask_timer ||
	    !nl->report_timer || !nl->resync_timer || !nl->expiry_timer)
		return -ENOMEM;
	if (event_add(nl->events_ready, NULL) < 0 || event_add(nl->asks_ready, NULL) < 0 ||
	    event_add(nl->expiry_timer, &expiry) < 0)
		return -ENOMEM;
	return 0;
}

int nl_open(struct event_base *base, const struct nl_events *ev, struct nl **out)
{
	struct nl *nl = calloc(1, sizeof(*nl));
	int err;

	if (!nl)
		return -ENOMEM;
	nl->base = base;
	nl->to = *ev;
	nl->ifaces.compare = nl_iface_compare;
	nl->watches.compare = watch_compare;
	TAILQ_INIT(&nl->asked);
	TAILQ_INIT(&nl->touched);
	nl_neighbours_init(&nl->neighbours, base, &nl->asks);
	nl->neighbours.changed = nl_touch_neigh;
	nl->neighbours.hear = nl_hear;
	nl->neighbours.arg = nl;

	err = open_sockets(nl);
	if (!err)
		err = make_events(nl);
	nl->opening = true;
	if (!err)
		err = nl_resync(nl);
	nl->opening = false;
	if (err) {
		nl_shutdown(nl);
		return err;
	}
	*out = nl;
	return 0;
}

static void free_event(struct event *e)
{
	if (e)
		event_free(e);
}

void nl_shutdown(struct nl *nl)
{
	while (nl->watches.n > 0)
		watch_free(nl, nl->watches.items[nl->watches.n - 1]);
	nl_set_fini(&nl->watches);
	nl_neighbours_fini(&nl->neighbours);
	while (nl->ifaces.n > 0)
		free(nl->ifaces.items[--nl->ifaces.n]);
	nl_set_fini(&nl->ifaces);
	free_event(nl->events_ready);
	free_event(nl->asks_ready);
	free_event(nl->read_again);
	free_event(nl->ask_timer);
	free_event(nl->report_timer);
	free_event(nl->resync_timer);
	free_event(nl->expiry_timer);
	nl_wire_close(&nl->events);
	nl_wire_close(&nl->asks);
	free(nl);
}
