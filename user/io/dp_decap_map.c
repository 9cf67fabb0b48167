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
			return dp_fail(err, -E2BIG, "no room for %s: at most %u addresses",
				       addr_format(&addrs[i], text), DP_DECAP_ADDRS_MAX);
		return dp_fail_os(err, -errno, "cannot add %s", addr_format(&addrs[i], text));
	}
	return 0;
}

void dp_decap_del_addrs(int map_fd, const struct addr *addrs, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		struct shunt_decap_addr key = to_key(&addrs[i]);

		bpf_map_delete_elem(map_fd, &key);
	}
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
			dp_decap_del_addrs(map_fd, &there[i], 1);
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
