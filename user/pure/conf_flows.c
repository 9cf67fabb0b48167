/* SPDX-License-Identifier: BSD-2-Clause */
/* What a service remembers of whom: affinity, the part of a source's address that counts, and UDP flows. */
#include <netinet/in.h>

#include "pure/conf_parts.h"

static bool is_by_source(const struct conf_service *s)
{
	return s->scheduler == SHUNT_SH || s->affinity == CONF_AFFINITY_SOURCE;
}

static int check_source_prefix(struct conf_load *l, const struct conf_node *node,
			       struct conf_service *s)
{
	const uint32_t most = addr_bits(&s->vip);

	if (node && !is_by_source(s))
		return conf_fail(
			l, node,
			"source_prefix is for scheduler: sh and affinity: source, and \"%s\" "
			"has neither; remove it, or write one of them",
			s->name);
	if (s->source_prefix > most)
		return conf_fail(l, node,
				 "source_prefix %u is longer than the vip's addresses; allowed "
				 "are 1 to %u",
				 s->source_prefix, most);
	if (!s->source_prefix)
		s->source_prefix = s->vip.family == 6 ? 64 : 32;
	return 0;
}

static int check_affinity(struct conf_load *l, const struct conf_flow_nodes *given,
			  const struct conf_service *s)
{
	if (given->affinity_timeout && s->affinity == CONF_AFFINITY_NONE)
		return conf_fail(
			l, given->affinity_timeout,
			"affinity_timeout is for affinity: source, which \"%s\" has not; remove "
			"it, or write affinity: source",
			s->name);
	if (s->affinity == CONF_AFFINITY_SOURCE && conf_service_translates(s))
		return conf_fail(
			l, given->affinity,
			"affinity: source does not go with nat and masq, which remember "
			"connections and not sources; use scheduler: sh, or another method");
	return 0;
}

/* Least connections are counted among flows that are remembered here. */
static int check_scheduler(struct conf_load *l, const struct conf_flow_nodes *given,
			   const struct conf_service *s)
{
	const char *name = conf_scheduler_name(s->scheduler);

	if (!conf_counts_flows(s->scheduler) || !conf_service_translates(s))
		return 0;
	return conf_fail(
		l, given->scheduler ? given->scheduler : given->service,
		"scheduler %s does not go with nat and masq, whose connections it does not "
		"count; allowed with them are maglev, sh, rr, wrr",
		name);
}

static int check_udp(struct conf_load *l, const struct conf_node *node,
		     const struct conf_service *s)
{
	if (!node)
		return 0;
	if (s->protocol != IPPROTO_UDP)
		return conf_fail(
			l, node,
			"udp_flows is for protocol: udp, and \"%s\" is tcp, whose connections "
			"are kept always; remove it",
			s->name);
	if (s->udp_flows == CONF_UDP_TRACKED ||
	    (!conf_remembers_flows(s->scheduler) && s->affinity == CONF_AFFINITY_NONE))
		return 0;
	return conf_fail(
		l, node,
		"udp_flows: stateless does not go with %s, which remembers every flow; remove "
		"it, or use scheduler maglev or sh without affinity",
		s->affinity ? "affinity: source" : conf_scheduler_name(s->scheduler));
}

int conf_check_flows(struct conf_load *l, const struct conf_flow_nodes *given,
		     struct conf_service *s)
{
	int rc = check_affinity(l, given, s);

	if (rc == 0)
		rc = check_source_prefix(l, given->source_prefix, s);
	if (rc == 0)
		rc = check_scheduler(l, given, s);
	return rc < 0 ? rc : check_udp(l, given->udp_flows, s);
}
