/* SPDX-License-Identifier: BSD-2-Clause */
/* Which probes go a client's way. */
#include "pure/conf.h"
#include "pure/conf_parts.h"

/* Why a check cannot, as the end of a sentence; NULL: it can. */
static const char *not_by_path(const struct conf_check *c)
{
	switch (c->kind) {
	case CONF_CHECK_ICMP:
		return "which no service forwards";
	case CONF_CHECK_EXEC:
		return "whose program goes its own ways";
	case CONF_CHECK_AGENT:
		return "which asks the machine, not the service";
	default:
		return NULL;
	}
}

bool conf_check_goes_path(const struct conf_check *c, enum shunt_forward forward)
{
	if (c->via == CONF_VIA_DIRECT || forward == SHUNT_LOCAL || not_by_path(c))
		return false;
	return c->via == CONF_VIA_PATH || (forward != SHUNT_NAT && forward != SHUNT_MASQ);
}

int conf_check_via(struct conf_load *l, const struct conf_node *node, const struct conf_check *c)
{
	const char *why = not_by_path(c);

	if (c->via != CONF_VIA_PATH || !why)
		return 0;
	return conf_fail(l, node,
			 "check %s cannot go by \"via: path\": it is one %s; write \"via: "
			 "direct\", or leave it "
			 "out",
			 conf_check_name(c->kind), why);
}
