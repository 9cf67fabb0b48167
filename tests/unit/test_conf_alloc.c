/* SPDX-License-Identifier: BSD-2-Clause */
/* Every allocation of a parse fails once: nothing is leaked, and the answer is -ENOMEM or right.
 * The allocator is replaced by one that counts, which the sanitizers' own does not allow. */
#include "pure/conf_parse.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "conf_memory.h"

#ifndef __has_feature
#define __has_feature(x) 0 /* gcc 12 has none of clang's */
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)

static void every_allocation_may_fail(void **state)
{
	(void)state;
	skip();
}

#else

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

static bool counting;
static long live, until_failure; /* until_failure: allocations that still succeed */

static bool fails(void)
{
	return counting && until_failure-- == 0;
}

static void *counted(void *p)
{
	live += counting && p;
	return p;
}

void *malloc(size_t size)
{
	return fails() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : counted(__libc_calloc(n, size));
}

void *realloc(void *p, size_t size)
{
	if (fails())
		return NULL;
	return p ? __libc_realloc(p, size) : counted(__libc_realloc(p, size));
}

void free(void *p)
{
	live -= counting && p;
	__libc_free(p);
}

static struct file files[] = {
	{"d/x.yaml",
	 "interfaces: [eth0, &i {name: eth1, xdp: native}]\n"
	 "hash_secret: a secret\n"
	 "defaults: {check: {type: http, path: /up, host: a, expect: b}}\n"
	 "services:\n"
	 "- {vip: 192.0.2.1, port: 80, backends: &b [10.0.0.1, {address: 10.0.0.2}], "
	 "backends_file: b}\n"
	 "- {vip: 192.0.2.2, port: 80, backends: *b, backends_file: b}\n"
	 "- {vip: 192.0.2.3, port: 80, forward: local, check: tcp,\n"
	 "   allow: [10.0.0.0/8, 10.1.2.3], deny_file: p, allow_file: p, rate: {per_source: 1}}\n",
	 0, 0},
	{"d/b", "10.0.0.3\n10.0.0.4 name=d\n10.0.0.5\n", 0, 0},
	{"d/p", "10.0.0.3\n10.0.0.4/30\n10.0.0.5\n", 0, 0},
	{NULL, NULL, 0, 0},
};

static int parse_and_free(void)
{
	struct conf *conf = NULL;
	struct conf_error err;
	int rc = conf_parse("d/x.yaml", read_memory, files, &conf, &err);

	conf_free(conf);
	return rc;
}

/* With the allocation number @nth failing; *leaked becomes what was not freed. */
static int parse_with_failure(long nth, long *leaked)
{
	int rc;

	live = 0;
	until_failure = nth;
	counting = true;
	rc = parse_and_free();
	counting = false;
	*leaked = live;
	return rc;
}

static void every_allocation_may_fail(void **state)
{
	long nth = 0, leaked, failures = 0;
	int rc;

	(void)state;
	do {
		rc = parse_with_failure(nth++, &leaked);
		assert_int_equal(leaked, 0);
		assert_true(rc == 0 || rc == -ENOMEM);
		failures += rc == -ENOMEM;
	} while (until_failure < 0);
	assert_int_equal(rc, 0);
	assert_true(failures > 50);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
