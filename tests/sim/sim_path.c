/* SPDX-License-Identifier: BSD-2-Clause */
#include "sim.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "io/dp.h"
#include "pure/backend_row.h"
#include "pure/hashkey.h"
#include "pure/maglev.h"
#include "pure/transit.h"
#include "tests/sim/sim.skel.h"

#define HZ 250
#define PORT 80
#define LRU_RATE 125000 /* Katran's limit of new flows a second and CPU */
#define BEGIN ((UINT64_C(65536) << SHUNT_FLOW_TICK_SHIFT) - 20 * HZ) /* ticks wrap soon */

struct sim_path {
	const struct sim_options *opt;
	struct dp *dp;
	struct sim_bpf *bpf;
	struct shunt_slot_line *slots;
	struct shunt_base_line *bases;
	const struct shunt_verdict_line *verdicts;
	const uint64_t *flows;
	uint64_t key[SHUNT_HASH_WORDS];
	uint16_t want[65536];
	uint8_t alive[SIM_BACKENDS + 1];
	uint32_t n_slots, daddr, changed, changed_most, second;
	struct shunt_settings settings;
};

static void *map_of(const struct sim_path *p, const char *name)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	int fd = dp_map_fd(p->dp, name);
	void *at;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return NULL;
	at = mmap(NULL, (size_t)info.max_entries * ((info.value_size + 7) & ~7u),
		  PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return at == MAP_FAILED ? NULL : at;
}

static uint32_t entries_of(const struct sim_path *p, const char *name)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(dp_map_fd(p->dp, name), &info, &len) ? 0 : info.max_entries;
}

static void write_backends(struct sim_path *p)
{
	struct shunt_backend row;

	for (uint32_t b = 1; b <= SIM_BACKENDS; b++) {
		struct backend_row_spec spec = {
			.addr = {.family = 4, .bytes = {10, 1, 0, b}},
			.dmac = {2, 0, 0, 0, 0, b},
			.smac = {2, 0, 0, 0, 1, 1},
			.ifindex = 1,
			.mtu = 1500,
			.method = SHUNT_DSR,
			.vip_family = 4,
			.usable = true,
		};

		backend_row_build(&spec, &row);
		dp_backend_write(p->dp, b, &row);
		p->alive[b] = 1;
	}
}

static int switch_service(struct sim_path *p, struct dp_error *err)
{
	const struct dp_service s = {
		.vip = {.family = 4, .bytes = {203, 0, 113, 1}},
		.port = PORT,
		.protocol = IPPROTO_TCP,
		.svc = {.slot_mask = p->n_slots - 1,
			.salt = 1,
			.backends = SIM_BACKENDS,
			.flow_timeout = p->opt->timeout},
	};

	memcpy(&p->daddr, s.vip.bytes, sizeof(p->daddr));
	return dp_services_switch(p->dp, &s, 1, err);
}

static int load(struct sim_path *p)
{
	struct bpf_program *program;
	struct bpf_map *map;

	p->bpf = sim_bpf__open();
	if (!p->bpf)
		return -errno;
	bpf_object__for_each_program(program, p->bpf->obj) bpf_program__set_autoload(
		program, strncmp(bpf_program__name(program), "sim_", 4) == 0);
	bpf_object__for_each_map(map, p->bpf->obj)
	{
		int fd = dp_map_fd(p->dp, bpf_map__name(map));

		/* its own: a map of programs takes those of one kind of loading only */
		if (map != p->bpf->maps.stages && fd >= 0 && bpf_map__reuse_fd(map, fd))
			return -errno;
	}
	bpf_map__set_max_entries(p->bpf->maps.lru, p->opt->lru);
	memcpy(&p->bpf->rodata->settings, &p->settings, sizeof(p->settings));
	return sim_bpf__load(p->bpf);
}

static int fill(struct sim_path *p, struct dp_error *err)
{
	struct shunt_settings *s = &p->settings;
	int rc;

	write_backends(p);
	rc = switch_service(p, err);
	if (rc)
		return rc;
	memcpy(s->hash_key, p->key, sizeof(p->key));
	s->rows = entries_of(p, "backends");
	s->flow_mask = p->opt->buckets - 1;
	s->frag_mask = entries_of(p, "frags") - 1;
	s->rate_mask = entries_of(p, "rates") - 1;
	s->cpus = entries_of(p, "counters") / s->rows;
	s->hz = HZ;
	s->flow_shift = SHUNT_FLOW_TICK_SHIFT;
	rc = load(p);
	if (rc)
		return rc;
	p->slots = map_of(p, "slots");
	p->bases = map_of(p, "bases");
	p->verdicts = map_of(p, "verdicts");
	p->flows = map_of(p, "flows");
	p->bpf->bss->state.daddr = p->daddr;
	return p->slots && p->bases && p->verdicts && p->flows ? 0 : -ENOMEM;
}

struct sim_path *sim_path_open(const struct sim_options *opt)
{
	struct sim_path *p = calloc(1, sizeof(*p));
	struct dp_options o = {
		.sizes = {.services = 1,
			  .rows = SIM_BACKENDS + 1,
			  .flows = (uint64_t)opt->buckets * SHUNT_FLOWS_PER_BUCKET / 2}};
	struct dp_error err = {.text = ""};
	int rc;

	if (!p)
		return NULL;
	p->opt = opt;
	p->n_slots = slots_for(SIM_BACKENDS);
	o.sizes.slot_lines = p->n_slots / SHUNT_SLOTS_PER_LINE;
	hashkey_derive(NULL, p->key);
	memcpy(o.hash_key, p->key, sizeof(p->key));
	rc = dp_open(&o, &p->dp, &err);
	if (!rc)
		rc = fill(p, &err);
	if (!rc)
		return p;
	fprintf(stderr, "sim: %s: %s\n", strerror(-rc), err.text);
	sim_path_close(p);
	return NULL;
}

void sim_path_close(struct sim_path *p)
{
	if (!p)
		return;
	sim_bpf__destroy(p->bpf);
	if (p->dp)
		dp_close(p->dp);
	free(p);
}

uint32_t sim_path_slots(const struct sim_path *p)
{
	return p->n_slots;
}

uint16_t sim_path_slot_of(const struct sim_path *p, uint32_t saddr, uint32_t ports)
{
	return shunt_slot_of(hashkey_flow4(p->key, saddr, p->daddr, ports), p->n_slots - 1);
}

uint16_t sim_path_table(const struct sim_path *p, uint16_t slot)
{
	return p->want[slot];
}

struct sim_packet *sim_path_batch(struct sim_path *p)
{
	return p->bpf->bss->batch;
}

static struct transit_rules rules_now(const struct sim_path *p)
{
	return (struct transit_rules){
		.kind = TRANSIT_SYN,
		.alive = p->alive,
		.now = (uint16_t)(p->bpf->bss->state.jiffies >> SHUNT_FLOW_TICK_SHIFT),
		.idle = p->opt->timeout,
		.cap = 3600,
	};
}

/* Writes what has changed of slot @i, the base first. */
static void write_slot(struct sim_path *p, uint32_t i, const struct transit_slot *was,
		       const struct transit_slot *is)
{
	uint32_t line = i / SHUNT_SLOTS_PER_LINE, at = i % SHUNT_SLOTS_PER_LINE;

	p->changed += transit_is_on(is->slot);
	if (memcmp(&was->base, &is->base, sizeof(is->base)) != 0)
		p->bases[line].slot[at] = is->base;
	if (was->slot != is->slot)
		p->slots[line].slot[at] = is->slot;
}

static struct transit_slot read_slot(const struct sim_path *p, uint32_t i)
{
	uint32_t line = i / SHUNT_SLOTS_PER_LINE, at = i % SHUNT_SLOTS_PER_LINE;

	return (struct transit_slot){p->slots[line].slot[at], p->bases[line].slot[at]};
}

static void note_changed(struct sim_path *p)
{
	if (p->changed > p->changed_most)
		p->changed_most = p->changed;
}

static void settle(struct sim_path *p)
{
	struct transit_rules rules = rules_now(p);

	p->changed = 0;
	for (uint32_t i = 0; i < p->n_slots; i++) {
		struct transit_slot was = read_slot(p, i), is = transit_settle(was, &rules);

		write_slot(p, i, &was, &is);
	}
	note_changed(p);
}

void sim_path_time(struct sim_path *p, double now)
{
	struct sim_state *s = &p->bpf->bss->state;

	s->jiffies = BEGIN + (uint64_t)(now * HZ);
	if (p->second && (uint32_t)now < p->second)
		return;
	p->second = (uint32_t)now + 1;
	s->lru_rate = LRU_RATE;
	settle(p);
}

void sim_path_change(struct sim_path *p, const bool wants[static SIM_BACKENDS + 1])
{
	struct slot_backend pool[SIM_BACKENDS];
	struct transit_rules rules = rules_now(p);
	char name[32];

	for (uint32_t b = 1; b <= SIM_BACKENDS; b++) {
		snprintf(name, sizeof(name), "backend-%u", b);
		pool[b - 1] = (struct slot_backend){
			.id = slot_backend_id(name), .number = b, .weight = wants[b], .up = true};
	}
	if (maglev_fill(pool, SIM_BACKENDS, p->want, p->n_slots))
		abort();
	memcpy(p->bpf->bss->lru_slots, p->want, p->n_slots * sizeof(*p->want));
	p->changed = 0;
	for (uint32_t i = 0; i < p->n_slots; i++) {
		struct transit_slot was = read_slot(p, i), is;

		is = transit_change(was, p->want[i], &rules);
		write_slot(p, i, &was, &is);
	}
	note_changed(p);
}

int sim_path_run(struct sim_path *p, enum sim_way way, uint32_t n)
{
	static unsigned char frame[SIM_FRAME] = {
		[12] = 8, [14] = 0x45, [17] = SIM_FRAME - 14, [36] = 0, [37] = PORT, [46] = 0x50};
	struct bpf_program *program =
		way == SIM_LRU ? p->bpf->progs.sim_lru : p->bpf->progs.sim_ours;
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = 1);

	p->bpf->bss->state.at = 0;
	p->bpf->bss->state.n = n;
	return n ? bpf_prog_test_run_opts(bpf_program__fd(program), &o) : 0;
}

void sim_path_count(const struct sim_path *p, struct sim_result *r)
{
	uint32_t used = 0;

	r->lookups = r->remembered = r->no_room = 0;
	for (uint32_t cpu = 0; cpu < p->settings.cpus; cpu++) {
		r->lookups += p->verdicts[cpu].packets[SHUNT_COUNT_LOOKUPS];
		r->remembered += p->verdicts[cpu].packets[SHUNT_COUNT_REMEMBERED];
		r->no_room += p->verdicts[cpu].packets[SHUNT_COUNT_NO_ROOM];
	}
	for (size_t i = 0; i < (size_t)p->opt->buckets * SHUNT_FLOWS_PER_BUCKET; i++)
		used += p->flows[i] != 0;
	if (used > r->entries_most)
		r->entries_most = used;
	r->changed = p->changed;
	r->changed_most = p->changed_most;
	r->slots = p->n_slots;
	r->lru_misses = p->bpf->bss->state.lru_misses;
}
