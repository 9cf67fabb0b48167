/* SPDX-License-Identifier: BSD-2-Clause */
/* For the tests of the probes: a pool with its loop and what it reported, and servers on the
 * loopback, each a process of its own with a thread a connection. The test binary is the probe child
 * too, so its main begins with PROBE_CHILD(argc, argv). */
#ifndef SHUNT_TEST_PROBE_WORLD_H
#define SHUNT_TEST_PROBE_WORLD_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <event2/event.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mono.h"
#include "io/probe.h"

#define PROBE_CHILD(argc, argv)                                                                    \
	do {                                                                                       \
		if ((argc) == 2 && strcmp((argv)[1], "--probe-child") == 0)                        \
			return probe_child_main(NULL);                                             \
	} while (0)

#define SEEN_MAX 65536

struct seen {
	uint64_t id;
	struct check_result r;
	mono_t at;
};

struct world {
	struct event_base *base;
	struct probe_pool *pool;
	struct seen *seen;
	size_t n, want; /* results so far; the loop ends at @want */
	unsigned int restarts;
	char why[256];
};

static inline void world_on_result(void *arg, uint64_t id, const struct check_result *r)
{
	struct world *w = arg;

	if (w->n < SEEN_MAX)
		w->seen[w->n] = (struct seen){id, *r, mono_now()};
	w->n++;
	if (w->want && w->n >= w->want)
		event_base_loopbreak(w->base);
}

static inline void world_on_restart(void *arg, const char *why)
{
	struct world *w = arg;

	w->restarts++;
	snprintf(w->why, sizeof(w->why), "%s", why);
	event_base_loopbreak(w->base); /* before more happens */
}

static inline void world_open(struct world *w)
{
	*w = (struct world){.base = event_base_new()};
	w->seen = calloc(SEEN_MAX, sizeof(*w->seen));
	assert_non_null(w->base);
	assert_non_null(w->seen);
	assert_int_equal(
		probe_pool_open(w->base, "nobody", world_on_result, world_on_restart, w, &w->pool),
		0);
}

static inline void world_close(struct world *w)
{
	probe_pool_close(w->pool);
	event_base_free(w->base);
	free(w->seen);
}

/* Runs the loop for that long, or until there are @want results in all (0: no matter). */
static inline void world_run(struct world *w, size_t want, int ms)
{
	struct timeval limit = {ms / 1000, ms % 1000 * 1000};

	w->want = want;
	if (want && w->n >= want)
		return;
	event_base_loopexit(w->base, &limit);
	event_base_dispatch(w->base);
}

static inline void question_text(struct probe_question *q, enum conf_check_text which,
				 const char *text)
{
	assert_int_equal(probe_question_set(q, which, text, strlen(text)), 0);
}

static inline struct probe_question question_tcp(uint16_t port)
{
	struct probe_question q = {
		.addr = {.family = 4, .bytes = {127, 0, 0, 1}},
		.port = port,
		.kind = CONF_CHECK_TCP,
		.interval_ms = 100,
		.timeout_ms = 2000,
		.jitter = 20,
	};

	return q;
}

static inline struct probe_question question_http(uint16_t port)
{
	struct probe_question q = question_tcp(port);

	q.kind = CONF_CHECK_HTTP;
	question_text(&q, CONF_TEXT_PATH, "/healthz");
	return q;
}

/* The first result of one question, asked in a world of its own. */
static inline struct check_result answer(const struct probe_question *q)
{
	struct check_result r;
	struct world w;

	world_open(&w);
	assert_int_equal(probe_pool_add(w.pool, 1, q), 0);
	world_run(&w, 1, 20000);
	assert_true(w.n >= 1);
	assert_int_equal(w.restarts, 0);
	r = w.seen[0].r;
	world_close(&w);
	return r;
}

/* ---- servers ------------------------------------------------------------------------------------ */

/* Serves one connection; it is closed after. */
typedef void server_fn(int fd);

struct server {
	pid_t pid;
	uint16_t port;
};

static inline int server_listen(int family, int backlog, uint16_t *port)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr *at = family == AF_INET6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
	socklen_t len = family == AF_INET6 ? sizeof(v6) : sizeof(v4);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, at, len), 0);
	assert_int_equal(getsockname(fd, at, &len), 0);
	*port = ntohs(family == AF_INET6 ? v6.sin6_port : v4.sin_port);
	if (backlog >= 0)
		assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

struct server_conn {
	int fd;
	server_fn *serve;
};

static inline void *server_thread(void *arg)
{
	struct server_conn *c = arg;

	c->serve(c->fd);
	close(c->fd);
	free(c);
	return NULL;
}

static inline void server_loop(int listener, server_fn *serve)
{
	struct server_conn *c;
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		c = malloc(sizeof(*c));
		c->fd = accept(listener, NULL, NULL);
		c->serve = serve;
		if (c->fd < 0 || pthread_create(&thread, NULL, server_thread, c) != 0)
			_exit(1);
		pthread_detach(thread);
	}
}

static inline struct server server_start(int family, server_fn *serve)
{
	struct server s;
	int fd = server_listen(family, 128, &s.port);

	fflush(NULL);
	s.pid = fork();
	assert_true(s.pid >= 0);
	if (s.pid == 0)
		server_loop(fd, serve);
	close(fd);
	return s;
}

static inline void server_stop(struct server *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
}

/* Asks @q of a server of that kind; @q->port is filled in. */
static inline struct check_result answer_of(server_fn *serve, struct probe_question q)
{
	struct server s = server_start(q.addr.family == 6 ? AF_INET6 : AF_INET, serve);
	struct check_result r;

	q.port = s.port;
	r = answer(&q);
	server_stop(&s);
	return r;
}

static inline void put(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		return;
}

/* Reads until the blank line that ends a request; returns its length. */
static inline size_t get_request(int fd, char *out, size_t size)
{
	size_t n = 0;
	ssize_t got;

	out[0] = '\0';
	while (n + 1 < size && !strstr(out, "\r\n\r\n")) {
		got = read(fd, out + n, size - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
		out[n] = '\0';
	}
	return n;
}

static inline struct probe_question asking(const char *expect)
{
	struct probe_question q = question_http(0);

	question_text(&q, CONF_TEXT_EXPECT, expect);
	return q;
}

static inline struct probe_question within(uint32_t timeout_ms, const char *expect)
{
	struct probe_question q = asking(expect);

	q.timeout_ms = timeout_ms;
	return q;
}

static inline void skip_request(int fd)
{
	char request[2048];

	get_request(fd, request, sizeof(request));
}

static inline void forever(int fd, const char *text)
{
	while (write(fd, text, strlen(text)) > 0)
		;
}

static inline void wait_for_close(int fd)
{
	char c[512];

	while (read(fd, c, sizeof(c)) > 0)
		;
}

static inline void serve_good(int fd)
{
	skip_request(fd);
	put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static inline void add(struct world *w, uint64_t id, const struct probe_question *q)
{
	assert_int_equal(probe_pool_add(w->pool, id, q), 0);
}

static inline size_t seen_of(const struct world *w, uint64_t id)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n && i < SEEN_MAX; i++)
		n += w->seen[i].id == id;
	return n;
}

/* Runs the loop until there are @n results of @id, or for a minute. */
static inline bool comes(struct world *w, uint64_t id, size_t n)
{
	const mono_t start = mono_now();

	while (seen_of(w, id) < n && mono_diff_us(start, mono_now()) < 60000000)
		world_run(w, 0, 10);
	return seen_of(w, id) >= n;
}

/* The value of a line of /proc/@pid/status. */
static inline void status_line(pid_t pid, const char *key, char out[static 128])
{
	char path[64], line[256];
	size_t n = strlen(key);
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	assert_non_null(f);
	out[0] = '\0';
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, key, n) == 0 && line[n] == ':')
			snprintf(out, 128, "%.*s", (int)strcspn(line + n + 2, "\n"), line + n + 2);
	fclose(f);
}

static inline void status_is(pid_t pid, const char *key, const char *want)
{
	char got[128];

	status_line(pid, key, got);
	assert_string_equal(got, want);
}

#endif
