/* SPDX-License-Identifier: BSD-2-Clause */
/* Watching packets. While somebody does, the interfaces run a small program made of the filter, which has
 * what matches go on in a twin of the packet path that tells of each packet (bpf/traced.bpf.c), over the
 * same tables, and all else in the packet path itself. Both are put in and taken out by link updates; what
 * has to outlive a daemon that is killed is pinned as trace-*, and the next one takes it out. */
#ifndef SHUNT_DP_TRACE_H
#define SHUNT_DP_TRACE_H

#include "io/dp.h"
#include "pure/cbpf.h"

struct dp_trace_ask {
	const struct cbpf *filter;
	size_t n; /* 0: all packets */
	uint32_t row, rows; /* only what would be counted in these; rows 0: all */
	uint32_t one_of; /* by chance, of those that match and are of these rows; 0 and 1: each */
};

/* -EINVAL: no filter; -EBUSY: there is one already; else what the kernel says. */
int dp_trace_begin(struct dp *dp, const struct dp_trace_ask *ask, struct dp_error *err)
	__attribute__((warn_unused_result));
/* No-op when there is none. */
void dp_trace_end(struct dp *dp);
/* From now on these rows are asked for: a service has got others. No-op when nobody watches. */
void dp_trace_follow(struct dp *dp, uint32_t row, uint32_t rows);
/* Whether it goes on: growing tables, and other programs put in force, end it. */
bool dp_is_traced(const struct dp *dp);
/* Takes up to @max records off the ring and gives them to @fn; returns how many, or -errno. */
int dp_trace_read(struct dp *dp, size_t max, void (*fn)(void *arg, const struct shunt_traced *t),
		  void *arg);

/* For tests: loads a program of @ask that goes on in jumps[0] with what matches, else in jumps[1], a map of
 * programs. Its descriptor, or -errno with @err. */
int dp_trace_filter(const struct dp_trace_ask *ask, int jumps_fd, bool shared,
		    struct dp_error *err);

#endif
