/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration as a whole: text to tree to model. What is below: conf_tree.h (YAML),
 * conf_schema.h (mappings by table, kinds of values), conf_parts.h (services, checks, backends). */
#include "pure/conf_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "pure/conf_parts.h"
#include "pure/conf_words.h"

#define INTERFACES_MAX 64

enum {
	KEY_INTERFACES,
	KEY_ATTACH,
	KEY_INSTANCE,
	KEY_HASH_SECRET,
	KEY_TUNNEL_SOURCE,
	KEY_TUNNEL_SOURCE6,
	KEY_GUE_CHECKSUM,
	KEY_FLOW_TABLE,
	KEY_NAT_POOL,
	KEY_NAT_PORTS,
	KEY_NAT_CONNECTIONS,
	KEY_NAT_TIMEOUTS,
	KEY_RATE_SOURCES,
	KEY_FRAGMENTS,
	KEY_ICMP_RATE,
	KEY_ROLLBACK_WINDOW,
	KEY_PEERS,
	KEY_PEER_LISTEN,
	KEY_PEER_SECRET,
	KEY_PEER_RATE,
	KEY_NOTIFY,
	KEY_LOG_LEVEL,
	KEY_WEB,
	KEY_RUN_DIR,
	KEY_STATE_DIR,
	KEY_PROBE_USER,
	KEY_DEFAULTS,
	KEY_CHECKS,
	KEY_SERVICES,
	KEY_MAX,
};

#define AT(member) CONF_AT(struct conf, member)

static const struct conf_key top_keys[KEY_MAX] = {
	[KEY_INTERFACES] = {"interfaces", NULL, AT(interfaces), .required = true},
	[KEY_ATTACH] = {"attach", conf_read_word, AT(attach), "exclusive",
			.words = conf_attach_words},
	/* A folder's name under /sys/fs/bpf, where the kernel refuses dots. */
	[KEY_INSTANCE] = {"instance", conf_read_name, AT(instance), "default", .min = 1, .max = 31,
			  .marks = "_-"},
	[KEY_HASH_SECRET] = {"hash_secret", conf_read_text, AT(hash_secret), .min = 8, .max = 256},
	[KEY_TUNNEL_SOURCE] = CONF_ROW_TUNNEL_SOURCE(struct conf),
	[KEY_TUNNEL_SOURCE6] = CONF_ROW_TUNNEL_SOURCE6(struct conf),
	[KEY_GUE_CHECKSUM] = CONF_ROW_GUE_CHECKSUM(struct conf, "full"),
	[KEY_FLOW_TABLE] = {"flow_table", conf_read_size, AT(flow_table), "1M", .min = 1 << 10,
			    .max = 64 << 20},
	[KEY_NAT_POOL] = {.name = "nat_pool"},
	[KEY_NAT_PORTS] = {"nat_ports", conf_read_nat_ports, AT(nat_ports), "10000-29999"},
	[KEY_NAT_CONNECTIONS] = {"nat_connections", conf_read_size, AT(nat_connections), "1M",
				 .min = 1 << 10, .max = 64 << 20},
	[KEY_NAT_TIMEOUTS] = {.name = "nat_timeouts"},
	[KEY_RATE_SOURCES] = {"rate_sources", conf_read_size, AT(rate_sources), "64k",
			      .min = 1 << 10, .max = 64 << 20},
	[KEY_FRAGMENTS] = {"fragments", conf_read_size, AT(fragments), "64k", .min = 1 << 10,
			   .max = 16 << 20},
	[KEY_ICMP_RATE] = {"icmp_rate", conf_read_number, AT(icmp_rate), "100", .max = 100000},
	[KEY_ROLLBACK_WINDOW] = {"rollback_window", conf_read_duration, AT(rollback_window_ms),
				 "30s", .max = 3600000},
	[KEY_PEERS] = {.name = "peers"},
	[KEY_PEER_LISTEN] = {"peer_listen", conf_read_peer, AT(peers.listen)},
	[KEY_PEER_SECRET] = {"peer_secret", conf_read_text, AT(peers.secret), .min = 16,
			     .max = 256},
	[KEY_PEER_RATE] = {"peer_rate", conf_read_size, AT(peers.rate), "50k", .min = 1 << 10,
			   .max = 1 << 20},
	[KEY_NOTIFY] = {.name = "notify"},
	[KEY_LOG_LEVEL] = {"log_level", conf_read_word, AT(log_level), "info",
			   .words = conf_log_words},
	[KEY_WEB] = {.name = "web"},
	/* Must leave room for a socket's name in the 108 bytes of a sockaddr_un. */
	[KEY_RUN_DIR] = {"run_dir", conf_read_folder, AT(run_dir), "/run/shunt", .min = 1,
			 .max = 80},
	[KEY_STATE_DIR] = {"state_dir", conf_read_folder, AT(state_dir), "/var/lib/shunt", .min = 1,
			   .max = 200},
	[KEY_PROBE_USER] = {"probe_user", conf_read_text, AT(probe_user), "nobody", .min = 1,
			    .max = 31},
	[KEY_DEFAULTS] = {.name = "defaults"},
	[KEY_CHECKS] = {.name = "checks"},
	[KEY_SERVICES] = {"services", NULL, AT(services), .required = true},
};

const struct conf_mapping conf_top_mapping = {"the configuration", top_keys, KEY_MAX};

/* ---- interfaces --------------------------------------------------------------------------------*/

/* What the kernel accepts as an interface's name. */
static int read_interface_name(struct conf_load *l, const struct conf_key *key,
			       const struct conf_piece *piece, void *at)
{
	char *out = at;
	bool bad = piece->len == 0 || conf_piece_is(piece, ".") || conf_piece_is(piece, "..");

	for (size_t i = 0; i < piece->len; i++) {
		unsigned char c = (unsigned char)piece->text[i];

		bad = bad || c <= ' ' || c == 0x7f || c == '/' || c == ':';
	}
	if (bad || piece->len >= key->size)
		return conf_piece_fail(
			l, piece,
			"%s %s cannot be a network interface; allowed are 1 to 15 bytes "
			"without space, \"/\" and \":\"; see \"ip link\"",
			key->name, QUOTE(piece->text, piece->len));
	memset(out, 0, key->size);
	memcpy(out, piece->text, piece->len);
	return 0;
}

enum {
	INTERFACE_NAME,
	INTERFACE_XDP,
	INTERFACE_MAX,
};

static const struct conf_key interface_keys[INTERFACE_MAX] = {
	[INTERFACE_NAME] = {"name", read_interface_name, CONF_AT(struct conf_interface, name),
			    .required = true},
	[INTERFACE_XDP] = {"xdp", conf_read_word, CONF_AT(struct conf_interface, xdp), "auto",
			   .words = conf_xdp_words},
};

static const struct conf_mapping interface_mapping = {"an interface", interface_keys,
						      INTERFACE_MAX};

static int read_interface(struct conf_load *l, const struct conf_node *node,
			  struct conf_interface *i)
{
	const struct conf_node *given[CONF_KEYS_MAX];
	struct conf_key as_text = interface_keys[INTERFACE_NAME];
	struct conf_piece piece;
	int rc = conf_read_fallbacks(l, &interface_mapping, i);

	i->pos = conf_node_pos(l, node);
	if (rc < 0)
		return rc;
	if (conf_node_resolve(node)->kind == CONF_NODE_MAPPING)
		return conf_read_mapping(l, &interface_mapping, node, i, given);
	as_text.name = "interface";
	rc = conf_node_piece(l, node, as_text.name, &piece);
	return rc < 0 ? rc : read_interface_name(l, &as_text, &piece, i->name);
}

static int by_name(const void *a, const void *b)
{
	const struct conf_interface *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int read_interfaces(struct conf_load *l, const struct conf_node *node)
{
	struct conf *c = l->conf;
	const struct conf_node *list;
	size_t pair[2];
	int rc = conf_node_list(l, node, "interfaces", &list);

	if (rc < 0)
		return rc;
	if (list->n == 0 || list->n > INTERFACES_MAX)
		return conf_fail(l, node,
				 "interfaces has %u items; allowed are 1 to %d; name those "
				 "whose packets are balanced",
				 list->n, INTERFACES_MAX);
	c->interfaces = calloc(list->n, sizeof(*c->interfaces));
	if (!c->interfaces)
		return -ENOMEM;
	for (const struct conf_node *item = list->first; item && rc == 0; item = item->next)
		rc = read_interface(l, item, &c->interfaces[c->n_interfaces++]);
	if (rc == 0)
		rc = conf_first_duplicate(c->interfaces, c->n_interfaces, sizeof(*c->interfaces),
					  by_name, pair);
	if (rc <= 0)
		return rc;
	return conf_complain(l->err, &c->interfaces[pair[1]].pos,
			     "interface \"%s\" is here for the second time; remove one",
			     c->interfaces[pair[1]].name);
}

/* ---- the whole ---------------------------------------------------------------------------------*/

static int read_nat(struct conf_load *l, const struct conf_node *const *given)
{
	int rc = 0;

	if (given[KEY_NAT_POOL])
		rc = conf_read_nat_pool(l, given[KEY_NAT_POOL], &l->conf->nat_pool);
	if (rc == 0 && given[KEY_NAT_TIMEOUTS])
		rc = conf_read_nat_timeouts(l, given[KEY_NAT_TIMEOUTS]);
	return rc;
}

static int read_top(struct conf_load *l, const struct conf_tree *tree)
{
	const struct conf_pos whole = {l->conf->file, 0, 0};
	const struct conf_node *given[CONF_KEYS_MAX];
	int rc;

	if (!tree->root || conf_node_is_empty(tree->root))
		return conf_complain(
			l->err, &whole,
			"the file is empty but for comments; at least interfaces and services are "
			"needed; man shunt.yaml shows how");
	rc = conf_read_fallbacks(l, &conf_top_mapping, l->conf);
	if (rc == 0)
		rc = conf_service_fallbacks(l);
	if (rc == 0)
		rc = conf_nat_fallbacks(l);
	if (rc == 0)
		rc = conf_notify_fallbacks(l);
	if (rc == 0)
		rc = conf_read_mapping(l, &conf_top_mapping, tree->root, l->conf, given);
	if (rc == 0)
		rc = read_interfaces(l, given[KEY_INTERFACES]);
	if (rc == 0 && given[KEY_DEFAULTS])
		rc = conf_read_defaults(l, given[KEY_DEFAULTS]);
	if (rc == 0 && given[KEY_NOTIFY])
		rc = conf_read_notify(l, given[KEY_NOTIFY]);
	if (rc == 0 && given[KEY_WEB])
		rc = conf_read_web(l, given[KEY_WEB]);
	if (rc == 0 && given[KEY_CHECKS])
		rc = conf_read_checks(l, given[KEY_CHECKS]);
	if (rc == 0)
		rc = read_nat(l, given);
	if (rc == 0 && given[KEY_PEERS])
		rc = conf_read_peers(l, given[KEY_PEERS]);
	else if (rc == 0 && given[KEY_PEER_LISTEN])
		rc = conf_fail(l, given[KEY_PEER_LISTEN],
			       "peer_listen without peers: name the other balancers, too");
	if (rc == 0)
		rc = conf_read_services(l, given[KEY_SERVICES]);
	if (rc == 0)
		rc = conf_check_pools(l);
	return rc < 0 ? rc : conf_check_loops(l);
}

static int parse_text(struct conf_load *l, const char *data, size_t len)
{
	struct conf_tree tree = {0};
	int rc;

	/* Some editors put a byte order mark in front. */
	if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
		data += 3;
		len -= 3;
	}
	rc = conf_text_check(data, len, l->conf->file, l->err);
	if (rc == 0)
		rc = conf_tree_load(data, len, l->conf->file, &tree, l->err);
	if (rc == 0)
		rc = read_top(l, &tree);
	conf_tree_fini(&tree);
	return rc;
}

static int read_and_parse(struct conf_load *l, const char *path)
{
	const struct conf_pos whole = {path, 0, 0};
	auto_free char *data = NULL;
	size_t len = 0;
	int rc = l->read(l->arg, path, &data, &len);

	if (rc == 0 && len > CONF_FILE_MAX)
		rc = -EFBIG;
	if (rc < 0)
		return conf_unreadable(l, &whole, "the configuration", rc);
	l->conf->file = strdup(path);
	return l->conf->file ? parse_text(l, data, len) : -ENOMEM;
}

int conf_parse(const char *path, conf_read_fn *read, void *arg, struct conf **out,
	       struct conf_error *err)
{
	const struct conf_pos whole = {path, 0, 0};
	struct conf_load l = {.read = read, .arg = arg, .err = err};
	int rc;

	l.conf = calloc(1, sizeof(*l.conf));
	rc = l.conf ? read_and_parse(&l, path) : -ENOMEM;
	conf_check_fini(&l.defaults.check);
	free(l.checks_given);
	conf_sources_fini(&l);
	if (rc == 0) {
		*out = l.conf;
		return 0;
	}
	conf_free(l.conf);
	if (rc == -ENOMEM)
		conf_complain(err, &whole, "not enough memory to read the configuration");
	return rc;
}
