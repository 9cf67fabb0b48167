/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets and services that have been looked into, one of each kind, for their words. */
#ifndef SHUNT_EXPLAIN_FACTS_H
#define SHUNT_EXPLAIN_FACTS_H

#include <netinet/in.h>
#include <string.h>

#include "pure/explain.h"
#include "pure/synth.h"

/* Begins with a TCP SYN to the service web, slot 412 of 1024, settled, which goes to web1 by IPIP. */
static inline struct explain_facts facts_of_a_packet(void)
{
	const struct synth s = {.kind = SYNTH_TCP,
				.client = {4, {192, 0, 2, 7}},
				.vip = {4, {203, 0, 113, 10}},
				.client_port = 40000,
				.port = 80,
				.syn = true};
	struct explain_facts f = {
		.interface = "eth0",
		.xdp = VIEW_XDP_NATIVE,
		.has_service = true,
		.service = {.name = "web",
			    .vip = {4, {203, 0, 113, 10}},
			    .port = 80,
			    .protocol = IPPROTO_TCP},
		.has_slot = true,
		.slot = 412,
		.slots = 1024,
		.cur = "web1",
		.base = "web1",
		.verdict = SHUNT_FORWARD_IPIP,
		.why = EXPLAIN_SETTLED,
		.has_backend = true,
		.backend = {.name = "web1",
			    .addr = {4, {10, 0, 0, 11}},
			    .port = 80,
			    .gets = "weight 10",
			    .mac = {2, 0, 0, 0, 0, 0x11},
			    .egress = "eth1"},
		.egress = "eth1",
		.mtu = 1500,
		.out_len = 74,
		.out = "02:00:00:00:00:01 > 02:00:00:00:00:11, IPv4 10.0.0.2 > 10.0.0.11, IPv4 "
		       "192.0.2.7 > "
		       "203.0.113.10, TCP 40000 > 80 SYN",
	};
	uint8_t frame[SYNTH_FRAME_MAX];

	f.len = (uint32_t)synth_frame(&s, frame);
	dissect_frame(frame, f.len, &f.in);
	return f;
}

/* The same dropped, with @v, before it has a slot. */
static inline struct explain_facts facts_of_a_drop(enum shunt_verdict v)
{
	struct explain_facts f = facts_of_a_packet();

	f.has_slot = f.has_backend = false;
	f.verdict = v;
	f.why = EXPLAIN_NONE;
	return f;
}

static inline struct explain_facts facts_in_transition(void)
{
	struct explain_facts f = facts_of_a_packet();

	f.moves = true;
	strcpy(f.base, "web2");
	f.has_list = f.has_rates = true;
	f.remembers = true;
	f.why = EXPLAIN_NEW;
	return f;
}

static const struct explain_pool facts_pools[] = {
	{0, 3, 1, true}, {1, 2, 2, true}, {16, 1, 1, false}};

static inline struct explain_service facts_of_a_service(void)
{
	return (struct explain_service){
		.view = {.name = "web",
			 .vip = {4, {203, 0, 113, 10}},
			 .port = 80,
			 .protocol = IPPROTO_TCP,
			 .slots = 1024,
			 .moving = 17,
			 .usable = 3},
		.flow_timeout_ms = 300000,
		.min_healthy = 50,
		.percent = true,
		.panic = 20,
		.wanted = 6,
		.up = 4,
		.enough = 2,
		.pools = facts_pools,
		.n_pools = 3,
		.has_list = true,
		.only_allowed = true,
	};
}

#endif
