/* SPDX-License-Identifier: BSD-2-Clause */
/* What a service remembers of whom: affinity, the part of a source's address that counts, and UDP flows. */
#include <netinet/in.h>

#include "pure/conf_parts.h"

#define TCP_TIMEOUT_MS 300000u
#define UDP_TIMEOUT_MS 60000u /* a change of backends learns for so long, see transit.h */
#define AFFINITY_TIMEOUT_MS 600000u

static bool is_by_source(const struct conf_service *s)
{
	return s->scheduler == SHUNT_SH || s->affinity == CONF_AFFINITY_SOURCE;
}

/* The first that was written, or where the service begins. */
static const struct conf_node *either(const struct conf_flow_nodes *given,
				      const struct conf_node *a, const struct conf_node *b)
{
	return a ? a : b ? b : given->service;
}

static int check_source_prefix(struct conf_load *l, const struct conf_flow_nodes *given,
			       struct conf_service *s)
{
	const uint32_t most = addr_bits(&s->vip);

	if (given->source_prefix && !is_by_source(s))
		return conf_fail(
			l, given->source_prefix,
			"source_prefix is for scheduler: sh and affinity: source, and \"%s\" "
			"has neither; remove it, or write one of them",
			s->name);
	if (!is_by_source(s))
		s->source_prefix = 0; /* that of `defaults` is for others */
	if (s->source_prefix > most)
		return conf_fail(l, either(given, given->source_prefix, NULL),
				 "source_prefix %u%s is longer than the vip's addresses; allowed "
				 "are 1 to %u",
				 s->source_prefix,
				 given->source_prefix ? "" : ", which \"defaults\" has,", most);
	if (!s->source_prefix)
		s->source_prefix = s->vip.family == 6 ? 64 : 32;
	return 0;
}

static uint32_t greater(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* What is not written is as long as it has to be. */
static int check_timeouts(struct conf_load *l, const struct conf_flow_nodes *given,
			  struct conf_service *s)
{
	if (!s->flow_timeout_ms)
		s->flow_timeout_ms = s->protocol == IPPROTO_UDP ? UDP_TIMEOUT_MS : TCP_TIMEOUT_MS;
	if (!s->affinity || !s->affinity_timeout_ms)
		s->affinity_timeout_ms = greater(AFFINITY_TIMEOUT_MS, s->flow_timeout_ms);
	if (s->affinity_timeout_ms >= s->flow_timeout_ms)
		return 0;
	return conf_fail(
		l, either(given, given->affinity_timeout, given->flow_timeout),
		"affinity_timeout (%g s) is shorter than flow_timeout (%g s): connections that are "
		"silent for as long would lose their backend with their source; make it as long at "
		"least, or write a shorter flow_timeout",
		s->affinity_timeout_ms / 1000.0, s->flow_timeout_ms / 1000.0);
}

static int check_affinity(struct conf_load *l, const struct conf_flow_nodes *given,
			  struct conf_service *s)
{
	if (given->affinity_timeout && s->affinity == CONF_AFFINITY_NONE)
		return conf_fail(
			l, given->affinity_timeout,
			"affinity_timeout is for affinity: source, which \"%s\" has not; remove "
			"it, or write affinity: source",
			s->name);
	if (s->affinity == CONF_AFFINITY_SOURCE && conf_service_translates(s))
		return conf_fail(
			l, either(given, given->affinity, NULL),
			"affinity: source%s does not go with nat and masq, which remember "
			"connections and not sources; use scheduler: sh, or another method%s",
			given->affinity ? "" : ", which \"defaults\" has,",
			given->affinity ? "" : ", or write affinity: none");
	return check_timeouts(l, given, s);
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

static bool remembers(const struct conf_service *s)
{
	return conf_remembers_flows(s->scheduler) || s->affinity;
}

static int check_udp(struct conf_load *l, const struct conf_node *node, struct conf_service *s)
{
	if (!node) {
		/* that of `defaults` is for others */
		if (s->protocol != IPPROTO_UDP || remembers(s))
			s->udp_flows = CONF_UDP_TRACKED;
		return 0;
	}
	if (s->protocol != IPPROTO_UDP)
		return conf_fail(
			l, node,
			"udp_flows is for protocol: udp, and \"%s\" is tcp, whose connections "
			"are kept always; remove it",
			s->name);
	if (s->udp_flows == CONF_UDP_TRACKED || !remembers(s))
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
		rc = check_source_prefix(l, given, s);
	if (rc == 0)
		rc = check_scheduler(l, given, s);
	return rc < 0 ? rc : check_udp(l, given->udp_flows, s);
}
