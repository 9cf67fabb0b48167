/* SPDX-License-Identifier: BSD-2-Clause */
#include "main/table.h"

#include <langinfo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "base/own.h"

#define GAP "  "
#define FOLDED_WELL 24 /* columns in which folded text reads well */
#define TEXT_MAX 4096 /* bytes of a cell, with its NUL */
#define BLOCK 65536

/* Texts of cells: they come by the hundred thousand, and go together. */
struct block {
	struct block *former;
	size_t used;
	char text[BLOCK];
};

struct cell {
	char *text; /* in a block; NULL: none */
	int width; /* in columns of the terminal */
	const char *colour;
};

struct table {
	const struct table_column *columns;
	size_t n_columns;
	struct cell *cells;
	size_t n, room;
	struct block *texts;
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
	struct block *former;

	if (!t)
		return;
	for (; t->texts; t->texts = former) {
		former = t->texts->former;
		free(t->texts);
	}
	free(t->cells);
	free(t->widths);
	free(t);
}

/* Room for @size bytes, as long as the table lives. */
static char *take_room(struct table *t, size_t size)
{
	struct block *b = t->texts;
	char *room;

	if (!b || BLOCK - b->used < size) {
		b = malloc(sizeof(*b));
		if (!b)
			return NULL;
		b->former = t->texts;
		b->used = 0;
		t->texts = b;
	}
	room = b->text + b->used;
	b->used += size;
	return room;
}

static char *keep(struct table *t, const char *text)
{
	size_t len = strnlen(text, TEXT_MAX - 1);
	char *copy = take_room(t, len + 1);

	if (!copy)
		return NULL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

/* How many bytes at @s are plain ASCII: a column each, and printable anywhere. */
static size_t plain(const char *s)
{
	size_t n = 0;

	while (s[n] >= ' ' && s[n] <= '~')
		n++;
	return n;
}

/* What others have told the daemon must not steer the terminal. */
static void make_printable(char *s)
{
	wchar_t c;
	int n;

	for (; *s; s += n) {
		n = mbtowc(&c, s, MB_CUR_MAX);
		if (n > 0 && iswprint((wint_t)c))
			continue;
		n = 1;
		*s = '?';
	}
}

static int text_width(const char *text)
{
	wchar_t wide[512];
	size_t n = plain(text);
	int width;

	if (!text[n])
		return (int)n;
	n = mbstowcs(wide, text, 511);
	width = n == (size_t)-1 ? -1 : wcswidth(wide, n);
	return width < 0 ? (int)strlen(text) : width;
}

static void add_cell(struct table *t, const char *text, const char *colour)
{
	char *copy = keep(t, text);

	if (t->n == t->room) {
		size_t room = t->room ? 2 * t->room : 64;
		struct cell *cells = reallocarray(t->cells, room, sizeof(*cells));

		if (!cells)
			return;
		t->cells = cells;
		t->room = room;
	}
	if (copy && copy[plain(copy)])
		make_printable(copy);
	t->cells[t->n++] = (struct cell){copy, copy ? text_width(copy) : 0, colour};
}

void table_cell(struct table *t, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;

	if (!t)
		return;
	va_start(args, format);
	if (strcmp(format, "%s") == 0) { /* as most are */
		add_cell(t, va_arg(args, const char *), NULL);
	} else {
		vsnprintf(text, sizeof(text), format, args);
		add_cell(t, text, NULL);
	}
	va_end(args);
}

void table_coloured(struct table *t, const char *colour, const char *text)
{
	if (t)
		add_cell(t, text, colour);
}

/* ---- fitting ----------------------------------------------------------------------------------*/

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
	for (i = 0; i < t->n; i++)
		if (t->cells[i].width > t->widths[i % t->n_columns])
			t->widths[i % t->n_columns] = t->cells[i].width;
}

/* The widest column with text to fold that may still be made narrower, but not below @least, or NULL. */
static int *widest(const struct table *t, int least)
{
	int *found = NULL;
	size_t c;

	for (c = 0; c < t->n_columns; c++)
		if (t->columns[c].fit == TABLE_FOLD && t->widths[c] > t->columns[c].least &&
		    t->widths[c] > least && (!found || t->widths[c] > *found))
			found = &t->widths[c];
	return found;
}

/* A column made narrower: what it gains, and how many more cells spill. */
struct spill {
	size_t column;
	int width, gain;
	size_t cells;
};

/* The column without its widest cells; gain 0: that would leave it less than the least, or its title. */
static struct spill without_widest(const struct table *t, size_t column)
{
	const int now = t->widths[column], title = text_width(t->columns[column].title);
	struct spill s = {.column = column, .width = t->columns[column].least};
	size_t i;

	s.width = s.width > title ? s.width : title;
	for (i = column; i < t->n; i += t->n_columns)
		if (t->cells[i].width < now && t->cells[i].width > s.width)
			s.width = t->cells[i].width;
	for (i = column; i < t->n; i += t->n_columns)
		s.cells += t->cells[i].width > s.width && t->cells[i].width <= now;
	s.gain = now - s.width;
	return s;
}

/* Lets the widest cells spill in the column that gains most by each, and returns how much: 0 if none can. */
static int spill_best(struct table *t)
{
	struct spill best = {.gain = 0}, s;
	size_t c;

	for (c = 0; c < t->n_columns; c++) {
		if (t->columns[c].fit != TABLE_SPILL)
			continue;
		s = without_widest(t, c);
		if (s.gain > 0 &&
		    (best.gain == 0 || (size_t)s.gain * best.cells > (size_t)best.gain * s.cells))
			best = s;
	}
	if (best.gain > 0)
		t->widths[best.column] = best.width;
	return best.gain;
}

static void fold_cells(struct table *t)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->cells[i].text && t->columns[i % t->n_columns].fit == TABLE_FOLD)
			table_fold(t->cells[i].text, t->widths[i % t->n_columns]);
}

/* Whether what stands out still ends within the terminal, at the place that its column has. */
static bool spills_within(const struct table *t, int width)
{
	int at = 0;
	size_t c, i;

	for (c = 0; c < t->n_columns; c++) {
		for (i = c; i < t->n; i += t->n_columns)
			if (t->columns[c].fit == TABLE_SPILL && at + t->cells[i].width > width)
				return false;
		at += t->widths[c] + (int)strlen(GAP);
	}
	return true;
}

/* False: on a terminal so narrow nothing helps. */
static bool fit(struct table *t, int width)
{
	int over = (int)((t->n_columns - 1) * strlen(GAP)) - width, *column, gained;
	size_t c;

	for (c = 0; c < t->n_columns; c++)
		over += t->widths[c];
	if (over <= 0)
		return true;
	for (; over > 0 && (column = widest(t, FOLDED_WELL)); over--)
		--*column;
	for (; over > 0 && (gained = spill_best(t)) > 0; over -= gained) {
	}
	for (; over > 0 && (column = widest(t, 0)); over--)
		--*column;
	if (over > 0 || !spills_within(t, width))
		return false;
	fold_cells(t);
	return true;
}

/* ---- printing ---------------------------------------------------------------------------------*/

static const struct {
	const char *name, *code;
} colours[] = {{"red", "\033[31m"}, {"green", "\033[32m"}, {"yellow", "\033[1;33m"}};

static const char *colour_code(const char *name)
{
	size_t i;

	for (i = 0; name && i < sizeof(colours) / sizeof(colours[0]); i++)
		if (strcmp(colours[i].name, name) == 0)
			return colours[i].code;
	return NULL;
}

/* A line as it is written: spaces are for what follows, so that none ends it. */
struct pen {
	FILE *out;
	int at; /* columns of it that are written */
};

static void end_line(struct pen *p)
{
	p->at = 0;
	putc_unlocked('\n', p->out);
}

/* Goes to column @x, in the next line if something stands there. */
static void go_to(struct pen *p, int x)
{
	if (p->at > 0 && x < p->at + (int)strlen(GAP))
		end_line(p);
	for (; p->at < x; p->at++)
		putc_unlocked(' ', p->out);
}

/* Of a cell, or of a line of one that was folded. */
static int part_width(const struct cell *c, size_t len)
{
	char part[TEXT_MAX];

	if (!c->text[len] && c->width >= 0)
		return c->width;
	memcpy(part, c->text, len);
	part[len] = '\0';
	return text_width(part);
}

/* Where a column of a table stands. */
struct place {
	int x, width;
	bool right;
};

/* Writes the first line of what the cell still has, and takes it away. Returns whether there is more. */
static bool write_part(struct pen *p, struct cell *c, const struct place *at, bool coloured)
{
	const char *code = coloured ? colour_code(c->colour) : NULL;
	size_t len = c->text ? strcspn(c->text, "\n") : 0;
	int width = len > 0 ? part_width(c, len) : 0;

	if (len > 0) {
		go_to(p, at->x + (at->right && width < at->width ? at->width - width : 0));
		if (code)
			fputs_unlocked(code, p->out);
		fwrite_unlocked(c->text, 1, len, p->out);
		if (code)
			fputs_unlocked("\033[0m", p->out);
		p->at += width;
	}
	if (!c->text || !c->text[len]) {
		*c = (struct cell){.text = NULL};
		return false;
	}
	c->text += len + 1;
	c->width = -1; /* of the whole */
	return true;
}

/* A folded cell makes several lines of it. */
static void print_row(struct table *t, struct cell *row, struct pen *p, bool coloured)
{
	bool more = true;
	size_t c;

	while (more) {
		struct place at = {0};

		more = false;
		for (c = 0; c < t->n_columns; c++) {
			at.right = t->columns[c].right;
			at.width = t->widths[c];
			more |= write_part(p, &row[c], &at, coloured);
			at.x += at.width + (int)strlen(GAP);
		}
		end_line(p);
	}
}

static void print_heading(struct table *t, struct pen *p)
{
	auto_free struct cell *titles = calloc(t->n_columns, sizeof(*titles));
	size_t c;

	for (c = 0; titles && c < t->n_columns; c++)
		titles[c] = (struct cell){keep(t, t->columns[c].title), -1, NULL};
	if (titles)
		print_row(t, titles, p, false);
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
		print_field(cli, t->columns[i % t->n_columns].title, width, t->cells[i].text);
	}
}

void table_print(struct table *t, const struct cli *cli)
{
	struct pen p = {.out = t ? cli->out : NULL};
	size_t i;

	if (!t)
		return;
	measure(t);
	if (cli->width > 0 && t->n > 0 && !fit(t, cli->width)) {
		print_records(t, cli);
		return;
	}
	print_heading(t, &p);
	for (i = 0; i + t->n_columns <= t->n; i += t->n_columns)
		print_row(t, &t->cells[i], &p, cli->colour);
}
