/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt explain --pcap: each IP packet of a capture, asked about on the tables as they are now. */
#include <pcap/pcap.h>
#include <string.h>

#include "base/own.h"
#include "main/explaining.h"
#include "pure/dissect.h"
#include "pure/refit.h"
#include "pure/verdict.h"

static void close_client(struct stats_client **c)
{
	stats_client_close(*c);
}

static void close_capture(pcap_t **p)
{
	if (*p)
		pcap_close(*p);
}

/* What has been counted, for the last line. */
struct tally {
	uint64_t packets, others; /* IP, and not */
	uint64_t forwarded, dropped;
};

static void print_line(const struct cli *cli, uint64_t n, const struct refit *r,
		       const struct explained *x)
{
	char line[DISSECT_LINE_MAX];
	struct dissect d;
	const struct view_explain *p = &x->packet;

	dissect_frame(r->frame, r->len, &d);
	fprintf(cli->out, "%6llu  %s: %s", (unsigned long long)n, dissect_line(&d, line),
		verdict_name(p->verdict));
	if (p->backend[0])
		fprintf(cli->out, ", %s/%s", p->service, p->backend);
	else if (p->service[0])
		fprintf(cli->out, ", %s", p->service);
	fprintf(cli->out, "%s%s\n", r->padded ? " (was cut)" : "",
		r->shortened ? " (shortened)" : "");
}

static void print_json(const struct cli *cli, uint64_t n, const struct refit *r,
		       const struct explained *x)
{
	char line[DISSECT_LINE_MAX];
	struct dissect d;
	struct json j;

	dissect_frame(r->frame, r->len, &d);
	json_open(&j, cli->out, true);
	json_number(&j, "number", n);
	json_text(&j, "packet", dissect_line(&d, line));
	json_bool(&j, "cut", r->padded);
	json_bool(&j, "shortened", r->shortened);
	explaining_json(&j, x, cli_option(cli, "bytes"));
	json_close(&j);
}

static void print(const struct cli *cli, uint64_t n, const struct refit *r,
		  const struct explained *x)
{
	if (cli->json) {
		print_json(cli, n, r, x);
		return;
	}
	print_line(cli, n, r, x);
	if (!cli_option(cli, "verbose") && !cli_option(cli, "bytes"))
		return;
	explaining_print(cli, x, cli_option(cli, "bytes"));
	fputc('\n', cli->out);
}

static void count(struct tally *t, enum shunt_verdict v)
{
	enum shunt_verdict_class class = verdict_class(v);

	t->packets++;
	t->forwarded += class == SHUNT_CLASS_FORWARD || class == SHUNT_CLASS_RETURN;
	t->dropped += class == SHUNT_CLASS_DROP;
}

static enum cli_exit ask_all(struct cli *cli, pcap_t *p, struct stats_client *c,
			     struct explain_ask *ask)
{
	auto_free struct explained *x = malloc(sizeof(*x));
	auto_free struct refit *r = malloc(sizeof(*r));
	struct pcap_pkthdr *h;
	struct client_error e;
	struct tally t = {0};
	const uint8_t *data;
	uint64_t n = 0;
	int got;

	if (!x || !r)
		return cli_failed("out of memory");
	while ((got = pcap_next_ex(p, &h, &data)) == 1 && !ferror(cli->out)) {
		n++;
		if (!refit_packet(pcap_datalink(p), data, h->caplen, h->len, r)) {
			t.others++;
			continue;
		}
		ask->frame.len = (uint32_t)r->len;
		memcpy(ask->frame.at, r->frame, r->len);
		if (explaining_ask(c, ask, x, &e) < 0)
			return cli_failed("%s", e.text);
		print(cli, n, r, x);
		count(&t, x->packet.verdict);
	}
	if (got == PCAP_ERROR)
		return cli_failed("after packet %llu: %s", (unsigned long long)n, pcap_geterr(p));
	if (!cli->json)
		fprintf(cli->out, "%llu packets: %llu forwarded, %llu dropped; %llu were no IP\n",
			(unsigned long long)t.packets, (unsigned long long)t.forwarded,
			(unsigned long long)t.dropped, (unsigned long long)t.others);
	return CLI_DONE;
}

enum cli_exit explaining_file(struct cli *cli, const char *file, struct explain_ask *ask)
{
	__attribute__((cleanup(close_client))) struct stats_client *c = NULL;
	__attribute__((cleanup(close_capture))) pcap_t *p = NULL;
	char why[PCAP_ERRBUF_SIZE] = "";
	struct client_error e;

	p = pcap_open_offline(file, why);
	if (!p)
		return cli_failed("%s%s%s", strstr(why, file) ? "" : file,
				  strstr(why, file) ? "" : ": ", why);
	if (!refit_knows(pcap_datalink(p)))
		return cli_failed("%s: its packets have link type %s, which cannot be asked about; "
				  "Ethernet, raw IP and Linux cooked captures can",
				  file,
				  pcap_datalink_val_to_name(pcap_datalink(p))
					  ? pcap_datalink_val_to_name(pcap_datalink(p))
					  : "?");
	if (stats_client_open(cli->run_dir, cli->instance, &c, &e) < 0)
		return cli_failed("%s", e.text);
	return ask_all(cli, p, c, ask);
}
