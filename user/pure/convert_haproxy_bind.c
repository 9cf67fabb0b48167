/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines `bind` of HAProxy: where a service is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pure/convert_haproxy.h"

static void read_bind_options(struct haproxy *r, const struct convert_line *l)
{
	static const char *const with_value[] = {
		"name",	   "crt",    "alpn",   "ciphers", "id",	  "backlog", "mss",
		"process", "thread", "user",   "group",	  "mode", "level",   "ca-file",
		"verify",  "nice",   "shards", "tcp-ut",  NULL};
	static const char *const alone[] = {"v4v6", "v6only", "defer-accept", "tfo", NULL};
	size_t i;

	for (i = 2; i < l->n; i++) {
		const char *w = l->words[i];

		if (convert_find(w, with_value) >= 0)
			i++;
		else if (strcmp(w, "ssl") == 0)
			convert_remark(
				r->c, l->number,
				"ssl of a bind: shunt is not in the connection: servers have "
				"to speak TLS with clients themselves, or HAProxy behind it");
		else if (strcmp(w, "interface") == 0)
			convert_remark(r->c, l->number,
				       "interface %s of a bind: interfaces: of the whole "
				       "configuration has it",
				       haproxy_word(l, ++i));
		else if (convert_find(w, alone) < 0)
			convert_remark(r->c, l->number,
				       "%s of a bind: not carried over: shunt has nothing like it",
				       w);
	}
}

static bool is_any_address(const char *text, size_t len)
{
	static const char *const any[] = {"", "*", "0.0.0.0", "::", "[::]", NULL};
	size_t i;

	for (i = 0; any[i]; i++)
		if (strlen(any[i]) == len && strncmp(any[i], text, len) == 0)
			return true;
	return false;
}

/* "10.0.0.1:80", ":8000-8099", "2001:db8::1:443" */
static bool read_address(const char *text, struct haproxy_bind *b)
{
	const char *colon, *dash;
	uint32_t first, last;
	size_t len;

	text = haproxy_behind_family(text);
	colon = strrchr(text, ':');
	if (!colon)
		return false;
	dash = strchr(colon, '-');
	first = convert_number(colon + 1, 65535, dash ? (uint32_t)atoi(colon + 1) : 0);
	last = dash ? convert_number(dash + 1, 65535, 0) : first;
	if (!first || first > last)
		return false;
	b->port = (uint16_t)first;
	b->last_port = last > first ? (uint16_t)last : 0;
	len = (size_t)(colon - text);
	if (is_any_address(text, len))
		return true;
	if (*text == '[' && len > 2 && text[len - 1] == ']')
		return addr_parse(text + 1, len - 2, &b->vip) == 0;
	return addr_parse(text, len, &b->vip) == 0;
}

/* Several have commas between them. */
void haproxy_read_bind(struct haproxy *r, const struct convert_line *l)
{
	const char *text = haproxy_word(l, 1);
	struct haproxy_section *s = r->at;
	char one[CONVERT_WORD_MAX];

	do {
		const size_t n = strcspn(text, ",");
		struct haproxy_bind b = {.line = l->number};

		snprintf(one, sizeof(one), "%.*s", (int)n, text);
		text += n + (text[n] == ',');
		if (s->n_binds == HAPROXY_BINDS)
			convert_remark(r->c, l->number,
				       "more than %d binds in a section: this one is left out",
				       HAPROXY_BINDS);
		else if (!read_address(one, &b))
			convert_remark(r->c, l->number,
				       "bind %s: neither an address and port nor a range of "
				       "ports: left out",
				       one);
		else
			s->binds[s->n_binds++] = b;
	} while (*text);
	read_bind_options(r, l);
}
