/* SPDX-License-Identifier: BSD-2-Clause */
/* Who started the daemon is told that it is ready, by path and by abstract name. */
#include "io/supervisor.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

/* Listens at @name as a supervisor does, and is told. */
static void is_told_at(const char *name)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char got[64];

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", name);
	if (name[0] == '@')
		at.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&at,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
			 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	assert_int_equal(supervisor_tell("READY=1"), 0);
	assert_int_equal(recv(fd, got, sizeof(got), 0), 7);
	assert_memory_equal(got, "READY=1", 7);
	close(fd);
}

static void is_told_at_a_path(void **state)
{
	char dir[] = "/tmp/shunt-supervisor.XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/notify", dir);
	is_told_at(path);
	assert_int_equal(unlink(path), 0);
	/* It is gone: that is said. */
	assert_int_equal(supervisor_tell("READY=1"), -ENOENT);
	assert_int_equal(rmdir(dir), 0);
}

static void is_told_at_an_abstract_name(void **state)
{
	char name[64];

	(void)state;
	snprintf(name, sizeof(name), "@shunt-supervisor-%d", (int)getpid());
	is_told_at(name);
}

static void nobody_waits(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(supervisor_tell("READY=1"), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(supervisor_tell("READY=1"), 0);
}

static void a_name_that_is_none_is_refused(void **state)
{
	char name[256];

	(void)state;
	setenv("NOTIFY_SOCKET", "relative", 1);
	assert_int_equal(supervisor_tell("READY=1"), -EINVAL);
	memset(name, '/', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(supervisor_tell("READY=1"), -EINVAL);
}

static void the_watchdog_is_only_for_whom_it_names(void **state)
{
	char pid[16];

	(void)state;
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
	assert_int_equal(supervisor_watchdog_us(), 0);
	setenv("WATCHDOG_USEC", "60000000", 1);
	assert_int_equal(supervisor_watchdog_us(), 60000000);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(supervisor_watchdog_us(), 60000000);
	snprintf(pid, sizeof(pid), "%d", (int)getpid() + 1);
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(supervisor_watchdog_us(), 0);
	unsetenv("WATCHDOG_PID");
	setenv("WATCHDOG_USEC", "-5", 1);
	assert_int_equal(supervisor_watchdog_us(), 0);
	setenv("WATCHDOG_USEC", "soon", 1);
	assert_int_equal(supervisor_watchdog_us(), 0);
	unsetenv("WATCHDOG_USEC");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_watchdog_is_only_for_whom_it_names),
		cmocka_unit_test(is_told_at_a_path),
		cmocka_unit_test(is_told_at_an_abstract_name),
		cmocka_unit_test(nobody_waits),
		cmocka_unit_test(a_name_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
