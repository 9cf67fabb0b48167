/* SPDX-License-Identifier: BSD-2-Clause */
/* What a configuration says of NAT: pools, ports, timeouts. */
#include "pure/conf_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pure/nat_pool.h"

/* ---- pools -------------------------------------------------------------------------------------*/

static bool has(const struct conf_nat_pool *pool, const struct addr *a)
{
	for (size_t i = 0; i < pool->n; i++) {
		if (addr_compare(&pool->addrs[i], a) == 0)
			return true;
	}
	return false;
}

static int read_address(struct conf_load *l, const struct conf_node *node,
			struct conf_nat_pool *pool)
{
	static const struct conf_key key = {.name = "nat_pool"};
	struct conf_piece piece;
	struct addr a;
	int rc = conf_node_piece(l, node, key.name, &piece);

	if (rc == 0)
		rc = conf_read_address(l, &key, &piece, &a);
	if (rc < 0)
		return rc;
	if (has(pool, &a))
		return conf_piece_fail(l, &piece,
				       "address %s is in nat_pool for the second time; remove one",
				       QUOTE(piece.text, piece.len));
	pool->addrs[pool->n++] = a;
	return 0;
}

int conf_read_nat_pool(struct conf_load *l, const struct conf_node *node,
		       struct conf_nat_pool *pool)
{
	const struct conf_node *list;
	int rc = conf_node_list(l, node, "nat_pool", &list);

	if (rc < 0)
		return rc;
	if (list->n == 0 || list->n > SHUNT_NAT_POOL_ADDRS)
		return conf_fail(l, node,
				 "nat_pool has %u addresses; allowed are 1 to %d; without "
				 "nat_pool this host's address on the way to the backend is taken",
				 list->n, SHUNT_NAT_POOL_ADDRS);
	*pool = (struct conf_nat_pool){0};
	for (const struct conf_node *item = list->first; item && rc == 0; item = item->next)
		rc = read_address(l, item, pool);
	return rc;
}

/* ---- ports -------------------------------------------------------------------------------------*/

int conf_read_nat_ports(struct conf_load *l, const struct conf_key *key,
			const struct conf_piece *piece, void *at)
{
	struct conf_port_range *out = at;
	uint64_t first, last = 0;
	size_t digits = conf_piece_digits(piece, &first);
	struct conf_piece rest = *piece;

	rest.text += digits;
	rest.len -= digits;
	if (digits && rest.len > 1 && rest.text[0] == '-') {
		rest.text++;
		rest.len--;
		digits = conf_piece_digits(&rest, &last);
	} else {
		digits = 0;
	}
	if (!digits || digits != rest.len || first < 1 || last > 65535 || first > last)
		return conf_piece_fail(
			l, piece,
			"%s %s is not a range of ports; allowed is FIRST-LAST within 1-65535; "
			"write 10000-29999",
			key->name, QUOTE(piece->text, piece->len));
	*out = (struct conf_port_range){(uint16_t)first, (uint16_t)last};
	return 0;
}

/* ---- timeouts ----------------------------------------------------------------------------------*/

#define TIMEOUT(i) CONF_AT(struct conf, nat_timeout_ms[i])
#define LIMITS .min = 1000, .max = 7 * 24 * 3600000u

/* An established connection may be silent for as long as RFC 5382 (REQ-5) wants it to. */
static const struct conf_key timeout_keys[SHUNT_NAT_T_MAX] = {
	[SHUNT_NAT_T_UDP] = {"udp", conf_read_duration, TIMEOUT(SHUNT_NAT_T_UDP), "60s", LIMITS},
	[SHUNT_NAT_T_SYN] = {"syn", conf_read_duration, TIMEOUT(SHUNT_NAT_T_SYN), "60s", LIMITS},
	[SHUNT_NAT_T_ESTABLISHED] = {"established", conf_read_duration,
				     TIMEOUT(SHUNT_NAT_T_ESTABLISHED), "125m", LIMITS},
	[SHUNT_NAT_T_CLOSING] = {"closing", conf_read_duration, TIMEOUT(SHUNT_NAT_T_CLOSING), "60s",
				 LIMITS},
	[SHUNT_NAT_T_RESET] = {"reset", conf_read_duration, TIMEOUT(SHUNT_NAT_T_RESET), "10s",
			       LIMITS},
};

const struct conf_mapping conf_nat_timeouts_mapping = {"nat_timeouts", timeout_keys,
						       SHUNT_NAT_T_MAX};

int conf_nat_fallbacks(struct conf_load *l)
{
	return conf_read_fallbacks(l, &conf_nat_timeouts_mapping, l->conf);
}

int conf_read_nat_timeouts(struct conf_load *l, const struct conf_node *node)
{
	const struct conf_node *given[CONF_KEYS_MAX];

	return conf_read_mapping(l, &conf_nat_timeouts_mapping, node, l->conf, given);
}

/* ---- services ----------------------------------------------------------------------------------*/

/* Where to complain: the service's own nat_pool, or the backend. */
static struct conf_pos culprit(const struct conf_load *l, const struct conf_node *node,
			       const struct conf_backend *b)
{
	return node ? conf_node_pos(l, node) : b->pos;
}

static int check_family(struct conf_load *l, const struct conf_service *s,
			const struct conf_backend *b)
{
	if (b->forward == SHUNT_NAT || b->addr.family == s->vip.family)
		return 0;
	return conf_complain(l->err, &b->pos,
			     "backend %s is IPv%d and the vip is IPv%d; forward: masq keeps the "
			     "client's address, which an IPv%d packet cannot carry; write "
			     "\"forward: nat\", or an IPv%d address",
			     b->name, b->addr.family, s->vip.family, b->addr.family, s->vip.family);
}

static int check_backend(struct conf_load *l, const struct conf_node *node,
			 const struct conf_service *s, const struct conf_backend *b)
{
	struct conf_pos pos = culprit(l, node, b);
	int rc;

	if (!conf_translates(b->forward))
		return 0;
	rc = check_family(l, s, b);
	if (rc < 0)
		return rc;
	if (has(&s->nat_pool, &b->addr))
		return conf_complain(l->err, &pos,
				     "backend %s is in nat_pool too, whose addresses are this "
				     "host's own; remove it from one of the two",
				     b->name);
	if (b->forward != SHUNT_NAT || !s->nat_pool.n ||
	    nat_pool_count(&s->nat_pool, b->addr.family))
		return 0;
	return conf_complain(l->err, &pos,
			     "nat_pool has no IPv%d address, and backend %s needs one as its "
			     "client; add one of this host's",
			     b->addr.family, b->name);
}

bool conf_uses_pool(const struct conf_service *s)
{
	if (s->forward == SHUNT_NAT || s->backends_file)
		return true;
	for (size_t i = 0; i < s->n_backends; i++) {
		if (s->backends[i].forward == SHUNT_NAT)
			return true;
	}
	return false;
}

int conf_check_nat(struct conf_load *l, const struct conf_node *node, const struct conf_service *s)
{
	int rc = 0;

	if (node && !conf_uses_pool(s))
		return conf_fail(l, node,
				 "nat_pool is for forward: nat, and this service forwards by %s%s; "
				 "remove it, or write \"forward: nat\"",
				 conf_forward_name(s->forward),
				 s->forward == SHUNT_MASQ ? ", which keeps the client's address"
							  : "");
	for (size_t i = 0; i < s->n_backends && rc == 0; i++)
		rc = check_backend(l, node, s, &s->backends[i]);
	return rc;
}

int conf_check_pools(struct conf_load *l)
{
	const struct conf_nat_pool *last = NULL;
	struct nat_pools pools = {0};
	int rc = 0;

	for (size_t i = 0; i < l->conf->n_services && rc == 0; i++) {
		const struct conf_service *s = &l->conf->services[i];

		/* Pools are mostly the same one: each is looked at once. */
		if (!conf_uses_pool(s) || !s->nat_pool.n ||
		    (last && memcmp(last, &s->nat_pool, sizeof(*last)) == 0))
			continue;
		last = &s->nat_pool;
		if (nat_pools_add(&pools, &s->nat_pool) < 0)
			rc = conf_complain(l->err, &s->pos,
					   "more than %d different pools of addresses of one "
					   "family; have services share some",
					   SHUNT_NAT_POOLS / 2 - 1);
	}
	return rc;
}
