/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/nl_neigh.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>

#define PROBE_EVERY_US 650000
#define PROBE_WAIT_US 200000 /* a change nobody tells of is seen within the sum */
#define GRID_US 50000
#define ASK_AGAIN_US 1000000
#define GONE_AFTER_US 4000000 /* the kernel gives up, and says so, after 3 s as it comes */
#define ASKS_PER_SECOND 500 /* of all neighbours together */
#define MUTE_ENOUGH 3 /* a neighbour that never answers by unicast is asked less and less */
#define MUTE_SHIFT_MAX 6

#define NUD_FIXED (NUD_PERMANENT | NUD_NOARP)
#define NUD_HAS_MAC (NUD_FIXED | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE)

/* ---- asking -----------------------------------------------------------------------------------*/

/* Rounded up, so that one waking serves all that are due about now: with a hundred neighbours that
 * takes 0.3% of a CPU where a waking each took 0.75%. */
static void set_timer(struct nl_neigh *n, int64_t us)
{
	int64_t now_us = mono_now().us;
	int64_t due_us = (now_us + us + GRID_US - 1) / GRID_US * GRID_US;
	struct timeval tv = {.tv_sec = (due_us - now_us) / 1000000,
			     .tv_usec = (due_us - now_us) % 1000000};

	event_add(n->timer, &tv);
}

/* When to ask next, with jitter so that neighbours found together are not asked together. */
static int64_t spread_us(const struct nl_neigh *n, int64_t us)
{
	int64_t least = (int64_t)n->all->set.n * 1000000 / ASKS_PER_SECOND;

	if (us < least)
		us = least;
	return us - us * (random() % 256) / 1024;
}

static int64_t probe_every_us(const struct nl_neigh *n)
{
	int over = n->mute - MUTE_ENOUGH;

	return over < 0 ? PROBE_EVERY_US : PROBE_EVERY_US << (over + 1);
}

struct request {
	struct nlmsghdr header;
	struct ndmsg body;
	struct nlattr dst_header;
	uint8_t dst[16];
};

static struct request request_of(const struct nl_neigh *n, uint16_t type, uint16_t flags)
{
	size_t len = nl_wire_addr_len(&n->key.addr);
	struct request r = {
		.header = {.nlmsg_len = (uint32_t)(offsetof(struct request, dst) + len),
			   .nlmsg_type = type,
			   .nlmsg_flags = NLM_F_REQUEST | flags},
		.body = {.ndm_family = (uint8_t)nl_wire_family(&n->key.addr),
			 .ndm_ifindex = (int)n->key.ifindex},
		.dst_header = {.nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = NDA_DST},
	};

	memcpy(r.dst, n->key.addr.bytes, len);
	return r;
}

/* A request that fails is made again when the timer fires. */
static void send_request(const struct nl_neigh *n, const struct request *r)
{
	(void)nl_wire_send(n->all->asks, r, r->header.nlmsg_len);
}

/* Makes the kernel resolve the address as if a packet were waiting. */
static void use(const struct nl_neigh *n, uint16_t flags)
{
	struct request r = request_of(n, RTM_NEWNEIGH, NLM_F_CREATE | flags);

	r.body.ndm_flags = NTF_USE;
	send_request(n, &r);
}

static void set_state(const struct nl_neigh *n, uint16_t nud)
{
	struct request r = request_of(n, RTM_NEWNEIGH, 0);

	r.body.ndm_state = nud;
	send_request(n, &r);
}

/* Makes an entry if there is none, and reads the one there is. */
static void ask_first(struct nl_neigh *n)
{
	struct request get = request_of(n, RTM_GETNEIGH, 0);

	n->lost = mono_now();
	set_timer(n, spread_us(n, ASK_AGAIN_US));
	use(n, NLM_F_EXCL);
	send_request(n, &get);
}

static void probe(struct nl_neigh *n)
{
	n->probing = true;
	set_timer(n, PROBE_WAIT_US);
	set_state(n, NUD_PROBE);
}

static void search(struct nl_neigh *n)
{
	n->probing = false;
	n->searching = true;
	set_timer(n, ASK_AGAIN_US);
	set_state(n, NUD_NONE);
	use(n, 0);
}

static void ask_again(struct nl_neigh *n)
{
	bool gone = mono_diff_us(n->lost, mono_now()) > GONE_AFTER_US;

	set_timer(n, spread_us(n, ASK_AGAIN_US));
	use(n, n->heard ? 0 : NLM_F_EXCL);
	if (gone && !n->failed) {
		n->failed = true;
		n->all->changed(n->all->arg, n);
	}
}

static void read_now(struct nl_neigh *n)
{
	struct request get = request_of(n, RTM_GETNEIGH, 0);

	n->heard = false;
	send_request(n, &get);
	n->all->hear(n->all->arg);
	if (n->heard)
		return;
	n->nud = NUD_NONE;
	if (mono_is_never(n->lost))
		n->lost = mono_now();
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct nl_neigh *n = arg;
	bool asked = n->probing;

	(void)fd;
	(void)what;
	if (!n->link_up)
		return;
	read_now(n);
	if (n->fixed || (asked && !n->probing && n->heard))
		return;
	if (!(n->nud & NUD_HAS_MAC))
		ask_again(n);
	else if (asked)
		search(n);
	else
		probe(n);
}

/* ---- hearing ----------------------------------------------------------------------------------*/

/* What a message says of one neighbour. */
struct entry {
	struct nl_neigh_key key;
	uint16_t nud;
	bool fixed;
	const uint8_t *mac; /* NULL: none, or not an Ethernet one */
};

static int read_entry(const struct nlmsghdr *m, struct entry *e)
{
	const struct ndmsg *body = nlmsg_data(m);
	struct nlattr *tb[NDA_MAX + 1];

	if (nl_wire_attrs(m, sizeof(*body), tb, NDA_MAX, NULL) < 0)
		return -EINVAL;
	if (!tb[NDA_DST] || (body->ndm_flags & NTF_PROXY))
		return -EINVAL;
	e->key.ifindex = (uint32_t)body->ndm_ifindex;
	e->key.addr =
		nl_wire_addr(body->ndm_family, nla_data(tb[NDA_DST]), (size_t)nla_len(tb[NDA_DST]));
	e->nud = m->nlmsg_type == RTM_DELNEIGH ? NUD_NONE : body->ndm_state;
	e->fixed = (e->nud & NUD_FIXED) || (body->ndm_flags & NTF_EXT_LEARNED);
	if (tb[NDA_LLADDR] && nla_len(tb[NDA_LLADDR]) == 6)
		e->mac = nla_data(tb[NDA_LLADDR]);
	return addr_is_none(&e->key.addr) ? -EINVAL : 0;
}

static void note_answered(struct nl_neigh *n, bool same_mac)
{
	if (n->probing || !same_mac)
		n->mute = 0;
	else if (n->searching)
		n->mute += n->mute < MUTE_ENOUGH - 1 + MUTE_SHIFT_MAX;
	n->probing = n->searching = false;
	set_timer(n, spread_us(n, probe_every_us(n)));
}

/* The kernel asks by unicast of its own accord, or soon would. */
static void note_doubted(struct nl_neigh *n, uint16_t nud)
{
	n->probing = (nud & NUD_PROBE) != 0;
	set_timer(n, n->probing ? PROBE_WAIT_US : spread_us(n, PROBE_WAIT_US));
}

static void note_valid(struct nl_neigh *n, const struct entry *e)
{
	bool same_mac = n->has_mac && memcmp(n->mac, e->mac, sizeof(n->mac)) == 0;
	bool differs = !same_mac || n->failed;

	n->lost = mono_never();
	n->failed = false;
	n->has_mac = true;
	memcpy(n->mac, e->mac, sizeof(n->mac));
	if (n->fixed)
		event_del(n->timer);
	else if (e->nud & NUD_REACHABLE)
		note_answered(n, same_mac);
	else if (!n->probing)
		note_doubted(n, e->nud);
	if (differs)
		n->all->changed(n->all->arg, n);
}

static void note_failed(struct nl_neigh *n)
{
	bool differs = !n->failed;

	n->failed = true;
	n->probing = n->searching = false;
	set_timer(n, spread_us(n, ASK_AGAIN_US));
	if (differs)
		n->all->changed(n->all->arg, n);
}

/* The entry is there without a MAC, or is not there: put back by our search, or flushed. */
static void note_lost(struct nl_neigh *n, bool was_valid)
{
	if (mono_is_never(n->lost))
		n->lost = mono_now();
	n->probing = false;
	if (n->searching || !was_valid)
		return;
	set_timer(n, PROBE_WAIT_US);
	use(n, NLM_F_EXCL);
}

/* The kernel fails an entry after searching in vain, but also one that is flushed on the way to
 * deleting it: from a state with a MAC, which our search never leaves it in. */
static void note(struct nl_neigh *n, const struct entry *e)
{
	bool was_valid = n->nud & NUD_HAS_MAC;

	n->round = n->all->round;
	n->heard = true;
	n->nud = e->nud;
	n->fixed = e->fixed;
	if (!n->link_up)
		return;
	if ((e->nud & NUD_HAS_MAC) && e->mac)
		note_valid(n, e);
	else if ((e->nud & NUD_FAILED) && !was_valid)
		note_failed(n);
	else
		note_lost(n, was_valid);
}

void nl_neigh_note(struct nl_neighbours *all, const struct nlmsghdr *m)
{
	struct entry e = {0};
	struct nl_neigh *n;

	if (read_entry(m, &e) < 0)
		return;
	n = nl_set_find(&all->set, &e.key);
	if (n)
		note(n, &e);
}

static void forget(struct nl_neigh *n)
{
	bool differs = n->has_mac || n->failed;

	n->nud = NUD_NONE;
	n->fixed = n->probing = n->searching = n->has_mac = n->failed = false;
	event_del(n->timer);
	if (differs)
		n->all->changed(n->all->arg, n);
}

void nl_neigh_link(struct nl_neighbours *all, uint32_t ifindex, bool up)
{
	struct nl_neigh_key first = {.ifindex = ifindex};
	size_t at = nl_set_lower(&all->set, &first);

	for (; at < all->set.n; at++) {
		struct nl_neigh *n = all->set.items[at];

		if (n->key.ifindex != ifindex)
			break;
		if (n->link_up == up)
			continue;
		n->link_up = up;
		if (up)
			ask_first(n);
		else
			forget(n);
	}
}

void nl_neigh_dump_begin(struct nl_neighbours *all)
{
	all->round++;
}

void nl_neigh_dump_end(struct nl_neighbours *all)
{
	struct entry none = {.nud = NUD_NONE};

	for (size_t i = 0; i < all->set.n; i++) {
		struct nl_neigh *n = all->set.items[i];

		if (n->round != all->round)
			note(n, &none);
	}
}

/* ---- having -----------------------------------------------------------------------------------*/

static int compare(const void *neigh, const void *key)
{
	const struct nl_neigh_key *a = &((const struct nl_neigh *)neigh)->key, *b = key;

	if (a->ifindex != b->ifindex)
		return a->ifindex < b->ifindex ? -1 : 1;
	return addr_compare(&a->addr, &b->addr);
}

void nl_neighbours_init(struct nl_neighbours *all, struct event_base *base, struct nl_wire *asks)
{
	*all = (struct nl_neighbours){.base = base, .asks = asks, .set = {.compare = compare}};
}

void nl_neighbours_fini(struct nl_neighbours *all)
{
	nl_set_fini(&all->set);
}

static void neigh_free(struct nl_neigh *n)
{
	if (n->timer)
		event_free(n->timer);
	free(n);
}

int nl_neigh_get(struct nl_neighbours *all, const struct nl_neigh_key *key, bool link_up,
		 struct nl_neigh **out)
{
	struct nl_neigh *n = nl_set_find(&all->set, key);

	if (n) {
		*out = n;
		return 0;
	}
	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	n->key = *key;
	n->all = all;
	n->link_up = link_up;
	LIST_INIT(&n->watches);
	n->timer = evtimer_new(all->base, on_timer, n);
	if (!n->timer || nl_set_insert(&all->set, n) < 0) {
		neigh_free(n);
		return -ENOMEM;
	}
	if (link_up)
		ask_first(n);
	*out = n;
	return 0;
}

void nl_neigh_drop(struct nl_neigh *n)
{
	if (!LIST_EMPTY(&n->watches))
		return;
	nl_set_remove(&n->all->set, &n->key);
	neigh_free(n);
}
