/* SPDX-License-Identifier: BSD-2-Clause */
/* What an operator is shown: the one model between the daemon's engine, the messages and the CLI's
 * printers. Plain values, no pointers, host byte order. Counters are totals since the row was
 * assigned; rates are per second over the last sampling interval. */
#ifndef SHUNT_VIEW_H
#define SHUNT_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "pure/check.h"
#include "pure/conf.h"
#include "pure/edits.h"
#include "pure/health.h"
#include "pure/passive.h"
#include "pure/peer_msg.h"
#include "shunt_abi.h"
#include "shunt_msg.h"

#define VIEW_REASON_MAX 128
#define VIEW_NOTE_MAX 384 /* longer than what can hold an interface, and how to free it */

struct view_traffic {
	uint64_t packets, bytes, flows;
	uint64_t packets_per_s, bytes_per_s, flows_per_s;
};

/* What this balancer and others tell each other. Flows, datagrams where it says so. */
struct view_peers {
	uint32_t peers; /* configured; 0: the rest is 0 */
	uint32_t waiting; /* heard of too early, and kept for now */
	uint64_t told; /* those told again counted again */
	uint64_t delayed; /* beyond peer_rate: told later */
	uint64_t lost; /* not told at once: more than the daemon could read */
	uint64_t heard, taken; /* taken into the flow table */
	uint64_t early; /* heard before the change that they are of */
	uint64_t unknown; /* of a service that is not here */
	uint64_t no_room; /* in the flow table */
	uint64_t unsent; /* datagrams that the kernel would not send */
	uint64_t fates[PEER_FATES]; /* datagrams that came */
};

/* The packet path in force, and what became of the former daemon's. */
struct view_upgrade {
	uint32_t program; /* the kernel's number of it */
	uint64_t program_age_ms; /* since it was loaded */
	enum shunt_upgrade state;
	uint64_t left_ms; /* while it is watched */
	char why[640]; /* it is one way, or the former one is in force */
	char from[32]; /* version that had shunt upgrade replace it; empty: started otherwise */
	char failed[512]; /* why the daemon that had replaced this one ended; empty: none had */
	uint32_t asked, compared; /* services and packets, before the swap */
	uint64_t packets, errors; /* since the swap, while it is watched */
};

struct view_status {
	char version[32];
	char instance[32];
	uint32_t pid;
	uint64_t uptime_ms;
	uint64_t config_age_ms; /* since the configuration in force was loaded */
	char config_file[256];
	char config_error[512]; /* why the last reload was refused; empty: it was not */
	uint32_t services, backends, usable_backends;
	uint32_t edits; /* runtime edits in force */
	uint64_t events; /* sequence number of the last event */
	uint64_t map_bytes; /* memory of all maps */
	/* Of the flow table: packets that it was searched for, flows put into it, and not for want of room. */
	uint64_t flow_lookups, flows_remembered, flows_no_room;
	struct view_peers peers;
	struct view_upgrade upgrade;
	char web[80]; /* where the page and the metrics are; empty: nowhere */
	char web_why[128]; /* nobody is served there now; empty: everybody is */
};

enum view_xdp { VIEW_XDP_NONE, VIEW_XDP_NATIVE, VIEW_XDP_GENERIC };

struct view_interface {
	char name[16];
	uint32_t ifindex; /* 0: there is none of this name now */
	enum view_xdp xdp;
	bool link_up;
	char note[VIEW_NOTE_MAX]; /* why generic, why not attached; empty: nothing to say */
};

struct view_service {
	char name[SHUNT_NAME_MAX];
	struct addr vip;
	uint8_t vip_bits; /* length of the prefix; 0, 32 or 128: the address alone */
	uint16_t port; /* the one that it has; 0: any, or several */
	char ports[CONF_PORTS_TEXT_MAX]; /* several: "80,8000-8099"; empty: as port says */
	uint8_t protocol;
	enum shunt_scheduler scheduler;
	enum shunt_forward forward;
	enum conf_on_empty on_empty;
	enum conf_check_kind check;
	uint8_t last_pool; /* that gets new flows */
	uint32_t slots;
	uint32_t moving; /* of them in transition: their flows stay where they are */
	uint32_t backends, usable,
		failing_open; /* failing_open: 1 when on_empty: all is in force */
	bool panicking; /* `panic` is: all are used */
	uint32_t not_up; /* neither well nor drained nor without weight */
	struct view_traffic traffic; /* sum of the backends, and what found none */
	uint64_t no_backend; /* packets that found none */
	uint64_t over_rate; /* packets that would have opened flows over its rates */
};

enum view_admin { VIEW_ADMIN_ENABLED, VIEW_ADMIN_DRAINED, VIEW_ADMIN_DISABLED };
enum view_nexthop {
	VIEW_NH_RESOLVED,
	VIEW_NH_RESOLVING,
	VIEW_NH_NO_ROUTE,
	VIEW_NH_NO_NEIGHBOUR, /* does not answer ARP or neighbour discovery */
	VIEW_NH_LINK_DOWN,
	VIEW_NH_OTHER_INTERFACE, /* routed over an interface that shunt is not told to use */
	VIEW_NH_IS_LOCAL, /* the address is this host's own */
	VIEW_NH_NOT_NEEDED, /* forward: local */
	VIEW_NH_ROUTER, /* dsr, and there is a router between */
	VIEW_NH_NO_SOURCE, /* a tunnel or nat, and this host has no address towards it */
	VIEW_NH_MAX,
};

enum view_drain { VIEW_DRAIN_NONE, VIEW_DRAIN_GOING, VIEW_DRAIN_DONE, VIEW_DRAIN_EXPIRED };

struct view_backend {
	char service[SHUNT_NAME_MAX];
	char name[SHUNT_NAME_MAX];
	struct addr addr;
	uint16_t port; /* 0: any */
	enum shunt_forward forward;
	uint16_t weight; /* in force */
	uint16_t configured_weight;
	enum view_admin admin;
	bool edited; /* weight or admin come from a runtime edit */
	uint64_t admin_age_ms; /* and for how long they do */
	char admin_by[EDIT_BY_MAX]; /* who made it, and why */
	char admin_reason[EDIT_REASON_MAX];
	uint8_t pool; /* 0 to POOL_BACKUP */
	uint64_t
		state_age_ms; /* for how long it leaves, has no next hop, or stands by; 0: not known */
	bool standby; /* its pool gets no new flows, but it could */
	char gets[POOL_WORDS_MAX]; /* what it gets, and why, in words */
	uint8_t climb; /* of POOL_STEPS, how many parts of its share it has; 0: all */
	bool leaving; /* no longer configured */
	enum view_drain drain; /* of those that are drained or leaving */
	uint64_t idle_ms; /* while it goes on: since its last packet was seen */
	uint64_t quiet_ms; /* without a packet for so long, its flows have ended */
	uint64_t deadline_ms; /* from now; 0: none */
	bool flows_known; /* while it is drained by slots, and of a service that remembers every flow */
	uint64_t flows_left; /* that it has now, about, if known */
	uint64_t oldest_ms; /* the same: since the packet of the one that is quiet longest */
	enum health_state health;
	uint64_t health_age_ms; /* how long it has been so */
	char code[CHECK_NAME_MAX]; /* of the last probe's result: "L7STS 503"; empty: none yet */
	char check[SHUNT_NAME_MAX]; /* that decided; empty: the service's own */
	char reason[VIEW_REASON_MAX]; /* of the last probe result, in words; empty: none yet */
	uint32_t latency_us; /* of the last probe */
	char passive[PASSIVE_WORDS_MAX]; /* why passive checks suspect it; empty: they do not */
	bool passive_out; /* and have taken it out */
	uint64_t passive_age_ms; /* for how long */
	uint64_t passive_back_ms; /* it stays out so long yet, at least */
	enum view_nexthop nexthop;
	uint8_t mac[6]; /* next hop's; zero when not resolved */
	char egress[16]; /* interface name */
	uint32_t slots; /* owned now */
	uint64_t changes; /* of its standing, since the daemon started */
	struct view_traffic traffic;
};

/* A number that the daemon has about itself. */
struct view_figure {
	char name[48];
	uint64_t value;
};

/* What two hosts are compared by, of a service or of one of its backends: pure/fingerprint.h. */
struct view_fingerprint {
	char service[SHUNT_NAME_MAX];
	char backend[SHUNT_NAME_MAX]; /* empty: of the service as a whole */
	uint64_t whole; /* settings, backends and slots; of a backend: itself and its slots */
	uint64_t settings; /* of a backend: name, address, weight, method */
	uint64_t backends; /* services only: those settings of all of them */
	uint64_t table; /* which slot is whose; of a backend: which are its own */
	uint32_t slots; /* in the table, where that does not repeat itself; of a backend: its own */
	uint32_t moving; /* services only: slots in transition; counts in no fingerprint */
	uint32_t secret; /* services only: of the fleet's secret */
};

/* A record of what a reload would do: see enum shunt_plan_attr. */
struct view_plan {
	enum shunt_plan_kind kind;
	enum shunt_plan_change change;
	uint64_t number;
	char service[SHUNT_NAME_MAX], backend[SHUNT_NAME_MAX];
	char key[64];
	char from[96], to[96];
	char text[512];
	uint32_t slots, slots_before, slots_moved;
	uint32_t flows_moved; /* of a million */
	uint64_t flows;
	bool flows_known;
	uint32_t services, backends;
};

struct view_verdict {
	enum shunt_verdict verdict;
	uint64_t packets, packets_per_s;
};

/* Writes "203.0.113.10:80/tcp", "[2001:db8::]/32:80,8000-8099/tcp" and returns it. */
#define VIEW_ADDRESS_MAX (ADDR_PREFIX_TEXT_MAX + CONF_PORTS_TEXT_MAX + 8)
const char *view_service_address(const struct view_service *s, char out[static VIEW_ADDRESS_MAX]);

const char *view_event_name(enum shunt_event_kind k); /* "health", "edited", ... */
const char *view_xdp_name(enum view_xdp x); /* "none", "native", "generic" */
const char *view_drain_name(enum view_drain d); /* "none", "going", "done", "expired" */
const char *view_nexthop_name(enum view_nexthop n); /* "resolved", "no route", ... */
/* What to do about it, to stand behind the name: "; ..."; empty where the name says it. */
const char *view_nexthop_advice(enum view_nexthop n);

#endif
