/* SPDX-License-Identifier: BSD-2-Clause */
/* Probes. They read untrusted bytes, so they run in a child without capabilities, joined to the
 * daemon by a socketpair with fixed-size typed messages; every check has its own timer there, with
 * jitter. The daemon's side only adds, removes and listens. A child that dies is started again and
 * given all its checks. */
#ifndef SHUNT_PROBE_H
#define SHUNT_PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "pure/check.h"
#include "pure/conf.h"

struct event_base;
struct probe_pool;

#define PROBE_TEXTS_MAX 4096 /* what a check of any kind can say */

/* The question that a probe asks. Two backends with equal questions share one probe. Only the part
 * of @texts that is used is kept and sent, so that many questions are small. */
struct probe_question {
	struct addr addr;
	struct addr from; /* of a path probe: its source address, of the same family; else none */
	uint16_t port; /* host order; 0 where there is none: icmp, exec */
	enum conf_check_kind kind;
	uint32_t interval_ms, timeout_ms;
	uint8_t jitter; /* percent, up to 50, by which a probe may come before its time */
	struct conf_status_range status[CONF_STATUS_RANGES];
	uint8_t statuses;
	uint8_t tls, verify, record, transport; /* as in struct conf_check */
	uint16_t expiry_warn_days;
	uint16_t text_len[CONF_CHECK_TEXTS]; /* 0: none */
	char texts
		[PROBE_TEXTS_MAX]; /* by enum conf_check_text, those that are, a NUL behind each */
};

/* Sets or replaces a text by @len bytes. Returns 0, or -ENOSPC beyond PROBE_TEXTS_MAX. */
int probe_question_set(struct probe_question *q, enum conf_check_text which, const char *bytes,
		       size_t len) __attribute__((warn_unused_result));

/* The text, with a NUL behind it; "" where there is none. */
const char *probe_question_text(const struct probe_question *q, enum conf_check_text which);

/* Bytes of it that are used: the whole but the rest of @texts. */
size_t probe_question_size(const struct probe_question *q);

/* Called from the loop for every result of check @id; @id as given to probe_pool_add. */
typedef void probe_result_fn(void *arg, uint64_t id, const struct check_result *r);

/* Called when the child has ended, with why and when it is started again ("killed by signal 9
 * (Killed); started again"); for a log line. */
typedef void probe_restart_fn(void *arg, const char *why);

/* Starts the child as @user (must exist and not be root; when already unprivileged, as is). The
 * child is this executable run again as "shuntd --probe-child" with the socket as descriptor 3 and
 * nothing else open but standard error, and /dev/null below that. It dies with the thread that
 * opened the pool. As root the daemon needs CAP_SETUID and CAP_SETGID as long as it lives, since
 * every new child takes its user itself; CAP_KILL to end a child that does not end when its socket
 * closes, and CAP_SETPCAP to empty the child's bounding set, are better had.
 * A child that ends is started again at once, then after 1, 2, 4, ... 30 s.
 * Returns 0, -ENOENT or -EPERM for the user, or another -errno. */
int probe_pool_open(struct event_base *base, const char *user, probe_result_fn *result,
		    probe_restart_fn *restarted, void *arg, struct probe_pool **out)
	__attribute__((warn_unused_result));

/* Called when the child @pid of a pool of path probes is in its network namespace and waits for the way
 * out of it. 0, or -errno: then the child is ended, and started again later. */
typedef int probe_way_fn(void *arg, pid_t pid);

struct probe_calls {
	probe_result_fn *result;
	probe_restart_fn *restarted;
	probe_way_fn *way;
	void *arg;
};

/* The same for path probes: the child, "shuntd --probe-path", is in a network namespace of its own, whose
 * only way out the caller makes. It is told no question before that is done. */
int probe_pool_open_path(struct event_base *base, const char *user, const struct probe_calls *calls,
			 struct probe_pool **out) __attribute__((warn_unused_result));

/* Ends and reaps the child, forgets all checks. Not from within a callback; NULL is nothing. */
void probe_pool_close(struct probe_pool *p);

/* Starts a check; its first probe runs within a tenth of the interval. @id is the caller's, unique.
 * Checks with equal questions share one probe; one that joins others is told their latest result
 * from the loop, and its next at their next probe. @q is copied. Returns 0, -EEXIST when @id is in
 * use, -EINVAL for a question that cannot be asked (see probe_question_normalize() in probe_msg.h),
 * -ENOSPC beyond a million checks, or -ENOMEM. */
int probe_pool_add(struct probe_pool *p, uint64_t id, const struct probe_question *q)
	__attribute__((warn_unused_result));

/* From now on @interval_ms, not 0, from the start of a probe of check @id to that of the next, the one
 * that is awaited now included: in the past means at once. Of checks that share a probe the shortest
 * counts. Holds until it is said anew, also when the child ends. An unknown @id is nothing. */
void probe_pool_pace(struct probe_pool *p, uint64_t id, uint32_t interval_ms);

/* Ends a check: no result of it follows, also not of a probe under way. An unknown @id is nothing.
 * All three may be called from within the callbacks. */
void probe_pool_remove(struct probe_pool *p, uint64_t id);

#define PROBE_LATE_MS 50

/* How the child does; of the time since it last said so, half a second. */
struct probe_vitals {
	uint32_t beat; /* counts what it has said */
	uint32_t started; /* probes */
	uint32_t late; /* of these more than PROBE_LATE_MS after their time */
	uint32_t late_p99_us, late_max_us; /* how late after their time; p99 to a millisecond */
	uint32_t running, waiting; /* probes under way; due, but too many are under way */
};

/* What the child last said; all 0 before it has. */
struct probe_vitals probe_pool_vitals(const struct probe_pool *p);

/* The child's process id; 0 between its end and the next start. */
pid_t probe_pool_child(const struct probe_pool *p); /* for tests */

/* How a path probe's child comes into its namespace, both 0 or -errno. */
struct probe_space {
	int (*leave)(void); /* the host's */
	int (*settle)(void); /* once the daemon has been told; waits for it */
};

/* The child's main: never returns to anything but exit. Its value is the exit status. @space: of path
 * probes; else NULL. */
int probe_child_main(const struct probe_space *space);

#endif
