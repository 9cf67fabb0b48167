/* SPDX-License-Identifier: BSD-2-Clause */
/* Asking the kernel for routes, a bounded number a turn of the loop. */
#include <errno.h>
#include <event2/event.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "base/mono.h"
#include "io/nl_state.h"

#define BURST_US 5000 /* what comes within is one change */
#define RETRY_US 100000 /* after an answer that did not come, or was no answer */
#define REST_FACTOR 4 /* asking takes at most a fifth of the time: rest so much longer */
#define REST_MAX_US 250000
#define DATAGRAMS 1024

static void set_timer(struct event *timer, int64_t us)
{
	struct timeval tv = {.tv_sec = us / 1000000, .tv_usec = us % 1000000};

	event_add(timer, &tv);
}

void nl_ask_one(struct nl *nl, struct nl_watch *w)
{
	if (w->to_ask)
		return;
	w->to_ask = true;
	TAILQ_INSERT_TAIL(&nl->asked, w, ask);
}

void nl_ask_prefix(struct nl *nl, const struct addr *prefix, uint8_t length)
{
	size_t at = nl_set_lower(&nl->watches, prefix);

	for (; at < nl->watches.n; at++) {
		struct nl_watch *w = nl->watches.items[at];

		if (!nl_route_covers(prefix, length, &w->addr))
			break;
		nl_ask_one(nl, w);
	}
	nl_ask_soon(nl, false);
}

void nl_ask_family(struct nl *nl, uint8_t family)
{
	struct addr any = {.family = family};

	nl_ask_prefix(nl, &any, 0);
}

void nl_ask_link(struct nl *nl, uint32_t ifindex)
{
	for (size_t i = 0; i < nl->watches.n; i++) {
		struct nl_watch *w = nl->watches.items[i];

		if (w->route.ifindex == ifindex)
			nl_ask_one(nl, w);
	}
	nl_ask_soon(nl, false);
}

void nl_ask_all(struct nl *nl)
{
	nl_ask_family(nl, 4);
	nl_ask_family(nl, 6);
}

void nl_ask_soon(struct nl *nl, bool now)
{
	int64_t rest_us = mono_diff_us(mono_now(), nl->ask_not_before);

	if (TAILQ_EMPTY(&nl->asked))
		return;
	if (now)
		set_timer(nl->ask_timer, 0);
	else if (!event_pending(nl->ask_timer, EV_TIMEOUT, NULL))
		set_timer(nl->ask_timer, rest_us > BURST_US ? rest_us : BURST_US);
}

/* ---- answers ----------------------------------------------------------------------------------*/

static void on_answer(void *arg, const struct nlmsghdr *m)
{
	struct nl *nl = arg;
	uint32_t i = m->nlmsg_seq - nl->batch_seq;
	struct nl_watch *w;
	struct nl_route r;

	if (m->nlmsg_type == RTM_NEWNEIGH) {
		nl_neigh_note(&nl->neighbours, m);
		return;
	}
	if (m->nlmsg_seq == 0 || i >= nl->batch_n || !nl->batch[i])
		return;
	w = nl->batch[i];
	if (nl_route_read(m, &r) < 0)
		return;
	w->route = r;
	nl_touch(nl, w);
	/* Without memory for its neighbour an address counts as unanswered. */
	if (nl_attach_neigh(nl, w) == 0)
		nl->batch[i] = NULL;
}

void nl_hear(void *nl)
{
	struct nl *self = nl;

	/* What was lost is not answered, and asked again. */
	(void)nl_wire_receive(&self->asks, DATAGRAMS, on_answer, self);
}

/* ---- batches ----------------------------------------------------------------------------------*/

/* Moves up to NL_BATCH addresses from the list into the batch and their requests into @buffer.
 * Returns the length of the requests. */
static size_t fill_batch(struct nl *nl, char *buffer)
{
	struct nl_watch *w;
	size_t len = 0;

	/* Sequence number 0 is what requests that nobody waits for have. */
	nl->batch_seq += (uint32_t)nl->batch_n;
	if (nl->batch_seq == 0 || nl->batch_seq > UINT32_MAX - NL_BATCH)
		nl->batch_seq = 1;
	nl->batch_n = 0;
	while (nl->batch_n < NL_BATCH && (w = TAILQ_FIRST(&nl->asked))) {
		TAILQ_REMOVE(&nl->asked, w, ask);
		w->to_ask = false;
		len += nl_route_request(buffer + len, &w->addr,
					nl->batch_seq + (uint32_t)nl->batch_n);
		nl->batch[nl->batch_n++] = w;
	}
	return len;
}

/* Puts what was not answered back on the list. Returns whether there was any. */
static bool empty_batch(struct nl *nl)
{
	bool unanswered = false;

	for (size_t i = 0; i < nl->batch_n; i++) {
		if (!nl->batch[i])
			continue;
		unanswered = true;
		nl_ask_one(nl, nl->batch[i]);
		nl->batch[i] = NULL;
	}
	return unanswered;
}

/* An event for every address each few milliseconds must not keep the daemon busy. */
static void rest(struct nl *nl)
{
	int64_t us = nl->spent_us * REST_FACTOR;

	nl->ask_not_before = mono_add_us(mono_now(), us < REST_MAX_US ? us : REST_MAX_US);
	nl->spent_us = 0;
}

void nl_on_ask(int fd, short what, void *arg)
{
	char buffer[NL_BATCH * NL_ROUTE_REQUEST_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
	mono_t begin = mono_now();
	struct nl *nl = arg;
	size_t len = fill_batch(nl, buffer);
	bool again;

	(void)fd;
	(void)what;
	if (len > 0)
		(void)nl_wire_send(&nl->asks, buffer, len);
	nl_hear(nl);
	again = empty_batch(nl);
	nl->spent_us += mono_diff_us(begin, mono_now());
	if (again)
		set_timer(nl->ask_timer, RETRY_US);
	else if (!TAILQ_EMPTY(&nl->asked))
		set_timer(nl->ask_timer, 0);
	else
		rest(nl);
}

void nl_on_asks_ready(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	nl_hear(arg);
}

void nl_on_expiry(int fd, short what, void *arg)
{
	struct nl *nl = arg;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < nl->watches.n; i++) {
		struct nl_watch *w = nl->watches.items[i];

		if (w->route.expires)
			nl_ask_one(nl, w);
	}
	nl_ask_soon(nl, false);
}
