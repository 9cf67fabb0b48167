/* SPDX-License-Identifier: BSD-2-Clause */
/* One XDP link on one interface: attach it, say in words why that failed, ask how it works. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/own.h"
#include "io/dp_sys.h"

static const char *mode_name(enum dp_mode mode)
{
	return mode == DP_NATIVE ? "native" : "generic";
}

static int query(uint32_t ifindex, struct bpf_xdp_query_opts *q)
{
	*q = (struct bpf_xdp_query_opts){.sz = sizeof(*q)};
	return bpf_xdp_query((int)ifindex, 0, q);
}

/* ---- another program --------------------------------------------------------------------------*/

struct foreign {
	uint32_t id, link; /* link 0: attached by netlink, without one */
	bool generic;
	char name[BPF_OBJ_NAME_LEN];
	char tag[2 * BPF_TAG_SIZE + 1];
};

/* These need CAP_SYS_ADMIN, the id nothing. */
static void describe(struct foreign *f)
{
	auto_close int fd = bpf_prog_get_fd_by_id(f->id);
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	size_t i;

	snprintf(f->name, sizeof(f->name), "?");
	snprintf(f->tag, sizeof(f->tag), "?");
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return;
	if (info.name[0])
		memcpy(f->name, info.name, sizeof(f->name));
	for (i = 0; i < BPF_TAG_SIZE; i++)
		snprintf(f->tag + 2 * i, 3, "%02x", info.tag[i]);
}

/* The link that attaches program @id to the interface; 0: none. */
static uint32_t link_of(uint32_t ifindex, uint32_t id)
{
	uint32_t link = 0, there, runs;

	while (bpf_link_get_next_id(link, &link) == 0) {
		auto_close int fd = bpf_link_get_fd_by_id(link);

		if (fd >= 0 && dp_xdp_link_info(fd, &there, &runs) == 0 && there == ifindex &&
		    runs == id)
			return link;
	}
	return 0;
}

/* How to take it off, in words. */
static void remedy(const struct foreign *f, const char *ifname, char *out, size_t size)
{
	if (strcmp(f->name, "xdp_dispatcher") == 0)
		snprintf(
			out, size,
			"join those behind libxdp's dispatcher by attach: shared; or, all of them: "
			"xdp-loader unload %s --all",
			ifname);
	else if (f->link)
		snprintf(out, size,
			 "%s, or bpftool link detach id %u, or end the process that holds it",
			 strcmp(f->name, "shunt_xdp") == 0
				 ? "another shuntd's: shuntd --remove -c ITS-FILE"
				 : "remove its pin",
			 f->link);
	else
		snprintf(out, size, "ip link set dev %s %s off", ifname,
			 f->generic ? "xdpgeneric" : "xdpdrv");
}

static int fail_busy(const char *ifname, struct dp_error *err)
{
	uint32_t ifindex = if_nametoindex(ifname);
	struct bpf_xdp_query_opts q;
	struct foreign f = {0};
	char by[32] = "netlink", how[192];

	if (query(ifindex, &q) == 0)
		f.id = q.drv_prog_id ? q.drv_prog_id : q.skb_prog_id ? q.skb_prog_id : q.prog_id;
	if (!f.id)
		return dp_fail(err, -EBUSY, "%s: the kernel says that XDP is busy there", ifname);
	f.generic = f.id == q.skb_prog_id;
	f.link = link_of(ifindex, f.id);
	describe(&f);
	remedy(&f, ifname, how, sizeof(how));
	if (f.link)
		snprintf(by, sizeof(by), "link %u", f.link);
	return dp_fail(
		err, -EBUSY,
		"%s runs another XDP program already: id %u, name \"%s\", tag %s, attached by "
		"%s in %s mode; take it off first (%s)",
		ifname, f.id, f.name, f.tag, by, mode_name(f.generic ? DP_GENERIC : DP_NATIVE),
		how);
}

/* ---- what stands in the way -------------------------------------------------------------------*/

static int mtu_of(const char *ifname)
{
	auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", ifname);
	if (fd < 0 || ioctl(fd, SIOCGIFMTU, &request))
		return 0;
	return request.ifr_mtu;
}

/* What drivers mean by the errors that they answer with. */
static const char *refusal(int rc)
{
	switch (rc) {
	case -EOPNOTSUPP:
		return "the driver has no native XDP, or an offload (LRO, GRO_HW) stands against "
		       "it";
	case -ERANGE:
	case -EINVAL:
		return "the driver refuses, most often since the MTU is larger than its buffers";
	case -ENOMEM:
		return "the driver has no queue or memory to spare for it";
	case -ENOSPC:
		return "the driver has fewer receive queues than its peer sends on";
	default:
		return NULL;
	}
}

int dp_xdp_fail(int rc, const char *ifname, enum dp_mode mode, struct dp_error *err)
{
	const char *why = mode == DP_NATIVE ? refusal(rc) : NULL;

	if (rc == -EBUSY || rc == -EEXIST)
		return fail_busy(ifname, err);
	if (why)
		return dp_fail(err, rc, "%s: no native XDP: %s (MTU %d; error: %s)", ifname, why,
			       mtu_of(ifname), strerror(-rc));
	return dp_fail_os(err, rc, "%s: cannot attach in %s mode", ifname, mode_name(mode));
}

int dp_xdp_attach(int program_fd, const char *ifname, enum dp_mode mode, int *link_fd,
		  struct dp_error *err)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = mode == DP_NATIVE ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
	unsigned int ifindex = if_nametoindex(ifname);
	int fd;

	if (!ifindex)
		return dp_fail(err, -ENODEV, "%s: no such interface", ifname);
	fd = bpf_link_create(program_fd, (int)ifindex, BPF_XDP, &opts);
	if (fd < 0)
		return dp_xdp_fail(-errno, ifname, mode, err);
	*link_fd = fd;
	return 0;
}

int dp_xdp_link_info(int link_fd, uint32_t *ifindex, uint32_t *program_id)
{
	struct bpf_link_info info = {0};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(link_fd, &info, &len))
		return -errno;
	if (info.type != BPF_LINK_TYPE_XDP)
		return -EBADF;
	*ifindex = info.xdp.ifindex;
	*program_id = info.prog_id;
	return 0;
}

/* An index of another network namespace may be an interface's here too, so the program that the
 * interface says it runs has to be the link's. */
enum dp_mode dp_xdp_link_mode(int link_fd, uint32_t ifindex)
{
	uint32_t there, id;
	struct bpf_xdp_query_opts q;

	if (!ifindex || dp_xdp_link_info(link_fd, &there, &id) || there != ifindex ||
	    query(ifindex, &q))
		return 0;
	if (q.drv_prog_id == id)
		return DP_NATIVE;
	if (q.skb_prog_id == id)
		return DP_GENERIC;
	return 0;
}
