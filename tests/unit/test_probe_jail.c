/* SPDX-License-Identifier: BSD-2-Clause */
/* What the probe child has of what its parent has: no privileges, descriptors or environment. */
#include "probe_world.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>

static void the_child_has_nothing_to_lose(void **state)
{
	const struct passwd *nobody = getpwnam("nobody");
	struct server s = server_start(AF_INET, serve_good);
	struct probe_question q = question_http(s.port);
	gid_t groups[2] = {1, 2};
	char ids[128];
	struct world w;
	pid_t pid;

	(void)state;
	if (geteuid() == 0)
		assert_int_equal(setgroups(2, groups), 0);
	world_open(&w);
	add(&w, 1, &q);
	world_run(&w, 1, 5000);
	pid = probe_pool_child(w.pool);
	status_is(pid, "Name", "shuntd-probe");
	status_is(pid, "CapEff", "0000000000000000");
	status_is(pid, "CapPrm", "0000000000000000");
	status_is(pid, "CapInh", "0000000000000000");
	status_is(pid, "CapAmb", "0000000000000000");
	status_is(pid, "NoNewPrivs", "1");
	status_is(pid, "Threads", "1");
	if (geteuid() == 0) {
		status_is(pid, "CapBnd", "0000000000000000");
		status_is(pid, "Groups", " ");
		snprintf(ids, sizeof(ids), "%u\t%u\t%u\t%u", nobody->pw_uid, nobody->pw_uid,
			 nobody->pw_uid, nobody->pw_uid);
		status_is(pid, "Uid", ids);
		snprintf(ids, sizeof(ids), "%u\t%u\t%u\t%u", nobody->pw_gid, nobody->pw_gid,
			 nobody->pw_gid, nobody->pw_gid);
		status_is(pid, "Gid", ids);
		assert_int_equal(setgroups(0, NULL), 0);
	}
	world_close(&w);
	server_stop(&s);
}

/* What descriptor @name of process @pid leads to; "" when it is gone. */
static void fd_target(pid_t pid, const char *name, char out[static 256])
{
	char link[512];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/fd/%s", pid, name);
	n = readlink(link, out, 255);
	out[n < 0 ? 0 : n] = '\0';
}

static bool is_open_here(const char *target)
{
	char name[16], here[256];

	for (int fd = 0; fd < 256; fd++) {
		snprintf(name, sizeof(name), "%d", fd);
		fd_target(getpid(), name, here);
		if (strcmp(here, target) == 0)
			return true;
	}
	return false;
}

static void check_fd(const char *name, const char *target)
{
	int fd = atoi(name);

	if (fd <= 1)
		assert_string_equal(target, "/dev/null");
	else if (fd > 2 && strncmp(target, "anon_inode:", 11) != 0 && is_open_here(target))
		fail_msg("descriptor %d is shared: %s", fd, target);
}

/* With a child that has asked once, and does not again for a while. */
static void world_open_asked(struct world *w)
{
	struct probe_question q = question_tcp(9);

	q.interval_ms = 10000;
	world_open(w);
	add(w, 1, &q);
	assert_true(comes(w, 1, 1));
}

static void the_child_shares_no_descriptor(void **state)
{
	char path[64], target[256];
	const struct dirent *e;
	struct world w;
	int leak[2], n = 0;
	DIR *d;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(pipe(leak), 0); /* without O_CLOEXEC */
	world_open_asked(&w);
	snprintf(path, sizeof(path), "/proc/%d/fd", probe_pool_child(w.pool));
	d = opendir(path);
	assert_non_null(d);
	for (; (e = readdir(d)); n++) {
		fd_target(probe_pool_child(w.pool), e->d_name, target);
		if (target[0] && e->d_name[0] != '.')
			check_fd(e->d_name, target);
	}
	closedir(d);
	assert_in_range(n, 6, 14); /* with . and .. */
	close(leak[0]);
	close(leak[1]);
	world_close(&w);
}

static void the_child_has_no_environment(void **state)
{
	char path[64], c;
	struct world w;
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	world_open_asked(&w);
	snprintf(path, sizeof(path), "/proc/%d/environ", probe_pool_child(w.pool));
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, &c, 1), 0);
	close(fd);
	world_close(&w);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_child_has_nothing_to_lose),
		cmocka_unit_test(the_child_shares_no_descriptor),
		cmocka_unit_test(the_child_has_no_environment),
	};

	PROBE_CHILD(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
