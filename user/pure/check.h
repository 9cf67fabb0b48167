/* SPDX-License-Identifier: BSD-2-Clause */
/* What one probe found: the verdict with its layer, as it comes from the probing process, and its
 * names. What becomes of verdicts is health.h's. */
#ifndef SHUNT_CHECK_H
#define SHUNT_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHECK_TEXT_MAX 128
#define CHECK_NAME_MAX 24

/* What happened; check_name() joins it to the layer where it happened. */
enum check_code {
	CHECK_OK, /* detail is the status when it was HTTP */
	CHECK_TIMEOUT, /* connected (layers above 4), but no whole reply in time */
	CHECK_REFUSED, /* detail is the errno */
	CHECK_UNREACHABLE, /* host or network; detail is the errno */
	CHECK_CONNECT_FAILED, /* any other error; detail is the errno */
	CHECK_CLOSED, /* connection closed or reset before a whole reply */
	CHECK_BAD_REPLY, /* not the protocol, or beyond the limits */
	CHECK_BAD_CERTIFICATE, /* detail is OpenSSL's X509_V_ERR_* */
	CHECK_BAD_STATUS, /* detail is the status: of HTTP, DNS, gRPC, or a program's exit */
	CHECK_NO_MATCH, /* the expected text or answer is not in the reply */
	CHECK_SAYS_DOWN, /* the backend itself says that it is not to be used */
	CHECK_KILLED, /* a program was ended by a signal, or for what it did; detail is the signal */
	/* could not probe, which says nothing of the backend; detail is the errno, 0: too many others */
	CHECK_NO_RESOURCES,
	CHECK_CANNOT_ASK, /* the check itself is at fault (a file cannot be read): the same */
	CHECK_CODE_MAX,
};

enum check_layer {
	CHECK_LAYER_NONE, /* nothing was sent */
	CHECK_LAYER_PROGRAM = 1,
	CHECK_LAYER_3 = 3,
	CHECK_LAYER_4 = 4,
	CHECK_LAYER_6 = 6, /* TLS */
	CHECK_LAYER_7 = 7,
};

/* Beside the verdict; bits of struct check_result.notes. READY, DRAIN, MAINT and WEIGHT are what a
 * backend asks for itself in the reply to an `agent` check. */
enum check_note {
	CHECK_NOTE_WARNING = 1, /* text says what: the certificate expires soon, say */
	CHECK_NOTE_READY =
		2, /* up: neither draining nor in maintenance, unless that is said, too */
	CHECK_NOTE_DRAIN = 4,
	CHECK_NOTE_MAINT = 8,
	CHECK_NOTE_WEIGHT = 16, /* weight_percent is said */
	CHECK_NOTES_ALL = 31,
};
#define CHECK_WEIGHT_PERCENT_MAX 10000

struct check_result {
	enum check_code code;
	uint8_t layer; /* enum check_layer: the highest reached; where it failed */
	uint8_t notes; /* enum check_note */
	uint16_t weight_percent; /* of the configured weight; with CHECK_NOTE_WEIGHT */
	int32_t detail; /* by code */
	uint32_t latency_us; /* from the start of the probe to its verdict */
	char text[CHECK_TEXT_MAX]; /* in words: "connection refused"; one line, never empty */
};

enum check_verdict { CHECK_GOOD, CHECK_BAD, CHECK_NO_VERDICT };

/* What it says of the backend. NO_VERDICT: nothing, its health stays as it is. */
enum check_verdict check_verdict(const struct check_result *r);

/* The short name: "L4OK", "L4CON", "L4TOUT", "L6TOUT", "L6RSP", "L7TOUT", "L7RSP", "L7STS 503",
 * "PROCERR 3", "PROCTOUT", "SOCKERR", "CONFERR". "L4CON" is everything that keeps a connection from
 * coming about but silence. Returns @out. */
const char *check_name(const struct check_result *r, char out[static CHECK_NAME_MAX]);

/* True when every field is one that a probe can have reported and the text is one printable line:
 * what comes from the probing process is not trusted. */
bool check_is_sane(const struct check_result *r);

#endif
