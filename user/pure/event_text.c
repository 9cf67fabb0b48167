/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/event_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct item {
	const char *json, *variable;
	const char *text;
};

static bool has_change(const struct msg_event *e)
{
	return e->change.from || e->change.to;
}

static void items_of(const struct msg_event *e, char time_ms[static 24],
		     struct item items[static EVENT_VARIABLES])
{
	const struct history_event *c = &e->change;
	const struct item all[EVENT_VARIABLES] = {
		{"time_ms", "TIME_MS", time_ms},
		{"kind", "KIND", view_event_name(e->kind)},
		{"instance", "INSTANCE", e->instance},
		{"service", "SERVICE", e->service},
		{"backend", "BACKEND", e->backend},
		{"from", "FROM", has_change(e) ? standing_name(c->from) : ""},
		{"to", "TO", has_change(e) ? standing_name(c->to) : ""},
		{"code", "CODE", c->code},
		{"check", "CHECK", c->check},
		{"by", "BY", c->by},
		{"reason", "REASON", c->reason},
		{"text", "TEXT", e->text},
	};

	snprintf(time_ms, 24, "%" PRIu64, c->time_ms);
	memcpy(items, all, sizeof(all));
}

static size_t put(char *out, size_t used, const char *text, size_t len)
{
	if (used + len >= EVENT_JSON_MAX)
		return used;
	memcpy(out + used, text, len);
	out[used + len] = '\0';
	return used + len;
}

/* Bytes beyond ASCII go as they are: names and reasons are UTF-8. */
static size_t put_quoted(char *out, size_t used, const char *text)
{
	char escape[8];

	used = put(out, used, "\"", 1);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			used = put(out, used, "\\", 1);
		if (c < ' ' || c == 0x7f) {
			snprintf(escape, sizeof(escape), "\\u%04x", c);
			used = put(out, used, escape, 6);
		} else {
			used = put(out, used, text, 1);
		}
	}
	return put(out, used, "\"", 1);
}

const char *event_json(const struct msg_event *e, char out[static EVENT_JSON_MAX])
{
	struct item items[EVENT_VARIABLES];
	char time_ms[24];
	size_t used;

	items_of(e, time_ms, items);
	used = put(out, 0, "{\"time_ms\": ", 12);
	used = put(out, used, time_ms, strlen(time_ms));
	for (size_t i = 1; i < EVENT_VARIABLES; i++) {
		used = put(out, used, ", ", 2);
		used = put_quoted(out, used, items[i].json);
		used = put(out, used, ": ", 2);
		used = items[i].text[0] ? put_quoted(out, used, items[i].text)
					: put(out, used, "null", 4);
	}
	put(out, used, "}\n", 2);
	return out;
}

const char *event_variable(const struct msg_event *e, size_t i, char out[static EVENT_VARIABLE_MAX])
{
	struct item items[EVENT_VARIABLES];
	char time_ms[24];

	items_of(e, time_ms, items);
	snprintf(out, EVENT_VARIABLE_MAX, "SHUNT_%s=%s", items[i].variable, items[i].text);
	return out;
}

bool event_is_news(const struct msg_event *e)
{
	if (e->kind == SHUNT_EVENT_HEALTH)
		return e->change.from != STANDING_STARTING || e->change.to != STANDING_UP;
	return e->kind == SHUNT_EVENT_EDITED || e->kind == SHUNT_EVENT_NEXTHOP ||
	       e->kind == SHUNT_EVENT_SERVICE_EMPTY || e->kind == SHUNT_EVENT_DRAIN ||
	       e->kind == SHUNT_EVENT_POOL;
}
