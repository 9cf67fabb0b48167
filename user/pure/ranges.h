/* SPDX-License-Identifier: BSD-2-Clause */
/* Hands out contiguous stretches of a numbered space: the rows and slot lines of the maps. */
#ifndef SHUNT_RANGES_H
#define SHUNT_RANGES_H

#include <stddef.h>
#include <stdint.h>

struct range {
	uint32_t at, n;
};

/* Free stretches, sorted, never touching each other. */
struct ranges {
	struct range *free;
	size_t count, room;
	uint32_t size;
};

/* All of [0, @size) is free. Returns 0 or -ENOMEM. */
int ranges_init(struct ranges *r, uint32_t size) __attribute__((warn_unused_result));
void ranges_fini(struct ranges *r);

/* Takes the first free stretch of @n >= 1. Returns 0 with @at, -ENOSPC, or -ENOMEM. */
int ranges_take(struct ranges *r, uint32_t n, uint32_t *at) __attribute__((warn_unused_result));

/* Takes exactly [@at, @at + @n). Returns 0, -EBUSY when not all of it is free, or -ENOMEM. */
int ranges_claim(struct ranges *r, uint32_t at, uint32_t n) __attribute__((warn_unused_result));

/* Gives back what was taken. Returns 0 or -ENOMEM (the stretch is then lost, nothing else). */
int ranges_give(struct ranges *r, uint32_t at, uint32_t n);

/* Adds [size, @size) as free. Returns 0 or -ENOMEM. */
int ranges_grow(struct ranges *r, uint32_t size) __attribute__((warn_unused_result));

/* Length of the longest free stretch. */
uint32_t ranges_longest(const struct ranges *r);

#endif
