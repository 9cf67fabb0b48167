/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines `server`, `default-server` and `dispatch` of HAProxy. */
#include <stdio.h>
#include <string.h>

#include "pure/convert_haproxy.h"

enum option {
	WEIGHT,
	INTER,
	FASTINTER,
	DOWNINTER,
	FALL,
	RISE,
	PORT,
	SLOWSTART,
	AGENT_PORT,
	CHECK,
	BACKUP,
	DISABLED,
	TLS,
	ENCRYPTED,
	NEEDLESS,
	LEFT_OUT,
};

#define INSIDE "shunt does not look into connections"
#define NO_COUNT "shunt counts no connections to refuse any: rate: limits new ones"
#define OWN_CHECK "a check of its own, by name in checks:, can have it"
#define PASSIVE "passive: of the service looks at the packets that go by"

static const struct {
	const char *name;
	bool has_value;
	enum option option;
	const char *instead; /* of what is left out */
} options[] = {
	{"weight", true, WEIGHT, NULL},
	{"inter", true, INTER, NULL},
	{"fastinter", true, FASTINTER, NULL},
	{"downinter", true, DOWNINTER, NULL},
	{"fall", true, FALL, NULL},
	{"rise", true, RISE, NULL},
	{"port", true, PORT, NULL},
	{"slowstart", true, SLOWSTART, NULL},
	{"agent-port", true, AGENT_PORT, NULL},
	{"check", false, CHECK, NULL},
	{"backup", false, BACKUP, NULL},
	{"disabled", false, DISABLED, NULL},
	{"check-ssl", false, TLS, NULL},
	{"ssl", false, ENCRYPTED, NULL},
	{"agent-check", false, NEEDLESS, NULL},
	{"agent-inter", true, NEEDLESS, NULL},
	{"enabled", false, NEEDLESS, NULL},
	{"no-check", false, NEEDLESS, NULL},
	{"no-backup", false, NEEDLESS, NULL},
	{"no-ssl", false, NEEDLESS, NULL},
	{"id", true, NEEDLESS, NULL},
	{"verify", true, NEEDLESS, NULL},
	{"ca-file", true, NEEDLESS, NULL},
	{"crt", true, NEEDLESS, NULL},
	{"sni", true, NEEDLESS, NULL},
	{"alpn", true, NEEDLESS, NULL},
	{"check-alpn", true, NEEDLESS, NULL},
	{"ssl-min-ver", true, NEEDLESS, NULL},
	{"init-addr", true, NEEDLESS, NULL},
	{"pool-max-conn", true, NEEDLESS, NULL},
	{"pool-purge-delay", true, NEEDLESS, NULL},
	{"tfo", false, NEEDLESS, NULL},
	{"check-sni", true, LEFT_OUT, "sni: of the check"},
	{"addr", true, LEFT_OUT, OWN_CHECK},
	{"proto", true, LEFT_OUT, INSIDE},
	{"check-proto", true, LEFT_OUT, "type: http2 of the check"},
	{"check-send-proxy", false, LEFT_OUT, "probes say nothing before they ask"},
	{"check-via-socks4", false, LEFT_OUT, "probes go straight"},
	{"socks4", true, LEFT_OUT, "packets go straight to servers"},
	{"cookie", true, LEFT_OUT, INSIDE ": affinity: source keeps sources together"},
	{"maxconn", true, LEFT_OUT, NO_COUNT},
	{"minconn", true, LEFT_OUT, NO_COUNT},
	{"maxqueue", true, LEFT_OUT, NO_COUNT},
	{"track", true, LEFT_OUT, "one probe serves all services that ask the same"},
	{"observe", true, LEFT_OUT, PASSIVE},
	{"on-error", true, LEFT_OUT, PASSIVE},
	{"error-limit", true, LEFT_OUT, PASSIVE},
	{"on-marked-down", true, LEFT_OUT, "connections of a backend that is down go to others"},
	{"on-marked-up", true, LEFT_OUT, "backups keep the connections that they have"},
	{"agent-addr", true, LEFT_OUT, OWN_CHECK},
	{"agent-send", true, LEFT_OUT, "send: of the check"},
	{"resolvers", true, LEFT_OUT, "names are not looked up"},
	{"resolve-prefer", true, LEFT_OUT, "names are not looked up"},
	{"source", true, LEFT_OUT, "nat_pool: of the service"},
	{"usesrc", true, LEFT_OUT, "forward: masq, where servers see the client"},
	{"redir", true, LEFT_OUT, INSIDE},
	{"ws", true, LEFT_OUT, INSIDE},
	{"namespace", true, LEFT_OUT, "a shuntd in that namespace"},
	{"tcp-ut", true, LEFT_OUT, "shunt is not in the connection"},
	{"log-proto", true, LEFT_OUT, "shunt is not in the connection"},
	{NULL, false, LEFT_OUT, "shunt has nothing like it"},
};

/* Of servers, which defaults are not. */
static void apply_to_backend(struct convert_backend *b, enum option option, const char *value)
{
	if (option == WEIGHT)
		b->weight = convert_number(value, 256, 1);
	else if (option == BACKUP)
		b->backup = true;
	else if (option == DISABLED)
		b->off = true;
}

static void apply(struct haproxy_section *s, enum option option, const char *value)
{
	struct convert_check *k = &s->service.check;

	if (option == INTER)
		k->interval_ms = haproxy_milliseconds(value);
	else if (option == FASTINTER)
		k->fast_ms = haproxy_milliseconds(value);
	else if (option == DOWNINTER)
		k->down_ms = haproxy_milliseconds(value);
	else if (option == FALL)
		k->fall = convert_number(value, 100, 3);
	else if (option == RISE)
		k->rise = convert_number(value, 100, 2);
	else if (option == PORT)
		k->port = convert_number(value, 65535, 0);
	else if (option == SLOWSTART)
		s->service.slow_start_s = haproxy_milliseconds(value) / 1000;
	else if (option == AGENT_PORT)
		s->agent_port = convert_number(value, 65535, 0);
	else if (option == CHECK)
		s->checks = true;
	else if (option == TLS || option == ENCRYPTED)
		s->tls = true;
}

static void remark(struct haproxy *r, unsigned int line, const char *w, enum option option,
		   const char *instead)
{
	if (strncmp(w, "send-proxy", 10) == 0)
		convert_remark(
			r->c, line,
			"%s: shunt is not in the connection; with dsr, ipip, gue and masq servers "
			"see the client itself",
			w);
	else if (option == ENCRYPTED)
		convert_remark(r->c, line,
			       "ssl of a server: shunt is not in the connection: clients have to "
			       "speak TLS with servers themselves");
	else if (option == LEFT_OUT)
		convert_remark(r->c, line, "%s of a server: not carried over: %s", w, instead);
}

static void read_options(struct haproxy *r, const struct convert_line *l, size_t i,
			 struct convert_backend *b)
{
	for (; i < l->n; i++) {
		const char *w = l->words[i];
		size_t k = 0;

		while (options[k].name && strcmp(options[k].name, w) != 0)
			k++;
		i += options[k].has_value;
		remark(r, l->number, w, options[k].option, options[k].instead);
		apply(r->at, options[k].option, haproxy_word(l, i));
		if (b)
			apply_to_backend(b, options[k].option, haproxy_word(l, i));
	}
}

void haproxy_read_default_server(struct haproxy *r, const struct convert_line *l)
{
	read_options(r, l, 1, NULL);
}

/* A server by @name at word @at; NULL: left out, with a remark. */
static struct convert_backend *read_server(struct haproxy *r, const struct convert_line *l,
					   const char *name, size_t at)
{
	struct haproxy_section *s = r->at;
	struct convert_backend *b;

	if (!s->back) {
		convert_remark(r->c, l->number, "%s: it is no part of this section",
			       haproxy_word(l, 0));
		return NULL;
	}
	b = convert_add_backend(r->c, &s->service);
	snprintf(b->name, sizeof(b->name), "%.63s", name);
	if (haproxy_endpoint(haproxy_word(l, at), &b->addr, &b->port)) {
		read_options(r, l, at + 1, b);
		return b;
	}
	convert_remark(r->c, l->number,
		       "%s %s: %s is no address: left out; write its address, or let something "
		       "that looks names up write a backends_file",
		       haproxy_word(l, 0), name, haproxy_word(l, at));
	s->service.n_backends -= s->service.n_backends > 0;
	return NULL;
}

void haproxy_read_server(struct haproxy *r, const struct convert_line *l)
{
	read_server(r, l, haproxy_word(l, 1), 2);
}

/* "server-template PREFIX 5|3-7 NAME:PORT": so many servers, which share the addresses that the name has. An
 * address is the same for all of them. */
void haproxy_read_server_template(struct haproxy *r, const struct convert_line *l)
{
	const char *prefix = haproxy_word(l, 1);
	unsigned int low = 1, high = 0;
	char name[SHUNT_NAME_MAX], rest;
	struct convert_backend *b;

	if (sscanf(haproxy_word(l, 2), "%u-%u%c", &low, &high, &rest) != 2 || high < low) {
		low = 1;
		high = convert_number(haproxy_word(l, 2), 65535, 0);
	}
	if (high == 0) {
		convert_remark(r->c, l->number,
			       "server-template %s %s: neither a number nor a range: left out",
			       prefix, haproxy_word(l, 2));
		return;
	}
	snprintf(name, sizeof(name), "%.50s%u", prefix, low);
	b = read_server(r, l, name, 3);
	if (!b || high == low)
		return;
	b->weight = b->weight * (high - low + 1) < 1000 ? b->weight * (high - low + 1) : 1000;
	convert_remark(r->c, l->number,
		       "server-template %s: the %u servers at one address are one backend with the "
		       "weight of all: shunt takes an address once",
		       prefix, high - low + 1);
}

void haproxy_read_dispatch(struct haproxy *r, const struct convert_line *l)
{
	read_server(r, l, "", 1);
}
