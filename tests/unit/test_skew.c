/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt against daemons of other versions: the real server's answers, with what later ones will add; one
 * that speaks another protocol; one that does not know a request yet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "io/stats_sock.h"
#include "run_shunt.h"

#define RELEASE "99.0.0"
#define NEXT (SHUNT_MSG_VERSION + 1)

static char *buf_end;
static char request[8192] __attribute__((aligned(8)));
static char answer[SHUNT_MSG_PAGE_MAX] __attribute__((aligned(8)));
static char changed[4 * SHUNT_MSG_PAGE_MAX] __attribute__((aligned(8)));

/* ---- the daemons, as instance "other" -----------------------------------------------------------*/

static void newer_status(void *arg, struct view_status *out)
{
	golden_source.status(arg, out);
	snprintf(out->version, sizeof(out->version), RELEASE);
}

/* A record of a kind that nobody knows. */
static void put_unknown_record(const struct nlmsghdr *like)
{
	struct nlmsghdr *m = (struct nlmsghdr *)buf_end;
	struct shunt_msg_header *h = (struct shunt_msg_header *)(m + 1);

	*m = *like;
	m->nlmsg_len = sizeof(*m) + sizeof(*h);
	*h = (struct shunt_msg_header){.command = 250, .version = SHUNT_MSG_VERSION};
	buf_end += m->nlmsg_len;
}

/* The message with an attribute more. */
static void put_with_more(const struct nlmsghdr *m)
{
	const uint64_t value = 4711;
	const struct nlattr more = {.nla_len = sizeof(more) + sizeof(value), .nla_type = 4000};
	struct nlmsghdr *copy = (struct nlmsghdr *)buf_end;

	memcpy(buf_end, m, m->nlmsg_len);
	buf_end += m->nlmsg_len;
	memcpy(buf_end, &more, sizeof(more));
	memcpy(buf_end + sizeof(more), &value, sizeof(value));
	buf_end += more.nla_len;
	copy->nlmsg_len += more.nla_len;
}

/* Asks the real server, and adds what it could not know. Returns the length. */
static size_t newer_answer(struct stats_server *s, size_t len)
{
	struct msg_out o = {.buf = answer, .size = sizeof(answer)};
	const void *data = answer;
	const struct nlmsghdr *m;

	buf_end = changed;
	if (stats_server_answer(s, request, len, &o) < 0)
		return 0;
	while ((m = msg_next(&data, &o.used))) {
		put_unknown_record(m);
		put_with_more(m);
	}
	return (size_t)(buf_end - changed);
}

/* One of before there was this request, whatever it is. */
static size_t older_answer(size_t len)
{
	const struct msg_reply r = {
		.code = EOPNOTSUPP, .version = SHUNT_MSG_VERSION, .release = "0.0.9"};
	struct msg_out o = {.buf = changed, .size = sizeof(changed)};
	const void *data = request;
	const struct nlmsghdr *m = msg_next(&data, &len);

	o.seq = m ? msg_seq(m) : 0;
	return msg_put_error(&o, &r) < 0 ? 0 : o.used;
}

static void tell_port(uint32_t port, uint32_t version)
{
	const struct msg_port p = {
		.port = port, .pid = (uint32_t)getpid(), .version = version, .release = RELEASE};
	char path[128], text[MSG_PORT_TEXT_MAX];
	size_t len = msg_port_format(&p, text);
	int fd;

	snprintf(path, sizeof(path), "%s/other.stats", fake->run_dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (write(fd, text, len) != (ssize_t)len)
		_exit(1);
	close(fd);
}

/* Answers statistics for ever. */
static void serve_stats(bool newer, int ready)
{
	struct stats_source source = golden_source;
	struct stats_server *s;
	struct pollfd p = {.events = POLLIN};
	struct stats_sock_from from;
	uint32_t port;

	source.status = newer_status;
	if (stats_server_open(event_base_new(), fake->run_dir, "aside", &source, &s) < 0 ||
	    stats_sock_open(&p.fd, &port) < 0)
		_exit(1);
	tell_port(port, SHUNT_MSG_VERSION);
	(void)!write(ready, "", 1);
	while (poll(&p, 1, -1) > 0) {
		ssize_t n = stats_sock_recv(p.fd, request, sizeof(request), &from);

		if (n > 0) {
			size_t len = newer ? newer_answer(s, (size_t)n) : older_answer((size_t)n);

			stats_sock_send(p.fd, from.port, changed, len, 0);
		}
	}
	_exit(1);
}

/* Answers each command in the next version of the protocol. */
static void serve_commands(int ready)
{
	const struct msg_reply r = {.code = EPROTONOSUPPORT, .version = NEXT, .release = RELEASE};
	struct msg_out o = {.buf = changed, .size = sizeof(changed)};
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/other.sock", fake->run_dir);
	tell_port(1, NEXT);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 4) < 0 ||
	    msg_put_reply(&o, &r) < 0)
		_exit(1);
	((struct shunt_msg_header *)(changed + sizeof(struct nlmsghdr)))->version = NEXT;
	(void)!write(ready, "", 1);
	for (;;) {
		int peer = accept(fd, NULL, NULL);

		(void)!recv(peer, request, sizeof(request), 0);
		(void)!send(peer, changed, o.used, MSG_NOSIGNAL);
		close(peer);
	}
}

enum other { NEWER, OLDER, NEXT_PROTOCOL };

static pid_t start_other(enum other what)
{
	int ready[2];
	pid_t pid;
	char byte;

	assert_int_equal(pipe(ready), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[0]);
		if (what == NEXT_PROTOCOL)
			serve_commands(ready[1]);
		serve_stats(what == NEWER, ready[1]);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void end_other(pid_t pid)
{
	static const char *const files[] = {"other.stats", "other.sock", "aside.stats"};
	char path[128];

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (size_t i = 0; i < COUNT(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", fake->run_dir, files[i]);
		unlink(path);
	}
}

/* ---- the tests ----------------------------------------------------------------------------------*/

static struct run ours, theirs;

static void says(const struct run *r, const char *words)
{
	if (!strstr(r->out, words) && !strstr(r->err, words))
		fail_msg("not said: %s\nbut: %s%s", words, r->out, r->err);
}

/* Cuts out when an answer was given. */
static void forget_when(char *out)
{
	char *time = strstr(out, "\"time\": ");
	size_t n;

	if (!time)
		return;
	n = strcspn(time, "\n");
	memmove(time, time + n, strlen(time + n) + 1);
}

static void what_a_newer_daemon_adds_is_passed_over(void **state)
{
	static const char *const commands[] = {"services --json", "backends --json",
					       "stats --all --json", "fingerprint --json",
					       "history web web1 --json"};
	char words[128];
	pid_t pid = start_other(NEWER);

	(void)state;
	for (size_t i = 0; i < COUNT(commands); i++) {
		run_shunt(&ours, commands[i]);
		snprintf(words, sizeof(words), "-i other %s", commands[i]);
		run_shunt(&theirs, words);
		forget_when(ours.out);
		forget_when(theirs.out);
		assert_string_equal(theirs.err, "");
		assert_string_equal(theirs.out, ours.out);
		assert_int_equal(theirs.exit, 0);
	}
	run_shunt(&theirs, "-i other status");
	assert_int_equal(theirs.exit, 0);
	says(&theirs, "! shuntd is 99.0.0 and this shunt " SHUNT_VERSION
		      ": what only one of them knows is not shown\n");
	run_shunt(&ours, "status");
	assert_null(strstr(ours.out, "what only one of them knows"));
	end_other(pid);
}

static void a_request_that_an_older_one_does_not_know_is_explained(void **state)
{
	pid_t pid = start_other(OLDER);

	(void)state;
	run_shunt(&theirs, "-i other flows");
	assert_int_equal(theirs.exit, 1);
	says(&theirs, "shunt: shuntd 0.0.9 does not know what this shunt " SHUNT_VERSION
		      " asks for: restart it");
	end_other(pid);
}

static void another_protocol_is_refused_with_both_versions(void **state)
{
	char words[256];
	pid_t pid = start_other(NEXT_PROTOCOL);

	(void)state;
	snprintf(words, sizeof(words),
		 "shunt: shuntd " RELEASE " speaks version %d of the message protocol and this "
		 "shunt " SHUNT_VERSION " version %d: use the shunt that came with",
		 NEXT, SHUNT_MSG_VERSION);
	run_shunt(&theirs, "-i other status");
	assert_int_equal(theirs.exit, 1);
	says(&theirs, words);
	run_shunt(&theirs, "-i other reload");
	assert_int_equal(theirs.exit, 1);
	says(&theirs, words);
	end_other(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_newer_daemon_adds_is_passed_over),
		cmocka_unit_test(a_request_that_an_older_one_does_not_know_is_explained),
		cmocka_unit_test(another_protocol_is_refused_with_both_versions),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
