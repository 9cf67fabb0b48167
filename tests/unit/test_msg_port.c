/* SPDX-License-Identifier: BSD-2-Clause */
/* The file that tells where the daemon is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "pure/msg.h"

static int parse(const char *text, struct msg_port *p)
{
	return msg_port_parse(text, strlen(text), p);
}

static void what_is_written_is_read(void **state)
{
	struct msg_port in = {UINT32_MAX, 4194304, 1, UINT64_MAX, "0.1.0"}, out;
	char text[MSG_PORT_TEXT_MAX];
	size_t len = msg_port_format(&in, text);

	(void)state;
	assert_int_equal(len, strlen(text));
	assert_int_equal(msg_port_parse(text, len, &out), 0);
	assert_string_equal(out.release, "0.1.0");
	assert_int_equal(out.port, in.port);
	assert_int_equal(out.pid, in.pid);
	assert_int_equal(out.version, in.version);
	assert_true(out.netns == in.netns);
}

static void unknown_keys_and_another_order_are_fine(void **state)
{
	struct msg_port p;

	(void)state;
	assert_int_equal(parse("version=1\ncolour=blue\n\npid=2\nport=3\n", &p), 0);
	assert_int_equal(p.port, 3);
	assert_int_equal(p.netns, 0);
}

static void a_bad_file_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"port=3\npid=2\n",
		"port=3\npid=2\nversion=1",
		"port=\npid=2\nversion=1\n",
		"port=0\npid=2\nversion=1\n",
		"port=4294967296\npid=2\nversion=1\n",
		"port=99999999999999999999999\npid=2\nversion=1\n",
		"port=-3\npid=2\nversion=1\n",
		"port= 3\npid=2\nversion=1\n",
		"port=3x\npid=2\nversion=1\n",
		"netns=18446744073709551616\nport=3\npid=2\nversion=1\n",
	};
	struct msg_port p = {0};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse(bad[i], &p), -EBADMSG);
	assert_int_equal(p.port, 0);
}

static void paths_stay_in_their_folder(void **state)
{
	char path[MSG_PATH_MAX] = "", longest[2 * MSG_PATH_MAX] = "";

	(void)state;
	assert_int_equal(msg_path("/run/shunt", "edge", ".sock", path), 0);
	assert_string_equal(path, "/run/shunt/edge.sock");
	assert_int_equal(msg_path("/run/shunt", "", ".sock", path), -EINVAL);
	assert_int_equal(msg_path("/run/shunt", "../x", ".sock", path), -EINVAL);
	assert_int_equal(msg_path("/run/shunt", "a/b", ".sock", path), -EINVAL);
	memset(longest, 'x', sizeof(longest) - 1);
	assert_int_equal(msg_path(longest, "edge", ".sock", path), -ENAMETOOLONG);
	assert_string_equal(path, "/run/shunt/edge.sock");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(unknown_keys_and_another_order_are_fine),
		cmocka_unit_test(a_bad_file_is_refused),
		cmocka_unit_test(paths_stay_in_their_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
