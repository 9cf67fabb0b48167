/* SPDX-License-Identifier: BSD-2-Clause */
/* Classic BPF, which libpcap makes of an expression, as eBPF that looks at the frame of an XDP program. */
#ifndef SHUNT_CBPF_H
#define SHUNT_CBPF_H

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

#define CBPF_MAX 500 /* instructions of a filter */
#define CBPF_OUT_MAX (CBPF_MAX * 12 + 64) /* of what becomes of it */

/* As it comes from libpcap, and from an operator's program: 8 bytes each (struct sock_filter). */
struct cbpf {
	uint16_t code;
	uint8_t jt, jf;
	uint32_t k;
};

/* Writes the filter into @out: with the frame's bounds in r7 and r8 it goes on behind its last instruction
 * when the packet matches, and jumps to @no of them further when it does not: that many follow it. It
 * changes r0, r1, r3, r5 and the stack's upper 64 bytes. Returns how many instructions there are, or
 * -EINVAL: not a filter, with why in *wrong. */
int cbpf_translate(const struct cbpf *in, size_t n, int no,
		   struct bpf_insn out[static CBPF_OUT_MAX], const char **wrong);

#endif
