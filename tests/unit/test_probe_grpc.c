/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said of replies to grpc.health.v1.Health/Check. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "io/probe_grpc.h"

/* A message of five bytes of header and field 1, a number (GRPC over HTTP2, Length-Prefixed-Message). */
#define HEALTH(n)                                                                                  \
	{                                                                                          \
		0, 0, 0, 0, 2, 8, n                                                                \
	}

static void replies_are_told(void **state)
{
	static const struct {
		int status;
		const char *message;
		uint8_t reply[7];
		size_t len;
		enum check_code code;
		const char *text;
	} rows[] = {
		{0, "", HEALTH(1), 7, CHECK_OK, "service is SERVING"},
		{0, "", HEALTH(2), 7, CHECK_SAYS_DOWN, "service is NOT_SERVING"},
		{0, "", HEALTH(9), 7, CHECK_SAYS_DOWN, "service is in an unknown state"},
		{-1, "", {0}, 0, CHECK_BAD_REPLY, "reply is not gRPC"},
		{0,
		 "",
		 {1, 2, 3},
		 3,
		 CHECK_BAD_REPLY,
		 "reply is not that of grpc.health.v1.Health"},
		{14, "go away", {0}, 0, CHECK_BAD_STATUS, "gRPC status 14: go away"},
		{14, "", {0}, 0, CHECK_BAD_STATUS, "gRPC status 14"},
		{12,
		 "",
		 {0},
		 0,
		 CHECK_BAD_STATUS,
		 "server does not implement grpc.health.v1.Health"},
	};
	const struct probe_question q = {0};
	struct check_result r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		probe_grpc_judge(&q, rows[i].status, rows[i].message, rows[i].reply, rows[i].len,
				 &r);
		assert_int_equal(r.code, rows[i].code);
		assert_string_equal(r.text, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(replies_are_told)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
