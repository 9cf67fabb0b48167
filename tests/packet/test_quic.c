/* SPDX-License-Identifier: BSD-2-Clause */
/* Connection ids of QUIC choose the backend. */
#include "quic_world.h"

/* ---- QUIC-LB ------------------------------------------------------------------------------------*/

/* Appendix B of draft-ietf-quic-load-balancers-21, and the example of its section 5.4.2. */
static const struct vector {
	uint16_t id;
	const char *server_id, *nonce, *key, *cid;
} vectors[] = {
	{0, "c4605e", "4504cc4f", NULL, "07c4605e4504cc4f"},
	{1, "350d28b420", "3487d970b0", NULL, "2a350d28b4203487d970b0"},
	{0, "ed793a", "ee080dbf", "8f95f09245765f80256934e50c66207f", "0720b1d07b359d3c"},
	{1, "ed793a51d49b8f5fab65", "ee080dbf48", "8f95f09245765f80256934e50c66207f",
	 "2fcc381bc74cb4fbad2823a3d1f8fed2"},
	{2, "ed793a51d49b8f5f", "ee080dbf48c0d1e5", "8f95f09245765f80256934e50c66207f",
	 "504dd2d05a7b0de9b2b9907afb5ecf8cc3"},
	{0, "ed793a51d49b8f5fab", "ee080dbf48c0d1e55d", "8f95f09245765f80256934e50c66207f",
	 "125779c9cc86beb3a3a4a3ca96fce4bfe0cdbc"},
	{0, "31441a", "9c69c275", "fdf726a9893ec05c0632d3956680baf0", "0767947d29be054a"},
};
#define N_VECTORS (sizeof(vectors) / sizeof(*vectors))

static void use_vector(struct fixture *f, const struct vector *v)
{
	use_config(f, v->id, (uint16_t)(strlen(v->nonce) / 2), v->key, v->server_id);
}

static void the_drafts_vectors_reach_their_server(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 2 * N_VECTORS; i++) {
		const struct vector *v = &vectors[i / 2];

		use_vector(f, v);
		for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
			uint8_t family = families[i % 2];
			struct shunt_service *svc = quic_service(f, family, kinds[k]);
			struct quic_packet p = packet(family, kinds[k], v->cid);

			scheduled(f, svc, &p);
			assert_goes_to(f, svc, &p, OWNER);
			p.is_long = true;
			assert_goes_to(f, svc, &p, OWNER);
		}
	}
}

static void a_client_keeps_its_server_when_its_address_changes(void **state)
{
	struct fixture *f = *state;
	struct shunt_service *svc = quic_service(f, 4, WORLD_DSR);
	struct quic_packet p = packet(4, WORLD_DSR, vectors[4].cid);

	use_vector(f, &vectors[4]);
	for (uint16_t i = 0; i < 200; i++) {
		p.r.sport = (uint16_t)(1024 + 7 * i);
		p.r.src[3] = (uint8_t)(1 + i);
		assert_goes_to(f, svc, &p, OWNER);
	}
}

/* Where the server's id begins and ends in a connection id that is not encrypted. */
static bool matters(const struct vector *v, size_t octet, uint8_t bit)
{
	if (octet == 0)
		return bit >= 5; /* the rest is a length, or random */
	return v->key || octet <= strlen(v->server_id) / 2;
}

static void an_id_with_another_bit_is_nobodys(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < N_VECTORS; i++) {
		const struct vector *v = &vectors[i];
		struct shunt_service *svc = quic_service(f, 4, WORLD_DSR);
		struct quic_packet p = packet(4, WORLD_DSR, v->cid);
		uint32_t other;

		use_vector(f, v);
		other = scheduled(f, svc, &p);
		for (size_t bit = 0; bit < 8 * p.cid_len; bit++) {
			p.cid[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_goes_to(f, svc, &p, matters(v, bit / 8, bit % 8) ? other : OWNER);
			p.cid[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

/* The datagram ends everywhere between its header and behind its id; what follows the packet on the wire
 * is the id's rest, which must not be taken for a part of it. */
static void an_id_that_is_cut_off_is_nobodys(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 4 * N_VECTORS; i++) {
		const struct vector *v = &vectors[i / 4];
		uint8_t family = families[i % 2];
		struct shunt_service *svc = quic_service(f, family, WORLD_DSR);
		struct quic_packet p = packet(family, WORLD_DSR, v->cid);
		size_t whole, before = i & 2 ? 6 : 1;
		struct frame in;
		uint32_t other;

		use_vector(f, v);
		p.is_long = i & 2;
		other = scheduled(f, svc, &p);
		whole = before + p.cid_len;
		for (uint16_t len = 0; len <= whole; len++) {
			build(&p, &in);
			put16(in.bytes + in.l4 + 4, (uint16_t)(8 + len));
			assert_int_equal(backend_of(f, svc, &in), len < whole ? other : OWNER);
		}
	}
}

static void a_long_header_says_how_long_its_id_is(void **state)
{
	struct fixture *f = *state;
	struct shunt_service *svc = quic_service(f, 4, WORLD_DSR);
	struct quic_packet p = packet(4, WORLD_DSR, vectors[2].cid);
	struct frame in;
	uint32_t other;

	use_vector(f, &vectors[2]);
	p.is_long = true;
	other = scheduled(f, svc, &p);
	for (uint32_t len = 0; len < 256; len++) {
		build(&p, &in);
		in.bytes[in.l4 + 8 + 5] = (uint8_t)len;
		/* longer ones have octets of the server's own; 58 are left in the datagram */
		assert_int_equal(backend_of(f, svc, &in),
				 len >= p.cid_len && len <= 58 ? OWNER : other);
	}
}

static void options_and_extension_headers_move_the_id(void **state)
{
	struct fixture *f = *state;

	use_vector(f, &vectors[3]);
	for (int i = 0; i < 2; i++) {
		struct shunt_service *svc = quic_service(f, families[i], WORLD_IPIP4);
		struct quic_packet p = packet(families[i], WORLD_IPIP4, vectors[3].cid);

		p.r.option_words = families[i] == 4 ? 3 : 0;
		p.r.tags = 1;
		if (families[i] == 6) {
			p.r.n_ext = 2;
			p.r.ext[0] = IPPROTO_HOPOPTS;
			p.r.ext[1] = IPPROTO_DSTOPTS;
			p.r.ext_units[0] = 1;
			p.r.ext_units[1] = 3;
		}
		scheduled(f, svc, &p);
		assert_goes_to(f, svc, &p, OWNER);
	}
}

static void several_configurations_hold_at_once(void **state)
{
	struct fixture *f = *state;
	struct shunt_service *svc = quic_service(f, 4, WORLD_DSR);
	struct conf_quic quic = {.n = 2};
	struct conf_server_id ids[3] = {{3, {0xed, 0x79, 0x3a}}, {3, {0xc4, 0x60, 0x5e}}, {1, {7}}};
	struct quic_server servers[3] = {{&ids[0], 2}, {&ids[1], 6}, {&ids[2], 1}};
	struct quic_packet p;

	quic.config[0] = (struct conf_quic_config){3, 3, 4, false, {0}};
	quic.config[1] = (struct conf_quic_config){0, 3, 4, true, {0}};
	from_hex(vectors[2].key, quic.config[1].key);
	use_record(f, &quic, servers, 3);
	p = packet(4, WORLD_DSR, vectors[2].cid);
	assert_goes_to(f, svc, &p, 2);
	p = packet(4, WORLD_DSR, "67c4605e00000000");
	assert_goes_to(f, svc, &p, 6);
	p = packet(4, WORLD_DSR, "6007000000000000"); /* an id of one octet has no configuration */
	assert_goes_to(f, svc, &p, scheduled(f, svc, &p));
}

/* ---- Katran -------------------------------------------------------------------------------------*/

static void katrans_versions_reach_their_server(void **state)
{
	static const struct {
		const char *id, *cid;
	} cases[] = {
		{"abcd", "6af3400000000000"}, /* 01, then 16 bits */
		{"0a0b0c", "800a0b0c00000000"},
		{"0a0b0c0d", "c00a0b0c0d000000"},
	};
	struct fixture *f = *state;
	const struct conf_quic quic = {.katran = true};
	struct shunt_service *svc = quic_service(f, 6, WORLD_DSR);
	struct quic_packet p;
	uint32_t other;

	for (size_t i = 0; i < 3; i++) {
		use_id(f, &quic, cases[i].id);
		p = packet(6, WORLD_DSR, cases[i].cid);
		other = scheduled(f, svc, &p);
		assert_goes_to(f, svc, &p, OWNER);
		p.cid[0] &= 0x3f; /* no version */
		assert_goes_to(f, svc, &p, other);
		p.cid[0] |= 0xc0;
		p.cid[1] ^= 0x80;
		assert_goes_to(f, svc, &p, other);
	}
}

/* Of all packets that a long header can be of, those that a client may send before it has a server's id. */
static void katran_leaves_what_clients_make_up_to_the_scheduler(void **state)
{
	static const char *const cids[] = {"6af3400000000000", "800a0b0c00000000"};
	static const char *const ids[] = {"abcd", "0a0b0c"};
	struct fixture *f = *state;
	const struct conf_quic quic = {.katran = true};

	for (size_t i = 0; i < 4; i++) {
		struct shunt_service *svc = quic_service(f, families[i % 2], WORLD_DSR);
		struct quic_packet p = packet(families[i % 2], WORLD_DSR, cids[i / 2]);
		struct frame in;
		uint32_t other;

		use_id(f, &quic, ids[i / 2]);
		p.is_long = true;
		other = scheduled(f, svc, &p);
		for (uint32_t first = 0x80; first < 0x100; first++) {
			build(&p, &in);
			in.bytes[in.l4 + 8] = (uint8_t)first;
			assert_int_equal(backend_of(f, svc, &in), first & 0x20 ? OWNER : other);
		}
		for (uint32_t len = 0; len <= 58; len++) {
			build(&p, &in);
			in.bytes[in.l4 + 8] = 0xe3;
			in.bytes[in.l4 + 8 + 5] = (uint8_t)len;
			assert_int_equal(backend_of(f, svc, &in), len >= 8 ? OWNER : other);
		}
		for (uint32_t first = 0; first < 0x80; first++) { /* a short header has no type */
			p.is_long = false;
			build(&p, &in);
			in.bytes[in.l4 + 8] = (uint8_t)first;
			assert_int_equal(backend_of(f, svc, &in), OWNER);
		}
	}
}

/* ---- who cannot take it ---------------------------------------------------------------------------*/

static void a_server_that_is_down_is_stood_in_for(void **state)
{
	struct fixture *f = *state;
	struct shunt_service *svc = quic_service(f, 4, WORLD_DSR);
	struct quic_packet p = packet(4, WORLD_DSR, vectors[2].cid);
	uint32_t other;

	use_vector(f, &vectors[2]);
	other = scheduled(f, svc, &p);
	f->backends[svc->row + OWNER].flags |=
		SHUNT_BE_NO_NEW; /* draining: it has the connection */
	assert_goes_to(f, svc, &p, OWNER);
	f->backends[svc->row + OWNER].flags &= (uint8_t)~SHUNT_BE_USABLE;
	assert_goes_to(f, svc, &p, other);
	f->backends[svc->row + OWNER].flags |= SHUNT_BE_USABLE;
	svc->backends = OWNER - 1;
	assert_goes_to(f, svc, &p, other);
}

static void without_a_record_the_scheduler_chooses(void **state)
{
	static const uint32_t numbers[] = {0, WORLD_QUIC_RECORDS, 0xffffffff};
	struct fixture *f = *state;
	struct shunt_service *svc = quic_service(f, 4, WORLD_DSR);
	struct quic_packet p = packet(4, WORLD_DSR, vectors[2].cid);
	uint32_t other;

	use_vector(f, &vectors[2]);
	other = scheduled(f, svc, &p);
	for (size_t i = 0; i < 3; i++) {
		f->backends[svc->row].addr[0] = numbers[i];
		assert_goes_to(f, svc, &p, other);
	}
	f->backends[svc->row].addr[0] = RECORD;
	f->quic_records[RECORD].servers_at = 0xfffffff0;
	assert_goes_to(f, svc, &p, other);
}

static void round_robin_is_asked_only_for_unknown_ids(void **state)
{
	struct fixture *f = *state;
	struct shunt_service *svc = quic_service(f, 4, WORLD_DSR);
	struct quic_packet p = packet(4, WORLD_DSR, vectors[4].cid);
	struct frame in;
	struct outcome o;

	use_vector(f, &vectors[4]);
	svc->flags |= SHUNT_SVC_FLOWS;
	svc->flow_timeout = WORLD_TIMEOUT;
	build(&p, &in);
	for (int i = 0; i < 7; i++) {
		fixture_run(f, &in, &o);
		assert_int_equal(o.row, svc->row + OWNER);
		assert_int_equal(o.flows, 0);
		assert_int_equal(f->flows[0].word[0], 0);
	}
	p.cid[0] = 0xff;
	build(&p, &in);
	fixture_run(f, &in, &o);
	assert_int_equal(o.flows, 1);
}

static void frames_cut_anywhere_are_never_sent_on(void **state)
{
	struct fixture *f = *state;
	struct outcome o;

	use_vector(f, &vectors[3]);
	for (int i = 0; i < 2; i++) {
		struct quic_packet p = packet(families[i], WORLD_DSR, vectors[3].cid);
		struct frame in;

		quic_service(f, families[i], WORLD_DSR);
		build(&p, &in);
		for (size_t len = 14; len < in.len; len++) {
			struct frame cut = in;

			cut.len = len;
			fixture_run(f, &cut, &o);
			assert_true(o.action == XDP_DROP || o.action == XDP_PASS);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup(name, fixture_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_drafts_vectors_reach_their_server),
		TEST(a_client_keeps_its_server_when_its_address_changes),
		TEST(an_id_with_another_bit_is_nobodys),
		TEST(an_id_that_is_cut_off_is_nobodys),
		TEST(a_long_header_says_how_long_its_id_is),
		TEST(options_and_extension_headers_move_the_id),
		TEST(several_configurations_hold_at_once),
		TEST(katrans_versions_reach_their_server),
		TEST(katran_leaves_what_clients_make_up_to_the_scheduler),
		TEST(a_server_that_is_down_is_stood_in_for),
		TEST(without_a_record_the_scheduler_chooses),
		TEST(round_robin_is_asked_only_for_unknown_ids),
		TEST(frames_cut_anywhere_are_never_sent_on),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
