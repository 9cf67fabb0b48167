/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/probe_http.h"

#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <sys/queue.h>
#include <event2/event_struct.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "io/probe_msg.h"

struct probe_http_loop {
	struct event_base *base;
	CURLM *multi;
	struct event timer; /* the one that libcurl asks for */
};

/* A socket that libcurl wants watched. It may outlive its request: libcurl decides when to close. */
struct watch {
	struct event event;
	struct probe_http_loop *loop;
	struct probe_http *request; /* NULL once that has ended */
	bool added;
};

struct probe_http {
	struct probe_http_loop *loop;
	struct probe_http_call call;
	CURL *easy;
	struct curl_slist *headers;
	struct watch *watch;
	int fd; /* until libcurl takes it, then -1 */
	bool decided, headers_done;
	struct check_result verdict; /* when decided */
	size_t header_bytes, body_bytes;
	/* Knuth, Morris, Pratt: how much of the expected text the body ends with so far, and for each
	 * length matched the next shorter one to fall back to. */
	uint8_t matched;
	uint8_t fallback[256];
};

/* ---- verdict ------------------------------------------------------------------------------------ */

/* Returns 0, which makes libcurl stop when a callback of it returns that. */
static size_t decide(struct probe_http *h, enum check_code code, int32_t detail)
{
	h->decided = true;
	h->verdict = (struct check_result){.code = code, .layer = CHECK_LAYER_7, .detail = detail};
	return 0;
}

static long status_of(const struct probe_http *h)
{
	long status = 0;

	curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static bool status_wanted(const struct probe_question *q, long status)
{
	if (q->statuses == 0)
		return status >= 200 && status <= 399;
	for (size_t i = 0; i < q->statuses; i++)
		if (status >= q->status[i].from && status <= q->status[i].to)
			return true;
	return false;
}

static void expect_prepare(struct probe_http *h)
{
	const char *expect = h->call.question->expect;
	size_t len = strlen(expect), k = 0;

	for (size_t i = 1; i < len; i++) {
		while (k > 0 && expect[i] != expect[k])
			k = h->fallback[k];
		if (expect[i] == expect[k])
			k++;
		h->fallback[i + 1] = (uint8_t)k;
	}
}

static bool expect_found(struct probe_http *h, const char *data, size_t len)
{
	const char *expect = h->call.question->expect;
	size_t k = h->matched;

	for (size_t i = 0; i < len && expect[k] != '\0'; i++) {
		while (k > 0 && data[i] != expect[k])
			k = h->fallback[k];
		if (data[i] == expect[k])
			k++;
	}
	h->matched = (uint8_t)k;
	return expect[k] == '\0';
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
	struct probe_http *h = arg;
	size_t len = size * count;
	long status;

	h->header_bytes += len;
	if (h->header_bytes > PROBE_HEADER_MAX)
		return decide(h, CHECK_BAD_REPLY, PROBE_FAULT_HEADERS);
	if (h->headers_done || (data[0] != '\r' && data[0] != '\n'))
		return len;
	status = status_of(h);
	if (status < 200) /* an interim reply: the one that counts follows */
		return len;
	h->headers_done = true;
	if (!status_wanted(h->call.question, status))
		return decide(h, CHECK_BAD_STATUS, (int32_t)status);
	if (h->call.question->expect[0] == '\0')
		return decide(h, CHECK_OK, (int32_t)status);
	return len;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct probe_http *h = arg;
	size_t len = size * count, room = PROBE_BODY_MAX - h->body_bytes;

	if (expect_found(h, data, len < room ? len : room))
		return decide(h, CHECK_OK, (int32_t)status_of(h));
	if (len >= room)
		return decide(h, CHECK_NO_MATCH, 0);
	h->body_bytes += len;
	return len;
}

/* What the end of the transfer means when no callback has decided. libcurl reports bad framing as
 * a receive error too; only a real one has an errno. */
static void decide_by_end(struct probe_http *h, CURLcode end)
{
	long error = 0;

	curl_easy_getinfo(h->easy, CURLINFO_OS_ERRNO, &error);
	switch (end) {
	case CURLE_OK:
		decide(h, h->headers_done ? CHECK_NO_MATCH : CHECK_CLOSED, 0);
		break;
	case CURLE_RECV_ERROR:
		if (error == 0)
			decide(h, CHECK_BAD_REPLY, PROBE_FAULT_NOT_HTTP);
		else
			decide(h, CHECK_CLOSED, (int32_t)error);
		break;
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_SEND_ERROR:
		decide(h, CHECK_CLOSED, (int32_t)error);
		break;
	default:
		decide(h, CHECK_BAD_REPLY, PROBE_FAULT_NOT_HTTP);
		break;
	}
}

static void finish(struct probe_http *h)
{
	struct check_result verdict = h->verdict;

	h->call.done(h->call.arg, &verdict);
}

/* ---- libcurl's loop ----------------------------------------------------------------------------- */

static void finish_ended(struct probe_http_loop *loop)
{
	struct probe_http *h;
	CURLMsg *m;
	CURLcode end;
	int left;

	while ((m = curl_multi_info_read(loop->multi, &left))) {
		if (m->msg != CURLMSG_DONE)
			continue;
		end = m->data.result; /* @m does not outlive the handle */
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&h);
		if (!h->decided)
			decide_by_end(h, end);
		finish(h);
	}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct probe_http_loop *loop = arg;
	int running;

	(void)fd;
	(void)what;
	curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	finish_ended(loop);
}

/* Bytes that the peer has sent, whatever libcurl made of them: headers, framing, trailers. */
static uint64_t wire_bytes(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return 0;
	return info.tcpi_bytes_received;
}

static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;
	struct probe_http_loop *loop = w->loop;
	int action =
		(what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
	int running;

	if (w->request && (what & EV_READ) && wire_bytes(fd) > PROBE_WIRE_MAX) {
		decide(w->request, CHECK_BAD_REPLY, PROBE_FAULT_LENGTH);
		finish(w->request);
		return;
	}
	curl_multi_socket_action(loop->multi, fd, action, &running);
	finish_ended(loop);
}

static int want_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct probe_http_loop *loop = arg;
	struct timeval after = {timeout_ms / 1000, timeout_ms % 1000 * 1000};

	(void)multi;
	if (timeout_ms < 0)
		return event_del(&loop->timer);
	return event_add(&loop->timer, &after);
}

static void watch_free(struct watch *w)
{
	if (w->added)
		event_del(&w->event);
	if (w->request)
		w->request->watch = NULL;
	free(w);
}

static struct watch *watch_new(struct probe_http_loop *loop, CURL *easy, curl_socket_t fd)
{
	struct watch *w = calloc(1, sizeof(*w));
	struct probe_http *h = NULL;

	if (!w)
		return NULL;
	w->loop = loop;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&h);
	w->request = h;
	if (h)
		h->watch = w;
	curl_multi_assign(loop->multi, fd, w);
	return w;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *assigned)
{
	struct probe_http_loop *loop = arg;
	struct watch *w = assigned;
	short events = EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) |
		       (what & CURL_POLL_OUT ? EV_WRITE : 0);

	if (what == CURL_POLL_REMOVE) {
		if (w)
			watch_free(w);
		curl_multi_assign(loop->multi, fd, NULL);
		return 0;
	}
	if (!w)
		w = watch_new(loop, easy, fd);
	if (!w)
		return -1;
	if (w->added)
		event_del(&w->event);
	event_assign(&w->event, loop->base, fd, events, on_socket, w);
	w->added = event_add(&w->event, NULL) == 0;
	return w->added ? 0 : -1;
}

int probe_http_open(struct event_base *base, struct probe_http_loop **out)
{
	struct probe_http_loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	loop->base = base;
	if (curl_global_init(CURL_GLOBAL_NOTHING) != 0 || !(loop->multi = curl_multi_init())) {
		free(loop);
		return -ENOMEM;
	}
	event_assign(&loop->timer, base, -1, 0, on_timer, loop);
	curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop);
	curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop);
	*out = loop;
	return 0;
}

void probe_http_close(struct probe_http_loop *loop)
{
	if (!loop)
		return;
	curl_multi_cleanup(loop->multi);
	event_del(&loop->timer);
	curl_global_cleanup();
	free(loop);
}

/* ---- one request -------------------------------------------------------------------------------- */

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct probe_http *h = arg;

	(void)purpose;
	(void)address;
	return h->fd >= 0 ? take_fd(&h->fd) : CURL_SOCKET_BAD;
}

static int socket_is_connected(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	(void)arg;
	(void)fd;
	(void)purpose;
	return CURL_SOCKOPT_ALREADY_CONNECTED;
}

static void set_url(struct probe_http *h)
{
	const struct probe_question *q = h->call.question;
	char where[ADDR_PORT_TEXT_MAX], url[ADDR_PORT_TEXT_MAX + 16];

	snprintf(url, sizeof(url), "http://%s/", addr_port_format(&q->addr, q->port, where));
	curl_easy_setopt(h->easy, CURLOPT_URL, url);
	/* The path goes out as it was given, also where a URL would say something else. */
	curl_easy_setopt(h->easy, CURLOPT_REQUEST_TARGET, q->path[0] ? q->path : "/");
	curl_easy_setopt(h->easy, CURLOPT_PATH_AS_IS, 1L);
}

static int set_headers(struct probe_http *h)
{
	char host[sizeof(h->call.question->host) + 8];
	struct curl_slist *more;

	h->headers = curl_slist_append(NULL, "Connection: close");
	if (!h->headers)
		return -ENOMEM;
	if (h->call.question->host[0]) {
		snprintf(host, sizeof(host), "Host: %s", h->call.question->host);
		more = curl_slist_append(h->headers, host);
		if (!more)
			return -ENOMEM;
		h->headers = more;
	}
	curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, h->headers);
	curl_easy_setopt(h->easy, CURLOPT_USERAGENT, "shunt/" SHUNT_VERSION);
	return 0;
}

/* Nothing but this one request over this one socket. */
static void set_limits(CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
#else
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTP);
#endif
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 4096L);
}

static int set_up(struct probe_http *h)
{
	h->easy = curl_easy_init();
	if (!h->easy)
		return -ENOMEM;
	set_url(h);
	if (set_headers(h) < 0)
		return -ENOMEM;
	set_limits(h->easy);
	curl_easy_setopt(h->easy, CURLOPT_PRIVATE, h);
	curl_easy_setopt(h->easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(h->easy, CURLOPT_OPENSOCKETDATA, h);
	curl_easy_setopt(h->easy, CURLOPT_SOCKOPTFUNCTION, socket_is_connected);
	curl_easy_setopt(h->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(h->easy, CURLOPT_HEADERDATA, h);
	curl_easy_setopt(h->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(h->easy, CURLOPT_WRITEDATA, h);
	if (curl_multi_add_handle(h->loop->multi, h->easy) != CURLM_OK)
		return -ENOMEM;
	return 0;
}

int probe_http_start(struct probe_http_loop *loop, const struct probe_http_call *call, int fd,
		     struct probe_http **out)
{
	struct probe_http *h = calloc(1, sizeof(*h));
	int err;

	if (!h) {
		close(fd);
		return -ENOMEM;
	}
	h->loop = loop;
	h->call = *call;
	h->fd = fd;
	expect_prepare(h);
	err = set_up(h);
	if (err < 0) {
		probe_http_stop(h);
		return err;
	}
	*out = h;
	return 0;
}

void probe_http_stop(struct probe_http *h)
{
	if (!h)
		return;
	if (h->watch)
		h->watch->request = NULL;
	if (h->easy) {
		curl_multi_remove_handle(h->loop->multi, h->easy);
		curl_easy_cleanup(h->easy);
	}
	curl_slist_free_all(h->headers);
	own_close(&h->fd);
	free(h);
}
