/* SPDX-License-Identifier: BSD-2-Clause */
/* Errors in words, the bpf filesystem and its pins, the instance's lock. */
#include "io/dp_sys.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include "base/own.h"
#include "io/dp_shared.h"

#define LOCK_WAIT_MS 500
#define LOCK_STEP_MS 10

int dp_fail(struct dp_error *err, int rc, const char *format, ...)
{
	va_list args;

	if (!err)
		return rc;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return rc;
}

static uint64_t effective_capabilities(void)
{
	auto_fclose FILE *f = fopen("/proc/self/status", "re");
	unsigned long long caps = ~0ull;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	return caps;
}

/* Those that the process has, and those that they stand for. */
static uint64_t capabilities(void)
{
	uint64_t caps = effective_capabilities();

	if (caps & 1ull << CAP_SYS_ADMIN)
		caps |= 1ull << CAP_BPF | 1ull << CAP_PERFMON;
	return caps;
}

/* Appends what is missing, or who else may forbid it. */
static void append_missing(char *text, size_t size, int rc)
{
	static const struct {
		int cap;
		const char *name;
	} wanted[] = {
		{CAP_BPF, "CAP_BPF"},
		{CAP_NET_ADMIN, "CAP_NET_ADMIN"},
		{CAP_PERFMON, "CAP_PERFMON"},
		{CAP_SYS_ADMIN, "CAP_SYS_ADMIN (only to mount " DP_BPFFS ")"},
	};
	uint64_t caps = capabilities();
	const char *glue = "; missing: ";
	struct statfs fs;
	size_t i, len;

	if (statfs(DP_BPFFS, &fs) == 0 && fs.f_type == BPF_FS_MAGIC)
		caps |= 1ull << CAP_SYS_ADMIN;
	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (caps & 1ull << wanted[i].cap)
			continue;
		len = strlen(text);
		snprintf(text + len, size - len, "%s%s", glue, wanted[i].name);
		glue = ", ";
	}
	if (glue[0] == ';' && rc == -EPERM) {
		len = strlen(text);
		snprintf(text + len, size - len,
			 "; no capability is missing, so it is a container's user namespace, a "
			 "security module or kernel lockdown that forbids it");
	}
}

int dp_fail_os(struct dp_error *err, int rc, const char *format, ...)
{
	va_list args;
	size_t len;

	if (!err)
		return rc;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, ": %s", strerror(-rc));
	if (rc == -EPERM || rc == -EACCES)
		append_missing(err->text, sizeof(err->text), rc);
	return rc;
}

int dp_may(struct dp_error *err)
{
	const uint64_t needed = 1ull << CAP_BPF | 1ull << CAP_NET_ADMIN | 1ull << CAP_PERFMON;

	if ((capabilities() & needed) == needed)
		return 0;
	return dp_fail_os(err, -EPERM, "may not load and attach XDP programs");
}

/* ---- bpf filesystem ---------------------------------------------------------------------------*/

bool dp_is_bpffs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

/* Under a lock of the mount point, since a second mount would hide the pins of the first. */
static int mount_bpffs(struct dp_error *err)
{
	auto_close int fd = -1;

	if (dp_is_bpffs(DP_BPFFS))
		return 0;
	fd = open(DP_BPFFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return dp_fail_os(err, -errno, "cannot open " DP_BPFFS);
	flock(fd, LOCK_EX);
	if (dp_is_bpffs(DP_BPFFS))
		return 0;
	if (mount("bpf", DP_BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
		return dp_fail_os(err, -errno, "cannot mount a bpf filesystem on " DP_BPFFS);
	return 0;
}

/* Whether @dir, or else the nearest one above it that there is, is on a bpf filesystem. A unit may be shown no
 * more of that than its own folder. */
static bool is_on_bpffs(const char *dir)
{
	char path[DP_PATH_MAX], *slash;
	struct stat there;

	snprintf(path, sizeof(path), "%s", dir);
	while (stat(path, &there) && (slash = strrchr(path, '/')) && slash != path)
		*slash = '\0';
	return dp_is_bpffs(path);
}

static int make_dirs(const char *dir, struct dp_error *err)
{
	char path[DP_PATH_MAX];
	char *slash;

	if (strlen(dir) >= sizeof(path) || dir[0] != '/')
		return dp_fail(err, -EINVAL, "%.200s: not the absolute path of a folder for pins",
			       dir);
	strcpy(path, dir);
	for (slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = '\0';
		if (mkdir(path, 0700) && errno != EEXIST)
			return dp_fail_os(err, -errno, "cannot make the folder %s for pins", path);
		if (!slash)
			return 0;
		*slash = '/';
	}
}

int dp_bpffs_dir(const char *dir, struct dp_error *err)
{
	int rc = 0;

	if (!is_on_bpffs(dir) && strncmp(dir, DP_BPFFS "/", strlen(DP_BPFFS "/")) == 0)
		rc = mount_bpffs(err);
	if (rc == 0)
		rc = make_dirs(dir, err);
	if (rc == 0 && !dp_is_bpffs(dir))
		rc = dp_fail(err, -EINVAL, "%s is not on a bpf filesystem, nothing can be pinned",
			     dir);
	return rc;
}

/* ---- lock -------------------------------------------------------------------------------------*/

static int flock_patiently(int fd)
{
	const struct timespec step = {.tv_nsec = LOCK_STEP_MS * 1000000L};
	int waited_ms;

	for (waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB); waited_ms += LOCK_STEP_MS) {
		if (errno != EWOULDBLOCK)
			return -errno;
		if (waited_ms >= LOCK_WAIT_MS)
			return -EBUSY;
		nanosleep(&step, NULL);
	}
	return 0;
}

int dp_lock(const char *dir, struct dp_error *err)
{
	auto_close int fd = -1;
	struct stat held, there;
	int rc;

	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return dp_fail_os(err, -errno, "cannot open %s", dir);
	rc = flock_patiently(fd);
	if (rc == -EBUSY)
		return dp_fail(err, rc, "%s is in use by another process", dir);
	if (rc)
		return dp_fail_os(err, rc, "cannot lock %s", dir);
	if (fstat(fd, &held) || stat(dir, &there) || held.st_ino != there.st_ino)
		return dp_fail(err, -EBUSY, "%s was removed by another process at this moment",
			       dir);
	return take_fd(&fd);
}

/* ---- pins -------------------------------------------------------------------------------------*/

/* The kernel tells the kinds apart by the name of the descriptor's inode only; an info call on the
 * wrong kind would be answered, wrongly. A new link is called "bpf_link", one opened by its pin
 * "bpf-link". */
static bool is_kind(int fd, enum dp_kind kind)
{
	static const char *const names[] = {
		[DP_KIND_MAP] = "bpf-map", [DP_KIND_PROGRAM] = "bpf-prog", [DP_KIND_LINK] = "link"};
	char link[64], target[64] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, target, sizeof(target) - 1) < 0)
		return false;
	return strstr(target, names[kind]) != NULL;
}

int dp_pin_get(const char *path, enum dp_kind kind)
{
	auto_close int fd = bpf_obj_get(path);

	if (fd < 0)
		return -errno;
	if (!is_kind(fd, kind))
		return -EBADF;
	return take_fd(&fd);
}

int dp_pin_set(int fd, const char *path)
{
	if (unlink(path) && errno != ENOENT)
		return -errno;
	return bpf_obj_pin(fd, path) ? -errno : 0;
}

int dp_dir_each(const char *dir, void (*fn)(void *arg, const char *name), void *arg)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	if (!d)
		return -errno;
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			fn(arg, e->d_name);
	closedir(d);
	return 0;
}

static void remove_shared(const char *path, const char *name)
{
	auto_close int fd = dp_pin_get(path, DP_KIND_PROGRAM);
	char ifname[IF_NAMESIZE];
	size_t i;

	snprintf(ifname, sizeof(ifname), "%.15s", name);
	for (i = 0; ifname[i]; i++)
		if (ifname[i] == ':')
			ifname[i] = '.';
	if (fd >= 0)
		dp_shared_detach(fd, if_nametoindex(ifname));
}

static void remove_pin(void *arg, const char *name)
{
	auto_close int fd = -1;
	char path[DP_PATH_MAX + 256];

	snprintf(path, sizeof(path), "%s/%s", (const char *)arg, name);
	fd = dp_pin_get(path, DP_KIND_LINK);
	if (fd >= 0)
		bpf_link_detach(fd);
	else if (strncmp(name, "shared-", 7) == 0)
		remove_shared(path, name + 7);
	unlink(path);
}

void dp_dir_remove(const char *dir)
{
	dp_dir_each(dir, remove_pin, (void *)dir);
	rmdir(dir);
}
