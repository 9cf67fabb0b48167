/* SPDX-License-Identifier: BSD-2-Clause */
/* One slot through changes and time: backends are 1 (A), 2 (B) and 3 (C). */
#include "pure/transit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

enum { A = 1, B, C };
#define ON(n) (SHUNT_SLOT_CHANGED | (n))
#define IDLE 300
#define CAP 3600

static uint8_t alive[4];
static struct transit_rules rules;

static int setup(void **state)
{
	(void)state;
	memset(alive, 1, sizeof(alive));
	alive[0] = 0;
	rules = (struct transit_rules){
		.kind = TRANSIT_SYN, .alive = alive, .now = 1000, .idle = IDLE, .cap = CAP};
	return 0;
}

static struct transit_slot owned_by(uint16_t number)
{
	return (struct transit_slot){.slot = number};
}

static struct transit_slot change_at(struct transit_slot s, uint16_t want, uint16_t now)
{
	rules.now = now;
	return transit_change(s, want, &rules);
}

static struct transit_slot settle_at(struct transit_slot s, uint16_t now)
{
	rules.now = now;
	return transit_settle(s, &rules);
}

static void check(struct transit_slot s, uint16_t slot, uint16_t base)
{
	assert_int_equal(s.slot, slot);
	assert_int_equal(s.base.base, base);
}

static void a_planned_change_keeps_the_former_owner_as_base(void **state)
{
	struct transit_slot s = change_at(owned_by(A), B, 1000);

	(void)state;
	check(s, ON(B), A);
	assert_int_equal(s.base.used, 1000);
	assert_int_equal(s.base.since, 1001);
	assert_int_equal(s.base.flags, 0);
}

static void what_does_not_change_stays_settled(void **state)
{
	struct transit_slot s = change_at(owned_by(A), A, 1000);

	(void)state;
	check(s, A, 0);
}

static void a_dead_owner_is_replaced_at_once(void **state)
{
	(void)state;
	alive[A] = 0;
	assert_int_equal(change_at(owned_by(A), B, 1000).slot, B);
	assert_int_equal(change_at(owned_by(0), B, 1000).slot, B);
}

static void who_is_left_by_all_keeps_its_flows(void **state)
{
	(void)state;
	check(change_at(owned_by(A), 0, 1000), ON(0), A);
}

static void in_a_chain_the_base_stays_and_everybody_gets_the_whole_timeout(void **state)
{
	struct transit_slot s = change_at(owned_by(A), B, 1000);

	(void)state;
	s = change_at(s, C, 1250);
	check(s, ON(C), A);
	assert_int_equal(s.base.since, 1001);
	assert_int_equal(settle_at(s, 1250 + IDLE + 1).slot, ON(C));
	assert_int_equal(settle_at(s, 1250 + IDLE + 2).slot, C);
}

static void a_change_taken_back_stays_in_transition(void **state)
{
	struct transit_slot s = change_at(owned_by(A), B, 1000);

	(void)state;
	s = change_at(s, A, 1100);
	check(s, ON(A), A);
	assert_int_equal(settle_at(s, 1100 + IDLE + 2).slot, A);
}

static void a_base_that_dies_is_forgotten_but_not_the_entries_of_others(void **state)
{
	struct transit_slot s = change_at(owned_by(A), B, 1000);

	(void)state;
	alive[A] = 0;
	s = change_at(s, B, 1100);
	check(s, ON(B), 0);
	assert_int_equal(s.base.used, 1100);
	/* Flows that found no room have been B's since. */
	s = change_at(s, C, 1200);
	check(s, ON(C), B);
}

static void an_owner_that_dies_in_transition_leaves_the_base_alone(void **state)
{
	struct transit_slot s = change_at(owned_by(A), B, 1000);

	(void)state;
	alive[B] = 0;
	check(change_at(s, C, 1100), ON(C), A);
}

static void a_slot_settles_when_nobody_has_gone_elsewhere_for_the_timeout(void **state)
{
	struct transit_slot s = change_at(owned_by(A), B, 1000);

	(void)state;
	s.base.used = 1200;
	assert_int_equal(settle_at(s, 1200 + IDLE + 1).slot, ON(B));
	assert_int_equal(settle_at(s, 1200 + IDLE + 2).slot, B);
	s.base.used = 2000; /* a tick that this daemon has not seen yet */
	assert_int_equal(settle_at(s, 1999).slot, ON(B));
}

static void a_slot_settles_at_the_cap_whoever_uses_it(void **state)
{
	struct transit_slot s = change_at(owned_by(A), B, 1000);

	(void)state;
	s.base.used = 1001 + CAP;
	assert_int_equal(settle_at(s, 1001 + CAP).slot, ON(B));
	assert_int_equal(settle_at(s, 1002 + CAP).slot, B);
}

static void ticks_wrap(void **state)
{
	struct transit_slot s = change_at(owned_by(A), B, 65500);

	(void)state;
	assert_int_equal(settle_at(s, (uint16_t)(65500 + IDLE + 1)).slot, ON(B));
	assert_int_equal(settle_at(s, (uint16_t)(65500 + IDLE + 2)).slot, B);
	assert_int_equal(transit_age(5, 65530), 11);
	assert_int_equal(transit_age(65530, 5), 0);
}

static void since_passes_what_an_earlier_transition_left_in_the_same_tick(void **state)
{
	struct transit_slot s = change_at(owned_by(A), B, 1000);

	(void)state;
	s.slot = B; /* settled since */
	s = change_at(s, C, 1000);
	assert_int_equal(s.base.since, 1002);
	s.slot = C;
	s.base.since = 1000 + SHUNT_FLOW_AHEAD - 1; /* nor is it ever further ahead than this */
	assert_int_equal(change_at(s, A, 1000).base.since, 1000 + SHUNT_FLOW_AHEAD - 1);
	s.base.since = 40000; /* of hours ago */
	assert_int_equal(change_at(s, A, 1000).base.since, 1001);
}

static void a_service_without_syns_learns_first(void **state)
{
	struct transit_slot s;

	(void)state;
	rules.kind = TRANSIT_LEARN;
	s = change_at(owned_by(A), B, 1000);
	check(s, ON(B), A);
	assert_int_equal(s.base.flags, SHUNT_BASE_LEARNING);
	s = settle_at(s, 1001 + IDLE + 1);
	assert_int_equal(s.base.flags, SHUNT_BASE_LEARNING);
	s = settle_at(s, 1001 + IDLE + 2);
	assert_int_equal(s.base.flags, 0);
	check(s, ON(B), A);
	assert_int_equal(s.base.used, 1001 + IDLE + 2);
	assert_int_equal(settle_at(s, 1001 + 2 * IDLE + 4).slot, B);
}

static void learning_outlasts_the_cap(void **state)
{
	struct transit_slot s;

	(void)state;
	rules.kind = TRANSIT_LEARN;
	rules.cap = IDLE / 2;
	s = change_at(owned_by(A), B, 1000);
	assert_int_equal(settle_at(s, 1001 + IDLE).base.flags, SHUNT_BASE_LEARNING);
	assert_int_equal(settle_at(s, 1001 + IDLE).slot, ON(B));
}

static void who_learns_of_a_base_that_dies_stops(void **state)
{
	struct transit_slot s;

	(void)state;
	rules.kind = TRANSIT_LEARN;
	s = change_at(owned_by(A), B, 1000);
	alive[A] = 0;
	s = change_at(s, B, 1001);
	check(s, ON(B), 0);
	assert_int_equal(s.base.flags, 0);
}

static void where_nobody_minds_slots_change_at_once(void **state)
{
	struct transit_slot s = change_at(owned_by(A), B, 1000);

	(void)state;
	rules.kind = TRANSIT_AT_ONCE;
	assert_int_equal(change_at(owned_by(A), B, 1000).slot, B);
	assert_int_equal(change_at(s, C, 1000).slot, C);
	assert_int_equal(settle_at(s, 1000).slot, B);
}

static void when_all_flows_were_remembered_until_now_every_slot_believes_the_entries(void **state)
{
	struct transit_slot s = change_at(owned_by(A), B, 900);

	(void)state;
	rules.believe = true;
	s = change_at(s, C, 1000);
	check(s, ON(C), A);
	assert_int_equal(s.base.since, 1000 - IDLE);
	s = change_at(owned_by(A), A, 1000);
	check(s, ON(A), A);
	assert_int_equal(s.base.since, 1000 - IDLE);
	alive[B] = 0;
	check(change_at(owned_by(B), A, 1000), ON(A), 0);
}

/* While a service remembers all flows nothing writes `used`. */
static void a_slot_still_in_transition_waits_for_the_flows_that_were_remembered(void **state)
{
	struct transit_slot s = change_at(owned_by(A), B, 1000);

	(void)state;
	rules.believe = true;
	s = change_at(s, B, 1000 + IDLE + 2);
	rules.believe = false;
	check(settle_at(s, 1000 + IDLE + 2), ON(B), A);
	check(settle_at(s, 1000 + 2 * IDLE + 3), ON(B), A);
	assert_int_equal(settle_at(s, 1000 + 2 * IDLE + 4).slot, B);
}

/* Neither before this change nor when all are remembered no longer. */
static void who_begins_to_remember_believes_no_entry_of_before(void **state)
{
	struct transit_slot s, on = change_at(owned_by(A), B, 900);

	(void)state;
	rules.all = true;
	s = change_at(owned_by(A), A, 1000);
	on = change_at(on, B, 1000);
	rules.all = false;
	check(s, ON(A), A);
	assert_int_equal(s.base.flags, SHUNT_BASE_SINCE);
	assert_int_equal(s.base.since, 1001);
	check(on, ON(B), A);
	assert_int_equal(on.base.flags, SHUNT_BASE_SINCE);
	assert_int_equal(on.base.since, 901);
	assert_int_equal(on.base.used, 1000); /* the packet path may just have written it */
	rules.believe = true;
	assert_int_equal(change_at(s, B, 1010).base.since, 1001);
	assert_int_equal(change_at(on, B, 1010).base.since, 901);
}

static void what_does_not_count_has_expired_before_the_slot_settles(void **state)
{
	struct transit_slot s = owned_by(A);

	(void)state;
	s.base.since = 1000 + SHUNT_FLOW_AHEAD - 2; /* of many transitions in one tick */
	rules.all = true;
	s = change_at(s, A, 1000);
	rules.all = false;
	assert_int_equal(s.base.since, 1000 + SHUNT_FLOW_AHEAD - 1);
	assert_int_equal(settle_at(s, s.base.since + IDLE).slot, ON(A));
	assert_int_equal(settle_at(s, s.base.since + IDLE + 1).slot, A);
}

/* Its flows have been given to somebody else, and nothing was remembered. */
static void who_begins_to_remember_learns_where_somebody_has_died(void **state)
{
	struct transit_slot s;

	(void)state;
	rules.kind = TRANSIT_LEARN;
	rules.all = true;
	alive[A] = 0;
	s = change_at(owned_by(A), B, 1000);
	check(s, ON(B), 0);
	assert_int_equal(s.base.flags, SHUNT_BASE_LEARNING | SHUNT_BASE_SINCE);
}

static void who_begins_to_remember_learns_in_every_slot(void **state)
{
	struct transit_slot s;

	(void)state;
	rules.kind = TRANSIT_LEARN;
	rules.all = true;
	s = change_at(owned_by(A), A, 1000);
	check(s, ON(A), A);
	assert_int_equal(s.base.flags, SHUNT_BASE_LEARNING | SHUNT_BASE_SINCE);
	s = change_at(owned_by(A), B, 1000);
	check(s, ON(B), A);
	assert_int_equal(s.base.flags, SHUNT_BASE_LEARNING | SHUNT_BASE_SINCE);
	rules.all = false;
	rules.kind = TRANSIT_SYN; /* as it is from then on */
	assert_true(settle_at(s, 1001 + IDLE + 1).base.flags & SHUNT_BASE_LEARNING);
	s = settle_at(s, 1001 + IDLE + 2);
	check(s, ON(B), A);
	assert_int_equal(s.base.flags, SHUNT_BASE_SINCE);
}

/* Its flows have entries, or it learns still: those entries are to hold until the service goes over. */
static void a_transition_that_goes_on_has_learnt(void **state)
{
	struct transit_slot s, learnt;

	(void)state;
	rules.kind = TRANSIT_LEARN;
	s = change_at(owned_by(A), B, 600);
	learnt = settle_at(s, 601 + IDLE + 2);
	rules.all = true;
	s = change_at(s, B, 700);
	check(s, ON(B), A);
	assert_int_equal(s.base.flags, SHUNT_BASE_LEARNING | SHUNT_BASE_SINCE);
	assert_int_equal(s.base.since, 601);
	s = change_at(learnt, B, 1000);
	check(s, ON(B), A);
	assert_int_equal(s.base.flags, SHUNT_BASE_SINCE);
	assert_int_equal(s.base.since, 601);
}

/* Whatever the tick, and however long the daemon was away, if that is less than a wrap. */
static void a_slot_settles_by_its_age_at_every_tick(void **state)
{
	static const uint16_t ages[] = {0,     1,     IDLE,  IDLE + 1, IDLE + 2, 32766,
					32767, 32768, 40000, 60000,    65000,	 65400};
	struct transit_slot s;

	(void)state;
	for (uint32_t now = 0; now < 65536; now += 7)
		for (size_t i = 0; i < sizeof(ages) / sizeof(*ages); i++) {
			s = change_at(owned_by(A), B, (uint16_t)(now - ages[i]));
			assert_int_equal(settle_at(s, (uint16_t)now).slot,
					 ages[i] > IDLE + 1 ? B : ON(B));
			s = change_at(owned_by(A), B, (uint16_t)now);
			s.base.used = (uint16_t)(now + ages[i] % SHUNT_FLOW_AHEAD);
			check(settle_at(s, (uint16_t)now), ON(B), A);
		}
}

static void slots_of_another_hash_begin_anew_whatever_they_were(void **state)
{
	const struct transit_slot was[] = {owned_by(0), owned_by(A), owned_by(B),
					   change_at(owned_by(A), B, 900)};
	size_t i;

	(void)state;
	rules.anew = true;
	rules.flow = 200;
	for (i = 0; i < sizeof(was) / sizeof(*was); i++) {
		struct transit_slot s = change_at(was[i], B, 1000);

		check(s, ON(B), 0);
		assert_int_equal(s.base.used, 1000);
		assert_int_equal(s.base.since, 800);
		assert_int_equal(s.base.flags, 0);
	}
	rules.kind = TRANSIT_LEARN; /* they have learned */
	assert_int_equal(change_at(owned_by(A), A, 1000).base.flags, 0);
	rules.kind = TRANSIT_AT_ONCE;
	check(change_at(owned_by(A), B, 1000), B, 0);
}

static void slots_of_another_hash_settle_as_others_do(void **state)
{
	struct transit_slot s;

	(void)state;
	rules.anew = true;
	rules.flow = 200;
	s = change_at(owned_by(A), B, 1000);
	rules.anew = false;
	s = change_at(s, C, 1010);
	check(s, ON(C), B); /* who has come to B since then */
	assert_int_equal(s.base.since, 800);
	check(settle_at(s, 1010 + IDLE + 1), ON(C), B);
	check(settle_at(s, 1010 + IDLE + 2), C, B);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(name, setup)
		T(a_planned_change_keeps_the_former_owner_as_base),
		T(what_does_not_change_stays_settled),
		T(a_dead_owner_is_replaced_at_once),
		T(who_is_left_by_all_keeps_its_flows),
		T(in_a_chain_the_base_stays_and_everybody_gets_the_whole_timeout),
		T(a_change_taken_back_stays_in_transition),
		T(a_base_that_dies_is_forgotten_but_not_the_entries_of_others),
		T(an_owner_that_dies_in_transition_leaves_the_base_alone),
		T(a_slot_settles_when_nobody_has_gone_elsewhere_for_the_timeout),
		T(a_slot_settles_at_the_cap_whoever_uses_it),
		T(ticks_wrap),
		T(a_slot_settles_by_its_age_at_every_tick),
		T(since_passes_what_an_earlier_transition_left_in_the_same_tick),
		T(a_service_without_syns_learns_first),
		T(learning_outlasts_the_cap),
		T(who_learns_of_a_base_that_dies_stops),
		T(where_nobody_minds_slots_change_at_once),
		T(when_all_flows_were_remembered_until_now_every_slot_believes_the_entries),
		T(a_slot_still_in_transition_waits_for_the_flows_that_were_remembered),
		T(who_begins_to_remember_believes_no_entry_of_before),
		T(what_does_not_count_has_expired_before_the_slot_settles),
		T(who_begins_to_remember_learns_where_somebody_has_died),
		T(who_begins_to_remember_learns_in_every_slot),
		T(a_transition_that_goes_on_has_learnt),
		T(slots_of_another_hash_begin_anew_whatever_they_were),
		T(slots_of_another_hash_settle_as_others_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
