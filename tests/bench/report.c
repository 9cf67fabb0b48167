/* SPDX-License-Identifier: BSD-2-Clause */
#include "report.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "pure/maglev.h"
#include "world.h"

#define MILLION 1048576

void report_finish(struct bench_report *r)
{
	for (size_t i = 0; i < r->n; i++) {
		struct bench_row *row = &r->rows[i];

		sort_ns(row->ns, row->rounds);
		row->min = row->ns[0];
		row->median = row->ns[row->rounds / 2];
	}
}

/* NULL when the row was filtered out. */
static const struct bench_row *find(const struct bench_report *r, const char *name, uint32_t flows)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->rows[i].c->name, name) == 0 && r->rows[i].flows == flows)
			return &r->rows[i];
	return NULL;
}

static double floor_of(const struct bench_report *r, const struct bench_row *row)
{
	return find(r, row->c->floor, 1)->min;
}

static const char introduction[] =
	"ns a packet on one CPU, BPF_PROG_TEST_RUN, least and median of the rounds.\n"
	"  gross  as measured, nothing subtracted: the packet restored to what it was before the "
	"run\n"
	"         (tunnel header off, MACs), the next flow's address and ports written, then the\n"
	"         packet path. This is ns_min and ns_median in bench.json.\n"
	"  floor  gross too: the same restoring and writing, then the least that could be done "
	"(null:\n"
	"         nothing at all; mac-swap; encap: head moved, MACs and tunnel header written).\n"
	"  ratio  gross / floor, of the least ones.\n"
	"  net    gross less the shell row of its kind. shell-l2: restoring and writing alone;\n"
	"         shell-encap: that, and the head moved to and fro, so that the net of an ipip "
	"row\n"
	"         lacks one bpf_xdp_adjust_head() that the path needs itself.\n";

static void print_row(const struct bench_report *r, const struct bench_row *row)
{
	double floor = floor_of(r, row);

	printf("%-29s %8u %7.1f %7.1f %7.1f", row->c->name, row->flows, row->min, row->median,
	       floor);
	if (row->c->kind == BENCH_CASE)
		printf(" %6.2f", row->min / floor);
	else
		printf(" %6s", "");
	if (row->c->shell)
		printf(" %7.1f", row->min - find(r, row->c->shell, 1)->min);
	putchar('\n');
}

/* Prints the first line of @path that begins with @key, if there is one, with @label in front. */
static void print_line(const char *label, const char *path, const char *key)
{
	auto_fclose FILE *f = fopen(path, "r");
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0) {
			printf("%s%s", label, line);
			return;
		}
}

/* What a helper call and a return cost hangs on the mitigations: compare machines by ratios only,
 * and only those with the same ones. */
static void print_machine(void)
{
	static const char vulnerabilities[] = "/sys/devices/system/cpu/vulnerabilities/";
	static const char *const costly[] = {"spectre_v2", "retbleed", "spec_rstack_overflow"};
	char path[128];

	print_line("", "/proc/cpuinfo", "model name");
	print_line("kernel: ", "/proc/sys/kernel/osrelease", "");
	for (size_t i = 0; i < sizeof(costly) / sizeof(*costly); i++) {
		snprintf(path, sizeof(path), "%s%s", vulnerabilities, costly[i]);
		printf("%s: ", costly[i]);
		print_line("", path, "");
	}
}

void report_table(const struct bench_report *r)
{
	print_machine();
	printf("\n%s100 backends and %u slots a service, %u services, room for %d flows.\n\n",
	       introduction, world_slots(), r->services, WORLD_FLOWS);
	printf("%-29s %8s %7s %7s %7s %6s %7s\n", "", "flows", "gross", "median", "floor", "ratio",
	       "net");
	for (size_t i = 0; i < r->n; i++)
		print_row(r, &r->rows[i]);
}

static void print_figure(const char *says, double value, double most, const char *unit)
{
	printf("%-4s  %-66s %6.2f%s  (at most %.2f)\n", value <= most ? "PASS" : "MISS", says,
	       value, unit, most);
}

#define SETTLED "ipip-v4-tcp-maglev" /* with as many flows */

/* What is promised: gross of one row over gross of another, of the least ones. */
static const struct {
	const char *name;
	uint32_t flows;
	const char *to;
	double most;
} figures[] = {
	{"ipip-v4-tcp-maglev", 1, "floor-encap20", 1.8},
	{"ipip-v4-tcp-maglev", MILLION, "ipip-v4-tcp-maglev", 1.1},
	{"ipip-v6-tcp-maglev", 1, "floor-encap40", 1.8},
	{"ipip-v6-tcp-maglev", 1, "ipip-v4-tcp-maglev", 1.15},
	{"dsr-v4-tcp-maglev", 1, "floor-mac-swap", 2},
	{"dsr-v6-tcp-maglev", 1, "floor-mac-swap", 2},
	{"ipip-v4-tcp-rr", MILLION, "floor-encap20", 6},
	{"dsr-v4-tcp-maglev-among-all", 1, "dsr-v4-tcp-maglev", 1.05},
	{"dsr-v6-tcp-maglev-among-all", 1, "dsr-v6-tcp-maglev", 1.05},
	{"ipip-v4-tcp-maglev-among-all", 1, "ipip-v4-tcp-maglev", 1.05},
	{"ipip-v6-tcp-maglev-among-all", 1, "ipip-v6-tcp-maglev", 1.05},
	{"ipip-v4-tcp-changed-1-in-100", MILLION, SETTLED, 1.15},
	{"ipip-v4-tcp-changed-all", MILLION, SETTLED, 3},
	{"ipip-v4-tcp-changed-all-known", MILLION, SETTLED, 3},
	{"ipip-v4-tcp-changed-all-new", MILLION, SETTLED, 4},
	{"drop-bad-ip-v4", 1, "floor-parse-v4", 1.5},
	{"drop-bad-ip-v6", 1, "floor-parse-v6", 1.5},
	{"drop-bad-l4-v4", 1, "floor-parse-v4", 1.5},
	{"pass-not-vip-v4", 1, "floor-parse-v4", 1.5},
	{"pass-not-vip-v6", 1, "floor-parse-v6", 1.5},
	{"drop-denied-v4", 1, "floor-parse-v4", 1.5},
	{"drop-denied-v6", 1, "floor-parse-v6", 1.5},
	{"drop-no-backend-v4", 1, "floor-parse-v4", 1.5},
};

void report_figures(const struct bench_report *r)
{
	putchar('\n');
	for (size_t i = 0; i < sizeof(figures) / sizeof(*figures); i++) {
		const struct bench_row *row = find(r, figures[i].name, figures[i].flows);
		bool alike = strstr(figures[i].name, "-changed-");
		const struct bench_row *to = find(r, figures[i].to, alike ? figures[i].flows : 1);
		char says[96];

		if (!row || !to)
			continue;
		snprintf(says, sizeof(says), "%s, %s / %s", figures[i].name,
			 figures[i].flows == 1 ? "1 flow" : "1 M flows",
			 row->c == to->c ? "1 flow" : figures[i].to);
		print_figure(says, row->min / to->min, figures[i].most, "");
	}
	print_figure("maglev_fill, 65536 slots, 100 backends", r->fill_ms, 1.5, " ms");
}

int report_json(const struct bench_report *r, const char *path)
{
	auto_fclose FILE *f = fopen(path, "w");

	if (!f)
		return -errno;
	fputs("[\n", f);
	for (size_t i = 0; i < r->n; i++) {
		const struct bench_row *row = &r->rows[i];

		fprintf(f,
			"  {\"name\": \"%s\", \"flows\": %u, \"ns_min\": %.2f, "
			"\"ns_median\": %.2f, \"floor_ns\": %.2f}%s\n",
			row->c->name, row->flows, row->min, row->median, floor_of(r, row),
			i + 1 < r->n ? "," : "");
	}
	fputs("]\n", f);
	return ferror(f) ? -EIO : 0;
}
