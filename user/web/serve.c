/* SPDX-License-Identifier: BSD-2-Clause */
#include "web/serve.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "web/guard.h"
#include "web/metrics.h"

#define HEADERS_MAX 8192 /* bytes, with the request line */
#define BODY_MAX 1024 /* of a request, which has no use for one */
#define SILENT_S 15 /* a connection that says nothing */

static const char csp[] =
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
	"connect-src 'self'; base-uri 'none'; form-action 'none'; "
	"frame-ancestors 'none'";

/* A body that several replies share; whoever reads slowly keeps none of his own. */
struct body {
	unsigned int users;
	char *text;
	size_t len;
	mono_t of; /* when its snapshot was taken */
};

typedef void write_fn(struct reply *r);

struct route {
	const char *path, *type;
	write_fn *write;
	bool kept; /* says the same to everybody: one body for a snapshot */
};

static const char text_type[] = "text/plain; charset=utf-8";

static const struct route routes[] = {
	{"/metrics", NULL, NULL, true},
	{"/healthz", text_type, health_live, false},
	{"/readyz", text_type, health_ready, false},
};
#define ROUTES (sizeof(routes) / sizeof(routes[0]))
#define METRICS (&routes[0])

/* A request that waits for a snapshot. */
struct waiting {
	TAILQ_ENTRY(waiting) link;
	struct evhttp_request *req;
	struct evhttp_connection *evcon;
	const struct route *route;
};

struct server {
	struct event_base *base;
	struct evhttp *http;
	struct guard *guard;
	struct fetcher *fetcher;
	TAILQ_HEAD(, waiting) waiting;
	bool only_local; /* it listens on a loopback address */
	uint32_t limit;
	struct body *kept[ROUTES], *metrics[METRICS_FORMATS];
};

/* ---- bodies --------------------------------------------------------------------------------------*/

static void body_release(struct body *b)
{
	if (!b || --b->users)
		return;
	free(b->text);
	free(b);
}

static void on_sent(const void *data, size_t len, void *arg)
{
	(void)data, (void)len;
	body_release(arg);
}

const char *reply_parameter(const struct reply *r, const char *name)
{
	const char *value = r->query ? evhttp_find_header(r->query, name) : NULL;

	return value ? value : "";
}

int64_t reply_number(const struct reply *r, const char *name, int64_t otherwise, int64_t most)
{
	const char *text = reply_parameter(r, name);
	char *end;
	long long n;

	if (!text[0])
		return otherwise;
	n = strtoll(text, &end, 10);
	return *end || text[0] < '0' || text[0] > '9' || n > most ? -1 : n;
}

/* ---- replies -------------------------------------------------------------------------------------*/

static void put_headers(struct evhttp_request *req, const char *type)
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

static void reply_words(struct evhttp_request *req, int status, const char *words)
{
	struct evbuffer *buf = evbuffer_new();

	put_headers(req, text_type);
	if (status == 405)
		evhttp_add_header(evhttp_request_get_output_headers(req), "Allow", "GET, HEAD");
	if (buf)
		evbuffer_add_printf(buf, "%s\n", words);
	evhttp_send_reply(req, status, reason_of(status), buf);
	if (buf)
		evbuffer_free(buf);
}

static void reply_body(struct evhttp_request *req, int status, const char *type, struct body *b)
{
	struct evbuffer *buf = evbuffer_new();

	put_headers(req, type);
	b->users++;
	if (!buf || evbuffer_add_reference(buf, b->text, b->len, on_sent, b) < 0)
		body_release(b);
	evhttp_send_reply(req, status, reason_of(status), buf);
	if (buf)
		evbuffer_free(buf);
}

/* ---- from a snapshot -----------------------------------------------------------------------------*/

static void write_metrics(struct server *s, FILE *out, enum metrics_format f,
			  const struct snapshot *snapshot)
{
	const struct metrics_own own = {
		.limit = s->limit,
		.connections = guard_connections(s->guard),
		.requests = guard_requests(s->guard),
		.turned_away = guard_turned_away(s->guard),
	};

	metrics_write(out, f, snapshot, &own);
}

/* The body that is kept at *@place, if it is of @snapshot. */
static struct body *kept_at(struct body **place, const struct snapshot *snapshot)
{
	return place && *place && (*place)->of.us == snapshot->taken.us ? *place : NULL;
}

/* Writes the body for @route and keeps it at @place, if that is not NULL. The caller has a share. */
static struct body *make(struct server *s, const struct route *route, struct reply *r,
			 enum metrics_format f, struct body **place)
{
	struct body *b = calloc(1, sizeof(*b));

	r->out = b ? open_memstream(&b->text, &b->len) : NULL;
	if (!r->out) {
		free(b);
		return NULL;
	}
	if (route == METRICS)
		write_metrics(s, r->out, f, r->snapshot);
	else
		route->write(r);
	b->users = 1;
	b->of = r->snapshot->taken;
	if (fclose(r->out) != 0) {
		body_release(b);
		return NULL;
	}
	if (place) {
		body_release(*place);
		*place = b;
		b->users++;
	}
	return b;
}

static const char *accept_of(struct evhttp_request *req)
{
	return evhttp_find_header(evhttp_request_get_input_headers(req), "Accept");
}

static void answer(struct server *s, struct evhttp_request *req, const struct route *route)
{
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req));
	const enum metrics_format f =
		route == METRICS ? metrics_choose(accept_of(req)) : METRICS_TEXT;
	struct body **place = route == METRICS ? &s->metrics[f]
			      : route->kept    ? &s->kept[route - routes]
					       : NULL;
	struct reply r = {.snapshot = fetcher_latest(s->fetcher), .status = 200};
	struct body *b = kept_at(place, r.snapshot);
	struct evkeyvalq parameters;

	TAILQ_INIT(&parameters);
	if (!b) {
		if (query && evhttp_parse_query_str(query, &parameters) == 0)
			r.query = &parameters;
		b = make(s, route, &r, f, place);
		evhttp_clear_headers(&parameters);
	} else {
		b->users++;
	}
	if (!b) {
		reply_words(req, 503, "no memory");
		return;
	}
	reply_body(req, r.status, route == METRICS ? metrics_content_type(f) : route->type, b);
	body_release(b);
}

static struct waiting *next_waiting(struct server *s)
{
	struct waiting *w = TAILQ_FIRST(&s->waiting);

	if (w)
		TAILQ_REMOVE(&s->waiting, w, link);
	return w;
}

static const char *fetch_words(int err)
{
	switch (err) {
	case -ETIMEDOUT:
		return "not ready: shuntd has not answered for 3 s";
	case -ESTALE:
		return "not ready: shuntd's services change faster than they can be listed";
	default:
		return "not ready: shuntd's answer could not be read";
	}
}

static void on_snapshot(void *arg, int err)
{
	struct server *s = arg;
	struct waiting *w;

	while ((w = next_waiting(s))) {
		evhttp_connection_set_closecb(w->evcon, NULL, NULL);
		if (err == 0)
			answer(s, w->req, w->route);
		else
			reply_words(w->req, 503, fetch_words(err));
		free(w);
	}
}

/* evhttp frees a connection's request with it. */
static void on_closed(struct evhttp_connection *evcon, void *arg)
{
	struct server *s = arg;
	struct waiting *w, *next;

	for (w = TAILQ_FIRST(&s->waiting); w; w = next) {
		next = TAILQ_NEXT(w, link);
		if (w->evcon != evcon)
			continue;
		TAILQ_REMOVE(&s->waiting, w, link);
		free(w);
	}
}

static void wait_for_snapshot(struct server *s, struct evhttp_request *req,
			      const struct route *route)
{
	struct waiting *w = malloc(sizeof(*w));

	if (!w) {
		reply_words(req, 503, "no memory");
		return;
	}
	*w = (struct waiting){
		.req = req, .evcon = evhttp_request_get_connection(req), .route = route};
	TAILQ_INSERT_TAIL(&s->waiting, w, link);
	evhttp_connection_set_closecb(w->evcon, on_closed, s);
	fetcher_want(s->fetcher);
}

/* ---- requests ------------------------------------------------------------------------------------*/

/* A page of somebody's own whose name suddenly means this host (DNS rebinding) has that name as its
 * Host; who comes by an address, or localhost, is no such page. */
static bool is_local_name(const char *host)
{
	struct in6_addr unused;
	char bare[64];
	size_t n;

	if (!host || strcasecmp(host, "localhost") == 0)
		return true;
	n = strlen(host);
	if (host[0] == '[' && host[n - 1] == ']' && n - 2 < sizeof(bare)) {
		memcpy(bare, host + 1, n - 2);
		bare[n - 2] = '\0';
		return inet_pton(AF_INET6, bare, &unused) == 1;
	}
	return inet_pton(AF_INET, host, &unused) == 1 || inet_pton(AF_INET6, host, &unused) == 1;
}

static const struct route *find_route(const char *path)
{
	for (size_t i = 0; path && i < ROUTES; i++)
		if (strcmp(path, routes[i].path) == 0)
			return &routes[i];
	return NULL;
}

static void on_request(struct evhttp_request *req, void *arg)
{
	struct server *s = arg;
	const enum evhttp_cmd_type method = evhttp_request_get_command(req);
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const struct route *route = find_route(uri ? evhttp_uri_get_path(uri) : NULL);
	const struct snapshot *latest = fetcher_latest(s->fetcher);

	guard_request(s->guard, req);
	if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD)
		reply_words(req, 405, "nothing can be changed here: GET and HEAD only");
	else if (s->only_local && !is_local_name(evhttp_request_get_host(req)))
		reply_words(req, 421, "this address is for this host alone: ask for it by address");
	else if (!route)
		reply_words(
			req, 404,
			"there are: / /metrics /healthz /readyz /api/v1/status /api/v1/services "
			"/api/v1/backends /api/v1/events");
	else if (latest && mono_diff_us(latest->taken, mono_now()) < SERVE_FRESH_US)
		answer(s, req, route);
	else
		wait_for_snapshot(s, req, route);
}

/* ---- the daemon ----------------------------------------------------------------------------------*/

static void on_event(void *arg, const struct msg_event *e)
{
	(void)arg, (void)e;
}

static void on_lost(void *arg)
{
	struct server *s = arg;

	event_base_loopbreak(s->base);
}

/* ---- opening -------------------------------------------------------------------------------------*/

static bool is_loopback(int listener)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&ss;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&ss;

	if (getsockname(listener, (struct sockaddr *)&ss, &len) < 0)
		return false;
	if (ss.ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

/* All methods, so that they are answered in words. */
static int open_http(struct server *s, int listener)
{
	s->http = evhttp_new(s->base);
	s->guard = s->http ? guard_new(s->base, s->http) : NULL;
	if (!s->guard)
		return -ENOMEM;
	evhttp_set_allowed_methods(s->http, UINT16_MAX);
	evhttp_set_max_headers_size(s->http, HEADERS_MAX);
	evhttp_set_max_body_size(s->http, BODY_MAX);
	evhttp_set_timeout(s->http, SILENT_S);
	evhttp_set_gencb(s->http, on_request, s);
	return evhttp_accept_socket(s->http, listener) < 0 ? -ENOMEM : 0;
}

struct server *server_new(struct event_base *base, int daemon, int listener, uint32_t limit)
{
	struct server *s = calloc(1, sizeof(*s));
	const struct fetcher_calls calls = {on_snapshot, on_event, on_lost, s};

	if (!s)
		return NULL;
	s->base = base;
	s->limit = limit;
	s->only_local = is_loopback(listener);
	TAILQ_INIT(&s->waiting);
	s->fetcher = fetcher_new(base, daemon, &calls);
	if (s->fetcher && open_http(s, listener) == 0)
		return s;
	server_free(s);
	return NULL;
}

void server_free(struct server *s)
{
	if (s->http)
		evhttp_free(s->http);
	if (s->guard)
		guard_free(s->guard);
	if (s->fetcher)
		fetcher_free(s->fetcher);
	for (size_t i = 0; i < ROUTES; i++)
		body_release(s->kept[i]);
	for (size_t i = 0; i < METRICS_FORMATS; i++)
		body_release(s->metrics[i]);
	free(s);
}
