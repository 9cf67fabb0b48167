/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration files that exist in memory only, for tests of conf_parse(). */
#ifndef SHUNT_TEST_CONF_MEMORY_H
#define SHUNT_TEST_CONF_MEMORY_H

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct file {
	const char *path, *data;
	size_t len; /* 0: up to the NUL */
	int error; /* what the reader returns instead */
};

/* @arg: files up to one without a path. */
static inline int read_memory(void *arg, const char *path, char **data, size_t *len)
{
	const struct file *f = arg;

	while (f->path && strcmp(f->path, path) != 0)
		f++;
	if (!f->path)
		return -ENOENT;
	if (f->error)
		return f->error;
	*len = f->len ? f->len : strlen(f->data);
	*data = malloc(*len + 1);
	if (!*data)
		return -ENOMEM;
	memcpy(*data, f->data, *len);
	return 0;
}

#endif
