/* SPDX-License-Identifier: GPL-2.0-only */
/* Every map of the packet path, and its settings.  shunt_abi.h says what is in them.  The daemon
 * sets max_entries before it loads the program; the numbers here only let it load without. */
#ifndef SHUNT_MAPS_H
#define SHUNT_MAPS_H

#include "pkt.h"

#define SHUNT_ARRAY(name, value_type, entries)                                                     \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__uint(max_entries, entries);                                                      \
		__type(key, __u32);                                                                \
		__type(value, value_type);                                                         \
	} name SEC(".maps")

/* The element of array map @map at @index; NULL when there is none.  The key has 8 bytes, of which the map
 * reads the lower 4: a whole slot of the stack, so that nothing of what it held before keeps apart for
 * the verifier what is the same from here on.  And it is on the stack: before Linux 6.2 no key may be
 * in memory that a global function was given. */
#define element(map, index)                                                                        \
	({                                                                                         \
		__u64 key_ = (__u32)(index);                                                       \
		bpf_map_lookup_elem(&(map), &key_);                                                \
	})

SHUNT_ARRAY(ctl, struct shunt_ctl, 1);
SHUNT_ARRAY(seeds, __u64, 64);
SHUNT_ARRAY(services4, struct shunt_service4, 64);
SHUNT_ARRAY(services6, struct shunt_service6, 64);
SHUNT_ARRAY(spans, struct shunt_span, 64);
SHUNT_ARRAY(slots, struct shunt_slot_line, 64);
SHUNT_ARRAY(bases, struct shunt_base_line, 64);
SHUNT_ARRAY(backends, struct shunt_backend, 64);
SHUNT_ARRAY(counters, struct shunt_counter, 64);
SHUNT_ARRAY(verdicts, struct shunt_verdict_line, 1);
SHUNT_ARRAY(flows, struct shunt_flow_bucket, 64);
SHUNT_ARRAY(flow_rows, struct shunt_flow_rows, 1);
SHUNT_ARRAY(loads, struct shunt_load, 64);
SHUNT_ARRAY(news, struct shunt_news, 1);
SHUNT_ARRAY(syns, struct shunt_syns, 1);
SHUNT_ARRAY(signs, struct shunt_signs, 64);
SHUNT_ARRAY(nat_requests, struct shunt_nat_bucket, 1);
SHUNT_ARRAY(nat_replies, struct shunt_nat_bucket, 1);
SHUNT_ARRAY(nat_conns, struct shunt_nat_conn, 1);
SHUNT_ARRAY(nat_addrs, struct shunt_nat_addrs, 1);
SHUNT_ARRAY(nat_backs, struct shunt_nat_backs, 1);
SHUNT_ARRAY(nat_backs6, struct shunt_nat_back6, 1);
SHUNT_ARRAY(nat_ctl, struct shunt_nat_ctl, 1);
SHUNT_ARRAY(frags, struct shunt_frag_bucket, 64);
SHUNT_ARRAY(answers, struct shunt_answer, 1);
SHUNT_ARRAY(handover, struct shunt_handover, 1);
SHUNT_ARRAY(policies, struct shunt_policy, 1);
SHUNT_ARRAY(sources, struct shunt_source_line, 1);
SHUNT_ARRAY(rates, struct shunt_rate_line, 1);
SHUNT_ARRAY(quic_records, struct shunt_quic, 1);
SHUNT_ARRAY(quic_servers, struct shunt_quic_server, 1);
SHUNT_ARRAY(owners, struct shunt_owner, 64);

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 20);
	__type(key, struct shunt_prefix_key);
	__type(value, struct shunt_prefix);
} prefixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} tx_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, SHUNT_STAGE_MAX);
	__type(key, __u32);
	__type(value, __u32);
} stages SEC(".maps");

/* With settings.dry this is a twin of the program that only says what would become of a packet: it goes by
 * the same maps and writes none of them.  Its own are counters (one for all CPUs: rows is 0), verdicts,
 * answers, handover, stages, and news, in which stands the connection that it would open (SHUNT_NAT_DRY).
 * Where it is 0, which the verifier knows, nothing of this is left. */
const volatile struct shunt_settings settings = {.rows = 64,
						 .flow_mask = 63,
						 .cpus = 1,
						 .frag_mask = 63,
						 .hz = 250,
						 .flow_shift = SHUNT_FLOW_TICK_SHIFT};

/* A backend's row.  The key is on the stack: before Linux 6.2 no key may be in memory that a global
 * function was given, and most rows are in a struct pkt. */
static __always_inline struct shunt_backend *backend_at(__u32 row)
{
	return element(backends, row);
}

static __always_inline int backend_is_usable(__u32 row)
{
	const struct shunt_backend *be = backend_at(row);

	return be && be->flags & SHUNT_BE_USABLE;
}

#endif
