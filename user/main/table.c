/* SPDX-License-Identifier: BSD-2-Clause */
#include "main/table.h"

#include <langinfo.h>
#include <libsmartcols/libsmartcols.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "base/own.h"

#define GAP "  "
#define FOLDED_WELL 24 /* columns in which folded text reads well */

struct cell {
	char *text;
	const char *colour;
};

struct table {
	const struct table_column *columns;
	size_t n_columns;
	struct cell *cells;
	size_t n, room;
	int *widths; /* of each column, in columns of the terminal */
};

struct table *table_new(const struct table_column *columns, size_t n)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->columns = columns;
	t->n_columns = n;
	t->widths = calloc(n, sizeof(*t->widths));
	if (!t->widths) {
		free(t);
		return NULL;
	}
	return t;
}

void table_free(struct table *t)
{
	size_t i;

	if (!t)
		return;
	for (i = 0; i < t->n; i++)
		free(t->cells[i].text);
	free(t->cells);
	free(t->widths);
	free(t);
}

/* What others have told the daemon must not steer the terminal. */
static void make_printable(char *s)
{
	wchar_t c;
	int n;

	if (!s)
		return;
	for (; *s; s += n) {
		n = mbtowc(&c, s, MB_CUR_MAX);
		if (n > 0 && iswprint((wint_t)c))
			continue;
		n = 1;
		*s = '?';
	}
}

/* Takes @text. */
static void add_cell(struct table *t, char *text, const char *colour)
{
	make_printable(text);
	if (t->n == t->room) {
		size_t room = t->room ? 2 * t->room : 64;
		struct cell *cells = reallocarray(t->cells, room, sizeof(*cells));

		if (!cells) {
			free(text);
			return;
		}
		t->cells = cells;
		t->room = room;
	}
	t->cells[t->n++] = (struct cell){text, colour};
}

void table_cell(struct table *t, const char *format, ...)
{
	va_list args;
	char *text;

	if (!t)
		return;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	add_cell(t, text, NULL);
}

void table_coloured(struct table *t, const char *colour, const char *text)
{
	if (t)
		add_cell(t, strdup(text), colour);
}

/* ---- fitting ----------------------------------------------------------------------------------*/

static int text_width(const char *text)
{
	wchar_t wide[512];
	size_t n = mbstowcs(wide, text, 511);
	int width = n == (size_t)-1 ? -1 : wcswidth(wide, n);

	return width < 0 ? (int)strlen(text) : width;
}

/* How many bytes of @s fill at most @width columns; at least one character. */
static size_t bytes_within(const char *s, int width)
{
	size_t at = 0;
	int used = 0;

	while (s[at]) {
		wchar_t c;
		int n = mbtowc(&c, s + at, MB_CUR_MAX), w = n > 0 ? wcwidth(c) : 1;

		used += w > 0 ? w : 0;
		if (used > width && at > 0)
			break;
		at += n > 0 ? (size_t)n : 1;
	}
	return at;
}

/* Cuts @text to @width columns, the last of them an ellipsis. */
static void cut(char **text, int width)
{
	const char *ellipsis = strcmp(nl_langinfo(CODESET), "UTF-8") == 0 ? "\u2026" : "~";
	char *shorter;

	if (text_width(*text) <= width)
		return;
	(*text)[bytes_within(*text, width - 1)] = '\0';
	if (asprintf(&shorter, "%s%s", *text, ellipsis) < 0)
		return;
	free(*text);
	*text = shorter;
}

void table_fold(char *text, int width)
{
	while (text_width(text) > width) {
		size_t most = bytes_within(text, width), at = most;

		while (at > 0 && text[at] != ' ')
			at--;
		if (at == 0) /* a word longer than the line: it stands out */
			at = strcspn(text, " ");
		if (!text[at])
			return;
		text[at] = '\n';
		text += at + 1;
	}
}

static void measure(struct table *t)
{
	size_t i;

	for (i = 0; i < t->n_columns; i++)
		t->widths[i] = text_width(t->columns[i].title);
	for (i = 0; i < t->n; i++) {
		int width = t->cells[i].text ? text_width(t->cells[i].text) : 0;

		if (width > t->widths[i % t->n_columns])
			t->widths[i % t->n_columns] = width;
	}
}

/* The widest column that may still be made narrower in this way, but not below @least, or NULL. */
static int *widest(const struct table *t, enum table_fit way, int least)
{
	int *found = NULL;
	size_t c;

	for (c = 0; c < t->n_columns; c++)
		if (t->columns[c].fit == way && t->widths[c] > t->columns[c].least &&
		    t->widths[c] > least && (!found || t->widths[c] > *found))
			found = &t->widths[c];
	return found;
}

static void fit_cells(struct table *t)
{
	size_t i, c;

	for (i = 0; i < t->n; i++) {
		c = i % t->n_columns;
		if (!t->cells[i].text)
			continue;
		if (t->columns[c].fit == TABLE_CUT)
			cut(&t->cells[i].text, t->widths[c]);
		else if (t->columns[c].fit == TABLE_FOLD)
			table_fold(t->cells[i].text, t->widths[c]);
	}
}

/* False: on a terminal so narrow nothing helps. */
static bool fit(struct table *t, int width)
{
	int over = (int)((t->n_columns - 1) * strlen(GAP)) - width, *column;
	size_t c;

	for (c = 0; c < t->n_columns; c++)
		over += t->widths[c];
	if (over <= 0)
		return true;
	for (; over > 0 && (column = widest(t, TABLE_FOLD, FOLDED_WELL)); over--)
		--*column;
	for (; over > 0 && (column = widest(t, TABLE_CUT, 0)); over--)
		--*column;
	for (; over > 0 && (column = widest(t, TABLE_FOLD, 0)); over--)
		--*column;
	if (over <= 0)
		fit_cells(t);
	return over <= 0;
}

/* ---- printing ---------------------------------------------------------------------------------*/

static bool add_columns(struct libscols_table *st, const struct table *t)
{
	size_t i;

	for (i = 0; i < t->n_columns; i++) {
		struct libscols_column *c = scols_table_new_column(
			st, t->columns[i].title, 0, t->columns[i].right ? SCOLS_FL_RIGHT : 0);

		if (!c)
			return false;
		if (t->columns[i].fit != TABLE_FOLD)
			continue;
		scols_column_set_flags(c, SCOLS_FL_WRAP);
		scols_column_set_safechars(c, "\n");
		scols_column_set_wrapfunc(c, scols_wrapnl_chunksize, scols_wrapnl_nextchunk, NULL);
	}
	return true;
}

static bool add_lines(struct libscols_table *st, const struct table *t)
{
	struct libscols_line *line = NULL;
	size_t i;

	for (i = 0; i < t->n; i++) {
		size_t c = i % t->n_columns;

		if (c == 0)
			line = scols_table_new_line(st, NULL);
		if (!line || !t->cells[i].text ||
		    scols_line_set_data(line, c, t->cells[i].text) < 0)
			return false;
		if (t->cells[i].colour)
			scols_cell_set_color(scols_line_get_cell(line, c), t->cells[i].colour);
	}
	return true;
}

/* libsmartcols prints nothing at all of a table without lines. */
static void print_heading(const struct table *t, FILE *out)
{
	size_t i;

	for (i = 0; i < t->n_columns; i++)
		fprintf(out, "%s%s", i ? GAP : "", t->columns[i].title);
	putc('\n', out);
}

/* Without the spaces at the ends of lines. */
static void print_lines(const char *text, FILE *out)
{
	while (*text) {
		size_t len = strcspn(text, "\n"), kept = len;

		while (kept > 0 && text[kept - 1] == ' ')
			kept--;
		fwrite(text, 1, kept, out);
		putc('\n', out);
		text += text[len] ? len + 1 : len;
	}
}

/* "TITLE  text" a line, the text folded below itself. */
static void print_field(const struct cli *cli, const char *title, int title_width, char *text)
{
	const int room = cli->width - title_width - (int)strlen(GAP);
	char *next;

	fprintf(cli->out, "%-*s" GAP, title_width, title);
	table_fold(text, room > 1 ? room : 1);
	while ((next = strsep(&text, "\n"))) {
		fprintf(cli->out, "%s\n", next);
		if (text)
			fprintf(cli->out, "%*s" GAP, title_width, "");
	}
}

/* Where the columns do not fit beside each other: below each other, a row as a paragraph. */
static void print_records(struct table *t, const struct cli *cli)
{
	int width = 0, w;
	size_t i;

	for (i = 0; i < t->n_columns; i++) {
		w = text_width(t->columns[i].title);
		width = w > width ? w : width;
	}
	for (i = 0; i < t->n; i++) {
		if (i && i % t->n_columns == 0)
			putc('\n', cli->out);
		if (!t->cells[i].text || !t->cells[i].text[0])
			continue;
		if (t->columns[i % t->n_columns].fit == TABLE_CUT)
			cut(&t->cells[i].text, cli->width - width - (int)strlen(GAP));
		print_field(cli, t->columns[i % t->n_columns].title, width, t->cells[i].text);
	}
}

void table_print(struct table *t, const struct cli *cli)
{
	auto_free char *text = NULL;
	struct libscols_table *st;

	if (!t)
		return;
	if (t->n == 0) {
		print_heading(t, cli->out);
		return;
	}
	measure(t);
	if (cli->width > 0 && !fit(t, cli->width)) {
		print_records(t, cli);
		return;
	}
	st = scols_new_table();
	if (st && add_columns(st, t) && add_lines(st, t)) {
		scols_table_set_column_separator(st, GAP);
		scols_table_set_termforce(st, SCOLS_TERMFORCE_NEVER); /* it fits already */
		scols_table_enable_colors(st, cli->colour);
		if (scols_print_table_to_string(st, &text) == 0)
			print_lines(text, cli->out);
	}
	scols_unref_table(st);
}
