/* SPDX-License-Identifier: BSD-2-Clause */
/* grpc.health.v1.Health/Check: the message that asks and what the reply means (GRPC Health Checking
 * Protocol; GRPC over HTTP2). Memory only. */
#ifndef SHUNT_PROBE_GRPC_H
#define SHUNT_PROBE_GRPC_H

#include <stddef.h>
#include <stdint.h>

#include "io/probe.h"

#define PROBE_GRPC_PATH "/grpc.health.v1.Health/Check"
#define PROBE_GRPC_ASK_MAX (5 + 3 + CONF_TEXT_MAX)
#define PROBE_GRPC_REPLY_MAX 256 /* bytes of a reply that are looked at */

/* Writes the request's body into @out; returns its length. */
size_t probe_grpc_ask(const struct probe_question *q, uint8_t out[static PROBE_GRPC_ASK_MAX]);

/* Judges the end of a call: @status is its grpc-status, -1: there was none; @message is its
 * grpc-message, or ""; @reply the @len bytes of its body, any bytes. */
void probe_grpc_judge(const struct probe_question *q, int status, const char *message,
		      const uint8_t *reply, size_t len, struct check_result *r);

#endif
