/* SPDX-License-Identifier: BSD-2-Clause */
/* Who children become, and whom the command believes. */
#include <errno.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/identity.h"

#define DAEMON 12345 /* a uid that nobody has */
#define CHILD 12346

enum { WELL, FAILED };

#define EXPECT(what)                                                                               \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                 \
			_exit(FAILED);                                                             \
		}                                                                                  \
	} while (0)

static bool is_root(void **state)
{
	(void)state;
	return geteuid() == 0;
}

/* What the test does as another user, it does in a process of its own. */
static void in_a_child(void (*fn)(void))
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		fn();
		_exit(WELL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static uint32_t effective(void)
{
	struct __user_cap_header_struct self = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = {0};

	EXPECT(syscall(SYS_capget, &self, caps) == 0);
	return caps[0].effective | caps[0].permitted | caps[0].inheritable;
}

/* As a unit runs a daemon: a user of its own with ambient capabilities. */
static void be_daemon(uint32_t wanted)
{
	struct __user_cap_header_struct self = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = {
		{.effective = wanted, .permitted = wanted, .inheritable = wanted}};

	EXPECT(prctl(PR_SET_KEEPCAPS, 1) == 0);
	EXPECT(setresgid(DAEMON, DAEMON, DAEMON) == 0 && setresuid(DAEMON, DAEMON, DAEMON) == 0);
	EXPECT(syscall(SYS_capset, &self, caps) == 0);
	for (int i = 0; i < 32; i++)
		if (wanted & 1u << i)
			EXPECT(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) == 0);
}

#define AS_THE_UNIT (1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_NET_ADMIN)

static void with_capabilities(void)
{
	struct identity who;

	be_daemon(AS_THE_UNIT);
	EXPECT(identity_of("nobody", &who) == 0);
	EXPECT(who.becomes && who.uid != DAEMON && who.uid != 0);
	EXPECT(identity_of("root", &who) == -EPERM);
	EXPECT(identity_of("no-such-user", &who) == -ENOENT);
}

static void a_daemon_that_is_not_root_has_children_of_another_user(void **state)
{
	if (!is_root(state))
		skip();
	in_a_child(with_capabilities);
}

static void without_capabilities(void)
{
	struct identity who;

	be_daemon(1u << CAP_SETUID | 1u << CAP_NET_ADMIN);
	EXPECT(identity_of("nobody", &who) == 0);
	EXPECT(!who.becomes && who.uid == DAEMON && who.gid == DAEMON);
	EXPECT(identity_become(&who));
	EXPECT(geteuid() == DAEMON && effective() == 0);
}

static void who_cannot_change_its_user_keeps_it_and_nothing_else(void **state)
{
	if (!is_root(state))
		skip();
	in_a_child(without_capabilities);
}

static void becoming(void)
{
	const struct identity who = {.becomes = true, .uid = CHILD, .gid = CHILD};
	uid_t r, e, s;

	be_daemon(AS_THE_UNIT);
	EXPECT(identity_become(&who));
	EXPECT(getresuid(&r, &e, &s) == 0 && r == CHILD && e == CHILD && s == CHILD);
	EXPECT(getresgid(&r, &e, &s) == 0 && r == CHILD && e == CHILD && s == CHILD);
	EXPECT(getgroups(0, NULL) == 0);
	EXPECT(effective() == 0);
	for (int i = 0; i < 32; i++)
		EXPECT(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) <= 0);
	EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	EXPECT(setuid(DAEMON) != 0 && setuid(0) != 0);
}

static void a_child_has_nothing_left_of_a_daemon_that_is_not_root(void **state)
{
	if (!is_root(state))
		skip();
	in_a_child(becoming);
}

static void nobody_runs_what_is_not_trusted_as_root(void **state)
{
	struct identity who;

	if (!is_root(state))
		skip();
	assert_int_equal(identity_of("root", &who), -EPERM);
}

static void root_and_oneself_are_believed_and_strangers_are_not(void **state)
{
	(void)state;
	assert_true(identity_is_daemon(0));
	assert_true(identity_is_daemon(geteuid()));
	assert_false(identity_is_daemon(DAEMON + 7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_daemon_that_is_not_root_has_children_of_another_user),
		cmocka_unit_test(who_cannot_change_its_user_keeps_it_and_nothing_else),
		cmocka_unit_test(a_child_has_nothing_left_of_a_daemon_that_is_not_root),
		cmocka_unit_test(nobody_runs_what_is_not_trusted_as_root),
		cmocka_unit_test(root_and_oneself_are_believed_and_strangers_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
