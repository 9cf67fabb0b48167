/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS as probes have it: what is trusted, what is shown, and what a peer's certificate is worth in
 * words. The same for the handshake of a tls check and for libcurl's. */
#ifndef SHUNT_PROBE_TLS_H
#define SHUNT_PROBE_TLS_H

#include <openssl/types.h>

#include "io/probe.h"

struct probe_tls_files; /* certificates of authorities that were read, by file */

/* Returns 0 or -ENOMEM. */
int probe_tls_open(struct probe_tls_files **out) __attribute__((warn_unused_result));
void probe_tls_close(struct probe_tls_files *files);

/* Over one handshake. */
struct probe_tls_guard {
	const struct probe_question *question;
	char name[256]; /* that the certificate must be for, and that goes out as SNI */
	bool is_address; /* then it does not */
	int error; /* X509_V_ERR_*: why the certificate was refused; 0: it was not */
	int days_left; /* of the certificate; INT_MAX: none was seen */
	char text[CHECK_TEXT_MAX]; /* of error */
};

/* Fills @guard for @question, which stays: the name is its SNI, else its host, else its address. */
void probe_tls_guard_init(struct probe_tls_guard *guard, const struct probe_question *question);

/* Sets up @ctx, a client's, for a handshake over which @guard stays. Files are read as the user of the
 * child, authorities again when they change. Returns false, with @r, when one cannot be used. */
bool probe_tls_prepare(struct probe_tls_files *files, SSL_CTX *ctx, struct probe_tls_guard *guard,
		       struct check_result *r);

/* The layer-6 result of a handshake that failed: by the guard's words, or else by OpenSSL's @reason
 * (NULL or "": none, the connection has closed). */
struct check_result probe_tls_failure(const struct probe_tls_guard *guard, const char *reason);

/* Adds a warning to a good result if the certificate ends soon. */
void probe_tls_warn(const struct probe_tls_guard *guard, struct check_result *r);

#endif
