/* SPDX-License-Identifier: BSD-2-Clause */
/* The interfaces: a pinned XDP link each. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "io/dp_impl.h"

#define LINK_PREFIX "link-"

/* bpffs refuses dots, and interfaces' names have no colons. */
static const char *link_path(const struct dp *dp, const char *ifname,
			     char out[static DP_PATH_MAX + 64])
{
	size_t at = strlen(dp->dir) + strlen("/" LINK_PREFIX);

	snprintf(out, DP_PATH_MAX + 64, "%s/" LINK_PREFIX "%s", dp->dir, ifname);
	for (; out[at]; at++)
		if (out[at] == '.')
			out[at] = ':';
	return out;
}

static struct dp_link *find(const struct dp *dp, const char *ifname)
{
	size_t i;

	for (i = 0; i < dp->n_links; i++)
		if (strcmp(dp->links[i].ifname, ifname) == 0)
			return &dp->links[i];
	return NULL;
}

/* Takes @fd. */
static int add(struct dp *dp, const char *ifname, int fd)
{
	struct dp_link *links = realloc(dp->links, (dp->n_links + 1) * sizeof(*links));

	if (!links) {
		close(fd);
		return -ENOMEM;
	}
	dp->links = links;
	links[dp->n_links].fd = fd;
	snprintf(links[dp->n_links].ifname, sizeof(links->ifname), "%s", ifname);
	dp->n_links++;
	return 0;
}

/* The pin goes last: a daemon killed in between leaves one that the next finds to be dead. */
static void drop(struct dp *dp, struct dp_link *link)
{
	char path[DP_PATH_MAX + 64];
	uint32_t ifindex, id;

	if (dp_xdp_link_info(link->fd, &ifindex, &id) == 0 && ifindex)
		bpf_map_delete_elem(dp->set.map[DP_TX_PORTS].fd, &ifindex);
	bpf_link_detach(link->fd);
	close(link->fd);
	if (dp->pin_dir[0])
		unlink(link_path(dp, link->ifname, path));
	dp->n_links--;
	memmove(link, link + 1, (size_t)(dp->links + dp->n_links - link) * sizeof(*link));
}

static int enter(const struct dp *dp, uint32_t ifindex)
{
	return bpf_map_update_elem(dp->set.map[DP_TX_PORTS].fd, &ifindex, &ifindex, BPF_ANY)
		       ? -errno
		       : 0;
}

/* ---- adoption ---------------------------------------------------------------------------------*/

struct scan {
	struct dp *dp;
	struct dp_error *err;
	int rc;
};

/* A link whose interface is gone for good goes too. One whose interface is merely not found by its
 * name here, since it was renamed or lives in another network namespace, stays. */
static void adopt(void *arg, const char *pin)
{
	struct scan *scan = arg;
	struct dp *dp = scan->dp;
	char path[DP_PATH_MAX + 64], ifname[IF_NAMESIZE];
	uint32_t ifindex, id;
	char *colon;
	int fd;

	if (scan->rc || strncmp(pin, LINK_PREFIX, strlen(LINK_PREFIX)) != 0)
		return;
	snprintf(ifname, sizeof(ifname), "%.15s", pin + strlen(LINK_PREFIX));
	link_path(dp, ifname, path);
	for (colon = strchr(ifname, ':'); colon; colon = strchr(colon, ':'))
		*colon = '.';
	fd = dp_pin_get(path, DP_KIND_LINK);
	if (fd < 0 || dp_xdp_link_info(fd, &ifindex, &id)) {
		scan->rc = dp_fail(scan->err, -EINVAL,
				   "%s is not a link of shunt's; remove it and start again", path);
		if (fd >= 0)
			close(fd);
		return;
	}
	if (ifindex) {
		scan->rc = add(dp, ifname, fd);
	} else {
		close(fd);
		unlink(path);
	}
}

int dp_links_open(struct dp *dp, struct dp_error *err)
{
	struct scan scan = {.dp = dp, .err = err};
	int rc = dp_dir_each(dp->dir, adopt, &scan);

	if (rc)
		return dp_fail_os(err, rc, "cannot read %s", dp->dir);
	return scan.rc;
}

void dp_links_close(struct dp *dp)
{
	size_t i;

	for (i = 0; i < dp->n_links; i++)
		close(dp->links[i].fd);
	free(dp->links);
	dp->links = NULL;
	dp->n_links = 0;
}

uint32_t dp_links_program(const struct dp *dp, uint32_t id)
{
	uint32_t ifindex, runs, other = 0;
	size_t i;

	for (i = 0; i < dp->n_links; i++) {
		if (dp_xdp_link_info(dp->links[i].fd, &ifindex, &runs) || !ifindex)
			continue;
		if (runs == id)
			return id;
		other = runs;
	}
	return other;
}

void dp_links_enter(const struct dp *dp)
{
	uint32_t ifindex, id;
	size_t i;

	for (i = 0; i < dp->n_links; i++)
		if (dp_xdp_link_info(dp->links[i].fd, &ifindex, &id) == 0 && ifindex)
			enter(dp, ifindex);
}

/* A link that does not take it keeps what it runs until the next commit. */
void dp_links_give(const struct dp *dp, int program_fd)
{
	size_t i;

	for (i = 0; i < dp->n_links; i++)
		bpf_link_update(dp->links[i].fd, program_fd, NULL);
}

/* -ENOLINK is an interface that vanished: its link is dropped when somebody asks for it. */
int dp_links_update(struct dp *dp, struct dp_error *err)
{
	size_t i;
	int rc;

	for (i = 0; i < dp->n_links; i++) {
		rc = bpf_link_update(dp->links[i].fd, dp->set.program_fd, NULL) ? -errno : 0;
		if (rc == 0 || rc == -ENOLINK)
			continue;
		dp_fail_os(err, rc, "%s: cannot change to the new program", dp->links[i].ifname);
		while (i-- > 0 && dp->old.program_fd >= 0)
			bpf_link_update(dp->links[i].fd, dp->old.program_fd, NULL);
		return rc;
	}
	return 0;
}

/* ---- the contract -----------------------------------------------------------------------------*/

enum dp_mode dp_attached(const struct dp *dp, const char *ifname)
{
	const struct dp_link *link = find(dp, ifname);

	return link ? dp_xdp_link_mode(link->fd, if_nametoindex(ifname)) : 0;
}

void dp_each_link(const struct dp *dp, void (*fn)(void *arg, const char *ifname), void *arg)
{
	char ifname[IF_NAMESIZE];
	size_t i;

	for (i = dp->n_links; i-- > 0;) { /* downwards, so that fn may detach it */
		memcpy(ifname, dp->links[i].ifname, sizeof(ifname));
		fn(arg, ifname);
	}
}

static int attach(struct dp *dp, const char *ifname, enum dp_mode mode, struct dp_error *err)
{
	char path[DP_PATH_MAX + 64];
	auto_close int fd = -1;
	int rc;

	rc = dp_xdp_attach(dp->set.program_fd, ifname, mode, &fd, err);
	if (rc)
		return rc;
	rc = dp->pin_dir[0] ? dp_pin_set(fd, link_path(dp, ifname, path)) : 0;
	if (rc)
		return dp_fail_os(err, rc, "%s: cannot pin the link as %s", ifname, path);
	return add(dp, ifname, take_fd(&fd));
}

int dp_attach(struct dp *dp, const char *ifname, unsigned int ifindex, enum dp_mode mode,
	      struct dp_error *err)
{
	struct dp_link *link = find(dp, ifname);
	int rc;

	if (if_nametoindex(ifname) != ifindex)
		return dp_fail(err, -ENODEV, "%s: no such interface with index %u", ifname,
			       ifindex);
	if (link && dp_xdp_link_mode(link->fd, ifindex) != mode) {
		drop(dp, link);
		link = NULL;
	}
	/* What a link runs must be pinned before it, or nobody could adopt it. */
	rc = link ? 0 : dp_commit(dp, err);
	if (rc)
		return rc;
	rc = enter(dp, ifindex);
	if (rc)
		return dp_fail_os(err, rc, "%s: cannot enter it as a port to send on", ifname);
	return link ? 0 : attach(dp, ifname, mode, err);
}

int dp_detach(struct dp *dp, const char *ifname)
{
	struct dp_link *link = find(dp, ifname);

	if (!link)
		return -ENOENT;
	drop(dp, link);
	return 0;
}
