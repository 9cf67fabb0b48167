/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/dp_decap_map.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "io/dp_sys.h"

static struct shunt_decap_addr to_key(const struct addr *a)
{
	struct shunt_decap_addr key = {.family = a->family};

	memcpy(key.addr, a->bytes, sizeof(key.addr));
	return key;
}

static struct addr from_key(const struct shunt_decap_addr *key)
{
	struct addr a = {.family = (uint8_t)key->family};

	memcpy(a.bytes, key->addr, sizeof(a.bytes));
	return a;
}

static int compare(const void *a, const void *b)
{
	return addr_compare(a, b);
}

size_t dp_decap_read_addrs(int map_fd, struct addr addrs[static DP_DECAP_ADDRS_MAX])
{
	struct shunt_decap_addr key, next;
	void *from = NULL;
	size_t n = 0;

	while (n < DP_DECAP_ADDRS_MAX && bpf_map_get_next_key(map_fd, from, &next) == 0) {
		addrs[n++] = from_key(&next);
		key = next;
		from = &key;
	}
	qsort(addrs, n, sizeof(*addrs), compare);
	return n;
}

int dp_decap_add_addrs(int map_fd, const struct addr *addrs, size_t n, struct dp_error *err)
{
	char text[ADDR_TEXT_MAX];
	uint32_t one = 1;
	size_t i;

	for (i = 0; i < n; i++) {
		struct shunt_decap_addr key = to_key(&addrs[i]);

		if (bpf_map_update_elem(map_fd, &key, &one, BPF_ANY) == 0)
			continue;
		if (errno == E2BIG)
			return dp_fail(err, -E2BIG,
				       "no room for %s: at most %u addresses; shunt decap del "
				       "removes some",
				       addr_format(&addrs[i], text), DP_DECAP_ADDRS_MAX);
		return dp_fail_os(err, -errno, "cannot add %s", addr_format(&addrs[i], text));
	}
	return 0;
}

static void forget_addr(int map_fd, const struct addr *a)
{
	struct shunt_decap_addr key = to_key(a);

	bpf_map_delete_elem(map_fd, &key);
}

int dp_decap_del_addrs(int map_fd, const struct addr *addrs, size_t n, struct dp_error *err)
{
	char text[ADDR_TEXT_MAX];
	uint32_t one;
	size_t i;

	for (i = 0; i < n; i++) {
		struct shunt_decap_addr key = to_key(&addrs[i]);

		if (bpf_map_lookup_elem(map_fd, &key, &one) < 0)
			return dp_fail(
				err, -ENOENT,
				"%s is not among the addresses; shunt decap status lists them",
				addr_format(&addrs[i], text));
	}
	for (i = 0; i < n; i++)
		forget_addr(map_fd, &addrs[i]);
	return 0;
}

static bool is_among(const struct addr *a, const struct addr *addrs, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (addr_compare(a, &addrs[i]) == 0)
			return true;
	return false;
}

/* Takes away first what is too much, or a full map would refuse what is new. */
int dp_decap_set_addrs(int map_fd, const struct addr *addrs, size_t n, struct dp_error *err)
{
	auto_free struct addr *there = calloc(DP_DECAP_ADDRS_MAX, sizeof(*there));
	size_t i, n_there;

	if (!there)
		return dp_fail_os(err, -ENOMEM, "cannot set the addresses");
	n_there = dp_decap_read_addrs(map_fd, there);
	for (i = 0; i < n_there; i++)
		if (!is_among(&there[i], addrs, n))
			forget_addr(map_fd, &there[i]);
	return dp_decap_add_addrs(map_fd, addrs, n, err);
}

int dp_decap_read_counters(int map_fd, uint64_t packets[static SHUNT_DECAP_COUNT_MAX])
{
	int cpu, cpus = libbpf_num_possible_cpus();
	auto_free uint64_t *values = NULL;
	uint32_t i;

	if (cpus < 0)
		return cpus;
	values = calloc((size_t)cpus, sizeof(*values));
	if (!values)
		return -ENOMEM;
	for (i = 0; i < SHUNT_DECAP_COUNT_MAX; i++) {
		packets[i] = 0;
		if (bpf_map_lookup_elem(map_fd, &i, values))
			return -errno;
		for (cpu = 0; cpu < cpus; cpu++)
			packets[i] += values[cpu];
	}
	return 0;
}

/* ---- whose tunnels are taken --------------------------------------------------------------------*/

static struct shunt_decap_prefix to_prefix_key(const struct dp_decap_prefix *p)
{
	struct shunt_decap_prefix key = {.prefixlen = SHUNT_DECAP_PREFIX_BITS + p->bits,
					 .family = p->addr.family};

	memcpy(key.addr, p->addr.bytes, sizeof(key.addr));
	return key;
}

static int compare_prefixes(const void *a, const void *b)
{
	const struct dp_decap_prefix *x = a, *y = b;
	int order = addr_compare(&x->addr, &y->addr);

	return order ? order : x->bits - y->bits;
}

static bool is_limited(int flags_fd)
{
	uint32_t zero = 0, flags = 0;

	return bpf_map_lookup_elem(flags_fd, &zero, &flags) == 0 && flags & SHUNT_DECAP_ONLY;
}

void dp_decap_read_only(int only_fd, int flags_fd, struct dp_decap *d)
{
	struct shunt_decap_prefix key, next;
	void *from = NULL;

	d->n_only = 0;
	while (d->n_only < DP_DECAP_ADDRS_MAX && bpf_map_get_next_key(only_fd, from, &next) == 0) {
		struct dp_decap_prefix *p = &d->only[d->n_only++];

		*p = (struct dp_decap_prefix){
			.addr.family = (uint8_t)next.family,
			.bits = (uint8_t)(next.prefixlen - SHUNT_DECAP_PREFIX_BITS)};
		memcpy(p->addr.bytes, next.addr, sizeof(next.addr));
		key = next;
		from = &key;
	}
	d->is_limited = is_limited(flags_fd);
	qsort(d->only, d->n_only, sizeof(d->only[0]), compare_prefixes);
}

static int set_flags(int flags_fd, uint32_t flags, struct dp_error *err)
{
	uint32_t zero = 0;

	if (bpf_map_update_elem(flags_fd, &zero, &flags, BPF_ANY))
		return dp_fail_os(err, -errno, "cannot set whose tunnels are taken off");
	return 0;
}

static int add_only(int only_fd, const struct dp_decap_prefix *only, size_t n, struct dp_error *err)
{
	char text[ADDR_PREFIX_TEXT_MAX];
	uint32_t one = 1;
	size_t i;

	for (i = 0; i < n; i++) {
		struct shunt_decap_prefix key = to_prefix_key(&only[i]);

		if (bpf_map_update_elem(only_fd, &key, &one, BPF_ANY))
			return dp_fail_os(err, -errno, "cannot allow %s",
					  addr_prefix_format(&only[i].addr, only[i].bits, text));
	}
	return 0;
}

static void remove_others(int only_fd, const struct dp_decap *there,
			  const struct dp_decap_prefix *only, size_t n)
{
	size_t i, k;

	for (i = 0; i < there->n_only; i++) {
		struct shunt_decap_prefix key = to_prefix_key(&there->only[i]);

		for (k = 0; k < n && compare_prefixes(&there->only[i], &only[k]) != 0; k++)
			;
		if (k == n)
			bpf_map_delete_elem(only_fd, &key);
	}
}

int dp_decap_set_only(int only_fd, int flags_fd, const struct dp_decap_prefix *only, size_t n,
		      struct dp_error *err)
{
	auto_free struct dp_decap *there = calloc(1, sizeof(*there));
	int rc;

	if (!there)
		return dp_fail_os(err, -ENOMEM, "cannot set whose tunnels are taken off");
	dp_decap_read_only(only_fd, flags_fd, there);
	rc = add_only(only_fd, only, n, err);
	if (rc == 0)
		rc = set_flags(flags_fd, n ? SHUNT_DECAP_ONLY : 0, err);
	if (rc == 0)
		remove_others(only_fd, there, only, n);
	return rc;
}

/* ---- sources ------------------------------------------------------------------------------------*/

static int most_first(const void *a, const void *b)
{
	const struct dp_decap_source *x = a, *y = b;

	if (x->packets != y->packets)
		return x->packets < y->packets ? 1 : -1;
	return addr_compare(&x->addr, &y->addr);
}

int dp_decap_read_sources(int map_fd, struct dp_decap *d)
{
	int cpu, cpus = libbpf_num_possible_cpus();
	auto_free struct shunt_decap_traffic *values = NULL;
	struct shunt_decap_addr key, next;
	void *from = NULL;

	if (cpus < 0)
		return cpus;
	values = calloc((size_t)cpus, sizeof(*values));
	if (!values)
		return -ENOMEM;
	d->n_sources = 0;
	while (d->n_sources < DP_DECAP_SOURCES_MAX &&
	       bpf_map_get_next_key(map_fd, from, &next) == 0) {
		struct dp_decap_source *s = &d->sources[d->n_sources];

		*s = (struct dp_decap_source){.addr = from_key(&next)};
		key = next;
		from = &key;
		if (bpf_map_lookup_elem(map_fd, &next, values))
			continue; /* has just given way */
		for (cpu = 0; cpu < cpus; cpu++) {
			s->packets += values[cpu].packets;
			s->bytes += values[cpu].bytes;
		}
		d->n_sources++;
	}
	qsort(d->sources, d->n_sources, sizeof(d->sources[0]), most_first);
	return 0;
}
