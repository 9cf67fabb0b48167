/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/rehash.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "engine/loads.h"

/* Lines of an answer; the log has them all. */
#define LINES_MAX 4

/* Of a hundred flows that are found anew by a hash that says nothing of where they are, those that come to
 * another backend: all but the chance of meeting one's own. */
static uint32_t movers_of_100(const struct service *s)
{
	double own = 0;
	size_t i;

	for (i = 0; i < s->n_backends; i++) {
		const double share = (double)s->backends[i]->slots / s->slots;

		own += share * share;
	}
	return (uint32_t)(100 * (1 - own) + 0.5);
}

static bool has_another_hash(const struct service *s, uint16_t flags, uint8_t source_bits)
{
	if ((s->flags ^ flags) & SHUNT_SVC_SOURCE)
		return true;
	return flags & SHUNT_SVC_SOURCE && s->source_bits != source_bits;
}

/* What is remembered of each flow is found by the same words afterwards. */
static bool is_still_known(const struct service *s, uint16_t flags, uint8_t source_bits)
{
	if ((s->flags ^ flags) & SHUNT_SVC_AFFINE)
		return false;
	return !(flags & SHUNT_SVC_AFFINE) || s->source_bits == source_bits;
}

static bool moves(const struct service *s, uint16_t flags, uint8_t source_bits)
{
	if (s->flags & SHUNT_SVC_FLOWS)
		return !is_still_known(s, flags, source_bits);
	return has_another_hash(s, flags, source_bits);
}

static void flows_words(const struct engine *e, const struct service *s, char out[static 64])
{
	const char *what = s->flags & SHUNT_SVC_AFFINE ? "sources" : "flows";
	uint64_t all = 0, flows;
	size_t i;

	out[0] = '\0';
	for (i = 0; i < s->n_backends; i++) {
		if (!loads_flows(e, s->backends[i], &flows))
			return;
		all += flows;
	}
	snprintf(out, 64, " (%llu %s are remembered)", (unsigned long long)all, what);
}

static void key_words(const struct conf_service *conf, uint16_t flags, char out[static 64])
{
	if (!(flags & SHUNT_SVC_SOURCE))
		snprintf(out, 64, "addresses and ports");
	else
		snprintf(out, 64, "the first %u bits of their source", conf->source_prefix);
}

static void add_line(struct engine_error *text, const char *line)
{
	const size_t used = strlen(text->text);

	snprintf(text->text + used, sizeof(text->text) - used, "%s%s", used ? "\n" : "", line);
}

void rehash_tell(struct engine *e, const struct conf_service *conf, const struct service *s,
		 uint16_t flags, struct rehash *r)
{
	char line[256], known[64], key[64];

	if (!s->slots || !s->usable || conf_service_only_translates(conf) ||
	    (conf->protocol == IPPROTO_UDP && conf->udp_flows == CONF_UDP_STATELESS) ||
	    !moves(s, flags, (uint8_t)conf->source_prefix))
		return;
	flows_words(e, s, known);
	key_words(conf, flags, key);
	snprintf(line, sizeof(line),
		 "service %s: its flows%s are found by %s from now on: about %u of 100 that are "
		 "open "
		 "move to another backend",
		 s->name, known, key, movers_of_100(s));
	if (!r->ahead)
		engine_warn(e, "%s", line);
	if (r->lines++ < LINES_MAX)
		add_line(r->text, line);
	else if (r->lines == LINES_MAX + 1)
		add_line(r->text, "and so do flows of more services: the log names them");
}
