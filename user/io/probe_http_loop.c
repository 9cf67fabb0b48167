/* SPDX-License-Identifier: BSD-2-Clause */
/* libcurl's multi-socket interface joined to the event loop. */
#include "io/probe_http_impl.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

static void finish(struct probe_http *h)
{
	struct check_result verdict = h->verdict;

	if (h->guard)
		probe_tls_warn(h->guard, &verdict);
	h->call.done(h->call.arg, &verdict);
}

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
			probe_http_decide_by_end(h, end);
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
	struct probe_http_watch *w = arg;
	struct probe_http_loop *loop = w->loop;
	int action =
		(what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);
	int running;

	if (w->request && (what & EV_READ) && wire_bytes(fd) > PROBE_WIRE_MAX) {
		probe_http_decide(w->request, CHECK_BAD_REPLY, PROBE_FAULT_LENGTH);
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

static void watch_free(struct probe_http_watch *w)
{
	if (w->added)
		event_del(&w->event);
	if (w->request)
		w->request->watch = NULL;
	free(w);
}

static struct probe_http_watch *watch_new(struct probe_http_loop *loop, CURL *easy,
					  curl_socket_t fd)
{
	struct probe_http_watch *w = calloc(1, sizeof(*w));
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
	struct probe_http_watch *w = assigned;
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
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || !(loop->multi = curl_multi_init())) {
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
