/* SPDX-License-Identifier: BSD-2-Clause */
/* Each decision about a packet is said, and nothing that was not decided. */
#include "explain_facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

#include "pure/verdict.h"

static struct explain_step steps[EXPLAIN_STEPS_MAX];
static size_t n_steps;

static void explain(const struct explain_facts *f)
{
	n_steps = explain_words(f, steps);
	assert_in_range(n_steps, 2, EXPLAIN_STEPS_MAX);
}

/* The texts of all steps of that name, one after the other; empty: there is none. */
static const char *said(const char *what)
{
	static char all[4 * EXPLAIN_TEXT_MAX];
	size_t i;

	all[0] = '\0';
	for (i = 0; i < n_steps; i++)
		if (strcmp(steps[i].what, what) == 0)
			strcat(strcat(all, all[0] ? "; " : ""), steps[i].text);
	return all;
}

static void a_packet_of_a_settled_slot_is_told_all_that_was_decided(void **state)
{
	struct explain_facts f = facts_of_a_packet();

	(void)state;
	explain(&f);
	assert_string_equal(said("packet"), "TCP SYN 192.0.2.7:40000 > 203.0.113.10:80, 54 bytes");
	assert_string_equal(said("interface"), "eth0, native XDP");
	assert_string_equal(said("service"), "web (203.0.113.10:80/tcp), scheduler maglev");
	assert_string_equal(said("sources"), "no list of sources; no rates");
	assert_string_equal(said("slot"), "412 of 1024: settled, web1's");
	assert_string_equal(said("flow"),
			    "the service remembers none: the slot says where all of them go");
	assert_string_equal(
		said("backend"),
		"web1 (10.0.0.11:80): its slot is settled and this one's; gets: weight 10");
	assert_string_equal(said("next hop"),
			    "02:00:00:00:00:11 behind eth1, which takes packets of 1500 bytes");
	assert_string_equal(said("verdict"), "forward_ipip: sent to a backend in an IP tunnel");
	assert_memory_equal(said("leaves"), "eth1: 02:00:00:00:00:01 > ", 26);
	assert_string_equal(said("do"), "");
}

static void slots_in_transition_are_told_with_both_owners(void **state)
{
	struct explain_facts f = facts_in_transition();

	(void)state;
	explain(&f);
	assert_string_equal(
		said("slot"),
		"412 of 1024: in transition: new flows go to web1, older ones stay with web2");
	assert_string_equal(said("flow"), "not remembered; would be remembered");
	assert_string_equal(said("sources"),
			    "its list does not deny this source; its rates leave room for it");
	f.learning = true;
	f.by_source = true;
	f.no_room = true;
	explain(&f);
	assert_non_null(strstr(said("slot"),
			       "by the source's address: in transition from web2 to web1, "
			       "and still learns"));
	assert_non_null(strstr(said("flow"), "no room"));
}

static void entries_and_connections_are_told_with_their_age(void **state)
{
	struct explain_facts f = facts_in_transition();

	(void)state;
	f.remembers = false;
	f.has_entry = f.holds = true;
	strcpy(f.entry, "web2");
	f.age_ms = 3100;
	explain(&f);
	assert_string_equal(said("flow"),
			    "remembered with web2 (one packet so far), last packet 3 s ago");
	f.holds = false;
	explain(&f);
	assert_non_null(strstr(said("flow"), "no longer counts"));
	f.has_connection = true;
	f.connection_age_ms = 7200000;
	explain(&f);
	assert_string_equal(said("flow"),
			    "a translated connection that is known, last packet 2 h ago");
	f.has_connection = false;
	f.translates = f.opens = true;
	explain(&f);
	assert_string_equal(said("flow"), "no translated connection yet: would be opened");
}

static void who_is_refused_is_told_why_and_what_to_do(void **state)
{
	struct explain_facts f = facts_of_a_drop(SHUNT_DROP_DENIED);

	(void)state;
	f.has_list = f.has_rates = true;
	explain(&f);
	assert_string_equal(said("sources"), "its list denies this source; rates were not asked");
	assert_string_equal(said("slot"), "");
	assert_string_equal(said("leaves"), "");
	assert_non_null(strstr(said("do"), "deny_file"));
	f = facts_of_a_drop(SHUNT_DROP_RATE_SOURCE);
	f.has_rates = true;
	explain(&f);
	assert_non_null(strstr(said("sources"), "has had its rate"));
	f = facts_of_a_drop(SHUNT_DROP_NOT_ALLOWED);
	explain(&f);
	assert_non_null(strstr(said("sources"), "does not allow"));
}

static void an_interface_that_shunt_is_not_on_comes_first(void **state)
{
	struct explain_facts f = facts_of_a_packet();

	(void)state;
	f.xdp = VIEW_XDP_NONE;
	explain(&f);
	assert_non_null(strstr(said("interface"), "not attached"));
	assert_non_null(strstr(said("do"), "add eth0 to interfaces"));
	f.interface[0] = '\0';
	f.former = true;
	explain(&f);
	assert_non_null(strstr(said("interface"), "whichever"));
	assert_non_null(strstr(said("note"), "former"));
}

static void every_drop_and_every_answer_says_what_to_do(void **state)
{
	struct explain_facts f;
	int v;

	(void)state;
	for (v = 1; v < SHUNT_VERDICT_MAX; v++) {
		f = facts_of_a_drop(v);
		explain(&f);
		if (verdict_class(v) == SHUNT_CLASS_DROP)
			assert_true(strlen(said("do")) > 10);
		assert_true(strlen(said("verdict")) > 10);
	}
	assert_null(verdict_advice(SHUNT_GO_ON));
	assert_null(verdict_advice(SHUNT_VERDICT_MAX));
}

static void local_packets_leave_nowhere(void **state)
{
	struct explain_facts f = facts_of_a_packet();

	(void)state;
	f.verdict = SHUNT_FORWARD_LOCAL;
	explain(&f);
	assert_non_null(strstr(said("leaves"), "not at all"));
	assert_string_equal(said("next hop"), "");
}

static void every_reason_has_a_name_and_words(void **state)
{
	struct explain_facts f = facts_of_a_packet();

	(void)state;
	for (f.why = 1; f.why < EXPLAIN_MAX; f.why++) {
		explain(&f);
		assert_null(strstr(said("backend"), "?"));
		assert_string_not_equal(explain_why_name(f.why), "unknown");
	}
	assert_string_equal(explain_why_name(EXPLAIN_MAX), "unknown");
}

static void what_comes_closest_is_told_with_what_it_lacks(void **state)
{
	struct explain_near n = {
		.name = "web", .address = "203.0.113.10:80/tcp", .same_address = true};
	char out[EXPLAIN_TEXT_MAX];

	(void)state;
	explain_closest(NULL, 0, 81, IPPROTO_TCP, out);
	assert_non_null(strstr(out, "none has this address"));
	n.same_protocol = true;
	explain_closest(&n, 2, 81, IPPROTO_TCP, out);
	assert_string_equal(
		out, "none; web (203.0.113.10:80/tcp) comes closest, and 2 more as close: it has "
		     "this address and protocol, but not port 81");
	n.same_protocol = false;
	explain_closest(&n, 0, 80, IPPROTO_UDP, out);
	assert_non_null(strstr(out, "but not protocol udp"));
	n.same_address = false;
	explain_closest(&n, 0, 80, IPPROTO_UDP, out);
	assert_non_null(strstr(out, "but not this address"));
}

static void the_same_address_and_port_is_closer_than_the_same_protocol(void **state)
{
	const struct explain_near nothing = {0},
				  elsewhere = {.same_port = true, .same_protocol = true},
				  address = {.same_address = true},
				  protocol = {.same_address = true, .same_protocol = true},
				  port = {.same_address = true, .same_port = true};

	(void)state;
	assert_int_equal(explain_nearness(&nothing), 0);
	assert_true(explain_nearness(&elsewhere) > 0);
	assert_true(explain_nearness(&address) > explain_nearness(&elsewhere));
	assert_true(explain_nearness(&protocol) > explain_nearness(&address));
	assert_true(explain_nearness(&port) > explain_nearness(&protocol));
}

static void a_service_tells_its_pools_and_what_would_change_them(void **state)
{
	struct explain_service s = facts_of_a_service();

	(void)state;
	n_steps = explain_service_words(&s, steps);
	assert_string_equal(said("pools"),
			    "pool 0: 1 of 3 up, gets new flows; pool 1: 2 of 2 up, gets new "
			    "flows; backups: 1 of 1 up, stands by");
	assert_string_equal(said("min_healthy"),
			    "50%: pools are taken in order until 2 backends are up");
	assert_string_equal(said("panic"), "20%: not in force: 4 of 6 are up");
	assert_string_equal(
		said("slots"),
		"1024, of which 17 are in transition: their older flows stay where they "
		"are; a flow has ended after 300 s without a packet");
	assert_string_equal(said("sources"), "only those of its allow list; no rates");
	s.view.panicking = true;
	s.view.failing_open = true;
	s.n_pools = 0;
	n_steps = explain_service_words(&s, steps);
	assert_non_null(strstr(said("panic"), "in force: 4 of 6"));
	assert_non_null(strstr(said("on_empty"), "in force now"));
	assert_string_equal(said("pools"), "there are no backends");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packet_of_a_settled_slot_is_told_all_that_was_decided),
		cmocka_unit_test(slots_in_transition_are_told_with_both_owners),
		cmocka_unit_test(entries_and_connections_are_told_with_their_age),
		cmocka_unit_test(who_is_refused_is_told_why_and_what_to_do),
		cmocka_unit_test(an_interface_that_shunt_is_not_on_comes_first),
		cmocka_unit_test(every_drop_and_every_answer_says_what_to_do),
		cmocka_unit_test(local_packets_leave_nowhere),
		cmocka_unit_test(every_reason_has_a_name_and_words),
		cmocka_unit_test(what_comes_closest_is_told_with_what_it_lacks),
		cmocka_unit_test(the_same_address_and_port_is_closer_than_the_same_protocol),
		cmocka_unit_test(a_service_tells_its_pools_and_what_would_change_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
