/* SPDX-License-Identifier: BSD-2-Clause */
/* Configurations that must be good, for tests of what becomes of them. After cmocka.h. */
#ifndef SHUNT_TEST_CONF_GOOD_H
#define SHUNT_TEST_CONF_GOOD_H

#include "pure/conf_parse.h"

#include "conf_memory.h"

/* The configuration @yaml, in dir/x.yaml, beside a file dir/b of @backends. The caller frees it. */
static inline struct conf *parse(const char *yaml, const char *backends)
{
	struct file files[] = {
		{"dir/x.yaml", yaml, 0, 0}, {"dir/b", backends, 0, 0}, {.path = NULL}};
	struct conf_error err = {{0}};
	struct conf *conf = NULL;
	int rc = conf_parse("dir/x.yaml", read_memory, files, &conf, &err);

	if (rc < 0)
		print_error("%s\n", err.text);
	assert_int_equal(rc, 0);
	return conf;
}

#endif
