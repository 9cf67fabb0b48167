/* SPDX-License-Identifier: BSD-2-Clause */
/* The checks that have names, and which of them a service has: one or several, and one that it needs. */
#include "pure/conf_parts.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "pure/conf_words.h"

#define CHECKS_MAX 1000

static const char *const no_more[] = {NULL};

static bool is_kind(const struct conf_piece *piece)
{
	for (size_t i = 0; conf_check_words[i]; i++)
		if (conf_piece_is(piece, conf_check_words[i]))
			return true;
	return false;
}

static struct conf_check *find(const struct conf *c, const struct conf_piece *piece)
{
	for (size_t i = 0; i < c->n_checks; i++)
		if (conf_piece_is(piece, c->checks[i].name))
			return &c->checks[i];
	return NULL;
}

/* ---- checks of the configuration ---------------------------------------------------------------*/

static int read_name(struct conf_load *l, const struct conf_node *node, char name[SHUNT_NAME_MAX])
{
	const struct conf_key key = {.name = "name",
				     .size = SHUNT_NAME_MAX,
				     .min = 1,
				     .max = SHUNT_NAME_MAX - 1,
				     .words = no_more,
				     .marks = "._-"};
	struct conf_piece piece;
	int rc = conf_node_piece(l, node, "the name of a check", &piece);

	if (rc < 0)
		return rc;
	if (is_kind(&piece))
		return conf_piece_fail(l, &piece,
				       "check %s has the name of a kind of checks, which \"check: "
				       "%.*s\" would mean; give it another one",
				       QUOTE(piece.text, piece.len), (int)piece.len, piece.text);
	if (find(l->conf, &piece))
		return conf_piece_fail(l, &piece,
				       "check %s is here for the second time; names are unique; "
				       "give it another one",
				       QUOTE(piece.text, piece.len));
	return conf_read_name(l, &key, &piece, name);
}

/* One with an address of its own has to say all; others take what is missing from the service. */
static int finish_target(struct conf_load *l, const struct conf_node *node, struct conf_check *c,
			 const struct conf_check_given *given)
{
	struct conf_service alone = {.protocol = IPPROTO_TCP, .check = *c};
	int rc;

	if (!given->type)
		return conf_fail(l, node,
				 "check \"%s\" has an address and no type; add \"type: tcp\" and a "
				 "port, say",
				 c->name);
	rc = conf_finish_check(l, node, &alone, given);
	*c = alone.check;
	return rc;
}

static int read_named(struct conf_load *l, const struct conf_node *key)
{
	struct conf_check_given given = l->defaults_given;
	struct conf_check *c = &l->conf->checks[l->conf->n_checks];
	char name[SHUNT_NAME_MAX] = "";
	int rc = read_name(l, key, name);

	if (rc < 0)
		return rc;
	*c = l->defaults.check;
	rc = conf_check_copy_texts(&l->defaults.check, c);
	l->conf->n_checks++;
	memcpy(c->name, name, sizeof(c->name));
	if (rc == 0 && conf_node_resolve(key->next)->kind != CONF_NODE_MAPPING)
		rc = conf_fail(l, key->next,
			       "check \"%s\" is %s; it must be a mapping; write { type: tcp }",
			       name, conf_node_kind_words(key->next));
	if (rc == 0)
		rc = conf_read_check(l, key->next, c, &given);
	if (rc == 0 && given.type && c->kind == CONF_CHECK_NONE)
		rc = conf_fail(l, key->next,
			       "check \"%s\" is none, which needs no name; write \"check: none\" "
			       "where it is meant",
			       name);
	if (rc == 0 && !addr_is_none(&c->target))
		rc = finish_target(l, key->next, c, &given);
	l->checks_given[l->conf->n_checks - 1] = given;
	return rc;
}

int conf_read_checks(struct conf_load *l, const struct conf_node *node)
{
	const struct conf_node *map = conf_node_resolve(node);
	int rc = 0;

	if (map->kind != CONF_NODE_MAPPING)
		return conf_fail(l, node,
				 "checks is %s; it must be a mapping of names to checks; write "
				 "\"NAME: { type: tcp }\" lines",
				 conf_node_kind_words(node));
	if (map->n / 2 > CHECKS_MAX)
		return conf_fail(l, node, "checks has %u names; allowed are %d", map->n / 2,
				 CHECKS_MAX);
	l->conf->checks = calloc(map->n + 1, sizeof(*l->conf->checks));
	l->checks_given = calloc(map->n + 1, sizeof(*l->checks_given));
	if (!l->conf->checks || !l->checks_given)
		return -ENOMEM;
	for (const struct conf_node *key = map->first; key && rc == 0; key = key->next->next)
		rc = read_named(l, key);
	return rc;
}

/* ---- of a service ------------------------------------------------------------------------------*/

static int unknown(struct conf_load *l, const struct conf_piece *piece, const char *what)
{
	const char *names[33] = {0};

	if (!l->conf->n_checks)
		return conf_piece_fail(l, piece,
				       "%s %s is no check: there are no `checks` with names; add "
				       "them above",
				       what, QUOTE(piece->text, piece->len));
	for (size_t i = 0; i < l->conf->n_checks && i < 32; i++)
		names[i] = l->conf->checks[i].name;
	return conf_piece_fail(l, piece, "%s %s is not the name of a check%s", what,
			       QUOTE(piece->text, piece->len),
			       ALLOWED(names, piece->text, piece->len));
}

/* Makes @named, with what it leaves to the service, the service's next check. */
static int add(struct conf_load *l, const struct conf_piece *piece, const struct conf_node *node,
	       const struct conf_check *named, struct conf_service *s)
{
	const struct conf_check first = s->check;
	int rc;

	if (!addr_is_none(&named->target))
		return conf_piece_fail(
			l, piece,
			"check \"%s\" has an address of its own, and does not tell "
			"one backend from another; write \"needs: %s\", or remove the "
			"address",
			named->name, named->name);
	s->check = *named;
	rc = conf_check_copy_texts(named, &s->check);
	if (rc == 0) /* it works on the service's first one */
		rc = conf_finish_check(l, node, s, &l->checks_given[named - l->conf->checks]);
	s->others[s->n_others++] = s->check;
	s->check = first;
	return rc;
}

static int read_item(struct conf_load *l, const struct conf_node *node, struct conf_service *s)
{
	const struct conf_check *named;
	struct conf_piece piece;
	int rc = conf_node_piece(l, node, "a check", &piece);

	if (rc < 0)
		return rc;
	named = find(l->conf, &piece);
	if (!named)
		return unknown(l, &piece, "check");
	for (size_t i = 0; i < s->n_others; i++)
		if (strcmp(s->others[i].name, named->name) == 0)
			return conf_piece_fail(l, &piece,
					       "check \"%s\" is here for the second time; remove "
					       "one",
					       named->name);
	return add(l, &piece, node, named, s);
}

/* The first of those that are in s->others becomes the service's `check`. */
static int settle(struct conf_service *s)
{
	conf_check_fini(&s->check);
	s->check = s->others[0];
	memmove(s->others, s->others + 1, --s->n_others * sizeof(*s->others));
	return 0;
}

enum { JOIN_ALL, JOIN_ANY, JOIN_MAX };
static const struct conf_key join_keys[JOIN_MAX] = {
	[JOIN_ALL] = {.name = "all"},
	[JOIN_ANY] = {.name = "any"},
};
static const struct conf_mapping join_mapping = {"checks", join_keys, JOIN_MAX};

static int read_several(struct conf_load *l, const struct conf_node *node, struct conf_service *s)
{
	const struct conf_node *given[CONF_KEYS_MAX], *list;
	int rc = conf_read_mapping(l, &join_mapping, node, s, given);

	if (rc < 0)
		return rc;
	if (!given[JOIN_ALL] == !given[JOIN_ANY])
		return conf_fail(l, node,
				 "checks has to say either which checks all have to be up, or of "
				 "which any; write { all: [A, B] } or { any: [A, B] }");
	s->join = given[JOIN_ANY] ? HEALTH_ANY : HEALTH_ALL;
	rc = conf_node_list(l, given[JOIN_ANY] ? given[JOIN_ANY] : given[JOIN_ALL],
			    given[JOIN_ANY] ? "any" : "all", &list);
	if (rc < 0)
		return rc;
	if (list->n == 0 || list->n > CONF_CHECKS_OF_SERVICE)
		return conf_fail(l, node, "checks names %u checks; allowed are 1 to %d", list->n,
				 CONF_CHECKS_OF_SERVICE);
	s->others = calloc(list->n, sizeof(*s->others));
	if (!s->others)
		return -ENOMEM;
	for (const struct conf_node *item = list->first; item && rc == 0; item = item->next)
		rc = read_item(l, item, s);
	return rc < 0 ? rc : settle(s);
}

static int read_need(struct conf_load *l, const struct conf_node *node, struct conf_service *s,
		     const struct conf_check **out)
{
	struct conf_piece piece;
	int rc = conf_node_piece(l, node, "needs", &piece);

	if (rc < 0)
		return rc;
	*out = find(l->conf, &piece);
	if (!*out)
		return unknown(l, &piece, "needs");
	if (addr_is_none(&(*out)->target))
		return conf_piece_fail(l, &piece,
				       "check \"%s\" has no address, so there is nothing to need; "
				       "add \"address: ADDRESS\" to it",
				       (*out)->name);
	if (s->check.kind == CONF_CHECK_NONE)
		return conf_piece_fail(l, &piece,
				       "needs does nothing for service \"%s\", whose backends are "
				       "not checked; give it a check, or remove needs",
				       s->name);
	return 0;
}

/* One, or a list. */
static int read_needs(struct conf_load *l, const struct conf_node *node, struct conf_service *s)
{
	const struct conf_node *target = conf_node_resolve(node), *item;
	size_t n = 0;
	int rc = 0;

	if (target->kind != CONF_NODE_LIST)
		return read_need(l, node, s, &s->needs[0]);
	if (target->n == 0 || target->n > CONF_NEEDS)
		return conf_fail(l, node, "needs has %u items; allowed are 1 to %d names of checks",
				 target->n, CONF_NEEDS);
	for (item = target->first; item && rc == 0; item = item->next)
		rc = read_need(l, item, s, &s->needs[n++]);
	return rc;
}

/* A word may be a name. */
static int read_one(struct conf_load *l, const struct conf_node *node, struct conf_service *s,
		    struct conf_check_given *has)
{
	const struct conf_node *target = conf_node_resolve(node);
	const struct conf_piece piece = {conf_node_pos(l, node), target->text, target->n};
	int rc;

	if (target->kind == CONF_NODE_TEXT && l->conf->n_checks && !is_kind(&piece)) {
		s->others = calloc(1, sizeof(*s->others));
		if (!s->others)
			return -ENOMEM;
		rc = read_item(l, node, s);
		return rc < 0 ? rc : settle(s);
	}
	rc = conf_read_check(l, node, &s->check, has);
	return rc < 0 ? rc : conf_finish_check(l, node, s, has);
}

int conf_read_service_checks(struct conf_load *l, const struct conf_check_nodes *nodes,
			     struct conf_service *s)
{
	struct conf_check_given has = l->defaults_given;
	int rc;

	if (nodes->check && nodes->checks)
		return conf_fail(l, nodes->checks,
				 "a service has either check or checks; remove one of them");
	if (nodes->checks)
		rc = read_several(l, nodes->checks, s);
	else if (nodes->check)
		rc = read_one(l, nodes->check, s, &has);
	else
		rc = conf_finish_check(l, nodes->service, s, &has);
	if (rc == 0 && !addr_is_none(&s->check.target))
		rc = conf_fail(l, nodes->check ? nodes->check : nodes->service,
			       "a check with an address does not tell one backend from another; "
			       "give it a name in the configuration's `checks`, and write "
			       "\"needs: NAME\"");
	return rc == 0 && nodes->needs ? read_needs(l, nodes->needs, s) : rc;
}
