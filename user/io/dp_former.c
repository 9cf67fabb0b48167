/* SPDX-License-Identifier: BSD-2-Clause */
/* Pins of an earlier version of the tables, in <pin_dir>/v<n>. What its program forwards by stays as it
 * is until the links run ours: what is laid out differently is converted into maps of our own, and all
 * that a packet finds its way by is copied, since we change it before the links are given the new
 * program; the rest, such as translated connections, both programs share. Afterwards the links' pins
 * move over and the former ones go.
 *
 * A kill in between: while no link runs ours (dp_pins_recover decides) the former version is adopted
 * anew; later its pins are cleared away by the next daemon.
 *
 * For a version to come: freeze today's layouts in a header as dp_v1.h is, and put a step in front of
 * steps[] that makes of the maps of its version those of the next. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/own.h"
#include "io/dp_impl.h"
#include "io/dp_v1.h"
#include "shunt_abi.h"

_Static_assert(sizeof(struct v1_service4) == sizeof(struct shunt_service4) &&
		       sizeof(struct v1_service6) == sizeof(struct shunt_service6),
	       "dp_map_check() is for both versions");

/* ---- version 1 --------------------------------------------------------------------------------*/

static struct shunt_service service_of_v1(const struct v1_service *s)
{
	return (struct shunt_service){
		.slots_at = s->slots_at,
		.row = s->row,
		.salt = s->salt,
		.slot_mask = (uint16_t)s->slot_mask,
		.backends = s->backends,
		.flags = s->flags,
		.flow_timeout = s->flow_timeout,
		.policy = s->policy,
		.scheduler = s->scheduler,
	};
}

static uint64_t flow_of_v1(uint64_t word)
{
	return word & ~V1_FLOW_TAG_LAST;
}

/* In place of @map, which goes on to be the former program's, a new one of as many elements. */
static int replace(struct dp_set *set, enum dp_map_id i, uint32_t value_size, uint32_t entries)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	auto_close int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, dp_map_name(i), sizeof(uint32_t),
					   value_size, entries, &opts);
	int rc;

	if (fd < 0)
		return -errno;
	if (set->map[i].mem)
		munmap(set->map[i].mem, (size_t)entries * value_size);
	if (set->map[i].fd >= 0)
		close(set->map[i].fd);
	set->map[i] = (struct dp_map){.fd = take_fd(&fd), .unpinned = true};
	rc = dp_map_check(i, set->map[i].fd, dp_map_name(i), &set->map[i], NULL);
	return rc ? rc : dp_map_mem(set, i);
}

static void copy_services4(const struct v1_service4 *from, struct shunt_service4 *to, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		to[i].key = from[i].key;
		to[i].svc = service_of_v1(&from[i].svc);
	}
}

static void copy_services6(const struct v1_service6 *from, struct shunt_service6 *to, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		memcpy(to[i].addr, from[i].addr, sizeof(to[i].addr));
		to[i].port_proto = from[i].port_proto;
		to[i].svc = service_of_v1(&from[i].svc);
	}
}

static int convert_services(struct dp_set *set, enum dp_map_id i, uint32_t value_size)
{
	uint32_t n = set->map[i].entries;
	size_t len = (size_t)n * value_size;
	void *from;
	int rc;

	if (set->map[i].fd < 0)
		return 0;
	from = mmap(NULL, len, PROT_READ, MAP_SHARED, set->map[i].fd, 0);
	if (from == MAP_FAILED)
		return -errno;
	rc = replace(set, i, value_size, n);
	if (rc == 0 && i == DP_SERVICES4)
		copy_services4(from, set->map[i].mem, n);
	else if (rc == 0)
		copy_services6(from, set->map[i].mem, n);
	munmap(from, len);
	return rc;
}

static int from_v1(struct dp_set *set)
{
	int rc = convert_services(set, DP_SERVICES4, sizeof(struct shunt_service4));

	if (rc == 0)
		rc = convert_services(set, DP_SERVICES6, sizeof(struct shunt_service6));
	if (rc == 0 && set->map[DP_SLOTS].fd >= 0)
		rc = replace(set, DP_BASES, sizeof(struct shunt_base_line),
			     set->map[DP_SLOTS].entries);
	set->flow_word = flow_of_v1;
	return rc;
}

/* steps[n] makes of a set of version n one of version n + 1. */
static int (*const steps[SHUNT_ABI_VERSION])(struct dp_set *set) = {[1] = from_v1};

/* ---- finding ----------------------------------------------------------------------------------*/

static const char *version_dir(const struct dp *dp, unsigned int version,
			       char out[static DP_PATH_MAX])
{
	snprintf(out, DP_PATH_MAX, "%.200s/v%u", dp->pin_dir, version);
	return out;
}

static const char *path_in(const struct dp *dp, const char *prefix, const char *name,
			   char out[static DP_PATH_MAX + 64])
{
	snprintf(out, DP_PATH_MAX + 64, "%s/%s%s", dp->former.dir, prefix, name);
	return out;
}

static void note_pin(void *arg, const char *name)
{
	(void)name;
	*(bool *)arg = true;
}

struct versions {
	const struct dp *dp;
	unsigned int former, newer;
};

static void note_version(void *arg, const char *name)
{
	struct versions *v = arg;
	char dir[DP_PATH_MAX];
	bool has_pins = false;
	unsigned int version;
	char end;

	if (sscanf(name, "v%u%c", &version, &end) != 1 || version == SHUNT_ABI_VERSION)
		return;
	dp_dir_each(version_dir(v->dp, version, dir), note_pin, &has_pins);
	if (has_pins && version > SHUNT_ABI_VERSION)
		v->newer = version;
	else if (has_pins && version > v->former)
		v->former = version;
}

int dp_former_find(struct dp *dp, struct dp_error *err)
{
	struct versions v = {.dp = dp};
	char dir[DP_PATH_MAX];
	int rc = dp_dir_each(dp->pin_dir, note_version, &v);

	if (rc)
		return dp_fail_os(err, rc, "cannot read %s", dp->pin_dir);
	if (v.newer)
		return dp_fail(err, -EINVAL,
			       "%s is what a newer shuntd has left (its tables have version %u, "
			       "this one knows up to %u): start that one, or end it with shuntd "
			       "--remove, with which forwarding stops",
			       version_dir(dp, v.newer, dir), v.newer, SHUNT_ABI_VERSION);
	dp->former.version = v.former;
	if (v.former)
		version_dir(dp, v.former, dp->former.dir);
	return 0;
}

/* ---- adoption ---------------------------------------------------------------------------------*/

/* The program that the links run, if it is one of the former version's; "new-" or "" in @prefix: a
 * commit of its own may have been cut short. -1: they run another. */
static int program_of(const struct dp *dp, const char **prefix)
{
	static const char *const prefixes[] = {"new-", ""};
	char path[DP_PATH_MAX + 64];
	size_t i;

	for (i = 0; i < 2; i++) {
		auto_close int fd =
			dp_pin_get(path_in(dp, prefixes[i], "program", path), DP_KIND_PROGRAM);
		uint32_t id = dp_program_id(fd);

		*prefix = prefixes[i];
		if (id && dp_links_program(dp, id) == id)
			return take_fd(&fd);
	}
	return -1;
}

bool dp_former_runs(const struct dp *dp)
{
	const char *prefix;
	auto_close int fd = dp->former.version ? program_of(dp, &prefix) : -1;

	return fd >= 0;
}

static int open_map(struct dp *dp, enum dp_map_id i, const char *prefix, struct dp_error *err)
{
	struct dp_map *map = &dp->old.map[i];
	char path[DP_PATH_MAX + 64];
	int fd = dp_pin_get(path_in(dp, prefix, dp_map_name(i), path), DP_KIND_MAP);

	if (fd == -ENOENT && prefix[0]) /* not new in the commit that was cut short */
		fd = dp_pin_get(path_in(dp, "", dp_map_name(i), path), DP_KIND_MAP);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return dp_fail_os(err, fd, "cannot open the pin %s", path);
	map->fd = fd;
	map->unpinned = true; /* in our folder */
	return dp_map_check(i, fd, path, map, err);
}

static int convert(struct dp *dp, struct dp_error *err)
{
	unsigned int version;
	int rc = 0;

	for (version = dp->former.version; version < SHUNT_ABI_VERSION && rc == 0; version++)
		rc = steps[version] ? steps[version](&dp->old) : -EINVAL;
	if (rc == 0 && dp_set_is_whole(&dp->old))
		rc = dp_set_measure(dp, &dp->old);
	else if (rc == 0)
		rc = -EINVAL;
	if (rc == -EINVAL)
		return dp_fail(err, rc,
			       "the tables in %s are not whole: start the shuntd that made them, "
			       "or remove %s to start anew (forwarding stops until shuntd has "
			       "started)",
			       dp->former.dir, dp->pin_dir);
	return rc ? dp_fail_os(err, rc, "cannot convert the tables in %s", dp->former.dir) : 0;
}

int dp_former_open(struct dp *dp, struct dp_error *err)
{
	const char *prefix = "";
	enum dp_map_id i;
	int rc = 0;

	dp->old.program_fd = program_of(dp, &prefix);
	dp->old.program_id = dp_program_id(dp->old.program_fd);
	for (i = 0; i < DP_MAP_MAX && rc == 0; i++)
		if (i != DP_STAGES && i != DP_HANDOVER)
			rc = open_map(dp, i, prefix, err);
	dp->old.former = true;
	return rc ? rc : convert(dp, err);
}

void dp_former_leave(struct dp *dp)
{
	if (!dp->former.version)
		return;
	if (dp_links_move(dp)) /* removing a folder detaches the links in it */
		return;
	dp_dir_remove(dp->former.dir);
	dp->former.version = 0;
}
