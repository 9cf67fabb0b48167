/* SPDX-License-Identifier: BSD-2-Clause */
/* What balancers tell each other, one datagram a message: flows that one of them has confirmed. Sealed
 * with a key that all hosts of the fleet have; each sender numbers its messages, and dates them, so
 * that none is taken twice. Nothing of a datagram is believed before its seal.
 *
 * A datagram, little-endian:
 *    0  "SHP", version 1
 *    4  type, number of entries, two bytes 0
 *    8  session: 16 random bytes of the sender's start
 *   24  number of the message in the session, 1 and up
 *   32  sealed: time (ms since 1970) 8, the hash secret's fingerprint 4, 0 4, entries of 24 bytes each
 *       (hash 8, backend 8, salt 4, slot 2, log2 of the number of slots 1, 0 1); then 16 of the seal
 * The seal is XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) with bytes 8 to 31 as its nonce and all 32 as
 * additional data. */
#ifndef SHUNT_PEER_MSG_H
#define SHUNT_PEER_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define PEER_KEY_LEN 32
#define PEER_SESSION_LEN 16
#define PEER_ENTRIES 48 /* in a message, at most: it fits the smallest MTU of IPv6 */
#define PEER_MSG_MAX (32 + 16 + 24 * PEER_ENTRIES + 16)

enum peer_type {
	PEER_NEWS = 1, /* just confirmed */
	PEER_AGAIN, /* told before, and alive */
	PEER_HELLO, /* no entries: tell me all again */
	PEER_TYPES,
};

struct peer_entry {
	uint64_t hash; /* that the flow is remembered by */
	uint64_t backend; /* peer_backend_id() */
	uint32_t salt; /* of the service */
	uint16_t slot; /* of the sender's table, */
	uint8_t slots_log2; /* which has 2^this, 5 to 16 */
};

struct peer_message {
	enum peer_type type;
	uint8_t session[PEER_SESSION_LEN];
	uint64_t number;
	uint64_t time_ms;
	uint32_t secret;
	size_t n;
	struct peer_entry entries[PEER_ENTRIES];
};

/* What becomes of a datagram, and of entries. */
enum peer_fate {
	PEER_TAKEN,
	PEER_MALFORMED, /* cut, too long, not ours */
	PEER_OTHER_VERSION,
	PEER_FORGED, /* the seal is not by the fleet's key, or the datagram was changed */
	PEER_REPLAYED, /* this message has come before, or is far behind */
	PEER_STALE, /* its time is not within PEER_TIME_MS of now: an old one, or clocks differ */
	PEER_CROWDED, /* more senders at a time than are remembered */
	PEER_OTHER_SECRET, /* its sender has another hash_secret */
	PEER_STRANGER, /* from an address that is not a peer's */
	PEER_FATES,
};

/* The fleet's key from its secret text. */
void peer_key_derive(const char *secret, uint8_t key[static PEER_KEY_LEN]);

/* A backend as all hosts know it: by name and address. Not 0. */
uint64_t peer_backend_id(const char *name, const struct addr *a);

/* Writes the datagram of @m; returns its length. m->n is at most PEER_ENTRIES. */
size_t peer_msg_seal(const struct peer_message *m, const uint8_t key[static PEER_KEY_LEN],
		     uint8_t out[static PEER_MSG_MAX]);

/* Reads the @len bytes at @data, which may be anything. Returns PEER_TAKEN with *m; else MALFORMED,
 * OTHER_VERSION or FORGED, and *m is not to be used. */
enum peer_fate peer_msg_open(const uint8_t *data, size_t len,
			     const uint8_t key[static PEER_KEY_LEN], struct peer_message *m);

/* ---- who has said what ------------------------------------------------------------------------*/

#define PEER_SENDERS 32
#define PEER_TIME_MS 30000

struct peer_sender {
	uint8_t session[PEER_SESSION_LEN];
	uint64_t highest; /* number; 0: the place is free */
	uint64_t seen; /* bit n: highest - n has come */
	uint64_t time_ms; /* the latest of its messages */
};

struct peer_senders {
	struct peer_sender list[PEER_SENDERS];
};

/* Whether a message whose seal holds is taken: TAKEN, and then it never is again; REPLAYED, STALE,
 * CROWDED. A sender of whom nothing could be taken any more for its age makes room. @now_ms since
 * 1970. */
enum peer_fate peer_admit(struct peer_senders *s, const struct peer_message *m, uint64_t now_ms);

#endif
