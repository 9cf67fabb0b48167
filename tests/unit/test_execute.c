/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "io/execute.h"

#include <cmocka.h>

static char text[64];

static int shell(const char *script, int within_ms)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};

	return execute("/bin/sh", argv, within_ms, text, sizeof(text));
}

static void both_outputs_and_the_status_come_back(void **state)
{
	(void)state;
	assert_int_equal(shell("echo one; echo two >&2; exit 3", 10000), 3);
	assert_string_equal(text, "one\ntwo");
	assert_int_equal(shell("exit 0", 10000), 0);
	assert_string_equal(text, "");
}

static void what_is_too_long_is_cut_and_read_to_its_end(void **state)
{
	(void)state;
	assert_int_equal(shell("i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i + 1)); "
			       "done; exit 4",
			       20000),
			 4);
	assert_int_equal(strlen(text), sizeof(text) - 1);
}

static void a_signal_is_told_from_a_status(void **state)
{
	(void)state;
	assert_int_equal(shell("kill -KILL $$", 10000), 128 + SIGKILL);
}

static void what_does_not_end_is_ended(void **state)
{
	(void)state;
	assert_int_equal(shell("echo begun; exec sleep 1000", 100), -ETIMEDOUT);
	assert_int_equal(shell("exec sleep 1000 >/dev/null 2>&1", 100), -ETIMEDOUT);
}

static void what_is_not_there_is_said_to_be(void **state)
{
	char *argv[] = {(char *)"none", NULL};

	(void)state;
	assert_int_equal(execute("/nonexistent/shuntd", argv, 1000, text, sizeof(text)), -ENOENT);
	assert_int_equal(execute("/etc/passwd", argv, 1000, text, sizeof(text)), -EACCES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_outputs_and_the_status_come_back),
		cmocka_unit_test(what_is_too_long_is_cut_and_read_to_its_end),
		cmocka_unit_test(a_signal_is_told_from_a_status),
		cmocka_unit_test(what_does_not_end_is_ended),
		cmocka_unit_test(what_is_not_there_is_said_to_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
