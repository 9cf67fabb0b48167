/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt-decap: puts the decap program on a backend's interfaces. It keeps nothing running; `shunt
 * decap` runs it with the same arguments. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "io/dp_decap.h"

enum { DONE, FAILED, MISUSED };

static const char help[] =
	"Usage: shunt decap attach IFACE [ADDRESS...] [--only SOURCE[,SOURCE...]]\n"
	"                          [--also] [--native | --generic]\n"
	"       shunt decap add|del IFACE ADDRESS...\n"
	"       shunt decap detach IFACE\n"
	"       shunt decap status [IFACE] [--json]\n"
	"\n"
	"For backends of services with `forward: ipip`, gue or gre: takes the header off\n"
	"packets whose outer destination is one of the ADDRESSes and gives what was\n"
	"inside to the stack, where the VIP must be an address of this host (ip address\n"
	"add VIP/32 dev lo). All other packets pass untouched. IPv4 and IPv6 may be\n"
	"inside one another in all four ways.\n"
	"\n"
	"  attach   sets exactly these addresses, the backend's own ones; where it is\n"
	"           attached already it changes in place. Native XDP, or generic with a\n"
	"           warning; --native or --generic insists. --only names the addresses\n"
	"           or prefixes of the balancers: tunnel packets from elsewhere are left\n"
	"           to the stack, as if there were no decap. Without it anybody who\n"
	"           reaches the backend can have it take packets for those of anybody.\n"
	"           --also keeps the addresses and balancers that there are already.\n"
	"  add del  change single addresses\n"
	"  detach   takes the program off the interface\n"
	"  status   shows mode, addresses, packets, and of each outer source what was\n"
	"           taken off (the latest 1024); exit status 1 when IFACE is not attached\n"
	"\n"
	"Congestion marked on the tunnel's way is marked inside, as RFC 6040 has it, and\n"
	"ends a packet that knows no ECN (counted as ecn). Malformed ones are bad, those\n"
	"from elsewhere than --only foreign.\n"
	"\n"
	"Examples:\n"
	"  shunt decap attach eth0 10.0.0.11 2001:db8::11 --only 10.0.0.2,10.0.5.0/24\n"
	"  shunt decap add eth0 10.0.0.12\n"
	"  shunt decap status --json\n"
	"  shunt decap detach eth0\n"
	"\n"
	"Nothing keeps running, and nothing survives a reboot: run attach at every boot.\n"
	"Exit status: 0 done, 1 failed, 2 misused.\n";

struct args {
	const char *command;
	const char *ifname;
	struct addr addrs[DP_DECAP_ADDRS_MAX];
	size_t n_addrs;
	struct dp_decap_prefix only[DP_DECAP_ADDRS_MAX];
	size_t n_only;
	enum dp_mode mode;
	bool json, also;
};

static int misused(const char *what, const char *where)
{
	fprintf(stderr, "shunt-decap: %s%s%s (see shunt-decap --help)\n", what, where ? ": " : "",
		where ? where : "");
	return MISUSED;
}

static int failed(const struct dp_error *err)
{
	fprintf(stderr, "shunt-decap: %s\n", err->text);
	return FAILED;
}

static const char *mode_name(enum dp_mode mode)
{
	return mode == DP_NATIVE ? "native" : "generic";
}

/* ---- arguments --------------------------------------------------------------------------------*/

static int take_mode(struct args *a, enum dp_mode mode)
{
	if (a->mode && a->mode != mode)
		return misused("--native and --generic contradict each other", NULL);
	a->mode = mode;
	return DONE;
}

/* The @len bytes at @text: ADDRESS or ADDRESS/LENGTH. */
static int take_source(struct args *a, const char *text, size_t len)
{
	const char *slash = memchr(text, '/', len);
	size_t addr_len = slash ? (size_t)(slash - text) : len;
	struct dp_decap_prefix p = {0};
	struct addr first;
	char word[64], *end = word;
	unsigned long bits;

	snprintf(word, sizeof(word), "%.*s", (int)len, text);
	if (addr_parse(text, addr_len, &p.addr) || addr_is_unusable(&p.addr))
		return misused("not the address or prefix of balancers", word);
	bits = slash ? strtoul(word + addr_len + 1, &end, 10) : addr_bits(&p.addr);
	if (slash && (word[addr_len + 1] < '0' || word[addr_len + 1] > '9' || *end))
		return misused("not a prefix's length", word);
	if (bits < 1 || bits > addr_bits(&p.addr))
		return misused("not a prefix's length", word);
	p.bits = (uint8_t)bits;
	first = p.addr;
	addr_clear_beyond(&first, p.bits);
	if (addr_compare(&first, &p.addr) != 0)
		return misused("has bits beyond its length", word);
	if (a->n_only == DP_DECAP_ADDRS_MAX)
		return misused("too many sources, at", word);
	a->only[a->n_only++] = p;
	return DONE;
}

/* A list with commas between. */
static int take_sources(struct args *a, const char *list)
{
	const char *comma;
	int rc;

	if (!list)
		return misused("--only which sources?", NULL);
	do {
		comma = strchrnul(list, ',');
		rc = take_source(a, list, (size_t)(comma - list));
		list = comma + 1;
	} while (rc == DONE && *comma);
	return rc;
}

static int take_option(struct args *a, const char *option)
{
	bool attach = strcmp(a->command, "attach") == 0;

	if (attach && strcmp(option, "--native") == 0)
		return take_mode(a, DP_NATIVE);
	if (attach && strcmp(option, "--generic") == 0)
		return take_mode(a, DP_GENERIC);
	if (attach && strcmp(option, "--also") == 0) {
		a->also = true;
		return DONE;
	}
	if (strcmp(a->command, "status") != 0 || strcmp(option, "--json") != 0)
		return misused("not an option here", option);
	a->json = true;
	return DONE;
}

static int take_word(struct args *a, const char *word)
{
	struct addr addr;

	if (!a->ifname) {
		a->ifname = word;
		return DONE;
	}
	if (strcmp(a->command, "detach") == 0 || strcmp(a->command, "status") == 0)
		return misused("one interface only; what is this", word);
	if (addr_parse(word, strlen(word), &addr) || addr_is_unusable(&addr))
		return misused("not the IPv4 or IPv6 address of a host", word);
	if (a->n_addrs == DP_DECAP_ADDRS_MAX)
		return misused("too many addresses, at", word);
	a->addrs[a->n_addrs++] = addr;
	return DONE;
}

static int parse(struct args *a, char **argv)
{
	int rc = DONE;

	for (; *argv && rc == DONE; argv++) {
		if (strcmp(*argv, "--only") != 0 || strcmp(a->command, "attach") != 0) {
			rc = **argv == '-' ? take_option(a, *argv) : take_word(a, *argv);
			continue;
		}
		rc = take_sources(a, argv[1]);
		argv += rc == DONE;
	}
	return rc;
}

/* ---- output -----------------------------------------------------------------------------------*/

static const char *const count_names[SHUNT_DECAP_COUNT_MAX] = {
	[SHUNT_DECAP_DECAPPED] = "decapped", [SHUNT_DECAP_PASSED] = "passed",
	[SHUNT_DECAP_BAD] = "bad",	     [SHUNT_DECAP_FOREIGN] = "foreign",
	[SHUNT_DECAP_ECN] = "ecn",
};

static void print_addrs(const struct addr *addrs, size_t n, const char *quote)
{
	char text[ADDR_TEXT_MAX];
	size_t i;

	for (i = 0; i < n; i++)
		printf("%s%s%s%s", i ? ", " : "", quote, addr_format(&addrs[i], text), quote);
}

static void print_prefixes(const struct dp_decap_prefix *only, size_t n, const char *quote)
{
	char text[ADDR_PREFIX_TEXT_MAX];
	size_t i;

	for (i = 0; i < n; i++)
		printf("%s%s%s%s", i ? ", " : "", quote,
		       addr_prefix_format(&only[i].addr, only[i].bits, text), quote);
}

#define SOURCES_SHOWN 16 /* what people read */

static void print_sources(const struct dp_decap *d)
{
	char text[ADDR_TEXT_MAX];
	size_t i;

	for (i = 0; i < d->n_sources && i < SOURCES_SHOWN; i++)
		printf("  from %-15s  packets %llu  bytes %llu\n",
		       addr_format(&d->sources[i].addr, text),
		       (unsigned long long)d->sources[i].packets,
		       (unsigned long long)d->sources[i].bytes);
	if (d->n_sources > SOURCES_SHOWN)
		printf("  and %zu more sources (--json shows all)\n", d->n_sources - SOURCES_SHOWN);
}

static void print_text(void *arg, const struct dp_decap *d)
{
	char text[ADDR_TEXT_MAX];
	size_t i;

	++*(size_t *)arg;
	printf("%s  %s", d->ifname, mode_name(d->mode));
	for (i = 0; i < SHUNT_DECAP_COUNT_MAX; i++)
		printf("  %s %llu", count_names[i], (unsigned long long)d->packets[i]);
	printf("\n");
	for (i = 0; i < d->n_addrs; i++)
		printf("  %s\n", addr_format(&d->addrs[i], text));
	if (d->n_addrs == 0)
		printf("  no addresses: every packet passes untouched\n");
	if (d->is_limited) {
		printf("  only from ");
		print_prefixes(d->only, d->n_only, "");
		printf("\n");
	}
	print_sources(d);
}

/* The kernel allows all but slashes, colons and spaces in the name of an interface. */
static void print_json_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			putchar('\\');
		if ((unsigned char)*s < ' ')
			printf("\\u%04x", *s);
		else
			putchar(*s);
	}
	putchar('"');
}

static void print_json(void *arg, const struct dp_decap *d)
{
	char text[ADDR_TEXT_MAX];
	size_t i, *n = arg;

	printf("%s\n  {\"interface\": ", (*n)++ ? "," : "");
	print_json_string(d->ifname);
	printf(", \"ifindex\": %u, \"mode\": \"%s\"", d->ifindex, mode_name(d->mode));
	for (i = 0; i < SHUNT_DECAP_COUNT_MAX; i++)
		printf(", \"%s\": %llu", count_names[i], (unsigned long long)d->packets[i]);
	printf(", \"addresses\": [");
	print_addrs(d->addrs, d->n_addrs, "\"");
	printf("], \"only\": [");
	print_prefixes(d->only, d->is_limited ? d->n_only : 0, "\"");
	printf("], \"sources\": [");
	for (i = 0; i < d->n_sources; i++)
		printf("%s{\"address\": \"%s\", \"packets\": %llu, \"bytes\": %llu}", i ? ", " : "",
		       addr_format(&d->sources[i].addr, text),
		       (unsigned long long)d->sources[i].packets,
		       (unsigned long long)d->sources[i].bytes);
	printf("]}");
}

/* ---- commands ---------------------------------------------------------------------------------*/

static void add_address(struct args *a, const struct addr *addr)
{
	size_t i;

	for (i = 0; i < a->n_addrs; i++)
		if (addr_compare(&a->addrs[i], addr) == 0)
			return;
	if (a->n_addrs < DP_DECAP_ADDRS_MAX)
		a->addrs[a->n_addrs++] = *addr;
}

static void add_source(struct args *a, const struct dp_decap_prefix *p)
{
	size_t i;

	for (i = 0; i < a->n_only; i++)
		if (addr_compare(&a->only[i].addr, &p->addr) == 0 && a->only[i].bits == p->bits)
			return;
	if (a->n_only < DP_DECAP_ADDRS_MAX)
		a->only[a->n_only++] = *p;
}

/* What there is already, to what is asked for. Where tunnels of anybody are taken off for addresses that
 * there are, that is not changed. */
static void keep_former(struct args *a)
{
	auto_free struct dp_decap *d = calloc(1, sizeof(*d));
	struct dp_error err = {""};
	size_t i;

	if (!d || dp_decap_read(a->ifname, d, &err) < 0)
		return; /* not attached: attach says what is wrong with the interface, if anything */
	for (i = 0; i < d->n_addrs; i++)
		add_address(a, &d->addrs[i]);
	if (d->n_addrs && !d->is_limited)
		a->n_only = 0;
	for (i = 0; d->is_limited && a->n_only && i < d->n_only; i++)
		add_source(a, &d->only[i]);
}

static int do_attach(struct args *a)
{
	struct dp_decap_wish wish = {
		.ifname = a->ifname,
		.mode = a->mode,
		.addrs = a->addrs,
		.n_addrs = a->n_addrs,
		.only = a->only,
		.n_only = a->n_only,
	};
	struct dp_error why = {""}, err = {""};
	enum dp_mode mode;

	if (a->also) {
		keep_former(a);
		wish.n_addrs = a->n_addrs;
		wish.n_only = a->n_only;
	}
	if (dp_decap_attach(&wish, &mode, &why, &err))
		return failed(&err);
	if (why.text[0])
		fprintf(stderr, "shunt-decap: warning: %s; using generic XDP, which is slower\n",
			why.text);
	printf("%s: %s XDP %s", a->ifname, mode_name(mode),
	       a->n_addrs ? "takes tunnel headers off packets for "
			  : "passes every packet untouched (no addresses given)");
	print_addrs(a->addrs, a->n_addrs, "");
	printf("%s", a->n_only ? " only from " : "");
	print_prefixes(a->only, a->n_only, "");
	printf("\n");
	return DONE;
}

static int do_edit(struct args *a)
{
	bool add = strcmp(a->command, "add") == 0;
	struct dp_error err = {""};

	if (a->n_addrs == 0)
		return misused("which addresses?", NULL);
	if ((add ? dp_decap_add : dp_decap_del)(a->ifname, a->addrs, a->n_addrs, &err))
		return failed(&err);
	printf("%s: %s ", a->ifname, add ? "added" : "removed");
	print_addrs(a->addrs, a->n_addrs, "");
	printf("\n");
	return DONE;
}

static int do_detach(struct args *a)
{
	struct dp_error err = {""};

	if (dp_decap_detach(a->ifname, &err))
		return failed(&err);
	printf("%s: detached\n", a->ifname);
	return DONE;
}

/* Prints one interface, or all; gives how many in @n. */
static int print_status(const struct args *a, size_t *n, struct dp_error *err)
{
	void (*print)(void *arg, const struct dp_decap *d) = a->json ? print_json : print_text;
	auto_free struct dp_decap *d = NULL;
	int rc;

	if (!a->ifname)
		return dp_decap_each(print, n, err);
	d = calloc(1, sizeof(*d));
	if (!d) {
		snprintf(err->text, sizeof(err->text), "out of memory");
		return -ENOMEM;
	}
	rc = dp_decap_read(a->ifname, d, err);
	if (rc == 0)
		print(n, d);
	return rc;
}

static int do_status(struct args *a)
{
	struct dp_error err = {""};
	size_t n = 0;
	int rc;

	if (a->json)
		printf("{\"schema\": 1, \"interfaces\": [");
	rc = print_status(a, &n, &err);
	if (a->json)
		printf("%s]}\n", n ? "\n" : "");
	else if (rc == 0 && n == 0)
		printf("attached to no interface\n");
	return rc ? failed(&err) : DONE;
}

static const struct {
	const char *name;
	int (*run)(struct args *a);
	bool needs_interface;
} commands[] = {
	{"attach", do_attach, true}, {"add", do_edit, true},	   {"del", do_edit, true},
	{"detach", do_detach, true}, {"status", do_status, false},
};

static int run(const char *command, char **argv)
{
	auto_free struct args *a = calloc(1, sizeof(*a));
	size_t i;
	int rc;

	if (!a)
		return FAILED;
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, command) != 0)
			continue;
		a->command = command;
		rc = parse(a, argv);
		if (rc == DONE && commands[i].needs_interface && !a->ifname)
			rc = misused("which interface?", NULL);
		return rc == DONE ? commands[i].run(a) : rc;
	}
	return misused("no such command", command);
}

int main(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0 ||
		    (i == 1 && strcmp(argv[i], "help") == 0)) {
			fputs(help, stdout);
			return DONE;
		}
	}
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("shunt-decap " SHUNT_VERSION);
		return DONE;
	}
	if (argc < 2)
		return misused("which command: attach, add, del, detach, status?", NULL);
	return run(argv[1], argv + 2);
}
