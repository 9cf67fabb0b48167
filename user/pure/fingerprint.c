/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/fingerprint.h"

#include <string.h>

#include "pure/hashkey.h"

/* Another number whenever the same tables get another fingerprint. */
#define FINGERPRINT_VERSION 1

static uint64_t take(uint64_t h, const void *data, size_t len)
{
	const uint64_t key[2] = {h, 0x66696e6765727072ull + FINGERPRINT_VERSION};

	return siphash24(data, len, key);
}

static uint64_t take_number(uint64_t h, uint64_t value)
{
	return take(h, &value, sizeof(value));
}

static uint64_t take_text(uint64_t h, const char *text)
{
	return take(h, text, strlen(text));
}

static uint64_t take_addr(uint64_t h, const struct addr *a)
{
	return take_number(take(h, a->bytes, addr_bits(a) / 8), a->family);
}

/* ---- settings -----------------------------------------------------------------------------------*/

/* Of the set of ports: where it begins and ends, however it is put together. */
static uint64_t take_ports(uint64_t h, const struct conf_service *s)
{
	uint64_t edges = 0;
	size_t i;

	for (i = 0; i < s->n_ports; i++) {
		edges ^= take_number(1, s->ports[i].from);
		edges ^= take_number(1, s->ports[i].to + 1u);
	}
	return take_number(h, edges);
}

static uint64_t take_quic(uint64_t h, const struct conf_quic *q)
{
	uint64_t sum = q->katran;

	for (int i = 0; i < q->n; i++) {
		const struct conf_quic_config *c = &q->config[i];
		uint64_t one = take_number(2, c->id);

		one = take_number(one, c->server_id_length);
		one = take_number(one, c->nonce_length);
		if (c->has_key)
			one = take(one, c->key, sizeof(c->key));
		sum += one;
	}
	return take_number(h, sum);
}

uint64_t fingerprint_settings(const struct conf_service *s)
{
	uint64_t h = take_text(3, s->name);

	h = take_addr(h, &s->vip);
	h = take_number(h, s->vip_bits);
	h = take_ports(h, s);
	h = take_number(h, s->protocol);
	h = take_text(h, conf_scheduler_name(s->scheduler));
	h = take_text(h, conf_on_empty_name(s->on_empty));
	h = take_number(h, conf_flow_timeout_ms(s));
	h = take_number(h, (uint64_t)s->affinity << 16 | (uint64_t)s->udp_flows << 8 |
				   s->source_prefix);
	h = take_number(h, s->min_healthy.n * 2u + s->min_healthy.percent);
	h = take_number(h, s->panic);
	return take_quic(h, &s->quic);
}

uint64_t fingerprint_backend(const struct conf_backend *b, uint16_t weight)
{
	uint64_t h = take_text(4, b->name), ids = 0;

	h = take_addr(h, &b->addr);
	h = take_number(h, b->port);
	h = take_number(h, weight);
	h = take_number(h, b->pool);
	h = take_text(h, conf_forward_name(b->forward));
	for (int i = 0; i < CONF_SERVER_IDS; i++)
		if (b->server_ids[i].len)
			ids += take(5, b->server_ids[i].octets, b->server_ids[i].len);
	h = take_number(h, ids);
	return h ? h : 1;
}

/* ---- slots --------------------------------------------------------------------------------------*/

static uint32_t number_in(uint16_t slot)
{
	return slot & SHUNT_SLOT_BACKEND;
}

uint32_t fingerprint_period(const uint16_t *slots, uint32_t n)
{
	for (; n > 1; n /= 2)
		for (uint32_t i = 0; i < n / 2; i++)
			if (number_in(slots[i]) != number_in(slots[i + n / 2]))
				return n;
	return n;
}

/* Each step is a bijection of what was before, so tables that differ in one slot never agree. */
uint64_t fingerprint_slots(const uint16_t *slots, uint32_t n, const uint64_t *of)
{
	uint64_t h = n;

	for (uint32_t i = 0; i < n; i++) {
		h = (h ^ of[number_in(slots[i])]) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 32;
	}
	return h;
}

uint64_t fingerprint_add_slot(uint64_t owned, uint32_t slot)
{
	uint64_t x = (slot + 1ull) * 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	return owned + (x ^ x >> 27);
}

/* ---- together -----------------------------------------------------------------------------------*/

uint64_t fingerprint_service(uint64_t settings, uint64_t backends, uint64_t slots)
{
	return take_number(take_number(take_number(6, settings), backends), slots);
}

uint64_t fingerprint_add_service(uint64_t whole, const char *name, uint64_t fingerprint)
{
	return whole + take_number(take_text(7, name), fingerprint);
}

uint64_t fingerprint_whole(uint64_t services, uint32_t secret)
{
	return take_number(take_number(8, services), secret);
}

uint32_t fingerprint_secret(const uint64_t hash_key[static SHUNT_HASH_WORDS])
{
	return (uint32_t)take(9, hash_key, SHUNT_HASH_WORDS * sizeof(*hash_key));
}
