/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Verdicts: what became of a packet.
 *
 * Exactly one for every packet.  NAME, class, words for the operator.  Classes: FORWARD (counted in
 * the backend's row, never in the verdict counters), RETURN (from a backend to its client), REPLY
 * (the packet has become the answer to its sender), PASS (to this host's stack), DROP. */
#ifndef SHUNT_ABI_VERDICT_H
#define SHUNT_ABI_VERDICT_H

#define SHUNT_VERDICTS(X)                                                                          \
	X(FORWARD_DSR, FORWARD, "sent to a backend by layer-2 rewrite")                            \
	X(FORWARD_IPIP, FORWARD, "sent to a backend in an IP tunnel")                              \
	X(FORWARD_GUE, FORWARD, "sent to a backend in a GUE tunnel (UDP)")                         \
	X(FORWARD_GRE, FORWARD, "sent to a backend in a GRE tunnel")                               \
	X(FORWARD_LOCAL, FORWARD, "given to this host's own stack as the backend")                 \
	X(FORWARD_NAT, FORWARD, "sent to a backend, both addresses translated")                    \
	X(FORWARD_MASQ, FORWARD, "sent to a backend, the destination translated")                  \
	X(RETURN_NAT, RETURN, "a backend's reply, translated back and sent to its client")         \
	X(REPLY_ECHO, REPLY, "echo request to a service's address, answered")                      \
	X(REPLY_TOO_BIG, REPLY, "larger than the path to the backend takes, its sender told so")   \
	X(REPLY_TTL, REPLY, "TTL or hop limit used up, its sender told so")                        \
	X(PASS_NOT_IP, PASS, "neither IPv4 nor IPv6, or more than two VLAN tags")                  \
	X(PASS_NOT_TCP_UDP, PASS, "IP, but neither TCP nor UDP nor ICMP")                          \
	X(PASS_ICMP, PASS, "ICMP or ICMPv6, about no flow of a service")                           \
	X(PASS_FRAGMENT, PASS, "an IP fragment, for no service")                                   \
	X(PASS_EXT_HEADERS, PASS, "more IPv6 extension headers than are followed")                 \
	X(PASS_NOT_VIP, PASS, "no service at this address, port and protocol")                     \
	X(PASS_NO_BACKEND, PASS, "service without a usable backend, on_empty: pass")               \
	X(DROP_TRUNCATED, DROP, "frame ends inside a header")                                      \
	X(DROP_BAD_IP, DROP, "IP header contradicts itself or the frame")                          \
	X(DROP_BAD_L4, DROP, "TCP or UDP header contradicts itself or the packet")                 \
	X(DROP_BAD_SOURCE, DROP,                                                                   \
	  "from an address that nobody has: zero, loopback, a group, all, its own destination")    \
	X(DROP_DENIED, DROP, "its source is in the service's deny list")                           \
	X(DROP_NOT_ALLOWED, DROP, "its source is not in the service's allow list")                 \
	X(DROP_RATE_SOURCE, DROP, "new flow, and its source has had its rate of them")             \
	X(DROP_RATE_SERVICE, DROP, "new flow, and the service has had its rate of them")           \
	X(DROP_FRAGMENT_BAD, DROP, "a fragment that splits or overwrites the TCP or UDP header")   \
	X(DROP_FRAGMENT_ORPHAN, DROP, "a fragment whose first one has not been seen")              \
	X(DROP_NO_BACKEND, DROP, "service without a usable backend, on_empty: drop")               \
	X(DROP_NAT_FULL, DROP, "no room for another translated connection")                        \
	X(DROP_NAT_EXHAUSTED, DROP, "no free port at the pool's addresses for this backend")       \
	X(DROP_NAT_FAMILY, DROP,                                                                   \
	  "not sayable in the backend's IP version: a source route, AH, UDP without a sum")        \
	X(DROP_TTL, DROP, "TTL or hop limit used up, its sender not told")                         \
	X(DROP_TOO_BIG, DROP, "larger than the path to the backend takes, its sender not told")    \
	X(DROP_NO_HEADROOM, DROP, "no room in front of the frame for a tunnel header")             \
	X(DROP_NO_EGRESS, DROP, "the backend is behind an interface that shunt does not manage")   \
	X(DROP_BAD_TABLE, DROP, "a table points at nothing; please report this")

/* 0 means "go on" between the stages of the packet path and is never counted. */
enum shunt_verdict {
	SHUNT_GO_ON = 0,
#define X(name, class_, words) SHUNT_##name,
	SHUNT_VERDICTS(X)
#undef X
		SHUNT_VERDICT_MAX, /* one past the last */
};

enum shunt_verdict_class {
	SHUNT_CLASS_FORWARD,
	SHUNT_CLASS_RETURN,
	SHUNT_CLASS_REPLY,
	SHUNT_CLASS_PASS,
	SHUNT_CLASS_DROP
};

#endif
