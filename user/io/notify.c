/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/notify.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/mono.h"
#include "base/own.h"
#include "io/notify_impl.h"

#define ENV_MAX 32
#define COMPLAIN_EVERY_US 10000000
#define BACKSTOP_MS 3000 /* beyond the time limit, which the child itself keeps */
#define END_MS 1500

struct job {
	STAILQ_ENTRY(job) link;
	char *input;
	char *env[ENV_MAX + 2];
};

struct notify {
	struct notify_setup setup;
	struct identity who;
	STAILQ_HEAD(, job) waiting;
	size_t n_waiting, left_out;
	struct notify_rate rate;
	char limit[16];
	char *argv[NOTIFY_ARGS + 4]; /* of the child, which runs the program */
	pid_t pid; /* 0: none runs */
	int pidfd;
	struct event *ended, *timeout;
	mono_t complained;
};

static void job_free(struct job *j)
{
	for (size_t i = 0; j->env[i]; i++)
		free(j->env[i]);
	free(j->input);
	free(j);
}

static void complain(struct notify *n, const char *words)
{
	char text[256];
	mono_t now = mono_now();

	if (!mono_is_never(n->complained) && mono_diff_us(n->complained, now) < COMPLAIN_EVERY_US)
		return;
	n->complained = now;
	if (n->left_out)
		snprintf(text, sizeof(text), "%s: %s; events left out: %zu", n->setup.name, words,
			 n->left_out);
	else
		snprintf(text, sizeof(text), "%s: %s", n->setup.name, words);
	n->left_out = 0;
	n->setup.complain(n->setup.arg, text);
}

/* ---- one run ------------------------------------------------------------------------------------*/

/* Between fork and exec: only what is safe there. */
static void become(const struct notify *n, const struct job *j, int input)
{
	int null = open("/dev/null", O_RDWR);

	setpgid(0, 0);
	if (null < 0 || dup2(input, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(null, STDERR_FILENO) < 0)
		_exit(NOTIFY_NOT_RUN);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	if (!identity_become(&n->who))
		_exit(NOTIFY_NOT_RUN);
	notify_signals();
	execve(n->argv[0], n->argv, j->env);
	_exit(NOTIFY_NOT_RUN);
}

static int input_of(const struct job *j)
{
	int fd = memfd_create("event", MFD_CLOEXEC);
	size_t len = strlen(j->input);

	if (fd >= 0 && (write(fd, j->input, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) != 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void on_ended(evutil_socket_t fd, short what, void *arg);
static void on_timeout(evutil_socket_t fd, short what, void *arg);

static bool launch(struct notify *n, const struct job *j)
{
	const uint32_t ms = n->setup.timeout_ms + BACKSTOP_MS;
	const struct timeval limit = {ms / 1000, ms % 1000 * 1000};
	auto_close int input = input_of(j);

	if (input < 0)
		return false;
	n->pid = child_fork();
	if (n->pid == 0)
		become(n, j, input);
	if (n->pid < 0) {
		n->pid = 0;
		return false;
	}
	setpgid(n->pid, n->pid); /* whoever of the two is first */
	n->pidfd = (int)syscall(SYS_pidfd_open, n->pid, 0);
	n->ended = event_new(n->setup.base, n->pidfd, EV_READ, on_ended, n);
	if (n->pidfd < 0 || !n->ended || event_add(n->ended, NULL) < 0)
		kill(-n->pid, SIGKILL);
	event_add(n->timeout, &limit);
	return true;
}

static void next(struct notify *n)
{
	struct job *j;

	while (!n->pid && (j = STAILQ_FIRST(&n->waiting))) {
		STAILQ_REMOVE_HEAD(&n->waiting, link);
		n->n_waiting--;
		if (!launch(n, j))
			complain(n, "cannot be run: no memory or processes");
		job_free(j);
	}
}

static void judge(struct notify *n, int status)
{
	char text[160];

	if (WIFSIGNALED(status) && WTERMSIG(status) == NOTIFY_TIMED_OUT) {
		snprintf(text, sizeof(text), "had not ended after %u ms and was killed",
			 n->setup.timeout_ms);
	} else if (WIFSIGNALED(status)) {
		snprintf(text, sizeof(text), "killed by signal %d", WTERMSIG(status));
	} else if (WEXITSTATUS(status)) {
		snprintf(text, sizeof(text), "exit status %d%s", WEXITSTATUS(status),
			 WEXITSTATUS(status) == NOTIFY_NOT_RUN ? ": it could not be run" : "");
	} else {
		return;
	}
	complain(n, text);
}

static void reap(struct notify *n, int *status)
{
	*status = 0;
	waitpid(n->pid, status, WNOHANG);
	n->pid = 0;
	event_del(n->timeout);
	if (n->ended)
		event_free(n->ended);
	n->ended = NULL;
	if (n->pidfd >= 0)
		close(n->pidfd);
	n->pidfd = -1;
}

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
	struct notify *n = arg;
	int status;

	(void)fd, (void)what;
	reap(n, &status);
	judge(n, status);
	next(n);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct notify *n = arg;

	(void)fd, (void)what;
	kill(-n->pid, SIGKILL); /* on_ended() comes when it is dead */
}

/* ---- the queue ----------------------------------------------------------------------------------*/

static bool may_run(struct notify *n)
{
	return n->n_waiting < NOTIFY_QUEUE && notify_rate_allows(&n->rate, n->setup.a_minute);
}

void notify_run(struct notify *n, const char *input, const char *const env[])
{
	struct job *j = may_run(n) ? calloc(1, sizeof(*j)) : NULL;
	size_t i = 0;
	bool good;

	if (!j) {
		n->left_out++;
		complain(n, "too many events at once");
		return;
	}
	j->input = strdup(input);
	j->env[0] = strdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	good = j->input && j->env[0];
	for (; good && env && env[i] && i < ENV_MAX; i++)
		good = (j->env[i + 1] = strdup(env[i])) != NULL;
	if (!good) {
		job_free(j);
		n->left_out++;
		return;
	}
	STAILQ_INSERT_TAIL(&n->waiting, j, link);
	n->n_waiting++;
	next(n);
}

/* It ends what runs when it is told to. */
static void end(struct notify *n)
{
	struct pollfd ended = {.fd = n->pidfd, .events = POLLIN};
	int status;

	kill(n->pid, SIGTERM);
	if (poll(&ended, 1, END_MS) <= 0)
		kill(-n->pid, SIGKILL);
	reap(n, &status);
}

static void command_of(struct notify *n)
{
	static char self[] = "/proc/self/exe", mode[] = "--notify";
	size_t i;

	snprintf(n->limit, sizeof(n->limit), "%u", n->setup.timeout_ms);
	n->argv[0] = self;
	n->argv[1] = mode;
	n->argv[2] = n->limit;
	for (i = 0; i < NOTIFY_ARGS && n->setup.argv[i]; i++)
		n->argv[i + 3] = n->setup.argv[i];
}

int notify_open(const struct notify_setup *setup, struct notify **out)
{
	struct notify *n = calloc(1, sizeof(*n));
	int err;

	if (!n)
		return -ENOMEM;
	n->setup = *setup;
	command_of(n);
	n->pidfd = -1;
	STAILQ_INIT(&n->waiting);
	err = identity_of(setup->user, &n->who);
	n->timeout = evtimer_new(setup->base, on_timeout, n);
	if (!err && !n->timeout)
		err = -ENOMEM;
	if (err) {
		notify_close(n);
		return err;
	}
	*out = n;
	return 0;
}

void notify_close(struct notify *n)
{
	struct job *j;

	if (!n)
		return;
	if (n->pid)
		end(n);
	while ((j = STAILQ_FIRST(&n->waiting))) {
		STAILQ_REMOVE_HEAD(&n->waiting, link);
		job_free(j);
	}
	if (n->timeout)
		event_free(n->timeout);
	free(n);
}
