/* SPDX-License-Identifier: BSD-2-Clause */
/* Which interfaces run the packet path, in which mode, and why not in a better one. */
#include "engine/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "io/dp_offload.h"

bool interfaces_has(const struct engine *e, uint32_t ifindex)
{
	size_t i;

	for (i = 0; i < e->n_interfaces; i++)
		if (e->interfaces[i].ifindex == ifindex)
			return ifindex != 0;
	return false;
}

static struct interface *find(const struct engine *e, const char *name)
{
	size_t i;

	for (i = 0; i < e->n_interfaces; i++)
		if (strcmp(e->interfaces[i].conf.name, name) == 0)
			return &e->interfaces[i];
	return NULL;
}

/* One of ours that has gone: it may come back, and backends may change meanwhile. */
static bool is_awaited(const struct engine *e, const char *name)
{
	const struct interface *i = find(e, name);

	return i && i->ifindex == 0;
}

static int no_interface(const struct conf_interface *ci, struct engine_error *err)
{
	snprintf(err->text, sizeof(err->text),
		 "%s:%u:%u: there is no interface \"%s\" on this host; allowed is one that "
		 "`ip link` shows; correct the name or create it first",
		 ci->pos.file, ci->pos.line, ci->pos.column, ci->name);
	return -ENODEV;
}

/* Next hops are on the bond, and frames are sent by it. */
static int port_of_bond(const struct conf_interface *ci, const struct nl_port *port,
			struct engine_error *err)
{
	snprintf(err->text, sizeof(err->text),
		 "%s:%u:%u: interface \"%s\" is a port of the bond \"%s\"; name the bond, whose "
		 "ports "
		 "then all run the program",
		 ci->pos.file, ci->pos.line, ci->pos.column, ci->name, port->bond);
	return -EINVAL;
}

/* Of several interfaces on one port, this one and one before it disagree on the mode. */
static int check_mode(const struct engine *e, const struct conf *conf, size_t at,
		      const struct nl_port *port, struct engine_error *err)
{
	const struct conf_interface *ci = &conf->interfaces[at], *other;
	struct nl_port theirs;

	for (other = conf->interfaces; other < ci; other++) {
		if (other->xdp == ci->xdp || nl_port_of(e->nl, other->name, &theirs) == -ENODEV ||
		    theirs.link.ifindex != port->link.ifindex)
			continue;
		snprintf(err->text, sizeof(err->text),
			 "%s:%u:%u: interfaces \"%s\" and \"%s\" both stand on \"%s\", which runs "
			 "the program in one mode only; give both the same xdp mode",
			 ci->pos.file, ci->pos.line, ci->pos.column, other->name, ci->name,
			 port->link.name);
		return -EINVAL;
	}
	return 0;
}

int interfaces_check(const struct engine *e, const struct conf *conf, struct engine_error *err)
{
	struct nl_port port;
	size_t i;
	int rc = 0;

	for (i = 0; i < conf->n_interfaces && rc == 0; i++) {
		const struct conf_interface *ci = &conf->interfaces[i];

		if (nl_port_of(e->nl, ci->name, &port) == -ENODEV)
			rc = is_awaited(e, ci->name) ? 0 : no_interface(ci, err);
		else if (port.bond[0])
			rc = port_of_bond(ci, &port, err);
		else
			rc = check_mode(e, conf, i, &port, err);
	}
	return rc;
}

static bool on_vlan(const struct interface *i)
{
	return strcmp(i->port, i->conf.name) != 0;
}

/* Looks up what is to run the program: where frames have their tags, below VLAN devices. */
static void resolve(const struct engine *e, struct interface *i)
{
	struct nl_port port;

	i->ifindex = 0;
	i->link_up = false;
	if (nl_port_of(e->nl, i->conf.name, &port) == -ENODEV)
		return;
	i->ifindex = port.link.ifindex;
	i->link_up = port.link.up;
	if (strcmp(i->port, port.link.name) != 0 && strcmp(port.link.name, i->conf.name) != 0)
		log_info(
			"interface %s: a VLAN device: %s below it runs the program, for all of its "
			"frames, tagged or not",
			i->conf.name, port.link.name);
	memcpy(i->port, port.link.name, sizeof(i->port));
}

/* A frame without its tag would be sent on untagged. */
static void tell_tags(const struct engine *e, struct interface *i)
{
	struct nl_port port;

	if (i->told_tags || nl_port_of(e->nl, i->port, &port) || !port.has_vlans ||
	    !dp_offload_takes_tags(i->port))
		return;
	i->told_tags = true;
	log_warning("interface %s: has VLAN devices, and its hardware may take tags off before XDP "
		    "sees "
		    "frames, which then go on untagged; run: ethtool -K %s rxvlan off",
		    i->port, i->port);
}

void interfaces_note(const struct interface *i, char out[static VIEW_NOTE_MAX])
{
	size_t n = 0;

	out[0] = '\0';
	if (on_vlan(i) && i->mode)
		n = (size_t)snprintf(out, VIEW_NOTE_MAX, "runs on %s, below this VLAN device%s",
				     i->port, i->note[0] ? "; " : "");
	snprintf(out + n, VIEW_NOTE_MAX - n, "%s", i->note);
}

struct interface *interfaces_list(const struct engine *e, const struct conf *conf)
{
	struct interface *list = calloc(conf->n_interfaces + 1, sizeof(*list));
	size_t i;

	for (i = 0; list && i < conf->n_interfaces; i++) {
		const struct interface *former = find(e, conf->interfaces[i].name);

		if (former)
			list[i] = *former;
		else
			memcpy(list[i].port, conf->interfaces[i].name, sizeof(list[i].port));
		list[i].conf = conf->interfaces[i];
		resolve(e, &list[i]);
	}
	return list;
}

static int try_mode(struct engine *e, struct interface *i, enum dp_mode mode, struct dp_error *why)
{
	int err = dp_attach(e->dp, i->port, i->ifindex, mode, why);

	i->mode = err ? 0 : mode;
	snprintf(i->note, sizeof(i->note), "%.*s", (int)sizeof(i->note) - 1, err ? why->text : "");
	return err;
}

static int fall_back(struct engine *e, struct interface *i, const struct dp_error *native)
{
	struct dp_error why = {0};
	int err = try_mode(e, i, DP_GENERIC, &why);

	if (err)
		return err;
	snprintf(i->note, sizeof(i->note), "native mode refused: %.*s", (int)sizeof(i->note) - 24,
		 native->text);
	log_warning("interface %s: NATIVE XDP IS NOT POSSIBLE, running in the much slower generic "
		    "mode: %s",
		    i->port, native->text);
	return 0;
}

static void say_not_attached(const struct interface *i)
{
	log_error("interface %s: not attached: %s", i->conf.name, i->note);
}

static bool is_shared_mode(const struct engine *e)
{
	return e->conf->attach == CONF_ATTACH_SHARED;
}

/* Told once: other programs will find the interface taken. */
static void tell_alone(struct engine *e, struct interface *i)
{
	bool alone = is_shared_mode(e) && dp_is_alone(e->dp, i->port);

	if (alone && !i->alone)
		log_warning("interface %s: attach: shared, but this kernel takes no extension "
			    "programs, so there is no dispatcher, and no other program can join",
			    i->port);
	i->alone = alone;
}

static int attach(struct engine *e, struct interface *i)
{
	bool insists = i->conf.xdp != CONF_XDP_AUTO;
	enum dp_mode wanted = i->conf.xdp == CONF_XDP_GENERIC ? DP_GENERIC : DP_NATIVE;
	enum dp_mode had = dp_attached(e->dp, i->port);
	struct dp_error why = {0};
	int err;

	if (!insists && had) /* an earlier daemon's choice stays: changing the mode drops packets */
		wanted = had;
	err = try_mode(e, i, wanted, &why);
	if (err && !insists && err != -EBUSY && wanted == DP_NATIVE)
		err = fall_back(e, i, &why);
	if (!err && !had)
		log_info("interface %s: attached in %s mode%s", i->port,
			 i->mode == DP_NATIVE ? "native" : "generic",
			 is_shared_mode(e) ? ", shared" : "");
	if (!err)
		tell_alone(e, i);
	tell_tags(e, i);
	return err;
}

static bool runs_on(const struct engine *e, const char *port)
{
	size_t i;

	for (i = 0; i < e->n_interfaces; i++)
		if (strcmp(e->interfaces[i].port, port) == 0)
			return true;
	return false;
}

struct leftover {
	const struct engine *e;
	char names[64][16];
	size_t n;
};

static void note_leftover(void *arg, const char *ifname)
{
	struct leftover *l = arg;

	if (!runs_on(l->e, ifname) && l->n < 64)
		snprintf(l->names[l->n++], sizeof(l->names[0]), "%s", ifname);
}

int interfaces_attach(struct engine *e, struct engine_error *err)
{
	struct leftover left = {.e = e};
	int ret = 0;
	size_t i;

	dp_share(e->dp, is_shared_mode(e));
	for (i = 0; i < e->n_interfaces; i++) {
		struct interface *iface = &e->interfaces[i];
		int failed = iface->ifindex ? attach(e, iface) : 0;

		nat_tell_offload(e, iface);
		if (failed && ret) {
			say_not_attached(iface); /* the first one is for the caller to say */
		} else if (failed) {
			ret = failed;
			snprintf(err->text, sizeof(err->text), "%s:%u:%u: interface %s: %s",
				 iface->conf.pos.file, iface->conf.pos.line, iface->conf.pos.column,
				 iface->conf.name, iface->note);
		}
	}
	dp_each_link(e->dp, note_leftover, &left);
	for (i = 0; i < left.n; i++) {
		dp_detach(e->dp, left.names[i]);
		log_info("interface %s: detached, no longer configured", left.names[i]);
	}
	return ret;
}

static void rebuild_all(struct engine *e)
{
	size_t i;

	for (i = 0; i < e->n_services; i++)
		service_touch(e, e->services[i]);
}

/* Another interface's still. */
static bool is_shared(const struct engine *e, const struct interface *one)
{
	size_t i;

	for (i = 0; i < e->n_interfaces; i++)
		if (&e->interfaces[i] != one && e->interfaces[i].ifindex &&
		    strcmp(e->interfaces[i].port, one->port) == 0)
			return true;
	return false;
}

static void lost(struct engine *e, struct interface *i)
{
	log_warning("interface %s: gone; when it is back packets are balanced there again",
		    i->conf.name);
	if (!is_shared(e, i))
		dp_detach(e->dp, i->port);
	i->mode = 0;
	i->told_tags = false;
	snprintf(i->note, sizeof(i->note), "there is no such interface now");
	rebuild_all(e);
}

static void found(struct engine *e, struct interface *i)
{
	if (attach(e, i))
		say_not_attached(i);
	rebuild_all(e);
}

void interfaces_link_event(struct engine *e, const struct nl_link *link, bool gone)
{
	struct interface *i;
	uint32_t had;

	for (i = e->interfaces; i < e->interfaces + e->n_interfaces; i++) {
		if (strcmp(i->conf.name, link->name) != 0 && strcmp(i->port, link->name) != 0)
			continue;
		had = i->ifindex;
		resolve(e, i);
		if (had && !i->ifindex)
			lost(e, i);
		else if (had != i->ifindex)
			found(e, i);
	}
	if (!gone) /* a VLAN device that came to stand on one of them */
		for (i = e->interfaces; i < e->interfaces + e->n_interfaces; i++)
			if (i->ifindex)
				tell_tags(e, i);
}
