/* SPDX-License-Identifier: BSD-2-Clause */
/* virtual_server and virtual_server_group blocks of keepalived.conf(5). */
#include "pure/convert_keepalived.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "pure/convert_expand.h"
#include "pure/convert_ipvs.h"

/* A virtual_server that is being read. */
struct virtual
{
	struct convert_service *s;
	struct convert_check inherited; /* by its servers and their checks */
	unsigned int check_line; /* of the check that holds; 0: none yet */
	unsigned int protocol_line; /* the same of the protocol */
	char group[SHUNT_NAME_MAX]; /* empty: it has an address */
};

/* ---- statements ---------------------------------------------------------------------------------*/

enum keepalived_statement keepalived_next(struct keepalived *r, struct keepalived_words *w)
{
	w->n = 0;
	while (r->next >= r->line.n) {
		r->next = 0;
		if (!convert_next_line(&r->at, &r->line, "#!", "{}"))
			return KEEPALIVED_ENDS;
	}
	w->line = r->line.number;
	while (r->next < r->line.n) {
		const char *word = r->line.words[r->next];

		if (strcmp(word, "}") == 0) {
			r->next += w->n == 0;
			return w->n ? KEEPALIVED_PLAIN : KEEPALIVED_CLOSES;
		}
		r->next++;
		if (strcmp(word, "{") == 0)
			return KEEPALIVED_OPENS;
		w->word[w->n++] = word;
	}
	return KEEPALIVED_PLAIN;
}

void keepalived_skip(struct keepalived *r)
{
	struct keepalived_words w;
	int depth = 1;

	while (depth > 0) {
		enum keepalived_statement s = keepalived_next(r, &w);

		if (s == KEEPALIVED_ENDS)
			return;
		depth += s == KEEPALIVED_OPENS ? 1 : s == KEEPALIVED_CLOSES ? -1 : 0;
	}
}

const char *keepalived_word(const struct keepalived_words *w, size_t i)
{
	return i < w->n ? w->word[i] : "";
}

bool keepalived_is(const struct keepalived_words *w, const char *key)
{
	return w->n > 0 && strcmp(w->word[0], key) == 0;
}

void keepalived_left_out(struct keepalived *r, const struct keepalived_words *w, const char *of)
{
	static const struct {
		const char *key, *instead;
	} known[] = {
		{"vrrp_instance",
		 "keep keepalived for it, or announce services: configs/anycast.yaml"},
		{"vrrp_sync_group", "keep keepalived for it"},
		{"vrrp_script", "keep keepalived for it"},
		{"notify_up", "notify: of the whole configuration tells of all that changes"},
		{"notify_down", "notify: of the whole configuration tells of all that changes"},
		{"quorum_up", "notify: of the whole configuration tells of all that changes"},
		{"quorum_down", "notify: of the whole configuration tells of all that changes"},
		{"smtp_alert", "notify: of the whole configuration tells of all that changes"},
		{"uthreshold", "shunt counts no connections to refuse any: rate: limits new ones"},
		{"lthreshold", "shunt counts no connections to refuse any: rate: limits new ones"},
		{"hysteresis", "flap: of a check holds down what comes and goes"},
		{"alpha",
		 "backends of shunt are down until they have answered, but at its first start"},
		{"omega", "shunt goes on forwarding when its daemon ends"},
		{"inhibit_on_failure",
		 "connections of a backend that is down go to others; shunt drain keeps them"},
		{"sorry_server_inhibit", "connections of a backend that is down go to others"},
		{"digest", "expect: or expect_regex: of the check look into the reply"},
		{"regex_no_match", "write an expect_regex: with (?!...)"},
		{"connect_ip", "a check of another address is one of checks: with address:, which "
			       "services name in needs:"},
		{"host", "a check of another address is one of checks: with address:, which "
			 "services name in needs:"},
		{"misc_dynamic", "a check of type agent says weights"},
		{"user", "programs run as probe_user"},
		{"BFD_CHECK", "a tcp check is made: interval: and timeout: make it quick"},
		{"FILE_CHECK", "a tcp check is made; type: exec can look into a file"},
		{"include", "keepalived, too, reads none behind a condition or a parameter"},
		{"persistence_engine", "affinity: source knows sources alone"},
		{"ha_suspend", "shunt checks backends always"},
		{"SSL", "ca:, cert: and key: of the check"},
		{"static_ipaddress", "ip address does it"},
		{"static_routes", "ip route does it"},
		{NULL, NULL},
	};
	const char *key = keepalived_word(w, 0);
	size_t i = 0;

	while (known[i].key && strcmp(known[i].key, key) != 0)
		i++;
	if (known[i].key)
		convert_remark(r->c, w->line, "%s%s: not carried over: %s", key, of,
			       known[i].instead);
	else if (*key == '@')
		convert_remark(r->c, w->line,
			       "%s: not carried over: --config-id says which host it is for", key);
	else if (*key == '$' || *key == '~')
		convert_remark(r->c, w->line, "%s: not carried over: write the lines out", key);
	else
		convert_remark(r->c, w->line, "%s%s: not carried over: shunt has nothing like it",
			       key, of);
}

/* ---- servers ------------------------------------------------------------------------------------*/

static bool read_backend_address(struct keepalived *r, const struct keepalived_words *w,
				 struct convert_backend *b)
{
	const char *text = keepalived_word(w, 1);

	if (addr_parse(text, strlen(text), &b->addr) < 0) {
		convert_remark(r->c, w->line, "%s %s is no address: left out; write the address",
			       keepalived_word(w, 0), text);
		return false;
	}
	b->port = (uint16_t)convert_number(keepalived_word(w, 2), 65535, 0);
	return true;
}

/* `DR`, `NAT`, `TUN type gue port 6080 nocsum`; NULL: there is none like it. */
static const char *read_method(struct keepalived *r, const struct keepalived_words *w,
			       struct convert_service *s)
{
	static const char *const methods[] = {"DR", "TUN", "NAT", NULL};
	static const char *const ours[] = {"dsr", "ipip", "masq"};
	static const char *const tunnels[] = {"ipip", "gue", "gre", NULL};
	const int i = convert_find(keepalived_word(w, 1), methods);
	size_t k;
	int tunnel = 0;

	if (i != 1) {
		if (i < 0)
			convert_remark(r->c, w->line,
				       "method %s: there is none like it; ipip is taken",
				       keepalived_word(w, 1));
		return i < 0 ? NULL : ours[i];
	}
	for (k = 2; k < w->n; k++) {
		if (convert_find(w->word[k], tunnels) >= 0)
			tunnel = convert_find(w->word[k], tunnels);
		else if (strcmp(w->word[k], "nocsum") == 0)
			s->gue_zero = tunnel == 1;
		else if (strcmp(w->word[k], "port") == 0)
			convert_ipvs_gue_port(r->c, w->line, keepalived_word(w, ++k));
	}
	return tunnels[tunnel];
}

/* One check holds for all servers of a service, the first one. */
static void take_check(struct keepalived *r, unsigned int line, struct virtual *v,
		       const struct convert_check *k)
{
	if (!v->check_line) {
		v->check_line = line;
		v->s->check = *k;
	} else if (memcmp(k, &v->s->check, sizeof(*k)) != 0) {
		convert_remark(r->c, line,
			       "this check is another one than that of line %u, which all "
			       "backends of a service have: both by name, checks: { all: [A, B] } "
			       "or { any: [A, B] }, or a service of its own",
			       convert_place(r->c, v->check_line).line);
	}
}

static void read_real_server(struct keepalived *r, const struct keepalived_words *opening,
			     struct virtual *v)
{
	struct convert_backend *b = convert_add_backend(r->c, v->s);
	const bool good = read_backend_address(r, opening, b);
	struct convert_check inherited = v->inherited;
	enum keepalived_statement kind;
	struct keepalived_words w;

	while ((kind = keepalived_next(r, &w)) == KEEPALIVED_PLAIN || kind == KEEPALIVED_OPENS) {
		struct convert_check k = inherited;
		const unsigned int line = w.line;

		if (kind == KEEPALIVED_OPENS) {
			if (keepalived_read_check(r, &w, &k))
				take_check(r, line, v, &k);
		} else if (keepalived_is(&w, "weight")) {
			b->weight = convert_number(keepalived_word(&w, 1), 65535, 1);
		} else if (keepalived_is(&w, "lvs_method") || keepalived_is(&w, "lb_kind")) {
			b->forward = read_method(r, &w, v->s);
		} else if (!keepalived_read_common(&w, &inherited)) {
			keepalived_left_out(r, &w, " of a real_server");
		}
	}
	v->s->n_backends -= !good;
}

static void read_sorry_server(struct keepalived *r, const struct keepalived_words *w,
			      struct convert_service *s)
{
	struct convert_backend *b = convert_add_backend(r->c, s);

	b->backup = true;
	s->n_backends -= !read_backend_address(r, w, b);
}

/* ---- services -----------------------------------------------------------------------------------*/

static uint8_t read_protocol(struct keepalived *r, const struct keepalived_words *w)
{
	if (strcmp(keepalived_word(w, 1), "UDP") == 0)
		return IPPROTO_UDP;
	if (strcmp(keepalived_word(w, 1), "TCP") == 0)
		return IPPROTO_TCP;
	convert_remark(r->c, w->line, "protocol %s: shunt knows TCP and UDP",
		       keepalived_word(w, 1));
	return 0;
}

/* Flags of schedulers; false: it is none of them. */
static bool read_flag(struct keepalived *r, const struct keepalived_words *w,
		      struct convert_service *s)
{
	static const char *const flags[] = {"flag-1",	   "flag-2",  "flag-3",	     "sh-port",
					    "sh-fallback", "mh-port", "mh-fallback", NULL};

	if (keepalived_is(w, "ops"))
		s->stateless = true;
	else if (convert_find(keepalived_word(w, 0), flags) >= 0)
		convert_ipvs_flag(r->c, w->line, keepalived_word(w, 0), s);
	else
		return false;
	return true;
}

static void read_service_key(struct keepalived *r, const struct keepalived_words *w,
			     struct virtual *v)
{
	struct convert_service *s = v->s;
	const char *value = keepalived_word(w, 1);

	if (keepalived_is(w, "lb_algo") || keepalived_is(w, "lvs_sched"))
		s->scheduler = convert_ipvs_scheduler(r->c, w->line, value);
	else if (keepalived_is(w, "lb_kind") || keepalived_is(w, "lvs_method"))
		s->forward = read_method(r, w, s);
	else if (keepalived_is(w, "protocol")) {
		v->protocol_line = w->line;
		s->protocol = read_protocol(r, w);
	} else if (keepalived_is(w, "quorum"))
		s->min_healthy = convert_number(value, 1000, 1);
	else if (keepalived_is(w, "persistence_timeout"))
		s->affinity_s = w->n > 1 ? convert_number(value, 1u << 30, 360) : 360;
	else if (keepalived_is(w, "persistence_granularity"))
		s->source_bits = convert_mask_bits(value);
	else if (keepalived_is(w, "sorry_server"))
		read_sorry_server(r, w, s);
	else if (keepalived_is(w, "sorry_server_lvs_method") && s->n_backends)
		s->backends[s->n_backends - 1].forward = read_method(r, w, s);
	else if (!read_flag(r, w, s) && !keepalived_read_common(w, &v->inherited))
		keepalived_left_out(r, w, "");
}

/* ---- groups -------------------------------------------------------------------------------------*/

/* "192.0.2.8/29" */
static bool read_prefix(const char *text, struct convert_service *out)
{
	const size_t n = strcspn(text, "/");

	if (!text[n] || addr_parse(text, n, &out->vip) < 0)
		return false;
	out->vip_bits = (uint8_t)convert_number(text + n + 1, addr_bits(&out->vip), 0);
	addr_clear_beyond(&out->vip, out->vip_bits);
	if (out->vip_bits == addr_bits(&out->vip))
		out->vip_bits = 0;
	else if (out->vip_bits < (out->vip.family == 4 ? 8 : 16))
		return false;
	return true;
}

/* The last 32 bits, which ranges are in. */
static uint32_t low_bits(const struct addr *a)
{
	uint32_t low;

	memcpy(&low, a->bytes + (a->family == 4 ? 0 : 12), sizeof(low));
	return ntohl(low);
}

static void set_low_bits(struct addr *a, uint32_t low)
{
	low = htonl(low);
	memcpy(a->bytes + (a->family == 4 ? 0 : 12), &low, sizeof(low));
}

/* "192.0.2.3-10", "192.0.2.3-192.0.2.10", "2001:db8::2-9", "192.0.2.1": @first, and how
 * many more there are. */
static bool read_range(const char *text, struct addr *first, uint32_t *more)
{
	const size_t n = strcspn(text, "-");
	const char *rest = text + n + 1;
	struct addr last;
	uint32_t part;

	*more = 0;
	if (addr_parse(text, n, first) < 0)
		return false;
	if (!text[n])
		return true;
	last = *first;
	if (addr_parse(rest, strlen(rest), &last) < 0) {
		if (sscanf(rest, first->family == 4 ? "%u" : "%x", &part) != 1)
			return false;
		set_low_bits(&last, first->family == 4
					    ? (low_bits(first) & ~0xffu) | (part & 0xff)
					    : (low_bits(first) & ~0xffffu) | (part & 0xffff));
	}
	*more = low_bits(&last) - low_bits(first);
	set_low_bits(&last, low_bits(first));
	return addr_compare(first, &last) == 0 && *more < 1u << 24;
}

/* The fewest prefixes that hold @more addresses behind @first and that one, a service each. */
static void emit_range(struct keepalived *r, const struct convert_service *s, struct addr first,
		       uint32_t more, uint16_t port)
{
	uint64_t at = low_bits(&first), end = at + more + 1;

	while (at < end) {
		struct convert_service *copy = convert_copy_service(r->c, s);
		unsigned int bits = 0;

		while (bits < 24 && at % (2ull << bits) == 0 && at + (2ull << bits) <= end)
			bits++;
		set_low_bits(&first, (uint32_t)at);
		copy->vip = first;
		copy->vip_bits = bits ? (uint8_t)(addr_bits(&first) - bits) : 0;
		copy->port = port;
		at += 1ull << bits;
	}
}

static void emit_entry(struct keepalived *r, const struct keepalived_words *w,
		       const struct convert_service *s)
{
	struct convert_service at_prefix = *s;
	struct addr first;
	uint32_t more;

	at_prefix.port = (uint16_t)convert_number(keepalived_word(w, 1), 65535, 0);
	if (keepalived_is(w, "fwmark"))
		convert_remark(r->c, w->line, CONVERT_FWMARK, keepalived_word(w, 1));
	else if (read_prefix(keepalived_word(w, 0), &at_prefix))
		convert_copy_service(r->c, &at_prefix);
	else if (!read_range(keepalived_word(w, 0), &first, &more))
		convert_remark(r->c, w->line,
			       "%s: neither an address nor a range of up to 2^24: left out",
			       keepalived_word(w, 0));
	else
		emit_range(r, s, first, more, at_prefix.port);
}

/* A service for each member of the group, which may stand anywhere in the file. */
static void emit_group(struct keepalived *of, const struct virtual *v)
{
	struct keepalived r = {.c = of->c, .text = of->text, .at = of->text};
	struct convert_service s = *v->s; /* its own may move */
	enum keepalived_statement kind;
	struct keepalived_words w;
	bool found = false;

	s.is_pattern = false;
	while ((kind = keepalived_next(&r, &w)) != KEEPALIVED_ENDS) {
		if (kind != KEEPALIVED_OPENS)
			continue;
		if (!keepalived_is(&w, "virtual_server_group") ||
		    strcmp(keepalived_word(&w, 1), v->group) != 0) {
			keepalived_skip(&r);
			continue;
		}
		found = true;
		while (keepalived_next(&r, &w) == KEEPALIVED_PLAIN)
			emit_entry(&r, &w, &s);
	}
	if (!found)
		convert_remark(of->c, s.line, "virtual_server group %s: there is no such group",
			       v->group);
}

static void read_virtual_server(struct keepalived *r, const struct keepalived_words *opening)
{
	const char *what = keepalived_word(opening, 1), *port = keepalived_word(opening, 2);
	struct virtual v = {.s = convert_add_service(r->c, opening->line)};
	const unsigned int opened = opening->line;
	enum keepalived_statement kind;
	struct keepalived_words w;

	v.s->scheduler = "wlc"; /* keepalived's defaults */
	v.s->forward = "masq";
	v.s->protocol = 0;
	v.s->port = (uint16_t)convert_number(port, 65535, 0);
	if (strcmp(what, "group") == 0)
		snprintf(v.group, sizeof(v.group), "%.63s", port);
	else if (strcmp(what, "fwmark") == 0)
		convert_remark(r->c, opening->line, CONVERT_FWMARK, port);
	else if (addr_parse(what, strlen(what), &v.s->vip) < 0)
		convert_remark(r->c, opening->line, "virtual_server %s %s: no address", what, port);
	while ((kind = keepalived_next(r, &w)) == KEEPALIVED_PLAIN || kind == KEEPALIVED_OPENS) {
		if (kind == KEEPALIVED_PLAIN) {
			read_service_key(r, &w, &v);
		} else if (keepalived_is(&w, "real_server")) {
			read_real_server(r, &w, &v);
		} else {
			keepalived_left_out(r, &w, "");
			keepalived_skip(r);
		}
	}
	if (!v.protocol_line) {
		v.s->protocol = IPPROTO_UDP;
		convert_remark(r->c, opened,
			       "no protocol is said: UDP, which is what keepalived takes then");
	}
	if (!v.check_line)
		v.s->check = v.inherited;
	v.s->is_pattern = v.group[0];
	if (v.group[0])
		emit_group(r, &v);
}

void convert_keepalived(struct convert *c, const char *text)
{
	auto_free char *expanded = convert_expand(c, text);
	struct keepalived r = {.c = c, .text = expanded, .at = expanded};
	enum keepalived_statement s;
	struct keepalived_words w;

	while (expanded && (s = keepalived_next(&r, &w)) != KEEPALIVED_ENDS) {
		const bool is_group = keepalived_is(&w, "virtual_server_group");

		if (s == KEEPALIVED_OPENS && keepalived_is(&w, "virtual_server")) {
			read_virtual_server(&r, &w);
			continue;
		}
		if (w.n && !is_group && !keepalived_is(&w, "global_defs"))
			keepalived_left_out(&r, &w, "");
		if (s == KEEPALIVED_OPENS)
			keepalived_skip(&r);
	}
}
