/* SPDX-License-Identifier: BSD-2-Clause */
/* What this balancer and others tell each other of flows, so that a flow which a router moves from
 * one to another keeps its backend: those that the packet path has confirmed in a slot in transition, or
 * of a service that remembers every flow. Told at once, and again while they live; whoever starts
 * asks for all.
 *
 * replicate.c      opens, closes, and tells
 * replicate_hear.c takes what others tell, and keeps for a while what is too early
 * replicate_names.c  services and backends by what stands for them */
#ifndef SHUNT_REPLICATE_H
#define SHUNT_REPLICATE_H

#include "engine/state.h"
#include "io/peers.h"
#include "pure/peer_msg.h"

#define REPLICATE_TOLD 262144u /* flows that are told again while they live */
#define REPLICATE_EARLY 65536u /* flows heard of before the change that they are of, at most */
#define REPLICATE_EARLY_MS 60000

/* A service and its backends as others name them, and as they are here. */
struct known_backend {
	uint64_t id;
	uint16_t number;
};

struct known_service {
	uint32_t salt;
	const struct service *service;
	struct known_backend *backends;
	size_t n;
};

struct names {
	uint64_t generation; /* of the engine's that these are of */
	struct known_service *services; /* by salt */
	size_t n;
	struct known_backend *backends; /* of all */
};

struct early {
	struct peer_entry entry; /* hash 0: none */
	mono_t heard;
	bool again;
};

/* What has been told, a ring, in memory that outlives the daemon: the next one tells it again, while it
 * lives. */
struct told {
	uint64_t of; /* whose flows these are: TOLD_LAYOUT and the hash secret's fingerprint */
	uint32_t next, n;
	struct shunt_new flow[REPLICATE_TOLD]; /* number 0: none */
};
#define TOLD_LAYOUT 0x746f6c6400000000ull

struct replicate {
	struct engine *engine;
	struct conf_peers conf; /* in force; without its secret */
	struct peers *socket;
	uint8_t key[PEER_KEY_LEN];
	uint32_t secret; /* fingerprint of the hash secret */
	struct names names;
	struct event *tick;

	uint64_t *read; /* by CPU: news read so far */
	struct peer_message out; /* being filled; session and number go on */
	struct told *told;
	uint32_t walk; /* next of them to be looked at */
	uint32_t hurry; /* of them are to be told as soon as the rate allows */
	double tokens; /* flows that may be told now */
	double steps; /* of the walk that are due */
	mono_t ticked, greeted;
	int greetings; /* still to be sent */

	struct peer_senders senders;
	struct early *early; /* [REPLICATE_EARLY] by hash */
	uint32_t early_n; /* how many are in it */
	struct view_peers counters;
};

/* Makes what @conf says of peers so; the tables have to have room for news. A failure is logged, and
 * ends the telling, not the daemon. */
void replicate_configure(struct engine *e);
void replicate_close(struct engine *e);
/* To be called when slots of @s may just have begun a transition. */
void replicate_changed(struct engine *e, struct service *s);
void replicate_view(const struct engine *e, struct view_peers *out);

/* ---- replicate_hear.c -------------------------------------------------------------------------*/
void replicate_heard(void *arg, const uint8_t *data, size_t len); /* of struct peers_options */

/* ---- replicate_names.c ------------------------------------------------------------------------*/
/* Brings the names up to date. -ENOMEM leaves none. */
int names_refresh(struct names *n, const struct engine *e);
void names_fini(struct names *n);
const struct known_service *names_service(const struct names *n, uint32_t salt);
/* Fills @k, with backends in the room given, of s->n_backends. */
void names_of(const struct service *s, struct known_backend *room, struct known_service *k);
/* A backend's number by id, and the other way round; 0: there is none. */
uint16_t names_number(const struct known_service *k, uint64_t id);
uint64_t names_id(const struct known_service *k, uint16_t number);
/* Fills all but hash, slot and again of @f. */
void names_flow(const struct known_service *k, uint16_t number, struct dp_flow *f);
uint8_t names_slots_log2(const struct known_service *k);

#endif
