/* SPDX-License-Identifier: BSD-2-Clause */
/* HAProxy's TCP mode: defaults, frontend, backend and listen sections. Its keywords: HAProxy's
 * Configuration Manual, chapter 4. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pure/convert.h"

#define BINDS 16
#define SECTIONS 256

struct bind {
	struct addr vip; /* none: all addresses */
	uint16_t port;
	unsigned int line;
};

/* A section as read; what is not said in it stands in the defaults before. */
struct section {
	char name[SHUNT_NAME_MAX];
	bool front, back; /* a listen section is both */
	bool http; /* mode */
	struct bind binds[BINDS];
	size_t n_binds;
	char to[SHUNT_NAME_MAX]; /* default_backend */
	struct convert_service service; /* but for the address */
	bool checks; /* a server has `check` */
};

/* One run. */
struct reader {
	struct convert *c;
	struct section *list, defaults;
	size_t n;
	struct section *at; /* the section that lines belong to; NULL: global and the like */
};

/* "2s", "500", "1m": without a unit milliseconds. */
static uint32_t milliseconds(const char *text)
{
	static const struct {
		const char *unit;
		uint32_t factor;
	} units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(end, units[i].unit) == 0 && n < 1000000)
			return (uint32_t)n * units[i].factor;
	return 0;
}

static const char *word(const struct convert_line *l, size_t i)
{
	return i < l->n ? l->words[i] : "";
}

/* ---- servers ------------------------------------------------------------------------------------*/

/* Those that take a value, and those that do not. */
static bool read_server_number(const struct convert_line *l, size_t *i, struct section *s,
			       struct convert_backend *b)
{
	static const char *const keys[] = {"weight", "inter", "fall", "rise", "port", NULL};
	struct convert_check *k = &s->service.check;
	const int key = convert_find(word(l, *i), keys);
	const char *text;

	if (key < 0)
		return false;
	text = word(l, ++*i);
	if (key == 0 && b)
		b->weight = convert_number(text, 256, 1);
	else if (key == 1)
		k->interval_ms = milliseconds(text);
	else if (key == 2)
		k->fall = convert_number(text, 100, 3);
	else if (key == 3)
		k->rise = convert_number(text, 100, 2);
	else if (key == 4)
		k->port = convert_number(text, 65535, 0);
	return true;
}

static void read_server_options(struct reader *r, const struct convert_line *l, size_t i,
				struct section *s, struct convert_backend *b)
{
	for (; i < l->n; i++) {
		const char *w = word(l, i);

		if (read_server_number(l, &i, s, b))
			continue;
		if (strcmp(w, "check") == 0)
			s->checks = true;
		else if (b && strcmp(w, "backup") == 0)
			b->backup = true;
		else if (b && strcmp(w, "disabled") == 0)
			b->off = true;
		else if (strncmp(w, "send-proxy", 10) == 0)
			convert_remark(
				r->c, l->number,
				"%s: shunt is not in the connection; with dsr, ipip, gue and masq "
				"servers see the client itself",
				w);
		else
			convert_remark(r->c, l->number, "%s of a server: not carried over", w);
	}
}

static void read_server(struct reader *r, const struct convert_line *l)
{
	struct section *s = r->at;
	struct convert_backend *b = convert_add_backend(r->c, &s->service);

	snprintf(b->name, sizeof(b->name), "%.63s", word(l, 1));
	if (convert_endpoint(word(l, 2), &b->addr, &b->port)) {
		read_server_options(r, l, 3, s, b);
		return;
	}
	convert_remark(r->c, l->number, "server %s: %s is no address: left out", word(l, 1),
		       word(l, 2));
	s->service.n_backends--;
}

/* ---- keywords -----------------------------------------------------------------------------------*/

static void read_bind(struct reader *r, const struct convert_line *l)
{
	struct section *s = r->at;
	const char *text = word(l, 1);
	struct bind *b = &s->binds[s->n_binds];

	if (s->n_binds == BINDS) {
		convert_remark(r->c, l->number,
			       "more than %d binds in a section: this one is left out", BINDS);
		return;
	}
	*b = (struct bind){.line = l->number};
	if (*text == '*' || *text == ':' || strncmp(text, "0.0.0.0:", 8) == 0 ||
	    strncmp(text, "[::]:", 5) == 0) {
		b->port = (uint16_t)convert_number(strrchr(text, ':') ? strrchr(text, ':') + 1 : "",
						   65535, 0);
	} else if (!convert_endpoint(text, &b->vip, &b->port)) {
		convert_remark(r->c, l->number, "bind %s: no single address and port: left out",
			       text);
		return;
	}
	s->n_binds++;
	if (l->n > 2)
		convert_remark(r->c, l->number, "%s of a bind: not carried over", word(l, 2));
}

static void read_balance(struct reader *r, const struct convert_line *l)
{
	static const char *const names[] = {"roundrobin", "static-rr", "leastconn",
					    "source",	  "random",    NULL};
	static const char *const ours[] = {"wrr", "wrr", "wlc", "sh", "maglev"};
	const int i = convert_find(word(l, 1), names);

	r->at->service.scheduler = i < 0 ? "maglev" : ours[i];
	if (i < 0)
		convert_remark(r->c, l->number,
			       "balance %s: there is none like it; maglev is taken", word(l, 1));
}

static void read_option(struct reader *r, const struct convert_line *l)
{
	static const char *const harmless[] = {"tcplog",
					       "dontlognull",
					       "tcpka",
					       "clitcpka",
					       "srvtcpka",
					       "redispatch",
					       "tcp-check",
					       "splice-auto",
					       "splice-request",
					       "splice-response",
					       "tcp-smart-accept",
					       "tcp-smart-connect",
					       "log-health-checks",
					       NULL};
	struct convert_check *k = &r->at->service.check;

	if (strcmp(word(l, 1), "httpchk") == 0) {
		strcpy(k->kind, "http");
		snprintf(k->method, sizeof(k->method), "%.15s", l->n > 3 ? word(l, 2) : "");
		if (l->n == 3)
			snprintf(k->path, sizeof(k->path), "%s", word(l, 2));
		if (l->n > 3)
			snprintf(k->path, sizeof(k->path), "%s", word(l, 3));
	} else if (convert_find(word(l, 1), harmless) < 0) {
		convert_remark(r->c, l->number, "option %s: not carried over", word(l, 1));
	}
}

static void read_timeout(struct reader *r, const struct convert_line *l)
{
	const uint32_t ms = milliseconds(word(l, 2));
	struct convert_service *s = &r->at->service;

	if (strcmp(word(l, 1), "check") == 0)
		s->check.timeout_ms = ms;
	else if (strcmp(word(l, 1), "client") == 0 || strcmp(word(l, 1), "server") == 0 ||
		 strcmp(word(l, 1), "tunnel") == 0)
		s->flow_timeout_s = ms / 1000 > s->flow_timeout_s ? ms / 1000 : s->flow_timeout_s;
	else if (strcmp(word(l, 1), "connect") != 0 && strcmp(word(l, 1), "queue") != 0)
		convert_remark(r->c, l->number, "timeout %s: not carried over", word(l, 1));
}

/* `stick-table type ip expire 30m`, `stick on src`. */
static void read_stick(struct reader *r, const struct convert_line *l)
{
	size_t i;

	if (strcmp(word(l, 0), "stick") == 0) {
		if (strcmp(word(l, 2), "src") != 0)
			convert_remark(r->c, l->number, "stick on %s: shunt knows sources alone",
				       word(l, 2));
		else if (!r->at->service.affinity_s)
			r->at->service.affinity_s = 1800;
		return;
	}
	for (i = 1; i + 1 < l->n; i++)
		if (strcmp(word(l, i), "expire") == 0)
			r->at->service.affinity_s = milliseconds(word(l, i + 1)) / 1000;
}

static void read_http_check(struct reader *r, const struct convert_line *l)
{
	if (strcmp(word(l, 1), "expect") == 0 && strcmp(word(l, 2), "status") == 0)
		snprintf(r->at->service.check.status, sizeof(r->at->service.check.status), "%.31s",
			 word(l, 3));
	else
		convert_remark(r->c, l->number, "http-check %s: not carried over", word(l, 1));
}

static void read_mode(struct reader *r, const struct convert_line *l)
{
	r->at->http = strcmp(word(l, 1), "tcp") != 0;
}

static void read_default_backend(struct reader *r, const struct convert_line *l)
{
	snprintf(r->at->to, sizeof(r->at->to), "%.63s", word(l, 1));
}

static void read_default_server(struct reader *r, const struct convert_line *l)
{
	read_server_options(r, l, 1, r->at, NULL);
}

static void read_nothing(struct reader *r, const struct convert_line *l)
{
	(void)r, (void)l;
}

static void read_keyword(struct reader *r, const struct convert_line *l)
{
	static const struct {
		const char *name;
		void (*read)(struct reader *r, const struct convert_line *l);
	} keywords[] = {
		{"bind", read_bind},
		{"server", read_server},
		{"balance", read_balance},
		{"option", read_option},
		{"timeout", read_timeout},
		{"stick", read_stick},
		{"stick-table", read_stick},
		{"http-check", read_http_check},
		{"mode", read_mode},
		{"default_backend", read_default_backend},
		{"default-server", read_default_server},
		{"log", read_nothing},
		{"retries", read_nothing},
		{"description", read_nothing},
	};
	size_t i;

	for (i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		if (strcmp(keywords[i].name, word(l, 0)) == 0) {
			keywords[i].read(r, l);
			return;
		}
	}
	convert_remark(r->c, l->number, "%s: not carried over", word(l, 0));
}

/* ---- sections -----------------------------------------------------------------------------------*/

static void begin(struct reader *r, const struct convert_line *l)
{
	const char *kind = word(l, 0);
	struct section *s;

	if (strcmp(kind, "defaults") == 0) {
		r->defaults = (struct section){.http = true};
		r->at = &r->defaults;
		return;
	}
	if (r->n == SECTIONS) {
		convert_remark(r->c, l->number, "more than %d sections: this one is left out",
			       SECTIONS);
		r->at = NULL;
		return;
	}
	s = &r->list[r->n++];
	*s = r->defaults;
	snprintf(s->name, sizeof(s->name), "%.63s", word(l, 1));
	s->front = strcmp(kind, "backend") != 0;
	s->back = strcmp(kind, "frontend") != 0;
	s->service.line = l->number;
	r->at = s;
}

static const struct section *find_back(const struct reader *r, const struct section *front)
{
	size_t i;

	if (front->back && front->service.n_backends)
		return front;
	for (i = 0; i < r->n; i++)
		if (r->list[i].back && strcmp(r->list[i].name, front->to) == 0)
			return &r->list[i];
	return NULL;
}

/* The service of one address: what HAProxy does is nearest to nat, where servers see this host. */
static void emit(struct reader *r, const struct section *front, const struct section *back,
		 const struct bind *b)
{
	struct convert_service *s = convert_copy_service(r->c, &back->service);

	s->line = b->line;
	s->vip = addr_is_none(&b->vip) ? r->c->options->vip : b->vip;
	s->port = b->port;
	s->protocol = IPPROTO_TCP;
	s->forward = "nat";
	if (!s->scheduler)
		s->scheduler = "wrr"; /* HAProxy's default */
	if (front->n_binds > 1)
		snprintf(s->name, sizeof(s->name), "%.50s-%u", front->name, b->port);
	else
		snprintf(s->name, sizeof(s->name), "%s", front->name);
	if (front->service.flow_timeout_s > s->flow_timeout_s)
		s->flow_timeout_s = front->service.flow_timeout_s;
	if (!back->checks)
		strcpy(s->check.kind, "none");
	if (addr_is_none(&s->vip))
		convert_remark(r->c, b->line,
			       "it is bound to all addresses, and a service of shunt has one: say "
			       "which by "
			       "--vip");
}

static void emit_section(struct reader *r, const struct section *front)
{
	const struct section *back = find_back(r, front);
	size_t i;

	if (!front->front)
		return;
	if (front->http || (back && back->http)) {
		convert_remark(
			r->c, front->service.line,
			"%s is of mode http, and shunt does not look into connections: left out",
			front->name);
		return;
	}
	if (!back) {
		convert_remark(r->c, front->service.line, "%s has no backend: left out",
			       front->name);
		return;
	}
	for (i = 0; i < front->n_binds; i++)
		emit(r, front, back, &front->binds[i]);
}

static void read_line(struct reader *r, const struct convert_line *l)
{
	static const char *const sections[] = {"defaults", "frontend", "backend", "listen", NULL};
	static const char *const others[] = {"global",	 "userlist",	"peers",       "resolvers",
					     "mailers",	 "program",	"cache",       "ring",
					     "fcgi-app", "http-errors", "log-forward", NULL};

	if (convert_find(word(l, 0), sections) >= 0) {
		begin(r, l);
	} else if (convert_find(word(l, 0), others) >= 0) {
		if (strcmp(word(l, 0), "global") != 0)
			convert_remark(r->c, l->number, "%s: not carried over", word(l, 0));
		r->at = NULL;
	} else if (r->at) {
		read_keyword(r, l);
	}
}

void convert_haproxy(struct convert *c, const char *text)
{
	struct reader r = {.c = c, .defaults = {.http = true}};
	struct convert_line line = {0};
	size_t i;

	r.list = calloc(SECTIONS, sizeof(*r.list));
	if (!r.list) {
		c->out_of_memory = true;
		return;
	}
	while (convert_next_line(&text, &line, "#", ""))
		read_line(&r, &line);
	for (i = 0; i < r.n; i++)
		emit_section(&r, &r.list[i]);
	for (i = 0; i < r.n; i++)
		free(r.list[i].service.backends);
	free(r.list);
}
