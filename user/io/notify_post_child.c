/* SPDX-License-Identifier: BSD-2-Clause */
/* The process that posts events to webhooks. Requests to different hooks, and up to NOTIFY_POST_PARALLEL to
 * one, go side by side; events that are posted at the same time may arrive in another order, and say when
 * they were. */
#include "io/notify_post.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/notify_impl.h"

#define REPLY_MAX 65536
#define RETRY_MS 1000 /* doubled with each try */
#define WAIT_MS 1000

struct post {
	TAILQ_ENTRY(post) link;
	struct hook *hook;
	uint32_t tries;
	mono_t due;
	CURL *easy; /* while it runs */
	size_t seen; /* bytes of the reply */
	char json[]; /* NUL-terminated */
};

struct hook {
	char *url;
	long timeout_ms;
	TAILQ_HEAD(, post) waiting;
	uint32_t n_waiting, running;
};

struct poster {
	CURLM *multi;
	struct curl_slist *headers;
	struct hook hooks[NOTIFY_POST_HOOKS];
	uint32_t n_hooks;
};

static void report(const struct poster *p, const struct hook *h, uint32_t tries, const char *why)
{
	struct notify_post_report r;

	memset(&r, 0, sizeof(r));
	r.hook = (uint32_t)(h - p->hooks);
	r.tries = tries;
	snprintf(r.why, sizeof(r.why), "%s", why);
	send(NOTIFY_POST_FD, &r, sizeof(r), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- one request --------------------------------------------------------------------------------*/

/* The reply is nothing to us: ten bytes or ten gigabytes end alike. */
static size_t refuse(char *data, size_t size, size_t n, void *arg)
{
	struct post *one = arg;

	(void)data;
	one->seen += size * n;
	return one->seen > REPLY_MAX ? 0 : size * n;
}

static CURL *request_of(const struct poster *p, struct post *one)
{
	CURL *c = curl_easy_init();

	if (!c)
		return NULL;
	curl_easy_setopt(c, CURLOPT_PRIVATE, one);
	curl_easy_setopt(c, CURLOPT_URL, one->hook->url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, p->headers);
	curl_easy_setopt(c, CURLOPT_POSTFIELDS, (const char *)one->json);
	curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)strlen(one->json));
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, one->hook->timeout_ms);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, refuse);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, one);
	return c;
}

static void put_back(struct post *one)
{
	TAILQ_INSERT_TAIL(&one->hook->waiting, one, link);
	one->hook->n_waiting++;
}

static void begin(struct poster *p, struct post *one)
{
	TAILQ_REMOVE(&one->hook->waiting, one, link);
	one->hook->n_waiting--;
	one->seen = 0;
	one->tries++;
	one->easy = request_of(p, one);
	if (one->easy && curl_multi_add_handle(p->multi, one->easy) == CURLM_OK) {
		one->hook->running++;
		return;
	}
	curl_easy_cleanup(one->easy);
	report(p, one->hook, one->tries, "no memory");
	free(one);
}

/* What the end of a request means: 0 delivered, 1 worth another try, 2 not. */
static int judge(const struct post *one, CURLcode code, char *why, size_t size)
{
	long status = 0;

	curl_easy_getinfo(one->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status / 100 == 2 && (code == CURLE_OK || code == CURLE_WRITE_ERROR))
		return 0;
	if (code == CURLE_OK || code == CURLE_WRITE_ERROR) {
		snprintf(why, size, "HTTP status %ld", status);
		return status / 100 == 5 || status == 429 || status == 408 ? 1 : 2;
	}
	snprintf(why, size, "%s", curl_easy_strerror(code));
	return 1;
}

static void finish(struct poster *p, struct post *one, CURLcode code)
{
	char why[sizeof(((struct notify_post_report *)0)->why)] = "";
	const int verdict = judge(one, code, why, sizeof(why));

	curl_multi_remove_handle(p->multi, one->easy);
	curl_easy_cleanup(one->easy);
	one->easy = NULL;
	one->hook->running--;
	if (verdict == 1 && one->tries < NOTIFY_POST_TRIES) {
		one->due = mono_add_us(mono_now(), (int64_t)RETRY_MS * 1000 << (one->tries - 1));
		put_back(one);
		return;
	}
	if (verdict)
		report(p, one->hook, one->tries, why);
	free(one);
}

static void finish_ended(struct poster *p)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(p->multi, &left))) {
		char *one = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &one);
		finish(p, (struct post *)one, m->data.result);
	}
}

/* ---- what waits ---------------------------------------------------------------------------------*/

/* Begins what is due. Returns for how many milliseconds nothing else is. */
static int64_t begin_due(struct poster *p, struct hook *h, mono_t now)
{
	struct post *one = TAILQ_FIRST(&h->waiting), *next;
	int64_t least = WAIT_MS;

	for (; one && h->running < NOTIFY_POST_PARALLEL; one = next) {
		const int64_t left_ms = (mono_diff_us(now, one->due) + 999) / 1000;

		next = TAILQ_NEXT(one, link);
		if (left_ms <= 0)
			begin(p, one);
		else if (left_ms < least)
			least = left_ms;
	}
	return least;
}

static void take_event(struct poster *p, struct hook *h, const char *json, size_t len)
{
	struct post *one = h->n_waiting < NOTIFY_POST_QUEUE ? malloc(sizeof(*one) + len + 1) : NULL;

	if (!one) {
		report(p, h, 0, "it is too slow for so many events");
		return;
	}
	*one = (struct post){.hook = h, .due = mono_now()};
	memcpy(one->json, json, len);
	one->json[len] = '\0';
	put_back(one);
}

static bool take_hook(struct poster *p, const struct notify_post_message *m, size_t len)
{
	struct hook *h = &p->hooks[p->n_hooks];

	if (p->n_hooks == NOTIFY_POST_HOOKS)
		return false;
	TAILQ_INIT(&h->waiting);
	h->timeout_ms = m->timeout_ms;
	h->url = strndup(m->text, len);
	p->n_hooks += h->url != NULL;
	return h->url;
}

/* All that has come. False at the daemon's end, or for what it does not say. */
static bool listen_to_daemon(struct poster *p)
{
	static struct notify_post_message m;
	ssize_t n;

	while ((n = recv(NOTIFY_POST_FD, &m, sizeof(m), MSG_DONTWAIT)) > 0) {
		const size_t len = (size_t)n - NOTIFY_POST_HEADER;

		if ((size_t)n <= NOTIFY_POST_HEADER)
			return false;
		if (m.type == NOTIFY_POST_HOOK && !take_hook(p, &m, len))
			return false;
		for (uint32_t i = 0; m.type == NOTIFY_POST_EVENT && i < p->n_hooks; i++)
			take_event(p, &p->hooks[i], m.text, len);
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void serve(struct poster *p)
{
	struct curl_waitfd daemon = {.fd = NOTIFY_POST_FD, .events = CURL_WAIT_POLLIN};
	int running;

	while (listen_to_daemon(p)) {
		int64_t wait_ms = WAIT_MS;

		for (uint32_t i = 0; i < p->n_hooks; i++) {
			int64_t left_ms = begin_due(p, &p->hooks[i], mono_now());

			wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
		}
		curl_multi_perform(p->multi, &running);
		finish_ended(p);
		curl_multi_poll(p->multi, &daemon, 1, (int)wait_ms, NULL);
	}
}

int notify_post_main(void)
{
	static const struct rlimit none = {0, 0};
	static struct poster p;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &none);
	signal(SIGPIPE, SIG_IGN);
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return 1;
	p.multi = curl_multi_init();
	p.headers = curl_slist_append(NULL, "Content-Type: application/json");
	if (!p.multi || !p.headers)
		return 1;
	/* Between events no connection needs to stay. */
	curl_multi_setopt(p.multi, CURLMOPT_MAXCONNECTS, (long)NOTIFY_POST_HOOKS);
	serve(&p);
	_exit(0); /* at the daemon's end: what runs is given up */
}
