/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt stats: what goes where, once or again and again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "io/stats_client.h"
#include "main/commands.h"
#include "main/json.h"
#include "main/table.h"
#include "main/units.h"
#include "main/words.h"

#define WATCH_DEFAULT_S 2.0

struct snapshot {
	struct view_service *services;
	struct view_backend *backends;
	struct view_verdict *verdicts;
	size_t n_services, n_backends, n_verdicts;
};

static void snapshot_fini(struct snapshot *s)
{
	free(s->services);
	free(s->backends);
	free(s->verdicts);
}

static int take(const struct cli *cli, const char *service, struct snapshot *s,
		struct client_error *e)
{
	struct stats_client *c;
	int err = stats_client_open(cli->run_dir, cli->instance, &c, e);

	if (err < 0)
		return err;
	err = stats_client_services(c, service, &s->services, &s->n_services, e);
	if (err == 0)
		err = stats_client_backends(c, service, &s->backends, &s->n_backends, e);
	if (err == 0)
		err = stats_client_verdicts(c, &s->verdicts, &s->n_verdicts, e);
	stats_client_close(c);
	return err;
}

/* Backends come service by service, as the services do: the first of @service's from @at on. */
static size_t backends_end(const struct snapshot *s, const char *service, size_t at)
{
	while (at < s->n_backends && strcmp(s->backends[at].service, service) == 0)
		at++;
	return at;
}

/* ---- JSON -------------------------------------------------------------------------------------*/

static void service_json(struct json *j, const struct snapshot *s, size_t i, size_t *at)
{
	const struct view_service *service = &s->services[i];
	size_t end = backends_end(s, service->name, *at);

	json_object(j, NULL);
	json_text(j, "name", service->name);
	words_json_traffic(j, &service->traffic);
	json_number(j, "no_backend", service->no_backend);
	json_number(j, "over_rate", service->over_rate);
	json_list(j, "backends");
	for (; *at < end; ++*at) {
		json_object(j, NULL);
		json_text(j, "name", s->backends[*at].name);
		words_json_traffic(j, &s->backends[*at].traffic);
		words_json_flows_now(j, &s->backends[*at]);
		json_object_end(j);
	}
	json_list_end(j);
	json_object_end(j);
}

static void stats_json(const struct cli *cli, const struct snapshot *s)
{
	struct json j;
	size_t i, at = 0;

	json_open(&j, cli->out, cli_option(cli, "watch") != NULL);
	json_number(&j, "time", (uint64_t)time(NULL));
	json_list(&j, "services");
	for (i = 0; i < s->n_services; i++)
		service_json(&j, s, i, &at);
	json_list_end(&j);
	json_list(&j, "verdicts");
	for (i = 0; i < s->n_verdicts; i++)
		words_json_verdict(&j, &s->verdicts[i]);
	json_list_end(&j);
	json_close(&j);
}

/* ---- tables -----------------------------------------------------------------------------------*/

/* @now: flows that there are. */
static void traffic_cells(struct table *t, const struct view_traffic *v, const char *now)
{
	table_cell(t, "%s", units_count(v->packets).text);
	table_cell(t, "%s", units_bytes(v->bytes).text);
	table_cell(t, "%s", units_count(v->flows).text);
	table_cell(t, "%s", now);
	table_cell(t, "%s", units_count(v->packets_per_s).text);
	table_cell(t, "%s", units_bytes(v->bytes_per_s).text);
	table_cell(t, "%s", units_count(v->flows_per_s).text);
}

/* A line of packets that came to no backend, if there are any. */
static void lost_row(struct table *t, const char *words, uint64_t packets)
{
	if (packets == 0)
		return;
	table_coloured(t, "red", words);
	table_cell(t, "%s", units_count(packets).text);
	for (size_t c = 0; c < 6; c++)
		table_cell(t, "%s", "");
}

static void service_rows(struct table *t, const struct snapshot *s, size_t i, size_t *at)
{
	const struct view_service *service = &s->services[i];
	size_t end = backends_end(s, service->name, *at);

	table_cell(t, "%s", service->name);
	traffic_cells(t, &service->traffic, "");
	for (; *at < end; ++*at) {
		const struct view_backend *b = &s->backends[*at];

		table_cell(t, "  %s", b->name);
		traffic_cells(t, &b->traffic,
			      b->flows_known ? units_count(b->flows_left).text : "");
	}
	lost_row(t, "  found no backend", service->no_backend);
	lost_row(t, "  over its rates", service->over_rate);
}

static void print_traffic(const struct cli *cli, const struct snapshot *s)
{
	static const struct table_column columns[] = {
		{"SERVICE, BACKEND", false, TABLE_SPILL, 16},
		{"PACKETS", true, TABLE_WHOLE, 0},
		{"BYTES", true, TABLE_WHOLE, 0},
		{"FLOWS", true, TABLE_WHOLE, 0},
		{"NOW", true, TABLE_WHOLE, 0},
		{"PKT/S", true, TABLE_WHOLE, 0},
		{"BYTES/S", true, TABLE_WHOLE, 0},
		{"FLOWS/S", true, TABLE_WHOLE, 0},
	};
	struct table *t = table_new(columns, 8);
	size_t i, at = 0;

	for (i = 0; i < s->n_services; i++)
		service_rows(t, s, i, &at);
	table_print(t, cli);
	table_free(t);
}

static void print_verdicts(const struct cli *cli, const struct snapshot *s)
{
	static const struct table_column columns[] = {
		{"VERDICT", false, TABLE_WHOLE, 0},
		{"PACKETS", true, TABLE_WHOLE, 0},
		{"PKT/S", true, TABLE_WHOLE, 0},
		{"MEANING", false, TABLE_FOLD, 30},
	};
	struct table *t = table_new(columns, 4);
	size_t i;

	for (i = 0; i < s->n_verdicts; i++) {
		const struct view_verdict *v = &s->verdicts[i];

		if (v->packets == 0 && !cli_option(cli, "all"))
			continue;
		table_cell(t, "%s", words_verdict(v->verdict));
		table_cell(t, "%s", units_count(v->packets).text);
		table_cell(t, "%s", units_count(v->packets_per_s).text);
		table_cell(t, "%s", words_verdict_meaning(v->verdict));
	}
	table_print(t, cli);
	table_free(t);
}

static void print_stats(const struct cli *cli, const struct snapshot *s)
{
	if (cli->json) {
		stats_json(cli, s);
		return;
	}
	print_traffic(cli, s);
	fputc('\n', cli->out);
	print_verdicts(cli, s);
}

/* ---- once, and again and again ----------------------------------------------------------------*/

static enum cli_exit show(const struct cli *cli, const char *service)
{
	struct snapshot s = {0};
	struct client_error e;
	int err = take(cli, service, &s, &e);

	if (err == 0)
		print_stats(cli, &s);
	snapshot_fini(&s);
	return err < 0 ? cli_failed("%s", e.text) : CLI_DONE;
}

static void print_clock(const struct cli *cli, double watch_s)
{
	time_t now = time(NULL);
	char text[32];

	strftime(text, sizeof(text), "%H:%M:%S", localtime(&now));
	fprintf(cli->out, "shunt stats, instance %s, %s, every %g s\n\n", cli->instance, text,
		watch_s);
}

/* Writes the lines that the screen has room for over what it showed before, without a blank moment
 * in between. */
static void redraw(FILE *out, const char *text)
{
	struct winsize size = {0};
	int rows = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row ? size.ws_row : 24;
	const char *end;

	fputs("\033[H", out);
	for (; *text && rows > 1; rows--, text = *end ? end + 1 : end) {
		end = strchrnul(text, '\n');
		fprintf(out, "%.*s\033[K\n", (int)(end - text), text);
	}
	fputs(*text ? "(more than this window shows)\033[K\033[J" : "\033[J", out);
	fflush(out);
}

/* One frame on a terminal. A daemon that is gone is shown in its place: it may come back. */
static int frame(const struct cli *cli, const char *service, double watch_s)
{
	struct cli to_memory = *cli;
	auto_free char *text = NULL;
	struct snapshot s = {0};
	struct client_error e;
	size_t len;
	int err;

	to_memory.out = open_memstream(&text, &len);
	if (!to_memory.out)
		return -ENOMEM;
	print_clock(&to_memory, watch_s);
	err = take(cli, service, &s, &e);
	if (err == 0)
		print_stats(&to_memory, &s);
	else
		fprintf(to_memory.out, "%s\n", e.text);
	snapshot_fini(&s);
	fclose(to_memory.out);
	redraw(cli->out, text);
	return 0;
}

static void wait_s(double seconds)
{
	struct timespec t = {.tv_sec = (time_t)seconds};

	t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
	nanosleep(&t, NULL);
}

static enum cli_exit watch_terminal(const struct cli *cli, const char *service, double watch_s)
{
	fputs("\033[2J", cli->out);
	while (frame(cli, service, watch_s) == 0)
		wait_s(watch_s);
	return cli_failed("out of memory");
}

/* How often; 0: once. */
static enum cli_exit read_watch(const struct cli *cli, double *watch_s)
{
	const char *text = cli_option(cli, "watch");
	char *end;

	*watch_s = !text ? 0 : *text ? strtod(text, &end) : WATCH_DEFAULT_S;
	if (!text || !*text)
		return CLI_DONE;
	if (*end || end == text || !(*watch_s >= 0.1 && *watch_s <= 86400))
		return cli_misused("--watch %s: seconds, from 0.1 to 86400", text);
	return CLI_DONE;
}

static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
	const char *service = argc > 0 ? argv[0] : NULL;
	double watch_s;
	enum cli_exit result = read_watch(cli, &watch_s);

	if (result != CLI_DONE)
		return result;
	if (watch_s > 0 && !cli->json && isatty(STDOUT_FILENO))
		return watch_terminal(cli, service, watch_s);
	for (;;) {
		if (watch_s > 0 && !cli->json)
			print_clock(cli, watch_s);
		result = show(cli, service);
		if (result != CLI_DONE || watch_s <= 0)
			return result;
		if (!cli->json)
			fputc('\n', cli->out);
		if (fflush(cli->out) == EOF)
			return CLI_FAILED;
		wait_s(watch_s);
	}
}

static const struct cli_option options[] = {
	{"watch", "[SECONDS]", "again every so many seconds (2), until Ctrl-C", 'w', CLI_ANYTHING,
	 NULL},
	{"all", NULL, "verdicts that no packet has had, too", 'a', CLI_ANYTHING, NULL},
	{0},
};

const struct command command_stats = {
	.name = "stats",
	.arguments = "[SERVICE]",
	.summary = "packets, bytes and new flows, and what became of all packets",
	.help = "Totals since a backend was configured, and rates over the daemon's last "
		"sampling interval. Bytes are those of the IP packets as they came in. Below, "
		"the verdicts: every packet has exactly one. NOW is how many flows there are; "
		"it is known where every flow is remembered (rr, wrr, lc, wlc), of sources "
		"with affinity, and while a backend drains.\n",
	.json = "time (seconds since 1970), services [name, packets, bytes, flows, "
		"packets_per_s, bytes_per_s, flows_per_s, no_backend, over_rate, backends "
		"[name, packets, bytes, flows, packets_per_s, bytes_per_s, flows_per_s, "
		"flows_now (null: not known)]], verdicts [name, class, meaning, packets, "
		"packets_per_s] (with --watch, a document a line)",
	.examples = "shunt stats --watch 5 web\n"
		    "shunt stats --json | jq '.verdicts[] | select(.class == \"drop\")'",
	.group = CLI_GROUP_SEE,
	.max_args = 1,
	.kinds = {CLI_SERVICE},
	.options = options,
	.run = run,
};
