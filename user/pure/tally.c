/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

/* Of what is unseen one part in so many hundredths of a pass is taken to be seen each time: with it a flow
 * counts as 0.9 to 1.2 of one until it has certainly been found. */
#define UNSEEN_LASTS 60

void tally_fini(struct tally *t)
{
	free(t->row);
	free(t->index);
	free(t->counted);
	*t = (struct tally){0};
}

static const struct tally_row *find(const struct tally *t, uint32_t row)
{
	return row < t->rows && t->index[row] ? &t->row[t->index[row] - 1] : NULL;
}

/* Row @i of @to had been counted as @from of @t. */
static void carry(struct tally *to, size_t i, const struct tally *t, const struct tally_row *from)
{
	const size_t at = (size_t)(from - t->row);
	uint32_t p;

	to->row[i].total = from->total;
	to->row[i].unseen = from->unseen;
	to->row[i].told = from->told;
	to->row[i].is_new = from->is_new;
	for (p = 0; p < to->parts; p++)
		to->counted[p * to->n + i] = t->counted[p * t->n + at];
}

int tally_choose(struct tally *t, const struct tally_row *chosen, size_t n, uint32_t rows,
		 uint32_t parts)
{
	struct tally to = {.n = n, .rows = rows, .parts = parts};
	const bool same = t->parts == parts; /* or what has been counted is of other parts */
	size_t i;

	to.row = calloc(n + 1, sizeof(*to.row));
	to.index = calloc(rows + 1u, sizeof(*to.index));
	to.counted = calloc(parts * n + 1, sizeof(*to.counted));
	if (!to.row || !to.index || !to.counted) {
		tally_fini(&to);
		return -ENOMEM;
	}
	to.part = same ? t->part : 0;
	to.passes = same ? t->passes : 0;
	for (i = 0; i < n; i++) {
		const struct tally_row *from = same ? find(t, chosen[i].row) : NULL;

		to.row[i] = (struct tally_row){
			.row = chosen[i].row, .timeout = chosen[i].timeout, .is_new = true};
		to.index[chosen[i].row] = (uint32_t)i + 1;
		if (from)
			carry(&to, i, t, from);
		else
			to.passes = 0;
	}
	tally_fini(t);
	*t = to;
	return 0;
}

void tally_begin(struct tally *t)
{
	uint32_t *part = &t->counted[t->part * t->n];
	size_t i;

	for (i = 0; i < t->n; i++)
		t->row[i].total -= part[i];
	memset(part, 0, t->n * sizeof(*part));
}

void tally_flow(struct tally *t, uint32_t row, uint16_t age)
{
	const struct tally_row *r = find(t, row);

	if (r && age <= r->timeout)
		t->counted[t->part * t->n + (size_t)(r - t->row)]++;
}

void tally_end(struct tally *t)
{
	const uint32_t *part = &t->counted[t->part * t->n];
	size_t i;

	for (i = 0; i < t->n; i++)
		t->row[i].total += part[i];
	t->part = (t->part + 1) % t->parts;
	t->passes += t->passes < t->parts;
}

bool tally_flows(const struct tally *t, uint32_t row, uint64_t *flows)
{
	const struct tally_row *r = find(t, row);

	if (!r || t->passes < t->parts)
		return false;
	*flows = r->total;
	return true;
}

uint64_t tally_load(const struct tally *t, struct tally_row *r, uint64_t there, uint64_t step)
{
	const uint32_t lasts = t->parts * UNSEEN_LASTS / 100 + 1;
	uint64_t given = 0;

	if (!r->is_new && there > r->told)
		given = (there - r->told) / step;
	r->unseen -= r->unseen / lasts;
	r->unseen += (uint32_t)(given < UINT16_MAX ? given : UINT16_MAX) * 16;
	r->told = (r->total + r->unseen / 16) * step;
	r->is_new = false;
	return r->told;
}
