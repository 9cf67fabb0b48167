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

#include "pure/history.h"
#include "web/guard.h"
#include "web/metrics.h"
#include "web/page.h"
#include "web/past.h"
#include "web/reply.h"
#include "web/stream.h"

#define HEADERS_MAX 8192 /* bytes, with the request line */
#define BODY_MAX 1024 /* of a request, which has no use for one */
#define SILENT_S 15 /* a connection that says nothing */

typedef void write_fn(struct reply *r);

struct route {
	const char *path, *type;
	write_fn *write;
	bool kept; /* says the same to everybody: one body for a snapshot */
};

static const struct route routes[] = {
	{"/metrics", NULL, NULL, true},
	{"/healthz", REPLY_TEXT, health_live, false},
	{"/readyz", REPLY_TEXT, health_ready, false},
	{"/api/v1/status", REPLY_JSON, api_status, true},
	{"/api/v1/services", REPLY_JSON, api_services, false},
	{"/api/v1/backends", REPLY_JSON, api_backends, false},
	{"/api/v1/verdicts", REPLY_JSON, api_verdicts, true},
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
	struct streams *streams;
	struct fetcher *fetcher;
	struct past *past;
	TAILQ_HEAD(, waiting) waiting;
	bool only_local; /* it listens on a loopback address */
	uint32_t limit;
	struct body *kept[ROUTES], *metrics[METRICS_FORMATS];
};

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

/* ---- from a snapshot -----------------------------------------------------------------------------*/

static void write_metrics(struct server *s, FILE *out, enum metrics_format f,
			  const struct snapshot *snapshot)
{
	const struct metrics_own own = {
		.limit = s->limit,
		.connections = guard_connections(s->guard),
		.streams = streams_count(s->streams),
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
		reply_body_release(b);
		return NULL;
	}
	if (place) {
		reply_body_release(*place);
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
	reply_body_release(b);
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

static void reply_events(struct server *s, struct evhttp_request *req)
{
	if (evhttp_request_get_command(req) == EVHTTP_REQ_HEAD) {
		evhttp_send_error(req, 405, NULL); /* no words go with a HEAD */
		return;
	}
	if (streams_count(s->streams) >= STREAMS_MAX) {
		reply_words(req, 503, "too many listen to events already");
		return;
	}
	guard_stream(s->guard, req);
	reply_headers(req, "text/event-stream");
	if (streams_add(s->streams, req) < 0)
		evhttp_send_error(req, 503, NULL);
}

static void reply_history(struct server *s, struct evhttp_request *req)
{
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req));
	struct reply r = {.snapshot = NULL};
	struct evkeyvalq parameters;
	int64_t limit;

	TAILQ_INIT(&parameters);
	if (query && evhttp_parse_query_str(query, &parameters) == 0)
		r.query = &parameters;
	limit = reply_number(&r, "limit", HISTORY_MAX, HISTORY_MAX);
	if (limit < 1) {
		reply_words(req, 400, "limit is a number from 1 to 100");
	} else {
		const char *const names[2] = {reply_parameter(&r, "service"),
					      reply_parameter(&r, "backend")};

		past_ask(s->past, req, names, (size_t)limit);
	}
	evhttp_clear_headers(&parameters);
}

static const struct route *find_route(const char *path)
{
	for (size_t i = 0; path && i < ROUTES; i++)
		if (strcmp(path, routes[i].path) == 0)
			return &routes[i];
	return NULL;
}

/* Whether @req may be answered at all; if not, it has been. */
static bool is_fine(struct server *s, struct evhttp_request *req)
{
	const enum evhttp_cmd_type method = evhttp_request_get_command(req);

	if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD)
		reply_words(req, 405, "nothing can be changed here: GET and HEAD only");
	else if (s->only_local && !is_local_name(evhttp_request_get_host(req)))
		reply_words(req, 421, "this address is for this host alone: ask for it by address");
	else
		return true;
	return false;
}

static void on_request(struct evhttp_request *req, void *arg)
{
	struct server *s = arg;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	const struct page_file *file = page_find(path);
	const struct route *route = find_route(path);
	const struct snapshot *latest = fetcher_latest(s->fetcher);

	guard_request(s->guard, req);
	if (!is_fine(s, req))
		return;
	if (file)
		reply_file(req, file);
	else if (path && strcmp(path, "/api/v1/events") == 0)
		reply_events(s, req);
	else if (path && strcmp(path, "/api/v1/history") == 0)
		reply_history(s, req);
	else if (!route)
		reply_words(
			req, 404,
			"there are: / /metrics /healthz /readyz /api/v1/status /api/v1/services "
			"/api/v1/backends /api/v1/history /api/v1/verdicts /api/v1/events");
	else if (latest && mono_diff_us(latest->taken, mono_now()) < SERVE_FRESH_US)
		answer(s, req, route);
	else
		wait_for_snapshot(s, req, route);
}

/* ---- the daemon ----------------------------------------------------------------------------------*/

static void on_event(void *arg, const struct msg_event *e)
{
	struct server *s = arg;

	streams_tell(s->streams, e);
}

static void on_other(void *arg, uint32_t seq, const void *text, size_t len)
{
	struct server *s = arg;

	past_answer(s->past, seq, text, len);
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
	const struct fetcher_calls calls = {on_snapshot, on_event, on_other, on_lost, s};

	if (!s)
		return NULL;
	s->base = base;
	s->limit = limit;
	s->only_local = is_loopback(listener);
	TAILQ_INIT(&s->waiting);
	s->fetcher = fetcher_new(base, daemon, &calls);
	s->past = past_new(base, daemon);
	s->streams = streams_new(base);
	if (s->fetcher && s->past && s->streams && open_http(s, listener) == 0)
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
	if (s->streams)
		streams_free(s->streams);
	past_free(s->past);
	if (s->fetcher)
		fetcher_free(s->fetcher);
	for (size_t i = 0; i < ROUTES; i++)
		reply_body_release(s->kept[i]);
	for (size_t i = 0; i < METRICS_FORMATS; i++)
		reply_body_release(s->metrics[i]);
	free(s);
}
