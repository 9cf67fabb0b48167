/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as what a peer says: nothing is read beyond them, nothing that was not sealed is taken, and
 * what was sealed is what comes out.  With clang's libFuzzer (-DLIBFUZZER -fsanitize=fuzzer), or alone:
 * mutates messages of our own; fuzz_peer [RUNS] [SEED]. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pure/peer_msg.h"

static uint8_t key[PEER_KEY_LEN];

static void must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz_peer: %s\n", what);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct peer_senders senders;
	/* A copy of just that size, so that ASan sees every byte beyond. */
	uint8_t *copy = malloc(size ? size : 1), again[PEER_MSG_MAX];
	struct peer_message m;
	enum peer_fate fate;

	must(copy != NULL, "memory");
	memcpy(copy, data, size);
	fate = peer_msg_open(copy, size, key, &m);
	must(fate <= PEER_FORGED, "a fate of its own");
	if (fate == PEER_TAKEN) {
		must(m.n <= PEER_ENTRIES && m.type > 0 && m.type < PEER_TYPES, "within bounds");
		must(peer_msg_seal(&m, key, again) == size, "what was read can be written");
		must(memcmp(again, copy, size) == 0, "and is the same");
		fate = peer_admit(&senders, &m, m.time_ms);
		must(fate == PEER_TAKEN || fate == PEER_REPLAYED || fate == PEER_CROWDED,
		     "a message of now is new or is not");
		must(peer_admit(&senders, &m, m.time_ms) != PEER_TAKEN, "and is taken once");
	}
	free(copy);
	return 0;
}

#ifndef LIBFUZZER
static uint64_t state;

static uint32_t rnd(uint32_t below)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((state >> 33) % below);
}

static size_t make(uint8_t *out, uint64_t number)
{
	struct peer_message m = {
		.type = 1 + rnd(PEER_TYPES - 1),
		.number = number,
		.time_ms = 1700000000000ull + number * 1000,
		.secret = rnd(1u << 30),
		.n = rnd(PEER_ENTRIES + 1),
	};

	for (size_t i = 0; i < PEER_SESSION_LEN; i++)
		m.session[i] = (uint8_t)rnd(i ? 1 : 40);
	for (size_t i = 0; i < m.n; i++)
		m.entries[i] = (struct peer_entry){
			.hash = (uint64_t)rnd(1u << 30) << 30 ^ rnd(1u << 30),
			.backend = rnd(1u << 30),
			.salt = rnd(1u << 30),
			.slot = (uint16_t)rnd(1 << 16),
			.slots_log2 = (uint8_t)rnd(17),
		};
	return peer_msg_seal(&m, key, out);
}

/* Leaves one in four as it is. */
static size_t mutate(uint8_t *data, size_t len)
{
	switch (rnd(4)) {
	case 0:
		data[rnd((uint32_t)len)] ^= (uint8_t)(1 << rnd(8));
		return len;
	case 1:
		return rnd((uint32_t)len);
	case 2:
		for (size_t i = rnd((uint32_t)len); i < len; i++)
			data[i] = (uint8_t)rnd(256);
		return len;
	default:
		return len;
	}
}

int main(int argc, char **argv)
{
	unsigned long runs = argc > 1 ? strtoul(argv[1], NULL, 0) : 100000, i;
	uint8_t data[PEER_MSG_MAX];

	state = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	peer_key_derive("a secret of the fuzzer's", key);
	for (i = 1; i <= runs; i++)
		LLVMFuzzerTestOneInput(data, mutate(data, make(data, i)));
	printf("fuzz_peer: %lu messages, nothing found\n", runs);
	return 0;
}
#endif
