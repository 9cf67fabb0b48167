/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel tells of: links, addresses, routes, rules, next hop objects, neighbours. */
#include <errno.h>
#include <event2/event.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "io/nl_link.h"
#include "io/nl_state.h"

#define GATHER_US 5000
#define DATAGRAMS 512 /* a turn; the rest is read in the next ones */
#define RESYNC_US 20000 /* lets the burst that was too much pass */
#define RESYNC_AGAIN_US 500000 /* after one that failed */

/* ---- links ------------------------------------------------------------------------------------*/

static void report_link(const struct nl *nl, const struct nl_link *link, bool gone)
{
	if (nl->to.link && !nl->opening)
		nl->to.link(nl->to.arg, link, gone);
}

/* A link that comes up may carry routes of any address; one that goes down only takes its own. */
static void follow_link(struct nl *nl, const struct nl_iface *now, bool was_up)
{
	uint32_t ifindex = now->ifindex;

	nl_neigh_link(&nl->neighbours, ifindex, now->seen.up);
	nl_touch_link(nl, ifindex);
	if (now->seen.up && !was_up)
		nl_ask_all(nl);
	else
		nl_ask_link(nl, ifindex);
}

static bool same_link(const struct nl_iface *a, const struct nl_iface *b)
{
	const struct nl_link *l = &a->seen, *m = &b->seen;

	return memcmp(l->name, m->name, sizeof(l->name)) == 0 &&
	       memcmp(l->mac, m->mac, sizeof(l->mac)) == 0 && l->mtu == m->mtu && l->up == m->up;
}

static bool same_below(const struct nl_iface *a, const struct nl_iface *b)
{
	return a->ethernet == b->ethernet && a->vlan == b->vlan && a->lower == b->lower &&
	       a->vlan_id == b->vlan_id && a->vlan_proto == b->vlan_proto;
}

/* Puts a link in, or what is known of it now over what was. Returns it; NULL without memory: then
 * it is as unknown as if its event had been lost. */
static const struct nl_iface *iface_put(struct nl *nl, const struct nl_iface *now)
{
	struct nl_iface *iface = nl_set_find(&nl->ifaces, &now->ifindex);

	if (!iface) {
		iface = malloc(sizeof(*iface));
		if (!iface)
			return NULL;
		iface->ifindex = now->ifindex;
		if (nl_set_insert(&nl->ifaces, iface) < 0) {
			free(iface);
			return NULL;
		}
	}
	*iface = *now;
	return iface;
}

static void link_changed(struct nl *nl, const struct nlmsghdr *m)
{
	uint32_t ifindex = nl_iface_index(m);
	const struct nl_iface *known = nl_set_find(&nl->ifaces, &ifindex);
	struct nl_iface before = {0}, now;

	if (ifindex == 0)
		return;
	if (known)
		before = *known;
	now = before;
	if (nl_iface_read(m, &now) < 0)
		return;
	now.round = nl->round;
	if (!iface_put(nl, &now) || (same_link(&now, &before) && same_below(&now, &before)))
		return;
	follow_link(nl, &now, before.seen.up);
	if (!same_link(&now, &before))
		report_link(nl, &now.seen, false);
}

static void link_gone(struct nl *nl, struct nl_iface *iface)
{
	struct nl_link seen = iface->seen;

	iface->seen.up = seen.up = false;
	nl_set_remove(&nl->ifaces, &seen.ifindex);
	follow_link(nl, iface, true);
	free(iface);
	report_link(nl, &seen, true);
}

static void link_deleted(struct nl *nl, const struct nlmsghdr *m)
{
	uint32_t ifindex = nl_iface_index(m);
	struct nl_iface *iface = ifindex ? nl_set_find(&nl->ifaces, &ifindex) : NULL;

	if (iface)
		link_gone(nl, iface);
}

/* ---- routes -----------------------------------------------------------------------------------*/

static void route_changed(struct nl *nl, const struct nlmsghdr *m)
{
	struct addr prefix;
	uint8_t length;

	if (nl_route_prefix(m, &prefix, &length) == 0)
		nl_ask_prefix(nl, &prefix, length);
}

/* Addresses and rules: their family stands first in either body. */
static void family_changed(struct nl *nl, const struct nlmsghdr *m)
{
	const unsigned char *family = nlmsg_data(m);

	if (nlmsg_datalen(m) < 1)
		return;
	nl_ask_family(nl, *family == AF_INET6 ? 6 : 4);
}

/* ---- all --------------------------------------------------------------------------------------*/

static void on_message(void *arg, const struct nlmsghdr *m)
{
	struct nl *nl = arg;

	switch (m->nlmsg_type) {
	case RTM_NEWLINK:
		link_changed(nl, m);
		break;
	case RTM_DELLINK:
		link_deleted(nl, m);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		route_changed(nl, m);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
	case RTM_NEWRULE:
	case RTM_DELRULE:
		family_changed(nl, m);
		break;
	case RTM_NEWNEXTHOP:
	case RTM_DELNEXTHOP:
		nl_ask_all(nl);
		break;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		nl_neigh_note(&nl->neighbours, m);
		break;
	}
}

static void resync_in(struct nl *nl, long us)
{
	struct timeval tv = {.tv_usec = us};

	if (!event_pending(nl->resync_timer, EV_TIMEOUT, NULL))
		event_add(nl->resync_timer, &tv);
}

/* After a loss the kernel says nothing of further ones until the socket has been emptied: what it holds
 * is made up for at once, and then what went missing meanwhile.
 *
 * Every neighbour that is asked makes two events, and a hundred of them three hundred wakings a
 * second: after the first event the next few milliseconds' are read at once. */
void nl_on_events_ready(int fd, short what, void *arg)
{
	static const struct timeval gather = {.tv_usec = GATHER_US};
	struct nl *nl = arg;

	int result = nl_wire_receive(&nl->events, DATAGRAMS, on_message, nl);

	(void)fd;
	(void)what;
	if (result == 0 && event_add(nl->read_again, &gather) == 0)
		event_del(nl->events_ready);
	if (result == -ENOBUFS) {
		nl->lost = true;
		event_active(nl->events_ready, EV_READ, 0); /* the socket may be empty by now */
		resync_in(nl, RESYNC_US);
	} else if (result == 0 && nl->lost) {
		nl->lost = false;
		resync_in(nl, RESYNC_US);
	}
}

void nl_on_read_again(int fd, short what, void *arg)
{
	struct nl *nl = arg;

	(void)fd;
	(void)what;
	event_add(nl->events_ready, NULL);
}

void nl_on_resync(int fd, short what, void *arg)
{
	struct nl *nl = arg;

	(void)fd;
	(void)what;
	if (nl_resync(nl) < 0)
		resync_in(nl, RESYNC_AGAIN_US);
}

/* The next link that the last dump did not name, or NULL. */
static struct nl_iface *vanished(const struct nl *nl)
{
	for (size_t i = 0; i < nl->ifaces.n; i++) {
		struct nl_iface *iface = nl->ifaces.items[i];

		if (iface->round != nl->round)
			return iface;
	}
	return NULL;
}

int nl_resync(struct nl *nl)
{
	struct nl_iface *iface;
	int err;

	nl->round++;
	err = nl_wire_dump(RTM_GETLINK, on_message, nl);
	if (err)
		return err;
	while ((iface = vanished(nl)))
		link_gone(nl, iface);

	nl_neigh_dump_begin(&nl->neighbours);
	err = nl_wire_dump(RTM_GETNEIGH, on_message, nl);
	if (err)
		return err;
	nl_neigh_dump_end(&nl->neighbours);
	nl_ask_all(nl);
	return 0;
}
