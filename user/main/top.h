/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt top: what is asked for and in which order (top_rows.c), and how it is drawn (top_draw.c). */
#ifndef SHUNT_TOP_H
#define SHUNT_TOP_H

#include "main/cli.h"
#include "pure/client_error.h"
#include "pure/view.h"

enum top_sort {
	TOP_BY_PACKETS,
	TOP_BY_BYTES,
	TOP_BY_FLOWS,
	TOP_BY_STATE, /* what is worst first */
	TOP_BY_NAME,
	TOP_SORT_MAX,
};

/* A service, or a backend. */
struct top_row {
	char name[SHUNT_NAME_MAX];
	char state[24]; /* "3/4", "down" */
	const char *colour; /* of the state: "red", "yellow", "green", NULL */
	int trouble; /* more is worse */
	char address[VIEW_ADDRESS_MAX];
	char note[VIEW_REASON_MAX]; /* of a backend why it is so */
	struct view_traffic traffic;
	bool flows_known;
	uint64_t flows_now;
};

#define TOP_FILTER_MAX 32

struct top {
	/* What is shown. */
	char service[SHUNT_NAME_MAX]; /* its backends; empty: services */
	enum top_sort sort;
	bool reversed, paused, typing; /* typing: keys go to the filter */
	char filter[TOP_FILTER_MAX]; /* part of the name; empty: all */
	double every_s;
	/* What there is. */
	struct top_row *rows; /* those that pass the filter, sorted */
	size_t n, n_all; /* all: with those that do not pass */
	struct view_traffic sum;
	uint32_t usable, backends;
	char error[512]; /* the last time it was asked; empty: it went well */
	/* Where the reader is. */
	char selected[SHUNT_NAME_MAX];
	size_t at, first; /* rows: the selected one, the uppermost on the screen */
};

/* Asks the daemon. Returns 0, or -errno with @e and the rows as they were. */
int top_fetch(struct top *t, const struct cli *cli, struct client_error *e);
/* Filters, sorts, and finds the selected row again. */
void top_arrange(struct top *t);
void top_select(struct top *t, size_t at);
void top_fini(struct top *t);

/* Draws all of it on the screen of ncurses. */
void top_draw(struct top *t, const struct cli *cli);
/* How many rows of the list the screen has room for. */
size_t top_room(void);

#endif
