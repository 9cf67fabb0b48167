/* SPDX-License-Identifier: BSD-2-Clause */
/* Records stand one behind the other, the oldest first: struct record, then its four texts, each with
 * its NUL. */
#include "pure/history.h"

#include <stdlib.h>
#include <string.h>

struct record {
	uint64_t time_ms;
	uint32_t latency_us;
	uint16_t size; /* with the texts */
	uint8_t from, to;
};

#define TEXTS 4
#define RECORD_MAX                                                                                 \
	(sizeof(struct record) + CHECK_NAME_MAX + SHUNT_NAME_MAX + HISTORY_BY_MAX +                \
	 HISTORY_REASON_MAX)

struct text {
	size_t offset, size; /* of the member of struct history_event */
};

#define TEXT(member)                                                                               \
	{                                                                                          \
		offsetof(struct history_event, member),                                            \
			sizeof(((struct history_event *)0)->member)                                \
	}
static const struct text texts[TEXTS] = {TEXT(code), TEXT(check), TEXT(by), TEXT(reason)};

static size_t pack(const struct history_event *e, char out[static RECORD_MAX])
{
	struct record r = {.time_ms = e->time_ms,
			   .latency_us = e->latency_us,
			   .from = (uint8_t)e->from,
			   .to = (uint8_t)e->to};
	size_t used = sizeof(r);

	for (size_t i = 0; i < TEXTS; i++) {
		const char *text = (const char *)e + texts[i].offset;
		size_t len = strnlen(text, texts[i].size - 1);

		memcpy(out + used, text, len);
		out[used + len] = '\0';
		used += len + 1;
	}
	r.size = (uint16_t)used;
	memcpy(out, &r, sizeof(r));
	return used;
}

static void forget_oldest(struct history *h)
{
	struct record r;

	memcpy(&r, h->records, sizeof(r));
	memmove(h->records, h->records + r.size, h->used - r.size);
	h->used -= r.size;
	h->n--;
}

static bool make_room(struct history *h, size_t size)
{
	const size_t room = h->used + size <= 256 ? 256 : (h->used + size) * 5 / 4;
	char *grown;

	if (h->used + size <= h->room)
		return true;
	grown = realloc(h->records, room);
	if (grown) {
		h->records = grown;
		h->room = (uint32_t)room;
		return true;
	}
	while (h->n && h->used + size > h->room)
		forget_oldest(h);
	return h->used + size <= h->room;
}

void history_add(struct history *h, const struct history_event *event)
{
	char packed[RECORD_MAX];
	const size_t size = pack(event, packed);

	while (h->n >= HISTORY_MAX)
		forget_oldest(h);
	if (!make_room(h, size))
		return;
	memcpy(h->records + h->used, packed, size);
	h->used += (uint32_t)size;
	h->n++;
}

static void unpack(const char *from, struct history_event *out)
{
	struct record r;

	memcpy(&r, from, sizeof(r));
	*out = (struct history_event){.time_ms = r.time_ms,
				      .latency_us = r.latency_us,
				      .from = (enum standing)r.from,
				      .to = (enum standing)r.to};
	from += sizeof(r);
	for (size_t i = 0; i < TEXTS; i++) {
		size_t size = strlen(from) + 1;

		memcpy((char *)out + texts[i].offset, from, size);
		from += size;
	}
}

bool history_read(const struct history *h, uint32_t i, struct history_event *out)
{
	const char *at = h->records;
	struct record r;

	if (i >= h->n)
		return false;
	for (uint32_t k = h->n - 1; k > i; k--) {
		memcpy(&r, at, sizeof(r));
		at += r.size;
	}
	unpack(at, out);
	return true;
}

void history_fini(struct history *h)
{
	free(h->records);
	*h = (struct history){0};
}

const char *standing_name(enum standing s)
{
	static const char *const names[STANDING_MAX] = {
		"starting", "up", "down", "unchecked", "drained", "maintenance", "leaving"};

	return s < STANDING_MAX ? names[s] : "?";
}
