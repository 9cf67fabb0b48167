/* SPDX-License-Identifier: BSD-2-Clause */
/* What dp's parts share of the system: errors in words, the bpf filesystem, the instance's lock, and
 * one XDP link on one interface. */
#ifndef SHUNT_DP_SYS_H
#define SHUNT_DP_SYS_H

#include <stdint.h>

#include "io/dp.h"

#define DP_BPFFS "/sys/fs/bpf"
#define DP_PATH_MAX 256

/* Writes the sentence into @err (which may be NULL) and returns @rc. */
int dp_fail(struct dp_error *err, int rc, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with the words of -@rc at the end, and, when that is a matter of permission, with the
 * capabilities that this process lacks. */
int dp_fail_os(struct dp_error *err, int rc, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Whether the process has the capabilities that the dataplane needs: 0, or -EPERM and in @err which
 * are missing. */
int dp_may(struct dp_error *err);

/* Mounts the bpf filesystem on /sys/fs/bpf unless @dir is to be on one already, and makes the folder @dir with its
 * parents. -EINVAL when @dir is not on a bpf filesystem. */
int dp_bpffs_dir(const char *dir, struct dp_error *err) __attribute__((warn_unused_result));

bool dp_is_bpffs(const char *path);

/* Takes the lock of the folder @dir (an flock on the folder itself, so it exists exactly as long as
 * what it protects, also across network namespaces, and the kernel gives it back on any death).
 * Waits half a second for a dying holder's children. Returns a descriptor, or -EBUSY. */
int dp_lock(const char *dir, struct dp_error *err) __attribute__((warn_unused_result));

enum dp_kind { DP_KIND_MAP, DP_KIND_PROGRAM, DP_KIND_LINK };

/* Opens the pin at @path. Returns a descriptor, -ENOENT, -EBADF when another kind of object is
 * pinned there, or another error. */
int dp_pin_get(const char *path, enum dp_kind kind) __attribute__((warn_unused_result));

/* Pins @fd at @path in place of what was there. */
int dp_pin_set(int fd, const char *path) __attribute__((warn_unused_result));

/* Calls @fn for every name in the folder, which may remove it. 0, or -errno of opening it. */
int dp_dir_each(const char *dir, void (*fn)(void *arg, const char *name), void *arg);

/* Detaches every link and removes every pin in @dir, then @dir. */
void dp_dir_remove(const char *dir);

/* ---- one XDP link -----------------------------------------------------------------------------*/

/* Attaches the program to the interface with exactly this mode and gives the link's descriptor in
 * @link_fd. -EBUSY naming the other program, or the driver's refusal in words. */
int dp_xdp_attach(int program_fd, const char *ifname, enum dp_mode mode, int *link_fd,
		  struct dp_error *err) __attribute__((warn_unused_result));

/* Says in @err why attaching ended with @rc, -errno, which it returns. */
int dp_xdp_fail(int rc, const char *ifname, enum dp_mode mode, struct dp_error *err);

/* The interface that a link is attached to, 0 when that is gone; and its program's id. */
int dp_xdp_link_info(int link_fd, uint32_t *ifindex, uint32_t *program_id)
	__attribute__((warn_unused_result));

/* The mode in which the link works on interface @ifindex of this network namespace; 0: it does not. */
enum dp_mode dp_xdp_link_mode(int link_fd, uint32_t ifindex);

#endif
