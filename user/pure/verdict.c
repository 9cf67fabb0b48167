/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/verdict.h"

#include <stddef.h>

static const struct {
	const char *name, *words;
	enum shunt_verdict_class class;
} verdicts[SHUNT_VERDICT_MAX] = {
#define X(name_, class_, words_)                                                                   \
	[SHUNT_##name_] = {.name = #name_, .words = words_, .class = SHUNT_CLASS_##class_},
	SHUNT_VERDICTS(X)
#undef X
};

#define LONGEST_NAME 32

static int is_verdict(enum shunt_verdict v)
{
	return v > SHUNT_GO_ON && v < SHUNT_VERDICT_MAX;
}

const char *verdict_name(enum shunt_verdict v)
{
	static char lower[SHUNT_VERDICT_MAX][LONGEST_NAME];

	if (!is_verdict(v))
		return "unknown";
	/* The preprocessor cannot write lower case; writing it again is harmless. */
	for (int i = 0; i < LONGEST_NAME - 1 && verdicts[v].name[i]; i++)
		lower[v][i] = verdicts[v].name[i] == '_' ? '_' : verdicts[v].name[i] | 0x20;
	return lower[v];
}

const char *verdict_words(enum shunt_verdict v)
{
	return is_verdict(v) ? verdicts[v].words : "a verdict that this version does not know";
}

static const char *const advice[SHUNT_VERDICT_MAX] = {
	[SHUNT_REPLY_TOO_BIG] =
		"the sender is told what size the path takes; if that never arrives, "
		"let ICMP through firewalls or lower the MSS",
	[SHUNT_REPLY_TTL] = "the sender is told; look for a loop on the way here",
	[SHUNT_PASS_NOT_TCP_UDP] =
		"only TCP, UDP and ICMP about them are balanced; this host's own "
		"stack gets the rest",
	[SHUNT_PASS_ICMP] = "this host's own stack gets it",
	[SHUNT_PASS_FRAGMENT] = "this host's own stack gets it",
	[SHUNT_PASS_EXT_HEADERS] = "its sender has to put fewer extension headers in front",
	[SHUNT_PASS_NOT_VIP] =
		"if it was meant for a service, see what comes closest: address, port and "
		"protocol have to be those of a service (shunt services)",
	[SHUNT_PASS_NO_BACKEND] = "shunt backends says of each backend why it gets nothing",
	[SHUNT_DROP_TRUNCATED] =
		"look at what cuts frames on the way: MTU, the driver, a capture that "
		"was cut",
	[SHUNT_DROP_BAD_IP] =
		"the sender, or something on the way, sends broken packets; capture them "
		"there",
	[SHUNT_DROP_BAD_L4] =
		"the sender, or something on the way, sends broken packets; capture them "
		"there",
	[SHUNT_DROP_BAD_SOURCE] =
		"no answer could reach that source; who sends from it is an attacker "
		"or misconfigured",
	[SHUNT_DROP_DENIED] = "take the source out of the service's deny or deny_file, and reload",
	[SHUNT_DROP_NOT_ALLOWED] =
		"add the source to the service's allow or allow_file, and reload",
	[SHUNT_DROP_RATE_SOURCE] = "raise the service's rate, per_source, if that is no "
				   "attack, and reload",
	[SHUNT_DROP_RATE_SERVICE] =
		"raise the service's rate, new_flows, if that is no attack, and "
		"reload",
	[SHUNT_DROP_FRAGMENT_BAD] = "no sound sender makes such fragments",
	[SHUNT_DROP_FRAGMENT_ORPHAN] =
		"its first fragment has to come by this host, and before; raise "
		"fragments if there are many",
	[SHUNT_DROP_NO_BACKEND] =
		"shunt backends says of each backend why it gets nothing; on_empty "
		"says what is to happen meanwhile",
	[SHUNT_DROP_NAT_FULL] = "raise nat_connections, and reload",
	[SHUNT_DROP_NAT_EXHAUSTED] = "give nat_pool more addresses, or the backends more ports",
	[SHUNT_DROP_NAT_FAMILY] = "use a backend of the service's own IP version for such packets",
	[SHUNT_DROP_TTL] = "look for a loop on the way here, or a sender with too small a TTL",
	[SHUNT_DROP_TOO_BIG] = "raise the MTU towards the backend, or lower the MSS of clients",
	[SHUNT_DROP_NO_HEADROOM] =
		"take another driver or generic mode: this one leaves no room in front "
		"of frames",
	[SHUNT_DROP_NO_EGRESS] = "add the interface towards the backend to interfaces, and reload",
	[SHUNT_DROP_BAD_TABLE] = "restart shuntd and report this with shunt status",
};

const char *verdict_advice(enum shunt_verdict v)
{
	return is_verdict(v) ? advice[v] : NULL;
}

enum shunt_verdict_class verdict_class(enum shunt_verdict v)
{
	return is_verdict(v) ? verdicts[v].class : SHUNT_CLASS_DROP;
}

const char *verdict_class_name(enum shunt_verdict_class c)
{
	switch (c) {
	case SHUNT_CLASS_FORWARD:
		return "forward";
	case SHUNT_CLASS_RETURN:
		return "return";
	case SHUNT_CLASS_REPLY:
		return "reply";
	case SHUNT_CLASS_PASS:
		return "pass";
	case SHUNT_CLASS_DROP:
		return "drop";
	}
	return "unknown";
}
