/* SPDX-License-Identifier: BSD-2-Clause */
/* What fills a service's slots. Every function here is a function of its arguments alone, so that
 * every host with the same configuration and the same health computes the same table. */
#ifndef SHUNT_MAGLEV_H
#define SHUNT_MAGLEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A backend as the fill functions see it. */
struct slot_backend {
	uint64_t id; /* slot_backend_id(): decides position, skip and turn order */
	uint16_t number; /* what is written into slots, 1 and up */
	uint16_t weight; /* 0 takes no slot */
	bool up;
	uint8_t held_back; /* of SLOT_SHARES parts of its share: how many others have for the time
			    * being; 0 to SLOT_SHARES - 1 */
};

#define SLOT_SHARES 16

/* The stable identity of a backend from its name alone: 64 well-mixed bits. */
uint64_t slot_backend_id(const char *name);

/* How many slots a service with @backends backends gets: the smallest power of two that gives each
 * at least 100, within [1024, 65536]: 2 KB is little, and a table that doubles moves nearly all
 * flows, so small services do not double as they grow. */
uint32_t slots_for(size_t backends);

/* Two-level Maglev with weights. First the table over all backends with a weight, up or not, in the
 * canonical order of their ids (the order of @b does not matter); then the slots of those that are
 * down are blanked and refilled by the same turn-taking among those that are up, for each that is
 * down by itself. So a failure moves exactly the failed backend's slots, and a recovery gives exactly
 * those back; a failure while another lasts moves few others (0.06% of all at 100 backends).
 * A backend that is held back counts as down, and then gets the rest of its own slots back: as less
 * and less of them is held back, each of its slots moves to it once and nothing else moves.
 * @slots: @n_slots entries, a power of two in [32, 65536]. Backends take a slot each time their
 * running sum of weights reaches the largest weight, and never more than their share rounded up.
 * Position and odd skip come from the id; a power of two with an odd skip is a full permutation.
 * Returns 0; -ENOENT with @slots all 0 when none is up with a weight; -ENOMEM with @slots untouched.
 * Eisenbud et al., "Maglev", NSDI 2016, section 3.4. Expected O(M log M), M = @n_slots, as long as
 * the largest weight is within a few tens of the mean. */
int maglev_fill(const struct slot_backend *b, size_t n, uint16_t slots[], uint32_t n_slots)
	__attribute__((warn_unused_result));

/* Smooth weighted interleave over those that are up, for rr (weights ignored when @equal, 0 still
 * takes none) and wrr: in every stretch from the table's beginning each backend's slots are less than
 * one from its weight's share, and so less than two in any stretch. Weights of those held back are less
 * by that.
 * Same arguments, returns and order independence as maglev_fill. O(M log n), M = @n_slots. */
int interleave_fill(const struct slot_backend *b, size_t n, bool equal, uint16_t slots[],
		    uint32_t n_slots) __attribute__((warn_unused_result));

#endif
