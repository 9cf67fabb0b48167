/* SPDX-License-Identifier: BSD-2-Clause */
/* Posts events to webhooks: by one process without privileges for all of them, which uses libcurl's multi
 * interface, so that one that hangs holds up neither the others nor anything else. Here the daemon's side,
 * which only writes to a socket and never waits. */
#ifndef SHUNT_NOTIFY_POST_H
#define SHUNT_NOTIFY_POST_H

#include <stdint.h>
#include <sys/types.h>

struct event_base;
struct notify_post;

#define NOTIFY_POST_HOOKS 4
#define NOTIFY_POST_QUEUE 1024 /* events that wait for a hook, and on their way there, at most */
#define NOTIFY_POST_TRIES 3
#define NOTIFY_POST_PARALLEL 8 /* requests to one hook at a time */

struct notify_post_setup {
	struct event_base *base;
	const char *const
		*urls; /* http or https, NULL behind the last of NOTIFY_POST_HOOKS; copied */
	const char *user; /* whom root's child becomes */
	uint32_t timeout_ms; /* of one request */
	uint32_t a_minute; /* events, at most */
	/* Something went wrong, in words, for a log line; of each hook not more often than every ten
	 * seconds, and of all of them together. */
	void (*complain)(void *arg, const char *words);
	void *arg;
};

/* Starts the process: this executable run again as "shuntd --post". One that ends is started again, but not
 * within ten seconds of its last start. Returns 0, -ENOENT when there is no such user, -EPERM when that is
 * root, or another -errno. */
int notify_post_open(const struct notify_post_setup *setup, struct notify_post **out)
	__attribute__((warn_unused_result));

/* Has @json posted to all of them, each NOTIFY_POST_TRIES times at most: again after one second and
 * two where there was no answer, or one that tells of a fault for now (408, 429, 5xx). */
void notify_post_send(struct notify_post *p, const char *json);

/* Ends the process, forgets what waits. NULL is nothing. */
void notify_post_close(struct notify_post *p);

/* The process's main; its value is the exit status. Follows no redirects and reads no reply beyond its
 * status, of which 2xx is good. */
int notify_post_main(void);

#endif
