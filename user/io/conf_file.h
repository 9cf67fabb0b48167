/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads configuration files for conf_parse(). */
#ifndef SHUNT_CONF_FILE_H
#define SHUNT_CONF_FILE_H

#include <stddef.h>

/* A conf_read_fn for real files; @arg is not used. Regular files only, so that a FIFO or a device in
 * the place of a file cannot stop the caller. On success returns 0 with *data (malloc'd, the
 * caller's, with a NUL after its end) and *len; on failure -errno with both untouched: -EISDIR for a
 * folder, -ENODEV for anything else that is not a regular file, -EFBIG above CONF_FILE_MAX, and
 * what open and read say. */
int conf_read_file(void *arg, const char *path, char **data, size_t *len);

#endif
