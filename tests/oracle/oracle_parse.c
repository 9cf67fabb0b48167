/* SPDX-License-Identifier: BSD-2-Clause */
/* The first stage: reads frames by offsets, with every length in hand, as the packet path cannot. */
#include "oracle.h"

#include <string.h>

#define ETHERNET_LEN 14
#define TAG_LEN 4
#define TAGS_FOLLOWED 2
#define EXT_HEADERS_FOLLOWED 6

/* IEEE 802.1Q, and the EtherTypes of the Internet protocols */
enum { TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd, TYPE_TAG = 0x8100, TYPE_OUTER_TAG = 0x88a8 };

/* IANA's protocol numbers */
enum {
	PROTO_HOP_BY_HOP = 0,
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_AUTHENTICATION = 51,
	PROTO_ICMPV6 = 58,
	PROTO_DESTINATION_OPTIONS = 60,
	PROTO_MOBILITY = 135,
};

/* The extension headers that are followed, and the unit that their length counts beyond @first
 * bytes: RFC 8200 section 4.3, RFC 6275 section 6.1.1, RFC 4302 section 2.2. */
static const struct ext_kind {
	uint8_t proto;
	size_t first, unit;
} ext_kinds[] = {
	{PROTO_HOP_BY_HOP, 8, 8},     {PROTO_ROUTING, 8, 8},  {PROTO_DESTINATION_OPTIONS, 8, 8},
	{PROTO_AUTHENTICATION, 8, 4}, {PROTO_MOBILITY, 8, 8},
};

static uint16_t be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static const struct ext_kind *ext_kind(uint8_t proto)
{
	for (size_t i = 0; i < sizeof(ext_kinds) / sizeof(*ext_kinds); i++)
		if (ext_kinds[i].proto == proto)
			return &ext_kinds[i];
	return NULL;
}

/* Tags come first: sets @type to that of what is behind them, and where it is. */
static enum shunt_verdict parse_ethernet(const uint8_t *frame, size_t len, struct oracle_parsed *p,
					 uint16_t *type)
{
	p->l3 = ETHERNET_LEN;
	for (int tags = 0;; tags++) {
		*type = be16(frame + p->l3 - 2);
		if (tags == TAGS_FOLLOWED || (*type != TYPE_TAG && *type != TYPE_OUTER_TAG))
			return SHUNT_GO_ON;
		if (len < p->l3 + TAG_LEN)
			return SHUNT_DROP_TRUNCATED;
		p->l3 += TAG_LEN;
	}
}

/* RFC 791 section 3.1.  @len bytes are there from @ip on. */
static enum shunt_verdict parse_ipv4(const uint8_t *ip, size_t len, struct oracle_parsed *p)
{
	size_t header_len, total_len;

	if (len < 20)
		return SHUNT_DROP_TRUNCATED;
	header_len = 4 * (size_t)(ip[0] % 16);
	total_len = be16(ip + 2);
	if (ip[0] / 16 != 4 || header_len < 20)
		return SHUNT_DROP_BAD_IP;
	if (len < header_len)
		return SHUNT_DROP_TRUNCATED;
	if (total_len < header_len || total_len > len)
		return SHUNT_DROP_BAD_IP;
	p->family = 4;
	p->tos = ip[1];
	p->ttl = ip[8];
	p->proto = ip[9];
	memcpy(p->src, ip + 12, 4);
	memcpy(p->dst, ip + 16, 4);
	p->l3_len = total_len;
	p->l4 = p->l3 + header_len;
	/* not the reserved bit, not "don't fragment": "more fragments" and the offset */
	return be16(ip + 6) & 0x3fff ? SHUNT_PASS_FRAGMENT : SHUNT_GO_ON;
}

bool oracle_is_ext(uint8_t proto)
{
	return ext_kind(proto) != NULL;
}

enum shunt_verdict oracle_parse_chain(const uint8_t *bytes, size_t at, size_t end,
				      struct oracle_parsed *p)
{
	const struct ext_kind *kind;
	size_t ext_len;

	for (int followed = 0;; followed++) {
		p->l4 = at;
		if (p->proto == PROTO_FRAGMENT)
			return SHUNT_PASS_FRAGMENT;
		kind = ext_kind(p->proto);
		if (!kind)
			return SHUNT_GO_ON;
		if (followed == EXT_HEADERS_FOLLOWED)
			return SHUNT_PASS_EXT_HEADERS;
		if (end - at < 8)
			return SHUNT_DROP_BAD_IP;
		ext_len = kind->first + kind->unit * bytes[at + 1];
		if (ext_len > end - at)
			return SHUNT_DROP_BAD_IP;
		p->proto = bytes[at];
		at += ext_len;
	}
}

/* RFC 8200 section 3; no jumbograms. */
static enum shunt_verdict parse_ipv6(const uint8_t *frame, size_t frame_len,
				     struct oracle_parsed *p)
{
	const uint8_t *ip = frame + p->l3;
	size_t len = frame_len - p->l3;
	size_t total_len;

	if (len < 40)
		return SHUNT_DROP_TRUNCATED;
	total_len = 40 + (size_t)be16(ip + 4);
	if (ip[0] / 16 != 6 || total_len > len)
		return SHUNT_DROP_BAD_IP;
	p->family = 6;
	p->tos = (uint8_t)(ip[0] % 16 * 16 + ip[1] / 16);
	p->proto = ip[6];
	p->ttl = ip[7];
	memcpy(p->src, ip + 8, 16);
	memcpy(p->dst, ip + 24, 16);
	p->l3_len = total_len;
	return oracle_parse_chain(frame, p->l3 + 40, p->l3 + total_len, p);
}

/* RFC 9293 section 3.1.  The packet carries @len bytes from @tcp on. */
static enum shunt_verdict parse_tcp(const uint8_t *tcp, size_t len, struct oracle_parsed *p)
{
	size_t header_len;

	if (len < 20)
		return SHUNT_DROP_BAD_L4;
	header_len = 4 * (size_t)(tcp[12] / 16);
	if (header_len < 20 || header_len > len)
		return SHUNT_DROP_BAD_L4;
	p->sport = be16(tcp);
	p->dport = be16(tcp + 2);
	p->is_syn = (tcp[13] & 0x12) == 0x02;
	return SHUNT_GO_ON;
}

/* RFC 768; a length below what IP carries is legal (RFC 9868). */
static enum shunt_verdict parse_udp(const uint8_t *udp, size_t len, struct oracle_parsed *p)
{
	if (len < 8 || be16(udp + 4) < 8 || be16(udp + 4) > len)
		return SHUNT_DROP_BAD_L4;
	p->sport = be16(udp);
	p->dport = be16(udp + 2);
	p->is_syn = false;
	return SHUNT_GO_ON;
}

enum shunt_verdict oracle_parse_ports(const uint8_t *l4, size_t len, struct oracle_parsed *p)
{
	return p->proto == PROTO_TCP ? parse_tcp(l4, len, p) : parse_udp(l4, len, p);
}

enum shunt_verdict oracle_parse(const uint8_t *frame, size_t len, struct oracle_parsed *out)
{
	enum shunt_verdict verdict;
	size_t l4_len;
	uint16_t type;

	memset(out, 0, sizeof(*out));
	verdict = parse_ethernet(frame, len, out, &type);
	if (verdict != SHUNT_GO_ON)
		return verdict;
	if (type == TYPE_IPV4)
		verdict = parse_ipv4(frame + out->l3, len - out->l3, out);
	else if (type == TYPE_IPV6)
		verdict = parse_ipv6(frame, len, out);
	else
		verdict = SHUNT_PASS_NOT_IP;
	if (verdict != SHUNT_GO_ON)
		return verdict;
	l4_len = out->l3 + out->l3_len - out->l4;
	if (out->proto == PROTO_TCP || out->proto == PROTO_UDP) {
		verdict = oracle_parse_ports(frame + out->l4, l4_len, out);
		out->is_whole = verdict == SHUNT_GO_ON;
		return verdict;
	}
	if (out->proto == (out->family == 4 ? PROTO_ICMP : PROTO_ICMPV6))
		return SHUNT_PASS_ICMP;
	return SHUNT_PASS_NOT_TCP_UDP;
}
