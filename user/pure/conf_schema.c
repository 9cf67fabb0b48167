/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/conf_schema.h"

#include <errno.h>
#include <string.h>

struct conf_pos conf_node_pos(const struct conf_load *l, const struct conf_node *node)
{
	return (struct conf_pos){l->conf->file, node->line, node->column};
}

bool conf_node_is_empty(const struct conf_node *node)
{
	node = conf_node_resolve(node);
	if (node->kind != CONF_NODE_TEXT || node->quoted)
		return false;
	return node->n == 0 || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0;
}

const char *conf_node_kind_words(const struct conf_node *node)
{
	if (conf_node_is_empty(node))
		return "empty";
	switch (conf_node_resolve(node)->kind) {
	case CONF_NODE_LIST:
		return "a list";
	case CONF_NODE_MAPPING:
		return "a mapping";
	default:
		return "text";
	}
}

int conf_node_piece(struct conf_load *l, const struct conf_node *node, const char *what,
		    struct conf_piece *out)
{
	const struct conf_node *target = conf_node_resolve(node);

	if (target->kind != CONF_NODE_TEXT || conf_node_is_empty(node))
		return conf_fail(l, node, "%s is %s; it must be one value; write \"%s: VALUE\"",
				 what, conf_node_kind_words(node), what);
	if (strlen(target->text) != target->n)
		return conf_fail(l, node, "%s holds a NUL character; remove the \"\\0\"", what);
	*out = (struct conf_piece){conf_node_pos(l, node), target->text, target->n};
	return 0;
}

int conf_node_list(struct conf_load *l, const struct conf_node *node, const char *what,
		   const struct conf_node **out)
{
	const struct conf_node *target = conf_node_resolve(node);

	if (target->kind != CONF_NODE_LIST)
		return conf_fail(l, node,
				 "%s is %s; it must be a list; write [A, B], or items on lines of "
				 "their own that begin with \"- \"",
				 what, conf_node_kind_words(node));
	*out = target;
	return 0;
}

bool conf_piece_is(const struct conf_piece *piece, const char *word)
{
	return piece->len == strlen(word) && memcmp(piece->text, word, piece->len) == 0;
}

/* ---- mappings ----------------------------------------------------------------------------------*/

static int unknown_key(struct conf_load *l, const struct conf_mapping *m,
		       const struct conf_node *key)
{
	const struct conf_node *text = conf_node_resolve(key);
	const char *words[CONF_KEYS_MAX + 1] = {0};

	if (text->kind != CONF_NODE_TEXT)
		return conf_fail(l, key, "a key of %s is %s; keys are words; write \"key: value\"",
				 m->what, conf_node_kind_words(key));
	if (strcmp(text->text, "<<") == 0)
		return conf_fail(l, key,
				 "\"<<\" does not merge mappings here; put what services share in "
				 "`defaults`, or write the keys out");
	for (size_t i = 0; i < m->n; i++)
		words[i] = m->keys[i].name;
	return conf_fail(l, key, "key %s of %s is not known%s", QUOTE(text->text, text->n), m->what,
			 ALLOWED(words, text->text, text->n));
}

/* *index becomes the place of @node's key in the table. */
static int find_key(struct conf_load *l, const struct conf_mapping *m, const struct conf_node *node,
		    size_t *index)
{
	const struct conf_node *text = conf_node_resolve(node);

	for (size_t i = 0; i < m->n; i++) {
		if (text->kind == CONF_NODE_TEXT && text->n == strlen(m->keys[i].name) &&
		    memcmp(text->text, m->keys[i].name, text->n) == 0) {
			*index = i;
			return 0;
		}
	}
	return unknown_key(l, m, node);
}

static int read_value(struct conf_load *l, const struct conf_key *key,
		      const struct conf_node *value, void *base)
{
	struct conf_piece piece;
	int rc;

	if (!key->read)
		return 0;
	rc = conf_node_piece(l, value, key->name, &piece);
	if (rc == 0)
		rc = key->read(l, key, &piece, (char *)base + key->offset);
	return rc;
}

static int check_required(struct conf_load *l, const struct conf_mapping *m,
			  const struct conf_node *node, const struct conf_node *const *given)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->keys[i].required && !given[i])
			return conf_fail(l, node, "%s has no %s, which is needed; add \"%s: ...\"",
					 m->what, m->keys[i].name, m->keys[i].name);
	}
	return 0;
}

int conf_read_mapping(struct conf_load *l, const struct conf_mapping *m,
		      const struct conf_node *node, void *base,
		      const struct conf_node *given[static CONF_KEYS_MAX])
{
	const struct conf_node *map = conf_node_resolve(node);
	size_t i = 0;
	int rc;

	memset(given, 0, CONF_KEYS_MAX * sizeof(*given));
	if (map->kind != CONF_NODE_MAPPING)
		return conf_fail(l, node,
				 "%s is %s; it must be a mapping; write \"key: value\" lines",
				 m->what, conf_node_kind_words(node));
	for (const struct conf_node *key = map->first; key; key = key->next->next) {
		rc = find_key(l, m, key, &i);
		if (rc < 0)
			return rc;
		if (given[i])
			return conf_fail(
				l, key,
				"key \"%s\" of %s is here for the second time; the first is in "
				"line %u; remove one",
				m->keys[i].name, m->what, given[i]->line);
		given[i] = key->next;
		rc = read_value(l, &m->keys[i], key->next, base);
		if (rc < 0)
			return rc;
	}
	return check_required(l, m, node, given);
}

int conf_read_fallbacks(struct conf_load *l, const struct conf_mapping *m, void *base)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct conf_key *key = &m->keys[i];
		struct conf_piece piece = {{l->conf->file, 0, 0}, key->fallback, 0};
		int rc;

		if (!key->fallback)
			continue;
		piece.len = strlen(key->fallback);
		rc = key->read(l, key, &piece, (char *)base + key->offset);
		if (rc < 0)
			return rc;
	}
	return 0;
}
