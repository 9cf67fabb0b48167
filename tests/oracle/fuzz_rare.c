/* SPDX-License-Identifier: BSD-2-Clause */
/* What is known of addresses, for packets without ports; and the tables of fragments and answers. */
#include "fuzz.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/mono.h"
#include "shunt.skel.h"

#define N_WORDS (WORLD_FRAG_BUCKETS * SHUNT_FRAGS_PER_BUCKET)

void fuzz_rare_open(struct fuzz_world *w)
{
	w->answers = calloc(w->f->cpus, sizeof(*w->answers));
	assert_non_null(w->answers);
	w->tables.vips = w->vips;
	w->tables.frag_buckets = WORLD_FRAG_BUCKETS;
	w->tables.hz = mono_kernel_hz();
	w->state.frags = w->frags;
	w->state.answers = w->answers;
}

/* ---- addresses ----------------------------------------------------------------------------------*/

static struct oracle_vip *vip_new(struct fuzz_world *w, uint8_t family, uint8_t bits)
{
	struct oracle_vip *v = &w->vips[w->tables.n_vips++];

	assert_true(w->tables.n_vips <= FUZZ_VIPS);
	*v = (struct oracle_vip){.family = family, .bits = bits};
	return v;
}

/* The address of the services of a kind, if the maps know it: its entry's flags are at @flags. */
static void vip_copy(struct fuzz_world *w, uint8_t family, enum world_kind kind)
{
	const uint16_t *flags = world_vip_flags(w->f, family, kind);
	struct recipe r = world_recipe(family, IPPROTO_TCP, kind);
	struct oracle_vip *v;

	if (!flags)
		return;
	v = vip_new(w, family, family == 4 ? 32 : 128);
	v->is_exact = true;
	v->is_live = *flags & SHUNT_VIP_LIVE;
	memcpy(v->addr, r.dst, 16);
}

void fuzz_rare_copy(struct fuzz_world *w)
{
	w->tables.n_vips = 0;
	for (uint8_t family = 4; family <= 6; family += 2) {
		vip_copy(w, family, WORLD_DSR);
		vip_copy(w, family, WORLD_ANY);
	}
}

/* Of packets without ports a prefix has one span. */
static void vip_prefix(struct fuzz_world *w, uint32_t span_at, struct dice *d)
{
	uint8_t family = once_in(d, 2) ? 4 : 6;
	struct recipe r = world_recipe(family, IPPROTO_TCP, once_in(d, 2) ? WORLD_ANY : WORLD_DSR);
	struct oracle_vip *v = vip_new(w, family, (uint8_t)(1 + roll(d, family == 4 ? 32 : 128)));
	struct shunt_prefix_key key = {
		.prefixlen = SHUNT_PREFIX_BITS + v->bits,
		.half = (uint8_t)w->f->ctl->active,
		.family = family,
		.protocol = family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
	};
	struct shunt_service svc = {.flags = (uint16_t)roll(d, 2), .slot_mask = 1};
	struct shunt_prefix value = {span_at, 1};
	struct shunt_span span = {.entry = SHUNT_SPAN_NOBODY};

	for (uint32_t i = 0; i < v->bits; i++)
		v->addr[i / 8] |= r.dst[i / 8] & (128 >> i % 8);
	memcpy(key.addr, v->addr, sizeof(key.addr));
	v->is_nobody = once_in(d, 4);
	v->is_live = svc.flags & SHUNT_VIP_LIVE;
	if (bpf_map_update_elem(bpf_map__fd(w->f->shunt->maps.prefixes), &key, &value,
				BPF_NOEXIST)) {
		w->tables.n_vips--; /* has it already */
		return;
	}
	if (!v->is_nobody)
		span.entry = fuzz_entry_take(w->f, family, &svc);
	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(w->f->shunt->maps.spans), &span_at, &span, 0), 0);
	if (family == 4)
		w->f->ctl->v4[w->f->ctl->active].flags |= SHUNT_INDEX_PREFIXES;
	else
		w->f->ctl->v6[w->f->ctl->active].flags |= SHUNT_INDEX_PREFIXES;
}

static void answers_fill(struct fuzz_world *w, struct dice *d)
{
	static const uint32_t rates[] = {0, 1, 10, 1000000, 1000000};

	for (uint32_t i = 0; i < w->f->cpus; i++)
		w->f->answers[i] = (struct shunt_answer){
			.rate = rates[roll(d, 5)],
			.credit = roll(d, 40) * w->tables.hz,
		};
}

void fuzz_rare_vips(struct fuzz_world *w, struct dice *d)
{
	for (uint8_t family = 4; family <= 6; family += 2) {
		if (once_in(d, 2))
			world_vip(w->f, family, WORLD_DSR, once_in(d, 2));
		if (once_in(d, 2))
			world_vip(w->f, family, WORLD_ANY, once_in(d, 2));
	}
	fuzz_rare_copy(w);
}

void fuzz_rare_fill(struct fuzz_world *w, struct dice *d)
{
	for (uint32_t i = roll(d, FUZZ_VIPS - 4); i > 0; i--)
		vip_prefix(w, FUZZ_SPANS - i, d);
	answers_fill(w, d);
}

/* ---- between two packets ------------------------------------------------------------------------*/

static void disturb_frag(struct fuzz_world *w, struct dice *d)
{
	uint32_t ticks = SHUNT_FRAG_TIMEOUT_S * w->tables.hz >> SHUNT_FRAG_TICK_SHIFT;
	uint32_t at = roll(d, N_WORDS);
	__u64 *word = &w->frags[at / SHUNT_FRAGS_PER_BUCKET].word[at % SHUNT_FRAGS_PER_BUCKET];
	bool is_passed;

	if (!*word)
		return;
	switch (roll(d, 4)) {
	case 0:
		*word = 0;
		break;
	case 1: /* some other backend of the service, or one beyond the table */
		is_passed = !(*word >> SHUNT_FRAG_WHERETO_SHIFT & SHUNT_FRAG_WHERETO);
		*word ^= 1ull << (SHUNT_FRAG_WHERETO_SHIFT +
				  (is_passed || once_in(d, 2) ? 20 : roll(d, 3)));
		break;
	case 2: /* from the next tick */
		*word = (*word & ~0xffffull) | (uint16_t)(*word + 1);
		break;
	default: /* about as old as may be */
		*word = (*word & ~0xffffull) | (uint16_t)(*word - ticks + roll(d, 3) - 1);
	}
}

void fuzz_rare_disturb(struct fuzz_world *w, struct dice *d)
{
	if (once_in(d, 3))
		w->answers[roll(d, w->f->cpus)].credit = roll(d, 3) * w->tables.hz;
	else
		disturb_frag(w, d);
	fuzz_rare_to_maps(w);
}

void fuzz_rare_from_maps(struct fuzz_world *w)
{
	memcpy(w->frags, w->f->frags, sizeof(w->frags));
	memcpy(w->answers, w->f->answers, w->f->cpus * sizeof(*w->answers));
}

void fuzz_rare_to_maps(const struct fuzz_world *w)
{
	memcpy(w->f->frags, w->frags, sizeof(w->frags));
	memcpy(w->f->answers, w->answers, w->f->cpus * sizeof(*w->answers));
}

bool fuzz_rare_is_same(const struct fuzz_world *w)
{
	return memcmp(w->f->frags, w->frags, sizeof(w->frags)) == 0 &&
	       memcmp(w->f->answers, w->answers, w->f->cpus * sizeof(*w->answers)) == 0;
}
