/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/dp_dry.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "io/dp_impl.h"
#include "io/dp_kernel.h"
#include "io/dp_stage.h"
#include "pure/hashkey.h"
#include "shunt.skel.h"

/* ---- the twin ---------------------------------------------------------------------------------*/

/* Elements of the maps that the twin has for itself; 0: it shares the one in force. */
static uint32_t own_entries(const struct dp *dp, enum dp_map_id i)
{
	switch (i) {
	case DP_COUNTERS:
		return dp->set.map[DP_BACKENDS].entries;
	case DP_VERDICTS:
	case DP_ANSWERS:
	case DP_HANDOVER:
		return dp->cpus;
	case DP_NEWS:
		return 1;
	case DP_STAGES:
		return SHUNT_STAGE_MAX;
	default:
		return 0;
	}
}

static int prepare(const struct dp *dp, struct shunt_bpf *skel)
{
	struct shunt_settings *settings = (struct shunt_settings *)&skel->rodata->settings;
	uint32_t entries[DP_MAP_MAX], own;
	struct bpf_map *map;
	size_t i;
	int rc = 0;

	for (i = 0; i < DP_MAP_MAX && rc == 0; i++) {
		entries[i] = dp->set.map[i].entries;
		own = own_entries(dp, i);
		map = bpf_object__find_map_by_name(skel->obj, dp_map_name(i));
		rc = !map  ? -ENOENT
		     : own ? bpf_map__set_max_entries(map, own)
			   : bpf_map__reuse_fd(map, dp->set.map[i].fd);
	}
	dp_settings_fill(dp, entries, settings);
	settings->rows = 0;
	settings->news = 0;
	settings->passive = 0; /* which only counts */
	settings->passive = 0;
	settings->dry = 1;
	dp_stages_choose(skel->obj, settings);
	return rc;
}

/* Keeps what is the twin's own. */
static int take(const struct dp *dp, const struct shunt_bpf *skel, struct dp_set *out)
{
	static const enum dp_map_id read[] = {DP_COUNTERS, DP_VERDICTS, DP_ANSWERS, DP_NEWS};
	size_t i;
	int fd, rc = 0;

	for (i = 0; i < DP_MAP_MAX; i++) {
		if (!own_entries(dp, i))
			continue;
		fd = bpf_object__find_map_fd_by_name(skel->obj, dp_map_name(i));
		out->map[i].fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		out->map[i].entries = own_entries(dp, i);
		if (out->map[i].fd < 0)
			return -errno;
	}
	for (i = 0; i < sizeof(read) / sizeof(read[0]) && rc == 0; i++)
		rc = dp_map_mem(out, read[i]);
	out->program_fd = fcntl(bpf_program__fd(skel->progs.shunt_xdp), F_DUPFD_CLOEXEC, 0);
	return rc == 0 && out->program_fd < 0 ? -errno : rc;
}

static int load(struct dp *dp, struct dp_error *err)
{
	struct shunt_bpf *skel = shunt_bpf__open();
	size_t i;
	int rc;

	if (!skel)
		return dp_fail_os(err, -errno, "cannot read the packet path's program");
	rc = prepare(dp, skel);
	if (rc == 0)
		rc = shunt_bpf__load(skel);
	if (rc == 0)
		rc = dp_stages_fill(skel->obj);
	if (rc == 0)
		rc = take(dp, skel, &dp->dry);
	shunt_bpf__destroy(skel);
	if (rc) {
		dp_set_fini(&dp->dry);
		return dp_kernel_fail(rc, err);
	}
	for (i = 0; i < DP_MAP_MAX; i++)
		dp->dry.map[i].id = dp->set.map[i].id;
	return 0;
}

bool dp_dry_is_loaded(const struct dp *dp)
{
	size_t i;

	if (dp->dry.program_fd < 0)
		return false;
	for (i = 0; i < DP_MAP_MAX; i++)
		if (i != DP_STAGES && i != DP_HANDOVER && dp->dry.map[i].id != dp->set.map[i].id)
			return false;
	return true;
}

void dp_dry_drop(struct dp *dp)
{
	dp_set_fini(&dp->dry);
}

/* ---- a run ------------------------------------------------------------------------------------*/

static uint32_t cpu_here(const struct dp *dp)
{
	int cpu = sched_getcpu();

	return cpu >= 0 && (uint32_t)cpu < dp->cpus ? (uint32_t)cpu : 0;
}

/* What the twin has for itself as it would find it, and nothing counted. */
static void set_up(struct dp *dp, const struct dp_dry *d)
{
	const struct shunt_counter *live = dp->set.map[DP_COUNTERS].mem;
	struct shunt_counter *own = dp->dry.map[DP_COUNTERS].mem;
	const uint32_t cpu = cpu_here(dp), rows = dp->set.sizes.rows;

	memset(own, 0, (size_t)rows * sizeof(*own));
	memset(dp->dry.map[DP_VERDICTS].mem, 0, dp->cpus * sizeof(struct shunt_verdict_line));
	memcpy(dp->dry.map[DP_ANSWERS].mem, dp->set.map[DP_ANSWERS].mem,
	       dp->cpus * sizeof(struct shunt_answer));
	memset(dp->dry.map[DP_NEWS].mem, 0, 4096);
	if (d->own_row && d->own_row < rows)
		own[d->own_row].cursor = live[(size_t)cpu * rows + d->own_row].cursor;
}

static enum shunt_verdict forwarded(const struct dp *dp, uint32_t row)
{
	static const enum shunt_verdict by[SHUNT_FORWARD_MAX] = {
		[SHUNT_DSR] = SHUNT_FORWARD_DSR,     [SHUNT_IPIP] = SHUNT_FORWARD_IPIP,
		[SHUNT_LOCAL] = SHUNT_FORWARD_LOCAL, [SHUNT_NAT] = SHUNT_FORWARD_NAT,
		[SHUNT_MASQ] = SHUNT_FORWARD_MASQ,   [SHUNT_GUE] = SHUNT_FORWARD_GUE,
		[SHUNT_GRE] = SHUNT_FORWARD_GRE,
	};
	uint8_t method = dp_backends(dp)[row].method;

	return method < SHUNT_FORWARD_MAX ? by[method] : SHUNT_GO_ON;
}

static void read_counts(const struct dp *dp, struct dp_dry *d)
{
	const struct shunt_counter *own = dp->dry.map[DP_COUNTERS].mem;
	const struct shunt_verdict_line *lines = dp->dry.map[DP_VERDICTS].mem;
	uint32_t row, cpu, v;

	for (row = 0; row < dp->set.sizes.rows; row++)
		if (own[row].packets || own[row].flows)
			d->row = row;
	for (cpu = 0; cpu < dp->cpus; cpu++) {
		for (v = 1; v < SHUNT_VERDICT_MAX; v++)
			if (lines[cpu].packets[v])
				d->verdict = v;
		d->looked |= lines[cpu].packets[SHUNT_COUNT_LOOKUPS] != 0;
		d->remembers |= lines[cpu].packets[SHUNT_COUNT_REMEMBERED] != 0;
		d->no_room |= lines[cpu].packets[SHUNT_COUNT_NO_ROOM] != 0;
	}
	if (d->row && !d->verdict)
		d->verdict = forwarded(dp, d->row);
	/* SHUNT_NAT_DRY's record: behind the word and what fills its line. */
	d->opens = ((const struct shunt_nat_conn *)dp->dry.map[DP_NEWS].mem)[1].until != 0;
}

/* Interfaces that the kernel does not take packets of in a test run are done without. */
static int run(const struct dp *dp, struct dp_dry *d)
{
	struct xdp_md where = {.data_end = d->len, .ingress_ifindex = d->ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = d->frame, .data_size_in = d->len,
		    .data_out = d->out, .data_size_out = sizeof(d->out), .repeat = 1,
		    .ctx_in = d->ifindex ? &where : NULL,
		    .ctx_size_in = d->ifindex ? sizeof(where) : 0);
	int rc = bpf_prog_test_run_opts(dp->dry.program_fd, &opts) ? -errno : 0;

	if (rc && d->ifindex) {
		d->ifindex = 0;
		return run(dp, d);
	}
	d->action = opts.retval;
	d->out_len = opts.data_size_out;
	return rc;
}

int dp_dry_run(struct dp *dp, struct dp_dry *d, struct dp_error *err)
{
	int rc;

	if (d->len < 14 || d->len > DP_DRY_FRAME_MAX)
		return dp_fail(err, -EINVAL, "a frame of %u bytes cannot be asked about", d->len);
	if (!dp_dry_is_loaded(dp)) {
		dp_dry_drop(dp);
		rc = load(dp, err);
		if (rc)
			return rc;
	}
	set_up(dp, d);
	rc = run(dp, d);
	if (rc)
		return dp_fail_os(err, rc, "cannot run the packet through the packet path");
	read_counts(dp, d);
	return 0;
}

/* ---- what is known of a flow ------------------------------------------------------------------*/

static uint32_t ports_of(const struct dp_tuple *t)
{
	uint8_t on_wire[4] = {(uint8_t)(t->client_port >> 8), (uint8_t)t->client_port,
			      (uint8_t)(t->port >> 8), (uint8_t)t->port};
	uint32_t ports;

	memcpy(&ports, on_wire, sizeof(ports));
	return ports;
}

static uint64_t hash_of(const struct dp *dp, const struct addr *client, const struct addr *vip,
			uint32_t ports)
{
	uint32_t from[4], to[4];

	memcpy(from, client->bytes, sizeof(from));
	memcpy(to, vip->bytes, sizeof(to));
	return client->family == 6 ? hashkey_flow6(dp->hash_key, from, to, ports)
				   : hashkey_flow4(dp->hash_key, from[0], to[0], ports);
}

static uint64_t source_hash(const struct dp *dp, const struct dp_tuple *t, uint8_t bits)
{
	struct addr client = t->client;
	size_t i;

	for (i = 0; i < sizeof(client.bytes); i++) {
		size_t left = bits > 8 * i ? bits - 8 * i : 0;

		client.bytes[i] &= left >= 8 ? 0xff : (uint8_t)(0xff00 >> left);
	}
	return hash_of(dp, &client, &t->vip, 0);
}

static void look_in(const struct dp *dp, uint32_t bucket, uint32_t tag, uint64_t *found)
{
	struct shunt_flow_bucket b;
	size_t i;

	if (*found || bpf_map_lookup_elem(dp->set.map[DP_FLOWS].fd, &bucket, &b))
		return;
	for (i = 0; i < SHUNT_FLOWS_PER_BUCKET && !*found; i++)
		if (b.word[i] >> SHUNT_FLOW_TAG_SHIFT == tag)
			*found = b.word[i];
}

static uint64_t find_entry(const struct dp *dp, uint64_t hash, uint32_t salt)
{
	const uint32_t mask = dp->set.map[DP_FLOWS].entries - 1;
	uint64_t a = (hash ^ hash >> 32 ^ salt) * 0x9e3779b97f4a7c15ull;
	uint64_t b = (a ^ a >> 29) * 0xbf58476d1ce4e5b9ull, word = 0;

	look_in(dp, (uint32_t)(a >> 32) & mask, (uint32_t)(b >> SHUNT_FLOW_TAG_SHIFT), &word);
	look_in(dp, (uint32_t)b & mask, (uint32_t)(b >> SHUNT_FLOW_TAG_SHIFT), &word);
	return word;
}

/* As choice_recall() of the packet path, but for whether the backend may be used. */
static bool entry_holds(const struct shunt_service *svc, const struct dp_known *k, uint64_t word)
{
	uint16_t age = shunt_flow_age(k->now, (uint16_t)word);
	uint16_t oldest = svc->flow_timeout + SHUNT_FLOW_AHEAD;
	uint16_t since = shunt_flow_age(k->now, k->at.base.since);

	if (!k->number || k->number > svc->backends)
		return false;
	if (svc->flags & SHUNT_SVC_FLOWS)
		return age <= oldest;
	return transit_is_on(k->at.slot) && age <= (since < oldest ? since : oldest);
}

void dp_flow_look(struct dp *dp, const struct shunt_service *svc, const struct dp_tuple *t,
		  struct dp_known *out)
{
	uint64_t hash = hash_of(dp, &t->client, &t->vip, ports_of(t)), source = hash, word;

	*out = (struct dp_known){.now = dp_tick(dp)};
	if (svc->flags & SHUNT_SVC_SOURCE)
		source = source_hash(dp, t, svc->source_bits);
	if (svc->flags & SHUNT_SVC_AFFINE)
		hash = source;
	out->slot = shunt_slot_of(source, svc->slot_mask);
	out->at = dp_slot_read(dp, svc->slots_at, out->slot);
	word = find_entry(dp, hash, svc->salt);
	if (!word)
		return;
	out->has_entry = true;
	out->confirmed = word & SHUNT_FLOW_CONFIRMED;
	out->ended = word & SHUNT_FLOW_ENDED;
	out->number = word >> 16 & SHUNT_SLOT_BACKEND;
	out->age = transit_age(out->now, (uint16_t)word);
	out->holds = entry_holds(svc, out, word);
}

/* ---- translated connections -------------------------------------------------------------------*/

uint32_t dp_nat_age(const struct dp *dp, uint32_t seen)
{
	/* A flow tick is a NAT tick: what there is of it. */
	uint16_t age = (uint16_t)(dp_tick(dp) - (uint16_t)seen);

	return age > UINT16_MAX - SHUNT_FLOW_AHEAD ? 0 : age;
}
_Static_assert(SHUNT_NAT_TICK_SHIFT == SHUNT_FLOW_TICK_SHIFT, "as dp_nat_age() says");

static bool same_addrs(const struct dp *dp, uint32_t rec, const struct shunt_nat_conn *conn,
		       const struct dp_tuple *t)
{
	struct shunt_nat_addrs six;

	if (t->client.family != 6)
		return !memcmp(&conn->client, t->client.bytes, 4) &&
		       !memcmp(&conn->vip, t->vip.bytes, 4);
	return bpf_map_lookup_elem(dp->set.map[DP_NAT_ADDRS].fd, &rec, &six) == 0 &&
	       !memcmp(six.client, t->client.bytes, 16) && !memcmp(six.vip, t->vip.bytes, 16);
}

static bool is_of(const struct dp *dp, uint32_t rec, const struct dp_tuple *t,
		  struct shunt_nat_conn *conn)
{
	bool six = t->client.family == 6;

	return bpf_map_lookup_elem(dp->set.map[DP_NAT_CONNS].fd, &rec, conn) == 0 &&
	       conn->client_ports == ports_of(t) && SHUNT_NAT_PROTO(conn->state) == t->protocol &&
	       !(conn->state & SHUNT_NAT_CLIENT6) == !six && same_addrs(dp, rec, conn, t) &&
	       (int16_t)(dp_tick(dp) - (uint16_t)conn->until) <= 0;
}

bool dp_nat_look(struct dp *dp, const struct dp_tuple *t, struct shunt_nat_conn *out)
{
	const uint32_t n = dp->set.map[DP_NAT_REQUESTS].entries;
	struct shunt_nat_place place;
	struct shunt_nat_bucket b;
	uint32_t i, at;

	if (n <= 1)
		return false;
	place = shunt_nat_mix(hash_of(dp, &t->client, &t->vip, ports_of(t)), t->protocol, n - 1);
	for (i = 0; i < 2 * SHUNT_NAT_WAYS; i++) {
		at = i < SHUNT_NAT_WAYS ? place.first : place.second;
		if (bpf_map_lookup_elem(dp->set.map[DP_NAT_REQUESTS].fd, &at, &b) == 0 &&
		    b.word[i % SHUNT_NAT_WAYS] >> 32 == place.tag &&
		    is_of(dp, at * SHUNT_NAT_WAYS + i % SHUNT_NAT_WAYS, t, out))
			return true;
	}
	return false;
}
