/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

int addr_parse(const char *text, size_t len, struct addr *out)
{
	char copy[ADDR_TEXT_MAX];
	struct addr a = {0};

	if (len == 0 || len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (strlen(copy) != len)
		return -EINVAL;

	if (inet_pton(AF_INET, copy, a.bytes) == 1)
		a.family = 4;
	else if (inet_pton(AF_INET6, copy, a.bytes) == 1)
		a.family = 6;
	else
		return -EINVAL;
	if (a.family == 6 && memcmp(a.bytes, mapped_prefix, sizeof(mapped_prefix)) == 0)
		return -EINVAL;
	*out = a;
	return 0;
}

const char *addr_format(const struct addr *a, char out[static ADDR_TEXT_MAX])
{
	int af = a->family == 6 ? AF_INET6 : AF_INET;

	if (addr_is_none(a) || !inet_ntop(af, a->bytes, out, ADDR_TEXT_MAX))
		snprintf(out, ADDR_TEXT_MAX, "none");
	return out;
}

const char *addr_port_format(const struct addr *a, uint16_t port,
			     char out[static ADDR_PORT_TEXT_MAX])
{
	char text[ADDR_TEXT_MAX], port_text[8] = "any";
	const char *form = a->family == 6 ? "[%s]:%s" : "%s:%s";

	if (port)
		snprintf(port_text, sizeof(port_text), "%u", port);
	snprintf(out, ADDR_PORT_TEXT_MAX, form, addr_format(a, text), port_text);
	return out;
}

int addr_compare(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool addr_is_within(const struct addr *a, const struct addr *prefix, uint8_t bits)
{
	size_t whole = bits / 8, rest = bits % 8;

	if (a->family != prefix->family || memcmp(a->bytes, prefix->bytes, whole) != 0)
		return false;
	return rest == 0 || (a->bytes[whole] ^ prefix->bytes[whole]) >> (8 - rest) == 0;
}

void addr_clear_beyond(struct addr *a, uint8_t bits)
{
	unsigned int i;

	for (i = bits; i < addr_bits(a); i++)
		a->bytes[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
}

const char *addr_prefix_format(const struct addr *a, uint8_t bits,
			       char out[static ADDR_PREFIX_TEXT_MAX])
{
	size_t len = strlen(addr_format(a, out));

	if (bits < addr_bits(a))
		snprintf(out + len, ADDR_PREFIX_TEXT_MAX - len, "/%u", bits);
	return out;
}

bool addr_is_unusable(const struct addr *a)
{
	static const uint8_t zero[16];

	if (memcmp(a->bytes, zero, sizeof(zero)) == 0)
		return true;
	if (a->family == 4)
		return a->bytes[0] == 0 || a->bytes[0] == 127 || a->bytes[0] >= 224;
	if (memcmp(a->bytes, zero, 15) == 0 && a->bytes[15] == 1)
		return true;
	return a->bytes[0] == 0xff || (a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80);
}

socklen_t addr_to_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *ss)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	if (a->family == 4) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, a->bytes, 4);
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, a->bytes, 16);
	return sizeof(*in6);
}

struct addr addr_from_sockaddr(const struct sockaddr_storage *ss)
{
	struct addr a = {0};

	if (ss->ss_family == AF_INET) {
		a.family = 4;
		memcpy(a.bytes, &((const struct sockaddr_in *)ss)->sin_addr, 4);
	} else if (ss->ss_family == AF_INET6) {
		a.family = 6;
		memcpy(a.bytes, &((const struct sockaddr_in6 *)ss)->sin6_addr, 16);
	}
	return a;
}
