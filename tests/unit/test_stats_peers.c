/* SPDX-License-Identifier: BSD-2-Clause */
/* Who else may talk to the stats socket, and how: programs of others, slow, dying, garbling, strangers
 * and impostors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include "fake_rows.h"

struct raw {
	int fd;
	uint32_t port, daemon;
	char buf[SHUNT_MSG_PAGE_MAX + 4] __attribute__((aligned(8)));
};

static void raw_open(struct raw *r)
{
	char path[128], text[MSG_PORT_TEXT_MAX];
	struct msg_port p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/test.stats", fake->run_dir);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	n = read(fd, text, sizeof(text));
	close(fd);
	assert_int_equal(msg_port_parse(text, (size_t)n, &p), 0);
	assert_int_equal(p.pid, fake->pid);
	assert_int_equal(p.netns, stats_sock_netns());
	r->daemon = p.port;
	assert_int_equal(stats_sock_open(&r->fd, &r->port), 0);
}

/* The answer's length, or 0 when none came within a second. */
static size_t raw_answer(struct raw *r)
{
	struct pollfd p = {.fd = r->fd, .events = POLLIN};
	struct stats_sock_from from;
	ssize_t n;

	if (poll(&p, 1, 1000) != 1)
		return 0;
	n = stats_sock_recv(r->fd, r->buf, sizeof(r->buf), &from);
	assert_int_equal(from.port, r->daemon);
	assert_int_equal(from.uid, geteuid());
	assert_int_equal(from.pid, fake->pid);
	return n > 0 ? (size_t)n : 0;
}

static size_t raw_request(struct raw *r, enum shunt_msg_command command, uint8_t version)
{
	struct msg_out o = {.buf = r->buf, .size = sizeof(r->buf), .seq = 77};
	struct msg_get get = {0};

	assert_int_equal(msg_put_get(&o, command, &get), 0);
	((struct shunt_msg_header *)(r->buf + sizeof(struct nlmsghdr)))->version = version;
	return o.used;
}

static int send_raw(struct raw *r, size_t len)
{
	return stats_sock_send(r->fd, r->daemon, r->buf, len, MSG_DONTWAIT);
}

static void a_page_is_at_most_16_kb_and_nearly_full(void **state)
{
	struct raw r;
	size_t n;

	(void)state;
	raw_open(&r);
	assert_int_equal(send_raw(&r, raw_request(&r, SHUNT_MSG_GET_BACKENDS, 1)), 0);
	n = raw_answer(&r);
	assert_in_range(n, SHUNT_MSG_PAGE_MAX - 512, SHUNT_MSG_PAGE_MAX);
	close(r.fd);
}

static void another_version_is_told_ours(void **state)
{
	struct msg_reply reply;
	struct raw r;
	const void *data = r.buf;
	size_t n;

	(void)state;
	raw_open(&r);
	assert_int_equal(send_raw(&r, raw_request(&r, SHUNT_MSG_GET_STATUS, 99)), 0);
	n = raw_answer(&r);
	assert_int_equal(msg_get_error(msg_next(&data, &n), &reply), 0);
	assert_int_equal(reply.code, EPROTONOSUPPORT);
	assert_int_equal(reply.version, SHUNT_MSG_VERSION);
	assert_string_equal(reply.release, SHUNT_VERSION);
	close(r.fd);
}

static void what_it_does_not_know_is_said_to_be_so(void **state)
{
	struct shunt_msg_header *h;
	struct msg_reply reply;
	struct raw r;
	const void *data = r.buf;
	size_t n;

	(void)state;
	raw_open(&r);
	n = raw_request(&r, SHUNT_MSG_GET_STATUS, SHUNT_MSG_VERSION);
	h = (void *)(r.buf + sizeof(struct nlmsghdr));
	h->command = 15; /* to come */
	assert_int_equal(send_raw(&r, n), 0);
	n = raw_answer(&r);
	assert_int_equal(msg_get_error(msg_next(&data, &n), &reply), 0);
	assert_int_equal(reply.code, EOPNOTSUPP);
	assert_string_equal(reply.release, SHUNT_VERSION);
	close(r.fd);
}

static void garbage_is_counted_and_does_no_harm(void **state)
{
	uint64_t before, requests;
	struct client_error e;
	struct raw r;
	size_t len, sent = 0;

	(void)state;
	raw_open(&r);
	fake_settle();
	before = fake->stats.malformed;
	for (len = 0; len < 24; len++) { /* cut short */
		raw_request(&r, SHUNT_MSG_GET_STATUS, 1);
		if (len < 20 && send_raw(&r, len) == 0)
			sent++;
	}
	memset(r.buf, 0xff, 900);
	for (len = 1; len < 900; len += 100, sent++)
		assert_int_equal(send_raw(&r, len), 0);
	assert_int_equal(send_raw(&r, sizeof(r.buf)), 0); /* longer than any request */
	sent++;
	fake_settle();
	requests = fake->stats.requests;
	assert_true(sent >= 20);
	assert_int_equal(fake->stats.malformed - before, sent);
	assert_int_equal(dump_backends(&e), 0);
	fake_settle();
	assert_true(fake->stats.requests > requests);
	close(r.fd);
}

static void a_client_that_does_not_read_hinders_nobody(void **state)
{
	uint64_t before;
	struct client_error e;
	struct raw r;
	int i;

	(void)state;
	raw_open(&r);
	fake_settle();
	before = fake->stats.unsent;
	for (i = 0; i < 300; i++) {
		size_t len = raw_request(&r, SHUNT_MSG_GET_BACKENDS, 1);

		while (send_raw(&r, len) == -EAGAIN)
			poll(NULL, 0, 1);
	}
	assert_int_equal(dump_backends(&e), 0);
	fake_settle();
	assert_true(fake->stats.unsent > before);
	close(r.fd);
}

static void a_client_killed_in_the_middle_hinders_nobody(void **state)
{
	struct client_error e;
	struct raw r;
	int i;

	(void)state;
	for (i = 0; i < 20; i++) {
		size_t len;
		pid_t pid;

		raw_open(&r);
		len = raw_request(&r, SHUNT_MSG_GET_BACKENDS, 1);
		pid = fork();
		if (pid == 0)
			_exit(send_raw(&r, len) < 0);
		close(r.fd); /* it is the child's alone now, and ends with it */
		waitpid(pid, NULL, 0);
	}
	assert_int_equal(dump_backends(&e), 0);
}

/* ---- credentials ------------------------------------------------------------------------------*/

/* Runs @fn as nobody in a process of its own and returns what it returned. */
static int as_nobody(int (*fn)(void))
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
			_exit(99);
		_exit(fn());
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static int stranger_dumps(void)
{
	struct client_error e = {""};
	struct view_status status;
	struct stats_client *c;

	if (stats_client_open(fake->run_dir, "test", &c, &e) < 0)
		return 1;
	if (stats_client_status(c, &status, &e) != -EACCES)
		return 2;
	return strstr(e.text, "no permission") ? 0 : 3;
}

static int stranger_joins_the_group(void)
{
	struct sockaddr_nl sa = {.nl_family = AF_NETLINK, .nl_groups = 1u << (SHUNT_MSG_GROUP - 1)};
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK);

	return bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 && errno == EPERM ? 0 : 1;
}

static void a_stranger_is_refused_and_counted(void **state)
{
	uint64_t before, requests;

	(void)state;
	if (geteuid() != 0)
		skip();
	fake_settle();
	before = fake->stats.refused;
	requests = fake->stats.requests;
	assert_int_equal(as_nobody(stranger_dumps), 0);
	assert_int_equal(as_nobody(stranger_joins_the_group), 0);
	fake_settle();
	assert_int_equal(fake->stats.refused, before + 1);
	assert_int_equal(fake->stats.requests, requests);
}

/* Answers like a daemon, as nobody, until it is killed. */
static void impostor(int ready)
{
	struct stats_sock_from from;
	char buf[1024] __attribute__((aligned(8)));
	struct view_status status = {.version = "forged"};
	struct pollfd p;
	uint32_t port;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0 || stats_sock_open(&p.fd, &port) < 0 ||
	    write(ready, &port, sizeof(port)) != sizeof(port))
		_exit(1);
	p.events = POLLIN;
	while (poll(&p, 1, -1) == 1 && stats_sock_recv(p.fd, buf, sizeof(buf), &from) > 0) {
		struct msg_out o = {.buf = buf, .size = sizeof(buf)};
		struct msg_get page = {.generation = 1};

		o.seq = ((struct nlmsghdr *)buf)->nlmsg_seq;
		if (msg_put_status(&o, &status) < 0 || msg_put_page(&o, &page) < 0)
			_exit(1);
		stats_sock_send(p.fd, from.port, o.buf, o.used, 0);
	}
	_exit(0);
}

static pid_t start_impostor(uint32_t *port)
{
	int ready[2];
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		impostor(ready[1]);
	assert_int_equal(read(ready[0], port, sizeof(*port)), sizeof(*port));
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void who_has_taken_the_daemons_port_is_not_believed(void **state)
{
	struct msg_port p = {.version = SHUNT_MSG_VERSION};
	struct client_error e = {""};
	struct view_status status;
	struct stats_client *c;
	pid_t pid, killer;

	(void)state;
	if (geteuid() != 0)
		skip();
	pid = start_impostor(&p.port);
	p.pid = (uint32_t)pid;
	write_port_file("forged", &p, 0);
	assert_int_equal(stats_client_open(fake->run_dir, "forged", &c, &e), 0);
	killer = fork(); /* so as not to wait for every try */
	if (killer == 0) {
		poll(NULL, 0, 500);
		kill(pid, SIGKILL);
		_exit(0);
	}
	assert_int_equal(stats_client_status(c, &status, &e), -ECONNREFUSED);
	waitpid(killer, NULL, 0);
	waitpid(pid, NULL, 0);
	stats_client_close(c);
	remove_port_file("forged");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_is_at_most_16_kb_and_nearly_full),
		cmocka_unit_test(another_version_is_told_ours),
		cmocka_unit_test(what_it_does_not_know_is_said_to_be_so),
		cmocka_unit_test(garbage_is_counted_and_does_no_harm),
		cmocka_unit_test(a_client_that_does_not_read_hinders_nobody),
		cmocka_unit_test(a_client_killed_in_the_middle_hinders_nobody),
		cmocka_unit_test(a_stranger_is_refused_and_counted),
		cmocka_unit_test(who_has_taken_the_daemons_port_is_not_believed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
