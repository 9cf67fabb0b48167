/* SPDX-License-Identifier: BSD-2-Clause */
/* Probes against servers that fail, lie or do not end. */
#include "probe_world.h"

#include <openssl/ssl.h>

#include "io/probe_http.h"
#include "io/probe_msg.h"

static void serve_503(int fd)
{
	skip_request(fd);
	put(fd, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nok");
}

static void a_status_out_of_range_fails(void **state)
{
	struct probe_question q = asking("ok");
	struct check_result r = answer_of(serve_503, q);

	(void)state;
	assert_int_equal(r.code, CHECK_BAD_STATUS);
	assert_int_equal(r.detail, 503);
	q.statuses = 2;
	q.status[0] = (struct conf_status_range){200, 204};
	q.status[1] = (struct conf_status_range){503, 503};
	assert_int_equal(answer_of(serve_503, q).code, CHECK_OK);
	q.statuses = 1;
	assert_int_equal(answer_of(serve_503, q).code, CHECK_BAD_STATUS);
}

static void serve_redirect(int fd)
{
	skip_request(fd);
	put(fd, "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
}

static void a_redirect_is_not_followed(void **state)
{
	struct probe_question q = asking("");

	(void)state;
	assert_int_equal(answer_of(serve_redirect, q).detail, 302);
	q.statuses = 1;
	q.status[0] = (struct conf_status_range){200, 200};
	assert_int_equal(answer_of(serve_redirect, q).code, CHECK_BAD_STATUS);
}

static void a_reply_without_the_text_fails(void **state)
{
	(void)state;
	assert_int_equal(answer_of(serve_good, asking("healthy")).code, CHECK_NO_MATCH);
	assert_int_equal(answer_of(serve_good, asking("okk")).code, CHECK_NO_MATCH);
}

static void silence_is_a_reply_timeout(void **state)
{
	struct check_result r = answer_of(wait_for_close, within(200, ""));

	(void)state;
	assert_int_equal(r.code, CHECK_TIMEOUT);
	assert_in_range(r.latency_us, 195000, 1000000);
}

static void serve_slowly(int fd)
{
	static const char reply[] = "HTTP/1.1 200 OK\r\n\r\nok";

	for (size_t i = 0; i < sizeof(reply) - 1; i++) {
		if (write(fd, &reply[i], 1) < 0)
			return;
		usleep(50000);
	}
}

static void a_byte_at_a_time_is_a_reply_timeout(void **state)
{
	(void)state;
	assert_int_equal(answer_of(serve_slowly, within(300, "ok")).code, CHECK_TIMEOUT);
	assert_int_equal(answer_of(serve_slowly, within(9000, "ok")).code, CHECK_OK);
}

static void serve_nothing(int fd)
{
	(void)fd;
}

static void serve_nothing_after_request(int fd)
{
	skip_request(fd);
}

static void serve_reset(int fd)
{
	struct linger reset = {1, 0};

	skip_request(fd);
	put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
	usleep(30000);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

static void serve_half_headers(int fd)
{
	skip_request(fd);
	put(fd, "HTTP/1.1 200 OK\r\nContent-Le");
}

static void serve_half_body(int fd)
{
	skip_request(fd);
	put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
}

static void a_connection_closed_early_fails(void **state)
{
	(void)state;
	assert_int_equal(answer_of(serve_nothing, asking("")).code, CHECK_CLOSED);
	assert_int_equal(answer_of(serve_nothing_after_request, asking("")).code, CHECK_CLOSED);
	assert_int_equal(answer_of(serve_half_headers, asking("")).code, CHECK_CLOSED);
	assert_int_equal(answer_of(serve_half_body, asking("ok")).code, CHECK_CLOSED);
	assert_int_equal(answer_of(serve_reset, asking("ok")).code, CHECK_CLOSED);
}

static void serve_garbage(int fd)
{
	skip_request(fd);
	put(fd, "\x01\x02SSH-2.0-garbage\r\nthat is no HTTP at all\r\n\r\n");
}

static void serve_bad_chunks(int fd)
{
	skip_request(fd);
	put(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a number\r\n");
	wait_for_close(fd);
}

static void garbage_is_not_http(void **state)
{
	struct check_result r = answer_of(serve_garbage, asking(""));

	(void)state;
	assert_int_equal(r.code, CHECK_BAD_REPLY);
	assert_int_equal(r.detail, PROBE_FAULT_NOT_HTTP);
	assert_int_equal(answer_of(serve_bad_chunks, asking("ok")).code, CHECK_BAD_REPLY);
}

static void serve_endless_headers(int fd)
{
	skip_request(fd);
	put(fd, "HTTP/1.1 200 OK\r\n");
	forever(fd, "X-More: and more and more and more\r\n");
}

static void serve_endless_line(int fd)
{
	skip_request(fd);
	put(fd, "HTTP/1.1 200 OK\r\nX-More: ");
	forever(fd, "and more and more and more and more and more and more");
}

static void serve_endless_chunk_extension(int fd)
{
	skip_request(fd);
	put(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;");
	forever(fd, "and=more;and=more;and=more;and=more;and=more;and=more;and=more");
}

static void serve_endless_trailers(int fd)
{
	skip_request(fd);
	put(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
	forever(fd, "X-More: and more and more and more\r\n");
}

static void serve_endless_interim(int fd)
{
	skip_request(fd);
	forever(fd, "HTTP/1.1 102 Processing\r\n\r\n");
}

static void a_reply_that_does_not_end_is_cut(void **state)
{
	struct probe_question q = within(10000, "ok");
	struct check_result r = answer_of(serve_endless_headers, q);

	(void)state;
	assert_int_equal(r.code, CHECK_BAD_REPLY);
	assert_int_equal(r.detail, PROBE_FAULT_HEADERS);
	assert_in_range(r.latency_us, 1, 5000000);
	assert_int_equal(answer_of(serve_endless_line, q).code, CHECK_BAD_REPLY);
	assert_int_equal(answer_of(serve_endless_interim, q).code, CHECK_BAD_REPLY);
	assert_int_equal(answer_of(serve_endless_trailers, q).code, CHECK_BAD_REPLY);
	r = answer_of(serve_endless_chunk_extension, q);
	assert_int_equal(r.code, CHECK_BAD_REPLY);
	assert_int_equal(r.detail, PROBE_FAULT_LENGTH);
	assert_in_range(r.latency_us, 1, 5000000);
}

static void serve_endless_body(int fd)
{
	skip_request(fd);
	put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n");
	forever(fd, "and more and more and more and more and more and more and more");
}

/* @before bytes of body, then "ok", then more. */
static void serve_text_at(int fd, size_t before)
{
	skip_request(fd);
	put(fd, "HTTP/1.1 200 OK\r\n\r\n");
	while (before-- > 0)
		put(fd, "-");
	put(fd, "ok");
	put(fd, "------------");
}

static void serve_text_just_inside(int fd)
{
	serve_text_at(fd, PROBE_BODY_MAX - 2);
}

static void serve_text_just_outside(int fd)
{
	serve_text_at(fd, PROBE_BODY_MAX - 1);
}

static void only_the_first_64_kib_are_searched(void **state)
{
	struct check_result r = answer_of(serve_endless_body, within(10000, "ok"));

	(void)state;
	assert_int_equal(r.code, CHECK_NO_MATCH);
	assert_in_range(r.latency_us, 1, 5000000);
	assert_int_equal(answer_of(serve_endless_body, asking("")).code, CHECK_OK);
	assert_int_equal(answer_of(serve_endless_body, asking("and more")).code, CHECK_OK);
	assert_int_equal(answer_of(serve_text_just_inside, asking("ok")).code, CHECK_OK);
	assert_int_equal(answer_of(serve_text_just_outside, asking("ok")).code, CHECK_NO_MATCH);
}

/* ---- all at once -------------------------------------------------------------------------------- */

static void a_bad_server_costs_only_its_own_probe(void **state)
{
	static server_fn *const bad[] = {
		serve_endless_headers,
		serve_endless_body,
		serve_slowly,
		serve_garbage,
		wait_for_close,
		serve_nothing,
		serve_endless_chunk_extension,
	};
	enum { BAD = sizeof(bad) / sizeof(bad[0]), GOOD = 100 };
	struct probe_question q = within(400, "ok");
	struct server servers[BAD + 1];
	struct world w;

	(void)state;
	for (size_t i = 0; i < BAD; i++)
		servers[i] = server_start(AF_INET, bad[i]);
	servers[BAD] = server_start(AF_INET, serve_good);
	world_open(&w);
	for (size_t i = 0; i <= BAD; i++) {
		q.port = servers[i].port;
		q.timeout_ms = i < BAD ? 400 : 2900; /* of the good one nothing is to fail */
		assert_int_equal(probe_pool_add(w.pool, GOOD + i, &q), 0);
	}
	world_run(&w, 0, 3000);
	for (int i = 0; i < 20 && seen_of(&w, GOOD + BAD) < 10; i++)
		world_run(&w, 0, 500);
	for (size_t i = 0; i < w.n; i++)
		assert_int_equal(w.seen[i].r.code == CHECK_OK, w.seen[i].id == GOOD + BAD);
	assert_true(seen_of(&w, GOOD + BAD) >= 10);
	assert_int_equal(w.restarts, 0);
	world_close(&w);
	for (size_t i = 0; i <= BAD; i++)
		server_stop(&servers[i]);
}

/* ---- TLS that begins again ---------------------------------------------------------------------- */

#define GRANTED "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* A certificate of its own making, for nobody. */
static SSL_CTX *tls_server(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();

	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_sign(cert, key, EVP_sha256());
	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	if (SSL_CTX_use_certificate(ctx, cert) != 1 || SSL_CTX_use_PrivateKey(ctx, key) != 1)
		_exit(1);
	X509_free(cert);
	EVP_PKEY_free(key);
	return ctx;
}

/* TLS 1.2 lets a server ask for another handshake at any time. Who grants it gets a good answer, which the
 * test does not want. */
static void serve_handshakes(int fd)
{
	const struct timeval patience = {.tv_usec = 100000};
	SSL *tls = SSL_new(tls_server());
	char in[1024];

	SSL_set_fd(tls, fd);
	if (SSL_accept(tls) != 1 || SSL_read(tls, in, sizeof(in)) <= 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (SSL_renegotiate(tls) == 1 && SSL_do_handshake(tls) == 1 && SSL_peek(tls, in, 1) != 1 &&
	    SSL_get_error(tls, -1) == SSL_ERROR_WANT_READ && !SSL_renegotiate_pending(tls))
		SSL_write(tls, GRANTED, sizeof(GRANTED) - 1);
	wait_for_close(fd);
}

static void another_handshake_is_refused(void **state)
{
	struct probe_question q = within(500, "");
	struct check_result r;

	(void)state;
	q.kind = CONF_CHECK_HTTPS;
	q.tls = 1;
	r = answer_of(serve_handshakes, q);
	assert_int_not_equal(r.code, CHECK_OK);
	assert_int_equal(r.layer, CHECK_LAYER_7);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_status_out_of_range_fails),
		cmocka_unit_test(a_redirect_is_not_followed),
		cmocka_unit_test(a_reply_without_the_text_fails),
		cmocka_unit_test(silence_is_a_reply_timeout),
		cmocka_unit_test(a_byte_at_a_time_is_a_reply_timeout),
		cmocka_unit_test(a_connection_closed_early_fails),
		cmocka_unit_test(garbage_is_not_http),
		cmocka_unit_test(a_reply_that_does_not_end_is_cut),
		cmocka_unit_test(only_the_first_64_kib_are_searched),
		cmocka_unit_test(a_bad_server_costs_only_its_own_probe),
		cmocka_unit_test(another_handshake_is_refused),
	};

	PROBE_CHILD(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
