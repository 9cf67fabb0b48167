/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt setup: what a machine needs to be a backend, told on the balancer and looked at there. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "io/conf_file.h"
#include "io/own_address.h"
#include "io/stats_client.h"
#include "main/commands.h"
#include "main/setup.h"
#include "pure/conf_parse.h"

#define DEFAULT_CONFIG SHUNT_SYSCONFDIR "/shunt/shunt.yaml"

static void free_conf(struct conf **c)
{
	conf_free(*c);
}
#define auto_conf __attribute__((cleanup(free_conf)))

/* ---- setup backend ----------------------------------------------------------------------------*/

/* That of the daemon; without one, where it usually is. */
static void find_config(const struct cli *cli, char *path, size_t size)
{
	struct stats_client *c = NULL;
	struct client_error e;
	struct view_status s;

	snprintf(path, size, "%s", DEFAULT_CONFIG);
	if (cli_option(cli, "config")) {
		snprintf(path, size, "%s", cli_option(cli, "config"));
		return;
	}
	if (stats_client_open(cli->run_dir, cli->instance, &c, &e) < 0)
		return;
	if (stats_client_status(c, &s, &e) == 0) {
		if (s.config_file[0] == '/')
			snprintf(path, size, "%s", s.config_file);
		else
			snprintf(path, size, "/proc/%u/cwd/%s", s.pid, s.config_file);
	}
	stats_client_close(c);
}

/* Where the tunnels of a service to a backend come from. */
static void add_source(struct setup *s, const struct conf_tunnel *tunnel)
{
	const struct conf_source *source =
		s->address.family == 6 ? &tunnel->source6 : &tunnel->source4;
	struct addr own;

	if (!addr_is_none(&source->addr))
		setup_add_from(s, &source->addr,
			       (uint8_t)(addr_bits(&source->addr) - source->bits));
	else if (own_address_towards(&s->address, &own) == 0)
		setup_add_from(s, &own, addr_bits(&own));
}

/* All of @c's tunnels to the backend, as one program takes them all off; and the other balancers'. */
static void add_sources(struct setup *s, const struct conf *c)
{
	size_t i, k;

	for (i = 0; i < c->n_services; i++)
		for (k = 0; k < c->services[i].n_backends; k++) {
			const struct conf_backend *b = &c->services[i].backends[k];

			if (addr_compare(&b->addr, &s->address) == 0 && conf_is_tunnel(b->forward))
				add_source(s, &c->services[i].tunnel);
		}
	for (i = 0; i < c->peers.n; i++)
		if (c->peers.list[i].addr.family == s->address.family)
			setup_add_from(s, &c->peers.list[i].addr, addr_bits(&s->address));
}

static enum cli_exit fill_from(const struct cli *cli, struct setup *s, const struct conf *c)
{
	const char *from = cli_option(cli, "from");
	char word[1024];
	struct addr own;

	if (from) {
		snprintf(word, sizeof(word), "from=%s", from);
		return setup_read_word(s, word)
			       ? CLI_DONE
			       : cli_misused(
					 "--from %s: addresses or prefixes, with commas between",
					 from);
	}
	if (conf_is_tunnel(s->forward))
		add_sources(s, c);
	else if (s->forward == SHUNT_MASQ && own_address_towards(&s->address, &own) == 0)
		setup_add_from(s, &own, addr_bits(&own));
	return CLI_DONE;
}

static struct setup setup_of(const struct cli *cli, const struct conf_service *service,
			     const struct conf_backend *b)
{
	struct setup s = {
		.forward = b->forward,
		.vip = service->vip,
		.vip_bits = service->vip_bits,
		.protocol = service->protocol,
		.port = conf_translates(b->forward) ? b->port : service->port,
		.address = b->addr,
		.interface = cli_option(cli, "interface"),
	};

	snprintf(s.service, sizeof(s.service), "%s", service->name);
	snprintf(s.backend, sizeof(s.backend), "%s", b->name);
	return s;
}

/* What goes into files that shells and others read. */
static bool is_plain(const char *name)
{
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("._-", *name))
			return false;
	return true;
}

static enum cli_exit print_one(const struct cli *cli, struct setup *s, bool alone)
{
	const char *format = cli_option(cli, "format") ?: "sh";
	char *c;

	if (strcmp(format, "sh") == 0) {
		setup_print_sh(cli->out, s, alone);
		return CLI_DONE;
	}
	if (strcmp(format, "networkd") != 0 && strcmp(format, "ifupdown") != 0)
		return cli_misused("--format %s: sh, networkd or ifupdown", format);
	if (!alone)
		return cli_misused("--format %s is of one backend: say which; shunt backends %s "
				   "lists them",
				   format, s->service);
	if ((conf_is_tunnel(s->forward) || s->forward == SHUNT_MASQ) && !s->interface)
		return cli_misused("--format %s wants --interface, the backend's own", format);
	for (c = s->service; *c; c++) /* it names a file */
		if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
			*c = '-';
	(*format == 'n' ? setup_print_networkd : setup_print_ifupdown)(cli->out, s);
	return CLI_DONE;
}

static enum cli_exit print_backends(const struct cli *cli, const struct conf *c,
				    const struct conf_service *service, const char *name)
{
	enum cli_exit result = CLI_DONE;
	size_t i, n = 0;

	for (i = 0; i < service->n_backends && result == CLI_DONE; i++) {
		struct setup s = setup_of(cli, service, &service->backends[i]);

		if (name && strcmp(s.backend, name) != 0)
			continue;
		result = fill_from(cli, &s, c);
		if (n++ && result == CLI_DONE)
			fputc('\n', cli->out);
		if (result == CLI_DONE)
			result = print_one(cli, &s, name || service->n_backends == 1);
	}
	if (n)
		return result;
	return name ? cli_failed(
			      "service %s has no backend \"%s\" in %s; --config names another file",
			      service->name, name, c->file)
		    : cli_failed("service %s has no backends in %s; --config names another file",
				 service->name, c->file);
}

static enum cli_exit run_backend(const struct cli *cli, int argc, char **argv)
{
	const char *interface = cli_option(cli, "interface");
	auto_conf struct conf *c = NULL;
	struct conf_error e = {""};
	char path[512];
	size_t i;

	if (argc < 1 || argc > 2)
		return cli_misused("setup backend wants SERVICE [BACKEND]; see shunt help setup");
	if (interface && (!is_plain(interface) || !*interface || strlen(interface) > 15))
		return cli_misused("--interface %s: the name of an interface", interface);
	find_config(cli, path, sizeof(path));
	if (conf_parse(path, conf_read_file, NULL, &c, &e) < 0)
		return cli_failed("%s", e.text);
	for (i = 0; i < c->n_services; i++)
		if (strcmp(c->services[i].name, argv[0]) == 0)
			return print_backends(cli, c, &c->services[i], argc > 1 ? argv[1] : NULL);
	return cli_failed("no service \"%s\" in %s; --config names another file", argv[0], c->file);
}

/* ---- setup verify -----------------------------------------------------------------------------*/

#define MARK "shunt setup verify "
#define SETUPS_MAX 64

/* The setup that a line of a printed one says; false: it says none. */
static bool read_line(char *line, struct setup *s)
{
	char *at = strstr(line, MARK), *word;

	if (!at)
		return false;
	*s = (struct setup){0};
	at += strlen(MARK);
	line[strcspn(line, "\n")] = '\0';
	while ((word = strsep(&at, " \t\r")))
		if (*word && !setup_read_word(s, word))
			return false;
	return !setup_lacks(s);
}

/* Of the setups that @in holds, the one whose backend this host is; else the last one. */
static bool read_paste(FILE *in, struct setup *s)
{
	auto_free char *line = NULL;
	struct setup one;
	size_t room = 0;
	bool found = false;

	while (getline(&line, &room, in) > 0) {
		if (!read_line(line, &one))
			continue;
		*s = one;
		found = true;
		if (own_address_is(&one.address))
			break;
	}
	return found;
}

static enum cli_exit verify_paste(const struct cli *cli, const char *path)
{
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	struct setup s;
	bool found;

	if (!in)
		return cli_failed("%s: %s", path, strerror(errno));
	found = read_paste(in, &s);
	if (in != stdin)
		fclose(in);
	if (!found)
		return cli_failed("%s holds nothing that shunt setup backend has printed",
				  in == stdin ? "standard input" : path);
	return setup_verify(cli, &s);
}

static enum cli_exit run_verify(const struct cli *cli, int argc, char **argv)
{
	struct setup s = {.forward = SHUNT_IPIP};
	int i;

	if (argc == 0 || (argc == 1 && !strchr(argv[0], '=')))
		return verify_paste(cli, argc ? argv[0] : "-");
	for (i = 0; i < argc; i++)
		if (!setup_read_word(&s, argv[i]))
			return cli_misused("setup verify: \"%s\" is none of service=, backend=, "
					   "forward=, vip=, protocol=, port=, address=, from= and "
					   "its value",
					   argv[i]);
	if (setup_lacks(&s))
		return cli_misused("setup verify wants %s=ADDRESS", setup_lacks(&s));
	return setup_verify(cli, &s);
}

/* ---- the command ------------------------------------------------------------------------------*/

static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
	if (strcmp(argv[0], "verify") == 0)
		return run_verify(cli, argc - 1, argv + 1);
	if (strcmp(argv[0], "backend") != 0)
		return cli_misused(
			"setup wants backend or verify, not \"%s\"; see shunt help setup", argv[0]);
	if (cli->json)
		return cli_misused("setup backend prints a script, and takes no --json");
	return run_backend(cli, argc - 1, argv + 1);
}

static const struct cli_option options[] = {
	{"format", "FORMAT",
	 "of setup backend: sh, commands that hold until a boot (default); networkd or ifupdown, "
	 "files "
	 "for these that hold longer",
	 0, CLI_WORDS, "sh networkd ifupdown"},
	{"interface", "NAME", "the backend's interface with its own address; sh finds it out there",
	 0, CLI_INTERFACE, NULL},
	{"from", "ADDRESS,...",
	 "where tunnels come from: all balancers, addresses or prefixes. Default: tunnel_source, "
	 "or "
	 "else this host's address by the route to the backend, and the peers",
	 0, CLI_ANYTHING, NULL},
	{"config", "FILE", "the configuration; default: the daemon's", 0, CLI_FILE, NULL},
	{0},
};

const struct command command_setup = {
	.name = "setup",
	.arguments = "backend SERVICE [BACKEND] | verify [FILE | WORD...]",
	.summary = "what makes a machine a backend, and whether this one is",
	.help = "setup backend prints the commands, each with its reason, that make a machine a "
		"backend "
		"of the service as the backend's forwarding method needs it: the service's address "
		"on lo, silence about it, the tunnel's end, the way back (masq). Without BACKEND "
		"it is one script for "
		"all "
		"of them, which finds out on which it runs.\n"
		"\n"
		"setup verify runs on the backend, where no daemon is, and looks whether all of "
		"that "
		"is so. It reads what setup backend has printed, from FILE or standard input, or "
		"its "
		"last line. The exit status is 1 when something is missing.\n",
	.json = "verify: service, backend, ok, checks [name, ok, text, fix (null: nothing to do)]",
	.examples = "shunt setup backend web web1 | ssh web1 sudo sh\n"
		    "shunt setup backend web web1 | ssh web1 sudo shunt setup verify\n"
		    "shunt setup backend web web1 --format networkd --interface eth0",
	.group = CLI_GROUP_BACKEND,
	.min_args = 1,
	.max_args = 16,
	.kinds = {CLI_WORDS, CLI_SERVICE, CLI_BACKEND},
	.words = "backend verify",
	.options = options,
	.run = run,
};
