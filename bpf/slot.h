/* SPDX-License-Identifier: GPL-2.0-only */
/* A service's slots: to which backend new flows go, and, while a slot is in transition, where those
 * went that are older than the change. */
#ifndef SHUNT_SLOT_H
#define SHUNT_SLOT_H

#include "maps.h"

#define SLOT_BAD_TABLE 0xffffu /* no backend's number: above SHUNT_SLOT_BACKEND */

/* The service's slot number @slot as it stands in the table; one that is not there looks as if it were in
 * transition. */
static __always_inline __u32 slot_word(const struct shunt_service *svc, __u32 slot)
{
	__u32 line = svc->slots_at + slot / SHUNT_SLOTS_PER_LINE;
	const struct shunt_slot_line *l = element(slots, line);

	return l ? l->slot[slot % SHUNT_SLOTS_PER_LINE] : SLOT_BAD_TABLE;
}

/* The number of the backend that the slot's new flows go to; 0: none; or SLOT_BAD_TABLE. */
static __always_inline __u32 slot_number(const struct shunt_service *svc, __u32 slot)
{
	__u32 line = svc->slots_at + slot / SHUNT_SLOTS_PER_LINE;
	const struct shunt_slot_line *l = element(slots, line);

	return l ? l->slot[slot % SHUNT_SLOTS_PER_LINE] & SHUNT_SLOT_BACKEND : SLOT_BAD_TABLE;
}

/* No base, and no room for more: nothing is to be noted. */
#define SLOT_SETTLED ((__u64)SHUNT_BASE_FULL << 48)

struct slot {
	struct shunt_base *base;
	__u64 word; /* of the base, as it was read; SLOT_SETTLED */
	__u32 cur; /* number of the backend for new flows; 0: none */
};

/* 0: the slot is settled; above: it is in transition; below: the service contradicts the maps. */
static __always_inline int slot_read(struct slot *s, const struct shunt_service *svc, __u32 slot)
{
	__u32 line = svc->slots_at + slot / SHUNT_SLOTS_PER_LINE;
	const struct shunt_slot_line *l = element(slots, line);
	struct shunt_base_line *b = element(bases, line);
	__u32 word;

	if (!l || !b)
		return -1;
	word = l->slot[slot % SHUNT_SLOTS_PER_LINE];
	s->cur = word & SHUNT_SLOT_BACKEND;
	s->base = &b->slot[slot % SHUNT_SLOTS_PER_LINE];
	s->word = SLOT_SETTLED;
	if (word & SHUNT_SLOT_CHANGED)
		s->word = *(const volatile __u64 *)s->base;
	s->word = forget(s->word, word);
	return word & SHUNT_SLOT_CHANGED;
}

/* The parts of a base's word. */
static __always_inline __u16 slot_base(const struct slot *s)
{
	return s->word;
}

static __always_inline __u16 slot_used(const struct slot *s)
{
	return s->word >> 16;
}

static __always_inline __u16 slot_since(const struct slot *s)
{
	return s->word >> 32;
}

static __always_inline __u16 slot_flags(const struct slot *s)
{
	return s->word >> 48;
}

/* A packet goes elsewhere than to cur: then there is a base. */
static __always_inline void slot_use(const struct slot *s, __u16 now)
{
	if (slot_used(s) != now && !settings.dry)
		*(volatile __u16 *)&s->base->used = now;
}

/* A flow should have been remembered, and there was no room.  At once, or the daemon's change of another
 * flag could be undone. */
static __always_inline void slot_is_full(const struct slot *s)
{
	if (!(slot_flags(s) & SHUNT_BASE_FULL) && !settings.dry)
		__sync_fetch_and_or((__u64 *)s->base, (__u64)SHUNT_BASE_FULL << 48);
}

#endif
