/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/stats_rows.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>

#define PAGE_ROOM 64 /* bytes that the PAGE message takes, at most */
#define NAMES_MAX 20

/* Where a dump stands. */
struct place {
	uint32_t i; /* row; of the service, for backends */
	uint32_t service; /* backends only */
	bool one_service; /* stop at the end of it */
	uint32_t backend; /* of it; history only */
};

/* The row at the place, or the next one there is, with the place moved to it; false at the end. */
typedef bool row_fn(const struct stats_source *s, struct place *at, union msg_row *row);

static bool status_row(const struct stats_source *s, struct place *at, union msg_row *row)
{
	if (at->i > 0)
		return false;
	s->status(s->arg, &row->status);
	return true;
}

static bool interface_row(const struct stats_source *s, struct place *at, union msg_row *row)
{
	return s->interface(s->arg, at->i, &row->interface);
}

static bool service_row(const struct stats_source *s, struct place *at, union msg_row *row)
{
	if (at->one_service && at->i > at->service)
		return false;
	return s->service(s->arg, at->i, &row->service);
}

static bool backend_row(const struct stats_source *s, struct place *at, union msg_row *row)
{
	while (!s->backend(s->arg, at->service, at->i, &row->backend)) {
		if (at->one_service)
			return false;
		at->service++; /* a service may have no backends: only its absence is the end */
		at->i = 0;
		if (!s->service(s->arg, at->service, &row->service))
			return false;
		memset(row, 0, sizeof(*row));
	}
	return true;
}

static bool verdict_row(const struct stats_source *s, struct place *at, union msg_row *row)
{
	if (at->i == 0)
		at->i = 1;
	for (; at->i < SHUNT_VERDICT_MAX; at->i++)
		if (s->verdict(s->arg, at->i, &row->verdict))
			return true;
	return false;
}

/* Of all services, or of one and its backends. */
static bool fingerprint_row(const struct stats_source *s, struct place *at, union msg_row *row)
{
	if (at->one_service)
		return s->fingerprint(s->arg, at->service, at->i, &row->fingerprint);
	return s->fingerprint(s->arg, at->i, 0, &row->fingerprint);
}

static bool history_row(const struct stats_source *s, struct place *at, union msg_row *row)
{
	return s->history(s->arg, at->service, at->backend, at->i, &row->history);
}

static bool plan_row(const struct stats_source *s, struct place *at, union msg_row *row)
{
	return s->plan(s->arg, at->i, &row->plan);
}

static bool figure_row(const struct stats_source *s, struct place *at, union msg_row *row)
{
	return s->figure && s->figure(s->arg, at->i, &row->figure);
}

static const struct dump {
	enum shunt_msg_command get, record;
	row_fn *row;
} dumps[] = {
	{SHUNT_MSG_GET_STATUS, SHUNT_MSG_STATUS, status_row},
	{SHUNT_MSG_GET_INTERFACES, SHUNT_MSG_INTERFACE, interface_row},
	{SHUNT_MSG_GET_SERVICES, SHUNT_MSG_SERVICE, service_row},
	{SHUNT_MSG_GET_BACKENDS, SHUNT_MSG_BACKEND, backend_row},
	{SHUNT_MSG_GET_VERDICTS, SHUNT_MSG_VERDICT, verdict_row},
	{SHUNT_MSG_GET_FINGERPRINTS, SHUNT_MSG_FINGERPRINT, fingerprint_row},
	{SHUNT_MSG_GET_HISTORY, SHUNT_MSG_HISTORY, history_row},
	{SHUNT_MSG_GET_PLAN, SHUNT_MSG_PLAN, plan_row},
	{SHUNT_MSG_GET_FIGURES, SHUNT_MSG_FIGURE, figure_row},
};

static const struct dump *find_dump(enum shunt_msg_command get)
{
	size_t i;

	for (i = 0; i < sizeof(dumps) / sizeof(dumps[0]); i++)
		if (dumps[i].get == get)
			return &dumps[i];
	return NULL;
}

/* A cursor is the place with 1 in the top bit, so that it is never 0. */
#define CURSOR_BIT (1ull << 63)

static int find_backend(const struct stats_source *s, const struct msg_get *get, struct place *at)
{
	int64_t number = s->find_backend(s->arg, at->service, get->backend);

	if (number < 0)
		return -ESRCH;
	at->backend = (uint32_t)number;
	return 0;
}

static int find_place(const struct stats_source *s, const struct dump *d, const struct msg_get *get,
		      struct place *at)
{
	int64_t number;

	*at = (struct place){0};
	if (get->cursor) {
		if (get->generation != s->generation(s->arg))
			return -ESTALE;
		at->service = get->cursor >> 32 & INT32_MAX;
		at->i = (uint32_t)get->cursor;
	}
	if (d->get == SHUNT_MSG_GET_HISTORY && !get->service[0])
		return -EINVAL;
	if (!get->service[0] || d->get == SHUNT_MSG_GET_STATUS)
		return 0;
	number = s->find_service(s->arg, get->service);
	if (number < 0)
		return -ENOENT;
	at->one_service = true;
	at->service = (uint32_t)number;
	if (d->get == SHUNT_MSG_GET_SERVICES && !get->cursor)
		at->i = at->service;
	return d->get == SHUNT_MSG_GET_HISTORY ? find_backend(s, get, at) : 0;
}

/* Returns true when rows are left that did not fit. */
static bool put_rows(const struct stats_source *s, const struct dump *d, struct place *at,
		     struct msg_out *o)
{
	union msg_row row;

	for (;; at->i++) {
		memset(&row, 0, sizeof(row));
		if (!d->row(s, at, &row))
			return false;
		if (msg_put(o, d->record, &row) < 0)
			return true;
	}
}

int stats_rows_page(const struct stats_source *s, enum shunt_msg_command command,
		    const struct msg_get *get, struct msg_out *o)
{
	const struct dump *d = find_dump(command);
	struct msg_get page = {.generation = s->generation(s->arg)};
	struct place at;
	int err;

	if (!d)
		return -EINVAL;
	err = find_place(s, d, get, &at);
	if (err < 0)
		return err;
	o->flags = NLM_F_MULTI;
	o->size -= PAGE_ROOM;
	if (put_rows(s, d, &at, o))
		page.cursor = CURSOR_BIT | (uint64_t)at.service << 32 | at.i;
	o->size += PAGE_ROOM;
	o->flags = 0;
	return msg_put_page(o, &page);
}

void stats_rows_no_service(const struct stats_source *s, char *out, size_t size)
{
	struct view_service row = {0};
	size_t used = 0;
	uint32_t i;

	snprintf(out, size, "there are none");
	for (i = 0; i <= NAMES_MAX && s->service(s->arg, i, &row); i++) {
		int n = snprintf(out + used, size - used, "%s%s", i == 0 ? "there are: " : ", ",
				 i < NAMES_MAX ? row.name : "...");

		if (n < 0 || (size_t)n >= size - used)
			return;
		used += (size_t)n;
		memset(&row, 0, sizeof(row));
	}
}
