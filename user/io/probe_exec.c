/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/probe_exec.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/queue.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "io/probe_kind.h"
#include "io/probe_msg.h"

#define OUTPUT_MAX (64 * 1024)
#define LINE_MAX_BYTES 96 /* of its output that are shown */
#define FILES_MAX 1024
#define PROCESSES_MAX 512 /* of the user */
#define WORDS_MAX 1024
#define CLOSE_MS 2000 /* that killed programs get to be gone */

struct program {
	struct probe_call call;
	struct probe_programs *programs;
	pid_t pid; /* 0: reaped */
	int pidfd, output, fault; /* fault: an errno comes over it when it could not be run */
	struct event ended, readable;
	size_t bytes; /* of output */
	char line[LINE_MAX_BYTES + 1];
	size_t line_len;
	bool line_done;
	LIST_ENTRY(program) link;
};

struct probe_programs {
	LIST_HEAD(, program) running;
	bool any; /* one has run */
};

/* ---- between fork and exec: only what is safe there --------------------------------------------- */

struct start {
	char *argv[WORDS_MAX + 1], *environment[WORDS_MAX + 1];
	int output, fault;
	uint32_t timeout_ms;
};

static void set_limits(uint32_t timeout_ms)
{
	rlim_t cpu_s = timeout_ms / 1000 + 2;

	setrlimit(RLIMIT_CPU, &(struct rlimit){cpu_s, cpu_s});
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){FILES_MAX, FILES_MAX});
	setrlimit(RLIMIT_NPROC, &(struct rlimit){PROCESSES_MAX, PROCESSES_MAX});
}

static void become(const struct start *s)
{
	int error;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	/* /dev/null is standard input already. */
	dup2(s->output, STDOUT_FILENO);
	dup2(s->output, STDERR_FILENO);
	dup2(s->fault, 3);
	fcntl(3, F_SETFD, FD_CLOEXEC);
	close_range(4, ~0U, 0);
	set_limits(s->timeout_ms);
	execve(s->argv[0], s->argv, s->environment);
	error = errno;
	(void)!write(3, &error, sizeof(error));
	_exit(127);
}

/* ---- starting ----------------------------------------------------------------------------------- */

/* Pointers to the texts of a list. Returns how many. */
static size_t split(const struct probe_question *q, enum conf_check_text which, char **out,
		    size_t max)
{
	const char *text = probe_question_text(q, which);
	size_t n = 0;

	for (size_t at = 0; at < q->text_len[which] && n < max; at += strlen(text + at) + 1)
		out[n++] = (char *)(uintptr_t)(text + at);
	return n;
}

struct own_environment {
	char path[48], address[16 + ADDR_TEXT_MAX], port[24];
};

/* What is configured, and behind it what a program is told anyway: the first of a name counts. */
static void set_environment(const struct probe_question *q, struct own_environment *own,
			    struct start *s)
{
	char address[ADDR_TEXT_MAX];
	size_t n = split(q, CONF_TEXT_ENVIRONMENT, s->environment, WORDS_MAX - 3);
	bool has_path = false;

	for (size_t i = 0; i < n; i++)
		has_path |= strncmp(s->environment[i], "PATH=", 5) == 0;
	snprintf(own->path, sizeof(own->path), "PATH=/usr/sbin:/usr/bin:/sbin:/bin");
	snprintf(own->address, sizeof(own->address), "SHUNT_ADDRESS=%s",
		 addr_format(&q->addr, address));
	snprintf(own->port, sizeof(own->port), "SHUNT_PORT=%u", q->port);
	if (!has_path)
		s->environment[n++] = own->path;
	s->environment[n++] = own->address;
	if (q->port)
		s->environment[n++] = own->port;
	s->environment[n] = NULL;
}

static pid_t fork_program(const struct probe_question *q, int output, int fault)
{
	struct own_environment own;
	struct start s = {.output = output, .fault = fault, .timeout_ms = q->timeout_ms};
	pid_t pid;

	s.argv[split(q, CONF_TEXT_COMMAND, s.argv, WORDS_MAX)] = NULL;
	set_environment(q, &own, &s);
	pid = fork();
	if (pid == 0)
		become(&s);
	if (pid < 0)
		return -errno;
	setpgid(pid, pid); /* whoever comes first */
	return pid;
}

static void on_ended(evutil_socket_t fd, short what, void *arg);
static void on_output(evutil_socket_t fd, short what, void *arg);

/* Returns 0 or a positive errno; what it has opened is the caller's to close. */
static int program_run(struct program *p)
{
	struct event_base *base = p->call.shared->base;
	auto_close int output = -1;
	auto_close int fault = -1;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return errno;
	p->output = ends[0];
	output = ends[1];
	fcntl(output, F_SETFL, 0); /* a program expects to wait */
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return errno;
	p->fault = ends[0];
	fault = ends[1];
	p->pid = fork_program(p->call.question, output, fault);
	if (p->pid < 0)
		return -p->pid;
	p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	if (p->pidfd < 0)
		return errno;
	event_assign(&p->ended, base, p->pidfd, EV_READ, on_ended, p);
	event_assign(&p->readable, base, p->output, EV_READ | EV_PERSIST, on_output, p);
	return event_add(&p->ended, NULL) < 0 || event_add(&p->readable, NULL) < 0 ? ENOMEM : 0;
}

/* ---- ending ------------------------------------------------------------------------------------- */

/* The whole group, while its leader still holds the number. Returns its status; 0 when it is not dead
 * yet, and then the sweep sees to it. */
static int program_kill(struct program *p)
{
	int status = 0;

	if (p->pid <= 0)
		return 0;
	kill(-p->pid, SIGKILL);
	if (waitpid(p->pid, &status, WNOHANG) <= 0)
		status = 0;
	p->pid = 0;
	LIST_REMOVE(p, link);
	probe_programs_sweep(p->programs);
	return status;
}

static void program_stop(void *run)
{
	struct program *p = run;

	program_kill(p);
	if (p->pidfd >= 0) {
		event_del(&p->ended);
		event_del(&p->readable);
	}
	own_close(&p->pidfd);
	own_close(&p->output);
	own_close(&p->fault);
	free(p);
}

static void finish(struct program *p, struct check_result *r)
{
	event_del(&p->ended);
	event_del(&p->readable);
	r->layer = CHECK_LAYER_PROGRAM;
	p->call.done(p->call.arg, r);
}

/* The first line that is not empty. */
static void keep_line(struct program *p, const char *data, size_t len)
{
	for (size_t i = 0; i < len && !p->line_done; i++) {
		if (data[i] == '\n')
			p->line_done = p->line_len > 0;
		else if (p->line_len < LINE_MAX_BYTES)
			p->line[p->line_len++] = data[i] == '\0' ? '.' : data[i];
	}
}

/* Returns false when there is nothing more to read now. */
static bool read_output(struct program *p)
{
	char data[4096];
	ssize_t n = read(p->output, data, sizeof(data));

	if (n == 0)
		event_del(&p->readable);
	if (n <= 0)
		return false;
	p->bytes += (size_t)n;
	keep_line(p, data, (size_t)n);
	return p->bytes <= OUTPUT_MAX;
}

static void on_output(evutil_socket_t fd, short what, void *arg)
{
	struct check_result r = {.code = CHECK_KILLED, .detail = SIGKILL};
	struct program *p = arg;

	(void)fd;
	(void)what;
	read_output(p);
	if (p->bytes <= OUTPUT_MAX)
		return;
	snprintf(r.text, sizeof(r.text), "killed: more than 64 KiB of output");
	finish(p, &r);
}

static void judge(const struct program *p, int status, struct check_result *r)
{
	const char *between = p->line_len ? ": " : "";
	int error;

	*r = (struct check_result){.code = CHECK_KILLED};
	if (read(p->fault, &error, sizeof(error)) == sizeof(error)) {
		probe_cannot_ask(r, "cannot run %.64s: %s",
				 probe_question_text(p->call.question, CONF_TEXT_COMMAND),
				 strerror(error));
	} else if (WIFSIGNALED(status)) {
		r->detail = WTERMSIG(status);
		snprintf(r->text, sizeof(r->text), "killed by signal %d (%s)%s%s", r->detail,
			 strsignal(r->detail), between, p->line);
	} else {
		r->detail = WEXITSTATUS(status);
		r->code = r->detail == 0 ? CHECK_OK : CHECK_BAD_STATUS;
		snprintf(r->text, sizeof(r->text), "exit status %d%s%s", r->detail, between,
			 p->line);
	}
}

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;
	struct check_result r;
	int status = program_kill(p);

	(void)fd;
	(void)what;
	while (read_output(p))
		;
	judge(p, status, &r);
	finish(p, &r);
}

static bool program_start(const struct probe_call *call, int fd, void **run, struct check_result *r)
{
	struct program *p = calloc(1, sizeof(*p));
	int error;

	(void)fd;
	if (!p) {
		*r = probe_failure(ENOMEM);
		return false;
	}
	p->call = *call;
	p->programs = call->shared->programs;
	p->programs->any = true;
	p->pidfd = p->output = p->fault = -1;
	error = program_run(p);
	if (p->pid > 0)
		LIST_INSERT_HEAD(&p->programs->running, p, link);
	if (error) {
		program_stop(p);
		*r = probe_failure(error);
		return false;
	}
	*run = p;
	return true;
}

static void program_timed_out(void *run, struct check_result *r)
{
	const struct program *p = run;

	*r = (struct check_result){.code = CHECK_TIMEOUT, .layer = CHECK_LAYER_PROGRAM};
	if (p->line_len)
		probe_result_add(r, p->call.question, "; it said: %s", p->line);
}

const struct probe_kind probe_kind_exec = {
	.weight = PROBE_PROGRAM,
	.start = program_start,
	.stop = program_stop,
	.timed_out = program_timed_out,
};

/* ---- what programs leave behind ----------------------------------------------------------------- */

static bool is_running(const struct probe_programs *programs, pid_t pid)
{
	const struct program *p;

	LIST_FOREACH(p, &programs->running, link)
	if (p->pid == pid)
		return true;
	return false;
}

void probe_programs_sweep(struct probe_programs *programs)
{
	auto_fclose FILE *f = NULL;
	int pid;

	if (!programs->any)
		return;
	f = fopen("/proc/thread-self/children", "re");
	while (f && fscanf(f, "%d", &pid) == 1) {
		if (is_running(programs, pid))
			continue;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, WNOHANG);
	}
}

int probe_programs_open(struct probe_programs **out)
{
	struct probe_programs *programs = calloc(1, sizeof(*programs));

	if (!programs)
		return -ENOMEM;
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	*out = programs;
	return 0;
}

/* What a killed program leaves becomes ours only once it is dead, so until nobody is left. */
void probe_programs_close(struct probe_programs *programs)
{
	for (int i = 0; i < CLOSE_MS && programs->any; i++) {
		probe_programs_sweep(programs);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (waitpid(-1, NULL, WNOHANG) < 0)
			break; /* ECHILD */
		usleep(1000);
	}
	free(programs);
}
