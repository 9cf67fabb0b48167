/* SPDX-License-Identifier: BSD-2-Clause */
/* The engine over the real dataplane: after any sequence of reloads and restarts the maps say exactly
 * what the configuration says, and packets go nowhere else. */
#include "engine_checks.h"

static void want_random_service(struct wanted_service *s, int backends)
{
	int i;

	*s = (struct wanted_service){
		.there = true,
		.ports = rand() % PORTS_MAX,
		.scheduler = rand() % SHUNT_SCHEDULER_MAX,
		.forward = rand() % 2 ? SHUNT_DSR : SHUNT_IPIP,
	};
	for (i = 0; i < backends; i++) {
		int host = rand() % HOSTS;

		want_backend(s, host, true, (uint16_t)(rand() % 4));
		s->backends[host].method = pick_method();
	}
}

static void write_random_config(struct bench *b)
{
	int i;

	for (i = 0; i < SERVICES; i++) {
		b->services[i].there = false;
		if (i == 0 || rand() % 3)
			want_random_service(&b->services[i], 1 + rand() % (rand() % 4 ? 5 : HOSTS));
	}
	write_config(b);
}

static void reload_and_settle(struct bench *b)
{
	reload_well(b);
	settle(b);
}

/* ---- cases --------------------------------------------------------------------------------------*/

static void the_maps_say_what_any_sequence_of_configurations_ends_with(void **state)
{
	struct bench *b = *state;
	int i;

	srand(7);
	write_random_config(b);
	start(b);
	check_all(b);
	for (i = 0; i < 60; i++) {
		write_random_config(b);
		reload_and_settle(b);
		check_all(b);
	}
}

static void a_restart_adopts_every_row_and_slot(void **state)
{
	struct bench *b = *state;
	int i;

	srand(8);
	write_random_config(b);
	start(b);
	for (i = 0; i < 8; i++) {
		uint32_t row = b->engine->services[0]->row, at = b->engine->services[0]->slots_at;

		stop(b);
		start(b);
		assert_int_equal(b->engine->services[0]->row, row);
		assert_int_equal(b->engine->services[0]->slots_at, at);
		check_all(b);
		stop(b);
		write_random_config(b); /* and another one on top of what is adopted */
		start(b);
		check_all(b);
	}
}

static void counters_stay_when_a_service_outgrows_its_rows(void **state)
{
	struct bench *b = *state;
	struct dp_counter before, after;
	struct service *s;
	uint32_t row;
	int i;

	srand(9);
	b->services[0].there = true;
	want_backend(&b->services[0], 0, true, 1);
	write_config(b);
	start(b);
	s = b->engine->services[0];
	for (i = 0; i < 10; i++)
		check_packet(b, s);
	row = s->row;
	dp_counter_read(b->engine->dp, s->row + s->backends[0]->number, &before);
	assert_int_equal(before.packets, 10);
	for (i = 1; i < HOSTS; i++)
		want_backend(&b->services[0], i, true, 1);
	write_config(b);
	reload_and_settle(b);
	assert_ptr_equal(b->engine->services[0], s);
	assert_int_not_equal(s->row, row);
	dp_counter_read(b->engine->dp, s->row + s->backends[0]->number, &after);
	assert_int_equal(after.packets, 10);
	assert_int_equal(after.flows, before.flows);
	check_all(b);
}

/* Packets of the verdict, as an operator is shown them. */
static uint64_t shown(const struct bench *b, enum shunt_verdict v)
{
	struct view_verdict view = {0};

	assert_true(views_verdict(b->engine, v, &view));
	return view.packets;
}

static void a_backend_may_change_its_method_and_what_it_forwarded_stays_told(void **state)
{
	struct bench *b = *state;
	struct wanted_service *w = &b->services[0];
	struct service *s;
	int i;

	srand(11);
	*w = (struct wanted_service){.there = true, .forward = SHUNT_DSR};
	want_backend(w, 0, true, 1);
	write_config(b);
	start(b);
	s = b->engine->services[0];
	for (i = 0; i < 10; i++)
		check_packet(b, s);
	w->backends[0].method = 1 + SHUNT_IPIP;
	write_config(b);
	reload_and_settle(b);
	check_all(b);
	assert_int_equal(s->backends[0]->row.method, SHUNT_IPIP);
	assert_int_equal(shown(b, SHUNT_FORWARD_DSR), 10);
	assert_int_equal(shown(b, SHUNT_FORWARD_IPIP), 8); /* of check_all */
	w->backends[0].method = 0;
	w->forward = SHUNT_GRE;
	write_config(b);
	reload_and_settle(b);
	check_packet(b, s);
	assert_int_equal(shown(b, SHUNT_FORWARD_DSR), 10);
	assert_int_equal(shown(b, SHUNT_FORWARD_IPIP), 8);
	assert_int_equal(shown(b, SHUNT_FORWARD_GRE), 1);
	stop(b);
	w->forward = SHUNT_GUE;
	write_config(b);
	start(b); /* what an earlier daemon's backends had forwarded it had by the former method */
	assert_int_equal(shown(b, SHUNT_FORWARD_GRE), 19);
	assert_int_equal(shown(b, SHUNT_FORWARD_GUE), 0);
	check_all(b);
}

static void what_does_not_parse_changes_nothing(void **state)
{
	struct bench *b = *state;
	struct engine_error text = {0};
	FILE *f;

	srand(10);
	write_random_config(b);
	start(b);
	f = fopen(b->config, "a");
	assert_non_null(f);
	fprintf(f, "  - {name: broken, vip: 203.0.113.99, port: 0}\n");
	assert_int_equal(fclose(f), 0);
	assert_int_not_equal(reload_now(b->engine, &text), 0);
	assert_non_null(strstr(text.text, "port"));
	assert_non_null(strstr(b->engine->config_error, "port"));
	check_all(b);
	f = fopen(b->config, "w");
	assert_non_null(f);
	write_head(b, f);
	fprintf(f, "  []\n");
	assert_int_equal(fclose(f), 0);
	shell("ip link set te0 down; ip link set te0 name te9"); /* and an interface that is not there */
	event_base_loop(b->base, EVLOOP_NONBLOCK);
	assert_int_not_equal(reload_now(b->engine, &text), 0);
	assert_non_null(strstr(text.text, "te0"));
	assert_int_equal(b->engine->n_services, b->engine->conf->n_services);
	assert_true(b->engine->n_services > 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_maps_say_what_any_sequence_of_configurations_ends_with, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(a_restart_adopts_every_row_and_slot, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(counters_stay_when_a_service_outgrows_its_rows,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_backend_may_change_its_method_and_what_it_forwarded_stays_told, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(what_does_not_parse_changes_nothing, set_up,
						tear_down),
	};

	if (is_probe_child(argc, argv))
		return fake_probe_child();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
