/* SPDX-License-Identifier: BSD-2-Clause */
/* Why a client of the daemon failed, in words for the operator. */
#ifndef SHUNT_CLIENT_ERROR_H
#define SHUNT_CLIENT_ERROR_H

#include <stdint.h>

#include "shunt_msg.h"

struct client_error {
	/* One sentence or more, without a last newline. */
	char text[SHUNT_MSG_TEXT_MAX + 256];
};

/* Each fills @e and returns @err. */
int client_fail(struct client_error *e, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* @path is what was tried, @why what came of it. */
int client_no_daemon(struct client_error *e, const char *instance, const char *path,
		     const char *why);
int client_not_allowed(struct client_error *e, const char *path);
/* Of a service or backend, as @what says. */
int client_too_long(struct client_error *e, int err, const char *what, const char *name);
/* It speaks another version of the protocol. @version: 0, @release: "" when the daemon did not say. */
int client_other_version(struct client_error *e, uint32_t version, const char *release);
/* It speaks ours, but there is no such request yet. */
int client_not_known(struct client_error *e, const char *release);
int client_no_backend(struct client_error *e, const char *service, const char *backend);
/* Packets that were watched are no longer. */
int client_watches_no_more(struct client_error *e);

#endif
