/* SPDX-License-Identifier: BSD-2-Clause */
/* The dataplane: the only user of libbpf. Loads the packet path over the pinned maps of an earlier
 * daemon or over new ones, attaches it, and reads and writes the maps. It knows rows, slot lines and
 * entries, but no policy: who gets which row and slot is the engine's business. Nothing here logs
 * (libbpf's own messages go to the sink given); all functions return 0 or -errno and fill the
 * struct dp_error where there is one to fill. */
#ifndef SHUNT_DP_H
#define SHUNT_DP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "pure/passive.h"
#include "pure/transit.h"
#include "shunt_abi.h"

struct dp;

/* What went wrong, in a sentence for the operator: action, object, reason, what to do. */
struct dp_error {
	char text[512];
};

/* Capacities. Rounded up by dp_open; never shrunk while pins exist. */
struct dp_sizes {
	uint32_t services; /* entries of each family: addresses with a port, see dp_services_need */
	uint32_t spans; /* of ports under prefixes, see dp_services_need */
	uint32_t rows; /* backends' and services' own rows */
	uint32_t slot_lines; /* of 32 slots each */
	uint64_t flows; /* flows to make room for (the table gets twice as many words) */
	bool flow_rows; /* some services remember every flow: whose each is, is noted beside */
	bool news; /* newly confirmed flows are told: dp_news_read */
	bool passive; /* there are rows with SHUNT_BE_PASSIVE */
	uint64_t frags; /* fragmented packets to remember */
	uint64_t
		nat; /* translated connections, the same way; 0: no NAT, which costs nothing then */
	bool nat6; /* some of them with IPv6 */
	uint32_t policies; /* numbers of policies, the unused 0 among them; 0: there are none */
	uint32_t source_words; /* of the lists of all policies */
	uint32_t quic_records; /* numbers of services' records, the unused 0 among them; 0: none */
	uint32_t quic_places; /* for servers' ids */
	uint64_t rate_sources; /* sources with a rate of their own to make room for; 0: none */
};

struct dp_options {
	const char *pin_dir; /* "/sys/fs/bpf/shunt/<instance>"; NULL: nothing is pinned (tests) */
	struct dp_sizes sizes; /* wanted at least */
	uint64_t hash_key[SHUNT_HASH_WORDS];
	bool share; /* see dp_share */
	void (*libbpf_log)(void *arg, bool warning, const char *line); /* NULL: dropped */
	void *log_arg;
};

/* Mounts bpffs on /sys/fs/bpf if it is missing, takes the instance's lock (a second daemon gets
 * -EBUSY; a child forked later without exec shares the lock until it ends), loads the program over the maps pinned in <pin_dir>/v<ABI>/ (those missing or too small
 * are made anew with the old contents) and, where links are pinned, leaves the interfaces running
 * the old program until dp_commit. Missing capabilities are named one by one in @err. */
int dp_open(const struct dp_options *opt, struct dp **out, struct dp_error *err)
	__attribute__((warn_unused_result));

/* True when the maps carry what an earlier daemon left (owners, slots, services are valid). */
bool dp_adopted(const struct dp *dp);
const struct dp_sizes *dp_sizes(const struct dp *dp);
uint64_t dp_map_bytes(const struct dp *dp);

/* Closes descriptors and mappings, leaves pins and attachments: forwarding goes on. */
void dp_close(struct dp *dp);

/* Detaches every interface and removes every pin of the instance. */
int dp_remove(const char *pin_dir, struct dp_error *err);

/* Makes every map at least as large as @sizes, keeping all contents, indices and traffic: new maps
 * and program beside the old ones, swapped by link update. A no-op when large enough already. */
int dp_grow(struct dp *dp, const struct dp_sizes *sizes, struct dp_error *err)
	__attribute__((warn_unused_result));

/* Makes every attached interface run the program loaded by dp_open (atomic link updates) and pins the
 * maps. To be called once the tables are reconciled; dp_attach of an interface that is not attached
 * yet and dp_grow do it too. No-op when done. */
int dp_commit(struct dp *dp, struct dp_error *err) __attribute__((warn_unused_result));

/* ---- upgrades ---------------------------------------------------------------------------------*/

struct dp_check_result {
	uint32_t services; /* there are, */
	uint32_t asked; /* of which so many were asked about within a second */
	uint32_t packets; /* made up */
	uint32_t differ; /* treated differently */
};

/* Between dp_open and the first change of the tables: whether the program that the interfaces run and the
 * one that is to take over do the same with packets made up for each service, of which nothing is
 * remembered or counted. 0, also when nothing runs; -ESTALE: @err has the first that they treat
 * differently; another error when they cannot be asked. */
int dp_check(struct dp *dp, struct dp_check_result *out, struct dp_error *err)
	__attribute__((warn_unused_result));

/* In place of the commit: the program that the interfaces run stays, and dp's functions work on its tables.
 * Possible when it uses the very same maps: else -ENOTSUP, and nothing has changed. dp_grow fails from
 * then on. */
int dp_stay(struct dp *dp) __attribute__((warn_unused_result));

/* How long the program in force is watched, on the clock of mono_now(), and what had been counted before: what
 * a daemon that starts within that time has to know. */
struct dp_trial {
	int64_t until_us; /* 0: it is not watched */
	uint64_t before_packets,
		before_errors; /* all that were counted before the swap was prepared, */
	uint64_t swapped_packets, swapped_errors; /* and when it was done */
};

/* Before the commit: the former program is to be kept, over this daemon's end too, and until when. One that
 * is kept already goes on to be so, and its trial too if the program in force is the same as before. */
void dp_trial_begin(struct dp *dp, const struct dp_trial *trial);
/* After it: whether an earlier daemon's trial goes on. */
bool dp_trial_resumed(const struct dp *dp, struct dp_trial *trial);
/* Changes what is known of it. */
void dp_trial_note(struct dp *dp, const struct dp_trial *trial);

/* Whether the program of an earlier daemon that worked on the same maps is still at hand. */
bool dp_has_former(const struct dp *dp);
/* Puts it back in the place of this daemon's, which works with it from then on as after dp_stay. */
int dp_put_back(struct dp *dp, struct dp_error *err) __attribute__((warn_unused_result));
/* Whether there was one, on other tables than those in force now. */
bool dp_is_one_way(const struct dp *dp);
/* The kernel's number of the program in force, and since when it has been loaded. */
uint32_t dp_program_age_ms(const struct dp *dp, uint64_t *age_ms);
/* Gives it up. */
void dp_drop_former(struct dp *dp);

/* ---- interfaces -------------------------------------------------------------------------------*/

enum dp_mode { DP_NATIVE = 1, DP_GENERIC };

/* Attaches to @ifindex with exactly this mode, or adopts the pinned link of the interface's name if
 * its mode is the same (another mode: detaches it first). Pins the link as "link-<name>" and enters
 * the interface into tx_ports. -EBUSY with words when another program holds the interface. */
int dp_attach(struct dp *dp, const char *ifname, unsigned int ifindex, enum dp_mode mode,
	      struct dp_error *err) __attribute__((warn_unused_result));
/* Whether dp_attach goes through libxdp, so that other programs may run there too; one that is attached
 * the other way is attached anew. At first: no. */
void dp_share(struct dp *dp, bool share);
/* Whether a shared interface is not shared after all, since the kernel loads no extension programs. */
bool dp_is_alone(const struct dp *dp, const char *ifname);
/* Which mode a pinned link of @ifname that still works has; 0: none. */
enum dp_mode dp_attached(const struct dp *dp, const char *ifname);
int dp_detach(struct dp *dp, const char *ifname);
/* Calls @fn for the name of every interface with a pinned link. */
void dp_each_link(const struct dp *dp, void (*fn)(void *arg, const char *ifname), void *arg);

/* ---- tables -----------------------------------------------------------------------------------*/

/* A service to be found by packets: one prefix, one stretch of ports. A service with more has one of
 * these for each, all with the same svc and next to each other. */
struct dp_service {
	struct addr vip; /* bits beyond the prefix are 0 */
	uint8_t vip_bits; /* length of the prefix; 0: the address alone */
	uint16_t port; /* host order, 0: any */
	uint16_t port_to; /* the last port, 0: `port` is the only one */
	uint8_t protocol; /* IPPROTO_ICMP or IPPROTO_ICMPV6, any port: what is an address of services */
	struct shunt_service
		svc; /* of an address only its flags, and a row to tell it from others */
};

/* Raises @need->services and @need->spans to what dp_services_switch wants for these; svc.row tells
 * services apart. Returns 0 or -ENOMEM, or -EEXIST for what dp_services_switch refuses. */
int dp_services_need(const struct dp_service *s, size_t n, struct dp_sizes *need)
	__attribute__((warn_unused_result));

/* Makes exactly these the services: builds the perfect hashes, and the prefixes, in the inactive
 * halves and flips; on failure nothing has changed. The longest prefix holds, and of equal ones a
 * stretch of ports before any port (pure/lookup.h). Returns after every packet that may have seen the former ones has left (a grace period), so what
 * they pointed at may be reused. -ENOSPC when they exceed the capacity: grow first. */
int dp_services_switch(struct dp *dp, const struct dp_service *s, size_t n, struct dp_error *err)
	__attribute__((warn_unused_result)); /* for tests */

/* The same in two steps: all that can fail, which changes nothing, and the flip. @out is the caller's
 * until dp_services_apply or dp_services_drop; no other change of the services and no growth in
 * between. */
struct dp_services;
int dp_services_prepare(struct dp *dp, const struct dp_service *s, size_t n,
			struct dp_services **out, struct dp_error *err)
	__attribute__((warn_unused_result));
void dp_services_apply(struct dp *dp, struct dp_services *services);
void dp_services_drop(struct dp_services *services); /* NULL is fine; for tests */

/* Says in place whether a service of that address, or prefix of @bits (0: the address alone), has a
 * live backend; false when the services in force have no such address. */
bool dp_vip_live(struct dp *dp, const struct addr *vip, uint8_t bits, bool live);
bool dp_vip_is_live(struct dp *dp, const struct addr *vip, uint8_t bits);

/* How many ICMP errors each CPU may send in answer a second. */
void dp_answer_rate(struct dp *dp, uint32_t rate);

/* Waits until every packet that may have read the tables before this call has left. */
void dp_grace(const struct dp *dp);

/* Reads back the services in force, for adoption: calls @fn for each, ports written out one by one,
 * and for those found by prefixes as often as they have a stretch of ports there. */
void dp_services_each(const struct dp *dp, void (*fn)(void *arg, const struct dp_service *s),
		      void *arg);

/* Writes the slots that differ, each by one 16-bit store. @slots_at in lines; @n a multiple of 32.
 * Returns how many differed. */
uint32_t dp_slots_write(struct dp *dp, uint32_t slots_at, const uint16_t *slots,
			uint32_t n); /* for tests */
/* Copies @n slots out. */
void dp_slots_read(const struct dp *dp, uint32_t slots_at, uint16_t *slots, uint32_t n);

/* One slot with its base, @i from @slots_at on. */
struct transit_slot dp_slot_read(const struct dp *dp, uint32_t slots_at, uint32_t i);
/* Writes what differs between @was, as read, and @s: the base as one word, and then the slot, so that a
 * packet that finds the slot in transition finds its base there. */
void dp_slot_write(struct dp *dp, uint32_t slots_at, uint32_t i, const struct transit_slot *was,
		   const struct transit_slot *s);

/* Now, in the packet path's flow ticks, which wrap. A system call. */
uint16_t dp_tick(const struct dp *dp);

/* @row below the capacity; a row in use is overwritten word by word in an order that never shows a
 * usable row without its next hop. */
void dp_backend_write(struct dp *dp, uint32_t row, const struct shunt_backend *b);
void dp_backend_read(const struct dp *dp, uint32_t row, struct shunt_backend *b);

void dp_owner_read(const struct dp *dp, uint32_t row, struct shunt_owner *o);
/* Writes all but the counter bases, which stay.  A row of the same owner is his at any moment; one that
 * changes hands is nobody's meanwhile. */
void dp_owner_write(struct dp *dp, uint32_t row, const struct shunt_owner *o);
/* Starts the row's counters from zero (by setting the bases to what they are now). */
void dp_owner_reset_counters(struct dp *dp, uint32_t row);
/* Has row @to count on from what row @from has counted by now: an owner moves. */
void dp_owner_carry_counters(struct dp *dp, uint32_t from, uint32_t to);

/* Flows that packets have newly confirmed, from all CPUs, into @out; at most @max. @read are a number
 * for each CPU (dp_news_cpus), 0 at first: how far it has been read. What was written over before it was read
 * is added to *lost. Returns how many there are. */
size_t dp_news_read(const struct dp *dp, uint64_t *read, struct shunt_new *out, size_t max,
		    uint64_t *lost);
size_t dp_news_cpus(const struct dp *dp); /* 0: dp_sizes.news is false */

/* A flow that another host remembers, as this one's flow table may take it. */
struct dp_flow {
	uint64_t hash;
	struct shunt_service svc; /* its service */
	uint16_t number; /* of the backend, here */
	uint16_t slot; /* of the other host's table, */
	uint8_t slots_log2; /* which has 2^this, at most 16 */
	bool again; /* told before: what is known here of the flow by now is the newer */
};
enum dp_flow_result {
	DP_FLOW_TAKEN,
	DP_FLOW_KNOWN, /* another backend, and told again: nothing written */
	DP_FLOW_SETTLED, /* its slot is not in transition here: nothing written */
	DP_FLOW_NO_ROOM, /* all places are taken by confirmed flows */
};
/* Writes it as the packet path would have: confirmed, and as old as @now, a flow tick, or the beginning of
 * its slot's transition. dp_sizes.news has to be true. */
enum dp_flow_result dp_flow_take(struct dp *dp, const struct dp_flow *f, uint16_t now);
/* Whether the flow table still has the flow with that backend and a packet of late, and needs it:
 * its service remembers every flow or its slot is in transition. */
bool dp_flow_lives(const struct dp *dp, const struct dp_flow *f, uint16_t now);

/* The pools and timeouts of NAT, for connections opened from now on; pools that rows name have to be
 * written first. */
void dp_nat_write(struct dp *dp, const struct shunt_nat_ctl *c);

/* Policies and the words of their lists, at numbers and places that no service in force names. */
void dp_policy_write(struct dp *dp, uint32_t number, const struct shunt_policy *p);
void dp_policy_read(const struct dp *dp, uint32_t number, struct shunt_policy *p);
/* @at and @n are of whole lines. */
void dp_sources_write(struct dp *dp, uint32_t at, const uint64_t *words, size_t n);

/* QUIC's records of services, and servers' ids, at numbers and places that no service in force names.
 * The number and the places of a record are within the sizes. */
void dp_quic_write(struct dp *dp, uint32_t number, const struct shunt_quic *record);
void dp_quic_read(const struct dp *dp, uint32_t number, struct shunt_quic *record);
void dp_quic_servers_write(struct dp *dp, uint32_t at, const struct shunt_quic_server *servers,
			   size_t n);
/* Has the service whose own row is @row go by record @number from now on. */
void dp_quic_choose(struct dp *dp, uint32_t row, uint32_t number);
uint32_t dp_quic_chosen(const struct dp *dp, uint32_t row);

struct dp_counter {
	uint64_t packets, bytes, flows;
};
/* Sum over the CPUs less the row's bases. No system call. */
void dp_counter_read(const struct dp *dp, uint32_t row, struct dp_counter *c);
/* Where the counts of passive checks of a row stand. No system call. */
void dp_passive_read(const struct dp *dp, uint32_t row, struct passive_totals *out);
/* Sum over the CPUs of each verdict's packets; [SHUNT_VERDICT_MAX] values. */
void dp_verdicts_read(const struct dp *dp, uint64_t packets[static SHUNT_VERDICT_MAX]);

/* Calls @fn for the flows in a part of the flow table (@part of @parts) that have sent a second packet and
 * have not ended, with their backend's row and the ticks since their last packet. Nothing when no service
 * remembers every flow. */
void dp_flows_each(struct dp *dp, uint32_t part, uint32_t parts,
		   void (*fn)(void *arg, uint32_t row, uint16_t age), void *arg);
/* Has the flows of each row below @n be row to[row]'s; 0 stands for nobody. Packets no longer write the
 * former ones. */
void dp_flows_move_rows(struct dp *dp, const uint32_t *to, uint32_t n);
/* Forgets flows without a packet for more than half of the time in which flow ticks wrap (18 h at 250 Hz,
 * 4.6 h at 1000): they would look as if they were new. Returns how many. To be called several times
 * within that. */
uint32_t dp_flows_forget_old(struct dp *dp);

/* The same for sources' buckets (source_rates_refresh()), which is done for all of them when the tables are
 * opened or made. */
void dp_rates_refresh(struct dp *dp);

/* What the row has to do (struct shunt_load); adds to it, mod 2^64, and says what a flow will add. */
uint64_t dp_load_read(const struct dp *dp, uint32_t row);
void dp_load_write(struct dp *dp, uint32_t row, uint64_t more, uint64_t step);

/* What became of flows in the flow table, all CPUs together. */
struct dp_flow_counts {
	uint64_t lookups; /* packets for which it was searched */
	uint64_t remembered, no_room; /* flows put into it; and not, as there was no room */
};
void dp_flow_counts_read(const struct dp *dp, struct dp_flow_counts *c);

/* The program's and a map's descriptor (map by its name in shunt_abi.h), owned by @dp; -ENOENT. */
int dp_program_fd(const struct dp *dp); /* for tests */
int dp_map_fd(const struct dp *dp, const char *name);

#endif
