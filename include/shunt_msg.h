/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What shuntd says to the world: the whole protocol, so that a third program can be written from
 * this file alone.  With shunt_abi.h it needs nothing but <linux/netlink.h>.
 *
 * Three sockets speak the same encoding:
 *   stats    NETLINK_USERSOCK, unicast: a request, answered by one datagram.  Reads only.
 *   events   NETLINK_USERSOCK, multicast group SHUNT_MSG_GROUP.  What happened, as it happens.
 *   control  AF_UNIX SOCK_SEQPACKET at <run_dir>/<instance>.sock.  Changes something.
 *
 * Encoding.  A message is
 *   struct nlmsghdr            nlmsg_type SHUNT_MSG_TYPE; nlmsg_seq is copied from request to answer
 *   struct shunt_msg_header    command and version
 *   attributes                 struct nlattr and value, padded to 4 bytes, in any order
 * Integers are in the host's byte order, addresses and MACs in that of the wire.  Value types:
 *   u8 u16 u32 u64   of exactly that length (u64 is not aligned to 8: copy it)
 *   text             UTF-8 with a terminating NUL that the length counts
 *   addr             4 bytes of IPv4 or 16 of IPv6; left out when there is none
 *   mac              6 bytes
 *   bytes            as many as there are, at most SHUNT_MSG_BYTES_MAX
 * An attribute that is left out is 0 or empty: the sender leaves out what is.
 *
 * Versions.  New attributes and commands are appended, numbers are never used again, and a receiver
 * skips attributes and records that it does not know.  SHUNT_MSG_VERSION grows only when that is not
 * enough; then a message of another version is answered with SHUNT_MSG_ERROR, code EPROTONOSUPPORT.
 * A command that the daemon does not know is answered with code EOPNOTSUPP. A number of an enum that a
 * receiver does not know is one that it has no word for, and nothing else. A length never changes.
 *
 * Finding the daemon.  The daemon writes <run_dir>/<instance>.stats (mode 0644, /run/shunt and
 * "default" by default), lines of KEY=VALUE, unknown keys to be skipped:
 *   port=N       its netlink port id (nl_pid), an unsigned 32-bit number
 *   pid=N        its process
 *   netns=N      inode of its network namespace (stat of /proc/self/ns/net).  Netlink does not leave
 *                a network namespace: who is in another one cannot talk to it.
 *   version=N    its SHUNT_MSG_VERSION
 *   release=TEXT its own version, "0.1.0"
 *
 * Credentials.  Port ids are first come, first served, and anybody may send to one, so both ends set
 * SO_PASSCRED and look at SCM_CREDENTIALS, which the kernel fills in for netlink, of everything that
 * they receive.  The daemon answers uid 0 and its own uid; others get ERROR, EPERM.  A client takes
 * messages only from nl_pid == port with the uid that owns the .stats file, which has to be 0 or the
 * client's own.  The control socket has mode 0600, and the daemon checks SO_PEERCRED as well.
 *
 * Dumps are paged, since a blocking sender would hang on a slow reader and one that does not block
 * would lose the middle.  A request without CURSOR starts.  The answer is one datagram of at most
 * SHUNT_MSG_PAGE_MAX bytes: records (NLM_F_MULTI), then one SHUNT_MSG_PAGE, which carries GENERATION
 * and, unless this was the last page, CURSOR.  Give both back in the next request (with the same
 * SERVICE).  A cursor means nothing but to the daemon.  When rows have come or gone in between, the
 * answer is ERROR with code ESTALE: start over.  An answer may be lost (your buffer was full): ask
 * again with the same request, a new nlmsg_seq, and skip answers to other ones.
 *
 * Events are numbered by SEQ, 1 and up.  A gap, or an ENOBUFS from recvmsg, means that some were
 * lost: dump anew.  Every SHUNT_MSG_HEARTBEAT_MS there is a heartbeat with the SEQ of the last
 * event; three of them missed means that the daemon is gone.  All instances in a network namespace
 * share the group: look at INSTANCE.  Joining needs CAP_NET_ADMIN.
 *
 * Control.  One request a packet, answered by one SHUNT_MSG_REPLY, in order. */
#ifndef SHUNT_MSG_H
#define SHUNT_MSG_H

#include <linux/types.h>

#include "shunt_msg_explain.h"

#define SHUNT_MSG_VERSION 1
#define SHUNT_MSG_TYPE 0x53 /* nlmsg_type of every message */
#define SHUNT_MSG_GROUP 19 /* multicast group: bit 18 of nl_groups */
#define SHUNT_MSG_PAGE_MAX 16384 /* bytes in a datagram, at most */
#define SHUNT_MSG_HEARTBEAT_MS 5000
#define SHUNT_MSG_TEXT_MAX 4096 /* bytes in SHUNT_REPLY_TEXT with its NUL, at most */

#define SHUNT_MSG_BYTES_MAX 4000 /* in an attribute of type bytes, at most */

struct shunt_msg_header {
	__u8 command; /* enum shunt_msg_command */
	__u8 version; /* SHUNT_MSG_VERSION */
	__u16 reserved; /* 0 */
};

enum shunt_msg_command {
	SHUNT_MSG_NONE = 0,

	/* Stats requests, with enum shunt_get attributes (NLM_F_REQUEST). */
	SHUNT_MSG_GET_STATUS = 1, /* one STATUS */
	SHUNT_MSG_GET_INTERFACES = 2, /* INTERFACE records */
	SHUNT_MSG_GET_SERVICES = 3, /* SERVICE records; SERVICE: that one only */
	SHUNT_MSG_GET_BACKENDS = 4, /* BACKEND records, service by service; SERVICE: its only */
	SHUNT_MSG_GET_VERDICTS = 5, /* VERDICT records, those that are never counted left out */
	SHUNT_MSG_GET_FINGERPRINTS = 6, /* FINGERPRINT records of all services; SERVICE: of that one
					 * and its backends */
	SHUNT_MSG_GET_HISTORY = 7, /* HISTORY records of SERVICE's BACKEND, the newest first */
	SHUNT_MSG_GET_FIGURES = 14, /* FIGURE records */

	SHUNT_MSG_GET_PLAN =
		12, /* PLAN records of what SHUNT_MSG_MAKE_PLAN has made last; none once
				  * a configuration has been loaded since */
	/* With enum shunt_explain_ask attributes: an EXPLAIN (none for SERVICE), STEPs in their order,
	 * FRAMEs. One page. */
	SHUNT_MSG_GET_EXPLAIN = 8,
	/* FLOW records; SERVICE, BACKEND: theirs only. A page may have none and yet a CURSOR, since a part
	 * of the tables is looked at for each; GENERATION is not looked at. */
	SHUNT_MSG_GET_FLOWS = 9,
	/* TRACED records since the last time; CURSOR: there may be more at once. ENODATA: nobody watches, or
	 * another than GENERATION, if it is given: SHUNT_REPLY_WATCH. Who does not ask for five seconds watches
	 * no longer. */
	SHUNT_MSG_GET_TRACE = 10,

	/* Records, each with the attributes of the enum of its name. */
	SHUNT_MSG_STATUS = 16, /* enum shunt_status_attr */
	SHUNT_MSG_INTERFACE = 17, /* enum shunt_interface_attr */
	SHUNT_MSG_SERVICE = 18, /* enum shunt_service_attr */
	SHUNT_MSG_BACKEND = 19, /* enum shunt_backend_attr */
	SHUNT_MSG_VERDICT = 20, /* enum shunt_verdict_attr */
	SHUNT_MSG_FINGERPRINT = 21, /* enum shunt_fingerprint_attr */
	SHUNT_MSG_HISTORY = 22, /* enum shunt_history_attr */
	SHUNT_MSG_FIGURE = 29, /* enum shunt_figure_attr */

	SHUNT_MSG_PLAN = 27, /* enum shunt_plan_attr */
	SHUNT_MSG_EXPLAIN = 23, /* enum shunt_explain_attr */
	SHUNT_MSG_STEP = 24, /* enum shunt_step_attr */
	SHUNT_MSG_FRAME = 25, /* enum shunt_frame_attr */
	SHUNT_MSG_FLOW = 26, /* enum shunt_flow_attr */
	SHUNT_MSG_TRACED = 31, /* enum shunt_traced_attr */

	/* Last message of an answer. */
	SHUNT_MSG_PAGE = 32, /* enum shunt_get: GENERATION, and CURSOR if there is more */
	SHUNT_MSG_ERROR = 33, /* enum shunt_reply */

	/* Events. */
	SHUNT_MSG_EVENT = 48, /* enum shunt_event_attr */
	SHUNT_MSG_HEARTBEAT = 49, /* enum shunt_event_attr: SEQ, TIME, INSTANCE */

	/* Control: requests with enum shunt_command_attr attributes, and the answer. */
	SHUNT_MSG_RELOAD = 64,
	SHUNT_MSG_DRAIN = 65, /* SERVICE, BACKEND, DEADLINE */
	SHUNT_MSG_ENABLE = 66, /* SERVICE, BACKEND */
	SHUNT_MSG_WEIGHT = 67, /* SERVICE, BACKEND, WEIGHT */
	SHUNT_MSG_DISABLE = 68, /* SERVICE, BACKEND: maintenance, until ENABLE */
	/* Put the installed executable in this daemon's place: ACCEPT. Answered before it is done. */
	SHUNT_MSG_UPGRADE = 69,
	SHUNT_MSG_ROLLBACK = 70, /* put the former packet path back in force, while there is one */
	/* What a reload would do: FILE, or the daemon's own without. Changes nothing; answered with PLAN. */
	SHUNT_MSG_MAKE_PLAN = 71,
	SHUNT_MSG_TRACE = 73, /* watch packets: FILTER, SERVICE, ONE_OF; answered with WATCH */
	SHUNT_MSG_TRACE_END = 74, /* WATCH: only if it is still that one */
	SHUNT_MSG_REPLY = 80, /* enum shunt_reply */
	SHUNT_MSG_LOG_LEVEL = 84, /* LEVEL; answered with LEVEL and CONFIGURED */
};

enum shunt_get {
	SHUNT_GET_CURSOR = 1, /* u64, not 0 */
	SHUNT_GET_GENERATION = 2, /* u64 */
	SHUNT_GET_SERVICE = 3, /* text: the service's name */
	SHUNT_GET_BACKEND = 4, /* text: the backend's name; GET_HISTORY and GET_FLOWS */
	/* Of GET_FLOWS: only what is this client's. The flow table, which has hashes, is asked for each port
	 * of the client and each address and port of the services that there may be, or for those: EINVAL
	 * with words where these are too many. */
	SHUNT_GET_CLIENT = 5, /* address */
	SHUNT_GET_CLIENT_PORT = 6, /* u16; left out: any */
	SHUNT_GET_VIP = 7, /* address of services; left out: any */
	SHUNT_GET_PORT = 8, /* u16, of services; left out: any */
	SHUNT_GET_PROTOCOL = 9, /* u8: 6 or 17; left out: any */
};

enum shunt_reply {
	SHUNT_REPLY_CODE = 1, /* u32: an errno; left out (0): done */
	SHUNT_REPLY_TEXT = 2, /* text for people, may have several lines, without a last newline */
	SHUNT_REPLY_VERSION = 3, /* u32: SHUNT_MSG_VERSION, with EPROTONOSUPPORT */
	SHUNT_REPLY_PLAN = 4, /* u64: number of the plan that was made */
	SHUNT_REPLY_WATCH = 5, /* u64: TRACE: number of who watches now, not 0 */
	/* text: the daemon's version, "0.1.0"; with EPROTONOSUPPORT and EOPNOTSUPP: it does not know the
	 * command */
	SHUNT_REPLY_RELEASE = 8,
	SHUNT_REPLY_LEVEL = 6, /* text: "error", "warning", "info" or "debug" */
	SHUNT_REPLY_CONFIGURED = 7, /* text: the same, as the configuration has it */
};

enum shunt_command_attr {
	SHUNT_COMMAND_SERVICE = 1, /* text */
	SHUNT_COMMAND_BACKEND = 2, /* text */
	SHUNT_COMMAND_WEIGHT = 3, /* u16, 0 to 1000 */
	/* u32, seconds from now, up to 604800: flows that are left then move; left out: the deadline that
	 * there is, if any, stays */
	SHUNT_COMMAND_DEADLINE = 4,
	/* Who and why, of all but RELOAD; one line without control characters. USER is what the client says
	 * beside the uid that the kernel says: letters, digits and . _ - @ */
	SHUNT_COMMAND_USER = 5, /* text, up to 32 bytes */
	SHUNT_COMMAND_ACCEPT = 7, /* u8, 1: UPGRADE whatever the packet path does otherwise */
	SHUNT_COMMAND_REASON = 6, /* text, up to 127 bytes */
	SHUNT_COMMAND_FILTER =
		9, /* bytes: instructions of classic BPF, 8 bytes each, on frames with an
				   * Ethernet header; left out: all packets. TRACE only */
	SHUNT_COMMAND_ONE_OF = 10, /* u32: by chance so many of those that match. TRACE only */
	SHUNT_COMMAND_WATCH = 11, /* u64: TRACE_END only */
	SHUNT_COMMAND_FILE = 8, /* text: an absolute path; MAKE_PLAN only */
	/* text: as SHUNT_REPLY_LEVEL, or "configured"; left out: it stays. LOG_LEVEL only */
	SHUNT_COMMAND_LEVEL = 12,
};

/* Rates are per second over the daemon's last sampling interval.  Bytes are those of the IP packets
 * as they came in.  Flows are new ones: TCP SYNs, and for UDP those newly remembered. */

enum shunt_status_attr {
	SHUNT_STATUS_VERSION = 1, /* text: of the daemon, "0.1.0" */
	SHUNT_STATUS_INSTANCE = 2, /* text */
	SHUNT_STATUS_PID = 3, /* u32 */
	SHUNT_STATUS_UPTIME = 4, /* u64, milliseconds */
	SHUNT_STATUS_CONFIG_AGE = 5, /* u64, milliseconds since it was loaded */
	SHUNT_STATUS_CONFIG_FILE = 6, /* text */
	SHUNT_STATUS_CONFIG_ERROR = 7, /* text: why the last reload was refused */
	SHUNT_STATUS_SERVICES = 8, /* u32 */
	SHUNT_STATUS_BACKENDS = 9, /* u32 */
	SHUNT_STATUS_USABLE = 10, /* u32: backends that get packets */
	SHUNT_STATUS_EDITS = 11, /* u32: runtime edits in force */
	SHUNT_STATUS_EVENTS = 12, /* u64: SEQ of the last event */
	SHUNT_STATUS_MAP_BYTES = 13, /* u64: memory of all maps */
	SHUNT_STATUS_LOOKUPS = 14, /* u64: packets for which the flow table was searched */
	SHUNT_STATUS_REMEMBERED = 15, /* u64: flows that were remembered in it */
	SHUNT_STATUS_NO_ROOM = 16, /* u64: flows for which there was no room */
	/* What this balancer and its peers tell each other: flows. */
	SHUNT_STATUS_PEERS = 20, /* u32: configured; left out: none, nor what follows */
	SHUNT_STATUS_PEERS_TOLD = 21, /* u64 */
	SHUNT_STATUS_PEERS_DELAYED = 22, /* u64: beyond peer_rate, told later */
	SHUNT_STATUS_PEERS_LOST = 23, /* u64: more than could be read in time, told late or never */
	SHUNT_STATUS_PEERS_HEARD = 24, /* u64 */
	SHUNT_STATUS_PEERS_TAKEN = 25, /* u64: into the flow table */
	SHUNT_STATUS_PEERS_EARLY = 26, /* u64: heard before the change that they are of */
	SHUNT_STATUS_PEERS_WAITING = 27, /* u32: of these, kept now */
	SHUNT_STATUS_PEERS_UNKNOWN = 28, /* u64: of a service that is not here */
	SHUNT_STATUS_PEERS_NO_ROOM = 29, /* u64: in the flow table */
	/* The same: datagrams, and what was wrong with those that were dropped. */
	SHUNT_STATUS_PEERS_UNSENT = 30, /* u64: the kernel would not send them */
	SHUNT_STATUS_PEERS_GOOD = 31, /* u64 */
	SHUNT_STATUS_PEERS_MALFORMED = 32, /* u64: cut, too long, something else */
	SHUNT_STATUS_PEERS_VERSION = 33, /* u64: of another version */
	SHUNT_STATUS_PEERS_FORGED = 34, /* u64: not sealed with the fleet's key, or changed */
	SHUNT_STATUS_PEERS_REPLAYED = 35, /* u64: came before */
	SHUNT_STATUS_PEERS_STALE = 36, /* u64: old, or the clocks differ by more than 30 s */
	SHUNT_STATUS_PEERS_CROWDED = 37, /* u64: more senders than are remembered */
	SHUNT_STATUS_PEERS_SECRET = 38, /* u64: their sender has another hash_secret */
	SHUNT_STATUS_PEERS_STRANGER = 39, /* u64: not from a peer's address */
	/* The packet path in force, and what became of the former daemon's. */
	SHUNT_STATUS_PROGRAM = 50, /* u32: the kernel's number of it */
	SHUNT_STATUS_PROGRAM_AGE = 51, /* u64, milliseconds since it was loaded */
	SHUNT_STATUS_UPGRADE = 52, /* u8: enum shunt_upgrade */
	SHUNT_STATUS_UPGRADE_LEFT = 53, /* u64, milliseconds: WATCHED so long from now */
	SHUNT_STATUS_UPGRADE_WHY = 54, /* text: of REFUSED and those after it */
	SHUNT_STATUS_UPGRADE_FROM =
		55, /* text: the version that had SHUNT_MSG_UPGRADE replace it */
	SHUNT_STATUS_UPGRADE_FAILED = 56, /* text: why the one that had replaced this one ended */
	SHUNT_STATUS_UPGRADE_ASKED =
		57, /* u32: services that both packet paths were asked about, */
	SHUNT_STATUS_UPGRADE_COMPARED = 58, /* u32: with so many made-up packets */
	SHUNT_STATUS_UPGRADE_PACKETS = 59, /* u64: since the swap, while WATCHED */
	SHUNT_STATUS_UPGRADE_ERRORS = 60, /* u64: of them, with an error of shunt's own */
	SHUNT_STATUS_WEB =
		61, /* text: "http://127.0.0.1:9466/"; left out: `web` is not configured */
	SHUNT_STATUS_WEB_WHY = 62, /* text: why nobody is served there now */
};

enum shunt_upgrade {
	SHUNT_UPGRADE_NONE = 0, /* there was none before, or nobody watches: rollback_window: 0s */
	SHUNT_UPGRADE_WATCHED = 1, /* the former one can still be put back */
	SHUNT_UPGRADE_KEPT = 2, /* the time for that is over */
	SHUNT_UPGRADE_ONE_WAY = 3, /* the tables have changed with it: WHY */
	SHUNT_UPGRADE_REFUSED = 4, /* the former one is in force, as this would not do the same */
	SHUNT_UPGRADE_FELL_BACK = 5, /* the former one is in force, as this had errors */
	SHUNT_UPGRADE_ROLLED_BACK = 6, /* the former one is in force, as somebody wanted it */
	SHUNT_UPGRADE_MAX
};

enum shunt_interface_attr {
	SHUNT_INTERFACE_NAME = 1, /* text */
	SHUNT_INTERFACE_INDEX = 2, /* u32, left out: there is none of this name now */
	SHUNT_INTERFACE_XDP = 3, /* u8: 0 not attached, 1 native, 2 generic */
	SHUNT_INTERFACE_LINK_UP = 4, /* u8: 1 if so */
	SHUNT_INTERFACE_NOTE = 5, /* text: why generic, why not attached */
};

enum shunt_service_attr {
	SHUNT_SERVICE_NAME = 1, /* text */
	SHUNT_SERVICE_VIP = 2, /* addr */
	SHUNT_SERVICE_PORT = 3, /* u16, host order; left out: any, or several: PORTS */
	SHUNT_SERVICE_PROTOCOL = 4, /* u8: 6 TCP, 17 UDP */
	SHUNT_SERVICE_SCHEDULER = 5, /* u8: 0 maglev, 1 rr, 2 wrr */
	SHUNT_SERVICE_FORWARD = 6, /* u8: 0 dsr, 1 ipip, 2 local, 3 nat, 4 masq, 5 gue, 6 gre:
				    * of backends that have none of their own */
	SHUNT_SERVICE_ON_EMPTY = 7, /* u8: 0 all, 1 drop, 2 pass */
	/* u8: 0 none, 1 tcp, 2 http, 3 https, 4 http2, 5 grpc, 6 dns, 7 udp, 8 icmp, 9 tls, 10 exec, 11 agent */
	SHUNT_SERVICE_CHECK = 8,
	SHUNT_SERVICE_SLOTS = 9, /* u32 */
	SHUNT_SERVICE_BACKENDS = 10, /* u32 */
	SHUNT_SERVICE_USABLE = 11, /* u32 */
	SHUNT_SERVICE_FAIL_OPEN = 12, /* u32: 1 while on_empty: all is in force */
	SHUNT_SERVICE_PACKETS = 13, /* u64 */
	SHUNT_SERVICE_BYTES = 14, /* u64 */
	SHUNT_SERVICE_FLOWS = 15, /* u64 */
	SHUNT_SERVICE_PACKETS_S = 16, /* u64 a second */
	SHUNT_SERVICE_BYTES_S = 17, /* u64 a second */
	SHUNT_SERVICE_FLOWS_S = 18, /* u64 a second */
	SHUNT_SERVICE_NO_BACKEND = 19, /* u64: packets that found no backend */
	SHUNT_SERVICE_VIP_BITS = 20, /* u8: length of the prefix; left out: the address alone */
	SHUNT_SERVICE_PORTS = 21, /* text: several, "80,8000-8099"; "..." where it is cut */
	SHUNT_SERVICE_LAST_POOL = 22, /* u8: the last one that gets new flows; 16: the backups */
	SHUNT_SERVICE_MOVING = 23, /* u32: slots in transition: their flows stay where they are */
	SHUNT_SERVICE_OVER_RATE = 24, /* u64: packets that would have opened flows over its rates */
	SHUNT_SERVICE_PANIC = 25, /* u8: 1 while `panic` is in force: all backends are used */
	SHUNT_SERVICE_NOT_UP =
		26, /* u32: of the backends that could get new flows, those that are not well */
};

enum shunt_backend_attr {
	SHUNT_BACKEND_SERVICE = 1, /* text */
	SHUNT_BACKEND_NAME = 2, /* text */
	SHUNT_BACKEND_ADDR = 3, /* addr */
	SHUNT_BACKEND_PORT = 4, /* u16, host order; left out: any */
	SHUNT_BACKEND_WEIGHT = 5, /* u16, in force */
	SHUNT_BACKEND_CONFIGURED_WEIGHT = 6, /* u16 */
	SHUNT_BACKEND_ADMIN = 7, /* u8: 0 enabled, 1 drained, 2 in maintenance */
	SHUNT_BACKEND_EDITED = 8, /* u8: 1 if weight or admin come from a runtime edit */
	SHUNT_BACKEND_HEALTH = 9, /* u8: 0 unknown, 1 up, 2 down, 3 unchecked */
	SHUNT_BACKEND_HEALTH_AGE = 10, /* u64, milliseconds */
	SHUNT_BACKEND_REASON = 11, /* text: of the last probe's result */
	SHUNT_BACKEND_LATENCY = 12, /* u32, microseconds: of the last probe */
	SHUNT_BACKEND_NEXTHOP = 13, /* u8: 0 resolved, 1 resolving, 2 no route,
					      * 3 no neighbour, 4 link down, 5 other interface,
					      * 6 is local, 7 not needed,
					      * 8 behind a router (dsr), 9 no source address
					      * (tunnels, nat) */
	SHUNT_BACKEND_MAC = 14, /* mac of the next hop */
	SHUNT_BACKEND_EGRESS = 15, /* text: interface */
	SHUNT_BACKEND_SLOTS = 16, /* u32: owned now */
	SHUNT_BACKEND_PACKETS = 17, /* u64 */
	SHUNT_BACKEND_BYTES = 18, /* u64 */
	SHUNT_BACKEND_FLOWS = 19, /* u64 */
	SHUNT_BACKEND_PACKETS_S = 20, /* u64 a second */
	SHUNT_BACKEND_BYTES_S = 21, /* u64 a second */
	SHUNT_BACKEND_FLOWS_S = 22, /* u64 a second */
	SHUNT_BACKEND_FORWARD = 23, /* u8: as SHUNT_SERVICE_FORWARD */
	SHUNT_BACKEND_POOL = 24, /* u8: 0 to 15; 16: it is a backup */
	SHUNT_BACKEND_STANDBY = 25, /* u8: 1: well, but its pool gets no new flows */
	SHUNT_BACKEND_CLIMB = 26, /* u8: sixteenths of its share that it has, while it climbs; left
				   * out: all */
	SHUNT_BACKEND_LEAVING = 27, /* u8: 1: no longer configured, its flows are let end */
	SHUNT_BACKEND_DRAIN = 28, /* u8, of those drained and leaving: 1 has flows, 2 they have
				   * ended, 3 the deadline has passed and they have moved */
	SHUNT_BACKEND_IDLE =
		29, /* u64, milliseconds: since its last packet was seen, while 28 is 1 */
	SHUNT_BACKEND_QUIET =
		30, /* u64, milliseconds without a packet: then its flows have ended */
	SHUNT_BACKEND_DEADLINE = 31, /* u64, milliseconds from now; left out: none */
	SHUNT_BACKEND_FLOWS_LEFT = 32, /* u64, about; left out: none, or see 33 */
	SHUNT_BACKEND_FLOWS_KNOWN = 33, /* u8: 1: FLOWS_LEFT and OLDEST are known */
	SHUNT_BACKEND_OLDEST =
		34, /* u64, milliseconds, of the flows that are left: since the packet of
				    * the one that has been quiet longest */
	SHUNT_BACKEND_CODE = 35, /* text: the last probe's result, "L7STS 503" */
	SHUNT_BACKEND_CHECK =
		36, /* text: name of the check that decided; left out: the service's own */
	SHUNT_BACKEND_ADMIN_AGE = 37, /* u64, milliseconds: since the runtime edit */
	SHUNT_BACKEND_ADMIN_BY = 38, /* text: who made it */
	SHUNT_BACKEND_ADMIN_REASON = 39, /* text: and why */
	SHUNT_BACKEND_GETS = 40, /* text: what it gets of new flows or packets, and why */
	SHUNT_BACKEND_CHANGES = 41, /* u64: of its health or by hand, since the daemon started */
	SHUNT_BACKEND_PASSIVE = 42, /* text: why passive checks suspect it; left out: they do not */
	SHUNT_BACKEND_PASSIVE_OUT = 43, /* u8: 1: and have taken it out */
	SHUNT_BACKEND_PASSIVE_AGE = 44, /* u64, milliseconds: since when, of both */
	SHUNT_BACKEND_PASSIVE_BACK = 45, /* u64, milliseconds that it stays out yet, at least */
	SHUNT_BACKEND_STATE_AGE =
		46, /* u64, milliseconds: for how long it leaves, has no next hop, or stands by */
};

enum shunt_verdict_attr {
	/* text: "pass_not_vip", the names of shunt_abi.h in small letters.  The numbers there may
	 * differ between versions. */
	SHUNT_VERDICT_NAME = 1,
	SHUNT_VERDICT_PACKETS = 2, /* u64 */
	SHUNT_VERDICT_PACKETS_S = 3, /* u64 a second */
};

/* A number that the daemon has about itself, by a name of small letters and _; what each counts is said in
 * docs/metrics.md.  New ones may come. */
enum shunt_figure_attr {
	SHUNT_FIGURE_NAME = 1, /* text: "reloads" */
	SHUNT_FIGURE_VALUE = 2, /* u64 */
};

/* Hosts that do the same with every flow have the same numbers; what differs from host to host for
 * other reasons is not in them.  They are comparable between daemons of one version. */
enum shunt_fingerprint_attr {
	SHUNT_FINGERPRINT_SERVICE = 1, /* text */
	SHUNT_FINGERPRINT_BACKEND = 2, /* text; left out: of the service as a whole */
	SHUNT_FINGERPRINT_WHOLE = 3, /* u64: of all that follows but MOVING and SECRET */
	SHUNT_FINGERPRINT_SETTINGS = 4, /* u64: address, ports, scheduler, ...; of a backend: name,
					 * address, weight, method */
	SHUNT_FINGERPRINT_BACKENDS = 5, /* u64: of a service, the settings of its backends */
	SHUNT_FINGERPRINT_TABLE = 6, /* u64: which slot is whose; of a backend: which are its own */
	SHUNT_FINGERPRINT_SLOTS =
		7, /* u32: in the table, repetitions not counted; of a backend: its */
	SHUNT_FINGERPRINT_MOVING = 8, /* u32: of a service, its slots in transition on this host */
	SHUNT_FINGERPRINT_SECRET = 9, /* u32: of a service, what stands for the hash_secret */
};

enum shunt_event_attr {
	SHUNT_EVENT_SEQ = 1, /* u64 */
	SHUNT_EVENT_TIME = 2, /* u64, milliseconds since 1970 */
	SHUNT_EVENT_INSTANCE = 3, /* text */
	SHUNT_EVENT_KIND = 4, /* u8: enum shunt_event_kind */
	SHUNT_EVENT_SERVICE = 5, /* text */
	SHUNT_EVENT_BACKEND = 6, /* text */
	SHUNT_EVENT_TEXT = 7, /* text: one line for people */
	/* Of kind HEALTH and EDITED, what has become of the backend; others leave them out. */
	SHUNT_EVENT_FROM = 8, /* u8: as SHUNT_HISTORY_FROM */
	SHUNT_EVENT_TO = 9, /* u8: the same; both are the same when only the reason is another */
	SHUNT_EVENT_CODE = 10, /* text: as SHUNT_HISTORY_CODE */
	SHUNT_EVENT_CHECK = 11, /* text: as SHUNT_HISTORY_CHECK */
	SHUNT_EVENT_LATENCY = 12, /* u32: as SHUNT_HISTORY_LATENCY */
	SHUNT_EVENT_BY = 13, /* text: as SHUNT_HISTORY_BY */
	SHUNT_EVENT_REASON = 14, /* text: as SHUNT_HISTORY_REASON */
};

/* What has become of a backend; the daemon keeps its last hundred changes in memory. */
enum shunt_history_attr {
	SHUNT_HISTORY_TIME = 1, /* u64, milliseconds since 1970 */
	SHUNT_HISTORY_FROM = 2, /* u8: 0 starting, 1 up, 2 down, 3 unchecked, 4 drained,
				 * 5 maintenance, 6 leaving */
	SHUNT_HISTORY_TO = 3, /* u8 */
	SHUNT_HISTORY_CODE =
		4, /* text: of the probe that decided, "L7STS 503"; left out: none did */
	SHUNT_HISTORY_CHECK = 5, /* text: name of the check that decided; left out: the service's */
	SHUNT_HISTORY_LATENCY = 6, /* u32, microseconds: of that probe */
	SHUNT_HISTORY_BY = 7, /* text: who did it, if it was done by hand */
	SHUNT_HISTORY_REASON = 8, /* text */
};

/* What a reload would do: one WHOLE, then SETTINGs of what is not the services', then each service that
 * would be another: SERVICE, its SETTINGs, and each of its BACKENDs that would be another, with its
 * SETTINGs; then WARNINGs. What stays as it is has no record. */
enum shunt_plan_attr {
	SHUNT_PLAN_KIND = 1, /* u8: enum shunt_plan_kind */
	SHUNT_PLAN_CHANGE = 2, /* u8: enum shunt_plan_change, of SERVICE and BACKEND */
	SHUNT_PLAN_NUMBER = 3, /* u64, of WHOLE: as SHUNT_REPLY_PLAN */
	SHUNT_PLAN_SERVICE = 4, /* text; of SETTING left out: it is not a service's */
	SHUNT_PLAN_BACKEND = 5, /* text; of SETTING left out: it is not a backend's */
	SHUNT_PLAN_KEY = 6, /* text, of SETTING: "check.interval" */
	SHUNT_PLAN_FROM =
		7, /* text, of SETTING: what is in force; left out: nothing, not one value,
			      * or a secret */
	SHUNT_PLAN_TO = 8, /* text: the same, as it would be */
	/* text: of WHOLE the file, of SERVICE and BACKEND the address, of WARNING one line for people */
	SHUNT_PLAN_TEXT = 9,
	SHUNT_PLAN_SLOTS = 10, /* u32: of SERVICE and BACKEND, slots there would be */
	SHUNT_PLAN_SLOTS_BEFORE = 11, /* u32: and that there are */
	SHUNT_PLAN_SLOTS_MOVED =
		12, /* u32, of SERVICE: whose new flows would go to another backend */
	SHUNT_PLAN_FLOWS_MOVED =
		13, /* u32, of SERVICE: of a million live flows, about so many would
				      * lose their backend */
	SHUNT_PLAN_FLOWS = 14, /* u64, of SERVICE: live flows that it has now, if that is known */
	SHUNT_PLAN_FLOWS_KNOWN = 15, /* u8: 1: FLOWS is */
	SHUNT_PLAN_BACKENDS = 16, /* u32, of WHOLE and SERVICE: backends there would be */
	SHUNT_PLAN_SERVICES = 17, /* u32, of WHOLE: services there would be */
};

enum shunt_plan_kind {
	SHUNT_PLAN_NOTHING = 0,
	SHUNT_PLAN_WHOLE = 1,
	SHUNT_PLAN_SETTING = 2,
	SHUNT_PLAN_OF_SERVICE = 3,
	SHUNT_PLAN_OF_BACKEND = 4,
	SHUNT_PLAN_WARNING = 5,
	SHUNT_PLAN_KIND_MAX
};

enum shunt_plan_change {
	SHUNT_PLAN_SAME = 0,
	SHUNT_PLAN_ADDED = 1,
	SHUNT_PLAN_CHANGED = 2,
	SHUNT_PLAN_LEAVES = 3, /* gets no new flows, and goes when those that it has have ended */
	SHUNT_PLAN_REMOVED = 4, /* at once, and its flows move or end */
	SHUNT_PLAN_CHANGE_MAX
};

enum shunt_event_kind {
	SHUNT_EVENT_OTHER = 0,
	SHUNT_EVENT_STARTED = 1,
	SHUNT_EVENT_RELOADED = 2,
	SHUNT_EVENT_RELOAD_REFUSED = 3,
	SHUNT_EVENT_EDITED = 4, /* drain, enable, weight */
	SHUNT_EVENT_HEALTH = 5, /* a backend's health changed */
	SHUNT_EVENT_NEXTHOP = 6, /* a backend's next hop changed */
	SHUNT_EVENT_SERVICE_EMPTY =
		7, /* a service lost its last usable backend, or has one again */
	SHUNT_EVENT_INTERFACE = 8, /* attached, detached, link up or down */
	SHUNT_EVENT_DRAIN = 9, /* a drain began by a configuration, or ended */
	SHUNT_EVENT_POOL = 10, /* further pools, or backups, get new flows too, or no longer */
	SHUNT_EVENT_TRANSITION = 11, /* slots of a service are in transition, or none is any more */
};

#endif /* SHUNT_MSG_H */
