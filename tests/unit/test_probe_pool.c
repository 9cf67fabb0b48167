/* SPDX-License-Identifier: BSD-2-Clause */
/* The pool: schedule, sharing, adding and removing, many checks. */
#include "probe_world.h"

#include <errno.h>

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#else
#define SANITIZED false
#endif

static void serve_slow_start(int fd)
{
	skip_request(fd);
	usleep(300000);
	put(fd, "HTTP/1.1 200 OK\r\n\r\nok");
}

/* ---- schedule ----------------------------------------------------------------------------------- */

/* Times hold, if not at once, on a machine that is busy with others. */
#define TRIES 6

static bool come_at_the_interval_with_jitter(uint16_t port)
{
	struct probe_question q = question_tcp(port);
	int64_t gap_us, least = INT64_MAX, most = 0, all;
	struct world w;

	q.interval_ms = 100;
	world_open(&w);
	add(&w, 7, &q);
	world_run(&w, 31, 30000);
	assert_true(w.n >= 31);
	for (size_t i = 1; i <= 30; i++) {
		gap_us = mono_diff_us(w.seen[i - 1].at, w.seen[i].at);
		least = gap_us < least ? gap_us : least;
		most = gap_us > most ? gap_us : most;
	}
	all = mono_diff_us(w.seen[0].at, w.seen[30].at);
	world_close(&w);
	/* 30 intervals of up to 100 ms, 90 on average, none far from it, not all the same. */
	return all >= 2400000 && all <= 3600000 && least > 50000 && most - least > 10000;
}

static void probes_at_the_interval_with_jitter(void **state)
{
	struct server s = server_start(AF_INET, serve_good);
	bool good = false;

	(void)state;
	for (int i = 0; i < TRIES && !good; i++)
		good = come_at_the_interval_with_jitter(s.port);
	assert_true(good);
	server_stop(&s);
}

/* Of two checks that share the probe the faster pace counts, and of the next the one that is left. */
static bool the_pace_changes(uint16_t port)
{
	struct probe_question q = question_tcp(port);
	struct world w;
	bool good;
	size_t n;

	q.interval_ms = 5000;
	world_open(&w);
	add(&w, 1, &q);
	add(&w, 2, &q);
	world_run(&w, 2, 20000); /* the first probe is early */
	assert_int_equal(w.n, 2);
	world_run(&w, 3, 300);
	assert_int_equal(w.n, 2);
	probe_pool_pace(w.pool, 1, 50);
	world_run(&w, 12, 20000);
	assert_true(w.n >= 12);
	good = mono_diff_us(w.seen[2].at, w.seen[11].at) >= 4 * 40000;
	probe_pool_remove(w.pool, 1);
	probe_pool_pace(w.pool, 2, 30000);
	n = w.n;
	world_run(&w, 1000, 500);
	good = good && w.n < n + 4; /* what was under way */
	world_close(&w);
	return good;
}

static void the_pace_can_be_changed(void **state)
{
	struct server s = server_start(AF_INET, serve_good);
	bool good = false;

	(void)state;
	for (int i = 0; i < TRIES && !good; i++)
		good = the_pace_changes(s.port);
	assert_true(good);
	server_stop(&s);
}

/* In the first tenth of the interval, all over it, however long the process takes to begin. */
static bool come_early_but_spread(uint16_t port)
{
	enum { CHECKS = 200 };
	struct probe_question q = question_tcp(port);
	int64_t half, all, early;
	struct world w;
	mono_t start;

	q.interval_ms = 20000;
	world_open(&w);
	for (uint32_t i = 0; i < CHECKS; i++) {
		q.timeout_ms = 1000 + i; /* so that they are not one */
		add(&w, i, &q);
	}
	start = mono_now();
	world_run(&w, CHECKS, 60000);
	assert_true(w.n >= CHECKS);
	early = mono_diff_us(start, w.seen[CHECKS - 1].at);
	all = mono_diff_us(w.seen[0].at, w.seen[CHECKS - 1].at);
	half = mono_diff_us(w.seen[0].at, w.seen[CHECKS / 2].at);
	world_close(&w);
	return early <= 10000000 && all >= 1200000 && half >= 400000 && half <= all - 400000;
}

static void first_probes_are_early_but_spread(void **state)
{
	struct server s = server_start(AF_INET, serve_good);
	bool good = false;

	(void)state;
	for (int i = 0; i < TRIES && !good; i++)
		good = come_early_but_spread(s.port);
	assert_true(good);
	server_stop(&s);
}

/* The reply takes three intervals. */
static bool come_one_at_a_time(uint16_t port)
{
	struct probe_question q = question_http(port);
	bool good = true;
	struct world w;

	q.interval_ms = 100;
	world_open(&w);
	add(&w, 1, &q);
	world_run(&w, 5, 30000);
	assert_true(w.n >= 5);
	for (size_t i = 0; i < w.n; i++) {
		assert_int_equal(w.seen[i].r.code, CHECK_OK);
		assert_true(w.seen[i].r.latency_us >= 300000);
		if (i > 0)
			good = good && mono_diff_us(w.seen[i - 1].at, w.seen[i].at) > 290000;
	}
	world_close(&w);
	return good;
}

static void a_check_has_one_probe_at_a_time(void **state)
{
	struct server s = server_start(AF_INET, serve_slow_start);
	bool good = false;

	(void)state;
	for (int i = 0; i < TRIES && !good; i++)
		good = come_one_at_a_time(s.port);
	assert_true(good);
	server_stop(&s);
}

/* ---- sharing ------------------------------------------------------------------------------------ */

static void equal_questions_share_a_probe(void **state)
{
	struct server s = server_start(AF_INET, serve_good);
	struct probe_question q = question_http(s.port);
	struct world w;

	(void)state;
	world_open(&w);
	add(&w, 1, &q);
	add(&w, 2, &q);
	question_text(&q, CONF_TEXT_EXPECT, "ok");
	add(&w, 3, &q);
	world_run(&w, 30, 10000);
	for (size_t i = 0; i + 1 < w.n; i++)
		if (w.seen[i].id == 1) {
			assert_int_equal(w.seen[i + 1].id, 2);
			assert_memory_equal(&w.seen[i].r, &w.seen[i + 1].r, sizeof(w.seen[i].r));
		}
	assert_true(seen_of(&w, 3) >= 5);
	/* What is left goes on. */
	probe_pool_remove(w.pool, 1);
	w.n = 0;
	world_run(&w, 10, 10000);
	assert_int_equal(seen_of(&w, 1), 0);
	assert_true(seen_of(&w, 2) >= 3);
	world_close(&w);
	server_stop(&s);
}

static void who_joins_is_told_the_latest_result(void **state)
{
	struct server s = server_start(AF_INET, serve_good);
	struct probe_question q = question_tcp(s.port);
	struct world w;
	mono_t joined;

	(void)state;
	q.interval_ms = 5000;
	world_open(&w);
	add(&w, 1, &q);
	world_run(&w, 1, 5000);
	add(&w, 2, &q);
	add(&w, 3, &q);
	probe_pool_remove(w.pool, 3);
	joined = mono_now();
	world_run(&w, 2, 5000);
	assert_int_equal(w.seen[1].id, 2);
	assert_int_equal(w.seen[1].r.code, CHECK_OK);
	assert_in_range(mono_diff_us(joined, w.seen[1].at), 0, 3000000); /* no probe of its own */
	world_run(&w, 3, 300);
	assert_int_equal(w.n, 2);
	world_close(&w);
	server_stop(&s);
}

struct fickle {
	struct world *w;
	struct probe_question other;
	unsigned int calls;
};

/* The first member told removes the second and makes the third another question's. */
static void on_fickle(void *arg, uint64_t id, const struct check_result *r)
{
	struct fickle *f = arg;

	(void)r;
	if (f->calls++ == 0) {
		assert_int_equal(id, 1);
		probe_pool_remove(f->w->pool, 1);
		probe_pool_remove(f->w->pool, 2);
		probe_pool_remove(f->w->pool, 3);
		assert_int_equal(probe_pool_add(f->w->pool, 3, &f->other), 0);
		return;
	}
	assert_int_equal(id, 3);
	assert_int_equal(r->code, CHECK_REFUSED);
	event_base_loopbreak(f->w->base);
}

static void the_callback_may_remove_and_add(void **state)
{
	struct server s = server_start(AF_INET, serve_good);
	struct probe_question q = question_tcp(s.port);
	struct world w = {.base = event_base_new()};
	struct fickle f = {.w = &w, .other = q};
	int refusing = server_listen(AF_INET, -1, &f.other.port);

	(void)state;
	assert_int_equal(probe_pool_open(w.base, "nobody", on_fickle, NULL, &f, &w.pool), 0);
	for (uint64_t id = 1; id <= 3; id++)
		add(&w, id, &q);
	world_run(&w, 0, 5000);
	assert_true(f.calls >= 2);
	world_close(&w);
	close(refusing);
	server_stop(&s);
}

/* ---- add and remove ----------------------------------------------------------------------------- */

static void an_id_is_used_once(void **state)
{
	struct probe_question q = question_tcp(9), bad = question_tcp(0);
	struct world w;

	(void)state;
	world_open(&w);
	add(&w, 1, &q);
	assert_int_equal(probe_pool_add(w.pool, 1, &q), -EEXIST);
	assert_int_equal(probe_pool_add(w.pool, 2, &bad), -EINVAL);
	probe_pool_remove(w.pool, 2);
	probe_pool_remove(w.pool, 1);
	probe_pool_remove(w.pool, 1);
	add(&w, 1, &q);
	world_close(&w);
}

static void serve_after_long(int fd)
{
	skip_request(fd);
	usleep(1500000);
	put(fd, "HTTP/1.1 200 OK\r\n\r\nok");
}

static void a_removed_check_is_silent(void **state)
{
	struct server slow = server_start(AF_INET, serve_after_long);
	struct server good = server_start(AF_INET, serve_good);
	struct probe_question q = question_http(slow.port), other = question_http(good.port);
	struct world w;

	(void)state;
	world_open(&w);
	q.timeout_ms = 30000;
	add(&w, 1, &q);
	add(&w, 2, &other);
	assert_true(comes(&w, 2, 1)); /* its probe is under way, the other has reported */
	assert_int_equal(seen_of(&w, 1), 0);
	probe_pool_remove(w.pool, 1);
	world_run(&w, 0, 2000);
	assert_int_equal(seen_of(&w, 1), 0);
	add(&w, 1, &other);
	add(&w, 3, &q);
	assert_true(comes(&w, 1, 1));
	assert_true(comes(&w, 3, 1));
	assert_int_equal(w.restarts, 0);
	world_close(&w);
	server_stop(&slow);
	server_stop(&good);
}

static void survives_a_thousand_changes(void **state)
{
	struct server s = server_start(AF_INET, serve_good);
	struct probe_question q = question_http(s.port);
	struct world w;

	(void)state;
	world_open(&w);
	for (unsigned int round = 0; round < 100; round++) {
		for (uint32_t i = 0; i < 20; i++) {
			q.timeout_ms = 1000 + (i + round) % 30;
			probe_pool_remove(w.pool, i);
			add(&w, i, &q);
		}
		world_run(&w, 0, 10);
	}
	w.n = 0;
	for (uint64_t i = 0; i < 20; i++)
		assert_true(comes(&w, i, 1));
	assert_int_equal(w.restarts, 0);
	world_close(&w);
	server_stop(&s);
}

/* ---- many --------------------------------------------------------------------------------------- */

static long resident_kib(pid_t pid)
{
	char line[128];

	status_line(pid, "VmRSS", line);
	return strtol(line, NULL, 10);
}

static void add_many(struct world *w, uint16_t port, uint32_t n, uint32_t interval_ms)
{
	struct probe_question q = question_tcp(port);

	q.interval_ms = interval_ms;
	for (uint32_t i = 0; i < n; i++) {
		q.addr.bytes[2] = (uint8_t)(i / 250);
		q.addr.bytes[3] = (uint8_t)(1 + i % 250);
		add(w, i, &q);
	}
}

/* Nobody listens, all over 127/8. */
static void ten_thousand_adds_at_once_all_report(void **state)
{
	enum { CHECKS = 10000 };
	static unsigned int seen[CHECKS];
	struct world w;
	uint16_t port;
	int fd = server_listen(AF_INET, -1, &port);

	(void)state;
	memset(seen, 0, sizeof(seen));
	world_open(&w);
	add_many(&w, port, CHECKS, 40000);
	world_run(&w, CHECKS, 35000);
	assert_int_equal(w.n, CHECKS);
	for (size_t i = 0; i < w.n; i++)
		assert_int_equal(seen[w.seen[i].id]++, 0);
	for (uint32_t i = 0; i < CHECKS; i++)
		probe_pool_remove(w.pool, i);
	world_run(&w, 0, 300);
	w.n = 0;
	world_run(&w, 1, 300);
	assert_int_equal(w.n, 0);
	assert_int_equal(w.restarts, 0);
	world_close(&w);
	close(fd);
}

static void two_thousand_checks_do_not_grow(void **state)
{
	enum { CHECKS = 2000 };
	struct server s = server_start(AF_INET, serve_good);
	struct probe_question q = question_http(s.port);
	long before, after, ours;
	struct world w;

	(void)state;
	world_open(&w);
	add_many(&w, s.port, CHECKS - 100, 1000);
	for (uint32_t i = CHECKS - 100; i < CHECKS; i++) {
		q.timeout_ms = 1000 + i;
		q.interval_ms = 500;
		question_text(&q, CONF_TEXT_EXPECT, i % 2 ? "ok" : "");
		add(&w, i, &q);
	}
	world_run(&w, 2 * CHECKS, 60000);
	before = resident_kib(probe_pool_child(w.pool));
	ours = resident_kib(getpid());
	w.n = 0;
	world_run(&w, 3 * CHECKS, 60000);
	assert_true(w.n >= 3 * CHECKS);
	after = resident_kib(probe_pool_child(w.pool));
	/* A sanitizer keeps what was freed. */
	if (!SANITIZED) {
		assert_in_range(after, 1, before + before / 10 + 1024);
		assert_in_range(resident_kib(getpid()), 1, ours + ours / 10 + 1024);
	}
	assert_int_equal(w.restarts, 0);
	world_close(&w);
	server_stop(&s);
}

/* The daemon does not read for a while: every check reports once, more is not even begun. */
static void a_slow_daemon_loses_no_result(void **state)
{
	enum { CHECKS = 1500 };
	int64_t ms;
	struct world w;
	mono_t woke;
	uint16_t port;
	int fd = server_listen(AF_INET, -1, &port);

	(void)state;
	world_open(&w);
	add_many(&w, port, CHECKS, 100);
	world_run(&w, 100, 30000);
	w.n = 0;
	usleep(2000000);
	woke = mono_now();
	world_run(&w, 0, 20);
	ms = mono_diff_us(woke, mono_now()) / 1000;
	/* Not the thirty thousand of two seconds, but one each and what comes meanwhile. */
	assert_in_range(w.n, 1, 2 * CHECKS + 2 * CHECKS * ms / 100);
	w.n = 0;
	for (uint64_t i = 0; i < CHECKS; i++)
		assert_true(comes(&w, i, 3));
	assert_int_equal(w.restarts, 0);
	world_close(&w);
	close(fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probes_at_the_interval_with_jitter),
		cmocka_unit_test(the_pace_can_be_changed),
		cmocka_unit_test(first_probes_are_early_but_spread),
		cmocka_unit_test(a_check_has_one_probe_at_a_time),
		cmocka_unit_test(equal_questions_share_a_probe),
		cmocka_unit_test(who_joins_is_told_the_latest_result),
		cmocka_unit_test(the_callback_may_remove_and_add),
		cmocka_unit_test(an_id_is_used_once),
		cmocka_unit_test(a_removed_check_is_silent),
		cmocka_unit_test(survives_a_thousand_changes),
		cmocka_unit_test(ten_thousand_adds_at_once_all_report),
		cmocka_unit_test(two_thousand_checks_do_not_grow),
		cmocka_unit_test(a_slow_daemon_loses_no_result),
	};

	PROBE_CHILD(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
