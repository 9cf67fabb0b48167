/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets that somebody watches, as they come and as they leave: shunt_abi_trace.h.  Only in traced.bpf.c:
 * in the program itself nothing of this is. */
#ifndef SHUNT_TRACE_H
#define SHUNT_TRACE_H

#include "maps.h"

#ifndef TRACED
#define TRACED 0
#endif

#if TRACED

SHUNT_ARRAY(trace_heads, struct shunt_trace_head, 1); /* a CPU each */
SHUNT_ARRAY(trace_only, struct shunt_trace_only, 1);

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} trace_ring SEC(".maps");

/* The barriers keep clang from making one comparison of two, which would tell the verifier nothing of @n. */
static __always_inline void trace_copy(struct xdp_md *ctx, __u8 *to, __u32 len)
{
	__u64 n = len < SHUNT_TRACE_SNAP ? len : SHUNT_TRACE_SNAP;

	barrier_var(n);
	if (n > SHUNT_TRACE_SNAP)
		return;
	barrier_var(n);
	if (n < 1)
		return;
	bpf_xdp_load_bytes(ctx, 0, to, n);
}

static __always_inline __u32 trace_len(const struct xdp_md *ctx)
{
	return ctx->data_end - ctx->data;
}

/* The packet has come. */
static __always_inline void trace_begin(struct xdp_md *ctx)
{
	struct shunt_trace_head *head = element(trace_heads, bpf_get_smp_processor_id());

	if (!head)
		return;
	head->time_ns = bpf_ktime_get_ns();
	head->ifindex = ctx->ingress_ifindex;
	head->len = trace_len(ctx);
	trace_copy(ctx, head->frame, head->len);
}

/* The packet is for that service: whatever becomes of it is told under its name. */
static __always_inline void trace_service(struct pkt *pkt, const struct shunt_service *svc)
{
	pkt->row = svc->row;
}

/* Whether somebody wants to know of a packet of that row. */
static __always_inline int trace_is_wanted(__u32 row)
{
	const struct shunt_trace_only *only = element(trace_only, 0);

	if (!only || row - only->row >= only->rows)
		return 0;
	return only->one_of < 2 || bpf_get_prandom_u32() % only->one_of == 0;
}

/* It leaves, with @verdict and @action.  Where the ring is full it is not told of. */
static __always_inline void trace_end(const struct xdp_md *at, const struct pkt *pkt,
				      enum shunt_verdict verdict, int action)
{
	struct shunt_trace_head *head = element(trace_heads, bpf_get_smp_processor_id());
	struct xdp_md *ctx = (struct xdp_md *)at;
	struct shunt_traced *t;

	if (!head || !trace_is_wanted(pkt->row))
		return;
	t = bpf_ringbuf_reserve(&trace_ring, sizeof(*t), 0);
	if (!t)
		return;
	bpf_probe_read_kernel(&t->before, sizeof(t->before), head);
	t->verdict = verdict;
	t->action = action;
	t->row = pkt->row;
	t->len = trace_len(ctx);
	trace_copy(ctx, t->after, t->len);
	bpf_ringbuf_submit(t, 0);
}

#else

#define trace_begin(ctx)
#define trace_service(pkt, svc)
#define finish_tell(ctx, pkt, verdict)

#endif

#endif
