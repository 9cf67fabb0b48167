/* SPDX-License-Identifier: BSD-2-Clause */
/* The stages' programs are held by the map alone, and that by its pin and shunt_xdp. */
#include "io/dp_stage.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>

#include "base/own.h"
#include "shunt_abi.h"

/* In the order of enum shunt_stage; one that the object does not have is skipped. */
static const char *const programs[SHUNT_STAGE_MAX] = {
	[SHUNT_STAGE_NAT] = "shunt_nat",	   [SHUNT_STAGE_RARE] = "shunt_rare",
	[SHUNT_STAGE_NAT_RARE] = "shunt_nat_rare", [SHUNT_STAGE_QUIC] = "shunt_quic",
	[SHUNT_STAGE_POLICY] = "shunt_policy",
};

static struct bpf_program *program_of(const struct bpf_object *obj, enum shunt_stage stage)
{
	return bpf_object__find_program_by_name(obj, programs[stage]);
}

bool dp_stage_is_wanted(const struct shunt_settings *settings, enum shunt_stage stage)
{
	switch (stage) {
	case SHUNT_STAGE_NAT:
	case SHUNT_STAGE_NAT_RARE:
		return settings->nat_mask != 0;
	case SHUNT_STAGE_QUIC:
		return settings->staged & SHUNT_SVC_QUIC;
	default:
		return true;
	}
}

const char *dp_stage_program(enum shunt_stage stage)
{
	return programs[stage];
}

void dp_stages_choose(struct bpf_object *obj, const struct shunt_settings *settings)
{
	struct bpf_program *program;
	uint32_t stage;

	for (stage = 0; stage < SHUNT_STAGE_MAX; stage++) {
		program = program_of(obj, stage);
		if (program)
			bpf_program__set_autoload(program, dp_stage_is_wanted(settings, stage));
	}
}

int dp_stages_fill(struct bpf_object *obj)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(obj, "stages");
	const struct bpf_program *program;
	uint32_t stage;
	int fd;

	if (!map)
		return -ENOENT;
	for (stage = 0; stage < SHUNT_STAGE_MAX; stage++) {
		program = program_of(obj, stage);
		fd = program ? bpf_program__fd(program) : -1;
		if (fd >= 0 && bpf_map_update_elem(bpf_map__fd(map), &stage, &fd, BPF_ANY))
			return -errno;
	}
	return 0;
}

static uint32_t add_maps(int program_fd, uint32_t *ids, uint32_t n, uint32_t max)
{
	struct bpf_prog_info info = {.nr_map_ids = max - n,
				     .map_ids = (uint64_t)(uintptr_t)(ids + n)};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(program_fd, &info, &len))
		return n;
	return info.nr_map_ids < max - n ? n + info.nr_map_ids : max;
}

uint32_t dp_stages_maps(int stages_fd, uint32_t *ids, uint32_t n, uint32_t max)
{
	uint32_t stage, id;

	for (stage = 0; stage < SHUNT_STAGE_MAX; stage++) {
		auto_close int fd = -1;

		if (bpf_map_lookup_elem(stages_fd, &stage, &id))
			continue;
		fd = bpf_prog_get_fd_by_id(id);
		if (fd >= 0)
			n = add_maps(fd, ids, n, max);
	}
	return n;
}
