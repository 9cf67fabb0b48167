/* SPDX-License-Identifier: BSD-2-Clause */
/* The `check` of a service: its keys, which kinds have which, and what they must have. */
#include "pure/conf_parts.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pure/conf_words.h"

enum {
	KEY_TYPE,
	KEY_VIA,
	KEY_ADDRESS,
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
	KEY_METHOD,
	KEY_HEADERS,
	KEY_STATUS,
	KEY_EXPECT,
	KEY_EXPECT_HEX,
	KEY_EXPECT_REGEX,
	KEY_SEND,
	KEY_SEND_HEX,
	KEY_TLS,
	KEY_SNI,
	KEY_VERIFY,
	KEY_CA,
	KEY_CERT,
	KEY_KEY,
	KEY_EXPIRY_WARN,
	KEY_SERVICE,
	KEY_NAME,
	KEY_RECORD,
	KEY_TRANSPORT,
	KEY_COMMAND,
	KEY_SHELL,
	KEY_ENVIRONMENT,
	KEY_MAX,
};

#define AT(member) CONF_AT(struct conf_check, member)
#define TEXT(which) AT(texts[CONF_TEXT_##which]), .min = 1, .max = CONF_TEXT_MAX

static const struct conf_key check_keys[KEY_MAX] = {
	[KEY_TYPE] = {"type", conf_read_word, AT(kind), .words = conf_check_words},
	[KEY_VIA] = {"via", conf_read_word, AT(via), "auto", .words = conf_via_words},
	[KEY_ADDRESS] = {"address", conf_read_address, AT(target)},
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
	[KEY_PATH] = {"path", conf_read_request_path, TEXT(PATH)},
	[KEY_HOST] = {"host", conf_read_request_host, TEXT(HOST)},
	[KEY_METHOD] = {"method", conf_read_method, AT(texts[CONF_TEXT_METHOD]), .min = 1,
			.max = 16},
	[KEY_HEADERS] = {.name = "headers"},
	[KEY_STATUS] = {.name = "status"},
	[KEY_EXPECT] = {.name = "expect", .min = 1, .max = CONF_TEXT_MAX},
	[KEY_EXPECT_HEX] = {"expect_hex", conf_read_hex, TEXT(EXPECT)},
	[KEY_EXPECT_REGEX] = {"expect_regex", conf_read_regex, TEXT(EXPECT_REGEX)},
	[KEY_SEND] = {.name = "send", .min = 1, .max = CONF_LONG_TEXT_MAX},
	[KEY_SEND_HEX] = {"send_hex", conf_read_hex, AT(texts[CONF_TEXT_SEND]), .min = 1,
			  .max = CONF_LONG_TEXT_MAX},
	[KEY_TLS] = {"tls", conf_read_word, AT(tls), .words = conf_answer_words},
	[KEY_SNI] = {"sni", conf_read_request_host, TEXT(SNI)},
	[KEY_VERIFY] = {"verify", conf_read_word, AT(verify), "yes", .words = conf_answer_words},
	[KEY_CA] = {"ca", conf_read_check_file, TEXT(CA)},
	[KEY_CERT] = {"cert", conf_read_check_file, TEXT(CERT)},
	[KEY_KEY] = {"key", conf_read_check_file, TEXT(KEY)},
	[KEY_EXPIRY_WARN] = {"expiry_warn", conf_read_days, AT(expiry_warn_days), "14d", .min = 1,
			     .max = 365},
	[KEY_SERVICE] = {"service", conf_read_request_word, TEXT(SERVICE)},
	[KEY_NAME] = {"name", conf_read_request_host, AT(texts[CONF_TEXT_NAME]), .min = 1,
		      .max = 253},
	[KEY_RECORD] = {"record", conf_read_word, AT(record), "A", .words = conf_dns_record_words},
	[KEY_TRANSPORT] = {"transport", conf_read_word, AT(transport), "udp",
			   .words = conf_dns_transport_words},
	[KEY_COMMAND] = {.name = "command"},
	[KEY_SHELL] = {.name = "shell"},
	[KEY_ENVIRONMENT] = {.name = "environment"},
};

const struct conf_mapping conf_check_mapping = {"a check", check_keys, KEY_MAX};

/* ---- which kinds have what ---------------------------------------------------------------------*/

#define KIND(k) (1u << CONF_CHECK_##k)
#define HTTP_KINDS (KIND(HTTP) | KIND(HTTPS) | KIND(HTTP2))
#define TLS_KINDS (KIND(HTTPS) | KIND(HTTP2) | KIND(GRPC) | KIND(TLS))

/* None: every kind has it. */
static const uint32_t kinds_of_key[KEY_MAX] = {
	[KEY_PATH] = HTTP_KINDS,
	[KEY_HOST] = HTTP_KINDS | KIND(GRPC),
	[KEY_METHOD] = HTTP_KINDS,
	[KEY_HEADERS] = HTTP_KINDS,
	[KEY_STATUS] = HTTP_KINDS,
	[KEY_EXPECT] = HTTP_KINDS | KIND(TCP) | KIND(UDP) | KIND(DNS),
	[KEY_EXPECT_HEX] = HTTP_KINDS | KIND(TCP) | KIND(UDP),
	[KEY_EXPECT_REGEX] = HTTP_KINDS | KIND(TCP) | KIND(UDP) | KIND(DNS),
	[KEY_SEND] = KIND(TCP) | KIND(UDP) | KIND(AGENT),
	[KEY_SEND_HEX] = KIND(TCP) | KIND(UDP) | KIND(AGENT),
	[KEY_TLS] = KIND(HTTP2) | KIND(GRPC),
	[KEY_SNI] = TLS_KINDS,
	[KEY_VERIFY] = TLS_KINDS,
	[KEY_CA] = TLS_KINDS,
	[KEY_CERT] = TLS_KINDS,
	[KEY_KEY] = TLS_KINDS,
	[KEY_EXPIRY_WARN] = TLS_KINDS,
	[KEY_SERVICE] = KIND(GRPC),
	[KEY_NAME] = KIND(DNS),
	[KEY_RECORD] = KIND(DNS),
	[KEY_TRANSPORT] = KIND(DNS),
	[KEY_COMMAND] = KIND(EXEC),
	[KEY_SHELL] = KIND(EXEC),
	[KEY_ENVIRONMENT] = KIND(EXEC),
};

/* The key that says a text, where several do the first. */
static const uint8_t key_of_text[CONF_CHECK_TEXTS] = {
	[CONF_TEXT_PATH] = KEY_PATH,
	[CONF_TEXT_HOST] = KEY_HOST,
	[CONF_TEXT_METHOD] = KEY_METHOD,
	[CONF_TEXT_HEADERS] = KEY_HEADERS,
	[CONF_TEXT_EXPECT] = KEY_EXPECT,
	[CONF_TEXT_EXPECT_REGEX] = KEY_EXPECT_REGEX,
	[CONF_TEXT_SEND] = KEY_SEND,
	[CONF_TEXT_SNI] = KEY_SNI,
	[CONF_TEXT_CA] = KEY_CA,
	[CONF_TEXT_CERT] = KEY_CERT,
	[CONF_TEXT_KEY] = KEY_KEY,
	[CONF_TEXT_SERVICE] = KEY_SERVICE,
	[CONF_TEXT_NAME] = KEY_NAME,
	[CONF_TEXT_COMMAND] = KEY_COMMAND,
	[CONF_TEXT_ENVIRONMENT] = KEY_ENVIRONMENT,
};

static bool kind_has(enum conf_check_kind kind, size_t key)
{
	return kinds_of_key[key] == 0 || kinds_of_key[key] & 1u << kind;
}

/* "http, https and http2"; the first one's name is *first. */
static void kinds_words(uint32_t kinds, char *out, size_t size, const char **first)
{
	size_t at = 0;

	*first = NULL;
	out[0] = '\0';
	for (uint32_t k = 0; kinds; k++) {
		const char *name = conf_check_name(k);

		if (!(kinds & 1u << k))
			continue;
		kinds &= ~(1u << k);
		at += (size_t)snprintf(out + at, size - at, "%s%s",
				       !*first ? ""
				       : kinds ? ", "
					       : " and ",
				       name);
		if (!*first)
			*first = name;
	}
}

/* The kinds that mean the same by the same keys. */
static uint32_t family_of(enum conf_check_kind kind)
{
	return HTTP_KINDS & 1u << kind ? HTTP_KINDS : 1u << kind;
}

/* What an inherited check says as one of another kind does not hold; @given: what this one says itself,
 * or NULL: nothing. */
static void forget_inherited(struct conf_check *c, const struct conf_node *const *given)
{
	for (size_t i = 0; i < CONF_CHECK_TEXTS; i++) {
		bool own = given && given[key_of_text[i]];

		own = own || (given && i == CONF_TEXT_EXPECT && given[KEY_EXPECT_HEX]);
		own = own || (given && i == CONF_TEXT_SEND && given[KEY_SEND_HEX]);
		if (!own)
			conf_text_fini(&c->texts[i]);
	}
	c->statuses = 0;
}

/* What a kind does not have must not stand in its check, where it would do nothing. */
static int check_kind_of_keys(struct conf_load *l, const struct conf_check *c, bool has_type,
			      const struct conf_node *const *given)
{
	char words[128];
	const char *first;

	for (size_t i = 0; i < KEY_MAX; i++) {
		if (!given[i] || (has_type ? kind_has(c->kind, i) : !kinds_of_key[i]))
			continue;
		kinds_words(kinds_of_key[i], words, sizeof(words), &first);
		return conf_fail(l, given[i],
				 "%s is for %s checks, and this one is %s; add \"type: %s\" or "
				 "remove \"%s\"",
				 check_keys[i].name, words,
				 has_type ? conf_check_name(c->kind) : "without type", first,
				 check_keys[i].name);
	}
	return 0;
}

/* ---- texts -------------------------------------------------------------------------------------*/

void conf_check_fini(struct conf_check *c)
{
	for (size_t i = 0; i < CONF_CHECK_TEXTS; i++)
		conf_text_fini(&c->texts[i]);
}

int conf_check_copy_texts(const struct conf_check *from, struct conf_check *to)
{
	const struct conf_check source = *from;

	memset(to->texts, 0, sizeof(to->texts));
	for (size_t i = 0; i < CONF_CHECK_TEXTS; i++) {
		const struct conf_text *t = &source.texts[i];

		if (t->bytes && conf_text_set(&to->texts[i], t->bytes, t->len) < 0)
			return -ENOMEM;
	}
	return 0;
}

int conf_check_fallbacks(struct conf_load *l)
{
	return conf_read_fallbacks(l, &conf_check_mapping, &l->defaults.check);
}

/* ---- the check ---------------------------------------------------------------------------------*/

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

/* Two keys that say the same. */
static int check_pairs(struct conf_load *l, const struct conf_node *const *given)
{
	static const uint8_t pairs[][2] = {
		{KEY_EXPECT, KEY_EXPECT_HEX}, {KEY_SEND, KEY_SEND_HEX}, {KEY_COMMAND, KEY_SHELL}};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (given[pairs[i][0]] && given[pairs[i][1]])
			return conf_fail(l, given[pairs[i][1]],
					 "%s and %s say the same in two ways; remove one",
					 check_keys[pairs[i][0]].name,
					 check_keys[pairs[i][1]].name);
	}
	return 0;
}

/* What is more than one value, or any bytes. */
static int read_nodes(struct conf_load *l, struct conf_check *c,
		      const struct conf_node *const *given)
{
	struct conf_text *t = c->texts;
	int rc = 0;

	if (given[KEY_STATUS])
		rc = conf_read_status(l, given[KEY_STATUS], c);
	if (rc == 0 && given[KEY_EXPECT])
		rc = conf_read_bytes(l, &check_keys[KEY_EXPECT], given[KEY_EXPECT],
				     &t[CONF_TEXT_EXPECT]);
	if (rc == 0 && given[KEY_SEND])
		rc = conf_read_bytes(l, &check_keys[KEY_SEND], given[KEY_SEND], &t[CONF_TEXT_SEND]);
	if (rc == 0 && given[KEY_HEADERS])
		rc = conf_read_headers(l, given[KEY_HEADERS], &t[CONF_TEXT_HEADERS]);
	if (rc == 0 && given[KEY_COMMAND])
		rc = conf_read_command(l, given[KEY_COMMAND], &t[CONF_TEXT_COMMAND]);
	if (rc == 0 && given[KEY_SHELL])
		rc = conf_read_shell(l, given[KEY_SHELL], &t[CONF_TEXT_COMMAND]);
	if (rc == 0 && given[KEY_ENVIRONMENT])
		rc = conf_read_environment(l, given[KEY_ENVIRONMENT], &t[CONF_TEXT_ENVIRONMENT]);
	return rc;
}

/* "check: tcp" */
static int read_as_word(struct conf_load *l, const struct conf_node *node, struct conf_check *c,
			struct conf_check_given *has)
{
	struct conf_key as_word = check_keys[KEY_TYPE];
	enum conf_check_kind inherited = c->kind;
	struct conf_piece piece;
	int rc;

	as_word.name = "check";
	has->type = true;
	rc = conf_node_piece(l, node, as_word.name, &piece);
	if (rc == 0)
		rc = conf_read_word(l, &as_word, &piece, &c->kind);
	if (rc == 0 && family_of(c->kind) != family_of(inherited))
		forget_inherited(c, NULL);
	return rc;
}

int conf_read_check(struct conf_load *l, const struct conf_node *node, struct conf_check *c,
		    struct conf_check_given *has)
{
	const struct conf_node *given[CONF_KEYS_MAX];
	enum conf_check_kind inherited = c->kind;
	int rc;

	if (conf_node_resolve(node)->kind == CONF_NODE_TEXT)
		return read_as_word(l, node, c, has);
	rc = conf_read_mapping(l, &conf_check_mapping, node, c, given);
	if (rc < 0)
		return rc;
	if (family_of(c->kind) != family_of(inherited))
		forget_inherited(c, given);
	has->type = has->type || given[KEY_TYPE];
	has->timeout = has->timeout || given[KEY_TIMEOUT];
	has->tls = has->tls || given[KEY_TLS];
	rc = check_kind_of_keys(l, c, has->type, given);
	if (rc == 0)
		rc = check_pairs(l, given);
	if (rc == 0)
		rc = read_nodes(l, c, given);
	if (rc == 0 && given[KEY_FLAP])
		rc = conf_read_flap(l, given[KEY_FLAP], &c->flap);
	if (rc == 0)
		rc = check_paces(l, node, c, given);
	if (rc == 0)
		rc = settle_timeout(l, node, c, has->timeout, given);
	return rc;
}

/* ---- what it leaves to the service -------------------------------------------------------------*/

static bool is_udp(const struct conf_check *c)
{
	return c->kind == CONF_CHECK_UDP ||
	       (c->kind == CONF_CHECK_DNS && c->transport == CONF_DNS_UDP);
}

/* Whether the service has ports of its own that the check can try. A name server has the same for
 * both protocols. */
static bool can_try_ports(const struct conf_service *s)
{
	uint8_t protocol = is_udp(&s->check) ? IPPROTO_UDP : IPPROTO_TCP;

	return s->n_ports && s->check.kind != CONF_CHECK_AGENT &&
	       (s->protocol == protocol || s->check.kind == CONF_CHECK_DNS);
}

static int check_port(struct conf_load *l, const struct conf_node *node, struct conf_service *s)
{
	struct conf_check *c = &s->check;
	bool needs_none = c->kind == CONF_CHECK_NONE || c->kind == CONF_CHECK_ICMP ||
			  c->kind == CONF_CHECK_EXEC;

	if (c->kind == CONF_CHECK_AGENT && !c->port)
		return conf_fail(l, node,
				 "check agent has no port, and the service's own is not that of an "
				 "agent; add \"port: N\" to the check");
	if (!needs_none && !c->port && !can_try_ports(s))
		return conf_fail(l, node,
				 "check %s has no %s port to try, since the service is for %s; add "
				 "\"port: N\" to the check, or write \"check: none\"",
				 conf_check_name(c->kind), is_udp(c) ? "UDP" : "TCP",
				 !s->n_ports		      ? "any port"
				 : s->protocol == IPPROTO_TCP ? "tcp"
							      : "udp");
	if (!needs_none && !c->port && !s->port)
		c->port = s->ports[0].from;
	return 0;
}

/* Drops what is for other kinds, which defaults may say. */
static void drop_others(struct conf_check *c, const struct conf_check_given *given)
{
	for (size_t i = 0; i < CONF_CHECK_TEXTS; i++)
		if (!kind_has(c->kind, key_of_text[i]))
			conf_text_fini(&c->texts[i]);
	if (!kind_has(c->kind, KEY_STATUS))
		c->statuses = 0;
	else if (c->statuses == 0)
		c->status[c->statuses++] = (struct conf_status_range){200, 399};
	if (!given->tls || !kind_has(c->kind, KEY_TLS))
		c->tls = c->kind == CONF_CHECK_HTTPS || c->kind == CONF_CHECK_HTTP2 ||
					 c->kind == CONF_CHECK_TLS
				 ? CONF_YES
				 : CONF_NO;
	if (c->tls == CONF_NO) {
		c->verify = CONF_NO;
		c->expiry_warn_days = 0;
	}
	if (c->kind != CONF_CHECK_DNS) {
		c->record = CONF_DNS_A;
		c->transport = CONF_DNS_UDP;
	}
}

static int check_tls(struct conf_load *l, const struct conf_node *node, const struct conf_check *c)
{
	static const uint8_t of_tls[] = {CONF_TEXT_SNI, CONF_TEXT_CA, CONF_TEXT_CERT,
					 CONF_TEXT_KEY};

	for (size_t i = 0; i < sizeof(of_tls); i++) {
		if (c->texts[of_tls[i]].bytes && c->tls == CONF_NO)
			return conf_fail(l, node,
					 "check %s has %s but no TLS; add \"tls: yes\" or remove "
					 "\"%s\"",
					 conf_check_name(c->kind),
					 check_keys[key_of_text[of_tls[i]]].name,
					 check_keys[key_of_text[of_tls[i]]].name);
	}
	if (c->texts[CONF_TEXT_KEY].bytes && !c->texts[CONF_TEXT_CERT].bytes)
		return conf_fail(l, node,
				 "check %s has a key but no certificate; add \"cert: FILE\" or "
				 "remove \"key\"",
				 conf_check_name(c->kind));
	return 0;
}

static int check_needs(struct conf_load *l, const struct conf_node *node,
		       const struct conf_check *c)
{
	if (c->kind == CONF_CHECK_DNS && !c->texts[CONF_TEXT_NAME].bytes)
		return conf_fail(l, node, "check dns has no name to ask for; add \"name: NAME\"");
	if (c->kind == CONF_CHECK_EXEC && !c->texts[CONF_TEXT_COMMAND].bytes)
		return conf_fail(l, node,
				 "check exec has nothing to run; add \"command: "
				 "[/path/of/program, ARGUMENT, ...]\"");
	if (conf_check_via(l, node, c) < 0)
		return -EINVAL;
	return check_tls(l, node, c);
}

int conf_finish_check(struct conf_load *l, const struct conf_node *node, struct conf_service *s,
		      const struct conf_check_given *given)
{
	struct conf_check *c = &s->check;
	int rc;

	if (!given->type)
		c->kind = c->port || (s->n_ports && s->protocol == IPPROTO_TCP) ? CONF_CHECK_TCP
										: CONF_CHECK_NONE;
	rc = check_port(l, node, s);
	drop_others(c, given);
	return rc < 0 ? rc : check_needs(l, node, c);
}
