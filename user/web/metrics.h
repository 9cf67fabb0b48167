/* SPDX-License-Identifier: BSD-2-Clause */
/* A snapshot as Prometheus reads it. */
#ifndef SHUNT_METRICS_H
#define SHUNT_METRICS_H

#include <stdint.h>
#include <stdio.h>

#include "web/snapshot.h"

enum metrics_format { METRICS_TEXT, METRICS_OPENMETRICS, METRICS_FORMATS };

/* What the process that serves them knows of itself. */
struct metrics_own {
	uint32_t limit; /* so many services, and backends, have metrics of their own */
	uint64_t connections, streams; /* now */
	uint64_t requests, turned_away;
};

const char *metrics_content_type(enum metrics_format f);
/* The one that a client's Accept header likes best; NULL: it has none. */
enum metrics_format metrics_choose(const char *accept);

void metrics_write(FILE *out, enum metrics_format f, const struct snapshot *s,
		   const struct metrics_own *own);

#endif
