/* SPDX-License-Identifier: BSD-2-Clause */
/* A setup as words, and back. */
#include "main/setup.h"

#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>

void setup_add_from(struct setup *s, const struct addr *addr, uint8_t bits)
{
	size_t i;

	for (i = 0; i < s->n_from; i++)
		if (addr_compare(&s->from[i].addr, addr) == 0 && s->from[i].bits == bits)
			return;
	if (s->n_from < SETUP_FROM_MAX)
		s->from[s->n_from++] = (struct setup_prefix){*addr, bits};
}

const char *setup_words(const struct setup *s, char out[static SETUP_WORDS_MAX])
{
	char vip[ADDR_PREFIX_TEXT_MAX], address[ADDR_TEXT_MAX], from[ADDR_PREFIX_TEXT_MAX];
	size_t i;
	int n = snprintf(out, SETUP_WORDS_MAX,
			 "service=%s backend=%s forward=%s vip=%s protocol=%s port=%u address=%s",
			 s->service, s->backend, conf_forward_name(s->forward),
			 addr_prefix_format(&s->vip, s->vip_bits, vip),
			 conf_protocol_name(s->protocol), s->port,
			 addr_format(&s->address, address));

	for (i = 0; i < s->n_from && n < SETUP_WORDS_MAX - ADDR_PREFIX_TEXT_MAX - 8; i++)
		n += snprintf(out + n, (size_t)(SETUP_WORDS_MAX - n), "%s%s", i ? "," : " from=",
			      addr_prefix_format(&s->from[i].addr, s->from[i].bits, from));
	return out;
}

/* "10.0.0.2", "2001:db8::/64" */
static bool read_prefix(const char *text, size_t len, struct addr *addr, uint8_t *bits)
{
	const char *slash = memchr(text, '/', len);
	char *end = NULL;
	unsigned long n;

	if (addr_parse(text, slash ? (size_t)(slash - text) : len, addr))
		return false;
	*bits = addr_bits(addr);
	if (!slash)
		return true;
	n = strtoul(slash + 1, &end, 10);
	if (end != text + len || end == slash + 1 || n < 1 || n > *bits)
		return false;
	*bits = (uint8_t)n;
	return true;
}

static bool read_from(struct setup *s, const char *text)
{
	struct addr addr;
	uint8_t bits;

	for (; *text; text += text[strcspn(text, ",")] ? strcspn(text, ",") + 1 : strlen(text)) {
		if (!read_prefix(text, strcspn(text, ","), &addr, &bits))
			return false;
		setup_add_from(s, &addr, bits);
	}
	return s->n_from > 0;
}

static bool read_forward(struct setup *s, const char *text)
{
	int f;

	for (f = 0; f < SHUNT_FORWARD_MAX; f++) {
		if (strcmp(conf_forward_name((enum shunt_forward)f), text) != 0)
			continue;
		s->forward = (enum shunt_forward)f;
		return true;
	}
	return false;
}

static bool read_protocol(struct setup *s, const char *text)
{
	s->protocol = strcmp(text, "udp") == 0 ? IPPROTO_UDP : IPPROTO_TCP;
	return s->protocol == IPPROTO_UDP || strcmp(text, "tcp") == 0;
}

static bool read_port(struct setup *s, const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	s->port = (uint16_t)n;
	return *text && !*end && n <= 65535;
}

static bool read_name(char out[static SHUNT_NAME_MAX], const char *text)
{
	return *text && snprintf(out, SHUNT_NAME_MAX, "%s", text) < SHUNT_NAME_MAX;
}

static bool read_service(struct setup *s, const char *text)
{
	return read_name(s->service, text);
}

static bool read_backend(struct setup *s, const char *text)
{
	return read_name(s->backend, text);
}

static bool read_address(struct setup *s, const char *text)
{
	return addr_parse(text, strlen(text), &s->address) == 0;
}

static bool read_vip(struct setup *s, const char *text)
{
	return read_prefix(text, strlen(text), &s->vip, &s->vip_bits);
}

bool setup_read_word(struct setup *s, const char *word)
{
	static const struct {
		const char *name;
		bool (*read)(struct setup *s, const char *text);
	} words[] = {
		{"service", read_service}, {"backend", read_backend},	{"forward", read_forward},
		{"vip", read_vip},	   {"protocol", read_protocol}, {"port", read_port},
		{"address", read_address}, {"from", read_from},
	};
	const char *value = strchr(word, '=');
	size_t i;

	for (i = 0; value && i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].name) == (size_t)(value - word) &&
		    strncmp(words[i].name, word, (size_t)(value - word)) == 0)
			return words[i].read(s, value + 1);
	return false;
}

const char *setup_lacks(const struct setup *s)
{
	if (addr_is_none(&s->vip))
		return "vip";
	if (addr_is_none(&s->address))
		return "address";
	return NULL;
}
