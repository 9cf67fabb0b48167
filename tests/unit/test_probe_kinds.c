/* SPDX-License-Identifier: BSD-2-Clause */
/* The kinds of probes beyond tcp and http against servers of our own: up, down by each cause that a
 * kind can tell apart, and servers that misbehave. Servers of others are tests/e2e/checks.sh's. */
#include "probe_world.h"

static struct probe_question of_kind(enum conf_check_kind kind)
{
	struct probe_question q = question_tcp(0);

	q.kind = kind;
	q.timeout_ms = 5000;
	return q;
}

static void is(const struct check_result *r, const char *name, const char *text)
{
	char got[CHECK_NAME_MAX];

	assert_string_equal(check_name(r, got), name);
	if (text)
		assert_string_equal(r->text, text);
}

/* ---- tcp with send and expect ------------------------------------------------------------------- */

static struct probe_question talk(const char *send, const char *expect, const char *regex)
{
	struct probe_question q = of_kind(CONF_CHECK_TCP);

	question_text(&q, CONF_TEXT_SEND, send);
	question_text(&q, CONF_TEXT_EXPECT, expect);
	question_text(&q, CONF_TEXT_EXPECT_REGEX, regex);
	return q;
}

static void serve_pong(int fd)
{
	char in[64] = {0};

	if (read(fd, in, sizeof(in) - 1) > 0 && strcmp(in, "PING\r\n") == 0)
		put(fd, "+PONG\r\n");
	wait_for_close(fd);
}

static void serve_greeting(int fd)
{
	put(fd, "220 mail.exa");
	usleep(20000);
	put(fd, "mple ESMTP\r\n");
	wait_for_close(fd);
}

static void serve_nothing(int fd)
{
	wait_for_close(fd);
}

static void serve_end(int fd)
{
	(void)fd;
}

static void serve_forever(int fd)
{
	forever(fd, "all work and no play ");
}

static void tcp_says_and_hears(void **state)
{
	struct check_result r;

	(void)state;
	r = answer_of(serve_pong, talk("PING\r\n", "+PONG", ""));
	is(&r, "L7OK", "reply as expected");
	r = answer_of(serve_pong, talk("PING\r\n", "+PONG", "^\\+P"));
	is(&r, "L7OK", "reply as expected");
	r = answer_of(serve_nothing, talk("PING\r\n", "", ""));
	is(&r, "L7OK", "connected");
	r = answer_of(serve_greeting, talk("", "", "^220 .*ESMTP"));
	is(&r, "L7OK", "reply as expected");
}

static void tcp_tells_silence_end_and_wrong_words_apart(void **state)
{
	struct probe_question q = talk("PING\r\n", "+PONG", "");
	struct check_result r;

	(void)state;
	q.timeout_ms = 200;
	r = answer_of(serve_nothing, q);
	is(&r, "L7TOUT", "no whole reply within 200 ms");
	r = answer_of(serve_end, talk("", "+PONG", ""));
	is(&r, "L7RSP", "connection closed before a whole reply");
	r = answer_of(serve_forever, talk("", "+PONG", ""));
	is(&r, "L7RSP", "reply does not contain \"+PONG\"");
	r = answer_of(serve_forever, talk("", "", "^220"));
	is(&r, "L7RSP", "reply does not match \"^220\"");
}

static void serve_many_a(int fd)
{
	static char many[60000];

	memset(many, 'a', sizeof(many));
	(void)!write(fd, many, sizeof(many));
	wait_for_close(fd);
}

static void a_pattern_that_would_take_for_ever_gives_up(void **state)
{
	struct check_result r;

	(void)state;
	r = answer_of(serve_forever, talk("", "", "^([a-z ]+)+!$"));
	is(&r, "L7RSP", "\"^([a-z ]+)+!$\" takes too many steps on this reply");
	r = answer_of(serve_many_a, talk("", "", "^(a|aa)+$b"));
	assert_true(r.code == CHECK_NO_MATCH || r.code == CHECK_TIMEOUT);
}

/* ---- agent -------------------------------------------------------------------------------------- */

static void serve_drain(int fd)
{
	put(fd, "up 50% dr");
	usleep(10000);
	put(fd, "ain\r\nignored");
	wait_for_close(fd);
}

static void serve_down(int fd)
{
	put(fd, "down #disk full, 50%");
}

static void serve_ready(int fd)
{
	char in[16];

	if (read(fd, in, sizeof(in)) > 0)
		put(fd, "ready,up\n");
	wait_for_close(fd);
}

static void serve_maint(int fd)
{
	put(fd, "maint\n");
}

static void an_agent_says_how_it_is(void **state)
{
	struct probe_question q = of_kind(CONF_CHECK_AGENT);
	struct check_result r = answer_of(serve_drain, q);

	(void)state;
	is(&r, "L7OK", "agent says \"up 50% drain\"");
	assert_int_equal(r.notes, CHECK_NOTE_READY | CHECK_NOTE_DRAIN | CHECK_NOTE_WEIGHT);
	assert_int_equal(r.weight_percent, 50);
	r = answer_of(serve_down, q);
	is(&r, "L7STS", "agent says \"down #disk full, 50%\"");
	assert_int_equal(r.notes, 0); /* what is behind the # are words */
	r = answer_of(serve_maint, q);
	is(&r, "L7OK", "agent says \"maint\"");
	assert_int_equal(r.notes, CHECK_NOTE_MAINT);
	question_text(&q, CONF_TEXT_SEND, "hello\n");
	r = answer_of(serve_ready, q);
	is(&r, "L7OK", NULL);
	assert_int_equal(r.notes, CHECK_NOTE_READY);
}

static void an_agent_that_makes_no_sense_is_down(void **state)
{
	struct probe_question q = of_kind(CONF_CHECK_AGENT);
	struct check_result r = answer_of(serve_greeting, q);

	(void)state;
	is(&r, "L7RSP", "agent says \"220 mail.example ESMTP\", no word of which is known");
	r = answer_of(serve_many_a, q);
	is(&r, "L7RSP", "agent says more than 1024 bytes in a line");
	r = answer_of(serve_end, q);
	is(&r, "L7RSP", "connection closed before a whole reply");
}

/* ---- udp ---------------------------------------------------------------------------------------- */

static int udp_socket(uint16_t *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

/* Answers every datagram with @reply; NULL: with none. */
static struct server udp_server(const char *reply, size_t reply_len)
{
	struct sockaddr_in from;
	socklen_t len;
	struct server s;
	char in[512];
	ssize_t n;
	int fd = udp_socket(&s.port);

	s.pid = fork();
	assert_true(s.pid >= 0);
	if (s.pid > 0) {
		close(fd);
		return s;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		len = sizeof(from);
		n = recvfrom(fd, in, sizeof(in), 0, (struct sockaddr *)&from, &len);
		if (n < 0 || !reply)
			continue;
		/* A DNS reply has the query's id. */
		memcpy(in + 2, reply + 2, reply_len - 2);
		sendto(fd, reply_len > 12 ? in : reply, reply_len, 0, (struct sockaddr *)&from,
		       len);
	}
}

static struct check_result udp_answer(struct probe_question q, const char *reply, size_t len)
{
	struct server s = udp_server(reply, len);
	struct check_result r;

	q.port = s.port;
	r = answer(&q);
	server_stop(&s);
	return r;
}

static void udp_takes_silence_for_health_unless_a_reply_is_expected(void **state)
{
	struct probe_question q = of_kind(CONF_CHECK_UDP);
	struct check_result r;

	(void)state;
	q.timeout_ms = 200;
	r = udp_answer(q, NULL, 0);
	is(&r, "L4OK", "no ICMP error within the timeout");
	q.timeout_ms = 5000;
	r = udp_answer(q, "pong", 4);
	is(&r, "L7OK", NULL);
	question_text(&q, CONF_TEXT_EXPECT, "pong");
	r = udp_answer(q, "pong", 4);
	is(&r, "L7OK", "reply as expected");
	r = udp_answer(q, "ping", 4);
	is(&r, "L7RSP", "reply does not contain \"pong\"");
	q.timeout_ms = 200;
	r = udp_answer(q, NULL, 0);
	is(&r, "L7TOUT", "no whole reply within 200 ms");
}

static void a_udp_port_where_nobody_listens_is_down(void **state)
{
	struct probe_question q = of_kind(CONF_CHECK_UDP);
	struct check_result r;

	(void)state;
	close(udp_socket(&q.port));
	r = answer(&q);
	is(&r, "L4CON", "port unreachable: nobody listens");
}

/* ---- dns ---------------------------------------------------------------------------------------- */

/* example. A 192.0.2.80 */
#define DNS_HEAD "..\x81\x80\0\1\0\1\0\0\0\0\7example\0\0\1\0\1"
#define DNS_A DNS_HEAD "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\x50"
#define DNS(reply) reply, sizeof(reply) - 1

static struct probe_question dns_question(const char *expect)
{
	struct probe_question q = of_kind(CONF_CHECK_DNS);

	q.timeout_ms = 200;
	question_text(&q, CONF_TEXT_NAME, "example");
	question_text(&q, CONF_TEXT_EXPECT, expect);
	return q;
}

static void dns_judges_answer_and_status(void **state)
{
	struct check_result r = udp_answer(dns_question(""), DNS(DNS_A));

	(void)state;
	is(&r, "L7OK", "1 A record, as expected");
	r = udp_answer(dns_question("192.0.2.80"), DNS(DNS_A));
	is(&r, "L7OK", NULL);
	r = udp_answer(dns_question("192.0.2.8"), DNS(DNS_A));
	is(&r, "L7RSP", "1 A record, none as expected: \"192.0.2.80\"");
	r = udp_answer(dns_question(""), DNS("..\x81\x83\0\1\0\0\0\0\0\0\7example\0\0\1\0\1"));
	is(&r, "L7STS 3", "DNS status NXDOMAIN");
	r = udp_answer(dns_question(""), DNS("..\x81\x80\0\1\0\0\0\0\0\0\7example\0\0\1\0\1"));
	is(&r, "L7RSP", "no A record for \"example\"");
	r = udp_answer(dns_question(""), DNS("..\x83\x80\0\1\0\1\0\0\0\0\7example\0\0\1\0\1"));
	is(&r, "L7RSP", "DNS reply is truncated; ask with transport: tcp");
}

/* Cut off anywhere, and with a name that refers to itself. */
static void dns_replies_that_are_damaged_are_said_to_be(void **state)
{
	struct check_result r;

	(void)state;
	for (size_t n = 13; n < sizeof(DNS_A) - 1; n += 5) {
		r = udp_answer(dns_question(""), DNS_A, n);
		is(&r, "L7RSP", "DNS reply is cut off or damaged");
	}
	r = udp_answer(dns_question(""),
		       DNS(DNS_HEAD "\xc0\x19\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\x50"));
	is(&r, "L7RSP", "DNS reply is cut off or damaged");
	r = udp_answer(dns_question(""), "no DNS", 6);
	is(&r, "L7TOUT", NULL); /* not its id: somebody else's */
}

static void serve_dns_tcp(int fd)
{
	char out[2 + sizeof(DNS_A) - 1] = "\0";
	char in[512];

	if (read(fd, in, sizeof(in)) < 4)
		return;
	memcpy(out + 2, DNS_A, sizeof(DNS_A) - 1);
	out[1] = sizeof(DNS_A) - 1;
	memcpy(out + 2, in + 2, 2);
	(void)!write(fd, out, 7);
	usleep(10000);
	(void)!write(fd, out + 7, sizeof(out) - 7);
	wait_for_close(fd);
}

static void dns_asks_over_tcp(void **state)
{
	struct probe_question q = dns_question("192.0.2.80");
	struct check_result r;

	(void)state;
	q.transport = CONF_DNS_TCP;
	r = answer_of(serve_dns_tcp, q);
	is(&r, "L7OK", "1 A record, as expected");
	r = answer_of(serve_forever, q);
	assert_int_equal(r.code, CHECK_BAD_REPLY);
	r = answer_of(serve_end, q);
	is(&r, "L7RSP", "connection closed before a whole reply");
}

/* ---- icmp --------------------------------------------------------------------------------------- */

static void an_echo_request_is_answered(void **state)
{
	struct probe_question q = of_kind(CONF_CHECK_ICMP);
	struct check_result r;

	(void)state;
	if (geteuid() != 0)
		skip();
	r = answer(&q);
	is(&r, "L3OK", "echo reply");
	q.addr = (struct addr){.family = 6, .bytes = {[15] = 1}};
	r = answer(&q);
	is(&r, "L3OK", "echo reply");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_says_and_hears),
		cmocka_unit_test(tcp_tells_silence_end_and_wrong_words_apart),
		cmocka_unit_test(a_pattern_that_would_take_for_ever_gives_up),
		cmocka_unit_test(an_agent_says_how_it_is),
		cmocka_unit_test(an_agent_that_makes_no_sense_is_down),
		cmocka_unit_test(udp_takes_silence_for_health_unless_a_reply_is_expected),
		cmocka_unit_test(a_udp_port_where_nobody_listens_is_down),
		cmocka_unit_test(dns_judges_answer_and_status),
		cmocka_unit_test(dns_replies_that_are_damaged_are_said_to_be),
		cmocka_unit_test(dns_asks_over_tcp),
		cmocka_unit_test(an_echo_request_is_answered),
	};

	PROBE_CHILD(argc, argv);
	return cmocka_run_group_tests_name("probe_kinds", tests, NULL, NULL);
}
