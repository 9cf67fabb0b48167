/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *doctor_severity_name(enum doctor_severity s)
{
	static const char *const names[DOCTOR_SEVERITY_MAX] = {
		[DOCTOR_NOTE] = "note",
		[DOCTOR_WARNING] = "warning",
		[DOCTOR_ERROR] = "error",
	};

	return s < DOCTOR_SEVERITY_MAX ? names[s] : "?";
}

struct doctor_finding *doctor_find(struct doctor_report *r, enum doctor_severity severity,
				   const char *what, ...)
{
	static struct doctor_finding nowhere;
	struct doctor_finding *f;
	va_list args;

	if (r->n == r->room) {
		size_t room = r->room ? 2 * r->room : 16;
		struct doctor_finding *list = reallocarray(r->list, room, sizeof(*list));

		if (!list) {
			r->out_of_memory = true;
			return &nowhere;
		}
		r->list = list;
		r->room = room;
	}
	f = &r->list[r->n++];
	*f = (struct doctor_finding){.severity = severity, .check = r->running};
	va_start(args, what);
	vsnprintf(f->what, sizeof(f->what), what, args);
	va_end(args);
	return f;
}

static void run(const struct doctor_check *checks, const struct doctor_facts *f,
		struct doctor_report *r)
{
	for (; checks->name; checks++) {
		r->running = checks->name;
		checks->run(f, r);
		r->checks++;
	}
}

/* The worst first, and otherwise as they were found. */
static void sort(struct doctor_report *r)
{
	size_t i, k;

	for (i = 1; i < r->n; i++) {
		const struct doctor_finding f = r->list[i];

		for (k = i; k > 0 && r->list[k - 1].severity < f.severity; k--)
			r->list[k] = r->list[k - 1];
		r->list[k] = f;
	}
}

int doctor_run(const struct doctor_facts *facts, struct doctor_report *out)
{
	*out = (struct doctor_report){0};
	run(doctor_host_checks, facts, out);
	run(doctor_interface_checks, facts, out);
	run(doctor_service_checks, facts, out);
	sort(out);
	return out->out_of_memory ? -ENOMEM : 0;
}

void doctor_report_fini(struct doctor_report *r)
{
	free(r->list);
	*r = (struct doctor_report){0};
}
