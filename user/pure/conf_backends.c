/* SPDX-License-Identifier: BSD-2-Clause */
/* Backends: inline ones as text or mappings, and the lines of backend files. */
#include "pure/conf_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pure/conf_words.h"

enum {
	KEY_ADDRESS,
	KEY_PORT,
	KEY_NAME,
	KEY_WEIGHT,
	KEY_FORWARD,
	KEY_SERVER_ID,
	KEY_POOL,
	KEY_BACKUP,
	KEY_MAX,
};

#define AT(member) CONF_AT(struct conf_backend, member)

static const struct conf_key backend_keys[KEY_MAX] = {
	[KEY_ADDRESS] = {"address", conf_read_address, AT(addr), .required = true},
	[KEY_PORT] = {"port", conf_read_number, AT(port), .min = 1, .max = 65535},
	[KEY_NAME] = {"name", conf_read_name, AT(name), .min = 1, .max = SHUNT_NAME_MAX - 1,
		      .marks = CONF_NAME_MARKS},
	[KEY_WEIGHT] = {"weight", conf_read_number, AT(weight), .min = 0, .max = CONF_WEIGHT_MAX},
	[KEY_FORWARD] = {"forward", conf_read_word, AT(forward), .words = conf_forward_words},
	[KEY_SERVER_ID] = {"server_id", conf_read_server_ids, AT(server_ids)},
	[KEY_POOL] = {"pool", conf_read_number, AT(pool), .min = 0, .max = POOL_LAST},
	[KEY_BACKUP] = {"backup", conf_read_backup, AT(pool)},
};

const struct conf_mapping conf_backend_mapping = {"a backend", backend_keys, KEY_MAX};

/* ---- a backend that has been read --------------------------------------------------------------*/

/* @pos: of the port. */
static int check_port(struct conf_load *l, const struct conf_service *s,
		      const struct conf_backend *b, const struct conf_pos *pos)
{
	if (b->port == 0 || b->port == s->port || (s->port && conf_translates(b->forward)))
		return 0;
	if (s->port == 0)
		return conf_complain(
			l->err, pos,
			"port %u of a backend whose service is for %s; forward: %s "
			"keeps each packet's port; remove it, or write \"check: { port: "
			"%u }\" if it is for checks",
			b->port, s->n_ports ? "several ports" : "any port",
			conf_forward_name(b->forward), b->port);
	return conf_complain(
		l->err, pos,
		"port %u differs from the service's port %u, and forward: %s cannot change "
		"ports; remove it, write \"check: { port: %u }\" if it is for checks, or "
		"\"forward: nat\"",
		b->port, s->port, conf_forward_name(b->forward), b->port);
}

static int append(struct conf_load *l, struct conf_service *s, const struct conf_backend *b)
{
	if (s->n_backends == SHUNT_BACKENDS_PER_SERVICE)
		return conf_complain(l->err, &b->pos,
				     "this is backend number %zu; allowed are %d in a service",
				     s->n_backends + 1, SHUNT_BACKENDS_PER_SERVICE);
	if (l->n_backends == CONF_BACKENDS_MAX)
		return conf_complain(
			l->err, &b->pos,
			"more than %u backends in all services; have another instance for some",
			CONF_BACKENDS_MAX);
	/* Room doubles whenever the number is a power of two. */
	if ((s->n_backends & (s->n_backends - 1)) == 0) {
		size_t room = s->n_backends ? 2 * s->n_backends : 1;
		struct conf_backend *grown = reallocarray(s->backends, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		s->backends = grown;
	}
	s->backends[s->n_backends++] = *b;
	l->n_backends++;
	return 0;
}

/* Who is local is this host, and it answers at the vip; nobody else may be there. @text: @b's. */
static int check_address(struct conf_load *l, const struct conf_service *s,
			 const struct conf_backend *b, const char *text)
{
	bool within = addr_is_within(&b->addr, &s->vip, s->vip_bits);
	char prefix[ADDR_PREFIX_TEXT_MAX];

	if (within == (b->forward == SHUNT_LOCAL))
		return 0;
	addr_prefix_format(&s->vip, s->vip_bits, prefix);
	if (b->forward == SHUNT_LOCAL)
		return conf_complain(
			l->err, &b->pos,
			"backend %s is not the service's vip %s, and forward: local gives packets "
			"to "
			"this host, which has the vip; write the vip, or another method",
			text, prefix);
	if (s->vip_bits < addr_bits(&s->vip))
		return conf_complain(
			l->err, &b->pos,
			"backend %s is within the service's own vip, and packets would come "
			"straight back; write an address outside of %s",
			text, prefix);
	return conf_complain(
		l->err, &b->pos,
		"backend %s is the service's own vip, and packets would come straight back; write "
		"the backend's own address, or \"forward: local\" if this host is the backend",
		text);
}

/* Fills what @b does not say, checks it against its service, and takes it in. */
static int take_backend(struct conf_load *l, struct conf_service *s, struct conf_backend *b,
			const struct conf_pos *port_pos)
{
	char text[ADDR_PORT_TEXT_MAX];
	int rc = check_port(l, s, b, port_pos);

	if (rc < 0)
		return rc;
	if (b->port && b->port != s->port)
		addr_port_format(&b->addr, b->port, text);
	else
		addr_format(&b->addr, text);
	if (!b->port)
		b->port = s->port;
	rc = check_address(l, s, b, text);
	if (rc < 0)
		return rc;
	if (!b->name[0])
		memcpy(b->name, text, strlen(text) + 1);
	return append(l, s, b);
}

/* ---- a line -------------------------------------------------------------------------------------
 * ADDRESS[:PORT] [name=NAME] [weight=N] [forward=METHOD] [server_id=HEX] [pool=N] [backup] */

/* The @len bytes of @piece from @at on. */
static struct conf_piece part(const struct conf_piece *piece, size_t at, size_t len)
{
	struct conf_piece p = {piece->pos, piece->text + at, len};

	p.pos.column += (uint32_t)at;
	return p;
}

/* Splits ADDRESS[:PORT]: *address without brackets; port->len is 0 without one. */
static int split_endpoint(struct conf_load *l, const struct conf_piece *token,
			  struct conf_piece *address, struct conf_piece *port)
{
	const char *end = token->text + token->len;
	const char *bracket = memchr(token->text, ']', token->len);
	const char *colon = memchr(token->text, ':', token->len);
	size_t address_at = 0, address_len = token->len, port_at = token->len;

	if (token->text[0] == '[') {
		if (!bracket || (bracket + 1 < end && bracket[1] != ':'))
			return conf_piece_fail(l, token,
					       "%s is not an address; write [IPV6] or [IPV6]:PORT",
					       QUOTE(token->text, token->len));
		colon = bracket + 1 < end ? bracket + 1 : NULL;
		address_at = 1;
		address_len = (size_t)(bracket - token->text) - 1;
	} else if (colon && memchr(colon + 1, ':', (size_t)(end - colon) - 1)) {
		colon = NULL; /* IPv6 without brackets */
	} else if (colon) {
		address_len = (size_t)(colon - token->text);
	}
	if (colon)
		port_at = (size_t)(colon - token->text) + 1;
	*address = part(token, address_at, address_len);
	*port = part(token, port_at, token->len - port_at);
	if (colon && port->len == 0)
		return conf_piece_fail(l, port, "no port after \":\"; add it, or remove the \":\"");
	return 0;
}

static int read_endpoint(struct conf_load *l, const struct conf_piece *token,
			 struct conf_backend *b, struct conf_pos *port_pos)
{
	struct conf_piece address, port;
	int rc = split_endpoint(l, token, &address, &port);

	if (rc < 0)
		return rc;
	rc = conf_read_address(l, &backend_keys[KEY_ADDRESS], &address, &b->addr);
	if (rc < 0 || port.len == 0)
		return rc;
	*port_pos = port.pos;
	return conf_read_number(l, &backend_keys[KEY_PORT], &port, &b->port);
}

/* Which of backend_keys @word is, from KEY_NAME on; KEY_MAX: none. */
static size_t find_option(const struct conf_piece *word)
{
	size_t i = KEY_NAME;

	while (i < KEY_MAX && !conf_piece_is(word, backend_keys[i].name))
		i++;
	return i;
}

/* Reads name=NAME and the like, or backup; @seen has a bit for each that came before. */
static int read_option(struct conf_load *l, const struct conf_piece *token, struct conf_backend *b,
		       unsigned int *seen)
{
	static const char *const words[] = {
		"name=NAME", "weight=N", "forward=METHOD", "server_id=HEX", "pool=N",
		"backup",    NULL};
	const char *equals = memchr(token->text, '=', token->len);
	size_t len = equals ? (size_t)(equals - token->text) : token->len;
	struct conf_piece word = part(token, 0, len), value = {token->pos, "yes", 3};
	const size_t i = find_option(&word);

	/* backup alone is a word, everything else has a value. */
	if (i == KEY_MAX || (i == KEY_BACKUP) != !equals)
		return conf_piece_fail(l, token, "%s is not known%s",
				       QUOTE(token->text, token->len),
				       ALLOWED(words, token->text, token->len));
	if (*seen & 1u << i)
		return conf_piece_fail(l, token, "%s%s is here for the second time; remove one",
				       backend_keys[i].name, equals ? "=" : "");
	*seen |= 1u << i;
	if (*seen & 1u << KEY_POOL && *seen & 1u << KEY_BACKUP)
		return conf_refuse_backup_in_pool(l, &token->pos);
	if (equals)
		value = part(token, len + 1, token->len - len - 1);
	return backend_keys[i].read(l, &backend_keys[i], &value,
				    (char *)b + backend_keys[i].offset);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next token of @line from *at on, which moves past it; false at the end or a comment. */
static bool next_token(const struct conf_piece *line, size_t *at, struct conf_piece *token)
{
	size_t from;

	while (*at < line->len && is_blank(line->text[*at]))
		(*at)++;
	from = *at;
	if (from == line->len || line->text[from] == '#')
		return false;
	while (*at < line->len && !is_blank(line->text[*at]))
		(*at)++;
	*token = part(line, from, *at - from);
	return true;
}

/* Reads one line; a blank one and a comment are nothing. */
static int read_line(struct conf_load *l, const struct conf_piece *line, struct conf_service *s)
{
	struct conf_backend b = {.weight = CONF_WEIGHT_DEFAULT, .forward = s->forward};
	struct conf_piece token;
	struct conf_pos port_pos;
	unsigned int seen = 0;
	size_t at = 0;
	int rc;

	if (!next_token(line, &at, &token))
		return 0;
	b.pos = port_pos = token.pos;
	rc = read_endpoint(l, &token, &b, &port_pos);
	while (rc == 0 && next_token(line, &at, &token))
		rc = read_option(l, &token, &b, &seen);
	return rc < 0 ? rc : take_backend(l, s, &b, &port_pos);
}

int conf_read_backend_lines(struct conf_load *l, const struct conf_piece *text,
			    struct conf_service *s)
{
	struct conf_piece line = {.text = NULL};
	int rc = 0;

	while (rc == 0 && conf_next_line(text, &line))
		rc = read_line(l, &line, s);
	return rc;
}

/* ---- inline ------------------------------------------------------------------------------------*/

static int read_inline_line(struct conf_load *l, const struct conf_node *node,
			    struct conf_service *s)
{
	const struct conf_node *target = conf_node_resolve(node);
	const size_t before = s->n_backends;
	struct conf_piece line;
	int rc = conf_node_piece(l, node, "a backend", &line);

	if (rc < 0)
		return rc;
	/* The text begins after the quote, unless the position is that of an alias. */
	line.pos.column += target->quoted && target == node;
	rc = read_line(l, &line, s);
	if (rc == 0 && s->n_backends == before)
		rc = conf_fail(l, node,
			       "a backend is %s; write ADDRESS[:PORT] [name=NAME] [weight=N] "
			       "[forward=METHOD] [server_id=HEX] [pool=N] [backup]",
			       QUOTE(line.text, line.len));
	return rc;
}

static int read_backend(struct conf_load *l, const struct conf_node *node, struct conf_service *s)
{
	const struct conf_node *target = conf_node_resolve(node), *given[CONF_KEYS_MAX];
	struct conf_backend b = {.weight = CONF_WEIGHT_DEFAULT,
				 .forward = s->forward,
				 .pos = conf_node_pos(l, node)};
	struct conf_pos port_pos = b.pos;
	int rc;

	if (target->kind == CONF_NODE_TEXT)
		return read_inline_line(l, node, s);
	rc = conf_read_mapping(l, &conf_backend_mapping, node, &b, given);
	if (rc < 0)
		return rc;
	if (given[KEY_POOL] && given[KEY_BACKUP]) {
		b.pos = conf_node_pos(l, given[KEY_BACKUP]);
		return conf_refuse_backup_in_pool(l, &b.pos);
	}
	if (given[KEY_PORT])
		port_pos = conf_node_pos(l, given[KEY_PORT]);
	return take_backend(l, s, &b, &port_pos);
}

int conf_read_backends(struct conf_load *l, const struct conf_node *node, struct conf_service *s)
{
	const struct conf_node *list;
	int rc = conf_node_list(l, node, "backends", &list);

	if (rc < 0)
		return rc;
	for (const struct conf_node *item = list->first; item && rc == 0; item = item->next)
		rc = read_backend(l, item, s);
	return rc;
}

/* ---- each once ---------------------------------------------------------------------------------*/

static int by_name(const void *a, const void *b)
{
	const struct conf_backend *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int by_address(const void *a, const void *b)
{
	const struct conf_backend *x = a, *y = b;

	int order = addr_compare(&x->addr, &y->addr);

	return order ? order : x->port - y->port;
}

int conf_check_backends(struct conf_load *l, const struct conf_service *s)
{
	const struct conf_backend *first, *second;
	char text[ADDR_TEXT_MAX];
	size_t pair[2];
	int rc;

	rc = conf_first_duplicate(s->backends, s->n_backends, sizeof(*s->backends), by_name, pair);
	if (rc < 0)
		return rc;
	if (rc > 0) {
		first = &s->backends[pair[0]];
		second = &s->backends[pair[1]];
		return conf_complain(
			l->err, &second->pos,
			"service \"%s\" has a backend \"%s\" already, at %s:%u; names are "
			"unique in a service; give it another name",
			s->name, second->name, first->pos.file, first->pos.line);
	}
	rc = conf_first_duplicate(s->backends, s->n_backends, sizeof(*s->backends), by_address,
				  pair);
	if (rc <= 0)
		return rc;
	first = &s->backends[pair[0]];
	second = &s->backends[pair[1]];
	return conf_complain(
		l->err, &second->pos,
		"address %s is backend \"%s\" already, at %s:%u; addresses are unique in a "
		"service; remove one, and use weight for a larger share",
		addr_format(&second->addr, text), first->name, first->pos.file, first->pos.line);
}
