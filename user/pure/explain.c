/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/explain.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pure/verdict.h"

/* ---- steps ------------------------------------------------------------------------------------*/

struct steps {
	struct explain_step *list;
	size_t n;
};

static void step(struct steps *s, const char *what, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void step(struct steps *s, const char *what, const char *format, ...)
{
	struct explain_step *next = &s->list[s->n];
	va_list args;

	if (s->n == EXPLAIN_STEPS_MAX)
		return;
	snprintf(next->what, sizeof(next->what), "%s", what);
	va_start(args, format);
	vsnprintf(next->text, sizeof(next->text), format, args);
	va_end(args);
	s->n++;
}

/* "250 ms", "12 s", "3 min", "5 h". */
static const char *span(uint64_t ms, char out[static 32])
{
	if (ms < 1000)
		snprintf(out, 32, "%" PRIu64 " ms", ms);
	else if (ms < 120000)
		snprintf(out, 32, "%" PRIu64 " s", ms / 1000);
	else if (ms < 7200000)
		snprintf(out, 32, "%" PRIu64 " min", ms / 60000);
	else
		snprintf(out, 32, "%" PRIu64 " h", ms / 3600000);
	return out;
}

static const char *or_nobody(const char *name)
{
	return name[0] ? name : "nobody";
}

/* ---- what the packet is -----------------------------------------------------------------------*/

static void packet_step(struct steps *s, const struct explain_facts *f)
{
	char line[DISSECT_LINE_MAX];

	step(s, "packet", "%s, %u bytes", dissect_line(&f->in, line), f->len);
}

static void interface_step(struct steps *s, const struct explain_facts *f)
{
	if (!f->interface[0])
		step(s, "interface", "whichever: no service asks for one");
	else if (f->xdp == VIEW_XDP_NONE)
		step(s, "interface", "%s: shunt is not attached there and sees no packet of it",
		     f->interface);
	else
		step(s, "interface", "%s, %s XDP", f->interface, view_xdp_name(f->xdp));
}

static void service_step(struct steps *s, const struct explain_facts *f)
{
	char address[VIEW_ADDRESS_MAX];

	if (f->has_service)
		step(s, "service", "%s (%s), scheduler %s", f->service.name,
		     view_service_address(&f->service, address),
		     conf_scheduler_name(f->service.scheduler));
	else if (f->closest[0])
		step(s, "service", "%s", f->closest);
}

static bool is_refused(enum shunt_verdict v)
{
	return v == SHUNT_DROP_DENIED || v == SHUNT_DROP_NOT_ALLOWED;
}

static bool is_over(enum shunt_verdict v)
{
	return v == SHUNT_DROP_RATE_SOURCE || v == SHUNT_DROP_RATE_SERVICE;
}

static void sources_step(struct steps *s, const struct explain_facts *f)
{
	const char *list = "no list of sources", *rates = "no rates";

	if (!f->has_service)
		return;
	if (is_refused(f->verdict))
		list = f->verdict == SHUNT_DROP_DENIED ? "its list denies this source"
						       : "its list does not allow this source";
	else if (f->has_list)
		list = f->only_allowed ? "its list allows this source"
				       : "its list does not deny this source";
	if (f->has_rates && is_refused(f->verdict))
		rates = "rates were not asked";
	else if (is_over(f->verdict))
		rates = f->verdict == SHUNT_DROP_RATE_SOURCE
				? "this source has had its rate of new flows"
				: "the service has had its rate of new flows";
	else if (f->has_rates)
		rates = "its rates leave room for it";
	step(s, "sources", "%s; %s", list, rates);
}

/* ---- whose it is ------------------------------------------------------------------------------*/

static void entry_step(struct steps *s, const struct explain_facts *f)
{
	char age[32];

	if (f->has_entry && f->holds)
		step(s, "flow", "remembered with %s%s, last packet %s ago", or_nobody(f->entry),
		     f->confirmed ? "" : " (one packet so far)", span(f->age_ms, age));
	else if (f->has_entry)
		step(s, "flow",
		     "there is an entry of %s, which no longer counts: it is too old, or from "
		     "before the change",
		     or_nobody(f->entry));
	else
		step(s, "flow", "not remembered");
}

static void flow_step(struct steps *s, const struct explain_facts *f)
{
	char age[32];

	if (!f->has_slot)
		return;
	if (f->has_connection)
		step(s, "flow", "a translated connection that is known, last packet %s ago",
		     span(f->connection_age_ms, age));
	else if (f->translates)
		step(s, "flow", "no translated connection yet%s",
		     f->opens ? ": would be opened" : "");
	else if (f->remembers_all || f->moves)
		entry_step(s, f);
	else
		step(s, "flow", "the service remembers none: the slot says where all of them go");
	if (f->remembers)
		step(s, "flow", "would be remembered");
	if (f->no_room)
		step(s, "flow", "would not be remembered: no room in the flow table");
}

static void slot_step(struct steps *s, const struct explain_facts *f)
{
	const char *by = f->by_source ? ", by the source's address" : "";

	if (!f->has_slot)
		return;
	if (!f->moves)
		step(s, "slot", "%u of %u%s: settled, %s's", f->slot, f->slots, by,
		     or_nobody(f->cur));
	else if (f->learning)
		step(s, "slot",
		     "%u of %u%s: in transition from %s to %s, and still learns which flows there "
		     "are: what is not known goes to %s",
		     f->slot, f->slots, by, or_nobody(f->base), or_nobody(f->cur),
		     or_nobody(f->base));
	else
		step(s, "slot",
		     "%u of %u%s: in transition: new flows go to %s, older ones stay with %s",
		     f->slot, f->slots, by, or_nobody(f->cur), or_nobody(f->base));
}

static const struct {
	const char *name, *words;
} whys[EXPLAIN_MAX] = {
	[EXPLAIN_NONE] = {"none", "there is none"},
	[EXPLAIN_SETTLED] = {"settled", "its slot is settled and this one's"},
	[EXPLAIN_NEW] = {"new", "the flow is new, and new flows of its slot go there"},
	[EXPLAIN_OLD] = {"old", "the flow is older than the change of its slot and stays there"},
	[EXPLAIN_ENTRY] = {"remembered", "the flow is remembered with it"},
	[EXPLAIN_CONNECTION] = {"connection", "its connection is translated so already"},
	[EXPLAIN_TURN] = {"turn",
			  "its turn on the CPU that was asked; others may be at another backend"},
	[EXPLAIN_LOAD] = {"load", "the less loaded backend of the flow's two slots"},
	[EXPLAIN_OTHERWISE] = {"otherwise", "the packet itself says so, or something that it is "
					    "about"},
};

const char *explain_why_name(enum explain_why w)
{
	return w < EXPLAIN_MAX ? whys[w].name : "unknown";
}

static void backend_step(struct steps *s, const struct explain_facts *f)
{
	char addr[ADDR_PORT_TEXT_MAX];

	if (!f->has_backend)
		return;
	step(s, "backend", "%s (%s): %s", f->backend.name,
	     addr_port_format(&f->backend.addr, f->backend.port, addr),
	     f->why < EXPLAIN_MAX ? whys[f->why].words : "?");
	if (f->backend.gets[0])
		step(s, "backend", "gets: %s", f->backend.gets);
}

const char *view_flow_kind_name(enum view_flow_kind k)
{
	static const char *const names[VIEW_FLOW_MAX] = {"transition", "all", "source", "nat"};

	return k < VIEW_FLOW_MAX ? names[k] : "unknown";
}

const char *view_flow_state_name(enum view_flow_state s)
{
	static const char *const names[VIEW_FLOW_STATE_MAX] = {
		"new", "confirmed", "established", "closing", "reset", "ended"};

	return s < VIEW_FLOW_STATE_MAX ? names[s] : "unknown";
}

/* ---- what is sent -----------------------------------------------------------------------------*/

static void next_hop_step(struct steps *s, const struct explain_facts *f)
{
	const uint8_t *m = f->backend.mac;

	if (!f->has_backend || f->verdict == SHUNT_FORWARD_LOCAL)
		return;
	if (f->backend.nexthop != VIEW_NH_RESOLVED) {
		step(s, "next hop", "%s%s", view_nexthop_name(f->backend.nexthop),
		     view_nexthop_advice(f->backend.nexthop));
		return;
	}
	step(s, "next hop",
	     "%02x:%02x:%02x:%02x:%02x:%02x behind %s, which takes packets of %u bytes", m[0], m[1],
	     m[2], m[3], m[4], m[5], f->backend.egress, f->mtu);
}

static void leaves_step(struct steps *s, const struct explain_facts *f)
{
	enum shunt_verdict_class class = verdict_class(f->verdict);

	if (class == SHUNT_CLASS_PASS || f->verdict == SHUNT_FORWARD_LOCAL)
		step(s, "leaves", "not at all: this host's own stack gets it as it came");
	else if (class != SHUNT_CLASS_DROP)
		step(s, "leaves", "%s%s%s, %u bytes", f->egress, f->egress[0] ? ": " : "", f->out,
		     f->out_len);
}

static void verdict_step(struct steps *s, const struct explain_facts *f)
{
	if (f->verdict == SHUNT_GO_ON)
		step(s, "verdict", "none was counted; please report this");
	else
		step(s, "verdict", "%s: %s", verdict_name(f->verdict), verdict_words(f->verdict));
}

static void advice_step(struct steps *s, const struct explain_facts *f)
{
	const char *advice = verdict_advice(f->verdict);

	if (f->former)
		step(s, "note",
		     "the packet path in force is a former version's, and may do otherwise: see "
		     "shunt upgrade --status");
	if (f->interface[0] && f->xdp == VIEW_XDP_NONE)
		step(s, "do", "add %s to interfaces, and reload; or see shunt status",
		     f->interface);
	else if (advice)
		step(s, "do", "%s", advice);
}

size_t explain_words(const struct explain_facts *f,
		     struct explain_step steps[static EXPLAIN_STEPS_MAX])
{
	struct steps s = {steps, 0};

	packet_step(&s, f);
	interface_step(&s, f);
	service_step(&s, f);
	sources_step(&s, f);
	slot_step(&s, f);
	flow_step(&s, f);
	backend_step(&s, f);
	next_hop_step(&s, f);
	verdict_step(&s, f);
	leaves_step(&s, f);
	advice_step(&s, f);
	return s.n;
}

/* ---- what comes closest -----------------------------------------------------------------------*/

int explain_nearness(const struct explain_near *n)
{
	if (!n->same_address)
		return n->same_port && n->same_protocol;
	return 2 + n->same_protocol + n->same_port * 2;
}

void explain_closest(const struct explain_near *n, size_t others, uint16_t port, uint8_t protocol,
		     char out[static EXPLAIN_TEXT_MAX])
{
	char more[64] = "", miss[96];

	if (!n) {
		snprintf(out, EXPLAIN_TEXT_MAX,
			 "none has this address, nor this port and protocol; shunt services lists "
			 "them");
		return;
	}
	if (others)
		snprintf(more, sizeof(more), ", and %zu more as close", others);
	if (!n->same_address)
		snprintf(miss, sizeof(miss), "it has this port and protocol, but not this address");
	else if (!n->same_protocol)
		snprintf(miss, sizeof(miss), "it has this address, but not protocol %s",
			 conf_protocol_name(protocol));
	else
		snprintf(miss, sizeof(miss), "it has this address and protocol, but not port %u",
			 port);
	snprintf(out, EXPLAIN_TEXT_MAX, "none; %s (%s) comes closest%s: %s", n->name, n->address,
		 more, miss);
}
