/* SPDX-License-Identifier: BSD-2-Clause */
/* The `check` of a service. */
#include "pure/conf_parts.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "pure/conf_words.h"

#define STATUS_MIN 100
#define STATUS_MAX 599

static int check_printable_ascii(struct conf_load *l, const struct conf_key *key,
				 const struct conf_piece *piece)
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
	return 0;
}

/* Goes into the request line as it is. */
static int read_path(struct conf_load *l, const struct conf_key *key,
		     const struct conf_piece *piece, void *at)
{
	int rc = check_printable_ascii(l, key, piece);

	if (rc < 0)
		return rc;
	if (piece->len == 0 || piece->text[0] != '/')
		return conf_piece_fail(l, piece, "%s %s does not begin with \"/\"; write \"/%.*s\"",
				       key->name, QUOTE(piece->text, piece->len),
				       (int)(piece->len < 64 ? piece->len : 64), piece->text);
	return conf_read_text(l, key, piece, at);
}

/* Goes into the Host header as it is. */
static int read_host(struct conf_load *l, const struct conf_key *key,
		     const struct conf_piece *piece, void *at)
{
	int rc = check_printable_ascii(l, key, piece);

	if (rc < 0)
		return rc;
	if (memchr(piece->text, '/', piece->len))
		return conf_piece_fail(
			l, piece,
			"%s %s holds a \"/\"; allowed is a name or address, with a port "
			"if need be; put the path in \"path\"",
			key->name, QUOTE(piece->text, piece->len));
	return conf_read_text(l, key, piece, at);
}

enum {
	KEY_TYPE,
	KEY_INTERVAL,
	KEY_FAST_INTERVAL,
	KEY_DOWN_INTERVAL,
	KEY_JITTER,
	KEY_TIMEOUT,
	KEY_RISE,
	KEY_FALL,
	KEY_FLAP,
	KEY_PORT,
	KEY_PATH,
	KEY_HOST,
	KEY_STATUS,
	KEY_EXPECT,
	KEY_MAX,
};

#define AT(member) CONF_AT(struct conf_check, member)

static const struct conf_key check_keys[KEY_MAX] = {
	[KEY_TYPE] = {"type", conf_read_word, AT(kind), .words = conf_check_words},
	[KEY_INTERVAL] = {"interval", conf_read_duration, AT(interval_ms), "2s", .min = 100,
			  .max = 3600000},
	[KEY_FAST_INTERVAL] = {"fast_interval", conf_read_duration, AT(fast_interval_ms), .min = 10,
			       .max = 3600000},
	[KEY_DOWN_INTERVAL] = {"down_interval", conf_read_duration, AT(down_interval_ms),
			       .min = 100, .max = 3600000},
	[KEY_JITTER] = {"jitter", conf_read_percent, AT(jitter), "10%", .max = 50},
	[KEY_TIMEOUT] = {"timeout", conf_read_duration, AT(timeout_ms), "1s", .min = 10,
			 .max = 60000},
	[KEY_RISE] = {"rise", conf_read_number, AT(rise), "2", .min = 1, .max = 100},
	[KEY_FALL] = {"fall", conf_read_number, AT(fall), "3", .min = 1, .max = 100},
	[KEY_FLAP] = {.name = "flap"},
	[KEY_PORT] = {"port", conf_read_number, AT(port), .min = 1, .max = 65535},
	[KEY_PATH] = {"path", read_path, AT(path), "/", .min = 1, .max = 255},
	[KEY_HOST] = {"host", read_host, AT(host), .min = 1, .max = 255},
	[KEY_STATUS] = {.name = "status"},
	[KEY_EXPECT] = {"expect", conf_read_text, AT(expect), .min = 1, .max = 255},
};

static const struct conf_mapping check_mapping = {"a check", check_keys, KEY_MAX};

void conf_check_fini(struct conf_check *c)
{
	free(c->path);
	free(c->host);
	free(c->expect);
	c->path = c->host = c->expect = NULL;
}

int conf_check_fallbacks(struct conf_load *l)
{
	return conf_read_fallbacks(l, &check_mapping, &l->defaults.check);
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

static int read_status(struct conf_load *l, const struct conf_node *node, struct conf_check *c)
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

/* ---- the check ---------------------------------------------------------------------------------*/

/* What only http checks have must not stand in others, where it would do nothing. */
static int check_http_keys(struct conf_load *l, const struct conf_check *c, bool has_type,
			   const struct conf_node *const *given)
{
	bool http = has_type && c->kind == CONF_CHECK_HTTP;

	for (size_t i = KEY_PATH; i <= KEY_EXPECT; i++) {
		if (given[i] && !http)
			return conf_fail(l, given[i],
					 "%s is for http checks, and this one is not; add \"type: "
					 "http\" or remove \"%s\"",
					 check_keys[i].name, check_keys[i].name);
	}
	return 0;
}

/* A timeout that nobody wrote follows a shorter interval; one that was written is refused. */
static int settle_timeout(struct conf_load *l, const struct conf_node *node, struct conf_check *c,
			  bool has_timeout, const struct conf_node *const *given)
{
	const struct conf_node *culprit = given[KEY_TIMEOUT];

	if (c->timeout_ms <= c->interval_ms)
		return 0;
	if (!has_timeout) {
		c->timeout_ms = c->interval_ms;
		return 0;
	}
	if (!culprit)
		culprit = given[KEY_INTERVAL] ? given[KEY_INTERVAL] : node;
	return conf_fail(l, culprit,
			 "timeout %s is longer than interval %s; a probe must end before the next "
			 "begins; lower the timeout",
			 MS_TEXT(c->timeout_ms), MS_TEXT(c->interval_ms));
}

/* In doubt slower than without would be a mistake. */
static int check_paces(struct conf_load *l, const struct conf_node *node,
		       const struct conf_check *c, const struct conf_node *const *given)
{
	if (c->fast_interval_ms <= c->interval_ms)
		return 0;
	if (given[KEY_FAST_INTERVAL])
		node = given[KEY_FAST_INTERVAL];
	else if (given[KEY_INTERVAL])
		node = given[KEY_INTERVAL];
	return conf_fail(
		l, node,
		"fast_interval %s is longer than interval %s; it is how soon to probe again "
		"while a few results speak against the state; lower it",
		MS_TEXT(c->fast_interval_ms), MS_TEXT(c->interval_ms));
}

int conf_read_check(struct conf_load *l, const struct conf_node *node, struct conf_check *c,
		    struct conf_check_given *has)
{
	const struct conf_node *given[CONF_KEYS_MAX];
	struct conf_piece piece;
	int rc;

	if (conf_node_resolve(node)->kind == CONF_NODE_TEXT) {
		struct conf_key as_word = check_keys[KEY_TYPE];

		as_word.name = "check";
		has->type = true;
		rc = conf_node_piece(l, node, as_word.name, &piece);
		return rc < 0 ? rc : conf_read_word(l, &as_word, &piece, &c->kind);
	}
	rc = conf_read_mapping(l, &check_mapping, node, c, given);
	if (rc < 0)
		return rc;
	has->type = has->type || given[KEY_TYPE];
	has->timeout = has->timeout || given[KEY_TIMEOUT];
	rc = check_http_keys(l, c, has->type, given);
	if (rc == 0 && given[KEY_STATUS])
		rc = read_status(l, given[KEY_STATUS], c);
	if (rc == 0 && given[KEY_FLAP])
		rc = conf_read_flap(l, given[KEY_FLAP], &c->flap);
	if (rc == 0)
		rc = check_paces(l, node, c, given);
	if (rc == 0)
		rc = settle_timeout(l, node, c, has->timeout, given);
	return rc;
}

int conf_finish_check(struct conf_load *l, const struct conf_node *node, struct conf_service *s,
		      const struct conf_check_given *given)
{
	struct conf_check *c = &s->check;
	/* Whether there is a port of the service's own that a TCP connection can try. */
	bool has_port = c->port || (s->n_ports && s->protocol == IPPROTO_TCP);

	if (!given->type)
		c->kind = has_port ? CONF_CHECK_TCP : CONF_CHECK_NONE;
	if (c->kind != CONF_CHECK_NONE && !has_port)
		return conf_fail(
			l, node,
			"check %s has no TCP port to try, since the service is for %s; add "
			"\"port: N\" to the check, or write \"check: none\"",
			conf_check_name(c->kind), s->protocol == IPPROTO_TCP ? "any port" : "udp");
	if (c->kind != CONF_CHECK_NONE && !c->port && !s->port)
		c->port = s->ports[0].from;
	if (c->kind != CONF_CHECK_HTTP) {
		conf_check_fini(c);
		c->statuses = 0;
	} else if (c->statuses == 0) {
		c->status[c->statuses++] = (struct conf_status_range){200, 399};
	}
	return 0;
}
