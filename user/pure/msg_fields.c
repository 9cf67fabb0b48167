/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/msg_fields.h"

#include "pure/msg.h"

#define MEMBER(s, m) .offset = offsetof(struct s, m), .size = sizeof(((struct s *)0)->m)
#define U8(attr_, s, m)                                                                            \
	{                                                                                          \
		.attr = attr_, .type = FIELD_U8, MEMBER(s, m)                                      \
	}
#define BOOL(attr_, s, m)                                                                          \
	{                                                                                          \
		.attr = attr_, .type = FIELD_BOOL, MEMBER(s, m)                                    \
	}
#define ENUM(attr_, s, m, max)                                                                     \
	{                                                                                          \
		.attr = attr_, .type = FIELD_ENUM, MEMBER(s, m), .limit = max                      \
	}
#define U16(attr_, s, m)                                                                           \
	{                                                                                          \
		.attr = attr_, .type = FIELD_U16, MEMBER(s, m)                                     \
	}
#define U32(attr_, s, m)                                                                           \
	{                                                                                          \
		.attr = attr_, .type = FIELD_U32, MEMBER(s, m)                                     \
	}
#define U64(attr_, s, m)                                                                           \
	{                                                                                          \
		.attr = attr_, .type = FIELD_U64, MEMBER(s, m)                                     \
	}
#define TEXT(attr_, s, m)                                                                          \
	{                                                                                          \
		.attr = attr_, .type = FIELD_TEXT, MEMBER(s, m)                                    \
	}
#define ADDR(attr_, s, m)                                                                          \
	{                                                                                          \
		.attr = attr_, .type = FIELD_ADDR, MEMBER(s, m)                                    \
	}
#define BYTES(attr_, s, m)                                                                         \
	{                                                                                          \
		.attr = attr_, .type = FIELD_BYTES, MEMBER(s, m)                                   \
	}
#define VERDICT(attr_, s, m)                                                                       \
	{                                                                                          \
		.attr = attr_, .type = FIELD_VERDICT, MEMBER(s, m)                                 \
	}
#define MAC(attr_, s, m)                                                                           \
	{                                                                                          \
		.attr = attr_, .type = FIELD_MAC, MEMBER(s, m)                                     \
	}

_Static_assert(sizeof(enum view_xdp) == 4, "msg.c copies enums as 32 bits");

static const struct field get_fields[] = {
	U64(SHUNT_GET_CURSOR, msg_get, cursor),	   U64(SHUNT_GET_GENERATION, msg_get, generation),
	TEXT(SHUNT_GET_SERVICE, msg_get, service), TEXT(SHUNT_GET_BACKEND, msg_get, backend),
	ADDR(SHUNT_GET_CLIENT, msg_get, client),   U16(SHUNT_GET_CLIENT_PORT, msg_get, client_port),
	ADDR(SHUNT_GET_VIP, msg_get, vip),	   U16(SHUNT_GET_PORT, msg_get, port),
	U8(SHUNT_GET_PROTOCOL, msg_get, protocol),
};

static const struct field reply_fields[] = {
	U32(SHUNT_REPLY_CODE, msg_reply, code),
	TEXT(SHUNT_REPLY_TEXT, msg_reply, text),
	U32(SHUNT_REPLY_VERSION, msg_reply, version),
	U64(SHUNT_REPLY_PLAN, msg_reply, plan),
	U64(SHUNT_REPLY_WATCH, msg_reply, watch),
	TEXT(SHUNT_REPLY_LEVEL, msg_reply, level),
	TEXT(SHUNT_REPLY_RELEASE, msg_reply, release),
	TEXT(SHUNT_REPLY_CONFIGURED, msg_reply, configured),
};

static const struct field command_fields[] = {
	TEXT(SHUNT_COMMAND_SERVICE, ctl_command, service),
	TEXT(SHUNT_COMMAND_BACKEND, ctl_command, backend),
	U16(SHUNT_COMMAND_WEIGHT, ctl_command, weight),
	U32(SHUNT_COMMAND_DEADLINE, ctl_command, deadline_s),
	BYTES(SHUNT_COMMAND_FILTER, ctl_command, filter),
	U32(SHUNT_COMMAND_ONE_OF, ctl_command, one_of),
	U64(SHUNT_COMMAND_WATCH, ctl_command, watch),
	TEXT(SHUNT_COMMAND_USER, ctl_command, user),
	TEXT(SHUNT_COMMAND_REASON, ctl_command, reason),
	TEXT(SHUNT_COMMAND_FILE, ctl_command, file),
	TEXT(SHUNT_COMMAND_LEVEL, ctl_command, level),
	BOOL(SHUNT_COMMAND_ACCEPT, ctl_command, accept),
};

static const struct field status_fields[] = {
	TEXT(SHUNT_STATUS_VERSION, view_status, version),
	TEXT(SHUNT_STATUS_INSTANCE, view_status, instance),
	U32(SHUNT_STATUS_PID, view_status, pid),
	U64(SHUNT_STATUS_UPTIME, view_status, uptime_ms),
	U64(SHUNT_STATUS_CONFIG_AGE, view_status, config_age_ms),
	TEXT(SHUNT_STATUS_CONFIG_FILE, view_status, config_file),
	TEXT(SHUNT_STATUS_CONFIG_ERROR, view_status, config_error),
	U32(SHUNT_STATUS_SERVICES, view_status, services),
	U32(SHUNT_STATUS_BACKENDS, view_status, backends),
	U32(SHUNT_STATUS_USABLE, view_status, usable_backends),
	U32(SHUNT_STATUS_EDITS, view_status, edits),
	U64(SHUNT_STATUS_EVENTS, view_status, events),
	U64(SHUNT_STATUS_MAP_BYTES, view_status, map_bytes),
	U64(SHUNT_STATUS_LOOKUPS, view_status, flow_lookups),
	U64(SHUNT_STATUS_REMEMBERED, view_status, flows_remembered),
	U64(SHUNT_STATUS_NO_ROOM, view_status, flows_no_room),
	U32(SHUNT_STATUS_PEERS, view_status, peers.peers),
	U64(SHUNT_STATUS_PEERS_TOLD, view_status, peers.told),
	U64(SHUNT_STATUS_PEERS_DELAYED, view_status, peers.delayed),
	U64(SHUNT_STATUS_PEERS_LOST, view_status, peers.lost),
	U64(SHUNT_STATUS_PEERS_HEARD, view_status, peers.heard),
	U64(SHUNT_STATUS_PEERS_TAKEN, view_status, peers.taken),
	U64(SHUNT_STATUS_PEERS_EARLY, view_status, peers.early),
	U32(SHUNT_STATUS_PEERS_WAITING, view_status, peers.waiting),
	U64(SHUNT_STATUS_PEERS_UNKNOWN, view_status, peers.unknown),
	U64(SHUNT_STATUS_PEERS_NO_ROOM, view_status, peers.no_room),
	U64(SHUNT_STATUS_PEERS_UNSENT, view_status, peers.unsent),
	U64(SHUNT_STATUS_PEERS_GOOD, view_status, peers.fates[PEER_TAKEN]),
	U64(SHUNT_STATUS_PEERS_MALFORMED, view_status, peers.fates[PEER_MALFORMED]),
	U64(SHUNT_STATUS_PEERS_VERSION, view_status, peers.fates[PEER_OTHER_VERSION]),
	U64(SHUNT_STATUS_PEERS_FORGED, view_status, peers.fates[PEER_FORGED]),
	U64(SHUNT_STATUS_PEERS_REPLAYED, view_status, peers.fates[PEER_REPLAYED]),
	U64(SHUNT_STATUS_PEERS_STALE, view_status, peers.fates[PEER_STALE]),
	U64(SHUNT_STATUS_PEERS_CROWDED, view_status, peers.fates[PEER_CROWDED]),
	U64(SHUNT_STATUS_PEERS_SECRET, view_status, peers.fates[PEER_OTHER_SECRET]),
	U64(SHUNT_STATUS_PEERS_STRANGER, view_status, peers.fates[PEER_STRANGER]),
	U32(SHUNT_STATUS_PROGRAM, view_status, upgrade.program),
	U64(SHUNT_STATUS_PROGRAM_AGE, view_status, upgrade.program_age_ms),
	ENUM(SHUNT_STATUS_UPGRADE, view_status, upgrade.state, SHUNT_UPGRADE_MAX),
	U64(SHUNT_STATUS_UPGRADE_LEFT, view_status, upgrade.left_ms),
	TEXT(SHUNT_STATUS_UPGRADE_WHY, view_status, upgrade.why),
	TEXT(SHUNT_STATUS_UPGRADE_FROM, view_status, upgrade.from),
	TEXT(SHUNT_STATUS_UPGRADE_FAILED, view_status, upgrade.failed),
	U32(SHUNT_STATUS_UPGRADE_ASKED, view_status, upgrade.asked),
	U32(SHUNT_STATUS_UPGRADE_COMPARED, view_status, upgrade.compared),
	U64(SHUNT_STATUS_UPGRADE_PACKETS, view_status, upgrade.packets),
	U64(SHUNT_STATUS_UPGRADE_ERRORS, view_status, upgrade.errors),
	TEXT(SHUNT_STATUS_WEB, view_status, web),
	TEXT(SHUNT_STATUS_WEB_WHY, view_status, web_why),
};

static const struct field interface_fields[] = {
	TEXT(SHUNT_INTERFACE_NAME, view_interface, name),
	U32(SHUNT_INTERFACE_INDEX, view_interface, ifindex),
	ENUM(SHUNT_INTERFACE_XDP, view_interface, xdp, VIEW_XDP_GENERIC + 1),
	BOOL(SHUNT_INTERFACE_LINK_UP, view_interface, link_up),
	TEXT(SHUNT_INTERFACE_NOTE, view_interface, note),
};

static const struct field service_fields[] = {
	TEXT(SHUNT_SERVICE_NAME, view_service, name),
	ADDR(SHUNT_SERVICE_VIP, view_service, vip),
	U16(SHUNT_SERVICE_PORT, view_service, port),
	U8(SHUNT_SERVICE_PROTOCOL, view_service, protocol),
	ENUM(SHUNT_SERVICE_SCHEDULER, view_service, scheduler, SHUNT_SCHEDULER_MAX),
	ENUM(SHUNT_SERVICE_FORWARD, view_service, forward, SHUNT_FORWARD_MAX),
	ENUM(SHUNT_SERVICE_ON_EMPTY, view_service, on_empty, CONF_EMPTY_PASS + 1),
	ENUM(SHUNT_SERVICE_CHECK, view_service, check, CONF_CHECK_KIND_MAX),
	U32(SHUNT_SERVICE_SLOTS, view_service, slots),
	U32(SHUNT_SERVICE_BACKENDS, view_service, backends),
	U32(SHUNT_SERVICE_USABLE, view_service, usable),
	U32(SHUNT_SERVICE_FAIL_OPEN, view_service, failing_open),
	U64(SHUNT_SERVICE_PACKETS, view_service, traffic.packets),
	U64(SHUNT_SERVICE_BYTES, view_service, traffic.bytes),
	U64(SHUNT_SERVICE_FLOWS, view_service, traffic.flows),
	U64(SHUNT_SERVICE_PACKETS_S, view_service, traffic.packets_per_s),
	U64(SHUNT_SERVICE_BYTES_S, view_service, traffic.bytes_per_s),
	U64(SHUNT_SERVICE_FLOWS_S, view_service, traffic.flows_per_s),
	U64(SHUNT_SERVICE_NO_BACKEND, view_service, no_backend),
	U64(SHUNT_SERVICE_OVER_RATE, view_service, over_rate),
	U8(SHUNT_SERVICE_VIP_BITS, view_service, vip_bits),
	TEXT(SHUNT_SERVICE_PORTS, view_service, ports),
	U8(SHUNT_SERVICE_LAST_POOL, view_service, last_pool),
	U32(SHUNT_SERVICE_MOVING, view_service, moving),
	BOOL(SHUNT_SERVICE_PANIC, view_service, panicking),
	U32(SHUNT_SERVICE_NOT_UP, view_service, not_up),
};

static const struct field backend_fields[] = {
	TEXT(SHUNT_BACKEND_SERVICE, view_backend, service),
	TEXT(SHUNT_BACKEND_NAME, view_backend, name),
	ADDR(SHUNT_BACKEND_ADDR, view_backend, addr),
	U16(SHUNT_BACKEND_PORT, view_backend, port),
	U16(SHUNT_BACKEND_WEIGHT, view_backend, weight),
	U16(SHUNT_BACKEND_CONFIGURED_WEIGHT, view_backend, configured_weight),
	ENUM(SHUNT_BACKEND_ADMIN, view_backend, admin, VIEW_ADMIN_DISABLED + 1),
	BOOL(SHUNT_BACKEND_EDITED, view_backend, edited),
	ENUM(SHUNT_BACKEND_HEALTH, view_backend, health, HEALTH_UNCHECKED + 1),
	U64(SHUNT_BACKEND_HEALTH_AGE, view_backend, health_age_ms),
	TEXT(SHUNT_BACKEND_REASON, view_backend, reason),
	U32(SHUNT_BACKEND_LATENCY, view_backend, latency_us),
	ENUM(SHUNT_BACKEND_NEXTHOP, view_backend, nexthop, VIEW_NH_MAX),
	MAC(SHUNT_BACKEND_MAC, view_backend, mac),
	TEXT(SHUNT_BACKEND_EGRESS, view_backend, egress),
	U32(SHUNT_BACKEND_SLOTS, view_backend, slots),
	U64(SHUNT_BACKEND_PACKETS, view_backend, traffic.packets),
	U64(SHUNT_BACKEND_BYTES, view_backend, traffic.bytes),
	U64(SHUNT_BACKEND_FLOWS, view_backend, traffic.flows),
	U64(SHUNT_BACKEND_PACKETS_S, view_backend, traffic.packets_per_s),
	U64(SHUNT_BACKEND_BYTES_S, view_backend, traffic.bytes_per_s),
	U64(SHUNT_BACKEND_FLOWS_S, view_backend, traffic.flows_per_s),
	ENUM(SHUNT_BACKEND_FORWARD, view_backend, forward, SHUNT_FORWARD_MAX),
	U8(SHUNT_BACKEND_POOL, view_backend, pool),
	BOOL(SHUNT_BACKEND_STANDBY, view_backend, standby),
	U8(SHUNT_BACKEND_CLIMB, view_backend, climb),
	BOOL(SHUNT_BACKEND_LEAVING, view_backend, leaving),
	ENUM(SHUNT_BACKEND_DRAIN, view_backend, drain, VIEW_DRAIN_EXPIRED + 1),
	U64(SHUNT_BACKEND_IDLE, view_backend, idle_ms),
	U64(SHUNT_BACKEND_QUIET, view_backend, quiet_ms),
	U64(SHUNT_BACKEND_DEADLINE, view_backend, deadline_ms),
	U64(SHUNT_BACKEND_FLOWS_LEFT, view_backend, flows_left),
	BOOL(SHUNT_BACKEND_FLOWS_KNOWN, view_backend, flows_known),
	U64(SHUNT_BACKEND_OLDEST, view_backend, oldest_ms),
	TEXT(SHUNT_BACKEND_CODE, view_backend, code),
	TEXT(SHUNT_BACKEND_CHECK, view_backend, check),
	U64(SHUNT_BACKEND_ADMIN_AGE, view_backend, admin_age_ms),
	TEXT(SHUNT_BACKEND_ADMIN_BY, view_backend, admin_by),
	TEXT(SHUNT_BACKEND_ADMIN_REASON, view_backend, admin_reason),
	TEXT(SHUNT_BACKEND_GETS, view_backend, gets),
	U64(SHUNT_BACKEND_STATE_AGE, view_backend, state_age_ms),
	U64(SHUNT_BACKEND_CHANGES, view_backend, changes),
	TEXT(SHUNT_BACKEND_PASSIVE, view_backend, passive),
	BOOL(SHUNT_BACKEND_PASSIVE_OUT, view_backend, passive_out),
	U64(SHUNT_BACKEND_PASSIVE_AGE, view_backend, passive_age_ms),
	U64(SHUNT_BACKEND_PASSIVE_BACK, view_backend, passive_back_ms),
};

static const struct field verdict_fields[] = {
	VERDICT(SHUNT_VERDICT_NAME, view_verdict, verdict),
	U64(SHUNT_VERDICT_PACKETS, view_verdict, packets),
	U64(SHUNT_VERDICT_PACKETS_S, view_verdict, packets_per_s),
};

static const struct field figure_fields[] = {
	TEXT(SHUNT_FIGURE_NAME, view_figure, name),
	U64(SHUNT_FIGURE_VALUE, view_figure, value),
};

static const struct field fingerprint_fields[] = {
	TEXT(SHUNT_FINGERPRINT_SERVICE, view_fingerprint, service),
	TEXT(SHUNT_FINGERPRINT_BACKEND, view_fingerprint, backend),
	U64(SHUNT_FINGERPRINT_WHOLE, view_fingerprint, whole),
	U64(SHUNT_FINGERPRINT_SETTINGS, view_fingerprint, settings),
	U64(SHUNT_FINGERPRINT_BACKENDS, view_fingerprint, backends),
	U64(SHUNT_FINGERPRINT_TABLE, view_fingerprint, table),
	U32(SHUNT_FINGERPRINT_SLOTS, view_fingerprint, slots),
	U32(SHUNT_FINGERPRINT_MOVING, view_fingerprint, moving),
	U32(SHUNT_FINGERPRINT_SECRET, view_fingerprint, secret),
};

static const struct field event_fields[] = {
	U64(SHUNT_EVENT_SEQ, msg_event, seq),
	U64(SHUNT_EVENT_TIME, msg_event, change.time_ms),
	TEXT(SHUNT_EVENT_INSTANCE, msg_event, instance),
	ENUM(SHUNT_EVENT_KIND, msg_event, kind, SHUNT_EVENT_TRANSITION + 1),
	TEXT(SHUNT_EVENT_SERVICE, msg_event, service),
	TEXT(SHUNT_EVENT_BACKEND, msg_event, backend),
	TEXT(SHUNT_EVENT_TEXT, msg_event, text),
	ENUM(SHUNT_EVENT_FROM, msg_event, change.from, STANDING_MAX),
	ENUM(SHUNT_EVENT_TO, msg_event, change.to, STANDING_MAX),
	TEXT(SHUNT_EVENT_CODE, msg_event, change.code),
	TEXT(SHUNT_EVENT_CHECK, msg_event, change.check),
	U32(SHUNT_EVENT_LATENCY, msg_event, change.latency_us),
	TEXT(SHUNT_EVENT_BY, msg_event, change.by),
	TEXT(SHUNT_EVENT_REASON, msg_event, change.reason),
};

static const struct field history_fields[] = {
	U64(SHUNT_HISTORY_TIME, history_event, time_ms),
	ENUM(SHUNT_HISTORY_FROM, history_event, from, STANDING_MAX),
	ENUM(SHUNT_HISTORY_TO, history_event, to, STANDING_MAX),
	TEXT(SHUNT_HISTORY_CODE, history_event, code),
	TEXT(SHUNT_HISTORY_CHECK, history_event, check),
	U32(SHUNT_HISTORY_LATENCY, history_event, latency_us),
	TEXT(SHUNT_HISTORY_BY, history_event, by),
	TEXT(SHUNT_HISTORY_REASON, history_event, reason),
};

static const struct field plan_fields[] = {
	ENUM(SHUNT_PLAN_KIND, view_plan, kind, SHUNT_PLAN_KIND_MAX),
	ENUM(SHUNT_PLAN_CHANGE, view_plan, change, SHUNT_PLAN_CHANGE_MAX),
	U64(SHUNT_PLAN_NUMBER, view_plan, number),
	TEXT(SHUNT_PLAN_SERVICE, view_plan, service),
	TEXT(SHUNT_PLAN_BACKEND, view_plan, backend),
	TEXT(SHUNT_PLAN_KEY, view_plan, key),
	TEXT(SHUNT_PLAN_FROM, view_plan, from),
	TEXT(SHUNT_PLAN_TO, view_plan, to),
	TEXT(SHUNT_PLAN_TEXT, view_plan, text),
	U32(SHUNT_PLAN_SLOTS, view_plan, slots),
	U32(SHUNT_PLAN_SLOTS_BEFORE, view_plan, slots_before),
	U32(SHUNT_PLAN_SLOTS_MOVED, view_plan, slots_moved),
	U32(SHUNT_PLAN_FLOWS_MOVED, view_plan, flows_moved),
	U64(SHUNT_PLAN_FLOWS, view_plan, flows),
	BOOL(SHUNT_PLAN_FLOWS_KNOWN, view_plan, flows_known),
	U32(SHUNT_PLAN_BACKENDS, view_plan, backends),
	U32(SHUNT_PLAN_SERVICES, view_plan, services),
};

static const struct field ask_fields[] = {
	TEXT(SHUNT_ASK_SERVICE, explain_ask, service),
	ADDR(SHUNT_ASK_CLIENT, explain_ask, client),
	U16(SHUNT_ASK_CLIENT_PORT, explain_ask, client_port),
	ADDR(SHUNT_ASK_VIP, explain_ask, vip),
	U16(SHUNT_ASK_PORT, explain_ask, port),
	U8(SHUNT_ASK_PROTOCOL, explain_ask, protocol),
	BOOL(SHUNT_ASK_ESTABLISHED, explain_ask, established),
	TEXT(SHUNT_ASK_INTERFACE, explain_ask, interface),
	BYTES(SHUNT_ASK_FRAME, explain_ask, frame),
};

static const struct field explain_fields[] = {
	VERDICT(SHUNT_EXPLAIN_VERDICT, view_explain, verdict),
	U8(SHUNT_EXPLAIN_ACTION, view_explain, action),
	TEXT(SHUNT_EXPLAIN_SERVICE, view_explain, service),
	TEXT(SHUNT_EXPLAIN_BACKEND, view_explain, backend),
	ENUM(SHUNT_EXPLAIN_FORWARD, view_explain, forward, SHUNT_FORWARD_MAX),
	ENUM(SHUNT_EXPLAIN_WHY, view_explain, why, EXPLAIN_MAX),
	TEXT(SHUNT_EXPLAIN_INTERFACE, view_explain, interface),
	TEXT(SHUNT_EXPLAIN_EGRESS, view_explain, egress),
	U32(SHUNT_EXPLAIN_SLOT, view_explain, slot),
	U32(SHUNT_EXPLAIN_SLOTS, view_explain, slots),
	BOOL(SHUNT_EXPLAIN_MOVES, view_explain, moves),
	TEXT(SHUNT_EXPLAIN_CUR, view_explain, cur),
	TEXT(SHUNT_EXPLAIN_BASE, view_explain, base),
	TEXT(SHUNT_EXPLAIN_ENTRY, view_explain, entry),
	BOOL(SHUNT_EXPLAIN_REMEMBERS, view_explain, remembers),
	BOOL(SHUNT_EXPLAIN_NO_ROOM, view_explain, no_room),
	BOOL(SHUNT_EXPLAIN_OPENS, view_explain, opens),
};

static const struct field step_fields[] = {
	TEXT(SHUNT_STEP_WHAT, explain_step, what),
	TEXT(SHUNT_STEP_TEXT, explain_step, text),
};

static const struct field frame_fields[] = {
	BOOL(SHUNT_FRAME_LEAVES, view_frame, leaves),
	BYTES(SHUNT_FRAME_BYTES, view_frame, bytes),
};

static const struct field traced_fields[] = {
	U64(SHUNT_TRACED_TIME, view_traced, time_ns),
	TEXT(SHUNT_TRACED_INTERFACE, view_traced, interface),
	VERDICT(SHUNT_TRACED_VERDICT, view_traced, verdict),
	U8(SHUNT_TRACED_ACTION, view_traced, action),
	TEXT(SHUNT_TRACED_SERVICE, view_traced, service),
	TEXT(SHUNT_TRACED_BACKEND, view_traced, backend),
	U32(SHUNT_TRACED_LEN, view_traced, len),
	U32(SHUNT_TRACED_LEN_AFTER, view_traced, len_after),
	BYTES(SHUNT_TRACED_FRAME, view_traced, frame),
	BYTES(SHUNT_TRACED_FRAME_AFTER, view_traced, frame_after),
};

static const struct field flow_fields[] = {
	ENUM(SHUNT_FLOW_KIND, view_flow, kind, VIEW_FLOW_MAX),
	TEXT(SHUNT_FLOW_SERVICE, view_flow, service),
	TEXT(SHUNT_FLOW_BACKEND, view_flow, backend),
	U64(SHUNT_FLOW_AGE, view_flow, age_ms),
	U8(SHUNT_FLOW_PROTOCOL, view_flow, protocol),
	ADDR(SHUNT_FLOW_CLIENT, view_flow, client),
	U16(SHUNT_FLOW_CLIENT_PORT, view_flow, client_port),
	ADDR(SHUNT_FLOW_VIP, view_flow, vip),
	U16(SHUNT_FLOW_PORT, view_flow, port),
	ADDR(SHUNT_FLOW_POOL, view_flow, pool),
	U16(SHUNT_FLOW_POOL_PORT, view_flow, pool_port),
	ENUM(SHUNT_FLOW_STATE, view_flow, state, VIEW_FLOW_STATE_MAX),
	U32(SHUNT_FLOW_NUMBER, view_flow, number),
};

#define LAYOUT(name)                                                                               \
	{                                                                                          \
		name##_fields, sizeof(name##_fields) / sizeof(name##_fields[0])                    \
	}

static const struct layout layouts[] = {
	[SHUNT_MSG_GET_STATUS] = LAYOUT(get),	 [SHUNT_MSG_GET_INTERFACES] = LAYOUT(get),
	[SHUNT_MSG_GET_SERVICES] = LAYOUT(get),	 [SHUNT_MSG_GET_BACKENDS] = LAYOUT(get),
	[SHUNT_MSG_GET_VERDICTS] = LAYOUT(get),	 [SHUNT_MSG_GET_FINGERPRINTS] = LAYOUT(get),
	[SHUNT_MSG_GET_HISTORY] = LAYOUT(get),	 [SHUNT_MSG_HISTORY] = LAYOUT(history),
	[SHUNT_MSG_GET_FIGURES] = LAYOUT(get),	 [SHUNT_MSG_FIGURE] = LAYOUT(figure),
	[SHUNT_MSG_STATUS] = LAYOUT(status),	 [SHUNT_MSG_INTERFACE] = LAYOUT(interface),
	[SHUNT_MSG_SERVICE] = LAYOUT(service),	 [SHUNT_MSG_BACKEND] = LAYOUT(backend),
	[SHUNT_MSG_VERDICT] = LAYOUT(verdict),	 [SHUNT_MSG_FINGERPRINT] = LAYOUT(fingerprint),
	[SHUNT_MSG_GET_TRACE] = LAYOUT(get),	 [SHUNT_MSG_TRACED] = LAYOUT(traced),
	[SHUNT_MSG_TRACE] = LAYOUT(command),	 [SHUNT_MSG_TRACE_END] = LAYOUT(command),
	[SHUNT_MSG_LOG_LEVEL] = LAYOUT(command), [SHUNT_MSG_GET_EXPLAIN] = LAYOUT(ask),
	[SHUNT_MSG_GET_FLOWS] = LAYOUT(get),	 [SHUNT_MSG_EXPLAIN] = LAYOUT(explain),
	[SHUNT_MSG_STEP] = LAYOUT(step),	 [SHUNT_MSG_FRAME] = LAYOUT(frame),
	[SHUNT_MSG_FLOW] = LAYOUT(flow),	 [SHUNT_MSG_PAGE] = LAYOUT(get),
	[SHUNT_MSG_ERROR] = LAYOUT(reply),	 [SHUNT_MSG_EVENT] = LAYOUT(event),
	[SHUNT_MSG_HEARTBEAT] = LAYOUT(event),	 [SHUNT_MSG_RELOAD] = LAYOUT(command),
	[SHUNT_MSG_DRAIN] = LAYOUT(command),	 [SHUNT_MSG_DISABLE] = LAYOUT(command),
	[SHUNT_MSG_ENABLE] = LAYOUT(command),	 [SHUNT_MSG_UPGRADE] = LAYOUT(command),
	[SHUNT_MSG_ROLLBACK] = LAYOUT(command),	 [SHUNT_MSG_WEIGHT] = LAYOUT(command),
	[SHUNT_MSG_REPLY] = LAYOUT(reply),	 [SHUNT_MSG_GET_PLAN] = LAYOUT(get),
	[SHUNT_MSG_MAKE_PLAN] = LAYOUT(command), [SHUNT_MSG_PLAN] = LAYOUT(plan),
};

const struct layout *msg_layout(enum shunt_msg_command command)
{
	if ((size_t)command >= sizeof(layouts) / sizeof(layouts[0]) || !layouts[command].fields)
		return NULL;
	return &layouts[command];
}
