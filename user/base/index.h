/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds embedded nodes by a 64-bit key; several nodes may have one key. Chained hashing, grown as it
 * fills. */
#ifndef SHUNT_INDEX_H
#define SHUNT_INDEX_H

#include <stddef.h>
#include <stdint.h>

struct index_node {
	uint64_t key;
	struct index_node *next;
};

/* All zero is empty. */
struct index {
	struct index_node **bucket;
	size_t buckets, count;
};

/* Frees the buckets; the nodes are their owners'. */
void index_fini(struct index *x);

/* Adds @node under @key. Returns 0, or -ENOMEM with nothing added. */
int index_add(struct index *x, struct index_node *node, uint64_t key)
	__attribute__((warn_unused_result));

/* Removes a node that was added. */
void index_remove(struct index *x, struct index_node *node);

/* The first node with @key, or NULL; then the next one with the same key. */
struct index_node *index_first(const struct index *x, uint64_t key);
struct index_node *index_next(const struct index_node *node);

#endif
