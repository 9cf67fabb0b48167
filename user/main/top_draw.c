/* SPDX-License-Identifier: BSD-2-Clause */
/* The screen of shunt top: two lines of what it is, the list, and a line of keys. */
#include "main/top.h"

#include <curses.h>
#include <langinfo.h>
#include <string.h>
#include <time.h>

#include "main/units.h"

#define HEAD_LINES 3 /* with the list's heading */
#define FOOT_LINES 1
#define BAR_WIDTH 10
#define NAME_MORE 28 /* columns that a name may have beyond its width, where they are free */

enum { PAIR_RED = 1, PAIR_YELLOW, PAIR_GREEN };

enum column {
	C_NAME,
	C_STATE,
	C_PACKETS,
	C_BAR,
	C_BYTES,
	C_FLOWS,
	C_NOW,
	C_ADDRESS,
	C_NOTE,
	C_MAX
};

/* In the order on the screen; where there is no room those of a greater rank are left out first. */
static const struct {
	const char *title, *backend_title;
	int width, rank;
	bool right;
} columns[C_MAX] = {
	[C_NAME] = {"SERVICE", "BACKEND", 12, 0, false},
	[C_STATE] = {"USABLE", "STATE", 12, 1, false},
	[C_PACKETS] = {"PKT/S", "PKT/S", 7, 2, true},
	[C_BAR] = {"", "", BAR_WIDTH, 3, false},
	[C_BYTES] = {"BYTES/S", "BYTES/S", 9, 4, true},
	[C_FLOWS] = {"FLOWS/S", "FLOWS/S", 8, 5, true},
	[C_NOW] = {"", "NOW", 7, 6, true},
	[C_ADDRESS] = {"ADDRESS", "ADDRESS", 28, 7, false},
	[C_NOTE] = {"", "REASON", 40, 8, false},
};

static int colour_of(const char *colour)
{
	if (!colour || !has_colors())
		return 0;
	if (strcmp(colour, "red") == 0)
		return COLOR_PAIR(PAIR_RED) | A_BOLD;
	if (strcmp(colour, "yellow") == 0)
		return COLOR_PAIR(PAIR_YELLOW);
	return strcmp(colour, "green") == 0 ? COLOR_PAIR(PAIR_GREEN) : 0;
}

/* Without colours what is wrong is bold. */
static int look_of(const struct top_row *r, bool colours)
{
	if (colours)
		return colour_of(r->colour);
	return r->colour && strcmp(r->colour, "green") != 0 ? A_BOLD : 0;
}

/* ---- columns ----------------------------------------------------------------------------------*/

/* Fills widths, 0: left out. The name's takes what is left. */
static void lay_out(const struct top *t, int width, int widths[static C_MAX])
{
	int c, rank, used = 0;

	memset(widths, 0, C_MAX * sizeof(*widths));
	for (rank = 0; rank < C_MAX; rank++)
		for (c = 0; c < C_MAX; c++) {
			const int gap = used ? 1 : 0;
			const bool none = !t->service[0] && (c == C_NOW || c == C_NOTE);

			if (columns[c].rank != rank || none)
				continue;
			if (used + gap + columns[c].width > width)
				goto out;
			widths[c] = columns[c].width;
			used += gap + columns[c].width;
		}
out:
	widths[C_NAME] += width - used < NAME_MORE ? width - used : NAME_MORE;
}

/* At most @width columns of it; what cannot be printed, and what others than us may have made wide,
 * becomes "?". */
static void put_text(const char *text, int width, bool right)
{
	char line[512];
	int n = 0;

	for (; *text && n < width && n < (int)sizeof(line) - 1; text++)
		line[n++] = *text >= ' ' && *text < 0x7f ? *text : '?';
	line[n] = '\0';
	if (*text && n > 1)
		line[n - 1] = '~';
	printw(right ? "%*s" : "%-*s", width, line);
}

/* Eighths of a column where the terminal has them. */
static void put_bar(uint64_t value, uint64_t max)
{
	static const char *const eighths[] = {"",	"\u258f", "\u258e", "\u258d",
					      "\u258c", "\u258b", "\u258a", "\u2589"};
	const bool fine = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	int parts = max ? (int)((double)value / (double)max * BAR_WIDTH * 8 + 0.5) : 0, used;

	if (value && parts == 0)
		parts = 1;
	for (used = 0; used < parts / 8; used++)
		addstr(fine ? "\u2588" : "#");
	if (parts % 8 && used < BAR_WIDTH) {
		addstr(fine ? eighths[parts % 8] : parts % 8 >= 4 || !used ? "-" : " ");
		used++;
	}
	printw("%*s", BAR_WIDTH - used, "");
}

static void put_cell(const struct top *t, const struct top_row *r, int c, int width, uint64_t max)
{
	switch (c) {
	case C_NAME:
		put_text(r->name, width, false);
		break;
	case C_STATE:
		put_text(r->state, width, false);
		break;
	case C_PACKETS:
		put_text(units_count(r->traffic.packets_per_s).text, width, true);
		break;
	case C_BAR:
		put_bar(t->sort == TOP_BY_BYTES	  ? r->traffic.bytes_per_s
			: t->sort == TOP_BY_FLOWS ? r->traffic.flows_per_s
						  : r->traffic.packets_per_s,
			max);
		break;
	case C_BYTES:
		put_text(units_bytes(r->traffic.bytes_per_s).text, width, true);
		break;
	case C_FLOWS:
		put_text(units_count(r->traffic.flows_per_s).text, width, true);
		break;
	case C_NOW:
		put_text(r->flows_known ? units_count(r->flows_now).text : "", width, true);
		break;
	case C_ADDRESS:
		put_text(r->address, width, false);
		break;
	default:
		put_text(r->note, width, false);
		break;
	}
}

/* What the longest bar stands for. */
static uint64_t greatest(const struct top *t)
{
	uint64_t max = 0;
	size_t i;

	for (i = 0; i < t->n; i++) {
		const struct view_traffic *v = &t->rows[i].traffic;
		const uint64_t value = t->sort == TOP_BY_BYTES	 ? v->bytes_per_s
				       : t->sort == TOP_BY_FLOWS ? v->flows_per_s
								 : v->packets_per_s;

		max = value > max ? value : max;
	}
	return max;
}

/* ---- lines ------------------------------------------------------------------------------------*/

static const char *const sort_names[TOP_SORT_MAX] = {"packets", "bytes", "flows", "state", "name"};

static void draw_head(const struct top *t, const struct cli *cli)
{
	time_t now = time(NULL);
	char text[512], at[16];

	strftime(at, sizeof(at), "%H:%M:%S", localtime(&now));
	snprintf(text, sizeof(text), "%s%s%s  %s  by %s%s%s%s%s", cli->instance,
		 t->service[0] ? " > " : "", t->service, at, sort_names[t->sort],
		 t->reversed ? ", reversed" : "", t->paused ? "  PAUSED" : "",
		 t->filter[0] || t->typing ? "  /" : "", t->filter);
	move(0, 0);
	attron(A_BOLD);
	put_text(text, COLS, false);
	attroff(A_BOLD);
	move(1, 0);
	if (t->error[0]) {
		attron(colour_of("red") | A_BOLD);
		put_text(t->error, COLS, false);
		attroff(colour_of("red") | A_BOLD);
		return;
	}
	snprintf(text, sizeof(text), "%s pkt/s  %s/s  %s flows/s  %u of %u up",
		 units_count(t->sum.packets_per_s).text, units_bytes(t->sum.bytes_per_s).text,
		 units_count(t->sum.flows_per_s).text, t->usable, t->backends);
	put_text(text, COLS, false);
}

static void draw_heading(const struct top *t, const int widths[static C_MAX])
{
	int c, gap = 0;

	move(2, 0);
	attron(A_UNDERLINE);
	for (c = 0; c < C_MAX; c++) {
		if (!widths[c])
			continue;
		printw("%*s", gap, "");
		put_text(t->service[0] ? columns[c].backend_title : columns[c].title, widths[c],
			 columns[c].right);
		gap = 1;
	}
	attroff(A_UNDERLINE);
}

static void draw_row(const struct top *t, const struct cli *cli, size_t i,
		     const int widths[static C_MAX])
{
	const struct top_row *r = &t->rows[i];
	const int look = look_of(r, cli->colour), chosen = i == t->at ? A_REVERSE : 0;
	const uint64_t max = greatest(t);
	int c, gap = 0;

	move(HEAD_LINES + (int)(i - t->first), 0);
	attrset(chosen);
	for (c = 0; c < C_MAX; c++) {
		if (!widths[c])
			continue;
		printw("%*s", gap, "");
		attrset(chosen | (c == C_STATE ? look : 0));
		put_cell(t, r, c, widths[c], max);
		attrset(chosen);
		gap = 1;
	}
	attrset(0);
}

static void draw_keys(const struct top *t)
{
	static const char *const keys[] = {
		"q quit",    "Enter in", "Esc out",
		"s sort",    "/ filter", "Space pause",
		"r reverse", "+ - pace", "p b f n packets bytes flows name",
	};
	size_t i, used = 0;

	move(LINES - 1, 0);
	attron(A_REVERSE);
	if (t->typing) {
		put_text("type a part of the name; Enter keeps it, Esc drops it", COLS, false);
	} else {
		for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
			const size_t n = strlen(keys[i]) + (used ? 2 : 0);

			if (used + n > (size_t)COLS)
				break;
			printw("%s%s", used ? "  " : "", keys[i]);
			used += n;
		}
		printw("%*s", COLS - (int)used, "");
	}
	attroff(A_REVERSE);
}

size_t top_room(void)
{
	return LINES > HEAD_LINES + FOOT_LINES ? (size_t)(LINES - HEAD_LINES - FOOT_LINES) : 1;
}

void top_draw(struct top *t, const struct cli *cli)
{
	const size_t room = top_room();
	int widths[C_MAX];
	size_t i;

	erase();
	if (LINES < HEAD_LINES + FOOT_LINES + 1 || COLS < 20) {
		mvaddnstr(0, 0, "too small", COLS);
		refresh();
		return;
	}
	if (t->at < t->first)
		t->first = t->at;
	if (t->at >= t->first + room)
		t->first = t->at - room + 1;
	lay_out(t, COLS, widths);
	draw_head(t, cli);
	draw_heading(t, widths);
	for (i = t->first; i < t->n && i < t->first + room; i++)
		draw_row(t, cli, i, widths);
	if (!t->n)
		mvaddnstr(HEAD_LINES, 0, t->n_all ? "no name has that in it" : "none", COLS);
	draw_keys(t);
	refresh();
}
