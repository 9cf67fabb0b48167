/* SPDX-License-Identifier: BSD-2-Clause */
/* The engine owns all state of the daemon and wires events (files, probes, next hops, commands) to
 * pure functions, and their results to the dataplane. */
#ifndef SHUNT_ENGINE_H
#define SHUNT_ENGINE_H

#include <stdbool.h>

struct event_base;
struct engine;

struct engine_error {
	char text[1024]; /* one line for the operator */
};

/* Parses and validates @config without touching anything. Returns 0 with a one-line summary in
 * @summary, or -errno with @err. */
int engine_check(const char *config, struct engine_error *summary, struct engine_error *err);

/* Loads @config, adopts or loads the dataplane, attaches the interfaces and starts serving. Returns
 * 0 with *out; on failure -errno with @err, and what an earlier daemon left goes on as it was. */
int engine_open(struct event_base *base, const char *config, struct engine **out,
		struct engine_error *err) __attribute__((warn_unused_result)); /* for tests */

/* How this daemon has come to be started. */
struct engine_start {
	/* Whatever the packet path does otherwise than that of an earlier daemon is welcome; else that one
	 * stays in force where they differ. */
	bool accepts_changes;
	const char *exe; /* what is installed, for shunt upgrade; NULL: not known */
	const char *from; /* version of the daemon that this one has replaced; NULL: none */
	const char *failed; /* why the daemon that had replaced this one ended; NULL: none had */
};

/* The same; @start outlives the engine. */
int engine_open_as(struct event_base *base, const char *config, const struct engine_start *start,
		   struct engine **out, struct engine_error *err)
	__attribute__((warn_unused_result));

/* Whether the loop has ended since the installed executable is to go on in this daemon's place, and whether
 * that one is to accept changes. */
bool engine_is_replaced(const struct engine *e, bool *accepts_changes);

/* As engine_check, and then loads the packet path, beside what runs and without touching it. */
int engine_try(const char *config, struct engine_error *summary, struct engine_error *err);

/* Stops serving; packets go on being forwarded by the tables as they are. */
void engine_close(struct engine *e);

/* Has the loop read the configuration and the backends files again; what does not parse changes
 * nothing. */
void engine_reload(struct engine *e);

/* Detaches every interface and removes every pin of the instance that @config names. */
int engine_remove(const char *config, struct engine_error *err);

#endif
