/* SPDX-License-Identifier: BSD-2-Clause */
/* Backends that leave: no longer configured, they keep number, row and flows until these have ended, over
 * reloads and restarts, and are told apart from those that are gone at once. */
#include "engine_checks.h"

#define CLIENTS 60
#define SYN 0x02
#define ACK 0x10

/* A packet of client @client to service 0; the host that it ends at, -1: none. */
static int send_tcp(struct bench *b, int client, uint8_t flags)
{
	uint8_t frame[64] = {[12] = 0x08, [14] = 0x45, [17] = 40, [22] = 64, [23] = 6, [26] = 100};
	uint8_t out[256] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = 54, .data_out = out,
		    .data_size_out = sizeof(out), .repeat = 1);

	frame[29] = (uint8_t)client;
	memcpy(&frame[30], (uint8_t[]){203, 0, 113, 1}, 4);
	frame[34] = 40; /* port 10240 */
	frame[36] = 1000 >> 8;
	frame[37] = 1000 & 255;
	frame[46] = 0x50;
	frame[47] = flags;
	assert_int_equal(bpf_prog_test_run_opts(dp_program_fd(b->engine->dp), &run), 0);
	return out[4] == 9 ? out[5] - 10 : -1;
}

/* Service 0 with hosts [first, first + n) in turn. */
static void want_hosts(struct bench *b, int first, int n)
{
	int i;

	b->services[0].there = true;
	b->services[0].scheduler = SHUNT_RR;
	for (i = 0; i < HOSTS; i++)
		want_backend(&b->services[0], i, i >= first && i < first + n, 1);
	write_config(b);
}

static void reload(struct bench *b, int first, int n)
{
	want_hosts(b, first, n);
	reload_well(b);
	settle(b);
}

static void turn(struct bench *b, int ms)
{
	mono_t end = mono_add_us(mono_now(), ms * 1000);

	while (mono_diff_us(mono_now(), end) > 0) {
		event_base_loop(b->base, EVLOOP_NONBLOCK);
		usleep(500);
	}
}

static struct backend *of_host(struct bench *b, int host)
{
	char name[16];

	snprintf(name, sizeof(name), "b%d", host);
	return backend_find(b->engine->services[0], name);
}

static void turn_until_gone(struct bench *b, int host)
{
	int tries;

	for (tries = 0; tries < 100 && of_host(b, host); tries++)
		turn(b, 100);
	assert_null(of_host(b, host));
}

static void open_flows(struct bench *b, int at[static CLIENTS])
{
	int i;

	for (i = 0; i < CLIENTS; i++) {
		at[i] = send_tcp(b, i, SYN);
		assert_true(at[i] >= 0);
		assert_int_equal(send_tcp(b, i, ACK), at[i]);
	}
}

static void assert_flows_stay(struct bench *b, const int at[static CLIENTS])
{
	int i;

	for (i = 0; i < CLIENTS; i++)
		assert_int_equal(send_tcp(b, i, ACK), at[i]);
}

static void assert_gets_no_new(struct bench *b, int host)
{
	int i;

	for (i = 0; i < 50; i++)
		assert_int_not_equal(send_tcp(b, 100 + i, SYN), host);
}

/* It leaves, and its row and owner say so. */
static void assert_leaves(struct bench *b, int host, uint16_t number)
{
	const struct backend *k = of_host(b, host);
	struct shunt_backend row;
	struct shunt_owner owner;

	assert_non_null(k);
	assert_true(k->leaving);
	assert_int_equal(k->slots, 0);
	assert_int_equal(k->number, number);
	dp_owner_read(b->engine->dp, k->service->row + number, &owner);
	assert_string_equal(owner.backend, k->name);
	assert_in_range(owner.leaves_by, time(NULL) + 3000, time(NULL) + 3601);
	dp_backend_read(b->engine->dp, k->service->row + number, &row);
	assert_int_equal(row.flags & (SHUNT_BE_USABLE | SHUNT_BE_NO_NEW),
			 SHUNT_BE_USABLE | SHUNT_BE_NO_NEW);
}

static void begin(struct bench *b, int n, int at[static CLIENTS])
{
	b->defaults = "remove: drain";
	want_hosts(b, 0, n);
	start(b);
	open_flows(b, at);
}

/* ---- cases --------------------------------------------------------------------------------------*/

static void who_is_removed_keeps_its_flows_over_reloads_and_restarts(void **state)
{
	struct bench *b = *state;
	int at[CLIENTS], i;
	uint16_t number;

	begin(b, 4, at);
	number = of_host(b, 0)->number;
	reload(b, 1, 3);
	for (i = 0; i < 3; i++) {
		assert_leaves(b, 0, number);
		assert_flows_stay(b, at);
		assert_gets_no_new(b, 0);
		reload(b, 1, 3);
		assert_leaves(b, 0, number);
		stop(b);
		start(b);
	}
	assert_int_equal(b->engine->conf->services[0].n_backends, 3);
	assert_int_equal(b->engine->services[0]->n_backends, 4);
}

static void a_restart_drains_what_was_removed_meanwhile(void **state)
{
	struct bench *b = *state;
	int at[CLIENTS];
	uint16_t number;

	begin(b, 4, at);
	number = of_host(b, 0)->number;
	stop(b);
	want_hosts(b, 1, 3);
	start(b);
	assert_leaves(b, 0, number);
	assert_flows_stay(b, at);
	assert_gets_no_new(b, 0);
}

static void who_is_configured_again_stays_and_takes_flows(void **state)
{
	struct bench *b = *state;
	int at[CLIENTS], i, new = 0;
	uint16_t number;

	begin(b, 4, at);
	number = of_host(b, 0)->number;
	reload(b, 1, 3);
	reload(b, 0, 4);
	assert_false(of_host(b, 0)->leaving);
	assert_int_equal(of_host(b, 0)->number, number);
	assert_flows_stay(b, at);
	for (i = 0; i < 50; i++)
		new += send_tcp(b, 100 + i, SYN) == 0;
	assert_true(new > 0);
	check_all(b);
	stop(b); /* and over a restart */
	want_hosts(b, 1, 3);
	start(b);
	stop(b);
	want_hosts(b, 0, 4);
	start(b);
	assert_int_equal(of_host(b, 0)->number, number);
	assert_flows_stay(b, at);
	check_all(b);
}

static void who_leaves_moves_with_a_service_that_outgrows_its_rows(void **state)
{
	struct bench *b = *state;
	uint32_t row;
	int at[CLIENTS];
	uint16_t number;

	begin(b, 4, at);
	number = of_host(b, 0)->number;
	reload(b, 1, 3);
	row = b->engine->services[0]->row;
	reload(b, 1, HOSTS - 1);
	assert_int_not_equal(b->engine->services[0]->row, row);
	assert_leaves(b, 0, number);
	assert_flows_stay(b, at);
	check_regions(b->engine);
}

static void who_never_had_a_packet_is_gone_at_the_first_look(void **state)
{
	struct bench *b = *state;
	uint16_t number;

	b->defaults = "remove: drain";
	want_hosts(b, 0, 4);
	start(b);
	number = of_host(b, 0)->number;
	reload(b, 1, 3);
	assert_non_null(of_host(b, 0));
	turn_until_gone(b, 0);
	check_all(b);
	reload(b, 1, 4);
	assert_int_not_equal(of_host(b, 4)->number, number); /* as long as there are others */
	check_all(b);
}

static void who_dies_while_it_leaves_is_gone(void **state)
{
	struct bench *b = *state;
	int at[CLIENTS];

	b->services[0].checked = true;
	begin(b, 4, at);
	reload(b, 1, 3);
	turn(b, 600);
	assert_non_null(of_host(b, 0));
	b->answers[0] = 0;
	turn_until_gone(b, 0);
	b->services[0].backends[0].there = false;
	check_all(b);
}

static void another_server_of_the_same_name_is_beside_it(void **state)
{
	struct bench *b = *state;
	struct service *s;
	int at[CLIENTS];
	FILE *f;

	begin(b, 3, at);
	s = b->engine->services[0];
	f = fopen(b->config, "w");
	assert_non_null(f);
	write_head(b, f);
	fprintf(f,
		"  - {name: s0, scheduler: rr, forward: dsr, vip: 203.0.113.1, port: 1000, check: "
		"none, backends: [10.9.0.10 name=b0, 10.9.0.20 name=b1, 10.9.0.12 name=b2]}\n");
	assert_int_equal(fclose(f), 0);
	reload_well(b);
	turn(b, 100);
	assert_int_equal(s->n_backends, 4);
	assert_string_equal(s->backends[3]->name, "b1");
	assert_true(s->backends[3]->leaving);
	assert_ptr_not_equal(of_host(b, 1), s->backends[3]); /* the configured one is meant */
	assert_flows_stay(b, at);
	want_hosts(b, 0, 3); /* and they change places */
	reload_well(b);
	turn(b, 100);
	assert_flows_stay(b, at);
	assert_false(of_host(b, 1)->leaving);
	assert_gets_no_new(b, 10);
}

static void remove_now_sends_those_away_that_were_leaving(void **state)
{
	struct bench *b = *state;
	int at[CLIENTS], i;

	begin(b, 4, at);
	reload(b, 1, 3);
	b->defaults = "remove: now";
	reload(b, 1, 3);
	assert_null(of_host(b, 0));
	check_all(b);
	for (i = 0; i < CLIENTS; i++)
		if (at[i] != 0)
			assert_int_equal(send_tcp(b, i, ACK), at[i]);
		else
			assert_int_not_equal(send_tcp(b, i, ACK), 0);
}

int main(int argc, char **argv)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(who_is_removed_keeps_its_flows_over_reloads_and_restarts),
		CASE(a_restart_drains_what_was_removed_meanwhile),
		CASE(who_is_configured_again_stays_and_takes_flows),
		CASE(who_leaves_moves_with_a_service_that_outgrows_its_rows),
		CASE(who_never_had_a_packet_is_gone_at_the_first_look),
		CASE(who_dies_while_it_leaves_is_gone),
		CASE(another_server_of_the_same_name_is_beside_it),
		CASE(remove_now_sends_those_away_that_were_leaving),
	};

	if (is_probe_child(argc, argv))
		return fake_probe_child();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
