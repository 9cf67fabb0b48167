/* SPDX-License-Identifier: BSD-2-Clause */
/* A small daemon's rows, the same every time: one of every state that an operator may be shown, long
 * names, both families, and what only a newer daemon would send. */
#ifndef SHUNT_GOLDEN_ROWS_H
#define SHUNT_GOLDEN_ROWS_H

#include <netinet/in.h>

#include "fake_daemon.h"

#define V4(a, b, c, d)                                                                             \
	{                                                                                          \
		.family = 4, .bytes = { a, b, c, d }                                               \
	}
#define V6(last)                                                                                   \
	{                                                                                          \
		.family = 6, .bytes = { 0x20, 0x01, 0x0d, 0xb8, [15] = last }                      \
	}
#define MINUTES(n) ((n)*60000ull)
#define LONG_NAME "a-service-with-a-name-of-as-many-letters-as-a-name-may-have-xxx"

static const struct view_interface golden_interfaces[] = {
	{.name = "eth0", .ifindex = 2, .xdp = VIEW_XDP_NATIVE, .link_up = true},
	{.name = "eth1",
	 .ifindex = 3,
	 .xdp = VIEW_XDP_GENERIC,
	 .link_up = true,
	 .note = "the driver has no native XDP: slower by far"},
	{.name = "eth2", .ifindex = 0, .note = "there is no such interface"},
	{.name = "eth3", .ifindex = 9, .xdp = 77, .note = "from the \"future\""},
};

static const struct view_service golden_services[] = {
	{.name = "web",
	 .vip = V4(203, 0, 113, 10),
	 .port = 80,
	 .protocol = IPPROTO_TCP,
	 .forward = SHUNT_IPIP,
	 .check = CONF_CHECK_HTTP,
	 .slots = 1024,
	 .backends = 6,
	 .usable = 3,
	 .not_up = 2,
	 .traffic = {12345678, 4500000000, 123456, 12345, 9876543, 321},
	 .no_backend = 42,
	 .over_rate = 1701},
	{.name = "dns",
	 .vip = V6(0x53),
	 .port = 53,
	 .protocol = IPPROTO_UDP,
	 .scheduler = SHUNT_WRR,
	 .check = CONF_CHECK_DNS,
	 .on_empty = CONF_EMPTY_DROP,
	 .slots = 64,
	 .backends = 1,
	 .usable = 1,
	 .traffic = {999, 64000, 998, 1, 64, 1}},
	{.name = LONG_NAME,
	 .vip = V4(203, 0, 113, 11),
	 .protocol = IPPROTO_TCP,
	 .forward = SHUNT_LOCAL,
	 .slots = 32,
	 .backends = 1,
	 .failing_open = 1},
	{.name = "many",
	 .vip = V4(198, 51, 100, 0),
	 .vip_bits = 24,
	 .ports = "80,443,8000-8099",
	 .protocol = IPPROTO_TCP},
	{.name = "empty", .vip = V6(1), .port = 443, .protocol = IPPROTO_TCP, .scheduler = 99},
};

#define WEB(name_, last)                                                                           \
	.service = "web", .name = name_, .addr = V4(10, 0, 0, last), .port = 80,                   \
	.forward = SHUNT_IPIP
static const struct view_backend golden_backends[] = {
	{WEB("web1", 11), .weight = 1, .configured_weight = 1, .health = HEALTH_UP, .code = "L7OK",
	 .health_age_ms = MINUTES(3), .reason = "ok", .latency_us = 1234,
	 .mac = {2, 0, 0, 0, 0, 0x11}, .egress = "eth0", .slots = 512,
	 .traffic = {12345000, 4499000000, 123000, 12345, 9876543, 321}},
	{WEB("web2", 12), .weight = 2, .configured_weight = 1, .edited = true,
	 .health = HEALTH_DOWN, .health_age_ms = 12000, .reason = "HTTP status 503, wanted 200-399",
	 .code = "L7STS 503", .check = "web-http", .egress = "eth0"},
	{WEB("web3", 13), .weight = 1, .configured_weight = 1, .nexthop = VIEW_NH_NO_NEIGHBOUR},
	{WEB("web4", 14), .weight = 1, .configured_weight = 1, .admin = VIEW_ADMIN_DRAINED,
	 .edited = true, .health = HEALTH_DOWN, .reason = "connection refused", .code = "L4CON",
	 .admin_age_ms = MINUTES(3), .admin_by = "alice (uid 0)", .admin_reason = "disk swap"},
	{WEB("web11", 21), .weight = 1, .configured_weight = 1, .admin = VIEW_ADMIN_DISABLED,
	 .edited = true, .health = HEALTH_UP, .admin_age_ms = MINUTES(90), .admin_by = "uid 0"},
	{WEB("web5", 15), .weight = 1, .configured_weight = 1, .health_age_ms = 700},
	{WEB("web6", 16), .weight = 1000, .configured_weight = 1000, .health = HEALTH_DOWN,
	 .health_age_ms = MINUTES(60 * 24 * 12), .reason = "bad: \033[31m\"red\" \\\t\xff\xc3\xa9",
	 .nexthop = 88},
	{WEB("web7", 17), .configured_weight = 1, .leaving = true, .state_age_ms = 65000,
	 .drain = VIEW_DRAIN_GOING, .health = HEALTH_UP, .idle_ms = 1500, .quiet_ms = MINUTES(5),
	 .deadline_ms = MINUTES(61), .flows_known = true, .flows_left = 42, .oldest_ms = 40000},
	{WEB("web8", 18), .weight = 1, .configured_weight = 1, .health = HEALTH_UP, .pool = 16,
	 .standby = true, .state_age_ms = 7200000},
	{WEB("web9", 19), .weight = 1, .configured_weight = 1, .health = HEALTH_UP,
	 .health_age_ms = 4000, .latency_us = 900, .climb = 4, .slots = 32},
	{WEB("web10", 20), .weight = 1, .configured_weight = 1, .admin = VIEW_ADMIN_DRAINED,
	 .edited = true, .drain = VIEW_DRAIN_DONE, .health = HEALTH_UP},
	{.service = "dns",
	 .name = "2001:db8::13",
	 .addr = V6(0x13),
	 .port = 53,
	 .forward = SHUNT_LOCAL,
	 .weight = 1,
	 .configured_weight = 1,
	 .health = HEALTH_UNCHECKED,
	 .health_age_ms = MINUTES(90),
	 .traffic = {999, 64000, 998, 1, 64, 1}},
	{.service = LONG_NAME,
	 .name = "a-backend-with-a-name-of-as-many-letters-as-a-name-may-have-xxx",
	 .addr = {.family = 6,
		  .bytes = {0x20, 1, 0xd, 0xb8, 0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0x44, 0x44,
			    0x55, 0x55, 0x66, 0x66}},
	 .weight = 1,
	 .configured_weight = 1,
	 .health = HEALTH_DOWN,
	 .health_age_ms = MINUTES(47 * 60),
	 .reason = "connection timed out after 1 s, which is the timeout of this check",
	 .nexthop = VIEW_NH_NOT_NEEDED},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t golden_generation(void *arg)
{
	(void)arg;
	return 1;
}

static void golden_status(void *arg, struct view_status *out)
{
	(void)arg;
	*out = (struct view_status){
		.version = "0.1.0",
		.instance = "test",
		.pid = 1234,
		.uptime_ms = MINUTES(60 * 3 + 12),
		.config_age_ms = MINUTES(5),
		.config_file = "/etc/shunt/shunt.yaml",
		.services = fake->services,
		.backends = fake->services ? 8 : 0,
		.usable_backends = fake->services ? 4 : 0,
		.edits = fake->services ? 2 : 0,
		.events = 34,
		.map_bytes = 12345678,
	};
	if (fake->services)
		out->peers = (struct view_peers){
			.peers = 2,
			.told = 1000,
			.heard = 990,
			.taken = 980,
			.waiting = 10,
			.fates = {[PEER_TAKEN] = 40, [PEER_FORGED] = 3, [PEER_OTHER_SECRET] = 1},
		};
	if (fake->services)
		out->upgrade = (struct view_upgrade){
			.program = 77,
			.program_age_ms = MINUTES(2),
			.state = SHUNT_UPGRADE_WATCHED,
			.left_ms = 21000,
			.from = "0.0.9",
			.asked = 5,
			.compared = 20,
			.packets = 123456,
			.errors = 3,
		};
	if (fake->services)
		snprintf(out->config_error, sizeof(out->config_error),
			 "/etc/shunt/shunt.yaml:3:5: unknown key \"vips\"; did you mean \"vip\"?");
}

static bool golden_interface(void *arg, uint32_t i, struct view_interface *out)
{
	(void)arg;
	if (!fake->services || i >= COUNT(golden_interfaces))
		return false;
	*out = golden_interfaces[i];
	return true;
}

static bool golden_service(void *arg, uint32_t i, struct view_service *out)
{
	(void)arg;
	if (i >= fake->services)
		return false;
	*out = golden_services[i];
	return true;
}

static int64_t golden_find(void *arg, const char *name)
{
	int64_t i;

	(void)arg;
	for (i = 0; i < fake->services; i++)
		if (strcmp(golden_services[i].name, name) == 0)
			return i;
	return -1;
}

static bool golden_backend(void *arg, uint32_t service, uint32_t i, struct view_backend *out)
{
	size_t b;

	(void)arg;
	for (b = 0; service < fake->services && b < COUNT(golden_backends); b++) {
		if (strcmp(golden_backends[b].service, golden_services[service].name) != 0)
			continue;
		if (i-- == 0) {
			*out = golden_backends[b];
			return true;
		}
	}
	return false;
}

/* A few verdicts, so that a new one or other words for one are no business of these tests. */
static bool golden_verdict(void *arg, enum shunt_verdict v, struct view_verdict *out)
{
	static const struct view_verdict verdicts[] = {
		{SHUNT_FORWARD_DSR, 0, 0},	   {SHUNT_FORWARD_IPIP, 12345636, 12345},
		{SHUNT_PASS_NOT_VIP, 1000, 0},	   {SHUNT_DROP_BAD_IP, 0, 0},
		{SHUNT_DROP_NO_EGRESS, 999999, 0},
	};
	size_t i;

	(void)arg;
	if (v == SHUNT_DROP_BAD_TABLE && fake->services) {
		*out = (struct view_verdict){.verdict = 200, .packets = 1};
		return true;
	}
	for (i = 0; i < COUNT(verdicts); i++)
		if (verdicts[i].verdict == v && fake->services) {
			*out = verdicts[i];
			return true;
		}
	return false;
}

static const struct history_event golden_changes[] = {
	{.time_ms = 1700000300000,
	 .from = STANDING_UP,
	 .to = STANDING_DOWN,
	 .latency_us = 1200,
	 .code = "L7STS 503",
	 .check = "web-http",
	 .reason = "HTTP status 503, wanted 200-399, 3 of 3"},
	{.time_ms = 1700000200000,
	 .from = STANDING_DRAINED,
	 .to = STANDING_UP,
	 .by = "alice (uid 0)",
	 .reason = "enabled"},
	{.time_ms = 1700000100000,
	 .to = STANDING_UP,
	 .latency_us = 830,
	 .code = "L7OK",
	 .reason = "HTTP status 200, 1 of 1"},
	{.time_ms = 1700000000000, .from = 77, .to = STANDING_MAINTENANCE},
};

static int64_t golden_find_backend(void *arg, uint32_t service, const char *name)
{
	(void)arg;
	return service == 0 && strcmp(name, "web1") == 0 ? 0 : -1;
}

static bool golden_history(void *arg, uint32_t service, uint32_t backend, uint32_t i,
			   struct history_event *out)
{
	(void)arg, (void)service, (void)backend;
	if (i >= COUNT(golden_changes))
		return false;
	*out = golden_changes[i];
	return true;
}

static bool golden_fingerprint(void *arg, uint32_t service, uint32_t i,
			       struct view_fingerprint *out)
{
	struct view_backend b = {0};

	(void)arg;
	if (service >= fake->services || (i && !golden_backend(NULL, service, i - 1, &b)))
		return false;
	*out = (struct view_fingerprint){
		.whole = 0x123456789abcdef0 + i,
		.settings = 0x1111111100000000 * (service + 1),
		.backends = i ? 0 : 0x2222222200000000,
		.table = 0x0000000300000004,
		.slots = 1024 >> i,
		.moving = i ? 0 : 7,
		.secret = i ? 0 : 0xfeed,
	};
	memcpy(out->service, golden_services[service].name, sizeof(out->service));
	memcpy(out->backend, b.name, sizeof(out->backend));
	return true;
}

static const struct view_plan golden_plan_rows[] = {
	{.kind = SHUNT_PLAN_WHOLE,
	 .number = 42,
	 .text = "/etc/shunt/new.yaml",
	 .services = 2,
	 .backends = 7},
	{.kind = SHUNT_PLAN_SETTING, .key = "icmp_rate", .from = "100", .to = "200"},
	{.kind = SHUNT_PLAN_OF_SERVICE,
	 .change = SHUNT_PLAN_CHANGED,
	 .service = "web",
	 .text = "203.0.113.10:80/tcp",
	 .backends = 4,
	 .slots = 2048,
	 .slots_before = 1024,
	 .slots_moved = 600,
	 .flows_moved = 4000,
	 .flows = 1234,
	 .flows_known = true},
	{.kind = SHUNT_PLAN_SETTING,
	 .service = "web",
	 .key = "scheduler",
	 .from = "rr",
	 .to = "lc"},
	{.kind = SHUNT_PLAN_SETTING, .service = "web", .key = "quic_lb"},
	{.kind = SHUNT_PLAN_OF_BACKEND,
	 .change = SHUNT_PLAN_CHANGED,
	 .service = "web",
	 .backend = "web1",
	 .text = "10.0.0.11:80",
	 .slots = 700,
	 .slots_before = 512},
	{.kind = SHUNT_PLAN_SETTING,
	 .service = "web",
	 .backend = "web1",
	 .key = "weight",
	 .from = "1",
	 .to = "5"},
	{.kind = SHUNT_PLAN_OF_BACKEND,
	 .change = SHUNT_PLAN_ADDED,
	 .service = "web",
	 .backend = "web3",
	 .text = "10.0.0.13:80",
	 .slots = 300},
	{.kind = SHUNT_PLAN_OF_BACKEND,
	 .change = SHUNT_PLAN_LEAVES,
	 .service = "web",
	 .backend = "web2",
	 .text = "10.0.0.12:80",
	 .slots_before = 512},
	{.kind = SHUNT_PLAN_OF_SERVICE,
	 .change = SHUNT_PLAN_ADDED,
	 .service = "ntp",
	 .text = "[2001:db8::10]:123/udp",
	 .backends = 1,
	 .slots = 1024},
	{.kind = SHUNT_PLAN_OF_SERVICE,
	 .change = SHUNT_PLAN_REMOVED,
	 .service = "dns",
	 .text = "203.0.113.53:53/udp",
	 .slots_before = 1024,
	 .slots_moved = 1024,
	 .flows_moved = 1000000},
	{.kind = SHUNT_PLAN_WARNING, .text = "flow_table: holds from the next start of shuntd on"},
};

static bool golden_plan(void *arg, uint32_t i, struct view_plan *out)
{
	(void)arg;
	if (i >= (fake->services ? COUNT(golden_plan_rows) : 1))
		return false;
	*out = golden_plan_rows[i];
	return true;
}

/* Drains what is there, refuses what is not, as a daemon would say it. */
static void golden_command(void *arg, const struct ctl_command *c, struct ctl_reply *r)
{
	(void)arg;
	if (c->verb == CTL_RELOAD) {
		r->status = -EINVAL;
		snprintf(r->text, sizeof(r->text),
			 "/etc/shunt/shunt.yaml:3:5: unknown key \"vips\"");
	} else if (c->verb == CTL_MAKE_PLAN) {
		r->plan = strstr(c->file, "other") ? 41 : 42;
		r->status = strstr(c->file, "bad") ? -EINVAL : 0;
		if (r->status)
			snprintf(r->text, sizeof(r->text), "%s:3:5: unknown key \"vips\"", c->file);
	} else if (c->verb == CTL_LOG_LEVEL) {
		snprintf(r->level, sizeof(r->level), "%s", c->level[0] ? c->level : "info");
		snprintf(r->configured, sizeof(r->configured), "info");
		snprintf(r->text, sizeof(r->text), "%s, as somebody wants", r->level);
	} else if (c->verb == CTL_ROLLBACK) {
		snprintf(r->text, sizeof(r->text), "the former packet path is back in force");
	} else if (c->verb == CTL_UPGRADE) {
		r->status = -ENOEXEC;
		snprintf(r->text, sizeof(r->text), "it is %s", c->accept ? "accepted" : "broken");
	} else if (golden_find(NULL, c->service) < 0) {
		r->status = -ENOENT;
		snprintf(r->text, sizeof(r->text), "no service \"%s\"; there are:\n  web\n  dns",
			 c->service);
	} else if (c->verb == CTL_WEIGHT) {
		snprintf(r->text, sizeof(r->text), "%s %s: weight %u", c->service, c->backend,
			 c->weight);
	} else if (c->verb == CTL_DRAIN) {
		snprintf(r->text, sizeof(r->text), "%s %s: drained", c->service, c->backend);
	} else if (c->verb == CTL_DISABLE) {
		snprintf(r->text, sizeof(r->text), "%s %s: disabled: %s", c->service, c->backend,
			 c->reason);
	}
}

static const struct view_figure golden_figures[] = {{"ready", 1}, {"reloads", 7}};

static bool golden_figure(void *arg, uint32_t i, struct view_figure *out)
{
	(void)arg;
	if (i >= COUNT(golden_figures))
		return false;
	*out = golden_figures[i];
	return true;
}

static const struct stats_source golden_source = {
	.generation = golden_generation,
	.status = golden_status,
	.interface = golden_interface,
	.service = golden_service,
	.find_service = golden_find,
	.backend = golden_backend,
	.verdict = golden_verdict,
	.fingerprint = golden_fingerprint,
	.find_backend = golden_find_backend,
	.history = golden_history,
	.plan = golden_plan,
	.figure = golden_figure,
};

#endif
