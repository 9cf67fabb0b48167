/* SPDX-License-Identifier: BSD-2-Clause */
/* Sections of an haproxy.cfg, for the files that read their lines. Its keywords: HAProxy's Configuration
 * Manual, chapters 4, 5 and 7. */
#ifndef SHUNT_CONVERT_HAPROXY_H
#define SHUNT_CONVERT_HAPROXY_H

#include "pure/convert.h"

#define HAPROXY_BINDS 64
#define HAPROXY_CONDITION_MAX 512

struct haproxy_bind {
	struct addr vip; /* none: all addresses */
	uint16_t port, last_port; /* last_port 0: one */
	unsigned int line;
};

/* As read; what is not said in it stands in the defaults before. */
struct haproxy_section {
	char name[SHUNT_NAME_MAX];
	bool defaults, front, back; /* a listen section is both of these */
	bool http; /* mode */
	bool transparent; /* servers see the client's address */
	bool tls; /* to the servers, or of their checks */
	struct haproxy_bind binds[HAPROXY_BINDS];
	size_t n_binds;
	char to[SHUNT_NAME_MAX]; /* default_backend */
	struct convert_service service; /* but for the address */
	bool checks; /* a server has `check` */
	uint32_t agent_port; /* one has `agent-check`; 0: none */
	size_t remarks; /* that there were before it */
};

/* An acl or a use_backend. */
struct haproxy_rule {
	const struct haproxy_section *of;
	bool is_acl, unless, always;
	unsigned int line;
	char name[SHUNT_NAME_MAX]; /* of the acl, or the backend */
	char condition[HAPROXY_CONDITION_MAX];
};

/* One run. */
struct haproxy {
	struct convert *c;
	struct haproxy_section *list; /* the first one is what holds without defaults */
	size_t n;
	struct haproxy_section *at; /* that lines belong to; NULL: global and the like */
	struct haproxy_section *defaults; /* the last ones */
	struct haproxy_rule *rules;
	size_t n_rules;
};

struct haproxy_keyword {
	const char *name;
	void (*read)(struct haproxy *r, const struct convert_line *l);
};

/* Word @i, "" where there is none. */
const char *haproxy_word(const struct convert_line *l, size_t i);
/* "2s", "500", "1m": without a unit milliseconds. */
uint32_t haproxy_milliseconds(const char *text);
/* Behind "ipv4@" and the like. */
const char *haproxy_behind_family(const char *text);
/* "10.0.0.1:80", "ipv6@2001:db8::1:80", "[2001:db8::1]:80"; a port is 0 where none is. */
bool haproxy_endpoint(const char *text, struct addr *addr, uint16_t *port);

/* Each reads a line of r->at. */
void haproxy_read_bind(struct haproxy *r, const struct convert_line *l);
void haproxy_read_server(struct haproxy *r, const struct convert_line *l);
void haproxy_read_server_template(struct haproxy *r, const struct convert_line *l);
void haproxy_read_default_server(struct haproxy *r, const struct convert_line *l);
void haproxy_read_dispatch(struct haproxy *r, const struct convert_line *l);
void haproxy_read_option(struct haproxy *r, const struct convert_line *l);
void haproxy_read_http_check(struct haproxy *r, const struct convert_line *l);
void haproxy_read_tcp_check(struct haproxy *r, const struct convert_line *l);
void haproxy_read_external_check(struct haproxy *r, const struct convert_line *l);
void haproxy_read_acl(struct haproxy *r, const struct convert_line *l);
void haproxy_read_use_backend(struct haproxy *r, const struct convert_line *l);

/* The name of the backend that serves what comes to @b; remarks on conditions that nobody can tell
 * before there is a connection. Empty: that of @front itself. */
const char *haproxy_choose(struct haproxy *r, const struct haproxy_section *front,
			   const struct haproxy_bind *b);

#endif
