/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of one packet, and why, in words: what the daemon has found out in, sentences out. */
#ifndef SHUNT_EXPLAIN_H
#define SHUNT_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "pure/dissect.h"
#include "pure/explain_view.h"
#include "pure/view.h"
#include "shunt_abi.h"

struct explain_facts {
	struct dissect in;
	uint32_t len; /* of the frame */
	/* Where it comes in. */
	char interface[16]; /* empty: by any */
	enum view_xdp xdp;
	/* The service that it matches; none: what comes closest. */
	bool has_service;
	struct view_service service;
	char closest[EXPLAIN_TEXT_MAX]; /* a sentence */
	/* Its policy. */
	bool has_list, only_allowed, has_rates;
	/* Slot and flow. */
	bool has_slot, by_source, learning;
	uint32_t slot, slots;
	bool moves; /* the slot is in transition */
	char cur[SHUNT_NAME_MAX], base[SHUNT_NAME_MAX]; /* empty: nobody */
	bool remembers_all; /* the service remembers every flow */
	bool has_entry, holds, confirmed;
	char entry[SHUNT_NAME_MAX]; /* whose the flow is by it */
	uint64_t age_ms;
	bool translates, has_connection;
	uint64_t connection_age_ms;
	/* What the packet path did. */
	enum shunt_verdict verdict;
	bool remembers, no_room, opens;
	enum explain_why why;
	bool has_backend;
	struct view_backend backend;
	char egress[16]; /* where it leaves; empty: it does not, or that is not known */
	uint16_t mtu; /* of the path; 0: not asked */
	uint32_t out_len; /* of the frame that leaves */
	char out[DISSECT_WORDS_MAX];
	bool former; /* the packet path in force is a former version's */
};

/* Fills @steps in the order of the decisions; returns how many. */
size_t explain_words(const struct explain_facts *f,
		     struct explain_step steps[static EXPLAIN_STEPS_MAX]);

/* ---- what comes closest -----------------------------------------------------------------------*/

/* A service as far as it may match; what of it does not is said when none does. */
struct explain_near {
	const char *name;
	bool same_address, same_protocol, same_port; /* the address: its prefix */
	char address[VIEW_ADDRESS_MAX];
};

/* How close, more is closer; 0: not at all. */
int explain_nearness(const struct explain_near *n);

/* "none; web (203.0.113.10:80/tcp) comes closest: it has this address and protocol, but not port 81", with
 * how many are as close as @n. NULL: nothing is close. */
void explain_closest(const struct explain_near *n, size_t others, uint16_t port, uint8_t protocol,
		     char out[static EXPLAIN_TEXT_MAX]);

/* ---- a service --------------------------------------------------------------------------------*/

struct explain_pool {
	uint8_t number; /* POOL_BACKUP: the backups */
	uint32_t backends, up;
	bool used; /* gets new flows */
};

struct explain_service {
	struct view_service view;
	uint32_t flow_timeout_ms;
	uint32_t min_healthy;
	bool percent; /* min_healthy is one */
	uint16_t panic; /* percent; 0: never */
	uint32_t wanted, up; /* who could get new flows, and of these who is well */
	uint32_t enough; /* how many have to be well for no further pool to be used */
	const struct explain_pool *pools;
	size_t n_pools;
	bool has_list, only_allowed, has_rates, learns;
};

/* As explain_words() of a service instead of a packet. */
size_t explain_service_words(const struct explain_service *s,
			     struct explain_step steps[static EXPLAIN_STEPS_MAX]);

#endif
