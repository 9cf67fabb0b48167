/* SPDX-License-Identifier: BSD-2-Clause */
/* Children as they are started and ended; this binary plays them too. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"

#define NOT_RUN 99
#define LOOKED_AT 64 /* descriptors */

static char self[] = "/proc/self/exe";

/* What a child finds. */
struct found {
	uint64_t open; /* a bit for each descriptor */
	uint32_t null; /* those of the standard ones that are /dev/null */
	uint32_t umask;
	uint32_t blocked; /* signals */
	uint32_t variables; /* in the environment */
	char first[16];
};

/* ---- the children -------------------------------------------------------------------------------*/

static bool is_null(int fd)
{
	char path[32], target[32] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, target, sizeof(target) - 1) > 0 && strcmp(target, "/dev/null") == 0;
}

static int looks_around(void)
{
	struct pollfd told = {.fd = CHILD_FD, .events = POLLIN};
	struct found f;
	sigset_t blocked;

	memset(&f, 0, sizeof(f));
	for (int fd = 0; fd < LOOKED_AT; fd++)
		f.open |= fcntl(fd, F_GETFD) < 0 ? 0 : 1ULL << fd;
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		f.null |= is_null(fd) ? 1U << fd : 0;
	f.umask = umask(0);
	sigprocmask(SIG_SETMASK, NULL, &blocked);
	for (int s = 1; s < 32; s++)
		f.blocked += sigismember(&blocked, s) == 1;
	for (char **e = environ; *e; e++)
		f.variables++;
	(void)!recv(CHILD_FD, f.first, sizeof(f.first) - 1, 0);
	(void)!send(CHILD_FD, &f, sizeof(f), MSG_NOSIGNAL);
	poll(&told, 1, 10000);
	return 7;
}

static int plays(const char *mode)
{
	if (strcmp(mode, "--looks-around") == 0)
		return looks_around();
	if (strcmp(mode, "--writes") == 0)
		return write(CHILD_FD + 1, "a", 1) == 1 && write(CHILD_FD + 2, "b", 1) == 1 ? 0 : 1;
	pause(); /* --deaf */
	return 0;
}

static struct child_program program(char *const argv[])
{
	return (struct child_program){
		.path = self, .argv = argv, .first = "hello", .first_len = 5, .not_run = NOT_RUN};
}

static void hears(const struct child_process *c, struct found *f)
{
	struct pollfd told = {.fd = c->sock, .events = POLLIN};

	assert_int_equal(poll(&told, 1, 10000), 1);
	assert_int_equal(recv(c->sock, f, sizeof(*f), 0), sizeof(*f));
}

static void ends_as(struct child_process *c, const char *words)
{
	char how[64];

	child_words(child_end(c, 10000), how, sizeof(how));
	assert_string_equal(how, words);
	assert_int_equal(c->pid, 0);
	assert_int_equal(c->sock, -1);
	assert_int_equal(c->pidfd, -1);
}

/* ---- what it gets -------------------------------------------------------------------------------*/

static void a_child_has_what_it_is_given_and_nothing_else(void **state)
{
	char mode[] = "--looks-around";
	char *const argv[] = {self, mode, NULL};
	struct child_program p = program(argv);
	struct child_process c;
	struct found f;
	int leak[2];

	(void)state;
	assert_int_equal(pipe(leak), 0); /* without O_CLOEXEC */
	p.given = (int[]){-1, leak[0]};
	p.n_given = 2;
	assert_int_equal(child_start(&p, &c), 0);
	hears(&c, &f);
	assert_int_equal(f.open, 1 << 0 | 1 << 1 | 1 << 2 | 1 << CHILD_FD | 1 << (CHILD_FD + 2));
	assert_int_equal(f.null & 3, 3);
	assert_int_equal(f.null >> STDERR_FILENO, is_null(STDERR_FILENO));
	assert_int_equal(f.variables, 0);
	assert_int_equal(f.blocked, 31 - 2); /* all but SIGKILL and SIGSTOP */
	assert_string_equal(f.first, "hello");
	ends_as(&c, "exit status 7");
	close(leak[0]);
	close(leak[1]);
}

static void a_silent_one_has_no_standard_error(void **state)
{
	char mode[] = "--looks-around";
	char *const argv[] = {self, mode, NULL};
	struct child_program p = program(argv);
	struct child_process c;
	struct found f;

	(void)state;
	p.silent = true;
	assert_int_equal(child_start(&p, &c), 0);
	hears(&c, &f);
	assert_int_equal(f.null, 7);
	ends_as(&c, "exit status 7");
}

/* Out of the way of what children get. */
static void pipe_high(int ends[2])
{
	int low[2];

	assert_int_equal(pipe(low), 0);
	for (int i = 0; i < 2; i++) {
		ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, 30);
		assert_true(ends[i] >= 30);
	}
	close(low[0]);
	close(low[1]);
}

/* Each has the number that the other is to have. */
static void descriptors_change_places(void **state)
{
	char mode[] = "--writes", heard;
	char *const argv[] = {self, mode, NULL};
	struct child_program p = program(argv);
	struct child_process c;
	int a[2], b[2];

	(void)state;
	pipe_high(a);
	pipe_high(b);
	assert_int_equal(dup2(a[1], CHILD_FD + 2), CHILD_FD + 2);
	assert_int_equal(dup2(b[1], CHILD_FD + 1), CHILD_FD + 1);
	p.given = (int[]){CHILD_FD + 2, CHILD_FD + 1};
	p.n_given = 2;
	assert_int_equal(child_start(&p, &c), 0);
	ends_as(&c, "exit status 0");
	assert_int_equal(read(a[0], &heard, 1), 1);
	assert_int_equal(heard, 'a');
	assert_int_equal(read(b[0], &heard, 1), 1);
	assert_int_equal(heard, 'b');
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
		close(CHILD_FD + 1 + i);
	}
}

static bool changes(const void *arg)
{
	umask(*(const mode_t *)arg);
	return *(const mode_t *)arg != 0;
}

static void what_it_becomes_is_done_before_the_program_runs(void **state)
{
	char mode[] = "--looks-around";
	char *const argv[] = {self, mode, NULL};
	struct child_program p = program(argv);
	mode_t mask = 0123;
	struct child_process c;
	struct found f;

	(void)state;
	p.become = changes;
	p.arg = &mask;
	assert_int_equal(child_start(&p, &c), 0);
	hears(&c, &f);
	assert_int_equal(f.umask, 0123);
	ends_as(&c, "exit status 7");
	mask = 0;
	assert_int_equal(child_start(&p, &c), 0);
	ends_as(&c, "exit status 99");
}

static void what_cannot_be_run_is_seen_by_its_status(void **state)
{
	char *const argv[] = {self, NULL};
	struct child_program p = program(argv);
	struct child_process c;

	(void)state;
	p.path = "/nonexistent/shuntd";
	assert_int_equal(child_start(&p, &c), 0);
	ends_as(&c, "exit status 99");
}

/* ---- its end ------------------------------------------------------------------------------------*/

static void one_that_does_not_end_is_killed(void **state)
{
	char mode[] = "--deaf";
	char *const argv[] = {self, mode, NULL};
	const struct child_program p = program(argv);
	struct child_process c;
	char how[64];
	int next = dup(0);

	(void)state;
	close(next);
	assert_int_equal(child_start(&p, &c), 0);
	child_words(child_end(&c, 0), how, sizeof(how));
	assert_string_equal(how, "killed by signal 9 (Killed)");
	assert_int_equal(child_start(&p, &c), 0);
	child_kill(&c);
	ends_as(&c, "killed by signal 9 (Killed)");
	assert_int_equal(dup(0), next); /* all are closed again */
	close(next);
}

static void the_end_of_none_is_nothing(void **state)
{
	struct child_process c = CHILD_NONE;
	char how[64];

	(void)state;
	child_kill(&c);
	assert_int_equal(child_end(&c, 1000), 0);
	child_words(CHILD_LEFT, how, sizeof(how));
	assert_string_equal(how, "it would not end and is left alone");
}

static void without_descriptors_nothing_is_started(void **state)
{
	char mode[] = "--deaf";
	char *const argv[] = {self, mode, NULL};
	const struct child_program p = program(argv);
	struct rlimit before, few = {0};
	struct child_process c = {.pid = 42};
	int next = dup(0);

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few.rlim_max = before.rlim_max;
	/* None; one end of the pair; both, but no pidfd. */
	for (int room = 0; room < 3; room++) {
		few.rlim_cur = (rlim_t)next + (rlim_t)room;
		close(next);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		assert_int_equal(child_start(&p, &c), -EMFILE);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		assert_int_equal(c.pid, 42);
		assert_int_equal(dup(0), next); /* all are closed again */
	}
	close(next);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_has_what_it_is_given_and_nothing_else),
		cmocka_unit_test(a_silent_one_has_no_standard_error),
		cmocka_unit_test(descriptors_change_places),
		cmocka_unit_test(what_it_becomes_is_done_before_the_program_runs),
		cmocka_unit_test(what_cannot_be_run_is_seen_by_its_status),
		cmocka_unit_test(one_that_does_not_end_is_killed),
		cmocka_unit_test(the_end_of_none_is_nothing),
		cmocka_unit_test(without_descriptors_nothing_is_started),
	};

	if (argc == 2)
		return plays(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
