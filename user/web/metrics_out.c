/* SPDX-License-Identifier: BSD-2-Clause */
#include "web/metrics_out.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

static const char *ending(const struct metric *m)
{
	return m->type == METRIC_COUNTER ? "_total" : m->type == METRIC_INFO ? "_info" : "";
}

static const char *type_name(const struct metrics *m)
{
	switch (m->metric->type) {
	case METRIC_COUNTER:
		return "counter";
	case METRIC_INFO:
		return m->format == METRICS_OPENMETRICS ? "info" : "gauge";
	default:
		return "gauge";
	}
}

/* OpenMetrics names a family without the ending that its samples have. */
void metrics_family(struct metrics *m, const struct metric *metric)
{
	const char *end = m->format == METRICS_OPENMETRICS ? "" : ending(metric);

	m->metric = metric;
	fprintf(m->out, "# HELP shunt_%s%s %s\n", metric->name, end, metric->help);
	fprintf(m->out, "# TYPE shunt_%s%s %s\n", metric->name, end, type_name(m));
}

/* What both formats escape in a label. */
static void put_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", out);
		else if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else
			putc(*text, out);
	}
}

static void put_labels(FILE *out, const struct metric_label *labels, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		fprintf(out, "%c%s=\"", i == 0 ? '{' : ',', labels[i].name);
		put_escaped(out, labels[i].value);
		putc('"', out);
	}
	if (n)
		putc('}', out);
}

void metrics_sample(struct metrics *m, uint64_t value, const struct metric_label *labels, size_t n)
{
	const uint64_t unit = m->metric->scale == METRIC_MICRO	 ? 1000000
			      : m->metric->scale == METRIC_MILLI ? 1000
								 : 1;

	fprintf(m->out, "shunt_%s%s", m->metric->name, ending(m->metric));
	put_labels(m->out, labels, n);
	if (unit == 1)
		fprintf(m->out, " %" PRIu64 "\n", value);
	else
		fprintf(m->out, " %" PRIu64 ".%0*" PRIu64 "\n", value / unit,
			m->metric->scale == METRIC_MICRO ? 6 : 3, value % unit);
}

void metrics_single(struct metrics *m, const struct metric *metric, uint64_t value)
{
	metrics_family(m, metric);
	metrics_sample(m, value, NULL, 0);
}

void metrics_end(struct metrics *m)
{
	if (m->format == METRICS_OPENMETRICS)
		fputs("# EOF\n", m->out);
}

const char *metrics_content_type(enum metrics_format f)
{
	return f == METRICS_OPENMETRICS
		       ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		       : "text/plain; version=0.0.4; charset=utf-8";
}

/* ---- which one -----------------------------------------------------------------------------------*/

/* "q=0.75" of "text/plain;version=0.0.4;q=0.75" in thousandths; 1000 if it is not said (RFC 9110 12.4.2). */
static unsigned int weight_of(const char *range, size_t len)
{
	unsigned int q = 0, unit = 100;
	const char *p = memmem(range, len, "q=", 2), *end = range + len;

	if (!p)
		return 1000;
	p += 2;
	if (p < end && *p == '1')
		return 1000;
	for (p += 2; p < end && *p >= '0' && *p <= '9' && unit; p++, unit /= 10)
		q += (unsigned int)(*p - '0') * unit;
	return q;
}

static bool is_range(const char *range, size_t len, const char *type)
{
	const size_t n = strlen(type);

	return len >= n && strncasecmp(range, type, n) == 0 &&
	       (len == n || strchr("; \t", range[n]) != NULL);
}

enum metrics_format metrics_choose(const char *accept)
{
	unsigned int best[METRICS_FORMATS] = {0}, q;

	while (accept && *accept) {
		size_t len = strcspn(accept, ",");
		const char *range = accept + strspn(accept, " \t");
		size_t n = len - (size_t)(range - accept < (long)len ? range - accept : (long)len);
		enum metrics_format f = METRICS_TEXT;

		q = weight_of(range, n);
		if (is_range(range, n, "application/openmetrics-text"))
			f = METRICS_OPENMETRICS;
		if (q > best[f])
			best[f] = q;
		accept += len + (accept[len] == ',');
	}
	return best[METRICS_OPENMETRICS] > 0 && best[METRICS_OPENMETRICS] >= best[METRICS_TEXT]
		       ? METRICS_OPENMETRICS
		       : METRICS_TEXT;
}
