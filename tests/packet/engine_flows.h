/* SPDX-License-Identifier: BSD-2-Clause */
/* Flows to the services of engine_world.h, and where they go. */
#ifndef ENGINE_FLOWS_H
#define ENGINE_FLOWS_H

#include "engine_world.h"

#include <bpf/bpf.h>

#include "pure/synth.h"

#define FLOWS 48 /* of a service */

/* Of hosts @first and so many. */
static inline void want_service(struct bench *b, int number, int first, int n)
{
	int i;

	b->services[number] = (struct wanted_service){.there = true, .slots = 32};
	for (i = first; i < first + n; i++)
		want_backend(&b->services[number], i, true, 1);
}

/* Which backend a packet of a flow gets, its first one (@syn) or a later one: the last byte of its MAC; 0:
 * none. Two flows have the same source. */
static inline uint8_t backend_of(int program, int number, int flow, bool syn)
{
	struct synth s = {.kind = SYNTH_TCP,
			  .client = {4, {100, 1, (uint8_t)number, (uint8_t)(1 + flow / 2)}},
			  .vip = {4, {203, 0, 113, (uint8_t)(1 + number / 3)}},
			  .client_port = (uint16_t)(2000 + 7 * flow),
			  .port = (uint16_t)(1000 + number),
			  .syn = syn};
	uint8_t frame[SYNTH_FRAME_MAX], out[256] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_out = out,
		    .data_size_out = sizeof(out), .repeat = 1);

	if (number == 4)
		memcpy(s.vip.bytes, (uint8_t[]){10, 104, 1, (uint8_t)flow}, 4);
	run.data_size_in = (uint32_t)synth_frame(&s, frame);
	assert_int_equal(bpf_prog_test_run_opts(program, &run), 0);
	return out[4] == 9 ? out[5] : 0;
}

struct seen {
	uint8_t backend[SERVICES][FLOWS];
	uint64_t bad;
};

static inline void see_by(int program, struct seen *s)
{
	int number, flow;

	for (number = 0; number < SERVICES; number++)
		for (flow = 0; flow < FLOWS; flow++)
			s->backend[number][flow] = backend_of(program, number, flow, false);
}

static inline void see(const struct bench *b, struct seen *s)
{
	uint64_t packets[SHUNT_VERDICT_MAX];

	see_by(dp_program_fd(b->engine->dp), s);
	dp_verdicts_read(b->engine->dp, packets);
	s->bad = packets[SHUNT_DROP_BAD_TABLE];
}

/* Each flow's first packet, and a second one. */
static inline void open_flows(const struct bench *b, struct seen *s)
{
	int program = dp_program_fd(b->engine->dp), number, flow;

	for (number = 0; number < SERVICES; number++)
		for (flow = 0; flow < FLOWS; flow++)
			backend_of(program, number, flow, true);
	see(b, s);
}

static inline int moved(const struct seen *a, const struct seen *b, int number)
{
	int flow, n = 0;

	for (flow = 0; flow < FLOWS; flow++)
		n += a->backend[number][flow] != b->backend[number][flow];
	return n;
}

/* Every flow that had a backend has it still. */
static inline void check_kept(const struct seen *was, const struct seen *is, const char *when,
			      long at)
{
	int number, flow;

	for (number = 0; number < SERVICES; number++)
		for (flow = 0; flow < FLOWS; flow++)
			if (was->backend[number][flow] &&
			    was->backend[number][flow] != is->backend[number][flow])
				fail_msg("%s write %ld: service %d, flow %d went to %d, not %d",
					 when, at, number, flow, is->backend[number][flow],
					 was->backend[number][flow]);
}

#define YOUNG 24 /* flows of a service that begin at some moment: behind the others */

/* Flows begin, of the first @services: their second packets go where their first ones went. */
static inline void begin_young(int program, int services, struct seen *s, long at)
{
	int number, flow;

	for (number = 0; number < services; number++)
		for (flow = 0; flow < YOUNG; flow++) {
			uint8_t first = backend_of(program, number, FLOWS + flow, true),
				second = backend_of(program, number, FLOWS + flow, false);

			s->backend[number][flow] = second;
			if (first && first != second)
				fail_msg("killed at write %ld: service %d, the SYN of young flow "
					 "%d went to %d, its second packet to %d",
					 at, number, flow, first, second);
		}
}

static inline void check_young(int program, int services, const struct seen *s, long at)
{
	int number, flow;

	for (number = 0; number < services; number++)
		for (flow = 0; flow < YOUNG; flow++) {
			uint8_t there = backend_of(program, number, FLOWS + flow, false);

			if (s->backend[number][flow] && there != s->backend[number][flow])
				fail_msg("killed at write %ld: service %d, young flow %d went "
					 "to %d, not %d",
					 at, number, flow, there, s->backend[number][flow]);
		}
}

#endif
