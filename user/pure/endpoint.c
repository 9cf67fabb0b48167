/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/endpoint.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const char *parse_protocol(const char *text, struct endpoint *out)
{
	if (strcmp(text, "tcp") == 0)
		out->protocol = IPPROTO_TCP;
	else if (strcmp(text, "udp") == 0)
		out->protocol = IPPROTO_UDP;
	else
		return "the protocol behind the stroke is tcp or udp";
	return NULL;
}

static const char *parse_port(const char *text, struct endpoint *out)
{
	static const char wrong[] = "the port is a number from 1 to 65535";
	unsigned long port;
	char *end;

	if (*text < '0' || *text > '9')
		return wrong;
	port = strtoul(text, &end, 10); /* out of its range it is ULONG_MAX */
	if (port < 1 || port > 65535 || (*end && *end != '/'))
		return wrong;
	out->port = (uint16_t)port;
	return *end ? parse_protocol(end + 1, out) : NULL;
}

const char *endpoint_parse(const char *text, struct endpoint *out)
{
	const char *begin = text, *end;

	*out = (struct endpoint){0};
	if (*text == '[') {
		begin = text + 1;
		end = strchr(begin, ']');
		if (!end || end[1] != ':')
			return "an IPv6 address stands in brackets, and a colon and the port "
			       "follow";
		if (addr_parse(begin, (size_t)(end - begin), &out->addr) || out->addr.family != 6)
			return "what is in brackets is no IPv6 address";
		return parse_port(end + 2, out);
	}
	end = strrchr(text, ':');
	if (!end)
		return "a colon and the port have to follow the address";
	if (memchr(begin, ':', (size_t)(end - begin)))
		return "an IPv6 address stands in brackets, as in [2001:db8::1]:80";
	if (addr_parse(begin, (size_t)(end - begin), &out->addr))
		return "what stands before the colon is no address";
	return parse_port(end + 1, out);
}
