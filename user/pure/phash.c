/* SPDX-License-Identifier: BSD-2-Clause */
/* A perfect hash in two levels: the first spreads the keys over buckets of four at most on average,
 * the second finds for each bucket, the fullest first, a multiplier that puts its keys where no
 * other key stands. A bucket for which none is found soon makes the first level try another
 * multiplier, so patterns that are unlucky with one do no harm.
 * Belazzougui, Botelho and Dietzfelbinger, "Hash, displace, and compress", 2009. */
#include "pure/phash.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/own.h"

#define KEYS_PER_BUCKET 4 /* at most, on average */
#define ENTRIES_PER_KEY 2 /* at least */
#define SEEDS_TRIED 4096 /* for one bucket before the first level tries again */

struct builder {
	const uint64_t *keys;
	size_t n;
	uint32_t *grouped; /* [n] indices of keys, bucket by bucket */
	uint32_t *start; /* [n_seeds + 1] where each bucket begins in grouped */
	uint32_t *by_size; /* [n_seeds] buckets, the fullest first */
	uint64_t *taken; /* a bit an entry */
	size_t taken_words;
	uint64_t stream; /* state of the seeds' generator */
	struct phash out;
};

/* Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014 (SplitMix64). */
static uint64_t next_odd(uint64_t *stream)
{
	uint64_t z = *stream += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (z ^ z >> 31) | 1;
}

static uint32_t log2_up(uint64_t n)
{
	uint32_t log = 1;

	while ((1ull << log) < n)
		log++;
	return log;
}

void phash_capacity(size_t n, uint32_t *n_seeds, uint32_t *n_entries)
{
	*n_seeds = 1u << log2_up((n + KEYS_PER_BUCKET - 1) / KEYS_PER_BUCKET);
	*n_entries = 1u << log2_up((uint64_t)n * ENTRIES_PER_KEY);
}

static int compare_keys(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int check_distinct(const uint64_t keys[], size_t n)
{
	auto_free uint64_t *sorted = malloc(n * sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	memcpy(sorted, keys, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_keys);
	for (size_t i = 1; i < n; i++)
		if (sorted[i] == sorted[i - 1])
			return -EEXIST;
	return 0;
}

static uint32_t bucket_of(const struct builder *b, size_t i)
{
	return (b->keys[i] * b->out.bucket_mul) >> b->out.bucket_shift;
}

static uint32_t bucket_size(const struct builder *b, uint32_t bucket)
{
	return b->start[bucket + 1] - b->start[bucket];
}

/* Sorts the keys' indices by bucket, by counting. */
static void group_keys(struct builder *b)
{
	uint32_t *start = b->start;

	memset(start, 0, (b->out.n_seeds + 1) * sizeof(*start));
	for (size_t i = 0; i < b->n; i++)
		start[bucket_of(b, i)]++;
	for (uint32_t k = 1; k <= b->out.n_seeds; k++)
		start[k] += start[k - 1];
	/* start[k] is the end of bucket k now, and its beginning when its keys are in. */
	for (size_t i = b->n; i-- > 0;)
		b->grouped[--start[bucket_of(b, i)]] = i;
}

/* Sorts the buckets by falling size, by counting; out.entry_of, not in use yet, holds the counts. */
static void order_buckets(struct builder *b)
{
	uint32_t *more = b->out.entry_of; /* [s]: buckets with more keys than s, s in [0, n) */
	uint32_t n_seeds = b->out.n_seeds;

	memset(more, 0, (b->n + 1) * sizeof(*more));
	for (uint32_t k = 0; k < n_seeds; k++)
		if (bucket_size(b, k))
			more[bucket_size(b, k) - 1]++;
	for (size_t s = b->n; s-- > 0;)
		more[s] += more[s + 1];
	for (uint32_t k = 0; k < n_seeds; k++)
		b->by_size[more[bucket_size(b, k)]++] = k;
}

static void release_keys(struct builder *b, const uint32_t *keys, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t entry = b->out.entry_of[keys[i]];

		b->taken[entry / 64] &= ~(1ull << entry % 64);
	}
}

/* Gives the keys the entries that @seed leads to; false, and nothing done, when one is taken. */
static bool place_keys(struct builder *b, const uint32_t *keys, uint32_t n, uint64_t seed)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t entry = (b->keys[keys[i]] * seed) >> b->out.shift;
		uint64_t bit = 1ull << entry % 64;

		if (b->taken[entry / 64] & bit) {
			release_keys(b, keys, i);
			return false;
		}
		b->taken[entry / 64] |= bit;
		b->out.entry_of[keys[i]] = entry;
	}
	return true;
}

static bool place_bucket(struct builder *b, uint32_t bucket)
{
	const uint32_t *keys = b->grouped + b->start[bucket];

	for (int i = 0; i < SEEDS_TRIED; i++) {
		uint64_t seed = next_odd(&b->stream);

		if (place_keys(b, keys, bucket_size(b, bucket), seed)) {
			b->out.seeds[bucket] = seed;
			return true;
		}
	}
	return false;
}

static bool place_all(struct builder *b)
{
	b->out.bucket_mul = next_odd(&b->stream);
	group_keys(b);
	order_buckets(b);
	memset(b->taken, 0, b->taken_words * sizeof(*b->taken));
	for (uint32_t i = 0; i < b->out.n_seeds; i++)
		if (!place_bucket(b, b->by_size[i]))
			return false;
	return true;
}

int phash_build(const uint64_t keys[], size_t n, struct phash *out)
{
	struct builder b = {.keys = keys, .n = n};
	int err = check_distinct(keys, n);

	if (err)
		return err;
	phash_capacity(n, &b.out.n_seeds, &b.out.n_entries);
	b.out.bucket_shift = 64 - log2_up(b.out.n_seeds);
	b.out.shift = 64 - log2_up(b.out.n_entries);
	b.taken_words = (b.out.n_entries + 63) / 64;

	auto_free uint32_t *grouped = b.grouped = malloc(n * sizeof(*grouped));
	auto_free uint32_t *start = b.start = malloc((b.out.n_seeds + 1) * sizeof(*start));
	auto_free uint32_t *by_size = b.by_size = malloc(b.out.n_seeds * sizeof(*by_size));
	auto_free uint64_t *taken = b.taken = malloc(b.taken_words * sizeof(*taken));
	auto_free uint64_t *seeds = b.out.seeds = malloc(b.out.n_seeds * sizeof(*seeds));
	auto_free uint32_t *entry_of = b.out.entry_of = malloc((n + 1) * sizeof(*entry_of));

	if (!grouped || !start || !by_size || !taken || !seeds || !entry_of)
		return -ENOMEM;
	while (!place_all(&b))
		;
	*out = b.out;
	(void)take_ptr(seeds);
	(void)take_ptr(entry_of);
	return 0;
}

void phash_fini(struct phash *p)
{
	free(p->seeds);
	free(p->entry_of);
	p->seeds = NULL;
	p->entry_of = NULL;
}
