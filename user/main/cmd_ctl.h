/* SPDX-License-Identifier: BSD-2-Clause */
/* What the subcommands that give the daemon a command share. */
#ifndef SHUNT_CMD_CTL_H
#define SHUNT_CMD_CTL_H

#include "main/cli.h"
#include "pure/ctl.h"

/* An option of those that call ctl_call_on_backend(), which reads it. */
#define CTL_REASON                                                                                 \
	{                                                                                          \
		"reason", "TEXT", "shown by shunt backends and history, with who did it", 0,       \
			CLI_ANYTHING, NULL                                                         \
	}

/* Has the daemon carry out @c on the service argv[0] and its backend argv[1], whose names it fills in,
 * and prints the answer. */
enum cli_exit ctl_call_on_backend(const struct cli *cli, struct ctl_command *c, char **argv);

/* Fills in who asks: of who became root by sudo, the one that did. What cannot be a name is left out: the
 * daemon has the uid in any case. */
void ctl_say_who(struct ctl_command *c);

/* Has the daemon carry out @c and prints the answer. */
enum cli_exit ctl_call(const struct cli *cli, const struct ctl_command *c);

/* Has the daemon carry out @c; on success returns CLI_DONE with the answer in @r. */
enum cli_exit ctl_ask(const struct cli *cli, const struct ctl_command *c, struct ctl_reply *r);

#endif
