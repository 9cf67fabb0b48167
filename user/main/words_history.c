/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes of backends as JSON. */
#include "main/words.h"
#include "pure/history.h"

void words_json_change_keys(struct json *j, const struct history_event *c)
{
	json_text(j, "from", standing_name(c->from));
	json_text(j, "to", standing_name(c->to));
	json_text_or_null(j, "code", c->code);
	json_text_or_null(j, "check", c->check);
	json_number(j, "latency_us", c->latency_us);
	json_text_or_null(j, "by", c->by);
	json_text_or_null(j, "reason", c->reason);
}

void words_json_change(struct json *j, const struct history_event *c)
{
	json_object(j, NULL);
	json_number(j, "time_ms", c->time_ms);
	words_json_change_keys(j, c);
	json_object_end(j);
}
