/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/client_error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int client_fail(struct client_error *e, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(e->text, sizeof(e->text), format, args);
	va_end(args);
	return err;
}

int client_no_daemon(struct client_error *e, const char *instance, const char *path,
		     const char *why)
{
	return client_fail(
		e, -ECONNREFUSED,
		"no shuntd of instance \"%s\" answers (%s: %s); is it running?\n"
		"Start it with systemctl start shunt, or shuntd -c FILE; shunt doctor says "
		"what keeps it from starting. Or name another with --instance NAME or "
		"--run-dir DIR.",
		instance, path, why);
}

int client_not_allowed(struct client_error *e, const char *path)
{
	return client_fail(e, -EACCES,
			   "no permission (%s): shuntd answers only root and the user it runs as; "
			   "try with sudo",
			   path);
}

int client_too_long(struct client_error *e, int err, const char *what, const char *name)
{
	return client_fail(e, err, "no %s \"%s\": the name is too long; shunt %ss lists them", what,
			   name, what);
}

int client_other_version(struct client_error *e, uint32_t version)
{
	return client_fail(
		e, -EPROTONOSUPPORT,
		"shuntd speaks version %u of the message protocol and this shunt version "
		"%d: use the shunt that came with the running shuntd, or restart shuntd",
		version, SHUNT_MSG_VERSION);
}
