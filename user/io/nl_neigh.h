/* SPDX-License-Identifier: BSD-2-Clause */
/* Neighbours: the MAC of every address that watched ones are sent to, kept alive and kept true.
 *
 * Resolution is the kernel's own: what has no valid entry is asked for as if a packet were sent to
 * it (NTF_USE), and again every second. A neighbour that answered is asked by unicast every 0.5 to
 * 0.7 s (NUD_PROBE), less often when there are more than some 300, since the kernel alone would
 * believe an entry for half a minute and then take three seconds to find out that nobody has that
 * MAC any more. Who does not answer within 0.25 s is searched for by broadcast or multicast: its
 * entry is put back to NUD_NONE and used, which queues this host's own packets until the answer
 * instead of losing them. Until then, and while the kernel searches, the last MAC stands. Only when
 * that fails is the neighbour said not to answer; so are those beyond what the kernel has room for
 * (net.ipv4.neigh.default.gc_thresh3, 1024 as it comes).
 *
 * Permanent, NOARP and externally learnt entries are taken as they are and never asked: NTF_USE and
 * a change of state would end their permanence. Since the event that tells of one may still be
 * unread, an entry is only made anew (NLM_F_EXCL) or read just before it is changed. */
#ifndef SHUNT_NL_NEIGH_H
#define SHUNT_NL_NEIGH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/addr.h"
#include "base/mono.h"
#include "io/nl_set.h"
#include "io/nl_wire.h"

struct event;
struct event_base;
struct nl_watch;
struct nl_neighbours;

struct nl_neigh_key {
	uint32_t ifindex; /* of the link that the route names: VLAN devices have neighbours */
	struct addr addr;
};

struct nl_neigh {
	struct nl_neigh_key key;
	LIST_HEAD(, nl_watch) watches; /* that are sent to it; kept by the caller */
	uint8_t mac[6];
	bool has_mac; /* mac is, or was when last heard of, right */
	bool failed; /* does not answer, and has not since it was found out */

	/* Private from here on. */
	struct nl_neighbours *all;
	struct event *timer;
	uint16_t nud; /* NUD_* as last heard; NUD_NONE: the kernel has no entry */
	bool link_up;
	bool heard; /* of since it was cleared */
	bool fixed; /* the entry is not for us to ask about */
	bool probing; /* asked by unicast, no answer yet */
	bool searching; /* put back to NUD_NONE by us, no answer yet */
	uint8_t mute; /* how often in a row it answered a search, but not the probe before it */
	mono_t lost; /* when it was last valid, or first asked; never while it is valid */
	unsigned int round; /* of the last dump that named it */
};

struct nl_neighbours {
	struct event_base *base;
	struct nl_wire *asks; /* the answers and errors are read by whoever owns it */
	struct nl_set set;
	/* mac, has_mac or failed of one changed. */
	void (*changed)(void *arg, struct nl_neigh *n);
	/* Reads what @asks has received and gives neighbours' messages to nl_neigh_note. */
	void (*hear)(void *arg);
	void *arg;
	unsigned int round;
};

void nl_neighbours_init(struct nl_neighbours *all, struct event_base *base, struct nl_wire *asks);
/* Frees the set; every neighbour must have been dropped. */
void nl_neighbours_fini(struct nl_neighbours *all);

/* Finds or adds a neighbour and asks for it if @link_up. Returns 0 or -ENOMEM. */
int nl_neigh_get(struct nl_neighbours *all, const struct nl_neigh_key *key, bool link_up,
		 struct nl_neigh **out) __attribute__((warn_unused_result));
/* Frees a neighbour that has no watches any more; else does nothing. */
void nl_neigh_drop(struct nl_neigh *n);

/* Takes note of an RTM_NEWNEIGH or RTM_DELNEIGH message. */
void nl_neigh_note(struct nl_neighbours *all, const struct nlmsghdr *m);

/* Takes note that a link went up or down: what was known is forgotten, and asked when it is up. */
void nl_neigh_link(struct nl_neighbours *all, uint32_t ifindex, bool up);

/* Around a dump whose messages go to nl_neigh_note: what the dump does not name is gone. */
void nl_neigh_dump_begin(struct nl_neighbours *all);
void nl_neigh_dump_end(struct nl_neighbours *all);

#endif
