/* SPDX-License-Identifier: BSD-2-Clause */
/* What was read, brought within shunt's bounds. What does not fit is changed or left out, with a remark. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "pure/convert.h"
#include "pure/convert_fit.h"

#define AFFINITY_MAX_S 7200
#define INTERVAL_MS 2000 /* shunt's default */
#define TIMEOUT_MAX_MS 60000
#define INTERVAL_MIN_MS 100
#define FAST_MIN_MS 10
#define STATUSES_MAX 8
#define FLOW_TIMEOUT_S 300 /* shunt's defaults */
#define UDP_FLOW_TIMEOUT_S 60
#define SLOW_START_MAX_S 3600

/* NULL for ipip. */
static const char *method_of(const struct convert_service *s, const struct convert_backend *b)
{
	return b->forward ? b->forward : s->forward;
}

static bool is_one_of(const char *method, const char *one, const char *other)
{
	return method && (strcmp(method, one) == 0 || strcmp(method, other) == 0);
}

static bool translates(const struct convert_service *s)
{
	size_t i;

	for (i = 0; i < s->n_backends; i++)
		if (is_one_of(s->backends[i].forward, "nat", "masq"))
			return true;
	return is_one_of(s->forward, "nat", "masq");
}

/* ---- backends -----------------------------------------------------------------------------------*/

/* Letters, digits and marks that names may have; others become "-". */
static void clean_name(char *name)
{
	static const char good[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

	if (*name == '-')
		*name = '_';
	for (; *name; name++)
		if (!strchr(good, *name))
			*name = '-';
}

static void fit_backend(struct convert *c, const struct convert_service *s,
			struct convert_backend *b)
{
	const bool one_port = s->port && !s->last_port;
	char addr[ADDR_TEXT_MAX];

	addr_format(&b->addr, addr);
	if (b->forward && s->forward && strcmp(b->forward, s->forward) == 0)
		b->forward = NULL;
	clean_name(b->name);
	if (b->off)
		b->weight = 0;
	if (b->weight > CONF_WEIGHT_MAX) {
		convert_remark(c, s->line, "weight %u of %s: the largest is %d", b->weight, addr,
			       CONF_WEIGHT_MAX);
		b->weight = CONF_WEIGHT_MAX;
	}
	if (!b->port ||
	    (one_port && (b->port == s->port || is_one_of(method_of(s, b), "nat", "masq"))))
		return;
	if (one_port)
		convert_remark(
			c, s->line,
			"port %u of %s: %s leaves ports as they are; the service's is used: have "
			"the server listen there, or write forward: nat",
			b->port, addr, method_of(s, b) ? method_of(s, b) : "ipip");
	else if (b->port != s->port)
		convert_remark(c, s->line,
			       "port %u of %s: of a service with several ports each packet keeps "
			       "its own: have the server listen on all of them",
			       b->port, addr);
	b->port = 0;
}

static bool holds(const struct convert_service *s, const struct addr *a)
{
	return addr_is_within(a, &s->vip, s->vip_bits ? s->vip_bits : addr_bits(&s->vip));
}

/* Whether it is the address of another service than @s, whose packets come to this host. */
static bool is_vip(const struct convert *c, size_t n, const struct convert_service *s,
		   const struct addr *a)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (&c->services[i] != s && !c->services[i].is_pattern && holds(&c->services[i], a))
			return true;
	return false;
}

/* Why shunt cannot have backend @i; NULL: it can. */
static const char *objection(const struct convert *c, const struct convert_service *s, size_t n,
			     size_t i)
{
	const struct convert_backend *b = &s->backends[i];
	const bool one_family = is_one_of(method_of(s, b), "dsr", "masq");
	size_t k;

	if (addr_is_unusable(&b->addr))
		return "no server can have it";
	if (holds(s, &b->addr))
		return "it is the service's own; write forward: local if this host is to serve";
	if (is_vip(c, n, s, &b->addr))
		return "it is the address of another service; write the server's own";
	if (one_family && b->addr.family != s->vip.family)
		return "it is of another family than the service's, which dsr and masq cannot "
		       "cross";
	for (k = 0; k < i; k++)
		if (addr_compare(&s->backends[k].addr, &b->addr) == 0)
			return "another backend has it, and shunt takes each address once";
	return NULL;
}

/* @n: services that there are in all, of which @c shows those up to @s. */
static void fit_backends(struct convert *c, struct convert_service *s, size_t n)
{
	char addr[ADDR_TEXT_MAX];
	size_t i = 0, k;

	while (i < s->n_backends) {
		const char *why = objection(c, s, n, i);

		for (k = 0; k < i && s->backends[i].name[0]; k++)
			if (strcmp(s->backends[k].name, s->backends[i].name) == 0)
				s->backends[i].name[0] = '\0';
		if (!why) {
			fit_backend(c, s, &s->backends[i++]);
			continue;
		}
		convert_remark(c, s->line, "backend %s is left out: %s",
			       addr_format(&s->backends[i].addr, addr), why);
		memmove(&s->backends[i], &s->backends[i + 1],
			(s->n_backends - i - 1) * sizeof(s->backends[0]));
		s->n_backends--;
	}
}

/* ---- services -----------------------------------------------------------------------------------*/

static bool consists_of(const char *text, const char *characters)
{
	return text[strspn(text, characters)] == '\0';
}

/* The @len bytes are "200" or "200-399". */
static bool is_status(const char *text, size_t len)
{
	unsigned int from, to;
	char one[8], rest;
	int n;

	if (len != 3 && len != 7)
		return false;
	memcpy(one, text, len);
	one[len] = '\0';
	if (!consists_of(one, "0123456789-"))
		return false;
	n = sscanf(one, "%3u-%3u%c", &from, &to, &rest);
	if (n == 1 && len == 3)
		to = from;
	else if (n != 2 || len != 7)
		return false;
	return from >= 100 && to <= 599 && from <= to;
}

/* Up to eight of them, with commas between. */
static bool are_statuses(const char *text)
{
	unsigned int n = 0;

	for (;; text++) {
		const size_t len = strcspn(text, ",");

		if (++n > STATUSES_MAX || !is_status(text, len))
			return false;
		text += len;
		if (!*text)
			return true;
	}
}

static void fit_times(struct convert_check *k)
{
	const uint32_t interval_ms = k->interval_ms ? k->interval_ms : INTERVAL_MS;

	if (k->timeout_ms > TIMEOUT_MAX_MS)
		k->timeout_ms = TIMEOUT_MAX_MS;
	if (k->interval_ms && k->interval_ms < INTERVAL_MIN_MS)
		k->interval_ms = INTERVAL_MIN_MS;
	if (k->timeout_ms > interval_ms)
		k->interval_ms = k->timeout_ms; /* a probe ends before the next one */
	if (k->fast_ms >= interval_ms)
		k->fast_ms = 0;
	else if (k->fast_ms && k->fast_ms < FAST_MIN_MS)
		k->fast_ms = FAST_MIN_MS;
	if (k->down_ms == interval_ms)
		k->down_ms = 0;
	else if (k->down_ms && k->down_ms < INTERVAL_MIN_MS)
		k->down_ms = INTERVAL_MIN_MS;
}

static bool asks_for_no_port(const struct convert_check *k)
{
	return strcmp(k->kind, "icmp") == 0 || strcmp(k->kind, "exec") == 0 ||
	       strcmp(k->kind, "none") == 0;
}

/* Without a port to try there is no check. */
static void fit_port(struct convert *c, struct convert_service *s)
{
	struct convert_check *k = &s->check;
	const bool udp = strcmp(k->kind, "udp") == 0, dns = strcmp(k->kind, "dns") == 0;

	if (k->port || asks_for_no_port(k))
		return;
	if (s->port && (dns || udp == (s->protocol == IPPROTO_UDP)))
		return;
	if (k->kind[0])
		convert_remark(c, s->line,
			       "check %s: the service has no %s port to try: write check: { port: "
			       "N }; no check is made until then",
			       k->kind, udp ? "UDP" : "TCP");
	*k = (struct convert_check){.kind = "none"};
}

/* What the kind does not have. */
static void fit_texts(struct convert_check *k)
{
	const bool speaks = !k->kind[0] || is_one_of(k->kind, "tcp", "udp");

	if (strncmp(k->kind, "http", 4) != 0)
		k->host[0] = k->path[0] = k->method[0] = k->status[0] = '\0';
	if (!speaks)
		k->send[0] = '\0';
	if (!speaks && strncmp(k->kind, "http", 4) != 0)
		k->expect[0] = k->expect_regex[0] = '\0';
}

static void fit_check(struct convert *c, struct convert_service *s)
{
	struct convert_check *k = &s->check;

	if (strcmp(k->kind, "exec") == 0 && k->command[0])
		convert_remark(c, s->line,
			       "one command is run for each backend: it has the address as "
			       "$SHUNT_ADDRESS");
	else if (strcmp(k->kind, "exec") == 0 || (s->protocol == IPPROTO_UDP && !k->kind[0]))
		strcpy(k->kind, "none");
	fit_port(c, s);
	fit_times(k);
	fit_texts(k);
	if (k->status[0] && !are_statuses(k->status)) {
		convert_remark(c, s->line, "status %s of the check: 200 to 399 are taken",
			       k->status);
		k->status[0] = '\0';
	}
	if (k->path[0] && (k->path[0] != '/' || strchr(k->path, ' '))) {
		convert_remark(c, s->line, "path %s of the check: / is taken", k->path);
		strcpy(k->path, "/");
	}
	if (!consists_of(k->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
		k->method[0] = '\0';
}

static bool has_backup(const struct convert_service *s)
{
	size_t i, backups = 0;

	for (i = 0; i < s->n_backends; i++)
		backups += s->backends[i].backup;
	return backups && backups < s->n_backends;
}

static void fit_stateless(struct convert *c, struct convert_service *s)
{
	if (s->protocol != IPPROTO_UDP)
		s->stateless = false;
	if (!s->stateless || !s->scheduler || is_one_of(s->scheduler, "maglev", "sh"))
		return;
	convert_remark(c, s->line,
		       "datagrams each on their own: with scheduler %s flows stay together; "
		       "write scheduler: maglev and udp_flows: stateless",
		       s->scheduler);
	s->stateless = false;
}

static void fit_scheduler(struct convert *c, struct convert_service *s)
{
	const uint32_t default_timeout =
		s->protocol == IPPROTO_UDP ? UDP_FLOW_TIMEOUT_S : FLOW_TIMEOUT_S;

	if (s->by_port && is_one_of(s->scheduler, "sh", "sh"))
		s->scheduler = "maglev";
	fit_stateless(c, s);
	if (translates(s) && s->scheduler &&
	    (strcmp(s->scheduler, "lc") == 0 || strcmp(s->scheduler, "wlc") == 0)) {
		convert_remark(
			c, s->line,
			"scheduler %s: connections that are translated are not counted; wrr is "
			"taken",
			s->scheduler);
		s->scheduler = "wrr";
	}
	if (translates(s) && s->affinity_s) {
		convert_remark(
			c, s->line,
			"persistence: where connections are translated a hash of the source does "
			"it; scheduler: sh is taken");
		s->scheduler = "sh";
	}
	if (s->affinity_s > AFFINITY_MAX_S) {
		convert_remark(c, s->line, "persistence of %u s: the longest is %u", s->affinity_s,
			       AFFINITY_MAX_S);
		s->affinity_s = AFFINITY_MAX_S;
	}
	if (s->affinity_s && s->scheduler && strcmp(s->scheduler, "sh") == 0)
		s->affinity_s = 0; /* it is so already */
	else if (s->affinity_s)
		s->flow_timeout_s = s->affinity_s < default_timeout ? s->affinity_s : 0;
	if (s->flow_timeout_s > AFFINITY_MAX_S)
		s->flow_timeout_s = AFFINITY_MAX_S;
	if (s->slow_start_s > SLOW_START_MAX_S)
		s->slow_start_s = SLOW_START_MAX_S;
	if (!s->affinity_s && !is_one_of(s->scheduler, "sh", "sh"))
		s->source_bits = 0;
}

static void fit_service(struct convert *c, struct convert_service *s, size_t n)
{
	clean_name(s->name);
	fit_scheduler(c, s);
	fit_check(c, s);
	fit_backends(c, s, n);
	if (s->min_healthy && !has_backup(s)) {
		convert_remark(
			c, s->line,
			"quorum %u: without a server for when it is not reached it means nothing "
			"here",
			s->min_healthy);
		s->min_healthy = 0;
	}
}

static bool ports_meet(const struct convert_service *a, const struct convert_service *b)
{
	const uint16_t a_last = a->last_port ? a->last_port : a->port;
	const uint16_t b_last = b->last_port ? b->last_port : b->port;

	return a->port <= b_last && b->port <= a_last;
}

static const char *objection_to(const struct convert *c, const struct convert_service *s)
{
	const struct convert_service *other;

	if (s->protocol != IPPROTO_TCP && s->protocol != IPPROTO_UDP)
		return "a service of neither TCP nor UDP";
	if (addr_is_none(&s->vip) || addr_is_unusable(&s->vip))
		return "a service without an address of its own";
	if (!s->n_backends)
		return "a service without backends";
	for (other = c->services; other < s; other++)
		if (other->n_backends && addr_compare(&other->vip, &s->vip) == 0 &&
		    other->vip_bits == s->vip_bits && ports_meet(other, s) &&
		    other->protocol == s->protocol)
			return "a second service with the same address, port and protocol";
	return NULL;
}

/* The name of a service before it: the default one serves. */
static void drop_double_name(const struct convert *c, struct convert_service *s)
{
	const struct convert_service *other;

	for (other = c->services; other < s; other++)
		if (other->n_backends && strcmp(other->name, s->name) == 0)
			s->name[0] = '\0';
}

void convert_fit(struct convert *c)
{
	const size_t n = c->n_services;
	size_t i;

	for (i = 0; i < n; i++) {
		struct convert_service *s = &c->services[i];
		const char *why;

		if (s->is_pattern) {
			s->n_backends = 0;
			continue;
		}
		c->n_services = i + 1; /* remarks stand where the service does */
		if (!addr_is_none(&s->vip))
			fit_service(c, s, n);
		drop_double_name(c, s);
		why = objection_to(c, s);
		if (why) {
			convert_remark(c, s->line, "%s is left out", why);
			s->n_backends = 0;
		}
		c->n_services = n;
	}
}
