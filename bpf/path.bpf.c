// SPDX-License-Identifier: GPL-2.0-only
/* Probes on a client's way: shunt_path.h says how.  Out goes what the packet path itself would send, by
 * the same code; what comes back never was for the packet path, since it comes straight to the host. */
#include "pkt.h"
#include "parse.h"
#include "fwd.h"
#include "nat_rewrite.h"

#include <linux/pkt_cls.h>

#include "path_error.h"
#include "shunt_path.h"

#define PORT_TRIES 16

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct shunt_path_target);
} path_targets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct shunt_backend);
} backends SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SHUNT_PATH_FLOWS);
	__type(key, struct shunt_path_flow);
	__type(value, __be16);
} path_out SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SHUNT_PATH_FLOWS);
	__type(key, struct shunt_path_flow);
	__type(value, struct shunt_path_flow);
} path_in SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct shunt_path_veth);
} path_veth SEC(".maps");

static __always_inline int is_same_flow(const struct shunt_path_flow *a,
					const struct shunt_path_flow *b)
{
	const __u32 *x = (const void *)a, *y = (const void *)b;
	__u32 differ = 0;

	for (__u32 i = 0; i < sizeof(*a) / 4; i++)
		differ |= x[i] ^ y[i];
	return !differ;
}

/* ---- out ----------------------------------------------------------------------------------------*/

/* The number of the target that the probe's source address names; 0: none. */
static __always_inline __u32 target_number(const struct pkt *pkt)
{
	const __u32 prefix[3] = SHUNT_PATH_PREFIX6;
	__u32 addr = bpf_ntohl(pkt->saddr[0]);

	if (!pkt->is_v6)
		return (addr & ~SHUNT_PATH_NUMBER4) == SHUNT_PATH_NET4 ? addr & SHUNT_PATH_NUMBER4
								       : 0;
	for (int i = 0; i < 3; i++)
		if (bpf_ntohl(pkt->saddr[i]) != prefix[i])
			return 0;
	return bpf_ntohl(pkt->saddr[3]);
}

static __always_inline void flow_of(const struct pkt *pkt, struct shunt_path_flow *f)
{
	const __be32 *daddr = (const void *)pkt->daddr;

	*f = (struct shunt_path_flow){
		.local = {pkt->saddr[0]},
		.remote = {daddr[0]},
		.local_port = pkt->ports,
		.remote_port = pkt->ports >> 16,
		.proto = pkt->l4_proto,
	};
	if (pkt->is_v6) {
		copy_addr(f->local, pkt->saddr);
		copy_addr(f->remote, daddr);
	}
}

/* The flow as it is on the way, but for its local port.  -1: the host has no address for it. */
static __always_inline int on_the_way(const struct pkt *pkt, const struct shunt_path_target *target,
				      const struct shunt_backend *be, struct shunt_path_flow *f)
{
	int translates = be->method == SHUNT_NAT || be->method == SHUNT_MASQ;

	if (pkt->is_v6)
		copy_addr(f->local, target->host6);
	else
		f->local[0] = target->host4;
	if (!f->local[0] || (translates && pkt->is_v6 != !!(be->flags & SHUNT_BE_ADDR6)))
		return -1;
	if (translates)
		copy_addr(f->remote, be->addr);
	if (translates && be->port)
		f->remote_port = be->port;
	return 0;
}

/* Has the reply to @way find @probe.  The probe's own port where that is free; two probes that look the
 * same on the way would be one connection. */
static __always_inline int port_take(const struct shunt_path_flow *probe,
				     struct shunt_path_flow *way)
{
	__be16 port = probe->local_port;
	const struct shunt_path_flow *there;

	for (int i = 0; i < PORT_TRIES; i++) {
		way->local_port = port;
		if (bpf_map_update_elem(&path_in, way, probe, BPF_NOEXIST) == 0)
			return 0;
		there = bpf_map_lookup_elem(&path_in, way);
		if (there && is_same_flow(there, probe))
			return 0;
		port = bpf_htons(SHUNT_PATH_PORT_MIN +
				 bpf_get_prandom_u32() % (65536 - SHUNT_PATH_PORT_MIN));
	}
	return -1;
}

static __always_inline int port_choose(const struct shunt_path_flow *probe,
				       struct shunt_path_flow *way)
{
	const __be16 *port = bpf_map_lookup_elem(&path_out, probe);

	if (port) {
		way->local_port = *port;
		/* used again, and so that the one is not forgotten before the other */
		return bpf_map_update_elem(&path_in, way, probe, BPF_ANY);
	}
	if (port_take(probe, way))
		return -1;
	return bpf_map_update_elem(&path_out, probe, &way->local_port, BPF_ANY);
}

static __always_inline int rewrite(struct xdp_md *ctx, struct pkt *pkt,
				   const struct shunt_path_flow *way)
{
	struct nat_change to;

	copy_addr(to.saddr, way->local);
	copy_addr(to.daddr, way->remote);
	to.ports = way->local_port | (__u32)way->remote_port << 16;
	to.is_v6 = pkt->is_v6;
	pkt->ports = to.ports;
	pkt->ttl--; /* which a rewrite takes */
	pkt->hash = (to.ports ^ way->remote[3] ^ way->remote[0]) * 0x9e3779b97f4a7c15ull;
	return NAT_VERDICT(pkt->is_v6 ? nat_rewrite6(ctx, pkt, &to) : nat_rewrite4(ctx, pkt, &to));
}

static __always_inline enum shunt_verdict send(struct xdp_md *ctx, struct pkt *pkt,
					       const struct shunt_backend *be)
{
	if (be->method == SHUNT_NAT || be->method == SHUNT_MASQ)
		return forward_dsr(ctx, pkt, be);
	return forward(ctx, pkt, be, SUM_ALL);
}

SEC("xdp")
int shunt_path_out(struct xdp_md *ctx)
{
	const struct shunt_path_target *target;
	const struct shunt_backend *be;
	struct shunt_path_flow probe, way;
	struct pkt pkt = {0};
	__u32 number, row;

	if (parse(ctx, &pkt) != SHUNT_GO_ON)
		return XDP_DROP;
	number = target_number(&pkt);
	target = number ? bpf_map_lookup_elem(&path_targets, &number) : NULL;
	if (!target || !target->row)
		return XDP_DROP;
	row = target->row;
	be = bpf_map_lookup_elem(&backends, &row);
	if (!be || !be->ifindex || be->method == SHUNT_LOCAL)
		return XDP_DROP;
	flow_of(&pkt, &probe);
	way = probe;
	if (on_the_way(&pkt, target, be, &way) || port_choose(&probe, &way) ||
	    rewrite(ctx, &pkt, &way) || send(ctx, &pkt, be) > SHUNT_FORWARD_GRE)
		return XDP_DROP;
	return bpf_redirect(be->ifindex, 0);
}

/* ---- in -----------------------------------------------------------------------------------------*/

/* Where things are in a reply. */
struct reply {
	struct shunt_path_flow flow;
	__u32 local_at, remote_at; /* addresses, in bytes from the frame's start on */
	__u32 l3_csum_at; /* 0: IPv6 has none */
	__u32 l4_at;
	__u32 addr_len;
};

#define L4_CSUM_AT(proto)                                                                          \
	((proto) == IPPROTO_TCP ? __builtin_offsetof(struct tcp_head, csum)                        \
				: __builtin_offsetof(struct udp_head, csum))

static __always_inline int read_ports(struct cursor *c, struct reply *r)
{
	const struct udp_head *l4 = take(c, 8);

	if (!l4)
		return -1;
	r->flow.remote_port = l4->ports;
	r->flow.local_port = l4->ports >> 16;
	return 0;
}

static __always_inline int read_ipv4(struct cursor *c, struct reply *r)
{
	const struct ipv4_head *ip = take(c, sizeof(*ip));
	const __u32 at = sizeof(struct eth_head);

	if (!ip || ip->version_ihl != 0x45 || ip->frag & bpf_htons(IPV4_FRAGMENT))
		return -1;
	*r = (struct reply){
		.flow = {.local = {ip->daddr}, .remote = {ip->saddr}, .proto = ip->proto},
		.local_at = at + __builtin_offsetof(struct ipv4_head, daddr),
		.remote_at = at + __builtin_offsetof(struct ipv4_head, saddr),
		.l3_csum_at = at + __builtin_offsetof(struct ipv4_head, csum),
		.l4_at = at + sizeof(*ip),
		.addr_len = 4,
	};
	return read_ports(c, r);
}

static __always_inline int read_ipv6(struct cursor *c, struct reply *r)
{
	const struct ipv6_head *ip = take(c, sizeof(*ip));
	const __u32 at = sizeof(struct eth_head);

	if (!ip)
		return -1;
	*r = (struct reply){
		.flow = {.proto = ip->next},
		.local_at = at + __builtin_offsetof(struct ipv6_head, daddr),
		.remote_at = at + __builtin_offsetof(struct ipv6_head, saddr),
		.l4_at = at + sizeof(*ip),
		.addr_len = 16,
	};
	copy_addr(r->flow.local, ip->daddr);
	copy_addr(r->flow.remote, ip->saddr);
	return read_ports(c, r);
}

static __always_inline int read_reply(struct __sk_buff *skb, struct reply *r)
{
	struct cursor c;
	const struct eth_head *eth;

	if (skb->protocol != bpf_htons(ETH_P_IP) && skb->protocol != bpf_htons(ETH_P_IPV6))
		return -1;
	/* what a driver has not put into the first buffer yet */
	bpf_skb_pull_data(skb, sizeof(struct eth_head) + sizeof(struct ipv6_head) + 8);
	c = skb_cursor(skb);
	eth = take(&c, sizeof(*eth));
	if (!eth)
		return -1;
	if (eth->type == bpf_htons(ETH_P_IP) ? read_ipv4(&c, r) : read_ipv6(&c, r))
		return -1;
	return r->flow.proto == IPPROTO_TCP || r->flow.proto == IPPROTO_UDP ? 0 : -1;
}

/* Puts @to in the place of the address @from, @at bytes into the frame. */
static __always_inline int put_addr(struct __sk_buff *skb, const struct reply *r, __u32 at,
				    __be32 from[4], __be32 to[4])
{
	__u32 csum_at = r->l4_at + L4_CSUM_AT(r->flow.proto);
	__u64 flags = BPF_F_PSEUDO_HDR | (r->flow.proto == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0);
	__s64 change;

	/* IPv4 addresses have zeros behind them, which change nothing */
	change = bpf_csum_diff(from, 16, to, 16, 0);
	if (bpf_l4_csum_replace(skb, csum_at, 0, change, flags))
		return -1;
	if (r->l3_csum_at && bpf_l3_csum_replace(skb, r->l3_csum_at, 0, change, 0))
		return -1;
	return r->addr_len == 4 ? bpf_skb_store_bytes(skb, at, to, 4, 0)
				: bpf_skb_store_bytes(skb, at, to, 16, 0);
}

static __always_inline int put_ports(struct __sk_buff *skb, const struct reply *r,
				     const struct shunt_path_flow *probe)
{
	__u32 was = r->flow.remote_port | (__u32)r->flow.local_port << 16;
	__u32 now = probe->remote_port | (__u32)probe->local_port << 16;
	__u64 flags = r->flow.proto == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;

	if (bpf_l4_csum_replace(skb, r->l4_at + L4_CSUM_AT(r->flow.proto), was, now, flags | 4))
		return -1;
	return bpf_skb_store_bytes(skb, r->l4_at, &now, 4, 0);
}

/* ---- errors -------------------------------------------------------------------------------------*/

/* Whose error it is, it gets; the sender's address stays. */
static __always_inline int bring_error(struct __sk_buff *skb)
{
	const struct shunt_path_flow *there;
	const struct shunt_path_veth *veth;
	struct shunt_path_flow probe;
	struct error e;
	__u32 first = 0;

	if (read_error(skb, &e))
		return TC_ACT_UNSPEC;
	there = bpf_map_lookup_elem(&path_in, &e.flow);
	veth = bpf_map_lookup_elem(&path_veth, &first);
	if (!there || !veth)
		return TC_ACT_UNSPEC;
	probe = *there;
	if ((skb->vlan_present && bpf_skb_vlan_pop(skb)) || put_error(skb, &e, &probe) ||
	    bpf_skb_store_bytes(skb, 0, veth->mac, 6, 0))
		return TC_ACT_SHOT;
	return bpf_redirect(veth->ifindex, 0);
}

SEC("tc")
int shunt_path_in(struct __sk_buff *skb)
{
	const struct shunt_path_flow *there;
	const struct shunt_path_veth *veth;
	struct shunt_path_flow probe;
	struct reply r;
	__u32 first = 0;

	if (read_reply(skb, &r))
		return bring_error(skb);
	there = bpf_map_lookup_elem(&path_in, &r.flow);
	veth = bpf_map_lookup_elem(&path_veth, &first);
	if (!there || !veth)
		return TC_ACT_UNSPEC;
	probe = *there;
	if ((skb->vlan_present && bpf_skb_vlan_pop(skb)) ||
	    put_addr(skb, &r, r.local_at, r.flow.local, probe.local) ||
	    put_addr(skb, &r, r.remote_at, r.flow.remote, probe.remote) ||
	    put_ports(skb, &r, &probe) || bpf_skb_store_bytes(skb, 0, veth->mac, 6, 0))
		return TC_ACT_SHOT;
	return bpf_redirect(veth->ifindex, 0);
}

char LICENSE[] SEC("license") = "GPL";
