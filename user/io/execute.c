/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/execute.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mono.h"
#include "base/own.h"

extern char **environ;

static int start(const char *path, char *const argv[], int out, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, usual;
	int err;

	sigemptyset(&none);
	sigemptyset(&usual);
	sigaddset(&usual, SIGPIPE);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &usual);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	err = posix_spawn(pid, path, &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

/* Until the other end is closed: 0; or -ETIMEDOUT. */
static int hear(int fd, mono_t until, char *text, size_t size)
{
	char beyond[512];
	size_t used = 0;

	for (;;) {
		int64_t left_us = mono_diff_us(mono_now(), until);
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n;

		if (left_us <= 0 || poll(&p, 1, (int)(left_us / 1000) + 1) == 0)
			return -ETIMEDOUT;
		n = used + 1 < size ? read(fd, text + used, size - 1 - used)
				    : read(fd, beyond, sizeof(beyond));
		if (n == 0)
			return 0;
		if (n > 0 && used + 1 < size)
			used += (size_t)n;
		text[used] = '\0';
	}
}

/* What has closed its outputs may still run. */
static int end_of(pid_t pid, mono_t until)
{
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (mono_diff_us(mono_now(), until) <= 0) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -ETIMEDOUT;
		}
		usleep(1000);
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int execute(const char *path, char *const argv[], int within_ms, char *text, size_t size)
{
	mono_t until = mono_add_us(mono_now(), (int64_t)within_ms * 1000);
	auto_close int in = -1;
	int out[2], err;
	size_t len;
	pid_t pid;

	text[0] = '\0';
	if (pipe2(out, O_CLOEXEC))
		return -errno;
	in = out[0];
	err = start(path, argv, out[1], &pid);
	close(out[1]);
	if (err)
		return err;
	err = hear(in, until, text, size);
	if (err) {
		kill(pid, SIGKILL);
		until = mono_now();
	}
	len = strlen(text);
	if (len > 0 && text[len - 1] == '\n')
		text[len - 1] = '\0';
	return err ? (end_of(pid, mono_add_us(until, 1000000)), err) : end_of(pid, until);
}
