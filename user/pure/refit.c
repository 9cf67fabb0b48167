/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/refit.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include "pure/dissect.h"

#define SHORT_L3 1500

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void put16(uint8_t *at, size_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

/* ---- layer 2 ----------------------------------------------------------------------------------*/

/* How long it is, and where in it the type of what follows is; -1: nowhere. False: it is not known. */
static bool layer2(int link, size_t *len, int *type_at)
{
	*type_at = -1;
	*len = 0;
	switch (link) {
	case REFIT_RAW:
	case REFIT_RAW4:
	case REFIT_RAW6:
	case 12: /* what Linux and BSD call raw in files of their own */
	case 14:
		return true;
	case REFIT_SLL:
		*len = 16;
		*type_at = 14;
		return true;
	case REFIT_SLL2:
		*len = 20;
		*type_at = 0;
		return true;
	default:
		return link == REFIT_ETHERNET;
	}
}

bool refit_knows(int link)
{
	size_t len;
	int at;

	return layer2(link, &len, &at);
}

static uint16_t type_of(const uint8_t *data, size_t len, int at)
{
	if (at >= 0)
		return get16(data + at);
	return len && data[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP;
}

/* ---- lengths ----------------------------------------------------------------------------------*/

static void fix_ip4_sum(uint8_t *ip)
{
	uint32_t sum = 0;
	size_t i, n = (size_t)(ip[0] & 15) * 4;

	put16(ip + 10, 0);
	for (i = 0; i + 1 < n; i += 2)
		sum += get16(ip + i);
	sum = (sum & 0xffff) + (sum >> 16);
	put16(ip + 10, ~((sum & 0xffff) + (sum >> 16)) & 0xffff);
}

/* Has the headers say that the packet has SHORT_L3 bytes. */
static void shorten(struct refit *out, const struct dissect *d)
{
	uint8_t *ip = out->frame + d->ip_at;
	size_t header = (size_t)(ip[0] & 15) * 4;

	out->len = d->ip_at + SHORT_L3;
	out->shortened = true;
	if (d->source.family == 6) {
		header = 40;
		put16(ip + 4, SHORT_L3 - header);
	} else {
		put16(ip + 2, SHORT_L3);
		fix_ip4_sum(ip);
	}
	if (d->protocol == IPPROTO_UDP && d->has_ports &&
	    (d->source.family != 6 || ip[6] == IPPROTO_UDP))
		put16(ip + header + 4, SHORT_L3 - header);
}

bool refit_packet(int link, const uint8_t *data, size_t have, size_t len, struct refit *out)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	struct dissect d;
	size_t skip, front = link == REFIT_ETHERNET ? 0 : ETH_HLEN, room;
	int type_at;

	memset(out, 0, sizeof(*out));
	if (!layer2(link, &skip, &type_at) || have < skip + 1 || len < have)
		return false;
	if (front) {
		memcpy(out->frame, macs, sizeof(macs));
		put16(out->frame + 12, type_of(data, have, type_at));
	}
	room = sizeof(out->frame) - front;
	memcpy(out->frame + front, data + skip, have - skip < room ? have - skip : room);
	out->len = front + len - skip;
	out->padded = have < len;
	dissect_frame(out->frame, out->len < sizeof(out->frame) ? out->len : sizeof(out->frame),
		      &d);
	if (!d.is_ip)
		return false;
	if (out->len > sizeof(out->frame))
		shorten(out, &d);
	return true;
}
