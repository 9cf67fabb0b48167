/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/view.h"

#include <stdio.h>

const char *view_service_address(const struct view_service *s, char out[static VIEW_ADDRESS_MAX])
{
	char port[8] = "any", vip[ADDR_TEXT_MAX], length[8] = "";
	const char *form = s->vip.family == 6 ? "[%s]%s:%s/%s" : "%s%s:%s/%s";

	if (s->vip_bits && s->vip_bits < addr_bits(&s->vip))
		snprintf(length, sizeof(length), "/%u", s->vip_bits);
	if (s->port)
		snprintf(port, sizeof(port), "%u", s->port);
	snprintf(out, VIEW_ADDRESS_MAX, form, addr_format(&s->vip, vip), length,
		 s->ports[0] ? s->ports : port, conf_protocol_name(s->protocol));
	return out;
}

const char *view_xdp_name(enum view_xdp x)
{
	switch (x) {
	case VIEW_XDP_NONE:
		return "none";
	case VIEW_XDP_NATIVE:
		return "native";
	case VIEW_XDP_GENERIC:
		return "generic";
	}
	return "unknown";
}

const char *view_drain_name(enum view_drain d)
{
	switch (d) {
	case VIEW_DRAIN_NONE:
		return "none";
	case VIEW_DRAIN_GOING:
		return "going";
	case VIEW_DRAIN_DONE:
		return "done";
	case VIEW_DRAIN_EXPIRED:
		return "expired";
	}
	return "unknown";
}

const char *view_nexthop_name(enum view_nexthop n)
{
	switch (n) {
	case VIEW_NH_RESOLVED:
		return "resolved";
	case VIEW_NH_RESOLVING:
		return "resolving";
	case VIEW_NH_NO_ROUTE:
		return "no route";
	case VIEW_NH_NO_NEIGHBOUR:
		return "no neighbour";
	case VIEW_NH_LINK_DOWN:
		return "link down";
	case VIEW_NH_OTHER_INTERFACE:
		return "other interface";
	case VIEW_NH_IS_LOCAL:
		return "own address";
	case VIEW_NH_NOT_NEEDED:
		return "not needed";
	case VIEW_NH_ROUTER:
		return "behind a router";
	case VIEW_NH_NO_SOURCE:
		return "no source address";
	case VIEW_NH_MAX:
		break;
	}
	return "unknown";
}

const char *view_nexthop_advice(enum view_nexthop n)
{
	switch (n) {
	case VIEW_NH_ROUTER:
		return "; dsr needs it on this segment: take ipip, gue or gre";
	case VIEW_NH_NO_SOURCE:
		return "; give this host one towards it, or set tunnel_source or nat_pool";
	case VIEW_NH_IS_LOCAL:
		return "; a backend is another host, or the vip with forward=local";
	default:
		return "";
	}
}

const char *view_event_name(enum shunt_event_kind k)
{
	static const char *const names[] = {
		[SHUNT_EVENT_OTHER] = "other",
		[SHUNT_EVENT_STARTED] = "started",
		[SHUNT_EVENT_RELOADED] = "reloaded",
		[SHUNT_EVENT_RELOAD_REFUSED] = "reload_refused",
		[SHUNT_EVENT_EDITED] = "edited",
		[SHUNT_EVENT_HEALTH] = "health",
		[SHUNT_EVENT_NEXTHOP] = "next_hop",
		[SHUNT_EVENT_SERVICE_EMPTY] = "service_empty",
		[SHUNT_EVENT_INTERFACE] = "interface",
		[SHUNT_EVENT_DRAIN] = "drain",
		[SHUNT_EVENT_POOL] = "pool",
		[SHUNT_EVENT_TRANSITION] = "transition",
	};

	return (size_t)k < sizeof(names) / sizeof(names[0]) ? names[k] : "other";
}
