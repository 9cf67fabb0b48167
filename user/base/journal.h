/* SPDX-License-Identifier: BSD-2-Clause */
/* Entries with fields, to a journal that speaks systemd's native protocol: a datagram is an entry, and each
 * of its lines a field. https://systemd.io/JOURNAL_NATIVE_PROTOCOL/ */
#ifndef SHUNT_JOURNAL_H
#define SHUNT_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define JOURNAL_ENTRY_MAX 12288

/* Whether what is written to @fd goes to the journal that started this process, by JOURNAL_STREAM in the
 * environment. systemd.exec(5). */
bool journal_reads(int fd);

/* Connects to the journal at @path. Returns a descriptor that the caller closes and that never blocks, or
 * -errno. */
int journal_open(const char *path) __attribute__((warn_unused_result));

/* An entry being written. */
struct journal_entry {
	char text[JOURNAL_ENTRY_MAX];
	size_t len;
};

/* Appends "NAME=value", where what would end the line or is no text becomes a space. A field without a
 * value is left out, as is one that there is no room for. */
void journal_put(struct journal_entry *entry, const char *field);

/* 0, or -errno: -EAGAIN where it has no room just now. */
int journal_send(int fd, const struct journal_entry *entry) __attribute__((warn_unused_result));

#endif
