/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/dp_shared.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"

int dp_shared_map(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "entry", sizeof(uint32_t),
				sizeof(uint32_t), 1, NULL);

	return fd < 0 ? -errno : fd;
}

#ifdef SHUNT_LIBXDP

#include <xdp/libxdp.h>

#include "entry.skel.h"

/* The last thing that libxdp complained of. */
static char complaint[256];

static int note_complaint(enum libxdp_print_level level, const char *format, va_list args)
{
	if (level == LIBXDP_WARN)
		vsnprintf(complaint, sizeof(complaint), format, args);
	complaint[strcspn(complaint, "\n")] = '\0';
	return 0;
}

static enum dp_mode mode_of(enum xdp_attach_mode mode)
{
	switch (mode) {
	case XDP_MODE_NATIVE:
		return DP_NATIVE;
	case XDP_MODE_SKB:
		return DP_GENERIC;
	default:
		return 0;
	}
}

static int fail(int rc, const char *ifname, enum dp_mode mode, struct dp_error *err)
{
	if (rc == -EBUSY || rc == -EEXIST)
		return dp_xdp_fail(-EBUSY, ifname, mode, err);
	return dp_fail_os(err, rc,
			  "%s: cannot be shared: libxdp, or the kernel with it, does not take the "
			  "program (%s); write attach: exclusive, or see docs/limits.md",
			  ifname, complaint[0] ? complaint : "no reason given");
}

static int attach(struct entry_bpf *skel, const char *ifname, enum dp_mode mode, int *program_fd)
{
	struct xdp_program *program = xdp_program__from_bpf_obj(skel->obj, "xdp");
	int rc = (int)libxdp_get_error(program);

	if (rc)
		return rc;
	rc = xdp_program__attach(program, (int)if_nametoindex(ifname),
				 mode == DP_NATIVE ? XDP_MODE_NATIVE : XDP_MODE_SKB, 0);
	if (rc == 0) {
		*program_fd = dup(xdp_program__fd(program));
		rc = *program_fd < 0 ? -errno : 0;
	}
	xdp_program__close(program);
	return rc;
}

int dp_shared_attach(int entry_fd, const char *ifname, enum dp_mode mode, int *program_fd,
		     struct dp_error *err)
{
	struct entry_bpf *skel;
	int rc;

	libxdp_set_print(note_complaint);
	complaint[0] = '\0';
	if (!if_nametoindex(ifname))
		return dp_fail(err, -ENODEV, "%s: no such interface", ifname);
	skel = entry_bpf__open();
	if (!skel)
		return dp_fail_os(err, -errno, "cannot read the program shunt_entry");
	rc = bpf_map__reuse_fd(skel->maps.entry, entry_fd);
	/* As the packet path's: since Linux 6.18 they have to agree. */
	if (rc == 0)
		rc = bpf_program__set_expected_attach_type(skel->progs.shunt_entry, 0);
	if (rc == 0)
		rc = attach(skel, ifname, mode, program_fd);
	entry_bpf__destroy(skel);
	return rc ? fail(rc, ifname, mode, err) : 0;
}

void dp_shared_detach(int program_fd, uint32_t ifindex)
{
	struct xdp_program *program;
	enum xdp_attach_mode mode;

	libxdp_set_print(note_complaint);
	program = xdp_program__from_fd(program_fd);
	if (libxdp_get_error(program))
		return;
	mode = xdp_program__is_attached(program, (int)ifindex);
	if (mode)
		xdp_program__detach(program, (int)ifindex, mode, 0);
	xdp_program__close(program);
}

enum dp_mode dp_shared_mode(int program_fd, uint32_t ifindex)
{
	struct xdp_program *program;
	enum dp_mode mode;

	if (!ifindex)
		return 0;
	libxdp_set_print(note_complaint);
	program = xdp_program__from_fd(program_fd);
	if (libxdp_get_error(program))
		return 0;
	mode = mode_of(xdp_program__is_attached(program, (int)ifindex));
	xdp_program__close(program);
	return mode;
}

bool dp_shared_is_alone(uint32_t ifindex)
{
	struct xdp_multiprog *all = xdp_multiprog__get_from_ifindex((int)ifindex);
	bool alone;

	if (libxdp_get_error(all))
		return false;
	alone = xdp_multiprog__is_legacy(all);
	xdp_multiprog__close(all);
	return alone;
}

#else

int dp_shared_attach(int entry_fd, const char *ifname, enum dp_mode mode, int *program_fd,
		     struct dp_error *err)
{
	(void)entry_fd;
	(void)mode;
	(void)program_fd;
	return dp_fail(
		err, -EOPNOTSUPP,
		"%s: attach: shared needs libxdp, which this shuntd was built without; write "
		"exclusive, or build it where libxdp-dev is installed",
		ifname);
}

void dp_shared_detach(int program_fd, uint32_t ifindex)
{
	(void)program_fd;
	(void)ifindex;
}

enum dp_mode dp_shared_mode(int program_fd, uint32_t ifindex)
{
	(void)program_fd;
	(void)ifindex;
	return 0;
}

bool dp_shared_is_alone(uint32_t ifindex)
{
	(void)ifindex;
	return false;
}

#endif
