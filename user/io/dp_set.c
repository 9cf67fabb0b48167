/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets: which maps there are, how large they are to be, and loading the program over them. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mono.h"
#include "base/own.h"
#include "io/dp_impl.h"
#include "io/dp_kernel.h"
#include "io/dp_stage.h"
#include "shunt_abi.h"
#include "shunt.skel.h"

#define ROWS_MAX (1u << 24)
#define SLOT_LINES_MAX (1u << 26)
#define FLOWS_MAX (1ull << 30)
#define SPANS_MAX (1u << 22)
#define NAT_MAX (1ull << 26)

/* Maps that grow together: their contents name each other's indices. */
enum group {
	GROUP_SERVICES,
	GROUP_SLOTS,
	GROUP_ROWS,
	GROUP_VERDICTS,
	GROUP_FLOWS,
	GROUP_NEWS,
	GROUP_SYNS,
	GROUP_RARE,
	GROUP_NAT,
	GROUP_BACKS, /* a cache of GROUP_NAT's */
	GROUP_POLICIES,
	GROUP_RATES,
	GROUP_QUIC,
	GROUP_PORTS,
	GROUP_STAGES, /* each program's own: an old one goes on with the stages it came with */
	GROUPS
};

static const struct spec {
	const char *name;
	uint32_t value_size; /* as the kernel rounds it up in an array */
	enum group group;
	bool mapped; /* kept in memory; flows and connections are too many for that */
	bool core; /* adoption needs it */
	uint32_t type, key_size, flags; /* type 0: an array that can be mapped */
} specs[DP_MAP_MAX] = {
	[DP_CTL] = {"ctl", sizeof(struct shunt_ctl), GROUP_SERVICES, true, true},
	[DP_SEEDS] = {"seeds", sizeof(uint64_t), GROUP_SERVICES, true, true},
	[DP_SERVICES4] = {"services4", sizeof(struct shunt_service4), GROUP_SERVICES, true, true},
	[DP_SERVICES6] = {"services6", sizeof(struct shunt_service6), GROUP_SERVICES, true, true},
	[DP_PREFIXES] = {"prefixes", sizeof(struct shunt_prefix), GROUP_SERVICES, false, true,
			 BPF_MAP_TYPE_LPM_TRIE, sizeof(struct shunt_prefix_key), BPF_F_NO_PREALLOC},
	[DP_SPANS] = {"spans", sizeof(struct shunt_span), GROUP_SERVICES, true, true},
	[DP_SLOTS] = {"slots", sizeof(struct shunt_slot_line), GROUP_SLOTS, true, true},
	[DP_BASES] = {"bases", sizeof(struct shunt_base_line), GROUP_SLOTS, true, true},
	[DP_BACKENDS] = {"backends", sizeof(struct shunt_backend), GROUP_ROWS, true, true},
	[DP_COUNTERS] = {"counters", sizeof(struct shunt_counter), GROUP_ROWS, true, true},
	[DP_OWNERS] = {"owners", sizeof(struct shunt_owner), GROUP_ROWS, true, true},
	[DP_VERDICTS] = {"verdicts", sizeof(struct shunt_verdict_line), GROUP_VERDICTS, true,
			 false},
	[DP_LOADS] = {"loads", sizeof(struct shunt_load), GROUP_ROWS, true, false},
	[DP_NEWS] = {"news", sizeof(struct shunt_news), GROUP_NEWS, true, false},
	[DP_SYNS] = {"syns", sizeof(struct shunt_syns), GROUP_SYNS, false, false},
	[DP_SIGNS] = {"signs", sizeof(struct shunt_signs), GROUP_ROWS, true, false},
	[DP_FLOWS] = {"flows", sizeof(struct shunt_flow_bucket), GROUP_FLOWS, false, false},
	[DP_FLOW_ROWS] = {"flow_rows", sizeof(struct shunt_flow_rows), GROUP_FLOWS, false, false},
	[DP_FRAGS] = {"frags", sizeof(struct shunt_frag_bucket), GROUP_RARE, false, false},
	[DP_ANSWERS] = {"answers", sizeof(struct shunt_answer), GROUP_RARE, true, false},
	[DP_NAT_REQUESTS] = {"nat_requests", sizeof(struct shunt_nat_bucket), GROUP_NAT, false,
			     false},
	[DP_NAT_REPLIES] = {"nat_replies", sizeof(struct shunt_nat_bucket), GROUP_NAT, false,
			    false},
	[DP_NAT_CONNS] = {"nat_conns", sizeof(struct shunt_nat_conn), GROUP_NAT, false, false},
	[DP_NAT_ADDRS] = {"nat_addrs", sizeof(struct shunt_nat_addrs), GROUP_NAT, false, false},
	[DP_NAT_BACKS] = {"nat_backs", sizeof(struct shunt_nat_backs), GROUP_BACKS, false, false},
	[DP_NAT_BACKS6] = {"nat_backs6", sizeof(struct shunt_nat_back6), GROUP_BACKS, false, false},
	[DP_NAT_CTL] = {"nat_ctl", sizeof(struct shunt_nat_ctl), GROUP_NAT, true, false},
	[DP_POLICIES] = {"policies", sizeof(struct shunt_policy), GROUP_POLICIES, true, false},
	[DP_SOURCES] = {"sources", sizeof(struct shunt_source_line), GROUP_POLICIES, true, false},
	[DP_RATES] = {"rates", sizeof(struct shunt_rate_line), GROUP_RATES, false, false},
	[DP_QUIC_RECORDS] = {"quic_records", sizeof(struct shunt_quic), GROUP_QUIC, true, false},
	[DP_QUIC_SERVERS] = {"quic_servers", sizeof(struct shunt_quic_server), GROUP_QUIC, true,
			     false},
	[DP_TX_PORTS] = {"tx_ports", sizeof(uint32_t), GROUP_PORTS, false, false,
			 BPF_MAP_TYPE_DEVMAP_HASH, sizeof(uint32_t)},
	[DP_STAGES] = {"stages", sizeof(uint32_t), GROUP_STAGES, false, false,
		       BPF_MAP_TYPE_PROG_ARRAY, sizeof(uint32_t)},
	[DP_HANDOVER] = {"handover", sizeof(struct shunt_handover), GROUP_STAGES, false, false},
};
_Static_assert(sizeof(struct shunt_ctl) % 8 == 0 && sizeof(struct shunt_owner) % 8 == 0 &&
		       sizeof(struct shunt_nat_ctl) % 8 == 0,
	       "an element of the mapping is as large as the struct");

const char *dp_map_name(enum dp_map_id i)
{
	return specs[i].name;
}

void dp_set_init(struct dp_set *set)
{
	size_t i;

	*set = (struct dp_set){.program_fd = -1};
	for (i = 0; i < DP_MAP_MAX; i++)
		set->map[i].fd = -1;
}

static size_t map_len(const struct dp_set *set, enum dp_map_id i)
{
	return (size_t)set->map[i].entries * specs[i].value_size;
}

void dp_set_fini(struct dp_set *set)
{
	size_t i;

	for (i = 0; i < DP_MAP_MAX; i++) {
		if (set->map[i].mem)
			munmap(set->map[i].mem, map_len(set, i));
		if (set->map[i].fd >= 0)
			close(set->map[i].fd);
	}
	if (set->program_fd >= 0)
		close(set->program_fd);
	dp_set_init(set);
}

int dp_map_mem(struct dp_set *set, enum dp_map_id i)
{
	void *mem;

	if (set->map[i].mem)
		return 0;
	mem = mmap(NULL, map_len(set, i), PROT_READ | PROT_WRITE, MAP_SHARED, set->map[i].fd, 0);
	if (mem == MAP_FAILED)
		return -errno;
	set->map[i].mem = mem;
	return 0;
}

int dp_map_check(enum dp_map_id i, int fd, const char *path, struct dp_map *out,
		 struct dp_error *err)
{
	const struct spec *spec = &specs[i];
	uint32_t type = spec->type ? spec->type : BPF_MAP_TYPE_ARRAY;
	uint32_t key_size = spec->type ? spec->key_size : sizeof(uint32_t);
	uint32_t flags = spec->type ? spec->flags : BPF_F_MMAPABLE;
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return dp_fail_os(err, -errno, "%s: cannot ask the kernel what it is", path);
	if (info.type != type || info.key_size != key_size || info.value_size != spec->value_size ||
	    (info.map_flags & flags) != flags)
		return dp_fail(
			err, -EINVAL,
			"%s is not a map of this shunt: it has type %u and values of %u bytes, "
			"wanted are type %u and %u bytes",
			path, info.type, info.value_size, type, spec->value_size);
	out->id = info.id;
	out->entries = info.max_entries;
	return 0;
}

bool dp_set_is_whole(const struct dp_set *set)
{
	size_t i;

	for (i = 0; i < DP_MAP_MAX; i++)
		if (specs[i].core && set->map[i].fd < 0)
			return false;
	return true;
}

/* ---- load -------------------------------------------------------------------------------------*/

/* Whether a daemon of this version may write such maps while the former one's program uses them. */
static bool may_share(enum group g)
{
	return g == GROUP_VERDICTS || g == GROUP_RARE || g == GROUP_NAT || g == GROUP_RATES ||
	       g == GROUP_PORTS;
}

/* Sets entries[i] to what is there already for the groups that can stay, so that afterwards
 * reuse[i] tells; those that cannot become as large as what there is, at least. */
static void plan(const struct dp_set *from, uint32_t entries[static DP_MAP_MAX],
		 bool reuse[static DP_MAP_MAX])
{
	bool stays[GROUPS];
	size_t i;

	for (i = 0; i < GROUPS; i++)
		stays[i] = i != GROUP_STAGES && (!from->former || may_share(i));
	for (i = 0; i < DP_MAP_MAX; i++)
		if (from->map[i].fd < 0 || from->map[i].entries < entries[i])
			stays[specs[i].group] = false;
	stays[GROUP_BACKS] = stays[GROUP_BACKS] && stays[GROUP_NAT];
	for (i = 0; i < DP_MAP_MAX; i++) {
		reuse[i] = stays[specs[i].group];
		if (from->map[i].fd >= 0 && from->map[i].entries > entries[i])
			entries[i] = from->map[i].entries;
	}
}

static int prepare_maps(struct shunt_bpf *skel, const struct dp_set *from,
			const uint32_t entries[static DP_MAP_MAX],
			const bool reuse[static DP_MAP_MAX])
{
	struct bpf_map *map;
	size_t i;
	int rc = 0;

	for (i = 0; i < DP_MAP_MAX && rc == 0; i++) {
		map = bpf_object__find_map_by_name(skel->obj, specs[i].name);
		if (!map)
			return -ENOENT;
		if (reuse[i])
			rc = bpf_map__reuse_fd(map, from->map[i].fd);
		else if (entries[i])
			rc = bpf_map__set_max_entries(map, entries[i]);
	}
	return rc;
}

/* The skeleton is let go after the load, and with it a megabyte of libbpf's: keep descriptors. */
static int take_descriptors(struct shunt_bpf *skel, const struct dp_set *from,
			    const bool reuse[static DP_MAP_MAX], struct dp_set *out)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	struct bpf_map *map;
	size_t i;
	int rc;

	for (i = 0; i < DP_MAP_MAX; i++) {
		map = bpf_object__find_map_by_name(skel->obj, specs[i].name);
		out->map[i].fd = fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 0);
		if (out->map[i].fd < 0)
			return -errno;
		rc = dp_map_check(i, out->map[i].fd, specs[i].name, &out->map[i], NULL);
		if (rc)
			return rc;
		out->map[i].unpinned = !reuse[i] || from->map[i].unpinned;
	}
	out->program_fd = fcntl(bpf_program__fd(skel->progs.shunt_xdp), F_DUPFD_CLOEXEC, 0);
	if (out->program_fd < 0 || bpf_obj_get_info_by_fd(out->program_fd, &info, &len))
		return -errno;
	out->program_id = info.id;
	return 0;
}

/* For shared interfaces: programs that tail call each other have to agree since Linux 6.18, and an
 * extension, which shunt_entry is, has none. A link, however, takes only programs whose type is that of
 * the one with which it was made, and that is XDP's own, as it has been since version 1. */
static void clear_attach_types(struct bpf_object *obj)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, obj)
		bpf_program__set_expected_attach_type(program, 0);
}

void dp_settings_fill(const struct dp *dp, const uint32_t entries[static DP_MAP_MAX],
		      struct shunt_settings *settings)
{
	memcpy(settings->hash_key, dp->hash_key, sizeof(settings->hash_key));
	settings->rows = entries[DP_BACKENDS];
	settings->flow_mask = entries[DP_FLOWS] - 1;
	settings->frag_mask = entries[DP_FRAGS] - 1;
	settings->flow_shift = SHUNT_FLOW_TICK_SHIFT;
	settings->hz = mono_kernel_hz();
	settings->cpus = dp->cpus;
	if (entries[DP_NAT_REQUESTS] > 1) {
		settings->nat_mask = entries[DP_NAT_REQUESTS] - 1;
		settings->nat_reply_mask = entries[DP_NAT_REPLIES] - 1;
	}
	settings->rate_mask = entries[DP_RATES] - 1;
	settings->news = entries[DP_NEWS] > 1;
	settings->passive = entries[DP_SYNS] > 1;
	settings->staged = (settings->nat_mask ? SHUNT_SVC_NAT : 0) |
			   (entries[DP_QUIC_RECORDS] > 1 ? SHUNT_SVC_QUIC : 0);
}

static int load(struct dp *dp, const struct dp_set *from, const struct dp_sizes *want,
		struct dp_set *out, struct dp_error *err)
{
	uint32_t entries[DP_MAP_MAX];
	bool reuse[DP_MAP_MAX];
	struct shunt_settings *settings;
	struct shunt_bpf *skel;
	int rc;

	dp_entries_for(dp, want, entries);
	plan(from, entries, reuse);
	skel = shunt_bpf__open();
	if (!skel)
		return dp_fail_os(err, -errno, "cannot read the packet path's program");
	settings = (struct shunt_settings *)&skel->rodata->settings;
	dp_settings_fill(dp, entries, settings);
	rc = prepare_maps(skel, from, entries, reuse);
	dp_stages_choose(skel->obj, settings);
	if (dp->share)
		clear_attach_types(skel->obj);
	out->shared = dp->share;
	if (rc == 0)
		rc = shunt_bpf__load(skel);
	if (rc == 0)
		rc = dp_stages_fill(skel->obj);
	if (rc == 0)
		rc = take_descriptors(skel, from, reuse, out);
	shunt_bpf__destroy(skel);
	return rc ? dp_kernel_fail(rc, err) : 0;
}

static int map_all(struct dp_set *set)
{
	size_t i;
	int rc = 0;

	if (set->sizes.news) /* flows of other hosts are written into it */
		rc = dp_map_mem(set, DP_FLOWS);
	if (set->sizes.news && rc == 0)
		rc = dp_map_mem(set, DP_FLOW_ROWS);
	for (i = 0; i < DP_MAP_MAX && rc == 0; i++)
		if (specs[i].mapped)
			rc = dp_map_mem(set, i);
	return rc;
}

int dp_set_build(struct dp *dp, struct dp_set *from, const struct dp_sizes *want,
		 struct dp_set *out, struct dp_error *err)
{
	int rc;

	if (want->services > DP_SERVICES_MAX || want->spans > SPANS_MAX || want->rows > ROWS_MAX ||
	    want->slot_lines > SLOT_LINES_MAX || want->flows > FLOWS_MAX ||
	    want->frags > FLOWS_MAX || want->nat > NAT_MAX)
		return dp_fail(err, -E2BIG,
			       "more than the tables can hold: %u addresses with a port of %u, %u "
			       "stretches of ports of %u, %u rows of %u, %u slot lines of %u, %llu "
			       "flows of %llu, %llu translated connections of %llu",
			       want->services, DP_SERVICES_MAX, want->spans, SPANS_MAX, want->rows,
			       ROWS_MAX, want->slot_lines, SLOT_LINES_MAX,
			       (unsigned long long)want->flows, FLOWS_MAX,
			       (unsigned long long)want->nat, NAT_MAX);
	dp_set_init(out);
	rc = load(dp, from, want, out, err);
	if (rc == 0) {
		rc = dp_set_measure(dp, out);
		if (rc == 0)
			rc = map_all(out);
		if (rc == 0)
			rc = dp_copy_tables(dp, from, out);
		if (rc == 0)
			rc = dp_set_refresh_rates(dp, out);
		if (rc)
			dp_fail_os(err, rc, "cannot set up the tables");
	}
	if (rc)
		dp_set_fini(out);
	return rc;
}

uint64_t dp_map_bytes(const struct dp *dp)
{
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i < DP_MAP_MAX; i++)
		if (!specs[i].type) /* others take what is in them */
			bytes += map_len(&dp->set, i);
	return bytes;
}

int dp_map_fd(const struct dp *dp, const char *name)
{
	size_t i;

	for (i = 0; i < DP_MAP_MAX; i++)
		if (strcmp(specs[i].name, name) == 0)
			return dp->set.map[i].fd;
	return -ENOENT;
}
