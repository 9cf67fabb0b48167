/* SPDX-License-Identifier: BSD-2-Clause */
/* Two balancers in the middle of the same change, and flows that a router moves from one to the other:
 * two sets of tables, with other numbers, places and sizes, and the real program over each. What
 * the first one tells of its new flows comes to the second one sealed, as it would by UDP. Prints what
 * becomes of the flows with and without that. */
#include "dp_fixture.h"

#include <stdlib.h>

#include "pure/peer_msg.h"

#define FLOWS 4000
#define SALT 0x5eed
#define TIMEOUT 300

/* One balancer. */
struct host {
	struct dp *dp;
	struct dp_service service;
	uint16_t old, new; /* numbers of the backends */
	uint64_t read[1024], lost;
};

struct pair {
	struct host a, b;
	uint8_t key[PEER_KEY_LEN];
	struct peer_senders senders;
	uint64_t number;
	size_t told, taken;
};

/* ---- tables -------------------------------------------------------------------------------------*/

static void fill_slots(struct host *h, uint16_t slot, uint16_t base, uint16_t since)
{
	const uint32_t n = h->service.svc.slot_mask + 1u;
	uint16_t slots[4096];
	struct shunt_base_line line;
	uint32_t i, at;

	for (i = 0; i < SHUNT_SLOTS_PER_LINE; i++)
		line.slot[i] = (struct shunt_base){.base = base, .since = since};
	for (i = 0; i < n / SHUNT_SLOTS_PER_LINE; i++) {
		at = h->service.svc.slots_at + i;
		assert_int_equal(bpf_map_update_elem(dp_map_fd(h->dp, "bases"), &at, &line, 0), 0);
	}
	for (i = 0; i < n; i++)
		slots[i] = slot;
	dp_slots_write(h->dp, h->service.svc.slots_at, slots, n);
}

static void open_host(struct host *h, uint32_t slots, uint64_t flows, uint16_t old, uint16_t new)
{
	struct dp_options opt = {
		.sizes = {.services = 16, .rows = 64, .slot_lines = 256, .flows = flows},
		.hash_key = {1, 0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f, 0xd6e8feb86659fd93, 9, 11,
			     13, 15, 17, 19},
	};
	struct shunt_backend local = local_backend();
	struct dp_error err = {""};

	opt.sizes.news = true;
	if (dp_open(&opt, &h->dp, &err))
		fail_msg("%s", err.text);
	h->old = old;
	h->new = new;
	h->service = (struct dp_service){
		.vip = test_vip(false, 1),
		.port = 80,
		.protocol = IPPROTO_TCP,
		.svc = {.slots_at = slots / 1024,
			.slot_mask = (uint16_t)(slots - 1),
			.row = 8,
			.backends = 9,
			.salt = SALT,
			.flow_timeout = TIMEOUT},
	};
	dp_backend_write(h->dp, 8u + old, &local);
	dp_backend_write(h->dp, 8u + new, &local);
	fill_slots(h, old, 0, 0);
	if (dp_services_switch(h->dp, &h->service, 1, &err))
		fail_msg("%s", err.text);
}

static int set_up(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	open_host(&p->a, 1024, 20000, 1, 2);
	open_host(&p->b, 4096, 50000, 5, 3);
	peer_key_derive("of a fleet of two", p->key);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct pair *p = *state;

	dp_close(p->a.dp);
	dp_close(p->b.dp);
	free(p);
	return 0;
}

/* ---- packets ------------------------------------------------------------------------------------*/

#define SYN 0x02
#define ACK 0x10

/* Which backend a packet of the flow goes to; 0: none. */
static uint16_t send_packet(const struct host *h, uint32_t flow, uint8_t flags)
{
	struct frame f = udp_frame(&h->service.vip, 80, (uint16_t)(1024 + flow % 60000));
	uint64_t old = row_packets(h->dp, 8u + h->old), new = row_packets(h->dp, 8u + h->new);

	f.bytes[14 + 9] = IPPROTO_TCP;
	f.bytes[14 + 15] = (uint8_t)(flow / 60000);
	put16(f.bytes + 14 + 10, 0);
	put16(f.bytes + 14 + 10, ip_checksum(f.bytes + 14));
	f.bytes[14 + 20 + 12] = 5 << 4;
	f.bytes[14 + 20 + 13] = flags;
	run_frame(h->dp, &f, NULL);
	if (row_packets(h->dp, 8u + h->old) != old)
		return h->old;
	return row_packets(h->dp, 8u + h->new) != new ? h->new : 0;
}

/* The flow tick, as a packet that goes to the base writes it down. */
static uint16_t tick(const struct host *h)
{
	struct shunt_base_line line;
	uint32_t i, at;

	assert_int_equal(send_packet(h, 59999, ACK), h->old);
	for (i = 0; i <= h->service.svc.slot_mask; i++) {
		at = h->service.svc.slots_at + i / SHUNT_SLOTS_PER_LINE;
		assert_int_equal(bpf_map_lookup_elem(dp_map_fd(h->dp, "bases"), &at, &line), 0);
		if (line.slot[i % SHUNT_SLOTS_PER_LINE].used)
			return line.slot[i % SHUNT_SLOTS_PER_LINE].used;
	}
	fail_msg("no slot was used");
	return 0;
}

/* The new backend takes over all slots. */
static void begin_transition(struct host *h)
{
	fill_slots(h, h->new | SHUNT_SLOT_CHANGED, h->old, 0);
	fill_slots(h, h->new | SHUNT_SLOT_CHANGED, h->old, (uint16_t)(tick(h) + 1));
}

/* Both hosts are in it until the end; what they remember begins from here. */
static void begin_both(struct pair *p)
{
	begin_transition(&p->a);
	begin_transition(&p->b);
}

/* ---- what is told -------------------------------------------------------------------------------*/

static void hear(struct pair *p, const uint8_t *data, size_t len, uint16_t now)
{
	struct peer_message m;
	size_t i;

	assert_int_equal(peer_msg_open(data, len, p->key, &m), PEER_TAKEN);
	assert_int_equal(peer_admit(&p->senders, &m, 1), PEER_TAKEN);
	for (i = 0; i < m.n; i++) {
		const struct dp_flow f = {
			.hash = m.entries[i].hash,
			.svc = p->b.service.svc,
			.number = m.entries[i].backend == 'o' ? p->b.old : p->b.new,
			.slot = m.entries[i].slot,
			.slots_log2 = m.entries[i].slots_log2,
			.again = m.type == PEER_AGAIN,
		};

		p->taken += dp_flow_take(p->b.dp, &f, now) == DP_FLOW_TAKEN;
	}
}

/* Everything that host A has to tell. */
static void tell(struct pair *p, uint16_t now)
{
	struct peer_message m = {.type = PEER_NEWS, .session = {1}, .time_ms = 1};
	struct shunt_new news[PEER_ENTRIES];
	uint8_t data[PEER_MSG_MAX];
	size_t n, i;

	while ((n = dp_news_read(p->a.dp, p->a.read, news, PEER_ENTRIES, &p->a.lost)) > 0) {
		m.number = ++p->number;
		m.n = n;
		for (i = 0; i < n; i++) {
			assert_int_equal(news[i].salt, SALT);
			m.entries[i] = (struct peer_entry){
				.hash = news[i].hash,
				.backend = news[i].number == p->a.old ? 'o' : 'n',
				.salt = news[i].salt,
				.slot = news[i].slot,
				.slots_log2 = 10,
			};
		}
		p->told += n;
		hear(p, data, peer_msg_seal(&m, p->key, data), now);
	}
}

/* Connections that host A gives to the new backend, told on the way if @told. */
static void connect_all(struct pair *p, uint32_t from, uint32_t n, bool told)
{
	const uint16_t now = tick(&p->b);
	uint32_t i;

	for (i = from; i < from + n; i++) {
		assert_int_equal(send_packet(&p->a, i, SYN), p->a.new);
		assert_int_equal(send_packet(&p->a, i, ACK), p->a.new);
		if (told && i % 1000 == 999)
			tell(p, now);
	}
	if (told)
		tell(p, now);
}

/* Has the router move them to host B; how many lose their backend there. */
static uint32_t move_all(const struct pair *p, uint32_t from, uint32_t n, uint16_t owner)
{
	uint32_t i, broken = 0;

	for (i = from; i < from + n; i++)
		broken += send_packet(&p->b, i, ACK) != owner;
	return broken;
}

/* ---- tests --------------------------------------------------------------------------------------*/

static void flows_that_move_between_balancers_keep_their_backend(void **state)
{
	struct pair *p = *state;
	uint32_t with, without, older;

	begin_both(p);
	connect_all(p, 0, FLOWS, true);
	assert_int_equal(p->a.lost, 0);
	assert_int_equal(p->told, FLOWS);
	assert_int_equal(p->taken, FLOWS);
	with = move_all(p, 0, FLOWS, p->b.new);
	/* of these nothing is told */
	connect_all(p, FLOWS, FLOWS, false);
	without = move_all(p, FLOWS, FLOWS, p->b.new);
	older = move_all(p, 2 * FLOWS, FLOWS, p->b.old); /* those from before the change */
	print_message("# of %d new flows that moved: %u broken, %u where nothing is told; of as "
		      "many older ones: %u\n",
		      FLOWS, with, without, older);
	assert_int_equal(with, 0);
	assert_int_equal(without, FLOWS);
	assert_int_equal(older, 0);
}

static void a_flood_of_syns_is_not_told(void **state)
{
	struct pair *p = *state;
	uint32_t i;

	begin_both(p);
	for (i = 0; i < FLOWS; i++)
		send_packet(&p->a, i, SYN);
	tell(p, 0);
	assert_int_equal(p->told, 0);
}

static void a_flow_is_told_once(void **state)
{
	struct pair *p = *state;
	uint32_t i;

	begin_both(p);
	connect_all(p, 0, 1, true);
	for (i = 0; i < 100; i++)
		send_packet(&p->a, 0, ACK);
	send_packet(&p->b, 0, ACK); /* which makes it no news of B's */
	tell(p, 0);
	assert_int_equal(p->told, 1);
	assert_int_equal(dp_news_read(p->b.dp, p->b.read, &(struct shunt_new){0}, 1, &p->b.lost),
			 0);
}

static void what_is_written_over_is_counted(void **state)
{
	struct pair *p = *state;
	uint32_t n = SHUNT_NEWS + 100;

	begin_both(p);
	connect_all(p, 0, n, false);
	tell(p, tick(&p->b));
	assert_int_equal(p->told + p->a.lost, n);
	/* all on one CPU, or some on another */
	assert_true(p->a.lost <= 101);
}

/* One flow as host B would take it. */
static struct dp_flow flow_of(const struct pair *p, uint64_t hash, uint16_t number)
{
	return (struct dp_flow){
		.hash = hash,
		.svc = p->b.service.svc,
		.number = number,
		.slot = (uint16_t)shunt_slot_of(hash, 1023),
		.slots_log2 = 10,
	};
}

static void a_settled_slot_takes_nothing(void **state)
{
	struct pair *p = *state;
	struct dp_flow f = flow_of(p, 0x1234567890, p->b.new);

	assert_int_equal(dp_flow_take(p->b.dp, &f, 7), DP_FLOW_SETTLED);
	assert_false(dp_flow_lives(p->b.dp, &f, 7));
	begin_both(p);
	assert_int_equal(dp_flow_take(p->b.dp, &f, 7), DP_FLOW_TAKEN);
	assert_true(dp_flow_lives(p->b.dp, &f, 7));
	assert_true(dp_flow_lives(p->b.dp, &f, 7 + TIMEOUT));
	assert_false(dp_flow_lives(p->b.dp, &f, 7 + TIMEOUT + 9));
	f.number = p->b.old;
	assert_false(dp_flow_lives(p->b.dp, &f, 7));
}

static void what_is_told_again_does_not_undo_what_is_newer(void **state)
{
	struct pair *p = *state;
	struct dp_flow f = flow_of(p, 0x1234567890, p->b.new);

	begin_both(p);
	assert_int_equal(dp_flow_take(p->b.dp, &f, 100), DP_FLOW_TAKEN);
	f.number = p->b.old;
	f.again = true;
	assert_int_equal(dp_flow_take(p->b.dp, &f, 101), DP_FLOW_KNOWN);
	assert_int_equal(dp_flow_take(p->b.dp, &f, 100 + TIMEOUT + 9), DP_FLOW_TAKEN);
	f.again = false;
	f.number = p->b.new;
	assert_int_equal(dp_flow_take(p->b.dp, &f, 101 + TIMEOUT + 9), DP_FLOW_TAKEN);
}

/* However much is told, a flow that is confirmed and alive keeps its place. */
static void what_is_told_displaces_no_confirmed_flow(void **state)
{
	struct pair *p = *state;
	uint32_t taken = 0, refused = 0, i;
	uint16_t now;

	begin_both(p);
	now = tick(&p->b);
	for (i = 0; i < 500; i++) {
		send_packet(&p->b, i, SYN);
		send_packet(&p->b, i, ACK);
	}
	srand(1);
	for (i = 0; i < 400000; i++) {
		struct dp_flow f = flow_of(
			p, (uint64_t)rand() << 40 ^ (uint64_t)rand() << 20 ^ (uint64_t)rand(),
			p->b.old);
		enum dp_flow_result r = dp_flow_take(p->b.dp, &f, now);

		taken += r == DP_FLOW_TAKEN;
		refused += r == DP_FLOW_NO_ROOM;
	}
	assert_int_equal(taken + refused, 400000);
	assert_true(refused > 200000);
	assert_int_equal(move_all(p, 0, 500, p->b.new), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			flows_that_move_between_balancers_keep_their_backend, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_flood_of_syns_is_not_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_flow_is_told_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_written_over_is_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_settled_slot_takes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_told_again_does_not_undo_what_is_newer,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_told_displaces_no_confirmed_flow, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
