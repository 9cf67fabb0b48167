/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt decap: runs shunt-decap, which is a program of its own so that shunt links without libbpf. */
#include "main/decap_path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "main/commands.h"

#ifndef SHUNT_LIBEXECDIR
#define SHUNT_LIBEXECDIR "/usr/local/libexec/shunt"
#endif
#define INSTALLED SHUNT_LIBEXECDIR "/shunt-decap"

bool decap_path(char out[static DECAP_PATH_MAX])
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	snprintf(out, DECAP_PATH_MAX, "%s", INSTALLED);
	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		if (slash)
			slash[1] = '\0';
		snprintf(out, DECAP_PATH_MAX, "%sshunt-decap", slash ? self : "");
		if (access(out, X_OK) == 0)
			return true;
	}
	if (access(INSTALLED, X_OK) < 0)
		return false;
	snprintf(out, DECAP_PATH_MAX, "%s", INSTALLED);
	return true;
}

static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
	char path[DECAP_PATH_MAX];

	(void)cli, (void)argc;
	/* The word before the arguments is still ours to overwrite. */
	argv[-1] = (char *)"shunt decap";
	if (decap_path(path))
		execv(path, argv - 1);
	return cli_failed("cannot run shunt-decap, neither %s nor %s: %s; the package "
			  "shunt-backend has it",
			  path, INSTALLED, strerror(errno));
}

const struct command command_decap = {
	.name = "decap",
	.arguments = "ARGUMENTS...",
	.summary = "take off the tunnel headers (runs shunt-decap)",
	.help = "The addresses are the backend's own, which the tunnel leads to, not the VIP. "
		"shunt decap --help says more.\n",
	.examples = "shunt decap attach eth0 10.0.0.12",
	.group = CLI_GROUP_BACKEND,
	.raw = true,
	.max_args = 1000,
	.kinds = {CLI_WORDS, CLI_INTERFACE},
	.words = "attach add del detach status",
	.run = run,
};
