/* SPDX-License-Identifier: BSD-2-Clause */
/* The interfaces: a pinned XDP link each; or, where shunt shares one with others, a pinned program of the
 * kind of dp_shared.h, and for all of those one map that says what they go on to. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "io/dp_impl.h"
#include "io/dp_shared.h"

#define LINK_PREFIX "link-"
#define SHARED_PREFIX "shared-"
#define ENTRY "entry"

/* bpffs refuses dots, and interfaces' names have no colons. */
static const char *path_in(const char *dir, bool shared, const char *ifname,
			   char out[static DP_PATH_MAX + 64])
{
	const char *prefix = shared ? SHARED_PREFIX : LINK_PREFIX;
	size_t at = strlen(dir) + 1 + strlen(prefix);

	snprintf(out, DP_PATH_MAX + 64, "%s/%s%s", dir, prefix, ifname);
	for (; out[at]; at++)
		if (out[at] == '.')
			out[at] = ':';
	return out;
}

static const char *pin_path(const struct dp *dp, bool shared, const char *ifname,
			    char out[static DP_PATH_MAX + 64])
{
	return path_in(dp->dir, shared, ifname, out);
}

static const char *folder_of(const struct dp *dp, bool former)
{
	return former ? dp->former.dir : dp->dir;
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
static int add(struct dp *dp, const char *ifname, bool shared, int fd)
{
	struct dp_link *links = realloc(dp->links, (dp->n_links + 1) * sizeof(*links));

	if (!links) {
		close(fd);
		return -ENOMEM;
	}
	dp->links = links;
	links[dp->n_links].fd = fd;
	links[dp->n_links].shared = shared;
	links[dp->n_links].former = false;
	snprintf(links[dp->n_links].ifname, sizeof(links->ifname), "%s", ifname);
	dp->n_links++;
	return 0;
}

/* ---- both kinds -------------------------------------------------------------------------------*/

/* The mode in which it works on the interface that has its name; 0: it does not. */
static enum dp_mode mode_of(const struct dp_link *link)
{
	uint32_t ifindex = if_nametoindex(link->ifname);

	return link->shared ? dp_shared_mode(link->fd, ifindex)
			    : dp_xdp_link_mode(link->fd, ifindex);
}

/* What it runs, and where: 0 when the interface is gone. */
static int info_of(const struct dp *dp, const struct dp_link *link, uint32_t *ifindex, uint32_t *id)
{
	const uint32_t first = 0;

	if (!link->shared)
		return dp_xdp_link_info(link->fd, ifindex, id);
	*ifindex = mode_of(link) ? if_nametoindex(link->ifname) : 0;
	return bpf_map_lookup_elem(dp->entry_fd, &first, id) ? -errno : 0;
}

static int run(const struct dp *dp, const struct dp_link *link, int program_fd)
{
	const uint32_t first = 0;

	if (link->shared)
		return bpf_map_update_elem(dp->entry_fd, &first, &program_fd, BPF_ANY) ? -errno : 0;
	return bpf_link_update(link->fd, program_fd, NULL) ? -errno : 0;
}

/* The pin goes last: a daemon killed in between leaves one that the next finds to be dead. */
static void drop(struct dp *dp, struct dp_link *link)
{
	char path[DP_PATH_MAX + 64];
	uint32_t ifindex, id;

	if (info_of(dp, link, &ifindex, &id) == 0 && ifindex)
		bpf_map_delete_elem(dp->set.map[DP_TX_PORTS].fd, &ifindex);
	if (link->shared)
		dp_shared_detach(link->fd, if_nametoindex(link->ifname));
	else
		bpf_link_detach(link->fd);
	close(link->fd);
	if (dp->pin_dir[0])
		unlink(path_in(folder_of(dp, link->former), link->shared, link->ifname, path));
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
	bool former; /* in the former version's folder */
	struct dp_error *err;
	int rc;
};

static void name_of(const char *pin, const char *prefix, char ifname[static IF_NAMESIZE])
{
	char *colon;

	snprintf(ifname, IF_NAMESIZE, "%.15s", pin + strlen(prefix));
	for (colon = strchr(ifname, ':'); colon; colon = strchr(colon, ':'))
		*colon = '.';
}

static bool begins(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static int not_ours(const char *path, struct dp_error *err)
{
	return dp_fail(err, -EINVAL, "%s is not a link of shunt's; remove it and start again",
		       path);
}

/* A link whose interface is gone for good goes too. One whose interface is merely not found by its
 * name here, since it was renamed or lives in another network namespace, stays. */
static int adopt_link(const struct scan *scan, const char *pin)
{
	struct dp *dp = scan->dp;
	char path[DP_PATH_MAX + 64], ifname[IF_NAMESIZE];
	auto_close int fd = -1;
	uint32_t ifindex, id;
	int rc;

	name_of(pin, LINK_PREFIX, ifname);
	fd = dp_pin_get(path_in(folder_of(dp, scan->former), false, ifname, path), DP_KIND_LINK);
	if (fd < 0 || dp_xdp_link_info(fd, &ifindex, &id))
		return not_ours(path, scan->err);
	if (!ifindex) {
		unlink(path);
		return 0;
	}
	rc = add(dp, ifname, false, take_fd(&fd));
	if (rc == 0)
		dp->links[dp->n_links - 1].former = scan->former;
	return rc;
}

static int adopt_shared(const struct scan *scan, const char *pin)
{
	struct dp *dp = scan->dp;
	char path[DP_PATH_MAX + 64], ifname[IF_NAMESIZE];
	auto_close int fd = -1;

	name_of(pin, SHARED_PREFIX, ifname);
	fd = dp_pin_get(pin_path(dp, true, ifname, path), DP_KIND_PROGRAM);
	return fd < 0 ? not_ours(path, scan->err) : add(dp, ifname, true, take_fd(&fd));
}

static void adopt(void *arg, const char *pin)
{
	struct scan *scan = arg;

	if (!scan->rc && begins(pin, LINK_PREFIX))
		scan->rc = adopt_link(scan, pin);
	else if (!scan->rc && !scan->former && begins(pin, SHARED_PREFIX))
		scan->rc = adopt_shared(scan, pin); /* version 1 had none */
}

static const char *entry_path(const struct dp *dp, char out[static DP_PATH_MAX + 64])
{
	snprintf(out, DP_PATH_MAX + 64, "%s/" ENTRY, dp->dir);
	return out;
}

/* The map that shared interfaces' programs go on from, if there is one. */
static int open_entry(struct dp *dp, struct dp_error *err)
{
	char path[DP_PATH_MAX + 64];

	dp->entry_fd = dp_pin_get(entry_path(dp, path), DP_KIND_MAP);
	if (dp->entry_fd >= 0 || dp->entry_fd == -ENOENT)
		return 0;
	return dp_fail_os(err, dp->entry_fd, "cannot open the pin %s", path);
}

int dp_links_open(struct dp *dp, struct dp_error *err)
{
	struct scan scan = {.dp = dp, .err = err};
	int rc = open_entry(dp, err);

	if (rc)
		return rc;
	rc = dp_dir_each(dp->dir, adopt, &scan);
	scan.former = true;
	if (rc == 0 && scan.rc == 0 && dp->former.version)
		rc = dp_dir_each(dp->former.dir, adopt, &scan);
	if (rc)
		return dp_fail_os(err, rc, "cannot read %s", folder_of(dp, scan.former));
	return scan.rc;
}

size_t dp_links_move(struct dp *dp)
{
	char from[DP_PATH_MAX + 64], to[DP_PATH_MAX + 64];
	size_t i, left = 0;

	for (i = 0; i < dp->n_links; i++) {
		struct dp_link *link = &dp->links[i];

		if (!link->former)
			continue;
		path_in(dp->former.dir, link->shared, link->ifname, from);
		link->former = rename(from, pin_path(dp, link->shared, link->ifname, to)) != 0;
		left += link->former;
	}
	return left;
}

void dp_links_close(struct dp *dp)
{
	size_t i;

	for (i = 0; i < dp->n_links; i++)
		close(dp->links[i].fd);
	free(dp->links);
	dp->links = NULL;
	dp->n_links = 0;
	if (dp->entry_fd >= 0)
		close(dp->entry_fd);
	dp->entry_fd = -1;
}

uint32_t dp_links_program(const struct dp *dp, uint32_t id)
{
	uint32_t ifindex, runs, other = 0;
	size_t i;

	for (i = 0; i < dp->n_links; i++) {
		if (info_of(dp, &dp->links[i], &ifindex, &runs) || !ifindex)
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
		if (info_of(dp, &dp->links[i], &ifindex, &id) == 0 && ifindex)
			enter(dp, ifindex);
}

/* A link that does not take it keeps what it runs until the next commit. */
void dp_links_give(const struct dp *dp, int program_fd)
{
	size_t i;

	for (i = 0; i < dp->n_links; i++)
		run(dp, &dp->links[i], program_fd);
}

/* -ENOLINK is an interface that vanished: its link is dropped when somebody asks for it. What is shared
 * now and is not to be, or the other way round, cannot take the program and is attached anew soon. */
int dp_links_update(struct dp *dp, struct dp_error *err)
{
	size_t i;
	int rc;

	for (i = 0; i < dp->n_links; i++) {
		if (dp->links[i].shared != dp->set.shared)
			continue;
		rc = run(dp, &dp->links[i], dp->set.program_fd);
		if (rc == 0 || rc == -ENOLINK)
			continue;
		dp_fail_os(err, rc, "%s: cannot change to the new program", dp->links[i].ifname);
		while (i-- > 0 && dp->old.program_fd >= 0)
			run(dp, &dp->links[i], dp->old.program_fd);
		return rc;
	}
	return 0;
}

/* ---- the contract -----------------------------------------------------------------------------*/

enum dp_mode dp_attached(const struct dp *dp, const char *ifname)
{
	const struct dp_link *link = find(dp, ifname);

	return link ? mode_of(link) : 0;
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

void dp_share(struct dp *dp, bool share)
{
	dp->share = share;
}

bool dp_is_alone(const struct dp *dp, const char *ifname)
{
	const struct dp_link *link = find(dp, ifname);

	return link && link->shared && dp_shared_is_alone(if_nametoindex(ifname));
}

/* The map has the program before anybody goes on from it. */
static int fill_entry(struct dp *dp, struct dp_error *err)
{
	const uint32_t first = 0;
	char path[DP_PATH_MAX + 64];
	int rc = 0;

	if (dp->entry_fd < 0) {
		dp->entry_fd = dp_shared_map();
		if (dp->entry_fd < 0)
			return dp_fail_os(err, dp->entry_fd, "cannot make a map");
		if (dp->pin_dir[0])
			rc = dp_pin_set(dp->entry_fd, entry_path(dp, path));
	}
	if (rc == 0 && bpf_map_update_elem(dp->entry_fd, &first, &dp->set.program_fd, BPF_ANY))
		rc = -errno;
	return rc ? dp_fail_os(err, rc, "cannot set up the map for shared interfaces") : 0;
}

static int attach(struct dp *dp, const char *ifname, enum dp_mode mode, struct dp_error *err)
{
	char path[DP_PATH_MAX + 64];
	auto_close int fd = -1;
	int rc;

	rc = dp->share ? fill_entry(dp, err) : 0;
	if (rc == 0 && dp->share)
		rc = dp_shared_attach(dp->entry_fd, ifname, mode, &fd, err);
	else if (rc == 0)
		rc = dp_xdp_attach(dp->set.program_fd, ifname, mode, &fd, err);
	if (rc)
		return rc;
	rc = dp->pin_dir[0] ? dp_pin_set(fd, pin_path(dp, dp->share, ifname, path)) : 0;
	if (rc && dp->share)
		dp_shared_detach(fd, if_nametoindex(ifname));
	if (rc)
		return dp_fail_os(err, rc, "%s: cannot pin the link as %s", ifname, path);
	return add(dp, ifname, dp->share, take_fd(&fd));
}

int dp_attach(struct dp *dp, const char *ifname, unsigned int ifindex, enum dp_mode mode,
	      struct dp_error *err)
{
	struct dp_link *link = find(dp, ifname);
	int rc;

	if (if_nametoindex(ifname) != ifindex)
		return dp_fail(err, -ENODEV, "%s: no such interface with index %u", ifname,
			       ifindex);
	if (link && (link->shared != dp->share || mode_of(link) != mode)) {
		drop(dp, link);
		link = NULL;
	}
	/* What a link runs must be pinned before it, or nobody could adopt it. */
	if (!link)
		rc = dp->set.shared == dp->share ? dp_commit(dp, err) : dp_reload(dp, err);
	else
		rc = 0;
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
