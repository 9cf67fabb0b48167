/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/peer_msg.h"

#include <sodium.h>
#include <string.h>

#include "pure/hashkey.h"

#define VERSION 1
#define HEAD 32 /* bytes that are not sealed */
#define BODY 16 /* sealed, before the entries */
#define ENTRY 24
#define SEAL crypto_aead_xchacha20poly1305_ietf_ABYTES
#define SESSION_AT 8

_Static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == PEER_KEY_LEN, "the key's length");
_Static_assert(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES == HEAD - SESSION_AT, "the nonce");
_Static_assert(PEER_MSG_MAX == HEAD + BODY + ENTRY * PEER_ENTRIES + SEAL, "the longest");

void peer_key_derive(const char *secret, uint8_t key[static PEER_KEY_LEN])
{
	static const uint8_t purpose[] = "shunt peers, version 1";

	crypto_generichash(key, PEER_KEY_LEN, (const uint8_t *)secret, strlen(secret), purpose,
			   sizeof(purpose));
}

uint64_t peer_backend_id(const char *name, const struct addr *a)
{
	uint64_t key[2] = {a->family, 0x7065657273}, id;

	key[0] = siphash24(a->bytes, addr_bits(a) / 8, key);
	id = siphash24(name, strlen(name), key);
	return id ? id : 1;
}

/* ---- bytes --------------------------------------------------------------------------------------*/

static uint8_t *put(uint8_t *at, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> 8 * i);
	return at + bytes;
}

static uint64_t get(const uint8_t **at, size_t bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < bytes; i++)
		value |= (uint64_t)(*at)[i] << 8 * i;
	*at += bytes;
	return value;
}

static void put_head(const struct peer_message *m, uint8_t *out)
{
	const uint8_t start[SESSION_AT] = {'S', 'H', 'P', VERSION, (uint8_t)m->type, (uint8_t)m->n};

	memcpy(out, start, sizeof(start));
	memcpy(out + SESSION_AT, m->session, PEER_SESSION_LEN);
	put(out + SESSION_AT + PEER_SESSION_LEN, m->number, 8);
}

size_t peer_msg_seal(const struct peer_message *m, const uint8_t key[static PEER_KEY_LEN],
		     uint8_t out[static PEER_MSG_MAX])
{
	uint8_t plain[BODY + ENTRY * PEER_ENTRIES], *at = plain;
	unsigned long long sealed = 0;

	put_head(m, out);
	at = put(at, m->time_ms, 8);
	at = put(at, m->secret, 8);
	for (size_t i = 0; i < m->n; i++) {
		at = put(at, m->entries[i].hash, 8);
		at = put(at, m->entries[i].backend, 8);
		at = put(at, m->entries[i].salt, 4);
		at = put(at, m->entries[i].slot, 2);
		at = put(at, m->entries[i].slots_log2, 2);
	}
	crypto_aead_xchacha20poly1305_ietf_encrypt(out + HEAD, &sealed, plain, (size_t)(at - plain),
						   out, HEAD, NULL, out + SESSION_AT, key);
	return HEAD + (size_t)sealed;
}

/* Length, name, version, in this order. */
static enum peer_fate check_head(const uint8_t *data, size_t len)
{
	if (len < HEAD + BODY + SEAL || memcmp(data, "SHP", 3) != 0)
		return PEER_MALFORMED;
	if (data[3] != VERSION)
		return PEER_OTHER_VERSION;
	if (data[4] == 0 || data[4] >= PEER_TYPES || data[5] > PEER_ENTRIES || data[6] || data[7])
		return PEER_MALFORMED;
	return len == HEAD + BODY + ENTRY * (size_t)data[5] + SEAL ? PEER_TAKEN : PEER_MALFORMED;
}

static void get_entry(const uint8_t **at, struct peer_entry *e)
{
	e->hash = get(at, 8);
	e->backend = get(at, 8);
	e->salt = (uint32_t)get(at, 4);
	e->slot = (uint16_t)get(at, 2);
	e->slots_log2 = (uint8_t)get(at, 1);
	*at += 1;
}

enum peer_fate peer_msg_open(const uint8_t *data, size_t len,
			     const uint8_t key[static PEER_KEY_LEN], struct peer_message *m)
{
	uint8_t plain[BODY + ENTRY * PEER_ENTRIES];
	const uint8_t *at = data + SESSION_AT + PEER_SESSION_LEN;
	unsigned long long n = 0;
	enum peer_fate fate = check_head(data, len);

	if (fate != PEER_TAKEN)
		return fate;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, &n, NULL, data + HEAD, len - HEAD,
						       data, HEAD, data + SESSION_AT, key))
		return PEER_FORGED;
	m->type = data[4];
	m->n = data[5];
	memcpy(m->session, data + SESSION_AT, PEER_SESSION_LEN);
	m->number = get(&at, 8);
	at = plain;
	m->time_ms = get(&at, 8);
	m->secret = (uint32_t)get(&at, 8);
	for (size_t i = 0; i < m->n; i++) {
		get_entry(&at, &m->entries[i]);
		/* Sealed by a peer, and still nothing that could be shifted by. */
		if (m->entries[i].slots_log2 > 16)
			return PEER_MALFORMED;
	}
	return m->number ? PEER_TAKEN : PEER_MALFORMED;
}

/* ---- who has said what ------------------------------------------------------------------------*/

static bool is_within(uint64_t a, uint64_t b)
{
	return (a > b ? a - b : b - a) <= PEER_TIME_MS;
}

/* The sender's place, or a free one; NULL when there is none. A sender whose messages would all be stale
 * by now is as good as none. */
static struct peer_sender *find_sender(struct peer_senders *s, const uint8_t *session,
				       uint64_t now_ms)
{
	struct peer_sender *unused = NULL;

	for (size_t i = 0; i < PEER_SENDERS; i++) {
		struct peer_sender *p = &s->list[i];

		if (p->highest && memcmp(p->session, session, PEER_SESSION_LEN) == 0)
			return p;
		if (!p->highest || !is_within(p->time_ms, now_ms))
			unused = p;
	}
	if (unused) {
		*unused = (struct peer_sender){0};
		memcpy(unused->session, session, PEER_SESSION_LEN);
	}
	return unused;
}

/* The last 64 numbers may come in any order. */
static bool is_new(struct peer_sender *p, uint64_t number)
{
	uint64_t behind;

	if (number > p->highest) {
		p->seen = number - p->highest < 64 ? p->seen << (number - p->highest) | 1 : 1;
		p->highest = number;
		return true;
	}
	behind = p->highest - number;
	if (behind >= 64 || p->seen >> behind & 1)
		return false;
	p->seen |= 1ull << behind;
	return true;
}

enum peer_fate peer_admit(struct peer_senders *s, const struct peer_message *m, uint64_t now_ms)
{
	struct peer_sender *p;

	if (!is_within(m->time_ms, now_ms))
		return PEER_STALE;
	p = find_sender(s, m->session, now_ms);
	if (!p)
		return PEER_CROWDED;
	if (!is_new(p, m->number))
		return PEER_REPLAYED;
	if (m->time_ms > p->time_ms)
		p->time_ms = m->time_ms;
	return PEER_TAKEN;
}
