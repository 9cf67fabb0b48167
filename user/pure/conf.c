/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/conf.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "pure/conf_words.h"

const char *const conf_scheduler_words[] = {
	[SHUNT_MAGLEV] = "maglev",   [SHUNT_RR] = "rr", [SHUNT_WRR] = "wrr",
	[SHUNT_SH] = "sh",	     [SHUNT_LC] = "lc", [SHUNT_WLC] = "wlc",
	[SHUNT_SCHEDULER_MAX] = NULL};
const char *const conf_forward_words[] = {
	[SHUNT_DSR] = "dsr", [SHUNT_IPIP] = "ipip",	[SHUNT_LOCAL] = "local",
	[SHUNT_NAT] = "nat", [SHUNT_MASQ] = "masq",	[SHUNT_GUE] = "gue",
	[SHUNT_GRE] = "gre", [SHUNT_FORWARD_MAX] = NULL};
const char *const conf_on_empty_words[] = {
	[CONF_EMPTY_ALL] = "all", [CONF_EMPTY_DROP] = "drop", [CONF_EMPTY_PASS] = "pass", NULL};
const char *const conf_gue_checksum_words[] = {
	[CONF_GUE_FULL] = "full", [CONF_GUE_ZERO] = "zero", NULL};
const char *const conf_remove_words[] = {
	[CONF_REMOVE_DRAIN] = "drain", [CONF_REMOVE_NOW] = "now", NULL};
const char *const conf_affinity_words[] = {
	[CONF_AFFINITY_NONE] = "none", [CONF_AFFINITY_SOURCE] = "source", NULL};
const char *const conf_udp_flows_words[] = {
	[CONF_UDP_TRACKED] = "tracked", [CONF_UDP_STATELESS] = "stateless", NULL};
const char *const conf_check_words[] = {
	[CONF_CHECK_NONE] = "none",   [CONF_CHECK_TCP] = "tcp",	    [CONF_CHECK_HTTP] = "http",
	[CONF_CHECK_HTTPS] = "https", [CONF_CHECK_HTTP2] = "http2", [CONF_CHECK_GRPC] = "grpc",
	[CONF_CHECK_DNS] = "dns",     [CONF_CHECK_UDP] = "udp",	    [CONF_CHECK_ICMP] = "icmp",
	[CONF_CHECK_TLS] = "tls",     [CONF_CHECK_EXEC] = "exec",   [CONF_CHECK_AGENT] = "agent",
	[CONF_CHECK_KIND_MAX] = NULL};
const char *const conf_dns_record_words[] = {[CONF_DNS_A] = "A",	 [CONF_DNS_AAAA] = "AAAA",
					     [CONF_DNS_CNAME] = "CNAME", [CONF_DNS_MX] = "MX",
					     [CONF_DNS_NS] = "NS",	 [CONF_DNS_PTR] = "PTR",
					     [CONF_DNS_SOA] = "SOA",	 [CONF_DNS_SRV] = "SRV",
					     [CONF_DNS_TXT] = "TXT",	 NULL};
const char *const conf_dns_transport_words[] = {
	[CONF_DNS_UDP] = "udp", [CONF_DNS_TCP] = "tcp", NULL};
const char *const conf_answer_words[] = {[CONF_NO] = "no", [CONF_YES] = "yes", NULL};
const char *const conf_via_words[] = {
	[CONF_VIA_AUTO] = "auto", [CONF_VIA_PATH] = "path", [CONF_VIA_DIRECT] = "direct", NULL};
const char *const conf_log_words[] = {
	[CONF_LOG_ERROR] = "error",
	[CONF_LOG_WARNING] = "warning",
	[CONF_LOG_INFO] = "info",
	[CONF_LOG_DEBUG] = "debug",
	NULL,
};

const char *const conf_attach_words[] = {
	[CONF_ATTACH_EXCLUSIVE] = "exclusive", [CONF_ATTACH_SHARED] = "shared", NULL};
const char *const conf_xdp_words[] = {[CONF_XDP_AUTO] = "auto",
				      [CONF_XDP_NATIVE] = "native",
				      [CONF_XDP_GENERIC] = "generic",
				      NULL};

static void check_fini(struct conf_check *c)
{
	for (size_t i = 0; i < CONF_CHECK_TEXTS; i++)
		free(c->texts[i].bytes);
}

static void service_fini(struct conf_service *s)
{
	check_fini(&s->check);
	for (size_t i = 0; i < s->n_others; i++)
		check_fini(&s->others[i]);
	free(s->others);
	free(s->ports);
	free(s->backends);
	free(s->backends_file);
	free(s->allow.list);
	free(s->deny.list);
	free(s->allow_file);
	free(s->deny_file);
}

void conf_free(struct conf *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n_services; i++)
		service_fini(&c->services[i]);
	for (size_t i = 0; i < c->n_watched; i++)
		free(c->watched[i]);
	for (size_t i = 0; i < c->n_prefix_files; i++) {
		free(c->prefix_files[i]->list);
		free(c->prefix_files[i]);
	}
	free(c->prefix_files);
	for (size_t i = 0; i < c->n_checks; i++)
		check_fini(&c->checks[i]);
	free(c->checks);
	free(c->services);
	free(c->watched);
	free(c->interfaces);
	free(c->hash_secret);
	free(c->peers.secret);
	for (size_t i = 0; i < CONF_NOTIFY_ARGS; i++)
		free(c->notify.exec[i]);
	for (size_t i = 0; i < CONF_WEBHOOKS; i++)
		free(c->notify.webhooks[i]);
	free(c->run_dir);
	free(c->state_dir);
	free(c->probe_user);
	free(c->file);
	free(c);
}

/* words[value], or "?" for a value beyond the list's end. */
static const char *word_of(const char *const *words, unsigned int value)
{
	for (unsigned int i = 0; words[i]; i++) {
		if (i == value)
			return words[i];
	}
	return "?";
}

const char *conf_scheduler_name(enum shunt_scheduler s)
{
	return word_of(conf_scheduler_words, s);
}

const char *conf_forward_name(enum shunt_forward f)
{
	return word_of(conf_forward_words, f);
}

const char *conf_on_empty_name(enum conf_on_empty e)
{
	return word_of(conf_on_empty_words, e);
}

const char *conf_log_name(enum conf_log l)
{
	return word_of(conf_log_words, l);
}

const char *conf_check_name(enum conf_check_kind k)
{
	return word_of(conf_check_words, k);
}

const char *conf_dns_record_name(enum conf_dns_record r)
{
	return word_of(conf_dns_record_words, r);
}

const char *conf_xdp_name(enum conf_xdp x)
{
	return word_of(conf_xdp_words, x);
}

const char *conf_protocol_name(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	default:
		return "?";
	}
}

bool conf_service_translates(const struct conf_service *s)
{
	for (size_t i = 0; i < s->n_backends; i++) {
		if (conf_translates(s->backends[i].forward))
			return true;
	}
	return false;
}

bool conf_service_only_translates(const struct conf_service *s)
{
	for (size_t i = 0; i < s->n_backends; i++) {
		if (!conf_translates(s->backends[i].forward))
			return false;
	}
	return s->n_backends > 0;
}

struct conf_service *conf_find_service(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->n_services; i++) {
		if (strcmp(c->services[i].name, name) == 0)
			return &c->services[i];
	}
	return NULL;
}

struct conf_backend *conf_find_backend(const struct conf_service *s, const char *name)
{
	for (size_t i = 0; i < s->n_backends; i++) {
		if (strcmp(s->backends[i].name, name) == 0)
			return &s->backends[i];
	}
	return NULL;
}
