/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/own.h"

#define BPFFS "/sys/fs/bpf"
#define BPFFS_MAGIC 0xcafe4a11

int host_sysctl(const char *name)
{
	char path[PATH_MAX], text[32];
	auto_close int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	return atoi(text);
}

static void look_at_kernel(struct doctor_host *out)
{
	struct utsname name;

	if (uname(&name) == 0 &&
	    sscanf(name.release, "%u.%u", &out->kernel[0], &out->kernel[1]) != 2)
		out->kernel[0] = 0;
	out->cpus = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
}

/* Folders "v1", "v2", ... other than ours. */
static void look_at_pins(const char *instance, struct doctor_host *out)
{
	struct dirent *entry;
	char folder[128];
	DIR *dir;

	snprintf(folder, sizeof(folder), BPFFS "/shunt/%s", instance);
	dir = opendir(folder);
	if (!dir)
		return;
	out->pinned = true;
	while ((entry = readdir(dir)) && out->n_old_pins < 4) {
		unsigned int version;
		char rest;

		if (sscanf(entry->d_name, "v%u%c", &version, &rest) != 1 ||
		    version == SHUNT_ABI_VERSION)
			continue;
		snprintf(out->old_pins[out->n_old_pins++], sizeof(out->old_pins[0]), "%.50s/v%u",
			 folder, version);
	}
	closedir(dir);
}

static bool is_limited(uint32_t pid)
{
	struct rlimit limit;

	return prlimit((pid_t)pid, RLIMIT_MEMLOCK, NULL, &limit) == 0 &&
	       limit.rlim_cur != RLIM_INFINITY;
}

static bool is_unsynced(void)
{
	struct timex t = {0};

	return adjtimex(&t) == TIME_ERROR || t.status & STA_UNSYNC;
}

void host_look(const char *instance, uint32_t pid, struct doctor_host *out)
{
	struct statfs fs;

	*out = (struct doctor_host){0};
	look_at_kernel(out);
	out->jit = host_sysctl("net/core/bpf_jit_enable");
	out->bpffs = statfs(BPFFS, &fs) == 0 && (uint32_t)fs.f_type == BPFFS_MAGIC;
	look_at_pins(instance, out);
	out->memory_limited = is_limited(pid);
	out->clock_unsynced = is_unsynced();
	out->forwards4 = host_sysctl("net/ipv4/ip_forward");
	out->forwards6 = host_sysctl("net/ipv6/conf/all/forwarding");
}
