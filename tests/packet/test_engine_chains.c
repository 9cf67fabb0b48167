/* SPDX-License-Identifier: BSD-2-Clause */
/* A service's scheduler changes again while connections are open that are older than the change before.
 * Environment: CHAIN, the first of the chains that are made up (1). */
#include "engine_checks.h"
#include "engine_flows.h"

struct step {
	enum shunt_scheduler scheduler;
	const char *keys;
};

static void want(struct bench *b, const struct step *to)
{
	memset(b->services, 0, sizeof(b->services));
	want_service(b, 0, 0, 7);
	b->services[0].scheduler = to->scheduler;
	b->services[0].keys = to->keys;
	write_config(b);
}

static void change(struct bench *b, const struct step *to)
{
	want(b, to);
	reload_well(b);
	settle(b);
}

/* As if the service had been there, and noting its flows, for long. */
static void let_time_pass(struct bench *b)
{
	struct service *s = b->engine->services[0];

	s->born = (mono_t){1};
	if (!mono_is_never(s->keeps_since))
		s->keeps_since = (mono_t){1};
}

/* What the timer does, when flows have been noted for long enough. */
static void go_on(struct bench *b)
{
	struct engine_error dropped = {0}, text = {0};

	let_time_pass(b);
	assert_int_equal(apply_conf(b->engine, b->engine->conf, &dropped, &text), 0);
	settle(b);
}

/* By @steps, of which the last is where it ends; flows are opened at the first. */
static void flows_stay(struct bench *b, const struct step *steps, size_t n)
{
	struct seen was = {0}, is = {0};
	size_t i;

	want(b, &steps[0]);
	start(b);
	let_time_pass(b);
	open_flows(b, &was);
	for (i = 1; i < n; i++) {
		change(b, &steps[i]);
		see(b, &is);
		check_kept(&was, &is, "after", (long)i);
	}
	go_on(b);
	see(b, &is);
	check_kept(&was, &is, "at the end, after", (long)n);
	assert_int_equal(b->engine->services[0]->scheme.scheduler, steps[n - 1].scheduler);
	assert_int_equal(is.bad, 0);
}

/* The same where nobody looks: no packet comes between the changes. */
static void silent_flows_stay(struct bench *b, const struct step *steps, size_t n)
{
	struct seen was = {0}, is = {0};
	size_t i;

	want(b, &steps[0]);
	start(b);
	let_time_pass(b);
	open_flows(b, &was);
	for (i = 1; i < n; i++)
		change(b, &steps[i]);
	see(b, &is);
	check_kept(&was, &is, "after", (long)n);
	go_on(b);
	see(b, &is);
	check_kept(&was, &is, "at the end, after", (long)n);
}

#define TO_SOURCE(name, between, keys, last, last_keys)                                            \
	static const struct step name[] = {{SHUNT_MAGLEV, NULL}, {between, keys}, {last, last_keys}}

TO_SOURCE(by_rr_to_sh, SHUNT_RR, NULL, SHUNT_SH, NULL);
TO_SOURCE(by_lc_to_sh, SHUNT_LC, NULL, SHUNT_SH, NULL);
TO_SOURCE(by_rr_to_affinity, SHUNT_RR, NULL, SHUNT_RR, "affinity: source,");
TO_SOURCE(by_rr_to_maglev, SHUNT_RR, NULL, SHUNT_MAGLEV, "affinity: source,");

static void over_rr_to_sh(void **state)
{
	flows_stay(*state, by_rr_to_sh, 3);
}

static void over_lc_to_sh(void **state)
{
	flows_stay(*state, by_lc_to_sh, 3);
}

static void over_rr_to_affinity(void **state)
{
	flows_stay(*state, by_rr_to_affinity, 3);
}

static void over_rr_to_maglev_with_affinity(void **state)
{
	flows_stay(*state, by_rr_to_maglev, 3);
}

static void over_rr_to_sh_in_silence(void **state)
{
	silent_flows_stay(*state, by_rr_to_sh, 3);
}

static void over_rr_to_affinity_in_silence(void **state)
{
	silent_flows_stay(*state, by_rr_to_affinity, 3);
}

static void at_once(struct bench *b, const struct step *to)
{
	change(b, to);
	assert_false(b->engine->services[0]->flags & SHUNT_SVC_KEEP);
	assert_int_equal(b->engine->services[0]->scheme.scheduler, to->scheduler);
}

/* Of a service that never was otherwise nothing has to be noted; the next daemon knows that, too. */
static void who_remembered_all_from_the_beginning_goes_over_at_once(void **state)
{
	static const struct step rr = {SHUNT_RR, NULL}, sh = {SHUNT_SH, NULL};
	struct seen was = {0}, is = {0};
	struct bench *b = *state;

	want(b, &rr);
	start(b);
	open_flows(b, &was);
	stop(b);
	start(b);
	at_once(b, &sh);
	see(b, &is);
	check_kept(&was, &is, "after", 1);
}

/* Who forgets and remembers again has flows that it does not know; so does the next daemon's. */
static void who_remembers_again_does_not_know_all(void **state)
{
	static const struct step rr = {SHUNT_RR, NULL}, maglev = {SHUNT_MAGLEV, NULL},
				 sh = {SHUNT_SH, NULL};
	struct bench *b = *state;

	want(b, &rr);
	start(b);
	change(b, &maglev);
	change(b, &rr);
	stop(b);
	start(b);
	change(b, &sh);
	assert_true(b->engine->services[0]->flags & SHUNT_SVC_KEEP);
	assert_int_equal(b->engine->services[0]->scheme.scheduler, SHUNT_RR);
}

static void nobody_takes_new_flows(struct bench *b, const struct step *to)
{
	int i;

	want(b, to);
	for (i = 0; i < 7; i++)
		want_backend(&b->services[0], i, true, 0);
	write_config(b);
	reload_well(b);
	settle(b);
}

/* All backends get no new flows, and have old ones. */
static void flows_stay_where_nobody_takes_new_ones(void **state)
{
	static const struct step maglev = {SHUNT_MAGLEV, NULL}, sh = {SHUNT_SH, NULL};
	struct seen was = {0}, is = {0};
	struct bench *b = *state;

	want(b, &maglev);
	start(b);
	let_time_pass(b);
	open_flows(b, &was);
	nobody_takes_new_flows(b, &maglev);
	see(b, &is);
	check_kept(&was, &is, "after", 1);
	nobody_takes_new_flows(b, &sh);
	see(b, &is);
	check_kept(&was, &is, "after", 2);
	go_on(b);
	see(b, &is);
	check_kept(&was, &is, "at the end, after", 2);
}

/* ---- any chain ----------------------------------------------------------------------------------*/

#define CHAINS 20
#define STEPS 6
#define BEGIN 12 /* flows in each step */

static const struct step any[] = {
	{SHUNT_MAGLEV, NULL},
	{SHUNT_RR, NULL},
	{SHUNT_WRR, NULL},
	{SHUNT_LC, NULL},
	{SHUNT_WLC, NULL},
	{SHUNT_SH, NULL},
	{SHUNT_SH, "source_prefix: 24,"},
	{SHUNT_MAGLEV, "affinity: source,"},
	{SHUNT_MAGLEV, "affinity: source, source_prefix: 31,"},
	{SHUNT_RR, "affinity: source,"},
	{SHUNT_LC, "affinity: source,"},
	{SHUNT_WLC, "affinity: source, source_prefix: 24,"},
};

struct open {
	uint8_t backend[STEPS * BEGIN];
	int n;
};

/* Repeatable. */
static uint32_t roll(uint32_t *dice, uint32_t n)
{
	*dice = *dice * 1664525 + 1013904223;
	return (*dice >> 16) % n;
}

static void check_open(const struct bench *b, const struct open *o, const char *when, int chain,
		       int step)
{
	int i, is;

	for (i = 0; i < o->n; i++) {
		is = backend_of(dp_program_fd(b->engine->dp), 0, i, false);
		if (is != o->backend[i])
			fail_msg("chain %d, step %d, %s: flow %d went to %d, not %d", chain, step,
				 when, i, is, o->backend[i]);
	}
}

static void begin_some(const struct bench *b, struct open *o, int chain, int step)
{
	int program = dp_program_fd(b->engine->dp), i;

	for (i = 0; i < BEGIN; i++, o->n++)
		o->backend[o->n] = backend_of(program, 0, o->n, true);
	check_open(b, o, "begun", chain, step);
}

/* Another scheduler, or other weights, or more backends, or all of it. */
static void want_any(struct bench *b, uint32_t *dice, uint32_t what, struct step *now)
{
	struct wanted_service *s = &b->services[0];
	int i;

	if (what & 1)
		*now = any[roll(dice, sizeof(any) / sizeof(any[0]))];
	s->scheduler = now->scheduler;
	s->keys = now->keys;
	for (i = 0; what & 2 && i < HOSTS; i++)
		if (s->backends[i].there)
			want_backend(s, i, true, (uint16_t)roll(dice, 4));
	for (i = 0; what & 4 && i < 3; i++)
		want_backend(s, (int)roll(dice, 40), true, 1);
	want_backend(s, 0, true, 1);
	write_config(b);
}

/* @other: to another scheduler. */
static void any_step(struct bench *b, uint32_t *dice, struct step *now, bool other)
{
	switch (other ? 2 : roll(dice, 6)) {
	case 0:
		go_on(b);
		return;
	case 1:
		stop(b);
		start(b);
		let_time_pass(b);
		return;
	default:
		want_any(b, dice, other ? 1 : 1 + roll(dice, 7), now);
		reload_well(b);
		settle(b);
	}
}

static void flows_stay_in_any_chain(void **state)
{
	const char *text = getenv("CHAIN");
	int first = text ? atoi(text) : 1, chain, step;
	struct bench *b = *state;

	for (chain = first; chain < first + CHAINS; chain++) {
		uint32_t dice = (uint32_t)chain * 2654435761u;
		struct step now = any[roll(&dice, sizeof(any) / sizeof(any[0]))];
		struct open o = {0};

		want(b, &now);
		start(b);
		let_time_pass(b);
		for (step = 0; step < STEPS; step++) {
			begin_some(b, &o, chain, step);
			/* twice in a row, from settled slots; later ones hardly settle */
			any_step(b, &dice, &now, step < 2);
			check_open(b, &o, "changed", chain, step);
		}
		stop(b);
		shell("rm -rf /sys/fs/bpf/shunt/%s", b->instance);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(over_rr_to_sh),
		TEST(over_lc_to_sh),
		TEST(over_rr_to_affinity),
		TEST(over_rr_to_maglev_with_affinity),
		TEST(over_rr_to_sh_in_silence),
		TEST(over_rr_to_affinity_in_silence),
		TEST(who_remembered_all_from_the_beginning_goes_over_at_once),
		TEST(who_remembers_again_does_not_know_all),
		TEST(flows_stay_where_nobody_takes_new_ones),
		TEST(flows_stay_in_any_chain),
	};

	if (is_probe_child(argc, argv))
		return fake_probe_child();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
