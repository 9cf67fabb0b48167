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

/* "shuntd 0.1.0", or "shuntd" if that is not known. */
static void name_daemon(const char *release, char *out, size_t size)
{
	snprintf(out, size, "shuntd%s%s", *release ? " " : "", release);
}

int client_other_version(struct client_error *e, uint32_t version, const char *release)
{
	char daemon[64];

	name_daemon(release, daemon, sizeof(daemon));
	return client_fail(
		e, -EPROTONOSUPPORT,
		"%s speaks version %u of the message protocol and this shunt " SHUNT_VERSION
		" version %d: use the shunt that came with the running shuntd, or restart "
		"it if the installed one is newer (packets go on meanwhile)",
		daemon, version, SHUNT_MSG_VERSION);
}

int client_not_known(struct client_error *e, const char *release)
{
	char daemon[64];

	name_daemon(release, daemon, sizeof(daemon));
	return client_fail(e, -EOPNOTSUPP,
			   "%s does not know what this shunt " SHUNT_VERSION
			   " asks for: restart it, so that the installed one runs (packets go on "
			   "meanwhile), or use the shunt that came with it",
			   daemon);
}

int client_no_backend(struct client_error *e, const char *service, const char *backend)
{
	return client_fail(e, -ESRCH,
			   "service \"%s\" has no backend \"%s\"; shunt backends %s lists them",
			   service, backend, service);
}

int client_watches_no_more(struct client_error *e)
{
	return client_fail(e, -ENODATA,
			   "the watching of packets has ended: it is given up when tables grow, "
			   "another packet path is put in force, the service is gone, or nobody "
			   "has asked for packets for 5 s");
}
