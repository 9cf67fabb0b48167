/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* Whether a line can be written at once: who reads a pipe or a terminal may have stopped, and a
 * service must not stop with it. */
static bool is_writable(void)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&p, 1, 0) != 0;
}

static void write_line(enum log_level level, const char *line)
{
	if (getenv("JOURNAL_STREAM"))
		fprintf(stderr, "<%d>%s\n", levels[level].syslog, line);
	else
		fprintf(stderr, "shuntd: %s: %s\n", levels[level].word, line);
}

void log_vwrite(enum log_level level, const char *format, va_list args)
{
	static size_t lost;
	char line[1024], lost_line[64];
	char *c;

	if (level > max_level)
		return;
	vsnprintf(line, sizeof(line), format, args);
	for (c = line; *c; c++) /* a message is one line, whatever a peer made us quote */
		if ((unsigned char)*c < ' ')
			*c = ' ';
	if (!is_writable()) {
		lost++;
		return;
	}
	if (lost) {
		snprintf(lost_line, sizeof(lost_line), "%zu lines were lost: nobody read them",
			 lost);
		write_line(LOG_LEVEL_WARNING, lost_line);
		lost = 0;
		if (!is_writable()) {
			lost++;
			return;
		}
	}
	write_line(level, line);
}

void log_write(enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_vwrite(level, format, args);
	va_end(args);
}
