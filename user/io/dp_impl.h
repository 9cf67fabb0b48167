/* SPDX-License-Identifier: BSD-2-Clause */
/* dp from the inside: a set is one program with the maps it is loaded over. There are two of them
 * while the tables grow or a new program waits for its commit, and one at all other times.
 *
 * Pins in <pin_dir>/v<ABI>/, without dots, which bpffs refuses:
 *   <map>, program         the set in force
 *   new-<map>, new-program while a commit is under way (dp_pins.c)
 *   link-<interface>       with ':' for a dot in the name
 *   (what another version has left is in a folder of its own: dp_former.c)
 *   shared-<interface>     what stands there in the link's stead; entry: the map for all of these */
#ifndef SHUNT_DP_IMPL_H
#define SHUNT_DP_IMPL_H

#include <net/if.h>

#include "io/dp.h"
#include "io/dp_sys.h"

enum dp_map_id {
	DP_CTL,
	DP_SEEDS,
	DP_SERVICES4,
	DP_SERVICES6,
	DP_PREFIXES,
	DP_SPANS,
	DP_SLOTS,
	DP_BASES,
	DP_BACKENDS,
	DP_COUNTERS,
	DP_OWNERS,
	DP_VERDICTS,
	DP_ANSWERS,
	DP_LOADS,
	DP_NEWS,
	DP_SYNS,
	DP_SIGNS,
	DP_FLOWS,
	DP_FLOW_ROWS,
	DP_FRAGS,
	DP_NAT_REQUESTS,
	DP_NAT_REPLIES,
	DP_NAT_CONNS,
	DP_NAT_ADDRS,
	DP_NAT_BACKS,
	DP_NAT_BACKS6,
	DP_NAT_CTL,
	DP_POLICIES,
	DP_SOURCES,
	DP_RATES,
	DP_QUIC_RECORDS,
	DP_QUIC_SERVERS,
	DP_TX_PORTS,
	DP_STAGES,
	DP_HANDOVER,
	DP_MAP_MAX,
};

/* The most entries of a family that a set may have room for. */
#define DP_SERVICES_MAX (1u << 20)

struct lookup;

struct dp_map {
	int fd; /* -1: none */
	uint32_t id; /* the kernel's */
	uint32_t entries; /* max_entries */
	void *mem; /* of those that specs[] in dp_set.c says */
	bool unpinned; /* the pin of its name is missing or another map's */
};

struct dp_set {
	int program_fd; /* -1: none */
	uint32_t program_id;
	struct dp_map map[DP_MAP_MAX];
	struct dp_sizes sizes;
	bool former; /* another version's: see dp_former.c */
	bool shared; /* its program is for shared interfaces */
	uint64_t (*flow_word)(uint64_t word); /* makes today's of its flows; NULL: they are */
};

struct dp_link {
	char ifname[IF_NAMESIZE];
	bool shared; /* with other programs: dp_shared.h */
	bool former; /* its pin is still in the former version's folder */
	int fd; /* the link's; of a shared one shunt_entry's program */
};

struct dp {
	char pin_dir[DP_PATH_MAX]; /* empty: nothing is pinned */
	char dir[DP_PATH_MAX]; /* pin_dir/v<ABI> */
	struct {
		unsigned int version; /* that has left pins, older than ours; 0: none */
		char dir[DP_PATH_MAX];
	} former;
	int lock_fd;
	uint32_t cpus;
	uint64_t hash_key[SHUNT_HASH_WORDS];
	struct dp_set set; /* what dp's functions read and write */
	struct dp_set old; /* until the commit: what the interfaces run */
	struct dp_set dry; /* a twin's own maps and program, and which of `set` it goes by */
	uint32_t dry_missing; /* 1 << enum shunt_stage: its stages that are not loaded yet */
	struct dp_trace_state *trace; /* dp_trace.c; NULL: nobody watches packets */
	struct dp_set before; /* of an earlier daemon: its program and that one's own maps */
	struct dp_counter
		*old_counts; /* [rows of old] its sums when its counters were left behind */
	bool committed;
	bool adopted;
	bool kept; /* `before` has been filled, or is not to be */
	struct dp_trial trial; /* of the program in force; until_us 0: none */
	bool resumed; /* `before` and `trial` are an earlier daemon's */
	bool one_way; /* see dp_is_one_way() */
	bool stays; /* with a former daemon's program: see dp_stay() */
	bool share; /* interfaces attached from now on are shared */
	int entry_fd; /* their map, see dp_shared.h; -1: none yet */
	struct dp_link *links;
	size_t n_links;
	int grace_fd, grace_inner_fd;
	int tick_fd; /* the program that tells the time */
};

/* Has the interfaces run the packet path itself where a daemon that was killed left them to be watched. After
 * dp_links_open, before anything asks what they run. */
void dp_trace_recover(struct dp *dp);

/* Loads the program anew over the same maps, and commits it. */
int dp_reload(struct dp *dp, struct dp_error *err) __attribute__((warn_unused_result));

/* ---- dp_set.c ---------------------------------------------------------------------------------*/

void dp_set_init(struct dp_set *set);
void dp_set_fini(struct dp_set *set);

/* The name of a map in shunt_abi.h. */
const char *dp_map_name(enum dp_map_id i);

/* Whether @fd, of a map, has the type and sizes that this build gives map @i; fills its id and
 * entries. Says in @err what is wrong with @path. */
int dp_map_check(enum dp_map_id i, int fd, const char *path, struct dp_map *out,
		 struct dp_error *err) __attribute__((warn_unused_result));

/* Derives the sizes of a set from its maps' entries. -EINVAL when they do not fit together. */
int dp_set_measure(const struct dp *dp, struct dp_set *set) __attribute__((warn_unused_result));

/* How many elements each map is to have for @want; 0 where the program says it. */
void dp_entries_for(const struct dp *dp, const struct dp_sizes *want,
		    uint32_t entries[static DP_MAP_MAX]);

/* What the program is to know, with maps of @entries. @settings comes as the program has it. */
void dp_settings_fill(const struct dp *dp, const uint32_t entries[static DP_MAP_MAX],
		      struct shunt_settings *settings);

/* True when the set has every map that carries what adoption needs. */
bool dp_set_is_whole(const struct dp_set *set);

/* Loads the program over @from's maps where they are as large as @want, else over new ones, which
 * are at least as large as both; copies the contents. Fills @out; @from stays as it is. */
int dp_set_build(struct dp *dp, struct dp_set *from, const struct dp_sizes *want,
		 struct dp_set *out, struct dp_error *err) __attribute__((warn_unused_result));

/* Whether all of @set is as large as @want. */
bool dp_set_has(const struct dp_set *set, const struct dp_sizes *want);

/* Maps map @i into memory, if it is not. */
int dp_map_mem(struct dp_set *set, enum dp_map_id i) __attribute__((warn_unused_result));

/* ---- dp_prefix.c ------------------------------------------------------------------------------*/

/* The services' prefixes of both families on their way into a half. */
struct dp_prefixes {
	const struct lookup *lookup;
	const uint32_t *entry_of; /* [service]: entry from its family's entries_at on */
	uint32_t half;
};

/* Writes spans and prefixes, which no packet sees before the half is in force. On failure there are
 * none of them left. */
int dp_prefixes_write(struct dp *dp, const struct dp_prefixes *p)
	__attribute__((warn_unused_result));

/* Removes the half's prefixes. */
void dp_prefixes_clear(const struct dp *dp, uint32_t half);

/* Copies @from's prefixes of @half into half 0 of @to, which are two maps. */
int dp_prefixes_copy(const struct dp_set *from, uint32_t half, struct dp_set *to)
	__attribute__((warn_unused_result));

/* Calls @fn for every stretch of ports that a prefix in force has; entry as in struct shunt_span. */
struct dp_prefix_span {
	struct addr vip;
	uint8_t vip_bits, protocol;
	uint16_t from, to;
	uint32_t entry;
};
void dp_prefixes_each(const struct dp *dp, void (*fn)(void *arg, const struct dp_prefix_span *s),
		      void *arg);

/* ---- dp_copy.c --------------------------------------------------------------------------------*/

/* Copies into the maps of @to that are not @from's what @from's carry, flows apart. */
int dp_copy_tables(struct dp *dp, struct dp_set *from, struct dp_set *to)
	__attribute__((warn_unused_result));

/* Adds @from's flows to @to's, if those are two maps. May be called again and again. */
int dp_copy_flows(const struct dp_set *from, const struct dp_set *to)
	__attribute__((warn_unused_result));

/* Once nothing runs @dp->old any more: what it counted after dp_copy_tables is not lost. */
void dp_settle_counters(struct dp *dp);

void dp_counter_sum(const struct dp *dp, const struct dp_set *set, uint32_t row,
		    struct dp_counter *c);

/* ---- dp_nat.c ---------------------------------------------------------------------------------*/

/* Derives the set's sizes of NAT from its maps' entries. -EINVAL when they do not fit together. */
int dp_nat_measure(struct dp_set *set) __attribute__((warn_unused_result));

/* Adds @from's translated connections, and its pools and timeouts, to @to's, if those are two sets of
 * maps. May be called again and again. */
int dp_copy_nat(const struct dp *dp, const struct dp_set *from, struct dp_set *to)
	__attribute__((warn_unused_result));

/* ---- dp_policy.c ------------------------------------------------------------------------------*/

/* How many elements policies, sources and rates are to have for @want. */
void dp_policy_entries(const struct dp_sizes *want, uint32_t entries[static DP_MAP_MAX]);
/* The sizes that they give @set; -EINVAL when they contradict each other. */
int dp_policy_measure(struct dp_set *set) __attribute__((warn_unused_result));
/* Copies @from's policies and lists to @to, if those are two sets of maps. Rates begin anew. */
int dp_copy_policies(struct dp_set *from, struct dp_set *to) __attribute__((warn_unused_result));
/* Has the buckets of sources that are full say so in a way that can be read for hours. */
int dp_set_refresh_rates(const struct dp *dp, struct dp_set *set)
	__attribute__((warn_unused_result));
/* The same as the first three for QUIC's records and servers' ids. */
void dp_quic_entries(const struct dp_sizes *want, uint32_t entries[static DP_MAP_MAX]);
void dp_quic_measure(struct dp_set *set);
int dp_copy_quic(struct dp_set *from, struct dp_set *to) __attribute__((warn_unused_result));

/* ---- dp_pins.c --------------------------------------------------------------------------------*/

/* Finishes or undoes a commit that was cut short. After dp_links_open. */
void dp_pins_recover(struct dp *dp);
/* Opens what is pinned into dp->old. Foreign and half-written pins: -EINVAL in words. */
int dp_pins_open(struct dp *dp, struct dp_error *err) __attribute__((warn_unused_result));
/* The three steps of a commit; the interfaces are given the program between the first two. */
int dp_pins_stage(struct dp *dp, struct dp_error *err) __attribute__((warn_unused_result));
int dp_pins_settle(struct dp *dp, struct dp_error *err) __attribute__((warn_unused_result));
void dp_pins_drop(struct dp *dp);

/* The kernel's id of a program; 0 if @fd is none. */
uint32_t dp_program_id(int fd);

/* ---- dp_trial.c -------------------------------------------------------------------------------*/

/* Opens the former program that an earlier daemon may have kept, into dp->before, or clears away what is
 * left of one. After dp_pins_open. */
void dp_trial_open(struct dp *dp);
/* Pins @former's program, which still runs, and what it needs. On failure nothing is pinned: a kill would
 * end the way back. */
void dp_trial_pin(struct dp *dp, const struct dp_set *former);
void dp_trial_unpin(const struct dp *dp);

/* ---- dp_former.c ------------------------------------------------------------------------------*/

/* Looks for pins of other versions. -EINVAL in words when a newer one has left some. */
int dp_former_find(struct dp *dp, struct dp_error *err) __attribute__((warn_unused_result));
/* Whether a link runs an earlier version's program. After dp_links_open. */
bool dp_former_runs(const struct dp *dp);
/* Opens what an earlier version has pinned into dp->old, in today's layouts. */
int dp_former_open(struct dp *dp, struct dp_error *err) __attribute__((warn_unused_result));
/* Once the links run ours: moves their pins over and removes the former version's. */
void dp_former_leave(struct dp *dp);

/* ---- dp_tick.c --------------------------------------------------------------------------------*/

int dp_tick_open(struct dp *dp) __attribute__((warn_unused_result));

/* ---- dp_link.c --------------------------------------------------------------------------------*/

int dp_links_open(struct dp *dp, struct dp_error *err) __attribute__((warn_unused_result));
void dp_links_close(struct dp *dp);
/* Gives every link the program of dp->set; on failure those done get the old one back. */
int dp_links_update(struct dp *dp, struct dp_error *err) __attribute__((warn_unused_result));
/* The id of the program that a link runs: @id's if any does, else any other, else 0. */
uint32_t dp_links_program(const struct dp *dp, uint32_t id);
/* Has every link run that program. */
void dp_links_give(const struct dp *dp, int program_fd);
/* Moves the pins that are in the former version's folder into ours. Returns how many are still there. */
size_t dp_links_move(struct dp *dp);
/* Enters every link's interface into tx_ports. */
void dp_links_enter(const struct dp *dp);

/* ---- one-line views of dp->set ----------------------------------------------------------------*/

static inline struct shunt_ctl *dp_ctl(const struct dp *dp)
{
	return dp->set.map[DP_CTL].mem;
}

static inline struct shunt_backend *dp_backends(const struct dp *dp)
{
	return dp->set.map[DP_BACKENDS].mem;
}

static inline struct shunt_owner *dp_owners(const struct dp *dp)
{
	return dp->set.map[DP_OWNERS].mem;
}

/* Seeds of one family in one half; entries of one family in one half. */
static inline uint32_t dp_half_seeds(const struct dp_set *set)
{
	return set->map[DP_SEEDS].entries / 4;
}

static inline uint32_t dp_half_entries(const struct dp_set *set)
{
	return set->map[DP_SERVICES4].entries / 2;
}

static inline uint32_t dp_half_spans(const struct dp_set *set)
{
	return set->map[DP_SPANS].entries / 2;
}

#endif
