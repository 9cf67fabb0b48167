/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs the shunt that was built beside the test, in a pipe or on a terminal, against a daemon of fixed
 * rows. */
#ifndef SHUNT_RUN_SHUNT_H
#define SHUNT_RUN_SHUNT_H

#include <limits.h>
#include <locale.h>
#include <pty.h>

#include "golden_rows.h"

static char shunt_path[PATH_MAX], golden_dir[PATH_MAX];

static inline int setup(void **state)
{
	char self[PATH_MAX - 64];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int up;

	(void)state;
	if (n < 0 || fake_setup() < 0)
		return -1;
	self[n] = '\0';
	for (up = 0; up < 3; up++) /* BUILD/tests/unit/test_cli */
		*strrchr(self, '/') = '\0';
	snprintf(shunt_path, sizeof(shunt_path), "%s/shunt", self);
	snprintf(golden_dir, sizeof(golden_dir), "%s/../tests/unit/golden", self);
	if (access(shunt_path, X_OK) < 0)
		return -1;
	setlocale(LC_CTYPE, "C.UTF-8");
	setenv("LC_ALL", "C.UTF-8", 1);
	setenv("TZ", "UTC", 1);
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	fake->source = golden_source;
	fake->command = golden_command;
	fake->services = COUNT(golden_services);
	return fake_start();
}

static inline int teardown(void **state)
{
	bool ended = fake_end(SIGTERM);

	(void)state;
	fake_teardown();
	return ended ? 0 : -1;
}

/* ---- running it -------------------------------------------------------------------------------*/

#define OUTPUT_MAX 65536

struct run {
	char out[OUTPUT_MAX], err[OUTPUT_MAX];
	int exit; /* -1: ended by a signal */
};

static inline void exec_shell(const char *command)
{
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

static inline void exec_shunt(const char *arguments)
{
	char command[2 * PATH_MAX];

	snprintf(command, sizeof(command), "exec %s --run-dir %s --instance test %s", shunt_path,
		 fake->run_dir, arguments);
	exec_shell(command);
}

static inline void read_all(int fd, char *to)
{
	size_t used = 0;
	ssize_t n;

	while (used < OUTPUT_MAX - 1 && (n = read(fd, to + used, OUTPUT_MAX - 1 - used)) > 0)
		used += (size_t)n;
	to[used] = '\0';
	close(fd);
}

static inline void finish(struct run *r, pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	r->exit = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* What @exec makes of @text, in a pipe. */
static inline void run_by(struct run *r, void (*exec)(const char *), const char *text)
{
	int out[2], err[2];
	pid_t pid;

	assert_int_equal(pipe(out), 0);
	assert_int_equal(pipe(err), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		dup2(out[1], 1);
		dup2(err[1], 2);
		close(out[0]), close(out[1]), close(err[0]), close(err[1]);
		exec(text);
	}
	close(out[1]), close(err[1]);
	read_all(out[0], r->out);
	read_all(err[0], r->err);
	finish(r, pid);
}

static inline void run_shunt(struct run *r, const char *arguments)
{
	run_by(r, exec_shunt, arguments);
}

/* The same on a terminal of @columns; standard error ends up in `out` too. */
static inline void run_on_terminal(struct run *r, const char *arguments, unsigned short columns)
{
	struct winsize size = {.ws_row = 24, .ws_col = columns};
	pid_t pid;
	int fd;

	fflush(NULL);
	pid = forkpty(&fd, NULL, NULL, &size);
	assert_true(pid >= 0);
	if (pid == 0)
		exec_shunt(arguments);
	read_all(fd, r->out);
	r->err[0] = '\0';
	finish(r, pid);
}

#endif
