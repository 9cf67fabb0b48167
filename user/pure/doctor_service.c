/* SPDX-License-Identifier: BSD-2-Clause */
/* Of services, their addresses and their backends. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pure/doctor.h"

#define EACH_SERVICE(f, s) for ((s) = (f)->services; (s) < (f)->services + (f)->n_services; (s)++)
#define EACH_BACKEND(f, b) for ((b) = (f)->backends; (b) < (f)->backends + (f)->n_backends; (b)++)

/* What clients send on Ethernet. */
#define CLIENTS_MTU 1500

static void mac_format(const uint8_t mac[6], char out[static 18])
{
	snprintf(out, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		 mac[5]);
}

/* ---- services -----------------------------------------------------------------------------------*/

static void check_usable(const struct doctor_facts *f, struct doctor_report *r)
{
	const struct doctor_service *s;
	struct doctor_finding *x;

	EACH_SERVICE(f, s)
	{
		if (!f->daemon || (s->usable && !s->panicking))
			continue;
		x = doctor_find(r, DOCTOR_ERROR,
				"service %s: %" PRIu32 " of its %" PRIu32 " backends are usable%s",
				s->name, s->usable, s->backends,
				s->panicking ? ", which is panic" : "");
		doctor_says(x->consequence, "%s",
			    s->panicking ? "all of them get packets, whatever their checks say"
			    : s->failing_open
				    ? "all that have a next hop get packets, whatever their checks "
				      "say (on_empty: all)"
				    : "its clients are not served by any of them (on_empty)");
		doctor_says(x->remedy, "shunt backends %s", s->name);
	}
}

/* The backend whose frames have this MAC. */
static const struct doctor_backend *find_by_mac(const struct doctor_facts *f, const uint8_t mac[6])
{
	const struct doctor_backend *b;

	EACH_BACKEND(f, b)
	if (memcmp(b->mac, mac, sizeof(b->mac)) == 0)
		return b;
	return NULL;
}

static void tell_holder(const struct doctor_facts *f, const struct doctor_service *s,
			struct doctor_report *r)
{
	const struct doctor_backend *b = find_by_mac(f, s->holder);
	const bool matters = s->on_host || s->on_link;
	char vip[ADDR_TEXT_MAX], mac[18];
	struct doctor_finding *x;

	addr_format(&s->vip, vip);
	mac_format(s->holder, mac);
	x = doctor_find(r, matters ? DOCTOR_ERROR : DOCTOR_NOTE,
			"service %s: %s on %s says that %s is his%s%s", s->name, mac,
			s->holder_link, vip, b ? ": backend " : "", b ? b->name : "");
	doctor_says(x->consequence, "%s",
		    matters ? "clients and routers of that segment send to him what is for shunt"
			    : "harmless while routers send what is for it to this host by a route");
	if (b)
		doctor_says(x->where, "backend %s/%s", b->service, b->name);
	else
		doctor_says(x->where, "the host with %s", mac);
	if (s->vip.family == 4)
		doctor_says(x->remedy, "sysctl -w net.ipv4.conf.all.arp_ignore=1 "
				       "net.ipv4.conf.all.arp_announce=2");
	else
		doctor_says(
			x->remedy,
			"ip addr flush dev $(ip -o addr show to %s | awk '$2 != \"lo\" { print $2; "
			"exit }') to %s && ip addr replace %s/128 dev lo",
			vip, vip, vip);
}

static void tell_nobody(const struct doctor_service *s, struct doctor_report *r)
{
	char vip[ADDR_TEXT_MAX];
	struct doctor_finding *x;

	addr_format(&s->vip, vip);
	x = doctor_find(r, DOCTOR_WARNING, "service %s: nobody says that %s is his", s->name, vip);
	doctor_says(x->consequence,
		    "it is in a network of %s, whose hosts ask who has it and get no answer",
		    s->link);
	doctor_says(x->remedy, "ip addr add %s/%d dev %s", vip, addr_bits(&s->vip), s->link);
}

static void check_vip(const struct doctor_facts *f, struct doctor_report *r)
{
	const struct doctor_service *s;

	EACH_SERVICE(f, s)
	{
		if (s->asked && s->held)
			tell_holder(f, s, r);
		else if (s->asked && s->on_link && !s->on_host)
			tell_nobody(s, r);
	}
}

static void check_local(const struct doctor_facts *f, struct doctor_report *r)
{
	const struct doctor_service *s;
	struct doctor_finding *x;
	char vip[ADDR_TEXT_MAX];

	EACH_SERVICE(f, s)
	{
		if (!s->local || s->on_host || s->vip_bits < addr_bits(&s->vip))
			continue;
		addr_format(&s->vip, vip);
		x = doctor_find(r, DOCTOR_ERROR,
				"service %s: forward: local, and %s is not this host's", s->name,
				vip);
		doctor_says(x->consequence, "this host does not take its packets");
		doctor_says(x->remedy, "ip addr add %s/%d dev lo", vip, addr_bits(&s->vip));
	}
}

static void check_forwarding(const struct doctor_facts *f, struct doctor_report *r)
{
	const struct doctor_service *s;
	bool four = false, six = false;
	struct doctor_finding *x;

	EACH_SERVICE(f, s)
	{
		four |= s->masquerades && s->vip.family == 4;
		six |= s->masquerades && s->vip.family == 6;
	}
	if (four && f->host.forwards4 == 0) {
		x = doctor_find(
			r, DOCTOR_WARNING,
			"backends of masq go through this host, and it does not forward IPv4");
		doctor_says(x->consequence, "their own connections, and ICMP, do not get through");
		doctor_says(x->remedy, "sysctl -w net.ipv4.ip_forward=1");
	}
	if (six && f->host.forwards6 == 0) {
		x = doctor_find(
			r, DOCTOR_WARNING,
			"backends of masq go through this host, and it does not forward IPv6");
		doctor_says(x->consequence,
			    "their own connections, and ICMPv6, do not get through");
		doctor_says(x->remedy, "sysctl -w net.ipv6.conf.all.forwarding=1");
	}
}

/* ---- backends -----------------------------------------------------------------------------------*/

static void mend_nexthop(const struct doctor_facts *f, const struct doctor_backend *b,
			 struct doctor_finding *x)
{
	const char *link = b->egress[0]	     ? b->egress
			   : f->n_interfaces ? f->interfaces[0].name
					     : "DEV";
	char addr[ADDR_TEXT_MAX];

	addr_format(&b->addr, addr);
	switch (b->nexthop) {
	case VIEW_NH_NO_ROUTE:
		doctor_says(x->remedy, "ip route add %s/%d dev %s", addr, addr_bits(&b->addr),
			    link);
		break;
	case VIEW_NH_LINK_DOWN:
		doctor_says(x->remedy, "ip link set dev %s up", link);
		break;
	case VIEW_NH_OTHER_INTERFACE:
		/* As [eth0], or as a list of lines, after whose first one it goes. */
		doctor_says(x->remedy,
			    "sed -i -e 's/^interfaces: *\\[/&%s, /' -e '/^interfaces: *$/{n;s/^\\( "
			    "*\\)- .*/&\\n\\1- %s/}' %s%s",
			    link, link, f->file, f->daemon ? " && shunt reload" : "");
		break;
	case VIEW_NH_IS_LOCAL:
		/* By whatever interface has it; the route to it is over lo. */
		doctor_says(x->remedy, "ip addr flush to %s/%d", addr, addr_bits(&b->addr));
		break;
	case VIEW_NH_NO_NEIGHBOUR:
		doctor_says(x->remedy, "ping -c 3 %s", addr);
		break;
	default:
		doctor_says(x->remedy, "shunt check %s", f->file);
		break;
	}
}

static void check_nexthop(const struct doctor_facts *f, struct doctor_report *r)
{
	const struct doctor_backend *b;
	char addr[ADDR_TEXT_MAX];
	struct doctor_finding *x;

	EACH_BACKEND(f, b)
	{
		if (b->nexthop == VIEW_NH_RESOLVED || b->nexthop == VIEW_NH_NOT_NEEDED ||
		    b->nexthop == VIEW_NH_RESOLVING)
			continue;
		x = doctor_find(r, DOCTOR_ERROR, "backend %s/%s, %s: %s%s%s%s", b->service, b->name,
				addr_format(&b->addr, addr), view_nexthop_name(b->nexthop),
				b->egress[0] ? " over " : "", b->egress,
				view_nexthop_advice(b->nexthop));
		doctor_says(x->consequence, "it gets no packets");
		mend_nexthop(f, b, x);
	}
}

/* A service that has none left, or too few, takes them all. */
static bool used_all_the_same(const struct doctor_facts *f, const struct doctor_backend *b)
{
	const struct doctor_service *s;

	EACH_SERVICE(f, s)
	{
		if (strcmp(s->name, b->service) == 0)
			return (s->panicking || s->failing_open) && !b->by_hand &&
			       (b->nexthop == VIEW_NH_RESOLVED || b->nexthop == VIEW_NH_NOT_NEEDED);
	}
	return false;
}

static void check_health(const struct doctor_facts *f, struct doctor_report *r)
{
	const struct doctor_backend *b;
	struct doctor_finding *x;

	EACH_BACKEND(f, b)
	{
		if (b->health != HEALTH_DOWN)
			continue;
		x = doctor_find(r, DOCTOR_WARNING, "backend %s/%s is down: %s", b->service, b->name,
				b->reason);
		doctor_says(x->consequence, "%s",
			    used_all_the_same(f, b)
				    ? "it gets packets all the same, since too few of the service "
				      "are usable"
				    : "it gets no packets");
		if (strncmp(b->reason, "no answer by ", 13) == 0) {
			doctor_says(x->where, "backend %s/%s", b->service, b->name);
			doctor_says(x->remedy, "ip addr add %s/%d dev lo",
				    addr_format(&b->vip, (char[ADDR_TEXT_MAX]){0}),
				    addr_bits(&b->vip));
		} else {
			doctor_says(x->remedy, "shunt history %s %s", b->service, b->name);
		}
	}
}

/* Octets of the headers that a tunnel puts in front. */
static uint32_t overhead(const struct doctor_backend *b)
{
	const uint32_t ip = b->addr.family == 6 ? 40 : 20;

	switch (b->forward) {
	case SHUNT_IPIP:
		return ip;
	case SHUNT_GUE:
		return ip + 8 + 4;
	case SHUNT_GRE:
		return ip + 4;
	default:
		return 0;
	}
}

/* One finding an interface: of the backends behind it that which needs most, the first of these. */
static bool tells_of_path(const struct doctor_facts *f, const struct doctor_backend *b)
{
	const struct doctor_backend *other;

	EACH_BACKEND(f, other)
	if (strcmp(other->egress, b->egress) == 0 && other->path_mtu == b->path_mtu &&
	    (overhead(other) > overhead(b) || (overhead(other) == overhead(b) && other < b)))
		return false;
	return true;
}

static void check_mtu(const struct doctor_facts *f, struct doctor_report *r)
{
	const struct doctor_backend *b;
	struct doctor_finding *x;

	EACH_BACKEND(f, b)
	{
		const uint32_t wanted = CLIENTS_MTU + overhead(b);

		if (!b->path_mtu || !overhead(b) || b->path_mtu >= wanted || !tells_of_path(f, b))
			continue;
		x = doctor_find(r, DOCTOR_WARNING,
				"backend %s/%s: its path over %s takes %" PRIu32
				" octets, and a packet of %d in its tunnel has %" PRIu32,
				b->service, b->name, b->egress, b->path_mtu, CLIENTS_MTU, wanted);
		doctor_says(x->consequence, "clients are told to send smaller ones, by ICMP, which "
					    "some networks drop: then "
					    "large requests stall");
		doctor_says(x->remedy, "ip link set dev %s mtu %" PRIu32, b->egress, wanted);
	}
}

const struct doctor_check doctor_service_checks[] = {
	{"usable", check_usable},    {"vip", check_vip},
	{"local", check_local},	     {"forwarding", check_forwarding},
	{"next-hop", check_nexthop}, {"health", check_health},
	{"mtu", check_mtu},	     {NULL, NULL},
};
