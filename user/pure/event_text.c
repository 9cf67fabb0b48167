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

const char *event_message_id(enum shunt_event_kind kind)
{
	static const char *const ids[] = {
		[SHUNT_EVENT_OTHER] = "40e3389a96f94d68903c708dec5a9b6e",
		[SHUNT_EVENT_STARTED] = "8b3613b4cf5d40f6a0504b99ce2539e4",
		[SHUNT_EVENT_RELOADED] = "df6e6af3af6c4892aa6de1616959f466",
		[SHUNT_EVENT_RELOAD_REFUSED] = "8cc3c9993f7748e0aa9c41df336a5783",
		[SHUNT_EVENT_EDITED] = "77b82509cdbb465d9f121970a3e1a77d",
		[SHUNT_EVENT_HEALTH] = "e27f09c87d8c4d33833efcabab655705",
		[SHUNT_EVENT_NEXTHOP] = "1fb166b082554d1fbde5caae2d7d267e",
		[SHUNT_EVENT_SERVICE_EMPTY] = "80ee29637e8f434c8b6add1881964561",
		[SHUNT_EVENT_INTERFACE] = "e7342d2f6fa84c8da346c0903c2d0ddf",
		[SHUNT_EVENT_DRAIN] = "1ee13519ac1b4f5d97de8a7a6f86137d",
		[SHUNT_EVENT_POOL] = "396a1e806a46451898153801a9c15dae",
		[SHUNT_EVENT_TRANSITION] = "334e10561b1c4174831ebfec9a54f028",
	};

	return (size_t)kind < sizeof(ids) / sizeof(ids[0]) && ids[kind] ? ids[kind] : ids[0];
}

bool event_is_news(const struct msg_event *e)
{
	if (e->kind == SHUNT_EVENT_HEALTH)
		return e->change.from != STANDING_STARTING || e->change.to != STANDING_UP;
	return e->kind == SHUNT_EVENT_EDITED || e->kind == SHUNT_EVENT_NEXTHOP ||
	       e->kind == SHUNT_EVENT_SERVICE_EMPTY || e->kind == SHUNT_EVENT_DRAIN ||
	       e->kind == SHUNT_EVENT_POOL;
}
