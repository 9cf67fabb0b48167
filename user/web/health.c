/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether the daemon lives, and whether it does what it is there for; for those who start and stop it, or
 * announce its addresses. */
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "main/words.h"
#include "web/serve.h"

void health_live(struct reply *r)
{
	fprintf(r->out, "ok: shuntd %s, process %" PRIu32 ", has run for %" PRIu64 " s\n",
		r->snapshot->status.version, r->snapshot->status.pid,
		r->snapshot->status.uptime_ms / 1000);
}

/* Writes a line and notes what is not as it should be. */
static void line(struct reply *r, bool good, const char *what)
{
	fprintf(r->out, "%s: %s", good ? "ok" : "not ready", what);
	if (!good)
		r->status = 503;
}

static void ready_interfaces(struct reply *r)
{
	for (size_t i = 0; i < r->snapshot->n_interfaces; i++) {
		const struct view_interface *f = &r->snapshot->interfaces[i];
		const bool good = f->xdp != VIEW_XDP_NONE && f->link_up;

		line(r, good, "interface ");
		fprintf(r->out, "%s: XDP %s, link %s%s%s\n", f->name, words_xdp(f->xdp),
			f->link_up   ? "up"
			: f->ifindex ? "down"
				     : "missing",
			f->note[0] ? "; " : "", f->note);
	}
}

/* With ?service=NAME: whether anybody gets its packets. */
static void ready_service(struct reply *r, const char *name)
{
	const int64_t i = snapshot_service(r->snapshot, name);
	const struct view_service *s = i < 0 ? NULL : &r->snapshot->services[i];

	if (!s) {
		r->status = 404;
		fprintf(r->out, "not ready: there is no service of that name\n");
		return;
	}
	line(r, s->usable > 0, "service ");
	fprintf(r->out, "%s: %" PRIu32 " of %" PRIu32 " backends usable\n", s->name, s->usable,
		s->backends);
}

void health_ready(struct reply *r)
{
	const struct view_status *s = &r->snapshot->status;
	const char *service = reply_parameter(r, "service");

	line(r, snapshot_figure(r->snapshot, "ready") != 0, "tables ");
	fprintf(r->out, "hold %" PRIu32 " services, %" PRIu32 " of %" PRIu32 " backends usable\n",
		s->services, s->usable_backends, s->backends);
	line(r, true, "configuration ");
	fprintf(r->out, "%s in force for %" PRIu64 " s\n", s->config_file, s->config_age_ms / 1000);
	if (s->config_error[0])
		fprintf(r->out, "note: the last reload was refused: %s\n", s->config_error);
	ready_interfaces(r);
	if (service[0])
		ready_service(r, service);
}
