/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs as checks. Each runs as the child's user in a process group of its own, with nothing open but
 * /dev/null and a pipe, and everything that it has started is killed with it. */
#ifndef SHUNT_PROBE_EXEC_H
#define SHUNT_PROBE_EXEC_H

struct probe_programs; /* those that run */

/* Makes this process the one that orphans of programs come to. Returns 0 or -ENOMEM. */
int probe_programs_open(struct probe_programs **out) __attribute__((warn_unused_result));
/* Waits for the end of what was killed and ends what it leaves, for 2 s at most. */
void probe_programs_close(struct probe_programs *programs);

/* Ends what programs have left behind outside their group. */
void probe_programs_sweep(struct probe_programs *programs);

#endif
