/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the decap program (bpf/decap.bpf.c), which takes tunnels off on a backend, and shunt-decap
 * share.  Byte order: __be32 as on the wire; everything else is the host's.
 *
 * Takes IPIP, GRE and GUE (IPv4 and IPv6 in either) off packets whose outer destination is in
 * decap_local, and passes the inner packet to the stack.  With an empty decap_local every packet passes
 * untouched.  With SHUNT_DECAP_ONLY so does what does not come from a prefix in decap_only.
 *   decap_local     HASH, struct shunt_decap_addr -> __u32 1, BPF_F_NO_PREALLOC
 *   decap_flags     ARRAY of one __u32: SHUNT_DECAP_*
 *   decap_only      LPM_TRIE, struct shunt_decap_prefix -> __u32 1, BPF_F_NO_PREALLOC
 *   decap_sources   LRU_PERCPU_HASH, struct shunt_decap_addr, the outer source -> struct
 *                   shunt_decap_traffic of what was taken off; the least recent ones give way
 *   decap_counters  PERCPU_ARRAY, enum shunt_decap_count -> __u64 packets */
#ifndef SHUNT_DECAP_H
#define SHUNT_DECAP_H

#include <linux/types.h>

struct shunt_decap_addr {
	__be32 addr[4]; /* IPv4 in addr[0], the rest 0 */
	__u32 family; /* 4 or 6 */
};

#define SHUNT_DECAP_ONLY 1u /* only what comes from decap_only is taken off */

struct shunt_decap_prefix {
	__u32 prefixlen; /* in bits: SHUNT_DECAP_PREFIX_BITS and the prefix's own */
	__u32 family; /* 4 or 6 */
	__be32 addr[4]; /* IPv4 in addr[0], the rest 0 */
};
#define SHUNT_DECAP_PREFIX_BITS 32 /* of the key before addr */

struct shunt_decap_traffic {
	__u64 packets;
	__u64 bytes; /* of the outer IP packets */
};

#define SHUNT_DECAP_COUNTS(X)                                                                      \
	X(DECAPPED, "tunnel header taken off")                                                     \
	X(PASSED, "not a tunnel packet for one of the addresses, passed untouched")                \
	X(BAD, "malformed tunnel packet, dropped")                                                 \
	X(FOREIGN, "tunnel packet from a source that is not allowed, passed untouched")            \
	X(ECN, "congestion marked outside, and inside there is no ECN to say so: dropped")

enum shunt_decap_count {
#define X(name, words) SHUNT_DECAP_##name,
	SHUNT_DECAP_COUNTS(X)
#undef X
		SHUNT_DECAP_COUNT_MAX,
};

#endif
