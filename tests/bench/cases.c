/* SPDX-License-Identifier: BSD-2-Clause */
#include "cases.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct bench_case fixed[] = {
	{.name = "floor-null-tx", .program = "floor_null_tx", .floor = "floor-null-tx"},
	{.name = "floor-mac-swap",
	 .program = "floor_mac_swap",
	 .floor = "floor-mac-swap",
	 .shell = "shell-l2-v4"},
	{.name = "floor-encap20",
	 .program = "floor_encap20",
	 .floor = "floor-encap20",
	 .shell = "shell-encap20",
	 .pushed = 20},
	{.name = "floor-encap40",
	 .program = "floor_encap40",
	 .floor = "floor-encap40",
	 .shell = "shell-encap40",
	 .pushed = 40,
	 .is_v6 = true},
	{.name = "shell-l2-v4",
	 .kind = BENCH_SHELL,
	 .program = "shell_l2_v4",
	 .floor = "floor-null-tx"},
	{.name = "shell-l2-v6",
	 .kind = BENCH_SHELL,
	 .program = "shell_l2_v6",
	 .floor = "floor-null-tx",
	 .is_v6 = true},
	{.name = "shell-encap20",
	 .kind = BENCH_SHELL,
	 .program = "shell_encap20",
	 .floor = "floor-null-tx",
	 .pushed = 20},
	{.name = "shell-encap40",
	 .kind = BENCH_SHELL,
	 .program = "shell_encap40",
	 .floor = "floor-null-tx",
	 .pushed = 40,
	 .is_v6 = true},
};
#define FIXED (sizeof(fixed) / sizeof(*fixed))
_Static_assert(FIXED + BENCH_SERVICES == BENCH_CASES, "each has its place");

/* Beside every combination of dsr and ipip. */
static const struct bench_case tunnels[] = {
	{.name = "gre-v4-tcp-maglev", .program = "gre_v4", .pushed = 24, .method = SHUNT_GRE},
	{.name = "gre-v6-tcp-maglev",
	 .program = "gre_v6",
	 .pushed = 44,
	 .is_v6 = true,
	 .method = SHUNT_GRE},
	{.name = "gue-v4-tcp-maglev", .program = "gue_v4", .pushed = 32, .method = SHUNT_GUE},
	{.name = "gue-v6-tcp-maglev",
	 .program = "gue_v6",
	 .pushed = 52,
	 .is_v6 = true,
	 .method = SHUNT_GUE},
};
#define TUNNELS (sizeof(tunnels) / sizeof(*tunnels))
#define COMBINED (BENCH_SERVICES - TUNNELS)

static void fill_tunnel(struct bench_case *c, uint32_t i)
{
	*c = tunnels[i];
	c->kind = BENCH_CASE;
	c->floor = c->is_v6 ? "floor-encap40" : "floor-encap20";
	c->shell = c->is_v6 ? "shell-encap40" : "shell-encap20";
	c->service = COMBINED + i;
	c->protocol = IPPROTO_TCP;
	c->scheduler = SHUNT_MAGLEV;
}

/* Each bit of @i chooses one thing. */
static void fill_case(struct bench_case *c, uint32_t i)
{
	bool ipip = i & 8, v6 = i & 4, udp = i & 2, rr = i & 1;
	static const char *const programs[] = {"dsr_v4", "dsr_v6", "ipip_v4", "ipip_v6"};
	static const char *const floors[] = {"floor-mac-swap", "floor-mac-swap", "floor-encap20",
					     "floor-encap40"};
	static const char *const shells[] = {"shell-l2-v4", "shell-l2-v6", "shell-encap20",
					     "shell-encap40"};
	static const uint32_t pushed[] = {0, 0, 20, 40};

	*c = (struct bench_case){
		.kind = BENCH_CASE,
		.program = programs[i / 4],
		.floor = floors[i / 4],
		.shell = shells[i / 4],
		.pushed = pushed[i / 4],
		.is_v6 = v6,
		.service = i,
		.protocol = udp ? IPPROTO_UDP : IPPROTO_TCP,
		.method = ipip ? SHUNT_IPIP : SHUNT_DSR,
		.scheduler = rr ? SHUNT_RR : SHUNT_MAGLEV,
	};
	snprintf(c->name, sizeof(c->name), "%s-%s-%s-%s", ipip ? "ipip" : "dsr", v6 ? "v6" : "v4",
		 udp ? "udp" : "tcp", rr ? "rr" : "maglev");
}

void bench_cases_fill(struct bench_case c[static BENCH_CASES])
{
	memcpy(c, fixed, sizeof(fixed));
	for (size_t i = 0; i < FIXED; i++)
		c[i].protocol = IPPROTO_TCP;
	for (uint32_t i = 0; i < COMBINED; i++)
		fill_case(&c[FIXED + i], i);
	for (uint32_t i = 0; i < TUNNELS; i++)
		fill_tunnel(&c[FIXED + COMBINED + i], i);
}

const struct bench_case *bench_case_find(const struct bench_case c[static BENCH_CASES],
					 const char *name)
{
	for (size_t i = 0; i < BENCH_CASES; i++)
		if (strcmp(c[i].name, name) == 0)
			return &c[i];
	abort();
}
