/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/conf_diff.h"

#include <stdio.h>
#include <string.h>

#include "pure/conf_parts.h"

/* One comparison of two structs of the same kind. */
struct pair {
	const void *from, *to;
	const char *prefix; /* of the keys: "check." */
	conf_diff_fn *tell;
	void *arg;
};

/* A key whose value is not one member, or that is told in other words. */
struct special {
	const char *key;
	bool (*is_same)(const void *from, const void *to); /* NULL: never told by this key */
	void (*text)(const void *at, char *out); /* NULL: none */
};

static void tell(const struct pair *p, const char *key, const char *from, const char *to)
{
	char name[64];

	snprintf(name, sizeof(name), "%s%s", p->prefix, key);
	p->tell(p->arg, name, from, to);
}

static void diff_special(const struct pair *p, const struct special *s)
{
	char from[CONF_DIFF_TEXT_MAX] = "", to[CONF_DIFF_TEXT_MAX] = "";

	if (!s->is_same || s->is_same(p->from, p->to))
		return;
	if (s->text) {
		s->text(p->from, from);
		s->text(p->to, to);
	}
	tell(p, s->key, from, to);
}

static void diff_member(const struct pair *p, const struct conf_key *key)
{
	const void *a = (const char *)p->from + key->offset;
	const void *b = (const char *)p->to + key->offset;
	char from[CONF_DIFF_TEXT_MAX], to[CONF_DIFF_TEXT_MAX];

	if (key->size && !conf_diff_is_same(key, a, b))
		tell(p, key->name, conf_diff_text(key, a, from), conf_diff_text(key, b, to));
}

/* @specials ends with one without a name. */
static void diff_mapping(const struct pair *p, const struct conf_mapping *m,
			 const struct special *specials)
{
	const struct special *s;
	size_t i;

	for (i = 0; i < m->n; i++) {
		for (s = specials; s->key && strcmp(s->key, m->keys[i].name) != 0; s++)
			;
		if (s->key)
			diff_special(p, s);
		else
			diff_member(p, &m->keys[i]);
	}
}

/* ---- checks ------------------------------------------------------------------------------------*/

static bool is_same_bytes(const struct conf_check *a, const struct conf_check *b,
			  enum conf_check_text which)
{
	const struct conf_text *x = &a->texts[which], *y = &b->texts[which];

	return x->len == y->len && (!x->len || memcmp(x->bytes, y->bytes, x->len) == 0);
}

#define SAME_TEXT(name, which)                                                                     \
	static bool name(const void *from, const void *to)                                         \
	{                                                                                          \
		return is_same_bytes(from, to, which);                                             \
	}
SAME_TEXT(same_headers, CONF_TEXT_HEADERS)
SAME_TEXT(same_expect, CONF_TEXT_EXPECT)
SAME_TEXT(same_send, CONF_TEXT_SEND)
SAME_TEXT(same_command, CONF_TEXT_COMMAND)
SAME_TEXT(same_environment, CONF_TEXT_ENVIRONMENT)

static bool same_flap(const void *from, const void *to)
{
	const struct conf_check *a = from, *b = to;

	return memcmp(&a->flap, &b->flap, sizeof(a->flap)) == 0;
}

static bool same_status(const void *from, const void *to)
{
	const struct conf_check *a = from, *b = to;

	return a->statuses == b->statuses &&
	       memcmp(a->status, b->status, a->statuses * sizeof(a->status[0])) == 0;
}

static void status_text(const void *at, char *out)
{
	const struct conf_check *c = at;
	size_t i, used = 0;

	for (i = 0; i < c->statuses && used < CONF_DIFF_TEXT_MAX - 12; i++)
		used += (size_t)snprintf(out + used, CONF_DIFF_TEXT_MAX - used,
					 c->status[i].from == c->status[i].to ? "%s%u" : "%s%u-%u",
					 i ? "," : "", c->status[i].from, c->status[i].to);
}

/* Headers, what is sent and commands may carry passwords. */
static const struct special check_specials[] = {
	{"flap", same_flap, NULL},
	{"headers", same_headers, NULL},
	{"status", same_status, status_text},
	{"expect", same_expect, NULL},
	{"expect_hex", NULL, NULL}, /* as expect */
	{"send", same_send, NULL},
	{"send_hex", NULL, NULL},
	{"command", same_command, NULL},
	{"shell", NULL, NULL}, /* as command */
	{"environment", same_environment, NULL},
	{NULL, NULL, NULL},
};

static void count_difference(void *arg, const char *key, const char *from, const char *to)
{
	(void)key, (void)from, (void)to;
	++*(size_t *)arg;
}

static bool is_same_check(const struct conf_check *a, const struct conf_check *b)
{
	size_t differences = 0;
	const struct pair p = {a, b, "", count_difference, &differences};

	diff_mapping(&p, &conf_check_mapping, check_specials);
	return differences == 0 && strcmp(a->name, b->name) == 0;
}

/* ---- services ----------------------------------------------------------------------------------*/

static bool same_vip(const void *from, const void *to)
{
	const struct conf_service *a = from, *b = to;

	return a->vip_bits == b->vip_bits && addr_compare(&a->vip, &b->vip) == 0;
}

static void vip_text(const void *at, char *out)
{
	const struct conf_service *s = at;
	char text[ADDR_PREFIX_TEXT_MAX];

	snprintf(out, CONF_DIFF_TEXT_MAX, "%s", addr_prefix_format(&s->vip, s->vip_bits, text));
}

static bool same_ports(const void *from, const void *to)
{
	const struct conf_service *a = from, *b = to;
	size_t i;

	if (a->n_ports != b->n_ports)
		return false;
	for (i = 0; i < a->n_ports; i++)
		if (a->ports[i].from != b->ports[i].from || a->ports[i].to != b->ports[i].to)
			return false;
	return true;
}

static void ports_text(const void *at, char *out)
{
	char text[CONF_PORTS_TEXT_MAX];

	snprintf(out, CONF_DIFF_TEXT_MAX, "%s", conf_ports_format(at, text));
}

static bool same_others(const void *from, const void *to)
{
	const struct conf_service *a = from, *b = to;
	size_t i;

	if (a->n_others != b->n_others || a->join != b->join)
		return false;
	for (i = 0; i < a->n_others; i++)
		if (!is_same_check(&a->others[i], &b->others[i]))
			return false;
	return true;
}

static void others_text(const void *at, char *out)
{
	const struct conf_service *s = at;
	size_t i, used = 0;

	if (!s->n_others)
		return;
	for (i = 0; i <= s->n_others && used < CONF_DIFF_TEXT_MAX - 1; i++) {
		const char *name = conf_service_check(s, i)->name;

		used += (size_t)snprintf(out + used, CONF_DIFF_TEXT_MAX - used, "%s%s",
					 i			 ? ", "
					 : s->join == HEALTH_ANY ? "any: "
								 : "all: ",
					 *name ? name : "(own)");
	}
}

static bool same_needs(const void *from, const void *to)
{
	const struct conf_check *const *a = ((const struct conf_service *)from)->needs;
	const struct conf_check *const *b = ((const struct conf_service *)to)->needs;
	size_t i = 0;

	while (a[i] && b[i] && is_same_check(a[i], b[i]))
		i++;
	return !a[i] && !b[i];
}

static void needs_text(const void *at, char *out)
{
	const struct conf_check *const *c = ((const struct conf_service *)at)->needs;
	size_t used = 0;

	out[0] = '\0';
	for (; *c && used < CONF_DIFF_TEXT_MAX - 1; c++)
		used += (size_t)snprintf(out + used, CONF_DIFF_TEXT_MAX - used, "%s%s",
					 used ? ", " : "", (*c)->name);
}

static bool is_same_pool(const struct conf_nat_pool *a, const struct conf_nat_pool *b)
{
	size_t i;

	for (i = 0; a->n == b->n && i < a->n; i++)
		if (addr_compare(&a->addrs[i], &b->addrs[i]) != 0)
			return false;
	return a->n == b->n;
}

static bool same_nat_pool(const void *from, const void *to)
{
	const struct conf_service *a = from, *b = to;

	return is_same_pool(&a->nat_pool, &b->nat_pool);
}

static void nat_pool_text(const void *at, char *out)
{
	const struct conf_nat_pool *pool = &((const struct conf_service *)at)->nat_pool;
	char text[ADDR_TEXT_MAX];
	size_t i, used = 0;

	for (i = 0; i < pool->n && used < CONF_DIFF_TEXT_MAX - 1; i++)
		used += (size_t)snprintf(out + used, CONF_DIFF_TEXT_MAX - used, "%s%s",
					 i ? ", " : "", addr_format(&pool->addrs[i], text));
}

/* A list of its own, and that of a file. */
static bool is_same_list(const struct conf_prefixes *a, const struct conf_prefixes *b)
{
	if (!a || !b)
		return a == b;
	return a->n == b->n && (!a->n || memcmp(a->key, b->key, sizeof(a->key)) == 0);
}

static void list_text(const struct conf_prefixes *list, char *out)
{
	if (list && list->n)
		snprintf(out, CONF_DIFF_TEXT_MAX, "%zu prefix%s", list->n,
			 list->n == 1 ? "" : "es");
}

#define LIST(name, list)                                                                           \
	static bool same_##name(const void *from, const void *to)                                  \
	{                                                                                          \
		const struct conf_service *a = from, *b = to;                                      \
		return is_same_list(a list, b list);                                               \
	}                                                                                          \
	static void name##_text(const void *at, char *out)                                         \
	{                                                                                          \
		const struct conf_service *s = at;                                                 \
		list_text(s list, out);                                                            \
	}
LIST(allow_file, ->allowed)
LIST(deny_file, ->denied)

static bool same_allow(const void *from, const void *to)
{
	const struct conf_service *a = from, *b = to;

	return a->only_allowed == b->only_allowed && is_same_list(&a->allow, &b->allow);
}

static void allow_text(const void *at, char *out)
{
	list_text(&((const struct conf_service *)at)->allow, out);
}

static bool same_deny(const void *from, const void *to)
{
	const struct conf_service *a = from, *b = to;

	return is_same_list(&a->deny, &b->deny);
}

static void deny_text(const void *at, char *out)
{
	list_text(&((const struct conf_service *)at)->deny, out);
}

static bool same_quic(const void *from, const void *to)
{
	const struct conf_service *a = from, *b = to;

	return memcmp(&a->quic, &b->quic, sizeof(a->quic)) == 0;
}

/* Those without functions are told by others: check, rate and passive by the keys below them. */
static const struct special service_specials[] = {
	{"name", NULL, NULL},
	{"vip", same_vip, vip_text},
	{"port", same_ports, ports_text},
	{"check", NULL, NULL},
	{"checks", same_others, others_text},
	{"needs", same_needs, needs_text},
	{"nat_pool", same_nat_pool, nat_pool_text},
	{"allow", same_allow, allow_text},
	{"allow_file", same_allow_file, allow_file_text},
	{"deny", same_deny, deny_text},
	{"deny_file", same_deny_file, deny_file_text},
	{"rate", NULL, NULL},
	{"passive", NULL, NULL},
	{"quic_lb", same_quic, NULL},
	{"backends", NULL, NULL},
	{"backends_file", NULL, NULL},
	{NULL, NULL, NULL},
};

static const struct special no_specials[] = {{NULL, NULL, NULL}};

void conf_diff_service(const struct conf_service *from, const struct conf_service *to,
		       conf_diff_fn *tell_fn, void *arg)
{
	const struct pair p = {from, to, "", tell_fn, arg};
	const struct pair check = {&from->check, &to->check, "check.", tell_fn, arg};
	const struct pair rate = {&from->rate, &to->rate, "rate.", tell_fn, arg};
	const struct pair passive = {&from->passive, &to->passive, "passive.", tell_fn, arg};

	diff_mapping(&p, &conf_service_mapping, service_specials);
	diff_mapping(&check, &conf_check_mapping, check_specials);
	diff_mapping(&rate, &conf_rate_mapping, no_specials);
	diff_mapping(&passive, &conf_passive_mapping, no_specials);
}

/* ---- backends ----------------------------------------------------------------------------------*/

void conf_diff_backend(const struct conf_backend *from, const struct conf_backend *to,
		       conf_diff_fn *tell_fn, void *arg)
{
	static const struct special specials[] = {
		{"backup", NULL, NULL}, /* as pool */
		{NULL, NULL, NULL},
	};
	const struct pair p = {from, to, "", tell_fn, arg};

	diff_mapping(&p, &conf_backend_mapping, specials);
}

/* ---- the rest ----------------------------------------------------------------------------------*/

static bool same_interfaces(const void *from, const void *to)
{
	const struct conf *a = from, *b = to;
	size_t i;

	if (a->n_interfaces != b->n_interfaces)
		return false;
	for (i = 0; i < a->n_interfaces; i++)
		if (strcmp(a->interfaces[i].name, b->interfaces[i].name) != 0 ||
		    a->interfaces[i].xdp != b->interfaces[i].xdp)
			return false;
	return true;
}

static void interfaces_text(const void *at, char *out)
{
	const struct conf *c = at;
	size_t i, used = 0;

	for (i = 0; i < c->n_interfaces && used < CONF_DIFF_TEXT_MAX - 1; i++)
		used += (size_t)snprintf(out + used, CONF_DIFF_TEXT_MAX - used, "%s%s%s%s",
					 i ? ", " : "", c->interfaces[i].name,
					 c->interfaces[i].xdp == CONF_XDP_AUTO ? "" : ":",
					 c->interfaces[i].xdp == CONF_XDP_AUTO
						 ? ""
						 : conf_xdp_name(c->interfaces[i].xdp));
}

static bool same_peers(const void *from, const void *to)
{
	const struct conf_peers *a = &((const struct conf *)from)->peers;
	const struct conf_peers *b = &((const struct conf *)to)->peers;
	size_t i;

	for (i = 0; a->n == b->n && i < a->n; i++)
		if (a->list[i].port != b->list[i].port ||
		    addr_compare(&a->list[i].addr, &b->list[i].addr) != 0)
			return false;
	return a->n == b->n;
}

static void peers_text(const void *at, char *out)
{
	const struct conf_peers *p = &((const struct conf *)at)->peers;
	char text[ADDR_PORT_TEXT_MAX];
	size_t i, used = 0;

	for (i = 0; i < p->n && used < CONF_DIFF_TEXT_MAX - 1; i++)
		used += (size_t)snprintf(out + used, CONF_DIFF_TEXT_MAX - used, "%s%s",
					 i ? ", " : "",
					 addr_port_format(&p->list[i].addr, p->list[i].port, text));
}

static bool is_same_string(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_notify(const void *from, const void *to)
{
	const struct conf_notify *a = &((const struct conf *)from)->notify;
	const struct conf_notify *b = &((const struct conf *)to)->notify;
	size_t i;

	for (i = 0; i < CONF_NOTIFY_ARGS; i++)
		if (!is_same_string(a->exec[i], b->exec[i]))
			return false;
	for (i = 0; i < CONF_WEBHOOKS; i++)
		if (!is_same_string(a->webhooks[i], b->webhooks[i]))
			return false;
	return a->timeout_ms == b->timeout_ms && a->a_minute == b->a_minute;
}

static bool same_web(const void *from, const void *to)
{
	const struct conf_web *a = &((const struct conf *)from)->web;
	const struct conf_web *b = &((const struct conf *)to)->web;

	return a->on == b->on && a->expose == b->expose && a->listen.port == b->listen.port &&
	       addr_compare(&a->listen.addr, &b->listen.addr) == 0 &&
	       a->metrics_limit == b->metrics_limit;
}

static void web_text(const void *at, char *out)
{
	const struct conf_web *w = &((const struct conf *)at)->web;
	char text[ADDR_PORT_TEXT_MAX];

	if (w->on)
		snprintf(out, CONF_DIFF_TEXT_MAX, "%s, metrics_limit %u",
			 addr_port_format(&w->listen.addr, w->listen.port, text), w->metrics_limit);
}

static const struct special top_specials[] = {
	{"interfaces", same_interfaces, interfaces_text},
	{"peers", same_peers, peers_text},
	{"notify", same_notify, NULL}, /* addresses of webhooks are secrets, often */
	{"web", same_web, web_text},
	/* Copied to the services. */
	{"tunnel_source", NULL, NULL},
	{"tunnel_source6", NULL, NULL},
	{"gue_checksum", NULL, NULL},
	{"nat_pool", NULL, NULL},
	{"nat_timeouts", NULL, NULL}, /* told one by one */
	{"defaults", NULL, NULL},
	{"checks", NULL, NULL},
	{"services", NULL, NULL},
	{NULL, NULL, NULL},
};

void conf_diff_top(const struct conf *from, const struct conf *to, conf_diff_fn *tell_fn, void *arg)
{
	const struct pair p = {from, to, "", tell_fn, arg};
	const struct pair timeouts = {from, to, "nat_timeouts.", tell_fn, arg};

	diff_mapping(&p, &conf_top_mapping, top_specials);
	diff_mapping(&timeouts, &conf_nat_timeouts_mapping, no_specials);
}
