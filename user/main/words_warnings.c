/* SPDX-License-Identifier: BSD-2-Clause */
/* What there is to warn of, in sentences. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "main/units.h"
#include "main/words.h"

struct teller {
	void (*fn)(void *arg, const char *text);
	void *arg;
	size_t n;
};

__attribute__((format(printf, 2, 3))) static void warn(struct teller *t, const char *format, ...)
{
	char text[640];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	t->n++;
	t->fn(t->arg, text);
}

int words_trouble(const struct view_service *s)
{
	return s->usable == 0 && s->backends ? 2 : s->usable < s->backends || s->panicking;
}

static void of_interfaces(struct teller *t, const struct words_picture *p)
{
	size_t i;

	for (i = 0; i < p->n_interfaces; i++) {
		const struct view_interface *f = &p->interfaces[i];

		if (!f->ifindex)
			warn(t, "interface %s is not there", f->name);
		else if (f->xdp == VIEW_XDP_NONE)
			warn(t, "interface %s: XDP is not attached, nothing is balanced there",
			     f->name);
		else if (!f->link_up)
			warn(t, "interface %s: the link is down", f->name);
	}
}

static void of_services(struct teller *t, const struct words_picture *p)
{
	size_t i, none = 0, open = 0, panic = 0, some = 0;
	const struct view_service *with = NULL;
	uint64_t not_up = 0;

	for (i = 0; i < p->n_services; i++) {
		if (p->services[i].not_up && p->services[i].usable) {
			with = &p->services[i];
			not_up += with->not_up;
			some++;
		}
		none += words_trouble(&p->services[i]) == 2;
		open += p->services[i].failing_open > 0;
		panic += p->services[i].panicking;
	}
	if (none)
		warn(t, "%zu service%s no usable backend%s: shunt backends", none,
		     none == 1 ? " has" : "s have",
		     open ? ", and all are used that have a next hop (on_empty: all)" : "");
	if (some == 1)
		warn(t, "%" PRIu64 " of %" PRIu32 " backends of %s %s not up: shunt backends %s",
		     not_up, with->backends, with->name, not_up == 1 ? "is" : "are", with->name);
	else if (some)
		warn(t, "%" PRIu64 " backends of %zu services are not up: shunt backends", not_up,
		     some);
	if (panic)
		warn(t, "%zu service%s with less usable backends than panic says: all are used",
		     panic, panic == 1 ? "" : "s");
}

static void of_packets(struct teller *t, const struct words_picture *p)
{
	uint64_t dropped = 0;
	size_t i;

	for (i = 0; i < p->n_verdicts; i++)
		if (strcmp(words_verdict_class(p->verdicts[i].verdict), "drop") == 0)
			dropped += p->verdicts[i].packets_per_s;
	if (dropped)
		warn(t, "%s packets a second are dropped: shunt stats", units_count(dropped).text);
	if (p->status->flows_no_room)
		warn(t, "%s flows found no room: give flow_table more",
		     units_count(p->status->flows_no_room).text);
}

size_t words_warnings(const struct words_picture *p, void (*fn)(void *arg, const char *text),
		      void *arg)
{
	struct teller t = {.fn = fn, .arg = arg};

	if (strcmp(p->status->version, SHUNT_VERSION) != 0)
		warn(&t,
		     "shuntd is %s and this shunt " SHUNT_VERSION
		     ": what only one of them knows is not shown",
		     p->status->version);
	of_interfaces(&t, p);
	of_services(&t, p);
	of_packets(&t, p);
	if (p->status->config_error[0])
		warn(&t, "the configuration on disk is not the one in force: the last reload was "
			 "refused");
	return t.n;
}
