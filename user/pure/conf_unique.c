/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/conf_parts.h"

#include <errno.h>
#include <stdlib.h>

#include "base/own.h"

/* By what @compare says of two elements, then by place, so that equal ones stay in order. */
static int by_element(const void *a, const void *b, void *arg)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;
	conf_compare *const *compare = arg;
	int order = (*compare)(x, y);

	if (order)
		return order;
	return (x > y) - (x < y);
}

int conf_first_duplicate(const void *base, size_t n, size_t size, conf_compare *compare,
			 size_t pair[static 2])
{
	auto_free const char **sorted = NULL;
	const char *start = base;
	int found = 0;

	if (n < 2)
		return 0;
	sorted = calloc(n, sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		sorted[i] = start + i * size;
	qsort_r(sorted, n, sizeof(*sorted), by_element, &compare);
	for (size_t i = 1; i < n; i++) {
		size_t at = (size_t)(sorted[i] - start) / size;

		if (compare(sorted[i - 1], sorted[i]) == 0 && (!found || at < pair[1])) {
			pair[0] = (size_t)(sorted[i - 1] - start) / size;
			pair[1] = at;
			found = 1;
		}
	}
	return found;
}
