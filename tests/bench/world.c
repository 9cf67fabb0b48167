/* SPDX-License-Identifier: BSD-2-Clause */
#include "world.h"

#include "lists.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "pure/backend_row.h"
#include "pure/hashkey.h"
#include "pure/maglev.h"

#define ROWS (WORLD_BACKENDS + 1) /* of a service */
#define EXTRAS 8 /* further services of the world with everything */
#define NAT_CONNECTIONS 1048576
#define FLOW_TIMEOUT 300 /* ticks: minutes, whatever HZ is */

struct world {
	struct dp *dp;
	uint64_t hash_key[SHUNT_HASH_WORDS];
	struct programs *own; /* those built in */
	struct programs *programs; /* in use: these or others */
	const struct bench_cases *cases;
	enum bench_world kind;
	uint32_t ifindex;
	struct shunt_backend backends[BENCH_CASES_MAX][WORLD_BACKENDS];
	struct addr vips[BENCH_CASES_MAX];
	uint64_t *flows; /* mapped */
	size_t flow_words;
};

uint32_t world_slots(void)
{
	return slots_for(WORLD_BACKENDS);
}

static struct addr address(bool is_v6, const char *v4, const char *v6, uint32_t last)
{
	char text[ADDR_TEXT_MAX];
	struct addr a = {0};
	int len = snprintf(text, sizeof(text), is_v6 ? "%s%x" : "%s%u", is_v6 ? v6 : v4, last);

	if (addr_parse(text, len, &a))
		abort();
	return a;
}

static void build_backends(struct world *w, const struct bench_case *c)
{
	for (uint32_t i = 0; i < WORLD_BACKENDS; i++) {
		struct backend_row_spec spec = {
			.addr = address(c->is_v6, "10.0.0.", "2001:db8::1:", i + 1),
			.source = address(c->is_v6, "192.0.2.", "2001:db8::2:", 1),
			.dmac = {2, 0, 0, 0xbe, c->service, i},
			.smac = {2, 0, 0, 0, 0, 1},
			.ifindex = w->ifindex,
			.mtu = 1500,
			.method = c->method,
			.vip_family = c->is_v6 ? 6 : 4,
			.udp_csum = true,
			.usable = true,
			.passive = c->passive,
		};

		backend_row_build(&spec, &w->backends[c->service][i]);
		dp_backend_write(w->dp, c->service * ROWS + 1 + i, &w->backends[c->service][i]);
	}
}

/* So that every flow of a slot in transition is at its base, another backend. */
static void change_slots(struct world *w, const struct bench_case *c)
{
	uint32_t at = c->service * (world_slots() / SHUNT_SLOTS_PER_LINE);

	for (uint32_t i = 0; c->changed_in && i < world_slots(); i += c->changed_in) {
		struct transit_slot was = dp_slot_read(w->dp, at, i), s = was;

		s.slot |= SHUNT_SLOT_CHANGED;
		s.base = (struct shunt_base){
			.base = (uint16_t)(1 + was.slot % WORLD_BACKENDS),
			.since = (uint16_t)(dp_tick(w->dp) - 10),
		};
		dp_slot_write(w->dp, at, i, &was, &s);
	}
}

static int fill_slots(struct world *w, const struct bench_case *c)
{
	static uint16_t slots[65536];
	struct slot_backend pool[WORLD_BACKENDS];
	uint32_t n = world_slots();
	char name[32];
	int err;

	for (uint32_t i = 0; i < WORLD_BACKENDS; i++) {
		snprintf(name, sizeof(name), "backend-%u", i);
		pool[i] = (struct slot_backend){
			.id = slot_backend_id(name), .number = i + 1, .weight = 1, .up = true};
	}
	err = c->scheduler == SHUNT_RR ? interleave_fill(pool, WORLD_BACKENDS, true, slots, n)
				       : maglev_fill(pool, WORLD_BACKENDS, slots, n);
	if (c->pool == BENCH_POOL_DOWN)
		memset(slots, 0, n * sizeof(*slots));
	if (!err)
		dp_slots_write(w->dp, c->service * (n / SHUNT_SLOTS_PER_LINE), slots, n);
	if (!err)
		change_slots(w, c);
	return err;
}

static struct dp_service service(const struct world *w, const struct bench_case *c)
{
	return (struct dp_service){
		.vip = w->vips[c->service],
		.port = WORLD_PORT,
		.protocol = c->protocol,
		.svc = {
			.slots_at = c->service * (world_slots() / SHUNT_SLOTS_PER_LINE),
			.slot_mask = world_slots() - 1,
			.row = c->service * ROWS,
			.policy = lists_policy(c),
			.salt = c->service + 1,
			.backends = WORLD_BACKENDS,
			.flags = c->scheduler == SHUNT_RR ? SHUNT_SVC_FLOWS : 0,
			.scheduler = c->scheduler,
			.flow_timeout = FLOW_TIMEOUT,
		}};
}

/* Services that no case uses, after the model of @like: of each family and protocol one for any port,
 * and one for a prefix. Returns how many. */
static size_t add_extras(const struct dp_service *like, struct dp_service *out)
{
	for (size_t i = 0; i < EXTRAS; i++) {
		bool is_v6 = i & 1, prefix = i & 4;

		out[i] = *like;
		out[i].vip = address(is_v6, "198.51.100.", "2001:db8:200::", prefix ? 0 : i + 1);
		out[i].vip_bits = !prefix ? 0 : is_v6 ? 48 : 24;
		out[i].port = prefix ? WORLD_PORT : 0;
		out[i].protocol = i & 2 ? IPPROTO_UDP : IPPROTO_TCP;
		out[i].svc.policy = is_v6 ? 2 : 1;
	}
	return EXTRAS;
}

static int fill_tables(struct world *w, struct dp_error *err)
{
	struct dp_service s[BENCH_CASES_MAX + EXTRAS];
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < w->cases->n; i++) {
		const struct bench_case *c = &w->cases->c[i];

		if (c->pool == BENCH_NO_SERVICE)
			continue;
		w->vips[c->service] =
			address(c->is_v6, "203.0.113.", "2001:db8:100::", c->service + 10);
		build_backends(w, c);
		rc = fill_slots(w, c);
		if (rc)
			return rc;
		s[n++] = service(w, c);
	}
	if (w->kind == BENCH_FULL)
		n += add_extras(&s[0], &s[n]);
	rc = lists_write(w->dp);
	return rc ? rc : dp_services_switch(w->dp, s, n, err);
}

static uint32_t entries_of(const struct world *w, const char *map)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(dp_map_fd(w->dp, map), &info, &len) ? 0 : info.max_entries;
}

static int map_flows(struct world *w)
{
	size_t bytes = (size_t)entries_of(w, "flows") * sizeof(struct shunt_flow_bucket);
	void *at =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, dp_map_fd(w->dp, "flows"), 0);

	if (at == MAP_FAILED)
		return -errno;
	w->flows = at;
	w->flow_words = bytes / sizeof(*w->flows);
	return 0;
}

static int set_up(struct world *w, struct dp_error *err)
{
	struct dp_options opt = {
		.sizes = {
			.services = w->cases->services + EXTRAS,
			.spans = 2 * EXTRAS,
			.rows = w->cases->services * ROWS,
			.slot_lines = w->cases->services * world_slots() / SHUNT_SLOTS_PER_LINE,
			.flows = WORLD_FLOWS,
		}};
	int rc;

	lists_sizes(&opt.sizes);
	if (w->kind == BENCH_FULL) {
		opt.sizes.nat = NAT_CONNECTIONS;
		opt.sizes.nat6 = true;
		opt.sizes.passive = true;
	}
	hashkey_derive(NULL, w->hash_key);
	memcpy(opt.hash_key, w->hash_key, sizeof(w->hash_key));
	rc = dp_open(&opt, &w->dp, err);
	if (!rc)
		rc = fill_tables(w, err);
	if (!rc)
		rc = world_load(w, w->cases, NULL, &w->own);
	w->programs = w->own;
	return rc ? rc : map_flows(w);
}

struct world *world_open(const struct bench_cases *cases, enum bench_world kind, uint32_t ifindex)
{
	struct world *w = calloc(1, sizeof(*w));
	struct dp_error err = {.text = ""};
	int rc = -ENOMEM;

	if (w) {
		w->cases = cases;
		w->kind = kind;
		w->ifindex = ifindex;
		rc = set_up(w, &err);
	}
	if (rc == 0)
		return w;
	fprintf(stderr, "bench: %s: %s\n", strerror(-rc), err.text);
	world_close(w);
	return NULL;
}

void world_close(struct world *w)
{
	if (!w)
		return;
	if (w->flows)
		munmap(w->flows, w->flow_words * sizeof(*w->flows));
	programs_close(w->own);
	if (w->dp)
		dp_close(w->dp);
	free(w);
}

int world_load(const struct world *w, const struct bench_cases *cases, const char *object,
	       struct programs **out)
{
	return programs_open(w->dp, w->hash_key, w->kind, cases, object, out);
}

void world_use(struct world *w, struct programs *p)
{
	w->programs = p ? p : w->own;
}

/* Packets that the backends of @c were sent. */
static uint64_t forwarded(const struct world *w, const struct bench_case *c)
{
	struct dp_counter counter;
	uint64_t sum = 0;

	if (c->pool == BENCH_NO_SERVICE)
		return 0;
	for (uint32_t i = 1; i <= WORLD_BACKENDS; i++) {
		dp_counter_read(w->dp, c->service * ROWS + i, &counter);
		sum += counter.packets;
	}
	return sum;
}

/* Packets counted under the verdict of @c, and under all others. */
static void count_verdicts(const struct world *w, const struct bench_case *c,
			   uint64_t out[static 2])
{
	uint64_t packets[SHUNT_VERDICT_MAX];

	dp_verdicts_read(w->dp, packets);
	out[0] = out[1] = 0;
	for (int v = 0; v < SHUNT_VERDICT_MAX; v++)
		out[v != (int)c->verdict] += packets[v];
}

int world_run(struct world *w, const struct bench_case *c, const struct frame *f, uint32_t repeat,
	      struct world_result *out)
{
	const struct bench_state *state = programs_state(w->programs);
	uint64_t sent = forwarded(w, c), before[2], after[2];
	int rc;

	count_verdicts(w, c, before);
	rc = programs_run(w->programs, c->program, f, repeat, &out->run);
	count_verdicts(w, c, after);
	out->forwarded = forwarded(w, c) - sent;
	out->judged = after[0] - before[0];
	out->others = after[1] - before[1];
	out->flow = bench_flow(state->runs, state->flow_mask);
	return rc;
}

/* Each flow opens and goes on, so that it stands in the table confirmed. */
static int open_flows(struct world *w, const struct bench_case *c, uint32_t flows)
{
	static const enum frame_flags steps[] = {FRAME_SYN, FRAME_ACK};
	struct programs_result ignored;
	struct frame f;
	int rc = 0;

	memset(w->flows, 0, w->flow_words * sizeof(*w->flows));
	for (int i = 0; i < 2 && !rc; i++) {
		frame_build(c, &w->vips[c->service], WORLD_PORT, steps[i], &f);
		rc = programs_run(w->programs, c->program, &f, flows, &ignored);
	}
	return rc;
}

void world_frame(const struct world *w, const struct bench_case *c, struct frame *f)
{
	const struct addr any = address(c->is_v6, "203.0.113.", "2001:db8:100::", 1);

	frame_build(c, c->pool != BENCH_NO_SERVICE ? &w->vips[c->service] : &any, WORLD_PORT,
		    c->syn || c->known == BENCH_FLOWS_NEW ? FRAME_SYN : FRAME_ACK, f);
}

int world_prepare(struct world *w, const struct bench_case *c, uint32_t flows, struct frame *f)
{
	struct bench_state *state = programs_state(w->programs);
	struct programs_result ignored;
	int rc;

	world_frame(w, c, f);
	frame_state(f, c->is_v6, state);
	state->flow_mask = flows - 1;
	if (world_remembers(c) && c->known != BENCH_FLOWS_NEW)
		return open_flows(w, c, flows);
	rc = programs_run(w->programs, c->program, f, flows / 4 + 10000, &ignored);
	if (c->changed_in)
		memset(w->flows, 0, w->flow_words * sizeof(*w->flows));
	return rc;
}

bool world_remembers(const struct bench_case *c)
{
	return c->pool == BENCH_POOL && (c->scheduler == SHUNT_RR || c->known != BENCH_FLOWS_OLD);
}

struct dp *world_dp(const struct world *w)
{
	return w->dp;
}

const struct shunt_backend *world_backends(const struct world *w, const struct bench_case *c)
{
	return c->pool != BENCH_NO_SERVICE ? w->backends[c->service] : NULL;
}

uint64_t world_flows_held(const struct world *w)
{
	uint64_t held = 0;

	for (size_t i = 0; i < w->flow_words; i++)
		held += w->flows[i] != 0;
	return held;
}
