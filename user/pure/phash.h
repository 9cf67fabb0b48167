/* SPDX-License-Identifier: BSD-2-Clause */
/* The two-level multiplicative perfect hash of shunt_abi.h (struct shunt_index). */
#ifndef SHUNT_PHASH_H
#define SHUNT_PHASH_H

#include <stddef.h>
#include <stdint.h>

struct phash {
	uint64_t bucket_mul; /* odd */
	uint32_t bucket_shift; /* 64 - log2(n_seeds) */
	uint32_t shift; /* 64 - log2(n_entries) */
	uint32_t n_seeds; /* a power of two, at least 2 */
	uint32_t n_entries; /* a power of two, at least 2 */
	uint64_t *seeds; /* n_seeds, odd */
	uint32_t *entry_of; /* entry_of[i]: where keys[i] stands; one per key */
};

/* How many seeds and entries phash_build takes at most for @n keys, for sizing maps. Monotonic. */
void phash_capacity(size_t n, uint32_t *n_seeds, uint32_t *n_entries);

/* Builds the hash over @n >= 1 distinct keys, deterministically. Returns 0 with @out owned by the
 * caller (phash_fini), -EEXIST when two keys are equal, -ENOMEM; @out is untouched on failure.
 * 10,000 keys take a few milliseconds. */
int phash_build(const uint64_t keys[], size_t n, struct phash *out)
	__attribute__((warn_unused_result));

void phash_fini(struct phash *p);

#endif
