/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client is told when the daemon is not there, or not within reach. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include "fake_rows.h"

static void a_daemon_that_is_not_there_is_named(void **state)
{
	struct client_error e = {""};
	struct stats_client *c = NULL;

	(void)state;
	assert_int_equal(stats_client_open(fake->run_dir, "none", &c, &e), -ECONNREFUSED);
	assert_non_null(strstr(e.text, "no shuntd of instance \"none\" answers"));
	assert_non_null(strstr(e.text, "/none.stats: No such file"));
	assert_int_equal(stats_client_open(fake->run_dir, "../x", &c, &e), -EINVAL);
}

static void a_daemon_of_another_version_is_named(void **state)
{
	struct msg_port p = {.version = 7, .port = 1, .pid = 1};
	struct client_error e = {""};
	struct stats_client *c = NULL;

	(void)state;
	write_port_file("newer", &p, geteuid());
	assert_int_equal(stats_client_open(fake->run_dir, "newer", &c, &e), -EPROTONOSUPPORT);
	assert_non_null(strstr(e.text, "version 7"));
	remove_port_file("newer");
}

static void a_daemon_of_somebody_else_is_not_believed(void **state)
{
	struct msg_port p = {.version = SHUNT_MSG_VERSION, .port = 1, .pid = 1};
	struct client_error e = {""};
	struct stats_client *c = NULL;

	(void)state;
	if (geteuid() != 0)
		skip();
	write_port_file("strange", &p, NOBODY);
	assert_int_equal(stats_client_open(fake->run_dir, "strange", &c, &e), -EPERM);
	assert_non_null(
		strstr(e.text, "belongs to uid 65534, which is neither root, shunt nor you"));
	remove_port_file("strange");
}

static void a_daemon_that_is_stopped_is_not_waited_for_long(void **state)
{
	struct client_error e = {""};

	(void)state;
	assert_int_equal(kill(fake->pid, SIGSTOP), 0);
	assert_int_equal(dump_backends(&e), -ETIMEDOUT);
	kill(fake->pid, SIGCONT);
	assert_non_null(strstr(e.text, "has not answered for 5 s; is it busy or stopped?"));
	fake_settle();
}

static void a_daemon_in_another_namespace_is_named(void **state)
{
	struct client_error e = {""};
	struct stats_client *c = NULL;
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) < 0)
			_exit(99);
		_exit(stats_client_open(fake->run_dir, "test", &c, &e) == -EXDEV &&
				      strstr(e.text, "nsenter --net=/proc/")
			      ? 0
			      : 1);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static void a_daemon_that_was_killed_is_named(void **state)
{
	struct client_error e = {""};

	(void)state;
	assert_true(fake_end(SIGKILL));
	assert_int_equal(dump_backends(&e), -ECONNREFUSED);
	assert_non_null(strstr(e.text, "it has ended"));
	assert_int_equal(fake_start(), 0); /* finds the files of its predecessor */
	assert_int_equal(dump_backends(&e), 0);
}

static void a_daemon_that_ends_takes_its_file_along(void **state)
{
	struct client_error e = {""};
	struct stats_client *c = NULL;

	(void)state;
	assert_true(fake_end(SIGTERM));
	assert_int_equal(stats_client_open(fake->run_dir, "test", &c, &e), -ECONNREFUSED);
	assert_int_equal(fake_start(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_daemon_that_is_not_there_is_named),
		cmocka_unit_test(a_daemon_of_another_version_is_named),
		cmocka_unit_test(a_daemon_of_somebody_else_is_not_believed),
		cmocka_unit_test(a_daemon_that_is_stopped_is_not_waited_for_long),
		cmocka_unit_test(a_daemon_in_another_namespace_is_named),
		cmocka_unit_test(a_daemon_that_was_killed_is_named),
		cmocka_unit_test(a_daemon_that_ends_takes_its_file_along),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
