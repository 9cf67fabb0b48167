/* SPDX-License-Identifier: BSD-2-Clause */
/* Stats over NETLINK_USERSOCK, as include/shunt_msg.h says: answers dumps page by page and sends
 * events. It keeps no copy of anything: it asks the source for each row of a page. */
#ifndef SHUNT_STATS_SERVER_H
#define SHUNT_STATS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pure/explain_view.h"
#include "pure/history.h"
#include "pure/view.h"
#include "shunt_msg.h"

struct event_base;
struct msg_event;
struct msg_out;
struct msg_get;
struct stats_server;

/* What is said of a packet or of how a service chooses. */
struct explanation {
	bool about_packet; /* `packet` is filled in */
	struct view_explain packet;
	struct explain_step steps[EXPLAIN_STEPS_MAX];
	size_t n_steps;
	struct view_frame frames[2];
	size_t n_frames;
	char error[512]; /* why there is none */
};

/* Where rows come from; called from the loop while a request is answered. Indices count from 0 and
 * functions return false past the end. @out comes zeroed. */
struct stats_source {
	void *arg;
	/* Changes whenever an index may mean another row than before (a reload that adds, removes
	 * or reorders services or backends), not when values change. Not the same after a restart,
	 * best of all: start from the time of day. */
	uint64_t (*generation)(void *arg);
	void (*status)(void *arg, struct view_status *out);
	bool (*interface)(void *arg, uint32_t i, struct view_interface *out);
	bool (*service)(void *arg, uint32_t i, struct view_service *out);
	/* The service's number by name, or -1. */
	int64_t (*find_service)(void *arg, const char *name);
	/* Backend @i of service number @service; false also when there is no such service. */
	bool (*backend)(void *arg, uint32_t service, uint32_t i, struct view_backend *out);
	/* @v in [1, SHUNT_VERDICT_MAX); false: not counted, left out. */
	bool (*verdict)(void *arg, enum shunt_verdict v, struct view_verdict *out);
	/* Of service number @service as a whole (@i 0), or of its backend @i - 1. */
	bool (*fingerprint)(void *arg, uint32_t service, uint32_t i, struct view_fingerprint *out);
	/* The number of a backend of service number @service by name, or -1; and its @i-th change, from
	 * the newest. */
	int64_t (*find_backend)(void *arg, uint32_t service, const char *name);
	bool (*history)(void *arg, uint32_t service, uint32_t backend, uint32_t i,
			struct history_event *out);
	/* Record @i of the plan that was made last. */
	bool (*plan)(void *arg, uint32_t i, struct view_plan *out);
	bool (*figure)(void *arg, uint32_t i, struct view_figure *out); /* NULL: there are none */
	/* What becomes of a packet: 0, or -errno with words in @out's error. NULL: is not told. */
	int (*explain)(void *arg, const struct explain_ask *ask, struct explanation *out);
	/* Gives flows from @get's cursor on, of its service, backend and client if it names them, to @put until
	 * that says false or enough has been looked at; where to go on, 0: that was all. NULL: none. */
	uint64_t (*flows)(void *arg, const struct msg_get *get,
			  bool (*put)(void *to, const struct view_flow *f), void *to);
	/* Whether @get's client's flows are not too many to look for: 0, or -EINVAL with words. NULL: they
	 * are not. */
	int (*flows_check)(void *arg, const struct msg_get *get, char *why, size_t size);
	/* Gives up to @max packets that number @watch (0: whoever) watches to @put: how many, or -ENODATA: he
	 * does not any more. NULL: none ever does. */
	int (*traced)(void *arg, uint64_t watch, size_t max,
		      void (*put)(void *to, const struct view_traced *t), void *to);
};

struct stats_server_counters {
	uint64_t requests; /* answered */
	uint64_t refused; /* from others than uid 0 and our own */
	uint64_t malformed; /* not understood; answered with an error where the header allowed it */
	uint64_t unsent; /* answers that the client's buffer had no room for */
};

/* Opens the socket and writes <run_dir>/<instance>.stats; makes @run_dir (one level, mode 0755) if
 * it is missing. @source is copied. -ENAMETOOLONG, or what the system said. */
int stats_server_open(struct event_base *base, const char *run_dir, const char *instance,
		      const struct stats_source *source, struct stats_server **out)
	__attribute__((warn_unused_result));
/* Also removes the file. NULL is fine. */
void stats_server_close(struct stats_server *s);

/* Writes the answer to the request of @len bytes at @request, of somebody who may ask, into @o, which is
 * empty and of SHUNT_MSG_PAGE_MAX bytes. @request is aligned to 4. -EBADMSG: it is no request. */
int stats_server_answer(struct stats_server *s, const void *request, size_t len, struct msg_out *o)
	__attribute__((warn_unused_result));

/* Sends an event to the group; never blocks, and nobody need listen. Number, time and instance are put
 * into @event here. */
void stats_server_event(struct stats_server *s, struct msg_event *event);
/* The number of the last event, for view_status.events. */
uint64_t stats_server_event_seq(const struct stats_server *s);

const struct stats_server_counters *stats_server_counters(const struct stats_server *s);

#endif
