/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables for people: aligned columns that keep to the terminal's width by cutting the columns that
 * may be cut, with an ellipsis. Nothing is cut where there is no terminal. */
#ifndef SHUNT_TABLE_H
#define SHUNT_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "main/cli.h"

struct table;

struct table_column {
	const char *title;
	bool right; /* numbers */
	int cut_to; /* may be cut to so many columns; 0: never. The last such column is cut first. */
};

/* Columns are not copied. NULL when out of memory; the functions below then do nothing. */
struct table *table_new(const struct table_column *columns, size_t n);
void table_free(struct table *t);

/* The next cell, row by row. */
void table_cell(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same in a colour by its name ("red"), NULL: none; left out where colours are. */
void table_coloured(struct table *t, const char *colour, const char *text);

/* Prints it on cli->out; the heading also when there are no rows. */
void table_print(struct table *t, const struct cli *cli);

#endif
