/* SPDX-License-Identifier: BSD-2-Clause */
/* Results in words, and which questions can be asked. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "io/probe_http.h"
#include "io/probe_msg.h"

static void question_text(struct probe_question *q, enum conf_check_text which, const char *text)
{
	assert_int_equal(probe_question_set(q, which, text, strlen(text)), 0);
}

static struct probe_question http_question(void)
{
	struct probe_question q = {
		.addr = {.family = 4, .bytes = {192, 0, 2, 1}},
		.port = 80,
		.kind = CONF_CHECK_HTTP,
		.interval_ms = 2000,
		.timeout_ms = 1000,
	};

	question_text(&q, CONF_TEXT_PATH, "/healthz");
	question_text(&q, CONF_TEXT_EXPECT, "ok");
	return q;
}

static void says(const struct probe_question *q, enum check_code code, int detail, const char *want)
{
	struct check_result r = {.code = code, .layer = CHECK_LAYER_7, .detail = detail};

	probe_result_words(&r, q);
	assert_string_equal(r.text, want);
}

static void no_answer_says(const struct probe_question *q, const char *want)
{
	struct check_result r = {.code = CHECK_TIMEOUT, .layer = CHECK_LAYER_4};

	probe_result_words(&r, q);
	assert_string_equal(r.text, want);
}

static void every_result_has_words(void **state)
{
	struct probe_question q = http_question();

	(void)state;
	says(&q, CHECK_OK, 204, "HTTP status 204 and the expected text");
	no_answer_says(&q, "no answer to connect within 1 s");
	says(&q, CHECK_REFUSED, ECONNREFUSED, "connection refused");
	says(&q, CHECK_UNREACHABLE, EHOSTUNREACH, "host unreachable");
	says(&q, CHECK_UNREACHABLE, ENETUNREACH, "network unreachable");
	says(&q, CHECK_CONNECT_FAILED, EACCES, "connect failed: Permission denied");
	says(&q, CHECK_TIMEOUT, 0, "no whole reply within 1 s");
	says(&q, CHECK_CLOSED, 0, "connection closed before a whole reply");
	says(&q, CHECK_BAD_REPLY, PROBE_FAULT_NOT_HTTP, "reply is not HTTP");
	says(&q, CHECK_BAD_REPLY, PROBE_FAULT_HEADERS, "reply has more than 64 KiB of headers");
	says(&q, CHECK_BAD_REPLY, PROBE_FAULT_LENGTH, "reply is longer than 512 KiB");
	says(&q, CHECK_BAD_STATUS, 503, "HTTP status 503, wanted 200-399");
	says(&q, CHECK_NO_MATCH, 0, "reply does not contain \"ok\"");
	says(&q, CHECK_NO_RESOURCES, EMFILE, "could not probe: Too many open files");
	question_text(&q, CONF_TEXT_EXPECT, "");
	says(&q, CHECK_OK, 204, "HTTP status 204");
	q.kind = CONF_CHECK_TCP;
	says(&q, CHECK_OK, 0, "connected");
}

static void words_name_what_was_configured(void **state)
{
	struct probe_question q = http_question();

	(void)state;
	q.timeout_ms = 250;
	says(&q, CHECK_TIMEOUT, 0, "no whole reply within 250 ms");
	q.timeout_ms = 1500;
	no_answer_says(&q, "no answer to connect within 1.5 s");
	q.statuses = 3;
	q.status[0] = (struct conf_status_range){200, 200};
	q.status[1] = (struct conf_status_range){204, 206};
	q.status[2] = (struct conf_status_range){404, 404};
	says(&q, CHECK_BAD_STATUS, 302, "HTTP status 302, wanted 200, 204-206, 404");
}

static void long_and_odd_texts_stay_on_their_line(void **state)
{
	struct probe_question q = http_question();
	char many[256] = {0};

	(void)state;
	question_text(&q, CONF_TEXT_EXPECT, "two\r\nlines\x1b[31m");
	says(&q, CHECK_NO_MATCH, 0, "reply does not contain \"two..lines.[31m\"");
	memset(many, 'x', sizeof(many) - 1);
	question_text(&q, CONF_TEXT_EXPECT, many);
	says(&q, CHECK_NO_MATCH, 0,
	     "reply does not contain \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\"");
}

static int asked(const struct probe_question *q)
{
	struct probe_question out;

	return probe_question_normalize(q, &out);
}

static void questions_that_cannot_be_asked_are_refused(void **state)
{
	struct probe_question good = http_question(), q;

	(void)state;
	assert_int_equal(asked(&good), 0);
#define REFUSED(change)                                                                            \
	do {                                                                                       \
		q = good;                                                                          \
		change;                                                                            \
		assert_int_equal(asked(&q), -EINVAL);                                              \
	} while (0)
	REFUSED(q.addr.family = 0);
	REFUSED(q.port = 0);
	REFUSED(q.kind = CONF_CHECK_NONE);
	REFUSED(q.kind = CONF_CHECK_KIND_MAX);
	REFUSED(q.interval_ms = 0);
	REFUSED(q.jitter = 51);
	REFUSED(q.timeout_ms = 0);
	REFUSED(question_text(&q, CONF_TEXT_PATH, "healthz"));
	REFUSED(question_text(&q, CONF_TEXT_PATH, "/a b"));
	REFUSED(question_text(&q, CONF_TEXT_PATH, "/a HTTP/1.1\r\nX: y"));
	REFUSED(question_text(&q, CONF_TEXT_HOST, "a\r\nX: y"));
	REFUSED(question_text(&q, CONF_TEXT_SNI, "a b"));
	REFUSED(question_text(&q, CONF_TEXT_HEADERS, "X: y")); /* no NUL of its own at the end */
	REFUSED(question_text(&q, CONF_TEXT_COMMAND, "/bin/true"));
	REFUSED(q.statuses = CONF_STATUS_RANGES + 1);
	REFUSED(q.text_len[CONF_TEXT_ENVIRONMENT] = PROBE_TEXTS_MAX);
	REFUSED(q.text_len[CONF_TEXT_EXPECT]--);
	REFUSED(q.texts[strlen("/healthz")] = 'x');
#undef REFUSED
}

static void equal_questions_are_equal_in_memory(void **state)
{
	struct probe_question a, b, x, y;

	(void)state;
	memset(&a, 0xaa, sizeof(a));
	memset(&b, 0xbb, sizeof(b));
	a.addr.family = b.addr.family = 4;
	memcpy(a.addr.bytes, "\300\0\2\1", 4);
	memcpy(b.addr.bytes, "\300\0\2\1", 4);
	a.from.family = b.from.family = 0;
	a.port = b.port = 80;
	a.kind = b.kind = CONF_CHECK_TCP;
	a.jitter = b.jitter = 10;
	a.from.family = b.from.family = 0;
	a.statuses = b.statuses = 0;
	a.tls = a.verify = b.tls = b.verify = 0;
	a.record = a.transport = b.record = b.transport = 0;
	a.expiry_warn_days = b.expiry_warn_days = 0;
	memset(a.text_len, 0, sizeof(a.text_len));
	memset(b.text_len, 0, sizeof(b.text_len));
	a.interval_ms = b.interval_ms = a.timeout_ms = b.timeout_ms = 1000;
	memset(&x, 0, sizeof(x));
	memset(&y, 0xff, sizeof(y));
	assert_int_equal(probe_question_normalize(&a, &x), 0);
	assert_int_equal(probe_question_normalize(&b, &y), 0);
	assert_int_equal(probe_question_size(&x), probe_question_size(&y));
	assert_memory_equal(&x, &y, probe_question_size(&x));
	b.interval_ms++;
	assert_int_equal(probe_question_normalize(&b, &y), 0);
	assert_memory_not_equal(&x, &y, probe_question_size(&x));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_result_has_words),
		cmocka_unit_test(words_name_what_was_configured),
		cmocka_unit_test(long_and_odd_texts_stay_on_their_line),
		cmocka_unit_test(questions_that_cannot_be_asked_are_refused),
		cmocka_unit_test(equal_questions_are_equal_in_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
