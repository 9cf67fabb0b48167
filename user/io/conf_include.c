/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/conf_include.h"

#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "io/conf_file.h"

static void give(const char *path, convert_file_fn *each, void *arg)
{
	auto_free char *text = NULL;
	size_t len;

	if (conf_read_file(NULL, path, &text, &len) < 0)
		each(arg, path, NULL);
	else
		each(arg, path, text);
}

size_t conf_include(const char *from, const char *pattern, convert_file_fn *each, void *arg)
{
	const char *slash = strrchr(from, '/');
	const int dir = *pattern == '/' || !slash ? 0 : (int)(slash - from) + 1;
	size_t i, len, found = 0;
	char whole[PATH_MAX];
	glob_t g;

	if (snprintf(whole, sizeof(whole), "%.*s%s", dir, from, pattern) >= (int)sizeof(whole) ||
	    glob(whole, GLOB_MARK | GLOB_BRACE, NULL, &g) != 0)
		return 0;
	for (i = 0; i < g.gl_pathc; i++) {
		len = strlen(g.gl_pathv[i]);
		if (g.gl_pathv[i][len - 1] == '/')
			continue;
		give(g.gl_pathv[i], each, arg);
		found++;
	}
	globfree(&g);
	return found;
}
