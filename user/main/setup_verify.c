/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether this host is the backend that a setup describes. Each look is a line: what holds, or what is
 * missing and the command that mends it. */
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "io/host.h"
#include "io/own_address.h"
#include "main/decap_path.h"
#include "main/json.h"
#include "main/setup.h"

#ifndef ARPHRD_IP6GRE
#define ARPHRD_IP6GRE 823 /* linux/if_arp.h, which does not go with net/if.h */
#endif

#define CHECKS_MAX 12

struct finding {
	const char *name;
	bool ok;
	char text[192], fix[320];
};

struct look {
	const struct setup *s;
	char vip[ADDR_PREFIX_TEXT_MAX], address[ADDR_TEXT_MAX];
	char interface[IF_NAMESIZE]; /* that has the address; empty: none */
	char holder[IF_NAMESIZE]; /* that has the VIP; empty: none, or a route has it */
	struct finding findings[CHECKS_MAX];
	size_t n;
};

__attribute__((format(printf, 4, 5))) static struct finding *found(struct look *l, const char *name,
								   bool ok, const char *format, ...)
{
	struct finding *f = &l->findings[l->n < CHECKS_MAX ? l->n++ : CHECKS_MAX - 1];
	va_list args;

	*f = (struct finding){.name = name, .ok = ok};
	va_start(args, format);
	vsnprintf(f->text, sizeof(f->text), format, args);
	va_end(args);
	return f;
}

__attribute__((format(printf, 2, 3))) static void mend(struct finding *f, const char *format, ...)
{
	va_list args;

	if (f->ok)
		return;
	va_start(args, format);
	vsnprintf(f->fix, sizeof(f->fix), format, args);
	va_end(args);
}

/* ---- addresses --------------------------------------------------------------------------------*/

/* Fills @out with the interface that has the address @a. */
static void find_holder(const struct addr *a, char out[static IF_NAMESIZE])
{
	struct ifaddrs *all = NULL, *i;

	if (getifaddrs(&all) < 0)
		return;
	for (i = all; i; i = i->ifa_next) {
		struct sockaddr_storage ss = {0};
		struct addr has;

		if (!i->ifa_addr ||
		    (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
			continue;
		memcpy(&ss, i->ifa_addr,
		       i->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
							 : sizeof(struct sockaddr_in6));
		has = addr_from_sockaddr(&ss);
		if (addr_compare(&has, a) == 0)
			snprintf(out, IF_NAMESIZE, "%s", i->ifa_name);
	}
	freeifaddrs(all);
}

static void look_at_address(struct look *l)
{
	const bool ok = own_address_is(&l->s->address);

	find_holder(&l->s->address, l->interface);
	if (ok)
		found(l, "address", true, "%s is this host's own address%s%s", l->address,
		      l->interface[0] ? ", on " : "", l->interface);
	else
		mend(found(l, "address", false, "%s is no address of this host", l->address),
		     "run this on %s%s%s", l->s->backend, l->s->backend[0] ? ", which has " : "",
		     l->address);
}

static void look_at_vip(struct look *l)
{
	const bool prefix = l->s->vip_bits < addr_bits(&l->s->vip);
	const char *ip = l->s->vip.family == 6 ? "ip -6" : "ip";
	struct finding *f;

	find_holder(&l->s->vip, l->holder);
	if (own_address_is(&l->s->vip)) {
		found(l, "vip", true, "%s is delivered here%s%s", l->vip,
		      l->holder[0] ? ", on " : "", l->holder);
		return;
	}
	f = found(l, "vip", false, "%s is no address of this host: it drops what is for it",
		  l->vip);
	if (prefix)
		mend(f, "%s route replace local %s dev lo", ip, l->vip);
	else
		mend(f, "%s address replace %s/%d dev lo", ip, l->vip, addr_bits(&l->s->vip));
}

/* On another interface it is announced there, whatever arp_ignore says. */
static void look_at_holder(struct look *l)
{
	struct finding *f;

	if (!l->holder[0] || l->s->forward == SHUNT_LOCAL)
		return;
	f = found(l, "silent", strcmp(l->holder, "lo") == 0 || strncmp(l->holder, "dummy", 5) == 0,
		  "%s is on %s", l->vip, l->holder);
	if (f->ok)
		return;
	snprintf(f->text, sizeof(f->text),
		 "%s is on %s, where this host announces it, as the balancer does", l->vip,
		 l->holder);
	mend(f, "ip address del %s/%d dev %s; ip address replace %s/%d dev lo", l->vip,
	     addr_bits(&l->s->vip), l->holder, l->vip, addr_bits(&l->s->vip));
}

/* ---- settings of the kernel -------------------------------------------------------------------*/

/* A number of net.ipv4.conf; -1: it cannot be read. */
static int setting(const char *interface, const char *name)
{
	char path[128], text[16] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/%s", interface, name);
	f = fopen(path, "re");
	if (!f)
		return -1;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	return text[0] ? atoi(text) : -1;
}

/* The kernel takes the greater one of all's and the interface's. */
static int in_force(const struct look *l, const char *name)
{
	const int all = setting("all", name),
		  own = l->interface[0] ? setting(l->interface, name) : -1;

	return all > own ? all : own;
}

static void look_at_arp(struct look *l)
{
	const int ignore = in_force(l, "arp_ignore"), announce = in_force(l, "arp_announce");

	mend(found(l, "arp_ignore", ignore >= 1, "arp_ignore is %d: %s", ignore,
		   ignore >= 1 ? "no ARP answers for addresses on lo"
			       : "this host answers ARP for the service's address"),
	     "sysctl -w net.ipv4.conf.all.arp_ignore=1");
	mend(found(l, "arp_announce", announce >= 2, "arp_announce is %d: %s", announce,
		   announce >= 2 ? "no ARP questions in the name of addresses on lo"
				 : "this host may ask in the name of the service's address, which "
				   "misleads its neighbours"),
	     "sysctl -w net.ipv4.conf.all.arp_announce=2");
}

/* ---- tunnels ----------------------------------------------------------------------------------*/

/* A number of /sys/class/net, decimal or with 0x; 0: it cannot be read. */
static unsigned long of_device(const char *interface, const char *name)
{
	char path[96], text[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/net/%.15s/%s", interface, name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	return strtoul(text, NULL, 0);
}

static bool takes_off(enum shunt_forward forward, unsigned long type)
{
	if (forward == SHUNT_GRE)
		return type == ARPHRD_IPGRE || type == ARPHRD_IP6GRE;
	return type == ARPHRD_TUNNEL || type == ARPHRD_TUNNEL6 || type == ARPHRD_SIT;
}

/* A device of the kernel that takes the method's header off and is up; false: none. */
static bool find_device(const struct setup *s, char name[static IF_NAMESIZE])
{
	struct if_nameindex *all = if_nameindex(), *i;
	bool is_found = false;

	for (i = all; i && i->if_index && !is_found; i++) {
		is_found = takes_off(s->forward, of_device(i->if_name, "type")) &&
			   (of_device(i->if_name, "flags") & IFF_UP);
		if (is_found)
			snprintf(name, IF_NAMESIZE, "%s", i->if_name);
	}
	if_freenameindex(all);
	return is_found;
}

struct decap {
	bool attached, has_address, limited;
	char lacks
		[ADDR_PREFIX_TEXT_MAX]; /* of who sends tunnels, one that is not let in; empty: none */
};

/* "  only from 10.0.0.2, 10.0.0.3" */
static void read_only_line(const struct look *l, const char *line, struct decap *d)
{
	char text[ADDR_PREFIX_TEXT_MAX];
	size_t i;

	d->limited = true;
	for (i = 0; i < l->s->n_from; i++) {
		const char *at;
		size_t n;

		addr_prefix_format(&l->s->from[i].addr, l->s->from[i].bits, text);
		n = strlen(text);
		for (at = strstr(line, text); at; at = strstr(at + 1, text))
			if (at[-1] == ' ' && (at[n] == ',' || at[n] == '\0' || at[n] == '\n'))
				break;
		if (!at)
			snprintf(d->lacks, sizeof(d->lacks), "%s", text);
	}
}

/* What shunt-decap says of the interface. */
static void ask_decap(const struct look *l, struct decap *d)
{
	char command[2 * DECAP_PATH_MAX], want[ADDR_TEXT_MAX + 4], *line = NULL;
	char path[DECAP_PATH_MAX];
	size_t room = 0;
	FILE *out;

	if (!decap_path(path) || !l->interface[0])
		return;
	snprintf(command, sizeof(command), "'%s' status '%s' 2>/dev/null", path, l->interface);
	snprintf(want, sizeof(want), "  %s\n", l->address);
	out = popen(command, "re");
	while (out && getline(&line, &room, out) > 0) {
		d->attached = true;
		d->has_address |= strcmp(line, want) == 0;
		if (strncmp(line, "  only from ", 12) == 0)
			read_only_line(l, line, d);
	}
	free(line);
	if (out)
		pclose(out);
}

static void mend_decap(const struct look *l, struct finding *f)
{
	char text[ADDR_PREFIX_TEXT_MAX];
	int n = snprintf(f->fix, sizeof(f->fix), "shunt decap attach %s %s",
			 l->interface[0] ? l->interface : "INTERFACE", l->address);
	size_t i;

	for (i = 0; i < l->s->n_from && n < (int)sizeof(f->fix) - ADDR_PREFIX_TEXT_MAX; i++)
		n += snprintf(f->fix + n, sizeof(f->fix) - (size_t)n, "%s%s", i ? "," : " --only ",
			      addr_prefix_format(&l->s->from[i].addr, l->s->from[i].bits, text));
}

static void look_at_device(struct look *l, const char *device)
{
	const int all = setting("all", "rp_filter"), own = setting(device, "rp_filter");
	const int strict = (all > own ? all : own) == 1;

	found(l, "decap", true, "%s takes %s headers off", device,
	      conf_forward_name(l->s->forward));
	mend(found(l, "rp_filter", !strict, "rp_filter of %s is %s", device,
		   strict ? "strict: it drops what comes out of the tunnel" : "not strict"),
	     "sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.%s.rp_filter=0", device);
}

static void look_at_tunnel(struct look *l)
{
	const char *method = conf_forward_name(l->s->forward);
	char device[IF_NAMESIZE];
	struct decap d = {0};

	ask_decap(l, &d);
	if (d.attached && d.has_address && !d.lacks[0]) {
		found(l, "decap", true, "%s headers to %s are taken off on %s%s", method,
		      l->address, l->interface, d.limited ? "" : ", from anybody");
		return;
	}
	if (!d.attached && find_device(l->s, device)) {
		look_at_device(l, device);
		return;
	}
	if (d.has_address)
		mend_decap(l, found(l, "decap", false, "tunnels from %s are not let in", d.lacks));
	else
		mend_decap(l, found(l, "decap", false, "nobody takes %s headers off%s", method,
				    geteuid() == 0 ? "" : ", as far as can be seen without root"));
}

/* ---- the way back -------------------------------------------------------------------------------*/

/* Whether @gateway is one of those that tunnels or translated packets come from. */
static bool is_from(const struct setup *s, const struct addr *gateway)
{
	size_t i;

	for (i = 0; i < s->n_from; i++)
		if (addr_is_within(gateway, &s->from[i].addr, s->from[i].bits))
			return true;
	return s->n_from == 0 && !addr_is_none(gateway);
}

/* Of clients that may be anywhere: one in each half of the addresses there are. What a route of its own
 * leads to is not seen. */
static void look_at_way_back(struct look *l)
{
	static const char *const clients[2][2] = {{"1.0.0.1", "192.0.2.1"},
						  {"2001:db8::1", "2001:db8::1"}};
	const bool six = l->s->address.family == 6;
	char gateway[ADDR_TEXT_MAX], from[ADDR_TEXT_MAX] = "BALANCER";
	struct host_net *net = host_net_open();
	struct host_route route = {0};
	bool ok = net;
	size_t i;

	for (i = 0; ok && i < 2; i++) {
		struct addr client;

		(void)addr_parse(clients[six][i], strlen(clients[six][i]), &client);
		host_route(net, &client, &route);
		ok = is_from(l->s, &route.gateway);
	}
	host_net_close(net);
	if (l->s->n_from)
		addr_format(&l->s->from[0].addr, from);
	mend(found(l, "way-back", ok, "the way back to clients leads through %s%s",
		   addr_is_none(&route.gateway) ? "nobody" : addr_format(&route.gateway, gateway),
		   ok ? "" : ", and not through the balancer"),
	     "%s route replace default via %s", six ? "ip -6" : "ip", from);
}

/* ---- the service ------------------------------------------------------------------------------*/

static void look_at_server(struct look *l)
{
	const bool translated = conf_translates(l->s->forward);
	const struct addr *a = translated ? &l->s->address : &l->s->vip;
	int served;

	if (!l->s->port || (!translated && l->s->vip_bits < addr_bits(a)) || !own_address_is(a))
		return;
	served = own_address_is_served(a, l->s->protocol, l->s->port);
	if (served < 0)
		return; /* a port that only root may try */
	mend(found(l, "server", served, "%s at %s port %u", served ? "a server is" : "no server is",
		   translated ? l->address : l->vip, l->s->port),
	     "start the server, on every address or this one, %s",
	     conf_protocol_name(l->s->protocol));
}

static void look_around(struct look *l)
{
	const struct setup *s = l->s;

	look_at_address(l);
	if (!conf_translates(s->forward)) {
		look_at_vip(l);
		look_at_holder(l);
	}
	if ((s->forward == SHUNT_DSR || conf_is_tunnel(s->forward)) && s->vip.family == 4)
		look_at_arp(l);
	if (conf_is_tunnel(s->forward))
		look_at_tunnel(l);
	if (s->forward == SHUNT_MASQ)
		look_at_way_back(l);
	look_at_server(l);
}

/* ---- saying it --------------------------------------------------------------------------------*/

static void print_json(const struct cli *cli, const struct look *l, bool ok)
{
	struct json j;
	size_t i;

	json_open(&j, cli->out, false);
	json_text_or_null(&j, "service", l->s->service);
	json_text_or_null(&j, "backend", l->s->backend);
	json_bool(&j, "ok", ok);
	json_list(&j, "checks");
	for (i = 0; i < l->n; i++) {
		json_object(&j, NULL);
		json_text(&j, "name", l->findings[i].name);
		json_bool(&j, "ok", l->findings[i].ok);
		json_text(&j, "text", l->findings[i].text);
		json_text_or_null(&j, "fix", l->findings[i].fix);
		json_object_end(&j);
	}
	json_list_end(&j);
	json_close(&j);
}

static void print_text(const struct cli *cli, const struct look *l, size_t missing)
{
	const char *plain = cli->colour ? "\033[0m" : "";
	size_t i;

	for (i = 0; i < l->n; i++) {
		const struct finding *f = &l->findings[i];
		const char *colour = !cli->colour ? "" : f->ok ? "\033[32m" : "\033[31m";

		fprintf(cli->out, "%s%s%s  %s\n", colour, f->ok ? "ok     " : "missing", plain,
			f->text);
		if (f->fix[0])
			fprintf(cli->out, "           %s\n", f->fix);
	}
	if (missing)
		fprintf(cli->out, "\n%zu missing; what is under each line mends it\n", missing);
}

enum cli_exit setup_verify(const struct cli *cli, const struct setup *s)
{
	struct look l = {.s = s};
	size_t i, missing = 0;

	addr_format(&s->address, l.address);
	addr_prefix_format(&s->vip, s->vip_bits, l.vip);
	look_around(&l);
	for (i = 0; i < l.n; i++)
		missing += !l.findings[i].ok;
	if (cli->json)
		print_json(cli, &l, missing == 0);
	else
		print_text(cli, &l, missing);
	return missing ? CLI_FAILED : CLI_DONE;
}
