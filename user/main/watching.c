/* SPDX-License-Identifier: BSD-2-Clause */
#include "main/watching.h"

#include <errno.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mono.h"
#include "io/ctl_client.h"
#include "io/stats_client.h"
#include "pure/msg.h"

#define IDLE_MS 50 /* between two looks, while nothing comes */

static volatile sig_atomic_t ended;

static void on_signal(int signal)
{
	(void)signal;
	ended = 1;
}

static void close_client(struct stats_client **c)
{
	stats_client_close(*c);
}

/* ---- options ----------------------------------------------------------------------------------*/

static enum cli_exit read_number(const char *option, const char *text, uint64_t most, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || !*out || *out > most)
		return cli_misused("--%s %s: a number from 1 to %llu", option, text,
				   (unsigned long long)most);
	return CLI_DONE;
}

enum cli_exit watching_options(const struct cli *cli, struct watching *w)
{
	const char *count = cli_option(cli, "count"), *sample = cli_option(cli, "sample"),
		   *seconds = cli_option(cli, "seconds");
	enum cli_exit result = CLI_DONE;
	uint64_t one_of = 1;

	w->filter = cli_option(cli, "filter");
	w->service = cli_option(cli, "service");
	if (count)
		result = read_number("count", count, UINT32_MAX, &w->count);
	if (result == CLI_DONE && seconds)
		result = read_number("seconds", seconds, 86400, &w->seconds);
	if (result == CLI_DONE && sample)
		result = strncmp(sample, "1/", 2) == 0
				 ? read_number("sample", sample + 2, INT32_MAX, &one_of)
				 : cli_misused("--sample %s: as in 1/100", sample);
	w->one_of = (uint32_t)one_of;
	return result;
}

/* ---- expressions ------------------------------------------------------------------------------*/

static enum cli_exit compile(const char *filter, struct msg_bytes *out)
{
	pcap_t *p = pcap_open_dead(DLT_EN10MB, 65535);
	struct bpf_program program = {0};
	enum cli_exit result = CLI_DONE;
	size_t len;

	if (!p)
		return cli_failed("out of memory");
	if (pcap_compile(p, &program, filter, 1, PCAP_NETMASK_UNKNOWN)) {
		result = cli_misused("--filter \"%s\": %s; see man pcap-filter", filter,
				     pcap_geterr(p));
		pcap_close(p);
		return result;
	}
	len = program.bf_len * sizeof(*program.bf_insns);
	if (len <= sizeof(out->at)) {
		memcpy(out->at, program.bf_insns, len);
		out->len = (uint32_t)len;
	} else {
		result = cli_misused("--filter: %u instructions are too many; 500 are taken",
				     program.bf_len);
	}
	pcap_freecode(&program);
	pcap_close(p);
	return result;
}

/* ---- watching ---------------------------------------------------------------------------------*/

struct taking {
	const struct watching *w;
	uint64_t seen, offset_ns; /* since 1970, of CLOCK_MONOTONIC's 0 */
	bool enough;
};

static int take(void *arg, const struct nlmsghdr *m)
{
	static struct view_traced t;
	struct taking *k = arg;

	if (msg_command(m) != SHUNT_MSG_TRACED || k->enough)
		return 0;
	if (msg_get_traced(m, &t))
		return -EBADMSG;
	if (k->w->service && strcmp(k->w->service, t.service) != 0)
		return 0;
	k->seen++;
	k->enough = !k->w->packet(k->w->arg, &t, (t.time_ns + k->offset_ns) / 1000) ||
		    k->seen == k->w->count;
	return 0;
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static enum cli_exit watch(struct cli *cli, const struct watching *w, uint64_t number,
			   struct stats_client *c)
{
	struct taking k = {.w = w,
			   .offset_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC)};
	const mono_t until = mono_add_us(mono_now(), (int64_t)w->seconds * 1000000);
	const struct msg_get get = {.generation = number};
	uint64_t more = 0;
	const struct stats_taker taker = {take, &k, &more};
	struct client_error e;

	while (!ended && !k.enough && !ferror(cli->out)) {
		if (stats_client_page(c, SHUNT_MSG_GET_TRACE, &get, &taker, &e) < 0)
			return cli_failed("%s", e.text);
		if (w->seconds && mono_diff_us(mono_now(), until) <= 0)
			break;
		if (more || k.enough)
			continue;
		fflush(cli->out);
		poll(NULL, 0, IDLE_MS);
	}
	if (w->seconds && !k.seen && !ended)
		fprintf(stderr, "no packet that was asked for came within %" PRIu64 " s\n",
			w->seconds);
	return CLI_DONE;
}

/* 0, or it has been said why not. @watch: number of who watches, if the command makes one. */
static int command(const struct cli *cli, const struct ctl_command *c, uint64_t *watch)
{
	struct ctl_reply r = {0};
	struct client_error e;

	if (ctl_client_call(cli->run_dir, cli->instance, c, &r, &e) < 0) {
		cli_failed("%s", e.text);
		return -ECONNREFUSED;
	}
	if (r.status)
		cli_failed("%s", r.text[0] ? r.text : strerror(-r.status));
	*watch = r.watch;
	return r.status;
}

enum cli_exit watching_run(struct cli *cli, const struct watching *w)
{
	__attribute__((cleanup(close_client))) struct stats_client *c = NULL;
	struct ctl_command begin = {.verb = CTL_TRACE, .one_of = w->one_of};
	struct ctl_command end = {.verb = CTL_TRACE_END};
	uint64_t ignored;
	struct client_error e;
	enum cli_exit result = w->filter ? compile(w->filter, &begin.filter) : CLI_DONE;

	if (result != CLI_DONE)
		return result;
	snprintf(begin.service, sizeof(begin.service), "%s", w->service ? w->service : "");
	if (stats_client_open(cli->run_dir, cli->instance, &c, &e) < 0)
		return cli_failed("%s", e.text);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGPIPE, SIG_IGN); /* a reader that has seen enough ends it properly */
	if (command(cli, &begin, &end.watch))
		return CLI_FAILED;
	result = watch(cli, w, end.watch, c);
	if (result == CLI_DONE && command(cli, &end, &ignored))
		return CLI_FAILED;
	return result;
}
