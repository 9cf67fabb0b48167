/* SPDX-License-Identifier: BSD-2-Clause */
/* Services of the fixture whose backends put their ids into connection ids, and packets with such ids.
 * Included once a program. */
#ifndef QUIC_WORLD_H
#define QUIC_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* */
#include <cmocka.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fixture.h"
#include "pure/quic_table.h"

#define RECORD 1
#define OWNER 5 /* the backend whose id the tests put into connection ids */
#define PLACES_AT 16
#define CID_MAX 20

static const uint8_t families[2] = {4, 6};
static const enum world_kind kinds[] = {WORLD_DSR, WORLD_IPIP4, WORLD_GUE6};

static inline size_t from_hex(const char *text, uint8_t *out)
{
	size_t n = strlen(text) / 2;

	for (size_t i = 0; i < n; i++) {
		char pair[3] = {text[2 * i], text[2 * i + 1], 0};

		out[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return n;
}

/* ---- tables -------------------------------------------------------------------------------------*/

static inline void use_record(struct fixture *f, const struct conf_quic *quic,
			      const struct quic_server *servers, size_t n)
{
	struct shunt_quic_server *table;
	uint32_t places;

	quic_record(quic, &f->quic_records[RECORD]);
	assert_int_equal(quic_table_build(servers, n, &table, &places), 0);
	assert_true(PLACES_AT + places <= WORLD_QUIC_PLACES);
	memcpy(f->quic_servers + PLACES_AT, table, places * sizeof(*table));
	free(table);
	f->quic_records[RECORD].servers_at = PLACES_AT;
	f->quic_records[RECORD].servers_mask = places - 1;
}

/* One id, of backend OWNER. */
static inline void use_id(struct fixture *f, const struct conf_quic *quic, const char *id)
{
	struct conf_server_id server_id = {0};
	struct quic_server server = {&server_id, OWNER};

	server_id.len = (uint8_t)from_hex(id, server_id.octets);
	use_record(f, quic, &server, 1);
}

static inline void use_config(struct fixture *f, uint16_t id, uint16_t nonce_length,
			      const char *key, const char *server_id)
{
	struct conf_quic quic = {.n = 1};
	struct conf_quic_config *c = &quic.config[0];

	c->id = id;
	c->server_id_length = (uint16_t)(strlen(server_id) / 2);
	c->nonce_length = nonce_length;
	c->has_key = key;
	if (key)
		assert_int_equal(from_hex(key, c->key), AES_KEY_LEN);
	use_id(f, &quic, server_id);
}

/* The scheduler knows of the first backend alone. */
static inline struct shunt_service *quic_service(struct fixture *f, uint8_t family,
						 enum world_kind kind)
{
	struct shunt_service *svc = world_service(f, family, IPPROTO_UDP, kind);

	svc->flags |= SHUNT_SVC_QUIC;
	f->backends[svc->row].addr[0] = RECORD;
	for (uint32_t number = 2; number < WORLD_ROWS_EACH; number++)
		f->backends[svc->row + number] = f->backends[svc->row + 1];
	svc->backends = WORLD_ROWS_EACH - 1;
	return svc;
}

/* ---- packets ------------------------------------------------------------------------------------*/

struct quic_packet {
	struct recipe r;
	bool is_long;
	uint8_t cid[CID_MAX];
	size_t cid_len;
};

static inline void build(const struct quic_packet *p, struct frame *out)
{
	uint8_t *at;

	frame_build(&p->r, out);
	at = out->bytes + out->l4 + 8;
	assert_true(p->r.payload >= 6 + CID_MAX);
	if (p->is_long) {
		memcpy(at, (uint8_t[]){0xc3, 0, 0, 0, 1, (uint8_t)p->cid_len}, 6);
		at += 6;
	} else {
		*at++ = 0x43;
	}
	memcpy(at, p->cid, p->cid_len);
}

static inline struct quic_packet packet(uint8_t family, enum world_kind kind, const char *cid)
{
	struct quic_packet p = {.r = world_recipe(family, IPPROTO_UDP, kind)};

	p.r.payload = 64;
	p.cid_len = from_hex(cid, p.cid);
	return p;
}

/* The number of the backend that gets the frame; poisoned headroom makes no difference. */
static inline uint32_t backend_of(struct fixture *f, const struct shunt_service *svc,
				  const struct frame *in)
{
	struct outcome o, poisoned;

	fixture_run(f, in, &o);
	assert_int_equal(o.verdicts, 0);
	assert_int_equal(o.rows, 1);
	assert_int_equal(o.packets, 1);
	assert_true(o.row > svc->row && o.row < svc->row + WORLD_ROWS_EACH);
	fixture_run_poisoned(f, in, 0xa5, &poisoned);
	assert_int_equal(o.out.len, poisoned.out.len);
	assert_memory_equal(o.out.bytes, poisoned.out.bytes, o.out.len);
	return o.row - svc->row;
}

/* Whom the scheduler chooses. */
static inline uint32_t scheduled(struct fixture *f, struct shunt_service *svc,
				 const struct quic_packet *p)
{
	uint8_t flags = svc->flags;
	struct frame in;
	uint32_t number;

	svc->flags &= (uint8_t)~SHUNT_SVC_QUIC;
	build(p, &in);
	number = backend_of(f, svc, &in);
	svc->flags = flags;
	assert_int_not_equal(number, OWNER);
	return number;
}

static inline void assert_goes_to(struct fixture *f, const struct shunt_service *svc,
				  const struct quic_packet *p, uint32_t number)
{
	struct frame in;

	build(p, &in);
	assert_int_equal(backend_of(f, svc, &in), number);
}

#endif
