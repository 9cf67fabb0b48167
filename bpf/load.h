/* SPDX-License-Identifier: GPL-2.0-only */
/* The less loaded of two backends (Mitzenmacher, "The power of two choices in randomized load
 * balancing", 1996), by what the daemon has counted not long ago and what has been given away since. */
#ifndef SHUNT_LOAD_H
#define SHUNT_LOAD_H

#include "slot.h"

/* ~0 for number 0, which is none. */
static __always_inline __u64 load_of(const struct shunt_service *svc, __u32 number)
{
	const struct shunt_load *l = element(loads, svc->row + number);

	return l ? *(const volatile __u64 *)&l->load | -is_less(number, 1) : ~0ull;
}

/* The number of the backend that a new flow with @hash goes to: @first, that of the hash's own slot, or
 * that of another slot, if it has less to do or the first slot has none. */
static __always_inline __u32 load_choose(const struct shunt_service *svc, __u64 hash, __u32 first)
{
	__u32 slot = shunt_slot_of(shunt_second_of(hash), svc->slot_mask);
	__u32 line = svc->slots_at + slot / SHUNT_SLOTS_PER_LINE, second;
	const struct shunt_slot_line *l = element(slots, line);

	if (!l)
		return first;
	second = l->slot[slot % SHUNT_SLOTS_PER_LINE] & SHUNT_SLOT_BACKEND;
	return load_of(svc, second) < load_of(svc, first) ? second : first;
}

/* A flow has been given to the backend. */
static __always_inline void load_add(const struct shunt_service *svc, __u32 number)
{
	struct shunt_load *l = element(loads, svc->row + number);

	if (l && !settings.dry)
		__sync_fetch_and_add(&l->load, l->step);
}

#endif
