/* SPDX-License-Identifier: BSD-2-Clause */
/* What the daemon's side of the probes knows: members (what the caller added) share an ask (a
 * question that the child asks). Asks that the child must be told of, or forget, stand in the
 * outbox; nothing is copied into a queue. Memory only: no socket, no loop. */
#ifndef SHUNT_PROBE_ASKS_H
#define SHUNT_PROBE_ASKS_H

#include <sys/queue.h>

#include "io/probe.h"

struct probe_ask;

struct probe_member {
	uint64_t id; /* the caller's */
	struct probe_ask *ask;
	uint32_t pace_ms; /* 0: as the question says */
	bool replay; /* waits to be told the ask's latest result */
	TAILQ_ENTRY(probe_member) link;
	TAILQ_ENTRY(probe_member) replay_link;
};

struct probe_ask {
	uint64_t wire_id; /* slot and generation, see struct probe_command */
	struct probe_question *question; /* normalized; as many bytes as it uses */
	size_t n_members; /* 0: it has left, and stays until the child was told */
	TAILQ_HEAD(, probe_member) members;
	bool told; /* the child knows it */
	bool queued; /* in the outbox */
	bool has_last;
	struct check_result last;
	TAILQ_ENTRY(probe_ask) outbox_link;
};

struct probe_slot {
	struct probe_ask *ask;
	uint32_t generation;
	uint32_t next_free; /* while free: slot number + 1, 0 ends the list */
};

struct probe_asks {
	void *by_id, *by_question; /* search trees: members; asks with members */
	struct probe_slot *slots;
	uint32_t n_slots, slots_room, first_free; /* first_free: slot number + 1 */
	uint64_t *fan; /* room for the ids of the ask with the most members */
	size_t fan_room;
	TAILQ_HEAD(, probe_ask) outbox;
	TAILQ_HEAD(, probe_member) replays;
};

void probe_asks_init(struct probe_asks *t);
void probe_asks_fini(struct probe_asks *t);

/* As probe_pool_add() and probe_pool_remove(); the outbox and the replays may be longer after. */
int probe_asks_add(struct probe_asks *t, uint64_t id, const struct probe_question *q)
	__attribute__((warn_unused_result));
void probe_asks_remove(struct probe_asks *t, uint64_t id);

/* As probe_pool_pace(); the outbox may be longer after. */
void probe_asks_pace(struct probe_asks *t, uint64_t id, uint32_t interval_ms);

/* How soon to ask @a again: as the member says that wants it soonest. */
uint32_t probe_ask_interval_ms(const struct probe_ask *a);

/* The child has been told of @a, the first of the outbox; frees it when it has no members. */
void probe_asks_told(struct probe_asks *t, struct probe_ask *a);

/* The child knows nothing any more: everything with members stands in the outbox, earlier results
 * are forgotten. */
void probe_asks_untold(struct probe_asks *t);

/* Gives one result to all members of the ask @wire_id, which may add and remove members meanwhile;
 * none when the ask has left. Returns false when no ask ever had that slot. */
bool probe_asks_tell(struct probe_asks *t, uint64_t wire_id, const struct check_result *r,
		     probe_result_fn *fn, void *arg) __attribute__((warn_unused_result));

/* Gives the latest result of their ask to the members that wait for it. */
void probe_asks_replay(struct probe_asks *t, probe_result_fn *fn, void *arg);

#endif
