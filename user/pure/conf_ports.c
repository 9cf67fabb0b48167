/* SPDX-License-Identifier: BSD-2-Clause */
/* What packets a service is for: an address or a prefix, and ports. */
#include "pure/conf_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "pure/lookup.h"

#define PORT_MAX 65535

/* ---- vip ---------------------------------------------------------------------------------------*/

/* Shorter ones would take what this host itself needs. */
int conf_read_vip(struct conf_load *l, const struct conf_node *node, struct conf_service *s)
{
	static const struct conf_prefix_bounds bounds = {"vip", 8, 16};
	struct conf_piece piece;
	int rc = conf_node_piece(l, node, "vip", &piece);

	if (rc == 0)
		rc = conf_read_prefix(l, &bounds, &piece, &s->vip, &s->vip_bits);
	if (rc < 0 || !addr_is_unusable(&s->vip))
		return rc;
	return conf_piece_fail(l, &piece,
			       "vip %s cannot be used; allowed are unicast addresses, not "
			       "unspecified, loopback, link-local, multicast or broadcast ones",
			       QUOTE(piece.text, piece.len));
}

/* ---- port --------------------------------------------------------------------------------------*/

#define PORTS_ALLOWED "allowed are 1 to 65535, a range like 8000-8099, a list of these, or any"

/* Reads the number that @piece begins with from *at on, which moves past it. */
static int read_port(struct conf_load *l, const struct conf_piece *piece, size_t *at, uint16_t *out)
{
	const struct conf_piece rest = {piece->pos, piece->text + *at, piece->len - *at};
	uint64_t value;
	size_t digits = conf_piece_digits(&rest, &value);

	if (digits == 0)
		return conf_piece_fail(l, piece, "port %s is not a port; " PORTS_ALLOWED,
				       QUOTE(piece->text, piece->len));
	if (value < 1 || value > PORT_MAX)
		return conf_piece_fail(l, piece, "port %s is out of range; " PORTS_ALLOWED,
				       QUOTE(piece->text, piece->len));
	*at += digits;
	*out = (uint16_t)value;
	return 0;
}

static int read_range(struct conf_load *l, const struct conf_piece *piece, struct conf_ports *out)
{
	size_t at = 0;
	int rc = read_port(l, piece, &at, &out->from);

	out->pos = piece->pos;
	out->to = out->from;
	if (rc == 0 && at < piece->len && piece->text[at] == '-') {
		at++;
		rc = read_port(l, piece, &at, &out->to);
	}
	if (rc < 0)
		return rc;
	if (at != piece->len)
		return conf_piece_fail(l, piece, "port %s is not a port; " PORTS_ALLOWED,
				       QUOTE(piece->text, piece->len));
	if (out->from > out->to)
		return conf_piece_fail(l, piece,
				       "port range %s begins behind its end; write \"%u-%u\"",
				       QUOTE(piece->text, piece->len), out->to, out->from);
	return 0;
}

static int read_item(struct conf_load *l, const struct conf_node *node, struct conf_service *s)
{
	struct conf_piece piece;
	int rc = conf_node_piece(l, node, "port", &piece);

	if (rc < 0)
		return rc;
	if (conf_piece_is(&piece, "any"))
		return conf_piece_fail(
			l, &piece,
			"\"any\" in a list of ports; it stands alone: write \"port: any\"");
	return read_range(l, &piece, &s->ports[s->n_ports++]);
}

static int by_port(const void *a, const void *b)
{
	const struct conf_ports *x = a, *y = b;

	if (x->from != y->from)
		return x->from - y->from;
	if (x->pos.line != y->pos.line)
		return x->pos.line < y->pos.line ? -1 : 1;
	return (x->pos.column > y->pos.column) - (x->pos.column < y->pos.column);
}

/* "80" or "8000-8099" */
struct range_text {
	char text[16];
};

static const char *range_format(struct range_text *out, uint32_t from, uint32_t to)
{
	if (from == to)
		snprintf(out->text, sizeof(out->text), "%u", from);
	else
		snprintf(out->text, sizeof(out->text), "%u-%u", from, to);
	return out->text;
}

#define RANGE(from, to) range_format(&(struct range_text){{0}}, from, to)

static int check_list(struct conf_load *l, const struct conf_service *s)
{
	auto_free struct conf_ports *sorted = calloc(s->n_ports, sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	memcpy(sorted, s->ports, s->n_ports * sizeof(*sorted));
	qsort(sorted, s->n_ports, sizeof(*sorted), by_port);
	for (size_t i = 1; i < s->n_ports; i++) {
		const struct conf_ports *a = &sorted[i - 1], *b = &sorted[i];

		if (b->from <= a->to)
			return conf_complain(
				l->err, &b->pos,
				"port %s is in the list already, by %s in line %u, column "
				"%u; each port once; remove one",
				RANGE(b->from, b->to), RANGE(a->from, a->to), a->pos.line,
				a->pos.column);
	}
	return 0;
}

static int read_list(struct conf_load *l, const struct conf_node *node, struct conf_service *s)
{
	const struct conf_node *list = conf_node_resolve(node);
	int rc = 0;

	if (list->n == 0 || list->n > CONF_PORTS_MAX)
		return conf_fail(
			l, node,
			"port is a list of %u items; allowed are 1 to %d; write ranges for "
			"ports in a row, or \"any\"",
			list->n, CONF_PORTS_MAX);
	s->ports = calloc(list->n, sizeof(*s->ports));
	if (!s->ports)
		return -ENOMEM;
	for (const struct conf_node *item = list->first; item && rc == 0; item = item->next)
		rc = read_item(l, item, s);
	return rc < 0 ? rc : check_list(l, s);
}

int conf_read_ports(struct conf_load *l, const struct conf_node *node, struct conf_service *s)
{
	struct conf_piece piece;
	int rc;

	if (conf_node_resolve(node)->kind == CONF_NODE_LIST) {
		rc = read_list(l, node, s);
	} else {
		rc = conf_node_piece(l, node, "port", &piece);
		if (rc < 0 || conf_piece_is(&piece, "any"))
			return rc;
		s->ports = calloc(1, sizeof(*s->ports));
		if (!s->ports)
			return -ENOMEM;
		s->n_ports = 1;
		rc = read_range(l, &piece, s->ports);
	}
	if (s->n_ports == 1 && s->ports[0].from == s->ports[0].to)
		s->port = s->ports[0].from;
	return rc;
}

const char *conf_ports_format(const struct conf_service *s, char out[static CONF_PORTS_TEXT_MAX])
{
	size_t used = 0;

	snprintf(out, CONF_PORTS_TEXT_MAX, "any");
	for (size_t i = 0; i < s->n_ports; i++) {
		const char *item = RANGE(s->ports[i].from, s->ports[i].to);
		bool last = i + 1 == s->n_ports;

		/* room for itself, a comma and, unless it is the last, "..." and a comma */
		if (used + strlen(item) + (last ? 2 : 6) > CONF_PORTS_TEXT_MAX) {
			snprintf(out + used, CONF_PORTS_TEXT_MAX - used, ",...");
			return out;
		}
		used += (size_t)sprintf(out + used, "%s%s", i ? "," : "", item);
	}
	return out;
}

/* ---- ports of all services ---------------------------------------------------------------------*/

/* What the ports of all services come to. */
struct all_ports {
	struct lookup_rule *rules;
	const struct conf_ports **ports; /* of each rule; NULL: any */
	size_t n;
};

static void add_ports(struct all_ports *all, const struct conf_service *s, uint32_t number)
{
	for (size_t i = 0; i < s->n_ports || i == 0; i++) {
		const struct conf_ports *p = s->n_ports ? &s->ports[i] : NULL;

		all->ports[all->n] = p;
		all->rules[all->n++] = (struct lookup_rule){
			.vip = s->vip,
			.vip_bits = s->vip_bits,
			.protocol = s->protocol,
			.from = p ? p->from : 0,
			.to = p ? p->to : 0,
			.service = number,
		};
	}
}

static int complain_of_clash(struct conf_load *l, const struct all_ports *all,
			     const size_t clash[static 2])
{
	const struct conf_service *a = &l->conf->services[all->rules[clash[0]].service];
	const struct conf_service *b = &l->conf->services[all->rules[clash[1]].service];
	const struct conf_ports *p = all->ports[clash[0]], *q = all->ports[clash[1]];
	char vip[ADDR_PREFIX_TEXT_MAX], text[ADDR_PREFIX_TEXT_MAX + 24];

	addr_prefix_format(&b->vip, b->vip_bits, vip);
	snprintf(text, sizeof(text), b->vip.family == 6 ? "[%s]:%s" : "%s:%s", vip,
		 q ? RANGE(q->from, q->to) : "any");
	if (!p || !q || (p->from == q->from && p->to == q->to))
		return conf_complain(l->err, &b->pos,
				     "%s/%s is service \"%s\" already, in line %u; vip, port and "
				     "protocol together are unique; change one of them",
				     text, conf_protocol_name(b->protocol), a->name, a->pos.line);
	return conf_complain(l->err, &q->pos,
			     "%s/%s has ports of service \"%s\", which has %s in line %u, column "
			     "%u; a port of an address belongs to one service; change one of them",
			     text, conf_protocol_name(b->protocol), a->name, RANGE(p->from, p->to),
			     p->pos.line, p->pos.column);
}

static size_t ports_of(const struct conf_service *s)
{
	size_t ports = 0;

	for (size_t i = 0; i < s->n_ports; i++)
		ports += s->ports[i].to - s->ports[i].from + 1u;
	return ports;
}

int conf_check_ports(struct conf_load *l)
{
	const struct conf *c = l->conf;
	size_t room = 1, written_out = 0, clash[2];
	auto_free struct lookup_rule *rules = NULL;
	auto_free const struct conf_ports **ports = NULL;
	struct all_ports all = {0};
	int rc;

	for (size_t i = 0; i < c->n_services; i++) {
		const struct conf_service *s = &c->services[i];

		room += s->n_ports + 1;
		written_out += ports_of(s) <= LOOKUP_WRITTEN_OUT ? ports_of(s) : s->n_ports;
		if (written_out > CONF_PORTS_WRITTEN_OUT_MAX)
			return conf_complain(
				l->err, &s->pos,
				"the services up to here have more than %u ports; use "
				"\"port: any\", or ranges of more than %d ports, which "
				"are kept as ranges",
				CONF_PORTS_WRITTEN_OUT_MAX, LOOKUP_WRITTEN_OUT);
	}
	all.rules = rules = calloc(room, sizeof(*rules));
	all.ports = ports = calloc(room, sizeof(*ports));
	if (!rules || !ports)
		return -ENOMEM;
	for (size_t i = 0; i < c->n_services; i++)
		add_ports(&all, &c->services[i], (uint32_t)i);
	rc = lookup_check(rules, all.n, clash);
	return rc == -EEXIST ? complain_of_clash(l, &all, clash) : rc;
}
