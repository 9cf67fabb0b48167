/* SPDX-License-Identifier: BSD-2-Clause */
/* Put in front of bench.bpf.c to build the packet path with one part left out, LEFT_OUT, or done in
 * another way, WAY_<name>: what make bench ABLATION=1 compares with the path as it is.  Each name below
 * makes an object; WITHOUT(<name>) in bpf/ says where it is left out. */
#ifndef BENCH_ABLATION_H
#define BENCH_ABLATION_H

enum ablated {
	part_vlan_tags_in, /* skipped in the frame */
	part_vlan_tags_out,
	part_ip_options, /* of IPv4; what has some is taken for what has none */
	part_ipv6,
	part_any_port,
	part_prefixes,
	part_policies, /* of sources */
	part_stages, /* nothing is handed over, so there is no tail call to be prepared for */
	part_flow_table, /* rr and wrr */
	part_transitions, /* all slots count as settled */
	part_hash_key, /* an exclusive or instead, which anybody can aim at one backend */
	part_hop, /* TTL, hop limit and the checksum that goes with it */
	part_mtu,
	part_trimming, /* of what is behind the packet */
	part_gue_and_gre,
	part_source_bits,
	part_other_interfaces, /* all goes out where it came in */
	part_counters,
	/* Other ways: */
	part_tables_in_bss, /* in sections instead of maps */
	part_services_in_a_hash_map, /* the kernel's, instead of a perfect hash */
	part_forward_as_a_call, /* a function that is not inlined */
};

#define WITHOUT(part) (LEFT_OUT == part_##part)

#include "maps.h"

/* Sections have no lookup and no NULL, but with libbpf 1.1 they are as large as when the program was
 * compiled: maps were chosen.  Here they are at least as large as the bench's tables. */
#ifdef WAY_tables_in_bss
#define IN_BSS(name, type, entries)                                                                \
	type bss_##name[entries] SEC(".bss." #name);                                               \
	static __always_inline void *at_##name(void *map, const void *key)                         \
	{                                                                                          \
		__u32 at = *(const __u32 *)key;                                                    \
                                                                                                   \
		(void)map;                                                                         \
                                                                                                   \
		return at < (entries) ? &bss_##name[at] : NULL;                                    \
	}
IN_BSS(ctl, struct shunt_ctl, 1)
IN_BSS(seeds, __u64, 1024)
IN_BSS(services4, struct shunt_service4, 1024)
IN_BSS(services6, struct shunt_service6, 1024)
IN_BSS(slots, struct shunt_slot_line, 32768)
IN_BSS(backends, struct shunt_backend, 8192)
IN_BSS(counters, struct shunt_counter, 65536)

/* A lookup takes the address of its key, and so of the struct pkt that it is in.  Without any, clang
 * would keep that in registers and spill those that hold nothing yet, which the verifier refuses. */
#define parse parse_anywhere
#include "parse.h"
#undef parse

static __always_inline enum shunt_verdict parse(struct xdp_md *ctx, struct pkt *pkt)
{
	asm volatile("" ::"r"(pkt) : "memory");
	return parse_anywhere(ctx, pkt);
}

#define bpf_map_lookup_elem(map, key)                                                              \
	_Generic((map), __typeof__(&ctl)                                                           \
		 : at_ctl, __typeof__(&seeds)                                                      \
		 : at_seeds, __typeof__(&services4)                                                \
		 : at_services4, __typeof__(&services6)                                            \
		 : at_services6, __typeof__(&slots)                                                \
		 : at_slots, __typeof__(&backends)                                                 \
		 : at_backends, __typeof__(&counters)                                              \
		 : at_counters, default                                                            \
		 : bpf_map_lookup_elem)(map, key)
#endif

#ifdef WAY_services_in_a_hash_map
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct shunt_service);
} services_hash SEC(".maps");

#define service_find service_find_by_perfect_hash
#include "service.h"
#undef service_find

static __always_inline enum shunt_verdict service_find(const struct pkt *pkt, __u32 is_v6,
						       const struct shunt_service **svc)
{
	__u32 port_proto = shunt_port_proto(pkt->ports >> 16, pkt->l4_proto);
	__u64 key = is_v6 ? shunt_key6(pkt->daddr[0], pkt->daddr[1], port_proto)
			  : shunt_key4(pkt->daddr[0], port_proto);

	*svc = bpf_map_lookup_elem(&services_hash, &key);
	return *svc ? SHUNT_GO_ON : SHUNT_PASS_NOT_VIP;
}
#endif

#ifdef WAY_forward_as_a_call
#define forward forward_inlined
#include "fwd.h"
#undef forward

__noinline int forward_called(struct xdp_md *ctx, struct pkt *pkt, __u32 row)
{
	const struct shunt_backend *be = backend_at(row);

	return pkt && be ? forward_inlined(ctx, pkt, be, SUM_QUICKLY) : SHUNT_DROP_BAD_TABLE;
}

static __always_inline enum shunt_verdict forward(struct xdp_md *ctx, struct pkt *pkt,
						  const struct shunt_backend *be, enum sum_how how)
{
	(void)be;
	(void)how;
	return forward_called(ctx, pkt, pkt->row);
}
#endif

#endif
