/* SPDX-License-Identifier: BSD-2-Clause */
/* What the configuration parser says of bad files: tests/unit/conf/NAME.yaml must be refused with
 * exactly the line in NAME.err. UPDATE_GOLDEN=1 writes the .err files instead; look at them before
 * they are committed. Run from the top of the tree. */
#include "pure/conf_parse.h"

#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/own.h"
#include "io/conf_file.h"

#include "conf_memory.h"

#define FOLDER "tests/unit/conf/"
#define BAD_FILES_MIN 40

/* Reads as if FOLDER were the working directory, so that messages name the file alone. */
static int read_golden(void *arg, const char *path, char **data, size_t *len)
{
	char joined[512];

	(void)arg;
	snprintf(joined, sizeof(joined), FOLDER "%s", path);
	return conf_read_file(NULL, joined, data, len);
}

static void update_golden(const char *path, const char *text)
{
	auto_fclose FILE *f = fopen(path, "w");

	assert_non_null(f);
	fprintf(f, "%s\n", text);
}

/* Compares the complaint about FOLDER/@name.yaml with FOLDER/@name.err. Returns true if equal. */
static bool is_refused_as_expected(const char *name)
{
	char file[256], err_path[300];
	auto_free char *expected = NULL;
	struct conf *conf = NULL;
	struct conf_error err = {{0}};
	size_t len = 0;

	snprintf(file, sizeof(file), "%s.yaml", name);
	snprintf(err_path, sizeof(err_path), FOLDER "%s.err", name);
	if (conf_parse(file, read_golden, NULL, &conf, &err) == 0) {
		print_error("%s: was accepted\n", file);
		conf_free(conf);
		return false;
	}
	if (getenv("UPDATE_GOLDEN")) {
		update_golden(err_path, err.text);
		return true;
	}
	assert_int_equal(conf_read_file(NULL, err_path, &expected, &len), 0);
	if (len && expected[len - 1] == '\n')
		expected[len - 1] = '\0';
	if (strcmp(expected, err.text) == 0)
		return true;
	print_error("%s\n  expected: %s\n  found:    %s\n", name, expected, err.text);
	return false;
}

static void every_bad_file_is_refused_with_its_message(void **state)
{
	glob_t found;
	size_t wrong = 0;

	(void)state;
	assert_int_equal(glob(FOLDER "*.yaml", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		auto_free char *name = strdup(found.gl_pathv[i] + strlen(FOLDER));

		assert_non_null(name);
		name[strlen(name) - strlen(".yaml")] = '\0';
		wrong += !is_refused_as_expected(name);
	}
	assert_true(found.gl_pathc >= BAD_FILES_MIN);
	globfree(&found);
	assert_int_equal(wrong, 0);
}

static void assert_refused(struct file *files, int rc, const char *text)
{
	struct conf_error err = {{0}};
	struct conf *conf = NULL;

	assert_int_equal(conf_parse("x.yaml", read_memory, files, &conf, &err), rc);
	assert_null(conf);
	assert_string_equal(err.text, text);
}

/* ---- bytes and errors that do not go into files ------------------------------------------------*/

static void bytes_that_are_not_text_are_refused_where_they_stand(void **state)
{
	static const struct {
		const char *data;
		size_t len;
		const char *text;
	} rows[] = {
		{"interfaces: [eth0]\n\xc3\xa4\xc3\xa4\xff", 24,
		 "x.yaml:2:3: byte 0xff is not UTF-8; a configuration is UTF-8 text; is this the "
		 "right "
		 "file?"},
		{"a: \xed\xa0\x80", 6,
		 "x.yaml:1:4: byte 0xed is not UTF-8; a configuration is UTF-8 text; is this the "
		 "right "
		 "file?"},
		{"a: \xc0\xaf", 5,
		 "x.yaml:1:4: byte 0xc0 is not UTF-8; a configuration is UTF-8 text; is this the "
		 "right "
		 "file?"},
		{"a: \xe2\x82", 5,
		 "x.yaml:1:4: byte 0xe2 is not UTF-8; a configuration is UTF-8 text; is this the "
		 "right "
		 "file?"},
		{"a\0b", 3,
		 "x.yaml:1:2: character U+0000 is not text; only line ends and tabs are allowed of "
		 "the "
		 "control characters; remove it"},
		{"a: b\r\nc: \x1b[31m", 13,
		 "x.yaml:2:4: character U+001B is not text; only line ends and tabs are allowed of "
		 "the "
		 "control characters; remove it"},
		{"\x7f"
		 "ELF\x02\x01\x01",
		 7,
		 "x.yaml:1:1: character U+007F is not text; only line ends and tabs are allowed of "
		 "the "
		 "control characters; remove it"},
		{"# a\xe2\x80\xa8"
		 "b: c\n",
		 11,
		 "x.yaml:1:4: character U+2028 is not text; only line ends and tabs are allowed of "
		 "the "
		 "control characters; remove it"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct file files[] = {{"x.yaml", rows[i].data, rows[i].len, 0}, {.path = NULL}};

		assert_refused(files, -EINVAL, rows[i].text);
	}
}

static void a_config_that_cannot_be_read_says_why(void **state)
{
	static const struct {
		int error;
		const char *text;
	} rows[] = {
		{-ENOENT,
		 "x.yaml: cannot read the configuration: there is no such file; check the path"},
		{-EACCES,
		 "x.yaml: cannot read the configuration: permission denied; check the owner and "
		 "mode of the file and its folders"},
		{-EISDIR, "x.yaml: cannot read the configuration: it is a folder; name a file"},
		{-ENODEV,
		 "x.yaml: cannot read the configuration: it is not a regular file; name one"},
		{-EFBIG,
		 "x.yaml: cannot read the configuration: it is larger than 32 MiB, the most that "
		 "is read; is this the right file?"},
		{-EIO, "x.yaml: cannot read the configuration: Input/output error"},
		{-ENOMEM, "x.yaml: not enough memory to read the configuration"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct file files[] = {{"x.yaml", "", 0, rows[i].error}, {.path = NULL}};

		assert_refused(files, rows[i].error, rows[i].text);
	}
}

static void a_backends_file_that_cannot_be_read_says_why(void **state)
{
	struct file files[] = {{"x.yaml",
				"interfaces: [eth0]\n"
				"services:\n"
				"- vip: 192.0.2.1\n"
				"  port: 80\n"
				"  backends_file: b\n",
				0, 0},
			       {"b", "", 0, -EISDIR},
			       {.path = NULL}};

	(void)state;
	assert_refused(files, -EISDIR,
		       "x.yaml:5:18: cannot read \"b\": it is a folder; name a file");
	files[1].error = -EACCES;
	assert_refused(
		files, -EACCES,
		"x.yaml:5:18: cannot read \"b\": permission denied; check the owner and mode of "
		"the file and its folders");
	files[1] = (struct file){"b", "10.0.0.1\n\x01", 10, 0};
	assert_refused(
		files, -EINVAL,
		"b:2:1: character U+0001 is not text; only line ends and tabs are allowed of the "
		"control characters; remove it");
}

static void a_long_path_and_long_values_leave_one_readable_line(void **state)
{
	auto_free char *path = malloc(4000), *yaml = malloc(5000);
	struct file files[] = {{path, yaml, 0, 0}, {.path = NULL}};
	struct conf_error err;
	struct conf *conf = NULL;

	(void)state;
	assert_non_null(path);
	assert_non_null(yaml);
	memset(path, 'p', 3999);
	path[3999] = '\0';
	strcpy(yaml, "interfaces: [");
	for (int i = 0; i < 2000; i++)
		strcat(yaml, "\xc3\xa4");
	strcat(yaml, "]\nservices: []\n");
	assert_int_equal(conf_parse(path, read_memory, files, &conf, &err), -EINVAL);
	assert_true(strlen(err.text) < sizeof(err.text));
	assert_null(strchr(err.text, '\n'));
	assert_non_null(strstr(err.text, "ppp:1:14: interface \"\xc3\xa4"));
	assert_non_null(strstr(err.text, "...\" cannot be a network interface"));
}

/* ---- size --------------------------------------------------------------------------------------*/

/* A text under construction. */
struct text {
	char *data;
	size_t len;
	FILE *f;
};

static void text_open(struct text *t)
{
	t->f = open_memstream(&t->data, &t->len);
	assert_non_null(t->f);
}

static int parse_text(struct text *t, struct conf **conf, struct conf_error *err)
{
	struct file files[] = {{"x.yaml", NULL, 0, 0}, {.path = NULL}};
	int rc;

	fclose(t->f);
	files[0].data = t->data;
	files[0].len = t->len;
	rc = conf_parse("x.yaml", read_memory, files, conf, err);
	free(t->data);
	return rc;
}

static void ten_thousand_services_are_read_at_once(void **state)
{
	struct timespec from, to;
	struct conf_error err = {{0}};
	struct conf *conf = NULL;
	struct text t;

	(void)state;
	text_open(&t);
	fprintf(t.f, "interfaces: [eth0]\nservices:\n");
	for (int i = 0; i < 10000; i++) {
		fprintf(t.f, "  - name: service-%d\n    vip: 10.1.%d.%d\n    port: 80\n", i,
			i / 250, i % 250 + 1);
		fprintf(t.f, "    check: { type: http, path: /healthz }\n    backends:\n");
		for (int b = 0; b < 4; b++)
			fprintf(t.f, "      - 10.2.%d.%d name=b%d weight=%d\n", i % 250, b + 1, b,
				b + 1);
	}
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	assert_int_equal(parse_text(&t, &conf, &err), 0);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	print_message("# 10,000 services with 4 backends: %.0f ms\n",
		      (double)(to.tv_sec - from.tv_sec) * 1e3 +
			      (double)(to.tv_nsec - from.tv_nsec) / 1e6);
	assert_int_equal(conf->n_services, 10000);
	assert_int_equal(conf->services[9999].n_backends, 4);
	conf_free(conf);
}

static void a_billion_laughs_is_a_short_joke(void **state)
{
	struct conf_error err = {{0}};
	struct conf *conf = NULL;
	struct text t;

	(void)state;
	text_open(&t);
	fprintf(t.f, "interfaces: [eth0]\nservices:\n- &a0 [x]\n");
	for (int i = 1; i < 30; i++)
		fprintf(t.f, "- &a%d [*a%d, *a%d, *a%d, *a%d]\n", i, i - 1, i - 1, i - 1, i - 1);
	assert_int_equal(parse_text(&t, &conf, &err), -EINVAL);
	assert_string_equal(err.text,
			    "x.yaml:3:3: a service is a list; it must be a mapping; write "
			    "\"key: value\" lines");
}

static void too_many_values_backends_and_levels_are_refused(void **state)
{
	struct conf_error err = {{0}};
	struct conf *conf = NULL;
	struct text t;

	(void)state;
	text_open(&t);
	fprintf(t.f, "interfaces: [");
	for (int i = 0; i < 5000000; i++)
		fputs("a,", t.f);
	assert_int_equal(parse_text(&t, &conf, &err), -EINVAL);
	assert_non_null(strstr(err.text, ": more than 4194304 values; that is too large"));

	text_open(&t);
	for (int i = 0; i < 100000; i++)
		fputc('[', t.f);
	assert_int_equal(parse_text(&t, &conf, &err), -EINVAL);
	assert_string_equal(err.text,
			    "x.yaml:1:17: more than 16 levels; no setting stands that deep");

	text_open(&t);
	fprintf(t.f, "interfaces: [e]\nservices:\n- vip: 192.0.2.1\n  port: 1\n  backends:\n");
	for (int i = 0; i < 32768; i++)
		fprintf(t.f, "  - 10.0.%d.%d\n", i / 250, i % 250 + 1);
	assert_int_equal(parse_text(&t, &conf, &err), -EINVAL);
	assert_string_equal(err.text,
			    "x.yaml:32773:5: this is backend number 32768; allowed are 32767 "
			    "in a service");
}

static void too_many_checks_and_pools_are_refused(void **state)
{
	struct conf_error err = {{0}};
	struct conf *conf = NULL;
	struct text t;

	(void)state;
	text_open(&t);
	fprintf(t.f, "interfaces: [e]\nchecks:\n");
	for (int i = 0; i < 1001; i++)
		fprintf(t.f, "  c%d: { type: tcp }\n", i);
	fprintf(t.f, "services:\n- {vip: 192.0.2.1, port: 1, backends: [10.0.0.1]}\n");
	assert_int_equal(parse_text(&t, &conf, &err), -EINVAL);
	assert_string_equal(err.text, "x.yaml:3:3: checks has 1001 names; allowed are 1000");

	text_open(&t);
	fprintf(t.f, "interfaces: [e]\nservices:\n");
	for (int i = 0; i < 32; i++)
		fprintf(t.f,
			"- {vip: 192.0.2.1, port: %d, forward: nat, nat_pool: [10.9.0.%d], "
			"backends: [10.0.0.1]}\n",
			i + 1, i + 1);
	assert_int_equal(parse_text(&t, &conf, &err), -EINVAL);
	assert_string_equal(err.text,
			    "x.yaml:34:3: more than 31 different pools of addresses of one family; "
			    "have services share some");
}

static void too_many_anchors_are_refused(void **state)
{
	struct conf_error err = {{0}};
	struct conf *conf = NULL;
	struct text t;

	(void)state;
	text_open(&t);
	fprintf(t.f, "interfaces:\n");
	for (int i = 0; i < 257; i++)
		fprintf(t.f, "- &a%d eth%d\n", i, i);
	assert_int_equal(parse_text(&t, &conf, &err), -EINVAL);
	assert_string_equal(err.text,
			    "x.yaml:258:3: more than 256 anchors; put what services share in "
			    "`defaults`");
}

/* Lists that are read again and again by alias are bounded by what comes out of them. */
static void too_many_backends_by_alias_are_refused(void **state)
{
	struct conf_error err = {{0}};
	struct conf *conf = NULL;
	struct text t;

	(void)state;
	text_open(&t);
	fprintf(t.f, "interfaces: [e]\nservices:\n- {vip: 192.0.2.1, port: 1, backends: &all [");
	for (int i = 0; i < 30000; i++)
		fprintf(t.f, "10.0.%d.%d,", i / 250, i % 250 + 1);
	fprintf(t.f, "]}\n");
	for (int i = 2; i < 100; i++)
		fprintf(t.f, "- {vip: 192.0.2.1, port: %d, backends: *all}\n", i);
	assert_int_equal(parse_text(&t, &conf, &err), -EINVAL);
	assert_non_null(
		strstr(err.text, ": more than 1048576 backends in all services; have another"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_bad_file_is_refused_with_its_message),
		cmocka_unit_test(bytes_that_are_not_text_are_refused_where_they_stand),
		cmocka_unit_test(a_config_that_cannot_be_read_says_why),
		cmocka_unit_test(a_backends_file_that_cannot_be_read_says_why),
		cmocka_unit_test(a_long_path_and_long_values_leave_one_readable_line),
		cmocka_unit_test(ten_thousand_services_are_read_at_once),
		cmocka_unit_test(a_billion_laughs_is_a_short_joke),
		cmocka_unit_test(too_many_values_backends_and_levels_are_refused),
		cmocka_unit_test(too_many_checks_and_pools_are_refused),
		cmocka_unit_test(too_many_anchors_are_refused),
		cmocka_unit_test(too_many_backends_by_alias_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
