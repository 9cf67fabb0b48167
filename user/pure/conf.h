/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration as a model: what the operator asked for, before health and runtime edits.
 * conf_parse.h makes one from text. Host byte order, durations in milliseconds. */
#ifndef SHUNT_CONF_H
#define SHUNT_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "pure/aes.h"
#include "pure/health.h"
#include "pure/passive.h"
#include "pure/pool.h"
#include "pure/source_list.h"
#include "shunt_abi.h"

#define CONF_WEIGHT_MAX 1000
#define CONF_WEIGHT_DEFAULT 1

enum conf_attach { CONF_ATTACH_EXCLUSIVE, CONF_ATTACH_SHARED };
enum conf_log { CONF_LOG_ERROR, CONF_LOG_WARNING, CONF_LOG_INFO, CONF_LOG_DEBUG };
enum conf_xdp { CONF_XDP_AUTO, CONF_XDP_NATIVE, CONF_XDP_GENERIC };
enum conf_on_empty { CONF_EMPTY_ALL, CONF_EMPTY_DROP, CONF_EMPTY_PASS };
enum conf_affinity { CONF_AFFINITY_NONE, CONF_AFFINITY_SOURCE };
enum conf_udp_flows { CONF_UDP_TRACKED, CONF_UDP_STATELESS };
enum conf_gue_checksum { CONF_GUE_FULL, CONF_GUE_ZERO };
enum conf_remove { CONF_REMOVE_DRAIN, CONF_REMOVE_NOW };
enum conf_check_kind {
	CONF_CHECK_NONE,
	CONF_CHECK_TCP,
	CONF_CHECK_HTTP,
	CONF_CHECK_HTTPS,
	CONF_CHECK_HTTP2,
	CONF_CHECK_GRPC,
	CONF_CHECK_DNS,
	CONF_CHECK_UDP,
	CONF_CHECK_ICMP,
	CONF_CHECK_TLS,
	CONF_CHECK_EXEC,
	CONF_CHECK_AGENT,
	CONF_CHECK_KIND_MAX,
};

/* Where something stands in a file; line and column from 1, column counted in characters. */
struct conf_pos {
	const char *file; /* owned by the struct conf: its `file` or one of its `watched` */
	uint32_t line, column;
};

struct conf_interface {
	char name[16];
	enum conf_xdp xdp; /* native and generic insist; auto tries native, then generic */
	struct conf_pos pos;
};

struct conf_status_range {
	uint16_t from, to; /* HTTP status, both included */
};
#define CONF_STATUS_RANGES 8

/* What a check says in bytes; which kinds have which is conf_check.c's. */
enum conf_check_text {
	CONF_TEXT_PATH, /* starts with '/' */
	CONF_TEXT_HOST, /* none: the address probed */
	CONF_TEXT_METHOD, /* none: GET */
	CONF_TEXT_HEADERS, /* "Name: value", each with a NUL behind */
	CONF_TEXT_EXPECT, /* what the reply must contain, any bytes; of dns one of the answers */
	CONF_TEXT_EXPECT_REGEX, /* that the reply must match */
	CONF_TEXT_SEND, /* any bytes */
	CONF_TEXT_SNI, /* none: the host if it is a name */
	CONF_TEXT_CA, /* paths of files; none: those of the system */
	CONF_TEXT_CERT,
	CONF_TEXT_KEY,
	CONF_TEXT_SERVICE, /* of grpc; none: the server as a whole */
	CONF_TEXT_NAME, /* that dns asks for */
	CONF_TEXT_COMMAND, /* program and arguments, each with a NUL behind */
	CONF_TEXT_ENVIRONMENT, /* "NAME=value", each with a NUL behind */
	CONF_CHECK_TEXTS,
};

/* Each has a NUL behind it that @len does not count. */
struct conf_text {
	char *bytes; /* NULL: not given */
	uint32_t len;
};
#define CONF_TEXT_MAX 255 /* bytes of most */
/* Of PCRE2, for EXPECT_REGEX: replies are bytes of any kind. */
#define CONF_REGEX_OPTIONS (PCRE2_NEVER_UTF | PCRE2_NEVER_UCP)
#define CONF_LONG_TEXT_MAX 2000 /* bytes of HEADERS, SEND, COMMAND and ENVIRONMENT */

enum conf_dns_record {
	CONF_DNS_A,
	CONF_DNS_AAAA,
	CONF_DNS_CNAME,
	CONF_DNS_MX,
	CONF_DNS_NS,
	CONF_DNS_PTR,
	CONF_DNS_SOA,
	CONF_DNS_SRV,
	CONF_DNS_TXT,
};

enum conf_dns_transport { CONF_DNS_UDP, CONF_DNS_TCP };
enum conf_answer { CONF_NO, CONF_YES };

/* How a probe comes to its backend. */
enum conf_via {
	CONF_VIA_AUTO, /* as clients do, where they come to the backend with the service's address */
	CONF_VIA_PATH, /* as clients do */
	CONF_VIA_DIRECT, /* to the backend's own address */
};

struct conf_check {
	char name[SHUNT_NAME_MAX]; /* of `checks`; empty: a service's own */
	struct addr target; /* of those that services need; none: the backend's */
	enum conf_check_kind kind;
	enum conf_via via;
	uint32_t interval_ms, timeout_ms;
	uint32_t fast_interval_ms, down_interval_ms; /* 0: as interval_ms */
	uint16_t jitter; /* percent by which a probe may come before its time */
	uint16_t rise, fall;
	struct health_flap flap;
	uint16_t port; /* 0: the backend's */
	struct conf_text texts[CONF_CHECK_TEXTS];
	struct conf_status_range status[CONF_STATUS_RANGES];
	uint8_t statuses; /* how many of them: http, https and http2 have one at least, others none */
	enum conf_answer tls, verify; /* no where there is no TLS */
	uint16_t expiry_warn_days; /* 0: no warning, or no TLS */
	enum conf_dns_record record;
	enum conf_dns_transport transport;
};

/* What a backend is called in connection ids. */
struct conf_server_id {
	uint8_t len; /* octets; 0: none */
	uint8_t octets[SHUNT_QUIC_ID_MAX];
};
#define CONF_SERVER_IDS 2

struct conf_backend {
	char name[SHUNT_NAME_MAX]; /* unique in the service; the address as text by default */
	struct addr addr; /* unique in the service */
	uint16_t port; /* the service's unless given; 0 when that is any */
	uint16_t weight; /* 0 to CONF_WEIGHT_MAX; 0: no new flows */
	uint16_t pool; /* 0 to POOL_LAST, or POOL_BACKUP */
	enum shunt_forward forward; /* the service's unless given */
	struct conf_server_id server_ids[CONF_SERVER_IDS]; /* those that it has come first */
	struct conf_pos pos;
};

/* Where a tunnel's packets of one family come from. */
struct conf_source {
	struct addr addr; /* of a prefix the first one; none: by the route to the backend */
	uint8_t bits; /* of its last ones, so many may vary by flow: 0, or 4 to 32 */
};

/* Of either family's. */
struct conf_tunnel {
	struct conf_source source4, source6;
	enum conf_gue_checksum gue_checksum; /* over IPv6 */
};

/* Addresses of this host that NAT uses as its own, of both families. */
struct conf_nat_pool {
	struct addr addrs[SHUNT_NAT_POOL_ADDRS];
	uint8_t n;
};

struct conf_ports {
	uint16_t from, to; /* both included, 1 to 65535 */
	struct conf_pos pos;
};

/* Sources. Those of a file are shared by all services that name it. */
struct conf_prefixes {
	struct source_prefix *list;
	size_t n;
	uint64_t key[2]; /* of the content */
};

/* New flows a second, and at once; 0: no limit. */
struct conf_rate {
	uint32_t new_flows, burst; /* of the service */
	uint32_t per_source, source_burst; /* of each source: an IPv4 address, an IPv6 /64 */
};

/* A configuration of QUIC-LB. */
struct conf_quic_config {
	uint16_t id; /* config rotation bits: 0 to 6, unique in the service */
	uint16_t server_id_length, nonce_length; /* octets */
	bool has_key;
	uint8_t key[AES_KEY_LEN];
};

/* How backends put their ids into connection ids. */
struct conf_quic {
	bool katran; /* as Katran has it, and no configurations */
	uint8_t n;
	struct conf_quic_config config[SHUNT_QUIC_CONFIGS];
};

/* How many backends have to be up for the next pool to get nothing. */
struct conf_min_healthy {
	uint16_t n; /* 0: not given, as 1 */
	bool percent; /* of the backends of the first pool */
};

#define CONF_NEEDS 8 /* checks that a service needs, at most */

struct conf_service {
	char name[SHUNT_NAME_MAX]; /* unique; "VIP:PORT/PROTOCOL" by default */
	struct addr vip; /* bits beyond the prefix are 0 */
	uint8_t vip_bits; /* length of the prefix; 32 or 128: one address */
	uint16_t port; /* the one that it has; 0: any, or several */
	struct conf_ports *ports; /* in the file's order, no two overlap */
	size_t n_ports; /* 0: any */
	uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	enum shunt_scheduler scheduler;
	enum shunt_forward forward; /* of backends that do not say their own */
	enum conf_on_empty on_empty;
	uint32_t flow_timeout_ms; /* an idle flow has ended after this */
	enum conf_affinity affinity;
	uint32_t affinity_timeout_ms; /* a source without packets for longer is forgotten */
	uint32_t source_prefix; /* upper bits of sources that count, by sh and affinity; 1 to 128 */
	enum conf_udp_flows udp_flows;
	uint32_t settle_within_ms; /* how long flows may stay with a slot's former owner */
	struct conf_min_healthy min_healthy;
	struct passive_policy passive;
	uint16_t panic; /* percent: all are used while less of them are up; 0: never */
	uint32_t
		slow_start_ms; /* until a backend that serves anew has all of its share; 0: at once */
	enum conf_remove remove; /* what becomes of a backend that is no longer configured */
	uint32_t drain_deadline_ms; /* its flows may stay as long as that */
	uint32_t slots; /* power of two in [32, 65536]; 0: by the number of backends */
	struct conf_check check; /* the first one */
	struct conf_check *others; /* if there are several */
	size_t n_others;
	enum health_join join; /* of all of them */
	/* Of the configuration's, with targets; NULL behind the last. */
	const struct conf_check *needs[CONF_NEEDS + 1];
	struct conf_backend *backends; /* in the order of the files: inline first */
	size_t n_backends;
	struct conf_nat_pool nat_pool; /* the configuration's unless given */
	struct conf_tunnel tunnel; /* the same */
	struct conf_prefixes allow, deny; /* inline */
	char *allow_file, *deny_file; /* as backends_file */
	const struct conf_prefixes *allowed, *denied; /* theirs, owned by the struct conf */
	bool has_list; /* any of these four */
	bool only_allowed; /* `allow` or `allow_file`: nobody else */
	struct conf_rate rate;
	struct conf_quic quic;
	char *backends_file; /* absolute or relative to the working directory; NULL: none */
	struct conf_pos pos;
};

/* Host order, both included. */
struct conf_port_range {
	uint16_t first, last;
};

/* Where a balancer hears others. */
struct conf_peer {
	struct addr addr;
	uint16_t port; /* 0: none */
};
#define CONF_PEERS_MAX 32

/* Other balancers, which are told of flows. */
struct conf_peers {
	struct conf_peer list[CONF_PEERS_MAX]; /* this host itself may be among them */
	size_t n; /* 0: none is told, and none heard */
	struct conf_peer listen;
	char *secret; /* NULL: hash_secret */
	uint32_t rate; /* flows a second that are told */
};

/* Who is told of events. */
#define CONF_NOTIFY_ARGS 16
#define CONF_WEBHOOKS 4
struct conf_notify {
	char *exec[CONF_NOTIFY_ARGS +
		   1]; /* a program, by its absolute path, and its arguments; NULL: none */
	char *webhooks[CONF_WEBHOOKS + 1]; /* URLs; NULL behind the last */
	uint32_t timeout_ms, a_minute; /* of both each */
};

/* Where metrics and the page are served. */
struct conf_web {
	bool on;
	struct conf_peer listen;
	enum conf_answer expose; /* other hosts may look */
	uint32_t
		metrics_limit; /* so many services, and backends, have metrics of their own, at most */
};

struct conf {
	char *file; /* as given */
	char instance[32];
	struct conf_interface *interfaces;
	size_t n_interfaces;
	enum conf_attach attach; /* exclusive, or shared through libxdp's dispatcher */
	char *hash_secret; /* NULL: the built-in one, which an attacker knows too */
	struct conf_tunnel tunnel;
	uint64_t flow_table; /* flows to make room for; default 1 M */
	struct conf_nat_pool nat_pool; /* none: this host's address by the route to the backend */
	struct conf_port_range nat_ports; /* of the pool's addresses */
	uint64_t nat_connections; /* to make room for when a service translates; default 1 M */
	uint32_t nat_timeout_ms[SHUNT_NAT_T_MAX];
	uint64_t rate_sources; /* to make room for when a service limits them; default 64 k */
	uint64_t fragments; /* fragmented packets to remember; default 64 k */
	struct conf_peers peers;
	uint32_t icmp_rate; /* ICMP errors in answer, a second and CPU; default 100 */
	uint32_t rollback_window_ms; /* a new packet path is watched; default 30 s; 0: it is not */
	struct conf_notify notify;
	enum conf_log log_level;
	struct conf_web web;
	char *run_dir; /* control socket; default /run/shunt */
	char *state_dir; /* runtime edits; default /var/lib/shunt */
	char *probe_user; /* whom the probe child runs as; default nobody */
	struct conf_check *checks; /* those with names, as written: services have copies */
	size_t n_checks;
	struct conf_service *services;
	size_t n_services;
	struct conf_prefixes **prefix_files; /* what allow_file and deny_file name */
	size_t n_prefix_files;
	/* Files read besides @file, to be watched: the backends and prefix files, each once. */
	char **watched;
	size_t n_watched;
};

/* Frees everything; NULL is fine. */
void conf_free(struct conf *c);

/* The names used in the file, for the enums above and those of shunt_abi.h. */
const char *conf_scheduler_name(enum shunt_scheduler s);
const char *conf_forward_name(enum shunt_forward f);
const char *conf_on_empty_name(enum conf_on_empty e);
const char *conf_log_name(enum conf_log l);
const char *conf_check_name(enum conf_check_kind k);
const char *conf_dns_record_name(enum conf_dns_record r);
const char *conf_xdp_name(enum conf_xdp x);
const char *conf_protocol_name(uint8_t protocol); /* "tcp", "udp", or "?" */

/* Whether every flow is remembered. */
static inline bool conf_remembers_flows(enum shunt_scheduler s)
{
	return s != SHUNT_MAGLEV && s != SHUNT_SH;
}

/* After how long without a packet what is remembered, a flow or a source, is void. */
static inline uint32_t conf_flow_timeout_ms(const struct conf_service *s)
{
	return s->affinity ? s->affinity_timeout_ms : s->flow_timeout_ms;
}

/* Whether new flows go where the fewest are. */
static inline bool conf_counts_flows(enum shunt_scheduler s)
{
	return s == SHUNT_LC || s == SHUNT_WLC;
}

/* Whether the method rewrites addresses, and so may rewrite ports. */
static inline bool conf_translates(enum shunt_forward f)
{
	return f == SHUNT_NAT || f == SHUNT_MASQ;
}

/* Whether a backend's method rewrites addresses. */
bool conf_service_translates(const struct conf_service *s);
/* Whether all backends' methods do. */
bool conf_service_only_translates(const struct conf_service *s);

/* Whether connection ids choose the service's backends. */
static inline bool conf_is_quic(const struct conf_service *s)
{
	return s->quic.katran || s->quic.n;
}

/* Whether the method puts a header in front. */
static inline bool conf_is_tunnel(enum shunt_forward f)
{
	return f == SHUNT_IPIP || f == SHUNT_GUE || f == SHUNT_GRE;
}

/* Writes "any", or "80,8000-8099", cut off with ",..." where @out ends. Returns @out. */
#define CONF_PORTS_TEXT_MAX 128
const char *conf_ports_format(const struct conf_service *s, char out[static CONF_PORTS_TEXT_MAX]);

/* How many checks a service has, and number @i of them. */
#define CONF_CHECKS_OF_SERVICE 8
static inline size_t conf_service_checks(const struct conf_service *s)
{
	return 1 + s->n_others;
}

static inline const struct conf_check *conf_service_check(const struct conf_service *s, size_t i)
{
	return i == 0 ? &s->check : &s->others[i - 1];
}

/* Whether a probe of a backend that packets reach by @forward goes a client's way (conf_via.c). */
bool conf_check_goes_path(const struct conf_check *c, enum shunt_forward forward);

/* What a check's results are judged by. */
static inline struct health_policy conf_check_policy(const struct conf_check *c)
{
	return (struct health_policy){
		.rise = c->rise,
		.fall = c->fall,
		.interval_ms = c->interval_ms,
		.fast_ms = c->fast_interval_ms,
		.down_ms = c->down_interval_ms,
		.flap = c->flap,
	};
}

/* By name, or NULL. */
struct conf_service *conf_find_service(const struct conf *c, const char *name);
struct conf_backend *conf_find_backend(const struct conf_service *s, const char *name);

#endif
