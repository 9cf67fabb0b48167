/* SPDX-License-Identifier: BSD-2-Clause */
/* Who of a service's backends may get packets, who of these gets new flows, and how much of its share:
 * what is known of each (weight, health, next hop, drain) and the service's policy in, the answer out.
 * No clock: now is an argument, and the answer says when to ask again. */
#ifndef SHUNT_POOL_H
#define SHUNT_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mono.h"

/* Pools are asked in the order of their numbers; backups are the last one. */
#define POOL_LAST 15 /* number of a pool, at most */
#define POOL_BACKUP (POOL_LAST + 1)
#define POOL_MAX (POOL_BACKUP + 1)

/* A share that climbs does so in this many steps, each as large as the first one. */
#define POOL_STEPS 16

struct pool_backend {
	/* What is known of it. */
	uint16_t weight; /* in force; 0: no new flows */
	uint8_t pool; /* 0 to POOL_BACKUP */
	bool up; /* not down by its check, nor taken out */
	bool taken_out; /* by passive checks, so that it is not up */
	bool reachable; /* has a next hop */
	bool drained; /* no new flows; those that it has stay */
	bool expired; /* and they have stayed long enough: no packets */
	bool idle; /* and they have ended */
	/* Kept from one decision to the next; false and never in the beginning. */
	bool warm; /* served a moment ago, and needs no slow start */
	mono_t climbs_since; /* never: has all of its share */
	/* The answer. */
	bool usable; /* may get packets */
	bool takes; /* new flows */
	uint8_t held_back; /* POOL_STEPS-ths of its share that others have yet; 0 unless it takes */
};

struct pool_policy {
	bool open_when_empty; /* nobody is up: packets go to those that have a next hop */
	uint8_t panic; /* percent: while less of them are up all are used; 0: never */
	uint16_t min_healthy; /* below it the next pool gets flows too; 0 is as 1 */
	bool percent; /* min_healthy: of the backends of the first pool */
	uint32_t slow_start_ms; /* 0: none */
	bool starting; /* nobody climbs: all are new to the daemon, not to the service */
};

struct pool_answer {
	uint32_t takers; /* who get new flows because they are well */
	bool failing_open; /* open_when_empty is in force */
	bool panicking; /* `panic` is; also an input: the former answer's */
	uint32_t wanted, up; /* of all pools: who could get new flows, and of them who is well */
	uint32_t enough; /* how many have to be well for no further pool to be taken */
	uint8_t last_pool; /* that is in force; also an input: the former answer's, 0 at first */
	mono_t again; /* when a share climbs next; never: not by itself */
};

/* Decides for @b[0..n).
 *
 * A backend without weight or that is drained keeps its flows and gets no new ones; one that is down,
 * without a next hop or expired gets nothing. Pools are taken in order until min_healthy of those
 * taken are up; so the first that has backends alone, as long as enough of it are. A pool that had to
 * be taken besides is left again when one more than min_healthy is up before it, or all are, so that
 * a backend that comes and goes does not move others' flows each time; with a min_healthy of 1 at
 * once. Meanwhile who climbs does not count.
 *
 * While less than `panic` percent of those that could get new flows (have a weight, are not drained) are
 * well, all of them get flows that can be reached, of the pools that are in force, whatever their checks
 * say: so many checks are not believed. It ends when one more than that is well, or all are. Who is
 * drained or expired stays so.
 *
 * A backend that serves anew (was down, without next hop, without weight, or drained until its flows
 * had ended or were to end) begins with a POOL_STEPS-th of its share and has all of it slow_start_ms
 * later. Shares are relative to that of whoever has climbed furthest, and those who begin within a
 * step climb together; when nobody else takes flows, they are done after that step. */
void pool_decide(struct pool_backend *b, size_t n, const struct pool_policy *policy, mono_t now,
		 struct pool_answer *answer);

/* Says in words why @b, of which pool_decide() has just decided with @answer, gets what it gets:
 * "weight 10", "weight 10, 4/16 of its share yet", "stands by: pool 2, and of the pools before 3 are up of 2
 * wanted", "nothing: its check says down", ... Returns @out. */
#define POOL_WORDS_MAX 160
const char *pool_words(const struct pool_backend *b, const struct pool_policy *policy,
		       const struct pool_answer *answer, char out[static POOL_WORDS_MAX]);

#endif
