/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/conf_vips.h"

#include <errno.h>
#include <stdlib.h>

/* Where @length is noted among those of @family. */
static uint32_t *word_of(struct conf_vips *v, uint8_t family, uint8_t length)
{
	return &v->lengths[family == 6][length / 32];
}

static bool has_length(const struct conf_vips *v, uint8_t family, uint8_t length)
{
	return v->lengths[family == 6][length / 32] >> length % 32 & 1;
}

static int compare(const struct addr *a, uint8_t a_bits, const struct addr *b, uint8_t b_bits)
{
	int order = addr_compare(a, b);

	return order ? order : a_bits - b_bits;
}

static int by_vip(const void *a, const void *b)
{
	const struct conf_service *x = *(const struct conf_service *const *)a;
	const struct conf_service *y = *(const struct conf_service *const *)b;

	return compare(&x->vip, x->vip_bits, &y->vip, y->vip_bits);
}

int conf_vips_init(struct conf_vips *v, const struct conf *conf)
{
	*v = (struct conf_vips){0};
	v->sorted = calloc(conf->n_services + 1, sizeof(*v->sorted));
	if (!v->sorted)
		return -ENOMEM;
	for (size_t i = 0; i < conf->n_services; i++) {
		const struct conf_service *s = &conf->services[i];

		v->sorted[v->n++] = s;
		*word_of(v, s->vip.family, s->vip_bits) |= 1u << s->vip_bits % 32;
	}
	qsort(v->sorted, v->n, sizeof(*v->sorted), by_vip);
	return 0;
}

void conf_vips_fini(struct conf_vips *v)
{
	free(v->sorted);
	*v = (struct conf_vips){0};
}

/* The first one that is not before @a with @bits, or NULL. */
static const struct conf_service *lower(const struct conf_vips *v, const struct addr *a,
					uint8_t bits)
{
	size_t low = 0, high = v->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct conf_service *s = v->sorted[middle];

		if (compare(&s->vip, s->vip_bits, a, bits) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < v->n ? v->sorted[low] : NULL;
}

/* Prefixes have an address in common only when one is within the other. */
const struct conf_service *conf_vips_meet(const struct conf_vips *v, const struct addr *a,
					  uint8_t bits)
{
	const struct conf_service *s = lower(v, a, 0);

	if (s && addr_is_within(&s->vip, a, bits))
		return s;
	for (uint8_t length = 0; length < bits; length++) {
		struct addr first = *a;

		if (!has_length(v, a->family, length))
			continue;
		addr_clear_beyond(&first, length);
		s = lower(v, &first, length);
		if (s && s->vip_bits == length && addr_compare(&s->vip, &first) == 0)
			return s;
	}
	return NULL;
}
