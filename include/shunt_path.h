/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the programs of the path probes (bpf/path.bpf.c) and the daemon share.  Byte order: __be32 and
 * ports as on the wire; everything else is the host's.
 *
 * A path probe goes to a backend as a client's packet would: to the service's address, by the service's
 * method.  The process that probes is in a network namespace of its own, of which one end of a veth is all
 * there is.  Which backend it means it says by the source address: 240.0.0.0 plus the number of a target,
 * or SHUNT_PATH_PREFIX6 and the number.  shunt_path_out, XDP on the veth's other end, puts an address of
 * the host in its place and sends the packet to the target's backend; the reply, which comes to the host
 * without passing the packet path, is brought back by shunt_path_in, at tc's ingress, as are ICMP errors
 * that quote the probe itself (and not a tunnel's header in front of it).
 *   path_targets  ARRAY, number -> struct shunt_path_target, BPF_F_MMAPABLE; number 0 is nobody's
 *   backends      the packet path's own
 *   path_out      LRU_HASH, struct shunt_path_flow as the probe has it -> __be16 source port on the way
 *   path_in       LRU_HASH, struct shunt_path_flow as the host has it -> the same as the probe has it
 *   path_veth     ARRAY of one struct shunt_path_veth */
#ifndef SHUNT_PATH_H
#define SHUNT_PATH_H

#include <linux/types.h>

#define SHUNT_PATH_TARGETS_MAX (1u << 20) /* numbers, 0 among them */
#define SHUNT_PATH_FLOWS 65536u
#define SHUNT_PATH_PORT_MIN 1024u /* of the source ports on the way */
#define SHUNT_PATH_NET4 0xf0000000u /* host order; 8 bits, then the number */
#define SHUNT_PATH_NUMBER4 0x00ffffffu
/* fd53:6875:6e74::/96, host order, then the number (RFC 4193: nobody else's) */
#define SHUNT_PATH_PREFIX6                                                                         \
	{                                                                                          \
		0xfd536875u, 0x6e740000u, 0u                                                       \
	}

struct shunt_path_target {
	__be32 host4; /* source addresses of the host; 0: none, such probes are not sent */
	__be32 host6[4];
	__u32 row; /* the backend's, in `backends` */
	__u32 pad[2];
};

/* A flow from one side: IPv4 addresses in [0], the rest 0. */
struct shunt_path_flow {
	__be32 local[4]; /* the probe's, or the host's */
	__be32 remote[4]; /* the service's, or the backend's where the method translates */
	__be16 local_port, remote_port;
	__u32 proto;
};

struct shunt_path_veth {
	__u32 ifindex; /* of the host's end */
	__u8 mac[6]; /* of the other one */
	__u8 pad[2];
};

#endif
