/* SPDX-License-Identifier: BSD-2-Clause */
#include "main/doctor_gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "io/conf_file.h"
#include "io/ctl_client.h"
#include "io/dp_offload.h"
#include "io/host.h"
#include "io/stats_client.h"
#include "main/plan_print.h"
#include "pure/conf_parse.h"

#define USUAL_FILE "/etc/shunt/shunt.yaml"

/* What the daemon said, besides what is among the facts. */
struct told {
	struct view_interface *interfaces;
	struct view_service *services;
	struct view_backend *backends;
	size_t n_interfaces, n_services, n_backends;
};

static void told_fini(struct told *t)
{
	free(t->interfaces);
	free(t->services);
	free(t->backends);
}

/* ---- the daemon ---------------------------------------------------------------------------------*/

static void ask_daemon(const struct cli *cli, struct doctor_facts *f, struct told *t)
{
	struct stats_client *c = NULL;
	struct client_error e;
	int err = stats_client_open(cli->run_dir, cli->instance, &c, &e);

	f->forbidden = err == -EACCES || err == -EPERM;
	if (err == 0 && stats_client_status(c, &f->status, &e) == 0 &&
	    stats_client_interfaces(c, &t->interfaces, &t->n_interfaces, &e) == 0 &&
	    stats_client_services(c, NULL, &t->services, &t->n_services, &e) == 0 &&
	    stats_client_backends(c, NULL, &t->backends, &t->n_backends, &e) == 0 &&
	    stats_client_verdicts(c, &f->verdicts, &f->n_verdicts, &e) == 0)
		f->daemon = true;
	else
		snprintf(f->daemon_error, sizeof(f->daemon_error), "%.*s",
			 (int)strcspn(e.text, "\n"), e.text);
	stats_client_close(c);
}

/* Whether a reload of the file would change something. */
static bool file_differs(const struct cli *cli, const char *file)
{
	struct ctl_command command = {.verb = CTL_MAKE_PLAN};
	struct stats_client *c = NULL;
	struct plan_rows rows = {0};
	struct ctl_reply r = {0};
	struct client_error e;
	bool differs;

	if (*file != '/' || strlen(file) >= sizeof(command.file))
		return false;
	strcpy(command.file, file);
	if (ctl_client_call(cli->run_dir, cli->instance, &command, &r, &e) < 0 || r.status < 0)
		return false;
	differs = stats_client_open(cli->run_dir, cli->instance, &c, &e) == 0 &&
		  stats_client_plan(c, &rows.list, &rows.n, &e) == 0 && plan_has_changes(&rows);
	stats_client_close(c);
	free(rows.list);
	return differs;
}

static void find_config(const struct cli *cli, const char *file, struct doctor_facts *f)
{
	struct conf_error why = {""};
	struct conf *conf = NULL;

	snprintf(f->instance, sizeof(f->instance), "%s", cli->instance);
	if (!file && f->forbidden && access(USUAL_FILE, R_OK) < 0)
		return; /* nobody says which one it has */
	if (!file)
		file = f->daemon ? f->status.config_file : USUAL_FILE;
	snprintf(f->file, sizeof(f->file), "%s", file);
	if (conf_parse(file, conf_read_file, NULL, &conf, &why) < 0)
		snprintf(f->file_error, sizeof(f->file_error), "%s", why.text);
	else if (f->daemon)
		f->file_differs = file_differs(cli, file);
	f->conf = conf;
	if (conf)
		snprintf(f->instance, sizeof(f->instance), "%s", conf->instance);
}

/* ---- interfaces ---------------------------------------------------------------------------------*/

static void look_at_interface(struct host_net *net, const struct told *t,
			      struct doctor_interface *i)
{
	struct dp_offload_peer peer;
	size_t k;

	if (net)
		host_interface(net, i);
	i->peer_lacks_checksums = dp_offload_ask(i->name, &peer) == DP_OFFLOAD_YES;
	memcpy(i->peer, peer.ifname, sizeof(i->peer));
	for (k = 0; k < t->n_interfaces; k++) {
		const struct view_interface *v = &t->interfaces[k];

		if (strcmp(v->name, i->name) != 0)
			continue;
		i->told = true;
		i->xdp = v->xdp;
		memcpy(i->note, v->note, sizeof(i->note));
	}
}

/* Those of the file, or without one those that the daemon has. */
static int gather_interfaces(struct host_net *net, const struct told *t, struct doctor_facts *f)
{
	const size_t n = f->conf ? f->conf->n_interfaces : t->n_interfaces;
	size_t i;

	f->interfaces = calloc(n + 1, sizeof(*f->interfaces));
	if (!f->interfaces)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		const char *name = f->conf ? f->conf->interfaces[i].name : t->interfaces[i].name;

		snprintf(f->interfaces[i].name, sizeof(f->interfaces[i].name), "%s", name);
		look_at_interface(net, t, &f->interfaces[i]);
	}
	f->n_interfaces = n;
	return 0;
}

/* ---- services -----------------------------------------------------------------------------------*/

static void look_at_service(struct host_net *net, const struct told *t, struct doctor_service *s)
{
	struct host_route route = {0};
	size_t i;

	if (net)
		host_route(net, &s->vip, &route);
	s->on_host = route.local;
	s->on_link = route.found && route.on_link && !route.local;
	memcpy(s->link, route.link, sizeof(s->link));
	for (i = 0; i < t->n_services; i++) {
		if (strcmp(t->services[i].name, s->name) != 0)
			continue;
		s->backends = t->services[i].backends;
		s->usable = t->services[i].usable;
		s->panicking = t->services[i].panicking;
		s->failing_open = t->services[i].failing_open;
	}
}

static void from_conf(const struct conf_service *c, struct doctor_service *s)
{
	size_t i;

	memcpy(s->name, c->name, sizeof(s->name));
	s->vip = c->vip;
	s->vip_bits = c->vip_bits;
	s->translates = conf_service_translates(c);
	s->backends = (uint32_t)c->n_backends;
	for (i = 0; i < c->n_backends; i++) {
		s->local |= c->backends[i].forward == SHUNT_LOCAL;
		s->masquerades |= c->backends[i].forward == SHUNT_MASQ;
	}
}

/* Those of the file that are in force, or all where no daemon runs. */
static int gather_services(struct host_net *net, const struct told *t, struct doctor_facts *f)
{
	const struct conf_service *c = f->conf ? f->conf->services : NULL;
	size_t n = f->conf ? f->conf->n_services : 0, i, k;

	f->services = calloc(n + 1, sizeof(*f->services));
	if (!f->services)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		for (k = 0; k < t->n_services && strcmp(t->services[k].name, c[i].name) != 0; k++)
			;
		if (f->daemon && k == t->n_services)
			continue; /* not in force yet */
		from_conf(&c[i], &f->services[f->n_services]);
		look_at_service(net, t, &f->services[f->n_services++]);
	}
	return 0;
}

/* ---- backends -----------------------------------------------------------------------------------*/

static bool is_ours(const struct doctor_facts *f, const char *link)
{
	size_t i;

	for (i = 0; i < f->n_interfaces; i++)
		if (strcmp(f->interfaces[i].name, link) == 0)
			return true;
	return false;
}

/* What a daemon would find, as far as routes say it. */
static enum view_nexthop judge(const struct doctor_facts *f, const struct doctor_backend *b,
			       const struct host_route *route)
{
	if (b->forward == SHUNT_LOCAL)
		return VIEW_NH_NOT_NEEDED;
	if (!route->found)
		return VIEW_NH_NO_ROUTE;
	if (route->local)
		return VIEW_NH_IS_LOCAL;
	if (!is_ours(f, route->link))
		return VIEW_NH_OTHER_INTERFACE;
	if (b->forward == SHUNT_DSR && !route->on_link)
		return VIEW_NH_ROUTER;
	return VIEW_NH_RESOLVED;
}

static void look_at_way(struct host_net *net, const struct doctor_facts *f,
			struct doctor_backend *b)
{
	struct host_route route = {0};

	if (!net)
		return;
	host_route(net, &b->addr, &route);
	b->path_mtu = route.mtu;
	if (!b->egress[0])
		memcpy(b->egress, route.link, sizeof(b->egress));
	if (!f->daemon)
		b->nexthop = judge(f, b, &route);
}

static int add_configured(struct host_net *net, struct doctor_facts *f)
{
	size_t n = 0, i, k;

	for (i = 0; f->conf && i < f->conf->n_services; i++)
		n += f->conf->services[i].n_backends;
	f->backends = calloc(n + 1, sizeof(*f->backends));
	if (!f->backends)
		return -ENOMEM;
	for (i = 0; f->conf && i < f->conf->n_services; i++) {
		const struct conf_service *s = &f->conf->services[i];

		for (k = 0; k < s->n_backends; k++) {
			struct doctor_backend *b = &f->backends[f->n_backends++];

			memcpy(b->service, s->name, sizeof(b->service));
			memcpy(b->name, s->backends[k].name, sizeof(b->name));
			b->addr = s->backends[k].addr;
			b->vip = s->vip;
			b->forward = s->backends[k].forward;
			look_at_way(net, f, b);
		}
	}
	return 0;
}

static struct addr vip_of(const struct doctor_facts *f, const char *service)
{
	const struct conf_service *s = f->conf ? conf_find_service(f->conf, service) : NULL;

	return s ? s->vip : (struct addr){0};
}

static int add_told(struct host_net *net, const struct told *t, struct doctor_facts *f)
{
	size_t i;

	f->backends = calloc(t->n_backends + 1, sizeof(*f->backends));
	if (!f->backends)
		return -ENOMEM;
	for (i = 0; i < t->n_backends; i++) {
		const struct view_backend *v = &t->backends[i];
		struct doctor_backend *b = &f->backends[f->n_backends];

		if (v->leaving)
			continue;
		f->n_backends++;
		memcpy(b->service, v->service, sizeof(b->service));
		memcpy(b->name, v->name, sizeof(b->name));
		b->addr = v->addr;
		b->vip = vip_of(f, v->service);
		b->forward = v->forward;
		b->nexthop = v->nexthop;
		memcpy(b->egress, v->egress, sizeof(b->egress));
		memcpy(b->mac, v->mac, sizeof(b->mac));
		b->health = v->health;
		snprintf(b->reason, sizeof(b->reason), "%s", v->reason);
		b->by_hand = v->admin != VIEW_ADMIN_ENABLED;
		look_at_way(net, f, b);
	}
	return 0;
}

/* ---- the whole ----------------------------------------------------------------------------------*/

static void ask_holders(struct doctor_facts *f)
{
	auto_free const char **links = calloc(f->n_interfaces + 1, sizeof(*links));
	size_t i, n = 0;

	for (i = 0; links && i < f->n_interfaces; i++)
		if (f->interfaces[i].exists && f->interfaces[i].up)
			links[n++] = f->interfaces[i].name;
	if (n)
		host_ask_holders(links, n, f->services, f->n_services);
}

int doctor_gather(const struct cli *cli, const char *file, struct doctor_facts *out)
{
	struct host_net *net = host_net_open();
	struct told t = {0};
	int err;

	*out = (struct doctor_facts){0};
	ask_daemon(cli, out, &t);
	find_config(cli, file, out);
	host_look(out->instance, out->daemon ? out->status.pid : 0, &out->host);
	err = gather_interfaces(net, &t, out);
	if (!err)
		err = gather_services(net, &t, out);
	if (!err)
		err = out->daemon ? add_told(net, &t, out) : add_configured(net, out);
	if (!err)
		ask_holders(out);
	told_fini(&t);
	host_net_close(net);
	return err;
}

void doctor_facts_fini(struct doctor_facts *f)
{
	conf_free((struct conf *)f->conf);
	free(f->interfaces);
	free(f->services);
	free(f->backends);
	free(f->verdicts);
	*f = (struct doctor_facts){0};
}
