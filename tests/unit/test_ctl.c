/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket for real: the server in one process, clients in others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "io/ctl_client.h"
#include "pure/msg.h"

#include "fake_rows.h"

/* Notes what it was told and answers in a way that the test can tell apart. */
static void command(void *arg, const struct ctl_command *c, struct ctl_reply *r)
{
	(void)arg;
	fake->last = *c;
	if (c->verb == CTL_RELOAD) {
		memset(r->text, 'x', sizeof(r->text) - 1);
		return;
	}
	if (strcmp(c->service, "web") != 0) {
		r->status = -ENOENT;
		snprintf(r->text, sizeof(r->text), "no service \"%s\"\nthere are: web", c->service);
		return;
	}
	snprintf(r->text, sizeof(r->text), "done");
}

static int setup_ctl(void **state)
{
	int err = setup(state);

	if (err < 0)
		return err;
	fake_end(SIGTERM);
	fake->command = command;
	return fake_start();
}

static int call(const struct ctl_command *c, struct ctl_reply *r, struct client_error *e)
{
	return ctl_client_call(fake->run_dir, "test", c, r, e);
}

static void a_command_arrives_with_its_sender(void **state)
{
	struct ctl_command c = {
		.verb = CTL_WEIGHT, .service = "web", .backend = "web1", .weight = 12};
	struct ctl_reply r = {.status = 1};
	struct client_error e = {""};

	(void)state;
	assert_int_equal(call(&c, &r, &e), 0);
	assert_int_equal(r.status, 0);
	assert_string_equal(r.text, "done");
	assert_int_equal(fake->last.verb, CTL_WEIGHT);
	assert_string_equal(fake->last.service, "web");
	assert_string_equal(fake->last.backend, "web1");
	assert_int_equal(fake->last.weight, 12);
	assert_int_equal(fake->last.uid, geteuid());
	assert_int_equal(fake->last.pid, getpid());
}

static void a_refusal_arrives_with_all_its_lines(void **state)
{
	struct ctl_command c = {.verb = CTL_DRAIN, .service = "nope", .backend = "web1"};
	struct ctl_reply r;
	struct client_error e = {""};

	(void)state;
	assert_int_equal(call(&c, &r, &e), 0);
	assert_int_equal(r.status, -ENOENT);
	assert_string_equal(r.text, "no service \"nope\"\nthere are: web");
}

static void the_longest_answer_comes_through(void **state)
{
	struct ctl_command c = {.verb = CTL_RELOAD};
	struct ctl_reply r;
	struct client_error e = {""};

	(void)state;
	assert_int_equal(call(&c, &r, &e), 0);
	assert_int_equal(strlen(r.text), SHUNT_MSG_TEXT_MAX - 1);
}

static void the_socket_is_for_its_owner_alone(void **state)
{
	char path[128];
	struct stat st;

	(void)state;
	snprintf(path, sizeof(path), "%s/test.sock", fake->run_dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static int stranger_calls(void)
{
	struct ctl_command c = {.verb = CTL_RELOAD};
	struct ctl_reply r;
	struct client_error e = {""};

	if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
		return 1;
	if (call(&c, &r, &e) != -EACCES)
		return 2;
	return strstr(e.text, "no permission") ? 0 : 3;
}

static int in_a_child(int (*fn)(void))
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(fn());
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static void a_stranger_is_refused_even_when_the_mode_is_not(void **state)
{
	char path[128];
	uint64_t commands;

	(void)state;
	if (geteuid() != 0)
		skip();
	fake_settle();
	commands = fake->ctl.commands;
	assert_int_equal(in_a_child(stranger_calls), 0);
	fake_settle();
	assert_int_equal(fake->ctl.refused, 0); /* the file's mode did it */
	snprintf(path, sizeof(path), "%s/test.sock", fake->run_dir);
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(in_a_child(stranger_calls), 0);
	assert_int_equal(chmod(path, 0600), 0);
	fake_settle();
	assert_int_equal(fake->ctl.refused, 1);
	assert_int_equal(fake->ctl.commands, commands);
}

/* ---- other programs ---------------------------------------------------------------------------*/

static int raw_connect(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/test.sock", fake->run_dir);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -1;
	return fd;
}

/* What the server answers to these bytes; 0 when it hangs up. */
static ssize_t raw_answer(int fd, const void *bytes, size_t len, struct msg_reply *r)
{
	char buf[8192] __attribute__((aligned(8)));
	struct timeval wait = {.tv_sec = 2};
	const void *data = buf;
	size_t left;
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (send(fd, bytes, len, MSG_NOSIGNAL) < 0)
		return -1;
	n = recv(fd, buf, sizeof(buf), 0);
	left = n > 0 ? (size_t)n : 0;
	if (n > 0 && msg_get_reply(msg_next(&data, &left), r) < 0)
		return -1;
	return n;
}

static void garbage_is_hung_up_on_and_counted(void **state)
{
	char garbage[9000] __attribute__((aligned(8)));
	struct msg_reply r;
	uint64_t before;
	size_t len;

	(void)state;
	memset(garbage, 0xff, sizeof(garbage));
	fake_settle();
	before = fake->ctl.malformed;
	for (len = 1; len < 5000; len += 1000) {
		int fd = raw_connect();

		assert_true(fd >= 0);
		assert_int_equal(raw_answer(fd, garbage, len, &r), 0);
		close(fd);
	}
	fake_settle();
	assert_int_equal(fake->ctl.malformed, before + 5);
	a_command_arrives_with_its_sender(state);
}

static void what_is_not_understood_is_answered(void **state)
{
	char buf[1024] __attribute__((aligned(8)));
	struct msg_out o = {.buf = buf, .size = sizeof(buf)};
	struct ctl_command c = {.verb = CTL_DRAIN, .service = "web"};
	struct shunt_msg_header *h = (void *)(buf + 16);
	struct msg_reply r = {0};
	int fd = raw_connect();

	(void)state;
	assert_int_equal(msg_put_command(&o, &c), 0); /* lacks the backend */
	assert_true(raw_answer(fd, buf, o.used, &r) > 0);
	assert_int_equal(r.code, EINVAL);
	h->command = 200;
	assert_true(raw_answer(fd, buf, o.used, &r) > 0);
	assert_int_equal(r.code, EOPNOTSUPP);
	assert_string_equal(r.release, SHUNT_VERSION);
	h->version = 9;
	assert_true(raw_answer(fd, buf, o.used, &r) > 0);
	assert_int_equal(r.code, EPROTONOSUPPORT);
	assert_int_equal(r.version, SHUNT_MSG_VERSION);
	close(fd);
}

static void several_commands_may_share_a_connection(void **state)
{
	char buf[1024] __attribute__((aligned(8)));
	struct msg_out o = {.buf = buf, .size = sizeof(buf)};
	struct ctl_command c = {.verb = CTL_ENABLE, .service = "web", .backend = "web1"};
	struct msg_reply r = {.code = 1};
	int fd = raw_connect(), i;

	(void)state;
	assert_int_equal(msg_put_command(&o, &c), 0);
	for (i = 0; i < 10; i++) {
		assert_true(raw_answer(fd, buf, o.used, &r) > 0);
		assert_int_equal(r.code, 0);
	}
	close(fd);
}

static void too_many_connections_are_told_so(void **state)
{
	struct ctl_command c = {.verb = CTL_RELOAD};
	struct client_error e = {""};
	struct ctl_reply r;
	int fds[16], i;

	(void)state;
	for (i = 0; i < 16; i++)
		assert_true((fds[i] = raw_connect()) >= 0);
	assert_int_equal(call(&c, &r, &e), -EBUSY);
	assert_non_null(strstr(e.text, "too many connections"));
	for (i = 0; i < 16; i++)
		close(fds[i]);
	fake_settle();
	assert_int_equal(call(&c, &r, &e), 0);
}

/* ---- coming and going -------------------------------------------------------------------------*/

static void a_second_daemon_does_not_take_the_socket_away(void **state)
{
	struct event_base *base = event_base_new();
	struct ctl_server *s = NULL;

	assert_int_equal(ctl_server_open(base, fake->run_dir, "test", command, NULL, &s),
			 -EADDRINUSE);
	assert_null(s);
	event_base_free(base);
	a_command_arrives_with_its_sender(state);
}

static void a_file_that_is_no_socket_is_not_removed(void **state)
{
	struct event_base *base = event_base_new();
	struct ctl_server *s = NULL;
	char path[128];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/file.sock", fake->run_dir);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(ctl_server_open(base, fake->run_dir, "file", command, NULL, &s), -EEXIST);
	assert_int_equal(unlink(path), 0);
	event_base_free(base);
}

static void a_run_dir_that_is_missing_is_made(void **state)
{
	struct event_base *base = event_base_new();
	struct ctl_server *s = NULL;
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/new", fake->run_dir);
	assert_int_equal(ctl_server_open(base, path, "test", command, NULL, &s), 0);
	ctl_server_close(s);
	assert_int_equal(rmdir(path), 0); /* and nothing is left in it */
	event_base_free(base);
}

static void a_daemon_that_was_killed_is_named_and_replaced(void **state)
{
	struct ctl_command c = {.verb = CTL_RELOAD};
	struct client_error e = {""};
	struct ctl_reply r;

	assert_true(fake_end(SIGKILL));
	assert_int_equal(call(&c, &r, &e), -ECONNREFUSED);
	assert_non_null(strstr(e.text, "no shuntd of instance \"test\" answers"));
	assert_int_equal(fake_start(), 0);
	a_command_arrives_with_its_sender(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_arrives_with_its_sender),
		cmocka_unit_test(a_refusal_arrives_with_all_its_lines),
		cmocka_unit_test(the_longest_answer_comes_through),
		cmocka_unit_test(the_socket_is_for_its_owner_alone),
		cmocka_unit_test(a_stranger_is_refused_even_when_the_mode_is_not),
		cmocka_unit_test(garbage_is_hung_up_on_and_counted),
		cmocka_unit_test(what_is_not_understood_is_answered),
		cmocka_unit_test(several_commands_may_share_a_connection),
		cmocka_unit_test(too_many_connections_are_told_so),
		cmocka_unit_test(a_second_daemon_does_not_take_the_socket_away),
		cmocka_unit_test(a_file_that_is_no_socket_is_not_removed),
		cmocka_unit_test(a_run_dir_that_is_missing_is_made),
		cmocka_unit_test(a_daemon_that_was_killed_is_named_and_replaced),
	};

	return cmocka_run_group_tests(tests, setup_ctl, teardown);
}
