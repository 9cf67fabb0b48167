/* SPDX-License-Identifier: BSD-2-Clause */
/* The packet path's hash key from the fleet's secret. */
#ifndef SHUNT_HASHKEY_H
#define SHUNT_HASHKEY_H

#include <stdint.h>

#include "shunt_abi.h"

/* Fills @key from @secret (any text; NULL or "" gives the built-in key) with SipHash-2-4 in counter
 * mode; the multipliers (all but the first word) are odd. Same secret, same key, on every host.
 * Aumasson and Bernstein, "SipHash", 2012. */
void hashkey_derive(const char *secret, uint64_t key[static SHUNT_HASH_WORDS]);

/* The packet path's hash, for the daemon and tests: as documented at struct shunt_settings. Words as
 * loaded from the wire in memory order. The slot is shunt_slot_of(hash, slots - 1). */
uint64_t hashkey_flow4(const uint64_t key[static SHUNT_HASH_WORDS], uint32_t saddr, uint32_t daddr,
		       uint32_t ports);
uint64_t hashkey_flow6(const uint64_t key[static SHUNT_HASH_WORDS], const uint32_t saddr[static 4],
		       const uint32_t daddr[static 4], uint32_t ports);

/* SipHash-2-4 of @len bytes, for whoever needs stable identities. */
uint64_t siphash24(const void *data, uint64_t len, const uint64_t key[static 2]);

#endif
