/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/index.h"

#include <errno.h>
#include <stdlib.h>

/* Fibonacci hashing spreads keys that are counters. */
static size_t bucket_of(size_t buckets, uint64_t key)
{
	return (size_t)(key * 0x9e3779b97f4a7c15ull >> 32) & (buckets - 1);
}

static int grow(struct index *x)
{
	size_t buckets = x->buckets ? x->buckets * 2 : 64, i;
	struct index_node **bucket = calloc(buckets, sizeof(*bucket));

	if (!bucket)
		return -ENOMEM;
	for (i = 0; i < x->buckets; i++) {
		struct index_node *node, *next;

		for (node = x->bucket[i]; node; node = next) {
			size_t to = bucket_of(buckets, node->key);

			next = node->next;
			node->next = bucket[to];
			bucket[to] = node;
		}
	}
	free(x->bucket);
	x->bucket = bucket;
	x->buckets = buckets;
	return 0;
}

void index_fini(struct index *x)
{
	free(x->bucket);
	*x = (struct index){0};
}

int index_add(struct index *x, struct index_node *node, uint64_t key)
{
	size_t at;

	if (x->count >= x->buckets) {
		int err = grow(x);

		if (err)
			return err;
	}
	at = bucket_of(x->buckets, key);
	node->key = key;
	node->next = x->bucket[at];
	x->bucket[at] = node;
	x->count++;
	return 0;
}

void index_remove(struct index *x, struct index_node *node)
{
	struct index_node **link;

	if (!x->buckets)
		return;
	for (link = &x->bucket[bucket_of(x->buckets, node->key)]; *link; link = &(*link)->next) {
		if (*link != node)
			continue;
		*link = node->next;
		x->count--;
		return;
	}
}

struct index_node *index_first(const struct index *x, uint64_t key)
{
	struct index_node *node;

	if (!x->buckets)
		return NULL;
	node = x->bucket[bucket_of(x->buckets, key)];
	while (node && node->key != key)
		node = node->next;
	return node;
}

struct index_node *index_next(const struct index_node *node)
{
	uint64_t key = node->key;

	do
		node = node->next;
	while (node && node->key != key);
	return (struct index_node *)node;
}
