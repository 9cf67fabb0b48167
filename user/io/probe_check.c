/* SPDX-License-Identifier: BSD-2-Clause */
/* One check in the child: when it probes, and what it reports.
 *
 * A check is idle (its timer: the next probe), waiting (due, but not started: too many probes are
 * under way, or the daemon does not read) or running (its timer: the probe's timeout). While there
 * is a report that the daemon has not taken no probe starts, so at most one report a check is
 * kept and none is lost. */
#include "io/probe_child_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "io/probe_exec.h"

/* ---- reports ------------------------------------------------------------------------------------ */

/* Returns false when the daemon has no room now. */
static bool send_message(struct child *c, const struct probe_report *m)
{
	if (send(PROBE_FD, m, sizeof(*m), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return true;
	if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ENOMEM)
		return false;
	probe_child_stop(c, PROBE_EXIT_CLOSED);
	return true;
}

static bool report_send(struct child *c, const struct check *k, const struct check_result *r)
{
	struct probe_report m;

	memset(&m, 0, sizeof(m));
	m.type = PROBE_MSG_REPORT;
	m.id = k->id;
	m.result = *r;
	return send_message(c, &m);
}

static void report(struct check *k, const struct check_result *r)
{
	struct child *c = k->child;

	if (TAILQ_EMPTY(&c->unsent)) {
		if (report_send(c, k, r))
			return;
		event_add(&c->writable, NULL);
	}
	k->result = malloc(sizeof(*r));
	if (!k->result)
		return; /* as if it had not been probed; the next will be reported */
	*k->result = *r;
	k->unsent = true;
	TAILQ_INSERT_TAIL(&c->unsent, k, unsent_link);
}

static void report_drop(struct check *k)
{
	if (!k->unsent)
		return;
	TAILQ_REMOVE(&k->child->unsent, k, unsent_link);
	free(k->result);
	k->unsent = false;
}

void probe_check_on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;
	struct check *k;

	(void)fd;
	(void)what;
	while ((k = TAILQ_FIRST(&c->unsent))) {
		if (!report_send(c, k, k->result))
			return;
		report_drop(k);
	}
	event_del(&c->writable);
	probe_check_start_waiting(c);
}

/* ---- how late ----------------------------------------------------------------------------------- */

static void late_note(struct lateness *l, int64_t late_us)
{
	uint32_t us = late_us < 0 ? 0 : late_us > UINT32_MAX ? UINT32_MAX : (uint32_t)late_us;
	uint32_t bucket = us / 1000;

	l->starts[bucket < LATE_BUCKETS ? bucket : LATE_BUCKETS - 1]++;
	l->n++;
	l->late += us > PROBE_LATE_MS * 1000;
	l->max_us = us > l->max_us ? us : l->max_us;
}

/* An upper bound, to a millisecond, of what 99 of 100 are below. */
static uint32_t late_p99_us(const struct lateness *l)
{
	uint32_t rest = l->n - l->n / 100, bucket = 0;

	if (l->n == 0)
		return 0;
	while (bucket < LATE_BUCKETS - 1 && l->starts[bucket] < rest)
		rest -= l->starts[bucket++];
	return bucket == LATE_BUCKETS - 1 ? l->max_us : (bucket + 1) * 1000;
}

static uint32_t count_waiting(const struct child *c)
{
	const struct check *k;
	uint32_t n = 0;

	for (int w = 0; w < PROBE_WEIGHTS; w++)
		TAILQ_FOREACH(k, &c->queues[w].waiting, waiting_link)
	n++;
	return n;
}

void probe_check_on_heartbeat(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;
	struct probe_report m;

	(void)fd;
	(void)what;
	memset(&m, 0, sizeof(m));
	m.type = PROBE_MSG_ALIVE;
	m.vitals = (struct probe_vitals){
		.beat = ++c->beat,
		.started = c->late.n,
		.late = c->late.late,
		.late_p99_us = late_p99_us(&c->late),
		.late_max_us = c->late.max_us,
		.running = (uint32_t)c->running,
		.waiting = count_waiting(c),
	};
	if (send_message(c, &m))
		memset(&c->late, 0, sizeof(c->late));
	probe_programs_sweep(c->shared.programs);
}

/* ---- one check ---------------------------------------------------------------------------------- */

static void timer_set(struct check *k, int64_t after_us)
{
	struct timeval after;

	if (after_us < 0)
		after_us = 0;
	after = (struct timeval){after_us / 1000000, after_us % 1000000};
	event_add(&k->timer, &after);
}

static void deadline_set(struct check *k, mono_t now, int64_t after_us)
{
	k->deadline = mono_add_us(now, after_us);
	timer_set(k, after_us);
}

static void next_set(struct check *k, mono_t now, int64_t after_us)
{
	k->due = mono_add_us(now, after_us > 0 ? after_us : 0);
	timer_set(k, after_us);
}

static int64_t random_below(int64_t n)
{
	return n > 0 ? random() % n : 0;
}

/* The interval, less up to the jitter: never late, so that it is known when a dead backend is out. */
static int64_t next_us(const struct check *k)
{
	int64_t us = (int64_t)k->interval_ms * 1000;

	return us - random_below(us * k->question.jitter / 100 + 1);
}

static struct check_queue *queue_of(const struct check *k)
{
	return &k->child->queues[k->kind->weight];
}

static void check_stop_probe(struct check *k)
{
	probe_tcp_stop(&k->tcp);
	if (k->run)
		k->kind->stop(k->run);
	k->run = NULL;
}

static void check_end(struct check *k, struct check_result r)
{
	mono_t now = mono_now();
	int64_t took_us = mono_diff_us(k->started, now);

	check_stop_probe(k);
	k->child->running--;
	queue_of(k)->running--;
	k->state = CHECK_IDLE;
	next_set(k, now, next_us(k) - took_us);
	r.latency_us = took_us > UINT32_MAX ? UINT32_MAX : (uint32_t)took_us;
	probe_result_words(&r, &k->question);
	report(k, &r);
}

static void on_done(void *arg, const struct check_result *r)
{
	struct check *k = arg;

	check_end(k, *r);
	probe_check_start_waiting(k->child);
}

/* From the connection on, or from the start. */
static void check_run(struct check *k, int fd)
{
	struct probe_call call = {&k->child->shared, &k->question, on_done, k};
	struct check_result r;

	if (!k->kind->start(&call, fd, &k->run, &r))
		check_end(k, r);
}

static void on_tcp(void *arg, int error)
{
	struct check *k = arg;

	if (error == 0 && k->kind->start)
		check_run(k, probe_tcp_take(&k->tcp));
	else
		check_end(k, probe_tcp_result(error));
	probe_check_start_waiting(k->child);
}

static void check_start(struct check *k)
{
	int error;

	TAILQ_REMOVE(&queue_of(k)->waiting, k, waiting_link);
	k->state = CHECK_RUNNING;
	k->child->running++;
	queue_of(k)->running++;
	k->started = mono_now();
	late_note(&k->child->late, mono_diff_us(k->due, k->started));
	k->extended = false;
	deadline_set(k, k->started, (int64_t)k->question.timeout_ms * 1000);
	if (!k->kind->connects) {
		check_run(k, -1);
		return;
	}
	error = probe_tcp_start(&k->tcp, k->child->shared.base, &k->question);
	if (error)
		check_end(k, probe_tcp_result(error));
}

/* The first that may start now, or NULL: then whatever makes room calls start_waiting(). */
static struct check *startable(const struct child *c)
{
	if (c->running >= c->running_max || !TAILQ_EMPTY(&c->unsent))
		return NULL;
	for (int w = 0; w < PROBE_WEIGHTS; w++) {
		const struct check_queue *q = &c->queues[w];

		if (!TAILQ_EMPTY(&q->waiting) && q->running < q->running_max)
			return TAILQ_FIRST(&q->waiting);
	}
	return NULL;
}

/* One at a time: while one connects the next must not, or the latency of the first would be that of
 * the others' system calls. Measured with 10,000 checks every 2 s on the loopback: 15 us on average,
 * and 820 us when up to 64 start together. */
void probe_check_start_waiting(struct child *c)
{
	static const struct timeval now = {0, 0};

	if (startable(c) && !evtimer_pending(&c->more, NULL))
		event_add(&c->more, &now);
}

void probe_check_on_more(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;
	struct check *k = startable(c);

	(void)fd;
	(void)what;
	if (!k)
		return;
	check_start(k);
	probe_check_start_waiting(c);
}

static void check_due(struct check *k)
{
	k->state = CHECK_WAITING;
	TAILQ_INSERT_TAIL(&queue_of(k)->waiting, k, waiting_link);
	timer_set(k, (int64_t)k->interval_ms * 1000);
	probe_check_start_waiting(k->child);
}

/* A probe that found no room for a whole interval counts as one that could not be made. */
static void check_starved(struct check *k)
{
	struct check_result r = {.code = CHECK_NO_RESOURCES};

	timer_set(k, (int64_t)k->interval_ms * 1000);
	probe_result_words(&r, &k->question);
	if (TAILQ_EMPTY(&k->child->unsent))
		report(k, &r);
}

/* Who learns of a deadline long after it did not run when it came, on a host without a CPU to spare: what the
 * backend sent meanwhile is unread, and what follows it was never asked. That is not the backend's
 * fault, so the time lost is added, once and at most as much again. */
static bool check_extended(struct check *k)
{
	int64_t timeout_us = (int64_t)k->question.timeout_ms * 1000;
	mono_t now = mono_now();
	int64_t lost_us = mono_diff_us(k->deadline, now);

	if (k->extended || lost_us <= PROBE_LATE_MS * 1000)
		return false;
	k->extended = true;
	deadline_set(k, now, lost_us < timeout_us ? lost_us : timeout_us);
	return true;
}

static void check_timed_out(struct check *k)
{
	struct check_result r = {.code = CHECK_TIMEOUT,
				 .layer = k->run ? CHECK_LAYER_7 : CHECK_LAYER_4};

	if (k->run && k->kind->timed_out)
		k->kind->timed_out(k->run, &r);
	check_end(k, r);
	probe_check_start_waiting(k->child);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct check *k = arg;

	(void)fd;
	(void)what;
	if (k->state == CHECK_IDLE)
		check_due(k);
	else if (k->state == CHECK_WAITING)
		check_starved(k);
	else if (!check_extended(k))
		check_timed_out(k);
}

struct check *probe_check_new(struct child *c, const struct probe_command *m)
{
	size_t size = probe_question_size(&m->question);
	struct check *k = calloc(1, offsetof(struct check, question) + size);

	if (!k)
		return NULL;
	k->child = c;
	k->id = m->id;
	memcpy(&k->question, &m->question, size);
	k->kind = probe_kind_of(&m->question);
	k->interval_ms = m->interval_ms;
	k->tcp = (struct probe_tcp){.fd = -1, .done = on_tcp, .arg = k};
	event_assign(&k->timer, c->shared.base, -1, 0, on_timer, k);
	next_set(k, mono_now(), random_below((int64_t)m->interval_ms * 1000 / 10));
	return k;
}

void probe_check_pace(struct check *k, uint32_t interval_ms)
{
	mono_t now = mono_now();

	k->interval_ms = interval_ms;
	if (k->state == CHECK_IDLE && !mono_is_never(k->started))
		next_set(k, now, next_us(k) - mono_diff_us(k->started, now));
}

void probe_check_free(struct check *k)
{
	event_del(&k->timer);
	if (k->state == CHECK_WAITING)
		TAILQ_REMOVE(&queue_of(k)->waiting, k, waiting_link);
	if (k->state == CHECK_RUNNING) {
		k->child->running--;
		queue_of(k)->running--;
	}
	check_stop_probe(k);
	report_drop(k);
	free(k);
}
