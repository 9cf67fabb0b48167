/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of include/shunt_msg.h to and from the model. Pure: it writes to and reads from buffers
 * that the caller supplies, trusts nothing that it reads, and never keeps a pointer. */
#ifndef SHUNT_PURE_MSG_H
#define SHUNT_PURE_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pure/ctl.h"
#include "pure/explain_view.h"
#include "pure/history.h"
#include "pure/view.h"
#include "shunt_msg.h"

struct nlmsghdr;

/* What a client asks of the stats socket; with PAGE, what the daemon gives back. */
struct msg_get {
	uint64_t cursor; /* 0: from the start; with PAGE: that was all */
	uint64_t generation;
	char service[SHUNT_NAME_MAX]; /* empty: all */
	char backend[SHUNT_NAME_MAX]; /* GET_HISTORY and GET_FLOWS */
	struct addr client, vip; /* GET_FLOWS; none: whoever's, whichever */
	uint16_t client_port, port; /* host order; 0: any */
	uint8_t protocol; /* 0: any */
};

struct msg_reply {
	uint32_t code; /* errno; 0: done */
	uint32_t version;
	char text[SHUNT_MSG_TEXT_MAX];
	uint64_t plan, watch;
	char level[CTL_LEVEL_MAX], configured[CTL_LEVEL_MAX];
	char release[32]; /* of the daemon; empty: it does not say */
};

struct msg_event {
	uint64_t seq;
	char instance[32];
	enum shunt_event_kind kind;
	char service[SHUNT_NAME_MAX], backend[SHUNT_NAME_MAX];
	char text[512];
	/* Its time is every event's. Of the backend, if it has changed: else from and to are 0. */
	struct history_event change;
};

/* One row of any dump. */
union msg_row {
	struct view_status status;
	struct view_interface interface;
	struct view_service service;
	struct view_backend backend;
	struct view_verdict verdict;
	struct view_fingerprint fingerprint;
	struct history_event history;
	struct view_plan plan;
	struct view_figure figure;
	struct view_explain explain;
	struct explain_step step;
	struct view_flow flow;
};

/* ---- writing ----------------------------------------------------------------------------------*/

/* Messages one after the other in @buf, which is aligned to 4 bytes. */
struct msg_out {
	char *buf;
	size_t size, used; /* bytes */
	uint32_t seq; /* nlmsg_seq of the messages to come */
	uint16_t flags; /* nlmsg_flags of the messages to come */
};

/* Appends a message whose attributes are the fields of the struct that belongs to @command (struct
 * msg_get for GET_* and PAGE, msg_reply for ERROR and REPLY, ctl_command for control requests,
 * msg_event for EVENT and HEARTBEAT, view_* for records). Returns 0; -EMSGSIZE: no room, and nothing
 * was added; -EINVAL: no such command. A text that is not terminated within its field is cut. Call it
 * through the typed functions below. */
int msg_put(struct msg_out *o, enum shunt_msg_command command, const void *value)
	__attribute__((warn_unused_result));

/* ---- reading ----------------------------------------------------------------------------------*/

/* Takes the first message off the @len bytes at *data (aligned to 4) and moves both on. NULL at the
 * end and at anything that is not a whole message of ours. */
const struct nlmsghdr *msg_next(const void **data, size_t *len);

/* Of a message that msg_next gave. */
enum shunt_msg_command msg_command(const struct nlmsghdr *m);
unsigned int msg_version(const struct nlmsghdr *m);
uint32_t msg_seq(const struct nlmsghdr *m);

/* Fills the struct that belongs to @command from the message's attributes; what they leave out
 * becomes 0. Unknown attributes are skipped; an enum's unknown number becomes one past the last
 * known. Returns 0; -EINVAL: the message is of another command; -EBADMSG: malformed, and @value is
 * not to be used. Members that are not on the wire stay. Call it through the typed functions. */
int msg_get(const struct nlmsghdr *m, enum shunt_msg_command command, void *value)
	__attribute__((warn_unused_result));

/* ---- typed: msg_put_status(o, &status), msg_get_status(m, &status), ... ------------------------*/

#define MSG_TYPED(name, type, command)                                                             \
	static inline int msg_put_##name(struct msg_out *o, const type *value)                     \
	{                                                                                          \
		return msg_put(o, command, value);                                                 \
	}                                                                                          \
	static inline int msg_get_##name(const struct nlmsghdr *m, type *value)                    \
	{                                                                                          \
		return msg_get(m, command, value);                                                 \
	}
MSG_TYPED(status, struct view_status, SHUNT_MSG_STATUS)
MSG_TYPED(interface, struct view_interface, SHUNT_MSG_INTERFACE)
MSG_TYPED(service, struct view_service, SHUNT_MSG_SERVICE)
MSG_TYPED(backend, struct view_backend, SHUNT_MSG_BACKEND)
MSG_TYPED(verdict, struct view_verdict, SHUNT_MSG_VERDICT)
MSG_TYPED(fingerprint, struct view_fingerprint, SHUNT_MSG_FINGERPRINT)
MSG_TYPED(history, struct history_event, SHUNT_MSG_HISTORY)
MSG_TYPED(plan, struct view_plan, SHUNT_MSG_PLAN)
MSG_TYPED(figure, struct view_figure, SHUNT_MSG_FIGURE)
MSG_TYPED(ask, struct explain_ask, SHUNT_MSG_GET_EXPLAIN)
MSG_TYPED(explain, struct view_explain, SHUNT_MSG_EXPLAIN)
MSG_TYPED(step, struct explain_step, SHUNT_MSG_STEP)
MSG_TYPED(frame, struct view_frame, SHUNT_MSG_FRAME)
MSG_TYPED(traced, struct view_traced, SHUNT_MSG_TRACED)
MSG_TYPED(flow, struct view_flow, SHUNT_MSG_FLOW)
MSG_TYPED(page, struct msg_get, SHUNT_MSG_PAGE)
MSG_TYPED(error, struct msg_reply, SHUNT_MSG_ERROR)
MSG_TYPED(reply, struct msg_reply, SHUNT_MSG_REPLY)
MSG_TYPED(event, struct msg_event, SHUNT_MSG_EVENT)
#undef MSG_TYPED

/* The same for the commands that share a struct: GET_*, and those of the control socket, where
 * reading also checks that what the verb needs is there, and the weight's range. */
int msg_put_get(struct msg_out *o, enum shunt_msg_command command, const struct msg_get *get);
int msg_get_get(const struct nlmsghdr *m, struct msg_get *get);
int msg_put_command(struct msg_out *o, const struct ctl_command *c);
int msg_get_command(const struct nlmsghdr *m, struct ctl_command *c);

/* ---- the file that tells where the daemon is --------------------------------------------------*/

struct msg_port {
	uint32_t port, pid, version;
	uint64_t netns; /* inode */
	char release[32]; /* empty: it does not say */
};

#define MSG_PORT_TEXT_MAX 256
size_t msg_port_format(const struct msg_port *p, char out[static MSG_PORT_TEXT_MAX]);
/* From the @len bytes at @text. 0, or -EBADMSG when port, pid or version is missing or no number. */
int msg_port_parse(const char *text, size_t len, struct msg_port *out);

/* "<run_dir>/<instance><suffix>" into @out. -EINVAL: @instance is empty or no file name;
 * -ENAMETOOLONG. */
#define MSG_PATH_MAX 108 /* sizeof(sun_path) */
int msg_path(const char *run_dir, const char *instance, const char *suffix,
	     char out[static MSG_PATH_MAX]) __attribute__((warn_unused_result));

#endif
