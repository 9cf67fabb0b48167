/* SPDX-License-Identifier: BSD-2-Clause */
/* Why a service's backends are in use, in words. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pure/explain.h"
#include "pure/pool.h"

struct text {
	struct explain_step *step;
	size_t used;
};

static struct text begin(struct explain_step *steps, size_t *n, const char *what)
{
	struct text t = {&steps[(*n)++], 0};

	snprintf(t.step->what, sizeof(t.step->what), "%s", what);
	t.step->text[0] = '\0';
	return t;
}

static void say(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct text *t, const char *format, ...)
{
	size_t room = sizeof(t->step->text) - t->used;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->step->text + t->used, room, format, args);
	va_end(args);
	t->used += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

static const char *const schedulers[SHUNT_SCHEDULER_MAX] = {
	[SHUNT_MAGLEV] = "by the flow's hash: every host with this configuration picks the same",
	[SHUNT_RR] = "new flows by turns, and every flow is remembered",
	[SHUNT_WRR] = "new flows by turns as the weights say, and every flow is remembered",
	[SHUNT_SH] = "by the hash of the source's address: a client's flows go to one backend",
	[SHUNT_LC] = "a new flow to the one with fewer flows of two, and every flow is remembered",
	[SHUNT_WLC] =
		"a new flow to the one with fewer flows for its weight of two, and every flow "
		"is remembered",
};

static void scheduler_step(const struct explain_service *s, struct explain_step *steps, size_t *n)
{
	struct text t = begin(steps, n, "scheduler");

	say(&t, "%s: %s", conf_scheduler_name(s->view.scheduler),
	    s->view.scheduler < SHUNT_SCHEDULER_MAX ? schedulers[s->view.scheduler] : "?");
	t = begin(steps, n, "slots");
	if (s->view.moving)
		say(&t, "%u, of which %u are in transition: their older flows stay where they are",
		    s->view.slots, s->view.moving);
	else
		say(&t, "%u, all settled: no flow is on its way from one backend to another",
		    s->view.slots);
	if (s->flow_timeout_ms)
		say(&t, "; a flow has ended after %u s without a packet",
		    s->flow_timeout_ms / 1000);
}

static const char *pool_name(uint8_t number, char out[static 16])
{
	if (number == POOL_BACKUP)
		return "backups";
	snprintf(out, 16, "pool %u", number);
	return out;
}

static void pools_step(const struct explain_service *s, struct explain_step *steps, size_t *n)
{
	struct text t = begin(steps, n, "pools");
	char name[16];
	size_t i;

	for (i = 0; i < s->n_pools; i++)
		say(&t, "%s%s: %u of %u up, %s", i ? "; " : "", pool_name(s->pools[i].number, name),
		    s->pools[i].up, s->pools[i].backends,
		    s->pools[i].used ? "gets new flows" : "stands by");
	if (!s->n_pools)
		say(&t, "there are no backends");
	if (s->n_pools < 2)
		return;
	t = begin(steps, n, "min_healthy");
	say(&t, "%u%s: pools are taken in order until %u %s up", s->min_healthy,
	    s->percent ? "%" : "", s->enough, s->enough == 1 ? "backend is" : "backends are");
}

static void panic_step(const struct explain_service *s, struct explain_step *steps, size_t *n)
{
	struct text t = begin(steps, n, "panic");

	if (!s->panic)
		say(&t, "off: however many are down, those that are up get the flows");
	else if (s->view.panicking)
		say(&t,
		    "%u%%: in force: %u of %u are up, so all are used, whatever their checks say",
		    s->panic, s->up, s->wanted);
	else
		say(&t, "%u%%: not in force: %u of %u are up", s->panic, s->up, s->wanted);
	t = begin(steps, n, "on_empty");
	switch (s->view.on_empty) {
	case CONF_EMPTY_ALL:
		say(&t, "all: while nobody is up, all are used");
		break;
	case CONF_EMPTY_PASS:
		say(&t, "pass: while nobody is up, this host's own stack gets the packets");
		break;
	default:
		say(&t, "drop: while nobody is up, packets are dropped");
	}
	if (s->view.failing_open)
		say(&t, "; in force now");
	else if (!s->view.usable)
		say(&t, "; nobody is up now");
}

static void sources_step(const struct explain_service *s, struct explain_step *steps, size_t *n)
{
	struct text t = begin(steps, n, "sources");

	say(&t, "%s; %s",
	    !s->has_list      ? "anybody"
	    : s->only_allowed ? "only those of its allow list"
			      : "all but those of its deny list",
	    s->has_rates ? "new flows within its rates" : "no rates");
}

size_t explain_service_words(const struct explain_service *s,
			     struct explain_step steps[static EXPLAIN_STEPS_MAX])
{
	char address[VIEW_ADDRESS_MAX];
	size_t n = 0;
	struct text t = begin(steps, &n, "service");

	say(&t, "%s (%s), forward %s", s->view.name, view_service_address(&s->view, address),
	    conf_forward_name(s->view.forward));
	scheduler_step(s, steps, &n);
	pools_step(s, steps, &n);
	panic_step(s, steps, &n);
	sources_step(s, steps, &n);
	return n;
}
