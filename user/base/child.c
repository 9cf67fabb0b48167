/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"

#define KILLED_MS 1000 /* to end after SIGKILL */

static bool standard_streams(bool silent)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		return false;
	return (!silent && fcntl(STDERR_FILENO, F_GETFD) >= 0) || dup2(null, STDERR_FILENO) >= 0;
}

/* First out of the way, since one may have another's number. */
static bool give(const struct child_program *program, int sock)
{
	const int behind = CHILD_FD + 1 + (int)program->n_given;
	int fds[1 + CHILD_GIVEN_MAX] = {sock};

	for (int i = 0; i < behind - CHILD_FD; i++) {
		if (i > 0)
			fds[i] = program->given[i - 1];
		if (fds[i] < 0)
			continue;
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, behind);
		if (fds[i] < 0)
			return false;
	}
	close_range(CHILD_FD, (unsigned int)behind - 1, 0);
	for (int i = 0; i < behind - CHILD_FD; i++) {
		if (fds[i] >= 0 && dup2(fds[i], CHILD_FD + i) < 0)
			return false;
	}
	return close_range((unsigned int)behind, ~0U, 0) == 0;
}

/* Between fork and exec: only what is safe there. */
static void become_program(const struct child_program *program, int sock)
{
	char *const no_environment[] = {NULL};

	if (!standard_streams(program->silent) || !give(program, sock) ||
	    (program->become && !program->become(program->arg)))
		_exit(program->not_run);
	execve(program->path, program->argv, no_environment);
	_exit(program->not_run);
}

pid_t child_fork(void)
{
	sigset_t all, before;
	pid_t pid;
	int err;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	err = errno;
	if (pid != 0)
		sigprocmask(SIG_SETMASK, &before, NULL);
	errno = err;
	return pid;
}

int child_start(const struct child_program *program, struct child_process *out)
{
	auto_close int ours = -1;
	auto_close int theirs = -1;
	int pair[2], err, pidfd;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ours = pair[0];
	theirs = pair[1];
	if (program->first && send(ours, program->first, program->first_len, MSG_NOSIGNAL) < 0)
		return -errno;
	pid = child_fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		become_program(program, theirs);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0) {
		err = -errno;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return err;
	}
	*out = (struct child_process){.pid = pid, .pidfd = pidfd, .sock = take_fd(&ours)};
	return 0;
}

void child_kill(const struct child_process *c)
{
	if (c->pid)
		syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
}

static bool ended_within(const struct child_process *c, int ms)
{
	struct pollfd ended = {.fd = c->pidfd, .events = POLLIN};

	return poll(&ended, 1, ms) > 0;
}

int child_end(struct child_process *c, int grace_ms)
{
	int status = 0;

	if (!c->pid)
		return 0;
	shutdown(c->sock, SHUT_RDWR);
	if (!ended_within(c, grace_ms))
		child_kill(c);
	if (!ended_within(c, KILLED_MS) || waitpid(c->pid, &status, WNOHANG) <= 0)
		status = CHILD_LEFT;
	close(c->pidfd);
	close(c->sock);
	*c = CHILD_NONE;
	return status;
}

void child_words(int status, char *out, size_t size)
{
	if (status == CHILD_LEFT)
		snprintf(out, size, "it would not end and is left alone");
	else if (WIFSIGNALED(status))
		snprintf(out, size, "killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(out, size, "exit status %d", WEXITSTATUS(status));
}
