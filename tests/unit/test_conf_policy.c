/* SPDX-License-Identifier: BSD-2-Clause */
/* What the configuration says of sources, read. */
#include "pure/conf_parse.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/own.h"
#include "conf_memory.h"

#define HEAD "interfaces: [eth0]\nservices:\n"

static struct conf *read_well(struct file *files)
{
	struct conf_error err = {{0}};
	struct conf *conf = NULL;

	if (conf_parse("d/x.yaml", read_memory, files, &conf, &err))
		fail_msg("%s", err.text);
	return conf;
}

static void assert_prefix(const struct source_prefix *p, const char *text)
{
	char out[ADDR_PREFIX_TEXT_MAX];

	assert_string_equal(addr_prefix_format(&p->addr, p->bits, out), text);
}

static void a_service_says_nothing_and_has_no_policy(void **state)
{
	struct file files[] = {
		{"d/x.yaml", HEAD "- {vip: 192.0.2.1, port: 80, backends: [10.0.0.1]}\n", 0, 0},
		{.path = NULL}};
	struct conf *c = read_well(files);

	(void)state;
	assert_false(c->services[0].has_list);
	assert_false(c->services[0].only_allowed);
	assert_int_equal(c->services[0].rate.new_flows, 0);
	assert_int_equal(c->services[0].rate.per_source, 0);
	assert_int_equal(c->rate_sources, 64 << 10);
	conf_free(c);
}

static void lists_are_read_in_their_order(void **state)
{
	struct file files[] = {
		{"d/x.yaml",
		 "rate_sources: 1M\n" HEAD "- {vip: 192.0.2.1, port: 80, backends: [10.0.0.1],\n"
		 "   allow: [10.0.0.0/8, 192.0.2.9], deny: [10.1.0.0/16]}\n"
		 "- {vip: \"2001:db8::1\", port: 80, backends: [10.0.0.1], deny: [\"::/0\"]}\n",
		 0, 0},
		{.path = NULL}};
	struct conf *c = read_well(files);
	const struct conf_service *s = c->services;

	(void)state;
	assert_int_equal(c->rate_sources, 1 << 20);
	assert_true(s[0].has_list && s[0].only_allowed);
	assert_int_equal(s[0].allow.n, 2);
	assert_prefix(&s[0].allow.list[0], "10.0.0.0/8");
	assert_prefix(&s[0].allow.list[1], "192.0.2.9");
	assert_int_equal(s[0].deny.n, 1);
	assert_prefix(&s[0].deny.list[0], "10.1.0.0/16");
	assert_true(s[1].has_list && !s[1].only_allowed);
	assert_prefix(&s[1].deny.list[0], "::/0");
	conf_free(c);
}

static void a_file_is_read_once_for_all_and_watched(void **state)
{
	struct file files[] = {
		{"d/x.yaml",
		 HEAD "- {vip: 192.0.2.1, port: 80, backends: [10.0.0.1], deny_file: bad}\n"
		      "- {vip: 192.0.2.1, port: 81, backends: [10.0.0.1], deny_file: bad,\n"
		      "   allow_file: good}\n"
		      "- {vip: \"2001:db8::1\", port: 80, backends: [10.0.0.1], deny_file: bad}\n",
		 0, 0},
		{"d/bad",
		 "# bad ones\r\n 10.66.0.0/16\t# here\r\n\n10.67.0.0/16 ; and there\n"
		 "2001:db8:66::/48\n10.66.0.0/16\n192.0.2.66",
		 0, 0},
		{"d/good", "10.0.0.0/8\n", 0, 0},
		{.path = NULL}};
	struct conf *c = read_well(files);
	const struct conf_prefixes *bad = c->services[0].denied;

	(void)state;
	assert_int_equal(c->n_watched, 2);
	assert_string_equal(c->watched[0], "d/bad");
	assert_int_equal(c->n_prefix_files, 2);
	assert_ptr_equal(c->services[1].denied, bad);
	assert_ptr_equal(c->services[2].denied, bad);
	assert_true(c->services[1].only_allowed && !c->services[2].only_allowed);
	assert_int_equal(bad->n, 5);
	assert_prefix(&bad->list[0], "10.66.0.0/16");
	assert_prefix(&bad->list[1], "10.67.0.0/16");
	assert_prefix(&bad->list[2], "2001:db8:66::/48");
	assert_prefix(&bad->list[4], "192.0.2.66");
	assert_memory_not_equal(bad->key, c->services[1].allowed->key, sizeof(bad->key));
	conf_free(c);
}

static void equal_contents_have_equal_keys(void **state)
{
	struct file files[] = {
		{"d/x.yaml",
		 HEAD "- {vip: 192.0.2.1, port: 80, backends: [10.0.0.1], deny_file: a}\n"
		      "- {vip: 192.0.2.1, port: 81, backends: [10.0.0.1], deny_file: b}\n",
		 0, 0},
		{"d/a", "10.66.0.0/16\n", 0, 0},
		{"d/b", "# other words\n  10.66.0.0/16\n", 0, 0},
		{.path = NULL}};
	struct conf *c = read_well(files);

	(void)state;
	assert_memory_equal(c->services[0].denied->key, c->services[1].denied->key, 16);
	conf_free(c);
}

static void a_burst_is_a_second_unless_given(void **state)
{
	struct file files[] = {
		{"d/x.yaml",
		 HEAD "- {vip: 192.0.2.1, port: 80, backends: [10.0.0.1],\n"
		      "   rate: {new_flows: 1000000, per_source: 5, source_burst: 18000}}\n"
		      "- {vip: 192.0.2.1, port: 81, backends: [10.0.0.1], rate: {per_source: 7}}\n"
		      "- {vip: 192.0.2.1, port: 82, backends: [10.0.0.1],\n"
		      "   rate: {new_flows: 1000000, burst: 3600000000}}\n",
		 0, 0},
		{.path = NULL}};
	struct conf *c = read_well(files);

	(void)state;
	assert_int_equal(c->services[0].rate.new_flows, 1000000);
	assert_int_equal(c->services[0].rate.burst, 1000000);
	assert_int_equal(c->services[0].rate.per_source, 5);
	assert_int_equal(c->services[0].rate.source_burst, 18000);
	assert_int_equal(c->services[1].rate.new_flows, 0);
	assert_int_equal(c->services[1].rate.source_burst, 7);
	assert_int_equal(c->services[2].rate.burst, 3600000000u);
	assert_false(c->services[0].has_list);
	conf_free(c);
}

/* ---- size --------------------------------------------------------------------------------------*/

static char *many(size_t n, size_t *len)
{
	char *text = malloc(n * 20 + 1);

	assert_non_null(text);
	*len = 0;
	for (size_t i = 0; i < n; i++)
		*len += (size_t)sprintf(text + *len, "%zu.%zu.%zu.0/24\n", 1 + i / 65536,
					i / 256 % 256, i % 256);
	return text;
}

static void a_hundred_thousand_prefixes_are_read_at_once_and_no_more(void **state)
{
	struct file files[] = {
		{"d/x.yaml",
		 HEAD "- {vip: 192.0.2.1, port: 80, backends: [10.0.0.1], deny_file: b}\n", 0, 0},
		{"d/b", NULL, 0, 0},
		{.path = NULL}};
	struct conf_error err = {{0}};
	struct timespec from, to;
	struct conf *c = NULL;
	size_t len;
	auto_free char *text = many(100001, &len);

	(void)state;
	files[1].data = text;
	files[1].len = len;
	assert_int_equal(conf_parse("d/x.yaml", read_memory, files, &c, &err), -EINVAL);
	assert_string_equal(err.text,
			    "d/b:100001:1: this is prefix number 100001; allowed are 100000 in a "
			    "list; join neighbours into shorter prefixes, or block elsewhere");
	files[1].len = strlen(text) - strlen("2.134.160.0/24\n");
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	c = read_well(files);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	print_message("# 100,000 prefixes: %.0f ms\n",
		      (double)(to.tv_sec - from.tv_sec) * 1e3 +
			      (double)(to.tv_nsec - from.tv_nsec) / 1e6);
	assert_int_equal(c->services[0].denied->n, 100000);
	conf_free(c);
}

static void all_lists_together_are_bounded(void **state)
{
	struct conf_error err = {{0}};
	struct file files[20] = {{.path = NULL}};
	char names[16][8];
	struct conf *c = NULL;
	char yaml[2048] = HEAD;
	size_t len;
	auto_free char *text = many(100000, &len);

	(void)state;
	for (int i = 0; i < 11; i++) {
		snprintf(yaml + strlen(yaml), sizeof(yaml) - strlen(yaml),
			 "- {vip: 192.0.2.1, port: %d, backends: [10.0.0.1], deny_file: f%d}\n",
			 80 + i, i);
		snprintf(names[i], sizeof(names[i]), "d/f%d", i);
		files[i + 1] = (struct file){names[i], text, len, 0};
	}
	files[0] = (struct file){"d/x.yaml", yaml, 0, 0};
	assert_int_equal(conf_parse("d/x.yaml", read_memory, files, &c, &err), -EINVAL);
	assert_non_null(strstr(err.text, "more than 1048576 prefixes in all lists"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_says_nothing_and_has_no_policy),
		cmocka_unit_test(lists_are_read_in_their_order),
		cmocka_unit_test(a_file_is_read_once_for_all_and_watched),
		cmocka_unit_test(equal_contents_have_equal_keys),
		cmocka_unit_test(a_burst_is_a_second_unless_given),
		cmocka_unit_test(a_hundred_thousand_prefixes_are_read_at_once_and_no_more),
		cmocka_unit_test(all_lists_together_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
