/* SPDX-License-Identifier: BSD-2-Clause */
/* Asks a running daemon for what it knows, over NETLINK_USERSOCK as include/shunt_msg.h says. */
#ifndef SHUNT_STATS_CLIENT_H
#define SHUNT_STATS_CLIENT_H

#include <stddef.h>

#include "pure/client_error.h"
#include "pure/history.h"
#include "pure/view.h"

struct msg_event;
struct stats_client;

/* Finds the daemon of @instance by its file in @run_dir. Nothing is sent yet. Errors are -errno with
 * @e filled: -ECONNREFUSED no daemon, -EACCES, -EPROTONOSUPPORT, -EXDEV when it runs in another
 * network namespace, -EPERM when the file's owner is not believed (base/identity.h). */
int stats_client_open(const char *run_dir, const char *instance, struct stats_client **out,
		      struct client_error *e) __attribute__((warn_unused_result));
/* NULL is fine. */
void stats_client_close(struct stats_client *c);

int stats_client_status(struct stats_client *c, struct view_status *out, struct client_error *e)
	__attribute__((warn_unused_result));

/* One request, of the struct that belongs to @command, and one page of what comes. Each record goes to
 * take(), which returns 0, -EBADMSG when it does not understand it, or another error that ends it; *cursor
 * is where to go on, 0: that was all. */
struct nlmsghdr;
struct stats_taker {
	int (*take)(void *arg, const struct nlmsghdr *m);
	void *arg;
	uint64_t *cursor;
};
int stats_client_page(struct stats_client *c, enum shunt_msg_command command, const void *request,
		      const struct stats_taker *taker, struct client_error *e)
	__attribute__((warn_unused_result));

/* Whole dumps: *rows is malloc'd and the caller's, in the daemon's order; NULL when there are none.
 * @service: only that one, NULL for all. Errors as above, and -ENOENT no such service, -ETIMEDOUT,
 * -ESTALE when rows came and went so fast that no dump came through whole; *rows untouched. */
int stats_client_interfaces(struct stats_client *c, struct view_interface **rows, size_t *n,
			    struct client_error *e) __attribute__((warn_unused_result));
int stats_client_services(struct stats_client *c, const char *service, struct view_service **rows,
			  size_t *n, struct client_error *e) __attribute__((warn_unused_result));
int stats_client_backends(struct stats_client *c, const char *service, struct view_backend **rows,
			  size_t *n, struct client_error *e) __attribute__((warn_unused_result));
/* Of all services, or with @service of that one and then of its backends. */
int stats_client_fingerprints(struct stats_client *c, const char *service,
			      struct view_fingerprint **rows, size_t *n, struct client_error *e)
	__attribute__((warn_unused_result));
/* The changes of a backend, the newest first; -ESRCH: the service has no such backend. */
int stats_client_history(struct stats_client *c, const char *const names[static 2],
			 struct history_event **rows, size_t *n, struct client_error *e)
	__attribute__((warn_unused_result));
/* The records of the plan that was made last. */
int stats_client_plan(struct stats_client *c, struct view_plan **rows, size_t *n,
		      struct client_error *e) __attribute__((warn_unused_result));
enum { STATS_EVENT = 1, STATS_HEARTBEAT, STATS_LOST };

/* Joins the group of events, which needs CAP_NET_ADMIN; -EPERM without. */
int stats_client_listen(struct stats_client *c, struct client_error *e)
	__attribute__((warn_unused_result));
/* Waits for the next message of the daemon to the group. Returns STATS_EVENT with an event in
 * @out, STATS_HEARTBEAT, STATS_LOST: some were lost before this; -ECONNREFUSED with @e: it has not been heard for three
 * heartbeats. */
int stats_client_next(struct stats_client *c, struct msg_event *out, struct client_error *e)
	__attribute__((warn_unused_result));
int stats_client_verdicts(struct stats_client *c, struct view_verdict **rows, size_t *n,
			  struct client_error *e) __attribute__((warn_unused_result));

#endif
