/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules as ipvsadm-save -n prints them, or as commands in a script, and what both spellings of IPVS share:
 * keepalived's are in convert_keepalived.c. Meaning of the options: ipvsadm(8). */
#include "pure/convert_ipvs.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define GUE_PORT 6080
#define PERSISTENCE_S 300 /* ipvsadm's default */

/* ---- what both share ----------------------------------------------------------------------------*/

/* mh is maglev's table by the source's hash, which is sh here; by the flow's hash with mh-port. */
const char *convert_ipvs_scheduler(struct convert *c, unsigned int line, const char *name)
{
	static const char *const same[] = {"rr", "wrr", "lc", "wlc", "sh", NULL};
	static const char *const near[] = {"sed", "nq", "lblc", "lblcr", "ovf", "fo", "twos", NULL};
	int i = convert_find(name, same);

	if (i >= 0)
		return same[i];
	if (strcmp(name, "mh") == 0)
		return "sh";
	if (convert_find(name, near) >= 0) {
		convert_remark(c, line, "scheduler %s: taken for wlc", name);
		return "wlc";
	}
	convert_remark(c, line, "scheduler %s: there is none like it; maglev is taken", name);
	return "maglev";
}

void convert_ipvs_flag(struct convert *c, unsigned int line, const char *flag,
		       struct convert_service *s)
{
	static const char *const ports[] = {"sh-port", "mh-port", "flag-2", NULL};
	static const char *const fallbacks[] = {"sh-fallback", "mh-fallback", "flag-1", NULL};

	if (convert_find(flag, ports) >= 0)
		s->by_port = true;
	else if (convert_find(flag, fallbacks) < 0) /* so it is always here */
		convert_remark(c, line,
			       "flag %s of the scheduler: not carried over: shunt has "
			       "nothing like it",
			       flag);
}

void convert_ipvs_gue_port(struct convert *c, unsigned int line, const char *port)
{
	if (convert_number(port, 65535, GUE_PORT) != GUE_PORT)
		convert_remark(c, line,
			       "gue to port %s: shunt sends to %d: have backends take it "
			       "off there",
			       port, GUE_PORT);
}

/* ---- options ------------------------------------------------------------------------------------*/

/* Letters of options that have none are above those that have. */
enum { TUN_TYPE = 256, TUN_PORT, TUN_NOCSUM, TUN_CSUM, PE, SCTP, UNKNOWN };

static int option_of(const char *word)
{
	static const struct {
		const char *name;
		int option;
	} longer[] = {
		{"--add-service", 'A'},	  {"--add-server", 'a'},
		{"--tcp-service", 't'},	  {"--udp-service", 'u'},
		{"--sctp-service", SCTP}, {"--fwmark-service", 'f'},
		{"--scheduler", 's'},	  {"--sched-flags", 'b'},
		{"--persistent", 'p'},	  {"--netmask", 'M'},
		{"--real-server", 'r'},	  {"--gatewaying", 'g'},
		{"--ipip", 'i'},	  {"--masquerading", 'm'},
		{"--weight", 'w'},	  {"--u-threshold", 'x'},
		{"--l-threshold", 'y'},	  {"--ops", 'o'},
		{"--ipv6", '6'},	  {"--tun-type", TUN_TYPE},
		{"--tun-port", TUN_PORT}, {"--tun-nocsum", TUN_NOCSUM},
		{"--tun-csum", TUN_CSUM}, {"--pe", PE},
		{"--edit-service", 'A'},  {"--edit-server", 'a'},
		{"--numeric", 'n'},
	};
	size_t i;

	if (word[0] == '-' && word[1] && !word[2])
		return word[1] == 'E' ? 'A' : word[1] == 'e' ? 'a' : word[1];
	for (i = 0; i < sizeof(longer) / sizeof(longer[0]); i++)
		if (strcmp(longer[i].name, word) == 0)
			return longer[i].option;
	return UNKNOWN;
}

/* Takes a value's word; "" where there is none. */
static const char *value(const struct convert_line *l, size_t *i)
{
	return *i + 1 < l->n ? l->words[++*i] : "";
}

static void left_out(struct convert *c, const struct convert_line *l, const char *word)
{
	convert_remark(c, l->number, "%s: not carried over: shunt has nothing like it", word);
}

/* ---- services -----------------------------------------------------------------------------------*/

/* The service that -t, -u or -f names; false: it is one that shunt cannot have, with a remark if it is
 * @told to. */
static bool read_service(struct convert *c, const struct convert_line *l, bool told,
			 struct convert_service *out)
{
	size_t i;

	*out = (struct convert_service){.line = l->number, .protocol = IPPROTO_TCP};
	for (i = 0; i + 1 < l->n; i++) {
		const int option = option_of(l->words[i]);

		if (option == 'u')
			out->protocol = IPPROTO_UDP;
		if ((option == 't' || option == 'u') &&
		    convert_endpoint(l->words[i + 1], &out->vip, &out->port))
			return true;
		if (told && option == 'f')
			convert_remark(c, l->number, CONVERT_FWMARK, l->words[i + 1]);
		else if (told && (option == 't' || option == 'u'))
			convert_remark(c, l->number,
				       "%s is no address and port: ipvsadm-save -n prints them",
				       l->words[i + 1]);
		else if (told && option == SCTP)
			convert_remark(c, l->number, "%s: shunt knows TCP and UDP: left out",
				       l->words[i + 1]);
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

/* "sh-port,sh-fallback" */
static void read_flags(struct convert *c, unsigned int line, const char *flags,
		       struct convert_service *s)
{
	char one[64];

	while (*flags) {
		const size_t n = strcspn(flags, ",");

		snprintf(one, sizeof(one), "%.*s", (int)(n < 63 ? n : 63), flags);
		convert_ipvs_flag(c, line, one, s);
		flags += n + (flags[n] == ',');
	}
}

static void read_service_option(struct convert *c, const struct convert_line *l, size_t *i,
				struct convert_service *s)
{
	const char *w = l->words[*i];

	switch (option_of(w)) {
	case 't':
	case 'u':
		++*i;
		break;
	case 's':
		s->scheduler = convert_ipvs_scheduler(c, l->number, value(l, i));
		break;
	case 'b':
		read_flags(c, l->number, value(l, i), s);
		break;
	case 'p':
		s->affinity_s = PERSISTENCE_S;
		if (*i + 1 < l->n && l->words[*i + 1][0] != '-')
			s->affinity_s = convert_number(value(l, i), 1u << 30, PERSISTENCE_S);
		break;
	case 'M':
		s->source_bits = convert_mask_bits(value(l, i));
		break;
	case 'o':
		s->stateless = true;
		break;
	case PE:
		convert_remark(c, l->number,
			       "%s %s: not carried over: affinity: source knows sources alone", w,
			       value(l, i));
		break;
	case '6':
	case 'n':
		break;
	default:
		left_out(c, l, w);
	}
}

static void add_service(struct convert *c, const struct convert_line *l, size_t i)
{
	struct convert_service key, *s;

	if (!read_service(c, l, true, &key))
		return;
	s = convert_add_service(c, l->number);
	*s = key;
	s->scheduler = "wlc"; /* ipvsadm's default */
	for (i++; i < l->n; i++)
		read_service_option(c, l, &i, s);
	if (s->protocol == IPPROTO_TCP && s->port)
		strcpy(s->check.kind, "tcp");
	convert_remark(c, l->number, "IPVS alone has no health checks: %s",
		       s->check.kind[0] ? "backends are asked for a TCP connection from now on"
					: "none is taken; see check: in shunt.yaml(5)");
	if (!s->check.kind[0])
		strcpy(s->check.kind, "none");
}

/* ---- servers ------------------------------------------------------------------------------------*/

static void read_tunnel(struct convert *c, const struct convert_line *l, struct convert_backend *b,
			const char *type)
{
	if (strcmp(type, "gue") == 0 || strcmp(type, "gre") == 0)
		b->forward = strcmp(type, "gue") == 0 ? "gue" : "gre";
	else if (strcmp(type, "ipip") != 0)
		convert_remark(c, l->number, "--tun-type %s: taken for ipip", type);
}

static void read_backend_option(struct convert *c, const struct convert_line *l, size_t *i,
				struct convert_service *s, struct convert_backend *b)
{
	const char *w = l->words[*i];
	const int option = option_of(w);

	switch (option) {
	case 't':
	case 'u':
		++*i;
		break;
	case 'r':
		if (!convert_endpoint(value(l, i), &b->addr, &b->port))
			convert_remark(c, l->number,
				       "%s is no address: ipvsadm-save -n prints them",
				       l->words[*i]);
		break;
	case 'g':
		b->forward = "dsr";
		break;
	case 'i':
		b->forward = "ipip";
		break;
	case 'm':
		b->forward = "masq";
		break;
	case 'w':
		b->weight = convert_number(value(l, i), 65535, 1);
		break;
	case TUN_TYPE:
		read_tunnel(c, l, b, value(l, i));
		break;
	case TUN_PORT:
		convert_ipvs_gue_port(c, l->number, value(l, i));
		break;
	case TUN_NOCSUM:
		s->gue_zero = true;
		break;
	case TUN_CSUM:
		break;
	case 'x':
	case 'y':
		convert_remark(c, l->number,
			       "threshold %s %s: shunt counts no connections to refuse any: rate: "
			       "limits new ones",
			       w, value(l, i));
		break;
	default:
		left_out(c, l, w);
	}
}

static void add_backend(struct convert *c, const struct convert_line *l, size_t i)
{
	struct convert_service key, *s = read_service(c, l, false, &key) ? find(c, &key) : NULL;
	struct convert_backend *b;

	if (!s) {
		convert_remark(c, l->number, "a backend of no service that was carried over");
		return;
	}
	b = convert_add_backend(c, s);
	b->forward = "dsr"; /* ipvsadm's default */
	for (i++; i < l->n; i++)
		read_backend_option(c, l, &i, s, b);
	if (addr_is_none(&b->addr))
		s->n_backends--;
	else if (!s->forward)
		s->forward = b->forward;
}

void convert_ipvsadm(struct convert *c, const char *text)
{
	struct convert_line line = {0};

	while (convert_next_line(&text, &line, "#", "")) {
		const char *name = strrchr(line.words[0], '/');
		const size_t first =
			strcmp(name ? name + 1 : line.words[0], "ipvsadm") == 0 && line.n > 1;

		if (option_of(line.words[first]) == 'A')
			add_service(c, &line, first);
		else if (option_of(line.words[first]) == 'a')
			add_backend(c, &line, first);
		else
			convert_remark(c, line.number, "%s: no rule of ipvsadm-save",
				       line.words[first]);
	}
}
