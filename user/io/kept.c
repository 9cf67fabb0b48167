/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"

/* All of it is there from here on: a full filesystem is not found out by a signal later. */
static int set_size(int fd, size_t len)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((size_t)st.st_size != len && ftruncate(fd, 0))
		return -errno;
	return -posix_fallocate(fd, 0, (off_t)len);
}

static int open_file(const char *path, int *fd)
{
	char folder[512], *end;

	snprintf(folder, sizeof(folder), "%s", path);
	end = strrchr(folder, '/');
	if (end && end != folder) {
		*end = '\0';
		if (mkdir(folder, 0755) && errno != EEXIST)
			return -errno;
	}
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return *fd < 0 ? -errno : 0;
}

int kept_open(const char *path, size_t len, void **out)
{
	auto_close int fd = -1;
	int err = open_file(path, &fd), flags = MAP_SHARED;
	void *at;

	if (!err)
		err = set_size(fd, len);
	if (err)
		flags = MAP_PRIVATE | MAP_ANONYMOUS;
	at = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, err ? -1 : fd, 0);
	*out = at == MAP_FAILED ? NULL : at;
	return err || *out ? err : -errno;
}

void kept_close(void *at, size_t len)
{
	if (at)
		munmap(at, len);
}
