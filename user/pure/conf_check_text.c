/* SPDX-License-Identifier: BSD-2-Clause */
/* What a check says in bytes: parts of a request, payloads, patterns, programs. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "pure/conf_parts.h"

#include <errno.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_MIN 100
#define STATUS_MAX 599

/* ---- one value ---------------------------------------------------------------------------------*/

int conf_text_set(struct conf_text *out, const char *bytes, size_t len)
{
	char *copy = malloc(len + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, bytes, len);
	copy[len] = '\0';
	free(out->bytes);
	*out = (struct conf_text){copy, (uint32_t)len};
	return 0;
}

void conf_text_fini(struct conf_text *t)
{
	free(t->bytes);
	*t = (struct conf_text){0};
}

int conf_read_check_text(struct conf_load *l, const struct conf_key *key,
			 const struct conf_piece *piece, void *at)
{
	struct conf_text *out = at;
	char *text = NULL;
	int rc = conf_read_text(l, key, piece, &text);

	if (rc < 0)
		return rc;
	free(out->bytes);
	*out = (struct conf_text){text, (uint32_t)piece->len};
	return 0;
}

int conf_read_request_word(struct conf_load *l, const struct conf_key *key,
			   const struct conf_piece *piece, void *at)
{
	for (size_t i = 0; i < piece->len; i++) {
		if (piece->text[i] <= ' ' || piece->text[i] >= 0x7f)
			return conf_piece_fail(
				l, piece,
				"%s %s holds a space, a control character or one that "
				"is not ASCII; allowed are printable ASCII characters; "
				"write others as %%XX",
				key->name, QUOTE(piece->text, piece->len));
	}
	return conf_read_check_text(l, key, piece, at);
}

/* Goes into the request line as it is. */
int conf_read_request_path(struct conf_load *l, const struct conf_key *key,
			   const struct conf_piece *piece, void *at)
{
	if (piece->len > 0 && piece->text[0] > ' ' && piece->text[0] != '/')
		return conf_piece_fail(l, piece, "%s %s does not begin with \"/\"; write \"/%.*s\"",
				       key->name, QUOTE(piece->text, piece->len),
				       (int)(piece->len < 64 ? piece->len : 64), piece->text);
	return conf_read_request_word(l, key, piece, at);
}

/* Goes into the Host header as it is. */
int conf_read_request_host(struct conf_load *l, const struct conf_key *key,
			   const struct conf_piece *piece, void *at)
{
	int rc = conf_read_request_word(l, key, piece, at);

	if (rc == 0 && memchr(piece->text, '/', piece->len))
		return conf_piece_fail(
			l, piece,
			"%s %s holds a \"/\"; allowed is a name or address, with a port "
			"if need be; put the path in \"path\"",
			key->name, QUOTE(piece->text, piece->len));
	return rc;
}

int conf_read_method(struct conf_load *l, const struct conf_key *key,
		     const struct conf_piece *piece, void *at)
{
	for (size_t i = 0; i < piece->len; i++) {
		if (piece->text[i] < 'A' || piece->text[i] > 'Z')
			return conf_piece_fail(
				l, piece,
				"%s %s is not a method; allowed are words of capital "
				"letters, such as GET, HEAD, OPTIONS",
				key->name, QUOTE(piece->text, piece->len));
	}
	return conf_read_check_text(l, key, piece, at);
}

int conf_read_check_file(struct conf_load *l, const struct conf_key *key,
			 const struct conf_piece *piece, void *at)
{
	if (piece->len == 0 || piece->text[0] != '/')
		return conf_piece_fail(l, piece,
				       "%s %s is not an absolute path; it must begin with \"/\"",
				       key->name, QUOTE(piece->text, piece->len));
	return conf_read_check_text(l, key, piece, at);
}

int conf_read_bytes(struct conf_load *l, const struct conf_key *key, const struct conf_node *node,
		    struct conf_text *out)
{
	const struct conf_node *text = conf_node_resolve(node);

	if (text->kind != CONF_NODE_TEXT || conf_node_is_empty(node))
		return conf_fail(l, node, "%s is %s; it must be one value; write \"%s: VALUE\"",
				 key->name, conf_node_kind_words(node), key->name);
	if (text->n < key->min || text->n > key->max)
		return conf_fail(l, node, "%s has %u bytes; allowed are %llu to %llu", key->name,
				 text->n, (unsigned long long)key->min,
				 (unsigned long long)key->max);
	return conf_text_set(out, text->text, text->n);
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int conf_read_hex(struct conf_load *l, const struct conf_key *key, const struct conf_piece *piece,
		  void *at)
{
	struct conf_text *out = at;
	size_t n = piece->len / 2;
	bool odd = piece->len == 0 || piece->len % 2;
	char bytes[CONF_LONG_TEXT_MAX];

	for (size_t i = 0; !odd && i < piece->len; i++)
		odd = nibble(piece->text[i]) < 0;
	if (odd)
		return conf_piece_fail(l, piece,
				       "%s %s is not hexadecimal; allowed are pairs of the digits "
				       "0-9 and a-f; write \"00ff10\"",
				       key->name, QUOTE(piece->text, piece->len));
	if (n > key->max)
		return conf_piece_fail(l, piece, "%s has %zu bytes; allowed are 1 to %llu",
				       key->name, n, (unsigned long long)key->max);
	for (size_t i = 0; i < n; i++)
		bytes[i] = (char)(nibble(piece->text[2 * i]) << 4 | nibble(piece->text[2 * i + 1]));
	return conf_text_set(out, bytes, n);
}

int conf_read_regex(struct conf_load *l, const struct conf_key *key, const struct conf_piece *piece,
		    void *at)
{
	PCRE2_UCHAR words[128];
	PCRE2_SIZE where = 0;
	pcre2_code *code;
	int error = 0;

	code = pcre2_compile((PCRE2_SPTR)piece->text, piece->len, CONF_REGEX_OPTIONS, &error,
			     &where, NULL);
	if (code) {
		pcre2_code_free(code);
		return conf_read_check_text(l, key, piece, at);
	}
	if (error == PCRE2_ERROR_HEAP_FAILED)
		return -ENOMEM;
	pcre2_get_error_message(error, words, sizeof(words));
	return conf_piece_fail(
		l, piece,
		"%s %s is not a regular expression: %s, behind character %zu; allowed are "
		"those of PCRE2",
		key->name, QUOTE(piece->text, piece->len), (char *)words, where);
}

int conf_read_days(struct conf_load *l, const struct conf_key *key, const struct conf_piece *piece,
		   void *at)
{
	uint64_t days = 0;
	size_t n = conf_piece_digits(piece, &days);
	bool right = n > 0 && n + 1 == piece->len && piece->text[n] == 'd';

	if (!conf_piece_is(piece, "no") && (!right || days < key->min || days > key->max))
		return conf_piece_fail(l, piece,
				       "%s %s is not a number of days; allowed are %llud to %llud, "
				       "and no; write 14d",
				       key->name, QUOTE(piece->text, piece->len),
				       (unsigned long long)key->min, (unsigned long long)key->max);
	*(uint16_t *)at = right ? (uint16_t)days : 0;
	return 0;
}

/* ---- lists and mappings ------------------------------------------------------------------------*/

/* Texts one behind the other while they are read. */
struct gathered {
	char bytes[CONF_LONG_TEXT_MAX];
	size_t n;
};

static int gather(struct conf_load *l, const struct conf_node *node, const char *what,
		  struct gathered *g, const char *text, size_t len)
{
	if (len > sizeof(g->bytes) - g->n)
		return conf_fail(l, node, "%s has more than %d bytes in all; make it shorter", what,
				 CONF_LONG_TEXT_MAX);
	memcpy(g->bytes + g->n, text, len);
	g->n += len;
	return 0;
}

/* @piece becomes a text without control characters. */
static int one_line(struct conf_load *l, const struct conf_node *node, const char *what,
		    struct conf_piece *piece)
{
	int rc = conf_node_piece(l, node, what, piece);

	for (size_t i = 0; rc == 0 && i < piece->len; i++) {
		unsigned char c = (unsigned char)piece->text[i];

		if (c < 0x20 || c == 0x7f)
			return conf_piece_fail(l, piece, /* which may be a secret */
					       "%s: the text holds a control character; allowed is "
					       "printable text; remove it",
					       what);
	}
	return rc;
}

struct pairs {
	const char *what; /* "headers" */
	const char *name; /* "the name of a header" */
	const char *marks; /* allowed in a name beside letters and digits */
	const char *between; /* name and value */
	const char *example;
};

static bool is_name(const struct conf_piece *piece, const char *marks)
{
	for (size_t i = 0; i < piece->len; i++) {
		char c = piece->text[i], lower = c | 0x20;

		if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && !strchr(marks, c))
			return false;
	}
	return piece->len > 0;
}

static int read_pair(struct conf_load *l, const struct pairs *p, const struct conf_node *key,
		     struct gathered *g)
{
	struct conf_piece name, value;
	int rc = one_line(l, key, p->name, &name);

	if (rc == 0 && !is_name(&name, p->marks))
		return conf_piece_fail(l, &name,
				       "%s %s holds a character that is not allowed; write %s",
				       p->name, QUOTE(name.text, name.len), p->example);
	if (rc == 0)
		rc = one_line(l, key->next, name.text, &value);
	if (rc == 0)
		rc = gather(l, key, p->what, g, name.text, name.len);
	if (rc == 0)
		rc = gather(l, key, p->what, g, p->between, strlen(p->between));
	return rc == 0 ? gather(l, key, p->what, g, value.text, value.len + 1) : rc;
}

static int read_pairs(struct conf_load *l, const struct pairs *p, const struct conf_node *node,
		      struct conf_text *out)
{
	const struct conf_node *map = conf_node_resolve(node);
	struct gathered g = {.n = 0};
	int rc = 0;

	if (map->kind != CONF_NODE_MAPPING || !map->first)
		return conf_fail(l, node, "%s is %s; it must be a mapping; write %s", p->what,
				 map->kind == CONF_NODE_MAPPING ? "empty"
								: conf_node_kind_words(node),
				 p->example);
	for (const struct conf_node *key = map->first; key && rc == 0; key = key->next->next)
		rc = read_pair(l, p, key, &g);
	return rc < 0 ? rc : conf_text_set(out, g.bytes, g.n);
}

/* What the probe says itself. */
static bool is_own_header(const char *line)
{
	static const char *const own[] = {
		"host:", "connection:", "content-length:", "transfer-encoding:"};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (strncasecmp(line, own[i], strlen(own[i])) == 0)
			return true;
	return false;
}

int conf_read_headers(struct conf_load *l, const struct conf_node *node, struct conf_text *out)
{
	static const struct pairs headers = {"headers", "the name of a header", "-_", ": ",
					     "headers: { X-Probe: shunt }"};
	int rc = read_pairs(l, &headers, node, out);

	for (size_t at = 0; rc == 0 && at < out->len; at += strlen(out->bytes + at) + 1) {
		if (is_own_header(out->bytes + at))
			return conf_fail(l, node,
					 "headers cannot say %.*s, which the probe does; write "
					 "\"host: NAME\" beside them for another host",
					 (int)strcspn(out->bytes + at, ":"), out->bytes + at);
	}
	return rc;
}

int conf_read_environment(struct conf_load *l, const struct conf_node *node, struct conf_text *out)
{
	static const struct pairs environment = {"environment", "the name of a variable", "_", "=",
						 "environment: { NAME: value }"};

	return read_pairs(l, &environment, node, out);
}

static int check_program(struct conf_load *l, const struct conf_piece *piece)
{
	if (piece->len > 0 && piece->text[0] == '/')
		return 0;
	return conf_piece_fail(l, piece,
			       "command %s is not an absolute path; it must begin with \"/\"; no "
			       "shell looks for it: to have one, write \"shell: ...\" instead",
			       QUOTE(piece->text, piece->len));
}

int conf_read_command(struct conf_load *l, const struct conf_node *node, struct conf_text *out)
{
	struct gathered g = {.n = 0};
	const struct conf_node *list;
	struct conf_piece piece;
	int rc = conf_node_list(l, node, "command", &list);

	if (rc == 0 && !list->first)
		return conf_fail(l, node,
				 "command is an empty list; write [/path/of/program, ARGUMENT, "
				 "...]");
	for (const struct conf_node *i = rc < 0 ? NULL : list->first; i && rc == 0; i = i->next) {
		rc = one_line(l, i, "command", &piece);
		if (rc == 0 && i == list->first)
			rc = check_program(l, &piece);
		if (rc == 0)
			rc = gather(l, i, "command", &g, piece.text, piece.len + 1);
	}
	return rc < 0 ? rc : conf_text_set(out, g.bytes, g.n);
}

int conf_read_shell(struct conf_load *l, const struct conf_node *node, struct conf_text *out)
{
	static const char shell[] = "/bin/sh\0-c"; /* and the NUL behind it */
	struct gathered g = {.n = 0};
	struct conf_piece piece;
	int rc = conf_node_piece(l, node, "shell", &piece);

	if (rc == 0)
		rc = gather(l, node, "shell", &g, shell, sizeof(shell));
	if (rc == 0)
		rc = gather(l, node, "shell", &g, piece.text, piece.len + 1);
	return rc < 0 ? rc : conf_text_set(out, g.bytes, g.n);
}

/* ---- status ------------------------------------------------------------------------------------*/

/* Reads "200" or "200-399". */
static int read_range(struct conf_load *l, const struct conf_node *node, struct conf_check *c)
{
	struct conf_piece piece, rest;
	uint64_t from, to;
	size_t n;
	int rc = conf_node_piece(l, node, "status", &piece);

	if (rc < 0)
		return rc;
	n = conf_piece_digits(&piece, &from);
	to = from;
	rest = (struct conf_piece){piece.pos, piece.text + n, piece.len - n};
	if (n > 0 && rest.len > 1 && rest.text[0] == '-') {
		rest.text++;
		rest.len--;
		rest.len -= conf_piece_digits(&rest, &to);
	}
	if (n == 0 || rest.len > 0 || from < STATUS_MIN || to > STATUS_MAX || from > to)
		return conf_piece_fail(l, &piece,
				       "status %s is not an HTTP status; allowed are %d to %d, and "
				       "ranges of them; write 200, 200-399, or a list of these",
				       QUOTE(piece.text, piece.len), STATUS_MIN, STATUS_MAX);
	if (c->statuses == CONF_STATUS_RANGES)
		return conf_piece_fail(l, &piece,
				       "status has more than %d items; join some to ranges",
				       CONF_STATUS_RANGES);
	c->status[c->statuses++] = (struct conf_status_range){(uint16_t)from, (uint16_t)to};
	return 0;
}

int conf_read_status(struct conf_load *l, const struct conf_node *node, struct conf_check *c)
{
	const struct conf_node *list = conf_node_resolve(node);
	int rc = 0;

	c->statuses = 0;
	if (list->kind != CONF_NODE_LIST)
		return read_range(l, node, c);
	if (!list->first)
		return conf_fail(l, node, "status is an empty list; remove it for 200-399");
	for (const struct conf_node *item = list->first; item && rc == 0; item = item->next)
		rc = read_range(l, item, c);
	return rc;
}
