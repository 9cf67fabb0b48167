/* SPDX-License-Identifier: BSD-2-Clause */
/* The programs that have probes go a client's way (shunt_path.h). They end with the daemon. */
#ifndef SHUNT_DP_PATH_H
#define SHUNT_DP_PATH_H

#include <stdint.h>

#include "base/addr.h"
#include "io/dp.h"

struct dp_path;

/* Loads them. 0, or -errno and why. */
int dp_path_open(struct dp_path **out, struct dp_error *err) __attribute__((warn_unused_result));
/* Detaches and frees them; NULL is nothing. */
void dp_path_close(struct dp_path *p);

/* Takes from interface @ifname what a daemon that was killed has left there. */
void dp_path_remove(const char *ifname);

/* Has probes find backends in @dp's tables, to be called when the tables were committed: at once if they
 * have become others, nothing otherwise. */
int dp_path_bind(struct dp_path *p, const struct dp *dp, struct dp_error *err)
	__attribute__((warn_unused_result));

/* Has probes come from interface @ifindex, the host's end of a veth whose other end has @mac. One at a
 * time. */
int dp_path_enter(struct dp_path *p, uint32_t ifindex, const uint8_t mac[6], struct dp_error *err)
	__attribute__((warn_unused_result));

/* Has replies come in through these interfaces, and no others. Those where that fails are left out: the
 * first one's error is returned and @err names it. */
int dp_path_listen(struct dp_path *p, const uint32_t *ifindexes, size_t n, struct dp_error *err);

/* Probes that mean @number go to the backend of row @row, from @host, an address of this host; none: they
 * do not go. -ENOENT for a number of 0, or not below that of rows. */
int dp_path_target(struct dp_path *p, uint32_t number, uint32_t row, const struct addr *host);

/* The address from which a probe of @family (4 or 6) that means @number comes. */
struct addr dp_path_source(uint32_t number, uint8_t family);

#endif
