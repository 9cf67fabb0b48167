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

static bool translates(const struct convert_service *s)
{
	return s->forward && (strcmp(s->forward, "nat") == 0 || strcmp(s->forward, "masq") == 0);
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
	char addr[ADDR_TEXT_MAX];

	addr_format(&b->addr, addr);
	clean_name(b->name);
	if (b->off)
		b->weight = 0;
	if (b->weight > CONF_WEIGHT_MAX) {
		convert_remark(c, s->line, "weight %u of %s: the largest is %d", b->weight, addr,
			       CONF_WEIGHT_MAX);
		b->weight = CONF_WEIGHT_MAX;
	}
	if (b->port == s->port || !b->port || (translates(s) && s->port))
		return;
	convert_remark(c, s->line,
		       "port %u of %s: %s leaves ports as they are; the service's is used", b->port,
		       addr, s->forward ? s->forward : "ipip");
	b->port = 0;
}

/* Why shunt cannot have backend @i; NULL: it can. */
static const char *objection(const struct convert_service *s, size_t i)
{
	const struct convert_backend *b = &s->backends[i];
	const bool one_family =
		s->forward && (strcmp(s->forward, "dsr") == 0 || strcmp(s->forward, "masq") == 0);
	size_t k;

	if (addr_is_unusable(&b->addr))
		return "no server can have it";
	if (addr_compare(&b->addr, &s->vip) == 0)
		return "it is the service's own; write forward: local if this host is to serve";
	if (one_family && b->addr.family != s->vip.family)
		return "it is of another family than the service's, which dsr and masq cannot "
		       "cross";
	for (k = 0; k < i; k++)
		if (addr_compare(&s->backends[k].addr, &b->addr) == 0)
			return "another backend has it, and shunt takes each address once";
	return NULL;
}

static void fit_backends(struct convert *c, struct convert_service *s)
{
	char addr[ADDR_TEXT_MAX];
	size_t i = 0, k;

	while (i < s->n_backends) {
		const char *why = objection(s, i);

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

/* "200" or "200-399". */
static bool is_status(const char *text)
{
	unsigned int from, to;
	char rest;
	const int n =
		consists_of(text, "0123456789-") ? sscanf(text, "%3u-%3u%c", &from, &to, &rest) : 0;

	if (n == 1 && strlen(text) == 3)
		to = from;
	else if (n != 2 || strlen(text) != 7)
		return false;
	return from >= 100 && to <= 599 && from <= to;
}

static void fit_check(struct convert *c, struct convert_service *s)
{
	struct convert_check *k = &s->check;
	const uint32_t interval_ms = k->interval_ms ? k->interval_ms : INTERVAL_MS;

	if (strcmp(k->kind, "exec") == 0 && k->command[0])
		convert_remark(c, s->line,
			       "one command is run for each backend: it has the address as "
			       "$SHUNT_ADDRESS");
	else if (strcmp(k->kind, "exec") == 0 || (s->protocol == IPPROTO_UDP && !k->kind[0]))
		strcpy(k->kind, "none");
	if (k->timeout_ms > TIMEOUT_MAX_MS)
		k->timeout_ms = TIMEOUT_MAX_MS;
	if (k->interval_ms && k->interval_ms < INTERVAL_MIN_MS)
		k->interval_ms = INTERVAL_MIN_MS;
	if (k->timeout_ms > interval_ms)
		k->interval_ms = k->timeout_ms; /* a probe ends before the next one */
	if (k->status[0] && !is_status(k->status)) {
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

static void fit_scheduler(struct convert *c, struct convert_service *s)
{
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
	if (s->flow_timeout_s > AFFINITY_MAX_S)
		s->flow_timeout_s = AFFINITY_MAX_S;
}

static void fit_service(struct convert *c, struct convert_service *s)
{
	clean_name(s->name);
	fit_scheduler(c, s);
	fit_check(c, s);
	fit_backends(c, s);
	if (s->min_healthy && !has_backup(s)) {
		convert_remark(
			c, s->line,
			"quorum %u: without a server for when it is not reached it means nothing "
			"here",
			s->min_healthy);
		s->min_healthy = 0;
	}
}

static const char *objection_to(const struct convert *c, const struct convert_service *s)
{
	const struct convert_service *other;

	if (addr_is_none(&s->vip) || addr_is_unusable(&s->vip))
		return "a service without an address of its own";
	if (!s->n_backends)
		return "a service without backends";
	for (other = c->services; other < s; other++)
		if (other->n_backends && addr_compare(&other->vip, &s->vip) == 0 &&
		    other->port == s->port && other->protocol == s->protocol)
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

		c->n_services = i + 1; /* remarks stand where the service does */
		if (!addr_is_none(&s->vip))
			fit_service(c, s);
		drop_double_name(c, s);
		why = objection_to(c, s);
		if (why) {
			convert_remark(c, s->line, "%s is left out", why);
			s->n_backends = 0;
		}
		c->n_services = n;
	}
}
