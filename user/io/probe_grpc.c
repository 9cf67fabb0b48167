/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/probe_grpc.h"

#include <stdio.h>
#include <string.h>

#define FRAME 5 /* not compressed, and 32 bits of length */
#define FIELD_SERVICE (1 << 3 | 2) /* of the request: a string */
#define FIELD_STATUS (1 << 3 | 0) /* of the reply: an enum */
#define WIRE_VARINT 0
#define WIRE_64 1
#define WIRE_BYTES 2
#define WIRE_32 5

enum { STATUS_OK = 0, STATUS_NOT_FOUND = 5, STATUS_UNIMPLEMENTED = 12 };
enum { HEALTH_SERVING = 1 };

size_t probe_grpc_ask(const struct probe_question *q, uint8_t out[static PROBE_GRPC_ASK_MAX])
{
	size_t len = q->text_len[CONF_TEXT_SERVICE], n = FRAME;

	if (len) {
		out[n++] = FIELD_SERVICE;
		if (len > 0x7f)
			out[n++] = (uint8_t)(len | 0x80);
		out[n++] = (uint8_t)(len > 0x7f ? len >> 7 : len);
		memcpy(out + n, probe_question_text(q, CONF_TEXT_SERVICE), len);
		n += len;
	}
	memset(out, 0, FRAME);
	out[3] = (uint8_t)((n - FRAME) >> 8);
	out[4] = (uint8_t)(n - FRAME);
	return n;
}

struct bytes {
	const uint8_t *at, *end;
};

static bool varint(struct bytes *b, uint64_t *value)
{
	*value = 0;
	for (unsigned int shift = 0; b->at < b->end && shift < 64; shift += 7) {
		*value |= (uint64_t)(*b->at & 0x7f) << shift;
		if (!(*b->at++ & 0x80))
			return true;
	}
	return false;
}

/* Over the value of a field that is not known. */
static bool pass_over(struct bytes *b, uint64_t wire)
{
	uint64_t n;

	if (wire == WIRE_VARINT)
		return varint(b, &n);
	if (wire == WIRE_BYTES) {
		if (!varint(b, &n))
			return false;
	} else if (wire == WIRE_64 || wire == WIRE_32) {
		n = wire == WIRE_64 ? 8 : 4;
	} else {
		return false;
	}
	if (n > (uint64_t)(b->end - b->at))
		return false;
	b->at += n;
	return true;
}

/* Reads HealthCheckResponse. Returns the status, 0 (unknown) if it says none, or -1. */
static int64_t serving_status(const uint8_t *reply, size_t len)
{
	uint64_t tag, status = 0;
	struct bytes b;
	size_t whole;

	if (len < FRAME || reply[0] != 0 || reply[1] || reply[2])
		return -1;
	whole = (size_t)reply[3] << 8 | reply[4];
	if (whole > len - FRAME)
		return -1;
	b = (struct bytes){reply + FRAME, reply + FRAME + whole};
	while (b.at < b.end) {
		if (!varint(&b, &tag))
			return -1;
		if (tag == FIELD_STATUS ? !varint(&b, &status) : !pass_over(&b, tag & 7))
			return -1;
	}
	return status <= INT32_MAX ? (int64_t)status : -1;
}

static void status_words(const struct probe_question *q, int status, const char *message,
			 struct check_result *r)
{
	const char *service = probe_question_text(q, CONF_TEXT_SERVICE);

	r->code = CHECK_BAD_STATUS;
	r->detail = status;
	if (status == STATUS_UNIMPLEMENTED)
		snprintf(r->text, sizeof(r->text),
			 "server does not implement grpc.health.v1.Health");
	else if (status == STATUS_NOT_FOUND && service[0])
		snprintf(r->text, sizeof(r->text), "service \"%.60s\" is not known to the server",
			 service);
	else
		snprintf(r->text, sizeof(r->text), "gRPC status %d%s%.60s", status,
			 message[0] ? ": " : "", message);
}

void probe_grpc_judge(const struct probe_question *q, int status, const char *message,
		      const uint8_t *reply, size_t len, struct check_result *r)
{
	static const char *const names[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
	int64_t health = serving_status(reply, len);

	*r = (struct check_result){.code = CHECK_BAD_REPLY, .layer = CHECK_LAYER_7};
	if (status < 0) {
		snprintf(r->text, sizeof(r->text), "reply is not gRPC");
	} else if (status != STATUS_OK) {
		status_words(q, status, message, r);
	} else if (health < 0) {
		snprintf(r->text, sizeof(r->text), "reply is not that of grpc.health.v1.Health");
	} else {
		r->code = health == HEALTH_SERVING ? CHECK_OK : CHECK_SAYS_DOWN;
		r->detail = (int32_t)health;
		snprintf(r->text, sizeof(r->text), "service is %s",
			 health < 4 ? names[health] : "in an unknown state");
	}
}
