/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a program that is about to take over does what the running one does. Both are given the same
 * made-up packets, for every service, over the same tables (or copies of them), by BPF_PROG_TEST_RUN.
 *
 * The packets are such that nothing is remembered of them and no rate is used up: of flows in the middle
 * of their lives, in settled slots; where any packet might begin something, a router's error about the
 * flow. What they count is taken off again. That is done on the CPU that has counted it, where one
 * instruction suffices, since nobody else writes these counters; what else is counted there at the same
 * moment can make one of them too many or too few by one, never what becomes of a packet. */
#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/mono.h"
#include "base/own.h"
#include "io/dp_impl.h"
#include "pure/hashkey.h"
#include "pure/synth.h"
#include "shunt_abi.h"

#define FLOWS_EACH 3 /* of a service */
#define TRIES 64 /* to find a flow in a settled slot */
#define BUDGET_US 1000000
#define OUT_MAX 512
#define ANY_PORT 4791 /* of services for any */
#define FIRST_CLIENT_PORT 20000

struct result {
	uint32_t action;
	uint32_t len;
	uint8_t out[OUT_MAX];
	uint32_t row; /* that counted it; 0: none */
	unsigned int verdict; /* that counted it; 0: none, or not known */
};

struct check {
	struct dp *dp;
	uint32_t cpu;
	mono_t until;
	struct dp_check_result *out;
	struct dp_error *err; /* gets the first difference */
	uint32_t asked; /* services: spreads sources and ports */
	int rc;
};

/* ---- counters ---------------------------------------------------------------------------------*/

static void take_off(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_sub(counter, n, __ATOMIC_RELAXED);
}

static struct shunt_counter *counter_of(const struct dp_set *set, uint32_t cpu, uint32_t row)
{
	struct shunt_counter *records = set->map[DP_COUNTERS].mem;

	return &records[(size_t)cpu * set->sizes.rows + row];
}

struct before {
	uint64_t verdicts[SHUNT_VERDICTS_PER_CPU];
	uint64_t packets[64]; /* of the service's first rows */
	uint32_t rows;
};

static uint64_t *line_of(const struct dp_set *set, uint32_t cpu)
{
	struct shunt_verdict_line *lines = set->map[DP_VERDICTS].mem;

	return (uint64_t *)lines[cpu].packets;
}

static void remember(const struct check *c, const struct dp_set *set,
		     const struct shunt_service *svc, struct before *b)
{
	uint32_t i;

	memcpy(b->verdicts, line_of(set, c->cpu), sizeof(b->verdicts));
	b->rows = svc->backends + 1u < 64 ? svc->backends + 1u : 64;
	for (i = 0; i < b->rows; i++)
		b->packets[i] = counter_of(set, c->cpu, svc->row + i)->packets;
}

/* What has counted the packet: the number of the service's backend, 0 for its own row, or -1. */
static int undo_row(const struct check *c, const struct dp_set *set,
		    const struct shunt_service *svc, const struct before *b, uint64_t bytes)
{
	uint32_t i;

	for (i = 0; i < b->rows; i++) {
		struct shunt_counter *counter = counter_of(set, c->cpu, svc->row + i);

		if (counter->packets == b->packets[i])
			continue;
		take_off((uint64_t *)&counter->packets, 1);
		take_off((uint64_t *)&counter->bytes, bytes);
		return (int)i;
	}
	return -1;
}

/* The verdict that has counted it; 0 when several counted at the same moment. */
static unsigned int undo_verdict(uint64_t *line, const struct before *b)
{
	unsigned int v, found = 0;

	for (v = 1; v < SHUNT_VERDICT_MAX; v++)
		if (line[v] != b->verdicts[v]) {
			if (found)
				return 0;
			found = v;
		}
	if (found)
		take_off(&line[found], 1);
	return found;
}

static void undo(const struct check *c, const struct dp_set *set, const struct shunt_service *svc,
		 const struct before *b, struct result *r, uint64_t bytes)
{
	uint64_t *line = line_of(set, c->cpu);
	int number = undo_row(c, set, svc, b, bytes);

	if (number > 0)
		r->row = svc->row + (uint32_t)number;
	else
		r->verdict = undo_verdict(line, b);
	if (svc->flags & SHUNT_SVC_FLOWS &&
	    line[SHUNT_COUNT_LOOKUPS] != b->verdicts[SHUNT_COUNT_LOOKUPS])
		take_off(&line[SHUNT_COUNT_LOOKUPS], 1);
}

/* ---- one packet -------------------------------------------------------------------------------*/

static int run(const struct check *c, const struct dp_set *set, const struct dp_service *s,
	       const uint8_t *frame, uint32_t len, struct result *r)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len,
		    .data_out = r->out, .data_size_out = sizeof(r->out), .repeat = 1);
	struct before before;

	r->row = r->verdict = 0;
	remember(c, set, &s->svc, &before);
	if (bpf_prog_test_run_opts(set->program_fd, &opts))
		return -errno;
	undo(c, set, &s->svc, &before, r, synth_l3_len(len));
	r->action = opts.retval;
	r->len = opts.data_size_out;
	return 0;
}

static bool same(const struct result *a, const struct result *b)
{
	return a->action == b->action && a->len == b->len && memcmp(a->out, b->out, a->len) == 0;
}

static void say_result(const struct dp_set *set, const struct result *r, char *text, size_t size)
{
	static const char *const actions[] = {"aborts", "drops it", "gives it to the host",
					      "sends it", "sends it"};
	const char *action = r->action < 5 ? actions[r->action] : "does what no program may";
	const struct shunt_owner *owners = set->map[DP_OWNERS].mem;
	static const char *const names[] = {"",
#define X(name, class_, words) #name,
					    SHUNT_VERDICTS(X)
#undef X
	};

	if (r->row && r->row < set->sizes.rows && owners[r->row].backend[0])
		snprintf(text, size, "%s, for backend %.63s", action, owners[r->row].backend);
	else if (r->verdict)
		snprintf(text, size, "%s (%s)", action, names[r->verdict]);
	else
		snprintf(text, size, "%s", action);
}

static const char *const kinds[] = {"a TCP packet", "a UDP packet", "an ICMP error about TCP",
				    "an ICMP error about UDP"};

static void differs(struct check *c, const struct dp_service *s, const struct synth *packet,
		    const struct result *before, const struct result *after)
{
	char vip[ADDR_PORT_TEXT_MAX], client[ADDR_PORT_TEXT_MAX], did[128], does[128];
	const struct shunt_owner *owners = c->dp->set.map[DP_OWNERS].mem;

	if (c->out->differ++)
		return;
	say_result(&c->dp->old, before, did, sizeof(did));
	say_result(&c->dp->set, after, does, sizeof(does));
	dp_fail(c->err, 0,
		"service %.63s, %s from %s to %s: the running program %s, the new one %s%s",
		s->svc.row < c->dp->set.sizes.rows ? owners[s->svc.row].service : "?",
		kinds[packet->kind], addr_port_format(&packet->client, packet->client_port, client),
		addr_port_format(&packet->vip, packet->port, vip), did, does,
		strcmp(did, does) == 0 ? ", but not the same frame" : "");
}

/* Before Linux 6.7 or so another packet may interrupt a run, and write over what one stage hands to the next:
 * what differs is asked again. */
static void compare(struct check *c, const struct dp_service *s, const struct synth *packet)
{
	uint8_t frame[SYNTH_FRAME_MAX];
	uint32_t len = (uint32_t)synth_frame(packet, frame);
	struct result before, after;
	int tries;

	for (tries = 0; tries < 3; tries++) {
		c->rc = run(c, &c->dp->old, s, frame, len, &before);
		if (c->rc == 0)
			c->rc = run(c, &c->dp->set, s, frame, len, &after);
		if (c->rc)
			return;
		if (tries == 0)
			c->out->packets++;
		if (same(&before, &after))
			return;
	}
	differs(c, s, packet, &before, &after);
}

/* ---- one service ------------------------------------------------------------------------------*/

static bool is_settled(const struct check *c, const struct shunt_service *svc, uint32_t slot)
{
	const struct shunt_slot_line *lines = c->dp->set.map[DP_SLOTS].mem;
	uint64_t line = svc->slots_at + (uint64_t)slot / SHUNT_SLOTS_PER_LINE;

	return line < c->dp->set.sizes.slot_lines &&
	       !(lines[line].slot[slot % SHUNT_SLOTS_PER_LINE] & SHUNT_SLOT_CHANGED);
}

static bool is_all_settled(const struct check *c, const struct shunt_service *svc)
{
	uint32_t slot;

	for (slot = 0; slot <= svc->slot_mask; slot++)
		if (!is_settled(c, svc, slot))
			return false;
	return true;
}

static uint32_t word(const struct addr *a, size_t i)
{
	uint32_t w;

	memcpy(&w, a->bytes + 4 * i, sizeof(w));
	return w;
}

static uint32_t slot_of(const struct check *c, const struct shunt_service *svc,
			const struct synth *p)
{
	uint8_t on_wire[4] = {(uint8_t)(p->client_port >> 8), (uint8_t)p->client_port,
			      (uint8_t)(p->port >> 8), (uint8_t)p->port};
	uint32_t ports, client[4], vip[4];
	uint64_t hash;
	size_t i;

	memcpy(&ports, on_wire, sizeof(ports));
	for (i = 0; i < 4; i++) {
		client[i] = word(&p->client, i);
		vip[i] = word(&p->vip, i);
	}
	hash = p->vip.family == 6 ? hashkey_flow6(c->dp->hash_key, client, vip, ports)
				  : hashkey_flow4(c->dp->hash_key, client[0], vip[0], ports);
	return shunt_slot_of(hash, svc->slot_mask);
}

/* Documentation addresses (RFC 5737, RFC 3849). */
static struct addr client_of(uint8_t family, uint32_t n)
{
	struct addr a = {.family = family, .bytes = {198, 51, 100, (uint8_t)(1 + n % 254)}};

	if (family != 6)
		return a;
	memcpy(a.bytes, "\x20\x01\x0d\xb8\xff\xff", 6);
	a.bytes[6] = a.bytes[7] = 0;
	a.bytes[15] = (uint8_t)(1 + n % 254);
	return a;
}

/* What may be asked: where a packet of the flow itself might begin something, an error about it. */
static enum synth_kind kind_of(const struct dp_service *s)
{
	bool is_tcp = s->protocol == IPPROTO_TCP;
	uint16_t flags = s->svc.flags;

	if (flags & SHUNT_SVC_NAT)
		return is_tcp ? SYNTH_ICMP_TCP : SYNTH_ICMP_UDP;
	if (is_tcp)
		return SYNTH_TCP;
	return flags & SHUNT_SVC_FLOWS || s->svc.policy ? SYNTH_ICMP_UDP : SYNTH_UDP;
}

static void ask(struct check *c, const struct dp_service *s, enum synth_kind kind, uint32_t n)
{
	struct synth p = {.kind = kind,
			  .client = client_of(s->vip.family, c->asked * 7 + n),
			  .vip = s->vip,
			  .port = s->port ? s->port : ANY_PORT};
	uint32_t i;

	for (i = 0; i < TRIES; i++) {
		p.client_port =
			(uint16_t)(FIRST_CLIENT_PORT + (c->asked * 131 + n * 977 + i) % 40000);
		if (s->svc.flags & SHUNT_SVC_SOURCE
			    ? i == 0 && is_all_settled(c, &s->svc)
			    : is_settled(c, &s->svc, slot_of(c, &s->svc, &p))) {
			compare(c, s, &p);
			return;
		}
	}
}

static bool is_askable(const struct check *c, const struct dp_service *s)
{
	return (s->protocol == IPPROTO_TCP || s->protocol == IPPROTO_UDP) &&
	       (uint64_t)s->svc.row + s->svc.backends < c->dp->set.sizes.rows &&
	       (uint64_t)s->svc.row + s->svc.backends < c->dp->old.sizes.rows;
}

static void on_service(void *arg, const struct dp_service *s)
{
	struct check *c = arg;
	enum synth_kind kind = kind_of(s);
	uint32_t n;

	if (c->rc || !is_askable(c, s))
		return;
	c->out->services++;
	if (mono_diff_us(mono_now(), c->until) <= 0)
		return;
	c->asked++;
	for (n = 0; n < FLOWS_EACH; n++)
		ask(c, s, kind, n);
	if (kind == SYNTH_TCP || kind == SYNTH_UDP)
		ask(c, s, kind == SYNTH_TCP ? SYNTH_ICMP_TCP : SYNTH_ICMP_UDP, n);
}

/* ---- the whole --------------------------------------------------------------------------------*/

static bool can_ask(struct dp *dp)
{
	return dp->adopted && !dp->committed && dp->old.program_fd >= 0 &&
	       dp->old.map[DP_COUNTERS].fd >= 0 && dp->old.map[DP_VERDICTS].fd >= 0 &&
	       dp_map_mem(&dp->old, DP_COUNTERS) == 0 && dp_map_mem(&dp->old, DP_VERDICTS) == 0 &&
	       dp_map_mem(&dp->old, DP_OWNERS) == 0;
}

int dp_check(struct dp *dp, struct dp_check_result *out, struct dp_error *err)
{
	struct check c = {.dp = dp, .out = out, .err = err};
	cpu_set_t mine, one;
	int cpu = sched_getcpu();

	*out = (struct dp_check_result){0};
	if (!can_ask(dp) || cpu < 0 || (uint32_t)cpu >= dp->cpus)
		return 0;
	CPU_ZERO(&one);
	CPU_SET((unsigned int)cpu, &one);
	if (sched_getaffinity(0, sizeof(mine), &mine) || sched_setaffinity(0, sizeof(one), &one))
		return dp_fail_os(err, -errno, "cannot stay on one CPU");
	c.cpu = (uint32_t)cpu;
	c.until = mono_add_us(mono_now(), BUDGET_US);
	dp_services_each(dp, on_service, &c);
	sched_setaffinity(0, sizeof(mine), &mine);
	out->asked = c.asked;
	if (c.rc)
		return dp_fail_os(err, c.rc, "cannot run made-up packets through the programs");
	return out->differ ? -ESTALE : 0;
}
