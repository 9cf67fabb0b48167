/* SPDX-License-Identifier: BSD-2-Clause */
/* Which kind of probe asks which question. */
#include "io/probe_kind.h"

static const struct probe_kind connect_only = {.weight = PROBE_LIGHT, .connects = true};

static const struct probe_kind *tcp_kind(const struct probe_question *q)
{
	bool asks = q->text_len[CONF_TEXT_SEND] || q->text_len[CONF_TEXT_EXPECT] ||
		    q->text_len[CONF_TEXT_EXPECT_REGEX];

	return asks ? &probe_kind_expect : &connect_only;
}

const struct probe_kind *probe_kind_of(const struct probe_question *q)
{
	switch (q->kind) {
	case CONF_CHECK_HTTP:
	case CONF_CHECK_HTTPS:
	case CONF_CHECK_HTTP2:
	case CONF_CHECK_GRPC:
		return &probe_kind_http;
	case CONF_CHECK_TLS:
		return &probe_kind_tls;
	case CONF_CHECK_AGENT:
		return &probe_kind_agent;
	case CONF_CHECK_DNS:
		return q->transport == CONF_DNS_TCP ? &probe_kind_dns_tcp : &probe_kind_dns_udp;
	case CONF_CHECK_UDP:
		return &probe_kind_udp;
	case CONF_CHECK_ICMP:
		return &probe_kind_icmp;
	case CONF_CHECK_EXEC:
		return &probe_kind_exec;
	default:
		return tcp_kind(q);
	}
}
