/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/dp_decap.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "decap.skel.h"
#include "io/dp_decap_map.h"
#include "io/dp_sys.h"

#define ROOT DP_BPFFS "/shunt-decap"

enum { LOCAL, COUNTERS, FLAGS, ONLY, SOURCES, MAPS };

static const struct {
	const char *name;
	uint32_t key_size, value_size;
	uint32_t entries;
} maps[MAPS] = {
	[LOCAL] = {"decap_local", sizeof(struct shunt_decap_addr), sizeof(uint32_t),
		   DP_DECAP_ADDRS_MAX},
	[COUNTERS] = {"decap_counters", sizeof(uint32_t), sizeof(uint64_t), SHUNT_DECAP_COUNT_MAX},
	[FLAGS] = {"decap_flags", sizeof(uint32_t), sizeof(uint32_t), 1},
	[ONLY] = {"decap_only", sizeof(struct shunt_decap_prefix), sizeof(uint32_t),
		  DP_DECAP_ADDRS_MAX},
	[SOURCES] = {"decap_sources", sizeof(struct shunt_decap_addr),
		     sizeof(struct shunt_decap_traffic), DP_DECAP_SOURCES_MAX},
};

/* What is attached to one interface, or is about to be. */
struct place {
	char ifname[IF_NAMESIZE];
	uint32_t ifindex;
	char dir[DP_PATH_MAX];
	int lock_fd;
	int link_fd; /* -1: not attached */
	int map_fds[MAPS]; /* by enum; -1: not there */
	enum dp_mode mode; /* of link_fd */
};

static int silent(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static const char *pin_path(const struct place *p, const char *name,
			    char out[static DP_PATH_MAX + 32])
{
	snprintf(out, DP_PATH_MAX + 32, "%s/%s", p->dir, name);
	return out;
}

static void place_close(struct place *p)
{
	const int fds[] = {p->link_fd, p->lock_fd};
	size_t i;

	for (i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	for (i = 0; i < MAPS; i++)
		if (p->map_fds[i] >= 0)
			close(p->map_fds[i]);
}

static unsigned long long namespace_inode(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) ? 0 : (unsigned long long)st.st_ino;
}

/* Another version's map may have another form: then it is as if there were none. */
static int open_map(const struct place *p, size_t map)
{
	char path[DP_PATH_MAX + 32];
	auto_close int fd = dp_pin_get(pin_path(p, maps[map].name, path), DP_KIND_MAP);
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	if (fd < 0)
		return -1;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) || info.key_size != maps[map].key_size ||
	    info.value_size != maps[map].value_size || info.max_entries != maps[map].entries)
		return -1;
	return take_fd(&fd);
}

/* Opens what is there. An interface with nothing, or with the pins of one that is gone, is fine: then
 * link_fd is -1. */
static void open_pins(struct place *p)
{
	char path[DP_PATH_MAX + 32];
	auto_close int link_fd = dp_pin_get(pin_path(p, "link", path), DP_KIND_LINK);
	size_t i;

	p->mode = link_fd < 0 ? 0 : dp_xdp_link_mode(link_fd, p->ifindex);
	if (!p->mode)
		return;
	p->link_fd = take_fd(&link_fd);
	for (i = 0; i < MAPS; i++)
		p->map_fds[i] = open_map(p, i);
}

/* Pins outlive an interface that vanishes with its network namespace. Under the lock, so that nobody
 * is just making them. */
static void sweep(void *arg, const char *name)
{
	char dir[DP_PATH_MAX], link[DP_PATH_MAX + 32];
	uint32_t ifindex = 0, id;
	auto_close int fd = -1;

	(void)arg;
	snprintf(dir, sizeof(dir), ROOT "/%.64s", name);
	snprintf(link, sizeof(link), "%s/link", dir);
	fd = dp_pin_get(link, DP_KIND_LINK);
	if (fd == -ENOENT || (fd >= 0 && dp_xdp_link_info(fd, &ifindex, &id) == 0 && !ifindex))
		dp_dir_remove(dir);
}

static int lock_root(struct dp_error *err)
{
	int rc = dp_bpffs_dir(ROOT, err);

	if (rc)
		return rc;
	rc = dp_lock(ROOT, err);
	if (rc >= 0)
		dp_dir_each(ROOT, sweep, NULL);
	return rc;
}

static int place_open(const char *ifname, struct place *p, struct dp_error *err)
{
	*p = (struct place){.lock_fd = -1, .link_fd = -1};
	memset(p->map_fds, 0xff, sizeof(p->map_fds));
	libbpf_set_print(silent);
	p->ifindex = if_nametoindex(ifname);
	if (!p->ifindex)
		return dp_fail(err, -ENODEV, "%s: no such interface", ifname);
	snprintf(p->ifname, sizeof(p->ifname), "%s", ifname);
	snprintf(p->dir, sizeof(p->dir), ROOT "/%u-%llu", p->ifindex, namespace_inode());
	p->lock_fd = lock_root(err);
	if (p->lock_fd < 0)
		return p->lock_fd;
	open_pins(p);
	return 0;
}

/* The same, but it has to be attached, whole. */
static int place_open_attached(const char *ifname, struct place *p, struct dp_error *err)
{
	int rc = place_open(ifname, p, err);
	size_t i;

	if (rc == 0 && p->link_fd < 0)
		rc = dp_fail(err, -ENOENT, "%s: not attached", ifname);
	for (i = 0; rc == 0 && i < MAPS; i++)
		if (p->map_fds[i] < 0)
			rc = dp_fail(err, -ENOENT,
				     "%s: pins in %s are missing or foreign; attach again", ifname,
				     p->dir);
	if (rc) {
		place_close(p);
		rmdir(ROOT); /* in vain unless it is empty */
	}
	return rc;
}

/* ---- attach -----------------------------------------------------------------------------------*/

/* Keeps a descriptor of its own, unless there is one. */
static int keep(int *fd, int skeletons)
{
	if (*fd < 0)
		*fd = fcntl(skeletons, F_DUPFD_CLOEXEC, 0);
	return *fd < 0 ? -errno : 0;
}

static int load_skeleton(struct decap_bpf *skel, struct place *p, int *program_fd)
{
	struct bpf_map *const all[MAPS] = {
		[LOCAL] = skel->maps.decap_local,     [COUNTERS] = skel->maps.decap_counters,
		[FLAGS] = skel->maps.decap_flags,     [ONLY] = skel->maps.decap_only,
		[SOURCES] = skel->maps.decap_sources,
	};
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < MAPS; i++) {
		rc = bpf_map__set_max_entries(all[i], maps[i].entries);
		if (rc == 0 && p->map_fds[i] >= 0)
			rc = bpf_map__reuse_fd(all[i], p->map_fds[i]);
	}
	if (rc == 0)
		rc = decap_bpf__load(skel);
	if (rc == 0)
		rc = keep(program_fd, bpf_program__fd(skel->progs.shunt_decap));
	for (i = 0; rc == 0 && i < MAPS; i++)
		rc = keep(&p->map_fds[i], bpf_map__fd(all[i]));
	return rc;
}

/* Loads this build's program over the maps that are there, or over new ones. */
static int load(struct place *p, int *program_fd, struct dp_error *err)
{
	struct decap_bpf *skel = decap_bpf__open();
	int rc;

	if (!skel)
		return dp_fail_os(err, -errno, "cannot read the decap program");
	rc = load_skeleton(skel, p, program_fd);
	decap_bpf__destroy(skel);
	if (rc)
		return dp_fail_os(err, rc, "cannot load the decap program into the kernel");
	return 0;
}

static int pin_all(const struct place *p, struct dp_error *err)
{
	char path[DP_PATH_MAX + 32];
	int rc = dp_bpffs_dir(p->dir, err);
	size_t i;

	if (rc)
		return rc;
	for (i = 0; rc == 0 && i < MAPS; i++)
		rc = dp_pin_set(p->map_fds[i], pin_path(p, maps[i].name, path));
	if (rc == 0)
		rc = dp_pin_set(p->link_fd, pin_path(p, "link", path));
	if (rc)
		return dp_fail_os(err, rc, "%s: cannot pin %s", p->ifname, path);
	return 0;
}

/* Only where the driver refuses native mode, not where the interface is taken. */
static int attach_link(struct place *p, int program_fd, enum dp_mode mode,
		       struct dp_error *why_generic, struct dp_error *err)
{
	int rc;

	p->mode = mode ? mode : DP_NATIVE;
	rc = dp_xdp_attach(program_fd, p->ifname, p->mode, &p->link_fd, err);
	if (rc == 0 || mode || rc == -EBUSY || rc == -EPERM)
		return rc;
	if (why_generic)
		*why_generic = *err;
	p->mode = DP_GENERIC;
	return dp_xdp_attach(program_fd, p->ifname, p->mode, &p->link_fd, err);
}

/* Another mode needs another link; if the interface refuses that, the former comes back. */
static int change_mode(struct place *p, int program_fd, enum dp_mode mode, struct dp_error *err)
{
	enum dp_mode former = p->mode;
	int rc;

	bpf_link_detach(p->link_fd);
	close(p->link_fd);
	p->link_fd = -1;
	rc = attach_link(p, program_fd, mode, NULL, err);
	if (rc && attach_link(p, program_fd, former, NULL, NULL) == 0)
		(void)!pin_all(p, NULL);
	return rc;
}

static int put_into_force(struct place *p, int program_fd, enum dp_mode mode,
			  struct dp_error *why_generic, struct dp_error *err)
{
	if (p->link_fd < 0)
		return attach_link(p, program_fd, mode, why_generic, err);
	if (mode && mode != p->mode)
		return change_mode(p, program_fd, mode, err);
	if (bpf_link_update(p->link_fd, program_fd, NULL))
		return dp_fail_os(err, -errno, "%s: cannot change to the new program", p->ifname);
	return 0;
}

static int attach(struct place *p, const struct dp_decap_wish *wish, struct dp_error *why_generic,
		  struct dp_error *err)
{
	auto_close int program_fd = -1;
	bool was_attached = p->link_fd >= 0;
	int rc;

	if (!was_attached)
		dp_dir_remove(p->dir); /* of an interface that is gone */
	rc = load(p, &program_fd, err);
	if (rc == 0)
		rc = dp_decap_set_only(p->map_fds[ONLY], p->map_fds[FLAGS], wish->only,
				       wish->n_only, err);
	if (rc == 0)
		rc = dp_decap_set_addrs(p->map_fds[LOCAL], wish->addrs, wish->n_addrs, err);
	if (rc == 0)
		rc = put_into_force(p, program_fd, wish->mode, why_generic, err);
	if (rc == 0)
		rc = pin_all(p, err);
	if (rc && !was_attached)
		dp_dir_remove(p->dir);
	return rc;
}

int dp_decap_attach(const struct dp_decap_wish *wish, enum dp_mode *mode,
		    struct dp_error *why_generic, struct dp_error *err)
{
	struct place p;
	int rc = place_open(wish->ifname, &p, err);

	why_generic->text[0] = '\0';
	if (rc == 0)
		rc = attach(&p, wish, why_generic, err);
	*mode = p.mode;
	place_close(&p);
	if (rc)
		rmdir(ROOT); /* in vain unless it is empty */
	return rc;
}

int dp_decap_add(const char *ifname, const struct addr *addrs, size_t n, struct dp_error *err)
{
	struct place p;
	int rc = place_open_attached(ifname, &p, err);

	if (rc)
		return rc;
	rc = dp_decap_add_addrs(p.map_fds[LOCAL], addrs, n, err);
	place_close(&p);
	return rc;
}

int dp_decap_del(const char *ifname, const struct addr *addrs, size_t n, struct dp_error *err)
{
	struct place p;
	int rc = place_open_attached(ifname, &p, err);

	if (rc)
		return rc;
	rc = dp_decap_del_addrs(p.map_fds[LOCAL], addrs, n, err);
	place_close(&p);
	return rc;
}

int dp_decap_detach(const char *ifname, struct dp_error *err)
{
	struct place p;
	int rc = place_open(ifname, &p, err);

	if (rc == 0) {
		dp_dir_remove(p.dir);
		rmdir(ROOT); /* in vain unless it is empty */
		if (p.link_fd < 0)
			rc = dp_fail(err, -ENOENT, "%s: not attached", ifname);
	}
	place_close(&p);
	return rc;
}

/* ---- read -------------------------------------------------------------------------------------*/

int dp_decap_read(const char *ifname, struct dp_decap *out, struct dp_error *err)
{
	struct place p;
	int rc = place_open_attached(ifname, &p, err);

	if (rc)
		return rc;
	snprintf(out->ifname, sizeof(out->ifname), "%s", p.ifname);
	out->ifindex = p.ifindex;
	out->mode = p.mode;
	out->n_addrs = dp_decap_read_addrs(p.map_fds[LOCAL], out->addrs);
	dp_decap_read_only(p.map_fds[ONLY], p.map_fds[FLAGS], out);
	rc = dp_decap_read_counters(p.map_fds[COUNTERS], out->packets);
	if (rc == 0)
		rc = dp_decap_read_sources(p.map_fds[SOURCES], out);
	place_close(&p);
	if (rc)
		return dp_fail_os(err, rc, "%s: cannot read the counters", ifname);
	return 0;
}

struct walk {
	void (*fn)(void *arg, const struct dp_decap *d);
	void *arg;
	struct dp_decap *d;
};

static void visit(void *arg, const char *name)
{
	struct walk *w = arg;
	char ifname[IF_NAMESIZE];
	unsigned long long inode;
	uint32_t ifindex;

	if (sscanf(name, "%u-%llu", &ifindex, &inode) != 2 || inode != namespace_inode() ||
	    !if_indextoname(ifindex, ifname))
		return;
	if (dp_decap_read(ifname, w->d, NULL) == 0)
		w->fn(w->arg, w->d);
}

int dp_decap_each(void (*fn)(void *arg, const struct dp_decap *d), void *arg, struct dp_error *err)
{
	auto_free struct dp_decap *d = calloc(1, sizeof(*d));
	struct walk w = {.fn = fn, .arg = arg, .d = d};
	int rc;

	if (!d)
		return dp_fail_os(err, -ENOMEM, "cannot list");
	rc = lock_root(err);
	if (rc < 0)
		return rc;
	close(rc);
	rc = dp_dir_each(ROOT, visit, &w);
	if (rc && rc != -ENOENT)
		return dp_fail_os(err, rc, "cannot read " ROOT);
	rmdir(ROOT); /* in vain unless it is empty */
	return 0;
}
