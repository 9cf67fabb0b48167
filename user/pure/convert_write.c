/* SPDX-License-Identifier: BSD-2-Clause */
/* What was read, as a configuration of shunt, with the remarks as comments. */
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pure/convert.h"
#include "pure/convert_fit.h"

struct text {
	char *bytes;
	size_t n, room;
	bool failed;
};

static void put(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *t, const char *format, ...)
{
	char line[2048];
	va_list args;
	size_t n;

	va_start(args, format);
	n = (size_t)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	n = n < sizeof(line) ? n : sizeof(line) - 1;
	if (t->n + n + 1 > t->room) {
		char *grown = realloc(t->bytes, 2 * (t->room + n + 1));

		if (!grown) {
			t->failed = true;
			return;
		}
		t->bytes = grown;
		t->room = 2 * (t->room + n + 1);
	}
	memcpy(t->bytes + t->n, line, n + 1);
	t->n += n;
}

/* What YAML may take for something else goes into quotes. */
static void put_quoted(struct text *t, const char *value)
{
	put(t, "\"");
	for (; *value; value++) {
		const unsigned char byte = (unsigned char)*value;

		if (byte < ' ')
			put(t, "\\x%02x", byte);
		else
			put(t, byte == '"' || byte == '\\' ? "\\%c" : "%c", byte);
	}
	put(t, "\"");
}

/* ---- writing ------------------------------------------------------------------------------------*/

static void put_time(struct text *t, const char *key, uint32_t ms)
{
	if (ms % 1000)
		put(t, ", %s: %ums", key, ms);
	else if (ms)
		put(t, ", %s: %us", key, ms / 1000);
}

static void put_number(struct text *t, const char *key, uint32_t n)
{
	if (n)
		put(t, ", %s: %u", key, n);
}

static void put_text(struct text *t, const char *key, const char *value)
{
	if (!*value)
		return;
	put(t, ", %s: ", key);
	put_quoted(t, value);
}

/* "200-299,404" as a list. */
static void put_status(struct text *t, const char *status)
{
	const bool several = strchr(status, ',');

	if (!*status)
		return;
	put(t, several ? ", status: [" : ", status: ");
	for (; *status; status++)
		put(t, *status == ',' ? ", " : "%c", *status);
	put(t, several ? "]" : "");
}

static bool is_said(const struct convert_check *k)
{
	return k->kind[0] || k->interval_ms || k->timeout_ms || k->fast_ms || k->down_ms ||
	       k->port || k->rise || k->fall;
}

static void put_check(struct text *t, const struct convert_check *k)
{
	if (!is_said(k))
		return;
	put(t, "    check: { type: %s", k->kind[0] ? k->kind : "tcp");
	if (strcmp(k->kind, "none") == 0) {
		put(t, " }\n");
		return;
	}
	put_time(t, "interval", k->interval_ms);
	put_time(t, "fast_interval", k->fast_ms);
	put_time(t, "down_interval", k->down_ms);
	put_time(t, "timeout", k->timeout_ms);
	put_number(t, "rise", k->rise);
	put_number(t, "fall", k->fall);
	put_number(t, "port", k->port);
	put_text(t, "name", k->name);
	if (k->record[0])
		put(t, ", record: %s", k->record);
	if (k->method[0])
		put(t, ", method: %s", k->method);
	put_text(t, "path", k->path);
	put_text(t, "host", k->host);
	put_status(t, k->status);
	put_text(t, k->send_is_hex ? "send_hex" : "send", k->send);
	put_text(t, k->expect_is_hex ? "expect_hex" : "expect", k->expect);
	put_text(t, "expect_regex", k->expect_regex);
	if (strcmp(k->kind, "https") == 0 || strcmp(k->kind, "tls") == 0)
		put(t, ", verify: no");
	put_text(t, "shell", k->command);
	put(t, " }\n");
}

static void put_backend(struct text *t, const struct convert_backend *b)
{
	char addr[ADDR_TEXT_MAX];

	put(t, "      - { address: \"%s\"", addr_format(&b->addr, addr));
	if (b->port)
		put(t, ", port: %u", b->port);
	if (b->name[0])
		put(t, ", name: %s", b->name);
	if (b->weight != 1)
		put(t, ", weight: %u", b->weight);
	if (b->forward)
		put(t, ", forward: %s", b->forward);
	if (b->backup)
		put(t, ", backup: yes");
	put(t, " }\n");
}

static void put_service(struct text *t, const struct convert_service *s)
{
	char vip[ADDR_PREFIX_TEXT_MAX];
	size_t i;

	put(t, "  - vip: \"%s\"\n",
	    s->vip_bits ? addr_prefix_format(&s->vip, s->vip_bits, vip)
			: addr_format(&s->vip, vip));
	if (s->last_port)
		put(t, "    port: %u-%u\n", s->port, s->last_port);
	else if (s->port)
		put(t, "    port: %u\n", s->port);
	else
		put(t, "    port: any\n");
	if (s->name[0])
		put(t, "    name: %s\n", s->name);
	put(t, "    protocol: %s\n", s->protocol == IPPROTO_UDP ? "udp" : "tcp");
	if (s->scheduler)
		put(t, "    scheduler: %s\n", s->scheduler);
	if (s->forward)
		put(t, "    forward: %s\n", s->forward);
	if (s->gue_zero)
		put(t, "    gue_checksum: zero\n");
	if (s->stateless)
		put(t, "    udp_flows: stateless\n");
	if (s->slow_start_s)
		put(t, "    slow_start: %us\n", s->slow_start_s);
	if (s->source_bits)
		put(t, "    source_prefix: %u\n", s->source_bits);
	if (s->affinity_s)
		put(t, "    affinity: source\n    affinity_timeout: %us\n", s->affinity_s);
	if (s->flow_timeout_s)
		put(t, "    flow_timeout: %us\n", s->flow_timeout_s);
	if (s->min_healthy)
		put(t, "    min_healthy: %u\n", s->min_healthy);
	put_check(t, &s->check);
	put(t, "    backends:\n");
	for (i = 0; i < s->n_backends; i++)
		put_backend(t, &s->backends[i]);
}

static void put_remarks(struct text *t, const struct convert *c, size_t service)
{
	size_t i;

	for (i = 0; i < c->n_remarks; i++)
		if (c->remarks[i].service == service)
			put(t, "  # %s:%u: %s\n", c->remarks[i].at.file, c->remarks[i].at.line,
			    c->remarks[i].text);
}

int convert_write(struct convert *c, char **out)
{
	struct text t = {0};
	size_t i, left = 0;

	convert_fit(c);
	put(&t, "# From %s, by shunt convert. What was not carried over stands behind its line.\n",
	    c->options->file);
	if (!c->options->interface)
		put(&t, "# Where packets come in was not in it: look at ip -brief link.\n");
	put(&t, "interfaces: [%s]\nservices:\n",
	    c->options->interface ? c->options->interface : "eth0");
	for (i = 0; i < c->n_services; i++) {
		put_remarks(&t, c, i);
		if (c->services[i].n_backends)
			put_service(&t, &c->services[i]);
		left += c->services[i].n_backends > 0;
	}
	if (!c->n_services)
		put_remarks(&t, c, 0);
	*out = t.bytes;
	if (t.failed || c->out_of_memory)
		return -ENOMEM;
	return left ? 0 : -ENOENT;
}
