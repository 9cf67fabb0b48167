/* SPDX-License-Identifier: BSD-2-Clause */
/* An event as programs are told it: as JSON, and as the variables of an environment. */
#ifndef SHUNT_EVENT_TEXT_H
#define SHUNT_EVENT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "pure/msg.h"

#define EVENT_JSON_MAX 8192 /* longer than any event: each byte may need six */
#define EVENT_VARIABLES 12
#define EVENT_VARIABLE_MAX 640

/* One line, an object with the members that shunt events --json has, but no seq. Returns @out. */
const char *event_json(const struct msg_event *e, char out[static EVENT_JSON_MAX]);

/* Variable @i, "SHUNT_SERVICE=web", of EVENT_VARIABLES; empty ones too. Returns @out. */
const char *event_variable(const struct msg_event *e, size_t i,
			   char out[static EVENT_VARIABLE_MAX]);

/* What the journal knows entries of such a kind by: 32 hexadecimal digits, which no version changes.
 * configs/shunt.catalog has words for each. */
const char *event_message_id(enum shunt_event_kind kind);

/* Whether somebody wants to be told: not of what comes up when the daemon starts, nor of slots. */
bool event_is_news(const struct msg_event *e);

#endif
