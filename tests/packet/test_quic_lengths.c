/* SPDX-License-Identifier: BSD-2-Clause */
/* Connection ids of every length of server id and nonce, made by a reference (quic_reference.h) that shares
 * no line with what is tested; and what is at the edges of the packets that they come in. */
#include "fixture.h"

#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pure/quic_table.h"
#include "quic_reference.h"

#define RECORD 1
#define NAMED 5 /* the backend that a good id names */
#define OTHERS 1 /* the backend in all slots */
#define PLACES_AT 16
#define SHORT 0x40 /* first octets of version 1; RFC 9000 section 17 */
#define HANDSHAKE 0xe0

static const uint8_t families[] = {4, 6};

/* ---- set-up -------------------------------------------------------------------------------------*/

static int reset(void **state)
{
	struct fixture *f;
	int rc = fixture_reset(state);

	f = *state;
	for (size_t i = 0; i < 2; i++)
		for (enum world_kind kind = WORLD_DSR; kind <= WORLD_LOCAL; kind++) {
			struct shunt_service *svc =
				world_service(f, families[i], IPPROTO_UDP, kind);

			svc->flags |= SHUNT_SVC_QUIC;
			svc->backends = WORLD_ROWS_EACH - 1;
			f->backends[svc->row].addr[0] = RECORD;
		}
	return rc;
}

/* The one configuration, and the one server id that it knows. */
static void install(struct fixture *f, const struct ref_config *c, const uint8_t *server_id)
{
	struct conf_quic quic = {.n = 1};
	struct conf_server_id id = {.len = c->server_id_len};
	struct quic_server server = {&id, NAMED};
	struct shunt_quic *record = &f->quic_records[RECORD];
	struct shunt_quic_server *table;
	uint32_t places;

	quic.config[0] = (struct conf_quic_config){
		.id = (uint16_t)c->id,
		.server_id_length = c->server_id_len,
		.nonce_length = c->nonce_len,
		.has_key = c->encrypted,
	};
	memcpy(quic.config[0].key, c->key, sizeof(c->key));
	memcpy(id.octets, server_id, c->server_id_len);
	memset(record, 0, sizeof(*record));
	quic_record(&quic, record);
	assert_int_equal(quic_table_build(&server, 1, &table, &places), 0);
	assert_true(PLACES_AT + places <= WORLD_QUIC_PLACES);
	memcpy(f->quic_servers + PLACES_AT, table, places * sizeof(*table));
	free(table);
	record->servers_at = PLACES_AT;
	record->servers_mask = places - 1;
}

static void fill(uint8_t *octets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		octets[i] = (uint8_t)(random() >> 7);
}

/* A random key, server id and nonce of the lengths; the id stands in @cid, its length is returned. */
static size_t install_random(struct fixture *f, struct ref_config *c,
			     uint8_t cid[static REF_CID_MAX])
{
	uint8_t server_id[15], nonce[18];

	fill(c->key, sizeof(c->key));
	fill(server_id, sizeof(server_id));
	fill(nonce, sizeof(nonce));
	install(f, c, server_id);
	return ref_cid(c, server_id, nonce, cid);
}

/* ---- packets -------------------------------------------------------------------------------------*/

static struct frame datagram(uint8_t family, enum world_kind kind, const uint8_t *payload,
			     size_t len)
{
	struct recipe r = world_recipe(family, IPPROTO_UDP, kind);
	struct frame in;

	r.payload = (uint16_t)len;
	frame_build(&r, &in);
	memcpy(in.bytes + in.l4 + 8, payload, len);
	return in;
}

/* A QUIC packet with something behind the id; returns its length. */
static size_t packet(uint8_t first, const uint8_t *cid, size_t cid_len, uint8_t out[static 300])
{
	size_t n = 0;

	memset(out, 0x5a, 300);
	out[n++] = first;
	if (first & 0x80) {
		put32(out + n, 1);
		n += 4;
		out[n++] = (uint8_t)cid_len;
	}
	memcpy(out + n, cid, cid_len);
	return n + cid_len + 40;
}

static void assert_goes(struct fixture *f, uint8_t family, enum world_kind kind,
			const struct frame *in, uint32_t number)
{
	struct outcome o;

	fixture_run(f, in, &o);
	assert_int_equal(o.verdicts, 0);
	assert_int_equal(o.rows, 1);
	assert_int_equal(o.packets, 1);
	assert_int_equal(o.row, world_row(family, IPPROTO_UDP, kind) + number);
}

static void assert_id_goes(struct fixture *f, const uint8_t *cid, size_t len, uint32_t number)
{
	static const uint8_t firsts[] = {SHORT, 0x7f, HANDSHAKE, 0x80};
	uint8_t payload[300];

	for (size_t i = 0; i < 2 * sizeof(firsts); i++) {
		size_t n = packet(firsts[i / 2], cid, len, payload);
		struct frame in = datagram(families[i % 2], WORLD_DSR, payload, n);

		assert_goes(f, families[i % 2], WORLD_DSR, &in, number);
	}
}

/* ---- tests --------------------------------------------------------------------------------------*/

static void check_lengths(struct fixture *f, struct ref_config *c)
{
	uint8_t server_id[15], nonce[18], cid[REF_CID_MAX];
	size_t len;

	fill(c->key, sizeof(c->key));
	fill(server_id, sizeof(server_id));
	fill(nonce, sizeof(nonce));
	install(f, c, server_id);
	len = ref_cid(c, server_id, nonce, cid);
	assert_id_goes(f, cid, len, NAMED);
	server_id[random() % c->server_id_len] ^= (uint8_t)(1u << random() % 8);
	ref_cid(c, server_id, nonce, cid);
	assert_id_goes(f, cid, len, OTHERS);
}

static void ids_of_every_length_reach_their_server(void **state)
{
	struct fixture *f = *state;
	unsigned int n = 0;

	for (unsigned int id = 1; id <= 15; id++)
		for (unsigned int nonce = 4; nonce <= 18 && id + nonce <= 19; nonce++)
			for (unsigned int i = 0; i < 2; i++) {
				struct ref_config c = {
					.id = n++ % SHUNT_QUIC_CONFIGS,
					.server_id_len = (uint8_t)id,
					.nonce_len = (uint8_t)nonce,
					.encrypted = i,
				};

				check_lengths(f, &c);
			}
	assert_int_equal(n, 240);
}

/* As long as the datagram has the whole id, and not an octet less. */
static void every_length_is_looked_for_whole(void **state)
{
	struct fixture *f = *state;
	uint8_t cid[REF_CID_MAX], payload[300];

	for (uint8_t both = 5; both <= 19; both++) {
		struct ref_config c = {
			.server_id_len = (uint8_t)(both - 4), .nonce_len = 4, .encrypted = true};
		size_t len = install_random(f, &c, cid);

		for (size_t i = 0; i < 2; i++) {
			size_t whole = packet(i ? HANDSHAKE : SHORT, cid, len, payload) - 40;

			for (size_t n = 0; n <= whole + 2; n++) {
				struct frame in = datagram(4, WORLD_DSR, payload, n);

				assert_goes(f, 4, WORLD_DSR, &in, n < whole ? OTHERS : NAMED);
			}
		}
	}
}

/* What UDP does not count is not payload, though the IP packet has it (RFC 9868). */
static void the_datagram_ends_where_udp_says(void **state)
{
	struct ref_config c = {.server_id_len = 3, .nonce_len = 4, .encrypted = true};
	struct fixture *f = *state;
	uint8_t cid[REF_CID_MAX], payload[300];
	size_t len = install_random(f, &c, cid);
	struct frame in = datagram(4, WORLD_DSR, payload, packet(SHORT, cid, len, payload));

	put16(in.bytes + in.l4 + 4, (uint16_t)(8 + 1 + len));
	assert_goes(f, 4, WORLD_DSR, &in, NAMED);
	for (size_t n = 0; n < 1 + len; n++) {
		put16(in.bytes + in.l4 + 4, (uint16_t)(8 + n));
		assert_goes(f, 4, WORLD_DSR, &in, OTHERS);
	}
}

/* A longer id than it must be is fine; one that ends behind the packet is not there. */
static void every_length_in_a_long_header_holds(void **state)
{
	struct ref_config c = {.server_id_len = 3, .nonce_len = 4, .encrypted = true};
	struct fixture *f = *state;
	uint8_t cid[REF_CID_MAX], payload[300];
	size_t len = install_random(f, &c, cid);
	size_t n = packet(HANDSHAKE, cid, len, payload);

	for (unsigned int says = 0; says < 256; says++) {
		struct frame in;

		payload[5] = (uint8_t)says;
		in = datagram(4, WORLD_DSR, payload, n);
		assert_goes(f, 4, WORLD_DSR, &in, says >= len && says <= n - 6 ? NAMED : OTHERS);
	}
}

/* The stage forwards as the main program does: whoever chooses, the same bytes leave. */
static void the_frame_leaves_as_any_other(void **state)
{
	struct ref_config c = {.server_id_len = 8, .nonce_len = 8, .encrypted = true};
	struct fixture *f = *state;
	uint8_t cid[REF_CID_MAX], payload[300];
	size_t len = install_random(f, &c, cid);
	size_t n = packet(SHORT, cid, len, payload);

	for (size_t i = 0; i < 2; i++)
		for (enum world_kind kind = WORLD_DSR; kind <= WORLD_LOCAL; kind++) {
			struct frame in = datagram(families[i], kind, payload, n);
			struct shunt_service *svc =
				world_service(f, families[i], IPPROTO_UDP, kind);
			struct outcome by_id, by_slot;

			fixture_run(f, &in, &by_id);
			assert_int_equal(by_id.row, svc->row + NAMED);
			svc->flags = 0;
			for (uint32_t s = 0; s < WORLD_SLOTS; s++)
				*world_slot(f, svc, s) = NAMED;
			fixture_run(f, &in, &by_slot);
			assert_int_equal(by_slot.row, by_id.row);
			assert_int_equal(by_slot.action, by_id.action);
			assert_int_equal(by_slot.out.len, by_id.out.len);
			assert_memory_equal(by_slot.out.bytes, by_id.out.bytes, by_id.out.len);
		}
}

/* What no daemon writes: never more than the fallback. */
static void a_record_that_points_nowhere_decides_nothing(void **state)
{
	struct ref_config c = {.server_id_len = 3, .nonce_len = 4, .encrypted = true};
	struct fixture *f = *state;
	struct shunt_service *svc = world_service(f, 4, IPPROTO_UDP, WORLD_DSR);
	uint8_t cid[REF_CID_MAX], payload[300];
	size_t n = packet(SHORT, cid, install_random(f, &c, cid), payload);
	struct frame in = datagram(4, WORLD_DSR, payload, n);

	assert_goes(f, 4, WORLD_DSR, &in, NAMED);
	f->backends[svc->row].addr[0] = UINT32_MAX;
	assert_goes(f, 4, WORLD_DSR, &in, OTHERS);
	f->backends[svc->row].addr[0] = RECORD;
	f->quic_records[RECORD].servers_at = UINT32_MAX - 3;
	assert_goes(f, 4, WORLD_DSR, &in, OTHERS);
	f->quic_records[RECORD].servers_at = PLACES_AT;
	svc->backends = NAMED - 1;
	assert_goes(f, 4, WORLD_DSR, &in, OTHERS);
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ids_of_every_length_reach_their_server),
		TEST(every_length_is_looked_for_whole),
		TEST(the_datagram_ends_where_udp_says),
		TEST(every_length_in_a_long_header_holds),
		TEST(the_frame_leaves_as_any_other),
		TEST(a_record_that_points_nowhere_decides_nothing),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
