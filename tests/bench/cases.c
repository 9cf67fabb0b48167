/* SPDX-License-Identifier: BSD-2-Clause */
#include "cases.h"

#include <assert.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bench_case_add(struct bench_cases *cases, const struct bench_case *c)
{
	struct bench_case *at = &cases->c[cases->n++];

	assert(cases->n <= BENCH_CASES_MAX);
	*at = *c;
	if (!at->protocol)
		at->protocol = IPPROTO_TCP;
	if (at->pool != BENCH_NO_SERVICE)
		at->service = cases->services++;
}

static const struct bench_case floors[] = {
	{.name = "floor-null-tx",
	 .program = "floor_null_tx",
	 .floor = "floor-null-tx",
	 .action = XDP_TX},
	{.name = "floor-mac-swap",
	 .program = "floor_mac_swap",
	 .floor = "floor-mac-swap",
	 .shell = "shell-l2-v4",
	 .action = XDP_TX},
	{.name = "floor-encap20",
	 .program = "floor_encap20",
	 .floor = "floor-encap20",
	 .shell = "shell-encap20",
	 .pushed = 20,
	 .action = XDP_TX},
	{.name = "floor-encap40",
	 .program = "floor_encap40",
	 .floor = "floor-encap40",
	 .shell = "shell-encap40",
	 .pushed = 40,
	 .is_v6 = true,
	 .action = XDP_TX},
	{.name = "floor-parse-v4",
	 .program = "floor_parse_v4",
	 .floor = "floor-parse-v4",
	 .shell = "shell-l2-v4",
	 .action = XDP_DROP},
	{.name = "floor-parse-v6",
	 .program = "floor_parse_v6",
	 .floor = "floor-parse-v6",
	 .shell = "shell-l2-v6",
	 .is_v6 = true,
	 .action = XDP_DROP},
	{.name = "shell-l2-v4",
	 .kind = BENCH_SHELL,
	 .program = "shell_l2_v4",
	 .floor = "floor-null-tx",
	 .action = XDP_TX},
	{.name = "shell-l2-v6",
	 .kind = BENCH_SHELL,
	 .program = "shell_l2_v6",
	 .floor = "floor-null-tx",
	 .is_v6 = true,
	 .action = XDP_TX},
	{.name = "shell-encap20",
	 .kind = BENCH_SHELL,
	 .program = "shell_encap20",
	 .floor = "floor-null-tx",
	 .pushed = 20,
	 .action = XDP_TX},
	{.name = "shell-encap40",
	 .kind = BENCH_SHELL,
	 .program = "shell_encap40",
	 .floor = "floor-null-tx",
	 .pushed = 40,
	 .is_v6 = true,
	 .action = XDP_TX},
};

/* What a case is compared with, and its program, hang on what it puts in front of the frame. */
struct way {
	enum shunt_forward method;
	bool is_v6;
	const char *name, *program, *floor, *shell;
	uint32_t pushed;
};

static const struct way ways[] = {
	{SHUNT_DSR, false, "dsr-v4", "path_0_v4", "floor-mac-swap", "shell-l2-v4", 0},
	{SHUNT_DSR, true, "dsr-v6", "path_0_v6", "floor-mac-swap", "shell-l2-v6", 0},
	{SHUNT_IPIP, false, "ipip-v4", "path_20_v4", "floor-encap20", "shell-encap20", 20},
	{SHUNT_IPIP, true, "ipip-v6", "path_40_v6", "floor-encap40", "shell-encap40", 40},
	{SHUNT_GRE, false, "gre-v4", "path_24_v4", "floor-encap20", "shell-encap20", 24},
	{SHUNT_GRE, true, "gre-v6", "path_44_v6", "floor-encap40", "shell-encap40", 44},
	{SHUNT_GUE, false, "gue-v4", "path_32_v4", "floor-encap20", "shell-encap20", 32},
	{SHUNT_GUE, true, "gue-v6", "path_52_v6", "floor-encap40", "shell-encap40", 52},
};
#define WAYS (sizeof(ways) / sizeof(*ways))
#define COMBINED 4 /* with every protocol and scheduler */

static struct bench_case case_of(const struct way *w)
{
	return (struct bench_case){
		.kind = BENCH_CASE,
		.program = w->program,
		.floor = w->floor,
		.shell = w->shell,
		.pushed = w->pushed,
		.is_v6 = w->is_v6,
		.action = XDP_TX,
		.pool = BENCH_POOL,
		.method = w->method,
		.scheduler = SHUNT_MAGLEV,
	};
}

static void add_forwarded(struct bench_cases *cases, const struct way *w, bool udp, bool rr)
{
	struct bench_case c = case_of(w);

	c.protocol = udp ? IPPROTO_UDP : IPPROTO_TCP;
	c.scheduler = rr ? SHUNT_RR : SHUNT_MAGLEV;
	snprintf(c.name, sizeof(c.name), "%s-%s-%s", w->name, udp ? "udp" : "tcp",
		 rr ? "rr" : "maglev");
	bench_case_add(cases, &c);
}

/* The same over tables where all else is configured too. */
static void add_among_all(struct bench_cases *cases, const struct way *w)
{
	struct bench_case c = case_of(w);

	c.world = BENCH_FULL;
	snprintf(c.name, sizeof(c.name), "%s-tcp-maglev-among-all", w->name);
	bench_case_add(cases, &c);
}

/* The same for services that deny others than these clients. */
static void add_listed(struct bench_cases *cases, const struct way *w)
{
	struct bench_case c = case_of(w);

	c.policy = BENCH_LISTED;
	snprintf(c.name, sizeof(c.name), "%s-tcp-maglev-listed", w->name);
	bench_case_add(cases, &c);
}

/* SYNs of settled slots: without passive checks, where others have them, and with. */
static void add_syns(struct bench_cases *cases, const struct way *w)
{
	static const char *const names[] = {"syn", "syn-among-all", "syn-passive"};

	for (int i = 0; i < 3; i++) {
		struct bench_case c = case_of(w);

		c.world = i ? BENCH_FULL : BENCH_PLAIN;
		c.syn = true;
		c.passive = i == 2;
		snprintf(c.name, sizeof(c.name), "%s-tcp-%s", w->name, names[i]);
		bench_case_add(cases, &c);
	}
}

/* Slots in transition, with as many flows as there is room for. */
static void add_changed(struct bench_cases *cases, const char *name, uint32_t changed_in,
			enum bench_flows known)
{
	struct bench_case c = case_of(&ways[2]);

	c.changed_in = changed_in;
	c.known = known;
	c.flows_least = 1048576;
	snprintf(c.name, sizeof(c.name), "ipip-v4-tcp-%s", name);
	bench_case_add(cases, &c);
}

static const struct bench_case refused[] = {
	{.name = "drop-bad-ip-v4", .frame = BENCH_LONG_IP, .verdict = SHUNT_DROP_BAD_IP},
	{.name = "drop-bad-ip-v6",
	 .is_v6 = true,
	 .frame = BENCH_LONG_IP,
	 .verdict = SHUNT_DROP_BAD_IP},
	{.name = "drop-bad-l4-v4", .frame = BENCH_SHORT_TCP, .verdict = SHUNT_DROP_BAD_L4},
	{.name = "pass-not-vip-v4", .frame = BENCH_STRANGER, .verdict = SHUNT_PASS_NOT_VIP},
	{.name = "pass-not-vip-v6",
	 .is_v6 = true,
	 .frame = BENCH_STRANGER,
	 .verdict = SHUNT_PASS_NOT_VIP},
	{.name = "pass-not-vip-v4-among-all",
	 .world = BENCH_FULL,
	 .frame = BENCH_STRANGER,
	 .verdict = SHUNT_PASS_NOT_VIP},
	{.name = "drop-denied-v4",
	 .pool = BENCH_POOL,
	 .policy = BENCH_DENIED,
	 .verdict = SHUNT_DROP_DENIED},
	{.name = "drop-denied-v6",
	 .is_v6 = true,
	 .pool = BENCH_POOL,
	 .policy = BENCH_DENIED,
	 .verdict = SHUNT_DROP_DENIED},
	{.name = "drop-no-backend-v4", .pool = BENCH_POOL_DOWN, .verdict = SHUNT_DROP_NO_BACKEND},
};

/* What ends early, beside a program that parses and does nothing else. */
static void add_refused(struct bench_cases *cases, const struct bench_case *r)
{
	struct bench_case c = *r;

	c.kind = BENCH_CASE;
	c.program = c.is_v6 ? "path_0_v6" : "path_0_v4";
	c.floor = c.is_v6 ? "floor-parse-v6" : "floor-parse-v4";
	c.shell = c.is_v6 ? "shell-l2-v6" : "shell-l2-v4";
	c.flows_most = 1;
	c.action = c.verdict == SHUNT_PASS_NOT_VIP ? XDP_PASS : XDP_DROP;
	bench_case_add(cases, &c);
}

void bench_cases_fill(struct bench_cases *cases)
{
	*cases = (struct bench_cases){.n = 0};
	for (size_t i = 0; i < sizeof(floors) / sizeof(*floors); i++)
		bench_case_add(cases, &floors[i]);
	for (size_t i = 0; i < COMBINED * 4; i++)
		add_forwarded(cases, &ways[i / 4], i & 2, i & 1);
	for (size_t i = COMBINED; i < WAYS; i++)
		add_forwarded(cases, &ways[i], false, false);
	for (size_t i = 0; i < COMBINED; i++)
		add_among_all(cases, &ways[i]);
	for (size_t i = 0; i < 2; i++)
		add_listed(cases, &ways[i]);
	add_syns(cases, &ways[0]);
	add_changed(cases, "changed-1-in-100", 100, BENCH_FLOWS_OLD);
	add_changed(cases, "changed-1-in-10", 10, BENCH_FLOWS_OLD);
	add_changed(cases, "changed-all", 1, BENCH_FLOWS_OLD);
	add_changed(cases, "changed-all-known", 1, BENCH_FLOWS_KNOWN);
	add_changed(cases, "changed-all-new", 1, BENCH_FLOWS_NEW);
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		add_refused(cases, &refused[i]);
}

const struct bench_case *bench_case_find(const struct bench_cases *cases, const char *name)
{
	for (size_t i = 0; i < cases->n; i++)
		if (strcmp(cases->c[i].name, name) == 0)
			return &cases->c[i];
	abort();
}
