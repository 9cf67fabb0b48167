/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt history and events: what has become of backends, and what becomes of them now. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/own.h"
#include "io/stats_client.h"
#include "main/commands.h"
#include "main/json.h"
#include "main/table.h"
#include "main/units.h"
#include "main/words.h"
#include "pure/msg.h"

static void close_client(struct stats_client **c)
{
	stats_client_close(*c);
}
#define auto_client __attribute__((cleanup(close_client)))

/* "2026-11-21 11:42:57", where the reader is. */
static const char *when(uint64_t time_ms, char out[static 32])
{
	time_t seconds = (time_t)(time_ms / 1000);
	struct tm local;

	if (!localtime_r(&seconds, &local) || !strftime(out, 32, "%Y-%m-%d %H:%M:%S", &local))
		snprintf(out, 32, "%" PRIu64, time_ms / 1000);
	return out;
}

/* ---- history ----------------------------------------------------------------------------------*/

static const char *colour_of(enum standing s)
{
	switch (s) {
	case STANDING_UP:
		return "green";
	case STANDING_DOWN:
		return "red";
	case STANDING_DRAINED:
	case STANDING_MAINTENANCE:
	case STANDING_LEAVING:
		return "yellow";
	default:
		return NULL;
	}
}

/* "L7STS 503: HTTP status 503, wanted 200-399, 3 of 3 (check web)", "enabled; by alice (uid 0)" */
static void reason_of(const struct history_event *c, char *out, size_t size)
{
	snprintf(out, size, "%s%s%s%s%s%s%s%s", c->code, c->code[0] && c->reason[0] ? ": " : "",
		 c->reason, c->check[0] ? " (check " : "", c->check, c->check[0] ? ")" : "",
		 c->by[0] ? "; by " : "", c->by);
}

static void print_history(const struct cli *cli, const struct history_event *rows, size_t n)
{
	static const struct table_column columns[] = {
		{"WHEN", false, TABLE_WHOLE, 0},   {"WAS", false, TABLE_WHOLE, 0},
		{"IS", false, TABLE_WHOLE, 0},	   {"LATENCY", true, TABLE_WHOLE, 0},
		{"REASON", false, TABLE_FOLD, 16},
	};
	struct table *t = table_new(columns, 5);
	char text[512], at[32];
	size_t i;

	for (i = 0; i < n; i++) {
		table_cell(t, "%s", when(rows[i].time_ms, at));
		table_coloured(t, colour_of(rows[i].from), standing_name(rows[i].from));
		table_coloured(t, colour_of(rows[i].to), standing_name(rows[i].to));
		table_cell(t, "%s",
			   rows[i].latency_us ? units_latency(rows[i].latency_us).text : "");
		reason_of(&rows[i], text, sizeof(text));
		table_cell(t, "%s", text);
	}
	table_print(t, cli);
	table_free(t);
}

static enum cli_exit run_history(struct cli *cli, int argc, char **argv)
{
	const char *const names[2] = {argv[0], argv[1]};
	auto_free struct history_event *rows = NULL;
	auto_client struct stats_client *c = NULL;
	struct client_error e;
	struct json j;
	size_t n, i;

	(void)argc;
	if (!argv[0][0] || !argv[1][0])
		return cli_misused("the name of a service or backend cannot be empty");
	if (stats_client_open(cli->run_dir, cli->instance, &c, &e) < 0 ||
	    stats_client_history(c, names, &rows, &n, &e) < 0)
		return cli_failed("%s", e.text);
	if (!cli->json) {
		print_history(cli, rows, n);
		return CLI_DONE;
	}
	json_open(&j, cli->out, false);
	json_list(&j, "history");
	for (i = 0; i < n; i++)
		words_json_change(&j, &rows[i]);
	json_list_end(&j);
	json_close(&j);
	return CLI_DONE;
}

const struct command command_history = {
	.name = "history",
	.arguments = "SERVICE BACKEND",
	.summary = "what has become of a backend, and why: its last hundred changes",
	.help = "The newest first. WAS and IS are the same where only the reason is another. "
		"The daemon keeps them in memory: they begin with it.\n",
	.json = "history [time_ms (since 1970), from, to (starting, up, down, unchecked, "
		"drained, maintenance, leaving), code (\"L7STS 503\"), check, latency_us, by, "
		"reason] (code, check, by and reason may be null)",
	.examples = "shunt history web web1",
	.group = CLI_GROUP_WHY,
	.min_args = 2,
	.max_args = 2,
	.kinds = {CLI_SERVICE, CLI_BACKEND},
	.run = run_history,
};

/* ---- events -----------------------------------------------------------------------------------*/

static void event_json(const struct cli *cli, const struct msg_event *e)
{
	struct json j;

	json_open(&j, cli->out, true);
	json_number(&j, "seq", e->seq);
	json_number(&j, "time_ms", e->change.time_ms);
	json_text(&j, "kind", view_event_name(e->kind));
	json_text_or_null(&j, "service", e->service);
	json_text_or_null(&j, "backend", e->backend);
	json_text(&j, "text", e->text);
	if (e->change.to || e->change.from)
		words_json_change_keys(&j, &e->change);
	json_close(&j);
}

static void print_event(const struct cli *cli, const struct msg_event *e)
{
	char at[32];

	if (cli->json)
		event_json(cli, e);
	else
		fprintf(cli->out, "%s %s\n", when(e->change.time_ms, at), e->text);
	fflush(cli->out);
}

/* What is lost is told on standard error, where it is in nobody's way. */
static void tell_lost(uint64_t *last, uint64_t seq)
{
	if (*last && seq > *last + 1)
		cli_failed("events lost: %" PRIu64, seq - *last - 1);
	*last = seq;
}

static enum cli_exit run_events(struct cli *cli, int argc, char **argv)
{
	auto_client struct stats_client *c = NULL;
	struct client_error e;
	struct msg_event event;
	uint64_t last = 0;
	int got;

	(void)argc, (void)argv;
	if (stats_client_open(cli->run_dir, cli->instance, &c, &e) < 0 ||
	    stats_client_listen(c, &e) < 0)
		return cli_failed("%s", e.text);
	while ((got = stats_client_next(c, &event, &e)) > 0 && !ferror(cli->out)) {
		if (got == STATS_LOST)
			continue; /* the next number says how many */
		tell_lost(&last, got == STATS_HEARTBEAT ? event.seq + 1 : event.seq);
		last = event.seq;
		if (got == STATS_EVENT)
			print_event(cli, &event);
	}
	return ferror(cli->out) ? CLI_FAILED : cli_failed("%s", e.text);
}

static const struct cli_option events_options[] = {
	{"follow", NULL, "wait for what comes; is so in any case", 0, CLI_ANYTHING, NULL},
	{0},
};

const struct command command_events = {
	.name = "events",
	.arguments = "",
	.summary = "what happens, as it happens",
	.help = "A line for each change of a backend's health or next hop, each edit, each "
		"change of a service, until Ctrl-C or the daemon's end. Needs root.\n",
	.json = "seq, time_ms (since 1970), kind (health, edited, next_hop, service_empty, "
		"drain, pool, transition, ...), service, backend, text, from? (this and the "
		"rest: of kind health and edited, as in history), to?, code?, check?, "
		"latency_us?, by?, reason? (a document a line)",
	.examples = "shunt events\n"
		    "shunt events --json | jq 'select(.to == \"down\")'",
	.group = CLI_GROUP_SEE,
	.options = events_options,
	.run = run_events,
};
