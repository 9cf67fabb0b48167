/* SPDX-License-Identifier: BSD-2-Clause */
/* HAProxy's TCP mode: defaults, frontend, backend and listen sections. */
#include "pure/convert_haproxy.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTIONS 256
#define STICK_S 1800 /* where no expiry is said */

const char *haproxy_word(const struct convert_line *l, size_t i)
{
	return i < l->n ? l->words[i] : "";
}

uint32_t haproxy_milliseconds(const char *text)
{
	static const struct {
		const char *unit;
		uint32_t factor;
	} units[] = {{"", 1},	   {"ms", 1},	   {"s", 1000},
		     {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(end, units[i].unit) == 0 && n < UINT32_MAX / units[i].factor)
			return (uint32_t)n * units[i].factor;
	return 0;
}

const char *haproxy_behind_family(const char *text)
{
	static const char *const families[] = {"ipv4@", "ipv6@", "tcp@", "tcp4@", "tcp6@", NULL};
	size_t i;

	for (i = 0; families[i]; i++)
		if (strncmp(text, families[i], strlen(families[i])) == 0)
			return text + strlen(families[i]);
	return text;
}

/* The last colon is before the port, also without brackets. */
bool haproxy_endpoint(const char *text, struct addr *addr, uint16_t *port)
{
	const char *colon;
	uint32_t n;

	text = haproxy_behind_family(text);
	colon = strrchr(text, ':');
	n = colon ? convert_number(colon + 1, 65535, UINT32_MAX) : UINT32_MAX;
	if (*text == '[' || n == UINT32_MAX || addr_parse(text, (size_t)(colon - text), addr) < 0)
		return convert_endpoint(text, addr, port);
	*port = (uint16_t)n;
	return true;
}

static void left_out(struct haproxy *r, const struct convert_line *l, const char *instead)
{
	convert_remark(r->c, l->number, "%s: not carried over: %s", haproxy_word(l, 0), instead);
}

/* ---- keywords -----------------------------------------------------------------------------------*/

static void read_balance(struct haproxy *r, const struct convert_line *l)
{
	static const char *const names[] = {"roundrobin", "static-rr", "leastconn",
					    "source",	  "random",    NULL};
	static const char *const ours[] = {"wrr", "wrr", "wlc", "sh", "maglev"};
	const bool by_source =
		strcmp(haproxy_word(l, 1), "hash") == 0 && strcmp(haproxy_word(l, 2), "src") == 0;
	char name[32];
	int i;

	/* random(2) */
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(haproxy_word(l, 1), "("),
		 haproxy_word(l, 1));
	i = by_source ? 3 : convert_find(name, names);
	r->at->service.scheduler = i < 0 ? "maglev" : ours[i];
	if (i < 0)
		convert_remark(r->c, l->number,
			       "balance %s: there is none like it, since shunt does not look into "
			       "connections; maglev is taken",
			       haproxy_word(l, 1));
}

static void read_timeout(struct haproxy *r, const struct convert_line *l)
{
	static const char *const needless[] = {"connect", "queue", "client-fin", "server-fin",
					       NULL};
	const uint32_t ms = haproxy_milliseconds(haproxy_word(l, 2));
	struct convert_service *s = &r->at->service;
	const char *what = haproxy_word(l, 1);

	if (strcmp(what, "check") == 0)
		s->check.timeout_ms = ms;
	else if (strcmp(what, "client") == 0 || strcmp(what, "server") == 0 ||
		 strcmp(what, "tunnel") == 0)
		s->flow_timeout_s = ms / 1000 > s->flow_timeout_s ? ms / 1000 : s->flow_timeout_s;
	else if (convert_find(what, needless) < 0)
		convert_remark(r->c, l->number,
			       "timeout %s: not carried over: shunt does not look into connections",
			       what);
}

/* `stick-table type ip expire 30m`, `stick on src`. */
static void read_stick(struct haproxy *r, const struct convert_line *l)
{
	struct convert_service *s = &r->at->service;
	size_t i;

	if (strcmp(haproxy_word(l, 0), "stick") == 0) {
		if (strcmp(haproxy_word(l, 2), "src") != 0)
			convert_remark(r->c, l->number,
				       "stick %s %s: not carried over: affinity: source knows "
				       "sources alone",
				       haproxy_word(l, 1), haproxy_word(l, 2));
		else if (!s->affinity_s)
			s->affinity_s = STICK_S;
		return;
	}
	for (i = 1; i + 1 < l->n; i++)
		if (strcmp(haproxy_word(l, i), "expire") == 0)
			s->affinity_s = haproxy_milliseconds(haproxy_word(l, i + 1)) / 1000;
}

static void read_mode(struct haproxy *r, const struct convert_line *l)
{
	r->at->http = strcmp(haproxy_word(l, 1), "tcp") != 0;
}

static void read_default_backend(struct haproxy *r, const struct convert_line *l)
{
	snprintf(r->at->to, sizeof(r->at->to), "%.63s", haproxy_word(l, 1));
}

static void read_source(struct haproxy *r, const struct convert_line *l)
{
	if (strcmp(haproxy_word(l, 2), "usesrc") == 0 &&
	    strncmp(haproxy_word(l, 3), "client", 6) == 0)
		r->at->transparent = true;
	else
		left_out(r, l, "nat_pool: of the service says which address servers see");
}

static void read_nothing(struct haproxy *r, const struct convert_line *l)
{
	(void)r, (void)l;
}

static void tell_instead(struct haproxy *r, const struct convert_line *l)
{
	static const struct {
		const char *keyword, *instead;
	} known[] = {
		{"maxconn", "shunt counts no connections to refuse any: rate: limits new ones"},
		{"fullconn", "shunt counts no connections to refuse any: rate: limits new ones"},
		{"rate-limit", "rate: { new_flows: N } of the service"},
		{"tcp-request",
		 "allow:, deny: and rate: of the service know sources and new flows"},
		{"email-alert", "notify: of the whole configuration tells of all that changes"},
		{"stats", "shunt status, and web: of the whole configuration"},
		{"monitor-uri", "/healthz of web:"},
		{"monitor-net", "/healthz of web:"},
		{"monitor", "/healthz of web:"},
		{"cookie", "affinity: source keeps sources together"},
		{"persist", "affinity: source keeps sources together"},
		{"errorfile", "on_empty: says what happens without servers"},
		{"load-server-state-from-file", "state_dir: remembers what shunt drain says"},
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].keyword, haproxy_word(l, 0)) == 0) {
			left_out(r, l, known[i].instead);
			return;
		}
	}
	left_out(r, l, "shunt does not look into connections");
}

static void read_keyword(struct haproxy *r, const struct convert_line *l)
{
	static const struct haproxy_keyword keywords[] = {
		{"bind", haproxy_read_bind},
		{"server", haproxy_read_server},
		{"server-template", haproxy_read_server_template},
		{"default-server", haproxy_read_default_server},
		{"dispatch", haproxy_read_dispatch},
		{"balance", read_balance},
		{"option", haproxy_read_option},
		{"http-check", haproxy_read_http_check},
		{"tcp-check", haproxy_read_tcp_check},
		{"external-check", haproxy_read_external_check},
		{"timeout", read_timeout},
		{"stick", read_stick},
		{"stick-table", read_stick},
		{"mode", read_mode},
		{"default_backend", read_default_backend},
		{"acl", haproxy_read_acl},
		{"use_backend", haproxy_read_use_backend},
		{"source", read_source},
		{"log", read_nothing},
		{"no", read_nothing},
		{"retries", read_nothing},
		{"description", read_nothing},
		{"hash-type", read_nothing},
		{"id", read_nothing},
		{"enabled", read_nothing},
	};
	size_t i;

	for (i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		if (strcmp(keywords[i].name, haproxy_word(l, 0)) == 0) {
			keywords[i].read(r, l);
			return;
		}
	}
	tell_instead(r, l);
}

/* ---- sections -----------------------------------------------------------------------------------*/

/* Of a section that is left out as a whole nothing else is said. */
static void end(struct haproxy *r)
{
	if (r->at && r->at->http)
		r->c->n_remarks = r->at->remarks;
	r->at = NULL;
}

/* `frontend web from common` */
static const struct haproxy_section *find_defaults(const struct haproxy *r,
						   const struct convert_line *l)
{
	size_t i;

	for (i = 0; i < r->n && strcmp(haproxy_word(l, 2), "from") == 0; i++)
		if (r->list[i].defaults && strcmp(r->list[i].name, haproxy_word(l, 3)) == 0)
			return &r->list[i];
	return r->defaults;
}

static void begin(struct haproxy *r, const struct convert_line *l)
{
	const char *kind = haproxy_word(l, 0);
	struct haproxy_section *s = &r->list[r->n];

	end(r);
	if (r->n == SECTIONS) {
		convert_remark(r->c, l->number, "more than %d sections: this one is left out",
			       SECTIONS);
		return;
	}
	r->n++;
	if (strcmp(kind, "defaults") == 0) {
		*s = (struct haproxy_section){.defaults = true};
		r->defaults = s;
	} else {
		*s = *find_defaults(r, l);
		s->defaults = false;
		s->front = strcmp(kind, "backend") != 0;
		s->back = strcmp(kind, "frontend") != 0;
	}
	snprintf(s->name, sizeof(s->name), "%.63s", haproxy_word(l, 1));
	s->service.line = l->number;
	s->remarks = r->c->n_remarks;
	r->at = s;
}

static void read_line(struct haproxy *r, const struct convert_line *l)
{
	static const char *const sections[] = {"defaults", "frontend", "backend", "listen", NULL};
	static const char *const others[] = {"global",	 "userlist",	"peers",       "resolvers",
					     "mailers",	 "program",	"cache",       "ring",
					     "fcgi-app", "http-errors", "log-forward", NULL};

	if (convert_find(haproxy_word(l, 0), sections) >= 0) {
		begin(r, l);
	} else if (convert_find(haproxy_word(l, 0), others) >= 0) {
		end(r);
		if (strcmp(haproxy_word(l, 0), "peers") == 0)
			left_out(r, l, "peers: of the whole configuration");
		else if (strcmp(haproxy_word(l, 0), "global") != 0)
			left_out(r, l, "shunt has nothing like it");
	} else if (r->at) {
		read_keyword(r, l);
	}
}

/* ---- services -----------------------------------------------------------------------------------*/

static const struct haproxy_section *
find_back(struct haproxy *r, const struct haproxy_section *front, const struct haproxy_bind *b)
{
	const char *name = haproxy_choose(r, front, b);
	size_t i;

	if (!*name)
		return front->back ? front : NULL;
	for (i = 0; i < r->n; i++)
		if (r->list[i].back && strcmp(r->list[i].name, name) == 0)
			return &r->list[i];
	return NULL;
}

/* What is asked, of a server with TLS by TLS. */
static void set_check(struct haproxy *r, const struct haproxy_section *back,
		      struct convert_service *s)
{
	struct convert_check *k = &s->check;

	if (!back->checks && back->agent_port) {
		*k = (struct convert_check){
			.kind = "agent", .port = back->agent_port, .interval_ms = k->interval_ms};
		return;
	}
	if (back->agent_port)
		convert_remark(r->c, back->service.line,
			       "agent-check beside check: it is left out: both by name in "
			       "checks:, and checks: { all: [A, B] }");
	if (!k->kind[0]) /* tcp-check lines hold with option tcp-check */
		k->send[0] = k->expect[0] = k->expect_regex[0] = '\0';
	if (!back->checks)
		*k = (struct convert_check){.kind = "none"};
	else if (back->tls && strcmp(k->kind, "http") == 0)
		strcpy(k->kind, "https");
	else if (back->tls && !k->kind[0] && !k->send[0] && !k->expect[0])
		strcpy(k->kind, "tls");
	else if (!k->kind[0])
		strcpy(k->kind, "tcp");
}

/* The service of one address: what HAProxy does is nearest to nat, where servers see this host. */
static void emit(struct haproxy *r, const struct haproxy_section *front,
		 const struct haproxy_section *back, const struct haproxy_bind *b)
{
	struct convert_service *s = convert_copy_service(r->c, &back->service);

	s->line = b->line;
	s->vip = addr_is_none(&b->vip) ? r->c->options->vip : b->vip;
	s->port = b->port;
	s->last_port = b->last_port;
	s->protocol = IPPROTO_TCP;
	s->forward = back->transparent ? "masq" : "nat";
	if (!s->scheduler)
		s->scheduler = "wrr"; /* HAProxy's default */
	if (front->n_binds > 1)
		snprintf(s->name, sizeof(s->name), "%.50s-%u", front->name, b->port);
	else
		snprintf(s->name, sizeof(s->name), "%s", front->name);
	if (front->service.flow_timeout_s > s->flow_timeout_s)
		s->flow_timeout_s = front->service.flow_timeout_s;
	set_check(r, back, s);
	if (back->transparent)
		convert_remark(r->c, b->line,
			       "servers see clients' own addresses: forward: masq, whose servers "
			       "send replies through this host: shunt setup backend tells how");
	if (addr_is_none(&s->vip))
		convert_remark(r->c, b->line,
			       "it is bound to all addresses, and a service of shunt has one: say "
			       "which by --vip");
}

static void emit_bind(struct haproxy *r, const struct haproxy_section *front,
		      const struct haproxy_bind *b)
{
	const struct haproxy_section *back = front->http ? NULL : find_back(r, front, b);

	if (front->http || (back && back->http))
		convert_remark(r->c, front->service.line,
			       "%s is of mode http, and shunt does not look into connections: left "
			       "out: keep HAProxy for it, on several hosts behind shunt",
			       front->name);
	else if (!back || !back->service.n_backends)
		convert_remark(r->c, front->service.line, "%s has no backend: left out",
			       front->name);
	else
		emit(r, front, back, b);
}

void convert_haproxy(struct convert *c, const char *text)
{
	struct haproxy r = {.c = c, .n = 1};
	struct convert_line line = {0};
	size_t i, k;

	r.list = calloc(SECTIONS, sizeof(*r.list));
	if (!r.list) {
		c->out_of_memory = true;
		return;
	}
	r.list[0].defaults = true;
	r.defaults = r.list;
	while (convert_next_line(&text, &line, "#", ""))
		read_line(&r, &line);
	end(&r);
	for (i = 0; i < r.n; i++)
		for (k = 0; r.list[i].front && k < r.list[i].n_binds; k++)
			emit_bind(&r, &r.list[i], &r.list[i].binds[k]);
	for (i = 0; i < r.n; i++)
		free(r.list[i].service.backends);
	free(r.list);
	free(r.rules);
}
