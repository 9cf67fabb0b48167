/* SPDX-License-Identifier: BSD-2-Clause */
/* `passive`: who is judged by the packets that go by, and what comes of it. */
#include "pure/conf_parts.h"

#include <netinet/in.h>

enum {
	KEY_SYN_RETRY,
	KEY_RESET,
	KEY_UNREACHABLE,
	KEY_MIN,
	KEY_WINDOW,
	KEY_ACTION,
	KEY_MAX_OUT,
	KEY_HOLD,
	KEY_MAX,
};

#define AT(member) CONF_AT(struct passive_policy, member)

static const char *const actions[] = {"off", "mark", "down", NULL};

static const struct conf_key keys[KEY_MAX] = {
	[KEY_SYN_RETRY] = {"syn_retry", conf_read_percent, AT(syn_retry), "20%", .max = 100},
	[KEY_RESET] = {"reset", conf_read_percent, AT(reset), "50%", .max = 100},
	[KEY_UNREACHABLE] = {"unreachable", conf_read_number, AT(unreachable), "3", .max = 10000},
	[KEY_MIN] = {"min", conf_read_number, AT(min), "50", .min = 1, .max = 1000000},
	[KEY_WINDOW] = {"window", conf_read_duration, AT(window_ms), "5s", .min = 1000,
			.max = 600000},
	[KEY_ACTION] = {"action", conf_read_word, AT(action), "off", .words = actions},
	[KEY_MAX_OUT] = {"max_out", conf_read_percent, AT(max_out), "25%", .min = 1, .max = 100},
	[KEY_HOLD] = {"hold", conf_read_duration, AT(hold_ms), "10s", .min = 1000, .max = 3600000},
};

const struct conf_mapping conf_passive_mapping = {"passive", keys, KEY_MAX};

int conf_passive_fallbacks(struct conf_load *l)
{
	return conf_read_fallbacks(l, &conf_passive_mapping, &l->defaults.passive);
}

int conf_read_passive(struct conf_load *l, const struct conf_node *node, struct passive_policy *p)
{
	const struct conf_node *given[CONF_KEYS_MAX];
	struct conf_piece piece;
	int rc;

	if (conf_node_resolve(node)->kind == CONF_NODE_TEXT) {
		rc = conf_node_piece(l, node, "passive", &piece);
		return rc < 0 ? rc : conf_read_word(l, &keys[KEY_ACTION], &piece, &p->action);
	}
	rc = conf_read_mapping(l, &conf_passive_mapping, node, p, given);
	if (rc < 0)
		return rc;
	if (!given[KEY_ACTION] && p->action == PASSIVE_OFF)
		p->action = PASSIVE_MARK;
	if (p->syn_retry || p->reset || p->unreachable || p->action == PASSIVE_OFF)
		return 0;
	return conf_fail(
		l, node,
		"passive looks at nothing: syn_retry, reset and unreachable are all 0; give "
		"one of them a value, or write passive: off");
}

static bool has_method(const struct conf_service *s, unsigned int methods)
{
	if (s->backends_file)
		return true; /* it may come to name some */
	for (size_t i = 0; i < s->n_backends; i++)
		if (methods >> s->backends[i].forward & 1)
			return true;
	return false;
}

#define TRANSLATE (1u << SHUNT_NAT | 1u << SHUNT_MASQ)
#define ERRORS_COME_HERE (TRANSLATE | 1u << SHUNT_IPIP | 1u << SHUNT_GUE | 1u << SHUNT_GRE)

int conf_check_passive(struct conf_load *l, const struct conf_node *node,
		       const struct conf_service *s)
{
	const bool tcp = s->protocol == IPPROTO_TCP;
	const struct passive_policy *p = &s->passive;

	if (!node || p->action == PASSIVE_OFF)
		return 0;
	if ((tcp && p->syn_retry) || (tcp && p->reset && has_method(s, TRANSLATE)) ||
	    (p->unreachable && has_method(s, ERRORS_COME_HERE)))
		return 0;
	return conf_fail(
		l, node,
		"passive sees nothing of service \"%s\": syn_retry is of TCP, reset of TCP "
		"by nat or masq, and errors come to this host from who is reached by nat, "
		"masq or a tunnel; write passive: off",
		s->name);
}
