/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules as ipvsadm-save -n prints them, and what both spellings of IPVS share: keepalived's are in
 * convert_keepalived.c. Meaning of the options: ipvsadm(8). */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "pure/convert_ipvs.h"

const char *convert_ipvs_scheduler(struct convert *c, unsigned int line, const char *name)
{
	static const char *const same[] = {"rr", "wrr", "lc", "wlc", "sh", NULL};
	static const char *const near[] = {"sed", "nq", "lblc", "lblcr", "ovf", NULL};
	int i = convert_find(name, same);

	if (i >= 0)
		return same[i];
	if (strcmp(name, "mh") == 0)
		return "maglev";
	if (convert_find(name, near) >= 0) {
		convert_remark(c, line, "scheduler %s: taken for wlc", name);
		return "wlc";
	}
	convert_remark(c, line, "scheduler %s: there is none like it; maglev is taken", name);
	return "maglev";
}

/* Takes a value's word; "" where there is none. */
static const char *value(const struct convert_line *l, size_t *i)
{
	return *i + 1 < l->n ? l->words[++*i] : "";
}

/* The service that -t, -u or -f names; false: it is one that shunt cannot have. */
static bool read_service(const struct convert_line *l, struct convert_service *out)
{
	size_t i;

	*out = (struct convert_service){.line = l->number, .protocol = IPPROTO_TCP};
	for (i = 1; i + 1 < l->n; i++) {
		if (strcmp(l->words[i], "-t") != 0 && strcmp(l->words[i], "-u") != 0)
			continue;
		out->protocol = l->words[i][1] == 'u' ? IPPROTO_UDP : IPPROTO_TCP;
		return convert_endpoint(l->words[i + 1], &out->vip, &out->port);
	}
	return false;
}

static struct convert_service *find(struct convert *c, const struct convert_service *key)
{
	size_t i;

	for (i = 0; i < c->n_services; i++)
		if (c->services[i].port == key->port && c->services[i].protocol == key->protocol &&
		    addr_compare(&c->services[i].vip, &key->vip) == 0)
			return &c->services[i];
	return NULL;
}

static void add_service(struct convert *c, const struct convert_line *l)
{
	struct convert_service key, *s;
	size_t i;

	if (!read_service(l, &key)) {
		convert_remark(c, l->number, "%s %s: neither TCP nor UDP at an address: left out",
			       l->words[1], l->n > 2 ? l->words[2] : "");
		return;
	}
	s = convert_add_service(c, l->number);
	*s = key;
	s->scheduler = "wlc"; /* ipvsadm's default */
	for (i = 1; i < l->n; i++) {
		const char *w = l->words[i];

		if (strcmp(w, "-t") == 0 || strcmp(w, "-u") == 0) {
			i++;
		} else if (strcmp(w, "-s") == 0) {
			s->scheduler = convert_ipvs_scheduler(c, l->number, value(l, &i));
		} else if (strcmp(w, "-p") == 0) {
			s->affinity_s = i + 1 < l->n && l->words[i + 1][0] != '-'
						? convert_number(value(l, &i), 1u << 30, 300)
						: 300;
		} else if (strcmp(w, "-M") == 0) {
			convert_remark(
				c, l->number,
				"netmask %s of the persistence: single sources are kept together",
				value(l, &i));
		} else {
			convert_remark(c, l->number, "%s: not carried over", w);
		}
	}
	if (s->protocol == IPPROTO_TCP && s->port)
		strcpy(s->check.kind, "tcp");
	convert_remark(c, l->number, "IPVS alone has no health checks: %s",
		       s->check.kind[0] ? "backends are asked for a TCP connection from now on"
					: "none is taken");
	if (!s->check.kind[0])
		strcpy(s->check.kind, "none");
}

static void read_tunnel(struct convert *c, const struct convert_line *l, struct convert_service *s,
			const char *type)
{
	if (strcmp(type, "gue") == 0 || strcmp(type, "gre") == 0)
		s->forward = strcmp(type, "gue") == 0 ? "gue" : "gre";
	else if (strcmp(type, "ipip") != 0)
		convert_remark(c, l->number, "--tun-type %s: taken for ipip", type);
}

static void set_forward(struct convert *c, unsigned int line, struct convert_service *s,
			const char *forward)
{
	if (s->forward && s->n_backends > 1 && strcmp(s->forward, forward) != 0)
		convert_remark(c, line, "backends differ in their method: %s holds for all",
			       forward);
	s->forward = forward;
}

static void read_backend_option(struct convert *c, const struct convert_line *l, size_t *i,
				struct convert_service *s, struct convert_backend *b)
{
	const char *w = l->words[*i];

	if (strcmp(w, "-g") == 0)
		set_forward(c, l->number, s, "dsr");
	else if (strcmp(w, "-i") == 0)
		set_forward(c, l->number, s, "ipip");
	else if (strcmp(w, "-m") == 0)
		set_forward(c, l->number, s, "masq");
	else if (strcmp(w, "-w") == 0)
		b->weight = convert_number(value(l, i), 65535, 1);
	else if (strcmp(w, "--tun-type") == 0)
		read_tunnel(c, l, s, value(l, i));
	else if (strcmp(w, "-x") == 0 || strcmp(w, "-y") == 0)
		convert_remark(c, l->number, "threshold %s %s: shunt has no limits of connections",
			       w, value(l, i));
	else
		convert_remark(c, l->number, "%s: not carried over", w);
}

static void add_backend(struct convert *c, const struct convert_line *l)
{
	struct convert_service key, *s = read_service(l, &key) ? find(c, &key) : NULL;
	struct convert_backend *b;
	size_t i;

	if (!s) {
		convert_remark(c, l->number, "a backend of no service that was carried over");
		return;
	}
	b = convert_add_backend(c, s);
	for (i = 1; i < l->n; i++) {
		if (strcmp(l->words[i], "-t") == 0 || strcmp(l->words[i], "-u") == 0) {
			i++;
		} else if (strcmp(l->words[i], "-r") == 0) {
			if (!convert_endpoint(value(l, &i), &b->addr, &b->port))
				convert_remark(c, l->number,
					       "%s is no address: ipvsadm-save -n prints "
					       "them",
					       l->words[i]);
		} else {
			read_backend_option(c, l, &i, s, b);
		}
	}
	if (addr_is_none(&b->addr))
		s->n_backends--;
}

void convert_ipvsadm(struct convert *c, const char *text)
{
	struct convert_line line = {0};

	while (convert_next_line(&text, &line, "#", "")) {
		const char *first = line.words[0];

		if (strcmp(first, "-A") == 0)
			add_service(c, &line);
		else if (strcmp(first, "-a") == 0)
			add_backend(c, &line);
		else
			convert_remark(c, line.number, "%s: no rule of ipvsadm-save", first);
	}
}
