/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/quic_table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define PLACES_MAX (1u << 24)

static uint8_t mode_of(const struct conf_quic_config *c)
{
	if (!c->has_key)
		return SHUNT_QUIC_PLAIN;
	return c->server_id_length + c->nonce_length == 16 ? SHUNT_QUIC_ONE_PASS
							   : SHUNT_QUIC_FOUR_PASS;
}

void quic_record(const struct conf_quic *quic, struct shunt_quic *out)
{
	*out = (struct shunt_quic){.format = quic->katran ? SHUNT_QUIC_KATRAN : SHUNT_QUIC_LB};
	for (size_t i = 0; i < quic->n; i++) {
		const struct conf_quic_config *from = &quic->config[i];
		struct shunt_quic_config *to = &out->config[from->id];

		to->mode = mode_of(from);
		to->id_len = (uint8_t)from->server_id_length;
		to->nonce_len = (uint8_t)from->nonce_length;
		if (from->has_key)
			aes_round_keys(from->key, to->round_key);
	}
}

static struct shunt_quic_server entry_of(const struct quic_server *s)
{
	struct shunt_quic_server e = {.id = {0, s->id->len}, .number = s->number};

	for (size_t i = 0; i < s->id->len; i++)
		e.id[i / 8] |= (uint64_t)s->id->octets[i] << (56 - i % 8 * 8);
	return e;
}

static bool put(struct shunt_quic_server *table, uint32_t mask, const struct quic_server *s)
{
	const struct shunt_quic_server e = entry_of(s);
	uint32_t place = shunt_quic_place(e.id[0], e.id[1], mask);

	for (uint32_t i = 0; i < SHUNT_QUIC_PROBES; i++) {
		struct shunt_quic_server *at = &table[(place + i) & mask];

		if (at->number)
			continue;
		*at = e;
		return true;
	}
	return false;
}

static bool put_all(struct shunt_quic_server *table, uint32_t mask,
		    const struct quic_server *servers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!put(table, mask, &servers[i]))
			return false;
	}
	return true;
}

int quic_table_build(const struct quic_server *servers, size_t n, struct shunt_quic_server **out,
		     uint32_t *places)
{
	uint32_t size = SHUNT_QUIC_PROBES;

	while (size < 2 * n)
		size *= 2;
	for (; size <= PLACES_MAX; size *= 2) {
		struct shunt_quic_server *table = calloc(size, sizeof(*table));

		if (!table)
			return -ENOMEM;
		if (put_all(table, size - 1, servers, n)) {
			*out = table;
			*places = size;
			return 0;
		}
		free(table);
	}
	return -ENOMEM;
}
