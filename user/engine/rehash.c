/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/rehash.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "engine/loads.h"

/* Lines of an answer; the log has them all. */
#define LINES_MAX 4
/* A timer may be early by what the loop has been at. */
#define LATE_US 50000
/* After a failure, which can only be for want of memory. */
#define RETRY_MS 5000

/* ---- what changes -------------------------------------------------------------------------------*/

/* How @conf wants flows to be found. */
static struct scheme rehash_scheme(const struct conf_service *conf)
{
	struct scheme m = {.scheduler = conf->scheduler, .affinity = conf->affinity};

	if (conf->affinity || conf->scheduler == SHUNT_SH)
		m.source_bits = (uint8_t)conf->source_prefix;
	return m;
}

/* By what of a source a flow is remembered; 0: by its own addresses and ports. */
static uint8_t key_of(const struct scheme *m)
{
	return m->affinity ? m->source_bits : 0;
}

bool rehash_sees_no_beginning(const struct scheme *m, const struct conf_service *conf)
{
	return m->affinity || conf->protocol == IPPROTO_UDP;
}

/* Whether flows that are open would not be found: by what is remembered, or else by the hash that alone knows
 * where most of them are. */
static bool loses_flows(const struct service *s, const struct scheme *want)
{
	return key_of(&s->scheme) != key_of(want) ||
	       (!s->knows_all && s->scheme.source_bits != want->source_bits);
}

/* Somebody else remembers, or nobody minds. */
static bool has_none(const struct change *c)
{
	const struct service *s = c->service;
	size_t i;

	if (c->is_new || conf_service_only_translates(c->conf) ||
	    (c->conf->protocol == IPPROTO_UDP && c->conf->udp_flows == CONF_UDP_STATELESS))
		return true;
	for (i = 0; i < s->n_backends; i++)
		if (s->backends[i]->usable) /* also one that gets no new ones */
			return false;
	return true;
}

/* ---- steps --------------------------------------------------------------------------------------*/

/* A flow that has been silent for less than flow_timeout has been seen since then, whatever the ticks
 * say; two of them more, since they are counted downwards here and upwards there. */
static int64_t lasts_us(const struct conf_service *conf)
{
	const int64_t tick_us = (1000000ll << SHUNT_FLOW_TICK_SHIFT) / mono_kernel_hz();

	return (int64_t)conf->flow_timeout_ms * 1000 + 2 * tick_us;
}

/* 0: all flows are remembered. */
static int64_t left_us(const struct service *s, const struct conf_service *conf)
{
	int64_t left = lasts_us(conf) - mono_diff_us(s->keeps_since, mono_now());

	if (s->knows_all && !s->scheme.affinity)
		return 0;
	if (mono_is_never(s->keeps_since))
		return lasts_us(conf);
	return left > 0 ? left : 0;
}

void rehash_plan(struct change *c)
{
	const struct service *s = c->service;

	c->scheme = rehash_scheme(c->conf);
	c->rehash = REHASH_NONE;
	if (has_none(c) || !loses_flows(s, &c->scheme))
		return;
	c->rehash = left_us(s, c->conf) ? REHASH_KEEP : REHASH_SWITCH;
	if (c->rehash == REHASH_KEEP)
		c->scheme = s->scheme;
}

uint16_t rehash_flags(const struct change *c)
{
	const struct scheme *m = &c->scheme;
	const bool goes_on = c->service->flags & SHUNT_SVC_KEPT && c->service->moving;

	if (!m->affinity)
		return c->rehash == REHASH_KEEP ? SHUNT_SVC_KEEP : 0;
	/* Loads are of flows. */
	if (c->rehash == REHASH_KEEP || conf_counts_flows(m->scheduler))
		return SHUNT_SVC_KEEP | SHUNT_SVC_KEPT;
	return c->rehash == REHASH_SWITCH || goes_on ? SHUNT_SVC_KEPT : 0;
}

void rehash_note(struct engine *e, struct service *s)
{
	if (!(s->flags & SHUNT_SVC_KEEP) || !mono_is_never(s->keeps_since))
		return;
	s->keeps_since = mono_now();
	owner_write(e, s, NULL);
}

/* ---- words --------------------------------------------------------------------------------------*/

static void key_words(const struct conf_service *conf, char out[static 64])
{
	const struct scheme m = rehash_scheme(conf);

	if (!m.source_bits)
		snprintf(out, 64, "addresses and ports");
	else
		snprintf(out, 64, "the first %u bits of their source", m.source_bits);
}

static void add_line(struct engine_error *text, const char *line)
{
	const size_t used = strlen(text->text);
	size_t lines = 0;
	const char *at;

	for (at = text->text; at; at = strchr(at + 1, '\n'))
		lines++;
	if (lines <= LINES_MAX)
		snprintf(text->text + used, sizeof(text->text) - used, "%s%s", used ? "\n" : "",
			 line);
}

void rehash_tell(struct engine *e, const struct change *c, bool planned, struct engine_error *text)
{
	char line[256], key[64];

	if (c->rehash == REHASH_NONE)
		return;
	key_words(c->conf, key);
	if (c->rehash == REHASH_SWITCH)
		snprintf(line, sizeof(line),
			 "service %s: its flows are found by %s from now on; those that are open "
			 "are remembered and stay",
			 c->conf->name, key);
	else
		snprintf(line, sizeof(line),
			 "service %s: its flows are found by %s in %lld s; until then those that "
			 "are open are noted, so that they stay",
			 c->conf->name, key,
			 (long long)((left_us(c->service, c->conf) + 999999) / 1000000));
	if (!planned)
		engine_warn(e, "%s", line);
	add_line(text, line);
}

/* ---- time ---------------------------------------------------------------------------------------*/

static bool is_under_way(const struct service *s)
{
	const struct scheme want = rehash_scheme(s->conf);

	return memcmp(&want, &s->scheme, sizeof(want)) != 0;
}

/* The next step of @s is due in so many microseconds; below 0: there is none. */
static int64_t due_us(const struct service *s)
{
	if (!s->conf) /* adopted, and not yet matched */
		return -1;
	if (is_under_way(s))
		return left_us(s, s->conf);
	/* Of those that were kept nobody has been seen for so long that all slots have settled. */
	if ((s->flags & SHUNT_SVC_OWN) == SHUNT_SVC_KEPT && !s->moving)
		return 0;
	return -1;
}

static void wait_us(struct engine *e, int64_t us)
{
	const struct timeval in = {.tv_sec = us / 1000000, .tv_usec = us % 1000000};

	event_add(e->rehash, &in);
}

void rehash_wait(struct engine *e)
{
	int64_t first = -1, us;
	size_t i;

	for (i = 0; i < e->n_services; i++) {
		us = due_us(e->services[i]);
		if (us >= 0 && (first < 0 || us < first))
			first = us;
	}
	if (first >= 0)
		wait_us(e, first + LATE_US);
	else
		event_del(e->rehash);
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
	struct engine_error dropped = {0}, err = {0};
	struct engine *e = arg;

	(void)fd;
	(void)what;
	if (apply_conf(e, e->conf, &dropped, &err) == 0)
		return;
	log_error("services do not go on to find their flows otherwise: %s", err.text);
	wait_us(e, RETRY_MS * 1000);
}

int rehash_open(struct engine *e, struct engine_error *err)
{
	e->rehash = evtimer_new(e->base, on_due, e);
	if (e->rehash)
		return 0;
	snprintf(err->text, sizeof(err->text), "no memory");
	return -ENOMEM;
}
