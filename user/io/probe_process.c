/* SPDX-License-Identifier: BSD-2-Clause */
/* The probe child as a process: started, killed, reaped. */
#include <errno.h>
#include <fcntl.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "io/probe_msg.h"

#define GRACE_MS 500 /* for the child to end when its socket closes */
#define KILLED_MS 1000 /* and after SIGKILL */

/* What the program gets: its socket, and those for echo requests (-1: none). */
#define GIVEN 3
static const int given_as[GIVEN] = {PROBE_FD, PROBE_PING4_FD, PROBE_PING6_FD};

/* First out of the way, since one may have another's number. */
static bool give(int fds[static GIVEN])
{
	for (int i = 0; i < GIVEN; i++) {
		if (fds[i] >= 0)
			fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, PROBE_PING6_FD + 1);
	}
	close_range(PROBE_FD, PROBE_PING6_FD, 0);
	for (int i = 0; i < GIVEN; i++) {
		if (fds[i] >= 0)
			dup2(fds[i], given_as[i]);
	}
	return fds[0] >= 0;
}

/* Between fork and exec: only what is safe there. */
static void become_program(const struct probe_program *program, int fds[static GIVEN])
{
	char *const no_environment[] = {NULL};
	int null;

	null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		_exit(PROBE_EXIT_EXEC);
	if (fcntl(STDERR_FILENO, F_GETFD) < 0)
		dup2(null, STDERR_FILENO);
	if (!give(fds))
		_exit(PROBE_EXIT_EXEC);
	close_range(PROBE_PING6_FD + 1, ~0U, 0);
	execve(program->path, program->argv, no_environment);
	_exit(PROBE_EXIT_EXEC);
}

/* With every signal blocked until the program runs, so that no handler of the daemon's runs in the
 * copy of it. */
static pid_t fork_program(const struct probe_program *program, int fds[static GIVEN])
{
	sigset_t all, before;
	pid_t pid;
	int err;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	err = errno;
	if (pid == 0)
		become_program(program, fds);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return pid < 0 ? -err : pid;
}

static int send_start(int sock, const struct probe_identity *identity)
{
	struct probe_command start;
	size_t size;

	memset(&start, 0, sizeof(start));
	start.type = PROBE_MSG_START;
	start.identity = *identity;
	size = probe_command_size(&start);
	if (send(sock, &start, size, MSG_NOSIGNAL) != (ssize_t)size)
		return -errno;
	return 0;
}

/* Lets through echo replies only. Returns -1 where it is not allowed. */
static int raw_open(int family)
{
	struct icmp_filter filter4 = {~(1U << ICMP_ECHOREPLY)};
	struct icmp6_filter filter6;
	int protocol = family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	auto_close int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return -1;
	ICMP6_FILTER_SETBLOCKALL(&filter6);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter6);
	if (family == AF_INET6
		    ? setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter6, sizeof(filter6)) < 0
		    : setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter4, sizeof(filter4)) < 0)
		return -1;
	return take_fd(&fd);
}

int probe_process_start(const struct probe_program *program, struct probe_process *out)
{
	auto_close int ping4 = raw_open(AF_INET);
	auto_close int ping6 = raw_open(AF_INET6);
	auto_close int ours = -1;
	auto_close int theirs = -1;
	int pair[2], err, pidfd;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ours = pair[0];
	theirs = pair[1];
	err = send_start(ours, &program->identity);
	if (err < 0)
		return err;
	pid = fork_program(program, (int[GIVEN]){theirs, ping4, ping6});
	if (pid < 0)
		return pid;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0) {
		err = -errno;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return err;
	}
	*out = (struct probe_process){.pid = pid, .pidfd = pidfd, .sock = take_fd(&ours)};
	return 0;
}

void probe_process_kill(const struct probe_process *process)
{
	if (process->pid)
		syscall(SYS_pidfd_send_signal, process->pidfd, SIGKILL, NULL, 0);
}

static const char *exit_words(int status)
{
	switch (status) {
	case PROBE_EXIT_CLOSED:
		return "its socket was closed";
	case PROBE_EXIT_EXEC:
		return "the executable could not be run";
	case PROBE_EXIT_START:
		return "no first message";
	case PROBE_EXIT_JAIL:
		return "privileges could not be given up";
	case PROBE_EXIT_SPACE:
		return "no network namespace, or no way out of it: see user.max_user_namespaces, "
		       "or "
		       "write via: direct";
	case PROBE_EXIT_SETUP:
		return "no memory or descriptors";
	case PROBE_EXIT_MESSAGE:
		return "it did not understand a message";
	default:
		return "unexpected";
	}
}

static bool ended_within(const struct probe_process *process, int ms)
{
	struct pollfd ended = {.fd = process->pidfd, .events = POLLIN};

	return poll(&ended, 1, ms) > 0;
}

static void status_words(int status, char why[static PROBE_WHY_MAX])
{
	if (WIFSIGNALED(status))
		snprintf(why, PROBE_WHY_MAX, "killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(why, PROBE_WHY_MAX, "exit status %d (%s)", WEXITSTATUS(status),
			 exit_words(WEXITSTATUS(status)));
}

void probe_process_end(struct probe_process *process, char why[static PROBE_WHY_MAX])
{
	int status = 0;

	why[0] = '\0';
	if (!process->pid)
		return;
	shutdown(process->sock, SHUT_RDWR);
	if (!ended_within(process, GRACE_MS))
		probe_process_kill(process);
	/* Without CAP_KILL a child of another user that ignores its socket cannot be ended. */
	if (!ended_within(process, KILLED_MS) || waitpid(process->pid, &status, WNOHANG) <= 0)
		snprintf(why, PROBE_WHY_MAX, "it would not end and is left alone");
	else
		status_words(status, why);
	close(process->pidfd);
	close(process->sock);
	*process = (struct probe_process){.pidfd = -1, .sock = -1};
}
