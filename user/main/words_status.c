/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's state as JSON. */
#include "main/words.h"

/* What was wrong with datagrams that were dropped; NULL: nothing. */
static const char *const fates[PEER_FATES] = {
	[PEER_MALFORMED] = "malformed",
	[PEER_OTHER_VERSION] = "other_version",
	[PEER_FORGED] = "forged",
	[PEER_REPLAYED] = "replayed",
	[PEER_STALE] = "stale",
	[PEER_CROWDED] = "crowded",
	[PEER_OTHER_SECRET] = "other_secret",
	[PEER_STRANGER] = "stranger",
};

const char *words_fate(enum peer_fate f)
{
	return (size_t)f < PEER_FATES ? fates[f] : NULL;
}

static void json_peers(struct json *j, const struct view_peers *p)
{
	int i;

	json_object(j, "peers");
	json_number(j, "peers", p->peers);
	json_number(j, "told", p->told);
	json_number(j, "delayed", p->delayed);
	json_number(j, "lost", p->lost);
	json_number(j, "heard", p->heard);
	json_number(j, "taken", p->taken);
	json_number(j, "early", p->early);
	json_number(j, "waiting", p->waiting);
	json_number(j, "unknown", p->unknown);
	json_number(j, "no_room", p->no_room);
	json_number(j, "unsent", p->unsent);
	json_number(j, "good", p->fates[PEER_TAKEN]);
	for (i = 0; i < PEER_FATES; i++)
		if (fates[i])
			json_number(j, fates[i], p->fates[i]);
	json_object_end(j);
}

static void json_warning(void *arg, const char *text)
{
	json_text(arg, NULL, text);
}

void words_json_status(FILE *out, const struct words_picture *p)
{
	const struct view_status *s = p->status;
	struct json j;
	size_t i;

	json_open(&j, out, false);
	json_text(&j, "version", s->version);
	json_text(&j, "instance", s->instance);
	json_number(&j, "pid", s->pid);
	json_number(&j, "uptime_ms", s->uptime_ms);
	json_text(&j, "config_file", s->config_file);
	json_number(&j, "config_age_ms", s->config_age_ms);
	json_text_or_null(&j, "config_error", s->config_error);
	json_number(&j, "services", s->services);
	json_number(&j, "backends", s->backends);
	json_number(&j, "usable_backends", s->usable_backends);
	json_number(&j, "edits", s->edits);
	json_number(&j, "events", s->events);
	json_number(&j, "map_bytes", s->map_bytes);
	json_number(&j, "flow_lookups", s->flow_lookups);
	json_number(&j, "flows_remembered", s->flows_remembered);
	json_number(&j, "flows_no_room", s->flows_no_room);
	json_peers(&j, &s->peers);
	words_json_upgrade(&j, &s->upgrade);
	json_text_or_null(&j, "web", s->web);
	json_text_or_null(&j, "web_error", s->web_why);
	json_list(&j, "interfaces");
	for (i = 0; i < p->n_interfaces; i++)
		words_json_interface(&j, &p->interfaces[i]);
	json_list_end(&j);
	json_list(&j, "warnings");
	words_warnings(p, json_warning, &j);
	json_list_end(&j);
	json_close(&j);
}
