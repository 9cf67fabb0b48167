/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt trace: packets as they pass, each with what became of it; shunt capture: the same into a file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/own.h"
#include "main/commands.h"
#include "main/json.h"
#include "main/watching.h"
#include "pure/dissect.h"
#include "pure/pcapng.h"
#include "pure/verdict.h"

/* ---- trace ------------------------------------------------------------------------------------*/

static const char *clock_text(uint64_t time_us, char out[static 32])
{
	time_t seconds = (time_t)(time_us / 1000000);
	struct tm local;
	size_t n = localtime_r(&seconds, &local) ? strftime(out, 32, "%H:%M:%S", &local) : 0;

	snprintf(out + n, 32 - n, ".%06u", (unsigned int)(time_us % 1000000));
	return out;
}

static void trace_json(const struct cli *cli, const struct view_traced *t, uint64_t time_us)
{
	char line[DISSECT_LINE_MAX], words[DISSECT_WORDS_MAX];
	struct dissect d;
	struct json j;

	dissect_frame(t->frame.at, t->frame.len, &d);
	json_open(&j, cli->out, true);
	json_number(&j, "time_us", time_us);
	json_text_or_null(&j, "interface", t->interface);
	json_text(&j, "packet", dissect_line(&d, line));
	json_number(&j, "length", t->len);
	json_text(&j, "verdict", verdict_name(t->verdict));
	json_text(&j, "class", verdict_class_name(verdict_class(t->verdict)));
	json_text_or_null(&j, "service", t->service);
	json_text_or_null(&j, "backend", t->backend);
	json_text(&j, "leaves", dissect_words(t->frame_after.at, t->frame_after.len, words));
	json_close(&j);
}

static bool trace_packet(void *arg, const struct view_traced *t, uint64_t time_us)
{
	const struct cli *cli = arg;
	char line[DISSECT_LINE_MAX], at[32];
	struct dissect d;

	if (cli->json) {
		trace_json(cli, t, time_us);
		return !ferror(cli->out);
	}
	dissect_frame(t->frame.at, t->frame.len, &d);
	fprintf(cli->out, "%s %s %s: %s%s%s%s%s\n", clock_text(time_us, at), t->interface,
		dissect_line(&d, line), verdict_name(t->verdict), t->service[0] ? ", " : "",
		t->service, t->backend[0] ? "/" : "", t->backend);
	return !ferror(cli->out);
}

static enum cli_exit run_trace(struct cli *cli, int argc, char **argv)
{
	struct watching w = {.packet = trace_packet, .arg = cli};
	enum cli_exit result = watching_options(cli, &w);

	(void)argc, (void)argv;
	return result == CLI_DONE ? watching_run(cli, &w) : result;
}

/* ---- capture ----------------------------------------------------------------------------------*/

struct capture {
	FILE *file;
	const char *name;
	uint64_t packets;
	bool failed;
};

static bool write_block(struct capture *c, const uint8_t *block, size_t len)
{
	c->failed |= fwrite(block, len, 1, c->file) != 1;
	return !c->failed;
}

static bool capture_packet(void *arg, const struct view_traced *t, uint64_t time_us)
{
	static uint8_t block[PCAPNG_MAX];
	struct capture *c = arg;
	char comment[256];
	struct pcapng_packet p = {.time_us = time_us,
				  .frame = t->frame.at,
				  .have = t->frame.len,
				  .len = t->len,
				  .comment = comment};

	snprintf(comment, sizeof(comment), "%s%s%s%s%s", verdict_name(t->verdict),
		 t->service[0] ? ", " : "", t->service, t->backend[0] ? "/" : "", t->backend);
	c->packets++;
	if (!write_block(c, block, pcapng_packet(&p, block)))
		return false;
	if (verdict_class(t->verdict) == SHUNT_CLASS_DROP)
		return true;
	p.interface = 1;
	p.frame = t->frame_after.at;
	p.have = t->frame_after.len;
	p.len = t->len_after;
	return write_block(c, block, pcapng_packet(&p, block)) && fflush(c->file) == 0;
}

static bool write_head(struct capture *c)
{
	static uint8_t block[PCAPNG_MAX];

	return write_block(c, block, pcapng_begin("shunt " SHUNT_VERSION, block)) &&
	       write_block(c, block, pcapng_interface("before", "as packets come", block)) &&
	       write_block(c, block, pcapng_interface("after", "as packets leave", block));
}

static enum cli_exit run_capture(struct cli *cli, int argc, char **argv)
{
	struct capture c = {.name = cli_option(cli, "write")};
	struct watching w = {.packet = capture_packet, .arg = &c};
	enum cli_exit result = watching_options(cli, &w);
	int rc;

	(void)argc, (void)argv;
	if (result != CLI_DONE)
		return result;
	if (!c.name)
		return cli_misused("capture wants --write FILE; see shunt help capture");
	c.file = fopen(c.name, "we");
	if (!c.file || !write_head(&c)) {
		rc = errno;
		if (c.file)
			fclose(c.file);
		return cli_failed("%s: %s", c.name, strerror(rc));
	}
	result = watching_run(cli, &w);
	rc = fclose(c.file) ? errno : 0;
	if (c.failed || rc)
		return cli_failed("%s: cannot write all of it", c.name);
	if (result == CLI_DONE)
		fprintf(cli->out, "%llu packets in %s\n", (unsigned long long)c.packets, c.name);
	return result;
}

/* ---- the commands -----------------------------------------------------------------------------*/

static const struct cli_option trace_options[] = {WATCHING_OPTIONS, {0}};

const struct command command_trace = {
	.name = "trace",
	.arguments = "",
	.summary = "packets as they pass, each with what became of it",
	.help = "A line for each packet, until Ctrl-C: when, where, what, its verdict, service and "
		"backend. EXPR is tcpdump's, of the packet as it comes.\n"
		"\n"
		"While somebody watches, the interfaces run a program made of EXPR; what it takes "
		"goes on in a second copy of the packet path, which tells of it, and all else in "
		"the packet path as ever. Otherwise nothing of this is in force, and it costs "
		"nothing. One at a time can watch. Who is too slow misses packets; --sample helps. "
		"Needs root, and Linux 5.18.\n",
	.json = "time_us (since 1970), interface, packet, length, verdict, class, service, "
		"backend, "
		"leaves (what it has become) (a document a line)",
	.examples = "shunt trace --filter 'host 192.0.2.7 and tcp port 80' --count 10\n"
		    "shunt trace --service web --sample 1/1000",
	.group = CLI_GROUP_WHY,
	.options = trace_options,
	.run = run_trace,
};

static const struct cli_option capture_options[] = {
	{"write", "FILE", "into this file, in place of what it had", 'w', CLI_FILE, NULL},
	WATCHING_OPTIONS,
	{0},
};

const struct command command_capture = {
	.name = "capture",
	.arguments = "",
	.summary = "the same into a file, before and after forwarding",
	.help = "Writes pcapng, for Wireshark and others: each packet as it comes (interface "
		"\"before\") and, unless it is dropped, as it leaves (\"after\"), up to 1600 bytes "
		"of it, with verdict, service and backend in a comment. All else as of shunt "
		"trace.\n",
	.examples = "shunt capture -w web.pcapng --filter 'tcp port 80' --count 1000",
	.group = CLI_GROUP_WHY,
	.options = capture_options,
	.run = run_capture,
};
