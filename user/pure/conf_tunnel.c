/* SPDX-License-Identifier: BSD-2-Clause */
/* What a configuration says of tunnels' headers: where they come from, and GUE's checksum. */
#include <string.h>

#include "pure/conf_parts.h"

/* How many bits of an address the packet path lets a flow vary. */
#define VARIES_MIN 4
#define VARIES_MAX 32

static int check_length(struct conf_load *l, const struct conf_key *key,
			const struct conf_piece *piece, const struct conf_source *source)
{
	unsigned int bits = addr_bits(&source->addr);

	if (source->bits == 0 || source->bits >= VARIES_MIN)
		return 0;
	return conf_piece_fail(
		l, piece,
		"%s %s lets %u of the address's bits vary by flow; allowed are %d to "
		"%d; write an address, or a prefix of /%u and shorter",
		key->name, QUOTE(piece->text, piece->len), source->bits, VARIES_MIN, VARIES_MAX,
		bits - VARIES_MIN);
}

int conf_read_tunnel_source(struct conf_load *l, const struct conf_key *key,
			    const struct conf_piece *piece, void *at)
{
	/* IPv4: /8, since no shorter prefix is one host's. */
	const struct conf_prefix_bounds bounds = {key->name, 8, 128 - VARIES_MAX};
	uint8_t family = strcmp(key->name, "tunnel_source6") == 0 ? 6 : 4, length;
	struct conf_source source = {0};
	int rc = conf_read_prefix(l, &bounds, piece, &source.addr, &length);

	if (rc < 0)
		return rc;
	if (addr_is_unusable(&source.addr))
		return conf_piece_fail(
			l, piece,
			"%s %s cannot be used; allowed are unicast addresses and prefixes, not "
			"unspecified, loopback, link-local, multicast or broadcast ones",
			key->name, QUOTE(piece->text, piece->len));
	if (source.addr.family != family)
		return conf_piece_fail(
			l, piece, "%s %s is IPv%d; it must be IPv%d; write it as \"%s\"", key->name,
			QUOTE(piece->text, piece->len), source.addr.family, family,
			family == 6 ? "tunnel_source" : "tunnel_source6");
	source.bits = (uint8_t)(addr_bits(&source.addr) - length);
	*(struct conf_source *)at = source;
	return check_length(l, key, piece, &source);
}

/* Whether a backend has such a method, or may come to have it by a backends file. */
static bool may_use(const struct conf_service *s, bool (*use)(enum shunt_forward f))
{
	if (s->backends_file || use(s->forward))
		return true;
	for (size_t i = 0; i < s->n_backends; i++) {
		if (use(s->backends[i].forward))
			return true;
	}
	return false;
}

static bool is_tunnel(enum shunt_forward f)
{
	return conf_is_tunnel(f);
}

static bool is_gue(enum shunt_forward f)
{
	return f == SHUNT_GUE;
}

int conf_check_tunnel(struct conf_load *l, const struct conf_node *const sources[static 2],
		      const struct conf_node *checksum, const struct conf_service *s)
{
	const struct conf_node *source = sources[0] ? sources[0] : sources[1];

	if (source && !may_use(s, is_tunnel))
		return conf_fail(
			l, source,
			"%s is for tunnels, and no backend of this service is forwarded to by "
			"ipip, gue or gre; remove it, or forward by one of them",
			sources[0] ? "tunnel_source" : "tunnel_source6");
	if (checksum && !may_use(s, is_gue))
		return conf_fail(l, checksum,
				 "gue_checksum is for gue, and no backend of this service is "
				 "forwarded to by it; remove it, or write \"forward: gue\"");
	return 0;
}
