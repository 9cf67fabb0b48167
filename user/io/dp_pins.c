/* SPDX-License-Identifier: BSD-2-Clause */
/* The pinned set, and how it is replaced so that a kill at any point leaves pins from which the next
 * daemon can go on, while the interfaces forward all the time.
 *
 * A commit:  1. pin the maps that are new as new-<map>, then new-program: from here on the new set
 *               is complete;
 *            2. give every link the new program, one after the other;
 *            3. rename new-<map> to <map>, each, then new-program to program.
 * After a kill:
 *   without new-program (in 1): the old set holds; the new- pins go.
 *   with it, and no link runs it though some run the old one (before 2): the same, new-program first.
 *   else (in 2 or 3): the new set holds; the links that run the old program are given the new one,
 *   since without its pin the old one's map of stages would be emptied, and step 3 is done again. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "io/dp_impl.h"
#include "io/dp_stage.h"

#define PROGRAM "program"
#define REMEDY "; remove %s to start anew (forwarding stops until shuntd has started)"

static const char *pin_path(const struct dp *dp, const char *prefix, const char *name,
			    char out[static DP_PATH_MAX + 64])
{
	snprintf(out, DP_PATH_MAX + 64, "%s/%s%s", dp->dir, prefix, name);
	return out;
}

static int pin(const struct dp *dp, int fd, const char *name)
{
	char path[DP_PATH_MAX + 64];

	return dp_pin_set(fd, pin_path(dp, "new-", name, path));
}

static void unpin(const struct dp *dp, const char *name)
{
	char path[DP_PATH_MAX + 64];

	unlink(pin_path(dp, "new-", name, path));
}

/* Puts new-<name> in the place of <name>; fine when there is none. */
static int promote(const struct dp *dp, const char *name)
{
	char from[DP_PATH_MAX + 64], to[DP_PATH_MAX + 64];

	if (rename(pin_path(dp, "new-", name, from), pin_path(dp, "", name, to)) && errno != ENOENT)
		return -errno;
	return 0;
}

static int promote_all(const struct dp *dp)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < DP_MAP_MAX && rc == 0; i++)
		rc = promote(dp, dp_map_name(i));
	return rc ? rc : promote(dp, PROGRAM);
}

void dp_pins_drop(struct dp *dp)
{
	size_t i;

	if (!dp->pin_dir[0])
		return;
	unpin(dp, PROGRAM);
	for (i = 0; i < DP_MAP_MAX; i++)
		unpin(dp, dp_map_name(i));
}

uint32_t dp_program_id(int fd)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return 0;
	return info.id;
}

void dp_pins_recover(struct dp *dp)
{
	char path[DP_PATH_MAX + 64];
	auto_close int fd = dp_pin_get(pin_path(dp, "new-", PROGRAM, path), DP_KIND_PROGRAM);
	uint32_t id = dp_program_id(fd);
	uint32_t runs = dp_links_program(dp, id);

	if (id && (runs == id || runs == 0)) {
		dp_links_give(dp, fd);
		promote_all(dp);
	} else {
		dp_pins_drop(dp);
	}
}

/* ---- open -------------------------------------------------------------------------------------*/

#define MAPS_OF_PROGRAM 128 /* and of its stages: some are in several */

struct truth {
	uint32_t ids[MAPS_OF_PROGRAM];
	uint32_t n; /* 0: no link runs, or its program cannot be asked */
};

static bool is_true(const struct truth *t, uint32_t id)
{
	uint32_t i;

	for (i = 0; i < t->n; i++)
		if (t->ids[i] == id)
			return true;
	return false;
}

/* The map of this name among those, or -1. Needs CAP_SYS_ADMIN. */
static int true_map(const struct truth *t, const char *name)
{
	uint32_t i;

	for (i = 0; i < t->n; i++) {
		auto_close int fd = bpf_map_get_fd_by_id(t->ids[i]);
		struct bpf_map_info info = {0};
		uint32_t len = sizeof(info);

		if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
		    strcmp(info.name, name) == 0)
			return take_fd(&fd);
	}
	return -1;
}

/* The program that the links run, and its stages: what they use is true, whatever the pins say. */
static void ask_program(struct dp *dp, struct truth *t)
{
	uint32_t runs = dp_links_program(dp, dp->old.program_id);
	struct bpf_prog_info info = {.nr_map_ids = MAPS_OF_PROGRAM,
				     .map_ids = (uint64_t)(uintptr_t)t->ids};
	uint32_t len = sizeof(info);
	auto_close int other = -1, stages = -1;
	int fd = dp->old.program_fd;

	t->n = 0;
	if (!runs)
		return;
	if (runs != dp->old.program_id)
		fd = other = bpf_prog_get_fd_by_id(runs);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return;
	t->n = info.nr_map_ids < MAPS_OF_PROGRAM ? info.nr_map_ids : MAPS_OF_PROGRAM;
	stages = true_map(t, dp_map_name(DP_STAGES));
	if (stages >= 0)
		t->n = dp_stages_maps(stages, t->ids, t->n, MAPS_OF_PROGRAM);
}

/* The program does not use `owners`, and a test's stand-in may use less: no name, no truth. */
static void prefer_true_map(struct dp_map *map, enum dp_map_id i, const struct truth *t)
{
	int fd;

	if (!t->n || (map->fd >= 0 && is_true(t, map->id)))
		return;
	fd = true_map(t, dp_map_name(i));
	if (fd < 0)
		return;
	if (map->fd >= 0)
		close(map->fd);
	map->fd = fd;
	map->unpinned = true;
}

static int open_map(struct dp *dp, enum dp_map_id i, const struct truth *t, struct dp_error *err)
{
	struct dp_map *map = &dp->old.map[i];
	char path[DP_PATH_MAX + 64];
	int fd, rc;

	fd = dp_pin_get(pin_path(dp, "", dp_map_name(i), path), DP_KIND_MAP);
	if (fd == -EBADF)
		return dp_fail(err, -EINVAL, "%s is not a map", path);
	if (fd < 0 && fd != -ENOENT)
		return dp_fail_os(err, fd, "cannot open the pin %s", path);
	if (fd >= 0) {
		map->fd = fd;
		rc = dp_map_check(i, fd, path, map, err);
		if (rc)
			return rc;
	}
	prefer_true_map(map, i, t);
	if (map->fd < 0)
		return 0;
	return dp_map_check(i, map->fd, path, map, err);
}

static void forget_maps(struct dp_set *set)
{
	int program_fd = set->program_fd;
	uint32_t id = set->program_id;

	set->program_fd = -1;
	dp_set_fini(set);
	set->program_fd = program_fd;
	set->program_id = id;
}

int dp_pins_open(struct dp *dp, struct dp_error *err)
{
	char path[DP_PATH_MAX + 64];
	struct truth truth;
	size_t i, len;
	int rc;

	dp->old.program_fd = dp_pin_get(pin_path(dp, "", PROGRAM, path), DP_KIND_PROGRAM);
	dp->old.program_id = dp_program_id(dp->old.program_fd);
	ask_program(dp, &truth);
	for (i = 0; i < DP_MAP_MAX; i++) {
		rc = open_map(dp, i, &truth, err);
		if (rc == -EINVAL && err) {
			len = strlen(err->text);
			snprintf(err->text + len, sizeof(err->text) - len, REMEDY, dp->pin_dir);
		}
		if (rc)
			return rc;
	}
	if (!dp_set_is_whole(&dp->old)) {
		forget_maps(&dp->old); /* nobody can say what the rest means */
		return 0;
	}
	if (dp_set_measure(dp, &dp->old))
		return dp_fail(err, -EINVAL,
			       "the sizes of the maps in %s contradict each other" REMEDY, dp->dir,
			       dp->pin_dir);
	return 0;
}

/* ---- commit -----------------------------------------------------------------------------------*/

int dp_pins_stage(struct dp *dp, struct dp_error *err)
{
	size_t i;
	int rc = 0;

	if (!dp->pin_dir[0])
		return 0;
	for (i = 0; i < DP_MAP_MAX && rc == 0; i++)
		if (dp->set.map[i].unpinned)
			rc = pin(dp, dp->set.map[i].fd, dp_map_name(i));
	if (rc == 0)
		rc = pin(dp, dp->set.program_fd, PROGRAM);
	if (rc)
		return dp_fail_os(err, rc, "cannot pin the packet path in %s", dp->dir);
	return 0;
}

int dp_pins_settle(struct dp *dp, struct dp_error *err)
{
	size_t i;
	int rc;

	if (!dp->pin_dir[0])
		return 0;
	rc = promote_all(dp);
	if (rc)
		return dp_fail_os(err, rc, "cannot rename the pins in %s", dp->dir);
	for (i = 0; i < DP_MAP_MAX; i++)
		dp->set.map[i].unpinned = false;
	return 0;
}
