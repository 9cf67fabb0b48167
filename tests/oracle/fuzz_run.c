/* SPDX-License-Identifier: BSD-2-Clause */
/* Packet by packet through both, and what to say when they differ. */
#include "fuzz.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "fuzz_report.h"
#include "tests/oracle/tick.skel.h"

#define JIFFIES_BACK 8 /* a packet is not longer on its way */

static uint64_t jiffies_now(const struct fuzz_bench *b)
{
	uint8_t frame[64] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame));

	if (bpf_prog_test_run_opts(bpf_program__fd(b->tick_program->progs.tell), &opts))
		abort();
	return b->tick_program->bss->jiffies;
}

/* The @n-th of the CPUs that may be used, round and round. */
static uint32_t nth_cpu(const cpu_set_t *allowed, uint64_t n)
{
	uint32_t cpu = 0;

	for (n %= (uint64_t)CPU_COUNT(allowed); !CPU_ISSET(cpu, allowed) || n--;)
		cpu++;
	return cpu;
}

int fuzz_bench_stay(struct fuzz_bench *b, uint64_t n)
{
	cpu_set_t set;

	b->cpu = nth_cpu(&b->cpus, n);
	CPU_ZERO(&set);
	CPU_SET(b->cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

/* Whether the maps are as the oracle's state, on the CPU that it ran on. */
static bool state_is_same(const struct fuzz_bench *b)
{
	const struct oracle_state *s = &b->world.state;
	const struct fixture *f = b->world.f;
	size_t own = (size_t)b->cpu * WORLD_ROWS;

	return memcmp(f->counters + own, s->counters + own, WORLD_ROWS * sizeof(*s->counters)) ==
		       0 &&
	       memcmp(f->verdicts, s->verdicts, f->cpus * sizeof(*s->verdicts)) == 0 &&
	       memcmp(f->flows, s->flows, WORLD_FLOW_BUCKETS * sizeof(*s->flows)) == 0 &&
	       (!b->result.lookups || memcmp(f->bases, s->bases, sizeof(b->world.bases)) == 0) &&
	       fuzz_source_is_same(&b->world) && fuzz_rare_is_same(&b->world);
}

/* The frame is nobody's when it was dropped. */
static bool packet_is_same(const struct fuzz_bench *b)
{
	const struct outcome *o = &b->outcome;
	const struct oracle_result *r = &b->result;

	if (r->wrong || o->action != r->action)
		return false;
	return o->action == XDP_DROP ||
	       (o->out.len == r->len && memcmp(o->out.bytes, r->frame, r->len) == 0);
}

/* The verdict that the packet path has counted, if one. */
static enum shunt_verdict verdict_seen(const struct fuzz_bench *b)
{
	const struct fuzz_world *w = &b->world;

	for (enum shunt_verdict v = 1; v < SHUNT_VERDICT_MAX; v++)
		if (w->f->verdicts[b->cpu].packets[v] != w->state.verdicts[b->cpu].packets[v])
			return v;
	return SHUNT_GO_ON;
}

static void ask_oracle(struct fuzz_bench *b, const struct frame *in)
{
	struct fuzz_world *w = &b->world;
	struct oracle_arrival arrival = {
		.frame = in->bytes,
		.len = in->len,
		.ifindex = WORLD_IFINDEX_IN,
		.cpu = b->cpu,
		.jiffies = b->jiffies,
		.tick = (uint32_t)(b->jiffies >> SHUNT_NAT_TICK_SHIFT),
	};
	struct oracle_seen seen = {verdict_seen(b), fuzz_nat_maps(w->f), b->outcome.out.bytes,
				   b->outcome.out.len, w->f->frags};
	struct oracle_case c = {.t = &w->tables, .s = &w->state, .in = &arrival, .seen = &seen};

	oracle_run(&c, &b->result);
	oracle_apply(&w->tables, &w->state, b->cpu, &b->result);
	fuzz_nat_from_maps(w); /* which the oracle has judged */
}

void fuzz_take_back(struct fuzz_bench *b)
{
	oracle_undo(&b->world.tables, &b->world.state, b->cpu, &b->result);
	b->world.nat = b->before;
}

/* Asks the oracle about the packet that has run, at that time. */
static bool agree_at(struct fuzz_bench *b, const struct frame *in, uint64_t jiffies)
{
	b->jiffies = jiffies;
	ask_oracle(b, in);
	return packet_is_same(b) && state_is_same(b);
}

/* Runs the frame, and asks at all times at which that may have been.  @unsure: the time has changed
 * meanwhile, so that it may have been at two. */
static bool agree_now(struct fuzz_bench *b, const struct frame *in, bool *unsure)
{
	uint64_t was = b->jiffies, now;

	b->before = b->world.nat;
	if (b->poison)
		fixture_run_poisoned(b->world.f, in, b->poison, &b->outcome);
	else
		fixture_run_uncounted(b->world.f, in, &b->outcome);
	if (agree_at(b, in, was))
		return true;
	now = jiffies_now(b);
	*unsure = now != was;
	for (int back = 0; back < JIFFIES_BACK && now - was > (uint64_t)back; back++) {
		fuzz_take_back(b);
		if (agree_at(b, in, now - (uint64_t)back))
			return true;
	}
	return false;
}

bool fuzz_agree(struct fuzz_bench *b, const struct frame *in)
{
	bool unsure = false;

	for (int tries = 0; tries < 3; tries++) {
		if (agree_now(b, in, &unsure))
			return true;
		if (!unsure)
			return false;
		fuzz_take_back(b);
		fuzz_world_to_maps(&b->world);
		b->jiffies = jiffies_now(b);
	}
	return agree_now(b, in, &unsure);
}

/* What the packet path only reads, and what other CPUs count. */
static bool rest_is_same(const struct fuzz_bench *b)
{
	const struct fuzz_world *w = &b->world;

	return memcmp(w->f->slots, w->slots, sizeof(w->slots)) == 0 &&
	       memcmp(w->f->backends, w->backends, sizeof(w->backends)) == 0 &&
	       memcmp(w->f->counters, w->state.counters,
		      (size_t)w->f->cpus * WORLD_ROWS * sizeof(*w->state.counters)) == 0;
}

static void mismatch(struct fuzz_bench *b, struct fuzz_run *run, uint64_t number,
		     const struct frame *in)
{
	if (!run->mismatches++)
		run->first_mismatch = number;
	if (!run->quiet)
		fuzz_report(b, run->seed, number, in);
	/* go on from what the packet path has made of it */
	fuzz_world_from_maps(&b->world);
}

/* Packets do not share dice, so that what one takes from them changes no other. */
static struct dice dice_for(const struct fuzz_run *run, uint64_t number)
{
	struct dice d = {run->seed};

	d.x = roll64(&d) ^ number * 0xd1342543de82ef95ull;
	return d;
}

/* Starts the round that begins with packet @number. */
static int round_begin(struct fuzz_bench *b, const struct fuzz_run *run, uint64_t number)
{
	uint64_t round = number / FUZZ_ROUND;

	int err = fuzz_bench_stay(b, round);

	if (err)
		return err;
	b->dice = dice_for(run, ~round);
	b->world.tick = (uint16_t)(jiffies_now(b) >> SHUNT_FLOW_TICK_SHIFT);
	fuzz_world_fill(&b->world, &b->dice);
	fuzz_frames_fill(&b->frames, &b->dice);
	if (run->spoil)
		run->spoil(&b->world);
	return 0;
}

static void packet(struct fuzz_bench *b, struct fuzz_run *run, uint64_t number)
{
	struct frame in;

	b->dice = dice_for(run, number);
	if (once_in(&b->dice, 10))
		fuzz_world_disturb(&b->world, &b->dice);
	b->poison = once_in(&b->dice, 2) ? (uint8_t)roll64(&b->dice) : 0;
	fuzz_frame(&b->world, &b->frames, &b->dice, &in);
	if (!fuzz_agree(b, &in))
		mismatch(b, run, number, &in);
	run->packets++;
	run->seen[b->result.verdict]++;
	run->remembered += b->result.n_flow_writes > 0;
}

static int packets(struct fuzz_bench *b, struct fuzz_run *run)
{
	uint64_t first = run->from / FUZZ_ROUND * FUZZ_ROUND, end = run->from + run->count;
	int err;

	for (uint64_t number = first; number < end; number++) {
		if (number % FUZZ_ROUND == 0) {
			err = round_begin(b, run, number);
			if (err)
				return err;
		}
		packet(b, run, number);
		if (number % FUZZ_ROUND == FUZZ_ROUND - 1 && !run->spoil && !rest_is_same(b)) {
			printf("the round up to packet %" PRIu64 " wrote what is not its own\n",
			       number);
			run->mismatches++;
		}
		if (run->mismatches >= run->mismatches_max)
			return 0;
	}
	return 0;
}

int fuzz_bench_open(struct fuzz_bench *b, struct fixture *f)
{
	memset(b, 0, sizeof(*b));
	if (sched_getaffinity(0, sizeof(b->cpus), &b->cpus))
		return -errno;
	b->tick_program = tick_bpf__open_and_load();
	if (!b->tick_program)
		return -errno;
	b->jiffies = jiffies_now(b);
	fuzz_world_open(&b->world, f);
	return fuzz_bench_stay(b, 0);
}

void fuzz_bench_close(struct fuzz_bench *b)
{
	sched_setaffinity(0, sizeof(b->cpus), &b->cpus);
	fuzz_world_close(&b->world);
	tick_bpf__destroy(b->tick_program);
}

int fuzz_run(struct fixture *f, struct fuzz_run *run)
{
	struct fuzz_bench *b = malloc(sizeof(*b));
	int err;

	if (!b)
		return -ENOMEM;
	err = fuzz_bench_open(b, f);
	if (!err) {
		err = packets(b, run);
		fuzz_bench_close(b);
	}
	free(b);
	return err;
}
