/* SPDX-License-Identifier: BSD-2-Clause */
/* Probes on a client's way: the process and the programs for them, and which backend each means. There
 * are none of these before a backend is probed so. */
#ifndef SHUNT_PATHS_H
#define SHUNT_PATHS_H

struct addr;
struct backend;
struct engine;
struct probe_pool;

/* Where probes of @b come from, of the family that @from has; and that there are none of it any more.
 * -errno. */
int paths_take(struct engine *e, struct backend *b, struct addr *from);
void paths_give(struct engine *e, struct backend *b);

/* The process that asks. */
struct probe_pool *paths_pool(const struct engine *e);

/* To be called when the row of @b, or this host's address towards it, may be another. */
void paths_aim(struct engine *e, const struct backend *b);

/* To be called when tables or interfaces may be others. */
void paths_follow(struct engine *e);

void paths_close(struct engine *e);

#endif
