/* SPDX-License-Identifier: BSD-2-Clause */
/* Metric families and their samples in either format. */
#ifndef SHUNT_METRICS_OUT_H
#define SHUNT_METRICS_OUT_H

#include <stddef.h>
#include <stdint.h>

#include "web/metrics.h"

enum metric_type { METRIC_GAUGE, METRIC_COUNTER, METRIC_INFO };
/* By how much what is known is finer than the unit that is shown. */
enum metric_scale { METRIC_ONE, METRIC_MILLI, METRIC_MICRO };

struct metric {
	const char *name; /* without "shunt_" and the type's ending */
	enum metric_type type;
	const char *help;
	enum metric_scale scale;
};

struct metric_label {
	const char *name, *value;
};

struct metrics {
	FILE *out;
	enum metrics_format format;
	const struct metric *metric; /* the family under way */
};

/* Begins a family; samples follow until the next one. @metric has to live as long. */
void metrics_family(struct metrics *m, const struct metric *metric);
void metrics_sample(struct metrics *m, uint64_t value, const struct metric_label *labels, size_t n);
/* A family of one sample without labels. */
void metrics_single(struct metrics *m, const struct metric *metric, uint64_t value);
void metrics_end(struct metrics *m);

#endif
