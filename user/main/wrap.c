/* SPDX-License-Identifier: BSD-2-Clause */
#include "main/wrap.h"

#include <stdbool.h>
#include <string.h>

#define TEXT_LEAST 22 /* columns in which text reads well */
#define INDENT_LEAST 6 /* of text that has no room beside its lead */

static void spaces(FILE *out, int n)
{
	for (; n > 0; n--)
		putc(' ', out);
}

/* Prints the words of text[0..len), the first at column @at. */
static void fold(FILE *out, int columns, int at, int indent, const char *text, size_t len)
{
	const char *end = text + len;
	bool first = true;

	while (text < end) {
		const char *space = memchr(text, ' ', (size_t)(end - text));
		int word = (int)((space ? space : end) - text);

		if (!first && at + 1 + word > columns) {
			putc('\n', out);
			spaces(out, indent);
			at = indent;
		} else if (!first) {
			putc(' ', out);
			at++;
		}
		fwrite(text, 1, (size_t)word, out);
		at += word;
		first = false;
		text += word + (space != NULL);
	}
	putc('\n', out);
}

static void hang(FILE *out, int columns, const char *lead, int indent, const char *text, size_t len)
{
	int used = (int)strlen(lead);

	fputs(lead, out);
	if (columns - indent < TEXT_LEAST)
		indent = INDENT_LEAST;
	if (used > indent) {
		putc('\n', out);
		used = 0;
	}
	spaces(out, indent - used);
	fold(out, columns, indent, indent, text, len);
}

void wrap_hang(FILE *out, int columns, const char *lead, int indent, const char *text)
{
	hang(out, columns, lead, indent, text, strlen(text));
}

void wrap_item(FILE *out, int columns, const char *word, int width, const char *text)
{
	char lead[96];

	snprintf(lead, sizeof(lead), "  %s", word);
	wrap_hang(out, columns, lead, width + 4, text);
}

/* How long the lead of "  WORD  text" is with the spaces behind it; 0: it is none. */
static size_t lead_length(const char *line, size_t len)
{
	size_t word = strspn(line, " ");
	const char *gap = memmem(line + word, len - word, "  ", 2);
	size_t n = gap ? (size_t)(gap - line) + strspn(gap, " ") : 0;

	return n < len ? n : 0;
}

/* A line that begins with a space. */
static void keep(FILE *out, int columns, const char *line, size_t len)
{
	size_t n = lead_length(line, len);
	char lead[96];

	if (n == 0 || n >= sizeof(lead)) {
		fprintf(out, "%.*s\n", (int)len, line);
		return;
	}
	snprintf(lead, sizeof(lead), "%.*s", (int)n, line);
	while (lead[strlen(lead) - 1] == ' ')
		lead[strlen(lead) - 1] = '\0';
	hang(out, columns, lead, (int)n, line + n, len - n);
}

void wrap_text(FILE *out, int columns, const char *text)
{
	const char *end;

	for (; *text; text = *end ? end + 1 : end) {
		end = strchrnul(text, '\n');
		if (*text == ' ')
			keep(out, columns, text, (size_t)(end - text));
		else
			fold(out, columns, 0, 0, text, (size_t)(end - text));
	}
}
