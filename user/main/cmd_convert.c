/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt convert: configurations of other balancers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "io/conf_file.h"
#include "io/conf_include.h"
#include "main/commands.h"
#include "pure/conf_parse.h"
#include "pure/convert.h"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int give_text(void *arg, const char *path, char **data, size_t *len)
{
	(void)path;
	*data = strdup(arg);
	if (!*data)
		return -ENOMEM;
	*len = strlen(*data);
	return 0;
}

/* What is printed is to be one that shuntd takes. */
static enum cli_exit check(char *text)
{
	struct conf_error why = {""};
	struct conf *conf = NULL;

	if (conf_parse("output", give_text, text, &conf, &why) < 0)
		return cli_failed("shuntd would not take it as it is: %s", why.text);
	conf_free(conf);
	return CLI_DONE;
}

static void tell_remarks(const struct convert *c)
{
	size_t i;

	for (i = 0; i < c->n_remarks; i++)
		fprintf(stderr, "%s:%u: %s\n", c->remarks[i].at.file, c->remarks[i].at.line,
			c->remarks[i].text);
	if (!c->options->interface)
		fprintf(stderr,
			"%s: where packets come in is not in it: eth0 is taken; --interface "
			"says otherwise\n",
			c->options->file);
}

static void read_as(struct convert *c, const char *kind, const char *text)
{
	if (strcmp(kind, "haproxy") == 0)
		convert_haproxy(c, text);
	else if (strcmp(kind, "keepalived") == 0 ||
		 strchr(text, '{')) /* which no rule of IPVS has */
		convert_keepalived(c, text);
	else
		convert_ipvsadm(c, text);
}

static enum cli_exit print(const struct cli *cli, struct convert *c)
{
	auto_free char *out = NULL;
	const int err = convert_write(c, &out);
	enum cli_exit result;

	tell_remarks(c);
	if (err == -ENOENT)
		return cli_failed(
			"there is no service in %s that shunt could have; the remarks say why",
			c->options->file);
	if (err)
		return cli_failed("no memory");
	result = check(out);
	fputs(out, cli->out);
	return result;
}

static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
	static const char *const kinds[] = {"ipvs", "keepalived", "haproxy", NULL};
	const char *vip = cli_option(cli, "vip");
	struct convert_options options = {.file = base_name(argv[1]),
					  .path = argv[1],
					  .include = conf_include,
					  .config_id = cli_option(cli, "config-id"),
					  .interface = cli_option(cli, "interface")};
	struct convert c = {.options = &options};
	auto_free char *text = NULL;
	enum cli_exit result;
	size_t len;
	int err;

	(void)argc;
	if (convert_find(argv[0], kinds) < 0)
		return cli_misused("\"%s\" is not known: ipvs, keepalived or haproxy", argv[0]);
	if (vip && addr_parse(vip, strlen(vip), &options.vip) < 0)
		return cli_misused("--vip %s: an address, 192.0.2.10 or 2001:db8::10", vip);
	err = conf_read_file(NULL, argv[1], &text, &len);
	if (err)
		return cli_failed("%s: %s", argv[1], strerror(-err));
	read_as(&c, argv[0], text);
	result = print(cli, &c);
	convert_fini(&c);
	return result;
}

static const struct cli_option options[] = {
	{"interface", "NAME", "where packets come in; eth0 unless given", 0, CLI_INTERFACE, NULL},
	{"vip", "ADDRESS", "of HAProxy's services that are bound to all addresses", 0, CLI_ANYTHING,
	 NULL},
	{"config-id", "NAME", "the host whose lines are taken of keepalived's that begin with @", 0,
	 CLI_ANYTHING, NULL},
	{0},
};

const struct command command_convert = {
	.name = "convert",
	.arguments = "ipvs|keepalived|haproxy FILE",
	.summary = "from IPVS, keepalived or HAProxy to shunt.yaml",
	.help = "Prints a configuration of shunt. FILE is for ipvs what ipvsadm-save -n prints, "
		"for "
		"keepalived a keepalived.conf, with the files that it includes, for haproxy an "
		"haproxy.cfg, of which sections in mode tcp are taken. What could not be carried "
		"over is told on standard error, and stands in the output as comments, with its "
		"line. The output is one that shuntd takes, or the exit status is 1.\n"
		"\n"
		"HAProxy's services become forward: nat, where servers see an address of this host "
		"as "
		"before; IPVS's NAT becomes masq, where they see the client's.\n",
	.examples = "ipvsadm-save -n > rules; shunt convert ipvs rules > shunt.yaml\n"
		    "shunt convert keepalived /etc/keepalived/keepalived.conf > shunt.yaml\n"
		    "shunt convert haproxy --vip 203.0.113.10 haproxy.cfg > shunt.yaml",
	.group = CLI_GROUP_CONFIGURE,
	.min_args = 2,
	.max_args = 2,
	.kinds = {CLI_WORDS, CLI_FILE},
	.words = "ipvs keepalived haproxy",
	.options = options,
	.run = run,
};
