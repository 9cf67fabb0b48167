/* SPDX-License-Identifier: BSD-2-Clause */
/* Fingerprints of the services, taken from the slots as packets find them, when somebody asks. */
#include <stdlib.h>
#include <string.h>

#include "engine/state.h"
#include "pure/fingerprint.h"
#include "pure/hashkey.h"

/* One backend, by its number. */
struct owner {
	uint64_t settings; /* 0: no such backend */
	uint64_t owned;
	uint32_t slots;
};

/* The service last asked for: its backends are asked for one by one. */
struct fingerprints {
	const struct service *service;
	struct view_fingerprint whole;
	uint16_t slots[65536];
	struct owner owners[SHUNT_BACKENDS_PER_SERVICE + 1];
	uint64_t settings[SHUNT_BACKENDS_PER_SERVICE + 1]; /* the owners', for pure/fingerprint.h */
};

void fingerprints_free(struct engine *e)
{
	free(e->fingerprints);
}

static void take_backends(struct fingerprints *f, const struct service *s)
{
	size_t i;

	memset(f->owners, 0, sizeof(f->owners));
	memset(f->settings, 0, sizeof(f->settings));
	for (i = 0; i < s->n_backends; i++) {
		const struct backend *b = s->backends[i];

		if (b->leaving)
			continue; /* a host that never knew it does the same */
		f->settings[b->number] = fingerprint_backend(b->conf, b->weight);
		f->owners[b->number].settings = f->settings[b->number];
		f->whole.backends += f->settings[b->number];
	}
}

static void take_slots(struct fingerprints *f, const struct engine *e, const struct service *s)
{
	uint32_t i;

	dp_slots_read(e->dp, s->slots_at, f->slots, s->slots);
	for (i = 0; i < s->slots; i++)
		f->whole.moving += (f->slots[i] & SHUNT_SLOT_CHANGED) != 0;
	f->whole.slots = fingerprint_period(f->slots, s->slots);
	f->whole.table = fingerprint_slots(f->slots, f->whole.slots, f->settings);
	for (i = 0; i < f->whole.slots; i++) {
		struct owner *o = &f->owners[f->slots[i] & SHUNT_SLOT_BACKEND];

		o->owned = fingerprint_add_slot(o->owned, i);
		o->slots++;
	}
}

static void take(struct fingerprints *f, const struct engine *e, const struct service *s)
{
	uint64_t hash_key[SHUNT_HASH_WORDS];

	hashkey_derive(e->conf->hash_secret, hash_key);
	f->service = s;
	f->whole = (struct view_fingerprint){
		.settings = fingerprint_settings(s->conf),
		.secret = fingerprint_secret(hash_key),
	};
	memcpy(f->whole.service, s->name, sizeof(f->whole.service));
	take_backends(f, s);
	take_slots(f, e, s);
	f->whole.whole = fingerprint_service(f->whole.settings, f->whole.backends, f->whole.table);
}

static void view_owner(const struct fingerprints *f, const struct backend *b,
		       struct view_fingerprint *out)
{
	const struct owner *o = &f->owners[b->number];

	memcpy(out->service, b->service->name, sizeof(out->service));
	memcpy(out->backend, b->name, sizeof(out->backend));
	out->settings = o->settings;
	out->table = o->owned;
	out->slots = o->slots;
	out->whole = fingerprint_service(o->settings, 0, o->owned);
}

bool fingerprints_view(void *arg, uint32_t service, uint32_t i, struct view_fingerprint *out)
{
	struct engine *e = arg;
	const struct service *s;

	if (service >= e->n_services || i > e->services[service]->n_backends)
		return false;
	s = e->services[service];
	if (!e->fingerprints)
		e->fingerprints = calloc(1, sizeof(*e->fingerprints));
	if (!e->fingerprints)
		return false;
	if (i == 0 || e->fingerprints->service != s)
		take(e->fingerprints, e, s);
	if (i == 0)
		*out = e->fingerprints->whole;
	else if (s->backends[i - 1]->leaving)
		return false; /* behind all others */
	else
		view_owner(e->fingerprints, s->backends[i - 1], out);
	return true;
}
