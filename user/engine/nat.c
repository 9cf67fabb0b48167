/* SPDX-License-Identifier: BSD-2-Clause */
/* NAT as the configuration wants it: pools, timeouts, and what a translating backend's row says. */
#include "engine/state.h"

#include <string.h>

#include "base/log.h"
#include "io/dp_offload.h"
#include "pure/backend_row.h"

static uint32_t nat_ticks(uint32_t timeout_ms)
{
	return (uint32_t)(((uint64_t)timeout_ms * mono_kernel_hz() / 1000 >> SHUNT_NAT_TICK_SHIFT) +
			  1);
}

static bool translates_ipv6(const struct conf_service *s)
{
	size_t i;

	for (i = 0; i < s->n_backends; i++)
		if (conf_translates(s->backends[i].forward) && s->backends[i].addr.family == 6)
			return true;
	return s->vip.family == 6;
}

void nat_sizes(const struct conf *conf, struct dp_sizes *sizes)
{
	size_t i;

	for (i = 0; i < conf->n_services; i++) {
		const struct conf_service *s = &conf->services[i];

		if (!conf_service_translates(s))
			continue;
		sizes->nat = conf->nat_connections;
		sizes->nat6 = sizes->nat6 || translates_ipv6(s);
	}
}

void nat_install(struct engine *e, const struct conf *conf)
{
	struct nat_pools *pools = &e->nat_pools;
	struct shunt_nat_ctl ctl = {
		.first_port = conf->nat_ports.first,
		.ports = (uint16_t)(conf->nat_ports.last - conf->nat_ports.first + 1),
	};
	size_t i;

	*pools = (struct nat_pools){0};
	for (i = 0; i < conf->n_services; i++)
		if (nat_pools_add(pools, &conf->services[i].nat_pool))
			log_error("service %s: too many different pools, it has none",
				  conf->services[i].name);
	for (i = 0; i < SHUNT_NAT_T_MAX; i++)
		ctl.timeout[i] = nat_ticks(conf->nat_timeout_ms[i]);
	memcpy(ctl.pool, pools->pool, sizeof(ctl.pool));
	dp_nat_write(e->dp, &ctl);
}

static bool translates(const struct conf *conf)
{
	size_t i;

	for (i = 0; i < conf->n_services; i++)
		if (conf_service_translates(&conf->services[i]))
			return true;
	return false;
}

void nat_tell_offload(struct engine *e, struct interface *i)
{
	struct dp_offload_peer peer;

	if (i->told_offload || !i->ifindex || !translates(e->conf))
		return;
	i->told_offload = true;
	switch (dp_offload_ask(i->port, &peer)) {
	case DP_OFFLOAD_NO:
		break;
	case DP_OFFLOAD_YES:
		log_warning(
			"interface %s: its other end %s sends without checksums, which "
			"translation (nat, masq) makes wrong for good; run: ethtool -K %s tx off",
			i->port, peer.ifname, peer.ifname);
		break;
	case DP_OFFLOAD_UNKNOWN:
		log_warning(
			"interface %s: a veth whose other end (ifindex %u) is in another network "
			"namespace; if that one sends without checksums, translation (nat, masq) "
			"makes them wrong for good; run there: ethtool -K IF tx off",
			i->port, peer.ifindex);
		break;
	}
}

void nat_fill_row(const struct engine *e, const struct backend *b, struct backend_row_spec *spec)
{
	const struct conf_service *conf = b->service->conf;

	spec->port = conf->port ? b->conf->port : 0;
	if (b->conf->forward != SHUNT_NAT)
		return;
	spec->nat_pool = nat_pools_find(&e->nat_pools, &conf->nat_pool, b->addr.family);
	spec->source = b->nexthop.source;
}
