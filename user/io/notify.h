/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs a program for each event: as an unprivileged user, in a process group of its own, without a shell,
 * for a limited time, one after the other; with its end everything ends that it has started. What does not fit the queue or the rate is left out and
 * counted; nothing here ever waits. */
#ifndef SHUNT_NOTIFY_H
#define SHUNT_NOTIFY_H

#include <stddef.h>
#include <stdint.h>

struct event_base;
struct notify;

#define NOTIFY_ARGS 32 /* of a program, itself included, at most */
#define NOTIFY_QUEUE 256 /* events that wait, at most */

struct notify_setup {
	struct event_base *base;
	char *const
		*argv; /* argv[0] is an absolute path; copied by reference: outlives the notifier */
	const char *name; /* of it in words; outlives the notifier, too */
	const char *user; /* whom root becomes; when already unprivileged it stays who it is */
	uint32_t timeout_ms; /* of one run; then it is killed with all that it has started */
	uint32_t a_minute; /* events, at most */
	/* Something went wrong, in words, for a log line; not more often than every ten seconds. */
	void (*complain)(void *arg, const char *words);
	void *arg;
};

/* Returns 0, -ENOENT when there is no such user, -EPERM when that is root, or -ENOMEM. */
int notify_open(const struct notify_setup *setup, struct notify **out)
	__attribute__((warn_unused_result));

/* Has the program run with @input on its standard input and @env, NULL-terminated, as all of its
 * environment beside PATH. Both are copied. */
void notify_run(struct notify *n, const char *input, const char *const env[]);

/* Kills what runs, forgets what waits. NULL is nothing. */
void notify_close(struct notify *n);

/* The main of the process that runs the program and sees to what it leaves behind: "shuntd --notify MS PROGRAM
 * ARGUMENT ..."; @argv from MS on. Ends as the program does, or by NOTIFY_TIMED_OUT. */
int notify_program_main(char **argv);

#endif
