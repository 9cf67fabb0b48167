/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/conf_error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "pure/conf_parse.h"

/* How much of a path is shown, from its end. */
#define FILE_SHOWN 200

/* ---- UTF-8 --------------------------------------------------------------------------------------*/

/* How many bytes the sequence that begins with @lead has; 0: none begins so. */
static size_t sequence_length(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef)
		return 3;
	if (lead >= 0xf0 && lead <= 0xf4)
		return 4;
	return 0;
}

/* Decodes the character at @at, of at most @len bytes. Returns its length, 0 if it is not UTF-8
 * (RFC 3629, section 3: neither overlong, nor a surrogate, nor beyond U+10FFFF). */
static size_t decode(const char *at, size_t len, uint32_t *character)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *p = (const unsigned char *)at;
	size_t n = sequence_length(p[0]);
	uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);

	if (n == 0 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
		return 0;
	*character = c;
	return n;
}

/* True for what YAML and we accept in a file. */
static bool is_text(uint32_t c)
{
	if (c < 0x20)
		return c == '\t' || c == '\n' || c == '\r';
	if (c < 0x7f)
		return true;
	if (c < 0xa0 || c == 0x2028 || c == 0x2029)
		return false;
	return c != 0xfeff && c != 0xfffe && c != 0xffff;
}

int conf_text_check(const char *data, size_t len, const char *file, struct conf_error *err)
{
	struct conf_pos pos = {file, 1, 1};
	uint32_t c = 0;
	size_t n;

	for (size_t at = 0; at < len; at += n) {
		n = decode(data + at, len - at, &c);
		if (n == 0)
			return conf_complain(
				err, &pos,
				"byte 0x%02x is not UTF-8; a configuration is UTF-8 text; "
				"is this the right file?",
				(unsigned char)data[at]);
		if (!is_text(c))
			return conf_complain(
				err, &pos,
				"character U+%04X is not text; only line ends and tabs "
				"are allowed of the control characters; remove it",
				c);
		pos.column++;
		if (c == '\n' || (c == '\r' && (at + 1 == len || data[at + 1] != '\n'))) {
			pos.line++;
			pos.column = 1;
		}
	}
	return 0;
}

/* Makes one printable line of @text, which snprintf may have cut within a character. */
static void make_printable(char *text)
{
	size_t len = strlen(text), n;
	uint32_t c;

	for (size_t at = 0; at < len; at += n) {
		n = decode(text + at, len - at, &c);
		if (n == 0 && sequence_length((unsigned char)text[at]) > len - at) {
			text[at] = '\0';
			return;
		}
		if (n == 0 || !is_text(c) || c < 0x20) {
			n = n ? n : 1;
			memset(text + at, '?', n);
		}
	}
}

/* ---- complaints ---------------------------------------------------------------------------------*/

int conf_complain(struct conf_error *err, const struct conf_pos *pos, const char *format, ...)
{
	size_t file_len = strlen(pos->file), used;
	const char *cut = file_len > FILE_SHOWN ? "..." : "";
	const char *file = pos->file + (file_len > FILE_SHOWN ? file_len - FILE_SHOWN : 0);
	va_list args;

	if (pos->line)
		used = (size_t)snprintf(err->text, sizeof(err->text), "%s%s:%u:%u: ", cut, file,
					pos->line, pos->column);
	else
		used = (size_t)snprintf(err->text, sizeof(err->text), "%s%s: ", cut, file);
	va_start(args, format);
	vsnprintf(err->text + used, sizeof(err->text) - used, format, args);
	va_end(args);
	make_printable(err->text);
	return -EINVAL;
}

const char *conf_quote(struct conf_quoted *out, const char *text, size_t len)
{
	bool cut = len > 64;
	char copy[65];

	snprintf(copy, sizeof(copy), "%.*s", (int)(cut ? 61 : len), text);
	make_printable(copy);
	snprintf(out->text, sizeof(out->text), "\"%s%s\"", copy, cut ? "..." : "");
	return out->text;
}

const char *conf_ms_format(struct conf_ms_text *out, uint64_t ms)
{
	static const struct {
		uint64_t ms;
		const char *unit;
	} units[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
	size_t i = 0;

	while (ms % units[i].ms || (ms == 0 && i < 2))
		i++;
	snprintf(out->text, sizeof(out->text), "%llu%s", (unsigned long long)(ms / units[i].ms),
		 units[i].unit);
	return out->text;
}

/* ---- did you mean -------------------------------------------------------------------------------*/

#define WORD_MAX 24 /* longer input is nobody's slip of the finger */

static size_t least_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many slips (a character missing, added, wrong, or two swapped) turn @a into @b. Optimal string
 * alignment: Boytsov, "Indexing methods for approximate dictionary searching", 2011, section 2. */
static size_t slips(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t d[WORD_MAX + 1][WORD_MAX + 1];

	for (size_t i = 0; i <= a_len; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= b_len; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		for (size_t j = 1; j <= b_len; j++) {
			size_t other = strncasecmp(&a[i - 1], &b[j - 1], 1) != 0;

			d[i][j] = least_of(least_of(d[i - 1][j], d[i][j - 1]) + 1,
					   d[i - 1][j - 1] + other);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = least_of(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[a_len][b_len];
}

/* The word nearest to the input, or NULL when none is near. */
static const char *nearest(const char *const *words, const char *text, size_t len)
{
	const char *best = NULL;
	size_t best_slips = WORD_MAX;

	if (len < 2 || len > WORD_MAX)
		return NULL;
	for (size_t i = 0; words[i]; i++) {
		size_t word_len = strlen(words[i]);
		size_t bearable = word_len < 6 ? 1 : word_len / 3;
		size_t n = WORD_MAX;

		if (len >= 3 && strncasecmp(words[i], text, len) == 0)
			n = 1;
		else if (word_len <= WORD_MAX)
			n = slips(text, len, words[i], word_len);
		if (n < best_slips && n <= bearable) {
			best = words[i];
			best_slips = n;
		}
	}
	return best;
}

const char *conf_allowed(struct conf_allowed *out, const char *const *words, const char *text,
			 size_t len)
{
	const char *best = nearest(words, text, len);
	const char *lead = words[1] ? "; allowed are " : "; allowed is ";
	size_t used = 0;

	for (size_t i = 0; words[i] && used < sizeof(out->text); i++)
		used += (size_t)snprintf(out->text + used, sizeof(out->text) - used, "%s%s",
					 i ? ", " : lead, words[i]);
	if (best && used < sizeof(out->text))
		snprintf(out->text + used, sizeof(out->text) - used, "; did you mean \"%s\"?",
			 best);
	return out->text;
}
