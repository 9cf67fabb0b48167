/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening, committing, growing and closing the dataplane. */
#include "io/dp.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/syscall.h>

#include "base/own.h"
#include "io/dp_impl.h"
#include "io/dp_kernel.h"
#include "io/dp_trace.h"
#include "shunt_abi.h"

/* libbpf's sink is one for the process and takes no argument. */
static struct {
	void (*fn)(void *arg, bool warning, const char *line);
	void *arg;
} libbpf_sink;

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	char text[1024];
	char *line, *rest = text;

	if (level == LIBBPF_DEBUG || !libbpf_sink.fn)
		return 0;
	vsnprintf(text, sizeof(text), format, args);
	while ((line = strsep(&rest, "\n")))
		if (*line)
			libbpf_sink.fn(libbpf_sink.arg, level == LIBBPF_WARN, line);
	return 0;
}

/* ---- grace period -----------------------------------------------------------------------------
 * The kernel promises that an update of a map in a map returns only when no program runs any more
 * that could have seen the old one (maybe_wait_bpf_programs, since 4.20), on every configuration.
 * membarrier's global command would do on most, but kernels with nohz_full refuse it and with one CPU
 * it does not wait: it is for a daemon that may not update maps any more. */

static int open_grace(struct dp *dp)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);

	dp->grace_inner_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "grace", 4, 4, 1, NULL);
	if (dp->grace_inner_fd < 0)
		return -errno;
	opts.inner_map_fd = (uint32_t)dp->grace_inner_fd;
	dp->grace_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "grace", 4, 4, 1, &opts);
	return dp->grace_fd < 0 ? -errno : 0;
}

void dp_grace(const struct dp *dp)
{
	uint32_t key = 0;

	if (bpf_map_update_elem(dp->grace_fd, &key, &dp->grace_inner_fd, BPF_ANY))
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

/* ---- open and close ---------------------------------------------------------------------------*/

static int adopt_pins(struct dp *dp, struct dp_error *err)
{
	int rc;

	dp_pins_recover(dp);
	if (dp_former_runs(dp))
		return dp_former_open(dp, err);
	rc = dp_pins_open(dp, err);
	if (rc)
		return rc;
	if (dp->former.version && !dp_set_is_whole(&dp->old)) /* without a link: flows and edits */
		return dp_former_open(dp, err);
	dp_former_leave(dp);
	dp_trial_open(dp);
	return 0;
}

static int open_pinned(struct dp *dp, struct dp_error *err)
{
	int rc;

	rc = dp_bpffs_dir(dp->pin_dir, err);
	if (rc)
		return rc;
	dp->lock_fd = dp_lock(dp->pin_dir, err);
	if (dp->lock_fd == -EBUSY)
		return dp_fail(err, -EBUSY,
			       "%s is in use by another shuntd; stop that one, or give this one "
			       "another instance name",
			       dp->pin_dir);
	if (dp->lock_fd < 0)
		return dp->lock_fd;
	rc = dp_former_find(dp, err);
	if (rc == 0)
		rc = dp_bpffs_dir(dp->dir, err);
	if (rc == 0)
		rc = dp_links_open(dp, err);
	if (rc)
		return rc;
	dp_trace_recover(dp);
	return adopt_pins(dp, err);
}

static int open_all(struct dp *dp, const struct dp_options *opt, struct dp_error *err)
{
	int rc = dp_may(err);

	if (rc) /* before libbpf tries and says so in twenty lines */
		return rc;
	rc = libbpf_num_possible_cpus();
	if (rc < 0)
		return dp_fail_os(err, rc, "cannot count the possible CPUs");
	dp->cpus = (uint32_t)rc;
	rc = dp->pin_dir[0] ? open_pinned(dp, err) : 0;
	if (rc)
		return rc;
	rc = open_grace(dp);
	if (rc)
		return dp_fail_os(err, rc, "cannot make a map");
	rc = dp_tick_open(dp);
	if (rc)
		return dp_kernel_fail(rc, err);
	dp->adopted = dp_set_is_whole(&dp->old);
	rc = dp_set_build(dp, &dp->old, &opt->sizes, &dp->set, err);
	if (rc)
		return rc;
	dp->committed = !dp->pin_dir[0];
	return 0;
}

int dp_open(const struct dp_options *opt, struct dp **out, struct dp_error *err)
{
	const char *pin_dir = opt->pin_dir ? opt->pin_dir : "";
	struct dp *dp;
	int rc;

	if (strlen(pin_dir) + 16 > sizeof(dp->dir))
		return dp_fail(err, -ENAMETOOLONG, "the path of the pins is too long");
	dp = calloc(1, sizeof(*dp));
	if (!dp)
		return dp_fail_os(err, -ENOMEM, "cannot set up the dataplane");
	dp->lock_fd = dp->grace_fd = dp->grace_inner_fd = dp->entry_fd = dp->tick_fd = -1;
	dp_set_init(&dp->set);
	dp_set_init(&dp->old);
	dp_set_init(&dp->before);
	dp_set_init(&dp->dry);
	memcpy(dp->hash_key, opt->hash_key, sizeof(dp->hash_key));
	dp->share = opt->share;
	snprintf(dp->pin_dir, sizeof(dp->pin_dir), "%s", pin_dir);
	snprintf(dp->dir, sizeof(dp->dir), "%.200s/v%d", pin_dir, SHUNT_ABI_VERSION);
	libbpf_sink.fn = opt->libbpf_log;
	libbpf_sink.arg = opt->log_arg;
	libbpf_set_print(print_libbpf);

	rc = open_all(dp, opt, err);
	if (rc) {
		dp_close(dp);
		return rc;
	}
	*out = dp;
	return 0;
}

void dp_close(struct dp *dp)
{
	if (!dp)
		return;
	dp_trace_end(dp);
	dp_links_close(dp);
	dp_set_fini(&dp->set);
	dp_set_fini(&dp->old);
	dp_set_fini(&dp->before);
	dp_set_fini(&dp->dry);
	free(dp->old_counts);
	if (dp->grace_fd >= 0)
		close(dp->grace_fd);
	if (dp->grace_inner_fd >= 0)
		close(dp->grace_inner_fd);
	if (dp->tick_fd >= 0)
		close(dp->tick_fd);
	if (dp->lock_fd >= 0)
		close(dp->lock_fd);
	free(dp);
}

bool dp_adopted(const struct dp *dp)
{
	return dp->adopted;
}

const struct dp_sizes *dp_sizes(const struct dp *dp)
{
	return &dp->set.sizes;
}

int dp_program_fd(const struct dp *dp)
{
	return dp->set.program_fd;
}

/* ---- commit and growth ------------------------------------------------------------------------*/

/* Flows are copied last before the swap and again after it, for those that came in between. */
static int swap(struct dp *dp, struct dp_error *err)
{
	int rc;

	rc = dp_copy_flows(&dp->old, &dp->set);
	if (rc)
		return dp_fail_os(err, rc, "cannot copy the flows");
	rc = dp_copy_nat(dp, &dp->old, &dp->set);
	if (rc)
		return dp_fail_os(err, rc, "cannot copy the translated connections");
	dp_links_enter(dp);
	return dp_links_update(dp, err);
}

/* Whether two sets have all maps in common but those of the stages. */
static bool has_same_maps(const struct dp_set *a, const struct dp_set *b)
{
	size_t i;

	for (i = 0; i < DP_MAP_MAX; i++)
		if (i != DP_STAGES && i != DP_HANDOVER && a->map[i].id != b->map[i].id)
			return false;
	return true;
}

/* The program of one set, with its stages, into the other, and the other's here. */
static void exchange_programs(struct dp_set *a, struct dp_set *b)
{
	struct dp_set was = *a;

	a->program_fd = b->program_fd;
	a->program_id = b->program_id;
	a->map[DP_STAGES] = b->map[DP_STAGES];
	a->map[DP_HANDOVER] = b->map[DP_HANDOVER];
	b->program_fd = was.program_fd;
	b->program_id = was.program_id;
	b->map[DP_STAGES] = was.map[DP_STAGES];
	b->map[DP_HANDOVER] = was.map[DP_HANDOVER];
}

/* Whether the program that is given up may be wanted again. */
static bool is_to_keep(const struct dp *dp)
{
	return !dp->kept && dp->old.program_fd >= 0 && has_same_maps(&dp->set, &dp->old);
}

/* So that it survives this daemon; one that an earlier daemon kept is pinned already. */
static void pin_former(struct dp *dp)
{
	if (!is_to_keep(dp) && !dp->kept)
		dp_drop_former(dp);
	else if (is_to_keep(dp) && !dp_has_former(dp))
		dp_trial_pin(dp, &dp->old);
}

/* The set that is given up keeps no program, if that may be wanted again. */
static void keep_program(struct dp *dp)
{
	if (dp->kept || dp->old.program_fd < 0)
		return;
	dp->one_way = !is_to_keep(dp);
	dp->kept = !dp->one_way;
	if (dp->kept && !dp_has_former(dp))
		exchange_programs(&dp->before, &dp->old);
}

int dp_commit(struct dp *dp, struct dp_error *err)
{
	int rc;

	if (dp->committed)
		return 0;
	pin_former(dp);
	rc = dp_pins_stage(dp, err);
	if (rc == 0)
		rc = swap(dp, err);
	if (rc) {
		dp_pins_drop(dp);
		if (!dp_has_former(dp))
			dp_trial_unpin(dp);
		return rc;
	}
	dp_grace(dp);
	dp_settle_counters(dp);
	rc = dp_copy_flows(&dp->old, &dp->set);
	if (rc == 0)
		rc = dp_copy_nat(dp, &dp->old, &dp->set);
	if (rc)
		dp_fail_os(err, rc, "cannot copy the last flows");
	if (rc == 0)
		rc = dp_pins_settle(dp, err);
	if (rc == 0)
		dp_former_leave(dp);
	keep_program(dp);
	dp_set_fini(&dp->old);
	dp->committed = true;
	return rc;
}

int dp_stay(struct dp *dp)
{
	if (dp->committed || dp->old.former || dp->old.program_fd < 0 ||
	    dp_links_program(dp, dp->old.program_id) != dp->old.program_id ||
	    !has_same_maps(&dp->set, &dp->old))
		return -ENOTSUP;
	exchange_programs(&dp->set, &dp->old);
	dp_set_fini(&dp->old);
	dp->committed = dp->stays = true;
	return 0;
}

static int load_anew(struct dp *dp, const struct dp_sizes *sizes, struct dp_error *err)
{
	struct dp_set next;
	int rc;

	if (dp->stays)
		return dp_fail(err, -EBUSY,
			       "this needs a program of this version, which was refused (see shunt "
			       "upgrade); to have it all the same, restart with shuntd "
			       "--accept-changes");
	dp_trace_end(dp);
	rc = dp_commit(dp, err);
	if (rc)
		return rc;
	dp->one_way = dp_has_former(dp);
	dp_drop_former(dp); /* it would not know the new tables */
	dp->kept = true;
	rc = dp_set_build(dp, &dp->set, sizes, &next, err);
	if (rc)
		return rc;
	dp->old = dp->set;
	dp->set = next;
	dp->committed = false;
	rc = dp_commit(dp, err);
	if (rc && !dp->committed) {
		dp_set_fini(&dp->set);
		dp->set = dp->old;
		dp_set_init(&dp->old);
		free(dp->old_counts);
		dp->old_counts = NULL;
		dp->committed = true;
	}
	return rc;
}

int dp_grow(struct dp *dp, const struct dp_sizes *sizes, struct dp_error *err)
{
	return dp_set_has(&dp->set, sizes) ? 0 : load_anew(dp, sizes, err);
}

int dp_reload(struct dp *dp, struct dp_error *err)
{
	const struct dp_sizes sizes = dp->set.sizes;

	return load_anew(dp, &sizes, err);
}

/* ---- the former program -----------------------------------------------------------------------*/

bool dp_has_former(const struct dp *dp)
{
	return dp->before.program_fd >= 0;
}

bool dp_is_one_way(const struct dp *dp)
{
	return dp->one_way;
}

uint32_t dp_program_age_ms(const struct dp *dp, uint64_t *age_ms)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	struct timespec now;
	uint64_t now_ns;

	*age_ms = 0;
	if (bpf_obj_get_info_by_fd(dp->set.program_fd, &info, &len))
		return 0;
	clock_gettime(CLOCK_BOOTTIME, &now); /* what the kernel writes load_time by */
	now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	if (now_ns > info.load_time)
		*age_ms = (now_ns - info.load_time) / 1000000;
	return info.id;
}

void dp_drop_former(struct dp *dp)
{
	dp_trial_unpin(dp);
	dp_set_fini(&dp->before);
}

/* The same steps as those of a commit, so that a kill leaves one of the two in force. */
int dp_put_back(struct dp *dp, struct dp_error *err)
{
	int rc;

	if (!dp_has_former(dp) || !dp->committed)
		return dp_fail(err, -ENOENT, "there is no former program any more");
	dp_trace_end(dp);
	exchange_programs(&dp->set, &dp->before);
	dp->set.map[DP_STAGES].unpinned = dp->set.map[DP_HANDOVER].unpinned = true;
	rc = dp_pins_stage(dp, err);
	if (rc == 0)
		rc = dp_links_update(dp, err);
	if (rc) {
		dp_pins_drop(dp);
		exchange_programs(&dp->set, &dp->before);
		return rc;
	}
	dp_grace(dp);
	dp->stays = true;
	rc = dp_pins_settle(dp, err);
	dp_drop_former(dp);
	return rc;
}

/* ---- removal ----------------------------------------------------------------------------------*/

static void remove_version(void *arg, const char *name)
{
	char path[DP_PATH_MAX + 256];

	snprintf(path, sizeof(path), "%s/%s", (const char *)arg, name);
	dp_dir_remove(path);
}

int dp_remove(const char *pin_dir, struct dp_error *err)
{
	auto_close int lock = -1;
	char parent[DP_PATH_MAX];
	char *slash;

	if (access(pin_dir, F_OK))
		return errno == ENOENT ? 0 : dp_fail_os(err, -errno, "cannot look for %s", pin_dir);
	if (!dp_is_bpffs(pin_dir))
		return dp_fail(err, -EINVAL, "%s is not on a bpf filesystem", pin_dir);
	lock = dp_lock(pin_dir, err);
	if (lock < 0)
		return lock;
	dp_dir_each(pin_dir, remove_version, (void *)pin_dir);
	if (rmdir(pin_dir))
		return dp_fail_os(err, -errno, "cannot remove %s", pin_dir);
	snprintf(parent, sizeof(parent), "%s", pin_dir);
	slash = strrchr(parent, '/');
	if (slash && slash != parent) {
		*slash = '\0';
		rmdir(parent); /* the last instance removes .../shunt; others may be there */
	}
	return 0;
}
