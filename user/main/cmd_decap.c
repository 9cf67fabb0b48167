/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt decap: runs shunt-decap, which is a program of its own so that shunt links without libbpf. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "main/commands.h"

#ifndef SHUNT_LIBEXECDIR
#define SHUNT_LIBEXECDIR "/usr/local/libexec/shunt"
#endif

/* Beside our own executable; false when that cannot be told. */
static bool beside_us(char *path, size_t size, const char *name)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n < 0)
		return false;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return false;
	slash[1] = '\0';
	n = snprintf(path, size, "%s%s", self, name);
	return n > 0 && (size_t)n < size;
}

static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
	char path[2 * PATH_MAX] = "";

	(void)cli, (void)argc;
	/* The word before the arguments is still ours to overwrite. */
	argv[-1] = (char *)"shunt decap";
	if (beside_us(path, sizeof(path), "shunt-decap"))
		execv(path, argv - 1);
	execv(SHUNT_LIBEXECDIR "/shunt-decap", argv - 1);
	return cli_failed("cannot run shunt-decap, neither %s nor %s: %s", path,
			  SHUNT_LIBEXECDIR "/shunt-decap", strerror(errno));
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
