/* SPDX-License-Identifier: BSD-2-Clause */
/* An exhaustive model of slots in transition: every order in which packets, changes of the pool, deaths,
 * the daemon's stores, its death and time can follow each other, for pools small enough to be searched
 * to the end.  What becomes of a slot is the daemon's own code (user/pure/transit.c); the packet path is a
 * rendering of what include/shunt_abi.h says of slots, bases and the flow table.
 *
 * What must hold in every state that can be reached:
 *   - no established connection changes its backend while that lives, unless it was idle for longer
 *     than the flow timeout;
 *   - nobody gets a backend that the daemon knows to be dead when it knows a living one;
 *   - when no more packets come, every slot settles.
 *
 * What is left out, since it takes a daemon that stands still just before a service goes over and is killed
 * just after: a kill between the two, when more than a tick has passed.  And, since it takes a few nanoseconds at the end of a flow timeout without use: a packet
 * between whose two reads a slot settles, and one that goes to base between the daemon's look at `used`
 * and the store that settles the slot.  The daemon's look at the clock is at most a tick old.
 *
 * A rehash: flows find their slots by another hash, which is that of their neighbour here.  The daemon first
 * has every flow noted, and goes over when that has lasted long enough (user/engine/rehash.c).  Which hash
 * and whether flows are noted is one store; a packet on its way is waited for.
 *
 * A service that remembers all flows (SHUNT_SVC_FLOWS) gives new ones to any slot's backend: there are slots
 * that are not shown.  To come to it, and back, is one store too, behind those of the slots.
 *
 * A tick of the flow clock is kept as an age: how long it was ago, plus MODEL_AHEAD, so that those to
 * come have one too. */
#ifndef SHUNT_MODEL_H
#define SHUNT_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define MODEL_SLOTS 2
#define MODEL_FLOWS 3
#define MODEL_BACKENDS 3
#define MODEL_AHEAD 8u /* SHUNT_FLOW_AHEAD */

/* Rules that a world may be without, to show what they are for. */
enum model_without {
	WITHOUT_NOTHING,
	WITHOUT_USED, /* a slot settles when the flow timeout has passed since it began */
	WITHOUT_SINCE, /* what an earlier transition has left in the flow table is believed */
	WITHOUT_TWO_TOUCH, /* a new flow takes the oldest one's place, confirmed or not */
	WITHOUT_ROOM_TO_BASE, /* a SYN that cannot be remembered goes to cur */
	WITHOUT_OLD_BASE, /* of A -> B -> C, B becomes the base */
	WITHOUT_BASE_FIRST, /* the daemon writes the slot before the base */
	WITHOUT_LEARNING, /* UDP: slots switch at once */
	WITHOUT_USED_ANEW, /* `used` stays as it is when cur changes again */
	WITHOUT_NEW_BASE, /* after its base has died, a slot that changes again has none */
	WITHOUT_NOTING, /* before a rehash only those flows are remembered that would be anyway */
	WITHOUT_NOTING_LONG, /* a rehash goes over at once */
	WITHOUT_FRESHENING, /* what is in transition then may have been written a flow timeout ago */
	WITHOUT_ANEW, /* it goes over like any other change of slots */
	WITHOUT_BELIEF, /* who no longer remembers all flows goes over like any other change */
	WITHOUT_USED_AFTER_ALL, /* ... but `used` stays as it was when nothing wrote it */
	WITHOUT_SINCE_FOR_ALL, /* who begins to remember all flows believes what is left of earlier ones */
	WITHOUT_LEARNING_FOR_ALL, /* UDP: who begins to remember all flows takes all for new */
	WITHOUT_MAX,
};

struct model_world {
	const char *says;
	uint8_t slots, flows, backends;
	uint8_t timeout; /* in ticks, 1 to 6 */
	uint8_t room; /* entries in the flow table */
	bool udp; /* no packet says that it begins a flow: slots learn */
	bool crowd; /* flows that are not shown take and leave room as they like, and use slots */
	bool torn; /* the daemon's stores of one pass may come between a packet's two reads */
	bool rehashes; /* the hash may change; there is room for all flows then */
	bool turns; /* the service may come to remember all flows, and go back */
	bool kills; /* the daemon may be killed between any two stores, and started again */
	enum model_without without;
	uint8_t changes; /* of what is wanted; 0: any number */
	uint32_t limit; /* states at most; 0: as many as there are */
};

enum model_phase { FLOW_NONE, FLOW_OPENING, FLOW_ESTABLISHED };

struct model_flow {
	uint8_t phase;
	uint8_t backend; /* who answered */
	uint8_t idle; /* ticks since its last packet */
	uint8_t cheated; /* its entry gave way to another flow's before it was confirmed */
};

struct model_entry {
	uint8_t backend; /* 0: there is none */
	uint8_t age;
	uint8_t confirmed;
};

struct model_slot {
	uint8_t cur, changed;
	uint8_t base, used, since, flags; /* used and since: ages */
};

enum model_stage {
	DAEMON_IDLE,
	DAEMON_ROWS_UP,
	DAEMON_SLOT,
	DAEMON_WRITE_1,
	DAEMON_WRITE_2,
	DAEMON_ROWS_DOWN,
	DAEMON_FLIP,
	DAEMON_FRESHEN
};

/* What the service becomes at the end of a pass. */
enum model_flip { FLIP_NONE, FLIP_NOTES, FLIP_HASH, FLIP_BACK, FLIP_ALL, FLIP_SLOTS };

/* All that there is; bytes without meaning are 0, so that equal states have equal bytes. */
struct model_state {
	struct model_slot slot[MODEL_SLOTS];
	uint8_t wanted[MODEL_SLOTS];
	struct model_slot next; /* what the daemon is about to write into slot `at` */
	uint8_t stage, at;
	uint8_t writes; /* bit 0: the base, bit 1: the slot */
	uint8_t late; /* a tick has passed since the daemon read the clock; more do not */
	uint8_t up; /* bit b: the daemon takes backend b for alive */
	uint8_t rows; /* bit b: its row says usable */
	uint8_t unfinished; /* a pass of the daemon over the slots has not come to its end */
	uint8_t changes; /* left */
	uint8_t hash, wanted_hash; /* 0 or 1: in force, and configured */
	uint8_t notes, noted; /* every flow is noted (SHUNT_SVC_KEEP), for so many ticks */
	uint8_t all, wanted_all; /* all flows are remembered (SHUNT_SVC_FLOWS); configured so */
	uint8_t flip; /* at the end of the daemon's pass */
	uint8_t stood; /* ticks that pass has lasted; 2: or more */
	uint8_t packet, seen; /* on its way: its flow and one, what it read of the slot */
	struct model_flow flow[MODEL_FLOWS];
	struct model_entry entry[MODEL_FLOWS];
};

enum model_kind {
	DO_SYN, /* flow, whose place its entry takes and, times MODEL_PLACES, whom it is given to by turn */
	DO_DATA, /* the same */
	DO_FINISH, /* -, the same: the packet's second read */
	DO_CLOSE, /* flow */
	DO_FORGET, /* flow: another flow takes the place of its entry */
	DO_USE, /* slot: by another flow */
	DO_TICK,
	DO_WANT, /* slot, backend */
	DO_DOWN, /* backend, whom its slots get */
	DO_UP, /* backend */
	DO_REHASH, /* the other hash is configured */
	DO_TURNS, /* slot, backend: the service is to remember all flows or no longer, and the slot changes */
	DO_PASS, /* the daemon's timer */
	DO_STORE, /* the daemon's next store */
	DO_KILL,
	DO_MAX,
};
#define MODEL_NO_PLACE MODEL_FLOWS /* a free one, or none */
#define MODEL_CROWDED (MODEL_FLOWS + 1) /* none: others have all */
#define MODEL_PLACES (MODEL_FLOWS + 2)

struct model_action {
	uint8_t kind, a, b;
};

enum model_outcome { MODEL_NOT_NOW, MODEL_DONE, MODEL_BROKEN };

void model_start(const struct model_world *w, struct model_state *s);
/* What becomes of *s.  MODEL_BROKEN: *why says which promise did not hold. */
enum model_outcome model_do(const struct model_world *w, struct model_state *s,
			    struct model_action a, const char **why);

/* ---- model_packet.c -----------------------------------------------------------------------------*/
enum model_outcome model_packet(const struct model_world *w, struct model_state *s,
				struct model_action a, const char **why);

/* ---- model_daemon.c -----------------------------------------------------------------------------*/
/* The daemon begins a pass over the slots, if it has none under way. */
enum model_outcome model_pass(const struct model_world *w, struct model_state *s);
/* Its next store. */
enum model_outcome model_store(const struct model_world *w, struct model_state *s);
/* Whether all slots settle, at what is wanted, when nothing happens but time. */
bool model_settles(const struct model_world *w, struct model_state s);
bool model_is_up(const struct model_state *s, unsigned backend);
/* For so many ticks flows are noted before the hash changes. */
uint8_t model_notes_for(const struct model_world *w);

/* ---- model_search.c -----------------------------------------------------------------------------*/
struct model_result {
	uint64_t states, steps; /* different states; ways to go on from them that were tried */
	bool complete; /* there are no others */
	const char *broken; /* the promise that did not hold; NULL */
	struct model_action *trace; /* the shortest way to it; the caller's to free */
	size_t trace_len;
};
/* 0, or -ENOMEM. */
int model_search(const struct model_world *w, struct model_result *r);
/* Says what happens on the way, a line each, "# " in front. */
void model_print_trace(FILE *out, const struct model_world *w, const struct model_result *r);

/* ---- model_worlds.c -----------------------------------------------------------------------------*/
extern const struct model_world model_short[], model_long[], model_mutants[];
extern const size_t model_shorts, model_longs, model_mutant_count;

#endif
