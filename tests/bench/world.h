/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables that packets are sent through, filled as shuntd fills them, and the programs over them:
 * a service for each case, each with 100 backends and as many slots as shuntd gives them.  In the
 * world with everything there are also services for any port and for prefixes, and room for
 * translated connections; so a packet that is for no service is looked for in all of these. */
#ifndef BENCH_WORLD_H
#define BENCH_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "bench.h"
#include "cases.h"
#include "frame.h"
#include "io/dp.h"
#include "programs.h"

#define WORLD_BACKENDS 100
#define WORLD_PORT 443
#define WORLD_FLOWS 1048576 /* room in the flow table, as shuntd's default */

struct world;

#define WORLD_LOOPBACK 1 /* where test runs come in */

/* Loads everything; needs root. Packets leave through @ifindex. @cases stays the caller's, and as it is until world_close(). Returns
 * NULL with the reason on standard error. */
struct world *world_open(const struct bench_cases *cases, enum bench_world kind, uint32_t ifindex);
void world_close(struct world *w); /* NULL is fine */

/* Loads @object over the world's tables for @cases; programs_open() says more. */
int world_load(const struct world *w, const struct bench_cases *cases, const char *object,
	       struct programs **out);
/* Has the next runs use @p, which stays the caller's; NULL: the world's own again. */
void world_use(struct world *w, struct programs *p);

/* The frame of flow 0 of @c. */
void world_frame(const struct world *w, const struct bench_case *c, struct frame *f);

/* Makes @c what the next runs do, with @flows (a power of two) flows, and fills @f with the frame to
 * send. For rr the flow table is emptied and then filled with these flows. Returns 0 or -errno. */
int world_prepare(struct world *w, const struct bench_case *c, uint32_t flows, struct frame *f);

struct world_result {
	struct programs_result run;
	uint32_t flow; /* of the last run */
	uint64_t forwarded; /* by how much the service's backends' counters rose */
	uint64_t judged; /* by how much the counter of the case's verdict rose */
	uint64_t others; /* and those of all other verdicts */
};

/* Runs the program of @c @repeat times on @f in one call. Returns 0 or -errno. */
int world_run(struct world *w, const struct bench_case *c, const struct frame *f, uint32_t repeat,
	      struct world_result *out);

/* The rows of @c's backends, WORLD_BACKENDS of them; NULL: it has no service. */
const struct shunt_backend *world_backends(const struct world *w, const struct bench_case *c);

/* Whether the flow table holds the flows after a run. */
bool world_remembers(const struct bench_case *c);
/* How many words of the flow table are in use. */
uint64_t world_flows_held(const struct world *w);

uint32_t world_slots(void);

/* The tables, the world's own, and with them shuntd's program. */
struct dp *world_dp(const struct world *w);

#endif
