/* SPDX-License-Identifier: BSD-2-Clause */
/* What shunt plan and shunt reload share. */
#ifndef SHUNT_CMD_PLAN_H
#define SHUNT_CMD_PLAN_H

#include "main/cli.h"
#include "main/plan_print.h"

/* Has the daemon plan a reload of @file, "": of its own. @out is the caller's to free. */
enum cli_exit plan_ask(const struct cli *cli, const char *file, struct plan_rows *out);

#endif
