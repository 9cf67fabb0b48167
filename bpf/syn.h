/* SPDX-License-Identifier: GPL-2.0-only */
/* SYNs that come again, since nobody has answered them: shunt_abi_passive.h.  Met where a new flow is
 * counted, so that no other packet pays for it. */
#ifndef SHUNT_SYN_H
#define SHUNT_SYN_H

#include "maps.h"

/* Notes a SYN that has gone to the backend of pkt->row, whose record on this CPU is @c.  Without a branch
 * for whether it came again, which could not be foreseen. */
static __always_inline void syn_note(const struct pkt *pkt, struct shunt_counter *c)
{
	__u32 cpu = bpf_get_smp_processor_id(), was, tag, differ;
	struct shunt_syns *own = element(syns, cpu);
	__u64 syn = shunt_syn_of(pkt->hash, pkt->seq, pkt->row), again;
	__u32 *word;

	if (!own)
		return;
	word = &own->word[syn % SHUNT_SYNS];
	was = *word;
	tag = (__u32)(syn >> 32) & ~SHUNT_SYN_AGAIN;
	differ = was ^ tag;
	again = is_less(differ, 2);
	c->repeats += again << (was % 2 * 32);
	*word = tag | again;
}

/* Whether it is a SYN to a backend of which they are looked at.  One branch for the verifier to follow. */
static __always_inline __u32 syn_matters(const struct pkt *pkt)
{
	const struct shunt_backend *be = backend_at(pkt->row);

	return be ? be->flags / SHUNT_BE_PASSIVE & pkt_is_syn(pkt) : 0;
}

#endif
