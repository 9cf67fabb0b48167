/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/dp_trace.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "io/dp_impl.h"
#include "io/dp_kernel.h"
#include "io/dp_stage.h"
#include "traced.skel.h"

#define JUMPS "trace-jumps"
#define STAGES "trace-stages"
#define NAME "shunt_trace"

struct dp_trace_state {
	int entry_fd, jumps_fd, stages_fd, ring_fd, only_fd; /* -1: none */
	struct shunt_trace_only only;
	uint32_t program_id; /* of the packet path that it stands in front of */
	struct ring_buffer *ring;
	void (*fn)(void *arg, const struct shunt_traced *t);
	void *arg;
	size_t left; /* to be read in this turn */
};

/* ---- the program in front ---------------------------------------------------------------------*/

#define TAIL 16 /* instructions behind the filter, at most */

struct code {
	struct bpf_insn insn[CBPF_OUT_MAX + TAIL];
	int n;
};

static void emit(struct code *c, uint8_t code, int dst, int src, int off, int32_t imm)
{
	c->insn[c->n++] = (struct bpf_insn){.code = code,
					    .dst_reg = (uint8_t)(dst & 15),
					    .src_reg = (uint8_t)(src & 15),
					    .off = (int16_t)off,
					    .imm = imm};
}

#define GO_ON 6 /* instructions of one go_on() */

/* In program number @i of @jumps_fd; falls through where there is none. */
static void go_on(struct code *c, int jumps_fd, int i)
{
	emit(c, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_6, 0, 0);
	emit(c, BPF_LD | BPF_IMM | BPF_DW, BPF_REG_2, BPF_PSEUDO_MAP_FD, 0, jumps_fd);
	emit(c, 0, 0, 0, 0, 0);
	emit(c, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, i);
	emit(c, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_tail_call);
	emit(c, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, XDP_PASS);
}

#define DICE 3

/* Behind the filter: the dice, if there are any, and both ways. */
static void finish(struct code *c, const struct dp_trace_ask *ask, int jumps_fd)
{
	if (ask->one_of > 1) {
		emit(c, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_prandom_u32);
		emit(c, BPF_ALU | BPF_MOD | BPF_K, BPF_REG_0, 0, 0, (int32_t)ask->one_of);
		emit(c, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_0, 0, GO_ON, 0);
	}
	go_on(c, jumps_fd, 0);
	go_on(c, jumps_fd, 1);
	emit(c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static int make(struct code *c, const struct dp_trace_ask *ask, int jumps_fd, struct dp_error *err)
{
	const int no = GO_ON + (ask->one_of > 1 ? DICE : 0);
	const char *wrong = NULL;
	int n;

	emit(c, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_1, 0, 0);
	emit(c, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_7, BPF_REG_6, offsetof(struct xdp_md, data), 0);
	emit(c, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_8, BPF_REG_6, offsetof(struct xdp_md, data_end),
	     0);
	if (ask->n) {
		n = cbpf_translate(ask->filter, ask->n, no, c->insn + c->n, &wrong);
		if (n < 0)
			return dp_fail(err, n, "the expression's program cannot be used: %s",
				       wrong);
		c->n += n;
	}
	finish(c, ask, jumps_fd);
	return 0;
}

int dp_trace_filter(const struct dp_trace_ask *ask, int jumps_fd, bool shared, struct dp_error *err)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = shared ? 0 : BPF_XDP);
	auto_free struct code *c = calloc(1, sizeof(*c));
	int fd, rc;

	if (!c)
		return -ENOMEM;
	rc = make(c, ask, jumps_fd, err);
	if (rc)
		return rc;
	fd = bpf_prog_load(BPF_PROG_TYPE_XDP, NAME, "GPL", c->insn, (size_t)c->n, &opts);
	if (fd < 0)
		return dp_fail_os(err, -errno, "the kernel does not take the expression's program");
	return fd;
}

/* ---- the twin ---------------------------------------------------------------------------------*/

static int prepare(const struct dp *dp, struct traced_bpf *skel)
{
	struct shunt_settings *settings = (struct shunt_settings *)&skel->rodata->settings;
	uint32_t entries[DP_MAP_MAX];
	struct bpf_program *program;
	struct bpf_map *map;
	size_t i;
	int rc = bpf_map__set_max_entries(skel->maps.trace_heads, dp->cpus);

	for (i = 0; i < DP_MAP_MAX && rc == 0; i++) {
		entries[i] = dp->set.map[i].entries;
		map = bpf_object__find_map_by_name(skel->obj, dp_map_name(i));
		if (!map)
			return -ENOENT;
		if (i == DP_HANDOVER)
			rc = bpf_map__set_max_entries(map, dp->cpus);
		else if (i != DP_STAGES)
			rc = bpf_map__reuse_fd(map, dp->set.map[i].fd);
	}
	dp_settings_fill(dp, entries, settings);
	dp_stages_choose(skel->obj, settings);
	if (dp->set.shared)
		bpf_object__for_each_program(program, skel->obj)
			bpf_program__set_expected_attach_type(program, 0);
	return rc;
}

static int put(int map_fd, uint32_t i, int program_fd)
{
	return bpf_map_update_elem(map_fd, &i, &program_fd, BPF_ANY) ? -errno : 0;
}

static int take(const struct dp *dp, const struct traced_bpf *skel, struct dp_trace_state *t)
{
	int rc;

	t->stages_fd = fcntl(bpf_map__fd(skel->maps.stages), F_DUPFD_CLOEXEC, 0);
	t->ring_fd = fcntl(bpf_map__fd(skel->maps.trace_ring), F_DUPFD_CLOEXEC, 0);
	t->jumps_fd = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "trace_jumps", 4, 4, 2, NULL);
	t->only_fd = fcntl(bpf_map__fd(skel->maps.trace_only), F_DUPFD_CLOEXEC, 0);
	if (t->stages_fd < 0 || t->ring_fd < 0 || t->jumps_fd < 0 || t->only_fd < 0)
		return -errno;
	rc = put(t->jumps_fd, 1, dp->set.program_fd);
	return rc ? rc : put(t->jumps_fd, 0, bpf_program__fd(skel->progs.shunt_xdp));
}

static int load(const struct dp *dp, struct dp_trace_state *t, struct dp_error *err)
{
	struct traced_bpf *skel = traced_bpf__open();
	int rc;

	if (!skel)
		return dp_fail_os(err, -errno, "cannot read the packet path's program");
	rc = prepare(dp, skel);
	if (rc == 0)
		rc = traced_bpf__load(skel);
	if (rc == 0)
		rc = dp_stages_fill(skel->obj);
	if (rc == 0)
		rc = take(dp, skel, t);
	traced_bpf__destroy(skel);
	return rc ? dp_fail_os(err, rc,
			       "the kernel does not take the program that tells of packets, "
			       "which needs Linux 5.18")
		  : 0;
}

/* ---- in force ---------------------------------------------------------------------------------*/

static const char *pin_path(const struct dp *dp, const char *name,
			    char out[static DP_PATH_MAX + 64])
{
	snprintf(out, DP_PATH_MAX + 64, "%s/%s", dp->dir, name);
	return out;
}

static void unpin(const struct dp *dp)
{
	char path[DP_PATH_MAX + 64];

	if (!dp->pin_dir[0])
		return;
	unlink(pin_path(dp, STAGES, path));
	unlink(pin_path(dp, JUMPS, path));
}

/* The kernel empties maps of programs that neither a descriptor nor a pin refers to. */
static int pin(const struct dp *dp, const struct dp_trace_state *t)
{
	char path[DP_PATH_MAX + 64];
	int rc;

	if (!dp->pin_dir[0])
		return 0;
	rc = dp_pin_set(t->jumps_fd, pin_path(dp, JUMPS, path));
	return rc ? rc : dp_pin_set(t->stages_fd, pin_path(dp, STAGES, path));
}

static void drop(struct dp_trace_state *t)
{
	const int fds[] = {t->entry_fd, t->jumps_fd, t->stages_fd, t->ring_fd, t->only_fd};
	size_t i;

	ring_buffer__free(t->ring);
	for (i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(t);
}

static int on_record(void *arg, void *data, size_t size)
{
	struct dp_trace_state *t = arg;

	if (size >= sizeof(struct shunt_traced))
		t->fn(t->arg, data);
	return --t->left ? 0 : -EAGAIN;
}

static int put_only(const struct dp_trace_state *t)
{
	const uint32_t first = 0;

	return bpf_map_update_elem(t->only_fd, &first, &t->only, BPF_ANY) ? -errno : 0;
}

/* Which of all are of a service is known behind the packet path alone, which casts the dice then. */
static int set_up(struct dp *dp, const struct dp_trace_ask *ask, struct dp_trace_state *t,
		  struct dp_error *err)
{
	struct dp_trace_ask front = *ask;
	int rc = load(dp, t, err);

	if (rc)
		return rc;
	t->only = (struct shunt_trace_only){.row = ask->row, .rows = UINT32_MAX};
	if (ask->rows) {
		t->only.rows = ask->rows;
		t->only.one_of = ask->one_of;
		front.one_of = 1;
	}
	t->entry_fd = dp_trace_filter(&front, t->jumps_fd, dp->set.shared, err);
	if (t->entry_fd < 0)
		return t->entry_fd;
	t->ring = ring_buffer__new(t->ring_fd, on_record, t, NULL);
	rc = t->ring ? put_only(t) : -errno;
	if (rc == 0)
		rc = pin(dp, t);
	return rc ? dp_fail_os(err, rc, "cannot set up the ring of packets") : 0;
}

int dp_trace_begin(struct dp *dp, const struct dp_trace_ask *ask, struct dp_error *err)
{
	struct dp_trace_state *t;
	int rc;

	if (dp_is_traced(dp))
		return -EBUSY;
	dp_trace_end(dp);
	rc = dp_commit(dp, err);
	if (rc)
		return rc;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->entry_fd = t->jumps_fd = t->stages_fd = t->ring_fd = t->only_fd = -1;
	t->program_id = dp->set.program_id;
	rc = set_up(dp, ask, t, err);
	if (rc) {
		unpin(dp);
		drop(t);
		return rc;
	}
	dp->trace = t;
	dp_links_give(dp, t->entry_fd);
	return 0;
}

void dp_trace_end(struct dp *dp)
{
	if (!dp->trace)
		return;
	dp_links_give(dp, dp->set.program_fd);
	dp_grace(dp); /* until nobody jumps any more */
	unpin(dp);
	drop(dp->trace);
	dp->trace = NULL;
}

void dp_trace_follow(struct dp *dp, uint32_t row, uint32_t rows)
{
	if (!dp->trace || (dp->trace->only.row == row && dp->trace->only.rows == rows))
		return;
	dp->trace->only.row = row;
	dp->trace->only.rows = rows;
	(void)put_only(dp->trace); /* of a map of our own */
}

bool dp_is_traced(const struct dp *dp)
{
	return dp->trace && dp->trace->program_id == dp->set.program_id;
}

int dp_trace_read(struct dp *dp, size_t max, void (*fn)(void *arg, const struct shunt_traced *t),
		  void *arg)
{
	struct dp_trace_state *t = dp->trace;
	int rc;

	if (!t)
		return -ENOENT;
	if (!max)
		return 0;
	t->fn = fn;
	t->arg = arg;
	t->left = max;
	rc = ring_buffer__consume(t->ring);
	return rc < 0 && rc != -EAGAIN ? rc : (int)(max - t->left);
}

/* ---- what a daemon that was killed has left ----------------------------------------------------*/

void dp_trace_recover(struct dp *dp)
{
	char path[DP_PATH_MAX + 64];
	auto_close int jumps = dp_pin_get(pin_path(dp, JUMPS, path), DP_KIND_MAP);
	auto_close int program = -1;

	if (jumps < 0)
		return;
	program = dp_pin_get(pin_path(dp, "program", path), DP_KIND_PROGRAM);
	if (program >= 0)
		dp_links_give(dp, program);
	unpin(dp);
}
