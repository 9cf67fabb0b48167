/* SPDX-License-Identifier: BSD-2-Clause */
/* Passive checks: from what passing packets tell of a service's backends to who stands out. Counts in,
 * findings out; no clock.
 *
 * Three signs. SYNs that come again: whoever gets no answer sends his again, on Linux after a second.
 * Refusals: a connection that is translated, and whose first answer is a RST. ICMP errors that say that
 * the backend, its tunnel or its port cannot be reached; of these hosts send about one a second, so that
 * their number tells something and their share nothing.
 *
 * A backend is suspected when over some stretch of time that ends now, of at most the window,
 *   it got at least `min` new connections,
 *   of them at least the configured share shows the sign,
 *   which is at least twice as much as with the better half of the service's backends together, and
 *   so much more than there that it is no chance: more than PASSIVE_SIGMAS times the standard error of
 *   the difference of two shares (the two-sample test of proportions).
 * A loss that meets all backends is no backend's fault, and so none of them stands out by it. The shorter
 * the stretch, the clearer it has to be, and the sooner it is found; what is slight needs the window. */
#ifndef SHUNT_PASSIVE_H
#define SHUNT_PASSIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mono.h"

/* Sums of the packet path's counters, which only grow, by mod 2^64. */
struct passive_totals {
	uint64_t syns; /* of new connections, and those that came again */
	uint64_t repeats; /* struct shunt_counter's */
	uint64_t refused, unreachable; /* struct shunt_signs' */
};

/* What was counted in some time. */
struct passive_count {
	uint32_t opened; /* new connections */
	uint32_t repeated; /* whose SYN came again */
	uint32_t refused, unreachable;
};

/* A window has as many steps; one is what lies between two readings. */
#define PASSIVE_STEPS 25
#define PASSIVE_LAG_STEPS 10
#define PASSIVE_RING (PASSIVE_STEPS + PASSIVE_LAG_STEPS)
#define PASSIVE_SIGMAS 6

/* {0} in the beginning. */
struct passive_track {
	struct passive_totals last;
	bool has_last;
	uint8_t newest; /* in steps[] */
	uint8_t n; /* how many of steps[] hold */
	struct passive_count steps[PASSIVE_RING];
};

/* Takes a reading. One that contradicts the last (other tables, another owner of the row) begins anew. */
void passive_note(struct passive_track *t, const struct passive_totals *now);
/* Forgets all but the last reading. */
void passive_forget(struct passive_track *t);
/* What the newest @n steps had together, behind the newest @skip. */
struct passive_count passive_sum(const struct passive_track *t, size_t skip, size_t n);

enum passive_action { PASSIVE_OFF, PASSIVE_MARK, PASSIVE_DOWN };

struct passive_policy {
	enum passive_action action; /* PASSIVE_OFF: the rest says nothing */
	uint16_t syn_retry, reset; /* percent; 0: that sign is not looked at */
	uint32_t unreachable; /* errors in a window; 0: the same */
	uint32_t min; /* new connections */
	uint32_t window_ms;
	uint16_t max_out; /* percent of the backends that have a weight; but one at least */
	uint32_t hold_ms; /* for how long who is taken out stays so, the first time */
};

/* Milliseconds from one reading to the next. */
uint32_t passive_step_ms(const struct passive_policy *p);

enum passive_sign { PASSIVE_NOTHING, PASSIVE_SYN_RETRY, PASSIVE_RESET, PASSIVE_UNREACHABLE };

struct passive_finding {
	enum passive_sign sign;
	uint32_t bad, of; /* connections; of PASSIVE_UNREACHABLE errors, and connections */
	uint32_t ms; /* of the stretch in which */
};

/* Judges those that get new flows: @tracks, whose readings were made together; @out is of as many. 0, or
 * -ENOMEM. */
int passive_judge(const struct passive_policy *p, const struct passive_track *const tracks[],
		  size_t n, struct passive_finding out[]);

/* "passive: 63% of 412 new connections in 1.2 s repeated their SYN". Returns @out. */
#define PASSIVE_WORDS_MAX 96
const char *passive_words(const struct passive_finding *f, char out[static PASSIVE_WORDS_MAX]);

/* ---- what comes of it --------------------------------------------------------------------------- */

/* Of a backend. All zero: nothing has been found yet. */
struct passive_state {
	struct passive_finding finding; /* that it is suspected by, or was taken out by */
	mono_t suspected; /* when it last was; never: not for a window, or since it came back */
	bool out;
	mono_t back_at; /* not before, unless its check says so */
	mono_t came_back; /* never: it was never out */
	uint8_t times; /* out in a row */
};

/* Of a service, before one more is taken out. */
struct passive_room {
	uint32_t wanted; /* backends that have a weight and are not drained */
	uint32_t up; /* of them those that are well */
	uint32_t out; /* of them those that passive checks have taken out */
	uint16_t panic; /* percent; 0: none */
};
/* Whether one more may go: somebody who is well is left, not more than max_out are out, and it would not
 * make the service panic, which uses everybody. */
bool passive_may_take(const struct passive_policy *p, const struct passive_room *room);

enum passive_change {
	PASSIVE_SAME,
	PASSIVE_MARKED, /* it is suspected from now on, and stays in */
	PASSIVE_CLEARED, /* not any more */
	PASSIVE_TAKEN_OUT,
};
/* Takes what was found of one that is in. @may_take: passive_may_take(). */
enum passive_change passive_found(struct passive_state *s, const struct passive_policy *p,
				  const struct passive_finding *f, bool may_take, mono_t now);
/* Whether one that is out comes back now: its time is over, and its active check, if it has one, has nothing
 * against it (@check_bad false); or that has gone from down to up meanwhile (@recovered). */
bool passive_returns(struct passive_state *s, bool check_bad, bool recovered, mono_t now);
/* How long it stays out the next time: hold_ms, doubled with each time in a row, up to
 * PASSIVE_HOLD_TIMES as long. A row ends when it has been in for as long as it was out. */
#define PASSIVE_HOLD_TIMES 32
uint32_t passive_hold_ms(const struct passive_state *s, const struct passive_policy *p);

#endif
