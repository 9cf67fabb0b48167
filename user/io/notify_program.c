/* SPDX-License-Identifier: BSD-2-Clause */
/* The process that runs one program for an event and ends with it: what the program has started is orphaned to
 * it, also what has left the program's process group or session, and is killed then. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mono.h"
#include "base/own.h"
#include "io/notify.h"
#include "io/notify_impl.h"

#define PROCESSES_MAX 512 /* of the user */
#define SWEEP_US 1000000 /* for what goes on forking meanwhile, at most */

static sigset_t heard_of(void)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, SIGCHLD);
	sigaddset(&s, SIGTERM);
	return s;
}

static pid_t start(char **argv)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	setpgid(0, 0);
	setrlimit(RLIMIT_NPROC, &(struct rlimit){PROCESSES_MAX, PROCESSES_MAX});
	notify_signals();
	execve(argv[0], argv, environ);
	_exit(NOTIFY_NOT_RUN);
}

/* Whether @pid has ended, and how. Takes whatever else has ended, too. */
static bool has_ended(pid_t pid, int *status)
{
	bool ended = false;
	int one;
	pid_t who;

	while ((who = waitpid(-1, &one, WNOHANG)) > 0) {
		if (who != pid)
			continue;
		*status = one;
		ended = true;
	}
	return ended;
}

/* False when the time is up, or the daemon has it end. */
static bool wait_for(pid_t pid, int64_t timeout_ms, int *status)
{
	const mono_t until = mono_add_us(mono_now(), timeout_ms * 1000);
	const sigset_t signals = heard_of();

	while (!has_ended(pid, status)) {
		const int64_t us = mono_diff_us(mono_now(), until);
		const struct timespec left = {us / 1000000, us % 1000000 * 1000};

		if (us <= 0 || sigtimedwait(&signals, NULL, &left) == SIGTERM)
			return false;
	}
	return true;
}

static void kill_children(void)
{
	auto_fclose FILE *f = fopen("/proc/thread-self/children", "re");
	int pid;

	while (f && fscanf(f, "%d", &pid) == 1)
		kill(pid, SIGKILL);
}

/* Whoever loses its parent becomes a child of this process: until there is none. */
static void sweep(void)
{
	const mono_t until = mono_add_us(mono_now(), SWEEP_US);
	pid_t who = 0;

	while ((who >= 0 || errno == EINTR) && mono_diff_us(mono_now(), until) > 0) {
		kill_children();
		who = waitpid(-1, NULL, WNOHANG);
		if (who == 0)
			usleep(500);
	}
}

/* As the program has ended: by the same status, or signal. */
static int end_as(int status)
{
	sigset_t none;

	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	sigemptyset(&none);
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	signal(WTERMSIG(status), SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	raise(WTERMSIG(status));
	return NOTIFY_NOT_RUN;
}

int notify_program_main(char **argv)
{
	const sigset_t signals = heard_of();
	int status = 0;
	bool ended;
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	pid = start(argv + 1);
	if (pid < 0)
		return NOTIFY_NOT_RUN;
	ended = wait_for(pid, atol(argv[0]), &status);
	kill(-pid, SIGKILL);
	sweep();
	return end_as(ended ? status : NOTIFY_TIMED_OUT);
}
