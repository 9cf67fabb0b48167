/* SPDX-License-Identifier: BSD-2-Clause */
/* What the daemon counts of itself, by name; docs/metrics.md says what each is. */
#include <stdio.h>

#include "engine/web.h"
#include "io/stats_server.h"

static uint64_t ready(struct engine *e)
{
	return e->said_ready;
}

static uint64_t reloads(struct engine *e)
{
	return e->reloads;
}

static uint64_t reloads_refused(struct engine *e)
{
	return e->reloads_refused;
}

static uint64_t health_changes(struct engine *e)
{
	return e->happened[SHUNT_EVENT_HEALTH];
}

static uint64_t nexthop_changes(struct engine *e)
{
	return e->happened[SHUNT_EVENT_NEXTHOP];
}

static uint64_t edits_made(struct engine *e)
{
	return e->happened[SHUNT_EVENT_EDITED];
}

static uint64_t probes_running(struct engine *e)
{
	return e->probes ? probe_pool_vitals(e->probes).running : 0;
}

static uint64_t probes_waiting(struct engine *e)
{
	return e->probes ? probe_pool_vitals(e->probes).waiting : 0;
}

static uint64_t probes_late_p99_us(struct engine *e)
{
	return e->probes ? probe_pool_vitals(e->probes).late_p99_us : 0;
}

static uint64_t stats_requests(struct engine *e)
{
	return stats_server_counters(e->stats)->requests;
}

static uint64_t stats_refused(struct engine *e)
{
	const struct stats_server_counters *c = stats_server_counters(e->stats);

	return c->refused + c->malformed;
}

static uint64_t web_starts(struct engine *e)
{
	return webs_restarts(e);
}

static const struct {
	const char *name;
	uint64_t (*read)(struct engine *e);
} figures[] = {
	{"ready", ready},
	{"reloads", reloads},
	{"reloads_refused", reloads_refused},
	{"health_changes", health_changes},
	{"nexthop_changes", nexthop_changes},
	{"edits_made", edits_made},
	{"probes_running", probes_running},
	{"probes_waiting", probes_waiting},
	{"probes_late_p99_us", probes_late_p99_us},
	{"stats_requests", stats_requests},
	{"stats_refused", stats_refused},
	{"web_restarts", web_starts},
};

bool figures_view(void *arg, uint32_t i, struct view_figure *out)
{
	if (i >= sizeof(figures) / sizeof(figures[0]))
		return false;
	snprintf(out->name, sizeof(out->name), "%s", figures[i].name);
	out->value = figures[i].read(arg);
	return true;
}
