/* SPDX-License-Identifier: BSD-2-Clause */
#include "main/json.h"

#include <stddef.h>

#include "main/units.h"

/* Elements of a list that is a member of the document stand on lines of their own, as do the
 * document's members. */
#define LINES_DEPTH 2

static void new_line(struct json *j)
{
	int i;

	if (j->one_line || j->depth > LINES_DEPTH)
		return;
	putc('\n', j->out);
	for (i = 0; i < j->depth; i++)
		fputs("  ", j->out);
}

/* The length of the UTF-8 sequence at @s, or 0 when it is none. */
static size_t utf8_length(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4, i;

	if (s[0] > 0xf4)
		return 0;
	for (i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

static size_t plain(const unsigned char *s)
{
	size_t n = 0;

	while (s[n] >= ' ' && s[n] < 0x7f && s[n] != '"' && s[n] != '\\')
		n++;
	return n;
}

/* Documents have a megabyte and more: nothing here locks the stream. */
static void put(FILE *out, const void *text, size_t len)
{
	fwrite_unlocked(text, 1, len, out);
}

static void put_escaped(FILE *out, const unsigned char *s, size_t len)
{
	if (*s == '"' || *s == '\\')
		fprintf(out, "\\%c", *s);
	else if (*s < 0x20 || *s == 0x7f)
		fprintf(out, "\\u%04x", *s);
	else if (len == 0)
		fputs("\\ufffd", out);
	else
		put(out, s, len);
}

static void put_string(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n;

	putc_unlocked('"', out);
	for (;;) {
		n = plain(s);
		put(out, s, n);
		s += n;
		if (!*s)
			break;
		n = utf8_length(s);
		put_escaped(out, s, n);
		s += n ? n : 1;
	}
	putc_unlocked('"', out);
}

static void begin(struct json *j, const char *name)
{
	if (!j->first) {
		putc_unlocked(',', j->out);
		if (j->one_line || j->depth > LINES_DEPTH)
			putc_unlocked(' ', j->out);
	}
	j->first = false;
	new_line(j);
	if (name) {
		put_string(j->out, name);
		put(j->out, ": ", 2);
	}
}

static void open_level(struct json *j, const char *name, char bracket)
{
	begin(j, name);
	putc(bracket, j->out);
	j->depth++;
	j->first = true;
}

static void close_level(struct json *j, char bracket)
{
	j->depth--;
	if (!j->first && j->depth < LINES_DEPTH)
		new_line(j);
	putc(bracket, j->out);
	j->first = false;
}

void json_open(struct json *j, FILE *out, bool one_line)
{
	*j = (struct json){.out = out, .one_line = one_line, .first = true, .depth = 1};
	putc('{', out);
	json_number(j, "schema", JSON_SCHEMA);
}

void json_close(struct json *j)
{
	close_level(j, '}');
	putc('\n', j->out);
}

void json_object(struct json *j, const char *name)
{
	open_level(j, name, '{');
}

void json_object_end(struct json *j)
{
	close_level(j, '}');
}

void json_list(struct json *j, const char *name)
{
	open_level(j, name, '[');
}

void json_list_end(struct json *j)
{
	close_level(j, ']');
}

void json_number(struct json *j, const char *name, uint64_t value)
{
	char digits[UNITS_DIGITS_MAX];

	begin(j, name);
	put(j->out, digits, units_digits(value, digits));
}

void json_bool(struct json *j, const char *name, bool value)
{
	begin(j, name);
	put(j->out, value ? "true" : "false", value ? 4 : 5);
}

void json_text(struct json *j, const char *name, const char *value)
{
	begin(j, name);
	put_string(j->out, value);
}

void json_text_or_null(struct json *j, const char *name, const char *value)
{
	begin(j, name);
	if (value[0])
		put_string(j->out, value);
	else
		put(j->out, "null", 4);
}
