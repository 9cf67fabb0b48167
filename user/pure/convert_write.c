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
		if (*value == '"' || *value == '\\')
			put(t, "\\");
		put(t, "%c", *value);
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

static void put_check(struct text *t, const struct convert_check *k)
{
	if (!k->kind[0] && !k->interval_ms && !k->timeout_ms && !k->port && !k->rise && !k->fall)
		return;
	put(t, "    check: { type: %s", k->kind[0] ? k->kind : "tcp");
	if (strcmp(k->kind, "none") == 0) {
		put(t, " }\n");
		return;
	}
	put_time(t, "interval", k->interval_ms);
	put_time(t, "timeout", k->timeout_ms);
	if (k->rise)
		put(t, ", rise: %u", k->rise);
	if (k->fall)
		put(t, ", fall: %u", k->fall);
	if (k->port)
		put(t, ", port: %u", k->port);
	if (k->method[0])
		put(t, ", method: %s", k->method);
	if (k->path[0]) {
		put(t, ", path: ");
		put_quoted(t, k->path);
	}
	if (k->host[0]) {
		put(t, ", host: ");
		put_quoted(t, k->host);
	}
	if (k->status[0])
		put(t, ", status: %s", k->status);
	if (strcmp(k->kind, "https") == 0)
		put(t, ", verify: no");
	if (k->command[0]) {
		put(t, ", shell: ");
		put_quoted(t, k->command);
	}
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
	if (b->backup)
		put(t, ", backup: yes");
	put(t, " }\n");
}

static void put_service(struct text *t, const struct convert_service *s)
{
	char vip[ADDR_TEXT_MAX];
	size_t i;

	put(t, "  - vip: \"%s\"\n", addr_format(&s->vip, vip));
	if (s->port)
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
	if (s->affinity_s)
		put(t, "    affinity: source\n    affinity_timeout: %us\n", s->affinity_s);
	else if (s->flow_timeout_s)
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
			put(t, "  # %s:%u: %s\n", c->options->file, c->remarks[i].line,
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
