/* SPDX-License-Identifier: BSD-2-Clause */
#include "web/reply.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <stdlib.h>

#include "web/page.h"

static const char csp[] =
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
	"connect-src 'self'; base-uri 'none'; form-action 'none'; "
	"frame-ancestors 'none'";

/* ---- bodies --------------------------------------------------------------------------------------*/

void reply_body_release(struct body *b)
{
	if (!b || --b->users)
		return;
	free(b->text);
	free(b);
}

static void on_sent(const void *data, size_t len, void *arg)
{
	(void)data, (void)len;
	reply_body_release(arg);
}

/* ---- replies -------------------------------------------------------------------------------------*/

void reply_headers(struct evhttp_request *req, const char *type)
{
	struct evkeyvalq *h = evhttp_request_get_output_headers(req);

	evhttp_add_header(h, "Content-Type", type);
	evhttp_add_header(h, "Content-Security-Policy", csp);
	evhttp_add_header(h, "X-Content-Type-Options", "nosniff");
	evhttp_add_header(h, "Referrer-Policy", "no-referrer");
	evhttp_add_header(h, "Cross-Origin-Resource-Policy", "same-origin");
	evhttp_add_header(h, "Cache-Control", "no-store");
}

static const char *reason_of(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 421:
		return "Misdirected Request";
	default:
		return "Service Unavailable";
	}
}

void reply_words(struct evhttp_request *req, int status, const char *words)
{
	struct evbuffer *buf = evbuffer_new();

	reply_headers(req, REPLY_TEXT);
	if (status == 405)
		evhttp_add_header(evhttp_request_get_output_headers(req), "Allow", "GET, HEAD");
	if (buf)
		evbuffer_add_printf(buf, "%s\n", words);
	evhttp_send_reply(req, status, reason_of(status), buf);
	if (buf)
		evbuffer_free(buf);
}

void reply_body(struct evhttp_request *req, int status, const char *type, struct body *b)
{
	struct evbuffer *buf = evbuffer_new();

	reply_headers(req, type);
	b->users++;
	if (!buf || evbuffer_add_reference(buf, b->text, b->len, on_sent, b) < 0)
		reply_body_release(b);
	evhttp_send_reply(req, status, reason_of(status), buf);
	if (buf)
		evbuffer_free(buf);
}

void reply_file(struct evhttp_request *req, const struct page_file *file)
{
	struct evbuffer *buf = evbuffer_new();

	reply_headers(req, file->type);
	if (buf)
		evbuffer_add_reference(buf, file->begin, (size_t)(file->end - file->begin), NULL,
				       NULL);
	evhttp_send_reply(req, 200, reason_of(200), buf);
	if (buf)
		evbuffer_free(buf);
}
