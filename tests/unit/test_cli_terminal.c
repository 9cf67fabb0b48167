/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt where it stands: what it takes of a terminal, of a pipe and of other programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <wchar.h>

#include "run_shunt.h"

/* ---- JSON, help and width ---------------------------------------------------------------------*/

/* Valid, and no number in quotes. */
static void check_json(const char *arguments)
{
	static const char program[] =
		"import json, sys\n"
		"def walk(v):\n"
		"    assert not (isinstance(v, str) and v.isdigit()), v\n"
		"    for x in (v.values() if isinstance(v, dict) else v if isinstance(v, list) "
		"else []): walk(x)\n"
		"d = json.load(sys.stdin); assert isinstance(d, dict); walk(d)\n";
	char command[4 * PATH_MAX];

	snprintf(command, sizeof(command),
		 "%s --run-dir %s -i test --json %s | python3 -c \"$PROGRAM\"", shunt_path,
		 fake->run_dir, arguments);
	setenv("PROGRAM", program, 1);
	assert_int_equal(system(command), 0);
}

static void json_is_json(void **state)
{
	static const char *const commands[] = {
		"status",	  "services", "backends",
		"backends empty", "stats",    "stats web",
		"version",	  "reload",   "check /nonexistent/shunt.yaml"};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(commands); i++)
		check_json(commands[i]);
	fake->services = 0;
	for (i = 0; i < COUNT(commands); i++)
		if (strcmp(commands[i], "backends empty") != 0 &&
		    strcmp(commands[i], "stats web") != 0)
			check_json(commands[i]);
	fake->services = COUNT(golden_services);
}

/* The widest line in columns of a terminal; colours have no width. */
static int widest(const char *text)
{
	int width = 0, max = 0;
	wchar_t c;

	while (*text) {
		int n = mbtowc(&c, text, 4);

		if (*text == '\033') {
			text += strcspn(text, "mHJK") + 1;
			continue;
		}
		width = *text == '\n' ? 0 : *text == '\r' ? width : width + wcwidth(c);
		max = width > max ? width : max;
		text += n > 0 ? n : 1;
	}
	return max;
}

static void on_a_terminal_nothing_is_too_wide_and_no_name_or_address_is_cut(void **state)
{
	static const char address[] = "203.0.113.11:any/tcp",
			  backend[] = "[2001:db8:1111:2222:3333:4444:5555:6666]:any";
	static const char *const commands[] = {"services", "backends", "stats"};
	static struct run r;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(commands); i++) {
		run_on_terminal(&r, commands[i], 80);
		assert_int_equal(r.exit, 0);
		assert_in_range(widest(r.out), 60, 80);
		assert_non_null(strstr(r.out, "\n" LONG_NAME "\r\n "));
		assert_true(i != 0 || strstr(r.out, address));
		assert_true(i != 1 || strstr(r.out, backend));
		run_shunt(&r, commands[i]);
		assert_non_null(strstr(r.out, "\n" LONG_NAME "  "));
	}
}

static void help_keeps_to_80_columns(void **state)
{
	static const char *const commands[] = {
		"",	   "status", "services", "backends", "stats",  "check",	  "reload", "drain",
		"disable", "enable", "history",	 "events",   "weight", "version", "decap",  "help"};
	static struct run r;
	char arguments[64];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(commands); i++) {
		snprintf(arguments, sizeof(arguments), "help %s", commands[i]);
		run_shunt(&r, arguments);
		assert_int_equal(r.exit, 0);
		assert_in_range(widest(r.out), 20, 80);
		assert_true(i == 0 || strstr(r.out, "\nExample"));
	}
}

static void colours_are_for_terminals_that_want_them(void **state)
{
	static struct run r;

	(void)state;
	run_on_terminal(&r, "services", 80);
	assert_non_null(strchr(r.out, '\033'));
	run_on_terminal(&r, "--no-color services", 80);
	assert_null(strchr(r.out, '\033'));
	setenv("NO_COLOR", "1", 1);
	run_on_terminal(&r, "services", 80);
	assert_null(strchr(r.out, '\033'));
	unsetenv("NO_COLOR");
	setenv("TERM", "dumb", 1);
	run_on_terminal(&r, "services", 80);
	assert_null(strchr(r.out, '\033'));
	setenv("TERM", "xterm", 1);
	run_shunt(&r, "services");
	assert_null(strchr(r.out, '\033'));
}

static void what_a_daemon_quotes_cannot_steer_the_terminal(void **state)
{
	static struct run r;

	(void)state;
	run_on_terminal(&r, "--no-color backends web", 200);
	assert_null(strchr(r.out, '\033'));
	assert_non_null(strstr(r.out, "bad: ?[31m\"red\""));
}

/* ---- watching, and readers that go ------------------------------------------------------------*/

/* Starts it with its output in a pipe; reads until @text has been seen @times times, then closes. */
static void run_and_leave(struct run *r, const char *arguments, const char *text, int times)
{
	int out[2], err[2];
	size_t used = 0;
	const char *at = r->out;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(out), 0);
	assert_int_equal(pipe(err), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		dup2(out[1], 1);
		dup2(err[1], 2);
		close(out[0]), close(out[1]), close(err[0]), close(err[1]);
		signal(SIGPIPE, SIG_IGN); /* as some parents leave it */
		exec_shunt(arguments);
	}
	close(out[1]), close(err[1]);
	r->out[0] = '\0';
	while (times > 0 && (n = read(out[0], r->out + used, OUTPUT_MAX - 1 - used)) > 0) {
		used += (size_t)n;
		r->out[used] = '\0';
		for (; times > 0 && (at = strstr(at, text)); times--)
			at += strlen(text);
		if (!at)
			at = r->out + used;
	}
	close(out[0]);
	read_all(err[0], r->err);
	finish(r, pid);
	assert_int_equal(times, 0);
}

static void watching_prints_blocks_into_a_pipe_until_it_is_closed(void **state)
{
	static struct run r;

	(void)state;
	run_and_leave(&r, "stats --watch 0.1 web", "VERDICT", 3);
	assert_string_equal(r.err, "");
	assert_null(strchr(r.out, '\033'));
	run_and_leave(&r, "stats --watch=0.1 --json", "\n", 3);
	assert_string_equal(r.err, "");
	assert_true(r.out[0] == '{' && strstr(r.out, "}\n{"));
}

static void watching_redraws_on_a_terminal(void **state)
{
	struct winsize size = {.ws_row = 12, .ws_col = 80};
	char text[OUTPUT_MAX] = "";
	size_t used = 0;
	int fd, status, frames = 0;
	const char *at;
	ssize_t n;
	pid_t pid = forkpty(&fd, NULL, NULL, &size);

	(void)state;
	if (pid == 0)
		exec_shunt("stats -w 0.1");
	for (; frames < 3 && (n = read(fd, text + used, sizeof(text) - 1 - used)) > 0;) {
		used += (size_t)n;
		text[used] = '\0';
		for (frames = 0, at = text; (at = strstr(at, "\033[H")); frames++)
			at++;
	}
	kill(pid, SIGINT);
	close(fd);
	waitpid(pid, &status, 0);
	assert_int_equal(frames, 3);
	assert_true(WIFSIGNALED(status));
	assert_non_null(strstr(text, "more than this window shows"));
	/* 12 lines at most between two frames. */
	at = strstr(text, "\033[H");
	for (n = 0; at && at < strstr(strstr(text, "\033[H") + 1, "\033[H"); at++)
		n += *at == '\n';
	assert_in_range(n, 5, 11);
}

static void a_daemon_that_goes_ends_a_watch_in_a_pipe(void **state)
{
	static struct run r;

	(void)state;
	run_shunt(&r, "-i nobody stats --watch 0.1");
	assert_int_equal(r.exit, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_json),
		cmocka_unit_test(on_a_terminal_nothing_is_too_wide_and_no_name_or_address_is_cut),
		cmocka_unit_test(help_keeps_to_80_columns),
		cmocka_unit_test(colours_are_for_terminals_that_want_them),
		cmocka_unit_test(what_a_daemon_quotes_cannot_steer_the_terminal),
		cmocka_unit_test(watching_prints_blocks_into_a_pipe_until_it_is_closed),
		cmocka_unit_test(watching_redraws_on_a_terminal),
		cmocka_unit_test(a_daemon_that_goes_ends_a_watch_in_a_pipe),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
