/* SPDX-License-Identifier: BSD-2-Clause */
/* What a configuration says of other balancers. */
#include "pure/conf_parts.h"

#include <string.h>

bool conf_split_address(const struct conf_piece *piece, struct addr *addr, uint64_t *port)
{
	struct conf_piece digits = *piece;
	const char *text = piece->text;
	size_t len = piece->len;

	while (len && text[len - 1] != ':')
		len--;
	digits.text += len;
	digits.len -= len;
	if (len < 2 || !digits.len || conf_piece_digits(&digits, port) != digits.len)
		return false;
	len--;
	if (text[0] == '[' && text[len - 1] == ']')
		return addr_parse(text + 1, len - 2, addr) == 0 && addr->family == 6;
	return addr_parse(text, len, addr) == 0 && addr->family == 4;
}

int conf_read_peer(struct conf_load *l, const struct conf_key *key, const struct conf_piece *piece,
		   void *at)
{
	struct conf_peer *out = at;
	struct addr addr = {0};
	uint64_t port = 0;

	if (!conf_split_address(piece, &addr, &port) || port < 1 || port > 65535 ||
	    (addr_is_unusable(&addr) && addr.bytes[0] != 127))
		return conf_piece_fail(
			l, piece,
			"%s %s is not an address with a port; allowed is "
			"ADDRESS:PORT, [ADDRESS]:PORT for IPv6; write 192.0.2.1:6082",
			key->name, QUOTE(piece->text, piece->len));
	*out = (struct conf_peer){addr, (uint16_t)port};
	return 0;
}

static int add(struct conf_load *l, const struct conf_node *node, struct conf_peers *p)
{
	static const struct conf_key key = {.name = "peers"};
	struct conf_peer *peer = &p->list[p->n];
	struct conf_piece piece;
	int rc = conf_node_piece(l, node, key.name, &piece);

	if (rc == 0)
		rc = conf_read_peer(l, &key, &piece, peer);
	if (rc < 0)
		return rc;
	if (p->listen.port && p->listen.addr.family != peer->addr.family)
		return conf_piece_fail(l, &piece,
				       "%s is of another family than peer_listen; one socket hears "
				       "and tells all peers",
				       QUOTE(piece.text, piece.len));
	for (size_t i = 0; i < p->n; i++)
		if (addr_compare(&p->list[i].addr, &peer->addr) == 0 &&
		    p->list[i].port == peer->port)
			return conf_piece_fail(l, &piece,
					       "%s is in peers for the second time; remove one",
					       QUOTE(piece.text, piece.len));
	p->n++;
	return 0;
}

/* Who knows the key can say of any flow that it is any backend's. */
static int check_secret(struct conf_load *l, const struct conf_node *node)
{
	const struct conf *c = l->conf;

	if (c->peers.secret || c->hash_secret)
		return 0;
	return conf_fail(l, node,
			 "peers need peer_secret, the same on all of them, or a hash_secret from "
			 "which it is made: the built-in one is known to everybody; make one with "
			 "\"openssl rand -hex 32\"");
}

int conf_read_peers(struct conf_load *l, const struct conf_node *node)
{
	struct conf_peers *p = &l->conf->peers;
	const struct conf_node *list;
	int rc = conf_node_list(l, node, "peers", &list);

	if (rc < 0)
		return rc;
	if (list->n == 0 || list->n > CONF_PEERS_MAX)
		return conf_fail(l, node, "peers has %u items; allowed are 1 to %d", list->n,
				 CONF_PEERS_MAX);
	for (const struct conf_node *item = list->first; item && rc == 0; item = item->next)
		rc = add(l, item, p);
	if (rc < 0)
		return rc;
	if (!p->listen.port)
		return conf_fail(l, node,
				 "peers need peer_listen, where this host hears them: its own "
				 "ADDRESS:PORT, which may be among the peers");
	return check_secret(l, node);
}
