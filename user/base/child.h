/* SPDX-License-Identifier: BSD-2-Clause */
/* A child process that this one talks with over a pair of sockets: started with exactly the descriptors
 * that it is to have, watched by a pidfd, and ended within a time that is known. What is said is the
 * caller's, and what the child gives up of its privileges as well. */
#ifndef SHUNT_CHILD_H
#define SHUNT_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CHILD_FD 3 /* the child's end of the pair, and what it is given follows */
#define CHILD_GIVEN_MAX 8

struct child_program {
	const char *path; /* "/proc/self/exe": this executable */
	char *const *argv; /* NULL behind the last */
	const int *
		given; /* @n_given descriptors that it gets as CHILD_FD + 1, + 2, ...; -1: none there */
	size_t n_given; /* CHILD_GIVEN_MAX at most */
	const void *first; /* a message of @first_len bytes that waits for it; NULL: none */
	size_t first_len;
	bool silent; /* standard error is /dev/null as well */
	/* Called in the child, with its descriptors in place, before the program runs: only what is safe
	 * between fork and exec. False: the program is not run. NULL: nothing is to be done. */
	bool (*become)(const void *arg);
	const void *arg;
	int not_run; /* the exit status where the program was not run */
};

struct child_process {
	pid_t pid; /* 0: none */
	int pidfd; /* readable when it has ended */
	int sock; /* our end: non-blocking SOCK_SEQPACKET */
};

#define CHILD_NONE ((struct child_process){.pidfd = -1, .sock = -1})

/* Starts @program with its end of the pair as CHILD_FD, what it is given, /dev/null as standard input and
 * output, our standard error if there is one, nothing else open, no environment, and every signal blocked.
 * Fills @out, which owns the process and both descriptors; untouched on an error. Returns 0 or -errno. That
 * the program cannot be run is seen later, as @not_run. */
int child_start(const struct child_program *program, struct child_process *out)
	__attribute__((warn_unused_result));

/* fork(), with every signal blocked in the child, so that no handler of ours runs in the copy of us. */
pid_t child_fork(void) __attribute__((warn_unused_result));

/* Sends SIGKILL, which needs CAP_KILL when the child has become another user. No effect on one that has
 * ended, or on none. */
void child_kill(const struct child_process *c);

/* Closes the socket, at which a child ends by itself, kills it when it has not after @grace_ms, reaps it,
 * and closes our descriptors. Returns the status that waitpid() gives, or CHILD_LEFT when it has not ended
 * a second later, which only one of another user can do: it is left alone. @c is CHILD_NONE then; 0 if
 * there was none. */
#define CHILD_LEFT (-1)
int child_end(struct child_process *c, int grace_ms);

/* Writes how a child has ended: "exit status 1", "killed by signal 9 (Killed)", "it would not end and is
 * left alone". @status is child_end()'s; 64 bytes are enough. */
void child_words(int status, char *out, size_t size);

#endif
