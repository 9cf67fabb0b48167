/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the decap program (bpf/decap.bpf.c), which takes tunnels off on a backend, and shunt-decap
 * share.  Byte order: __be32 as on the wire; everything else is the host's.
 *
 * Takes IPIP, GRE and GUE (IPv4 and IPv6 in either) off packets whose outer destination is in decap_local, and
 * passes the inner packet to the stack.  With an empty decap_local every packet passes untouched.
 *   decap_local     HASH, struct shunt_decap_addr -> __u32 1, BPF_F_NO_PREALLOC
 *   decap_counters  PERCPU_ARRAY, enum shunt_decap_count -> __u64 packets */
#ifndef SHUNT_DECAP_H
#define SHUNT_DECAP_H

#include <linux/types.h>

struct shunt_decap_addr {
	__be32 addr[4]; /* IPv4 in addr[0], the rest 0 */
	__u32 family; /* 4 or 6 */
};

#define SHUNT_DECAP_COUNTS(X)                                                                      \
	X(DECAPPED, "tunnel header taken off")                                                     \
	X(PASSED, "not a tunnel packet for one of the addresses, passed untouched")                \
	X(BAD, "malformed tunnel packet, dropped")

enum shunt_decap_count {
#define X(name, words) SHUNT_DECAP_##name,
	SHUNT_DECAP_COUNTS(X)
#undef X
		SHUNT_DECAP_COUNT_MAX,
};

#endif
