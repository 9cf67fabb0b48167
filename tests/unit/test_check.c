/* SPDX-License-Identifier: BSD-2-Clause */
/* Results of probes: their short names, what they say of a backend, and which are none. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "pure/check.h"

static void is_named(enum check_code code, uint8_t layer, int detail, const char *want)
{
	struct check_result r = {.code = code, .layer = layer, .detail = detail};
	char name[CHECK_NAME_MAX];

	assert_string_equal(check_name(&r, name), want);
}

static void names_join_layer_and_ending(void **state)
{
	(void)state;
	is_named(CHECK_OK, CHECK_LAYER_3, 0, "L3OK");
	is_named(CHECK_OK, CHECK_LAYER_4, 0, "L4OK");
	is_named(CHECK_OK, CHECK_LAYER_6, 0, "L6OK");
	is_named(CHECK_OK, CHECK_LAYER_7, 200, "L7OK");
	is_named(CHECK_TIMEOUT, CHECK_LAYER_4, 0, "L4TOUT");
	is_named(CHECK_TIMEOUT, CHECK_LAYER_6, 0, "L6TOUT");
	is_named(CHECK_TIMEOUT, CHECK_LAYER_7, 0, "L7TOUT");
	is_named(CHECK_REFUSED, CHECK_LAYER_4, 111, "L4CON");
	is_named(CHECK_UNREACHABLE, CHECK_LAYER_3, 113, "L3CON");
	is_named(CHECK_CONNECT_FAILED, CHECK_LAYER_4, 13, "L4CON");
	is_named(CHECK_BAD_CERTIFICATE, CHECK_LAYER_6, 10, "L6RSP");
	is_named(CHECK_CLOSED, CHECK_LAYER_6, 0, "L6RSP");
	is_named(CHECK_NO_MATCH, CHECK_LAYER_7, 0, "L7RSP");
	is_named(CHECK_BAD_STATUS, CHECK_LAYER_7, 503, "L7STS 503");
	is_named(CHECK_SAYS_DOWN, CHECK_LAYER_7, 0, "L7STS");
	is_named(CHECK_OK, CHECK_LAYER_PROGRAM, 0, "PROCOK");
	is_named(CHECK_TIMEOUT, CHECK_LAYER_PROGRAM, 0, "PROCTOUT");
	is_named(CHECK_BAD_STATUS, CHECK_LAYER_PROGRAM, 3, "PROCERR 3");
	is_named(CHECK_KILLED, CHECK_LAYER_PROGRAM, 11, "PROCERR");
	is_named(CHECK_NO_RESOURCES, CHECK_LAYER_4, 24, "SOCKERR");
	is_named(CHECK_CANNOT_ASK, CHECK_LAYER_NONE, 0, "CONFERR");
}

static void only_what_the_backend_did_counts(void **state)
{
	(void)state;
	for (int code = 0; code < CHECK_CODE_MAX; code++) {
		struct check_result r = {.code = code};
		enum check_verdict want = CHECK_BAD;

		if (code == CHECK_OK)
			want = CHECK_GOOD;
		if (code == CHECK_NO_RESOURCES || code == CHECK_CANNOT_ASK)
			want = CHECK_NO_VERDICT;
		assert_int_equal(check_verdict(&r), want);
	}
}

static void what_no_probe_reports_is_not_sane(void **state)
{
	const struct check_result good = {.layer = CHECK_LAYER_7, .text = "HTTP status 200"};
	struct check_result r = good;

	(void)state;
	assert_true(check_is_sane(&good));
#define INSANE(change)                                                                             \
	do {                                                                                       \
		r = good;                                                                          \
		change;                                                                            \
		assert_false(check_is_sane(&r));                                                   \
	} while (0)
	INSANE(r.code = CHECK_CODE_MAX);
	INSANE(r.code = (enum check_code) - 1);
	INSANE(r.layer = 8);
	INSANE(r.notes = 32);
	INSANE(r.weight_percent = CHECK_WEIGHT_PERCENT_MAX + 1);
	INSANE(r.text[0] = '\0');
	INSANE(r.text[3] = '\n');
	INSANE(r.text[3] = '\x1b');
	INSANE(r.text[3] = '\x80');
	INSANE(memset(r.text, 'x', sizeof(r.text)));
#undef INSANE
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_join_layer_and_ending),
		cmocka_unit_test(only_what_the_backend_did_counts),
		cmocka_unit_test(what_no_probe_reports_is_not_sane),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
