/* SPDX-License-Identifier: BSD-2-Clause */
/* The former program while it may be put back, pinned beside the one in force, so that a daemon that starts
 * within that time can still do so:
 *   former-stages, former-handover   the maps that are its own
 *   former-trial                     until when, what had been counted, and which tables it works on
 *   former-program                   the last to come and the first to go: with it, all are there
 * Pinned before the links are given the next program, when it is still the one that runs: what names the
 * running program is left of a commit, or of a way back, that was cut short, and means nothing. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mono.h"
#include "base/own.h"
#include "io/dp_impl.h"

#define PROGRAM "program"
#define TRIAL "trial"

struct record {
	struct dp_trial trial;
	uint32_t ids[DP_MAP_MAX]; /* of the tables; 0: it has none */
};

static const char *pin_path(const struct dp *dp, const char *name,
			    char out[static DP_PATH_MAX + 64])
{
	snprintf(out, DP_PATH_MAX + 64, "%s/former-%s", dp->dir, name);
	return out;
}

static bool is_own(size_t i)
{
	return i == DP_STAGES || i == DP_HANDOVER;
}

static struct record record_of(const struct dp *dp, const struct dp_set *set)
{
	struct record r = {.trial = dp->trial};
	size_t i;

	for (i = 0; i < DP_MAP_MAX; i++)
		r.ids[i] = is_own(i) || set->map[i].fd < 0 ? 0 : set->map[i].id;
	return r;
}

static bool is_same_program(int a, int b)
{
	struct bpf_prog_info info[2] = {0};
	uint32_t len[2] = {sizeof(info[0]), sizeof(info[1])};

	return bpf_obj_get_info_by_fd(a, &info[0], &len[0]) == 0 &&
	       bpf_obj_get_info_by_fd(b, &info[1], &len[1]) == 0 &&
	       memcmp(info[0].tag, info[1].tag, sizeof(info[0].tag)) == 0;
}

/* ---- pins -------------------------------------------------------------------------------------*/

void dp_trial_unpin(const struct dp *dp)
{
	static const enum dp_map_id own[] = {DP_STAGES, DP_HANDOVER};
	char path[DP_PATH_MAX + 64];
	size_t i;

	if (!dp->pin_dir[0])
		return;
	unlink(pin_path(dp, PROGRAM, path));
	unlink(pin_path(dp, TRIAL, path));
	for (i = 0; i < 2; i++)
		unlink(pin_path(dp, dp_map_name(own[i]), path));
}

static int pin_record(const struct dp *dp, const struct record *r)
{
	auto_close int fd =
		bpf_map_create(BPF_MAP_TYPE_ARRAY, "trial", sizeof(uint32_t), sizeof(*r), 1, NULL);
	char path[DP_PATH_MAX + 64];
	const uint32_t first = 0;

	if (fd < 0)
		return -errno;
	if (bpf_map_update_elem(fd, &first, r, BPF_ANY))
		return -errno;
	return dp_pin_set(fd, pin_path(dp, TRIAL, path));
}

static int pin_own(const struct dp *dp, const struct dp_set *set, enum dp_map_id i)
{
	char path[DP_PATH_MAX + 64];

	return set->map[i].fd < 0 ? 0
				  : dp_pin_set(set->map[i].fd, pin_path(dp, dp_map_name(i), path));
}

void dp_trial_pin(struct dp *dp, const struct dp_set *former)
{
	const struct record r = record_of(dp, former);
	char path[DP_PATH_MAX + 64];
	int rc;

	if (!dp->pin_dir[0] || !dp->trial.until_us)
		return;
	dp_trial_unpin(dp);
	rc = pin_record(dp, &r);
	if (rc == 0)
		rc = pin_own(dp, former, DP_STAGES);
	if (rc == 0)
		rc = pin_own(dp, former, DP_HANDOVER);
	if (rc == 0)
		rc = dp_pin_set(former->program_fd, pin_path(dp, PROGRAM, path));
	if (rc)
		dp_trial_unpin(dp);
}

/* ---- a daemon that starts ---------------------------------------------------------------------*/

static int read_record(const struct dp *dp, struct record *r)
{
	char path[DP_PATH_MAX + 64];
	auto_close int fd = dp_pin_get(pin_path(dp, TRIAL, path), DP_KIND_MAP);
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	const uint32_t first = 0;

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) || info.value_size != sizeof(*r) ||
	    info.key_size != sizeof(first) || bpf_map_lookup_elem(fd, &first, r))
		return -EINVAL;
	return 0;
}

/* Of the tables that are in force, and not over. */
static bool is_good(const struct dp *dp, const struct record *r)
{
	const struct record now = record_of(dp, &dp->old);

	return memcmp(r->ids, now.ids, sizeof(now.ids)) == 0 && r->trial.until_us > mono_now().us;
}

static int open_own(struct dp *dp, enum dp_map_id i)
{
	char path[DP_PATH_MAX + 64];
	struct dp_map *map = &dp->before.map[i];

	map->fd = dp_pin_get(pin_path(dp, dp_map_name(i), path), DP_KIND_MAP);
	return map->fd < 0 ? map->fd : dp_map_check(i, map->fd, path, map, NULL);
}

static int open_former(struct dp *dp)
{
	struct record r;
	char path[DP_PATH_MAX + 64];
	int rc;

	dp->before.program_fd = dp_pin_get(pin_path(dp, PROGRAM, path), DP_KIND_PROGRAM);
	dp->before.program_id = dp_program_id(dp->before.program_fd);
	if (!dp->before.program_id || dp->before.program_id == dp->old.program_id ||
	    dp_links_program(dp, dp->before.program_id) == dp->before.program_id)
		return -ENOENT;
	rc = read_record(dp, &r);
	if (rc == 0 && !is_good(dp, &r))
		rc = -ESTALE;
	if (rc == 0)
		rc = open_own(dp, DP_STAGES);
	if (rc == 0)
		rc = open_own(dp, DP_HANDOVER);
	if (rc == 0)
		dp->trial = r.trial;
	return rc;
}

void dp_trial_open(struct dp *dp)
{
	if (open_former(dp) == 0) {
		dp->resumed = true;
		return;
	}
	dp_set_fini(&dp->before);
	dp_trial_unpin(dp);
}

/* ---- the engine's -----------------------------------------------------------------------------*/

void dp_trial_begin(struct dp *dp, const struct dp_trial *trial)
{
	if (dp->resumed && is_same_program(dp->set.program_fd, dp->old.program_fd))
		return;
	dp->trial = *trial;
	if (!dp->resumed)
		return;
	dp->resumed = false; /* another program, which the one before all of them may follow */
	dp_trial_note(dp, trial);
}

bool dp_trial_resumed(const struct dp *dp, struct dp_trial *trial)
{
	if (!dp->resumed || !dp_has_former(dp))
		return false;
	*trial = dp->trial;
	return true;
}

void dp_trial_note(struct dp *dp, const struct dp_trial *trial)
{
	char path[DP_PATH_MAX + 64];
	auto_close int fd = -1;
	const uint32_t first = 0;
	struct record r;

	dp->trial = *trial;
	if (!dp->pin_dir[0] || !dp_has_former(dp) || read_record(dp, &r))
		return;
	r.trial = *trial;
	fd = dp_pin_get(pin_path(dp, TRIAL, path), DP_KIND_MAP);
	if (fd >= 0)
		bpf_map_update_elem(fd, &first, &r, BPF_ANY);
}
