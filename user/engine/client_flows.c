/* SPDX-License-Identifier: BSD-2-Clause */
/* The flows of one client. The flow table has hashes, from which nobody comes back to addresses, but a
 * client has 65,536 ports and few services: each flow that there may be is hashed and looked for. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/explain.h"
#include "engine/flows.h"
#include "io/dp_find.h"

#define PORTS 65536u
#define FLOWS_MAX (1u << 24) /* that are looked for: some seconds, a few milliseconds at a time */
#define MANY ((uint64_t)1 << 31)

/* The flows that the client may have with a service: first those of sources, one for each address, then
 * the others, in the order client ports, ports, addresses. */
struct field {
	const struct service *s;
	uint64_t addrs, ports, clients; /* each at most MANY */
	uint64_t sources, flows;
};

/* ---- how many there are -----------------------------------------------------------------------*/

static uint64_t times(uint64_t a, uint64_t b)
{
	return a && b > MANY / a ? MANY : a * b;
}

static uint64_t addresses_of(const struct conf_service *c, const struct addr *asked)
{
	uint8_t vary = (uint8_t)(addr_bits(&c->vip) - c->vip_bits);

	if (!addr_is_none(asked))
		return asked->family == c->vip.family &&
		       addr_is_within(asked, &c->vip, c->vip_bits);
	return vary < 31 ? (uint64_t)1 << vary : MANY;
}

static uint64_t span(const struct conf_ports *p)
{
	return p->to - p->from + 1u;
}

static uint64_t ports_of(const struct conf_service *c, uint16_t asked)
{
	uint64_t n = 0;
	size_t i;

	if (c->n_ports == 0)
		return asked ? 1 : PORTS;
	for (i = 0; i < c->n_ports; i++) {
		if (asked)
			n |= asked >= c->ports[i].from && asked <= c->ports[i].to;
		else
			n += span(&c->ports[i]);
	}
	return n;
}

static bool is_asked_for(const struct service *s, const struct msg_get *get)
{
	return (!get->service[0] || strcmp(get->service, s->name) == 0) &&
	       (!get->protocol || get->protocol == s->conf->protocol) &&
	       get->client.family == s->conf->vip.family;
}

/* Whether anything is remembered of its flows in the flow table. */
static bool remembers(const struct service *s)
{
	return s->moving || s->flags & (SHUNT_SVC_FLOWS | SHUNT_SVC_OWN);
}

static struct field field_of(const struct service *s, const struct msg_get *get)
{
	struct field f = {.s = s};

	if (!remembers(s) || !is_asked_for(s, get))
		return f;
	f.addrs = addresses_of(s->conf, &get->vip);
	f.ports = ports_of(s->conf, get->port);
	f.clients = get->client_port ? 1 : PORTS;
	if (s->flags & SHUNT_SVC_AFFINE && f.ports)
		f.sources = f.addrs;
	if (!(s->flags & SHUNT_SVC_AFFINE) || s->flags & SHUNT_SVC_OWN)
		f.flows = times(times(f.addrs, f.ports), f.clients);
	return f;
}

int client_flows_check(void *arg, const struct msg_get *get, char *why, size_t size)
{
	const struct engine *e = arg;
	uint64_t flows = 0, services = 0;
	char client[ADDR_TEXT_MAX];
	struct field f;
	size_t i;

	for (i = 0; i < e->n_services; i++) {
		f = field_of(e->services[i], get);
		flows += f.sources + f.flows;
		services += f.sources + f.flows > 0;
	}
	if (flows <= FLOWS_MAX)
		return 0;
	snprintf(why, size,
		 "%s may have %s%" PRIu64
		 " different flows with the addresses and ports of %" PRIu64
		 " services, and %u at most are looked for; narrow them down by --service, by "
		 "--vip ADDRESS:PORT or by the client's port",
		 addr_format(&get->client, client), flows >= MANY ? "more than " : "",
		 flows >= MANY ? MANY : flows, services, FLOWS_MAX);
	return -EINVAL;
}

/* ---- one of them ------------------------------------------------------------------------------*/

static struct addr nth_address(const struct conf_service *c, const struct addr *asked, uint64_t n)
{
	struct addr a = addr_is_none(asked) ? c->vip : *asked;
	size_t at = addr_bits(&a) / 8u;

	for (; n && at > 0; n >>= 8)
		a.bytes[--at] |= (uint8_t)n; /* bits behind the prefix are 0 */
	return a;
}

static uint16_t nth_port(const struct conf_service *c, uint16_t asked, uint64_t n)
{
	size_t i;

	if (asked || c->n_ports == 0)
		return asked ? asked : (uint16_t)n;
	for (i = 0; i + 1 < c->n_ports && n >= span(&c->ports[i]); i++)
		n -= span(&c->ports[i]);
	return (uint16_t)(c->ports[i].from + n);
}

static struct dp_tuple nth_flow(const struct field *f, const struct msg_get *get, uint64_t n)
{
	const struct conf_service *c = f->s->conf;
	struct dp_tuple t = {.client = get->client, .protocol = c->protocol};

	if (n < f->sources) {
		t.vip = nth_address(c, &get->vip, n);
		return t;
	}
	n -= f->sources;
	t.client_port = get->client_port ? get->client_port : (uint16_t)(n % PORTS);
	n /= f->clients;
	t.port = nth_port(c, get->port, n % f->ports);
	t.vip = nth_address(c, &get->vip, n / f->ports);
	return t;
}

/* ---- looking for them -------------------------------------------------------------------------*/

static struct shunt_service service_of(const struct service *s)
{
	struct shunt_service svc = {
		.slots_at = s->slots_at,
		.slot_mask = (uint16_t)(s->slots - 1),
		.row = s->row,
		.flags = s->flags,
		.flow_timeout = flow_ticks(conf_flow_timeout_ms(s->conf)),
		.source_bits = s->scheme.source_bits,
		.salt = service_salt(s->name),
	};
	size_t i;

	for (i = 0; i < s->n_backends; i++)
		if (s->backends[i]->number > svc.backends)
			svc.backends = s->backends[i]->number;
	return svc;
}

/* Whether the entry holds; or is kept beside what holds now, and says where the flow goes. */
static bool counts(const struct shunt_service *svc, enum dp_whose whose, const struct dp_known *k)
{
	if (!k->has_entry || (k->row && k->row != svc->row + k->number))
		return false;
	return k->holds || (whose == DP_OF_FLOW && svc->flags & SHUNT_SVC_OWN &&
			    k->age <= svc->flow_timeout && k->number <= svc->backends);
}

static bool give(struct walk *w, const struct service *s, const struct dp_tuple *t,
		 enum dp_whose whose, const struct dp_known *k)
{
	struct view_flow v = {
		.kind = whose == DP_OF_SOURCE	     ? VIEW_FLOW_SOURCE
			: s->flags & SHUNT_SVC_FLOWS ? VIEW_FLOW_ALL
						     : VIEW_FLOW_MOVING,
		.state = k->ended	? VIEW_FLOW_ENDED
			 : k->confirmed ? VIEW_FLOW_CONFIRMED
					: VIEW_FLOW_NEW,
		.number = k->number,
		.age_ms = walk_ticks_ms(k->age),
		.protocol = t->protocol,
		.client = t->client,
		.vip = t->vip,
		.client_port = t->client_port,
		.port = t->port,
	};

	walk_name_backend(s, k->number, &v);
	return !v.backend[0] || walk_give(w, &v); /* a number that nobody has: by chance */
}

/* From number @n on; returns where to go on, or UINT64_MAX: these were all. */
static uint64_t walk_service(struct walk *w, const struct service *s, uint64_t n)
{
	const struct field f = field_of(s, w->get);
	const struct shunt_service svc = service_of(s);
	struct dp_known k = {.now = w->now};
	struct dp_tuple t;

	if (f.sources + f.flows > FLOWS_MAX) /* it has been reconfigured meanwhile */
		return UINT64_MAX;
	for (; n < f.sources + f.flows; n++) {
		const enum dp_whose whose = n < f.sources ? DP_OF_SOURCE : DP_OF_FLOW;

		if (walk_is_over(w))
			return n;
		t = nth_flow(&f, w->get, n);
		dp_flow_find(w->e->dp, &svc, &t, whose, &k);
		if (counts(&svc, whose, &k) && !give(w, s, &t, whose, &k))
			return n;
	}
	return UINT64_MAX;
}

uint64_t client_flows_walk(struct walk *w, uint64_t at)
{
	uint64_t i = at >> 32, n = at & UINT32_MAX;

	for (; i < w->e->n_services; i++, n = 0) {
		n = walk_service(w, w->e->services[i], n);
		if (n != UINT64_MAX)
			return CLIENT_WALK | i << 32 | n;
	}
	return 0;
}
