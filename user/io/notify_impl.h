/* SPDX-License-Identifier: BSD-2-Clause */
/* What programs and webhooks have in common, and what the process that posts and the daemon say to each
 * other, both the same executable. Private to user/io/notify*.c. */
#ifndef SHUNT_NOTIFY_IMPL_H
#define SHUNT_NOTIFY_IMPL_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/child.h"
#include "base/identity.h"
#include "base/mono.h"

/* In a child: signals as programs expect them. */
void notify_signals(void);

/* How many events a minute. {0} in the beginning. */
struct notify_rate {
	mono_t minute; /* when it began */
	uint32_t in_minute;
};
bool notify_rate_allows(struct notify_rate *r, uint32_t a_minute);

#define NOTIFY_NOT_RUN 127 /* the exit status of what could not be run */
#define NOTIFY_TIMED_OUT SIGALRM /* ends what has run too long */

/* ---- the process that posts --------------------------------------------------------------------- */

#define NOTIFY_POST_FD CHILD_FD /* its end of the pair */
#define NOTIFY_POST_MAX 16384 /* bytes of a message */

enum notify_post_type { NOTIFY_POST_HOOK = 1, NOTIFY_POST_EVENT };

/* Daemon to child; hooks come first. */
struct notify_post_message {
	uint32_t type; /* enum notify_post_type */
	uint32_t timeout_ms; /* of a hook */
	char text[NOTIFY_POST_MAX]; /* its URL, or an event as JSON; to the end of the message */
};
#define NOTIFY_POST_HEADER offsetof(struct notify_post_message, text)

/* Child to daemon: an event that was not delivered. */
struct notify_post_report {
	uint32_t hook; /* by order, from 0 */
	uint32_t tries; /* 0: there was no room for it */
	char why[112]; /* in words */
};

#endif
