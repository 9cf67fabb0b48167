/* SPDX-License-Identifier: BSD-2-Clause */
/* The readers of conf_schema.h: one kind of value each. */
#include "pure/conf_schema.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Stores @value in an integer of key->size bytes; it fits, since key->max does. */
static void store(const struct conf_key *key, void *at, uint64_t value)
{
	uint16_t u16 = (uint16_t)value;
	uint32_t u32 = (uint32_t)value;

	if (key->size == sizeof(u16))
		memcpy(at, &u16, sizeof(u16));
	else if (key->size == sizeof(u32))
		memcpy(at, &u32, sizeof(u32));
	else
		memcpy(at, &value, sizeof(value));
}

size_t conf_piece_digits(const struct conf_piece *piece, uint64_t *value)
{
	size_t i = 0;

	*value = 0;
	for (; i < piece->len && piece->text[i] >= '0' && piece->text[i] <= '9'; i++) {
		unsigned int digit = (unsigned int)(piece->text[i] - '0');

		/* Beyond 64 bits only "too large" matters, to every caller. */
		if (*value < UINT64_MAX / 10)
			*value = *value * 10 + digit;
	}
	return i;
}

/* ---- words -------------------------------------------------------------------------------------*/

static int find_word(struct conf_load *l, const struct conf_key *key,
		     const struct conf_piece *piece, unsigned int *index)
{
	for (unsigned int i = 0; key->words[i]; i++) {
		if (conf_piece_is(piece, key->words[i])) {
			*index = i;
			return 0;
		}
	}
	return conf_piece_fail(l, piece, "%s %s is not known%s", key->name,
			       QUOTE(piece->text, piece->len),
			       ALLOWED(key->words, piece->text, piece->len));
}

int conf_read_word(struct conf_load *l, const struct conf_key *key, const struct conf_piece *piece,
		   void *at)
{
	unsigned int index = 0;
	int rc = find_word(l, key, piece, &index);

	if (rc == 0)
		memcpy(at, &index, sizeof(index));
	return rc;
}

int conf_read_protocol(struct conf_load *l, const struct conf_key *key,
		       const struct conf_piece *piece, void *at)
{
	static const char *const words[] = {"tcp", "udp", NULL};
	struct conf_key with_words = *key;
	unsigned int index = 0;
	int rc;

	with_words.words = words;
	rc = find_word(l, &with_words, piece, &index);
	if (rc == 0)
		*(uint8_t *)at = index == 0 ? IPPROTO_TCP : IPPROTO_UDP;
	return rc;
}

/* ---- numbers -----------------------------------------------------------------------------------*/

struct range_text {
	char text[48];
};

static const char *range_format(struct range_text *out, const struct conf_key *key)
{
	snprintf(out->text, sizeof(out->text), "%llu to %llu%s%s", (unsigned long long)key->min,
		 (unsigned long long)key->max, key->words ? ", or " : "",
		 key->words ? key->words[0] : "");
	return out->text;
}

#define RANGE(key) range_format(&(struct range_text){{0}}, key)

int conf_read_number(struct conf_load *l, const struct conf_key *key,
		     const struct conf_piece *piece, void *at)
{
	uint64_t value;

	if (key->words && conf_piece_is(piece, key->words[0])) {
		store(key, at, 0);
		return 0;
	}
	if (conf_piece_digits(piece, &value) != piece->len || piece->len == 0)
		return conf_piece_fail(l, piece, "%s %s is not a whole number; allowed are %s",
				       key->name, QUOTE(piece->text, piece->len), RANGE(key));
	if (value < key->min || value > key->max)
		return conf_piece_fail(l, piece, "%s %s is out of range; allowed are %s", key->name,
				       QUOTE(piece->text, piece->len), RANGE(key));
	store(key, at, value);
	return 0;
}

struct unit {
	const char *name;
	uint64_t factor;
};

/* The factor of the unit that is @piece from @from on; 0 if it is none of @units. */
static uint64_t unit_factor(const struct unit *units, const struct conf_piece *piece, size_t from)
{
	for (; units->name; units++) {
		if (strlen(units->name) == piece->len - from &&
		    memcmp(units->name, piece->text + from, piece->len - from) == 0)
			return units->factor;
	}
	return 0;
}

static bool in_range(const struct conf_key *key, uint64_t value, uint64_t factor, uint64_t *product)
{
	return !__builtin_mul_overflow(value, factor, product) && *product >= key->min &&
	       *product <= key->max;
}

int conf_read_size(struct conf_load *l, const struct conf_key *key, const struct conf_piece *piece,
		   void *at)
{
	static const struct unit units[] = {{"", 1}, {"k", 1024}, {"M", 1024 * 1024}, {NULL, 0}};
	uint64_t value, factor;
	size_t digits = conf_piece_digits(piece, &value);

	factor = digits ? unit_factor(units, piece, digits) : 0;
	if (factor == 0)
		return conf_piece_fail(
			l, piece,
			"%s %s is not a size; allowed are whole numbers, with k (1024) "
			"or M (1024 k) if large; write 256k or 1M",
			key->name, QUOTE(piece->text, piece->len));
	if (!in_range(key, value, factor, &value))
		return conf_piece_fail(
			l, piece, "%s %s is out of range; allowed are %lluk to %lluM", key->name,
			QUOTE(piece->text, piece->len), (unsigned long long)(key->min >> 10),
			(unsigned long long)(key->max >> 20));
	store(key, at, value);
	return 0;
}

int conf_read_duration(struct conf_load *l, const struct conf_key *key,
		       const struct conf_piece *piece, void *at)
{
	static const struct unit units[] = {
		{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {NULL, 0}};
	uint64_t value, factor;
	size_t digits = conf_piece_digits(piece, &value);

	if (digits && digits == piece->len)
		return conf_piece_fail(
			l, piece, "%s %s has no unit; allowed are ms, s, m, h; write \"%.*ss\"",
			key->name, QUOTE(piece->text, piece->len), (int)(digits < 20 ? digits : 20),
			piece->text);
	factor = digits ? unit_factor(units, piece, digits) : 0;
	if (factor == 0)
		return conf_piece_fail(
			l, piece,
			"%s %s is not a duration; allowed are whole numbers with one "
			"of the units ms, s, m, h; write 1500ms or 2s",
			key->name, QUOTE(piece->text, piece->len));
	if (!in_range(key, value, factor, &value))
		return conf_piece_fail(l, piece, "%s %s is out of range; allowed are %s to %s",
				       key->name, QUOTE(piece->text, piece->len), MS_TEXT(key->min),
				       MS_TEXT(key->max));
	store(key, at, value);
	return 0;
}

int conf_read_percent(struct conf_load *l, const struct conf_key *key,
		      const struct conf_piece *piece, void *at)
{
	uint64_t value;
	const size_t digits = conf_piece_digits(piece, &value);

	if (digits == 0 || digits + 1 != piece->len || piece->text[digits] != '%' ||
	    value < key->min || value > key->max)
		return conf_piece_fail(l, piece,
				       "%s %s is not such a part; allowed are %llu%% to %llu%%",
				       key->name, QUOTE(piece->text, piece->len),
				       (unsigned long long)key->min, (unsigned long long)key->max);
	store(key, at, value);
	return 0;
}

/* ---- texts -------------------------------------------------------------------------------------*/

static bool has_control(const struct conf_piece *piece)
{
	for (size_t i = 0; i < piece->len; i++) {
		unsigned char c = (unsigned char)piece->text[i];

		if (c < 0x20 || c == 0x7f)
			return true;
	}
	return false;
}

static int check_length(struct conf_load *l, const struct conf_key *key,
			const struct conf_piece *piece)
{
	if (piece->len < key->min || piece->len > key->max)
		return conf_piece_fail(l, piece, "%s has %zu bytes; allowed are %llu to %llu",
				       key->name, piece->len, (unsigned long long)key->min,
				       (unsigned long long)key->max);
	return 0;
}

int conf_read_text(struct conf_load *l, const struct conf_key *key, const struct conf_piece *piece,
		   void *at)
{
	char **out = at;
	char *copy;
	int rc = check_length(l, key, piece);

	if (rc < 0)
		return rc;
	if (has_control(piece))
		return conf_piece_fail(
			l, piece,
			"%s %s holds a control character; allowed is printable text; "
			"remove it",
			key->name, QUOTE(piece->text, piece->len));
	copy = strndup(piece->text, piece->len);
	if (!copy)
		return -ENOMEM;
	free(*out);
	*out = copy;
	return 0;
}

int conf_read_folder(struct conf_load *l, const struct conf_key *key,
		     const struct conf_piece *piece, void *at)
{
	if (piece->len == 0 || piece->text[0] != '/')
		return conf_piece_fail(l, piece,
				       "%s %s is not an absolute path; it must begin with \"/\"",
				       key->name, QUOTE(piece->text, piece->len));
	return conf_read_text(l, key, piece, at);
}

/* The first character that key->marks does not allow, or NULL. */
static const char *bad_character(const struct conf_key *key, const struct conf_piece *piece)
{
	for (size_t i = 0; i < piece->len; i++) {
		const char *c = &piece->text[i];
		bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
		bool digit = *c >= '0' && *c <= '9';

		if (!letter && !digit && (*c == '\0' || !strchr(key->marks, *c)))
			return c;
	}
	return NULL;
}

/* "._-" as ". _ -" */
struct marks_text {
	char text[32];
};

static const char *marks_format(struct marks_text *out, const char *marks)
{
	size_t n = strlen(marks);

	for (size_t i = 0; i < n && 2 * i + 1 < sizeof(out->text); i++) {
		out->text[2 * i] = marks[i];
		out->text[2 * i + 1] = i + 1 < n ? ' ' : '\0';
	}
	return out->text;
}

int conf_read_name(struct conf_load *l, const struct conf_key *key, const struct conf_piece *piece,
		   void *at)
{
	char *out = at;
	int rc = check_length(l, key, piece);

	if (rc < 0)
		return rc;
	if (bad_character(key, piece))
		return conf_piece_fail(l, piece,
				       "%s %s holds a character that is not allowed; allowed are "
				       "letters, digits and %s",
				       key->name, QUOTE(piece->text, piece->len),
				       marks_format(&(struct marks_text){{0}}, key->marks));
	if (piece->text[0] == '-')
		return conf_piece_fail(l, piece,
				       "%s %s begins with \"-\", as options do; begin it with "
				       "a letter or a digit",
				       key->name, QUOTE(piece->text, piece->len));
	memcpy(out, piece->text, piece->len);
	memset(out + piece->len, 0, key->size - piece->len);
	return 0;
}

int conf_read_address(struct conf_load *l, const struct conf_key *key,
		      const struct conf_piece *piece, void *at)
{
	struct addr addr;

	if (addr_parse(piece->text, piece->len, &addr) < 0)
		return conf_piece_fail(
			l, piece,
			"%s %s is not an address; allowed is one IPv4 or IPv6 address "
			"without port and prefix length",
			key->name, QUOTE(piece->text, piece->len));
	if (addr_is_unusable(&addr))
		return conf_piece_fail(
			l, piece,
			"%s %s cannot be used; allowed are unicast addresses, not "
			"unspecified, loopback, link-local, multicast or broadcast ones",
			key->name, QUOTE(piece->text, piece->len));
	*(struct addr *)at = addr;
	return 0;
}

static int read_length(struct conf_load *l, const struct conf_prefix_bounds *bounds,
		       const struct conf_piece *piece, size_t slash, struct addr *addr,
		       uint8_t *bits)
{
	const struct conf_piece length = {piece->pos, piece->text + slash + 1,
					  piece->len - slash - 1};
	uint8_t min = addr->family == 6 ? bounds->min6 : bounds->min4;
	char host[ADDR_TEXT_MAX], prefix[ADDR_PREFIX_TEXT_MAX];
	struct addr first = *addr;
	uint64_t value;

	if (length.len == 0 || conf_piece_digits(&length, &value) != length.len || value < min ||
	    value > addr_bits(addr))
		return conf_piece_fail(
			l, piece,
			"%s %s has no good length of a prefix; allowed for IPv%u are "
			"/%u to /%u",
			bounds->what, QUOTE(piece->text, piece->len), addr->family, min,
			addr_bits(addr));
	*bits = (uint8_t)value;
	addr_clear_beyond(&first, *bits); /* what was meant, perhaps */
	if (addr_compare(&first, addr) != 0)
		return conf_piece_fail(
			l, piece,
			"%s %s has bits beyond its length; write \"%s\" for the prefix, or \"%s\" "
			"for the one address",
			bounds->what, QUOTE(piece->text, piece->len),
			addr_prefix_format(&first, *bits, prefix), addr_format(addr, host));
	return 0;
}

int conf_read_prefix(struct conf_load *l, const struct conf_prefix_bounds *bounds,
		     const struct conf_piece *piece, struct addr *addr, uint8_t *bits)
{
	const char *at = memchr(piece->text, '/', piece->len);
	size_t slash = at ? (size_t)(at - piece->text) : piece->len;
	struct addr a;

	if (addr_parse(piece->text, slash, &a) < 0)
		return conf_piece_fail(
			l, piece,
			"%s %s is not an address; allowed are IPv4 and IPv6 addresses, and "
			"prefixes like 192.0.2.0/24, without port",
			bounds->what, QUOTE(piece->text, piece->len));
	*bits = addr_bits(&a);
	*addr = a;
	return at ? read_length(l, bounds, piece, slash, addr, bits) : 0;
}
