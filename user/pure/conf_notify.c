/* SPDX-License-Identifier: BSD-2-Clause */
/* `notify`: who is told of events. */
#include "pure/conf_parts.h"

#include <errno.h>
#include <string.h>

enum {
	KEY_EXEC,
	KEY_WEBHOOK,
	KEY_TIMEOUT,
	KEY_RATE,
	KEY_MAX,
};

#define AT(member) CONF_AT(struct conf_notify, member)

/* A URL may hold a password, or be a secret itself: no complaint quotes it. */
static int read_url(struct conf_load *l, const struct conf_key *key, const struct conf_piece *piece,
		    void *at)
{
	const bool http = piece->len > 7 && memcmp(piece->text, "http://", 7) == 0;
	const bool https = piece->len > 8 && memcmp(piece->text, "https://", 8) == 0;

	for (size_t i = 0; i < piece->len; i++)
		if (piece->text[i] <= ' ' || piece->text[i] >= 0x7f)
			return conf_piece_fail(l, piece,
					       "%s holds a space, or a character that is not "
					       "ASCII; write it as %%XX",
					       key->name);
	if (!http && !https)
		return conf_piece_fail(l, piece,
				       "%s is no URL for a webhook; write https://HOST/PATH, or "
				       "http://HOST/PATH",
				       key->name);
	return conf_read_text(l, key, piece, at);
}

static const struct conf_key keys[KEY_MAX] = {
	[KEY_EXEC] = {.name = "exec"},
	[KEY_WEBHOOK] = {.name = "webhook"},
	[KEY_TIMEOUT] = {"timeout", conf_read_duration, AT(timeout_ms), "10s", .min = 100,
			 .max = 60000},
	[KEY_RATE] = {"rate", conf_read_number, AT(a_minute), "60", .min = 1, .max = 6000},
};

static const struct conf_mapping mapping = {"notify", keys, KEY_MAX};

static int read_exec(struct conf_load *l, const struct conf_node *node, struct conf_notify *n)
{
	const struct conf_key key = {.name = "exec", .min = 1, .max = 4095};
	const struct conf_node *list;
	struct conf_piece piece;
	size_t i = 0;
	int rc = conf_node_list(l, node, "exec", &list);

	if (rc < 0)
		return rc;
	if (list->n == 0 || list->n > CONF_NOTIFY_ARGS)
		return conf_fail(l, node,
				 "exec has %u items; allowed are 1 to %d: a program and its "
				 "arguments",
				 list->n, CONF_NOTIFY_ARGS);
	for (const struct conf_node *item = list->first; item && rc == 0; item = item->next) {
		rc = conf_node_piece(l, item, "exec", &piece);
		if (rc == 0 && i == 0 && piece.text[0] != '/')
			rc = conf_piece_fail(
				l, &piece,
				"exec %s is no absolute path, and no shell looks for it; "
				"write /usr/local/bin/PROGRAM",
				QUOTE(piece.text, piece.len));
		if (rc == 0)
			rc = conf_read_text(l, &key, &piece, &n->exec[i++]);
	}
	return rc;
}

/* One, or a list. */
static int read_webhooks(struct conf_load *l, const struct conf_node *node, struct conf_notify *n)
{
	const struct conf_key key = {.name = "webhook", .min = 8, .max = 2000};
	const struct conf_node *target = conf_node_resolve(node);
	const bool is_list = target->kind == CONF_NODE_LIST;
	const struct conf_node *item = is_list ? target->first : node;
	struct conf_piece piece;
	size_t i = 0;
	int rc = 0;

	if (is_list && (target->n == 0 || target->n > CONF_WEBHOOKS))
		return conf_fail(l, node, "webhook has %u items; allowed are 1 to %d URLs",
				 target->n, CONF_WEBHOOKS);
	for (; item && rc == 0; item = is_list ? item->next : NULL) {
		rc = conf_node_piece(l, item, "webhook", &piece);
		if (rc == 0)
			rc = read_url(l, &key, &piece, &n->webhooks[i++]);
	}
	return rc;
}

int conf_notify_fallbacks(struct conf_load *l)
{
	return conf_read_fallbacks(l, &mapping, &l->conf->notify);
}

int conf_read_notify(struct conf_load *l, const struct conf_node *node)
{
	const struct conf_node *given[CONF_KEYS_MAX];
	struct conf_notify *n = &l->conf->notify;
	int rc = conf_read_mapping(l, &mapping, node, n, given);

	if (rc == 0 && given[KEY_EXEC])
		rc = read_exec(l, given[KEY_EXEC], n);
	if (rc == 0 && given[KEY_WEBHOOK])
		rc = read_webhooks(l, given[KEY_WEBHOOK], n);
	if (rc == 0 && !n->exec[0] && !n->webhooks[0])
		rc = conf_fail(l, node,
			       "notify tells nobody; add \"exec: [/PROGRAM, ARGUMENT, ...]\" or "
			       "\"webhook: URL\"");
	return rc;
}
