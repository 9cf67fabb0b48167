/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said of a kernel that lacks something: this one, made to refuse what older ones do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <unistd.h>

#include "io/dp_kernel.h"

static bool without_mapped_arrays, without_devmap_hash;

/* In place of libbpf's. */
int bpf_map_create(enum bpf_map_type type, const char *name, __u32 key_size, __u32 value_size,
		   __u32 entries, const struct bpf_map_create_opts *opts)
{
	__typeof__(&bpf_map_create) real = dlsym(RTLD_NEXT, "bpf_map_create");

	if ((without_mapped_arrays && opts && (opts->map_flags & BPF_F_MMAPABLE)) ||
	    (without_devmap_hash && type == BPF_MAP_TYPE_DEVMAP_HASH)) {
		errno = EINVAL;
		return -EINVAL;
	}
	return real(type, name, key_size, value_size, entries, opts);
}

static void this_kernel_lacks_nothing(void **state)
{
	char text[320] = "as it was";

	(void)state;
	without_mapped_arrays = without_devmap_hash = false;
	assert_false(dp_kernel_lacks(text, sizeof(text)));
	assert_string_equal(text, "as it was");
}

static void what_is_missing_is_named_with_its_release(void **state)
{
	char text[320];

	(void)state;
	without_mapped_arrays = true;
	without_devmap_hash = false;
	assert_true(dp_kernel_lacks(text, sizeof(text)));
	assert_ptr_equal(strstr(text, "arrays that can be mapped into memory (Linux 5.5); "), text);
	assert_non_null(strstr(text, "; this is Linux "));
	assert_non_null(strstr(text, ", shunt needs 5.15 or later"));
	without_devmap_hash = true;
	assert_true(dp_kernel_lacks(text, sizeof(text)));
	assert_non_null(strstr(text, "(Linux 5.4), arrays"));
}

static void a_short_buffer_is_not_overrun(void **state)
{
	char text[320];
	size_t size;

	(void)state;
	without_mapped_arrays = without_devmap_hash = true;
	for (size = 1; size < sizeof(text); size++) {
		memset(text, '~', sizeof(text));
		assert_true(dp_kernel_lacks(text, size));
		assert_true(strlen(text) < size);
		assert_int_equal(text[size], '~');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(this_kernel_lacks_nothing),
		cmocka_unit_test(what_is_missing_is_named_with_its_release),
		cmocka_unit_test(a_short_buffer_is_not_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
