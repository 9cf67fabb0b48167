/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/own.h"

bool journal_reads(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t dev, ino;
	struct stat st;

	/* A variable that was inherited says nothing of a standard error that leads elsewhere. */
	return stream && sscanf(stream, "%ju:%ju", &dev, &ino) == 2 && !fstat(fd, &st) &&
	       st.st_dev == dev && st.st_ino == ino;
}

int journal_open(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	auto_close int fd = -1;

	if (strlen(path) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	memcpy(to.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return -errno;
	return take_fd(&fd);
}

void journal_put(struct journal_entry *entry, const char *field)
{
	const char *value = strchr(field, '=');
	size_t len = strlen(field), i;

	if (!value || !value[1] || entry->len + len + 1 > sizeof(entry->text))
		return;
	for (i = 0; i < len; i++)
		entry->text[entry->len++] = (unsigned char)field[i] < ' ' ? ' ' : field[i];
	entry->text[entry->len++] = '\n';
}

int journal_send(int fd, const struct journal_entry *entry)
{
	return send(fd, entry->text, entry->len, MSG_NOSIGNAL) < 0 ? -errno : 0;
}
