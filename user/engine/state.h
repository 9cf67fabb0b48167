/* SPDX-License-Identifier: BSD-2-Clause */
/* The engine's state, for its own files only. Ownership: struct engine owns everything below it;
 * services and backends outlive a reload that keeps them, their `conf` pointers are set anew by it. */
#ifndef SHUNT_STATE_H
#define SHUNT_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/index.h"
#include "base/mono.h"
#include "engine/engine.h"
#include "io/dp.h"
#include "io/nl.h"
#include "io/probe.h"
#include "io/watch.h"
#include "pure/agent.h"
#include "pure/conf.h"
#include "pure/conf_parse.h"
#include "pure/edits.h"
#include "pure/health.h"
#include "pure/history.h"
#include "pure/maglev.h"
#include "pure/nat_pool.h"
#include "pure/pool.h"
#include "pure/ranges.h"
#include "pure/trial.h"
#include "pure/view.h"
#include "shunt_abi.h"
#include "shunt_msg.h"

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

struct agents;
struct backend_row_spec;
struct event;
struct alerts;
struct loads;
struct msg_event;
struct passive;
struct paths;
struct service;
struct stats_server;
struct ctl_reply;
struct ctl_server;
struct webs;

/* Traffic of a row: the last sample and what it says per second. */
struct meter {
	struct dp_counter last;
	uint64_t packets_per_s, bytes_per_s, flows_per_s;
};

/* How it goes with the flows of one that gets no new ones. */
struct drain {
	enum view_drain state;
	mono_t began;
	mono_t active; /* when its row was last seen to have counted a packet */
	uint64_t packets; /* that it had counted then */
	mono_t deadline; /* never: none */
	int64_t by; /* the same in seconds since 1970; 0: none */
	uint32_t slots; /* that it had before */
};

/* A check as the daemon follows it: one of a backend's, or what services need. */
struct probing {
	struct index_node by_probe;
	uint64_t id; /* of the probe; 0: not probed */
	struct backend *backend; /* NULL: it is a gate's */
	struct gate *gate; /* NULL: it is a backend's */
	struct health health;
	struct check_result result; /* the last one */
	bool has_result;
	bool by_path; /* it goes a client's way */
	bool says_admin, says_percent; /* it asks an agent, which has said something of that */
	struct agent_wish agent; /* what, as far as that goes */
};

/* What the agents of a backend ask for. */
struct agent {
	bool begun; /* it has one; else the rest means nothing */
	struct agent_wish wanted, in_force;
	mono_t since; /* when what is in force began; never: before the daemon started */
	char words[CHECK_TEXT_MAX]; /* the line that asked */
};

/* What services need: a check with an address of its own. */
struct gate {
	const struct conf_check *conf; /* in engine.conf */
	char name[SHUNT_NAME_MAX];
	struct probing probing;
};

struct backend {
	struct service *service;
	const struct conf_backend
		*conf; /* in engine.conf, or `kept`; NULL while adopted and not yet matched */
	struct conf_backend *kept; /* of one that leaves; else NULL, or stale */
	char name[SHUNT_NAME_MAX];
	struct addr addr;
	uint16_t number; /* in the service, 1 and up; its row is service.row + number */
	uint16_t weight; /* in force */
	bool drained; /* by an edit */
	bool disabled; /* by an edit: no packets */
	bool leaving; /* no longer configured: see drain.h */
	struct drain drain; /* of both */
	bool edited; /* weight or drained differ from the configuration by an edit */
	bool watched; /* its next hop is followed */
	bool adopted; /* its next hop is what an earlier daemon's row says, as far as that goes */
	bool usable; /* its row says so */
	bool in_slots; /* takes new flows */
	uint8_t held_back; /* POOL_STEPS-ths of its share that others have while it climbs */
	bool warm; /* see pool.h */
	mono_t climbs_since;
	uint32_t slots; /* owned now */
	struct shunt_backend row; /* as last written */
	struct nl_nexthop nexthop;
	enum view_nexthop told; /* what was last said of it; resolving: nothing yet */
	mono_t told_at; /* when that began */
	mono_t standby_since; /* never: it does not stand by */
	struct health health; /* what its checks say together: state and since count */
	struct probing *checks; /* in the configuration's order */
	size_t n_checks;
	size_t decided; /* which of them made the state what it is */
	struct agent agent;
	uint32_t path; /* what it is called when probed on a client's way; 0: it is not */
	struct passive *passive; /* NULL: not followed yet, or its service has no passive checks */
	struct history history;
	uint64_t changes; /* of its standing, since the daemon started */
	struct meter meter;
	struct index_node by_addr;
};

/* An address, or a prefix, with services. */
struct vip {
	struct addr addr;
	uint8_t bits; /* length of the prefix; 32 or 128: one address */
	int32_t live; /* how many of its services have a usable backend */
};

/* Where QUIC's record of a service stands, and its servers' ids. */
struct quic_place {
	uint32_t number; /* of the record; 0: there is none */
	uint32_t at, places;
};

/* By what a service finds its flows, and who gets new ones; without holes. */
struct scheme {
	uint8_t scheduler; /* enum shunt_scheduler */
	bool affinity;
	uint8_t source_bits; /* 0: sources do not matter */
};

struct service {
	const struct conf_service
		*conf; /* in engine.conf; NULL while adopted and not yet matched */
	char name[SHUNT_NAME_MAX];
	uint32_t row, rows; /* first row, how many are reserved */
	uint32_t slots_at, slots; /* first line, number of slots */
	uint32_t logical; /* slots that the configuration asks for: repeated, if fewer */
	mono_t born; /* when it was first configured; of an adopted one long ago */
	uint32_t moving; /* slots in transition, when last looked at */
	uint16_t flags; /* SHUNT_SVC_* */
	struct scheme scheme; /* in force: perhaps not yet what the configuration says */
	mono_t keeps_since; /* with SHUNT_SVC_KEEP: since when; never: for this moment only */
	bool knows_all; /* with SHUNT_SVC_FLOWS: no flow is open that it does not remember */
	bool anew; /* from now on flows are found by another hash, and all are remembered */
	bool believe; /* until now every flow was remembered, and slots did not matter */
	bool begins; /* until now few were, and from now on all are */
	uint16_t policy; /* 0: none */
	struct quic_place quic;
	struct backend **backends; /* in the configuration's order, then those that leave */
	size_t n_backends;
	uint16_t last_number; /* given to a backend most recently */
	bool dirty; /* waits in the engine's flush */
	bool drains; /* some backend's drain goes on */
	bool agents_step; /* what some agent asks for is not in force yet */
	bool failing_open;
	struct pool_answer pools; /* as last decided */
	uint32_t usable; /* backends in the slots by their own merit */
	uint8_t last_pool; /* that gets new flows, as was told */
	mono_t again; /* when to decide anew although nothing has happened; never: not at all */
	struct meter no_backend; /* of the service's own row */
	const struct gate *gates[CONF_NEEDS + 1]; /* that it needs; NULL behind the last */
	mono_t passive_at; /* when its backends' packets were last looked at */
	struct vip *vip; /* in engine.vips; NULL while its address is not in force */
	bool live; /* counted in vip->live */
};

/* The different lists and policies that services have: policies.h. Both sorted. */
struct policies {
	struct policy_list *lists;
	size_t n_lists;
	struct policy *list;
	size_t n;
};

struct interface {
	struct conf_interface conf;
	char port[16]; /* what runs the program: the interface, or the one below a VLAN device */
	uint32_t ifindex; /* the port's; 0: there is none now */
	enum dp_mode mode; /* 0: not attached */
	bool link_up;
	bool told_offload; /* what translation wants of its other end */
	bool alone; /* shared, but the kernel lets nobody join; told */
	bool told_tags; /* that its hardware takes tags off */
	char note[VIEW_NOTE_MAX];
};

/* What an address is taken for this host's own for. */
enum own_purpose { OWN_TUNNEL_SOURCE, OWN_NAT_POOL, OWN_LOCAL, OWN_MAX };

/* Whether an address, or a prefix, is this host's own. */
struct own_question {
	struct addr addr;
	uint8_t bits; /* length of the prefix */
	enum own_purpose purpose;
	bool waits; /* for the kernel's answer */
};
#define OWN_QUESTIONS 128 /* more are not asked */

struct engine {
	struct event_base *base;
	char *config_path;
	struct conf *conf;
	char *config_text; /* of the configuration in force: backends files are reloaded */
	size_t config_len; /* against it, not against a half-edited file */
	char config_error[512]; /* why the last reload was refused */
	mono_t started, loaded;

	struct dp *dp;
	const struct engine_start *start;
	bool replaced, replaced_accepting; /* see engine_is_replaced */
	struct {
		enum shunt_upgrade state;
		char why[640]; /* the former program is in force, or there is no way back to it */
		struct dp_check_result compared; /* with the former program */
		struct trial_count before, swapped; /* counted before the swap; and when it was */
		mono_t until; /* the new program is watched */
		struct event *watch;
	} upgrade;
	struct nl *nl;
	struct probe_pool *probes;
	struct stats_server *stats;
	struct ctl_server *ctl;

	struct policies policies; /* in force */
	struct ranges policy_numbers, source_words; /* who holds which is in the policies */
	struct ranges quic_numbers, quic_places; /* who holds which is in the services */
	struct ranges rows, lines; /* who holds which is in the services */
	struct service **services; /* in the configuration's order */
	size_t n_services;
	struct vip *vips; /* in order */
	size_t n_vips;
	struct interface *interfaces;
	size_t n_interfaces;
	struct agents *agents;
	struct alerts *alerts; /* NULL: nobody is told of events */
	struct webs *webs; /* NULL: nobody looks */
	uint64_t happened[SHUNT_EVENT_TRANSITION + 1]; /* events, by kind */
	uint64_t reloads, reloads_refused;
	struct gate **gates;
	size_t n_gates;
	struct edits *edits;
	struct nat_pools nat_pools; /* as written */
	uint64_t generation; /* of the views' numbering */

	struct index by_addr, by_probe;
	uint64_t last_probe_id;
	struct own_question own[OWN_QUESTIONS];
	size_t n_own;

	uint16_t *scratch_slots; /* 65536 */
	struct slot_backend *scratch; /* as many as a service can have backends */
	struct pool_backend *scratch_pool; /* the same */
	uint32_t *scratch_counts; /* by backend number */
	uint8_t *scratch_alive; /* the same */

	struct paths *paths; /* NULL: nobody is probed on a client's way */
	struct loads *loads;
	struct event *passive; /* NULL: no service has passive checks */
	struct event *rehash; /* for services on the way to find their flows otherwise */
	struct event *forget; /* flows so old that their age would be misread */
	struct event *look; /* at slots in transition */
	struct event *again; /* for the services that are to be decided anew */
	struct event *drains; /* to look at those that go on */
	mono_t wakes; /* when that fires, if it is pending */
	struct replicate *replicate; /* NULL: no peers */
	struct preview *preview; /* of a reload; NULL: none was asked for since the last one */
	struct event *trace_lease; /* packets are watched as long as somebody asks for them */
	uint64_t trace_number; /* of who watches, or did last */
	char trace_service[SHUNT_NAME_MAX]; /* whose packets; empty: all */
	uint64_t dry_generation; /* for which what explains packets was last to be made ready, */
	uint32_t dry_wait_s; /* in so many seconds; 0: not again in this generation */
	struct fingerprints *fingerprints; /* of the service last asked for; NULL: never asked */

	struct event *flush, *sample, *ready, *reload_soon, *reload_asked;
	struct watches watches; /* of the backends files */
	struct event *watch;
	mono_t written; /* the latest sign of a watched file being written */
	mono_t changed; /* the first sign since a reload waits */
	bool said_ready;
	size_t lines_said, lines_left_out; /* of the log, since: see engine_tell */
	mono_t lines_since;
	mono_t sampled;
	struct view_verdict verdicts[SHUNT_VERDICT_MAX];
	/* By method, mod 2^64: what backends had forwarded by it when they were given another one,
	 * less what they had by others. */
	uint64_t moved[SHUNT_FORWARD_MAX];
};

/* ---- apply.c: from a configuration to services, rows and slots ----------------------------------*/
/* On success @conf is the engine's, and @dropped has a sentence for each edit that it overrules. On
 * failure -errno with @err: nothing has changed, and @conf is still the caller's. */
int apply_conf(struct engine *e, struct conf *conf, struct engine_error *dropped,
	       struct engine_error *err);

/* A time in flow ticks, at least one; at most 32767, which is 2 h 20 m at 1000 Hz. */
uint16_t flow_ticks(uint32_t ms);

/* ---- adopt.c: from the maps of an earlier daemon to services ------------------------------------*/
int adopt_tables(struct engine *e);

/* ---- slots.c ------------------------------------------------------------------------------------*/
/* Decides who of @s gets packets, and writes rows and slots in the order that never points a packet
 * at a backend that is not ready. */
void service_rebuild(struct engine *e, struct service *s);
/* Fills e->scratch_slots, @logical of them, from the first @n of e->scratch, as @scheduler has them. Returns
 * 0, -ENOENT when nobody gets any, or -ENOMEM. */
int slots_make(struct engine *e, enum shunt_scheduler scheduler, size_t n, uint32_t logical);
/* Has service_rebuild run before the loop waits again; many calls make one run. */
void service_touch(struct engine *e, struct service *s);
void slots_flush(struct engine *e);
/* Tells that @s has no usable backend, and what becomes of its packets, if that is so. */
void slots_tell_if_empty(struct engine *e, const struct service *s);

/* ---- members.c ----------------------------------------------------------------------------------*/
int members_open(struct engine *e, struct engine_error *err);
/* Decides who of @s gets packets and new flows, and has it rebuilt when a share climbs; writes nothing. */
void members_decide(struct engine *e, struct service *s);
/* What pool_decide() is to know of @b as it is, and of a service by its configuration. */
void members_ask(const struct engine *e, const struct backend *b, struct pool_backend *out);
struct pool_policy members_policy(const struct engine *e, const struct conf_service *conf);
/* Whether @b, as last decided, could have new flows, and gets none, since other pools have them. */
bool members_stands_by(const struct backend *b);
/* Says in words why @b, as last decided, gets what it gets. */
void members_words(const struct engine *e, const struct backend *b,
		   char out[static POOL_WORDS_MAX]);

/* ---- vips.c -------------------------------------------------------------------------------------*/
/* The addresses of @conf, *n of them, the caller's; NULL when there is no memory. */
struct vip *vips_list(const struct conf *conf, size_t *n);
/* Makes the list, whose entries are in force, the engine's, which owns it then. */
void vips_take(struct engine *e, struct vip *list, size_t n);
/* To be called when s->usable may have changed: tells the packet path what that means for the address. */
void vips_note(struct engine *e, struct service *s);

/* ---- checks.c -----------------------------------------------------------------------------------*/
int checks_open(struct engine *e, struct engine_error *err);
/* Of both processes that probe; @way is of the one for path probes. */
struct probe_calls checks_calls(struct engine *e, probe_way_fn *way);
/* Starts all checks of @b, none of which runs. */
int checks_start(struct engine *e, struct backend *b);
void checks_stop(struct engine *e, struct backend *b);
/* A new configuration has left the questions of @b as they are: how often they are asked, and what the
 * answers are worth together, may be another matter. */
void checks_follow(struct engine *e, struct backend *b);
/* Follows the checks with an address that services of @conf need, in place of those before, and joins
 * services to them. */
void checks_follow_gates(struct engine *e, const struct conf *conf);
void checks_drop_gates(struct engine *e);
/* What is shown of the check of @b that decided. */
void checks_view(const struct backend *b, struct view_backend *out);

/* ---- nexthops.c ---------------------------------------------------------------------------------*/
int nexthops_open(struct engine *e, struct engine_error *err);
/* Starts or ends watching as the forwarding method asks, and tells what the method lacks, if that is
 * news. */
int nexthops_watch(struct engine *e, struct backend *b);
void nexthops_unwatch(struct engine *e, struct backend *b);
enum view_nexthop nexthops_state(const struct engine *e, const struct backend *b);
/* Whether this host's address that the backend is to see is known, if it is to see one. */
bool nexthops_has_source(const struct backend *b);

/* ---- own.c --------------------------------------------------------------------------------------*/
/* Asks for what the configuration takes for this host's own and has not been asked before. */
void own_ask(struct engine *e);
/* Takes note of a next hop that may be an answer. */
void own_note(struct engine *e, const struct addr *a, const struct nl_nexthop *nh);

/* ---- interfaces.c -------------------------------------------------------------------------------*/
/* Complains about the first interface of @conf that does not exist. */
int interfaces_check(const struct engine *e, const struct conf *conf, struct engine_error *err);
/* Those of @conf with their ifindex and what is known of them already, the caller's; NULL when there
 * is no memory. Attaches nothing. */
struct interface *interfaces_list(const struct engine *e, const struct conf *conf);
/* Makes exactly the engine's the attached ones. Fails only for an interface that insists on a mode
 * it cannot have or that another program holds; the others are attached all the same. */
int interfaces_attach(struct engine *e, struct engine_error *err);
void interfaces_link_event(struct engine *e, const struct nl_link *link, bool gone);
/* What there is to say of it in a view; empty: nothing. */
void interfaces_note(const struct interface *i, char out[static VIEW_NOTE_MAX]);
bool interfaces_has(const struct engine *e, uint32_t ifindex);

/* ---- reload.c -----------------------------------------------------------------------------------*/
int reload_open(struct engine *e, struct engine_error *err);
/* Parses the configuration that the daemon starts with into engine.conf. */
int reload_first(struct engine *e, struct engine_error *err);
/* Whether the daemon can have @conf without a restart, with its interfaces as they are now. */
int reload_allows(const struct engine *e, const struct conf *conf, struct engine_error *err);
/* Reads files and applies. @text gets a summary or the reason of the refusal. */
int reload_now(struct engine *e, struct engine_error *text);

/* ---- commands.c: runtime edits ------------------------------------------------------------------*/
int commands_open(struct engine *e, struct engine_error *err);
/* The service of that name; NULL: there is none, which @r then says. */
struct service *commands_service(const struct engine *e, const char *name, struct ctl_reply *r);
/* Reads the edits that an earlier daemon saved. */
int edits_load(struct engine *e, struct engine_error *err);
int edits_save(const struct engine *e);
/* Drops the edits that @conf overrules, and saves; adds a sentence for each to @text. */
void edits_reconcile_all(struct engine *e, const struct conf *conf, struct engine_error *text);
/* Sets weight, drained and edited of @b from its configuration and the edits. */
void edits_to_backend(struct engine *e, struct backend *b);

/* ---- nat.c --------------------------------------------------------------------------------------*/
/* Fills in the room that translation needs, none without a service that translates. */
void nat_sizes(const struct conf *conf, struct dp_sizes *sizes);
/* Writes the pools and timeouts of @conf, before any row names them. */
void nat_install(struct engine *e, const struct conf *conf);
/* Says once for each interface what must be switched off, and where, for translation to be right. */
void nat_tell_offload(struct engine *e, struct interface *i);
/* What NAT needs of a backend's row: port, pool, source. */
void nat_fill_row(const struct engine *e, const struct backend *b, struct backend_row_spec *spec);

/* ---- alerts.c -----------------------------------------------------------------------------------*/
/* Starts what e->conf says. What there is goes on if that is the same; else what waited is forgotten. */
void alerts_configure(struct engine *e);
void alerts_close(struct engine *e);
void alerts_tell(struct engine *e, const struct msg_event *event);

/* ---- changes.c ----------------------------------------------------------------------------------*/
/* What @b is now. */
enum standing backend_standing(const struct backend *b);
/* Something has become of @b, or been done to it: a line to the log, an event, and its history. @change
 * says all but the time. */
void changes_tell(struct engine *e, struct backend *b, enum shunt_event_kind kind,
		  const struct history_event *change);

/* ---- preview.c: what a reload would do ----------------------------------------------------------*/
/* Looks at @file, empty: the daemon's own, and keeps what there is to say, *number of it. Nothing else
 * changes. On failure -errno with @err as a reload would have it. */
int preview_make(struct engine *e, const char *file, uint64_t *number, struct engine_error *err);
/* Record @i; @arg is the engine. False when there is none. */
bool preview_view(void *arg, uint32_t i, struct view_plan *out);
void preview_drop(struct engine *e);

/* ---- views.c ------------------------------------------------------------------------------------*/
int views_open(struct engine *e, struct engine_error *err);
/* Notes that @b, whose row still has the method @before, will have its configuration's. */
void views_method_changes(struct engine *e, const struct backend *b, enum shunt_forward before);
/* What is shown of service number @i, and of backend @i of service number @service; @arg is the engine. False:
 * there is none. */
bool views_service(void *arg, uint32_t i, struct view_service *out);
bool views_backend(void *arg, uint32_t service, uint32_t i, struct view_backend *out);
/* What is shown of @v; @arg is the engine. Returns true. */
bool views_verdict(void *arg, enum shunt_verdict v, struct view_verdict *out);

/* ---- fingerprints.c -----------------------------------------------------------------------------*/
/* The same of service number @service (@i 0), or of its backend @i - 1; false when there is none. */
bool fingerprints_view(void *arg, uint32_t service, uint32_t i, struct view_fingerprint *out);
void fingerprints_free(struct engine *e);

/* Services and backends without their resources in the maps. */
void service_free(struct service *s);
void backend_free(struct backend *b);
struct service *service_find(const struct engine *e, const char *name);
struct backend *backend_find(const struct service *s, const char *name);
/* What tells the flows of services apart; of the service's name alone. */
uint32_t service_salt(const char *name);

/* One line to the log and, as an event, to whoever listens; @s and @b may be NULL. Of more than
 * ENGINE_LINES_A_SECOND the log only has the number. */
#define ENGINE_LINES_A_SECOND 200
void engine_tell(struct engine *e, enum shunt_event_kind kind, const struct service *s,
		 const struct backend *b, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* The same with everything said but number, time and instance. */
void engine_say(struct engine *e, struct msg_event *event);
/* The same for the log alone. */
void engine_warn(struct engine *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Ends the second: says how many lines were left out, if any were. */
void engine_lines_end(struct engine *e);

#endif
