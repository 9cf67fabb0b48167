/* SPDX-License-Identifier: BSD-2-Clause */
/* The decap program on a backend's interfaces: attaches it, sets its addresses, reads its counters.
 * No daemon stays behind: all is in pins, in /sys/fs/bpf/shunt-decap/<ifindex>-<inode of the network
 * namespace>/, since pins are shared by all network namespaces and names of interfaces are not. */
#ifndef SHUNT_DP_DECAP_H
#define SHUNT_DP_DECAP_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "io/dp.h"
#include "shunt_decap.h"

#define DP_DECAP_ADDRS_MAX 1024 /* on one interface */
#define DP_DECAP_SOURCES_MAX 1024 /* that are counted each */

/* The first @bits of @addr; the rest of it is 0. */
struct dp_decap_prefix {
	struct addr addr;
	uint8_t bits;
};

/* What was taken off that came from there. */
struct dp_decap_source {
	struct addr addr;
	uint64_t packets, bytes; /* of the outer IP packets */
};

struct dp_decap {
	char ifname[IF_NAMESIZE];
	uint32_t ifindex;
	enum dp_mode mode;
	struct addr addrs[DP_DECAP_ADDRS_MAX]; /* sorted */
	size_t n_addrs;
	bool is_limited; /* only what comes from these is taken off: */
	struct dp_decap_prefix only[DP_DECAP_ADDRS_MAX]; /* sorted */
	size_t n_only;
	uint64_t packets[SHUNT_DECAP_COUNT_MAX];
	struct dp_decap_source sources[DP_DECAP_SOURCES_MAX]; /* most packets first */
	size_t n_sources;
};

struct dp_decap_wish {
	const char *ifname;
	enum dp_mode mode; /* 0: native where that works, else generic */
	const struct addr *addrs;
	size_t n_addrs; /* may be 0: every packet passes untouched */
	const struct dp_decap_prefix *only; /* whose tunnels are taken off */
	size_t n_only; /* 0: anybody's */
};

/* Takes tunnel headers off what comes in on the interface for exactly these addresses. Where it is
 * attached already it changes in place, without losing a packet, unless the mode changes. Gives the
 * mode in @mode and, where that is generic for want of native, the reason in @why_generic (else
 * empty). -EBUSY when another program holds the interface. */
int dp_decap_attach(const struct dp_decap_wish *wish, enum dp_mode *mode,
		    struct dp_error *why_generic, struct dp_error *err)
	__attribute__((warn_unused_result));

/* Adds and removes addresses; both are fine with what is so already. -ENOENT: not attached. */
int dp_decap_add(const char *ifname, const struct addr *addrs, size_t n, struct dp_error *err)
	__attribute__((warn_unused_result));
int dp_decap_del(const char *ifname, const struct addr *addrs, size_t n, struct dp_error *err)
	__attribute__((warn_unused_result));

/* Detaches and removes the pins. -ENOENT: not attached. */
int dp_decap_detach(const char *ifname, struct dp_error *err) __attribute__((warn_unused_result));

/* -ENOENT: not attached. */
int dp_decap_read(const char *ifname, struct dp_decap *out, struct dp_error *err)
	__attribute__((warn_unused_result));

/* Calls @fn for each interface of this network namespace that runs it. */
int dp_decap_each(void (*fn)(void *arg, const struct dp_decap *d), void *arg, struct dp_error *err)
	__attribute__((warn_unused_result));

#endif
