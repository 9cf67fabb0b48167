/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum log_level max_level = LOG_LEVEL_INFO;

static const struct {
	const char *word;
	int syslog; /* sd-daemon(3): the number in "<N>" in front of a line */
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", 3},
	[LOG_LEVEL_WARNING] = {"warning", 4},
	[LOG_LEVEL_INFO] = {"info", 6},
	[LOG_LEVEL_DEBUG] = {"debug", 7},
};

void log_set_level(enum log_level level)
{
	max_level = level;
}

enum log_level log_level(void)
{
	return max_level;
}

void log_vwrite(enum log_level level, const char *format, va_list args)
{
	char line[1024];
	char *c;

	if (level > max_level)
		return;
	vsnprintf(line, sizeof(line), format, args);
	for (c = line; *c; c++) /* a message is one line, whatever a peer made us quote */
		if ((unsigned char)*c < ' ')
			*c = ' ';
	if (getenv("JOURNAL_STREAM"))
		fprintf(stderr, "<%d>%s\n", levels[level].syslog, line);
	else
		fprintf(stderr, "shuntd: %s: %s\n", levels[level].word, line);
}

void log_write(enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_vwrite(level, format, args);
	va_end(args);
}
