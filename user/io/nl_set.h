/* SPDX-License-Identifier: BSD-2-Clause */
/* A sorted array of pointers: the watched addresses (so that a route's prefix is a range of them),
 * the links and the neighbours. It owns the array, never what the pointers point at. */
#ifndef SHUNT_NL_SET_H
#define SHUNT_NL_SET_H

#include <stddef.h>

struct nl_set {
	void **items;
	size_t n, capacity;
	/* Orders an item against a key as memcmp does; items begin with their key. */
	int (*compare)(const void *item, const void *key);
};

/* The index of the first item that is not less than @key; n when there is none. */
size_t nl_set_lower(const struct nl_set *s, const void *key);
/* The item equal to @key, or NULL. */
void *nl_set_find(const struct nl_set *s, const void *key);
/* Puts in @item, which no item equals. Returns 0 or -ENOMEM. O(n) moves of a pointer. */
int nl_set_insert(struct nl_set *s, void *item) __attribute__((warn_unused_result));
/* Takes out the item equal to @key, if there is one. */
void nl_set_remove(struct nl_set *s, const void *key);
/* Frees the array. */
void nl_set_fini(struct nl_set *s);

#endif
