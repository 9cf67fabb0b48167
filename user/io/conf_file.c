/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/conf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "pure/conf_parse.h"

static bool is_secret(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot && strcmp(dot, ".key") == 0;
}

/* The size that the file system names, or -errno if this is nothing to read. */
static int regular_size(int fd, const char *path, size_t *size)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -ENODEV;
	if (st.st_size > CONF_FILE_MAX)
		return -EFBIG;
	if (is_secret(path) && st.st_mode & (S_IROTH | S_IWOTH))
		return -EKEYREJECTED;
	*size = (size_t)st.st_size;
	return 0;
}

/* Reads up to @room bytes, until the end of the file. Returns how many, or -errno. */
static ssize_t read_all(int fd, char *at, size_t room)
{
	size_t got = 0;

	while (got < room) {
		ssize_t n = read(fd, at + got, room - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

int conf_read_file(void *arg, const char *path, char **data, size_t *len)
{
	auto_close int fd = -1;
	auto_free char *text = NULL;
	size_t size = 0;
	ssize_t got;
	int rc;

	(void)arg;
	/* O_NONBLOCK: a FIFO without a writer must not hold us before it can be refused. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	rc = regular_size(fd, path, &size);
	if (rc < 0)
		return rc;

	/* A file that grows meanwhile is being written: what it held when we looked is as good as any,
	 * and its watcher calls again. */
	text = malloc(size + 1);
	if (!text)
		return -ENOMEM;
	got = read_all(fd, text, size);
	if (got < 0)
		return (int)got;
	text[got] = '\0';
	*data = take_ptr(text);
	*len = (size_t)got;
	return 0;
}
