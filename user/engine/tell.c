/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens, told: a line to the log with the event's members as its fields, and the event itself to
 * whoever listens. */
#include "engine/state.h"
#include "engine/web.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "io/stats_server.h"
#include "pure/event_text.h"

/* A link that flaps under ten thousand services is not worth a hundred thousand lines, nor the time
 * that it takes to write them. */
static bool may_log(struct engine *e)
{
	if (mono_diff_us(e->lines_since, mono_now()) >= 1000000)
		engine_lines_end(e);
	if (e->lines_said++ < ENGINE_LINES_A_SECOND)
		return true;
	e->lines_left_out++;
	return false;
}

void engine_lines_end(struct engine *e)
{
	if (e->lines_left_out)
		log_warning("%zu more changes of backends and services than these were not logged",
			    e->lines_left_out);
	e->lines_said = e->lines_left_out = 0;
	e->lines_since = mono_now();
}

void engine_warn(struct engine *e, const char *format, ...)
{
	va_list args;

	if (!may_log(e))
		return;
	va_start(args, format);
	log_vwrite(LOG_LEVEL_WARNING, format, args);
	va_end(args);
}

static void to_log(enum log_level level, const struct msg_event *event, const char *text)
{
	char variables[EVENT_VARIABLES][EVENT_VARIABLE_MAX], id[64];
	const char *fields[EVENT_VARIABLES + 1];
	size_t n = 0;

	snprintf(id, sizeof(id), "MESSAGE_ID=%s", event_message_id(event->kind));
	fields[n++] = id;
	/* The first and the last are the entry's own: its time and its text. */
	for (size_t i = 1; i < EVENT_VARIABLES - 1; i++)
		fields[n++] = event_variable(event, i, variables[i]);
	log_fields(level, text, fields, n);
}

/* What may be said of thousands of services or backends at once. */
static bool is_of_many(enum shunt_event_kind kind)
{
	return kind != SHUNT_EVENT_STARTED && kind != SHUNT_EVENT_RELOADED &&
	       kind != SHUNT_EVENT_RELOAD_REFUSED;
}

static void say(struct engine *e, enum log_level level, struct msg_event *event, const char *text)
{
	if (level <= log_level() && (!is_of_many(event->kind) || may_log(e))) {
		snprintf(event->instance, sizeof(event->instance), "%s", e->conf->instance);
		to_log(level, event, text);
	}
	if (e->stats)
		stats_server_event(e->stats, event);
	if (event->kind < sizeof(e->happened) / sizeof(e->happened[0]))
		e->happened[event->kind]++;
	webs_tell(e, event);
	alerts_tell(e, event);
}

void engine_say(struct engine *e, struct msg_event *event)
{
	const bool failed = event->kind == SHUNT_EVENT_HEALTH &&
			    event->change.to == STANDING_DOWN &&
			    event->change.from != STANDING_DOWN;

	say(e, failed ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, event, event->text);
}

static enum log_level level_of(enum shunt_event_kind kind, const struct service *s)
{
	if (kind == SHUNT_EVENT_RELOAD_REFUSED)
		return LOG_LEVEL_ERROR;
	if (kind == SHUNT_EVENT_SERVICE_EMPTY && s && s->usable == 0)
		return LOG_LEVEL_WARNING;
	return LOG_LEVEL_INFO;
}

void engine_tell(struct engine *e, enum shunt_event_kind kind, const struct service *s,
		 const struct backend *b, const char *format, ...)
{
	struct msg_event event = {.kind = kind};
	char text[1024]; /* the event has room for less */
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	snprintf(event.text, sizeof(event.text), "%.*s", (int)sizeof(event.text) - 1, text);
	if (s)
		memcpy(event.service, s->name, sizeof(event.service));
	if (b)
		memcpy(event.backend, b->name, sizeof(event.backend));
	say(e, level_of(kind, s), &event, text);
}
