/* SPDX-License-Identifier: BSD-2-Clause */
/* Somebody watches packets: one at a time, and for as long as he asks for them. */
#include <errno.h>
#include <event2/event.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "engine/explain.h"
#include "io/dp_trace.h"

#define LEASE_S 5

static void on_lease(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;

	(void)fd, (void)what;
	if (!dp_is_traced(e->dp))
		return;
	dp_trace_end(e->dp);
	log_info("packets are no longer watched: nobody has asked for them for %d s", LEASE_S);
}

static void prolong(struct engine *e)
{
	const struct timeval lease = {.tv_sec = LEASE_S};

	if (!e->trace_lease)
		e->trace_lease = evtimer_new(e->base, on_lease, e);
	if (e->trace_lease)
		event_add(e->trace_lease, &lease);
}

/* Not the same after a restart: who has watched before is not to take it for his. */
static uint64_t next_number(const struct engine *e)
{
	uint64_t now = (uint64_t)mono_now().us;

	return now > e->trace_number ? now : e->trace_number + 1;
}

void trace_begin(struct engine *e, const struct ctl_command *c, struct ctl_reply *r)
{
	const struct service *s = c->service[0] ? commands_service(e, c->service, r) : NULL;
	const struct dp_trace_ask ask = {.filter = (const struct cbpf *)c->filter.at,
					 .n = c->filter.len / sizeof(struct cbpf),
					 .row = s ? s->row : 0,
					 .rows = s ? s->rows : 0,
					 .one_of = c->one_of};
	struct dp_error err = {""};

	if (c->service[0] && !s)
		return;
	r->status = dp_trace_begin(e->dp, &ask, &err);
	if (r->status == -EBUSY)
		snprintf(r->text, sizeof(r->text),
			 "somebody watches packets already; one at a time can");
	else if (r->status)
		snprintf(r->text, sizeof(r->text), "%s", err.text);
	if (r->status)
		return;
	r->watch = e->trace_number = next_number(e);
	memcpy(e->trace_service, s ? s->name : "", s ? sizeof(e->trace_service) : 1);
	log_info("packets%s%s are watched, by uid %u", s ? " of service " : "", e->trace_service,
		 c->uid);
	prolong(e);
}

void trace_follow(struct engine *e)
{
	const struct service *s = service_find(e, e->trace_service);

	if (!e->trace_service[0] || !dp_is_traced(e->dp))
		return;
	if (s) {
		dp_trace_follow(e->dp, s->row, s->rows);
		return;
	}
	dp_trace_end(e->dp);
	log_info("packets are no longer watched: there is no service %s any more",
		 e->trace_service);
}

void trace_end(struct engine *e, const struct ctl_command *c, struct ctl_reply *r)
{
	r->status = 0;
	if (!dp_is_traced(e->dp) || (c->watch && c->watch != e->trace_number))
		return;
	dp_trace_end(e->dp);
	if (e->trace_lease)
		event_del(e->trace_lease);
	log_info("packets are no longer watched");
}

struct giver {
	struct engine *e;
	void (*put)(void *to, const struct view_traced *t);
	void *to;
};

static void copy(struct msg_bytes *to, const uint8_t *frame, uint32_t len)
{
	to->len = len < SHUNT_TRACE_SNAP ? len : SHUNT_TRACE_SNAP;
	memcpy(to->at, frame, to->len);
}

static void give(void *arg, const struct shunt_traced *t)
{
	const struct giver *g = arg;
	struct view_traced v = {.time_ns = t->before.time_ns,
				.verdict = t->verdict < SHUNT_VERDICT_MAX ? t->verdict : 0,
				.action = (uint8_t)t->action,
				.len = t->before.len,
				.len_after = t->len};
	struct shunt_owner o = {0};

	if (!if_indextoname(t->before.ifindex, v.interface))
		v.interface[0] = '\0';
	if (t->row && t->row < dp_sizes(g->e->dp)->rows)
		dp_owner_read(g->e->dp, t->row, &o);
	memcpy(v.service, o.service, sizeof(v.service));
	memcpy(v.backend, o.backend, sizeof(v.backend));
	copy(&v.frame, t->before.frame, t->before.len);
	copy(&v.frame_after, t->after, t->len);
	g->put(g->to, &v);
}

int trace_page(void *arg, uint64_t watch, size_t max,
	       void (*put)(void *to, const struct view_traced *t), void *to)
{
	struct giver g = {arg, put, to};

	if (!dp_is_traced(g.e->dp) || (watch && watch != g.e->trace_number))
		return -ENODATA;
	prolong(g.e);
	return dp_trace_read(g.e->dp, max, give, &g);
}
