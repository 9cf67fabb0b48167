/* SPDX-License-Identifier: BSD-2-Clause */
/* The model's states in an operator's words, for the tables and for JSON alike. Numbers that a newer
 * daemon knows and we do not are "?". */
#ifndef SHUNT_WORDS_H
#define SHUNT_WORDS_H

#include "main/json.h"
#include "pure/view.h"

struct history_event;

/* How its drain goes, for people; @out: [size]. */
const char *words_drain(const struct view_backend *b, char *out, size_t size);
/* A backend's state, the first that holds: "leaving", "maintenance", "drained", "down", "no next hop",
 * "standby", "starting" (no verdict yet; gets packets), "up"; and for how long in milliseconds. */
#define WORDS_NO_AGE UINT64_MAX /* not known */
uint64_t words_state_age(const struct view_backend *b);
const char *words_state(const struct view_backend *b);
const char *words_state_colour(const struct view_backend *b); /* NULL: none */
bool words_has_next_hop(const struct view_backend *b); /* or needs none */
/* Why it is so, or what is worth saying of it; may be empty. Returns @out. */
const char *words_reason(const struct view_backend *b, char *out, size_t size);

const char *words_xdp(enum view_xdp x);
const char *words_scheduler(enum shunt_scheduler s);
const char *words_forward(enum shunt_forward f);
const char *words_verdict(enum shunt_verdict v); /* "pass_not_vip" */
const char *words_verdict_class(enum shunt_verdict v); /* "pass" */
const char *words_verdict_meaning(enum shunt_verdict v); /* "no service at ..." */

/* What was wrong with datagrams that were dropped: "forged"; NULL: nothing. */
const char *words_fate(enum peer_fate f);

/* All that there is to see of a daemon at a glance; the caller's. */
struct words_picture {
	const struct view_status *status;
	const struct view_interface *interfaces;
	const struct view_service *services;
	const struct view_verdict *verdicts;
	size_t n_interfaces, n_services, n_verdicts;
};

/* 2: none of the service's backends is usable; 1: not all are, or all are used although they are not; 0: all
 * is well. */
int words_trouble(const struct view_service *s);
/* Has @fn told each thing that is not as it should be, a sentence without a stop. Returns how many. */
size_t words_warnings(const struct words_picture *p, void (*fn)(void *arg, const char *text),
		      void *arg);
/* A document: the daemon, its interfaces, and what there is to warn of. */
void words_json_status(FILE *out, const struct words_picture *p);
/* One object each, an element of a list. */
void words_json_interface(struct json *j, const struct view_interface *i);
void words_json_service(struct json *j, const struct view_service *s);
void words_json_backend(struct json *j, const struct view_backend *b);
/* A change of a backend, as an object; and its keys but the time alone. */
void words_json_change(struct json *j, const struct history_event *c);
void words_json_change_keys(struct json *j, const struct history_event *c);
void words_json_verdict(struct json *j, const struct view_verdict *v);
/* packets, bytes, flows, packets_per_s, bytes_per_s, flows_per_s, as members. */
/* What passive checks say, with "; " where the reason of the active ones follows; empty: nothing.
 * Returns its length. */
size_t words_passive(const struct view_backend *b, char *out, size_t size);
void words_json_passive(struct json *j, const struct view_backend *b);
void words_json_traffic(struct json *j, const struct view_traffic *t);
/* How many flows it has, or null. */
void words_json_flows_now(struct json *j, const struct view_backend *b);

/* What is known of the packet path in force: the text, or lines, each indented but the first and ended. */
void words_upgrade(FILE *out, const struct view_upgrade *u);
void words_json_upgrade(struct json *j, const struct view_upgrade *u);

#endif
