/* SPDX-License-Identifier: BSD-2-Clause */
/* What nl.c (watching), nl_event.c (what the kernel tells), nl_ask.c (what it is asked) and
 * nl_report.c (what comes of both) share.
 *
 * An address that is new, or that an event could concern, is put on the list `asked` and its route
 * is asked of the kernel a few milliseconds later, NL_BATCH addresses a turn of the loop. One whose
 * route, link or neighbour changed is put on the list `touched`; its next hop is worked out anew in
 * the next turn, and reported if it differs. Reports are made from there alone. */
#ifndef SHUNT_NL_STATE_H
#define SHUNT_NL_STATE_H

#include <stdbool.h>
#include <sys/queue.h>

#include "io/nl.h"
#include "io/nl_neigh.h"
#include "io/nl_route.h"
#include "io/nl_set.h"
#include "io/nl_wire.h"

struct event;

struct nl_watch {
	struct addr addr; /* key */
	unsigned int count;
	struct nl_route route;
	struct nl_neigh *neigh; /* that it is sent to; NULL: none yet, or none is needed */
	LIST_ENTRY(nl_watch) of_neigh;
	bool to_ask, to_report;
	TAILQ_ENTRY(nl_watch) ask, report;
	bool reported;
	struct nl_nexthop last; /* what was reported; RESOLVING before */
};

TAILQ_HEAD(nl_watches, nl_watch);

#define NL_BATCH 128

struct nl {
	struct event_base *base;
	struct nl_events to;
	struct nl_wire events, asks;
	struct event *events_ready, *asks_ready; /* there is something to read */
	struct event *read_again; /* events are left to gather for a moment */
	struct event *ask_timer; /* routes are due to be asked */
	struct event *report_timer; /* something was touched */
	struct event *resync_timer; /* events were lost */
	bool lost; /* events, and the socket has not been found empty since */
	struct event *expiry_timer; /* paths learnt for a time are due to be asked again */
	struct nl_set ifaces, watches;
	struct nl_neighbours neighbours;
	struct nl_watches asked, touched;
	struct nl_watch *batch[NL_BATCH]; /* asked just now, by sequence number; NULL: answered */
	uint32_t batch_seq; /* of batch[0] */
	size_t batch_n;
	int64_t spent_us; /* on asking since the list was empty last */
	mono_t ask_not_before;
	unsigned int round; /* of dumps of links */
	bool opening; /* links are not reported yet */
};

/* ---- nl_ask.c ---------------------------------------------------------------------------------*/

/* Puts addresses on the list: one, all of a family (4 or 6), all of a prefix, all that are routed
 * over a link, all. Then nl_ask_soon. */
void nl_ask_one(struct nl *nl, struct nl_watch *w);
void nl_ask_family(struct nl *nl, uint8_t family);
void nl_ask_prefix(struct nl *nl, const struct addr *prefix, uint8_t length);
void nl_ask_link(struct nl *nl, uint32_t ifindex);
void nl_ask_all(struct nl *nl);

/* Has the list worked off: at once for new addresses, for others once a burst of events is over.
 * @now: do not wait for the burst. */
void nl_ask_soon(struct nl *nl, bool now);

/* Reads what the kernel answered; struct nl_neighbours' hear. */
void nl_hear(void *nl);

/* Timers' and sockets' callbacks; @arg is the struct nl. */
void nl_on_ask(int fd, short what, void *arg);
void nl_on_asks_ready(int fd, short what, void *arg);
void nl_on_expiry(int fd, short what, void *arg);

/* ---- nl_event.c -------------------------------------------------------------------------------*/

void nl_on_events_ready(int fd, short what, void *arg);
void nl_on_read_again(int fd, short what, void *arg);
void nl_on_resync(int fd, short what, void *arg);

/* Reads links and neighbours anew and has every route asked again. Returns 0 or -errno. */
int nl_resync(struct nl *nl) __attribute__((warn_unused_result));

/* ---- nl_report.c ------------------------------------------------------------------------------*/

/* Has the next hop worked out anew: of one address, of all over a link, of all of a neighbour. */
void nl_touch(struct nl *nl, struct nl_watch *w);
void nl_touch_link(struct nl *nl, uint32_t ifindex);
void nl_touch_neigh(void *nl, struct nl_neigh *n);

void nl_on_report(int fd, short what, void *arg);

/* Gives @w the neighbour that its route leads to, or none. -ENOMEM leaves it without. */
int nl_attach_neigh(struct nl *nl, struct nl_watch *w) __attribute__((warn_unused_result));
void nl_detach_neigh(struct nl_watch *w);

#endif
