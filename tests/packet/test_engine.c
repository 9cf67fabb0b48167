/* SPDX-License-Identifier: BSD-2-Clause */
/* The engine over the real dataplane: after any sequence of reloads and restarts the maps say exactly
 * what the configuration says, and packets go nowhere else. Each case runs in a network namespace of
 * its own with one veth and permanent neighbours, under an instance of its own. */
#include <errno.h>
#include <event2/event.h>
#include <linux/if_ether.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <bpf/bpf.h>

#include "base/log.h"
#include "engine/state.h"

#define HOSTS 60
#define SERVICES 9

struct bench {
	struct event_base *base;
	struct engine *engine;
	char dir[64], config[96];
};

static void shell(const char *command)
{
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	char command[256];
	int i;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	shell("ip link set lo up; ip link add te0 type veth peer name te1;"
	      "ip address add 10.9.0.1/24 dev te0; ip link set te0 up; ip link set te1 up");
	for (i = 0; i < HOSTS; i++) {
		snprintf(command, sizeof(command),
			 "ip neigh add 10.9.0.%d lladdr 02:00:00:00:09:%02x nud permanent dev te0",
			 10 + i, 10 + i);
		shell(command);
	}
	snprintf(b->dir, sizeof(b->dir), "/tmp/shunt-test-engine-%d", getpid());
	assert_int_equal(mkdir(b->dir, 0755), 0);
	snprintf(b->config, sizeof(b->config), "%s/shunt.yaml", b->dir);
	b->base = event_base_new();
	log_set_level(LOG_LEVEL_ERROR);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;
	struct engine_error err = {0};
	char command[128];

	engine_close(b->engine);
	event_base_free(b->base);
	engine_remove(b->config, &err);
	snprintf(command, sizeof(command), "rm -rf %s", b->dir);
	shell(command);
	free(b);
	return 0;
}

/* ---- configurations -----------------------------------------------------------------------------*/

static void write_head(const struct bench *b, FILE *f)
{
	fprintf(f,
		"instance: test-engine-%d\ninterfaces: [{name: te0, xdp: generic}]\nrun_dir: %s\n"
		"state_dir: %s\nflow_table: 4k\nservices:\n",
		getpid(), b->dir, b->dir);
}

static void write_service(FILE *f, int number, int backends)
{
	static const char *const schedulers[] = {"maglev", "rr", "wrr"};
	static const char *const methods[] = {"dsr", "ipip"};
	char used[HOSTS] = {0};
	int i;

	fprintf(f, "  - {name: s%d, vip: 203.0.113.%d, port: %d, scheduler: %s, forward: %s, ",
		number, 1 + number / 3, 1000 + number, schedulers[rand() % 3], methods[rand() % 2]);
	fprintf(f, "check: none, backends: [");
	for (i = 0; i < backends; i++) {
		int host = rand() % HOSTS;

		if (used[host]++)
			continue;
		fprintf(f, "{address: 10.9.0.%d, name: b%d, weight: %d}, ", 10 + host, host,
			rand() % 4);
	}
	fprintf(f, "]}\n");
}

static void write_random_config(const struct bench *b)
{
	FILE *f = fopen(b->config, "w");
	int i;

	assert_non_null(f);
	write_head(b, f);
	for (i = 0; i < SERVICES; i++)
		if (i == 0 || rand() % 3)
			write_service(f, i, 1 + rand() % (rand() % 4 ? 5 : HOSTS));
	assert_int_equal(fclose(f), 0);
}

/* ---- running ------------------------------------------------------------------------------------*/

static bool is_settled(const struct engine *e)
{
	size_t i, k;

	for (i = 0; i < e->n_services; i++) {
		if (e->services[i]->dirty)
			return false;
		for (k = 0; k < e->services[i]->n_backends; k++)
			if (nexthops_state(e, e->services[i]->backends[k]) == VIEW_NH_RESOLVING)
				return false;
	}
	return true;
}

static void settle(struct bench *b)
{
	int turn;

	for (turn = 0; turn < 2000; turn++) {
		event_base_loop(b->base, EVLOOP_NONBLOCK);
		if (is_settled(b->engine))
			return;
		usleep(1000);
	}
	fail_msg("next hops not known after two seconds");
}

static void start(struct bench *b)
{
	struct engine_error err = {0};

	if (engine_open(b->base, b->config, &b->engine, &err))
		fail_msg("%s", err.text);
	settle(b);
}

static void reload_well(struct bench *b)
{
	struct engine_error text = {0};

	if (reload_now(b->engine, &text))
		fail_msg("%s", text.text);
	settle(b);
}

/* ---- what must hold -----------------------------------------------------------------------------*/

static void check_backends(const struct engine *e, const struct service *s)
{
	struct shunt_backend row;
	struct shunt_owner owner;
	size_t i;

	assert_int_equal(s->n_backends, s->conf->n_backends);
	for (i = 0; i < s->n_backends; i++) {
		const struct backend *b = s->backends[i];

		assert_string_equal(b->name, s->conf->backends[i].name);
		assert_in_range(b->number, 1, s->rows - 1);
		dp_owner_read(e->dp, s->row + b->number, &owner);
		assert_string_equal(owner.service, s->name);
		assert_string_equal(owner.backend, b->name);
		dp_backend_read(e->dp, s->row + b->number, &row);
		assert_memory_equal(row.addr, s->conf->backends[i].addr.bytes, 16);
		assert_int_equal(row.dmac[5], row.addr[0] >> 24); /* as set_up gave them out */
		assert_int_equal(row.method, s->conf->forward);
		assert_true(row.flags & SHUNT_BE_USABLE);
		assert_int_equal(!!(row.flags & SHUNT_BE_NO_NEW), s->conf->backends[i].weight == 0);
	}
}

static void check_slots(const struct engine *e, const struct service *s)
{
	static uint16_t slots[65536];
	uint32_t owned[HOSTS * 2 + 1] = {0}, i;
	size_t k;

	dp_slots_read(e->dp, s->slots_at, slots, s->slots);
	for (i = 0; i < s->slots; i++) {
		assert_in_range(slots[i], 0, HOSTS * 2);
		owned[slots[i]]++;
	}
	for (k = 0; k < s->n_backends; k++) {
		const struct backend *b = s->backends[k];

		assert_int_equal(owned[b->number] > 0, b->conf->weight > 0);
		assert_int_equal(owned[b->number], b->slots);
		owned[b->number] = 0;
	}
	/* What is left are empty slots, and only if nobody may take any. */
	for (i = 1; i <= HOSTS * 2; i++)
		assert_int_equal(owned[i], 0);
	assert_int_equal(owned[0], s->usable ? 0 : s->slots);
}

struct in_force {
	const struct engine *e;
	size_t n;
};

static void check_in_force(void *arg, const struct dp_service *found)
{
	struct in_force *f = arg;
	size_t i;

	for (i = 0; i < f->e->n_services; i++) {
		const struct service *s = f->e->services[i];

		if (s->row != found->svc.row)
			continue;
		assert_int_equal(addr_compare(&s->conf->vip, &found->vip), 0);
		assert_int_equal(s->conf->port, found->port);
		assert_int_equal(s->slots_at, found->svc.slots_at);
		assert_int_equal(s->slots, found->svc.slot_mask + 1);
		f->n++;
		return;
	}
	fail_msg("a service in force that is not configured");
}

/* Rows that nobody holds name nobody, and nobody's rows overlap. */
static void check_regions(const struct engine *e)
{
	uint32_t rows = dp_sizes(e->dp)->rows, row, free_rows = 0, held = 0;
	struct shunt_owner owner;
	size_t i;

	for (i = 0; i < e->rows.count; i++) {
		free_rows += e->rows.free[i].n;
		for (row = e->rows.free[i].at; row < e->rows.free[i].at + e->rows.free[i].n;
		     row++) {
			dp_owner_read(e->dp, row, &owner);
			assert_string_equal(owner.service, "");
		}
	}
	for (i = 0; i < e->n_services; i++)
		held += e->services[i]->rows;
	assert_int_equal(free_rows + held, rows);
}

/* A SYN to each service ends at one of its backends with a weight, or nowhere if it has none. */
static void check_packet(const struct engine *e, const struct service *s)
{
	uint8_t out[256],
		frame[64] = {[12] = 0x08, [13] = 0,   [14] = 0x45, [17] = 40, [22] = 64,
			     [23] = 6,	  [26] = 192, 0,	   2,	      (uint8_t)rand()};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = 54, .data_out = out,
		    .data_size_out = sizeof(out), .repeat = 1);
	size_t i;

	memcpy(&frame[30], s->conf->vip.bytes, 4);
	frame[34] = (uint8_t)rand();
	frame[35] = (uint8_t)rand();
	frame[36] = (uint8_t)(s->conf->port >> 8);
	frame[37] = (uint8_t)s->conf->port;
	frame[46] = 0x50;
	frame[47] = 0x02;
	assert_int_equal(bpf_prog_test_run_opts(dp_program_fd(e->dp), &run), 0);
	for (i = 0; i < s->n_backends; i++)
		if (s->backends[i]->conf->weight && s->backends[i]->row.dmac[5] == out[5])
			return;
	assert_int_equal(run.data_size_out, 54); /* dropped as it came */
	assert_memory_equal(out, frame, 54);
	assert_int_equal(s->usable, 0);
}

static void check_all(const struct bench *b)
{
	const struct engine *e = b->engine;
	struct in_force in_force = {.e = e};
	size_t i;
	int k;

	assert_int_equal(e->n_services, e->conf->n_services);
	dp_services_each(e->dp, check_in_force, &in_force);
	assert_int_equal(in_force.n, e->n_services);
	check_regions(e);
	for (i = 0; i < e->n_services; i++) {
		assert_string_equal(e->services[i]->name, e->conf->services[i].name);
		check_backends(e, e->services[i]);
		check_slots(e, e->services[i]);
		for (k = 0; k < 8; k++)
			check_packet(e, e->services[i]);
	}
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
		reload_well(b);
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

		engine_close(b->engine);
		b->engine = NULL;
		start(b);
		assert_int_equal(b->engine->services[0]->row, row);
		assert_int_equal(b->engine->services[0]->slots_at, at);
		check_all(b);
		engine_close(b->engine);
		b->engine = NULL;
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
	FILE *f;
	int i;

	srand(9);
	for (i = 0; i < 2; i++) {
		int k;

		f = fopen(b->config, "w");
		assert_non_null(f);
		write_head(b, f);
		fprintf(f, "  - {name: s0, vip: 203.0.113.1, port: 1000, check: none, backends: [");
		for (k = 0; k < (i ? HOSTS : 1); k++)
			fprintf(f, "10.9.0.%d, ", 10 + k);
		fprintf(f, "]}\n");
		assert_int_equal(fclose(f), 0);
		if (i == 0) {
			start(b);
			for (k = 0; k < 10; k++)
				check_packet(b->engine, b->engine->services[0]);
		}
	}
	s = b->engine->services[0];
	row = s->row;
	dp_counter_read(b->engine->dp, s->row + s->backends[0]->number, &before);
	assert_int_equal(before.packets, 10);
	reload_well(b);
	assert_ptr_equal(b->engine->services[0], s);
	assert_int_not_equal(s->row, row);
	dp_counter_read(b->engine->dp, s->row + s->backends[0]->number, &after);
	assert_int_equal(after.packets, 10);
	assert_int_equal(after.flows, before.flows);
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
	fprintf(f, "  - {name: broken, vip: 203.0.113.99, port: 0}\n");
	assert_int_equal(fclose(f), 0);
	assert_int_not_equal(reload_now(b->engine, &text), 0);
	assert_non_null(strstr(text.text, "port"));
	assert_non_null(strstr(b->engine->config_error, "port"));
	check_all(b);
	f = fopen(b->config, "w");
	write_head(b, f);
	fprintf(f, "  []\n");
	assert_int_equal(fclose(f), 0);
	shell("ip link set te0 name te9"); /* and an interface that is not there */
	settle(b);
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
		cmocka_unit_test_setup_teardown(what_does_not_parse_changes_nothing, set_up,
						tear_down),
	};

	if (argc == 2 && strcmp(argv[1], "--probe-child") == 0)
		return probe_child_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
