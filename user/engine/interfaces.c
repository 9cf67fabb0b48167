/* SPDX-License-Identifier: BSD-2-Clause */
/* Which interfaces run the packet path, in which mode, and why not in a better one. */
#include "engine/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"

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

int interfaces_check(const struct engine *e, const struct conf *conf, struct engine_error *err)
{
	struct nl_link link;
	size_t i;

	for (i = 0; i < conf->n_interfaces; i++) {
		const struct conf_interface *ci = &conf->interfaces[i];

		if (nl_link_by_name(e->nl, ci->name, &link) == 0 || is_awaited(e, ci->name))
			continue;
		snprintf(err->text, sizeof(err->text),
			 "%s:%u:%u: there is no interface \"%s\" on this host; allowed is one that "
			 "`ip link` shows; correct the name or create it first",
			 ci->pos.file, ci->pos.line, ci->pos.column, ci->name);
		return -ENODEV;
	}
	return 0;
}

struct interface *interfaces_list(const struct engine *e, const struct conf *conf)
{
	struct interface *list = calloc(conf->n_interfaces + 1, sizeof(*list));
	struct nl_link link;
	size_t i;

	for (i = 0; list && i < conf->n_interfaces; i++) {
		const struct interface *former = find(e, conf->interfaces[i].name);

		if (former)
			list[i] = *former;
		list[i].conf = conf->interfaces[i];
		list[i].ifindex = 0;
		if (nl_link_by_name(e->nl, list[i].conf.name, &link) == 0) {
			list[i].ifindex = link.ifindex;
			list[i].link_up = link.up;
		}
	}
	return list;
}

static int try_mode(struct engine *e, struct interface *i, enum dp_mode mode, struct dp_error *why)
{
	int err = dp_attach(e->dp, i->conf.name, i->ifindex, mode, why);

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
		    i->conf.name, native->text);
	return 0;
}

static void say_not_attached(const struct interface *i)
{
	log_error("interface %s: not attached: %s", i->conf.name, i->note);
}

static int attach(struct engine *e, struct interface *i)
{
	bool insists = i->conf.xdp != CONF_XDP_AUTO;
	enum dp_mode wanted = i->conf.xdp == CONF_XDP_GENERIC ? DP_GENERIC : DP_NATIVE;
	enum dp_mode had = dp_attached(e->dp, i->conf.name);
	struct dp_error why = {0};
	int err;

	if (!insists && had) /* an earlier daemon's choice stays: changing the mode drops packets */
		wanted = had;
	err = try_mode(e, i, wanted, &why);
	if (err && !insists && err != -EBUSY && wanted == DP_NATIVE)
		err = fall_back(e, i, &why);
	if (!err && !had)
		log_info("interface %s: attached in %s mode", i->conf.name,
			 i->mode == DP_NATIVE ? "native" : "generic");
	return err;
}

struct leftover {
	const struct engine *e;
	char names[64][16];
	size_t n;
};

static void note_leftover(void *arg, const char *ifname)
{
	struct leftover *l = arg;

	if (!find(l->e, ifname) && l->n < 64)
		snprintf(l->names[l->n++], sizeof(l->names[0]), "%s", ifname);
}

int interfaces_attach(struct engine *e, struct engine_error *err)
{
	struct leftover left = {.e = e};
	int ret = 0;
	size_t i;

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

void interfaces_link_event(struct engine *e, const struct nl_link *link, bool gone)
{
	struct interface *i = find(e, link->name);

	if (!i)
		return;
	i->link_up = link->up && !gone;
	if (gone) {
		log_warning("interface %s: gone", link->name);
		dp_detach(e->dp, link->name);
		i->ifindex = 0;
		i->mode = 0;
		snprintf(i->note, sizeof(i->note), "there is no such interface now");
		rebuild_all(e);
	} else if (i->ifindex != link->ifindex) {
		i->ifindex = link->ifindex;
		if (attach(e, i))
			say_not_attached(i);
		rebuild_all(e);
	}
}
