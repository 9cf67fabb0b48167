/* SPDX-License-Identifier: BSD-2-Clause */
/* Policies: from which sources services take packets, and how many new flows. Those of the
 * configuration to come are written beside those in force, at numbers and places of their own; the
 * switch of the services is their switch. What stays the same stays where it is. */
#ifndef SHUNT_POLICIES_H
#define SHUNT_POLICIES_H

#include "engine/state.h"

struct plan;

/* A list, as it stands in the maps. Equal contents are one list. */
struct policy_list {
	__u64 key[2]; /* of the content */
	struct shunt_source_set root;
	struct shunt_source_quick quick;
	uint32_t root_at, at, words;
	bool is_new; /* in a plan: taken by it */
};

/* A policy, as it stands in the maps, `full` left out. Services without rates share one. */
struct policy {
	struct shunt_policy record;
	uint32_t number;
	bool is_new;
};

/* Raises @sizes to what the policies of @conf take, with room for the next ones beside them. Builds all
 * lists to know it: milliseconds for 10,000 prefixes. Returns 0 or -errno. */
int policies_sizes(const struct conf *conf, struct dp_sizes *sizes);

/* ---- policies_adopt.c -----------------------------------------------------------------------------*/

/* After policies_init, takes over what service @found is under. When all are: policies_sort. */
int policies_init(struct engine *e);
int policies_adopt(struct engine *e, const struct dp_service *found);

/* ---- policies.c -----------------------------------------------------------------------------------*/

/* Has the ranges cover what the maps hold now. The number of a policy is its place in them and one: 0 is
 * none. Returns 0 or -ENOMEM. */
int policies_follow_sizes(struct engine *e);
/* In the order in which they are found again. */
void policies_sort(struct policies *p);

/* Writes the policies of @conf where no packet finds them, and their numbers into @p's changes.
 * *out is the caller's until policies_drop or policies_switch. On failure -errno with @err, and nothing
 * has changed. */
int policies_plan(struct engine *e, const struct conf *conf, struct plan *p, struct policies *out,
		  struct engine_error *err);
void policies_drop(struct engine *e, struct policies *planned);
/* They are in force, and no packet is under the former ones any more. */
void policies_switch(struct engine *e, struct policies *planned);

/* Frees what policies_init and what followed have made. */
void policies_free(struct engine *e);

#endif
