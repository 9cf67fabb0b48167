/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of the engine ask for in a configuration, and how that is written. */
#ifndef ENGINE_WANTS_H
#define ENGINE_WANTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pure/conf.h"

#define HOSTS 60
#define SERVICES 9

/* What the test asked for. */
struct wanted_backend {
	bool there;
	uint16_t weight; /* configured */
	bool drained, has_weight; /* edits */
	uint16_t edited_weight;
	uint8_t method; /* of its own: enum shunt_forward plus one; 0: the service's */
};

/* What the packets of service number n are for. Three services share an address. */
enum wanted_ports {
	PORTS_ONE, /* 1000 + n */
	PORTS_LIST, /* that, and a range that is written out */
	PORTS_WIDE, /* that, and one that is too wide for it */
	PORTS_PREFIX, /* all ports of a prefix of its own */
	PORTS_MAX,
};

/* Who may come: the test's packets are from 100.0.0.0/8, and some from 99.0.0.0/8. */
enum wanted_policy {
	POLICY_NONE,
	POLICY_KEEPS_OUT, /* 99.0.0.0/8, and others that differ from one configuration to the next */
	POLICY_ALLOWS, /* only 100.0.0.0/8 */
	POLICY_RATES, /* more than ever come */
	POLICY_DENIES, /* everybody */
	POLICY_ALLOWS_OTHERS, /* nobody of the test's */
	POLICY_MAX,
};

struct wanted_service {
	bool there, checked;
	enum wanted_ports ports;
	enum shunt_scheduler scheduler;
	enum shunt_forward forward;
	enum conf_on_empty on_empty;
	uint32_t slots; /* 0: by the number of backends */
	enum wanted_policy policy;
	uint32_t policy_seed; /* what differs */
	const char *keys; /* more of them, each with a comma behind; NULL: none */
	struct wanted_backend backends[HOSTS];
};

static inline void write_ports(FILE *f, enum wanted_ports ports, int number)
{
	if (ports == PORTS_PREFIX) {
		fprintf(f, "vip: 10.%d.0.0/16, port: any, ", 100 + number);
		return;
	}
	fprintf(f, "vip: 203.0.113.%d, ", 1 + number / 3);
	if (ports == PORTS_ONE)
		fprintf(f, "port: %d, ", 1000 + number);
	else if (ports == PORTS_LIST)
		fprintf(f, "port: [%d, %d-%d], ", 1000 + number, 3000 + 20 * number,
			3019 + 20 * number);
	else
		fprintf(f, "port: [%d, %d-%d], ", 1000 + number, 10000 + 3000 * number,
			12999 + 3000 * number);
}

/* An address and a port that the service is for, one of many. */
static inline uint16_t pick_target(enum wanted_ports ports, int number, uint8_t vip[static 4])
{
	memcpy(vip, (uint8_t[]){203, 0, 113, (uint8_t)(1 + number / 3)}, 4);
	switch (rand() % 3 ? ports : PORTS_ONE) {
	case PORTS_LIST:
		return (uint16_t)(3000 + 20 * number + rand() % 20);
	case PORTS_WIDE:
		return (uint16_t)(10000 + 3000 * number + rand() % 3000);
	default:
		break;
	}
	if (ports == PORTS_PREFIX)
		memcpy(vip,
		       (uint8_t[]){10, (uint8_t)(100 + number), (uint8_t)rand(), (uint8_t)rand()},
		       4);
	return ports == PORTS_PREFIX ? (uint16_t)(1 + rand() % 65535) : (uint16_t)(1000 + number);
}

/* How many ports the tables must find it by. */
static inline uint32_t ports_wanted(enum wanted_ports ports)
{
	static const uint32_t n[PORTS_MAX] = {1, 21, 3001, 65536};

	return n[ports];
}

static inline void write_policy(FILE *f, const struct wanted_service *s)
{
	uint32_t i;

	switch (s->policy) {
	case POLICY_KEEPS_OUT:
		fprintf(f, "deny: [99.0.0.0/8");
		for (i = 0; i < s->policy_seed % 40; i++)
			fprintf(f, ", 98.%u.%u.0/24", i, s->policy_seed % 251);
		fprintf(f, "], ");
		if (s->policy_seed % 3 == 0)
			fprintf(f, "rate: {per_source: %u}, ", 1000 + s->policy_seed % 7);
		break;
	case POLICY_ALLOWS:
		fprintf(f, "allow: [100.0.0.0/9, 100.128.0.0/9], ");
		break;
	case POLICY_RATES:
		fprintf(f, "rate: {new_flows: 1000000, burst: %u}, ", 100000 + s->policy_seed % 3);
		break;
	case POLICY_DENIES:
		fprintf(f, "deny: [0.0.0.0/0], ");
		break;
	case POLICY_ALLOWS_OTHERS:
		fprintf(f, "allow: [10.0.0.0/8], ");
		break;
	default:
		break;
	}
}

/* Whether packets from 100.0.0.0/8 are taken, and from 99.0.0.0/8. */
static inline bool takes(enum wanted_policy p)
{
	return p != POLICY_DENIES && p != POLICY_ALLOWS_OTHERS;
}

static inline bool takes_others(enum wanted_policy p)
{
	return p == POLICY_NONE || p == POLICY_RATES;
}

#endif
