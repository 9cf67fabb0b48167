/* SPDX-License-Identifier: BSD-2-Clause */
/* The subcommands, in the order in which help lists those of a group. X(NAME) stands for
 * command_NAME, which cmd_*.c define. */
#ifndef SHUNT_COMMANDS_H
#define SHUNT_COMMANDS_H

#include "main/cli.h"

#define COMMANDS(X)                                                                                \
	X(status)                                                                                  \
	X(top)                                                                                     \
	X(services)                                                                                \
	X(backends)                                                                                \
	X(stats)                                                                                   \
	X(events)                                                                                  \
	X(history)                                                                                 \
	X(doctor)                                                                                  \
	X(explain)                                                                                 \
	X(flows)                                                                                   \
	X(trace)                                                                                   \
	X(capture)                                                                                 \
	X(fingerprint)                                                                             \
	X(drain)                                                                                   \
	X(disable)                                                                                 \
	X(enable)                                                                                  \
	X(weight)                                                                                  \
	X(log_level)                                                                               \
	X(check)                                                                                   \
	X(plan)                                                                                    \
	X(convert)                                                                                 \
	X(reload)                                                                                  \
	X(upgrade)                                                                                 \
	X(setup)                                                                                   \
	X(decap)                                                                                   \
	X(completion)                                                                              \
	X(complete)                                                                                \
	X(manual)                                                                                  \
	X(version)                                                                                 \
	X(help)

#define COMMAND_DECLARE(name) extern const struct command command_##name;
COMMANDS(COMMAND_DECLARE)
#undef COMMAND_DECLARE

#endif
