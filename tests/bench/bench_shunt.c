/* SPDX-License-Identifier: BSD-2-Clause */
/* make bench: what a packet costs. Every round measures every row once, in an order of its own, and
 * checks it: the frame that came out, byte by byte, and that the counters rose by exactly the number
 * of packets. Environment: ROUNDS, FILTER (part of a case's name; floors are always measured), CPU,
 * O (where bench.json goes). */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "pure/maglev.h"
#include "report.h"
#include "rounds.h"
#include "world.h"

#define ROUNDS_DEFAULT 9
#define REPEAT 400000 /* packets a measurement, and at least one of each flow */
#define FILLS 40

static const uint32_t flow_counts[] = {1, 1024, 65536, 1048576};
#define FLOW_COUNTS (sizeof(flow_counts) / sizeof(*flow_counts))
#define ROWS_MAX (BENCH_CASES_MAX * FLOW_COUNTS)

static bool is_wanted(const struct bench_case *c, uint32_t flows, const char *filter)
{
	if (c->kind != BENCH_CASE)
		return flows == 1;
	return strstr(c->name, filter) && (!c->flows_most || flows <= c->flows_most) &&
	       flows >= c->flows_least;
}

static size_t make_rows(const struct bench_cases *cases, struct bench_row *rows)
{
	const char *filter = setting("FILTER", "");
	size_t n = 0;

	for (size_t i = 0; i < cases->n; i++)
		for (size_t k = 0; k < FLOW_COUNTS; k++)
			if (is_wanted(&cases->c[i], flow_counts[k], filter))
				rows[n++] = (struct bench_row){.c = &cases->c[i],
							       .flows = flow_counts[k]};
	return n;
}

static const char *check_counters(const struct world *w, const struct bench_row *row,
				  uint32_t repeat, const struct world_result *r)
{
	const struct bench_case *c = row->c;

	if (r->run.action != (uint32_t)c->action)
		return "the action is not what it should be";
	if (c->kind == BENCH_CASE && (c->verdict ? r->judged : r->forwarded) != repeat)
		return "not every packet was counted as what became of it";
	if (r->others || (c->verdict && r->forwarded))
		return "packets were counted as something else";
	if (world_remembers(c) && world_flows_held(w) < row->flows * 0.99)
		return "the flow table does not hold the flows";
	return NULL;
}

static const char *check(const struct world *w, const struct bench_row *row, struct frame *sent,
			 uint32_t repeat, const struct world_result *r)
{
	const char *wrong = check_counters(w, row, repeat, r);

	if (wrong)
		return wrong;
	if (row->c->kind == BENCH_FLOOR && !row->c->shell)
		return NULL; /* null: writes nothing */
	frame_set_flow(sent, row->c->is_v6, r->flow);
	return frame_check(row->c, sent, &r->run.out, world_backends(w, row->c), WORLD_BACKENDS);
}

static int measure(struct world *const worlds[static BENCH_WORLDS], struct bench_row *row)
{
	uint32_t repeat = row->flows > REPEAT ? row->flows : REPEAT;
	struct world *w = worlds[row->c->world];
	struct world_result result;
	struct frame sent;
	const char *wrong;
	int rc = world_prepare(w, row->c, row->flows, &sent);

	if (!rc)
		rc = world_run(w, row->c, &sent, repeat, &result);
	if (rc) {
		fprintf(stderr, "bench: %s: %s\n", row->c->name, strerror(-rc));
		return rc;
	}
	wrong = check(w, row, &sent, repeat, &result);
	if (wrong) {
		fprintf(stderr, "bench: %s, %u flows: %s\n", row->c->name, row->flows, wrong);
		return -EBADMSG;
	}
	row->ns[row->rounds++] = result.run.ns;
	return 0;
}

static int measure_rounds(struct world *const worlds[static BENCH_WORLDS], struct bench_report *r,
			  int rounds)
{
	size_t order[ROWS_MAX];

	for (int round = 0; round < rounds; round++) {
		shuffle(order, r->n);
		for (size_t i = 0; i < r->n; i++) {
			int rc = measure(worlds, &r->rows[order[i]]);

			if (rc)
				return rc;
		}
		if (isatty(STDERR_FILENO))
			fprintf(stderr, "bench: round %d of %d\r", round + 1, rounds);
	}
	return 0;
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

/* The least of FILLS. */
static double fill_ms(void)
{
	static uint16_t slots[65536];
	struct slot_backend pool[100];
	double least = 1e9;
	char name[32];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "backend-%d", i);
		pool[i] = (struct slot_backend){
			.id = slot_backend_id(name), .number = i + 1, .weight = 1, .up = true};
	}
	for (int i = 0; i < FILLS; i++) {
		double start = now_ms(), took;

		if (maglev_fill(pool, 100, slots, 65536))
			return 1e9;
		took = now_ms() - start;
		least = took < least ? took : least;
	}
	return least;
}

static int bench(struct world *const worlds[static BENCH_WORLDS], const struct bench_cases *cases)
{
	auto_free struct bench_row *rows = calloc(ROWS_MAX, sizeof(*rows));
	struct bench_report r = {.rows = rows, .services = cases->services};
	int rounds = rounds_wanted(ROUNDS_DEFAULT);
	char path[256];
	int rc;

	if (!rows)
		return -ENOMEM;
	r.n = make_rows(cases, rows);
	rc = measure_rounds(worlds, &r, rounds);
	if (rc)
		return rc;
	r.fill_ms = fill_ms();
	report_finish(&r);
	report_table(&r);
	report_figures(&r);
	snprintf(path, sizeof(path), "%s/bench.json", setting("O", "build"));
	return report_json(&r, path);
}

int main(void)
{
	struct world *worlds[BENCH_WORLDS] = {0};
	struct bench_cases cases;
	int rc = pin_to_cpu();

	if (rc)
		return 1;
	bench_cases_fill(&cases);
	for (enum bench_world k = 0; k < BENCH_WORLDS && !rc; k++) {
		worlds[k] = world_open(&cases, k, WORLD_LOOPBACK);
		rc = worlds[k] ? 0 : -EIO;
	}
	if (!rc)
		rc = bench(worlds, &cases);
	for (enum bench_world k = 0; k < BENCH_WORLDS; k++)
		world_close(worlds[k]);
	return rc ? 1 : 0;
}
