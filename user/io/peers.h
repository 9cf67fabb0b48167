/* SPDX-License-Identifier: BSD-2-Clause */
/* The socket over which balancers tell each other of flows: datagrams to all peers, and from them. It
 * knows addresses, not what is said. */
#ifndef SHUNT_PEERS_H
#define SHUNT_PEERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

struct event_base;
struct peers;

struct peer_address {
	struct addr addr;
	uint16_t port; /* host order */
};

struct peers_options {
	struct peer_address listen; /* this host's own; also what its datagrams come from */
	const struct peer_address *list; /* copied; `listen` among them is left out */
	size_t n;
	/* A datagram from one of the peers, by its address and port; @len may be more than fits a
	 * message: then it was cut at PEERS_DATAGRAM_MAX. */
	void (*heard)(void *arg, const uint8_t *data, size_t len);
	void *arg;
};

#define PEERS_DATAGRAM_MAX 2048

/* However many come, no more than PEERS_A_TURN are looked at in PEERS_TURN_MS; the kernel drops others. */
#define PEERS_A_TURN 128
#define PEERS_TURN_MS 10

struct peers_counters {
	uint64_t sent, unsent; /* datagrams, to one peer each; unsent: the kernel would not */
	uint64_t strangers; /* datagrams from others than peers: not looked at */
};

/* -errno of the system: -EADDRNOTAVAIL when `listen` is not this host's, -EADDRINUSE. */
int peers_open(struct event_base *base, const struct peers_options *o, struct peers **out)
	__attribute__((warn_unused_result));
void peers_close(struct peers *p); /* NULL is fine */

/* To every peer; never blocks. */
void peers_send(struct peers *p, const uint8_t *data, size_t len);
const struct peers_counters *peers_counters(const struct peers *p);

#endif
