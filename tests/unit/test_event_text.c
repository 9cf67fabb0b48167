/* SPDX-License-Identifier: BSD-2-Clause */
/* Events as programs are told them. */
#include "pure/event_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

static struct msg_event event_of(void)
{
	return (struct msg_event){
		.kind = SHUNT_EVENT_HEALTH,
		.instance = "default",
		.service = "web",
		.backend = "b\"1",
		.text = "it said \x01\\",
		.change = {.time_ms = 1700000000123,
			   .from = STANDING_UP,
			   .to = STANDING_DOWN,
			   .code = "L4CON",
			   .reason = "gr\xc3\xbc\xc3\x9f"},
	};
}

static void json_is_one_line_with_what_is_strange_escaped(void **state)
{
	const struct msg_event e = event_of();
	char out[EVENT_JSON_MAX];

	(void)state;
	assert_string_equal(
		event_json(&e, out),
		"{\"time_ms\": 1700000000123, \"kind\": \"health\", \"instance\": \"default\", "
		"\"service\": \"web\", \"backend\": \"b\\\"1\", \"from\": \"up\", \"to\": "
		"\"down\", "
		"\"code\": \"L4CON\", \"check\": null, \"by\": null, "
		"\"reason\": \"gr\xc3\xbc\xc3\x9f\", \"text\": \"it said \\u0001\\\\\"}\n");
}

static void the_longest_json_fits(void **state)
{
	struct msg_event e;
	char out[EVENT_JSON_MAX];

	(void)state;
	memset(&e, 0x01, sizeof(e));
	e.kind = SHUNT_EVENT_HEALTH;
	e.change.from = e.change.to = STANDING_DOWN;
	e.instance[sizeof(e.instance) - 1] = e.service[sizeof(e.service) - 1] = '\0';
	e.backend[sizeof(e.backend) - 1] = e.text[sizeof(e.text) - 1] = '\0';
	e.change.code[sizeof(e.change.code) - 1] = e.change.check[sizeof(e.change.check) - 1] =
		'\0';
	e.change.by[sizeof(e.change.by) - 1] = '\0';
	e.change.reason[sizeof(e.change.reason) - 1] = '\0';
	event_json(&e, out);
	assert_string_equal(out + strlen(out) - 3, "\"}\n");
}

static void variables_have_names_and_values(void **state)
{
	const struct msg_event e = event_of();
	char out[EVENT_VARIABLE_MAX];

	(void)state;
	assert_string_equal(event_variable(&e, 0, out), "SHUNT_TIME_MS=1700000000123");
	assert_string_equal(event_variable(&e, 4, out), "SHUNT_BACKEND=b\"1");
	assert_string_equal(event_variable(&e, 8, out), "SHUNT_CHECK=");
	assert_string_equal(event_variable(&e, EVENT_VARIABLES - 1, out),
			    "SHUNT_TEXT=it said \x01\\");
}

static void what_comes_up_at_the_start_is_no_news(void **state)
{
	struct msg_event e = event_of();

	(void)state;
	assert_true(event_is_news(&e));
	e.change.from = STANDING_STARTING;
	assert_true(event_is_news(&e));
	e.change.to = STANDING_UP;
	assert_false(event_is_news(&e));
	e.kind = SHUNT_EVENT_TRANSITION;
	assert_false(event_is_news(&e));
	e.kind = SHUNT_EVENT_EDITED;
	assert_true(event_is_news(&e));
}

static void every_kind_has_an_id_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i <= SHUNT_EVENT_TRANSITION; i++) {
		assert_int_equal(strlen(event_message_id(i)), 32);
		assert_int_equal(strspn(event_message_id(i), "0123456789abcdef"), 32);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(event_message_id(i), event_message_id(k));
	}
	assert_string_equal(event_message_id(200), event_message_id(SHUNT_EVENT_OTHER));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_one_line_with_what_is_strange_escaped),
		cmocka_unit_test(the_longest_json_fits),
		cmocka_unit_test(variables_have_names_and_values),
		cmocka_unit_test(every_kind_has_an_id_of_its_own),
		cmocka_unit_test(what_comes_up_at_the_start_is_no_news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
