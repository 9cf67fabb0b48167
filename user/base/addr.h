/* SPDX-License-Identifier: BSD-2-Clause */
/* An IPv4 or IPv6 address and its text. */
#ifndef SHUNT_ADDR_H
#define SHUNT_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDR_TEXT_MAX 48 /* INET6_ADDRSTRLEN and a little */

/* All zero is "no address". Two addresses are equal when their bytes are. */
struct addr {
	uint8_t family; /* 4, 6, or 0 for none */
	uint8_t bytes[16]; /* network order; IPv4 in the first four, the rest 0 */
};

/* Reads exactly one address without brackets, port or prefix length from the @len bytes at @text.
 * Returns 0, or -EINVAL with @out untouched. IPv4-mapped IPv6 addresses are refused. */
int addr_parse(const char *text, size_t len, struct addr *out);

/* Writes the address in RFC 5952 form into @out and returns it; "none" for no address. */
const char *addr_format(const struct addr *a, char out[static ADDR_TEXT_MAX]);

/* Writes "1.2.3.4:80" or "[2001:db8::1]:80" (port in host order; 0 is written as "any"). */
#define ADDR_PORT_TEXT_MAX (ADDR_TEXT_MAX + 8)
const char *addr_port_format(const struct addr *a, uint16_t port,
			     char out[static ADDR_PORT_TEXT_MAX]);

/* By family, then by bytes: negative, 0, positive as memcmp. */
int addr_compare(const struct addr *a, const struct addr *b);

static inline bool addr_is_none(const struct addr *a)
{
	return a->family == 0;
}

/* Whether the first @bits of @a are those of @prefix, of the same family. */
bool addr_is_within(const struct addr *a, const struct addr *prefix, uint8_t bits);

/* Makes all but the first @bits 0. */
void addr_clear_beyond(struct addr *a, uint8_t bits);

/* How many bits an address of the family has: 32 or 128. */
static inline uint8_t addr_bits(const struct addr *a)
{
	return a->family == 6 ? 128 : 32;
}

/* Writes "192.0.2.0/24", and without the length when that is the whole address. */
#define ADDR_PREFIX_TEXT_MAX (ADDR_TEXT_MAX + 4)
const char *addr_prefix_format(const struct addr *a, uint8_t bits,
			       char out[static ADDR_PREFIX_TEXT_MAX]);

/* True for what can be neither a VIP nor a backend, nor be sent from to one: unspecified, loopback,
 * multicast, IPv4 broadcast; and IPv6 link-local, which says nothing without a link. */
bool addr_is_unusable(const struct addr *a);

/* Fills @ss with the address and port (host order). Returns the length of the socket address. */
socklen_t addr_to_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *ss);

/* The address in @ss; none if it is neither IPv4 nor IPv6. */
struct addr addr_from_sockaddr(const struct sockaddr_storage *ss);

#endif
