/* SPDX-License-Identifier: BSD-2-Clause */
/* What has become of a backend, and why: one change, and the last hundred of them in as little memory
 * as they take. */
#ifndef SHUNT_HISTORY_H
#define SHUNT_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pure/check.h"
#include "pure/health.h"
#include "shunt_abi.h"

#define HISTORY_MAX 100 /* changes of a backend that are kept */
#define HISTORY_BY_MAX 48
#define HISTORY_REASON_MAX 160

/* What a backend is, by its check and by hand. The numbers are those of the protocol. */
enum standing {
	STANDING_STARTING, /* no verdict yet; the first four are enum health_state's */
	STANDING_UP,
	STANDING_DOWN,
	STANDING_UNCHECKED,
	STANDING_DRAINED,
	STANDING_MAINTENANCE,
	STANDING_LEAVING,
	STANDING_MAX,
};

struct history_event {
	uint64_t time_ms; /* since 1970 */
	enum standing from, to; /* the same when it is only held down, or its reason is another */
	uint32_t latency_us; /* of the probe that decided */
	char code[CHECK_NAME_MAX]; /* its result, "L7STS 503"; empty: it was no probe */
	char check[SHUNT_NAME_MAX]; /* its check's name; empty: the service's own */
	char by[HISTORY_BY_MAX]; /* who did it; empty: it came so */
	char reason[HISTORY_REASON_MAX]; /* in words; empty: none was said */
};

/* {0} in the beginning. Takes 16 bytes and the texts' for each change. */
struct history {
	char *records;
	uint32_t used, room; /* bytes */
	uint32_t n;
};

/* Adds @event as the newest; the oldest of more than HISTORY_MAX is forgotten. Texts that are not
 * terminated within their fields are cut. Without memory for it the oldest make room, and where there
 * is none at all it is lost. */
void history_add(struct history *h, const struct history_event *event);

/* The @i-th newest, from 0; false when there are not as many. */
bool history_read(const struct history *h, uint32_t i, struct history_event *out);

void history_fini(struct history *h);

/* "starting", "up", "down", "unchecked", "drained", "maintenance", "leaving" */
const char *standing_name(enum standing s);

#endif
