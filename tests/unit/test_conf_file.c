/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading real files, and the examples in configs/. Run from the top of the tree. */
#include "io/conf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/own.h"
#include "pure/conf_parse.h"

static char folder[] = "/tmp/shunt-conf-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/x.yaml", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

/* Makes @path a file with this text, and @size bytes long. */
static void write_file(const char *text, off_t size)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(ftruncate(fd, size), 0);
}

static void assert_unreadable(const char *file, int rc)
{
	char *data = NULL;
	size_t len = 7;

	assert_int_equal(conf_read_file(NULL, file, &data, &len), rc);
	assert_null(data);
	assert_int_equal(len, 7);
}

static void a_file_is_read_whole(void **state)
{
	auto_free char *data = NULL;
	size_t len = 0;

	(void)state;
	write_file("a: b\n", 5);
	assert_int_equal(conf_read_file(NULL, path, &data, &len), 0);
	assert_int_equal(len, 5);
	assert_string_equal(data, "a: b\n");
}

static void an_empty_file_is_read_as_nothing(void **state)
{
	auto_free char *data = NULL;
	size_t len = 1;

	(void)state;
	write_file("", 0);
	assert_int_equal(conf_read_file(NULL, path, &data, &len), 0);
	assert_int_equal(len, 0);
}

static void what_is_no_file_is_refused_at_once(void **state)
{
	(void)state;
	assert_unreadable(folder, -EISDIR);
	assert_unreadable("/dev/zero", -ENODEV);
	assert_unreadable("/no/such/file", -ENOENT);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	alarm(10); /* a reader that waits for a writer would wait for ever */
	assert_unreadable(path, -ENODEV);
	alarm(0);
	unlink(path);
}

/* Writes quic_lb's key with that mode, and parses a configuration that names it; what conf_parse() says. */
static int parse_with_key(const char *key, mode_t mode, struct conf **conf, struct conf_error *err)
{
	static const char names_key[] = "interfaces: [eth0]\nservices:\n"
					"  - vip: 192.0.2.1\n    port: 443\n    protocol: udp\n"
					"    quic_lb: [{ id: 0, server_id_length: 3, nonce_length: "
					"4, key_file: quic.key }]\n"
					"    backends: [10.0.0.1]\n";
	auto_free char *secret = NULL;
	auto_fclose FILE *f = NULL;
	int rc;

	assert_true(asprintf(&secret, "%s/quic.key", folder) > 0);
	f = fopen(secret, "w");
	assert_non_null(f);
	assert_int_equal(fputs(key, f) < 0 || fflush(f) != 0, 0);
	assert_int_equal(chmod(secret, mode), 0);
	write_file(names_key, (off_t)strlen(names_key));
	rc = conf_parse(path, conf_read_file, NULL, conf, err);
	unlink(secret);
	return rc;
}

static void a_key_is_read_from_a_file_that_others_may_not_read(void **state)
{
	static const mode_t good[] = {0600, 0400, 0640}, bad[] = {0644, 0604, 0602};
	static const char key[] = "8f95f09245765f80256934e50c66207f\n";
	struct conf_error err = {{0}};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct conf *conf = NULL;

		assert_int_equal(parse_with_key(key, good[i], &conf, &err), 0);
		assert_true(conf->services[0].quic.config[0].has_key);
		assert_int_equal(conf->services[0].quic.config[0].key[15], 0x7f);
		assert_int_equal(conf->n_watched, 1); /* a new key is noticed */
		conf_free(conf);
		assert_int_equal(parse_with_key(key, bad[i], &conf, &err), -EKEYREJECTED);
		assert_non_null(strstr(err.text, "x.yaml:6:"));
		assert_non_null(strstr(err.text,
				       "it is a secret that others may read or write; run "
				       "\"chmod o= FILE\""));
	}
}

static void a_file_that_holds_no_key_is_refused_without_its_text(void **state)
{
	struct conf_error err = {{0}};
	struct conf *conf = NULL;

	(void)state;
	assert_int_equal(parse_with_key("8f95f092\n", 0600, &conf, &err), -EINVAL);
	assert_non_null(strstr(err.text, "quic.key:1:1: this is not an AES-128 key"));
	assert_null(strstr(err.text, "8f95"));
	assert_int_equal(parse_with_key("", 0600, &conf, &err), -EINVAL);
}

static void a_file_of_a_hundred_megabytes_is_not_read(void **state)
{
	struct conf_error err = {{0}};
	struct conf *conf = NULL;

	(void)state;
	write_file("interfaces: [eth0]\n", 100 << 20);
	assert_unreadable(path, -EFBIG);
	assert_int_equal(conf_parse(path, conf_read_file, NULL, &conf, &err), -EFBIG);
	assert_non_null(
		strstr(err.text, "x.yaml: cannot read the configuration: it is larger than "));
	write_file("interfaces: [eth0]\n", CONF_FILE_MAX);
	assert_int_equal(conf_parse(path, conf_read_file, NULL, &conf, &err), -EINVAL);
	assert_non_null(strstr(err.text, "x.yaml:2:1: character U+0000 is not text"));
}

/* ---- the examples ------------------------------------------------------------------------------*/

static void every_example_is_accepted(void **state)
{
	struct conf_error err = {{0}};
	glob_t found;

	(void)state;
	assert_int_equal(glob("configs/*.yaml", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct conf *conf = NULL;

		if (conf_parse(found.gl_pathv[i], conf_read_file, NULL, &conf, &err) < 0)
			fail_msg("%s", err.text);
		assert_true(conf->n_services > 0);
		conf_free(conf);
	}
	globfree(&found);
}

static int read_text(void *arg, const char *name, char **data, size_t *len)
{
	(void)name;
	*data = strdup(arg);
	*len = strlen(arg);
	return *data ? 0 : -ENOMEM;
}

/* Asserts that @example says something of every key that a mapping may have. What a mapping may
 * have is in the complaint about a key that it may not have. */
static void assert_keys_are_explained(const char *yaml, const char *example)
{
	struct conf_error err = {{0}};
	struct conf *conf = NULL;
	char *keys, *word, *rest = NULL, wanted[64];

	assert_int_equal(conf_parse("x", read_text, (void *)(uintptr_t)yaml, &conf, &err), -EINVAL);
	keys = strstr(err.text, "allowed are ");
	assert_non_null(keys);
	keys += strlen("allowed are ");
	for (word = strtok_r(keys, ", ", &rest); word; word = strtok_r(NULL, ", ", &rest)) {
		snprintf(wanted, sizeof(wanted), " %s:", word);
		if (!strstr(example, wanted) &&
		    (snprintf(wanted, sizeof(wanted), "\n%s:", word), !strstr(example, wanted)))
			fail_msg("configs/shunt.yaml does not explain \"%s\"", word);
	}
}

static void the_example_explains_every_key(void **state)
{
	auto_free char *example = NULL;
	size_t len;

	(void)state;
	assert_int_equal(conf_read_file(NULL, "configs/shunt.yaml", &example, &len), 0);
	assert_keys_are_explained("x: 1\n", example);
	assert_keys_are_explained("interfaces: [{x: 1}]\nservices: []\n", example);
	assert_keys_are_explained("interfaces: [a]\nservices: []\ndefaults: {x: 1}\n", example);
	assert_keys_are_explained("interfaces: [a]\nservices: [{x: 1}]\n", example);
	assert_keys_are_explained("interfaces: [a]\nservices: []\ndefaults: {check: {x: 1}}\n",
				  example);
	assert_keys_are_explained("interfaces: [a]\n"
				  "services: [{vip: 192.0.2.1, port: 1, backends: [{x: 1}]}]\n",
				  example);
	assert_keys_are_explained("interfaces: [a]\n"
				  "services: [{vip: 192.0.2.1, port: 1, rate: {x: 1}}]\n",
				  example);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_read_whole),
		cmocka_unit_test(an_empty_file_is_read_as_nothing),
		cmocka_unit_test(what_is_no_file_is_refused_at_once),
		cmocka_unit_test(a_key_is_read_from_a_file_that_others_may_not_read),
		cmocka_unit_test(a_file_that_holds_no_key_is_refused_without_its_text),
		cmocka_unit_test(a_file_of_a_hundred_megabytes_is_not_read),
		cmocka_unit_test(every_example_is_accepted),
		cmocka_unit_test(the_example_explains_every_key),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
