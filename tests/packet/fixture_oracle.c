/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads frames by offsets, with every length in hand, as the packet path cannot. */
#include "fixture_oracle.h"

#include <netinet/in.h>
#include <stdbool.h>

#include "fixture_frame.h"

#define EXT_HEADERS 6

static bool is_tag(uint16_t type)
{
	return type == 0x8100 || type == 0x88a8;
}

static enum shunt_verdict read_ipv4(const uint8_t *ip, size_t len, struct sound *s, size_t *l4_len)
{
	size_t header_len, total;

	if (len < 20)
		return SHUNT_DROP_TRUNCATED;
	header_len = 4 * (size_t)(ip[0] % 16);
	total = get16(ip + 2);
	if (ip[0] / 16 != 4 || header_len < 20)
		return SHUNT_DROP_BAD_IP;
	if (header_len > len)
		return SHUNT_DROP_TRUNCATED;
	if (total < header_len || total > len)
		return SHUNT_DROP_BAD_IP;
	if (get16(ip + 6) & 0x3fff)
		return SHUNT_PASS_FRAGMENT;
	s->family = 4;
	s->proto = ip[9];
	s->l3_len = total;
	s->l4 = s->l3 + header_len;
	*l4_len = total - header_len;
	return SHUNT_GO_ON;
}

static bool is_followed(uint8_t proto)
{
	return proto == 0 || proto == 43 || proto == 60 || proto == 51 || proto == 135;
}

static enum shunt_verdict read_ipv6(const uint8_t *ip, size_t len, struct sound *s, size_t *l4_len)
{
	size_t at = 40, end, ext;
	int followed = 0;

	if (len < 40)
		return SHUNT_DROP_TRUNCATED;
	end = 40u + get16(ip + 4);
	if (ip[0] / 16 != 6 || end > len)
		return SHUNT_DROP_BAD_IP;
	for (s->proto = ip[6]; is_followed(s->proto); s->proto = ip[at], at += ext) {
		if (followed++ == EXT_HEADERS)
			return SHUNT_PASS_EXT_HEADERS;
		if (end - at < 8)
			return SHUNT_DROP_BAD_IP;
		ext = s->proto == IPPROTO_AH ? 4u * (ip[at + 1] + 2u) : 8u * (ip[at + 1] + 1u);
		if (ext < 8 || ext > end - at)
			return SHUNT_DROP_BAD_IP;
	}
	if (s->proto == 44)
		return SHUNT_PASS_FRAGMENT;
	s->family = 6;
	s->l3_len = end;
	s->l4 = s->l3 + at;
	*l4_len = end - at;
	return SHUNT_GO_ON;
}

static bool tcp_is_sound(const uint8_t *tcp, size_t len)
{
	return len >= 20 && tcp[12] / 16 >= 5 && 4u * (tcp[12] / 16) <= len;
}

static bool udp_is_sound(const uint8_t *udp, size_t len)
{
	return len >= 8 && get16(udp + 4) >= 8 && get16(udp + 4) <= len;
}

enum shunt_verdict oracle_parse(const uint8_t *frame, size_t len, struct sound *out)
{
	uint16_t type = get16(frame + 12);
	enum shunt_verdict verdict;
	size_t l4_len;

	out->l3 = 14;
	for (int tags = 0; tags < 2 && is_tag(type); tags++) {
		out->l3 += 4;
		if (len < out->l3)
			return SHUNT_DROP_TRUNCATED;
		type = get16(frame + out->l3 - 2);
	}
	if (type == 0x0800)
		verdict = read_ipv4(frame + out->l3, len - out->l3, out, &l4_len);
	else if (type == 0x86dd)
		verdict = read_ipv6(frame + out->l3, len - out->l3, out, &l4_len);
	else
		return SHUNT_PASS_NOT_IP;
	if (verdict != SHUNT_GO_ON)
		return verdict;
	if (out->proto == (out->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return SHUNT_PASS_ICMP;
	if (out->proto == IPPROTO_TCP)
		return tcp_is_sound(frame + out->l4, l4_len) ? SHUNT_GO_ON : SHUNT_DROP_BAD_L4;
	if (out->proto == IPPROTO_UDP)
		return udp_is_sound(frame + out->l4, l4_len) ? SHUNT_GO_ON : SHUNT_DROP_BAD_L4;
	return SHUNT_PASS_NOT_TCP_UDP;
}
