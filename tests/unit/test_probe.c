/* SPDX-License-Identifier: BSD-2-Clause */
/* Probes against servers that behave, and what they send them. */
#include "probe_world.h"

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>

/* ---- tcp ---------------------------------------------------------------------------------------- */

static void connects(void **state)
{
	struct check_result r = answer_of(serve_good, question_tcp(0));

	(void)state;
	assert_int_equal(r.code, CHECK_OK);
	assert_in_range(r.latency_us, 1, 1000000);
}

static void connects_by_ipv6(void **state)
{
	struct probe_question q = question_tcp(0);

	(void)state;
	q.addr = (struct addr){.family = 6, .bytes = {[15] = 1}};
	assert_int_equal(answer_of(serve_good, q).code, CHECK_OK);
}

static void a_port_where_nobody_listens_refuses(void **state)
{
	struct probe_question q = question_tcp(0);
	int fd = server_listen(AF_INET, -1, &q.port);

	(void)state;
	assert_int_equal(answer(&q).code, CHECK_REFUSED);
	q.kind = CONF_CHECK_HTTP;
	assert_int_equal(answer(&q).code, CHECK_REFUSED);
	close(fd);
}

/* With the backlog full the kernel drops every SYN. */
static void no_answer_to_connect_is_a_timeout(void **state)
{
	struct probe_question q = question_tcp(0);
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = server_listen(AF_INET, 0, &q.port), fill[4];
	struct check_result r;

	(void)state;
	at.sin_port = htons(q.port);
	for (size_t i = 0; i < 4; i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (connect(fill[i], (struct sockaddr *)&at, sizeof(at)) < 0)
			usleep(1000);
	}
	q.timeout_ms = 200;
	r = answer(&q);
	assert_int_equal(r.code, CHECK_TIMEOUT);
	assert_in_range(r.latency_us, 195000, 5000000);
	q.kind = CONF_CHECK_HTTP;
	assert_int_equal(answer(&q).code, CHECK_TIMEOUT);
	for (size_t i = 0; i < 4; i++)
		close(fill[i]);
	close(fd);
}

/* In a network namespace without an interface that is up: known at once, for many at a time. */
static void without_a_route_it_is_unreachable(void **state)
{
	struct probe_question q = question_tcp(80);
	struct world w;
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) < 0)
			_exit(77);
		q.addr = (struct addr){.family = 4, .bytes = {192, 0, 2, 1}};
		world_open(&w);
		for (uint32_t i = 0; i < 500; i++) {
			q.timeout_ms = 1000 + i;
			q.interval_ms = 1000;
			if (probe_pool_add(w.pool, i, &q) < 0)
				_exit(1);
		}
		world_run(&w, 1000, 60000);
		for (size_t i = 0; i < w.n; i++)
			if (w.seen[i].r.code != CHECK_UNREACHABLE ||
			    w.seen[i].r.detail != ENETUNREACH)
				_exit(2);
		_exit(w.n >= 1000 ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

/* ---- http that is well ------------------------------------------------------------------------- */

static void a_good_status_is_enough_without_a_text(void **state)
{
	struct check_result r = answer_of(serve_good, asking(""));

	(void)state;
	assert_int_equal(r.code, CHECK_OK);
	assert_int_equal(r.detail, 200);
}

static void finds_the_text(void **state)
{
	struct probe_question q = asking("ok");

	(void)state;
	assert_int_equal(answer_of(serve_good, q).code, CHECK_OK);
	q.addr = (struct addr){.family = 6, .bytes = {[15] = 1}};
	assert_int_equal(answer_of(serve_good, q).code, CHECK_OK);
}

static void serve_split(int fd)
{
	skip_request(fd);
	put(fd, "HTTP/1.1 200 OK\r\n\r\naaabaaaba");
	usleep(30000);
	put(fd, "aab");
	usleep(30000);
	put(fd, "aaac");
}

static void finds_a_text_that_comes_in_pieces(void **state)
{
	(void)state;
	assert_int_equal(answer_of(serve_split, asking("aaabaaabaaac")).code, CHECK_OK);
	assert_int_equal(answer_of(serve_split, asking("abaaac")).code, CHECK_OK);
	assert_int_equal(answer_of(serve_split, asking("aaabaaabaaad")).code, CHECK_NO_MATCH);
	assert_int_equal(answer_of(serve_split, asking("aaaac")).code, CHECK_NO_MATCH);
}

static void serve_chunked(int fd)
{
	skip_request(fd);
	put(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n");
}

static void finds_a_text_across_chunks(void **state)
{
	(void)state;
	assert_int_equal(answer_of(serve_chunked, asking("hello")).code, CHECK_OK);
}

static void serve_interim(int fd)
{
	skip_request(fd);
	put(fd, "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\n\r\nok");
}

static void an_interim_reply_is_not_the_reply(void **state)
{
	(void)state;
	assert_int_equal(answer_of(serve_interim, asking("")).detail, 200);
	assert_int_equal(answer_of(serve_interim, asking("ok")).code, CHECK_OK);
}

static mono_t *replied; /* when the server last sent its reply; shared with it */

static void serve_and_note(int fd)
{
	skip_request(fd);
	*replied = mono_now();
	put(fd, "HTTP/1.1 503 Unwell\r\n\r\n");
}

/* From the reply that decides to the callback in the daemon, the least of twenty. */
static void a_verdict_reaches_the_daemon_at_once(void **state)
{
	int64_t least_us = INT64_MAX, took_us;
	size_t before;
	struct probe_question q = asking("");
	struct server s;
	struct world w;

	(void)state;
	replied = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(replied != MAP_FAILED);
	s = server_start(AF_INET, serve_and_note);
	q.port = s.port;
	q.interval_ms = 20;
	world_open(&w);
	assert_int_equal(probe_pool_add(w.pool, 1, &q), 0);
	for (int i = 0; i < 20; i++) {
		before = w.n;
		world_run(&w, before + 1, 5000);
		assert_true(w.n > before); /* some come together where this process had to wait */
		took_us = mono_diff_us(*replied, w.seen[w.n - 1].at);
		if (took_us >= 0 && took_us < least_us) /* or the next reply has been sent */
			least_us = took_us;
	}
	print_message("%lld us from the reply to the callback\n", (long long)least_us);
	assert_in_range(least_us, 0, 1000);
	world_close(&w);
	server_stop(&s);
	munmap(replied, 4096);
}

/* Sends the request back as the body. */
static void serve_echo(int fd)
{
	char request[2048];

	get_request(fd, request, sizeof(request));
	put(fd, "HTTP/1.1 200 OK\r\n\r\n");
	put(fd, request);
}

static void the_request_says_what_was_asked(void **state)
{
	struct probe_question q = asking("GET /a/../b//./c%2F?x=1&y=/../#z HTTP/1.1\r\n");

	(void)state;
	question_text(&q, CONF_TEXT_PATH, "/a/../b//./c%2F?x=1&y=/../#z");
	assert_int_equal(answer_of(serve_echo, q).code, CHECK_OK);
	question_text(&q, CONF_TEXT_EXPECT, "\r\nHost: web.example\r\n");
	assert_int_equal(answer_of(serve_echo, q).code, CHECK_NO_MATCH);
	question_text(&q, CONF_TEXT_HOST, "web.example");
	assert_int_equal(answer_of(serve_echo, q).code, CHECK_OK);
	question_text(&q, CONF_TEXT_EXPECT, "\r\nUser-Agent: shunt/" SHUNT_VERSION "\r\n");
	assert_int_equal(answer_of(serve_echo, q).code, CHECK_OK);
	question_text(&q, CONF_TEXT_EXPECT, "\r\nConnection: close\r\n");
	assert_int_equal(answer_of(serve_echo, q).code, CHECK_OK);
	question_text(&q, CONF_TEXT_PATH, "");
	question_text(&q, CONF_TEXT_EXPECT, "GET / HTTP/1.1\r\n");
	assert_int_equal(answer_of(serve_echo, q).code, CHECK_OK);
	question_text(&q, CONF_TEXT_HOST, "");
	q.addr = (struct addr){.family = 6, .bytes = {[15] = 1}};
	question_text(&q, CONF_TEXT_EXPECT, "\r\nHost: [::1]:");
	assert_int_equal(answer_of(serve_echo, q).code, CHECK_OK);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connects),
		cmocka_unit_test(connects_by_ipv6),
		cmocka_unit_test(a_port_where_nobody_listens_refuses),
		cmocka_unit_test(no_answer_to_connect_is_a_timeout),
		cmocka_unit_test(without_a_route_it_is_unreachable),
		cmocka_unit_test(a_good_status_is_enough_without_a_text),
		cmocka_unit_test(finds_the_text),
		cmocka_unit_test(finds_a_text_that_comes_in_pieces),
		cmocka_unit_test(finds_a_text_across_chunks),
		cmocka_unit_test(an_interim_reply_is_not_the_reply),
		cmocka_unit_test(a_verdict_reaches_the_daemon_at_once),
		cmocka_unit_test(the_request_says_what_was_asked),
	};

	PROBE_CHILD(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
