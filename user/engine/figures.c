/* SPDX-License-Identifier: BSD-2-Clause */
/* What the daemon counts of itself, by name; docs/metrics.md says what each is. */
#include <stdio.h>

#include "engine/web.h"
#include "io/dp_list.h"
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

/* ---- how full tables are: by a look at so many places, evenly spread; exactly, if there are no more --------*/

#define LOOKS 8192

static uint16_t longest_timeout(const struct engine *e)
{
	uint16_t longest = 0, ticks;

	for (size_t i = 0; i < e->n_services; i++) {
		ticks = flow_ticks(conf_flow_timeout_ms(e->services[i]->conf));
		longest = ticks > longest ? ticks : longest;
	}
	return longest;
}

static uint64_t count(struct engine *e, uint64_t places,
		      bool (*is_taken)(struct engine *e, uint64_t i, uint16_t now,
				       uint16_t timeout))
{
	const uint64_t looks = places < LOOKS ? places : LOOKS;
	const uint16_t now = dp_tick(e->dp), timeout = longest_timeout(e);
	uint64_t taken = 0, i;

	for (i = 0; i < looks; i++)
		taken += is_taken(e, i * places / looks, now, timeout);
	return looks ? taken * places / looks : 0;
}

static bool flow_is_taken(struct engine *e, uint64_t i, uint16_t now, uint16_t timeout)
{
	struct dp_listed flow;

	return dp_flow_read(e->dp, i, now, &flow) && !flow.ended && flow.age <= timeout;
}

static uint64_t flow_places(struct engine *e)
{
	return dp_flow_words(e->dp);
}

static uint64_t flow_places_taken(struct engine *e)
{
	return count(e, dp_flow_words(e->dp), flow_is_taken);
}

static bool nat_is_taken(struct engine *e, uint64_t i, uint16_t now, uint16_t timeout)
{
	struct dp_nat_listed connection;

	(void)timeout;
	return dp_nat_read(e->dp, i, now, &connection);
}

static uint64_t nat_places(struct engine *e)
{
	return dp_nat_records(e->dp);
}

static uint64_t nat_places_taken(struct engine *e)
{
	return count(e, dp_nat_records(e->dp), nat_is_taken);
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
	{"flow_places", flow_places},
	{"flow_places_taken", flow_places_taken},
	{"nat_places", nat_places},
	{"nat_places_taken", nat_places_taken},
};

bool figures_view(void *arg, uint32_t i, struct view_figure *out)
{
	if (i >= sizeof(figures) / sizeof(figures[0]))
		return false;
	snprintf(out->name, sizeof(out->name), "%s", figures[i].name);
	out->value = figures[i].read(arg);
	return true;
}
