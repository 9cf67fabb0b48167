/* SPDX-License-Identifier: BSD-2-Clause */
/* `web`: where the metrics and the page are served. */
#include "pure/conf_parts.h"

#include <errno.h>
#include <string.h>

#include "pure/conf_words.h"

enum {
	KEY_LISTEN,
	KEY_EXPOSE,
	KEY_METRICS_LIMIT,
	KEY_MAX,
};

#define AT(member) CONF_AT(struct conf_web, member)

/* Any address that this host may have, and those that stand for all of them. */
static int read_listen(struct conf_load *l, const struct conf_key *key,
		       const struct conf_piece *piece, void *at)
{
	struct conf_peer *out = at;
	struct addr addr = {0};
	uint64_t port = 0;

	if (!conf_split_address(piece, &addr, &port) || port < 1 || port > 65535)
		return conf_piece_fail(
			l, piece,
			"%s %s is not an address with a port; allowed is ADDRESS:PORT, "
			"[ADDRESS]:PORT for IPv6; write 127.0.0.1:9466",
			key->name, QUOTE(piece->text, piece->len));
	*out = (struct conf_peer){addr, (uint16_t)port};
	return 0;
}

static const struct conf_key keys[KEY_MAX] = {
	[KEY_LISTEN] = {"listen", read_listen, AT(listen), "127.0.0.1:9466"},
	[KEY_EXPOSE] = {"expose", conf_read_word, AT(expose), "no", .words = conf_answer_words},
	[KEY_METRICS_LIMIT] = {"metrics_limit", conf_read_size, AT(metrics_limit), "2000",
			       .max = 1 << 20},
};

static const struct conf_mapping mapping = {"web", keys, KEY_MAX};

static bool is_loopback(const struct addr *a)
{
	static const struct addr loopback6 = {.family = 6, .bytes = {[15] = 1}};

	return a->family == 4 ? a->bytes[0] == 127 : addr_compare(a, &loopback6) == 0;
}

int conf_read_web(struct conf_load *l, const struct conf_node *node)
{
	const struct conf_node *given[CONF_KEYS_MAX];
	struct conf_web *w = &l->conf->web;
	char text[ADDR_PORT_TEXT_MAX];
	int rc = conf_read_fallbacks(l, &mapping, w);

	if (rc == 0)
		rc = conf_read_mapping(l, &mapping, node, w, given);
	if (rc < 0)
		return rc;
	w->on = true;
	if (is_loopback(&w->listen.addr) || w->expose == CONF_YES)
		return 0;
	return conf_fail(l, given[KEY_LISTEN],
			 "web: listen %s can be reached from other hosts, and asks nobody for a "
			 "password; add \"expose: yes\" if a firewall or a proxy decides who may "
			 "look, or write 127.0.0.1:%u",
			 addr_port_format(&w->listen.addr, w->listen.port, text), w->listen.port);
}
