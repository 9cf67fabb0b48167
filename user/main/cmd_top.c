/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt top: the terminal, its keys, and when to ask the daemon again. */
#include <curses.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mono.h"
#include "main/commands.h"
#include "main/top.h"

#define EVERY_DEFAULT_S 2.0
#define KEY_ESCAPE 27

static volatile sig_atomic_t ended_by; /* signal; 0: none */

static void note_signal(int signal)
{
	ended_by = signal;
}

static void catch_signals(void (*handler)(int))
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction action = {.sa_handler = handler};
	size_t i;

	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
}

/* ---- keys -------------------------------------------------------------------------------------*/

static void enter(struct top *t, const char *service)
{
	snprintf(t->service, sizeof(t->service), "%s", service);
	t->selected[0] = t->filter[0] = '\0';
	t->at = t->first = 0;
	t->n = t->n_all = 0;
}

static void go_back(struct top *t)
{
	char from[SHUNT_NAME_MAX];

	if (!t->service[0]) {
		t->filter[0] = '\0';
		return;
	}
	memcpy(from, t->service, sizeof(from));
	enter(t, "");
	t->at = 1; /* not where the top is: the selected one is looked for */
	memcpy(t->selected, from, sizeof(from));
}

static void sort_by(struct top *t, enum top_sort sort)
{
	t->reversed = t->sort == sort && !t->reversed;
	t->sort = sort;
}

/* A key while the filter is typed. */
static void type(struct top *t, int key)
{
	size_t n = strlen(t->filter);

	if (key == '\n' || key == KEY_ENTER || key == '\r')
		t->typing = false;
	else if (key == KEY_ESCAPE)
		t->typing = false, t->filter[0] = '\0';
	else if ((key == KEY_BACKSPACE || key == 0x7f || key == '\b') && n > 0)
		t->filter[n - 1] = '\0';
	else if (key > ' ' && key < 0x7f && n < TOP_FILTER_MAX - 1)
		t->filter[n] = (char)key, t->filter[n + 1] = '\0';
}

/* Whether it was a key that moves the selection. */
static bool move_by(struct top *t, int key)
{
	const size_t page = top_room();

	switch (key) {
	case KEY_UP:
	case 'k':
		top_select(t, t->at ? t->at - 1 : 0);
		return true;
	case KEY_DOWN:
	case 'j':
		top_select(t, t->at + 1);
		return true;
	case KEY_PPAGE:
		top_select(t, t->at > page ? t->at - page : 0);
		return true;
	case KEY_NPAGE:
		top_select(t, t->at + page);
		return true;
	case KEY_HOME:
	case 'g':
		top_select(t, 0);
		return true;
	case KEY_END:
	case 'G':
		top_select(t, t->n);
		return true;
	default:
		return false;
	}
}

static void set_pace(struct top *t, bool faster)
{
	const double every_s = faster ? t->every_s / 2 : t->every_s * 2;

	if (every_s >= 0.25 && every_s <= 60)
		t->every_s = every_s;
}

/* Keys that change what is shown; true: other rows are wanted. */
static bool choose(struct top *t, int key)
{
	switch (key) {
	case '\n':
	case '\r':
	case KEY_ENTER:
	case KEY_RIGHT:
		if (t->service[0] || !t->n)
			return false;
		enter(t, t->rows[t->at].name);
		return true;
	case KEY_ESCAPE:
	case KEY_BACKSPACE:
	case KEY_LEFT:
	case 0x7f:
		go_back(t);
		return true;
	case '/':
		t->typing = true;
		return false;
	case ' ':
		t->paused = !t->paused;
		return !t->paused;
	case '+':
	case '-':
		set_pace(t, key == '+');
		return false;
	default:
		return false;
	}
}

static void arrange_by(struct top *t, int key)
{
	static const char letters[] = "pbfun"; /* in the order of enum top_sort */
	const char *at = key > 0 && key < 0x7f ? strchr(letters, key) : NULL;

	if (key == 's')
		t->sort = (t->sort + 1) % TOP_SORT_MAX, t->reversed = false;
	else if (key == 'r')
		t->reversed = !t->reversed;
	else if (at)
		sort_by(t, (enum top_sort)(at - letters));
}

/* Returns whether the rows are to be asked for now. */
static bool heed(struct top *t, int key)
{
	bool other = false;

	if (t->typing)
		type(t, key);
	else if (!move_by(t, key)) {
		other = choose(t, key);
		arrange_by(t, key);
	}
	top_arrange(t);
	return other;
}

/* ---- running ----------------------------------------------------------------------------------*/

static void loop(struct top *t, const struct cli *cli)
{
	mono_t asked = mono_now();
	struct client_error e;
	int key;

	for (;;) {
		const int64_t left_us =
			(int64_t)(t->every_s * 1e6) - mono_diff_us(asked, mono_now());
		bool now = !t->paused && left_us <= 0;

		top_draw(t, cli);
		if (!now) {
			timeout(t->paused ? 60000 : (int)(left_us / 1000) + 1);
			key = getch();
			if (ended_by || (key == 'q' && !t->typing))
				return;
			if (key != ERR && key != KEY_RESIZE)
				now = heed(t, key);
			else if (key == ERR && !isatty(STDIN_FILENO))
				return; /* the terminal is gone */
		}
		if (now) {
			top_fetch(t, cli, &e); /* what went wrong is shown */
			top_arrange(t);
			asked = mono_now();
		}
	}
}

static bool begin_screen(const struct cli *cli, SCREEN **screen)
{
	*screen = newterm(NULL, stdout, stdin);
	if (!*screen)
		return false;
	set_term(*screen);
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	ESCDELAY = 50;
	if (cli->colour && has_colors()) {
		start_color();
		use_default_colors();
		init_pair(1, COLOR_RED, -1);
		init_pair(2, COLOR_YELLOW, -1);
		init_pair(3, COLOR_GREEN, -1);
	}
	return true;
}

static enum cli_exit show(const struct cli *cli, struct top *t)
{
	const char *term = getenv("TERM");
	SCREEN *screen;

	if (!term || strcmp(term, "dumb") == 0 || !begin_screen(cli, &screen))
		return cli_failed("top cannot draw on this terminal (TERM=%s); shunt stats --watch "
				  "can",
				  term ? term : "");
	catch_signals(note_signal);
	top_arrange(t);
	loop(t, cli);
	endwin();
	delscreen(screen);
	if (ended_by) { /* as it would have ended without us */
		catch_signals(SIG_DFL);
		raise(ended_by);
	}
	return CLI_DONE;
}

static enum cli_exit read_every(const struct cli *cli, double *every_s)
{
	const char *text = cli_option(cli, "every");
	char *end;

	*every_s = text ? strtod(text, &end) : EVERY_DEFAULT_S;
	if (text && (*end || end == text || !(*every_s >= 0.25 && *every_s <= 60)))
		return cli_misused("--every %s: seconds, from 0.25 to 60", text);
	return CLI_DONE;
}

static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
	struct top t = {0};
	struct client_error e;
	enum cli_exit result = read_every(cli, &t.every_s);

	if (result != CLI_DONE)
		return result;
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return cli_failed(
			"top wants a terminal; into a pipe there is shunt stats --watch, and "
			"for programs --json");
	if (argc > 0 && snprintf(t.service, sizeof(t.service), "%s", argv[0]) >= SHUNT_NAME_MAX)
		result = client_too_long(&e, CLI_FAILED, "service", argv[0]);
	if (result != CLI_DONE || top_fetch(&t, cli, &e) < 0)
		return cli_failed("%s", e.text);
	result = show(cli, &t);
	top_fini(&t);
	return result;
}

static const struct cli_option options[] = {
	{"every", "SECONDS", "how often the daemon is asked (2); + and - change it", 0,
	 CLI_ANYTHING, NULL},
	{0},
};

const struct command command_top = {
	.name = "top",
	.arguments = "[SERVICE]",
	.summary = "services and backends by their traffic, live on the whole screen",
	.help = "Services, those with most packets a second first; Enter shows a service's "
		"backends, "
		"Esc goes back. Bars are parts of the greatest one.\n"
		"  p b f u n  sort by packets, bytes, flows, state, name; again: reversed\n"
		"  s r        next order; reversed\n"
		"  /          only names with that in them\n"
		"  Space      pause\n"
		"  + -        faster, slower\n"
		"  q          end\n",
	.examples = "shunt top\nshunt top web --every 1",
	.group = CLI_GROUP_SEE,
	.max_args = 1,
	.kinds = {CLI_SERVICE},
	.options = options,
	.run = run,
};
