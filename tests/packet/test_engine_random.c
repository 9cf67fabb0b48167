/* SPDX-License-Identifier: BSD-2-Clause */
/* Anything that can happen to a daemon, in any order: reloads, commands, backends that fall ill and
 * recover, next hops that move and go, a carrier that is lost, restarts, kill -9. Whenever it has
 * settled the maps say what the model says; and two services are served all the time, also while nobody
 * is there: service 0, which nothing concerns, and service 1, which grows, shrinks and moves around
 * backends that stay. Environment: ENGINE_SECONDS, how long each case goes on at least (4);
 * ENGINE_SEED. */
#include "engine_checks.h"

#include <dirent.h>

#include "base/own.h"
#include "io/ctl_client.h"

#define STABLE 4 /* hosts that are left alone, of services 0 and 1 */
#define SERVED 2 /* services 0 and 1 */

static int64_t seconds(void)
{
	const char *text = getenv("ENGINE_SECONDS");

	return text ? atoi(text) : 4;
}

static void seed(void)
{
	const char *text = getenv("ENGINE_SEED");
	unsigned int s = text ? (unsigned int)atoi(text) : (unsigned int)mono_now().us;

	print_message("# ENGINE_SEED=%u\n", s);
	srand(s);
}

static bool one_in(int n)
{
	return rand() % n == 0;
}

/* ---- configurations -----------------------------------------------------------------------------*/

static void change_policy(struct wanted_service *s)
{
	static const uint32_t slots[] = {0, 0, 0, 1024, 4096, 16384, 65536};

	if (one_in(3))
		s->scheduler = rand() % SHUNT_SCHEDULER_MAX;
	if (one_in(3))
		s->forward = one_in(2) ? SHUNT_DSR : SHUNT_IPIP;
	if (one_in(3))
		s->on_empty = rand() % 3;
	if (one_in(3))
		s->checked = !s->checked;
	if (one_in(4))
		s->slots = slots[rand() % 7];
	if (one_in(4))
		s->ports = rand() % PORTS_MAX;
	if (one_in(3)) {
		s->policy = rand() % POLICY_MAX;
		s->policy_seed = (uint32_t)rand();
	}
}

static void change_backends(struct wanted_service *s)
{
	int often = 1 + rand() % 40, i, there = 0;

	for (i = 0; i < HOSTS; i++) {
		if (one_in(often))
			want_backend(s, i, one_in(2), (uint16_t)(rand() % 4));
		if (s->backends[i].there && one_in(often))
			s->backends[i].method = pick_method();
		there += s->backends[i].there;
	}
	if (!there) /* a service without any is refused */
		want_backend(s, rand() % HOSTS, true, 1);
}

static void change_service(struct wanted_service *s)
{
	if (one_in(5)) {
		*s = (struct wanted_service){0};
		return;
	}
	s->there = true;
	change_policy(s);
	change_backends(s);
}

static void keep_stable(struct wanted_service *s)
{
	int i;

	s->there = true;
	for (i = 0; i < STABLE; i++)
		want_backend(s, i, true, 1);
}

/* Each service at most once: the daemon has to see what is gone, or it keeps its edits. */
static void change_config(struct bench *b)
{
	int often = one_in(4) ? 1 : 5, i;

	for (i = SERVED; i < SERVICES; i++)
		if (one_in(often))
			change_service(&b->services[i]);
	if (one_in(2)) {
		b->services[1].slots = one_in(2) ? 0 : 1024u << rand() % 7;
		change_backends(&b->services[1]);
		b->services[1].policy_seed = (uint32_t)rand();
		keep_stable(&b->services[1]);
	}
	write_config(b);
}

static void first_config(struct bench *b)
{
	int i;

	/* Its checks succeed, and it would drop if a new daemon thought otherwise. */
	b->services[0] = (struct wanted_service){.checked = true, .on_empty = CONF_EMPTY_DROP};
	keep_stable(&b->services[0]);
	keep_stable(&b->services[1]);
	b->services[1].policy = POLICY_KEEPS_OUT; /* which must hold whatever happens */
	for (i = SERVED; i < SERVICES; i++)
		change_service(&b->services[i]);
	write_config(b);
}

/* ---- what happens -------------------------------------------------------------------------------*/

static void turn(struct bench *b, int turns)
{
	while (turns-- > 0) {
		event_base_loop(b->base, EVLOOP_NONBLOCK);
		usleep(500);
	}
}

static void reload_it(struct bench *b)
{
	change_config(b);
	reload_well(b);
}

/* By a client of its own, as the command line would. */
static void command(struct bench *b, const struct ctl_command *c)
{
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct client_error err;
		struct ctl_reply reply;

		_exit(ctl_client_call(b->dir, b->instance, c, &reply, &err) || reply.status);
	}
	while (waitpid(pid, &status, WNOHANG) == 0)
		turn(b, 1);
	assert_int_equal(status, 0);
}

static void edit_it(struct bench *b)
{
	int number = SERVED + rand() % (SERVICES - SERVED), host = rand() % HOSTS;
	struct wanted_backend *w;
	struct ctl_command c = {.verb = CTL_DRAIN + rand() % 3, .weight = (uint16_t)(rand() % 4)};

	if (!b->services[number].there)
		return;
	while (!b->services[number].backends[host].there)
		host = (host + 1) % HOSTS;
	w = &b->services[number].backends[host];
	snprintf(c.service, sizeof(c.service), "s%d", number);
	snprintf(c.backend, sizeof(c.backend), "b%d", host);
	command(b, &c);
	if (c.verb != CTL_WEIGHT)
		w->drained = c.verb == CTL_DRAIN;
	else
		w->has_weight = c.weight != w->weight;
	w->edited_weight = c.verb == CTL_WEIGHT ? c.weight : w->edited_weight;
}

static void change_health(struct bench *b)
{
	int often = 1 + rand() % 40, i;

	for (i = STABLE; i < HOSTS; i++)
		if (one_in(often))
			b->answers[i] = !b->answers[i];
}

static void change_next_hop(struct bench *b)
{
	int i = STABLE + rand() % (HOSTS - STABLE);
	struct host *h = &b->hosts[i];

	if (one_in(2)) {
		h->no_route = !h->no_route;
		shell("ip route %s unreachable 10.9.0.%d", h->no_route ? "add" : "del", 10 + i);
		return;
	}
	h->mac = (uint8_t)(100 + rand() % 150);
	shell("ip neigh replace 10.9.0.%d lladdr 02:00:00:00:09:%02x nud permanent dev te0", 10 + i,
	      h->mac);
}

static void change_link(struct bench *b)
{
	b->link_down = !b->link_down;
	shell("ip link set te1 %s", b->link_down ? "down" : "up");
}

static void restart(struct bench *b)
{
	stop(b);
	if (one_in(2))
		change_config(b);
	open_engine(b);
}

static void anything(struct bench *b)
{
	int dice = rand() % 100;

	if (dice < 35)
		reload_it(b);
	else if (dice < 60)
		edit_it(b);
	else if (dice < 75)
		change_health(b);
	else if (dice < 90)
		change_next_hop(b);
	else if (dice < 94)
		change_link(b);
	else
		restart(b);
}

static int open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void the_maps_follow_whatever_happens(void **state)
{
	mono_t end = mono_add_us(mono_now(), seconds() * 1000000);
	struct bench *b = *state;
	int descriptors, rounds = 0, i;

	seed();
	first_config(b);
	start(b);
	descriptors = open_descriptors();
	while (mono_diff_us(mono_now(), end) > 0) {
		for (i = rand() % 6; i >= 0; i--) {
			anything(b);
			turn(b, rand() % 3);
		}
		settle(b);
		check_all(b);
		rounds++;
	}
	print_message("# settled %d times\n", rounds);
	assert_true(rounds > 3);
	assert_int_equal(open_descriptors(), descriptors);
}

/* ---- killed -------------------------------------------------------------------------------------*/

static uint32_t program_of(const char *link_path)
{
	auto_close int link = bpf_obj_get(link_path);
	struct bpf_link_info info = {0};
	uint32_t len = sizeof(info);

	assert_true(link >= 0);
	assert_int_equal(bpf_obj_get_info_by_fd(link, &info, &len), 0);
	return info.prog_id;
}

/* It may be replaced between the two questions. */
static int running_program(const struct bench *b)
{
	char path[128];
	int fd = -1;

	snprintf(path, sizeof(path), "/sys/fs/bpf/shunt/%s/v%d/link-te0", b->instance,
		 SHUNT_ABI_VERSION);
	while (fd < 0)
		fd = bpf_prog_get_fd_by_id(program_of(path));
	return fd;
}

/* The daemon of the other process, with changes that never end. It has nothing of cmocka's. */
static void reload_for_ever(struct bench *b)
{
	struct engine_error err = {0};

	event_reinit(b->base);
	if (engine_open(b->base, b->config, &b->engine, &err))
		_exit(9);
	for (;;) {
		if (one_in(3))
			change_health(b);
		change_config(b);
		if (reload_now(b->engine, &err))
			_exit(9);
		turn(b, rand() % 10);
	}
}

/* The program's map of stages, which the kernel empties once nobody has it open any more: a daemon that
 * gives its program up while packets are sent through it here must not change what becomes of them. -1:
 * it has already. */
static int stages_of(int program)
{
	uint32_t ids[64], stage = SHUNT_STAGE_POLICY, id, i;
	struct bpf_prog_info info = {.nr_map_ids = 64, .map_ids = (uint64_t)(uintptr_t)ids};
	uint32_t len = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(program, &info, &len), 0);
	for (i = 0; i < info.nr_map_ids && i < 64; i++) {
		auto_close int fd = bpf_map_get_fd_by_id(ids[i]);
		struct bpf_map_info map = {0};

		len = sizeof(map);
		if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &map, &len) == 0 &&
		    strcmp(map.name, "stages") == 0)
			return bpf_map_lookup_elem(fd, &stage, &id) ? -1 : take_fd(&fd);
	}
	return -1;
}

/* Whoever is there or not. */
static void send_for(const struct bench *b, int64_t us)
{
	mono_t end = mono_add_us(mono_now(), us);
	uint8_t out[256];
	uint32_t len, n;

	while (mono_diff_us(mono_now(), end) > 0) {
		auto_close int program = running_program(b);
		auto_close int stages = stages_of(program);

		assert_true(stages >= 0 || b->other); /* nobody else may have given it up */
		for (n = 0; stages >= 0 && n < 64; n++) {
			send_syn(program, 0, PORTS_ONE, out, &len);
			assert_int_equal(out[4], 9);
			assert_in_range(out[5], 10, 10 + STABLE - 1);
			send_syn(program, 1, PORTS_ONE, out, &len);
			assert_int_equal(out[4], 9);
			check_dropped(99, program, 1, PORTS_ONE);
			send_syn(program, SERVED + rand() % (SERVICES - SERVED), rand() % PORTS_MAX,
				 out, &len);
		}
	}
}

static void run_and_kill(struct bench *b)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		reload_for_ever(b);
	b->other = pid;
	send_for(b, rand() % 250000);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	b->other = 0;
	assert_true(WIFSIGNALED(status));
	b->engine = NULL; /* was the other process's */
	send_for(b, 1000);
}

static void no_kill_leaves_tables_that_do_not_forward(void **state)
{
	mono_t end = mono_add_us(mono_now(), seconds() * 1000000);
	struct bench *b = *state;
	int kills = 0;

	seed();
	first_config(b);
	start(b);
	while (mono_diff_us(mono_now(), end) > 0 || kills < 4) {
		stop(b);
		run_and_kill(b);
		write_config(b); /* of what it was at, it may not have written all */
		start(b);
		check_all(b);
		kills++;
	}
	print_message("# killed %d times\n", kills);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_maps_follow_whatever_happens, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(no_kill_leaves_tables_that_do_not_forward, set_up,
						tear_down),
	};

	if (is_probe_child(argc, argv))
		return fake_probe_child();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
