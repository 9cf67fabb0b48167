/* SPDX-License-Identifier: BSD-2-Clause */
/* The packet path's stages (shunt_abi.h): which of them are loaded, and putting them in. */
#ifndef SHUNT_DP_STAGE_H
#define SHUNT_DP_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "shunt_abi.h"

struct bpf_object;

/* Whether packets under @settings can come to it. */
bool dp_stage_is_wanted(const struct shunt_settings *settings, enum shunt_stage stage);
/* The name of its program. */
const char *dp_stage_program(enum shunt_stage stage);

/* Before the load: leaves out the stages that packets under @settings, and with maps of the sizes that are
 * set, have no use for. */
void dp_stages_choose(struct bpf_object *obj, const struct shunt_settings *settings);

/* After the load: puts those that were loaded into the object's map `stages`. 0 or -errno. */
int dp_stages_fill(struct bpf_object *obj) __attribute__((warn_unused_result));

/* Appends to @ids, of which @n are taken and @max fit, the kernel's ids of the maps that the programs
 * in @stages_fd use. Returns how many there are then. Needs CAP_SYS_ADMIN, else adds none. */
uint32_t dp_stages_maps(int stages_fd, uint32_t *ids, uint32_t n, uint32_t max);

#endif
