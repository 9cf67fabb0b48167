/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables for people: aligned columns that keep to the terminal's width. Texts are folded between words; a
 * name or an address, which somebody may want to copy, is never cut: what is wider than its column stands
 * out, and the rest of its row goes on in the next line. Where there is no terminal a row is a line. */
#ifndef SHUNT_TABLE_H
#define SHUNT_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "main/cli.h"

struct table;

enum table_fit {
	TABLE_WHOLE, /* as wide as it needs to be */
	TABLE_FOLD, /* over several lines, between words */
	TABLE_SPILL, /* what is too wide stands out, and the row goes on in the next line */
};

struct table_column {
	const char *title;
	bool right; /* numbers */
	enum table_fit fit;
	int least; /* columns of the terminal that FOLD and SPILL leave it */
};

/* Columns are not copied. NULL when out of memory; the functions below then do nothing. */
struct table *table_new(const struct table_column *columns, size_t n);
void table_free(struct table *t);

/* The next cell, row by row. What cannot be printed becomes "?". */
void table_cell(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same in a colour by its name ("red"), NULL: none; left out where colours are. */
void table_coloured(struct table *t, const char *colour, const char *text);

/* Puts newlines in place of spaces, so that no line has more than @width columns if it can be. */
void table_fold(char *text, int width);

/* Prints it on cli->out; the heading also when there are no rows. */
void table_print(struct table *t, const struct cli *cli);

#endif
