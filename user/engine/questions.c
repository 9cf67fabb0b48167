/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/questions.h"

#include <string.h>

#include "base/log.h"

/* What its kind says beyond address and time. */
static void question_of_kind(const struct conf_check *check, struct probe_question *q)
{
	memcpy(q->status, check->status, check->statuses * sizeof(q->status[0]));
	q->statuses = check->statuses;
	q->tls = check->tls == CONF_YES;
	q->verify = check->verify == CONF_YES;
	q->expiry_warn_days = check->expiry_warn_days;
	q->record = (uint8_t)check->record;
	q->transport = (uint8_t)check->transport;
	for (size_t i = 0; i < CONF_CHECK_TEXTS; i++) {
		const struct conf_text *t = &check->texts[i];

		/* There is room for the longest that a configuration can say. */
		if (t->len && probe_question_set(q, i, t->bytes, t->len) < 0)
			log_error("checks: a text of a check was left out, since it is too long");
	}
}

struct addr question_asked(const struct conf_service *s)
{
	struct addr a = s->vip;

	if (s->vip_bits < addr_bits(&a))
		a.bytes[addr_bits(&a) / 8 - 1] |= 1;
	return a;
}

void question_of(const struct conf_check *check, const struct conf_service *s,
		 const struct conf_backend *b, struct probe_question *q)
{
	memset(q, 0, sizeof(*q)); /* compared by memcmp */
	q->kind = check->kind;
	if (check->kind == CONF_CHECK_NONE)
		return;
	q->addr = b ? b->addr : check->target;
	if (b && conf_check_goes_path(check, b->forward)) {
		q->addr = question_asked(s);
		q->from.family = q->addr.family;
	}
	q->port = check->port || !b ? check->port : b->port;
	q->interval_ms = check->interval_ms;
	q->timeout_ms = check->timeout_ms;
	q->jitter = (uint8_t)check->jitter;
	question_of_kind(check, q);
}

bool questions_are_same(const struct conf_service *s, const struct conf_backend *b,
			const struct conf_service *s2, const struct conf_backend *b2)
{
	struct probe_question one, two;

	if (conf_service_checks(s) != conf_service_checks(s2))
		return false;
	for (size_t i = 0; i < conf_service_checks(s); i++) {
		question_of(conf_service_check(s, i), s, b, &one);
		question_of(conf_service_check(s2, i), s2, b2, &two);
		if (memcmp(&one, &two, sizeof(one)) != 0)
			return false;
	}
	return true;
}
