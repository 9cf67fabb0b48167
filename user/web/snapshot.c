/* SPDX-License-Identifier: BSD-2-Clause */
/* Fetches snapshots page by page: one request is under way at a time, so that the daemon has its loop for
 * itself between two pages. */
#include "web/snapshot.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "io/web.h"
#include "pure/msg.h"

#define ANSWER_WITHIN_S 1
#define TRIES 3 /* of one request */
#define RESTARTS 8 /* of one snapshot */
#define MESSAGES_A_TURN 64

/* What a snapshot is made of, in this order: rows that name others come after them. */
static const struct part {
	enum shunt_msg_command get, record;
	size_t row_size, rows, n; /* where the snapshot has them */
} parts[] = {
#define PART(get_, record_, rows_)                                                                 \
	{                                                                                          \
		SHUNT_MSG_GET_##get_, SHUNT_MSG_##record_, sizeof(*((struct snapshot *)0)->rows_), \
			offsetof(struct snapshot, rows_), offsetof(struct snapshot, n_##rows_)     \
	}
	PART(INTERFACES, INTERFACE, interfaces), PART(SERVICES, SERVICE, services),
	PART(BACKENDS, BACKEND, backends),	 PART(VERDICTS, VERDICT, verdicts),
	PART(FIGURES, FIGURE, figures),
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

struct fetcher {
	int fd;
	struct fetcher_calls calls;
	struct event *readable, *late, *beat;
	struct snapshot *latest, *next; /* next: NULL when none is under way */
	size_t part; /* of `next`; PARTS: its status, which comes last */
	size_t room; /* rows that the part's array has room for */
	struct msg_get get;
	uint32_t seq;
	int tries, restarts;
	mono_t began;
	char answer[SHUNT_MSG_PAGE_MAX] __attribute__((aligned(8)));
};

/* ---- snapshots -----------------------------------------------------------------------------------*/

static void snapshot_free(struct snapshot *s)
{
	if (!s)
		return;
	free(s->interfaces);
	free(s->services);
	free(s->backends);
	free(s->verdicts);
	free(s->figures);
	free(s->first);
	free(s);
}

uint64_t snapshot_figure(const struct snapshot *s, const char *name)
{
	for (size_t i = 0; i < s->n_figures; i++)
		if (strcmp(s->figures[i].name, name) == 0)
			return s->figures[i].value;
	return 0;
}

int64_t snapshot_service(const struct snapshot *s, const char *name)
{
	for (size_t i = 0; i < s->n_services; i++)
		if (strcmp(s->services[i].name, name) == 0)
			return (int64_t)i;
	return -1;
}

/* Backends come as the services do; those of a service that has come meanwhile are left out. */
static int find_first(struct snapshot *s)
{
	size_t at = 0, i;

	s->first = calloc(s->n_services + 1, sizeof(*s->first));
	if (!s->first)
		return -ENOMEM;
	for (i = 0; i < s->n_services; i++) {
		s->first[i] = at;
		while (at < s->n_backends &&
		       strcmp(s->backends[at].service, s->services[i].name) == 0)
			at++;
	}
	s->first[i] = s->n_backends = at;
	return 0;
}

/* ---- asking --------------------------------------------------------------------------------------*/

static void end(struct fetcher *f, int err)
{
	struct timespec t;

	event_del(f->late);
	if (err == 0)
		err = find_first(f->next);
	if (err == 0) {
		clock_gettime(CLOCK_REALTIME, &t);
		f->next->time_ms = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
		f->next->taken = mono_now();
		f->next->took_us = mono_diff_us(f->began, f->next->taken);
		snapshot_free(f->latest);
		f->latest = f->next;
	} else {
		snapshot_free(f->next);
	}
	f->next = NULL;
	f->calls.done(f->calls.arg, err);
}

static void send_request(struct fetcher *f)
{
	const struct timeval within = {.tv_sec = ANSWER_WITHIN_S};
	char buf[512] __attribute__((aligned(8)));
	struct msg_out o = {.buf = buf, .size = sizeof(buf), .flags = 1, .seq = ++f->seq};
	enum shunt_msg_command get = f->part < PARTS ? parts[f->part].get : SHUNT_MSG_GET_STATUS;

	/* What cannot be sent now is late, and sent again then. */
	if (msg_put_get(&o, get, &f->get) == 0)
		(void)send(f->fd, o.buf, o.used, MSG_DONTWAIT | MSG_NOSIGNAL);
	event_add(f->late, &within);
}

static void ask_part(struct fetcher *f)
{
	f->get = (struct msg_get){0};
	f->room = 0;
	f->tries = 0;
	send_request(f);
}

static void begin(struct fetcher *f)
{
	snapshot_free(f->next);
	f->next = calloc(1, sizeof(*f->next));
	f->part = 0;
	if (f->next)
		ask_part(f);
	else
		end(f, -ENOMEM);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	struct fetcher *f = arg;

	(void)fd, (void)what;
	if (!f->next)
		return;
	if (++f->tries < TRIES)
		send_request(f);
	else
		end(f, -ETIMEDOUT);
}

/* ---- answers -------------------------------------------------------------------------------------*/

static int add_row(struct fetcher *f, const struct nlmsghdr *m)
{
	const struct part *p = &parts[f->part];
	char **rows = (char **)((char *)f->next + p->rows);
	size_t *n = (size_t *)((char *)f->next + p->n);
	union msg_row row = {0};

	if (msg_get(m, p->record, &row) < 0)
		return -EBADMSG;
	if (*n == f->room) {
		size_t room = f->room ? 2 * f->room : 64;
		char *grown = reallocarray(*rows, room, p->row_size);

		if (!grown)
			return -ENOMEM;
		*rows = grown;
		f->room = room;
	}
	memcpy(*rows + (*n)++ * p->row_size, &row, p->row_size);
	return 0;
}

static int take_record(struct fetcher *f, const struct nlmsghdr *m)
{
	if (f->part == PARTS)
		return msg_command(m) == SHUNT_MSG_STATUS ? msg_get_status(m, &f->next->status) : 0;
	return msg_command(m) == parts[f->part].record ? add_row(f, m) : 0;
}

/* The error that the daemon answered with. */
static int error_of(const struct nlmsghdr *m)
{
	struct msg_reply r;

	return msg_get_error(m, &r) < 0 ? -EBADMSG : -(int)r.code;
}

/* Takes the rows of one answer; f->get becomes what to ask next, with cursor 0 after the last. */
static int take_page(struct fetcher *f, size_t len)
{
	const void *data = f->answer;
	const struct nlmsghdr *m;
	int err = 0;

	while (err == 0 && (m = msg_next(&data, &len))) {
		if (msg_command(m) == SHUNT_MSG_ERROR)
			return error_of(m);
		if (msg_command(m) == SHUNT_MSG_PAGE)
			return msg_get_page(m, &f->get);
		err = take_record(f, m);
	}
	return err < 0 ? err : -EBADMSG;
}

static void on_page(struct fetcher *f, size_t len)
{
	int err = take_page(f, len);

	f->tries = 0;
	if (err == -ESTALE && ++f->restarts < RESTARTS)
		begin(f);
	else if (err < 0)
		end(f, err);
	else if (f->get.cursor)
		send_request(f);
	else if (++f->part <= PARTS)
		ask_part(f);
	else
		end(f, 0);
}

static void on_message(struct fetcher *f, size_t n)
{
	const void *data = f->answer;
	const struct nlmsghdr *m = msg_next(&data, &(size_t){n});
	struct msg_event e = {0};

	if (!m)
		return;
	if (msg_command(m) == SHUNT_MSG_EVENT) {
		if (msg_get_event(m, &e) == 0)
			f->calls.event(f->calls.arg, &e);
	} else if (f->next && msg_seq(m) == f->seq) {
		on_page(f, n);
	} else {
		f->calls.other(f->calls.arg, msg_seq(m), f->answer, n);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct fetcher *f = arg;

	(void)what;
	for (int i = 0; i < MESSAGES_A_TURN; i++) {
		ssize_t n = recv(fd, f->answer, sizeof(f->answer), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			f->calls.lost(f->calls.arg);
			return;
		}
		on_message(f, (size_t)n);
	}
}

static void on_beat(evutil_socket_t fd, short what, void *arg)
{
	const struct msg_event alive = {0};
	char buf[256] __attribute__((aligned(8)));
	struct msg_out o = {.buf = buf, .size = sizeof(buf)};
	struct fetcher *f = arg;

	(void)fd, (void)what;
	if (msg_put(&o, SHUNT_MSG_HEARTBEAT, &alive) == 0)
		(void)send(f->fd, o.buf, o.used, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* ---- the fetcher ---------------------------------------------------------------------------------*/

struct fetcher *fetcher_new(struct event_base *base, int fd, const struct fetcher_calls *calls)
{
	const struct timeval every = {WEB_BEAT_MS / 1000, WEB_BEAT_MS % 1000 * 1000};
	struct fetcher *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->fd = fd;
	f->calls = *calls;
	f->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, f);
	f->late = evtimer_new(base, on_late, f);
	f->beat = event_new(base, -1, EV_PERSIST, on_beat, f);
	if (!f->readable || !f->late || !f->beat || event_add(f->readable, NULL) < 0 ||
	    event_add(f->beat, &every) < 0) {
		fetcher_free(f);
		return NULL;
	}
	return f;
}

void fetcher_free(struct fetcher *f)
{
	struct event *events[] = {f->readable, f->late, f->beat};

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i])
			event_free(events[i]);
	snapshot_free(f->latest);
	snapshot_free(f->next);
	free(f);
}

const struct snapshot *fetcher_latest(const struct fetcher *f)
{
	return f->latest;
}

void fetcher_want(struct fetcher *f)
{
	if (f->next)
		return;
	f->restarts = 0;
	f->began = mono_now();
	begin(f);
}
