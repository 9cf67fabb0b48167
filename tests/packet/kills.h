/* SPDX-License-Identifier: BSD-2-Clause */
/* A process that is killed at one of its writes: at a single store into the maps' memory, or at a call that
 * changes a map, a link or a pin.
 *
 * The maps' memory is made read-only in that process: its stores fault, are counted, and then done one by
 * one by the processor's trap flag.  So there is nothing in what is tested that knows of this.
 * Environment: KILLS=all tries every write, where a test would try some. */
#ifndef KILLS_H
#define KILLS_H

#include <stdbool.h>

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define KILLS_CAN 1
#else
#define KILLS_CAN 0
#endif

#define KILLS_WRITES_MAX 65536

/* What was written on the way, in memory that processes share. */
struct kills_log {
	long writes;
	bool is_call[KILLS_WRITES_MAX]; /* [n]: the n-th, from 1 on, was a call, no store */
};
struct kills_log *kills_log_make(void);

/* Does @act in another process, which is killed before its write number @at, from 1 on; whether it was.
 * What it returns must be 0.  @log: NULL, or filled in. */
bool kills_run(int (*act)(void *), void *arg, long at, struct kills_log *log);

/* All memory of maps as it stands is kept, and put back. */
void kills_save(void);
void kills_restore(void);

bool kills_takes_all(void);

/* Whether to try write @n of those in @log: any, or so many of all calls and stores. */
bool kills_tries(const struct kills_log *log, long n, long calls, long stores);

#endif
