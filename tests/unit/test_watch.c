/* SPDX-License-Identifier: BSD-2-Clause */
/* Every way in which people and tools replace a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "io/watch.h"

struct place {
	struct watches w;
	char dir[64];
};

static void shell(const struct place *p, const char *command)
{
	char line[512];

	snprintf(line, sizeof(line), "cd %s && { %s; }", p->dir, command);
	if (system(line) != 0)
		fail_msg("failed: %s", line);
}

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	strcpy(p->dir, "/tmp/shunt-watch.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	assert_int_equal(watches_open(&p->w), 0);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	watches_close(&p->w);
	shell(p, "rm -rf \"$PWD\"");
	free(p);
	return 0;
}

static void add(struct place *p, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	assert_int_equal(watches_add(&p->w, path), 0);
}

/* One round with this file alone, kept. */
static void watch(struct place *p, const char *name)
{
	watches_begin(&p->w);
	add(p, name);
	watches_end(&p->w, true);
	(void)watches_read(&p->w);
}

static void notices(struct place *p, const char *command)
{
	shell(p, command);
	if (watches_read(&p->w) != WATCH_CHANGED)
		fail_msg("not noticed: %s", command);
	assert_int_equal(watches_read(&p->w), WATCH_NOTHING);
}

static void ignores(struct place *p, const char *command)
{
	shell(p, command);
	if (watches_read(&p->w) != WATCH_NOTHING)
		fail_msg("noticed: %s", command);
}

static size_t folders_watched(const struct place *p)
{
	char path[64], line[256];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", p->w.fd);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		n += strncmp(line, "inotify wd:", 11) == 0;
	fclose(f);
	return n;
}

static void a_file_written_moved_over_removed_or_linked_anew(void **state)
{
	struct place *p = *state;

	shell(p, "echo 1 >f");
	watch(p, "f");
	notices(p, "echo 2 >f");
	notices(p, "echo 3 >>f");
	notices(p, "echo 4 >g; mv g f");
	notices(p, "rm f");
	notices(p, "echo 5 >f");
	notices(p, "mv f away");
	notices(p, "ln away f");
	notices(p, "rm f; ln -s away f");
	ignores(p, "echo 6 >other; mv other third; rm third; cat f >/dev/null");
}

static void a_file_that_is_being_written(void **state)
{
	struct place *p = *state;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/f", p->dir);
	watch(p, "f");
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(watches_read(&p->w), WATCH_WRITING);
	assert_int_equal(watches_read(&p->w), WATCH_NOTHING);
	fputs("half", f);
	fflush(f);
	assert_int_equal(watches_read(&p->w), WATCH_WRITING);
	fclose(f);
	assert_int_equal(watches_read(&p->w), WATCH_CHANGED);
	f = fopen(path, "w");
	assert_int_equal(watches_read(&p->w), WATCH_WRITING); /* truncated */
	fclose(f);
	assert_int_equal(watches_read(&p->w), WATCH_CHANGED);
}

static void a_link_to_the_file_that_is_swapped(void **state)
{
	struct place *p = *state;

	shell(p, "mkdir a b; echo 1 >a/f; echo 2 >b/f; ln -s a/f f");
	watch(p, "f");
	notices(p, "echo 3 >a/f");
	ignores(p, "echo 4 >b/f");
	notices(p, "ln -sfn b/f f");
	watch(p, "f");
	notices(p, "echo 5 >b/f");
	ignores(p, "echo 6 >a/f");
}

static void a_link_to_its_folder_that_is_swapped(void **state)
{
	struct place *p = *state;

	shell(p, "mkdir -p r/1 r/2; echo 1 >r/1/f; echo 2 >r/2/f; ln -s r/1 now");
	watch(p, "now/f");
	ignores(p, "echo 3 >r/2/f");
	notices(p, "ln -sfn r/2 now");
	watch(p, "now/f");
	notices(p, "ln -s r/1 then; mv -T then now");
}

static void a_chain_of_links_as_volumes_of_clusters_have_it(void **state)
{
	struct place *p = *state;

	shell(p, "mkdir ..1 ..2; echo 1 >..1/f; echo 2 >..2/f; ln -s ..1 ..data; ln -s ..data/f f");
	watch(p, "f");
	notices(p, "ln -s ..2 ..new; mv -T ..new ..data");
}

static void a_link_by_an_absolute_path(void **state)
{
	struct place *p = *state;

	shell(p, "mkdir -p a/x b/x; echo 1 >a/x/f; echo 2 >b/x/f; ln -s \"$PWD/a\" now; ln -s "
		 "now/x x");
	watch(p, "x/f");
	notices(p, "echo 2 >a/x/f");
	notices(p, "ln -sfn \"$PWD/b\" now");
	watch(p, "x/f");
	notices(p, "echo 3 >b/x/f");
}

static void a_folder_moved_away_and_another_moved_there(void **state)
{
	struct place *p = *state;

	shell(p, "mkdir -p d/e new/e; echo 1 >d/e/f; echo 2 >new/e/f");
	watch(p, "d/e/f");
	notices(p, "mv d old; mv new d");
	watch(p, "d/e/f");
	notices(p, "echo 3 >d/e/f");
	ignores(p, "echo 3 >old/e/f");
}

static void a_folder_that_appears_later(void **state)
{
	struct place *p = *state;

	watch(p, "d/e/f");
	notices(p, "mkdir d");
	watch(p, "d/e/f");
	notices(p, "mkdir d/e");
	watch(p, "d/e/f");
	notices(p, "echo 1 >d/e/f");
	watch(p, "d/e/f");
	notices(p, "rm -r d");
	watch(p, "d/e/f");
	notices(p, "mkdir d");
}

static void a_ring_of_links_ends(void **state)
{
	struct place *p = *state;
	char path[128];

	shell(p, "ln -s b a; ln -s a b");
	watches_begin(&p->w);
	snprintf(path, sizeof(path), "%s/a/f", p->dir);
	assert_int_not_equal(watches_add(&p->w, path), 0);
	watches_end(&p->w, true);
	notices(p, "rm a; mkdir a");
}

/* A round that is not kept, of a configuration that was refused, adds; one that is replaces. */
static void only_the_rounds_that_count_are_watched(void **state)
{
	struct place *p = *state;
	size_t folders;

	shell(p, "mkdir a b c");
	watch(p, "a/f");
	folders = folders_watched(p);
	watches_begin(&p->w);
	add(p, "b/f");
	watches_end(&p->w, false);
	notices(p, "echo 1 >a/f");
	notices(p, "echo 1 >b/f");
	watches_begin(&p->w);
	add(p, "c/f");
	watches_end(&p->w, false);
	notices(p, "echo 2 >a/f");
	notices(p, "echo 2 >c/f");
	ignores(p, "echo 2 >b/f");
	watch(p, "c/f");
	notices(p, "echo 3 >c/f");
	ignores(p, "echo 3 >a/f");
	assert_int_equal(folders_watched(p), folders);
}

static void many_files_of_a_folder(void **state)
{
	struct place *p = *state;
	char name[16];
	int i;

	shell(p, "mkdir d; for i in $(seq 0 299); do : >d/$i; done");
	for (i = 0; i < 20; i++)
		watch(p, "d/0");
	watches_begin(&p->w);
	for (i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "d/%d", i);
		add(p, name);
	}
	watches_end(&p->w, true);
	notices(p, "echo 1 >d/0");
	notices(p, "echo 1 >d/299");
	notices(p, "ln -sf 7 d/150");
	ignores(p, "echo 1 >d/300");
	watch(p, "d/5");
	ignores(p, "echo 1 >d/299");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_file_written_moved_over_removed_or_linked_anew,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_file_that_is_being_written, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_link_to_the_file_that_is_swapped, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_link_to_its_folder_that_is_swapped, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_chain_of_links_as_volumes_of_clusters_have_it,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_link_by_an_absolute_path, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_folder_moved_away_and_another_moved_there, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_folder_that_appears_later, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_ring_of_links_ends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(only_the_rounds_that_count_are_watched, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(many_files_of_a_folder, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
