/* SPDX-License-Identifier: BSD-2-Clause */
/* Which metrics there are. Each is described in docs/metrics.md. */
#include "web/metrics.h"

#include <string.h>

#include "main/words.h"
#include "web/metrics_out.h"

/* A family whose samples are a member each of rows: offset and size of it. */
struct column {
	struct metric metric;
	size_t offset, size;
};

#define MEMBER(type, member) offsetof(struct type, member), sizeof(((struct type *)0)->member)

static uint64_t read_member(const void *row, const struct column *c)
{
	const char *at = (const char *)row + c->offset;
	uint32_t u32;
	uint16_t u16;
	uint64_t u64;

	switch (c->size) {
	case 1:
		return *(const uint8_t *)at;
	case 2:
		memcpy(&u16, at, 2);
		return u16;
	case 4:
		memcpy(&u32, at, 4);
		return u32;
	default:
		memcpy(&u64, at, 8);
		return u64;
	}
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* ---- the daemon ----------------------------------------------------------------------------------*/

static const struct column status_columns[] = {
	{{"uptime_seconds", METRIC_GAUGE, "How long the daemon has run.", METRIC_MILLI},
	 MEMBER(view_status, uptime_ms)},
	{{"config_age_seconds", METRIC_GAUGE, "How long ago the configuration in force was loaded.",
	  METRIC_MILLI},
	 MEMBER(view_status, config_age_ms)},
	{{"services", METRIC_GAUGE, "Services configured.", 0}, MEMBER(view_status, services)},
	{{"backends", METRIC_GAUGE, "Backends configured.", 0}, MEMBER(view_status, backends)},
	{{"backends_usable", METRIC_GAUGE, "Backends that get packets on their own merit.", 0},
	 MEMBER(view_status, usable_backends)},
	{{"edits", METRIC_GAUGE, "Backends changed at run time, as by shunt drain.", 0},
	 MEMBER(view_status, edits)},
	{{"events", METRIC_COUNTER, "Events of all kinds.", 0}, MEMBER(view_status, events)},
	{{"maps_bytes", METRIC_GAUGE, "Memory of all BPF maps.", 0},
	 MEMBER(view_status, map_bytes)},
	{{"flow_table_lookups", METRIC_COUNTER, "Packets for which the flow table was searched.",
	  0},
	 MEMBER(view_status, flow_lookups)},
	{{"flow_table_remembered", METRIC_COUNTER, "Flows put into the flow table.", 0},
	 MEMBER(view_status, flows_remembered)},
	{{"flow_table_no_room", METRIC_COUNTER,
	  "Flows not put into the flow table for want of room.", 0},
	 MEMBER(view_status, flows_no_room)},
	{{"peers", METRIC_GAUGE, "Other balancers configured.", 0},
	 MEMBER(view_status, peers.peers)},
	{{"peer_flows_told", METRIC_COUNTER, "Flows told to peers.", 0},
	 MEMBER(view_status, peers.told)},
	{{"peer_flows_lost", METRIC_COUNTER, "Flows not told to peers in time.", 0},
	 MEMBER(view_status, peers.lost)},
	{{"peer_flows_heard", METRIC_COUNTER, "Flows heard of from peers.", 0},
	 MEMBER(view_status, peers.heard)},
	{{"peer_flows_taken", METRIC_COUNTER, "Of these, flows put into the flow table.", 0},
	 MEMBER(view_status, peers.taken)},
};

static const struct figure {
	const char *figure;
	struct metric metric;
} figures[] = {
	{"ready", {"ready", METRIC_GAUGE, "1: the daemon has begun to balance.", 0}},
	{"health_changes",
	 {"health_transitions", METRIC_COUNTER, "Changes of backends' health.", 0}},
	{"nexthop_changes",
	 {"nexthop_transitions", METRIC_COUNTER, "Changes of backends' next hops.", 0}},
	{"edits_made", {"edits_made", METRIC_COUNTER, "Changes made at run time.", 0}},
	{"probes_running", {"probes_running", METRIC_GAUGE, "Probes of backends under way.", 0}},
	{"probes_waiting",
	 {"probes_waiting", METRIC_GAUGE, "Probes that are due, but too many are under way.", 0}},
	{"probes_late_p99_us",
	 {"probe_lateness_p99_seconds", METRIC_GAUGE,
	  "99 of 100 probes of the last half second began less late than this.", METRIC_MICRO}},
	{"stats_requests",
	 {"stats_requests", METRIC_COUNTER, "Requests of the stats protocol answered.", 0}},
	{"stats_refused",
	 {"stats_refused", METRIC_COUNTER, "Requests of the stats protocol refused.", 0}},
	{"flow_places",
	 {"flow_table_places", METRIC_GAUGE, "Flows that the flow table has places for.", 0}},
	{"flow_places_taken",
	 {"flow_table_places_taken", METRIC_GAUGE, "Of these, taken by flows that live; about.",
	  0}},
	{"nat_places",
	 {"nat_places", METRIC_GAUGE, "Translated connections that there are places for.", 0}},
	{"nat_places_taken",
	 {"nat_places_taken", METRIC_GAUGE, "Of these, taken by connections that live; about.", 0}},
	{"web_restarts",
	 {"web_restarts", METRIC_COUNTER, "Restarts of the process that serves this.", 0}},
};

static void write_reloads(struct metrics *m, const struct snapshot *s)
{
	static const struct metric reloads = {"config_reloads", METRIC_COUNTER,
					      "Reloads of the configuration, by what came of them.",
					      0};
	static const struct metric good = {
		"config_last_reload_successful", METRIC_GAUGE,
		"1: the last reload was applied; 0: it was refused, the former one is in force.",
		0};
	static const struct metric when = {
		"config_last_reload_success_timestamp_seconds", METRIC_GAUGE,
		"When the configuration in force was loaded, in seconds since 1970.", METRIC_MILLI};

	metrics_family(m, &reloads);
	metrics_sample(m, snapshot_figure(s, "reloads"),
		       &(struct metric_label){"result", "applied"}, 1);
	metrics_sample(m, snapshot_figure(s, "reloads_refused"),
		       &(struct metric_label){"result", "refused"}, 1);
	metrics_single(m, &good, s->status.config_error[0] == '\0');
	metrics_single(m, &when, s->time_ms - s->status.config_age_ms);
}

static void write_daemon(struct metrics *m, const struct snapshot *s)
{
	static const struct metric build = {"build", METRIC_INFO, "Version and instance.", 0};
	static const struct metric start = {"start_time_seconds", METRIC_GAUGE,
					    "When the daemon started, in seconds since 1970.",
					    METRIC_MILLI};
	const struct metric_label labels[] = {{"version", s->status.version},
					      {"instance_name", s->status.instance}};
	size_t i;

	metrics_family(m, &build);
	metrics_sample(m, 1, labels, 2);
	metrics_single(m, &start, s->time_ms - s->status.uptime_ms);
	for (i = 0; i < sizeof(status_columns) / sizeof(status_columns[0]); i++)
		metrics_single(m, &status_columns[i].metric,
			       read_member(&s->status, &status_columns[i]));
	for (i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
		metrics_single(m, &figures[i].metric, snapshot_figure(s, figures[i].figure));
	write_reloads(m, s);
}

/* ---- interfaces and verdicts ---------------------------------------------------------------------*/

static void write_interfaces(struct metrics *m, const struct snapshot *s)
{
	static const struct metric attached = {
		"interface_attached", METRIC_GAUGE,
		"1: the packet path runs there; mode says how: native, generic, none.", 0};
	static const struct metric up = {"interface_link_up", METRIC_GAUGE, "1: its link is up.",
					 0};
	size_t i;

	metrics_family(m, &attached);
	for (i = 0; i < s->n_interfaces; i++) {
		const struct view_interface *f = &s->interfaces[i];
		const struct metric_label labels[] = {{"interface", f->name},
						      {"mode", words_xdp(f->xdp)}};

		metrics_sample(m, f->xdp != VIEW_XDP_NONE, labels, 2);
	}
	metrics_family(m, &up);
	for (i = 0; i < s->n_interfaces; i++)
		metrics_sample(m, s->interfaces[i].link_up,
			       &(struct metric_label){"interface", s->interfaces[i].name}, 1);
}

static void write_verdicts(struct metrics *m, const struct snapshot *s)
{
	static const struct metric packets = {
		"verdict_packets", METRIC_COUNTER,
		"Packets by what became of them; each has exactly one verdict.", 0};

	metrics_family(m, &packets);
	for (size_t i = 0; i < s->n_verdicts; i++) {
		const struct view_verdict *v = &s->verdicts[i];
		const struct metric_label labels[] = {{"verdict", words_verdict(v->verdict)},
						      {"class", words_verdict_class(v->verdict)}};

		metrics_sample(m, v->packets, labels, 2);
	}
}

/* ---- services ------------------------------------------------------------------------------------*/

static const struct column service_columns[] = {
	{{"service_packets", METRIC_COUNTER, "Packets for the service.", 0},
	 MEMBER(view_service, traffic.packets)},
	{{"service_bytes", METRIC_COUNTER, "Bytes of IP packets for the service, as they came.", 0},
	 MEMBER(view_service, traffic.bytes)},
	{{"service_flows", METRIC_COUNTER, "New flows of the service.", 0},
	 MEMBER(view_service, traffic.flows)},
	{{"service_no_backend_packets", METRIC_COUNTER, "Packets that found no backend.", 0},
	 MEMBER(view_service, no_backend)},
	{{"service_over_rate_packets", METRIC_COUNTER,
	  "Packets that would have opened flows beyond the service's rates.", 0},
	 MEMBER(view_service, over_rate)},
	{{"service_backends", METRIC_GAUGE, "Backends configured.", 0},
	 MEMBER(view_service, backends)},
	{{"service_backends_usable", METRIC_GAUGE, "Backends that get packets on their own merit.",
	  0},
	 MEMBER(view_service, usable)},
	{{"service_failing_open", METRIC_GAUGE,
	  "1: none is usable, and all get packets (on_empty: all).", 0},
	 MEMBER(view_service, failing_open)},
	{{"service_panicking", METRIC_GAUGE,
	  "1: less are up than panic says, and all are used that have a next hop.", 0},
	 MEMBER(view_service, panicking)},
	{{"service_slots", METRIC_GAUGE, "Slots of the service's table.", 0},
	 MEMBER(view_service, slots)},
	{{"service_slots_moving", METRIC_GAUGE,
	  "Slots in transition: flows that are older than a change stay where they are.", 0},
	 MEMBER(view_service, moving)},
};

static void write_service_info(struct metrics *m, const struct snapshot *s, size_t n)
{
	static const struct metric info = {"service", METRIC_INFO, "What the service is.", 0};
	char address[VIEW_ADDRESS_MAX];

	metrics_family(m, &info);
	for (size_t i = 0; i < n; i++) {
		const struct view_service *v = &s->services[i];
		const struct metric_label labels[] = {
			{"service", v->name},
			{"address", view_service_address(v, address)},
			{"scheduler", words_scheduler(v->scheduler)},
			{"forward", words_forward(v->forward)},
		};

		metrics_sample(m, 1, labels, 4);
	}
}

static void write_services(struct metrics *m, const struct snapshot *s, size_t n)
{
	write_service_info(m, s, n);
	for (size_t c = 0; c < sizeof(service_columns) / sizeof(service_columns[0]); c++) {
		metrics_family(m, &service_columns[c].metric);
		for (size_t i = 0; i < n; i++)
			metrics_sample(m, read_member(&s->services[i], &service_columns[c]),
				       &(struct metric_label){"service", s->services[i].name}, 1);
	}
}

/* ---- backends ------------------------------------------------------------------------------------*/

static const struct column backend_columns[] = {
	{{"backend_packets", METRIC_COUNTER, "Packets forwarded to the backend.", 0},
	 MEMBER(view_backend, traffic.packets)},
	{{"backend_bytes", METRIC_COUNTER, "Bytes of IP packets forwarded to it, as they came.", 0},
	 MEMBER(view_backend, traffic.bytes)},
	{{"backend_flows", METRIC_COUNTER, "New flows of the backend.", 0},
	 MEMBER(view_backend, traffic.flows)},
	{{"backend_weight", METRIC_GAUGE, "Its weight in force.", 0}, MEMBER(view_backend, weight)},
	{{"backend_slots", METRIC_GAUGE, "Slots that it owns now.", 0},
	 MEMBER(view_backend, slots)},
	{{"backend_check_latency_seconds", METRIC_GAUGE, "How long its last probe took.",
	  METRIC_MICRO},
	 MEMBER(view_backend, latency_us)},
	{{"backend_transitions", METRIC_COUNTER,
	  "Changes of its health, or by hand, since the daemon started.", 0},
	 MEMBER(view_backend, changes)},
};

static void write_backend_info(struct metrics *m, const struct snapshot *s, size_t n)
{
	static const struct metric info = {"backend", METRIC_INFO, "What the backend is.", 0};
	char address[ADDR_PORT_TEXT_MAX];

	metrics_family(m, &info);
	for (size_t i = 0; i < n; i++) {
		const struct view_backend *b = &s->backends[i];
		const struct metric_label labels[] = {
			{"service", b->service},
			{"backend", b->name},
			{"address", addr_port_format(&b->addr, b->port, address)},
			{"forward", words_forward(b->forward)},
		};

		metrics_sample(m, 1, labels, 4);
	}
}

static void write_backend_state(struct metrics *m, const struct snapshot *s, size_t n)
{
	static const struct metric up = {
		"backend_up", METRIC_GAUGE,
		"1: it answers its checks, or has none, and has a next hop; drained ones too.", 0};
	static const struct metric state = {"backend_state", METRIC_GAUGE,
					    "1, with the state that shunt backends shows.", 0};
	size_t i;

	metrics_family(m, &up);
	for (i = 0; i < n; i++) {
		const struct view_backend *b = &s->backends[i];
		const struct metric_label labels[] = {{"service", b->service},
						      {"backend", b->name}};

		metrics_sample(m, b->health != HEALTH_DOWN && words_has_next_hop(b), labels, 2);
	}
	metrics_family(m, &state);
	for (i = 0; i < n; i++) {
		const struct view_backend *b = &s->backends[i];
		const struct metric_label labels[] = {
			{"service", b->service}, {"backend", b->name}, {"state", words_state(b)}};

		metrics_sample(m, 1, labels, 3);
	}
}

static void write_backends(struct metrics *m, const struct snapshot *s, size_t n)
{
	write_backend_info(m, s, n);
	write_backend_state(m, s, n);
	for (size_t c = 0; c < sizeof(backend_columns) / sizeof(backend_columns[0]); c++) {
		metrics_family(m, &backend_columns[c].metric);
		for (size_t i = 0; i < n; i++) {
			const struct metric_label labels[] = {{"service", s->backends[i].service},
							      {"backend", s->backends[i].name}};

			metrics_sample(m, read_member(&s->backends[i], &backend_columns[c]), labels,
				       2);
		}
	}
}

/* ---- all of it -----------------------------------------------------------------------------------*/

static void write_own(struct metrics *m, const struct snapshot *s, const struct metrics_own *own,
		      const size_t shown[2])
{
	static const struct metric left_out = {
		"metrics_left_out", METRIC_GAUGE,
		"Services and backends beyond metrics_limit, which have no metrics of their own.",
		0};
	static const struct metric took = {"scrape_duration_seconds", METRIC_GAUGE,
					   "How long the daemon was asked for what is shown here.",
					   METRIC_MICRO};
	static const struct metric connections = {"web_connections", METRIC_GAUGE,
						  "HTTP connections now.", 0};
	static const struct metric streams = {"web_streams", METRIC_GAUGE,
					      "Pages that are told of events now.", 0};
	static const struct metric requests = {"web_requests", METRIC_COUNTER, "HTTP requests.", 0};
	static const struct metric away = {
		"web_turned_away", METRIC_COUNTER,
		"HTTP connections closed for being too many or too slow.", 0};

	metrics_family(m, &left_out);
	metrics_sample(m, s->n_services - shown[0], &(struct metric_label){"of", "services"}, 1);
	metrics_sample(m, s->n_backends - shown[1], &(struct metric_label){"of", "backends"}, 1);
	metrics_single(m, &took, (uint64_t)s->took_us);
	metrics_single(m, &connections, own->connections);
	metrics_single(m, &streams, own->streams);
	metrics_single(m, &requests, own->requests);
	metrics_single(m, &away, own->turned_away);
}

void metrics_write(FILE *out, enum metrics_format f, const struct snapshot *s,
		   const struct metrics_own *own)
{
	struct metrics m = {.out = out, .format = f};
	const size_t shown[2] = {least(s->n_services, own->limit),
				 least(s->n_backends, own->limit)};

	write_daemon(&m, s);
	write_interfaces(&m, s);
	write_verdicts(&m, s);
	write_services(&m, s, shown[0]);
	write_backends(&m, s, shown[1]);
	write_own(&m, s, own, shown);
	metrics_end(&m);
}
