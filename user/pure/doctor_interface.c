/* SPDX-License-Identifier: BSD-2-Clause */
/* Of the interfaces that packets come in on. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pure/doctor.h"

#define EACH(f, i) for ((i) = (f)->interfaces; (i) < (f)->interfaces + (f)->n_interfaces; (i)++)

static bool any_translates(const struct doctor_facts *f)
{
	size_t i;

	for (i = 0; i < f->n_services; i++)
		if (f->services[i].translates)
			return true;
	return false;
}

static void check_link(const struct doctor_facts *f, struct doctor_report *r)
{
	const struct doctor_interface *i;
	struct doctor_finding *x;

	EACH(f, i)
	{
		if (i->exists && i->up)
			continue;
		x = doctor_find(r, DOCTOR_ERROR, "interface %s %s", i->name,
				i->exists ? "is down" : "does not exist");
		doctor_says(x->consequence, "no packet comes in there%s",
			    i->exists || f->daemon ? "" : ", and shuntd does not start");
		doctor_says(x->remedy, i->exists ? "ip link set dev %s up" : "ip -brief link # %s?",
			    i->name);
	}
}

static void check_mode(const struct doctor_facts *f, struct doctor_report *r)
{
	const struct doctor_interface *i;
	struct doctor_finding *x;

	EACH(f, i)
	{
		if (!i->told || !i->exists || i->xdp == VIEW_XDP_NATIVE)
			continue;
		if (i->xdp == VIEW_XDP_NONE) {
			x = doctor_find(r, DOCTOR_ERROR, "interface %s: not attached: %s", i->name,
					i->note);
			doctor_says(x->consequence, "packets that come in there are not balanced");
			doctor_says(x->remedy, "shunt reload");
			continue;
		}
		x = doctor_find(r, DOCTOR_NOTE, "interface %s: XDP runs in generic mode%s%s%s%s",
				i->name, i->driver[0] ? ", driver " : "", i->driver,
				i->note[0] ? ": " : "", i->note);
		doctor_says(x->consequence,
			    "a packet costs several times what it does in native mode");
	}
}

/* Only where nothing of ours runs, which would be the program. */
static void check_program(const struct doctor_facts *f, struct doctor_report *r)
{
	const struct doctor_interface *i;
	struct doctor_finding *x;

	EACH(f, i)
	{
		if (f->daemon || f->host.pinned || !i->program ||
		    (f->conf && f->conf->attach == CONF_ATTACH_SHARED))
			continue;
		x = doctor_find(r, DOCTOR_ERROR,
				"interface %s: another XDP program runs there (number %" PRIu32 ")",
				i->name, i->program);
		doctor_says(x->consequence,
			    "shuntd does not attach beside it; attach: shared may, behind libxdp's "
			    "dispatcher");
		doctor_says(x->remedy, "ip link set dev %s %s off", i->name,
			    i->program_is_generic ? "xdpgeneric" : "xdpdrv");
	}
}

static void check_lro(const struct doctor_facts *f, struct doctor_report *r)
{
	const struct doctor_interface *i;
	struct doctor_finding *x;

	EACH(f, i)
	{
		if (!i->lro)
			continue;
		x = doctor_find(r, DOCTOR_WARNING, "interface %s: large receive offload is on",
				i->name);
		doctor_says(x->consequence, "packets are merged before XDP sees them: native mode "
					    "is refused, or they fit "
					    "no path");
		doctor_says(x->remedy, "ethtool -K %s lro off", i->name);
	}
}

/* Generic mode comes after the merging, native mode before. */
static void check_gro(const struct doctor_facts *f, struct doctor_report *r)
{
	const struct doctor_interface *i;
	struct doctor_finding *x;

	EACH(f, i)
	{
		if (!i->gro || !i->told || i->xdp != VIEW_XDP_GENERIC)
			continue;
		x = doctor_find(
			r, DOCTOR_WARNING,
			"interface %s: receive offload (GRO) is on, with XDP in generic mode",
			i->name);
		doctor_says(
			x->consequence,
			"packets of a transfer are merged before shunt sees them, and are then too "
			"big for the path to a backend");
		doctor_says(x->remedy, "ethtool -K %s gro off", i->name);
	}
}

static void check_checksums(const struct doctor_facts *f, struct doctor_report *r)
{
	const struct doctor_interface *i;
	struct doctor_finding *x;

	EACH(f, i)
	{
		if (!i->peer_lacks_checksums || !any_translates(f))
			continue;
		x = doctor_find(
			r, DOCTOR_WARNING,
			"interface %s: its other end %s leaves checksums to a network card that "
			"there is not",
			i->name, i->peer);
		doctor_says(x->consequence, "translation (nat, masq) makes them wrong for good");
		doctor_says(x->remedy, "ethtool -K %s tx off", i->peer);
	}
}

static void check_tags(const struct doctor_facts *f, struct doctor_report *r)
{
	const struct doctor_interface *i;
	struct doctor_finding *x;

	EACH(f, i)
	{
		if (!i->takes_tags || !i->has_vlans)
			continue;
		x = doctor_find(r, DOCTOR_WARNING,
				"interface %s: has VLAN devices, and its hardware takes tags off",
				i->name);
		doctor_says(x->consequence, "frames of a VLAN may be sent on without their tag");
		doctor_says(x->remedy, "ethtool -K %s rxvlan off", i->name);
	}
}

static void check_queues(const struct doctor_facts *f, struct doctor_report *r)
{
	const struct doctor_interface *i;
	struct doctor_finding *x;

	EACH(f, i)
	{
		uint32_t could = i->rx_queues_max < f->host.cpus ? i->rx_queues_max : f->host.cpus;

		if (!i->rx_queues || i->rx_queues >= could)
			continue;
		x = doctor_find(r, DOCTOR_NOTE,
				"interface %s: %" PRIu32 " receive queue%s, and %" PRIu32 " CPUs",
				i->name, i->rx_queues, i->rx_queues == 1 ? "" : "s", f->host.cpus);
		doctor_says(x->consequence, "only as many CPUs take packets as there are queues");
		doctor_says(x->remedy, "ethtool -L %s %s %" PRIu32, i->name,
			    i->combined ? "combined" : "rx", could);
	}
}

/* With one interface the way back is the way there. */
static void check_rp_filter(const struct doctor_facts *f, struct doctor_report *r)
{
	const struct doctor_interface *i;
	struct doctor_finding *x;

	EACH(f, i)
	{
		if (f->n_interfaces < 2 || i->rp_filter != 1)
			continue;
		x = doctor_find(
			r, DOCTOR_NOTE,
			"interface %s: rp_filter is strict, and there are several interfaces",
			i->name);
		doctor_says(x->consequence, "what is passed to this host, answers to checks too, "
					    "is dropped where the route "
					    "back is another one");
		doctor_says(x->remedy,
			    "sysctl -w net.ipv4.conf.%s.rp_filter=2 net.ipv4.conf.all.rp_filter=2",
			    i->name);
	}
}

const struct doctor_check doctor_interface_checks[] = {
	{"link", check_link},
	{"xdp-mode", check_mode},
	{"other-xdp", check_program},
	{"lro", check_lro},
	{"gro", check_gro},
	{"checksums", check_checksums},
	{"vlan-tags", check_tags},
	{"queues", check_queues},
	{"rp-filter", check_rp_filter},
	{NULL, NULL},
};
