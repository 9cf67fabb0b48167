/* SPDX-License-Identifier: BSD-2-Clause */
/* Folders are watched, not files: editors and mv replace a file, and its inode with it. On the way to
 * a file that is: each folder for being moved or removed itself, and for a name in it those that hold
 * a symbolic link on the way, the file, or nothing yet by the next name. */
#include "io/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "pure/hashkey.h"

#define READS_A_TURN 64 /* the rest in the loop's next turn */
#define LINKS_MAX 40 /* as the kernel follows */
#define IN_ITSELF (IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR | IN_MASK_ADD)
#define IN_NAMES (IN_MODIFY | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM)

struct watch_name {
	struct index_node node;
	uint32_t round; /* the last that asked for it */
	int wd;
	const char *name; /* in the folder; empty: the folder itself */
	char path[]; /* of both */
};

int watches_open(struct watches *w)
{
	*w = (struct watches){.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
	return w->fd < 0 ? -errno : 0;
}

void watches_close(struct watches *w)
{
	while (w->n > 0)
		free(w->list[--w->n]);
	free(w->list);
	free(w->folder);
	index_fini(&w->by_key);
	if (w->fd >= 0)
		close(w->fd);
	*w = (struct watches){.fd = -1};
}

/* ---- names --------------------------------------------------------------------------------------*/

static uint64_t key_of(int wd, const char *name)
{
	const uint64_t key[2] = {(uint64_t)wd, 0x6e616d65};

	return siphash24(name, strlen(name), key);
}

static struct watch_name *find(const struct watches *w, int wd, const char *name)
{
	struct index_node *node = index_first(&w->by_key, key_of(wd, name));

	for (; node; node = index_next(node)) {
		struct watch_name *x = (struct watch_name *)node; /* its first member */

		if (x->wd == wd && strcmp(x->name, name) == 0)
			return x;
	}
	return NULL;
}

static int reserve(struct watches *w)
{
	size_t room = w->room ? w->room * 2 : 16;
	struct watch_name **grown;

	if (w->n < w->room)
		return 0;
	grown = realloc(w->list, room * sizeof(struct watch_name *));
	if (!grown)
		return -ENOMEM;
	w->list = grown;
	w->room = room;
	return 0;
}

static int note(struct watches *w, const char *folder, uint32_t events, const char *name)
{
	auto_free struct watch_name *x = NULL;
	struct watch_name *there;
	int wd = inotify_add_watch(w->fd, folder, events);

	if (wd < 0)
		return -errno;
	there = find(w, wd, name);
	if (there) {
		there->round = w->round;
		return 0;
	}
	x = calloc(1, sizeof(*x) + strlen(folder) + 1 + strlen(name) + 1);
	if (!x || reserve(w) || index_add(&w->by_key, &x->node, key_of(wd, name)))
		return -ENOMEM;
	x->wd = wd;
	x->round = w->round;
	x->name = x->path + sprintf(x->path, "%s/", folder);
	strcat(x->path, name);
	w->list[w->n++] = take_ptr(x);
	return 0;
}

static bool is_used(const struct watches *w, int wd)
{
	size_t i;

	for (i = 0; i < w->n; i++)
		if (w->list[i]->wd == wd)
			return true;
	return false;
}

void watches_begin(struct watches *w)
{
	w->round++;
}

/* Ends the watching of the folders of @n names that are no longer in the list. */
static void forget_folders(const struct watches *w, struct watch_name *const *names, size_t n)
{
	int last = -1;
	size_t i;

	for (i = 0; i < n; i++) {
		if (names[i]->wd != last && !is_used(w, names[i]->wd))
			inotify_rm_watch(w->fd, names[i]->wd);
		last = names[i]->wd;
	}
}

void watches_end(struct watches *w, bool keep)
{
	size_t all = w->n, i = 0;

	if (keep)
		w->kept = w->round;
	while (i < w->n) { /* those that go to the end of the list */
		struct watch_name *x = w->list[i];

		if (x->round == w->round || x->round == w->kept) {
			i++;
			continue;
		}
		index_remove(&w->by_key, &x->node);
		w->list[i] = w->list[--w->n];
		w->list[w->n] = x;
	}
	forget_folders(w, w->list + w->n, all - w->n);
	while (all > w->n)
		free(w->list[--all]);
}

/* ---- paths --------------------------------------------------------------------------------------*/

/* A path on the way: how far it has been followed, and what is left. */
struct way {
	char at[PATH_MAX], rest[PATH_MAX];
	int links;
};

/* Moves the first name of the rest into @name. False when there is none. */
static bool next_name(struct way *way, char name[static NAME_MAX + 1])
{
	size_t skip = strspn(way->rest, "/"), len = strcspn(way->rest + skip, "/");

	if (len == 0 || len > NAME_MAX)
		return false;
	memcpy(name, way->rest + skip, len);
	name[len] = '\0';
	memmove(way->rest, way->rest + skip + len, strlen(way->rest + skip + len) + 1);
	return true;
}

static int start_at(struct way *way, const char *path)
{
	if (snprintf(way->rest, sizeof(way->rest), "%s", path) >= (int)sizeof(way->rest))
		return -ENAMETOOLONG;
	if (path[0] == '/')
		strcpy(way->at, "/");
	return 0;
}

/* The link's target goes before what is left. */
static int follow_link(struct way *way, const char *link)
{
	char target[PATH_MAX], path[2 * PATH_MAX];
	ssize_t len = readlink(link, target, sizeof(target) - 1);

	if (len < 0)
		return -errno;
	if (++way->links > LINKS_MAX)
		return -ELOOP;
	target[len] = '\0';
	if (snprintf(path, sizeof(path), "%s/%s", target, way->rest) >= PATH_MAX)
		return -ENAMETOOLONG;
	return start_at(way, path);
}

/* One name further. Returns 1 to go on, 0 at the end of the way, or -errno. */
static int step(struct watches *w, struct way *way, const char *name)
{
	char path[PATH_MAX];
	struct stat st;
	int err;

	if (snprintf(path, sizeof(path), "%s%s%s", way->at,
		     way->at[1] || *way->at != '/' ? "/" : "", name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		strcpy(way->at, path);
		err = note(w, way->at, IN_ITSELF, "");
		return err ? err : 1;
	}
	err = note(w, way->at, IN_ITSELF | IN_NAMES, name);
	if (err)
		return err;
	if (lstat(path, &st) || !S_ISLNK(st.st_mode))
		return 0;
	err = follow_link(way, path);
	return err ? err : 1;
}

static int walk(struct watches *w, const char *path)
{
	struct way way = {.at = "."};
	char name[NAME_MAX + 1];
	int ret = start_at(&way, path);

	if (ret)
		return ret;
	ret = 1;
	while (ret > 0 && next_name(&way, name))
		ret = step(w, &way, name);
	return ret < 0 ? ret : 0;
}

/* Ten thousand files of one folder take one walk. True when that is all that @path takes. */
static bool is_in_known_folder(struct watches *w, const char *path, size_t len)
{
	struct stat st;

	if (!w->folder || w->folder_round != w->round || strlen(w->folder) != len ||
	    memcmp(w->folder, path, len) != 0)
		return false;
	if (note(w, w->folder, IN_ITSELF | IN_NAMES, path + len))
		return false;
	return lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

int watches_add(struct watches *w, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) + 1 : 0;
	int ret;

	if (is_in_known_folder(w, path, len))
		return 0;
	ret = walk(w, path);
	free(w->folder);
	w->folder = ret || !len ? NULL : strndup(path, len);
	w->folder_round = w->round;
	return ret;
}

/* ---- events -------------------------------------------------------------------------------------*/

/* A file made just now and empty: whoever made it writes and closes it yet. */
static bool is_unwritten(const struct watch_name *x)
{
	struct stat st;

	return lstat(x->path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0;
}

static enum watch_news news_of(const struct watches *w, const struct inotify_event *ev)
{
	const struct watch_name *x;

	if (ev->mask & (IN_Q_OVERFLOW | IN_MOVE_SELF | IN_DELETE_SELF | IN_UNMOUNT))
		return WATCH_CHANGED;
	x = ev->len ? find(w, ev->wd, ev->name) : NULL;
	if (!x)
		return WATCH_NOTHING;
	if (ev->mask & IN_MODIFY || (ev->mask & IN_CREATE && is_unwritten(x)))
		return WATCH_WRITING;
	return WATCH_CHANGED;
}

enum watch_news watches_read(struct watches *w)
{
	char buffer[8192] __attribute__((aligned(__alignof__(struct inotify_event))));
	enum watch_news news = WATCH_NOTHING;
	ssize_t len = 1;
	int reads;

	for (reads = 0; reads < READS_A_TURN && len > 0; reads++) {
		const char *at = buffer;

		len = read(w->fd, buffer, sizeof(buffer));
		while (at < buffer + len) {
			const struct inotify_event *ev = (const void *)at;
			enum watch_news one = news_of(w, ev);

			news = one > news ? one : news;
			at += sizeof(*ev) + ev->len;
		}
	}
	return news;
}
