/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that outlives the process, as pinned maps do: a file of fixed size in the daemon's own folder,
 * which is in memory, too. Whoever reads there what an earlier process has left must not trust it. */
#ifndef SHUNT_KEPT_H
#define SHUNT_KEPT_H

#include <stddef.h>

/* Maps @len bytes of @path, which is made, all 0, if there is no such file of that size, with the folder that
 * it is in; *out is the caller's until kept_close(). Returns 0 or -errno; then *out is memory that does not
 * outlive the process, or NULL. */
int kept_open(const char *path, size_t len, void **out);
void kept_close(void *at, size_t len);

#endif
