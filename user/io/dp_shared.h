/* SPDX-License-Identifier: BSD-2-Clause */
/* Interfaces that shunt shares with other XDP programs, through libxdp: the only user of that library.
 * What is attached there is shunt_entry (bpf/entry.bpf.c), which goes on in the program that stands in
 * its map, `entry`. libxdp keeps it attached by pins of its own in /sys/fs/bpf/xdp; whoever wants to
 * find it again keeps its program. Where this build has no libxdp all of these fail with words. */
#ifndef SHUNT_DP_SHARED_H
#define SHUNT_DP_SHARED_H

#include "io/dp_sys.h"

/* A map `entry` without a program, or -errno. */
int dp_shared_map(void) __attribute__((warn_unused_result));

/* Attaches to the interface, behind its dispatcher or with a new one, with exactly this mode, and gives
 * the descriptor of shunt_entry's program. @entry_fd must have the packet path's program already. -EBUSY
 * naming the program that holds the interface without a dispatcher. */
int dp_shared_attach(int entry_fd, const char *ifname, enum dp_mode mode, int *program_fd,
		     struct dp_error *err) __attribute__((warn_unused_result));

/* Takes it off; others stay. Fine when it is not there. */
void dp_shared_detach(int program_fd, uint32_t ifindex);

/* How it runs on the interface; 0: it does not. */
enum dp_mode dp_shared_mode(int program_fd, uint32_t ifindex);

/* Whether there is no dispatcher, as the kernel loads no extension programs: nobody else can join. */
bool dp_shared_is_alone(uint32_t ifindex);

#endif
