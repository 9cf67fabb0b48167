/* SPDX-License-Identifier: BSD-2-Clause */
/* The stats socket for real: the server in one process, the client in another, over netlink. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "base/mono.h"

#include "fake_rows.h"

static void ten_thousand_backends_come_through_whole(void **state)
{
	struct stats_client *c = client();
	struct client_error e = {""};
	struct view_backend *rows;
	int64_t best_us = INT64_MAX;
	size_t n;
	int i;

	(void)state;
	for (i = 0; i < 5; i++) {
		mono_t start = mono_now();
		int64_t took_us;

		assert_int_equal(stats_client_backends(c, NULL, &rows, &n, &e), 0);
		took_us = mono_diff_us(start, mono_now());
		best_us = took_us < best_us ? took_us : best_us;
		check_backends(rows, n, SERVICES);
		assert_true(n >= 10000);
		free(rows);
	}
	stats_client_close(c);
	print_message("%zu backends in %.1f ms\n", n, (double)best_us / 1000);
	/* A bound that only a dump gone quadratic or waiting for timeouts breaks. */
	assert_true(best_us < 900000);
}

static void the_other_dumps_are_whole_too(void **state)
{
	struct stats_client *c = client();
	struct client_error e = {""};
	struct view_interface *interfaces = NULL;
	struct view_service *services = NULL;
	struct view_verdict *verdicts = NULL;
	struct view_status status;
	size_t n;

	(void)state;
	assert_int_equal(stats_client_status(c, &status, &e), 0);
	assert_string_equal(status.version, "9.9.9");
	assert_int_equal(stats_client_interfaces(c, &interfaces, &n, &e), 0);
	assert_int_equal(n, 3);
	assert_string_equal(interfaces[2].name, "eth2");
	assert_int_equal(stats_client_services(c, NULL, &services, &n, &e), 0);
	assert_int_equal(n, SERVICES);
	assert_string_equal(services[99].name, "service-00099");
	assert_int_equal(stats_client_verdicts(c, &verdicts, &n, &e), 0);
	assert_int_equal(n, SHUNT_VERDICT_MAX - 1 - SHUNT_FORWARD_LOCAL);
	assert_int_equal(verdicts[0].verdict, SHUNT_FORWARD_LOCAL + 1);
	assert_int_equal(verdicts[n - 1].packets, (SHUNT_VERDICT_MAX - 1) * 10);
	free(interfaces);
	free(services);
	free(verdicts);
	stats_client_close(c);
}

static void one_service_can_be_asked_for(void **state)
{
	struct stats_client *c = client();
	struct client_error e = {""};
	struct view_service *services = NULL;
	struct view_backend *backends = NULL;
	size_t n = 7;

	(void)state;
	assert_int_equal(stats_client_services(c, "service-00041", &services, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_string_equal(services[0].name, "service-00041");
	free(services);
	assert_int_equal(stats_client_backends(c, "service-00042", &backends, &n, &e), 0);
	assert_int_equal(n, fake->backends_each);
	assert_string_equal(backends[n - 1].service, "service-00042");
	free(backends);
	assert_int_equal(stats_client_backends(c, "service-00002", &backends, &n, &e), 0);
	assert_int_equal(n, 0);
	assert_null(backends);
	stats_client_close(c);
}

static void an_unknown_service_is_told_which_there_are(void **state)
{
	struct stats_client *c = client();
	struct client_error e = {""};
	struct view_backend *rows = NULL;
	size_t n;

	(void)state;
	assert_int_equal(stats_client_backends(c, "nope", &rows, &n, &e), -ENOENT);
	assert_non_null(
		strstr(e.text, "no service \"nope\"; there are: service-00000, service-00001"));
	assert_non_null(strstr(e.text, ", ..."));
	stats_client_close(c);
}

static void a_daemon_without_services_gives_empty_lists(void **state)
{
	struct client_error e = {""};

	(void)state;
	fake->services = 0;
	assert_int_equal(dump_backends(&e), 0);
	fake->services = SERVICES;
}

static void rows_that_change_in_between_start_the_dump_over(void **state)
{
	struct client_error e = {""};

	(void)state;
	fake->rows_until_change = 5000;
	fake->rows_between_changes = 0;
	assert_int_equal(dump_backends(&e), 0);
	assert_int_equal(fake->generation, 2);
}

static void rows_that_never_rest_end_in_an_error(void **state)
{
	struct client_error e = {""};

	(void)state;
	fake->rows_until_change = fake->rows_between_changes = 1000;
	assert_int_equal(dump_backends(&e), -ESTALE);
	assert_non_null(strstr(e.text, "changed 8 times while they were listed; try again"));
	fake->rows_until_change = fake->rows_between_changes = 0;
}

/* ---- events -----------------------------------------------------------------------------------*/

/* ---- history ----------------------------------------------------------------------------------*/

/* Over several pages. */
static void a_history_is_of_one_backend(void **state)
{
	const char *names[2] = {"service-00003", "backend-3-1"};
	struct stats_client *c = client();
	struct history_event *rows = NULL;
	struct client_error e;
	size_t n, i;

	(void)state;
	assert_int_equal(stats_client_history(c, names, &rows, &n, &e), 0);
	assert_int_equal(n, HISTORY_MAX);
	for (i = 0; i < n; i++) {
		assert_int_equal(rows[i].time_ms, 3001000 + i);
		assert_int_equal(strlen(rows[i].reason), HISTORY_REASON_MAX - 1);
	}
	free(rows);
	names[1] = "nosuch";
	assert_int_equal(stats_client_history(c, names, &rows, &n, &e), -ESRCH);
	assert_non_null(strstr(e.text, "no backend \"nosuch\""));
	names[0] = "nosuch";
	assert_int_equal(stats_client_history(c, names, &rows, &n, &e), -ENOENT);
	stats_client_close(c);
}

static bool next_event(int fd, int timeout_ms, enum shunt_msg_command command, struct msg_event *ev)
{
	char buf[2048] __attribute__((aligned(8)));
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct stats_sock_from from;
	const struct nlmsghdr *m;
	const void *data = buf;
	size_t len;
	ssize_t n;

	if (poll(&p, 1, timeout_ms) != 1)
		return false;
	n = stats_sock_recv(fd, buf, sizeof(buf), &from);
	if (n <= 0 || from.uid != 0)
		return false;
	len = (size_t)n;
	m = msg_next(&data, &len);
	return m && msg_command(m) == command && msg_get(m, command, ev) == 0;
}

static void an_event_that_nobody_hears_is_no_error(void **state)
{
	uint32_t port;
	int fd;

	(void)state;
	assert_int_equal(stats_sock_open(&fd, &port), 0);
	assert_int_equal(stats_sock_send_group(fd, SHUNT_MSG_GROUP, "x", 1), 0);
	assert_true(stats_sock_send_group(-1, SHUNT_MSG_GROUP, "x", 1) < 0);
	close(fd);
}

static void events_are_numbered_and_the_heart_beats(void **state)
{
	struct sockaddr_nl sa = {.nl_family = AF_NETLINK, .nl_groups = 1u << (SHUNT_MSG_GROUP - 1)};
	struct msg_event ev = {0};
	uint32_t port;
	int fd, i;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(stats_sock_open(&fd, &port), 0);
	sa.nl_pid = port;
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	fake->events_to_send = 3;
	for (i = 1; i <= 3; i++) {
		assert_true(next_event(fd, 1000, SHUNT_MSG_EVENT, &ev));
		assert_int_equal(ev.seq, i);
		assert_string_equal(ev.instance, "test");
		assert_int_equal(ev.kind, SHUNT_EVENT_HEALTH);
		assert_string_equal(ev.backend, "web1");
		assert_string_equal(ev.text, "down: refused");
		assert_int_equal(ev.change.from, STANDING_UP);
		assert_int_equal(ev.change.to, STANDING_DOWN);
		assert_string_equal(ev.change.code, "L4CON");
		assert_string_equal(ev.change.check, "http");
		assert_string_equal(ev.change.reason, "refused");
		assert_int_equal(ev.change.latency_us, 400);
		assert_true(ev.change.time_ms > 1600000000000ull);
	}
	assert_true(next_event(fd, SHUNT_MSG_HEARTBEAT_MS + 1000, SHUNT_MSG_HEARTBEAT, &ev));
	assert_int_equal(ev.seq, 3);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_thousand_backends_come_through_whole),
		cmocka_unit_test(the_other_dumps_are_whole_too),
		cmocka_unit_test(one_service_can_be_asked_for),
		cmocka_unit_test(an_unknown_service_is_told_which_there_are),
		cmocka_unit_test(a_daemon_without_services_gives_empty_lists),
		cmocka_unit_test(rows_that_change_in_between_start_the_dump_over),
		cmocka_unit_test(rows_that_never_rest_end_in_an_error),
		cmocka_unit_test(a_history_is_of_one_backend),
		cmocka_unit_test(an_event_that_nobody_hears_is_no_error),
		cmocka_unit_test(events_are_numbered_and_the_heart_beats),
	};

	/* A namespace has one group for all: other daemons' events would be counted in. */
	if (geteuid() == 0 && unshare(CLONE_NEWNET) < 0)
		return 1;
	return cmocka_run_group_tests(tests, setup, teardown);
}
