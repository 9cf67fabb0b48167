/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/dissect.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define VLAN_TAGS 2
#define EXT_HEADERS 8
#define GUE_PORT 6080

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* ---- the outermost IP packet ------------------------------------------------------------------*/

struct reader {
	const uint8_t *at;
	size_t left;
};

static const uint8_t *take(struct reader *r, size_t n)
{
	const uint8_t *at = r->at;

	if (r->left < n)
		return NULL;
	r->at += n;
	r->left -= n;
	return at;
}

static struct addr address(const uint8_t *at, uint8_t family)
{
	struct addr a = {.family = family};

	memcpy(a.bytes, at, family == 6 ? 16 : 4);
	return a;
}

/* Leaves the reader behind the header and its options. */
static bool read_ip4(struct reader *r, struct dissect *d)
{
	const uint8_t *h = take(r, 20);
	size_t options = h ? (size_t)(h[0] & 15) * 4 : 0;

	if (!h || options < 20 || !take(r, options - 20))
		return false;
	d->source = address(h + 12, 4);
	d->destination = address(h + 16, 4);
	d->protocol = get16(h + 6) & 0x1fff ? IPPROTO_FRAGMENT : h[9];
	d->l3_len = get16(h + 2);
	return d->is_ip = true;
}

static bool is_extension(uint8_t protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING ||
	       protocol == IPPROTO_DSTOPTS || protocol == IPPROTO_FRAGMENT;
}

static bool read_ip6(struct reader *r, struct dissect *d)
{
	const uint8_t *h = take(r, 40);
	int i;

	if (!h)
		return false;
	d->source = address(h + 8, 6);
	d->destination = address(h + 24, 6);
	d->protocol = h[6];
	d->l3_len = 40u + get16(h + 4);
	d->is_ip = true;
	for (i = 0; i < EXT_HEADERS && is_extension(d->protocol); i++) {
		h = take(r, 8);
		if (!h)
			return true;
		if (d->protocol == IPPROTO_FRAGMENT && get16(h + 2) & 0xfff8)
			return true;
		if (d->protocol != IPPROTO_FRAGMENT && !take(r, h[1] * 8u))
			return true;
		d->protocol = h[0];
	}
	return true;
}

static bool read_ip(struct reader *r, struct dissect *d)
{
	uint8_t version = r->left ? r->at[0] >> 4 : 0;

	*d = (struct dissect){0};
	return version == 4 ? read_ip4(r, d) : version == 6 && read_ip6(r, d);
}

static void read_ports(struct reader *r, struct dissect *d)
{
	const uint8_t *h = take(r, d->protocol == IPPROTO_TCP ? 20 : 8);

	if (!h)
		return;
	d->has_ports = true;
	d->source_port = get16(h);
	d->destination_port = get16(h + 2);
	if (d->protocol == IPPROTO_TCP)
		d->tcp_flags = h[13];
}

/* Leaves the reader behind layer 2; the type of what follows, 0: the frame ends before. */
static uint16_t read_ethernet(struct reader *r, uint16_t tags[static VLAN_TAGS], size_t *n_tags)
{
	const uint8_t *h = take(r, ETH_HLEN);
	uint16_t type = h ? get16(h + 12) : 0;

	*n_tags = 0;
	while ((type == ETH_P_8021Q || type == ETH_P_8021AD) && *n_tags < VLAN_TAGS) {
		h = take(r, 4);
		if (!h)
			return 0;
		tags[(*n_tags)++] = get16(h) & 0xfff;
		type = get16(h + 2);
	}
	return type;
}

void dissect_frame(const uint8_t *frame, size_t len, struct dissect *out)
{
	struct reader r = {frame, len};
	uint16_t tags[VLAN_TAGS], type;
	size_t n, at;

	*out = (struct dissect){0};
	type = read_ethernet(&r, tags, &n);
	at = len - r.left;
	if ((type != ETH_P_IP && type != ETH_P_IPV6) || !read_ip(&r, out))
		return;
	out->ip_at = at;
	if (out->protocol == IPPROTO_TCP || out->protocol == IPPROTO_UDP)
		read_ports(&r, out);
}

/* ---- in words ---------------------------------------------------------------------------------*/

struct words {
	char *out;
	size_t size, used;
};

static void say(struct words *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct words *w, const char *format, ...)
{
	va_list args;
	int n;

	if (w->used >= w->size)
		return;
	va_start(args, format);
	n = vsnprintf(w->out + w->used, w->size - w->used, format, args);
	va_end(args);
	if (n > 0)
		w->used += (size_t)n;
}

/* "SYN", "SYN ACK", "none". */
#define DISSECT_FLAGS_MAX 32
static const char *dissect_flags(uint8_t tcp_flags, char out[static DISSECT_FLAGS_MAX])
{
	static const char *const names[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG"};
	struct words w = {out, DISSECT_FLAGS_MAX, 0};
	size_t i;

	for (i = 0; i < 6; i++)
		if (tcp_flags >> i & 1)
			say(&w, "%s%s", w.used ? " " : "", names[i]);
	if (!w.used)
		say(&w, "none");
	return out;
}

static const char *protocol_name(uint8_t protocol, char out[static 16])
{
	static const struct {
		uint8_t number;
		const char *name;
	} known[] = {
		{IPPROTO_TCP, "TCP"},	{IPPROTO_UDP, "UDP"},		{IPPROTO_ICMP, "ICMP"},
		{IPPROTO_GRE, "GRE"},	{IPPROTO_ICMPV6, "ICMPv6"},	{IPPROTO_IPIP, "IPv4"},
		{IPPROTO_IPV6, "IPv6"}, {IPPROTO_FRAGMENT, "fragment"},
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].number == protocol)
			return known[i].name;
	snprintf(out, 16, "protocol %u", protocol);
	return out;
}

const char *dissect_line(const struct dissect *d, char out[static DISSECT_LINE_MAX])
{
	char from[ADDR_PORT_TEXT_MAX], to[ADDR_PORT_TEXT_MAX], flags[DISSECT_FLAGS_MAX], number[16];
	struct words w = {out, DISSECT_LINE_MAX, 0};

	if (!d->is_ip) {
		say(&w, "not IP");
		return out;
	}
	say(&w, "%s", protocol_name(d->protocol, number));
	if (d->has_ports && d->protocol == IPPROTO_TCP)
		say(&w, " %s", dissect_flags(d->tcp_flags, flags));
	if (d->has_ports)
		say(&w, " %s > %s", addr_port_format(&d->source, d->source_port, from),
		    addr_port_format(&d->destination, d->destination_port, to));
	else
		say(&w, " %s > %s", addr_format(&d->source, from),
		    addr_format(&d->destination, to));
	return out;
}

static void say_mac(struct words *w, const uint8_t *m)
{
	say(w, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

/* What follows a header of @protocol: whether that is an IP packet again. */
static bool say_carried(struct words *w, struct reader *r, struct dissect *d)
{
	char flags[DISSECT_FLAGS_MAX], number[16];

	if (d->protocol == IPPROTO_IPIP || d->protocol == IPPROTO_IPV6)
		return true;
	if (d->protocol == IPPROTO_GRE) {
		say(w, ", GRE");
		return take(r, 4) != NULL;
	}
	if (d->protocol != IPPROTO_TCP && d->protocol != IPPROTO_UDP) {
		say(w, ", %s", protocol_name(d->protocol, number));
		return false;
	}
	read_ports(r, d);
	if (!d->has_ports)
		return false;
	if (d->protocol == IPPROTO_UDP && d->destination_port == GUE_PORT && r->left > 4 &&
	    (r->at[1] == IPPROTO_IPIP || r->at[1] == IPPROTO_IPV6)) {
		say(w, ", GUE %u > %u", d->source_port, d->destination_port);
		return take(r, 4) != NULL;
	}
	say(w, ", %s %u > %u", protocol_name(d->protocol, number), d->source_port,
	    d->destination_port);
	if (d->protocol == IPPROTO_TCP)
		say(w, " %s", dissect_flags(d->tcp_flags, flags));
	return false;
}

const char *dissect_words(const uint8_t *frame, size_t len, char out[static DISSECT_WORDS_MAX])
{
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];
	struct words w = {out, DISSECT_WORDS_MAX, 0};
	struct reader r = {frame, len};
	uint16_t tags[VLAN_TAGS], type;
	struct dissect d;
	size_t n, i;
	int depth;

	out[0] = '\0';
	type = read_ethernet(&r, tags, &n);
	if (len < ETH_HLEN)
		return out;
	say_mac(&w, frame + 6);
	say(&w, " > ");
	say_mac(&w, frame);
	for (i = 0; i < n; i++)
		say(&w, ", VLAN %u", tags[i]);
	if (type != ETH_P_IP && type != ETH_P_IPV6) {
		say(&w, ", type 0x%04x", type);
		return out;
	}
	for (depth = 0; depth < 3 && read_ip(&r, &d); depth++) {
		say(&w, ", IPv%u %s > %s", d.source.family, addr_format(&d.source, from),
		    addr_format(&d.destination, to));
		if (!say_carried(&w, &r, &d))
			break;
	}
	return out;
}
