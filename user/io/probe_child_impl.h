/* SPDX-License-Identifier: BSD-2-Clause */
/* The probe child and its checks, as the files of it share them. */
#ifndef SHUNT_PROBE_CHILD_IMPL_H
#define SHUNT_PROBE_CHILD_IMPL_H

#include <event2/event.h>
#include <sys/queue.h>
#include <event2/event_struct.h>

#include "base/mono.h"
#include "io/probe_kind.h"
#include "io/probe_msg.h"
#include "io/probe_tcp.h"

enum check_state { CHECK_IDLE, CHECK_WAITING, CHECK_RUNNING };

struct child;

struct check {
	struct child *child;
	uint64_t id;
	const struct probe_kind *kind;
	uint32_t interval_ms; /* from probe to probe, as the daemon last said */
	enum check_state state;
	bool unsent;
	mono_t due; /* when the next probe is to start */
	mono_t started; /* the latest probe */
	mono_t deadline; /* of the probe that runs */
	bool extended; /* its deadline, once, since this process had no CPU when it came */
	struct event timer;
	struct probe_tcp tcp; /* while connecting */
	void *run; /* of its kind: after that, or from the start; NULL: none */
	struct check_result *result; /* while unsent */
	TAILQ_ENTRY(check) waiting_link;
	TAILQ_ENTRY(check) unsent_link;
	struct probe_question question; /* as many bytes as it uses: no more are allocated */
};

TAILQ_HEAD(check_list, check);

/* The checks of one weight. */
struct check_queue {
	struct check_list waiting;
	size_t running, running_max;
};

#define LATE_BUCKETS 256 /* of a millisecond; the last is for all above */

/* How late probes started, since the last heartbeat. */
struct lateness {
	uint32_t starts[LATE_BUCKETS];
	uint32_t n, late, max_us; /* late: by more than PROBE_LATE_MS */
};

struct child {
	struct probe_shared shared;
	struct check **checks; /* by slot */
	size_t n_slots;
	struct check_queue queues[PROBE_WEIGHTS];
	struct check_list unsent;
	size_t running, running_max; /* of all weights */
	struct lateness late;
	uint32_t beat;
	struct event commands, writable, more, heartbeat;
	enum probe_exit status;
};

/* Ends the loop; @status is the exit status. */
void probe_child_stop(struct child *c, enum probe_exit status);

/* ---- probe_check.c ------------------------------------------------------------------------------ */

/* Returns NULL without memory. Its first probe is within a tenth of the interval. */
struct check *probe_check_new(struct child *c, const struct probe_command *m);
void probe_check_free(struct check *k);

/* Another interval, from the start of the latest probe on; what waits or is under way comes first. */
void probe_check_pace(struct check *k, uint32_t interval_ms);

/* Has what is due started from the loop; to be called when something has made room. */
void probe_check_start_waiting(struct child *c);

/* For event_assign(): starts one, and sends what the daemon had no room for. @arg: the child. */
void probe_check_on_more(evutil_socket_t fd, short what, void *arg);
void probe_check_on_writable(evutil_socket_t fd, short what, void *arg);

/* Tells the daemon that the child lives, and how it does. @arg: the child. */
void probe_check_on_heartbeat(evutil_socket_t fd, short what, void *arg);

#endif
