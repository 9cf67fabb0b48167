/* SPDX-License-Identifier: BSD-2-Clause */
/* A dry run says what the packet path then does, and leaves no trace in any map. */
#include "dp_tables.h"

#include <sched.h>
#include <sys/mman.h>

#include "io/dp_dry.h"
#include "io/dp_find.h"
#include "io/dp_impl.h"
#include "pure/hashkey.h"
#include "pure/synth.h"

#define ROWS 10 /* of a service */
#define BACKENDS 3
#define RATED 1 /* number of the policy with rates */

/* ---- a world with some of everything ----------------------------------------------------------*/

static const struct kind {
	const char *name;
	uint16_t flags, policy;
	uint8_t protocol, method;
	bool moves, v6, empty;
	enum shunt_verdict syn, later; /* what becomes of the first and of a later packet */
} kinds[] = {
	{"settled", 0, 0, IPPROTO_TCP, SHUNT_DSR, false, false, false, SHUNT_FORWARD_DSR,
	 SHUNT_FORWARD_DSR},
	{"in transition", 0, 0, IPPROTO_TCP, SHUNT_IPIP, true, false, false, SHUNT_FORWARD_IPIP,
	 SHUNT_FORWARD_IPIP},
	{"in transition, IPv6", 0, 0, IPPROTO_TCP, SHUNT_GUE, true, true, false, SHUNT_FORWARD_GUE,
	 SHUNT_FORWARD_GUE},
	{"learns", SHUNT_SVC_LEARN, 0, IPPROTO_UDP, SHUNT_GRE, true, false, false,
	 SHUNT_FORWARD_GRE, SHUNT_FORWARD_GRE},
	{"by turns", SHUNT_SVC_FLOWS, 0, IPPROTO_TCP, SHUNT_DSR, false, false, false,
	 SHUNT_FORWARD_DSR, SHUNT_FORWARD_DSR},
	{"by turns, UDP", SHUNT_SVC_FLOWS, 0, IPPROTO_UDP, SHUNT_DSR, false, true, false,
	 SHUNT_FORWARD_DSR, SHUNT_FORWARD_DSR},
	{"by load", SHUNT_SVC_FLOWS | SHUNT_SVC_LOADS, 0, IPPROTO_TCP, SHUNT_LOCAL, false, false,
	 false, SHUNT_FORWARD_LOCAL, SHUNT_FORWARD_LOCAL},
	{"translated", SHUNT_SVC_NAT, 0, IPPROTO_TCP, SHUNT_NAT, false, false, false,
	 SHUNT_FORWARD_NAT, SHUNT_FORWARD_NAT},
	{"translated by turns", SHUNT_SVC_NAT | SHUNT_SVC_TURNS, 0, IPPROTO_UDP, SHUNT_NAT, false,
	 true, false, SHUNT_FORWARD_NAT, SHUNT_FORWARD_NAT},
	{"masqueraded", SHUNT_SVC_NAT, 0, IPPROTO_TCP, SHUNT_MASQ, false, false, false,
	 SHUNT_FORWARD_MASQ, SHUNT_FORWARD_MASQ},
	{"with rates", 0, RATED, IPPROTO_TCP, SHUNT_DSR, false, false, false, SHUNT_FORWARD_DSR,
	 SHUNT_FORWARD_DSR},
	{"without backends", 0, 0, IPPROTO_TCP, SHUNT_DSR, false, false, true,
	 SHUNT_DROP_NO_BACKEND, SHUNT_DROP_NO_BACKEND},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct dp_service service_of(size_t i)
{
	return (struct dp_service){
		.vip = test_vip(kinds[i].v6, (uint32_t)i),
		.port = 80,
		.protocol = kinds[i].protocol,
		.svc = {.slots_at = (uint32_t)i,
			.slot_mask = SHUNT_SLOTS_PER_LINE - 1,
			.row = (uint32_t)(1 + i * ROWS),
			.salt = (uint32_t)i * 77,
			.backends = BACKENDS,
			.flags = kinds[i].flags,
			.flow_timeout = 100,
			.policy = kinds[i].policy},
	};
}

static struct shunt_backend backend_of(size_t i, uint32_t number)
{
	struct shunt_backend b = {.ifindex = 1,
				  .mtu = 1500,
				  .method = kinds[i].method,
				  .flags = SHUNT_BE_PASSIVE |
					   (kinds[i].empty ? 0 : SHUNT_BE_USABLE)};

	if (kinds[i].v6)
		b.flags |= SHUNT_BE_ADDR6;
	memcpy(b.addr, test_vip(kinds[i].v6, 5000 + number).bytes, 16);
	memcpy(b.source, test_vip(kinds[i].v6, 6000).bytes, 16);
	memcpy(b.dmac, "\2\0\0\0\1", 5);
	b.dmac[5] = (uint8_t)number;
	memcpy(b.smac, "\2\0\0\0\2\2", 6);
	return b;
}

static void fill_kind(struct dp *dp, size_t i)
{
	const struct transit_slot none = {0};
	struct transit_slot s = {0};
	struct shunt_backend b;
	uint32_t k;

	for (k = 1; k <= BACKENDS; k++) {
		b = backend_of(i, k);
		dp_backend_write(dp, (uint32_t)(1 + i * ROWS) + k, &b);
		dp_load_write(dp, (uint32_t)(1 + i * ROWS) + k, k * 100, 10);
	}
	for (k = 0; k < SHUNT_SLOTS_PER_LINE; k++) {
		s.slot = (uint16_t)(1 + k % 2);
		if (kinds[i].moves)
			s.slot |= SHUNT_SLOT_CHANGED;
		s.base = (struct shunt_base){.base = kinds[i].moves ? 3 : 0,
					     .since = (uint16_t)(dp_tick(dp) - 1)};
		dp_slot_write(dp, (uint32_t)i, k, &none, &s);
	}
}

/* Turns are taken CPU by CPU: what is asked and what is done must be on the same one. */
static void stay_on_this_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)sched_getcpu(), &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

static struct dp *open_world(void **state)
{
	const struct shunt_policy rated = {.flags = SHUNT_POLICY_SERVICE_RATE |
						    SHUNT_POLICY_SOURCE_RATE,
					   .service = {.cost = 1 << 20, .limit = 1 << 22},
					   .source = {.cost = 1 << 20, .limit = 1 << 21},
					   .salt = 5};
	const struct shunt_nat_ctl ctl = {
		.timeout = {100, 100, 100, 100, 100}, .first_port = 20000, .ports = 1000};
	struct dp_options opt = {.sizes = {.services = KINDS,
					   .rows = 1 + KINDS * ROWS,
					   .slot_lines = KINDS,
					   .flows = 1000,
					   .flow_rows = true,
					   .frags = 100,
					   .nat = 100,
					   .nat6 = true,
					   .policies = 2,
					   .passive = true,
					   .rate_sources = 100},
				 .hash_key = {1, 3, 5, 7, 9, 11, 13, 15, 17, 19}};
	struct dp_service s[KINDS];
	struct dp_error err = {""};
	struct dp *dp = NULL;
	size_t i;

	stay_on_this_cpu();
	if (dp_open(&opt, &dp, &err))
		fail_msg("%s", err.text);
	*state = dp;
	dp_policy_write(dp, RATED, &rated);
	dp_nat_write(dp, &ctl);
	for (i = 0; i < KINDS; i++) {
		fill_kind(dp, i);
		s[i] = service_of(i);
	}
	switch_to(dp, s, KINDS);
	return dp;
}

static int close_world(void **state)
{
	dp_close(*state);
	return 0;
}

/* ---- what a run changes -----------------------------------------------------------------------*/

/* A number for all that is in all maps that are arrays. */
static uint64_t sum_of(struct dp *dp)
{
	const uint64_t key[2] = {1, 2};
	struct bpf_map_info info;
	uint64_t sums[DP_MAP_MAX] = {0};
	uint32_t len;
	size_t i;

	for (i = 0; i < DP_MAP_MAX; i++) {
		info = (struct bpf_map_info){0};
		len = sizeof(info);
		assert_int_equal(bpf_obj_get_info_by_fd(dp->set.map[i].fd, &info, &len), 0);
		if (info.type != BPF_MAP_TYPE_ARRAY)
			continue;
		assert_int_equal(dp_map_mem(&dp->set, i), 0);
		sums[i] =
			siphash24(dp->set.map[i].mem,
				  (uint64_t)info.max_entries * ((info.value_size + 7) & ~7u), key);
	}
	return siphash24(sums, sizeof(sums), key);
}

struct live {
	uint32_t action, len;
	uint8_t out[DP_DRY_OUT_MAX];
};

static void run_live(const struct dp *dp, const uint8_t *frame, uint32_t len, struct live *l)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len,
		    .data_out = l->out, .data_size_out = sizeof(l->out), .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(dp_program_fd(dp), &opts), 0);
	l->action = opts.retval;
	l->len = opts.data_size_out;
}

static uint32_t frame_for(size_t i, bool first, uint16_t port,
			  uint8_t frame[static SYNTH_FRAME_MAX])
{
	const struct synth s = {.kind = kinds[i].protocol == IPPROTO_TCP ? SYNTH_TCP : SYNTH_UDP,
				.client = test_vip(kinds[i].v6, 9000 + port % 50),
				.vip = test_vip(kinds[i].v6, (uint32_t)i),
				.client_port = port,
				.port = 80,
				.syn = first};

	return (uint32_t)synth_frame(&s, frame);
}

/* Asks twice, since the first answer must not change the second, and then does it. */
static void ask_and_do(struct dp *dp, size_t i, bool first, uint16_t port)
{
	uint8_t frame[SYNTH_FRAME_MAX];
	struct dp_dry d = {.frame = frame,
			   .len = frame_for(i, first, port, frame),
			   .own_row = service_of(i).svc.row};
	struct dp_error err = {""};
	uint64_t before, after;
	struct live live;
	int again;

	before = sum_of(dp);
	for (again = 0; again < 2; again++) {
		d.verdict = 0;
		d.row = 0;
		if (dp_dry_run(dp, &d, &err))
			fail_msg("%s", err.text);
		if (sum_of(dp) != before)
			fail_msg("%s: a dry run changed something", kinds[i].name);
	}
	if (d.verdict != (first ? kinds[i].syn : kinds[i].later))
		fail_msg("%s: verdict %d", kinds[i].name, d.verdict);
	run_live(dp, frame, d.len, &live);
	after = sum_of(dp);
	assert_int_not_equal(before, after);
	if (live.action != d.action || live.len != d.out_len ||
	    memcmp(live.out, d.out, live.len) != 0)
		fail_msg("%s: the packet path did otherwise", kinds[i].name);
}

static void a_dry_run_says_what_then_happens_and_changes_nothing(void **state)
{
	struct dp *dp = open_world(state);
	uint16_t port;
	size_t i;

	for (i = 0; i < KINDS; i++)
		for (port = 4000; port < 4003; port++) {
			ask_and_do(dp, i, true, port);
			ask_and_do(dp, i, false, port);
		}
}

static void a_dry_run_tells_what_would_be_remembered_or_opened(void **state)
{
	struct dp *dp = open_world(state);
	uint8_t frame[SYNTH_FRAME_MAX];
	struct dp_dry d;
	struct live live;
	size_t i;

	for (i = 0; i < KINDS; i++) {
		bool nat = kinds[i].flags & SHUNT_SVC_NAT;
		bool remembers =
			kinds[i].flags & (SHUNT_SVC_FLOWS | SHUNT_SVC_LEARN) || kinds[i].moves;

		d = (struct dp_dry){.frame = frame, .len = frame_for(i, true, 5000, frame)};
		assert_int_equal(dp_dry_run(dp, &d, NULL), 0);
		assert_int_equal(d.opens, nat);
		assert_int_equal(d.remembers, remembers);
		run_live(dp, frame, d.len, &live);
		d = (struct dp_dry){.frame = frame, .len = d.len};
		assert_int_equal(dp_dry_run(dp, &d, NULL), 0);
		assert_false(d.opens);
		assert_int_equal(d.looked, remembers);
	}
}

static void rates_that_are_used_up_are_told_and_not_used_up_by_asking(void **state)
{
	struct dp *dp = open_world(state);
	const size_t rated = 10;
	uint8_t frame[SYNTH_FRAME_MAX];
	struct dp_dry d = {.frame = frame, .len = frame_for(rated, true, 4000, frame)};
	struct live live;
	int i;

	assert_string_equal(kinds[rated].name, "with rates");
	for (i = 0; i < 20; i++) {
		d.verdict = 0;
		assert_int_equal(dp_dry_run(dp, &d, NULL), 0);
		assert_int_equal(d.verdict, SHUNT_FORWARD_DSR);
	}
	for (i = 0; i < 20; i++)
		run_live(dp, frame, d.len, &live);
	d.verdict = 0;
	assert_int_equal(dp_dry_run(dp, &d, NULL), 0);
	assert_int_equal(d.verdict, SHUNT_DROP_RATE_SOURCE);
	assert_int_equal(d.row, service_of(rated).svc.row);
}

static void what_is_remembered_is_found_as_the_packet_path_finds_it(void **state)
{
	struct dp *dp = open_world(state);
	uint8_t frame[SYNTH_FRAME_MAX];
	struct shunt_nat_conn conn;
	struct dp_known k;
	struct live live;
	size_t i;

	for (i = 0; i < KINDS; i++) {
		const struct dp_service s = service_of(i);
		const struct dp_tuple t = {.client = test_vip(kinds[i].v6, 9000),
					   .vip = s.vip,
					   .client_port = 5000,
					   .port = 80,
					   .protocol = s.protocol};
		bool nat = kinds[i].flags & SHUNT_SVC_NAT;

		dp_flow_look(dp, &s.svc, &t, &k);
		assert_false(k.has_entry);
		assert_false(dp_nat_look(dp, &t, &conn));
		run_live(dp, frame, frame_for(i, true, 5000, frame), &live);
		dp_flow_look(dp, &s.svc, &t, &k);
		assert_int_equal(k.has_entry, kinds[i].flags & SHUNT_SVC_FLOWS || kinds[i].moves);
		assert_int_equal(k.has_entry, k.holds);
		assert_int_equal(dp_nat_look(dp, &t, &conn), nat);
		if (nat)
			assert_in_range(dp_nat_age(dp, conn.seen), 0, 100);
		if (!nat && kinds[i].method == SHUNT_DSR && !kinds[i].empty)
			assert_int_equal(live.out[5],
					 k.holds ? k.number : k.at.slot & SHUNT_SLOT_BACKEND);
	}
}

/* How many programs of the twin had not been loaded; they are then. */
static int prepare_all(struct dp *dp)
{
	int n = 0, rc;

	do {
		rc = dp_dry_prepare(dp, NULL);
		assert_in_range(rc, 0, 1);
		n++;
	} while (rc);
	return n;
}

static void a_packet_loads_what_it_needs_and_preparing_the_rest(void **state)
{
	static const size_t plain = 0, nat = 7;
	struct dp *dp = open_world(state);
	uint8_t frame[SYNTH_FRAME_MAX];
	struct dp_dry d = {.frame = frame};
	int all, without_main;
	size_t i;

	assert_true(kinds[nat].flags & SHUNT_SVC_NAT);
	all = prepare_all(dp);
	assert_int_equal(dp_dry_prepare(dp, NULL), 0);
	for (i = 0; i < KINDS; i++) {
		d.len = frame_for(i, true, 4000, frame);
		d.verdict = 0;
		assert_int_equal(dp_dry_run(dp, &d, NULL), 0);
		assert_int_equal(d.verdict, kinds[i].syn);
	}
	dp_dry_drop(dp);
	d.len = frame_for(plain, true, 4000, frame);
	assert_int_equal(dp_dry_run(dp, &d, NULL), 0);
	without_main = prepare_all(dp);
	assert_int_equal(without_main, all - 1);
	dp_dry_drop(dp);
	d.len = frame_for(nat, true, 4000, frame);
	assert_int_equal(dp_dry_run(dp, &d, NULL), 0);
	assert_int_equal(prepare_all(dp), without_main - 1);
}

static void tables_that_grow_get_a_twin_of_their_own(void **state)
{
	struct dp *dp = open_world(state);
	struct dp_sizes more = *dp_sizes(dp);
	uint8_t frame[SYNTH_FRAME_MAX];
	struct dp_dry d = {.frame = frame, .len = frame_for(0, true, 4000, frame)};

	assert_false(dp_dry_is_loaded(dp));
	assert_int_equal(dp_dry_run(dp, &d, NULL), 0);
	assert_true(dp_dry_is_loaded(dp));
	more.rows *= 20;
	assert_int_equal(dp_grow(dp, &more, NULL), 0);
	assert_false(dp_dry_is_loaded(dp));
	d.verdict = 0;
	assert_int_equal(dp_dry_run(dp, &d, NULL), 0);
	assert_int_equal(d.verdict, SHUNT_FORWARD_DSR);
	d.len = 13;
	assert_int_equal(dp_dry_run(dp, &d, NULL), -EINVAL);
	dp_dry_drop(dp);
	assert_false(dp_dry_is_loaded(dp));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_dry_run_says_what_then_happens_and_changes_nothing,
					  close_world),
		cmocka_unit_test_teardown(a_dry_run_tells_what_would_be_remembered_or_opened,
					  close_world),
		cmocka_unit_test_teardown(rates_that_are_used_up_are_told_and_not_used_up_by_asking,
					  close_world),
		cmocka_unit_test_teardown(what_is_remembered_is_found_as_the_packet_path_finds_it,
					  close_world),
		cmocka_unit_test_teardown(a_packet_loads_what_it_needs_and_preparing_the_rest,
					  close_world),
		cmocka_unit_test_teardown(tables_that_grow_get_a_twin_of_their_own, close_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
