/* SPDX-License-Identifier: BSD-2-Clause */
/* The frames that are sent, and whether what comes out is what should. */
#ifndef BENCH_FRAME_H
#define BENCH_FRAME_H

#include <stdint.h>

#include "base/addr.h"
#include "bench.h"
#include "cases.h"

#define FRAME_MAX 256

struct frame {
	uint8_t bytes[FRAME_MAX];
	uint32_t len;
};

enum frame_flags { FRAME_ACK, FRAME_SYN }; /* of TCP; UDP has none */

/* The frame of flow number 0 to @vip, with 30 bytes behind the IP header. */
void frame_build(const struct bench_case *c, const struct addr *vip, uint16_t port,
		 enum frame_flags flags, struct frame *out);

/* What the program needs to write any flow into the frame. */
void frame_state(const struct frame *f, bool is_v6, struct bench_state *out);

/* The same in user space. */
void frame_set_flow(struct frame *f, bool is_v6, uint32_t flow);

/* What is wrong with @out after the path of @c took @in, in words; NULL: nothing. Looks at every
 * byte: layer 2, tunnel header with its checksum, and the packet itself, which must be as it was but for the hop that a case takes.
 * @backends: the service's rows, from number 1 on. */
const char *frame_check(const struct bench_case *c, const struct frame *in, const struct frame *out,
			const struct shunt_backend *backends, uint32_t n_backends);

#endif
