/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/agent.h"

#include <stdio.h>
#include <string.h>

static const char *const names[] = {
	[AGENT_READY] = "ready",
	[AGENT_DRAIN] = "drain",
	[AGENT_MAINT] = "maint",
};

bool agent_wish_is_same(struct agent_wish a, struct agent_wish b)
{
	return a.admin == b.admin && a.percent == b.percent;
}

bool agent_hear(struct agent_wish *w, const struct check_result *r)
{
	const struct agent_wish before = *w;

	if (r->notes & CHECK_NOTE_MAINT)
		w->admin = AGENT_MAINT;
	else if (r->notes & CHECK_NOTE_DRAIN)
		w->admin = AGENT_DRAIN;
	else if (r->notes & CHECK_NOTE_READY)
		w->admin = AGENT_READY;
	if (r->notes & CHECK_NOTE_WEIGHT)
		w->percent = r->weight_percent;
	else if (r->notes & CHECK_NOTE_READY)
		w->percent = 100;
	return !agent_wish_is_same(before, *w);
}

struct agent_wish agent_join(struct agent_wish a, struct agent_wish b)
{
	return (struct agent_wish){
		.admin = a.admin > b.admin ? a.admin : b.admin,
		.percent = a.percent < b.percent ? a.percent : b.percent,
	};
}

bool agent_speaks_of_admin(const struct check_result *r)
{
	return r->notes & (CHECK_NOTE_MAINT | CHECK_NOTE_DRAIN | CHECK_NOTE_READY);
}

bool agent_speaks_of_weight(const struct check_result *r)
{
	return r->notes & (CHECK_NOTE_WEIGHT | CHECK_NOTE_READY);
}

bool agent_step(struct agent_wish *in_force, struct agent_wish wanted)
{
	const struct agent_wish before = *in_force;
	const int most = before.percent > 100 ? before.percent / 4 : AGENT_STEP;
	int by = wanted.percent - before.percent;

	if (by > most)
		by = most;
	if (by < -most && wanted.percent > 0)
		by = -most;
	in_force->percent = (uint16_t)(before.percent + by);
	in_force->admin = wanted.admin;
	return !agent_wish_is_same(before, *in_force);
}

uint16_t agent_weight(uint16_t configured, uint16_t percent, uint16_t most)
{
	const uint32_t part = ((uint32_t)configured * percent + 50) / 100;

	if (!configured || !percent)
		return 0;
	return part < 1 ? 1 : part > most ? most : (uint16_t)part;
}

const char *agent_line_format(const struct agent_line *l, char out[static AGENT_LINE_MAX])
{
	snprintf(out, AGENT_LINE_MAX, "%s %s %s %u\n", l->service, l->backend, names[l->wish.admin],
		 l->wish.percent);
	return out;
}

/* Read as such, it must come out the same again. */
size_t agent_line_read(const char *text, size_t len, struct agent_line *out)
{
	const char *end = memchr(text, '\n', len);
	const size_t n = end ? (size_t)(end - text) + 1 : 0;
	char copy[AGENT_LINE_MAX], again[AGENT_LINE_MAX], admin[8];

	if (!n || n >= sizeof(copy))
		return 0;
	memcpy(copy, text, n);
	copy[n] = '\0';
	*out = (struct agent_line){0};
	if (sscanf(copy, "%63s %63s %7s %5hu", out->service, out->backend, admin,
		   &out->wish.percent) != 4 ||
	    out->wish.percent > CHECK_WEIGHT_PERCENT_MAX)
		return 0;
	while (strcmp(admin, names[out->wish.admin]) != 0)
		if (++out->wish.admin > AGENT_MAINT)
			return 0;
	return strcmp(agent_line_format(out, again), copy) == 0 ? n : 0;
}
