/* SPDX-License-Identifier: BSD-2-Clause */
/* The `flap` of a check: who is held down for coming and going too often. */
#include "pure/conf_parts.h"

enum {
	KEY_SUPPRESS,
	KEY_REUSE,
	KEY_PENALTY,
	KEY_HALF_LIFE,
	KEY_LONGEST,
	KEY_MAX,
};

#define AT(member) CONF_AT(struct health_flap, member)

static const struct conf_key keys[KEY_MAX] = {
	[KEY_SUPPRESS] = {"suppress", conf_read_number, AT(suppress), "3000", .min = 1,
			  .max = 1000000},
	[KEY_REUSE] = {"reuse", conf_read_number, AT(reuse), "1000", .min = 1, .max = 1000000},
	[KEY_PENALTY] = {"penalty", conf_read_number, AT(penalty), "1000", .min = 1,
			 .max = 1000000},
	[KEY_HALF_LIFE] = {"half_life", conf_read_duration, AT(half_life_ms), "60s", .min = 1000,
			   .max = 3600000},
	[KEY_LONGEST] = {"longest", conf_read_duration, AT(max_ms), "10m", .min = 1000,
			 .max = 86400000},
};

static const struct conf_mapping mapping = {"flap", keys, KEY_MAX};

/* Either word stands for all keys. */
static int read_word(struct conf_load *l, const struct conf_node *node, struct health_flap *out)
{
	static const char *const words[] = {"off", "on", NULL};
	const struct conf_key as_word = {
		.name = "flap", .size = sizeof(unsigned int), .words = words};
	struct conf_piece piece;
	unsigned int on = 0;
	int rc = conf_node_piece(l, node, "flap", &piece);

	if (rc == 0)
		rc = conf_read_word(l, &as_word, &piece, &on);
	if (rc == 0 && !on)
		*out = (struct health_flap){0};
	return rc;
}

int conf_read_flap(struct conf_load *l, const struct conf_node *node, struct health_flap *out)
{
	const struct conf_node *given[CONF_KEYS_MAX];
	int rc = conf_read_fallbacks(l, &mapping, out);

	if (rc < 0)
		return rc;
	if (conf_node_resolve(node)->kind == CONF_NODE_TEXT)
		return read_word(l, node, out);
	rc = conf_read_mapping(l, &mapping, node, out, given);
	if (rc < 0 || out->reuse < out->suppress)
		return rc;
	return conf_fail(l, given[KEY_REUSE] ? given[KEY_REUSE] : node,
			 "reuse %u is not below suppress %u, so that who is held down would be let "
			 "go at once; lower reuse, or raise suppress",
			 out->reuse, out->suppress);
}
