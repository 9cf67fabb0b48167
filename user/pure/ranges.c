/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int reserve(struct ranges *r, size_t count)
{
	size_t room = r->room ? r->room : 8;
	struct range *grown;

	if (count <= r->room)
		return 0;
	while (room < count)
		room *= 2;
	grown = realloc(r->free, room * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	r->free = grown;
	r->room = room;
	return 0;
}

static void remove_at(struct ranges *r, size_t i)
{
	memmove(&r->free[i], &r->free[i + 1], (r->count - i - 1) * sizeof(r->free[0]));
	r->count--;
}

static int insert_at(struct ranges *r, size_t i, struct range x)
{
	int err = reserve(r, r->count + 1);

	if (err)
		return err;
	memmove(&r->free[i + 1], &r->free[i], (r->count - i) * sizeof(r->free[0]));
	r->free[i] = x;
	r->count++;
	return 0;
}

/* The first free stretch that ends behind @at. */
static size_t find_behind(const struct ranges *r, uint32_t at)
{
	size_t low = 0, high = r->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (r->free[middle].at + r->free[middle].n > at)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

int ranges_init(struct ranges *r, uint32_t size)
{
	*r = (struct ranges){0};
	return ranges_grow(r, size);
}

void ranges_fini(struct ranges *r)
{
	free(r->free);
	*r = (struct ranges){0};
}

int ranges_take(struct ranges *r, uint32_t n, uint32_t *at)
{
	size_t i;

	for (i = 0; i < r->count; i++) {
		if (r->free[i].n < n)
			continue;
		*at = r->free[i].at;
		r->free[i].at += n;
		r->free[i].n -= n;
		if (r->free[i].n == 0)
			remove_at(r, i);
		return 0;
	}
	return -ENOSPC;
}

int ranges_claim(struct ranges *r, uint32_t at, uint32_t n)
{
	size_t i = find_behind(r, at);
	struct range whole;
	int err;

	if (n == 0 || i == r->count || r->free[i].at > at ||
	    (uint64_t)r->free[i].at + r->free[i].n < (uint64_t)at + n)
		return -EBUSY;
	err = reserve(r, r->count + 1);
	if (err)
		return err;
	whole = r->free[i];
	remove_at(r, i);
	if (whole.at + whole.n > at + n)
		insert_at(r, i, (struct range){at + n, whole.at + whole.n - (at + n)});
	if (whole.at < at)
		insert_at(r, i, (struct range){whole.at, at - whole.at});
	return 0;
}

int ranges_give(struct ranges *r, uint32_t at, uint32_t n)
{
	size_t i = find_behind(r, at);

	if (i > 0 && r->free[i - 1].at + r->free[i - 1].n == at) {
		r->free[i - 1].n += n;
		if (i < r->count && at + n == r->free[i].at) {
			r->free[i - 1].n += r->free[i].n;
			remove_at(r, i);
		}
		return 0;
	}
	if (i < r->count && at + n == r->free[i].at) {
		r->free[i].at = at;
		r->free[i].n += n;
		return 0;
	}
	return insert_at(r, i, (struct range){at, n});
}

int ranges_grow(struct ranges *r, uint32_t size)
{
	int err;

	if (size <= r->size)
		return 0;
	err = ranges_give(r, r->size, size - r->size);
	if (!err)
		r->size = size;
	return err;
}

uint32_t ranges_longest(const struct ranges *r)
{
	uint32_t longest = 0;
	size_t i;

	for (i = 0; i < r->count; i++)
		if (r->free[i].n > longest)
			longest = r->free[i].n;
	return longest;
}
