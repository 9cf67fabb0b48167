/* SPDX-License-Identifier: BSD-2-Clause */
/* The installed executable takes the place of the running daemon, in the same process. */
#ifndef SHUNT_SUCCESSOR_H
#define SHUNT_SUCCESSOR_H

#include "engine/state.h"
#include "pure/ctl.h"

/* shunt upgrade: asks the executable whether it could do what this daemon does, which changes nothing,
 * and if so ends the loop, with the answer that it will be done. main does the rest. */
void successor_ask(struct engine *e, const struct ctl_command *c, struct ctl_reply *r);

#endif
