/* SPDX-License-Identifier: BSD-2-Clause */
/* What a host does with flows, in a few numbers that two hosts can be compared by. Nothing of what
 * differs from host to host goes in: no backend's number, row or place, no order of files, services or
 * backends, and of a table that repeats itself only what is repeated. Not for secrets: who knows the
 * input can make another with the same numbers. */
#ifndef SHUNT_FINGERPRINT_H
#define SHUNT_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

#include "pure/conf.h"

/* Of the whole: of a fleet's secret, and of every service. Start from 0. */
uint64_t fingerprint_add_service(uint64_t whole, const char *name, uint64_t fingerprint);
uint64_t fingerprint_whole(uint64_t services, uint32_t secret);

/* Of the hash key, and so of the secret: 32 bits, which tell different ones apart and little else. */
uint32_t fingerprint_secret(const uint64_t hash_key[static SHUNT_HASH_WORDS]);

/* Of what is configured of the service itself, as far as it decides where a flow goes: its backends,
 * checks and lists not counted. */
uint64_t fingerprint_settings(const struct conf_service *s);

/* Of a backend: its name and address, and how packets get there; @weight is the one in force. Not 0. */
uint64_t fingerprint_backend(const struct conf_backend *b, uint16_t weight);

/* The smallest table of which the @n slots are repetitions; @n a power of two, as is the result. Only
 * the backends' numbers count. */
uint32_t fingerprint_period(const uint16_t *slots, uint32_t n);

/* Of a table, from all its slots in order; @of are the backends' fingerprints by number, 0 where there
 * is none. */
uint64_t fingerprint_slots(const uint16_t *slots, uint32_t n, const uint64_t *of);

/* Of which slots are a backend's. Start from 0 and add each, in any order. */
uint64_t fingerprint_add_slot(uint64_t owned, uint32_t slot);

/* Of the parts of a service: @backends is the sum of its backends' fingerprints. */
uint64_t fingerprint_service(uint64_t settings, uint64_t backends, uint64_t slots);

#endif
