/* SPDX-License-Identifier: BSD-2-Clause */
/* Notices that what a path leads to is another file than before, or has other content: a file written
 * or moved into place, a symbolic link swapped anywhere on the way, a folder moved away, something
 * that appears later. */
#ifndef SHUNT_WATCH_H
#define SHUNT_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/index.h"

struct watch_name;

struct watches {
	int fd; /* readable when something happened; -1: not open */
	struct index by_key;
	struct watch_name **list;
	size_t n, room;
	char *folder; /* that the last path stood in, with the slash; NULL: none */
	uint32_t folder_round;
	uint32_t round, kept; /* paths are watched that were added in one of them */
};

/* Returns 0 or -errno. */
int watches_open(struct watches *w) __attribute__((warn_unused_result));
void watches_close(struct watches *w);

/* Between the two all paths that are to be watched are added, each before it is read, so that no
 * change after that is missed. With @keep those are the only ones from then on; without it the
 * ones of the last round that was kept stay too. */
void watches_begin(struct watches *w);
void watches_end(struct watches *w, bool keep);

/* Returns 0 or -errno: then it may not be noticed when @path changes. */
int watches_add(struct watches *w, const char *path);

enum watch_news {
	WATCH_NOTHING,
	WATCH_WRITING, /* a file is being written: half of it may be there */
	WATCH_CHANGED,
};

/* Takes what there is to read. Returns the weightiest that concerns one of the paths. */
enum watch_news watches_read(struct watches *w);

#endif
