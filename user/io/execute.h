/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs another executable to its end and hears what it says. */
#ifndef SHUNT_EXECUTE_H
#define SHUNT_EXECUTE_H

#include <stddef.h>

/* Runs @path with @argv, NULL at its end, and this process's environment, and waits at most @within_ms;
 * then it is killed. @text gets what it has written to its outputs, as far as it fits, without the last
 * newline. Returns its exit status, 128 and its number if a signal ended it, or -errno: -ETIMEDOUT, or
 * that of its start. */
int execute(const char *path, char *const argv[], int within_ms, char *text, size_t size)
	__attribute__((warn_unused_result));

#endif
