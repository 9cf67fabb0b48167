/* SPDX-License-Identifier: BSD-2-Clause */
/* QUIC: `quic_lb` of a service, and `server_id` of its backends. Keys are secrets: no complaint quotes
 * one. */
#include "pure/conf_parts.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

#define KATRAN_ID_MIN 2
#define KATRAN_ID_MAX 4

/* ---- hexadecimal -------------------------------------------------------------------------------*/

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The octets at @text, up to @max; how many, or -1. */
static int read_hex(const char *text, size_t len, uint8_t *out, size_t max)
{
	if (len == 0 || len % 2 || len / 2 > max)
		return -1;
	for (size_t i = 0; i < len; i += 2) {
		int high = digit(text[i]), low = digit(text[i + 1]);

		if (high < 0 || low < 0)
			return -1;
		out[i / 2] = (uint8_t)(high << 4 | low);
	}
	return (int)(len / 2);
}

/* ---- quic_lb -----------------------------------------------------------------------------------*/

#define SECRET ".key" /* how the names of files end that are secrets: conf_parse.h */

static int read_key(struct conf_load *l, const struct conf_key *key, const struct conf_piece *piece,
		    void *at)
{
	if (read_hex(piece->text, piece->len, at, AES_KEY_LEN) == AES_KEY_LEN)
		return 0;
	return conf_piece_fail(l, piece,
			       "%s is not an AES-128 key; it must be 32 hexadecimal digits; make "
			       "one with \"openssl rand -hex 16\"",
			       key->name);
}

/* The file that @node names: the key and white space. */
static int read_key_file(struct conf_load *l, const struct conf_node *node, char **path,
			 uint8_t key[static AES_KEY_LEN])
{
	size_t len = strlen(*path), end = sizeof(SECRET) - 1;
	struct conf_piece text;
	int rc;

	if (len < end || strcmp(*path + len - end, SECRET) != 0)
		return conf_fail(l, node,
				 "key_file %s does not end in " SECRET
				 "; files with that ending are "
				 "read only when nobody but their owner and group may; rename it",
				 QUOTE(*path, len));
	rc = conf_read_named_file(l, node, path, &text);
	if (rc < 0)
		return rc;
	while (text.len && isspace((unsigned char)text.text[text.len - 1]))
		text.len--;
	if (read_hex(text.text, text.len, key, AES_KEY_LEN) == AES_KEY_LEN)
		return 0;
	return conf_piece_fail(l, &text,
			       "this is not an AES-128 key; the file must be 32 hexadecimal digits "
			       "and a newline; make one with \"openssl rand -hex 16\"");
}

/* A configuration as it is written. */
struct written {
	struct conf_quic_config config;
	char *key_file;
};

#define AT(member) CONF_AT(struct written, config.member)

enum { KEY_ID, KEY_SERVER_ID_LENGTH, KEY_NONCE_LENGTH, KEY_KEY, KEY_KEY_FILE, KEY_MAX };

static const struct conf_key config_keys[KEY_MAX] = {
	[KEY_ID] = {"id", conf_read_number, AT(id), .min = 0, .max = SHUNT_QUIC_CONFIGS - 1,
		    .required = true},
	[KEY_SERVER_ID_LENGTH] = {"server_id_length", conf_read_number, AT(server_id_length),
				  .min = 1, .max = SHUNT_QUIC_ID_MAX, .required = true},
	[KEY_NONCE_LENGTH] = {"nonce_length", conf_read_number, AT(nonce_length),
			      .min = SHUNT_QUIC_NONCE_MIN, .max = SHUNT_QUIC_BLOCK_MAX - 1,
			      .required = true},
	[KEY_KEY] = {"key", read_key, AT(key)},
	[KEY_KEY_FILE] = {"key_file", conf_read_text, CONF_AT(struct written, key_file), .min = 1,
			  .max = 4095},
};

static const struct conf_mapping config_mapping = {"a configuration of quic_lb", config_keys,
						   KEY_MAX};

/* The key, of one of the two keys. */
static int read_either_key(struct conf_load *l, const struct conf_node *const given[static KEY_MAX],
			   struct written *w)
{
	w->config.has_key = given[KEY_KEY] || given[KEY_KEY_FILE];
	if (!given[KEY_KEY_FILE])
		return 0;
	if (given[KEY_KEY])
		return conf_fail(l, given[KEY_KEY_FILE],
				 "a configuration of quic_lb has key and key_file; remove one");
	return read_key_file(l, given[KEY_KEY_FILE], &w->key_file, w->config.key);
}

static int read_config(struct conf_load *l, const struct conf_node *node, struct conf_quic *quic)
{
	struct conf_quic_config *c = &quic->config[quic->n];
	const struct conf_node *given[CONF_KEYS_MAX];
	struct written w = {.key_file = NULL};
	int rc = conf_read_mapping(l, &config_mapping, node, &w, given);

	if (rc == 0)
		rc = read_either_key(l, given, &w);
	free(w.key_file);
	if (rc < 0)
		return rc;
	*c = w.config;
	if (c->server_id_length + c->nonce_length > SHUNT_QUIC_BLOCK_MAX)
		return conf_fail(l, given[KEY_NONCE_LENGTH],
				 "server_id_length %u and nonce_length %u are %u octets together; "
				 "allowed are %d, since a connection id has 20 and the first is "
				 "taken",
				 c->server_id_length, c->nonce_length,
				 c->server_id_length + c->nonce_length, SHUNT_QUIC_BLOCK_MAX);
	for (size_t i = 0; i < quic->n; i++) {
		if (quic->config[i].id == c->id)
			return conf_fail(l, given[KEY_ID],
					 "quic_lb has configuration %u for the second time; "
					 "servers tell them apart by it; give it another id",
					 c->id);
	}
	quic->n++;
	return 0;
}

int conf_read_quic(struct conf_load *l, const struct conf_node *node, struct conf_quic *quic)
{
	const struct conf_node *target = conf_node_resolve(node), *list;
	int rc;

	if (target->kind == CONF_NODE_TEXT && strcmp(target->text, "katran") == 0) {
		quic->katran = true;
		return 0;
	}
	if (target->kind != CONF_NODE_LIST)
		return conf_fail(l, node,
				 "quic_lb is %s; allowed are the word katran, and a list of "
				 "configurations; write [{ id: 0, server_id_length: 3, "
				 "nonce_length: 4, key: HEX }]",
				 target->kind == CONF_NODE_TEXT && !conf_node_is_empty(node)
					 ? QUOTE(target->text, target->n)
					 : conf_node_kind_words(node));
	rc = conf_node_list(l, node, "quic_lb", &list);
	if (rc == 0 && (list->n == 0 || list->n > SHUNT_QUIC_CONFIGS))
		rc = conf_fail(l, node, "quic_lb has %u configurations; allowed are 1 to %d",
			       list->n, SHUNT_QUIC_CONFIGS);
	for (const struct conf_node *item = rc == 0 ? list->first : NULL; item && rc == 0;
	     item = item->next)
		rc = read_config(l, item, quic);
	return rc;
}

/* ---- server_id ---------------------------------------------------------------------------------*/

int conf_read_server_ids(struct conf_load *l, const struct conf_key *key,
			 const struct conf_piece *piece, void *at)
{
	struct conf_server_id *ids = at;
	const char *text = piece->text, *end = text + piece->len;

	for (size_t i = 0; i < CONF_SERVER_IDS; i++) {
		const char *comma = memchr(text, ',', (size_t)(end - text));
		size_t len = (size_t)((comma ? comma : end) - text);
		int octets = read_hex(text, len, ids[i].octets, SHUNT_QUIC_ID_MAX);

		if (octets < 0)
			break;
		ids[i].len = (uint8_t)octets;
		if (!comma)
			return 0;
		text = comma + 1;
	}
	return conf_piece_fail(l, piece,
			       "%s %s is not one or two ids of 1 to %d octets in hexadecimal; "
			       "write \"c4605e\", or \"c4605e,0a01\" for configurations of "
			       "different lengths",
			       key->name, QUOTE(piece->text, piece->len), SHUNT_QUIC_ID_MAX);
}

/* ---- together ----------------------------------------------------------------------------------*/

static bool takes_length(const struct conf_quic *quic, uint8_t len)
{
	if (quic->katran)
		return len >= KATRAN_ID_MIN && len <= KATRAN_ID_MAX;
	for (size_t i = 0; i < quic->n; i++) {
		if (quic->config[i].server_id_length == len)
			return true;
	}
	return false;
}

static int check_backend(struct conf_load *l, const struct conf_service *s,
			 const struct conf_backend *b)
{
	if (b->server_ids[0].len && !conf_is_quic(s))
		return conf_complain(l->err, &b->pos,
				     "backend %s has a server_id, and service \"%s\" does not look "
				     "into connection ids; remove it, or add quic_lb",
				     b->name, s->name);
	for (size_t i = 0; i < CONF_SERVER_IDS && b->server_ids[i].len; i++) {
		if (takes_length(&s->quic, b->server_ids[i].len))
			continue;
		return conf_complain(
			l->err, &b->pos,
			"backend %s has a server_id of %u octets; %s; write one of those lengths",
			b->name, b->server_ids[i].len,
			s->quic.katran ? "Katran's versions have 2, 3 and 4"
				       : "no configuration of quic_lb has such a "
					 "server_id_length");
	}
	return 0;
}

struct named {
	struct conf_server_id id;
	const struct conf_backend *backend;
};

static int by_id(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	return memcmp(&x->id, &y->id, sizeof(x->id));
}

static int check_unique(struct conf_load *l, const struct conf_service *s)
{
	struct named *all = calloc(s->n_backends * CONF_SERVER_IDS + 1, sizeof(*all));
	size_t n = 0, pair[2];
	int rc;

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_backends; i++) {
		const struct conf_backend *b = &s->backends[i];

		for (size_t k = 0; k < CONF_SERVER_IDS && b->server_ids[k].len; k++)
			all[n++] = (struct named){b->server_ids[k], b};
	}
	rc = conf_first_duplicate(all, n, sizeof(*all), by_id, pair);
	if (rc > 0)
		rc = conf_complain(l->err, &all[pair[1]].backend->pos,
				   "backend %s has a server_id that backend %s has already, at "
				   "%s:%u; ids are unique in a service",
				   all[pair[1]].backend->name, all[pair[0]].backend->name,
				   all[pair[0]].backend->pos.file, all[pair[0]].backend->pos.line);
	free(all);
	return rc;
}

int conf_check_quic(struct conf_load *l, const struct conf_node *node, const struct conf_service *s)
{
	int rc = 0;

	if (node && s->protocol != IPPROTO_UDP)
		return conf_fail(l, node,
				 "quic_lb is for UDP, and this service is for TCP; write "
				 "\"protocol: udp\", or remove it");
	if (node && conf_service_translates(s))
		return conf_fail(l, node,
				 "quic_lb does not go with forward: nat or masq, whose backends "
				 "answer through records of addresses and ports; forward by dsr or "
				 "a tunnel, or remove it");
	for (size_t i = 0; i < s->n_backends && rc == 0; i++)
		rc = check_backend(l, s, &s->backends[i]);
	return rc < 0 || !node ? rc : check_unique(l, s);
}
