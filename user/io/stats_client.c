/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/stats_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "base/identity.h"
#include "base/mono.h"
#include "base/own.h"
#include "io/stats_sock.h"
#include "pure/msg.h"

#define ANSWER_WITHIN_MS 1000
#define TRIES 5 /* of one request */
#define RESTARTS 8 /* of one dump */
#define REQUEST_MAX 5120

struct stats_client {
	int fd;
	uint32_t seq;
	struct msg_port daemon;
	uint32_t daemon_uid; /* whose answers are taken */
	char instance[64];
	char path[MSG_PATH_MAX];
	char answer[SHUNT_MSG_PAGE_MAX] __attribute__((aligned(8)));
};

/* A dump as it grows. */
struct dump {
	enum shunt_msg_command get, record;
	size_t row_size;
	char *rows;
	size_t n, room;
	const char *backend; /* NULL: all */
};

/* ---- finding the daemon -----------------------------------------------------------------------*/

static int read_port(struct stats_client *c, struct client_error *e)
{
	auto_close int fd = open(c->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	char text[4 * MSG_PORT_TEXT_MAX];
	struct stat st;
	ssize_t n;

	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return client_not_allowed(e, c->path);
	if (fd < 0)
		return client_no_daemon(e, c->instance, c->path, strerror(errno));
	n = read(fd, text, sizeof(text));
	if (n < 0 || fstat(fd, &st) < 0)
		return client_no_daemon(e, c->instance, c->path, strerror(errno));
	if (msg_port_parse(text, (size_t)n, &c->daemon) < 0)
		return client_no_daemon(e, c->instance, c->path, "not a file of shuntd's");
	if (!identity_is_daemon(st.st_uid))
		return client_fail(e, -EPERM,
				   "%s belongs to uid %u, which is neither root, " IDENTITY_DAEMON
				   " nor you",
				   c->path, st.st_uid);
	c->daemon_uid = st.st_uid;
	return 0;
}

static int check_daemon(const struct stats_client *c, struct client_error *e)
{
	uint64_t ours = stats_sock_netns();

	if (c->daemon.version != SHUNT_MSG_VERSION)
		return client_other_version(e, c->daemon.version, c->daemon.release);
	if (ours && c->daemon.netns && ours != c->daemon.netns)
		return client_fail(e, -EXDEV,
				   "shuntd of instance \"%s\" (process %u) runs in another network "
				   "namespace, which stats cannot cross; run shunt there:\n"
				   "nsenter --net=/proc/%u/ns/net shunt ...",
				   c->instance, c->daemon.pid, c->daemon.pid);
	return 0;
}

static int open_socket(struct stats_client *c, struct client_error *e)
{
	struct timeval wait = {.tv_sec = ANSWER_WITHIN_MS / 1000};
	int roomy = 4 * SHUNT_MSG_PAGE_MAX;
	uint32_t port;
	int err = stats_sock_open(&c->fd, &port);

	if (err < 0)
		return client_fail(e, err, "cannot open a netlink socket: %s", strerror(-err));
	/* Best effort both: the defaults work too. */
	(void)setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	(void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &roomy, sizeof(roomy));
	return 0;
}

int stats_client_open(const char *run_dir, const char *instance, struct stats_client **out,
		      struct client_error *e)
{
	struct stats_client *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return client_fail(e, -ENOMEM, "out of memory");
	c->fd = -1;
	snprintf(c->instance, sizeof(c->instance), "%s", instance);
	err = msg_path(run_dir, instance, ".stats", c->path);
	if (err < 0)
		err = client_fail(e, err,
				  "\"%s\" is no name of an instance (no \"/\", no dot in front), "
				  "or --run-dir "
				  "is too long",
				  instance);
	if (err == 0)
		err = read_port(c, e);
	if (err == 0)
		err = check_daemon(c, e);
	if (err == 0)
		err = open_socket(c, e);
	if (err < 0) {
		stats_client_close(c);
		return err;
	}
	*out = c;
	return 0;
}

void stats_client_close(struct stats_client *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

/* ---- one request ------------------------------------------------------------------------------*/

/* Waits for the answer with our number from the daemon and nobody else. Returns its length or
 * -ETIMEDOUT. */
static ssize_t await(struct stats_client *c)
{
	mono_t until = mono_add_us(mono_now(), ANSWER_WITHIN_MS * 1000);
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	struct stats_sock_from from;
	const struct nlmsghdr *m;
	int64_t left_us;

	while ((left_us = mono_diff_us(mono_now(), until)) > 0) {
		ssize_t n = stats_sock_recv(c->fd, c->answer, sizeof(c->answer), &from);
		const void *data = c->answer;
		size_t len = n > 0 ? (size_t)n : 0;

		if (n == -EAGAIN)
			poll(&p, 1, (int)(left_us / 1000 + 1));
		if (n <= 0 || from.port != c->daemon.port || from.uid != c->daemon_uid)
			continue;
		m = msg_next(&data, &len);
		if (m && msg_seq(m) == c->seq)
			return n;
	}
	return -ETIMEDOUT;
}

/* Sends the request until it is answered. Returns the answer's length. */
static ssize_t ask(struct stats_client *c, enum shunt_msg_command command, const void *request,
		   struct client_error *e)
{
	char buf[REQUEST_MAX] __attribute__((aligned(8)));
	int try, err = 0;

	for (try = 0; try < TRIES; try++) {
		struct msg_out o = {.buf = buf, .size = sizeof(buf), .flags = 1, .seq = ++c->seq};
		ssize_t n;

		err = msg_put(&o, command, request);
		if (err < 0)
			return client_fail(e, err, "request too long");
		err = stats_sock_send(c->fd, c->daemon.port, o.buf, o.used, 0);
		if (err == -ECONNREFUSED)
			return client_no_daemon(e, c->instance, c->path, "it has ended");
		if (err < 0 && err != -EAGAIN)
			return client_fail(e, err, "cannot ask shuntd: %s", strerror(-err));
		n = err == 0 ? await(c) : -ETIMEDOUT;
		if (n >= 0)
			return n;
	}
	return client_fail(e, -ETIMEDOUT,
			   "shuntd of instance \"%s\" (process %u) has not answered for %d s; "
			   "is it busy or stopped?",
			   c->instance, c->daemon.pid, TRIES * ANSWER_WITHIN_MS / 1000);
}

static int error_answer(const struct stats_client *c, const struct nlmsghdr *m,
			const struct msg_get *get, struct client_error *e)
{
	struct msg_reply r;

	if (msg_version(m) != SHUNT_MSG_VERSION)
		return client_other_version(e, msg_version(m), c->daemon.release);
	if (msg_get_error(m, &r) < 0)
		return client_fail(e, -EBADMSG, "shuntd sent what shunt does not understand");
	switch (r.code) {
	case EPERM:
		return client_not_allowed(e, c->path);
	case EPROTONOSUPPORT:
		return client_other_version(e, r.version, r.release);
	case EOPNOTSUPP:
		return client_not_known(e, r.release);
	case ESTALE:
		return -ESTALE;
	case ESRCH:
		return client_no_backend(e, get->service, get->backend);
	case ENOENT:
		return client_fail(e, -ENOENT, "no service \"%s\"; %s", get->service, r.text);
	case ENODATA:
		return client_watches_no_more(e);
	case ENODEV:
	case EINVAL:
	case EAFNOSUPPORT:
		if (r.text[0])
			return client_fail(e, -EINVAL, "%s", r.text);
		/* fall through */
	default:
		return client_fail(e, -EBADMSG, "shuntd: %s",
				   r.text[0] ? r.text : strerror((int)r.code));
	}
}

int stats_client_page(struct stats_client *c, enum shunt_msg_command command, const void *request,
		      const struct stats_taker *taker, struct client_error *e)
{
	static const struct msg_get nothing;
	const bool is_get = command != SHUNT_MSG_GET_EXPLAIN;
	const void *data = c->answer;
	const struct nlmsghdr *m;
	struct msg_get page;
	ssize_t n = ask(c, command, request, e);
	size_t len = n > 0 ? (size_t)n : 0;
	int err = n < 0 ? (int)n : 0;

	while (err == 0 && (m = msg_next(&data, &len))) {
		if (msg_command(m) == SHUNT_MSG_ERROR)
			return error_answer(c, m, is_get ? request : &nothing, e);
		if (msg_command(m) == SHUNT_MSG_PAGE && msg_get_page(m, &page) == 0) {
			*taker->cursor = page.cursor;
			return 0;
		}
		err = taker->take(taker->arg, m);
	}
	return err == -EBADMSG || err == 0
		       ? client_fail(e, -EBADMSG, "shuntd sent what shunt does not understand")
		       : err;
}

/* ---- dumps ------------------------------------------------------------------------------------*/

static int add_row(struct dump *d, const struct nlmsghdr *m, struct client_error *e)
{
	union msg_row row = {0};

	if (msg_get(m, d->record, &row) < 0)
		return client_fail(e, -EBADMSG, "shuntd sent a row that shunt does not understand");
	if (d->n == d->room) {
		size_t room = d->room ? 2 * d->room : 64;
		char *rows = reallocarray(d->rows, room, d->row_size);

		if (!rows)
			return client_fail(e, -ENOMEM, "out of memory");
		d->rows = rows;
		d->room = room;
	}
	memcpy(d->rows + d->n++ * d->row_size, &row, d->row_size);
	return 0;
}

/* Takes the rows of one answer; @get becomes what to ask next, with cursor 0 after the last. */
static int take_page(struct stats_client *c, struct dump *d, size_t len, struct msg_get *get,
		     struct client_error *e)
{
	const void *data = c->answer;
	const struct nlmsghdr *m;
	struct msg_get page;
	int err = 0;

	while (err == 0 && (m = msg_next(&data, &len))) {
		enum shunt_msg_command command = msg_command(m);

		if (command == SHUNT_MSG_ERROR)
			return error_answer(c, m, get, e);
		if (command == d->record)
			err = add_row(d, m, e);
		if (command != SHUNT_MSG_PAGE)
			continue;
		if (msg_get_page(m, &page) < 0)
			break;
		get->cursor = page.cursor;
		get->generation = page.generation;
		return 0;
	}
	if (err < 0)
		return err;
	return client_fail(e, -EBADMSG, "shuntd sent a page without an end");
}

static int dump_once(struct stats_client *c, struct dump *d, const char *service,
		     struct client_error *e)
{
	struct msg_get get = {0};
	ssize_t n;
	int err;

	if (service && strlen(service) >= sizeof(get.service))
		return client_too_long(e, -ENOENT, "service", service);
	if (d->backend && strlen(d->backend) >= sizeof(get.backend))
		return client_too_long(e, -ESRCH, "backend", d->backend);
	snprintf(get.service, sizeof(get.service), "%s", service ? service : "");
	snprintf(get.backend, sizeof(get.backend), "%s", d->backend ? d->backend : "");
	d->n = 0;
	do {
		n = ask(c, d->get, &get, e);
		if (n < 0)
			return (int)n;
		err = take_page(c, d, (size_t)n, &get, e);
	} while (err == 0 && get.cursor);
	return err;
}

static int dump(struct stats_client *c, struct dump *d, const char *service, void *rows,
		struct client_error *e)
{
	int tries = 0, err;

	do {
		err = dump_once(c, d, service, e);
	} while (err == -ESTALE && ++tries < RESTARTS);
	if (err == -ESTALE)
		client_fail(e, err,
			    "shuntd's services changed %d times while they were listed; "
			    "try again",
			    RESTARTS);
	if (err < 0) {
		free(d->rows);
		return err;
	}
	memcpy(rows, &d->rows, sizeof(d->rows)); /* a pointer to rows of any type */
	return 0;
}

static struct dump dump_of(enum shunt_msg_command get, enum shunt_msg_command record, size_t size)
{
	return (struct dump){.get = get, .record = record, .row_size = size};
}

int stats_client_status(struct stats_client *c, struct view_status *out, struct client_error *e)
{
	struct dump d = dump_of(SHUNT_MSG_GET_STATUS, SHUNT_MSG_STATUS, sizeof(*out));
	auto_free struct view_status *rows = NULL;
	int err = dump(c, &d, NULL, &rows, e);

	if (err < 0)
		return err;
	if (d.n != 1)
		return client_fail(e, -EBADMSG, "shuntd sent %zu states", d.n);
	*out = *rows;
	return 0;
}

int stats_client_interfaces(struct stats_client *c, struct view_interface **rows, size_t *n,
			    struct client_error *e)
{
	struct dump d = dump_of(SHUNT_MSG_GET_INTERFACES, SHUNT_MSG_INTERFACE, sizeof(**rows));
	int err = dump(c, &d, NULL, rows, e);

	if (err == 0)
		*n = d.n;
	return err;
}

int stats_client_services(struct stats_client *c, const char *service, struct view_service **rows,
			  size_t *n, struct client_error *e)
{
	struct dump d = dump_of(SHUNT_MSG_GET_SERVICES, SHUNT_MSG_SERVICE, sizeof(**rows));
	int err = dump(c, &d, service, rows, e);

	if (err == 0)
		*n = d.n;
	return err;
}

int stats_client_backends(struct stats_client *c, const char *service, struct view_backend **rows,
			  size_t *n, struct client_error *e)
{
	struct dump d = dump_of(SHUNT_MSG_GET_BACKENDS, SHUNT_MSG_BACKEND, sizeof(**rows));
	int err = dump(c, &d, service, rows, e);

	if (err == 0)
		*n = d.n;
	return err;
}

int stats_client_fingerprints(struct stats_client *c, const char *service,
			      struct view_fingerprint **rows, size_t *n, struct client_error *e)
{
	struct dump d = dump_of(SHUNT_MSG_GET_FINGERPRINTS, SHUNT_MSG_FINGERPRINT, sizeof(**rows));
	int err = dump(c, &d, service, rows, e);

	if (err == 0)
		*n = d.n;
	return err;
}

int stats_client_history(struct stats_client *c, const char *const names[static 2],
			 struct history_event **rows, size_t *n, struct client_error *e)
{
	struct dump d = {
		SHUNT_MSG_GET_HISTORY, SHUNT_MSG_HISTORY, sizeof(**rows), NULL, 0, 0, names[1]};
	int err = dump(c, &d, names[0], rows, e);

	if (err == 0)
		*n = d.n;
	return err;
}

int stats_client_plan(struct stats_client *c, struct view_plan **rows, size_t *n,
		      struct client_error *e)
{
	struct dump d = dump_of(SHUNT_MSG_GET_PLAN, SHUNT_MSG_PLAN, sizeof(**rows));
	int err = dump(c, &d, NULL, rows, e);

	if (err == 0)
		*n = d.n;
	return err;
}

int stats_client_listen(struct stats_client *c, struct client_error *e)
{
	int err = stats_sock_join(c->fd, SHUNT_MSG_GROUP);

	if (err == -EPERM)
		return client_fail(e, err, "only root may listen to events (CAP_NET_ADMIN)");
	return err < 0 ? client_fail(e, err, "cannot listen to events: %s", strerror(-err)) : 0;
}

/* Of this daemon and instance? Fills @out. */
static bool is_event(const struct stats_client *c, const struct stats_sock_from *from, size_t len,
		     struct msg_event *out)
{
	const void *data = c->answer;
	const struct nlmsghdr *m = msg_next(&data, &len);

	if (!m || from->port != c->daemon.port || from->uid != c->daemon_uid)
		return false;
	if (msg_command(m) != SHUNT_MSG_EVENT && msg_command(m) != SHUNT_MSG_HEARTBEAT)
		return false;
	return msg_get(m, msg_command(m), out) == 0 && strcmp(out->instance, c->instance) == 0;
}

int stats_client_next(struct stats_client *c, struct msg_event *out, struct client_error *e)
{
	const int64_t patience_us = 3 * SHUNT_MSG_HEARTBEAT_MS * 1000ll;
	mono_t until = mono_add_us(mono_now(), patience_us);
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	struct stats_sock_from from;
	int64_t left_us;

	while ((left_us = mono_diff_us(mono_now(), until)) > 0) {
		ssize_t n = stats_sock_recv(c->fd, c->answer, sizeof(c->answer), &from);

		if (n == -EAGAIN)
			poll(&p, 1, (int)(left_us / 1000 + 1));
		if (n == -ENOBUFS)
			return STATS_LOST;
		if (n > 0 && is_event(c, &from, (size_t)n, out))
			return out->kind || out->text[0] ? STATS_EVENT : STATS_HEARTBEAT;
	}
	return client_fail(e, -ECONNREFUSED,
			   "shuntd of instance \"%s\" has not been heard of for %lld s",
			   c->instance, (long long)patience_us / 1000000);
}

int stats_client_verdicts(struct stats_client *c, struct view_verdict **rows, size_t *n,
			  struct client_error *e)
{
	struct dump d = dump_of(SHUNT_MSG_GET_VERDICTS, SHUNT_MSG_VERDICT, sizeof(**rows));
	int err = dump(c, &d, NULL, rows, e);

	if (err == 0)
		*n = d.n;
	return err;
}
