/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two sides of the probes say to each other, and what only they share: the fixed-size
 * messages of the socketpair (host byte order: both ends are the same executable), the limits, and
 * the exit statuses of the child. Private to user/io/probe*.c and their tests. */
#ifndef SHUNT_PROBE_MSG_H
#define SHUNT_PROBE_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/child.h"
#include "io/probe.h"

#define PROBE_FD CHILD_FD /* the child's end of the socketpair */
#define PROBE_PING4_FD (CHILD_FD + 1) /* raw ICMP sockets, if the daemon may open such */
#define PROBE_PING6_FD (CHILD_FD + 2)
#define PROBE_BODY_MAX (64 * 1024) /* bytes of a body that are searched for the expected text */
#define PROBE_HEADER_MAX (64 * 1024) /* bytes of header lines that are read */
#define PROBE_WIRE_MAX (512 * 1024) /* bytes of a reply in all, framing included */
#define PROBE_BEAT_MS 500 /* the child says that it lives */
#define PROBE_SILENCE_MS 5000 /* and if not for so long, the daemon starts another */
#define PROBE_CHECKS_MAX (1U << 20)
#define PROBE_WHY_MAX 160

enum probe_msg_type {
	PROBE_MSG_START = 0x50420001, /* the first command, before which the child does nothing */
	PROBE_MSG_ADD,
	PROBE_MSG_REMOVE, /* a removed check may still report once: what was under way */
	PROBE_MSG_REPORT,
	PROBE_MSG_PACE, /* daemon to child: another interval_ms */
	PROBE_MSG_SPACE, /* a report without content: in a namespace, and waits for the way out */
	PROBE_MSG_ALIVE, /* child to daemon, every PROBE_BEAT_MS */
};

/* Whom the child becomes. */
struct probe_identity {
	uint32_t switch_user; /* 0: it stays who it is; uid and gid mean nothing then */
	uint32_t uid, gid;
};

/* Daemon to child. The low half of @id is a slot that both sides use as an array index, the high
 * half tells the check in it from earlier ones. */
struct probe_command {
	uint32_t type; /* enum probe_msg_type */
	uint32_t interval_ms; /* PROBE_MSG_ADD, PROBE_MSG_PACE: between probes; not 0 */
	uint64_t id;
	union {
		struct probe_identity identity; /* PROBE_MSG_START */
		struct probe_question question; /* PROBE_MSG_ADD */
	};
};

/* Bytes of a command that are sent: up to the end of what its type has. */
size_t probe_command_size(const struct probe_command *m);

/* Child to daemon. */
struct probe_report {
	uint32_t type; /* PROBE_MSG_REPORT, PROBE_MSG_ALIVE */
	uint32_t pad;
	uint64_t id; /* PROBE_MSG_REPORT */
	union {
		struct check_result result; /* PROBE_MSG_REPORT */
		struct probe_vitals vitals; /* PROBE_MSG_ALIVE */
	};
};

static inline uint32_t probe_slot(uint64_t id)
{
	return (uint32_t)id;
}

/* The child's exit statuses; the words are probe_exit_words()'s. */
enum probe_exit {
	PROBE_EXIT_CLOSED = 0, /* the daemon closed its end */
	PROBE_EXIT_EXEC = 100, /* the executable could not be run */
	PROBE_EXIT_START, /* no or no right first message */
	PROBE_EXIT_JAIL, /* privileges could not be given up */
	PROBE_EXIT_SETUP, /* no memory or descriptors for the loop */
	PROBE_EXIT_MESSAGE, /* a message of wrong size, type or content */
	PROBE_EXIT_SPACE, /* no network namespace, or no way out of it */
};

/* ---- the child process, as the daemon holds it (probe_process.c) -------------------------------- */

struct probe_program {
	const char *path;
	char *const *argv;
	struct probe_identity identity;
};

/* Starts @program as child_start() does, with raw ICMP sockets as PROBE_PING4_FD and PROBE_PING6_FD where
 * this process may open such; its PROBE_MSG_START waits in the socket. Returns 0 or -errno. That the program
 * cannot be run is seen later, as the exit status PROBE_EXIT_EXEC. */
int probe_process_start(const struct probe_program *program, struct child_process *out)
	__attribute__((warn_unused_result));

/* Ends it by child_end(), and writes how it ended into @why. Takes milliseconds, at the very worst a second
 * and a half: then the child is left behind. Does nothing and writes "" when there is none. */
void probe_process_end(struct child_process *process, char why[static PROBE_WHY_MAX]);

/* ---- the pool, opened with a program of the caller's choice (probe_pool.c) ---------------------- */

struct probe_pool_setup {
	struct event_base *base;
	probe_result_fn *result;
	probe_restart_fn *restarted;
	probe_way_fn *way; /* of path probes */
	void *arg;
	struct probe_program program;
};

/* probe_pool_open() with everything said. */
int probe_pool_open_as(const struct probe_pool_setup *setup, struct probe_pool **out)
	__attribute__((warn_unused_result));

/* Copies @q into @out with every unused byte of what counts 0, so that equal questions are equal in
 * memory. Returns 0, or -EINVAL for what cannot be asked: no address or port, an unknown kind, an
 * interval or timeout of 0, a jitter above 50, texts that are longer than their room, a path that does not begin with
 * '/', white space or control characters in what goes into a request line, too many status ranges,
 * a list of texts that does not end with a NUL. */
int probe_question_normalize(const struct probe_question *q, struct probe_question *out)
	__attribute__((warn_unused_result));

/* Details of CHECK_NO_MATCH. */
enum probe_miss {
	PROBE_MISS_TEXT,
	PROBE_MISS_PATTERN,
	PROBE_MISS_GAVE_UP, /* the pattern takes too many steps on this reply */
};

/* Fills @r->text with words for what @r otherwise is, a result of @q: "connection refused",
 * "HTTP status 503, wanted 200-399". A text that stands there already stays, made printable. */
void probe_result_words(struct check_result *r, const struct probe_question *q);

/* ---- the child's parts ------------------------------------------------------------------------- */

/* Gives up all that the child does not need: user and groups as @who says, every capability, core
 * dumps, the chance to gain privileges; raises the descriptor limit to its hard limit; dies with
 * its parent. With @space it gives up the host's network as well. Returns 0 or -errno; after an error the
 * process must not go on. */
int probe_jail_enter(const struct probe_identity *who, const struct probe_space *space)
	__attribute__((warn_unused_result));

#endif
