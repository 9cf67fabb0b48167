/* SPDX-License-Identifier: BSD-2-Clause */
/* A record of connection ids, and packets that have one: of the servers that there are, or of nobody. */
#include "fuzz.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pure/quic_table.h"

#define RECORD 1
#define PLACES_AT 7

static void config_roll(struct conf_quic *quic, struct dice *d)
{
	struct conf_quic_config *c = &quic->config[quic->n++];
	uint16_t most;

	c->id = (uint16_t)(quic->n - 1 + roll(d, 2) * 3);
	c->server_id_length = (uint16_t)(1 + roll(d, SHUNT_QUIC_ID_MAX));
	most = (uint16_t)(SHUNT_QUIC_BLOCK_MAX - c->server_id_length);
	c->nonce_length =
		(uint16_t)(SHUNT_QUIC_NONCE_MIN + roll(d, most - SHUNT_QUIC_NONCE_MIN + 1u));
	if (once_in(d, 3) && c->server_id_length <= 12)
		c->nonce_length = (uint16_t)(16 - c->server_id_length);
	c->has_key = !once_in(d, 3);
	roll_bytes(d, c->key, sizeof(c->key));
}

static void record_roll(struct fuzz_world *w, struct conf_quic *conf, struct dice *d)
{
	struct oracle_quic *q = &w->quics[RECORD];

	*conf = (struct conf_quic){.katran = once_in(d, 4)};
	for (uint32_t i = conf->katran ? 0 : 1 + roll(d, 3); i > 0; i--)
		config_roll(conf, d);
	*q = (struct oracle_quic){.is_katran = conf->katran};
	for (size_t i = 0; i < conf->n; i++) {
		const struct conf_quic_config *from = &conf->config[i];
		struct oracle_quic_config *to = &q->config[from->id];

		to->id_len = (uint8_t)from->server_id_length;
		to->nonce_len = (uint8_t)from->nonce_length;
		to->has_key = from->has_key;
		memcpy(to->key, from->key, 16);
	}
}

/* Some connection ids, and whatever servers they name. */
static void servers_roll(struct fuzz_world *w, const struct conf_quic *conf, struct dice *d)
{
	struct oracle_quic *q = &w->quics[RECORD];

	for (int i = 0; i < FUZZ_CIDS; i++) {
		uint8_t *cid = w->cids[i], id[SHUNT_QUIC_ID_MAX];
		uint16_t config =
			conf->n ? conf->config[roll(d, conf->n)].id : (uint16_t)roll(d, 8);
		bool is_known = false;
		size_t len;

		roll_bytes(d, cid, FUZZ_CID_LEN);
		cid[0] = (uint8_t)(config << 5 | (cid[0] & 31));
		len = oracle_quic_id(q, cid, FUZZ_CID_LEN, id);
		for (size_t k = 0; k < q->n_servers; k++)
			is_known |=
				q->server[k].len == len && memcmp(q->server[k].id, id, len) == 0;
		if (!len || is_known)
			continue;
		memcpy(q->server[q->n_servers].id, id, len);
		q->server[q->n_servers].len = len;
		q->server[q->n_servers++].number = 1 + roll(d, WORLD_ROWS_EACH);
	}
}

void fuzz_quic_fill(struct fuzz_world *w, struct dice *d)
{
	struct oracle_quic *q = &w->quics[RECORD];
	struct conf_server_id ids[FUZZ_CIDS] = {0};
	struct quic_server servers[FUZZ_CIDS];
	struct shunt_quic_server *table;
	struct conf_quic conf;
	uint32_t places;

	record_roll(w, &conf, d);
	servers_roll(w, &conf, d);
	for (size_t i = 0; i < q->n_servers; i++) {
		ids[i].len = (uint8_t)q->server[i].len;
		memcpy(ids[i].octets, q->server[i].id, q->server[i].len);
		servers[i] = (struct quic_server){&ids[i], q->server[i].number};
	}
	quic_record(&conf, &w->f->quic_records[RECORD]);
	assert_int_equal(quic_table_build(servers, q->n_servers, &table, &places), 0);
	assert_true(PLACES_AT + places <= WORLD_QUIC_PLACES);
	memcpy(w->f->quic_servers + PLACES_AT, table, places * sizeof(*table));
	free(table);
	w->f->quic_records[RECORD].servers_at = PLACES_AT;
	w->f->quic_records[RECORD].servers_mask = places - 1;
	w->tables.quics = w->quics;
	w->tables.n_quics = WORLD_QUIC_RECORDS;
}

void fuzz_quic_service(struct fixture *f, struct shunt_service *svc, struct dice *d)
{
	svc->flags |= SHUNT_SVC_QUIC;
	f->backends[svc->row].addr[0] = once_in(d, 8) ? roll(d, 4) : RECORD;
}

void fuzz_quic_payload(const struct fuzz_world *w, struct dice *d, struct frame *f)
{
	uint8_t *quic = f->bytes + f->l4 + 8, head[6] = {(uint8_t)roll64(d)};
	size_t room = f->l3 + f->l3_len - f->l4 - 8, head_len = 1, cid_len;

	if (f->l3 + f->l3_len <= f->l4 + 8)
		return;
	cid_len = once_in(d, 4) ? roll(d, FUZZ_CID_LEN + 1) : FUZZ_CID_LEN;
	head[0] &= 0x7f;
	if (once_in(d, 2)) {
		head[0] |= 0x80;
		head[5] = (uint8_t)(once_in(d, 8) ? roll64(d) : cid_len);
		head_len = 6;
	}
	memcpy(quic, head, room < head_len ? room : head_len);
	if (room <= head_len)
		return;
	room -= head_len;
	memcpy(quic + head_len, w->cids[roll(d, FUZZ_CIDS)], room < cid_len ? room : cid_len);
}
