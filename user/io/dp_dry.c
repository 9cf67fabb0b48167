/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/dp_dry.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "io/dp_impl.h"
#include "io/dp_kernel.h"
#include "io/dp_stage.h"
#include "shunt.skel.h"

/* ---- the twin ---------------------------------------------------------------------------------*/

/* Elements of the maps that the twin has for itself; 0: it shares the one in force. */
static uint32_t own_entries(const struct dp *dp, enum dp_map_id i)
{
	switch (i) {
	case DP_COUNTERS:
		return dp->set.map[DP_BACKENDS].entries;
	case DP_VERDICTS:
	case DP_ANSWERS:
	case DP_HANDOVER:
		return dp->cpus;
	case DP_NEWS:
		return 1;
	case DP_STAGES:
		return SHUNT_STAGE_MAX;
	default:
		return 0;
	}
}

/* Programs are loaded one by one, each from an object of its own: most packets are done with in the first,
 * and the kernel takes 60 to 150 ms to look at all of them. In the place of a stage that is not there yet
 * stands a program that says so. */
#define MISSING 0x100u /* and the stage: what it returns */

/* All maps, and of the programs that one alone. */
static int choose(const struct dp *dp, struct shunt_bpf *skel, const char *name)
{
	struct bpf_program *program;
	struct bpf_map *map;
	uint32_t own;
	size_t i;
	int fd, rc = 0;

	for (i = 0; i < DP_MAP_MAX && rc == 0; i++) {
		own = own_entries(dp, i);
		fd = own ? dp->dry.map[i].fd : dp->set.map[i].fd;
		map = bpf_object__find_map_by_name(skel->obj, dp_map_name(i));
		rc = !map	     ? -ENOENT
		     : own && fd < 0 ? bpf_map__set_max_entries(map, own)
				     : bpf_map__reuse_fd(map, fd);
	}
	bpf_object__for_each_program(program, skel->obj)
		bpf_program__set_autoload(program, strcmp(bpf_program__name(program), name) == 0);
	return rc;
}

static void settle(const struct dp *dp, struct shunt_settings *settings)
{
	uint32_t entries[DP_MAP_MAX];
	size_t i;

	for (i = 0; i < DP_MAP_MAX; i++)
		entries[i] = dp->set.map[i].entries;
	dp_settings_fill(dp, entries, settings);
	settings->rows = 0;
	settings->news = 0;
	settings->passive = 0; /* which only counts */
	settings->dry = 1;
}

/* An object with program @name loaded, to be destroyed by the caller, into *out. */
static int load(const struct dp *dp, const char *name, struct shunt_bpf **out, struct dp_error *err)
{
	struct shunt_bpf *skel = shunt_bpf__open();
	int rc;

	if (!skel)
		return dp_fail_os(err, -errno, "cannot read the packet path's program");
	settle(dp, (struct shunt_settings *)&skel->rodata->settings);
	rc = choose(dp, skel, name);
	if (rc == 0)
		rc = shunt_bpf__load(skel);
	if (rc == 0) {
		*out = skel;
		return 0;
	}
	shunt_bpf__destroy(skel);
	return dp_kernel_fail(rc, err);
}

/* Keeps what is the twin's own. */
static int take(const struct dp *dp, const struct shunt_bpf *skel, struct dp_set *out)
{
	static const enum dp_map_id read[] = {DP_COUNTERS, DP_VERDICTS, DP_ANSWERS, DP_NEWS};
	size_t i;
	int fd, rc = 0;

	for (i = 0; i < DP_MAP_MAX; i++) {
		out->map[i].id = dp->set.map[i].id;
		if (!own_entries(dp, i))
			continue;
		fd = bpf_object__find_map_fd_by_name(skel->obj, dp_map_name(i));
		out->map[i].fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		out->map[i].entries = own_entries(dp, i);
		if (out->map[i].fd < 0)
			return -errno;
	}
	for (i = 0; i < sizeof(read) / sizeof(read[0]) && rc == 0; i++)
		rc = dp_map_mem(out, read[i]);
	out->program_fd = fcntl(bpf_program__fd(skel->progs.shunt_xdp), F_DUPFD_CLOEXEC, 0);
	return rc == 0 && out->program_fd < 0 ? -errno : rc;
}

static int put_stage(const struct dp *dp, uint32_t stage, int program_fd)
{
	const int stages_fd = dp->dry.map[DP_STAGES].fd;

	return bpf_map_update_elem(stages_fd, &stage, &program_fd, BPF_ANY) ? -errno : 0;
}

static int put_missing(struct dp *dp, uint32_t stage)
{
	const struct bpf_insn says[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = (int32_t)(MISSING + stage)},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_XDP);
	auto_close int fd =
		bpf_prog_load(BPF_PROG_TYPE_XDP, "shunt_missing", "GPL", says, 2, &opts);

	dp->dry_missing |= 1u << stage;
	return fd < 0 ? -errno : put_stage(dp, stage, fd);
}

static int load_main(struct dp *dp, struct dp_error *err)
{
	struct shunt_bpf *skel;
	uint32_t stage;
	int rc;

	dp_dry_drop(dp);
	rc = load(dp, "shunt_xdp", &skel, err);
	if (rc)
		return rc;
	rc = take(dp, skel, &dp->dry);
	for (stage = 0; stage < SHUNT_STAGE_MAX && rc == 0; stage++)
		if (dp_stage_is_wanted((const void *)&skel->rodata->settings, stage))
			rc = put_missing(dp, stage);
	shunt_bpf__destroy(skel);
	if (rc == 0)
		return 0;
	dp_dry_drop(dp);
	return dp_kernel_fail(rc, err);
}

static int load_stage(struct dp *dp, uint32_t stage, struct dp_error *err)
{
	const char *name = dp_stage_program(stage);
	struct shunt_bpf *skel;
	int rc = load(dp, name, &skel, err);

	if (rc)
		return rc;
	rc = put_stage(dp, stage,
		       bpf_program__fd(bpf_object__find_program_by_name(skel->obj, name)));
	if (rc)
		rc = dp_kernel_fail(rc, err);
	else
		dp->dry_missing &= ~(1u << stage);
	shunt_bpf__destroy(skel);
	return rc;
}

bool dp_dry_is_loaded(const struct dp *dp)
{
	size_t i;

	if (dp->dry.program_fd < 0)
		return false;
	for (i = 0; i < DP_MAP_MAX; i++)
		if (i != DP_STAGES && i != DP_HANDOVER && dp->dry.map[i].id != dp->set.map[i].id)
			return false;
	return true;
}

void dp_dry_drop(struct dp *dp)
{
	dp_set_fini(&dp->dry);
	dp->dry_missing = 0;
}

int dp_dry_prepare(struct dp *dp, struct dp_error *err)
{
	uint32_t stage = 0;
	int rc = 0;

	if (!dp_dry_is_loaded(dp)) {
		rc = load_main(dp, err);
	} else if (dp->dry_missing) {
		while (!(dp->dry_missing >> stage & 1))
			stage++;
		rc = load_stage(dp, stage, err);
	}
	return rc ? rc : dp->dry_missing != 0;
}

/* ---- a run ------------------------------------------------------------------------------------*/

static uint32_t cpu_here(const struct dp *dp)
{
	int cpu = sched_getcpu();

	return cpu >= 0 && (uint32_t)cpu < dp->cpus ? (uint32_t)cpu : 0;
}

/* What the twin has for itself as it would find it, and nothing counted. */
static void set_up(struct dp *dp, const struct dp_dry *d)
{
	const struct shunt_counter *live = dp->set.map[DP_COUNTERS].mem;
	struct shunt_counter *own = dp->dry.map[DP_COUNTERS].mem;
	const uint32_t cpu = cpu_here(dp), rows = dp->set.sizes.rows;

	memset(own, 0, (size_t)rows * sizeof(*own));
	memset(dp->dry.map[DP_VERDICTS].mem, 0, dp->cpus * sizeof(struct shunt_verdict_line));
	memcpy(dp->dry.map[DP_ANSWERS].mem, dp->set.map[DP_ANSWERS].mem,
	       dp->cpus * sizeof(struct shunt_answer));
	memset(dp->dry.map[DP_NEWS].mem, 0, 4096);
	if (d->own_row && d->own_row < rows)
		own[d->own_row].cursor = live[(size_t)cpu * rows + d->own_row].cursor;
}

static enum shunt_verdict forwarded(const struct dp *dp, uint32_t row)
{
	static const enum shunt_verdict by[SHUNT_FORWARD_MAX] = {
		[SHUNT_DSR] = SHUNT_FORWARD_DSR,     [SHUNT_IPIP] = SHUNT_FORWARD_IPIP,
		[SHUNT_LOCAL] = SHUNT_FORWARD_LOCAL, [SHUNT_NAT] = SHUNT_FORWARD_NAT,
		[SHUNT_MASQ] = SHUNT_FORWARD_MASQ,   [SHUNT_GUE] = SHUNT_FORWARD_GUE,
		[SHUNT_GRE] = SHUNT_FORWARD_GRE,
	};
	uint8_t method = dp_backends(dp)[row].method;

	return method < SHUNT_FORWARD_MAX ? by[method] : SHUNT_GO_ON;
}

static void read_counts(const struct dp *dp, struct dp_dry *d)
{
	const struct shunt_counter *own = dp->dry.map[DP_COUNTERS].mem;
	const struct shunt_verdict_line *lines = dp->dry.map[DP_VERDICTS].mem;
	uint32_t row, cpu, v;

	for (row = 0; row < dp->set.sizes.rows; row++)
		if (own[row].packets || own[row].flows)
			d->row = row;
	for (cpu = 0; cpu < dp->cpus; cpu++) {
		for (v = 1; v < SHUNT_VERDICT_MAX; v++)
			if (lines[cpu].packets[v])
				d->verdict = v;
		d->looked |= lines[cpu].packets[SHUNT_COUNT_LOOKUPS] != 0;
		d->remembers |= lines[cpu].packets[SHUNT_COUNT_REMEMBERED] != 0;
		d->no_room |= lines[cpu].packets[SHUNT_COUNT_NO_ROOM] != 0;
	}
	if (d->row && !d->verdict)
		d->verdict = forwarded(dp, d->row);
	/* SHUNT_NAT_DRY's record: behind the word and what fills its line. */
	d->opens = ((const struct shunt_nat_conn *)dp->dry.map[DP_NEWS].mem)[1].until != 0;
}

/* Interfaces that the kernel does not take packets of in a test run are done without. */
static int run(const struct dp *dp, struct dp_dry *d)
{
	struct xdp_md where = {.data_end = d->len, .ingress_ifindex = d->ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = d->frame, .data_size_in = d->len,
		    .data_out = d->out, .data_size_out = sizeof(d->out), .repeat = 1,
		    .ctx_in = d->ifindex ? &where : NULL,
		    .ctx_size_in = d->ifindex ? sizeof(where) : 0);
	int rc = bpf_prog_test_run_opts(dp->dry.program_fd, &opts) ? -errno : 0;

	if (rc && d->ifindex) {
		d->ifindex = 0;
		return run(dp, d);
	}
	d->action = opts.retval;
	d->out_len = opts.data_size_out;
	return rc;
}

int dp_dry_run(struct dp *dp, struct dp_dry *d, struct dp_error *err)
{
	int rc;

	if (d->len < 14 || d->len > DP_DRY_FRAME_MAX)
		return dp_fail(err, -EINVAL, "a frame of %u bytes cannot be asked about", d->len);
	rc = dp_dry_is_loaded(dp) ? 0 : load_main(dp, err);
	for (; rc == 0; rc = load_stage(dp, d->action - MISSING, err)) {
		set_up(dp, d);
		rc = run(dp, d);
		if (rc)
			return dp_fail_os(err, rc, "cannot run the packet through the packet path");
		if (d->action < MISSING || d->action >= MISSING + SHUNT_STAGE_MAX)
			break;
	}
	if (rc)
		return rc;
	read_counts(dp, d);
	return 0;
}
