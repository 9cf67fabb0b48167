/* SPDX-License-Identifier: BSD-2-Clause */
/* The engine over the real dataplane, and a second opinion of what must come of it: a network
 * namespace of the process's own with one veth and permanent neighbours, an instance of its own, a
 * probe child that answers what a table in a file says, and a model of configuration, edits, health and
 * next hops, kept by the test, against which the maps are checked. Included once a program; its main
 * begins with `if (is_probe_child(argc, argv)) return fake_probe_child();`. */
#ifndef ENGINE_WORLD_H
#define ENGINE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* */
#include <cmocka.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "engine_wants.h"
#include "engine/state.h"
#include "io/probe_msg.h"

struct host {
	uint8_t mac; /* last byte of its link-layer address */
	bool no_route;
};

/* In memory that a daemon of another process shares: what that changed is known when it is killed. */
struct bench {
	struct event_base *base;
	struct engine *engine;
	pid_t other; /* a daemon of another process; 0: none */
	char instance[32], dir[64], config[96];
	uint8_t *answers; /* [HOSTS], shared with the probe child: 1 when a check succeeds */
	struct host hosts[HOSTS];
	bool link_down;
	const char *defaults; /* NULL: what is no longer configured is gone at once */
	const char *window; /* rollback_window; NULL: none, and no former program is kept */
	const char *flows; /* flow_table; NULL: 4k */
	struct wanted_service services[SERVICES];
};

static inline void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void shell(const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (system(line) != 0)
		fail_msg("failed: %s", line);
}

/* ---- the probe child ----------------------------------------------------------------------------*/

static inline bool is_probe_child(int argc, char **argv)
{
	return argc == 2 && strncmp(argv[1], "--probe-", 8) == 0;
}

static inline uint8_t *answers_open(const char *path, int flags)
{
	int fd = open(path, flags | O_RDWR | O_CLOEXEC, 0600);
	void *mem = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, 4096) == 0)
		mem = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	return mem == MAP_FAILED ? NULL : mem;
}

struct fake_check {
	uint64_t id;
	uint8_t host, said; /* 2: nothing yet */
};

/* Tells every check whose answer differs from what was said last. */
static inline void fake_report(const uint8_t *answers, struct fake_check *checks)
{
	int i;

	for (i = 0; answers && i < 4096; i++) {
		struct probe_report r = {.type = PROBE_MSG_REPORT, .id = checks[i].id};
		uint8_t now = answers[checks[i].host];

		if (!checks[i].id || checks[i].said == now)
			continue;
		r.result = (struct check_result){.code = now ? CHECK_OK : CHECK_REFUSED,
						 .text = "as the test says"};
		if (send(PROBE_FD, &r, sizeof(r), MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(r))
			checks[i].said = now;
	}
}

/* How often that host is asked, behind the answers. */
static inline uint32_t *pace_of(uint8_t *answers, uint8_t host)
{
	return (uint32_t *)(answers + 1024) + host;
}

/* The path that a check asks for is that of the table. */
static inline int fake_probe_child(void)
{
	static struct fake_check checks[4096];
	struct pollfd p = {.fd = PROBE_FD, .events = POLLIN};
	const struct probe_report alive = {.type = PROBE_MSG_ALIVE};
	unsigned int poll_count = 0;
	uint8_t *answers = NULL;
	struct probe_command m;
	ssize_t n;

	for (;;) {
		poll(&p, 1, 2);
		if (poll_count++ % 128 == 0 &&
		    send(PROBE_FD, &alive, sizeof(alive), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
		    errno != EAGAIN)
			return 0;
		while ((n = recv(PROBE_FD, &m, sizeof(m), MSG_DONTWAIT)) > 0) {
			struct fake_check *c = &checks[probe_slot(m.id) % 4096];

			if (m.type == PROBE_MSG_PACE && answers) /* changes are told at once */
				*pace_of(answers, c->host) = m.interval_ms;
			if (m.type == PROBE_MSG_PACE)
				continue;
			*c = (struct fake_check){0};
			if (m.type != PROBE_MSG_ADD)
				continue;
			*c = (struct fake_check){
				.id = m.id, .host = m.question.addr.bytes[3] - 10, .said = 2};
			if (!answers)
				answers = answers_open(
					probe_question_text(&m.question, CONF_TEXT_PATH), 0);
		}
		if (n >= 0)
			return 0;
		fake_report(answers, checks);
	}
}

/* ---- set-up -------------------------------------------------------------------------------------*/

static inline void network_make(struct bench *b)
{
	FILE *batch;
	int i;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	shell("ip link set lo up; ip link add te0 type veth peer name te1;"
	      "ip address add 10.9.0.1/24 dev te0; ip link set te0 up; ip link set te1 up");
	batch = popen("ip -batch -", "w");
	assert_non_null(batch);
	for (i = 0; i < HOSTS; i++) {
		b->hosts[i].mac = (uint8_t)(10 + i);
		fprintf(batch,
			"neigh add 10.9.0.%d lladdr 02:00:00:00:09:%02x nud permanent dev te0\n",
			10 + i, 10 + i);
	}
	assert_int_equal(pclose(batch), 0);
}

static inline int set_up(void **state)
{
	struct bench *b =
		mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char path[128];

	assert_ptr_not_equal(b, MAP_FAILED);
	network_make(b);
	snprintf(b->instance, sizeof(b->instance), "test-engine-%d", getpid());
	snprintf(b->dir, sizeof(b->dir), "/tmp/shunt-%s", b->instance);
	shell("rm -rf %s /sys/fs/bpf/shunt/%s", b->dir, b->instance); /* of one that was killed */
	assert_int_equal(mkdir(b->dir, 0755), 0);
	snprintf(b->config, sizeof(b->config), "%s/shunt.yaml", b->dir);
	snprintf(path, sizeof(path), "%s/answers", b->dir);
	b->answers = answers_open(path, O_CREAT);
	assert_non_null(b->answers);
	memset(b->answers, 1, HOSTS);
	b->base = event_base_new();
	log_set_level(LOG_LEVEL_ERROR);
	*state = b;
	return 0;
}

static inline int tear_down(void **state)
{
	struct bench *b = *state;

	if (b->other > 0) {
		kill(b->other, SIGKILL);
		waitpid(b->other, NULL, 0);
		b->engine = NULL;
	}
	engine_close(b->engine);
	event_base_free(b->base);
	shell("rm -rf %s /sys/fs/bpf/shunt/%s", b->dir, b->instance);
	munmap(b->answers, 4096);
	munmap(b, sizeof(*b));
	return 0;
}

/* ---- configurations -----------------------------------------------------------------------------*/

static inline void write_head(const struct bench *b, FILE *f)
{
	fprintf(f,
		"instance: %s\ninterfaces: [{name: te0, xdp: generic}]\nrun_dir: %s\n"
		"state_dir: %s\nflow_table: %s\nrollback_window: %s\ndefaults: { %s }\nservices:\n",
		b->instance, b->dir, b->dir, b->flows ? b->flows : "4k",
		b->window ? b->window : "0s", b->defaults ? b->defaults : "remove: now");
}

static inline enum shunt_forward method_of(const struct wanted_service *s, int host)
{
	uint8_t own = s->backends[host].method;

	return own ? (enum shunt_forward)(own - 1) : s->forward;
}

/* Methods that need no more than a next hop, or none. */
static inline uint8_t pick_method(void)
{
	static const uint8_t own[] = {
		0, 0, 0, 1 + SHUNT_DSR, 1 + SHUNT_IPIP, 1 + SHUNT_GUE, 1 + SHUNT_GRE};

	return own[rand() % 7];
}

static inline void write_service(const struct bench *b, FILE *f, int number)
{
	const struct wanted_service *s = &b->services[number];
	int i;

	fprintf(f, "  - {name: s%d, scheduler: %s, forward: %s, ", number,
		conf_scheduler_name(s->scheduler), conf_forward_name(s->forward));
	write_ports(f, s->ports, number);
	fprintf(f, "on_empty: %s, ", conf_on_empty_name(s->on_empty));
	write_policy(f, s);
	if (s->keys)
		fprintf(f, "%s ", s->keys);
	if (s->slots)
		fprintf(f, "slots: %u, ", s->slots);
	if (s->checked)
		fprintf(f,
			"check: {type: http, via: direct, path: %s/answers, interval: 1s, timeout: "
			"1s, "
			"rise: 1, fall: 1%s}, ",
			b->dir, s->ports == PORTS_PREFIX ? ", port: 80" : "");
	else
		fprintf(f, "check: none, ");
	fprintf(f, "backends: [");
	for (i = 0; i < HOSTS; i++)
		if (s->backends[i].there)
			fprintf(f, "{address: 10.9.0.%d, name: b%d, weight: %d, forward: %s}, ",
				10 + i, i, s->backends[i].weight,
				conf_forward_name(method_of(s, i)));
	fprintf(f, "]}\n");
}

/* Into place as a whole, since a daemon of the test's may be reading it. */
static inline void write_config(const struct bench *b)
{
	char path[sizeof(b->config) + 8];
	FILE *f;
	int i;

	snprintf(path, sizeof(path), "%s.new", b->config);
	f = fopen(path, "w");
	assert_non_null(f);
	write_head(b, f);
	for (i = 0; i < SERVICES; i++)
		if (b->services[i].there)
			write_service(b, f, i);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(path, b->config), 0);
}

/* Another weight in the configuration ends an edit of the weight, and no backend any edit of it. */
static inline void want_backend(struct wanted_service *s, int host, bool there, uint16_t weight)
{
	struct wanted_backend *w = &s->backends[host];

	if (!there) {
		*w = (struct wanted_backend){0};
		return;
	}
	if (w->weight != weight)
		w->has_weight = false;
	w->there = true;
	w->weight = weight;
}

/* ---- what is expected ---------------------------------------------------------------------------*/

static inline int host_of(const struct backend *b)
{
	return b->addr.bytes[3] - 10;
}

static inline const struct wanted_service *wanted_of(const struct bench *b, const struct service *s)
{
	return &b->services[atoi(s->name + 1)];
}

static inline bool has_next_hop(const struct bench *b, int host)
{
	return !b->link_down && !b->hosts[host].no_route;
}

static inline bool is_well(const struct bench *b, const struct wanted_service *s, int host)
{
	return has_next_hop(b, host) && (!s->checked || b->answers[host]);
}

static inline uint16_t weight_of(const struct wanted_backend *w)
{
	return w->has_weight ? w->edited_weight : w->weight;
}

static inline bool takes_flows(const struct wanted_backend *w)
{
	return w->there && !w->drained && weight_of(w) > 0;
}

/* Whether the service has nobody who may take flows by its own merit, and uses all. */
static inline bool fails_open(const struct bench *b, const struct wanted_service *s)
{
	int i;

	for (i = 0; i < HOSTS; i++)
		if (takes_flows(&s->backends[i]) && is_well(b, s, i))
			return false;
	return s->on_empty == CONF_EMPTY_ALL;
}

static inline bool should_be_usable(const struct bench *b, const struct wanted_service *s, int host)
{
	return fails_open(b, s) ? has_next_hop(b, host) : is_well(b, s, host);
}

static inline bool should_have_slots(const struct bench *b, const struct wanted_service *s,
				     int host)
{
	return takes_flows(&s->backends[host]) && should_be_usable(b, s, host);
}

/* ---- running ------------------------------------------------------------------------------------*/

static inline enum view_nexthop expected_nexthop(const struct bench *b, int host)
{
	if (b->hosts[host].no_route)
		return VIEW_NH_NO_ROUTE;
	return b->link_down ? VIEW_NH_LINK_DOWN : VIEW_NH_RESOLVED;
}

static inline bool backend_settled(const struct bench *b, const struct backend *k)
{
	int host = host_of(k);
	enum health_state health = k->health.state;

	if (nexthops_state(b->engine, k) != expected_nexthop(b, host))
		return false;
	if (has_next_hop(b, host) && k->nexthop.dmac[5] != b->hosts[host].mac)
		return false;
	if (!wanted_of(b, k->service)->checked)
		return health == HEALTH_UNCHECKED;
	return health == (b->answers[host] ? HEALTH_UP : HEALTH_DOWN);
}

static inline bool is_settled(const struct bench *b)
{
	const struct engine *e = b->engine;
	size_t i, k;

	for (i = 0; i < e->n_services; i++) {
		if (e->services[i]->dirty)
			return false;
		for (k = 0; k < e->services[i]->n_backends; k++)
			if (!backend_settled(b, e->services[i]->backends[k]))
				return false;
	}
	return true;
}

static inline void settle(struct bench *b)
{
	int turn;

	for (turn = 0; turn < 5000; turn++) {
		event_base_loop(b->base, EVLOOP_NONBLOCK);
		if (is_settled(b))
			return;
		usleep(1000);
	}
	fail_msg("not settled after five seconds");
}

static inline void open_engine(struct bench *b)
{
	struct engine_error err = {0};

	if (engine_open(b->base, b->config, &b->engine, &err))
		fail_msg("%s", err.text);
}

static inline void start(struct bench *b)
{
	open_engine(b);
	settle(b);
}

static inline void stop(struct bench *b)
{
	engine_close(b->engine);
	b->engine = NULL;
}

static inline void reload_well(struct bench *b)
{
	struct engine_error text = {0};

	if (reload_now(b->engine, &text))
		fail_msg("%s", text.text);
}

#endif
