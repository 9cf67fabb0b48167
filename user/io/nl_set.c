/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/nl_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

size_t nl_set_lower(const struct nl_set *s, const void *key)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (s->compare(s->items[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void *nl_set_find(const struct nl_set *s, const void *key)
{
	size_t at = nl_set_lower(s, key);

	if (at == s->n || s->compare(s->items[at], key) != 0)
		return NULL;
	return s->items[at];
}

static int grow(struct nl_set *s)
{
	size_t capacity = s->capacity ? 2 * s->capacity : 16;
	void **items = reallocarray(s->items, capacity, sizeof(*items));

	if (!items)
		return -ENOMEM;
	s->items = items;
	s->capacity = capacity;
	return 0;
}

int nl_set_insert(struct nl_set *s, void *item)
{
	size_t at = nl_set_lower(s, item);

	if (s->n == s->capacity && grow(s) != 0)
		return -ENOMEM;
	memmove(s->items + at + 1, s->items + at, (s->n - at) * sizeof(*s->items));
	s->items[at] = item;
	s->n++;
	return 0;
}

void nl_set_remove(struct nl_set *s, const void *key)
{
	size_t at = nl_set_lower(s, key);

	if (at == s->n || s->compare(s->items[at], key) != 0)
		return;
	s->n--;
	memmove(s->items + at, s->items + at + 1, (s->n - at) * sizeof(*s->items));
}

void nl_set_fini(struct nl_set *s)
{
	free(s->items);
	s->items = NULL;
	s->n = s->capacity = 0;
}
