/* SPDX-License-Identifier: BSD-2-Clause */
/* What shunt trace and capture share: packets that are watched until somebody has seen enough. */
#ifndef SHUNT_WATCHING_H
#define SHUNT_WATCHING_H

#include "main/cli.h"
#include "pure/explain_view.h"

struct watching {
	const char *filter; /* tcpdump's expression; NULL: all packets */
	const char *service; /* only those that are of this one; NULL: whoever's */
	uint32_t one_of; /* by chance; 1: all */
	uint64_t count; /* so many; 0: until it is ended by Ctrl-C */
	uint64_t seconds; /* at most; 0: without end */
	/* Returns false when it is not to go on. @time_us: since 1970. */
	bool (*packet)(void *arg, const struct view_traced *t, uint64_t time_us);
	void *arg;
};

#define WATCHING_OPTIONS                                                                           \
	{"filter", "EXPR",	 "packets as they come that tcpdump's expression takes",           \
	 0,	   CLI_ANYTHING, NULL},                                                            \
		{"service", "NAME", "those only that are of this service", 0, CLI_SERVICE, NULL},  \
		{"sample", "1/N", "by chance one of N of them", 0, CLI_ANYTHING, NULL},            \
		{"count", "N", "end after so many", 'c', CLI_ANYTHING, NULL},                      \
	{                                                                                          \
		"seconds", "N", "end after so long", 0, CLI_ANYTHING, NULL                         \
	}

/* Reads the options of WATCHING_OPTIONS. */
enum cli_exit watching_options(const struct cli *cli, struct watching *w);
enum cli_exit watching_run(struct cli *cli, const struct watching *w);

#endif
