/* SPDX-License-Identifier: BSD-2-Clause */
/* What a backend needs, as commands and as files of systemd-networkd and ifupdown. Names, addresses and
 * interfaces have been read by us and hold nothing that a shell would take for its own. */
#include "main/setup.h"

#include <string.h>

#define TEXTS(s)                                                                                   \
	char vip[ADDR_PREFIX_TEXT_MAX], address[ADDR_TEXT_MAX];                                    \
                                                                                                   \
	addr_prefix_format(&(s)->vip, (s)->vip_bits, vip);                                         \
	addr_format(&(s)->address, address)

static bool is_prefix(const struct setup *s)
{
	return s->vip_bits < addr_bits(&s->vip);
}

static const char *ip_command(const struct setup *s)
{
	return s->vip.family == 6 ? "ip -6" : "ip";
}

/* Whether the packets that arrive have the VIP as their destination, and it is another's to announce. */
static bool needs_vip(const struct setup *s)
{
	return s->forward == SHUNT_DSR || conf_is_tunnel(s->forward);
}

static bool needs_silence(const struct setup *s)
{
	return needs_vip(s) && s->vip.family == 4;
}

/* "10.0.0.2,10.0.0.3" */
static void print_from(FILE *out, const struct setup *s)
{
	char text[ADDR_PREFIX_TEXT_MAX];
	size_t i;

	for (i = 0; i < s->n_from; i++)
		fprintf(out, "%s%s", i ? "," : "",
			addr_prefix_format(&s->from[i].addr, s->from[i].bits, text));
}

/* "shunt decap attach eth0 10.0.0.11 --also --only 10.0.0.2" */
static void print_decap(FILE *out, const struct setup *s, const char *interface)
{
	char address[ADDR_TEXT_MAX];

	fprintf(out, "shunt decap attach %s %s --also", interface,
		addr_format(&s->address, address));
	if (s->n_from)
		fputs(" --only ", out);
	print_from(out, s);
	fputc('\n', out);
}

static void print_title(FILE *out, const struct setup *s)
{
	TEXTS(s);
	fprintf(out, "# %s (%s) as a backend of %s, %s, by %s.\n", s->backend, address, s->service,
		vip, conf_forward_name(s->forward));
}

/* What remains to be said in every form. */
static void print_end(FILE *out, const struct setup *s)
{
	char words[SETUP_WORDS_MAX];

	fprintf(out, "\n# What is missing then says, on that host:\n# shunt setup verify %s\n",
		setup_words(s, words));
}

/* ---- commands ---------------------------------------------------------------------------------*/

static void sh_interface(FILE *out, const struct setup *s)
{
	char address[ADDR_TEXT_MAX];

	addr_format(&s->address, address);
	if (s->interface) {
		fprintf(out, "interface=%s\n", s->interface);
		return;
	}
	fprintf(out,
		"# The interface that has this host's own address, which the tunnel leads to.\n"
		"interface=$(ip -o address show to %s | awk '{ print $2; exit }')\n",
		address);
}

static void sh_vip(FILE *out, const struct setup *s)
{
	TEXTS(s);
	if (is_prefix(s))
		fprintf(out,
			"# All addresses of the service are this host's, for what comes to them.\n"
			"%s route replace local %s dev lo\n",
			ip_command(s), vip);
	else
		fprintf(out,
			"# The service's address is this host's, for what comes to it.\n"
			"%s address replace %s/%u dev lo\n",
			ip_command(s), vip, addr_bits(&s->vip));
	if (needs_silence(s))
		fputs("\n# But it is the balancer's to announce: neither answer ARP for it nor ask "
		      "in its\n"
		      "# name.\n"
		      "sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2\n",
		      out);
}

static void sh_tunnel(FILE *out, const struct setup *s)
{
	fputc('\n', out);
	sh_interface(out, s);
	fputs("\n# Take off the header that the balancer puts in front of each packet; of nobody "
	      "else's.\n"
	      "# Linux has devices that do it too: docs/methods.md.\n",
	      out);
	print_decap(out, s, "\"$interface\"");
}

static void sh_masq(FILE *out, const struct setup *s)
{
	char text[ADDR_TEXT_MAX];

	fputs("# Packets come from the client's address: the way back has to lead through the "
	      "balancer,\n"
	      "# whatever route there is now. Clients on this host's own segment need a route of "
	      "their own.\n",
	      out);
	fprintf(out, "%s route replace default via %s\n", s->address.family == 6 ? "ip -6" : "ip",
		s->n_from ? addr_format(&s->from[0].addr, text) : "BALANCER");
}

static void sh_body(FILE *out, const struct setup *s)
{
	switch (s->forward) {
	case SHUNT_NAT:
		fputs("# Packets come to this host's own address, from one of the balancer's: "
		      "there is\n"
		      "# nothing to do.\n:\n",
		      out);
		break;
	case SHUNT_MASQ:
		sh_masq(out, s);
		break;
	case SHUNT_LOCAL:
		sh_vip(out, s); /* the balancer itself */
		break;
	default:
		sh_vip(out, s);
		if (conf_is_tunnel(s->forward))
			sh_tunnel(out, s);
		break;
	}
}

void setup_print_sh(FILE *out, const struct setup *s, bool alone)
{
	char address[ADDR_TEXT_MAX];

	print_title(out, s);
	addr_format(&s->address, address);
	fprintf(out, "if ip -o address show to %s | grep -q .; then\n\n", address);
	sh_body(out, s);
	if (alone)
		fprintf(out, "\nelse\n  echo '%s is no address of this host' >&2\n  false\n",
			address);
	fputs("\nfi\n", out);
	print_end(out, s);
}

/* Clients may be anywhere: both halves of all addresses, which come before any default route and leave
 * it as it is. */
static const char *half_of_all(const struct setup *s, size_t half)
{
	static const char *const four[] = {"0.0.0.0/1", "128.0.0.0/1"};
	static const char *const six[] = {"::/1", "8000::/1"};

	return s->address.family == 6 ? six[half] : four[half];
}

/* Whom they go through. */
static const char *way_back(const struct setup *s, char out[static ADDR_TEXT_MAX])
{
	return s->n_from ? addr_format(&s->from[0].addr, out) : "BALANCER";
}

/* ---- systemd-networkd -------------------------------------------------------------------------*/

static void file_begin(FILE *out, const char *path)
{
	fprintf(out, "install -D -m 644 /dev/stdin %s <<'END'\n", path);
}

static void silence_file(FILE *out)
{
	fputs("\n# The service's address is the balancer's to announce: neither answer ARP for it "
	      "nor ask in\n"
	      "# its name.\n",
	      out);
	file_begin(out, "/etc/sysctl.d/60-shunt.conf");
	fputs("net.ipv4.conf.all.arp_ignore = 1\n"
	      "net.ipv4.conf.all.arp_announce = 2\n"
	      "END\n"
	      "sysctl -p /etc/sysctl.d/60-shunt.conf\n",
	      out);
}

static void networkd_vip(FILE *out, const struct setup *s)
{
	char path[256];

	TEXTS(s);
	fputs("# The service's address is this host's, on lo. One file matches the interface; each "
	      "service\n"
	      "# has its own beside it.\n",
	      out);
	file_begin(out, "/etc/systemd/network/10-shunt-lo.network");
	fputs("[Match]\nName=lo\nEND\n", out);
	snprintf(path, sizeof(path), "/etc/systemd/network/10-shunt-lo.network.d/%s.conf",
		 s->service);
	file_begin(out, path);
	if (is_prefix(s))
		fprintf(out, "[Route]\nDestination=%s\nType=local\nTable=local\nEND\n", vip);
	else
		fprintf(out, "[Network]\nAddress=%s/%u\nEND\n", vip, addr_bits(&s->vip));
	if (needs_silence(s))
		silence_file(out);
}

static void networkd_tunnel(FILE *out, const struct setup *s)
{
	char path[128];

	fputs("\n# Take off the header that the balancer puts in front of each packet; of nobody "
	      "else's.\n",
	      out);
	snprintf(path, sizeof(path), "/etc/systemd/system/shunt-decap-%s.service", s->service);
	file_begin(out, path);
	fprintf(out,
		"[Unit]\n"
		"Description=Take tunnel headers off packets of service %s\n"
		"BindsTo=sys-subsystem-net-devices-%s.device\n"
		"After=sys-subsystem-net-devices-%s.device\n"
		"\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/env ",
		s->service, s->interface, s->interface);
	print_decap(out, s, s->interface);
	fprintf(out,
		"\n[Install]\nWantedBy=multi-user.target\nEND\n"
		"systemctl daemon-reload\nsystemctl enable --now shunt-decap-%s.service\n",
		s->service);
}

/* Only one .network file holds for an interface, and what is beside that one. */
static void networkd_masq(FILE *out, const struct setup *s)
{
	char text[ADDR_TEXT_MAX];
	size_t half;

	fprintf(out,
		"# The way back to clients leads through the balancer, before any default route, "
		"by a file\n"
		"# beside the .network file of %s.\n"
		"file=$(sed -n 's/^NETWORK_FILE=//p' \"/run/systemd/netif/links/$(cat "
		"/sys/class/net/%s/ifindex)\")\n"
		"install -D -m 644 /dev/stdin \"/etc/systemd/network/$(basename "
		"\"${file:?systemd-networkd has no file for %s}\").d/shunt-%s.conf\" <<'END'\n",
		s->interface, s->interface, s->interface, s->service);
	for (half = 0; half < 2; half++)
		fprintf(out, "[Route]\nDestination=%s\nGateway=%s\n", half_of_all(s, half),
			way_back(s, text));
	fprintf(out, "END\n\nnetworkctl reload\nnetworkctl reconfigure %s\n", s->interface);
}

void setup_print_networkd(FILE *out, const struct setup *s)
{
	print_title(out, s);
	fputs("# For systemd-networkd: files, and commands that put them in force.\n\n", out);
	if (s->forward == SHUNT_NAT)
		fputs("# There is nothing to do.\n", out);
	else if (s->forward == SHUNT_MASQ)
		networkd_masq(out, s);
	else
		networkd_vip(out, s);
	if (conf_is_tunnel(s->forward))
		networkd_tunnel(out, s);
	if (needs_vip(s) || s->forward == SHUNT_LOCAL)
		fputs("\nnetworkctl reload\nnetworkctl reconfigure lo\n", out);
	print_end(out, s);
}

/* ---- ifupdown ---------------------------------------------------------------------------------*/

static void ifupdown_vip(FILE *out, const struct setup *s)
{
	const char *family = s->vip.family == 6 ? "inet6" : "inet";

	TEXTS(s);
	if (is_prefix(s))
		fprintf(out,
			"auto lo\niface lo %s manual\n\tup %s route replace local %s dev lo\n"
			"\tdown %s route del local %s dev lo\n",
			family, ip_command(s), vip, ip_command(s), vip);
	else
		fprintf(out, "auto lo\niface lo %s static\n\taddress %s/%u\n", family, vip,
			addr_bits(&s->vip));
}

static void ifupdown_masq(FILE *out, const struct setup *s)
{
	const char *ip = s->address.family == 6 ? "ip -6" : "ip";
	char path[256], text[ADDR_TEXT_MAX];
	size_t half;

	fputs("# The way back to clients leads through the balancer, before any default route.\n",
	      out);
	snprintf(path, sizeof(path), "/etc/network/interfaces.d/shunt-%s", s->service);
	file_begin(out, path);
	fprintf(out, "auto %s\niface %s %s manual\n", s->interface, s->interface,
		s->address.family == 6 ? "inet6" : "inet");
	for (half = 0; half < 2; half++)
		fprintf(out,
			"\tup %s route replace %s via %s\n\tdown %s route del %s via %s || true\n",
			ip, half_of_all(s, half), way_back(s, text), ip, half_of_all(s, half),
			way_back(s, text));
	fprintf(out, "END\n\nifup --force %s\n", s->interface);
}

void setup_print_ifupdown(FILE *out, const struct setup *s)
{
	char path[256];

	print_title(out, s);
	fputs("# For ifupdown: what it does for these interfaces beside what it does already.\n",
	      out);
	if (s->forward == SHUNT_NAT) {
		fputs("# There is nothing to do.\n", out);
	} else if (s->forward == SHUNT_MASQ) {
		ifupdown_masq(out, s);
	} else {
		snprintf(path, sizeof(path), "/etc/network/interfaces.d/shunt-%s", s->service);
		file_begin(out, path);
		ifupdown_vip(out, s);
		if (conf_is_tunnel(s->forward)) {
			fprintf(out, "\nauto %s\niface %s inet manual\n\tup ", s->interface,
				s->interface);
			print_decap(out, s, s->interface);
			fprintf(out, "\tdown shunt decap detach %s || true\n", s->interface);
		}
		fputs("END\n", out);
		if (needs_silence(s))
			silence_file(out);
		fputs("\nifup --force lo", out);
		fprintf(out, "%s%s\n", conf_is_tunnel(s->forward) ? " " : "",
			conf_is_tunnel(s->forward) ? s->interface : "");
	}
	print_end(out, s);
}
