/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/journal.h"

#define LINE_MAX_BYTES 1024

static enum log_level max_level = LOG_LEVEL_INFO;
static int override = LOG_LEVEL_NONE;
static bool is_journal; /* it reads standard error */
static int journal_fd = -1; /* what takes its entries; -1: none */

static const struct {
	const char *word;
	int syslog; /* PRIORITY, and sd-daemon(3): the number in "<N>" in front of a line */
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
	return override == LOG_LEVEL_NONE ? max_level : (enum log_level) override;
}

void log_override(int level)
{
	override = level;
}

int log_overridden(void)
{
	return override;
}

void log_open(const char *journal)
{
	if (journal_fd >= 0)
		close(journal_fd);
	is_journal = journal_reads(STDERR_FILENO);
	journal_fd = is_journal ? journal_open(journal) : -1;
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
	if (is_journal)
		fprintf(stderr, "<%d>%s\n", levels[level].syslog, line);
	else
		fprintf(stderr, "shuntd: %s: %s\n", levels[level].word, line);
}

static bool sent_to_journal(enum log_level level, const char *line, const char *const fields[],
			    size_t n)
{
	static struct journal_entry entry;
	char field[LINE_MAX_BYTES + sizeof("MESSAGE=")];

	if (journal_fd < 0)
		return false;
	entry.len = 0;
	snprintf(field, sizeof(field), "PRIORITY=%d", levels[level].syslog);
	journal_put(&entry, field);
	journal_put(&entry, "SYSLOG_IDENTIFIER=shuntd");
	snprintf(field, sizeof(field), "MESSAGE=%s", line);
	journal_put(&entry, field);
	for (size_t i = 0; i < n; i++)
		journal_put(&entry, fields[i]);
	return journal_send(journal_fd, &entry) == 0;
}

static void write_to_stderr(enum log_level level, const char *line)
{
	static size_t lost;
	char lost_line[64];

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

void log_fields(enum log_level level, const char *text, const char *const fields[], size_t n)
{
	char line[LINE_MAX_BYTES];
	char *c;

	if (level > log_level())
		return;
	snprintf(line, sizeof(line), "%s", text);
	for (c = line; *c; c++) /* a message is one line, whatever a peer made us quote */
		if ((unsigned char)*c < ' ')
			*c = ' ';
	if (!sent_to_journal(level, line, fields, n))
		write_to_stderr(level, line);
}

void log_vwrite(enum log_level level, const char *format, va_list args)
{
	char line[LINE_MAX_BYTES];

	if (level > log_level())
		return;
	vsnprintf(line, sizeof(line), format, args);
	log_fields(level, line, NULL, 0);
}

void log_write(enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_vwrite(level, format, args);
	va_end(args);
}
