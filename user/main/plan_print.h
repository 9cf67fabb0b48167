/* SPDX-License-Identifier: BSD-2-Clause */
/* A plan for people and as JSON. */
#ifndef SHUNT_PLAN_PRINT_H
#define SHUNT_PLAN_PRINT_H

#include <stdbool.h>
#include <stddef.h>

#include "main/cli.h"
#include "pure/view.h"

/* As the daemon sends them: the first one is of the whole. */
struct plan_rows {
	struct view_plan *list;
	size_t n;
};

bool plan_has_changes(const struct plan_rows *rows);
void plan_print(const struct cli *cli, const struct plan_rows *rows);
void plan_print_json(const struct cli *cli, const struct plan_rows *rows);

#endif
