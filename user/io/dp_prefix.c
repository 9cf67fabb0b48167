/* SPDX-License-Identifier: BSD-2-Clause */
/* Services that are found by prefix: spans of ports in the half that is not in force, and keys in the
 * trie that both halves share. A key names its half, so what is written for the other half is no
 * packet's business until the one store that puts it into force (dp_service.c). */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "io/dp_impl.h"
#include "pure/lookup.h"
#include "shunt_abi.h"

static struct shunt_prefix_key key_of(const struct lookup_prefix *p, uint32_t half)
{
	struct shunt_prefix_key key = {
		.prefixlen = SHUNT_PREFIX_BITS + p->vip_bits,
		.half = (uint8_t)half,
		.family = p->vip->family,
		.protocol = p->protocol,
	};

	memcpy(key.addr, p->vip->bytes, sizeof(key.addr));
	return key;
}

/* ---- the keys of a half -------------------------------------------------------------------------*/

/* All keys of @half, the caller's; there may be none. */
struct keys {
	struct shunt_prefix_key *list;
	size_t n;
};

static int keys_read(int fd, uint32_t half, struct keys *out)
{
	auto_free struct shunt_prefix_key *list = NULL;
	struct shunt_prefix_key key, *from = NULL, *grown;
	size_t n = 0, room = 0;

	while (bpf_map_get_next_key(fd, from, &key) == 0) {
		from = &key;
		if (key.half != half)
			continue;
		if (n == room) {
			room = room ? room * 2 : 64;
			grown = reallocarray(list, room, sizeof(*list));
			if (!grown)
				return -ENOMEM;
			list = grown;
		}
		list[n++] = key;
	}
	*out = (struct keys){take_ptr(list), n};
	return 0;
}

void dp_prefixes_clear(const struct dp *dp, uint32_t half)
{
	int fd = dp->set.map[DP_PREFIXES].fd;
	struct keys keys;
	size_t i;

	if (keys_read(fd, half, &keys))
		return; /* the next switch clears it, or has no memory either */
	for (i = 0; i < keys.n; i++)
		bpf_map_delete_elem(fd, &keys.list[i]);
	free(keys.list);
}

/* ---- write --------------------------------------------------------------------------------------*/

static void write_spans(struct dp *dp, const struct dp_prefixes *p, uint32_t at)
{
	struct shunt_span *to = dp->set.map[DP_SPANS].mem;
	const struct lookup *l = p->lookup;
	size_t i;

	for (i = 0; i < l->n_spans; i++)
		to[at + i] = (struct shunt_span){
			.from_port = l->spans[i].from,
			.entry = l->spans[i].service == LOOKUP_NOBODY
					 ? SHUNT_SPAN_NOBODY
					 : p->entry_of[l->spans[i].service],
		};
}

int dp_prefixes_write(struct dp *dp, const struct dp_prefixes *p)
{
	uint32_t at = p->half * dp_half_spans(&dp->set);
	const struct lookup *l = p->lookup;
	size_t i;
	int rc;

	dp_prefixes_clear(dp, p->half); /* of a daemon that was killed here */
	if (l->n_spans > dp_half_spans(&dp->set))
		return -ENOSPC;
	write_spans(dp, p, at);
	for (i = 0; i < l->n_prefixes; i++) {
		struct shunt_prefix_key key = key_of(&l->prefixes[i], p->half);
		struct shunt_prefix value = {at + l->prefixes[i].spans_at, l->prefixes[i].n_spans};

		if (bpf_map_update_elem(dp->set.map[DP_PREFIXES].fd, &key, &value, BPF_ANY)) {
			rc = -errno;
			dp_prefixes_clear(dp, p->half);
			return rc;
		}
	}
	return 0;
}

int dp_prefixes_copy(const struct dp_set *from, uint32_t half, struct dp_set *to)
{
	const struct shunt_span *old = from->map[DP_SPANS].mem;
	struct shunt_span *new = to->map[DP_SPANS].mem;
	uint32_t base = half * dp_half_spans(from), room = dp_half_spans(from);
	auto_free struct shunt_prefix_key *list = NULL;
	struct shunt_prefix value;
	struct keys keys;
	size_t i;
	int rc = keys_read(from->map[DP_PREFIXES].fd, half, &keys);

	if (rc)
		return rc;
	list = keys.list;
	memcpy(new, old + base, room * sizeof(*new));
	for (i = 0; i < keys.n; i++) {
		if (bpf_map_lookup_elem(from->map[DP_PREFIXES].fd, &list[i], &value))
			continue;
		value.spans_at -= base;
		list[i].half = 0;
		if (bpf_map_update_elem(to->map[DP_PREFIXES].fd, &list[i], &value, BPF_ANY))
			return -errno;
	}
	return 0;
}

/* ---- read back ----------------------------------------------------------------------------------*/

static void each_span(const struct dp *dp, const struct shunt_prefix_key *key,
		      const struct shunt_prefix *prefix,
		      void (*fn)(void *arg, const struct dp_prefix_span *s), void *arg)
{
	const struct shunt_span *spans = dp->set.map[DP_SPANS].mem;
	struct dp_prefix_span out = {
		.vip.family = key->family,
		.vip_bits = (uint8_t)(key->prefixlen - SHUNT_PREFIX_BITS),
		.protocol = key->protocol,
	};
	uint32_t i;

	memcpy(out.vip.bytes, key->addr, sizeof(key->addr));
	if ((uint64_t)prefix->spans_at + prefix->spans > dp->set.map[DP_SPANS].entries)
		return;
	for (i = 0; i < prefix->spans; i++) {
		const struct shunt_span *s = &spans[prefix->spans_at + i];

		if (s->entry == SHUNT_SPAN_NOBODY)
			continue;
		out.entry = s->entry;
		out.from = (uint16_t)s->from_port;
		out.to = i + 1 < prefix->spans ? (uint16_t)(s[1].from_port - 1) : UINT16_MAX;
		fn(arg, &out);
	}
}

void dp_prefixes_each(const struct dp *dp, void (*fn)(void *arg, const struct dp_prefix_span *s),
		      void *arg)
{
	int fd = dp->set.map[DP_PREFIXES].fd;
	struct shunt_prefix prefix;
	struct keys keys;
	size_t i;

	if (keys_read(fd, dp_ctl(dp)->active & 1, &keys))
		return;
	for (i = 0; i < keys.n; i++)
		if (bpf_map_lookup_elem(fd, &keys.list[i], &prefix) == 0)
			each_span(dp, &keys.list[i], &prefix, fn, arg);
	free(keys.list);
}
