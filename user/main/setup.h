/* SPDX-License-Identifier: BSD-2-Clause */
/* What makes a machine a backend of a service: told on the balancer (setup_print.c), looked at on the
 * backend (setup_verify.c), and between the two as words, "service=web forward=ipip ...". */
#ifndef SHUNT_SETUP_H
#define SHUNT_SETUP_H

#include "main/cli.h"
#include "pure/conf.h"

#define SETUP_FROM_MAX 64

struct setup_prefix {
	struct addr addr;
	uint8_t bits;
};

struct setup {
	char service[SHUNT_NAME_MAX], backend[SHUNT_NAME_MAX];
	enum shunt_forward forward;
	struct addr vip;
	uint8_t vip_bits;
	uint8_t protocol;
	uint16_t port; /* 0: any, or several */
	struct addr address; /* the backend's own */
	struct setup_prefix from[SETUP_FROM_MAX]; /* where tunnels come from; the balancers */
	size_t n_from;
	const char *interface; /* the backend's that has the address; NULL: not known here */
};

/* Whether @s and @prefix are the same; adds it to s->from unless it is there, or there is no room. */
void setup_add_from(struct setup *s, const struct addr *addr, uint8_t bits);

/* "service=web backend=b1 ...", as setup_read_word() takes it. Returns @out. */
#define SETUP_WORDS_MAX 4096
const char *setup_words(const struct setup *s, char out[static SETUP_WORDS_MAX]);

/* Takes a word of these into @s. Returns false when it is none, or its value is wrong. */
bool setup_read_word(struct setup *s, const char *word);

/* What @s lacks to be looked at: "vip", ...; NULL: nothing. */
const char *setup_lacks(const struct setup *s);

/* Each prints a shell script; @alone: it is of one backend, else the script sees whether it is on it. */
void setup_print_sh(FILE *out, const struct setup *s, bool alone);
void setup_print_networkd(FILE *out, const struct setup *s);
void setup_print_ifupdown(FILE *out, const struct setup *s);

/* Looks at this host, prints what it found; CLI_FAILED when something is missing. */
enum cli_exit setup_verify(const struct cli *cli, const struct setup *s);

#endif
