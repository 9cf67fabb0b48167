/* SPDX-License-Identifier: BSD-2-Clause */
/* What is measured: floors, the shell around the measured code, and a case for each way through the
 * packet path. */
#ifndef BENCH_CASES_H
#define BENCH_CASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shunt_abi.h"

enum bench_kind { BENCH_FLOOR, BENCH_SHELL, BENCH_CASE };

/* Over which tables: those of the services alone, or with everything else that can be configured and
 * that the case does not use (world.c lists it). */
enum bench_world { BENCH_PLAIN, BENCH_FULL, BENCH_WORLDS };

/* What is wrong with the frame. */
enum bench_frame {
	BENCH_SOUND,
	BENCH_LONG_IP, /* the IP header says more than the frame has */
	BENCH_SHORT_TCP, /* the TCP header says less than it has itself */
	BENCH_STRANGER, /* it is for an address without services */
};

/* Backends of a case's service. */
enum bench_pool { BENCH_NO_SERVICE, BENCH_POOL, BENCH_POOL_DOWN };

/* Whether the service has a list of 100,000 denied prefixes, and the client is in it. */
enum bench_policy { BENCH_NO_POLICY, BENCH_LISTED, BENCH_DENIED };

/* What the flow table has of the flows, where it is asked. */
enum bench_flows {
	BENCH_FLOWS_OLD, /* nothing: they are older than their slots' change */
	BENCH_FLOWS_KNOWN, /* each has an entry */
	BENCH_FLOWS_NEW, /* nothing yet: every packet is the SYN of another */
};

struct bench_case {
	char name[32];
	enum bench_kind kind;
	enum bench_world world;
	const char *program; /* in bench.bpf.c */
	const char *floor; /* name of the floor it is compared with */
	const char *shell; /* name of the row that measures its shell; NULL: it has none */
	uint32_t pushed; /* bytes that it puts in front of the frame */
	uint32_t flows_most; /* not measured with more; 0: a million */
	uint32_t flows_least; /* nor with less */
	bool is_v6;
	enum bench_frame frame;
	int action; /* that it must end with: XDP_* */
	/* Of cases: */
	enum shunt_verdict verdict; /* 0: forwarded */
	enum bench_pool pool;
	enum bench_policy policy;
	uint32_t service; /* index, from 0, of those that have a pool; bench_case_add() */
	uint32_t changed_in; /* one slot in so many is in transition; 0: none */
	enum bench_flows known;
	bool syn; /* every packet is a SYN */
	bool passive; /* of a service with passive checks */
	uint8_t protocol;
	enum shunt_forward method;
	enum shunt_scheduler scheduler;
};

#define BENCH_CASES_MAX 64

struct bench_cases {
	struct bench_case c[BENCH_CASES_MAX];
	size_t n;
	uint32_t services; /* that the cases have, all of them */
};

/* Appends *@c, giving it a service if it has a pool and TCP if it has no protocol. */
void bench_case_add(struct bench_cases *cases, const struct bench_case *c);

/* Fills @cases in the order in which they are shown. */
void bench_cases_fill(struct bench_cases *cases);

/* By name; there is one. */
const struct bench_case *bench_case_find(const struct bench_cases *cases, const char *name);

#endif
