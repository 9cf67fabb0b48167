/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/journal.h"
#include "base/log.h"

static void fill(int fd)
{
	char some[1024] = {0};

	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while (write(fd, some, sizeof(some)) > 0)
		;
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
}

static void drain(int fd)
{
	char some[4096];

	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while (read(fd, some, sizeof(some)) > 0)
		;
}

static void a_reader_that_has_stopped_stops_nobody(void **state)
{
	int before = dup(STDERR_FILENO), ends[2];
	char said[256] = "";

	(void)state;
	assert_int_equal(pipe(ends), 0);
	fill(ends[1]);
	dup2(ends[1], STDERR_FILENO);
	alarm(5); /* the test ends by it when a line blocks */
	log_error("one");
	log_error("two");
	drain(ends[0]);
	log_error("three");
	alarm(0);
	dup2(before, STDERR_FILENO);
	assert_true(read(ends[0], said, sizeof(said) - 1) > 0);
	assert_non_null(strstr(said, "2 lines were lost"));
	assert_non_null(strstr(said, "three"));
	assert_null(strstr(said, "one"));
	close(ends[0]);
	close(ends[1]);
	close(before);
}

/* A journal of our own: entries come in at @at, standard error is a file that it says it reads. */
struct journal {
	char dir[64], at[96], text[96];
	int fd, before;
};

static void journal_begin(struct journal *j)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	char stream[64];
	struct stat st;
	int file;

	snprintf(j->dir, sizeof(j->dir), "/tmp/shunt-log.XXXXXX");
	assert_non_null(mkdtemp(j->dir));
	snprintf(j->at, sizeof(j->at), "%s/socket", j->dir);
	snprintf(j->text, sizeof(j->text), "%s/text", j->dir);
	j->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", j->at);
	assert_int_equal(bind(j->fd, (struct sockaddr *)&to, sizeof(to)), 0);
	file = open(j->text, O_RDWR | O_CREAT, 0600);
	assert_int_equal(fstat(file, &st), 0);
	j->before = dup(STDERR_FILENO);
	dup2(file, STDERR_FILENO);
	close(file);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
}

static void journal_end(struct journal *j)
{
	dup2(j->before, STDERR_FILENO);
	close(j->before);
	unsetenv("JOURNAL_STREAM");
	if (j->fd >= 0)
		close(j->fd);
	unlink(j->at);
	unlink(j->text);
	rmdir(j->dir);
	log_open(JOURNAL_SOCKET);
}

/* The next entry; "" when there is none. */
static const char *journal_next(const struct journal *j)
{
	static char got[JOURNAL_ENTRY_MAX + 1];
	ssize_t n = recv(j->fd, got, JOURNAL_ENTRY_MAX, 0);

	got[n > 0 ? n : 0] = '\0';
	return got;
}

static const char *text_of(const struct journal *j)
{
	static char got[4096];
	int fd = open(j->text, O_RDONLY);
	ssize_t n = read(fd, got, sizeof(got) - 1);

	close(fd);
	got[n > 0 ? n : 0] = '\0';
	return got;
}

static void the_journal_gets_entries_with_fields(void **state)
{
	static const char *const fields[] = {"SHUNT_SERVICE=web",
					     "SHUNT_BACKEND=", "SHUNT_REASON=two\nlines=1"};
	struct journal j;

	(void)state;
	journal_begin(&j);
	log_open(j.at);
	log_fields(LOG_LEVEL_WARNING, "it\nPRIORITY=0", fields, 3);
	/* What somebody made us say ends no line, so that it is no field of its own. */
	assert_string_equal(journal_next(&j), "PRIORITY=4\nSYSLOG_IDENTIFIER=shuntd\n"
					      "MESSAGE=it PRIORITY=0\nSHUNT_SERVICE=web\n"
					      "SHUNT_REASON=two lines=1\n");
	log_error("plain");
	assert_string_equal(journal_next(&j),
			    "PRIORITY=3\nSYSLOG_IDENTIFIER=shuntd\nMESSAGE=plain\n");
	log_debug("not this");
	assert_string_equal(journal_next(&j), "");
	log_override(LOG_LEVEL_DEBUG);
	log_set_level(LOG_LEVEL_ERROR);
	log_debug("but this");
	log_override(LOG_LEVEL_NONE);
	log_warning("nor this");
	log_set_level(LOG_LEVEL_INFO);
	assert_non_null(strstr(journal_next(&j), "MESSAGE=but this\n"));
	assert_string_equal(text_of(&j), "");
	journal_end(&j);
}

static void a_journal_that_takes_nothing_gets_lines(void **state)
{
	struct journal j;
	int i;

	(void)state;
	journal_begin(&j);
	log_open(j.at);
	for (i = 0; i < 4096 && !text_of(&j)[0]; i++) /* until its queue is full */
		log_info("line");
	assert_in_range(i, 1, 4095);
	assert_string_equal(text_of(&j), "<6>line\n");
	while (journal_next(&j)[0])
		;
	log_info("again");
	assert_non_null(strstr(journal_next(&j), "MESSAGE=again\n"));
	close(j.fd); /* it ends */
	j.fd = -1;
	log_error("alone");
	assert_string_equal(text_of(&j), "<6>line\n<3>alone\n");
	journal_end(&j);
}

static void a_journal_that_reads_something_else_is_no_concern(void **state)
{
	struct journal j;

	(void)state;
	journal_begin(&j);
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_open(j.at);
	log_info("line");
	assert_string_equal(journal_next(&j), "");
	assert_string_equal(text_of(&j), "shuntd: info: line\n");
	setenv("JOURNAL_STREAM", "garbage", 1);
	assert_false(journal_reads(STDERR_FILENO));
	journal_end(&j);
}

static void what_an_entry_has_no_room_for_is_left_out(void **state)
{
	struct journal_entry entry = {.len = 0};
	char field[600];

	(void)state;
	memset(field, 'x', sizeof(field) - 1);
	field[sizeof(field) - 1] = '\0';
	field[1] = '=';
	for (int i = 0; i < 100; i++)
		journal_put(&entry, field);
	assert_in_range(entry.len, JOURNAL_ENTRY_MAX - 600, JOURNAL_ENTRY_MAX);
	assert_int_equal(entry.len % 600, 0);
	assert_int_equal(entry.text[entry.len - 1], '\n');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_journal_gets_entries_with_fields),
		cmocka_unit_test(a_journal_that_takes_nothing_gets_lines),
		cmocka_unit_test(a_journal_that_reads_something_else_is_no_concern),
		cmocka_unit_test(what_an_entry_has_no_room_for_is_left_out),
		cmocka_unit_test(a_reader_that_has_stopped_stops_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
