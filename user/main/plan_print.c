/* SPDX-License-Identifier: BSD-2-Clause */
#include "main/plan_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "main/json.h"
#include "main/wrap.h"

bool plan_has_changes(const struct plan_rows *rows)
{
	size_t i;

	for (i = 0; i < rows->n; i++)
		if (rows->list[i].kind != SHUNT_PLAN_WHOLE &&
		    rows->list[i].kind != SHUNT_PLAN_WARNING)
			return true;
	return false;
}

/* ---- for people ---------------------------------------------------------------------------------*/

static char mark(enum shunt_plan_change c)
{
	switch (c) {
	case SHUNT_PLAN_ADDED:
		return '+';
	case SHUNT_PLAN_LEAVES:
	case SHUNT_PLAN_REMOVED:
		return '-';
	default:
		return '~';
	}
}

static const char *colour(const struct cli *cli, enum shunt_plan_change c)
{
	if (!cli->colour)
		return "";
	return mark(c) == '+' ? "\033[32m" : mark(c) == '-' ? "\033[31m" : "\033[33m";
}

/* One line, marked and folded: @depth levels in. */
static void line(const struct cli *cli, int depth, enum shunt_plan_change change, const char *text)
{
	const char *on = colour(cli, change), *off = *on ? "\033[0m" : "";
	char lead[32];

	fprintf(cli->out, "%s", on);
	snprintf(lead, sizeof(lead), "%*s%c ", 4 * depth, "", mark(change));
	wrap_hang(cli->out, cli->width ? cli->width : 10000, lead, 4 * depth + 2, text);
	fprintf(cli->out, "%s", off);
}

static const char *given(const char *value)
{
	return *value ? value : "(none)";
}

static void print_setting(const struct cli *cli, int depth, const struct view_plan *r)
{
	char text[320];

	if (!r->from[0] && !r->to[0])
		snprintf(text, sizeof(text), "%s", r->key);
	else
		snprintf(text, sizeof(text), "%s: %s -> %s", r->key, given(r->from), given(r->to));
	line(cli, depth, SHUNT_PLAN_CHANGED, text);
}

/* "29%", "0.4%", of @whole. */
static const char *share(uint64_t part, uint64_t whole, char out[static 16])
{
	const double percent = whole ? 100.0 * (double)part / (double)whole : 0;

	if (part && percent < 0.1)
		snprintf(out, 16, "<0.1%%");
	else
		snprintf(out, 16, percent < 10 ? "%.1f%%" : "%.0f%%", percent);
	return out;
}

static void flows_words(const struct view_plan *r, char *out, size_t size)
{
	char lost[16], known[48] = "";

	if (r->flows_known)
		snprintf(known, sizeof(known), " (%" PRIu64 ")", r->flows);
	if (r->change == SHUNT_PLAN_REMOVED)
		snprintf(out, size, "its live flows%s end", known);
	else if (!r->flows_moved)
		snprintf(out, size, "live flows%s stay where they are", known);
	else
		snprintf(out, size, "about %s of its live flows%s lose their backend",
			 share(r->flows_moved, 1000000, lost), known);
}

static void print_service(const struct cli *cli, const struct view_plan *r)
{
	char text[768], flows[128], moved[16];
	const char *plural = r->backends == 1 ? "" : "s";

	flows_words(r, flows, sizeof(flows));
	if (r->change == SHUNT_PLAN_ADDED)
		snprintf(text, sizeof(text), "service %s, %s, %" PRIu32 " backend%s", r->service,
			 r->text, r->backends, plural);
	else if (r->change == SHUNT_PLAN_REMOVED)
		snprintf(text, sizeof(text), "service %s, %s: removed: %s", r->service, r->text,
			 flows);
	else if (r->slots_moved || r->flows_moved)
		snprintf(text, sizeof(text),
			 "service %s: %s of the slots (%" PRIu32 " of %" PRIu32
			 ") give new flows to another backend; %s",
			 r->service, share(r->slots_moved, r->slots, moved), r->slots_moved,
			 r->slots, flows);
	else
		snprintf(text, sizeof(text), "service %s: no slot moves; %s", r->service, flows);
	line(cli, 0, r->change, text);
}

static void print_backend(const struct cli *cli, const struct view_plan *r)
{
	const char *what = "";
	char text[768];

	if (r->change == SHUNT_PLAN_LEAVES)
		what = ": leaves: no new flows, and gone when those that it has have ended";
	else if (r->change == SHUNT_PLAN_REMOVED)
		what = ": removed at once";
	snprintf(text, sizeof(text), "backend %s, %s%s: slots %" PRIu32 " -> %" PRIu32, r->backend,
		 r->text, what, r->slots_before, r->slots);
	line(cli, 1, r->change, text);
}

static void print_warning(const struct cli *cli, const struct view_plan *r)
{
	const char *on = cli->colour ? "\033[33m" : "", *off = cli->colour ? "\033[0m" : "";

	fprintf(cli->out, "%s", on);
	wrap_hang(cli->out, cli->width ? cli->width : 10000, "! ", 2, r->text);
	fprintf(cli->out, "%s", off);
}

static void print_row(const struct cli *cli, const struct view_plan *r)
{
	switch (r->kind) {
	case SHUNT_PLAN_SETTING:
		print_setting(cli, !r->service[0] ? 0 : r->backend[0] ? 2 : 1, r);
		break;
	case SHUNT_PLAN_OF_SERVICE:
		print_service(cli, r);
		break;
	case SHUNT_PLAN_OF_BACKEND:
		print_backend(cli, r);
		break;
	case SHUNT_PLAN_WARNING:
		print_warning(cli, r);
		break;
	default:
		break;
	}
}

static void print_counts(const struct cli *cli, const struct plan_rows *rows)
{
	static const char *const words[] = {"added", "changed", "removed"};
	size_t count[2][SHUNT_PLAN_CHANGE_MAX + 1] = {{0}}, i, k, used = 0;
	char text[320];

	for (i = 0; i < rows->n; i++)
		if (rows->list[i].kind == SHUNT_PLAN_OF_SERVICE ||
		    rows->list[i].kind == SHUNT_PLAN_OF_BACKEND)
			count[rows->list[i].kind == SHUNT_PLAN_OF_BACKEND][rows->list[i].change]++;
	for (k = 0; k < 2; k++) {
		const size_t n[] = {count[k][SHUNT_PLAN_ADDED], count[k][SHUNT_PLAN_CHANGED],
				    count[k][SHUNT_PLAN_REMOVED] + count[k][SHUNT_PLAN_LEAVES]};

		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "%s: ", k ? "; backends" : "services");
		for (i = 0; i < 3; i++)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%zu %s",
						 i ? ", " : "", n[i], words[i]);
	}
	wrap_hang(cli->out, cli->width ? cli->width : 10000, "", 0, text);
}

void plan_print(const struct cli *cli, const struct plan_rows *rows)
{
	size_t i;

	if (!plan_has_changes(rows))
		fprintf(cli->out, "%s: nothing would change\n", rows->list[0].text);
	for (i = 0; i < rows->n; i++)
		print_row(cli, &rows->list[i]);
	if (plan_has_changes(rows))
		print_counts(cli, rows);
}

/* ---- as JSON ------------------------------------------------------------------------------------*/

/* Those of one service or backend, which begin at *i, if there are any; *i becomes the place behind them. */
static void json_settings(struct json *j, const struct plan_rows *rows, size_t *i)
{
	size_t at;

	json_list(j, "settings");
	for (at = *i; at < rows->n && rows->list[at].kind == SHUNT_PLAN_SETTING; at++) {
		const struct view_plan *r = &rows->list[at];

		json_object(j, NULL);
		json_text(j, "key", r->key);
		json_text_or_null(j, "from", r->from);
		json_text_or_null(j, "to", r->to);
		json_object_end(j);
	}
	json_list_end(j);
	*i = at;
}

static const char *change_name(enum shunt_plan_change c)
{
	static const char *const names[SHUNT_PLAN_CHANGE_MAX] = {
		[SHUNT_PLAN_SAME] = "same",	  [SHUNT_PLAN_ADDED] = "added",
		[SHUNT_PLAN_CHANGED] = "changed", [SHUNT_PLAN_LEAVES] = "leaves",
		[SHUNT_PLAN_REMOVED] = "removed",
	};

	return c < SHUNT_PLAN_CHANGE_MAX ? names[c] : "?";
}

static void json_backend(struct json *j, const struct plan_rows *rows, size_t *i)
{
	const struct view_plan *r = &rows->list[(*i)++];

	json_object(j, NULL);
	json_text(j, "name", r->backend);
	json_text(j, "change", change_name(r->change));
	json_text(j, "address", r->text);
	json_number(j, "slots", r->slots);
	json_number(j, "slots_before", r->slots_before);
	json_settings(j, rows, i);
	json_object_end(j);
}

static void json_service(struct json *j, const struct plan_rows *rows, size_t *i)
{
	const struct view_plan *r = &rows->list[(*i)++];

	json_object(j, NULL);
	json_text(j, "name", r->service);
	json_text(j, "change", change_name(r->change));
	json_text(j, "address", r->text);
	json_number(j, "backends_after", r->backends);
	json_number(j, "slots", r->slots);
	json_number(j, "slots_before", r->slots_before);
	json_number(j, "slots_moved", r->slots_moved);
	json_number(j, "flows_moved_ppm", r->flows_moved);
	if (r->flows_known)
		json_number(j, "flows", r->flows);
	else
		json_text_or_null(j, "flows", "");
	json_settings(j, rows, i);
	json_list(j, "backends");
	while (*i < rows->n && rows->list[*i].kind == SHUNT_PLAN_OF_BACKEND)
		json_backend(j, rows, i);
	json_list_end(j);
	json_object_end(j);
}

void plan_print_json(const struct cli *cli, const struct plan_rows *rows)
{
	struct json j;
	size_t i = 1;

	json_open(&j, cli->out, false);
	json_text(&j, "file", rows->list[0].text);
	json_bool(&j, "changes", plan_has_changes(rows));
	json_number(&j, "services_after", rows->list[0].services);
	json_number(&j, "backends_after", rows->list[0].backends);
	json_settings(&j, rows, &i);
	json_list(&j, "services");
	while (i < rows->n && rows->list[i].kind == SHUNT_PLAN_OF_SERVICE)
		json_service(&j, rows, &i);
	json_list_end(&j);
	json_list(&j, "warnings");
	for (; i < rows->n; i++)
		json_text(&j, NULL, rows->list[i].text);
	json_list_end(&j);
	json_close(&j);
}
