/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs as checks, also such that do not end, fork or flood; and the child's watchdog. */
#include "probe_world.h"

#include <sys/mman.h>

static struct probe_question of_kind(enum conf_check_kind kind)
{
	struct probe_question q = question_tcp(0);

	q.kind = kind;
	q.timeout_ms = 5000;
	return q;
}

static void list_text(struct probe_question *q, enum conf_check_text which, const char *texts,
		      size_t len)
{
	assert_int_equal(probe_question_set(q, which, texts, len), 0);
}

#define LIST(q, which, texts) list_text(q, which, texts, sizeof(texts))

static void is(const struct check_result *r, const char *name, const char *text)
{
	char got[CHECK_NAME_MAX];

	assert_string_equal(check_name(r, got), name);
	if (text)
		assert_string_equal(r->text, text);
}

/* ---- exec --------------------------------------------------------------------------------------- */

static struct probe_question shell(const char *line)
{
	struct probe_question q = of_kind(CONF_CHECK_EXEC);
	char words[512] = "/bin/sh\0-c";

	q.timeout_ms = 5000;
	strcpy(words + 11, line);
	list_text(&q, CONF_TEXT_COMMAND, words, 11 + strlen(line) + 1);
	return q;
}

static void a_program_decides_by_its_exit_status(void **state)
{
	struct probe_question q = shell("exit 0");
	struct check_result r = answer(&q);

	(void)state;
	is(&r, "PROCOK", "exit status 0");
	q = shell("echo; echo disk full; echo and more; exit 3");
	r = answer(&q);
	is(&r, "PROCERR 3", "exit status 3: disk full");
	q = shell("kill -SEGV $$");
	r = answer(&q);
	is(&r, "PROCERR", "killed by signal 11 (Segmentation fault)");
	q = of_kind(CONF_CHECK_EXEC);
	LIST(&q, CONF_TEXT_COMMAND, "/nowhere/check\0--all");
	r = answer(&q);
	is(&r, "CONFERR", "cannot run /nowhere/check: No such file or directory");
	q = of_kind(CONF_CHECK_EXEC);
	LIST(&q, CONF_TEXT_COMMAND, "/tmp");
	r = answer(&q);
	is(&r, "CONFERR", "cannot run /tmp: Permission denied");
}

static void a_program_has_its_environment_and_no_more(void **state)
{
	struct probe_question q = shell("env | sort | tr '\\n' ' '");
	struct check_result r;

	(void)state;
	LIST(&q, CONF_TEXT_ENVIRONMENT, "A=b c\0PATH=/bin:/usr/bin");
	q.port = 81;
	r = answer(&q);
	is(&r, "PROCOK",
	   "exit status 0: A=b c PATH=/bin:/usr/bin PWD=/ SHUNT_ADDRESS=127.0.0.1 SHUNT_PORT=81 ");
	q = shell("echo $(ls /proc/self/fd)"); /* 3: the folder that it reads */
	r = answer(&q);
	is(&r, "PROCOK", "exit status 0: 0 1 2 3");
}

/* A process that says so with a file name of its own. */
static bool runs(const char *mark)
{
	char command[128];

	snprintf(command, sizeof(command), "pgrep -f '[s]leep %s' >/dev/null", mark);
	return system(command) == 0;
}

static bool ends(const char *mark)
{
	for (int i = 0; i < 100 && runs(mark); i++)
		usleep(100000);
	return !runs(mark);
}

static void what_a_program_has_started_dies_with_it(void **state)
{
	struct probe_question q;
	struct check_result r;
	char line[256], mark[32];

	(void)state;
	snprintf(mark, sizeof(mark), "8%d.5", getpid());
	snprintf(line, sizeof(line), "echo waits; sleep %s & sleep %s", mark, mark);
	q = shell(line);
	q.timeout_ms = 300;
	r = answer(&q);
	is(&r, "PROCTOUT", "the program did not end within 300 ms; it said: waits");
	assert_true(ends(mark));
	/* In the background of a session of its own. */
	snprintf(line, sizeof(line), "setsid sleep %s </dev/null >/dev/null 2>&1 & sleep 0.2",
		 mark);
	q = shell(line);
	r = answer(&q);
	is(&r, "PROCOK", NULL);
	assert_true(ends(mark));
}

static void a_program_that_floods_or_forks_is_killed(void **state)
{
	struct probe_question q = shell("yes");
	struct check_result r = answer(&q);

	(void)state;
	is(&r, "PROCERR", "killed: more than 64 KiB of output");
	if (geteuid() != 0)
		skip();
	q = shell("f() { f | f & }; f; sleep 9");
	q.timeout_ms = 500;
	r = answer(&q);
	assert_true(r.code == CHECK_TIMEOUT || r.code == CHECK_BAD_STATUS);
}

static void what_finds_no_room_says_so(void **state)
{
	struct probe_question q;
	char line[64];
	struct world w;
	size_t i = 0;

	(void)state;
	world_open(&w);
	for (uint64_t id = 1; id <= 64; id++) {
		snprintf(line, sizeof(line), ": %d; sleep 9", (int)id);
		q = shell(line);
		q.timeout_ms = 60000;
		add(&w, id, &q);
	}
	world_run(&w, 1, 20000);
	assert_true(w.n >= 1);
	while (i < w.n && w.seen[i].r.code != CHECK_NO_RESOURCES)
		i++;
	assert_true(i < w.n);
	is(&w.seen[i].r, "SOCKERR",
	   "could not probe: no room beside others for an interval; make it longer");
	world_close(&w);
}

/* ---- the child ---------------------------------------------------------------------------------- */

static void a_child_that_is_stopped_is_replaced(void **state)
{
	struct server s = server_start(AF_INET, serve_good);
	struct probe_question q = question_tcp(s.port);
	struct world w;

	(void)state;
	world_open(&w);
	add(&w, 1, &q);
	world_run(&w, 1, 5000);
	kill(probe_pool_child(w.pool), SIGSTOP);
	for (int i = 0; i < 20 && w.restarts == 0; i++)
		world_run(&w, 0, 1000);
	assert_int_equal(w.restarts, 1);
	assert_string_equal(w.why, "it said nothing for 5 s and was killed; started again");
	w.n = 0;
	for (int i = 0; i < 20 && w.n < 3; i++)
		world_run(&w, 3, 1000);
	assert_true(w.n >= 3);
	world_close(&w);
	server_stop(&s);
}

static pid_t *starved; /* shared with the server's process */

/* Lets the prober run again only long after the deadline. */
static void starve(void)
{
	kill(*starved, SIGSTOP);
	usleep(800000);
	kill(*starved, SIGCONT);
}

static void serve_the_starved(int fd)
{
	skip_request(fd);
	starve();
	usleep(50000);
	put(fd, "HTTP/1.1 200 OK\r\n\r\nok");
}

static void serve_the_starved_nothing(int fd)
{
	skip_request(fd);
	starve();
	wait_for_close(fd);
}

static struct check_result answer_to_starved(server_fn *serve)
{
	struct server s = server_start(AF_INET, serve);
	struct probe_question q = question_http(s.port);
	struct check_result r;
	struct world w;

	q.timeout_ms = 400;
	q.interval_ms = 60000;
	world_open(&w);
	*starved = probe_pool_child(w.pool);
	add(&w, 1, &q);
	world_run(&w, 1, 20000);
	assert_int_equal(w.n, 1);
	r = w.seen[0].r;
	world_close(&w);
	server_stop(&s);
	return r;
}

static void what_the_prober_could_not_wait_for_is_nobodys_fault(void **state)
{
	int rw = PROT_READ | PROT_WRITE;

	(void)state;
	starved = mmap(NULL, sizeof(*starved), rw, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(starved, MAP_FAILED);
	assert_int_equal(answer_to_starved(serve_the_starved).code, CHECK_OK);
	assert_int_equal(answer_to_starved(serve_the_starved_nothing).code, CHECK_TIMEOUT);
	munmap(starved, sizeof(*starved));
}

static void the_child_says_how_it_does(void **state)
{
	struct server s = server_start(AF_INET, serve_good);
	struct probe_question q = question_tcp(s.port);
	struct probe_vitals v = {0};
	bool settled = false;
	struct world w;

	(void)state;
	world_open(&w);
	add(&w, 1, &q);
	for (int i = 0; i < 15 && !settled; i++) { /* a slow machine may have one that waits */
		world_run(&w, 0, 1400);
		v = probe_pool_vitals(w.pool);
		settled = v.started > 0 && v.waiting == 0;
	}
	assert_true(settled);
	assert_in_range(v.started, 1, 20);
	assert_true(v.late_max_us <= v.late_p99_us);
	world_close(&w);
	server_stop(&s);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_decides_by_its_exit_status),
		cmocka_unit_test(a_program_has_its_environment_and_no_more),
		cmocka_unit_test(what_a_program_has_started_dies_with_it),
		cmocka_unit_test(a_program_that_floods_or_forks_is_killed),
		cmocka_unit_test(what_finds_no_room_says_so),
		cmocka_unit_test(a_child_that_is_stopped_is_replaced),
		cmocka_unit_test(what_the_prober_could_not_wait_for_is_nobodys_fault),
		cmocka_unit_test(the_child_says_how_it_does),
	};

	PROBE_CHILD(argc, argv);
	return cmocka_run_group_tests_name("probe_exec", tests, NULL, NULL);
}
