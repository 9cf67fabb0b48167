/* SPDX-License-Identifier: BSD-2-Clause */
/* A daemon that starts over what another one has left running: whether its packet path may take over. */
#ifndef SHUNT_UPGRADE_H
#define SHUNT_UPGRADE_H

#include "engine/state.h"

/* Asks both programs what they would do, before anything changes. Where they differ and nobody insists,
 * the running one stays, said in e->upgrade.why; or, where this daemon cannot work with its tables,
 * -ESTALE with @err. */
int upgrade_check(struct engine *e, struct engine_error *err);

/* Once ours runs: watches for a while whether its errors are more than those of the former one, which is
 * put back then, with words in the log and an event. */
void upgrade_watch(struct engine *e);
/* shunt upgrade --rollback: the former program, now. 0 or -errno, and in @text what was done or why not. */
int upgrade_roll_back(struct engine *e, uint32_t uid, char *text, size_t size);
void upgrade_view(const struct engine *e, struct view_upgrade *out);
void upgrade_close(struct engine *e);

#endif
