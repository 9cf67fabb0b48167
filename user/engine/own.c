/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses that the configuration takes for this host's own: is asked once for each, of the kernel, and
 * told when they are not. Only told: they may become so, or lead here by other ways. */
#include "engine/state.h"

#include "base/log.h"

struct purpose {
	const char *what, *harm;
	const char *remedy, *remedy_end; /* around the address */
};

static const struct purpose purposes[OWN_MAX] = {
	[OWN_TUNNEL_SOURCE] = {"tunnel source",
			       "what routers and backends answer to tunnel packets (too big, "
			       "unreachable) does not come back here",
			       "ip route add local ", " dev lo"},
	[OWN_NAT_POOL] = {"nat_pool", "backends' replies to it do not come back here",
			  "ip address add ", " dev INTERFACE"},
	[OWN_LOCAL] = {"forward: local", "this host's stack takes no packets for it",
		       "ip address add ", " dev lo"},
};

/* What is asked of a prefix: the least source that it has. */
static struct addr asked_of(const struct own_question *q)
{
	struct addr a = q->addr;

	if (q->bits < addr_bits(&a))
		a.bytes[addr_bits(&a) / 8 - 1] |= 1;
	return a;
}

static void answer(struct own_question *q, const struct nl_nexthop *nh)
{
	const struct purpose *p = &purposes[q->purpose];
	char text[ADDR_PREFIX_TEXT_MAX];

	q->waits = false;
	if (nh->state == NL_LOCAL)
		return;
	addr_prefix_format(&q->addr, q->bits, text);
	log_warning("%s %s is not this host's: %s; if nothing else leads it here, run: %s%s%s",
		    p->what, text, p->harm, p->remedy, text, p->remedy_end);
}

/* Whether the route has been asked, whatever the answer. */
static bool is_known(const struct nl_nexthop *nh)
{
	return nh->state != NL_RESOLVING || nh->ifindex != 0;
}

void own_note(struct engine *e, const struct addr *a, const struct nl_nexthop *nh)
{
	size_t i;

	for (i = 0; i < e->n_own && is_known(nh); i++) {
		struct own_question *q = &e->own[i];
		struct addr asked = asked_of(q);

		if (!q->waits || addr_compare(&asked, a) != 0)
			continue;
		answer(q, nh);
		nl_unwatch(e->nl, a);
	}
}

static void ask(struct engine *e, enum own_purpose purpose, const struct addr *a, uint8_t bits)
{
	struct own_question q = {.addr = *a, .bits = bits, .purpose = purpose, .waits = true};
	struct addr asked = asked_of(&q);
	struct nl_nexthop known;
	size_t i;

	for (i = 0; i < e->n_own; i++)
		if (e->own[i].purpose == purpose && e->own[i].bits == bits &&
		    addr_compare(&e->own[i].addr, a) == 0)
			return;
	if (e->n_own == OWN_QUESTIONS || nl_watch(e->nl, &asked))
		return;
	e->own[e->n_own++] = q;
	/* A backend may be watched there already: then no first report is due. */
	if (nl_nexthop(e->nl, &asked, &known) == 0)
		own_note(e, &asked, &known);
}

static void ask_source(struct engine *e, const struct conf_source *s)
{
	if (!addr_is_none(&s->addr))
		ask(e, OWN_TUNNEL_SOURCE, &s->addr, (uint8_t)(addr_bits(&s->addr) - s->bits));
}

static void ask_backend(struct engine *e, const struct conf_service *s,
			const struct conf_backend *b)
{
	size_t i;

	if (conf_is_tunnel(b->forward))
		ask_source(e, b->addr.family == 6 ? &s->tunnel.source6 : &s->tunnel.source4);
	if (b->forward == SHUNT_LOCAL && s->vip_bits == addr_bits(&s->vip))
		ask(e, OWN_LOCAL, &s->vip, s->vip_bits);
	for (i = 0; b->forward == SHUNT_NAT && i < s->nat_pool.n; i++)
		ask(e, OWN_NAT_POOL, &s->nat_pool.addrs[i], addr_bits(&s->nat_pool.addrs[i]));
}

void own_ask(struct engine *e)
{
	size_t i, k;

	for (i = 0; i < e->conf->n_services; i++)
		for (k = 0; k < e->conf->services[i].n_backends && e->n_own < OWN_QUESTIONS; k++)
			ask_backend(e, &e->conf->services[i], &e->conf->services[i].backends[k]);
}
