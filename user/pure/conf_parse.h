/* SPDX-License-Identifier: BSD-2-Clause */
/* Text to model. Pure but for the reader, which the caller supplies, so that tests and fuzzers need
 * no files. */
#ifndef SHUNT_CONF_PARSE_H
#define SHUNT_CONF_PARSE_H

#include <stddef.h>

#include "pure/conf.h"

/* The largest file that is read: a config with 10,000 services is about 2 MB. */
#define CONF_FILE_MAX (32u << 20)

/* One complaint for people: "FILE:LINE:COLUMN: found what, allowed what, what to do". One line,
 * without a newline; control characters in quoted input are replaced. */
struct conf_error {
	char text[512];
};

/* Reads a whole file. @path is the config's own path, or a backends_file already joined with the
 * config's folder. On success returns 0 with *data (malloc'd, the caller's) and *len; on failure
 * -errno (-EFBIG above CONF_FILE_MAX, -EISDIR for a folder, -EKEYREJECTED for a file whose name ends in
 * ".key" and that others than its owner and group may read or write) with both untouched. */
typedef int conf_read_fn(void *arg, const char *path, char **data, size_t *len);

/* Parses and validates @path and everything it refers to. Returns 0 with *out the caller's
 * (conf_free), or -EINVAL (bad content), -ENOMEM, or the reader's error, with *out untouched and
 * the first complaint in @err. */
int conf_parse(const char *path, conf_read_fn *read, void *arg, struct conf **out,
	       struct conf_error *err) __attribute__((warn_unused_result));

/* The reader for real files is conf_read_file() of io/conf_file.h. */

#endif
