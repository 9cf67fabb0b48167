/* SPDX-License-Identifier: BSD-2-Clause */
/* The fixture's services with random slots, backends and schedulers. */
#include "fuzz.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "shunt.skel.h"

#define N_BACKENDS (WORLD_ROWS_EACH - 1)
#define N_WORDS (WORLD_FLOW_BUCKETS * SHUNT_FLOWS_PER_BUCKET)

void fuzz_world_open(struct fuzz_world *w, struct fixture *f)
{
	static const uint32_t managed[] = {WORLD_IFINDEX_MANAGED};

	memset(w, 0, sizeof(*w));
	w->f = f;
	w->tables = (struct oracle_tables){
		.services = w->services,
		.slots = w->slots,
		.n_lines = FUZZ_LINES,
		.backends = w->backends,
		.rows = WORLD_ROWS,
		.managed = managed,
		.n_managed = 1,
		.cpus = f->cpus,
		.flow_buckets = WORLD_FLOW_BUCKETS,
	};
	memcpy(w->tables.hash_key, f->hash_key, sizeof(f->hash_key));
	w->state.counters = calloc((size_t)f->cpus * WORLD_ROWS, sizeof(*w->state.counters));
	w->state.verdicts = calloc(f->cpus, sizeof(*w->state.verdicts));
	w->state.flows = calloc(WORLD_FLOW_BUCKETS, sizeof(*w->state.flows));
	w->state.bases = w->bases;
	assert_true(w->state.counters && w->state.verdicts && w->state.flows);
	fuzz_nat_open(w);
	w->tables.policies = w->policies;
	w->tables.n_policies = WORLD_POLICIES;
	w->tables.rate_lines = WORLD_RATE_LINES;
	w->state.rates = w->rates;
	w->state.full = w->full;
	fuzz_rare_open(w);
}

void fuzz_world_close(struct fuzz_world *w)
{
	free(w->state.counters);
	free(w->state.verdicts);
	free(w->state.flows);
	free(w->answers);
}

void fuzz_world_from_maps(struct fuzz_world *w)
{
	memcpy(w->state.counters, w->f->counters,
	       (size_t)w->f->cpus * WORLD_ROWS * sizeof(*w->state.counters));
	memcpy(w->state.verdicts, w->f->verdicts, w->f->cpus * sizeof(*w->state.verdicts));
	memcpy(w->state.flows, w->f->flows, WORLD_FLOW_BUCKETS * sizeof(*w->state.flows));
	memcpy(w->bases, w->f->bases, sizeof(w->bases));
	fuzz_nat_from_maps(w);
	fuzz_source_from_maps(w);
	fuzz_rare_from_maps(w);
}

void fuzz_world_to_maps(const struct fuzz_world *w)
{
	memcpy(w->f->counters, w->state.counters,
	       (size_t)w->f->cpus * WORLD_ROWS * sizeof(*w->state.counters));
	memcpy(w->f->verdicts, w->state.verdicts, w->f->cpus * sizeof(*w->state.verdicts));
	memcpy(w->f->flows, w->state.flows, WORLD_FLOW_BUCKETS * sizeof(*w->state.flows));
	memcpy(w->f->bases, w->bases, sizeof(w->bases));
	fuzz_nat_to_maps(w);
	fuzz_source_to_maps(w);
	fuzz_rare_to_maps(w);
}

/* What varies by flow is 0 in the source. */
static void source_vary(struct shunt_backend *be, struct dice *d)
{
	__be32 *last = &be->source[be->flags & SHUNT_BE_ADDR6 ? 3 : 0];

	if (be->method == SHUNT_GUE || !once_in(d, 2))
		return;
	be->source_bits = (uint8_t)(4 + roll(d, 29));
	*last &= htonl(~(uint32_t)((1ull << be->source_bits) - 1) | 3);
}

static void backend_vary(struct shunt_backend *be, uint8_t family, struct dice *d)
{
	static const uint8_t methods[] = {SHUNT_DSR,  SHUNT_LOCAL, SHUNT_IPIP,
					  SHUNT_IPIP, SHUNT_GUE,   SHUNT_GRE};
	static const uint16_t mtus[] = {1500, 1500, 1500, 1400, 576, 9000, 65535, 68, 0};

	*be = (struct shunt_backend){
		.ifindex = WORLD_IFINDEX_IN,
		.mtu = mtus[roll(d, sizeof(mtus) / sizeof(*mtus))],
		.port = htons(4242),
		.method = methods[roll(d, sizeof(methods))],
		.flags = once_in(d, 12) ? 0 : SHUNT_BE_USABLE,
		.tags = once_in(d, 2) ? 0 : (uint8_t)roll(d, 3),
	};
	if (once_in(d, 10))
		be->ifindex = once_in(d, 2) ? WORLD_IFINDEX_MANAGED : WORLD_IFINDEX_UNMANAGED;
	if (once_in(d, 50))
		be->method = (uint8_t)(SHUNT_FORWARD_MAX + roll(d, 200));
	if (once_in(d, 10))
		be->flags |= SHUNT_BE_NO_NEW;
	roll_bytes(d, be->dmac, sizeof(be->dmac));
	roll_bytes(d, be->smac, sizeof(be->smac));
	roll_bytes(d, be->vlan_tci, sizeof(be->vlan_tci));
	if (once_in(d, 2)) {
		be->flags |= SHUNT_BE_ADDR6;
		roll_bytes(d, be->addr, 16);
		roll_bytes(d, be->source, 16);
		if (be->method == SHUNT_GUE && !once_in(d, 3))
			be->flags |= SHUNT_BE_UDP_CSUM;
	} else {
		roll_bytes(d, be->addr, 4);
		roll_bytes(d, be->source, 4);
	}
	source_vary(be, d);
	be->outer_csum = world_outer_csum(family, be);
}

/* A number that the rows end before, or that is the last of them: the row of a backend of the same
 * family, since others have another outer_csum. */
static uint32_t number_at_the_end(const struct shunt_service *svc, struct dice *d)
{
	uint32_t last = WORLD_ROWS - 1 - svc->row;
	bool is_last_family = svc->row >= WORLD_ROWS / 2;

	if (once_in(d, 2))
		return SHUNT_BACKENDS_PER_SERVICE - roll(d, 3);
	return last + (is_last_family ? roll(d, 2) : 1);
}

/* About now, from a few ticks ahead to longer ago than most flow timeouts, or any. */
static uint16_t tick_vary(uint16_t tick, struct dice *d)
{
	static const uint16_t back[] = {1, 3, 12, 400};

	if (once_in(d, 40))
		return (uint16_t)roll64(d);
	return (uint16_t)(tick + roll(d, 8) - roll(d, back[roll(d, 4)] + 6));
}

static void base_vary(struct shunt_base *base, uint16_t tick, struct dice *d)
{
	*base = (struct shunt_base){
		.base = (uint16_t)roll(d, WORLD_ROWS_EACH),
		.used = tick_vary(tick, d),
		.since = tick_vary(tick, d),
		.flags = (uint16_t)roll(d, 8),
	};
}

/* Slots of @svc, from 32 to all that it has: some empty, some in transition, and, in a @broken service,
 * some that point beyond the table. */
static void slots_vary(struct fuzz_world *w, const struct shunt_service *svc, bool broken,
		       struct dice *d)
{
	uint32_t empty_in = once_in(d, 2) ? 20 : 100000;
	uint32_t changed_in = once_in(d, 3) ? 1 : 50;

	for (uint32_t i = 0; i <= svc->slot_mask; i++) {
		uint32_t number = 1 + roll(d, svc->backends);

		if (once_in(d, empty_in))
			number = 0;
		if (broken && once_in(d, 4))
			number = number_at_the_end(svc, d);
		if (!(broken && svc->flags & SHUNT_SVC_NAT) && once_in(d, changed_in)) {
			number |= SHUNT_SLOT_CHANGED;
			base_vary(world_base(w->f, svc, i), w->tick, d);
		}
		*world_slot(w->f, svc, i) = (uint16_t)number;
	}
}

/* sh and affinity. */
static void source_flags(struct shunt_service *svc, uint8_t family, struct dice *d)
{
	if (svc->flags & SHUNT_SVC_NAT || !once_in(d, 2))
		return;
	svc->flags |= SHUNT_SVC_SOURCE;
	svc->source_bits = (uint8_t)(1 + roll(d, family == 4 ? 32 : 128));
	if (once_in(d, 2))
		svc->flags |= SHUNT_SVC_AFFINE;
}

/* On the way to another hash. */
static void keep_flags(struct shunt_service *svc, struct dice *d)
{
	if (svc->flags & SHUNT_SVC_TURNS || !once_in(d, 3))
		return;
	svc->flags |= once_in(d, 3) ? 0 : SHUNT_SVC_KEEP;
	if (svc->flags & SHUNT_SVC_AFFINE && !once_in(d, 3))
		svc->flags |= SHUNT_SVC_KEPT;
}

static void service_vary(struct fuzz_world *w, uint8_t family, uint8_t proto, enum world_kind kind,
			 struct dice *d)
{
	static const uint16_t timeouts[] = {0, 1, 2, 60, 300, 300, 300, 40000, 65534, 65535};
	struct fixture *f = w->f;
	struct shunt_service *svc = world_service(f, family, proto, kind);

	if (once_in(d, 8))
		return; /* as the fixture has it: of one backend, or with none, or broken */
	svc->slot_mask = (32u << roll(d, 4)) - 1;
	svc->backends = (uint16_t)(1 + roll(d, N_BACKENDS));
	svc->flags = once_in(d, 2) ? SHUNT_SVC_ON_EMPTY_PASS : 0;
	if (once_in(d, 2)) {
		svc->flags |= SHUNT_SVC_FLOWS;
		svc->scheduler = once_in(d, 2) ? SHUNT_RR : SHUNT_WRR;
	}
	if (!(svc->flags & SHUNT_SVC_FLOWS) && once_in(d, 2))
		svc->flags |= SHUNT_SVC_LEARN;
	svc->flow_timeout = timeouts[roll(d, sizeof(timeouts) / sizeof(*timeouts))];
	svc->salt = (uint32_t)roll64(d);
	if (once_in(d, 3))
		fuzz_nat_service(svc, d);
	source_flags(svc, family, d);
	keep_flags(svc, d);
	if (once_in(d, 3))
		fuzz_source_service(svc, family, d);
	if (proto == IPPROTO_UDP && !(svc->flags & SHUNT_SVC_NAT) && once_in(d, 2))
		fuzz_quic_service(f, svc, d);
	if (kind != WORLD_BAD_SLOTS)
		slots_vary(w, svc, kind == WORLD_BAD_ROW, d);
	for (uint32_t n = 1; n < WORLD_ROWS_EACH; n++) {
		backend_vary(&f->backends[svc->row + n], family, d);
		if (svc->flags & SHUNT_SVC_NAT && !once_in(d, 6))
			fuzz_nat_backend(&f->backends[svc->row + n], family, d);
	}
}

/* A family may have no service at all, or none with a port, or none for any port. */
static void index_vary(struct fixture *f, uint8_t family, struct dice *d)
{
	uint32_t half = f->ctl->active;
	struct shunt_index *x = family == 4 ? &f->ctl->v4[half] : &f->ctl->v6[half];

	if (once_in(d, 20))
		x->flags &= ~SHUNT_INDEX_EXACT;
	if (!once_in(d, 10))
		return;
	x->flags &= ~SHUNT_INDEX_ANY_PORT;
	/* gone from the table too, or a packet for port 0 would find it as if it were exact */
	for (uint32_t i = 0; i < 8 * WORLD_SERVICES; i++) {
		if (family == 4 && !(f->services4[i].key >> 32 & 0xffff))
			f->services4[i].key = 0;
		if (family == 6 && !(f->services6[i].port_proto & 0xffff))
			f->services6[i].port_proto = 0;
	}
}

static uint32_t index_flags(const struct fixture *f, uint8_t family)
{
	uint32_t half = f->ctl->active;

	return family == 4 ? f->ctl->v4[half].flags : f->ctl->v6[half].flags;
}

/* Puts the service into the oracle's list if it can be found. */
static void service_copy(struct fuzz_world *w, uint8_t family, uint8_t proto, enum world_kind kind)
{
	uint32_t needs = kind == WORLD_ANY ? SHUNT_INDEX_ANY_PORT : SHUNT_INDEX_EXACT;
	struct recipe r = world_recipe(family, proto, kind);
	struct oracle_service *s;

	if (!(index_flags(w->f, family) & needs))
		return;
	s = &w->services[w->tables.n_services++];
	*s = (struct oracle_service){
		.family = family,
		.proto = proto,
		.port = kind == WORLD_ANY ? 0 : r.dport,
		.svc = *world_service(w->f, family, proto, kind),
	};
	memcpy(s->addr, r.dst, sizeof(s->addr));
}

/* ---- prefixes ----------------------------------------------------------------------------------*/

#define SPANS_EACH 4

static void prefixes_clear(struct fixture *f)
{
	int fd = bpf_map__fd(f->shunt->maps.prefixes);
	struct shunt_prefix_key key;

	while (bpf_map_get_next_key(fd, NULL, &key) == 0)
		assert_int_equal(bpf_map_delete_elem(fd, &key), 0);
}

uint32_t fuzz_entry_take(struct fixture *f, uint8_t family, const struct shunt_service *svc)
{
	uint32_t at = f->ctl->active * 4 * WORLD_SERVICES, i = 0;

	while (family == 4 ? f->services4[at + i].key || f->services4[at + i].svc.slot_mask
			   : f->services6[at + i].port_proto || f->services6[at + i].svc.slot_mask)
		i++;
	assert_true(i < 4 * WORLD_SERVICES);
	if (family == 4)
		f->services4[at + i].svc = *svc;
	else
		f->services6[at + i].svc = *svc;
	return i;
}

/* One stretch of ports, the @number-th of all, from @s->port to @s->port_to. */
static void span_write(struct fuzz_world *w, uint32_t number, struct oracle_service *s,
		       struct dice *d)
{
	struct shunt_span span = {.from_port = s->port, .entry = SHUNT_SPAN_NOBODY};

	s->nobody = once_in(d, 4);
	if (!s->nobody) {
		s->svc = *world_service(w->f, s->family, s->proto, roll(d, WORLD_ANY));
		span.entry = fuzz_entry_take(w->f, s->family, &s->svc);
	}
	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(w->f->shunt->maps.spans), &number, &span, 0), 0);
	w->services[w->tables.n_services++] = *s;
}

/* A prefix of one of the services' addresses, with ports cut into up to SPANS_EACH stretches. */
static void prefix_add(struct fuzz_world *w, uint8_t family, uint8_t proto, uint32_t spans_at,
		       struct dice *d)
{
	struct recipe r = world_recipe(family, proto, once_in(d, 2) ? WORLD_ANY : WORLD_DSR);
	uint8_t bits = (uint8_t)(1 + roll(d, family == 4 ? 32 : 128));
	struct shunt_prefix_key key = {.prefixlen = SHUNT_PREFIX_BITS + bits,
				       .half = (uint8_t)w->f->ctl->active,
				       .family = family,
				       .protocol = proto};
	struct shunt_prefix value = {spans_at, 1 + roll(d, SPANS_EACH)};
	struct oracle_service s = {.family = family, .proto = proto, .bits = bits};

	for (uint32_t i = 0; i < bits; i++)
		s.addr[i / 8] |= r.dst[i / 8] & (128 >> i % 8);
	memcpy(key.addr, s.addr, sizeof(key.addr));
	if (bpf_map_update_elem(bpf_map__fd(w->f->shunt->maps.prefixes), &key, &value, BPF_NOEXIST))
		return; /* has it already */
	for (uint32_t i = 0, from = 0; i < value.spans; i++, from = s.port_to + 1u) {
		bool is_last = i + 1 == value.spans;
		/* among the ports that packets are for */
		uint32_t end = WORLD_PORT + 5 * i + roll(d, 5) - 1;

		s.port = (uint16_t)from;
		s.port_to = is_last ? 65535 : (uint16_t)end;
		span_write(w, spans_at + i, &s, d);
	}
	if (family == 4)
		w->f->ctl->v4[w->f->ctl->active].flags |= SHUNT_INDEX_PREFIXES;
	else
		w->f->ctl->v6[w->f->ctl->active].flags |= SHUNT_INDEX_PREFIXES;
}

static void prefixes_vary(struct fuzz_world *w, struct dice *d)
{
	uint32_t n = once_in(d, 4) ? 0 : roll(d, (FUZZ_SPANS - FUZZ_VIPS) / SPANS_EACH + 1);

	prefixes_clear(w->f);
	for (uint32_t i = 0; i < n; i++)
		prefix_add(w, once_in(d, 2) ? 4 : 6, once_in(d, 2) ? IPPROTO_TCP : IPPROTO_UDP,
			   i * SPANS_EACH, d);
}

static const struct {
	uint8_t family, proto;
} stacks[] = {{4, IPPROTO_TCP}, {4, IPPROTO_UDP}, {6, IPPROTO_TCP}, {6, IPPROTO_UDP}};

static void services_copy(struct fuzz_world *w)
{
	w->tables.n_services = 0;
	for (uint32_t i = 0; i < WORLD_SERVICES; i++)
		service_copy(w, stacks[i % 4].family, stacks[i % 4].proto, i / 4);
}

static void rest_copy(struct fuzz_world *w)
{
	memcpy(w->slots, w->f->slots, sizeof(w->slots));
	memcpy(w->backends, w->f->backends, sizeof(w->backends));
	w->nat_ctl = *w->f->nat_ctl;
	fuzz_world_from_maps(w);
}

void fuzz_world_copy(struct fuzz_world *w)
{
	prefixes_clear(w->f);
	services_copy(w);
	fuzz_rare_copy(w);
	rest_copy(w);
}

void fuzz_world_fill(struct fuzz_world *w, struct dice *d)
{
	struct fixture *f = w->f;
	void *state = f;

	fixture_reset(&state);
	if (once_in(d, 2)) { /* what stands in the other half is as the fixture has it */
		f->ctl->active = 1;
		world_build(f);
	}
	for (uint32_t i = 0; i < WORLD_SERVICES; i++)
		service_vary(w, stacks[i % 4].family, stacks[i % 4].proto, i / 4, d);
	index_vary(f, 4, d);
	index_vary(f, 6, d);
	services_copy(w);
	fuzz_rare_vips(w, d);
	prefixes_vary(w, d);
	fuzz_nat_fill(w, d);
	fuzz_source_fill(w, d);
	fuzz_quic_fill(w, d);
	fuzz_rare_fill(w, d);
	rest_copy(w);
}

/* ---- between two packets -----------------------------------------------------------------------*/

static void disturb_backend(struct fuzz_world *w, struct dice *d)
{
	uint32_t row = roll(d, WORLD_SERVICES) * WORLD_ROWS_EACH + 1 + roll(d, N_BACKENDS);

	w->backends[row].flags ^= SHUNT_BE_USABLE;
	w->f->backends[row].flags = w->backends[row].flags;
}

/* The word as it was, changed in one of its fields. */
static uint64_t disturbed(uint64_t word, struct dice *d)
{
	switch (roll(d, 7)) {
	case 0:
		return 0;
	case 1: /* some other number */
		return (word & ~0x7fff0000ull) | (uint64_t)roll(d, WORLD_ROWS_EACH + 2) << 16;
	case 2:
		return word ^ SHUNT_FLOW_CONFIRMED;
	case 3: /* some other flow */
		return word ^ 2ull << (32 + roll(d, 30));
	case 4: /* from the next tick, or the one after */
		return (word & ~0xffffull) | (uint16_t)(word + 1 + roll(d, 2));
	case 5: /* any age */
		return (word & ~0xffffull) | (uint16_t)roll64(d);
	default: /* about as old as the timeouts are */
		return (word & ~0xffffull) |
		       (uint16_t)(word - (once_in(d, 2) ? 300 : 1) - roll(d, 3));
	}
}

static void disturb_flow(struct fuzz_world *w, struct dice *d)
{
	size_t at = roll(d, N_WORDS);

	for (int tries = 0; tries < 8; tries++) {
		__u64 *word = &w->state.flows[at / SHUNT_FLOWS_PER_BUCKET]
				       .word[at % SHUNT_FLOWS_PER_BUCKET];

		if (*word) {
			*word = disturbed(*word, d);
			w->f->flows[at / SHUNT_FLOWS_PER_BUCKET].word[at % SHUNT_FLOWS_PER_BUCKET] =
				*word;
			return;
		}
		at = roll(d, N_WORDS);
	}
}

void fuzz_world_disturb(struct fuzz_world *w, struct dice *d)
{
	switch (roll(d, 8)) {
	case 0:
		disturb_backend(w, d);
		break;
	case 2:
		fuzz_source_disturb(w, d);
		break;
	case 3:
		fuzz_rare_disturb(w, d);
		break;
	case 1:
		fuzz_nat_disturb(w, d);
		break;
	default:
		disturb_flow(w, d);
	}
}
