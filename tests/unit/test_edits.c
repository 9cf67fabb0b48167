/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pure/edits.h"

#include "base/own.h"

static struct edit edit_of(const char *service, const char *backend)
{
	struct edit x = {.uid = 1000, .at = 1700000000};

	snprintf(x.service, sizeof(x.service), "%s", service);
	snprintf(x.backend, sizeof(x.backend), "%s", backend);
	return x;
}

static struct edits *two_edits(void)
{
	struct edits *e = edits_new();
	struct edit drain = edit_of("web", "b2"), weight = edit_of("dns", "[2001:db8::1]:53");

	assert_non_null(e);
	drain.drained = true;
	weight.has_weight = true;
	weight.weight = 7;
	weight.configured = 1;
	assert_int_equal(edits_put(e, &drain), 0);
	assert_int_equal(edits_put(e, &weight), 0);
	return e;
}

static void finds_what_was_put(void **state)
{
	struct edits *e = two_edits();

	(void)state;
	assert_int_equal(edits_count(e), 2);
	assert_true(edits_find(e, "web", "b2")->drained);
	assert_int_equal(edits_find(e, "dns", "[2001:db8::1]:53")->weight, 7);
	assert_null(edits_find(e, "web", "b1"));
	edits_free(e);
}

static void an_edit_that_says_nothing_removes(void **state)
{
	struct edits *e = two_edits();
	struct edit none = edit_of("web", "b2");

	(void)state;
	assert_int_equal(edits_put(e, &none), 0);
	assert_null(edits_find(e, "web", "b2"));
	assert_int_equal(edits_count(e), 1);
	edits_free(e);
}

static void reads_back_what_it_wrote(void **state)
{
	struct edits *e = two_edits(), *again = edits_new();
	char *text, *text_again;
	size_t len, len_again;
	unsigned int line;

	(void)state;
	assert_int_equal(edits_format(e, &text, &len), 0);
	assert_int_equal(edits_parse(again, text, len, &line), 0);
	assert_int_equal(edits_format(again, &text_again, &len_again), 0);
	assert_string_equal(text, text_again);
	assert_string_equal(text, "dns [2001:db8::1]:53 drained=0 weight=7 configured=1 uid=1000 "
				  "at=1700000000\n"
				  "web b2 drained=1 uid=1000 at=1700000000\n");
	free(text);
	free(text_again);
	edits_free(e);
	edits_free(again);
}

static void a_drain_may_have_a_deadline(void **state)
{
	struct edits *e = edits_new(), *again = edits_new();
	struct edit x = edit_of("web", "b2");
	unsigned int line;
	char *text;
	size_t len;

	(void)state;
	x.drained = x.has_weight = true;
	x.weight = 3;
	x.configured = 1;
	x.deadline = 1700000600;
	assert_int_equal(edits_put(e, &x), 0);
	x = edit_of("web", "b3");
	x.drained = true;
	x.deadline = 1700000601;
	assert_int_equal(edits_put(e, &x), 0);
	assert_int_equal(edits_format(e, &text, &len), 0);
	assert_string_equal(text, "web b2 drained=1 weight=3 configured=1 deadline=1700000600 "
				  "uid=1000 at=1700000000\n"
				  "web b3 drained=1 deadline=1700000601 uid=1000 at=1700000000\n");
	assert_int_equal(edits_parse(again, text, len, &line), 0);
	assert_int_equal(edits_find(again, "web", "b2")->deadline, 1700000600);
	assert_int_equal(edits_find(again, "web", "b2")->weight, 3);
	assert_int_equal(edits_find(again, "web", "b3")->deadline, 1700000601);
	free(text);
	edits_free(e);
	edits_free(again);
}

static void who_and_why_survive(void **state)
{
	struct edits *e = edits_new(), *again = edits_new();
	struct edit x = edit_of("web", "b2");
	auto_free char *text = NULL;
	unsigned int line;
	size_t len;

	(void)state;
	x.disabled = true;
	strcpy(x.user, "alice.b-c_d@e");
	memset(x.reason, '=', sizeof(x.reason) - 1);
	assert_int_equal(edits_put(e, &x), 0);
	x = edit_of("web", "b4");
	x.enabled = true;
	assert_int_equal(edits_put(e, &x), 0);
	x = edit_of("web", "b3");
	x.drained = true;
	strcpy(x.reason, "user=bob reason=\xc3\xa4");
	assert_int_equal(edits_put(e, &x), 0);
	assert_int_equal(edits_format(e, &text, &len), 0);
	assert_int_equal(edits_parse(again, text, len, &line), 0);
	assert_true(edits_find(again, "web", "b2")->disabled);
	assert_true(edits_find(again, "web", "b4")->enabled);
	assert_string_equal(edits_find(again, "web", "b2")->user, "alice.b-c_d@e");
	assert_int_equal(strlen(edits_find(again, "web", "b2")->reason), EDIT_REASON_MAX - 1);
	assert_string_equal(edits_find(again, "web", "b3")->user, "");
	assert_string_equal(edits_find(again, "web", "b3")->reason, x.reason);
	edits_free(e);
	edits_free(again);
}

static void names_the_bad_line(void **state)
{
	static const char *const bad[] = {
		"web\n",
		"web b1 drained=1 uid=0 at=1",
		"web b1 drained=2 uid=0 at=1\n",
		"web b1 drained=1 uid=0 at=1 more\n",
		"web b1 drained=1 weight=1 uid=0 at=1\n",
		"\n",
		"web b1 drained=0 deadline=5 uid=0 at=1\n",
		"web b1 drained=1 deadline= uid=0 at=1\n",
		"web b1 drained=1 deadline=-1 uid=0 at=1\n",
		"web b1 drained=1 deadline=1099511627776 uid=0 at=1\n",
		"web b1 drained=1 uid=0 at=1099511627776\n",
		"web b1 drained=1 deadline=0 uid=0 at=1\n",
		"web b1 drained=1 deadline=5 deadline=5 uid=0 at=1\n",
		"web b1 drained=1 deadline=5 weight=1 configured=1 uid=0 at=1\n",
		"web b1 drained=1 uid=-1 at=1\n",
		"web b1 drained=0 disabled=0 uid=0 at=1\n",
		"web b1 drained=0 disabled=1 uid=0 at=1 user=\n",
		"web b1 drained=0 disabled=1 uid=0 at=1 user=a/b\n",
		"web b1 drained=0 disabled=1 uid=0 at=1 reason=\n",
		"web b1 drained=0 disabled=1 uid=0 at=1 reason= a\n",
		"web b1 drained=0 disabled=1 uid=0 at=1 reason=a\tb\n",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct edits *e = edits_new();
		char text[256];
		unsigned int line = 0;

		snprintf(text, sizeof(text), "web b0 drained=1 uid=0 at=5\n%s", bad[i]);
		assert_int_equal(edits_parse(e, text, strlen(text), &line), -EINVAL);
		assert_int_equal(line, 2);
		assert_int_equal(edits_count(e), 1);
		edits_free(e);
	}
}

struct reload {
	int weight;
	char told[512];
};

static int configured(void *arg, const char *service, const char *backend)
{
	struct reload *r = arg;

	(void)service;
	(void)backend;
	return r->weight;
}

static void dropped(void *arg, const char *sentence)
{
	struct reload *r = arg;

	snprintf(r->told, sizeof(r->told), "%s", sentence);
}

static void an_edit_holds_while_the_configuration_says_the_same(void **state)
{
	struct edits *e = two_edits();
	struct reload r = {.weight = 1};

	(void)state;
	assert_int_equal(edits_reconcile(e, configured, dropped, &r), 0);
	assert_int_equal(edits_count(e), 2);
	edits_free(e);
}

static void a_configuration_that_changes_the_weight_wins(void **state)
{
	struct edits *e = two_edits();
	struct reload r = {.weight = 3};

	(void)state;
	assert_int_equal(edits_reconcile(e, configured, dropped, &r), 1);
	assert_string_equal(r.told, "the runtime weight 7 of dns/[2001:db8::1]:53 is dropped: the "
				    "configuration changed its weight from 1 to 3, and wins");
	assert_null(edits_find(e, "dns", "[2001:db8::1]:53"));
	assert_true(edits_find(e, "web", "b2")->drained);
	edits_free(e);
}

static void a_backend_that_vanishes_takes_its_edits_along(void **state)
{
	struct edits *e = two_edits();
	struct reload r = {.weight = -1};

	(void)state;
	assert_int_equal(edits_reconcile(e, configured, dropped, &r), 2);
	assert_int_equal(edits_count(e), 0);
	assert_string_equal(r.told,
			    "the edit of web/b2 is dropped: the configuration no longer has it");
	edits_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_was_put),
		cmocka_unit_test(an_edit_that_says_nothing_removes),
		cmocka_unit_test(reads_back_what_it_wrote),
		cmocka_unit_test(a_drain_may_have_a_deadline),
		cmocka_unit_test(who_and_why_survive),
		cmocka_unit_test(names_the_bad_line),
		cmocka_unit_test(an_edit_holds_while_the_configuration_says_the_same),
		cmocka_unit_test(a_configuration_that_changes_the_weight_wins),
		cmocka_unit_test(a_backend_that_vanishes_takes_its_edits_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
