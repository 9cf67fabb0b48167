/* SPDX-License-Identifier: BSD-2-Clause */
/* The `services` and what they start with, the `defaults`. */
#include "pure/conf_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pure/conf_words.h"

#define SLOTS_MIN 32
#define SLOTS_MAX 65536

static int read_slots(struct conf_load *l, const struct conf_key *key,
		      const struct conf_piece *piece, void *at)
{
	uint64_t value;

	conf_piece_digits(piece, &value);
	if (value >= key->min && value <= key->max && (value & (value - 1)))
		return conf_piece_fail(
			l, piece,
			"slots %s is not a power of two; allowed are 32, 64, ... 65536; "
			"remove it to let the number of backends decide",
			QUOTE(piece->text, piece->len));
	return conf_read_number(l, key, piece, at);
}

#define AT(member) CONF_AT(struct conf_service, member)

/* Rows of both tables. The packet path counts flow_timeout in 16 bits of ticks, the shortest of
 * which are 256 ms. */
#define ROW_SCHEDULER                                                                              \
	{                                                                                          \
		"scheduler", conf_read_word, AT(scheduler), "maglev",                              \
			.words = conf_scheduler_words                                              \
	}
#define ROW_FORWARD                                                                                \
	{                                                                                          \
		"forward", conf_read_word, AT(forward), "ipip", .words = conf_forward_words        \
	}
#define ROW_ON_EMPTY                                                                               \
	{                                                                                          \
		"on_empty", conf_read_word, AT(on_empty), "all", .words = conf_on_empty_words      \
	}
#define ROW_FLOW_TIMEOUT                                                                           \
	{                                                                                          \
		"flow_timeout", conf_read_duration, AT(flow_timeout_ms), .min = 1000,              \
									 .max = 7200000            \
	}
#define ROW_AFFINITY                                                                               \
	{                                                                                          \
		"affinity", conf_read_word, AT(affinity), "none", .words = conf_affinity_words     \
	}
#define ROW_AFFINITY_TIMEOUT                                                                       \
	{                                                                                          \
		"affinity_timeout", conf_read_duration, AT(affinity_timeout_ms), .min = 1000,      \
										 .max = 7200000    \
	}
#define ROW_SOURCE_PREFIX                                                                          \
	{                                                                                          \
		"source_prefix", conf_read_number, AT(source_prefix), .min = 1, .max = 128         \
	}
#define ROW_UDP_FLOWS                                                                              \
	{                                                                                          \
		"udp_flows", conf_read_word, AT(udp_flows), "tracked",                             \
			.words = conf_udp_flows_words                                              \
	}
#define ROW_MIN_HEALTHY                                                                            \
	{                                                                                          \
		"min_healthy", conf_read_min_healthy, AT(min_healthy)                              \
	}
#define ROW_PANIC                                                                                  \
	{                                                                                          \
		"panic", conf_read_percent, AT(panic), "0%", .max = 100                            \
	}
#define ROW_SLOW_START                                                                             \
	{                                                                                          \
		"slow_start", conf_read_duration, AT(slow_start_ms), "0s", .max = 3600000          \
	}
#define ROW_REMOVE                                                                                 \
	{                                                                                          \
		"remove", conf_read_word, AT(remove), "drain", .words = conf_remove_words          \
	}
#define ROW_DRAIN_DEADLINE                                                                         \
	{                                                                                          \
		"drain_deadline", conf_read_duration, AT(drain_deadline_ms), "1h", .min = 1000,    \
										   .max = 86400000 \
	}
#define ROW_SETTLE_WITHIN                                                                          \
	{                                                                                          \
		"settle_within", conf_read_duration, AT(settle_within_ms), "1h", .min = 1000,      \
										 .max = 7200000    \
	}
#define ROW_PASSIVE                                                                                \
	{                                                                                          \
		.name = "passive"                                                                  \
	}
#define ROW_CHECK                                                                                  \
	{                                                                                          \
		.name = "check"                                                                    \
	}

enum {
	KEY_NAME,
	KEY_VIP,
	KEY_PORT,
	KEY_PROTOCOL,
	KEY_SCHEDULER,
	KEY_FORWARD,
	KEY_ON_EMPTY,
	KEY_FLOW_TIMEOUT,
	KEY_SETTLE_WITHIN,
	KEY_AFFINITY,
	KEY_AFFINITY_TIMEOUT,
	KEY_SOURCE_PREFIX,
	KEY_UDP_FLOWS,
	KEY_MIN_HEALTHY,
	KEY_PANIC,
	KEY_SLOW_START,
	KEY_REMOVE,
	KEY_DRAIN_DEADLINE,
	KEY_SLOTS,
	KEY_CHECK,
	KEY_CHECKS,
	KEY_NEEDS,
	KEY_PASSIVE,
	KEY_NAT_POOL,
	KEY_TUNNEL_SOURCE,
	KEY_TUNNEL_SOURCE6,
	KEY_GUE_CHECKSUM,
	KEY_ALLOW,
	KEY_ALLOW_FILE,
	KEY_DENY,
	KEY_DENY_FILE,
	KEY_RATE,
	KEY_QUIC_LB,
	KEY_BACKENDS,
	KEY_BACKENDS_FILE,
	KEY_MAX,
};

static const struct conf_key service_keys[KEY_MAX] = {
	[KEY_NAME] = {"name", conf_read_name, AT(name), .min = 1, .max = SHUNT_NAME_MAX - 1,
		      .marks = CONF_NAME_MARKS},
	[KEY_VIP] = {.name = "vip", .required = true},
	[KEY_PORT] = {.name = "port", .required = true},
	[KEY_PROTOCOL] = {"protocol", conf_read_protocol, AT(protocol), .fallback = "tcp"},
	[KEY_SCHEDULER] = ROW_SCHEDULER,
	[KEY_FORWARD] = ROW_FORWARD,
	[KEY_ON_EMPTY] = ROW_ON_EMPTY,
	[KEY_FLOW_TIMEOUT] = ROW_FLOW_TIMEOUT,
	[KEY_SETTLE_WITHIN] = ROW_SETTLE_WITHIN,
	[KEY_AFFINITY] = ROW_AFFINITY,
	[KEY_AFFINITY_TIMEOUT] = ROW_AFFINITY_TIMEOUT,
	[KEY_SOURCE_PREFIX] = ROW_SOURCE_PREFIX,
	[KEY_UDP_FLOWS] = ROW_UDP_FLOWS,
	[KEY_MIN_HEALTHY] = ROW_MIN_HEALTHY,
	[KEY_PANIC] = ROW_PANIC,
	[KEY_SLOW_START] = ROW_SLOW_START,
	[KEY_REMOVE] = ROW_REMOVE,
	[KEY_DRAIN_DEADLINE] = ROW_DRAIN_DEADLINE,
	[KEY_SLOTS] = {"slots", read_slots, AT(slots), .min = SLOTS_MIN, .max = SLOTS_MAX},
	[KEY_CHECK] = ROW_CHECK,
	[KEY_CHECKS] = {.name = "checks"},
	[KEY_NEEDS] = {.name = "needs"},
	[KEY_PASSIVE] = ROW_PASSIVE,
	[KEY_NAT_POOL] = {.name = "nat_pool"},
	[KEY_TUNNEL_SOURCE] = CONF_ROW_TUNNEL_SOURCE(struct conf_service),
	[KEY_TUNNEL_SOURCE6] = CONF_ROW_TUNNEL_SOURCE6(struct conf_service),
	[KEY_GUE_CHECKSUM] = CONF_ROW_GUE_CHECKSUM(struct conf_service, NULL),
	[KEY_ALLOW] = {.name = "allow"},
	[KEY_ALLOW_FILE] = {"allow_file", conf_read_text, AT(allow_file), .min = 1, .max = 4095},
	[KEY_DENY] = {.name = "deny"},
	[KEY_DENY_FILE] = {"deny_file", conf_read_text, AT(deny_file), .min = 1, .max = 4095},
	[KEY_RATE] = {.name = "rate"},
	[KEY_QUIC_LB] = {.name = "quic_lb"},
	[KEY_BACKENDS] = {.name = "backends"},
	[KEY_BACKENDS_FILE] = {"backends_file", conf_read_text, AT(backends_file), .min = 1,
			       .max = 4095},
};

enum { DEFAULTS_CHECK = 9, DEFAULTS_PASSIVE, DEFAULTS_MAX = DEFAULTS_PASSIVE + 6 };

static const struct conf_key defaults_keys[DEFAULTS_MAX] = {
	ROW_SCHEDULER,
	ROW_FORWARD,
	ROW_ON_EMPTY,
	ROW_FLOW_TIMEOUT,
	ROW_SETTLE_WITHIN,
	ROW_AFFINITY,
	ROW_AFFINITY_TIMEOUT,
	ROW_SOURCE_PREFIX,
	ROW_UDP_FLOWS,
	[DEFAULTS_CHECK] = ROW_CHECK,
	[DEFAULTS_PASSIVE] = ROW_PASSIVE,
	ROW_MIN_HEALTHY,
	ROW_SLOW_START,
	ROW_REMOVE,
	ROW_DRAIN_DEADLINE,
	ROW_PANIC,
};

static const struct conf_mapping defaults_mapping = {"defaults", defaults_keys, DEFAULTS_MAX};
const struct conf_mapping conf_service_mapping = {"a service", service_keys, KEY_MAX};

/* ---- defaults ----------------------------------------------------------------------------------*/

int conf_service_fallbacks(struct conf_load *l)
{
	int rc = conf_read_fallbacks(l, &conf_service_mapping, &l->defaults);

	if (rc == 0)
		rc = conf_passive_fallbacks(l);
	return rc < 0 ? rc : conf_check_fallbacks(l);
}

int conf_read_defaults(struct conf_load *l, const struct conf_node *node)
{
	const struct conf_node *given[CONF_KEYS_MAX];
	int rc = conf_read_mapping(l, &defaults_mapping, node, &l->defaults, given);

	if (rc == 0 && given[DEFAULTS_CHECK])
		rc = conf_read_check(l, given[DEFAULTS_CHECK], &l->defaults.check,
				     &l->defaults_given);
	if (rc == 0 && given[DEFAULTS_PASSIVE])
		rc = conf_read_passive(l, given[DEFAULTS_PASSIVE], &l->defaults.passive);
	return rc;
}

/* A service before it says anything itself. On -ENOMEM it can still be freed. */
static int start_service(const struct conf_load *l, struct conf_service *s)
{
	*s = l->defaults;
	return conf_check_copy_texts(&l->defaults.check, &s->check);
}

/* ---- a service ---------------------------------------------------------------------------------*/

/* This host is the one backend. */
static int add_local_backend(struct conf_load *l, struct conf_service *s,
			     const struct conf_node *const *given)
{
	const size_t unused = given[KEY_BACKENDS] ? KEY_BACKENDS : KEY_BACKENDS_FILE;

	if (given[unused])
		return conf_fail(
			l, given[unused],
			"forward: local takes no backends, since this host itself is the one; "
			"remove \"%s\", or forward by dsr or ipip",
			service_keys[unused].name);
	s->backends = calloc(1, sizeof(*s->backends));
	if (!s->backends)
		return -ENOMEM;
	s->n_backends = 1;
	s->backends[0] = (struct conf_backend){.name = "local",
					       .addr = s->vip,
					       .port = s->port,
					       .weight = CONF_WEIGHT_DEFAULT,
					       .forward = SHUNT_LOCAL,
					       .pos = s->pos};
	return 0;
}

/* A backends file may be empty: whatever writes it may write more. Without one, nothing can. */
static int read_backends(struct conf_load *l, struct conf_service *s, const struct conf_node *node,
			 const struct conf_node *const *given)
{
	int rc = 0;

	if (s->forward == SHUNT_LOCAL)
		return add_local_backend(l, s, given);
	if (given[KEY_BACKENDS])
		rc = conf_read_backends(l, given[KEY_BACKENDS], s);
	if (rc == 0 && given[KEY_BACKENDS_FILE])
		rc = conf_read_backends_file(l, given[KEY_BACKENDS_FILE], s);
	if (rc == 0 && s->n_backends == 0 && !given[KEY_BACKENDS_FILE])
		rc = conf_fail(
			l, given[KEY_BACKENDS] ? given[KEY_BACKENDS] : node,
			"service \"%s\" has no backends; add \"backends: [ADDRESS, ...]\" or "
			"\"backends_file: FILE\"",
			s->name);
	return rc < 0 ? rc : conf_check_backends(l, s);
}

static int check_slots(struct conf_load *l, const struct conf_service *s,
		       const struct conf_node *node)
{
	if (s->slots == 0 || s->n_backends <= s->slots)
		return 0;
	return conf_fail(l, node,
			 "slots %u is less than the %zu backends, some of which would get nothing; "
			 "remove it to let the number of backends decide",
			 s->slots, s->n_backends);
}

/* Of several ports the first, which no other service of the address has. */
static void name_service(struct conf_service *s)
{
	char vip[ADDR_TEXT_MAX], length[8] = "", port[24] = "any";
	const char *form = s->vip.family == 6 ? "[%s]%s:%s/%s" : "%s%s:%s/%s";

	if (s->name[0])
		return;
	if (s->n_ports)
		snprintf(port, sizeof(port), "%u%s", s->ports[0].from, s->port ? "" : "...");
	if (s->vip_bits < addr_bits(&s->vip))
		snprintf(length, sizeof(length), "/%u", s->vip_bits);
	snprintf(s->name, sizeof(s->name), form, addr_format(&s->vip, vip), length, port,
		 conf_protocol_name(s->protocol));
}

static int read_policy(struct conf_load *l, const struct conf_node *const *given,
		       struct conf_service *s)
{
	const struct conf_policy_nodes nodes = {
		.allow = given[KEY_ALLOW],
		.deny = given[KEY_DENY],
		.allow_file = given[KEY_ALLOW_FILE],
		.deny_file = given[KEY_DENY_FILE],
		.rate = given[KEY_RATE],
	};

	return conf_read_policy(l, &nodes, s);
}

static int read_checks(struct conf_load *l, const struct conf_node *node,
		       const struct conf_node *const *given, struct conf_service *s)
{
	const struct conf_check_nodes nodes = {
		.service = node,
		.check = given[KEY_CHECK],
		.checks = given[KEY_CHECKS],
		.needs = given[KEY_NEEDS],
	};

	return conf_read_service_checks(l, &nodes, s);
}

static int check_flows(struct conf_load *l, const struct conf_node *node,
		       const struct conf_node *const *given, struct conf_service *s)
{
	const struct conf_flow_nodes nodes = {
		.service = node,
		.scheduler = given[KEY_SCHEDULER],
		.flow_timeout = given[KEY_FLOW_TIMEOUT],
		.affinity = given[KEY_AFFINITY],
		.affinity_timeout = given[KEY_AFFINITY_TIMEOUT],
		.source_prefix = given[KEY_SOURCE_PREFIX],
		.udp_flows = given[KEY_UDP_FLOWS],
	};

	return conf_check_flows(l, &nodes, s);
}

static int read_service(struct conf_load *l, const struct conf_node *node, struct conf_service *s)
{
	const struct conf_node *given[CONF_KEYS_MAX];
	int rc = start_service(l, s);

	s->pos = conf_node_pos(l, node);
	s->nat_pool = l->conf->nat_pool;
	s->tunnel = l->conf->tunnel;
	if (rc == 0)
		rc = conf_read_mapping(l, &conf_service_mapping, node, s, given);
	if (rc == 0)
		rc = conf_read_vip(l, given[KEY_VIP], s);
	if (rc == 0)
		rc = conf_read_ports(l, given[KEY_PORT], s);
	if (rc < 0)
		return rc;
	name_service(s);
	rc = read_policy(l, given, s);
	if (rc == 0 && given[KEY_PASSIVE])
		rc = conf_read_passive(l, given[KEY_PASSIVE], &s->passive);
	if (rc == 0)
		rc = read_checks(l, node, given, s);
	if (rc == 0 && given[KEY_NAT_POOL])
		rc = conf_read_nat_pool(l, given[KEY_NAT_POOL], &s->nat_pool);
	if (rc == 0 && given[KEY_QUIC_LB])
		rc = conf_read_quic(l, given[KEY_QUIC_LB], &s->quic);
	if (rc == 0)
		rc = read_backends(l, s, node, given);
	if (rc == 0)
		rc = conf_check_nat(l, given[KEY_NAT_POOL], s);
	if (rc == 0)
		rc = check_flows(l, node, given, s);
	if (rc == 0)
		rc = conf_check_backups(l, given[KEY_MIN_HEALTHY], s);
	if (rc == 0)
		rc = conf_check_passive(l, given[KEY_PASSIVE], s);
	if (rc == 0)
		rc = conf_check_quic(l, given[KEY_QUIC_LB], s);
	if (rc == 0)
		rc = conf_check_tunnel(l, &given[KEY_TUNNEL_SOURCE], given[KEY_GUE_CHECKSUM], s);
	return rc < 0 ? rc : check_slots(l, s, given[KEY_SLOTS]);
}

/* ---- all services ------------------------------------------------------------------------------*/

static int by_name(const void *a, const void *b)
{
	const struct conf_service *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int check_services(struct conf_load *l)
{
	const struct conf *c = l->conf;
	const struct conf_service *s = c->services;
	size_t pair[2];
	int rc = conf_check_ports(l);

	if (rc == 0)
		rc = conf_first_duplicate(s, c->n_services, sizeof(*s), by_name, pair);
	if (rc <= 0)
		return rc;
	return conf_complain(
		l->err, &s[pair[1]].pos,
		"name \"%s\" is that of the service in line %u already; names are unique; "
		"give it another one",
		s[pair[1]].name, s[pair[0]].pos.line);
}

int conf_read_services(struct conf_load *l, const struct conf_node *node)
{
	const struct conf_node *list;
	int rc = conf_node_list(l, node, "services", &list);

	if (rc < 0)
		return rc;
	if (list->n > CONF_SERVICES_MAX)
		return conf_fail(l, node, "services has %u items; allowed are %u", list->n,
				 CONF_SERVICES_MAX);
	l->conf->services = calloc(list->n + 1, sizeof(*l->conf->services));
	if (!l->conf->services)
		return -ENOMEM;
	for (const struct conf_node *item = list->first; item && rc == 0; item = item->next)
		rc = read_service(l, item, &l->conf->services[l->conf->n_services++]);
	return rc < 0 ? rc : check_services(l);
}
