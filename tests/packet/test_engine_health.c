/* SPDX-License-Identifier: BSD-2-Clause */
/* What the engine makes of results of checks, which the test itself reports, when reloads and commands come
 * between. */
#include "engine_world.h"

#include <bpf/bpf.h>

#include "engine/passive.h"
#include "io/ctl_client.h"
#include "io/notify.h"

/* One service, s0, of hosts 0 and 1; @keys are those of the service, @checks go before the services. */
static void configure(const struct bench *b, const char *checks, const char *keys)
{
	FILE *f = fopen(b->config, "w");

	assert_non_null(f);
	fprintf(f,
		"instance: %s\ninterfaces: [{name: te0, xdp: generic}]\nrun_dir: %s\nstate_dir: "
		"%s\n"
		"flow_table: 4k\nrollback_window: 0s\n%s\nservices:\n"
		"  - {name: s0, vip: 203.0.113.1, port: 80, forward: dsr, %s,\n"
		"     backends: [{address: 10.9.0.10, name: b0, weight: 10},\n"
		"                {address: 10.9.0.11, name: b1, weight: 10}]}\n",
		b->instance, b->dir, b->dir, checks, keys);
	assert_int_equal(fclose(f), 0);
}

static void turn(struct bench *b)
{
	event_base_loop(b->base, EVLOOP_NONBLOCK);
	usleep(1000);
}

static bool is_at_rest(const struct bench *b)
{
	const struct service *s = b->engine->services[0];

	for (size_t i = 0; i < s->n_backends; i++)
		if (nexthops_state(b->engine, s->backends[i]) != VIEW_NH_RESOLVED)
			return false;
	return !s->dirty && !s->agents_step;
}

/* Until what was touched is rebuilt, and what agents ask for is in force. */
static void rest(struct bench *b)
{
	turn(b);
	for (int i = 0; i < 30000 && !is_at_rest(b); i++)
		turn(b);
	assert_true(is_at_rest(b));
}

static void begin(struct bench *b, const char *checks, const char *keys)
{
	configure(b, checks, keys);
	open_engine(b);
	rest(b);
}

static void reload(struct bench *b, const char *checks, const char *keys)
{
	configure(b, checks, keys);
	reload_well(b);
	rest(b);
}

static struct backend *backend(const struct bench *b, int n)
{
	return b->engine->services[0]->backends[n];
}

/* A result of check @check of backend @n. */
static void report(struct bench *b, int n, size_t check, struct check_result r)
{
	const struct probing *p = &backend(b, n)->checks[check];

	assert_int_not_equal(p->id, 0);
	if (!r.text[0])
		snprintf(r.text, sizeof(r.text), "as the test says");
	checks_calls(b->engine, NULL).result(b->engine, p->id, &r);
}

static void good(struct bench *b, int n, size_t check)
{
	report(b, n, check, (struct check_result){.layer = CHECK_LAYER_4});
}

static void bad(struct bench *b, int n, size_t check)
{
	report(b, n, check, (struct check_result){.code = CHECK_REFUSED, .layer = CHECK_LAYER_4});
}

static void command(struct bench *b, enum ctl_verb verb, int n)
{
	struct ctl_command c = {.verb = verb, .service = "s0", .user = "tester"};
	const pid_t pid = fork();
	int status = 0;

	snprintf(c.backend, sizeof(c.backend), "b%d", n);
	if (pid == 0) {
		struct client_error why;
		struct ctl_reply r;

		alarm(60);
		_exit(ctl_client_call(b->dir, b->instance, &c, &r, &why) || r.status);
	}
	while (waitpid(pid, &status, WNOHANG) == 0)
		turn(b);
	assert_int_equal(status, 0);
}

/* The history of backend @n, the newest first: "up > down, starting > up". */
static void assert_history(const struct bench *b, int n, const char *want)
{
	struct history_event e;
	char got[1024] = "";
	size_t used = 0;

	for (uint32_t i = 0; history_read(&backend(b, n)->history, i, &e); i++)
		used += (size_t)snprintf(got + used, sizeof(got) - used, "%s%s > %s", i ? ", " : "",
					 standing_name(e.from), standing_name(e.to));
	assert_string_equal(got, want);
}

/* ---- several checks -----------------------------------------------------------------------------*/

#define TWO                                                                                        \
	"checks:\n  one: {type: tcp, via: direct, rise: 1, fall: 1}\n  two: {type: tcp, via: "     \
	"direct, port: 81, rise: 1, fall: 1}\n"

static void how_checks_are_joined_can_be_changed(void **state)
{
	struct bench *b = *state;

	begin(b, TWO, "checks: {all: [one, two]}");
	good(b, 0, 0);
	bad(b, 0, 1);
	good(b, 1, 0);
	good(b, 1, 1);
	assert_int_equal(backend_standing(backend(b, 0)), STANDING_DOWN);
	reload(b, TWO, "checks: {any: [one, two]}");
	assert_int_equal(backend_standing(backend(b, 0)), STANDING_UP);
	assert_true(backend(b, 0)->in_slots);
	assert_int_equal(backend_standing(backend(b, 1)), STANDING_UP);
	reload(b, TWO, "checks: {all: [one, two]}");
	assert_int_equal(backend_standing(backend(b, 0)), STANDING_DOWN);
	assert_false(backend(b, 0)->in_slots);
	assert_true(backend(b, 1)->in_slots);
}

/* ---- agents -------------------------------------------------------------------------------------*/

#define AGENTS "checks:\n  one: {type: agent, port: 7001}\n  two: {type: agent, port: 7002}\n"

static void says(struct bench *b, size_t check, uint8_t notes, uint16_t percent)
{
	report(b, 0, check,
	       (struct check_result){
		       .layer = CHECK_LAYER_7, .notes = notes, .weight_percent = percent});
	rest(b);
}

static void an_agent_does_not_keep_up_what_another_one_has_taken_back(void **state)
{
	struct bench *b = *state;

	begin(b, AGENTS, "checks: {all: [one, two]}");
	says(b, 0, CHECK_NOTE_DRAIN, 0);
	assert_int_equal(backend_standing(backend(b, 0)), STANDING_DRAINED);
	says(b, 1, CHECK_NOTE_WEIGHT, 90);
	assert_int_equal(backend_standing(backend(b, 0)), STANDING_DRAINED);
	says(b, 0, CHECK_NOTE_READY, 0);
	assert_int_not_equal(backend_standing(backend(b, 0)), STANDING_DRAINED);
	assert_int_equal(backend(b, 0)->weight, 9);
}

/* ---- what is told -------------------------------------------------------------------------------*/

#define ONE "check: {type: tcp, via: direct, rise: 1, fall: 1}"

static void who_is_drained_before_its_first_result_is_told_of_once(void **state)
{
	struct bench *b = *state;

	begin(b, "", ONE);
	command(b, CTL_DRAIN, 0);
	good(b, 0, 0);
	assert_history(b, 0, "starting > drained");
	command(b, CTL_ENABLE, 0);
	assert_history(b, 0, "drained > up, starting > drained");
}

/* A SYN of client @client to the service; the host that it ends at. */
static int send_syn(const struct bench *b, int client)
{
	uint8_t frame[64] = {[12] = 0x08, [14] = 0x45, [17] = 40, [22] = 64, [23] = 6, [26] = 100};
	uint8_t out[256] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = 54, .data_out = out,
		    .data_size_out = sizeof(out), .repeat = 1);

	frame[28] = (uint8_t)(client >> 8);
	frame[29] = (uint8_t)client;
	memcpy(&frame[30], (uint8_t[]){203, 0, 113, 1}, 4);
	frame[34] = 40; /* port 10240 */
	frame[37] = 80;
	frame[46] = 0x50;
	frame[47] = 0x02;
	assert_int_equal(bpf_prog_test_run_opts(dp_program_fd(b->engine->dp), &run), 0);
	return out[5] - 10;
}

/* New connections to both, and each of those to host 0 tries again. */
static void suspect_host_0(struct bench *b)
{
	static int client;

	for (int i = 0; i < 20; i++, client++)
		if (send_syn(b, client) == 0)
			send_syn(b, client);
	turn(b);
}

static void who_comes_back_while_drained_was_drained_before(void **state)
{
	struct bench *b = *state;
	int i;

	begin(b, "", ONE ", passive: {action: down, min: 20, window: 1s, hold: 3s}");
	good(b, 0, 0);
	good(b, 1, 0);
	for (i = 0; i < 30000 && backend_standing(backend(b, 0)) == STANDING_UP; i++)
		suspect_host_0(b);
	assert_int_equal(backend_standing(backend(b, 0)), STANDING_DOWN);
	command(b, CTL_DRAIN, 0);
	assert_history(b, 0, "down > drained, up > down, starting > up");
	for (i = 0; i < 30000 && passive_is_out(backend(b, 0)); i++)
		turn(b);
	assert_history(b, 0, "drained > drained, down > drained, up > down, starting > up");
}

/* What the log has when @words are in it, or after a minute. */
static bool log_says(struct bench *b, const char *path, const char *words)
{
	const mono_t start = mono_now();
	bool found = false;

	while (!found && mono_diff_us(start, mono_now()) < 60000000) {
		char line[2048];
		FILE *f = fopen(path, "r");

		turn(b);
		while (f && !found && fgets(line, sizeof(line), f))
			found = strstr(line, words) != NULL;
		if (f)
			fclose(f);
	}
	return found;
}

/* It is said at most once in ten seconds, so that nothing is won by leaving it out. */
static void what_ails_a_program_is_said_in_a_flood_of_changes(void **state)
{
	struct bench *b = *state;
	const int console = dup(STDERR_FILENO);
	char path[128];
	bool said;
	int log;

	begin(b, "notify: {exec: [/bin/false]}", ONE);
	snprintf(path, sizeof(path), "%s/log", b->dir);
	log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(log >= 0 && dup2(log, STDERR_FILENO) >= 0);
	close(log);
	b->engine->lines_said = 2 * ENGINE_LINES_A_SECOND;
	b->engine->lines_since = mono_add_us(mono_now(), 3600000000);
	good(b, 0, 0);
	bad(b, 0, 0);
	said = log_says(b, path, "notify: /bin/false: exit status 1");
	dup2(console, STDERR_FILENO);
	close(console);
	assert_true(said);
}

/* ---- pace ---------------------------------------------------------------------------------------*/

#define PACED(keys)                                                                                \
	"check: {type: http, via: direct, interval: 10s, timeout: 1s, rise: 2, fall: 1, path: "    \
	"%s/answers, " keys "}"

static void assert_pace(struct bench *b, uint32_t ms)
{
	for (int i = 0; i < 5000 && *pace_of(b->answers, 0) != ms; i++)
		turn(b);
	assert_int_equal(*pace_of(b->answers, 0), ms);
}

static void a_pace_that_is_changed_holds_at_once(void **state)
{
	struct bench *b = *state;
	char slow[256], fast[256], doubt[256];

	snprintf(slow, sizeof(slow), PACED("down_interval: 1h"), b->dir);
	snprintf(fast, sizeof(fast), PACED("down_interval: 2s"), b->dir);
	snprintf(doubt, sizeof(doubt), PACED("down_interval: 2s, fast_interval: 1s"), b->dir);
	b->answers[0] = 0;
	begin(b, "", slow);
	assert_pace(b, 3600000);
	reload(b, "", fast);
	assert_pace(b, 2000);
	b->answers[0] = 1; /* once, which is not enough */
	for (int i = 0; i < 5000 && backend(b, 0)->checks[0].health.streak == 0; i++)
		turn(b);
	assert_int_equal(backend(b, 0)->checks[0].health.streak, 1);
	reload(b, "", doubt);
	assert_pace(b, 1000);
}

int main(int argc, char **argv)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(how_checks_are_joined_can_be_changed),
		CASE(an_agent_does_not_keep_up_what_another_one_has_taken_back),
		CASE(who_is_drained_before_its_first_result_is_told_of_once),
		CASE(who_comes_back_while_drained_was_drained_before),
		CASE(what_ails_a_program_is_said_in_a_flood_of_changes),
		CASE(a_pace_that_is_changed_holds_at_once),
	};

	if (is_probe_child(argc, argv))
		return fake_probe_child();
	if (argc >= 4 && strcmp(argv[1], "--notify") == 0)
		return notify_program_main(argv + 2);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
