/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads the packet path, and what poisons the headroom in front of it, and runs packets. */
#include "fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/mono.h"
#include "io/dp_stage.h"
#include "shunt.skel.h"
#include "tests/packet/poison.skel.h"

#define HEADROOM_GONE 216 /* bytes of metadata: all of the headroom but what the kernel keeps */

/* The size of map @name and where it is mapped. */
struct table {
	const char *name;
	uint32_t entries;
	size_t entry_len;
	void **mapped;
};

static size_t table_len(const struct table *t)
{
	size_t page = 4096, len = t->entries * ((t->entry_len + 7) & ~(size_t)7);

	return (len + page - 1) & ~(page - 1);
}

#define TABLES(f)                                                                                  \
	{                                                                                          \
		{"ctl", 1, sizeof(*(f)->ctl), (void **)&(f)->ctl},                                 \
			{"seeds", 4 * WORLD_SERVICES, 8, (void **)&(f)->seeds},                    \
			{"services4", 8 * WORLD_SERVICES, sizeof(*(f)->services4),                 \
			 (void **)&(f)->services4},                                                \
			{"services6", 8 * WORLD_SERVICES, sizeof(*(f)->services6),                 \
			 (void **)&(f)->services6},                                                \
			{"slots", WORLD_SERVICES * WORLD_SLOTS / SHUNT_SLOTS_PER_LINE,             \
			 sizeof(*(f)->slots), (void **)&(f)->slots},                               \
			{"bases", WORLD_SERVICES * WORLD_SLOTS / SHUNT_SLOTS_PER_LINE,             \
			 sizeof(*(f)->bases), (void **)&(f)->bases},                               \
			{"backends", WORLD_ROWS, sizeof(*(f)->backends), (void **)&(f)->backends}, \
			{"counters", (f)->cpus * WORLD_ROWS, sizeof(*(f)->counters),               \
			 (void **)&(f)->counters},                                                 \
			{"verdicts", (f)->cpus, sizeof(*(f)->verdicts), (void **)&(f)->verdicts},  \
			{"flows", WORLD_FLOW_BUCKETS, sizeof(*(f)->flows), (void **)&(f)->flows},  \
			{"flow_rows", WORLD_FLOW_BUCKETS, sizeof(*(f)->flow_rows),                 \
			 (void **)&(f)->flow_rows},                                                \
			{"loads", WORLD_ROWS, sizeof(*(f)->loads), (void **)&(f)->loads},          \
			{"nat_requests", WORLD_NAT_BUCKETS, sizeof(*(f)->nat_requests),            \
			 (void **)&(f)->nat_requests},                                             \
			{"syns", (f)->cpus, sizeof(*(f)->syns), (void **)&(f)->syns},              \
			{"signs", WORLD_ROWS, sizeof(*(f)->signs), (void **)&(f)->signs},          \
			{"nat_replies", 2 * WORLD_NAT_BUCKETS, sizeof(*(f)->nat_replies),          \
			 (void **)&(f)->nat_replies},                                              \
			{"nat_conns", WORLD_NAT_RECORDS, sizeof(*(f)->nat_conns),                  \
			 (void **)&(f)->nat_conns},                                                \
			{"nat_addrs", WORLD_NAT_RECORDS, sizeof(*(f)->nat_addrs),                  \
			 (void **)&(f)->nat_addrs},                                                \
			{"nat_backs", WORLD_NAT_BACKS, sizeof(*(f)->nat_backs),                    \
			 (void **)&(f)->nat_backs},                                                \
			{"nat_backs6", WORLD_NAT_BACKS6, sizeof(*(f)->nat_backs6),                 \
			 (void **)&(f)->nat_backs6},                                               \
			{"nat_ctl", 1, sizeof(*(f)->nat_ctl), (void **)&(f)->nat_ctl},             \
			{"policies", WORLD_POLICIES, sizeof(*(f)->policies),                       \
			 (void **)&(f)->policies},                                                 \
			{"sources", WORLD_SOURCE_WORDS / 4, 32, (void **)&(f)->sources},           \
			{"rates", WORLD_RATE_LINES, sizeof(*(f)->rates), (void **)&(f)->rates},    \
			{"frags", WORLD_FRAG_BUCKETS, sizeof(*(f)->frags), (void **)&(f)->frags},  \
			{"answers", (f)->cpus, sizeof(*(f)->answers), (void **)&(f)->answers},     \
			{"quic_records", WORLD_QUIC_RECORDS, sizeof(*(f)->quic_records),           \
			 (void **)&(f)->quic_records},                                             \
			{"quic_servers", WORLD_QUIC_PLACES, sizeof(*(f)->quic_servers),            \
			 (void **)&(f)->quic_servers},                                             \
			{"handover", (f)->cpus, sizeof(*(f)->handover), (void **)&(f)->handover},  \
	}
#define N_TABLES 29

static void settings_fill(const struct fixture *f, struct shunt_settings *s)
{
	memcpy(s->hash_key, f->hash_key, sizeof(s->hash_key));
	s->rows = WORLD_ROWS;
	s->flow_mask = WORLD_FLOW_BUCKETS - 1;
	s->frag_mask = WORLD_FRAG_BUCKETS - 1;
	s->hz = mono_kernel_hz();
	s->cpus = f->cpus;
	s->nat_mask = WORLD_NAT_BUCKETS - 1;
	s->nat_reply_mask = 2 * WORLD_NAT_BUCKETS - 1;
	s->rate_mask = WORLD_RATE_LINES - 1;
	s->passive = 1;
	s->staged = SHUNT_SVC_NAT | SHUNT_SVC_QUIC;
}

static void load_shunt(struct fixture *f)
{
	struct table tables[N_TABLES] = TABLES(f);
	struct bpf_map *map;

	f->shunt = shunt_bpf__open();
	assert_non_null(f->shunt);
	settings_fill(f, (struct shunt_settings *)&f->shunt->rodata->settings);
	for (int i = 0; i < N_TABLES; i++) {
		map = bpf_object__find_map_by_name(f->shunt->obj, tables[i].name);
		assert_int_equal(bpf_map__set_max_entries(map, tables[i].entries), 0);
	}
	assert_int_equal(shunt_bpf__load(f->shunt), 0);
	assert_int_equal(dp_stages_fill(f->shunt->obj), 0);
	for (int i = 0; i < N_TABLES; i++) {
		map = bpf_object__find_map_by_name(f->shunt->obj, tables[i].name);
		*tables[i].mapped = mmap(NULL, table_len(&tables[i]), PROT_READ | PROT_WRITE,
					 MAP_SHARED, bpf_map__fd(map), 0);
		assert_ptr_not_equal(*tables[i].mapped, MAP_FAILED);
	}
}

static void load_poison(struct fixture *f)
{
	int path = bpf_program__fd(f->shunt->progs.shunt_xdp);
	uint32_t first = 0;

	f->poison = poison_bpf__open_and_load();
	assert_non_null(f->poison);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(f->poison->maps.packet_path), &first,
					     &path, BPF_ANY),
			 0);
}

int fixture_open(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	uint32_t key = WORLD_IFINDEX_MANAGED, lo = 1;

	assert_non_null(f);
	f->cpus = (uint32_t)libbpf_num_possible_cpus();
	for (int i = 0; i < SHUNT_HASH_WORDS; i++)
		f->hash_key[i] = (0x9e3779b97f4a7c15ull * (uint64_t)(i + 5) >> 1) | 1;
	load_shunt(f);
	load_poison(f);
	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(f->shunt->maps.tx_ports), &key, &lo, BPF_ANY), 0);
	*state = f;
	return 0;
}

int fixture_close(void **state)
{
	struct fixture *f = *state;
	struct table tables[N_TABLES] = TABLES(f);

	for (int i = 0; i < N_TABLES; i++)
		munmap(*tables[i].mapped, table_len(&tables[i]));
	poison_bpf__destroy(f->poison);
	shunt_bpf__destroy(f->shunt);
	free(f);
	return 0;
}

int fixture_reset(void **state)
{
	struct fixture *f = *state;
	struct table tables[N_TABLES] = TABLES(f);

	for (int i = 0; i < N_TABLES; i++)
		memset(*tables[i].mapped, 0, table_len(&tables[i]));
	world_build(f);
	return 0;
}

static int run(const struct bpf_program *program, const struct frame *in, uint32_t metadata,
	       struct outcome *o)
{
	uint8_t bytes[HEADROOM_GONE + FRAME_MAX];
	struct xdp_md ctx = {.data = metadata, .data_end = metadata + (uint32_t)in->len};
	int err;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bytes, .data_size_in = ctx.data_end,
		    .data_out = bytes, .data_size_out = sizeof(bytes));

	memset(bytes, 0, metadata);
	memcpy(bytes + metadata, in->bytes, in->len);
	if (metadata) {
		opts.ctx_in = &ctx;
		opts.ctx_size_in = sizeof(ctx);
	}
	err = bpf_prog_test_run_opts(bpf_program__fd(program), &opts);
	if (err)
		return err;
	o->action = (int)opts.retval;
	o->out.len = opts.data_size_out - metadata;
	memcpy(o->out.bytes, bytes + metadata, o->out.len);
	return 0;
}

static void count(struct fixture *f, struct outcome *o)
{
	for (uint32_t cpu = 0; cpu < f->cpus; cpu++) {
		const __u64 *n = f->verdicts[cpu].packets;

		for (uint32_t verdict = 0; verdict < SHUNT_COUNT_FIRST; verdict++) {
			o->verdicts += n[verdict];
			if (n[verdict])
				o->verdict = verdict;
		}
		o->lookups += n[SHUNT_COUNT_LOOKUPS];
		o->remembered += n[SHUNT_COUNT_REMEMBERED];
		o->no_room += n[SHUNT_COUNT_NO_ROOM];
	}
	for (uint32_t i = 0; i < f->cpus * WORLD_ROWS; i++) {
		const struct shunt_counter *c = &f->counters[i];

		if (!c->packets && !c->bytes && !c->flows)
			continue;
		o->rows++;
		o->row = i % WORLD_ROWS;
		o->packets += c->packets;
		o->bytes += c->bytes;
		o->flows += c->flows;
	}
}

static void counters_clear(struct fixture *f)
{
	memset(f->verdicts, 0, f->cpus * sizeof(*f->verdicts));
	for (uint32_t i = 0; i < f->cpus * WORLD_ROWS; i++)
		f->counters[i] = (struct shunt_counter){.cursor = f->counters[i].cursor};
}

void fixture_run(struct fixture *f, const struct frame *in, struct outcome *o)
{
	*o = (struct outcome){0};
	counters_clear(f);
	assert_int_equal(run(f->shunt->progs.shunt_xdp, in, 0, o), 0);
	count(f, o);
}

void fixture_run_poisoned(struct fixture *f, const struct frame *in, uint8_t poison,
			  struct outcome *o)
{
	*o = (struct outcome){0};
	f->poison->data->poison = poison * 0x0101010101010101ull;
	assert_int_equal(run(f->poison->progs.shunt_poisoned, in, 0, o), 0);
}

void fixture_run_uncounted(struct fixture *f, const struct frame *in, struct outcome *o)
{
	*o = (struct outcome){0};
	assert_int_equal(run(f->shunt->progs.shunt_xdp, in, 0, o), 0);
}

bool fixture_run_cramped(struct fixture *f, const struct frame *in, struct outcome *o)
{
	*o = (struct outcome){0};
	counters_clear(f);
	if (run(f->shunt->progs.shunt_xdp, in, HEADROOM_GONE, o))
		return false;
	count(f, o);
	return true;
}
