/* SPDX-License-Identifier: BSD-2-Clause */
/* Values by the reader that made them: whether two are the same, and as one would write them. */
#include <stdio.h>
#include <string.h>

#include "pure/conf_diff.h"
#include "pure/conf_parts.h"

static uint64_t number_at(const struct conf_key *key, const void *at)
{
	uint64_t u64 = 0;
	uint32_t u32;
	uint16_t u16;

	switch (key->size) {
	case sizeof(u16):
		memcpy(&u16, at, sizeof(u16));
		return u16;
	case sizeof(u32):
		memcpy(&u32, at, sizeof(u32));
		return u32;
	case sizeof(u64):
		memcpy(&u64, at, sizeof(u64));
		return u64;
	default:
		return *(const uint8_t *)at;
	}
}

static bool is_bytes(const struct conf_key *key)
{
	return key->read == conf_read_request_word || key->read == conf_read_request_path ||
	       key->read == conf_read_request_host || key->read == conf_read_method ||
	       key->read == conf_read_check_text || key->read == conf_read_check_file ||
	       key->read == conf_read_hex || key->read == conf_read_regex;
}

static bool is_string(const struct conf_key *key)
{
	return key->read == conf_read_text || key->read == conf_read_folder;
}

static const char *string_at(const void *at)
{
	const char *text;

	memcpy(&text, at, sizeof(text));
	return text ? text : "";
}

bool conf_diff_is_same(const struct conf_key *key, const void *from, const void *to)
{
	const struct conf_text *a = from, *b = to;

	if (is_string(key))
		return strcmp(string_at(from), string_at(to)) == 0;
	if (is_bytes(key))
		return a->len == b->len && (!a->len || memcmp(a->bytes, b->bytes, a->len) == 0);
	if (key->read == conf_read_name)
		return strcmp(from, to) == 0;
	return memcmp(from, to, key->size) == 0;
}

/* ---- texts -------------------------------------------------------------------------------------*/

typedef void text_fn(const struct conf_key *key, const void *at, char *out);

static void word_text(const struct conf_key *key, const void *at, char *out)
{
	snprintf(out, CONF_DIFF_TEXT_MAX, "%s", key->words[number_at(key, at)]);
}

static void protocol_text(const struct conf_key *key, const void *at, char *out)
{
	snprintf(out, CONF_DIFF_TEXT_MAX, "%s", conf_protocol_name((uint8_t)number_at(key, at)));
}

static void number_text(const struct conf_key *key, const void *at, char *out)
{
	const uint64_t n = number_at(key, at);

	if (n >= key->min)
		snprintf(out, CONF_DIFF_TEXT_MAX, "%llu", (unsigned long long)n);
}

/* In the largest unit that says it whole. */
static void size_text(const struct conf_key *key, const void *at, char *out)
{
	const uint64_t n = number_at(key, at);
	const int shift = n & 0x3ff ? 0 : n & 0xfffff ? 10 : 20;

	snprintf(out, CONF_DIFF_TEXT_MAX, "%llu%s", (unsigned long long)n >> shift,
		 shift == 20   ? "M"
		 : shift == 10 ? "k"
			       : "");
}

static void duration_text(const struct conf_key *key, const void *at, char *out)
{
	const uint64_t ms = number_at(key, at);

	if (ms >= key->min)
		snprintf(out, CONF_DIFF_TEXT_MAX, "%s", MS_TEXT(ms));
}

static void percent_text(const struct conf_key *key, const void *at, char *out)
{
	snprintf(out, CONF_DIFF_TEXT_MAX, "%llu%%", (unsigned long long)number_at(key, at));
}

static void days_text(const struct conf_key *key, const void *at, char *out)
{
	const uint64_t days = number_at(key, at);

	if (days)
		snprintf(out, CONF_DIFF_TEXT_MAX, "%llud", (unsigned long long)days);
	else
		strcpy(out, "no");
}

static void string_text(const struct conf_key *key, const void *at, char *out)
{
	(void)key;
	snprintf(out, CONF_DIFF_TEXT_MAX, "%s", string_at(at));
}

static void name_text(const struct conf_key *key, const void *at, char *out)
{
	(void)key;
	snprintf(out, CONF_DIFF_TEXT_MAX, "%s", (const char *)at);
}

static void address_text(const struct conf_key *key, const void *at, char *out)
{
	char text[ADDR_TEXT_MAX];

	(void)key;
	if (!addr_is_none(at))
		snprintf(out, CONF_DIFF_TEXT_MAX, "%s", addr_format(at, text));
}

static void min_healthy_text(const struct conf_key *key, const void *at, char *out)
{
	const struct conf_min_healthy *m = at;

	(void)key;
	if (m->n)
		snprintf(out, CONF_DIFF_TEXT_MAX, "%u%s", m->n, m->percent ? "%" : "");
}

static void source_text(const struct conf_key *key, const void *at, char *out)
{
	const struct conf_source *s = at;
	char text[ADDR_PREFIX_TEXT_MAX];

	(void)key;
	if (!addr_is_none(&s->addr))
		snprintf(out, CONF_DIFF_TEXT_MAX, "%s",
			 addr_prefix_format(&s->addr, (uint8_t)(addr_bits(&s->addr) - s->bits),
					    text));
}

static void nat_ports_text(const struct conf_key *key, const void *at, char *out)
{
	const struct conf_port_range *r = at;

	(void)key;
	snprintf(out, CONF_DIFF_TEXT_MAX, "%u-%u", r->first, r->last);
}

static void peer_text(const struct conf_key *key, const void *at, char *out)
{
	const struct conf_peer *p = at;
	char text[ADDR_PORT_TEXT_MAX];

	(void)key;
	if (p->port)
		snprintf(out, CONF_DIFF_TEXT_MAX, "%s", addr_port_format(&p->addr, p->port, text));
}

static void pool_text(const struct conf_key *key, const void *at, char *out)
{
	const uint64_t pool = number_at(key, at);

	if (pool == POOL_BACKUP)
		strcpy(out, "backup");
	else
		snprintf(out, CONF_DIFF_TEXT_MAX, "%llu", (unsigned long long)pool);
}

/* Control characters as "?"; nothing that can carry a secret is shown by this. */
static void bytes_text(const struct conf_key *key, const void *at, char *out)
{
	const struct conf_text *t = at;
	uint32_t i;

	(void)key;
	for (i = 0; i < t->len && i < CONF_DIFF_TEXT_MAX - 1; i++)
		out[i] = (char)(t->bytes[i] < ' ' || t->bytes[i] == 0x7f ? '?' : t->bytes[i]);
	out[i] = '\0';
}

static text_fn *text_of(const struct conf_key *key)
{
	static const struct {
		conf_key_read *read;
		text_fn *text;
	} texts[] = {
		{conf_read_word, word_text},
		{conf_read_protocol, protocol_text},
		{conf_read_size, size_text},
		{conf_read_duration, duration_text},
		{conf_read_percent, percent_text},
		{conf_read_days, days_text},
		{conf_read_text, string_text},
		{conf_read_folder, string_text},
		{conf_read_name, name_text},
		{conf_read_address, address_text},
		{conf_read_min_healthy, min_healthy_text},
		{conf_read_tunnel_source, source_text},
		{conf_read_nat_ports, nat_ports_text},
		{conf_read_peer, peer_text},
	};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].read == key->read)
			return texts[i].text;
	if (is_bytes(key))
		return bytes_text;
	return key->size <= sizeof(uint64_t) ? number_text : NULL;
}

static bool is_secret(const struct conf_key *key)
{
	static const char *const names[] = {"hash_secret", "peer_secret", "send_hex", "key"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], key->name) == 0)
			return true;
	return false;
}

const char *conf_diff_text(const struct conf_key *key, const void *at,
			   char out[static CONF_DIFF_TEXT_MAX])
{
	text_fn *text = strcmp(key->name, "pool") == 0 ? pool_text : text_of(key);

	out[0] = '\0';
	if (text && !is_secret(key))
		text(key, at, out);
	return out;
}
