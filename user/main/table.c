/* SPDX-License-Identifier: BSD-2-Clause */
#include "main/table.h"

#include <langinfo.h>
#include <libsmartcols/libsmartcols.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/own.h"

#define GAP "  "

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

/* Takes @text. */
static void add_cell(struct table *t, char *text, const char *colour)
{
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

/* Cuts @text to @width columns, the last of them an ellipsis. */
static void cut(char **text, int width)
{
	const char *ellipsis = strcmp(nl_langinfo(CODESET), "UTF-8") == 0 ? "\u2026" : "~";
	char *s = *text, *longer;
	int used = 0;

	if (text_width(s) <= width)
		return;
	while (*s) {
		wchar_t c;
		int n = mbtowc(&c, s, MB_CUR_MAX), w = n > 0 ? wcwidth(c) : 1;

		if (used + (w > 0 ? w : 1) > width - 1)
			break;
		used += w > 0 ? w : 1;
		s += n > 0 ? n : 1;
	}
	*s = '\0';
	if (asprintf(&longer, "%s%s", *text, ellipsis) < 0)
		return;
	free(*text);
	*text = longer;
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

static void fit(struct table *t, int width)
{
	int total = (int)((t->n_columns - 1) * strlen(GAP));
	size_t i, c;

	for (i = 0; i < t->n_columns; i++)
		total += t->widths[i];
	for (c = t->n_columns; c-- > 0 && total > width;) {
		int give = t->widths[c] - t->columns[c].cut_to;

		if (t->columns[c].cut_to == 0 || give <= 0)
			continue;
		give = give < total - width ? give : total - width;
		t->widths[c] -= give;
		total -= give;
		for (i = c; i < t->n; i += t->n_columns)
			if (t->cells[i].text)
				cut(&t->cells[i].text, t->widths[c]);
	}
}

/* ---- printing ---------------------------------------------------------------------------------*/

static bool add_columns(struct libscols_table *st, const struct table *t)
{
	size_t i;

	for (i = 0; i < t->n_columns; i++)
		if (!scols_table_new_column(st, t->columns[i].title, 0,
					    t->columns[i].right ? SCOLS_FL_RIGHT : 0))
			return false;
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

void table_print(struct table *t, const struct cli *cli)
{
	struct libscols_table *st;

	if (!t)
		return;
	if (t->n == 0) {
		print_heading(t, cli->out);
		return;
	}
	st = scols_new_table();
	measure(t);
	if (cli->width > 0)
		fit(t, cli->width);
	if (st && add_columns(st, t) && add_lines(st, t)) {
		scols_table_set_stream(st, cli->out);
		scols_table_set_column_separator(st, GAP);
		scols_table_set_termforce(st, SCOLS_TERMFORCE_NEVER); /* it fits already */
		scols_table_enable_colors(st, cli->colour);
		scols_print_table(st);
	}
	scols_unref_table(st);
}
