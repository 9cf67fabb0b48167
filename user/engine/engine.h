/* SPDX-License-Identifier: BSD-2-Clause */
/* The engine owns all state of the daemon and wires events (files, probes, next hops, commands) to
 * pure functions, and their results to the dataplane. */
#ifndef SHUNT_ENGINE_H
#define SHUNT_ENGINE_H

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
		struct engine_error *err) __attribute__((warn_unused_result));

/* The same, and whatever the packet path does otherwise than that of an earlier daemon is welcome; else
 * that one stays in force where they differ. */
int engine_open_accepting(struct event_base *base, const char *config, struct engine **out,
			  struct engine_error *err) __attribute__((warn_unused_result));

/* Stops serving; packets go on being forwarded by the tables as they are. */
void engine_close(struct engine *e);

/* Has the loop read the configuration and the backends files again; what does not parse changes
 * nothing. */
void engine_reload(struct engine *e);

/* Detaches every interface and removes every pin of the instance that @config names. */
int engine_remove(const char *config, struct engine_error *err);

#endif
