/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows of shunt top. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "io/stats_client.h"
#include "main/top.h"
#include "main/words.h"

static void close_client(struct stats_client **c)
{
	stats_client_close(*c);
}
#define auto_client __attribute__((cleanup(close_client)))

/* ---- asking -----------------------------------------------------------------------------------*/

static void take_service(struct top_row *r, const struct view_service *s)
{
	snprintf(r->name, sizeof(r->name), "%s", s->name);
	snprintf(r->state, sizeof(r->state), "%" PRIu32 "/%" PRIu32 "%s", s->usable, s->backends,
		 s->panicking	   ? "!!"
		 : s->failing_open ? "!"
				   : "");
	r->trouble = s->usable == 0 ? 2 : s->usable < s->backends;
	r->colour = r->trouble == 2 ? "red" : r->trouble ? "yellow" : "green";
	view_service_address(s, r->address);
	r->traffic = s->traffic;
}

static void take_backend(struct top_row *r, const struct view_backend *b)
{
	char reason[4 * VIEW_REASON_MAX];

	snprintf(r->name, sizeof(r->name), "%s", b->name);
	snprintf(r->state, sizeof(r->state), "%s", words_state(b));
	r->colour = words_state_colour(b);
	r->trouble = !r->colour			     ? 1
		     : strcmp(r->colour, "red") == 0 ? 3
						     : 2 * (strcmp(r->colour, "yellow") == 0);
	addr_port_format(&b->addr, b->port, r->address);
	snprintf(r->note, sizeof(r->note), "%.*s", VIEW_REASON_MAX - 1,
		 words_reason(b, reason, sizeof(reason)));
	r->traffic = b->traffic;
	r->flows_known = b->flows_known;
	r->flows_now = b->flows_left;
}

static void add_up(struct top *t)
{
	size_t i;

	t->sum = (struct view_traffic){0};
	for (i = 0; i < t->n_all; i++) {
		t->sum.packets_per_s += t->rows[i].traffic.packets_per_s;
		t->sum.bytes_per_s += t->rows[i].traffic.bytes_per_s;
		t->sum.flows_per_s += t->rows[i].traffic.flows_per_s;
	}
}

/* Takes the ownership of @rows. */
static void replace_rows(struct top *t, struct top_row *rows, size_t n)
{
	free(t->rows);
	t->rows = rows;
	t->n = t->n_all = n;
	add_up(t);
}

static int fetch_services(struct top *t, struct stats_client *c, struct client_error *e)
{
	auto_free struct view_service *s = NULL;
	struct top_row *rows;
	size_t n = 0, i;
	int err = stats_client_services(c, NULL, &s, &n, e);

	if (err)
		return err;
	rows = calloc(n + 1, sizeof(*rows));
	if (!rows)
		return client_fail(e, -ENOMEM, "out of memory");
	t->usable = t->backends = 0;
	for (i = 0; i < n; i++) {
		take_service(&rows[i], &s[i]);
		t->usable += s[i].usable;
		t->backends += s[i].backends;
	}
	replace_rows(t, rows, n);
	return 0;
}

static int fetch_backends(struct top *t, struct stats_client *c, struct client_error *e)
{
	auto_free struct view_backend *b = NULL;
	struct top_row *rows;
	size_t n = 0, i;
	int err = stats_client_backends(c, t->service, &b, &n, e);

	if (err)
		return err;
	rows = calloc(n + 1, sizeof(*rows));
	if (!rows)
		return client_fail(e, -ENOMEM, "out of memory");
	t->usable = 0;
	t->backends = (uint32_t)n;
	for (i = 0; i < n; i++) {
		take_backend(&rows[i], &b[i]);
		t->usable += rows[i].colour && strcmp(rows[i].colour, "green") == 0;
	}
	replace_rows(t, rows, n);
	return 0;
}

int top_fetch(struct top *t, const struct cli *cli, struct client_error *e)
{
	auto_client struct stats_client *c = NULL;
	int err = stats_client_open(cli->run_dir, cli->instance, &c, e);

	if (!err)
		err = t->service[0] ? fetch_backends(t, c, e) : fetch_services(t, c, e);
	snprintf(t->error, sizeof(t->error), "%.511s", err ? e->text : "");
	return err;
}

/* ---- order ------------------------------------------------------------------------------------*/

static int more_first(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

static int in_order(const void *x, const void *y, void *arg)
{
	const struct top_row *a = x, *b = y;
	const struct top *t = arg;
	int order = 0;

	switch (t->sort) {
	case TOP_BY_PACKETS:
		order = more_first(a->traffic.packets_per_s, b->traffic.packets_per_s);
		break;
	case TOP_BY_BYTES:
		order = more_first(a->traffic.bytes_per_s, b->traffic.bytes_per_s);
		break;
	case TOP_BY_FLOWS:
		order = more_first(a->traffic.flows_per_s, b->traffic.flows_per_s);
		break;
	case TOP_BY_STATE:
		order = b->trouble - a->trouble;
		break;
	default:
		break;
	}
	if (order == 0)
		order = strverscmp(a->name, b->name);
	return t->reversed ? -order : order;
}

/* Those that the filter lets pass first, in the order in which they are; returns how many. */
static size_t part(struct top *t)
{
	size_t i, n = 0;

	for (i = 0; i < t->n_all; i++) {
		struct top_row row = t->rows[i];

		if (!strcasestr(row.name, t->filter))
			continue;
		t->rows[i] = t->rows[n];
		t->rows[n++] = row;
	}
	return n;
}

void top_select(struct top *t, size_t at)
{
	t->at = at < t->n ? at : t->n ? t->n - 1 : 0;
	if (t->n)
		snprintf(t->selected, sizeof(t->selected), "%s", t->rows[t->at].name);
}

void top_arrange(struct top *t)
{
	size_t i;

	if (!t->rows)
		return;
	t->n = part(t);
	qsort_r(t->rows, t->n, sizeof(*t->rows), in_order, t);
	for (i = 0; i < t->n; i++)
		if (strcmp(t->rows[i].name, t->selected) == 0)
			break;
	/* Who has not moved stays at the top, and sees who comes there. */
	top_select(t, t->at == 0 || i == t->n ? t->at : i);
}

void top_fini(struct top *t)
{
	free(t->rows);
}
