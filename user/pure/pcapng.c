/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/pcapng.h"

#include <string.h>

#define SECTION 0x0a0d0d0au
#define INTERFACE 1u
#define PACKET 6u
#define BYTE_ORDER 0x1a2b3c4du
#define ETHERNET 1u

#define COMMENT 1u /* options; and of interfaces: */
#define IF_NAME 2u
#define IF_DESCRIPTION 3u
#define USER_APPLICATION 4u /* of a section */

struct block {
	uint8_t *out;
	size_t n;
};

static void put32(struct block *b, uint32_t v)
{
	memcpy(b->out + b->n, &v, sizeof(v));
	b->n += sizeof(v);
}

static void put_padded(struct block *b, const void *data, size_t len)
{
	memcpy(b->out + b->n, data, len);
	memset(b->out + b->n + len, 0, 3);
	b->n += (len + 3) & ~(size_t)3;
}

static struct block begin(uint8_t *out, uint32_t type)
{
	struct block b = {out, 0};

	put32(&b, type);
	put32(&b, 0); /* the length, when it is known */
	return b;
}

static void option(struct block *b, uint32_t code, const char *text)
{
	size_t len = strnlen(text, 255);

	if (!len)
		return;
	put32(b, code | (uint32_t)len << 16); /* two numbers of 16 bits */
	put_padded(b, text, len);
}

static size_t end(struct block *b)
{
	uint32_t len;

	put32(b, 0); /* no more options */
	len = (uint32_t)b->n + 4;
	put32(b, len);
	memcpy(b->out + 4, &len, sizeof(len));
	return b->n;
}

size_t pcapng_begin(const char *application, uint8_t out[static PCAPNG_MAX])
{
	struct block b = begin(out, SECTION);

	put32(&b, BYTE_ORDER);
	put32(&b, 1); /* version 1.0 */
	put32(&b, UINT32_MAX); /* the section's length is not known */
	put32(&b, UINT32_MAX);
	option(&b, USER_APPLICATION, application);
	return end(&b);
}

size_t pcapng_interface(const char *name, const char *description, uint8_t out[static PCAPNG_MAX])
{
	struct block b = begin(out, INTERFACE);

	put32(&b, ETHERNET);
	put32(&b, 0); /* frames are not cut at any length */
	option(&b, IF_NAME, name);
	option(&b, IF_DESCRIPTION, description);
	return end(&b);
}

size_t pcapng_packet(const struct pcapng_packet *p, uint8_t out[static PCAPNG_MAX])
{
	const uint32_t have = p->have < PCAPNG_FRAME_MAX ? p->have : PCAPNG_FRAME_MAX;
	struct block b = begin(out, PACKET);

	put32(&b, p->interface);
	put32(&b, (uint32_t)(p->time_us >> 32));
	put32(&b, (uint32_t)p->time_us);
	put32(&b, have);
	put32(&b, p->len);
	put_padded(&b, p->frame, have);
	option(&b, COMMENT, p->comment);
	return end(&b);
}
