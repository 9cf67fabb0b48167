/* SPDX-License-Identifier: BSD-2-Clause */
/* The kind tls: a handshake and nothing more. */
#include <errno.h>
#include <event2/event.h>
#include <sys/queue.h>
#include <event2/event_struct.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/probe_kind.h"
#include "io/probe_msg.h"
#include "io/probe_tls.h"

struct handshake {
	struct probe_call call;
	struct probe_tls_guard guard;
	struct event event;
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
};

static void handshake_stop(void *run)
{
	struct handshake *h = run;

	event_del(&h->event);
	SSL_free(h->ssl);
	SSL_CTX_free(h->ctx);
	close(h->fd);
	free(h);
}

static void handshake_good(struct handshake *h, struct check_result *r)
{
	*r = (struct check_result){.layer = CHECK_LAYER_6};
	snprintf(r->text, sizeof(r->text), "%s handshake", SSL_get_version(h->ssl));
	probe_tls_warn(&h->guard, r);
}

/* Returns what the loop is to wait for, or 0 with the result in @r. */
static short handshake_step(struct handshake *h, struct check_result *r)
{
	int done;

	ERR_clear_error();
	done = SSL_connect(h->ssl);
	if (done == 1) {
		handshake_good(h, r);
		return 0;
	}
	switch (SSL_get_error(h->ssl, done)) {
	case SSL_ERROR_WANT_READ:
		break;
	case SSL_ERROR_WANT_WRITE:
		return EV_WRITE;
	default:
		*r = probe_tls_failure(&h->guard, ERR_reason_error_string(ERR_peek_last_error()));
		return 0;
	}
	if (BIO_number_read(SSL_get_rbio(h->ssl)) <= PROBE_WIRE_MAX)
		return EV_READ;
	*r = (struct check_result){.code = CHECK_BAD_REPLY, .layer = CHECK_LAYER_6};
	snprintf(r->text, sizeof(r->text), "TLS handshake is longer than 512 KiB");
	return 0;
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct handshake *h = arg;
	struct check_result r;
	short wait = handshake_step(h, &r);

	(void)what;
	if (!wait) {
		h->call.done(h->call.arg, &r);
		return;
	}
	event_assign(&h->event, h->call.shared->base, fd, wait, on_event, h);
	event_add(&h->event, NULL);
}

/* Returns false, with @r, when it cannot be made. */
static bool handshake_prepare(struct handshake *h, struct check_result *r)
{
	*r = probe_failure(ENOMEM);
	h->ctx = SSL_CTX_new(TLS_client_method());
	if (!h->ctx)
		return false;
	if (!probe_tls_prepare(h->call.shared->tls, h->ctx, &h->guard, r))
		return false;
	h->ssl = SSL_new(h->ctx);
	if (!h->ssl || SSL_set_fd(h->ssl, h->fd) != 1)
		return false;
	if (!h->guard.is_address)
		SSL_set_tlsext_host_name(h->ssl, h->guard.name);
	return true;
}

static bool handshake_start(const struct probe_call *call, int fd, void **run,
			    struct check_result *r)
{
	struct handshake *h = calloc(1, sizeof(*h));

	if (!h) {
		close(fd);
		*r = probe_failure(ENOMEM);
		return false;
	}
	h->call = *call;
	h->fd = fd;
	probe_tls_guard_init(&h->guard, call->question);
	event_assign(&h->event, call->shared->base, fd, EV_WRITE, on_event, h);
	if (!handshake_prepare(h, r)) {
		handshake_stop(h);
		return false;
	}
	event_add(&h->event, NULL);
	*run = h;
	return true;
}

static void handshake_timed_out(void *run, struct check_result *r)
{
	(void)run;
	*r = (struct check_result){.code = CHECK_TIMEOUT, .layer = CHECK_LAYER_6};
}

const struct probe_kind probe_kind_tls = {
	.weight = PROBE_HEAVY,
	.connects = true,
	.start = handshake_start,
	.stop = handshake_stop,
	.timed_out = handshake_timed_out,
};
