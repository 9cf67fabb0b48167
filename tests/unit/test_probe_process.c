/* SPDX-License-Identifier: BSD-2-Clause */
/* The probe child as a process: its death, and children that are not what they should be, which this
 * binary plays too. */
#include "probe_world.h"

#include <cap-ng.h>
#include <errno.h>
#include <poll.h>
#include <sys/resource.h>

#include "io/probe_msg.h"

/* ---- death -------------------------------------------------------------------------------------- */

static void a_killed_child_is_started_again_with_its_checks(void **state)
{
	struct server s = server_start(AF_INET, serve_good);
	struct probe_question q = question_http(s.port);
	struct world w;
	pid_t first;
	mono_t killed;

	(void)state;
	world_open(&w);
	add(&w, 1, &q);
	q.timeout_ms++;
	add(&w, 2, &q);
	world_run(&w, 4, 5000);
	first = probe_pool_child(w.pool);
	kill(first, SIGKILL);
	probe_pool_remove(w.pool, 2);
	q.timeout_ms++;
	add(&w, 3, &q);
	killed = mono_now();
	w.n = 0;
	while (!w.restarts && mono_diff_us(killed, mono_now()) < 60000000)
		world_run(&w, 0, 10);
	assert_string_equal(w.why, "killed by signal 9 (Killed); started again");
	assert_int_not_equal(probe_pool_child(w.pool), first);
	w.n = 0;
	assert_true(comes(&w, 1, 3));
	assert_true(comes(&w, 3, 3));
	assert_int_equal(seen_of(&w, 2), 0);
	/* The second end in a row waits a second. */
	kill(probe_pool_child(w.pool), SIGKILL);
	killed = mono_now();
	while (w.restarts < 2 && mono_diff_us(killed, mono_now()) < 60000000)
		world_run(&w, 0, 10);
	assert_string_equal(w.why, "killed by signal 9 (Killed); starts again in 1 s");
	assert_int_equal(probe_pool_child(w.pool), 0);
	w.n = 0;
	assert_true(comes(&w, 1, 2));
	world_close(&w);
	server_stop(&s);
}

static void ignores_what_stops_the_whole_group(void **state)
{
	struct server s = server_start(AF_INET, serve_good);
	struct probe_question q = question_tcp(s.port);
	struct world w;

	(void)state;
	world_open(&w);
	add(&w, 1, &q);
	world_run(&w, 1, 5000);
	kill(probe_pool_child(w.pool), SIGTERM);
	kill(probe_pool_child(w.pool), SIGINT);
	kill(probe_pool_child(w.pool), SIGHUP);
	w.n = 0;
	world_run(&w, 5, 60000);
	assert_int_equal(w.restarts, 0);
	assert_true(w.n >= 5);
	world_close(&w);
	server_stop(&s);
}

static void closing_leaves_no_process(void **state)
{
	struct world w;
	pid_t child;

	(void)state;
	world_open(&w);
	child = probe_pool_child(w.pool);
	assert_true(child > 0);
	world_close(&w);
	assert_int_equal(kill(child, 0), -1);
	assert_int_equal(errno, ESRCH);
	probe_pool_close(NULL);
}

/* The child must not outlive a daemon that is killed. */
static void a_killed_daemon_takes_its_child_along(void **state)
{
	struct world w;
	pid_t daemon, child = 0;
	int said[2], status;

	(void)state;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	assert_int_equal(pipe(said), 0);
	daemon = fork();
	if (daemon == 0) {
		world_open(&w);
		world_run(&w, 0, 200);
		child = probe_pool_child(w.pool);
		(void)!write(said[1], &child, sizeof(child));
		pause();
	}
	assert_int_equal(read(said[0], &child, sizeof(child)), sizeof(child));
	kill(daemon, SIGKILL);
	assert_int_equal(waitpid(daemon, &status, 0), daemon);
	alarm(60);
	assert_int_equal(waitpid(child, &status, 0), child);
	alarm(0);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	close(said[0]);
	close(said[1]);
}

/* As a daemon that has kept few capabilities: it may not signal its child. */
static void a_child_that_cannot_be_killed_ends_too(void **state)
{
	struct probe_question q = question_tcp(9);
	struct world w;
	int status;
	pid_t pid, child;

	(void)state;
	if (geteuid() != 0)
		skip();
	pid = fork();
	if (pid == 0) {
		alarm(60);
		capng_get_caps_process();
		capng_update(CAPNG_DROP, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_KILL);
		if (capng_apply(CAPNG_SELECT_CAPS) != 0)
			_exit(1);
		world_open(&w);
		add(&w, 1, &q);
		world_run(&w, 1, 30000); /* it is another user then */
		child = probe_pool_child(w.pool);
		if (kill(child, SIGKILL) == 0 || errno != EPERM)
			_exit(2);
		world_close(&w);
		_exit(kill(child, 0) < 0 && errno == ESRCH ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void an_unknown_user_is_refused(void **state)
{
	struct event_base *base = event_base_new();
	struct probe_pool *p = NULL;

	(void)state;
	if (geteuid() == 0) {
		assert_int_equal(
			probe_pool_open(base, "no-such-user", world_on_result, NULL, NULL, &p),
			-ENOENT);
		assert_int_equal(probe_pool_open(base, "root", world_on_result, NULL, NULL, &p),
				 -EPERM);
	}
	assert_null(p);
	event_base_free(base);
}

/* ---- a child that is not ours ------------------------------------------------------------------- */

/* world_open() with a child of another kind, which stays the user that this process is. */
static void world_open_with(struct world *w, const char *path, const char *mode)
{
	static char name[] = "test", text[32]; /* the pool keeps them */
	static char *const argv[] = {name, text, NULL};
	struct probe_pool_setup setup = {
		.result = world_on_result,
		.restarted = world_on_restart,
		.arg = w,
		.program = {.path = path, .argv = argv},
	};

	snprintf(text, sizeof(text), "%s", mode);
	*w = (struct world){.base = event_base_new()};
	w->seen = calloc(SEEN_MAX, sizeof(*w->seen));
	setup.base = w->base;
	assert_int_equal(probe_pool_open_as(&setup, &w->pool), 0);
}

/* Gives why the pool thinks that the second child of that kind ended. */
static void end_of_bad_child(const char *path, const char *mode, char why[static 256])
{
	struct probe_question q = question_tcp(9);
	mono_t start = mono_now();
	struct world w;

	world_open_with(&w, path, mode);
	add(&w, 1, &q);
	while (w.restarts < 2 && mono_diff_us(start, mono_now()) < 60000000)
		world_run(&w, 0, 10);
	assert_int_equal(w.restarts, 2);
	assert_int_equal(w.n, 0);
	memcpy(why, w.why, 256);
	world_close(&w);
}

static int child_with_few_descriptors(void)
{
	struct rlimit few = {64, 64};

	return setrlimit(RLIMIT_NOFILE, &few) < 0 ? 1 : probe_child_main(NULL);
}

static int other_child(const char *mode)
{
	/* Of the first check in the first slot, so that it is wrong in one respect only. */
	struct probe_report report = {
		.type = PROBE_MSG_REPORT, .id = 1ULL << 32, .result = {.text = "connected"}};
	size_t size = sizeof(report);

	if (strcmp(mode, "--few-descriptors") == 0)
		return child_with_few_descriptors();
	if (strcmp(mode, "--bad-type") == 0)
		report.type++;
	else if (strcmp(mode, "--bad-code") == 0)
		report.result.code = CHECK_CODE_MAX;
	else if (strcmp(mode, "--bad-slot") == 0)
		report.id = 12345;
	else if (strcmp(mode, "--bad-size") == 0)
		size--;
	else
		return 42;
	(void)!write(PROBE_FD, &report, size);
	pause();
	return 0;
}

static void a_child_that_talks_nonsense_is_replaced(void **state)
{
	static const char *const modes[] = {"--bad-type", "--bad-code", "--bad-slot", "--bad-size"};
	char why[256];

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		end_of_bad_child("/proc/self/exe", modes[i], why);
		assert_string_equal(why, "it sent what is no message; starts again in 1 s");
	}
}

static void a_child_that_cannot_run_says_so(void **state)
{
	char why[256];

	(void)state;
	end_of_bad_child("/nonexistent/shuntd", "--probe-child", why);
	assert_string_equal(
		why, "exit status 100 (the executable could not be run); starts again in 1 s");
	end_of_bad_child("/proc/self/exe", "--bad-exit", why);
	assert_string_equal(why, "exit status 42 (unexpected); starts again in 1 s");
}

/* Starts a child without a pool, sends it @size bytes, gives how it ended. */
static void end_after(const void *message, size_t size, char why[static PROBE_WHY_MAX])
{
	char name[] = "shuntd", mode[] = "--probe-child";
	char *const argv[] = {name, mode, NULL};
	struct probe_program program = {.path = "/proc/self/exe", .argv = argv};
	struct child_process process;
	struct pollfd ended = {.events = POLLIN};

	assert_int_equal(probe_process_start(&program, &process), 0);
	if (size)
		assert_int_equal(send(process.sock, message, size, 0), size);
	else
		shutdown(process.sock, SHUT_RDWR);
	ended.fd = process.pidfd;
	assert_int_equal(poll(&ended, 1, 60000), 1);
	probe_process_end(&process, why);
}

static void the_child_ends_at_a_message_that_is_none(void **state)
{
	const char *misunderstood = "exit status 104 (it did not understand a message)";
	char why[PROBE_WHY_MAX], longer[sizeof(struct probe_command) + 1] = {0};
	struct probe_command m;

	(void)state;
	memset(&m, 0, sizeof(m));
	end_after(&m, sizeof(m), why);
	assert_string_equal(why, misunderstood);
	end_after(&m, 1, why);
	assert_string_equal(why, misunderstood);
	m.type = PROBE_MSG_REMOVE;
	end_after(&m, sizeof(m), why);
	assert_string_equal(why, misunderstood);
	m.type = PROBE_MSG_ADD; /* of an empty question */
	end_after(&m, sizeof(m), why);
	assert_string_equal(why, misunderstood);
	m.question = question_tcp(9);
	m.id = PROBE_CHECKS_MAX;
	end_after(&m, sizeof(m), why);
	assert_string_equal(why, misunderstood);
	m.id = 0; /* a message but for its size */
	end_after(&m, sizeof(m) - 1, why);
	assert_string_equal(why, misunderstood);
	memcpy(longer, &m, sizeof(m));
	end_after(longer, sizeof(longer), why);
	assert_string_equal(why, misunderstood);
	end_after(NULL, 0, why);
	assert_string_equal(why, "exit status 0 (its socket was closed)");
}

/* ---- too little of everything ----------------------------------------------------------------- */

static size_t starved_of(const struct world *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		n += w->seen[i].r.code == CHECK_NO_RESOURCES;
	return n;
}

/* Room for 32 probes of 1.5 s: the others wait in line, and say so when it takes too long. None comes
 * again before the others. */
static void without_descriptors_it_is_nobodys_fault(void **state)
{
	struct server s = server_start(AF_INET, wait_for_close);
	struct probe_question q = question_http(s.port);
	unsigned int asked[100] = {0};
	const mono_t start = mono_now();
	size_t turns = 0;
	struct world w;

	(void)state;
	world_open_with(&w, "/proc/self/exe", "--few-descriptors");
	for (uint32_t i = 0; i < 100; i++) {
		q.timeout_ms = 1500 + i;
		q.interval_ms = 400;
		add(&w, i, &q);
	}
	while (w.n - starved_of(&w) < 64 && mono_diff_us(start, mono_now()) < 60000000)
		world_run(&w, 0, 50);
	for (size_t i = 0; i < w.n && turns < 64; i++) {
		if (w.seen[i].r.code == CHECK_NO_RESOURCES)
			continue;
		assert_int_equal(w.seen[i].r.code, CHECK_TIMEOUT);
		assert_int_equal(asked[w.seen[i].id]++, 0);
		turns++;
	}
	assert_int_equal(turns, 64);
	assert_true(starved_of(&w) > 0);
	assert_int_equal(w.restarts, 0);
	world_close(&w);
	server_stop(&s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_killed_child_is_started_again_with_its_checks),
		cmocka_unit_test(ignores_what_stops_the_whole_group),
		cmocka_unit_test(closing_leaves_no_process),
		cmocka_unit_test(a_killed_daemon_takes_its_child_along),
		cmocka_unit_test(a_child_that_cannot_be_killed_ends_too),
		cmocka_unit_test(an_unknown_user_is_refused),
		cmocka_unit_test(a_child_that_talks_nonsense_is_replaced),
		cmocka_unit_test(a_child_that_cannot_run_says_so),
		cmocka_unit_test(the_child_ends_at_a_message_that_is_none),
		cmocka_unit_test(without_descriptors_it_is_nobodys_fault),
	};

	PROBE_CHILD(argc, argv);
	if (argc == 2)
		return other_child(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
