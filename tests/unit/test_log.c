/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"

static void fill(int fd)
{
	char some[1024] = {0};

	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while (write(fd, some, sizeof(some)) > 0)
		;
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
}

static void drain(int fd)
{
	char some[4096];

	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while (read(fd, some, sizeof(some)) > 0)
		;
}

static void a_reader_that_has_stopped_stops_nobody(void **state)
{
	int before = dup(STDERR_FILENO), ends[2];
	char said[256] = "";

	(void)state;
	assert_int_equal(pipe(ends), 0);
	fill(ends[1]);
	dup2(ends[1], STDERR_FILENO);
	alarm(5); /* the test ends by it when a line blocks */
	log_error("one");
	log_error("two");
	drain(ends[0]);
	log_error("three");
	alarm(0);
	dup2(before, STDERR_FILENO);
	assert_true(read(ends[0], said, sizeof(said) - 1) > 0);
	assert_non_null(strstr(said, "2 lines were lost"));
	assert_non_null(strstr(said, "three"));
	assert_null(strstr(said, "one"));
	close(ends[0]);
	close(ends[1]);
	close(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reader_that_has_stopped_stops_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
