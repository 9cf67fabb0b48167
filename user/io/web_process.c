/* SPDX-License-Identifier: BSD-2-Clause */
/* The web process: started, ended, reaped. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "io/web.h"

#define GRACE_MS 100 /* to end by itself when its socket closes */
#define KILLED_MS 1000 /* and after SIGKILL */
#define NOT_RUN 127

/* Between fork and exec: only what is safe there. First out of the way, since one may have the other's
 * number. */
static void become_program(char *const argv[], int sock, int listener)
{
	char *const no_environment[] = {NULL};
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		_exit(NOT_RUN);
	if (fcntl(STDERR_FILENO, F_GETFD) < 0)
		dup2(null, STDERR_FILENO);
	sock = fcntl(sock, F_DUPFD, WEB_LISTEN_FD + 1);
	listener = fcntl(listener, F_DUPFD, WEB_LISTEN_FD + 1);
	if (dup2(sock, WEB_FD) < 0 || dup2(listener, WEB_LISTEN_FD) < 0)
		_exit(NOT_RUN);
	close_range(WEB_LISTEN_FD + 1, ~0U, 0);
	execve("/proc/self/exe", argv, no_environment);
	_exit(NOT_RUN);
}

/* With every signal blocked until the program runs, so that no handler of the daemon's runs in the copy
 * of it. */
static pid_t fork_program(char *const argv[], int sock, int listener)
{
	sigset_t all, before;
	pid_t pid;
	int err;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	err = errno;
	if (pid == 0)
		become_program(argv, sock, listener);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid < 0 ? -err : pid;
}

int web_process_start(char *const argv[], int listener, struct web_process *out)
{
	auto_close int ours = -1;
	auto_close int theirs = -1;
	int pair[2], err, pidfd;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ours = pair[0];
	theirs = pair[1];
	pid = fork_program(argv, theirs, listener);
	if (pid < 0)
		return pid;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0) {
		err = -errno;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return err;
	}
	*out = (struct web_process){.pid = pid, .pidfd = pidfd, .sock = take_fd(&ours)};
	return 0;
}

static bool ended_within(const struct web_process *p, int ms)
{
	struct pollfd ended = {.fd = p->pidfd, .events = POLLIN};

	return poll(&ended, 1, ms) > 0;
}

void web_process_end(struct web_process *p, char why[static WEB_WHY_MAX])
{
	int status = 0;

	why[0] = '\0';
	if (!p->pid)
		return;
	close(p->sock);
	if (!ended_within(p, GRACE_MS))
		syscall(SYS_pidfd_send_signal, p->pidfd, SIGKILL, NULL, 0);
	if (!ended_within(p, KILLED_MS) || waitpid(p->pid, &status, WNOHANG) <= 0)
		snprintf(why, WEB_WHY_MAX, "it would not end and is left alone");
	else if (WIFSIGNALED(status))
		snprintf(why, WEB_WHY_MAX, "killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(why, WEB_WHY_MAX, "exit status %d", WEXITSTATUS(status));
	close(p->pidfd);
	*p = (struct web_process){.pidfd = -1, .sock = -1};
}
