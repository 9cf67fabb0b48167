/* SPDX-License-Identifier: BSD-2-Clause */
/* What must hold of the maps once the engine of engine_world.h has settled. */
#ifndef ENGINE_CHECKS_H
#define ENGINE_CHECKS_H

#include "engine_world.h"

#include "engine/policies.h"

#include <bpf/bpf.h>
#include <errno.h>

static inline void check_backends(const struct bench *b, const struct service *s)
{
	const struct wanted_service *w = wanted_of(b, s);
	const struct engine *e = b->engine;
	struct shunt_backend row;
	struct shunt_owner owner;
	size_t i;

	assert_int_equal(s->n_backends, s->conf->n_backends);
	for (i = 0; i < s->n_backends; i++) {
		const struct backend *k = s->backends[i];
		int host = host_of(k);

		assert_true(w->backends[host].there);
		assert_string_equal(k->name, s->conf->backends[i].name);
		assert_in_range(k->number, 1, s->rows - 1);
		dp_owner_read(e->dp, s->row + k->number, &owner);
		assert_string_equal(owner.service, s->name);
		assert_string_equal(owner.backend, k->name);
		dp_backend_read(e->dp, s->row + k->number, &row);
		assert_memory_equal(row.addr, s->conf->backends[i].addr.bytes, 16);
		assert_int_equal(row.method, method_of(w, host));
		assert_int_equal(!!(row.flags & SHUNT_BE_USABLE), should_be_usable(b, w, host));
		assert_int_equal(!(row.flags & SHUNT_BE_NO_NEW), takes_flows(&w->backends[host]));
		if (row.flags & SHUNT_BE_USABLE)
			assert_int_equal(row.dmac[5], b->hosts[host].mac);
	}
}

static inline bool is_usable_number(const struct service *s, uint16_t number)
{
	size_t i;

	for (i = 0; i < s->n_backends; i++)
		if (s->backends[i]->number == number)
			return s->backends[i]->usable;
	return false;
}

static inline void check_slots(const struct bench *b, const struct service *s)
{
	static uint16_t slots[65536];
	const struct wanted_service *w = wanted_of(b, s);
	uint32_t owned[HOSTS * 2 + 1] = {0}, moving = 0, i;
	bool any = false;
	size_t k;

	dp_slots_read(b->engine->dp, s->slots_at, slots, s->slots);
	for (i = 0; i < s->slots; i++) {
		const struct transit_slot t = dp_slot_read(b->engine->dp, s->slots_at, i);

		slots[i] &= SHUNT_SLOT_BACKEND;
		assert_in_range(slots[i], 0, HOSTS * 2);
		owned[slots[i]]++;
		moving += transit_is_on(t.slot);
		/* Who is a former owner is not dead, and not forgotten. */
		if (transit_is_on(t.slot) && t.base.base)
			assert_true(is_usable_number(s, t.base.base));
	}
	assert_int_equal(moving, s->moving);
	for (k = 0; k < s->n_backends; k++) {
		const struct backend *one = s->backends[k];
		bool should = should_have_slots(b, w, host_of(one));

		any |= should;
		assert_int_equal(owned[one->number] > 0, should);
		assert_int_equal(owned[one->number], one->slots);
		owned[one->number] = 0;
	}
	/* What is left are empty slots, and only if nobody may take any. */
	for (i = 1; i <= HOSTS * 2; i++)
		assert_int_equal(owned[i], 0);
	assert_int_equal(owned[0], any ? 0 : s->slots);
}

struct in_force {
	const struct engine *e;
	uint32_t ports[SERVICES]; /* of each service number */
};

static inline void check_in_force(void *arg, const struct dp_service *found)
{
	struct in_force *f = arg;
	size_t i;

	for (i = 0; i < f->e->n_services; i++) {
		const struct service *s = f->e->services[i];

		if (s->row != found->svc.row)
			continue;
		assert_int_equal(addr_compare(&s->conf->vip, &found->vip), 0);
		assert_int_equal(s->conf->vip_bits, found->vip_bits ? found->vip_bits : 32);
		assert_int_equal(s->slots_at, found->svc.slots_at);
		assert_int_equal(s->slots, found->svc.slot_mask + 1);
		assert_int_equal(s->policy, found->svc.policy);
		assert_int_equal(!!s->policy, s->conf->has_list || s->conf->rate.new_flows ||
						      s->conf->rate.per_source);
		f->ports[atoi(s->name + 1)] +=
			found->port ? found->port_to ? found->port_to - found->port + 1u : 1u
				    : 65536u;
		return;
	}
	fail_msg("a service in force that is not configured");
}

/* What the service reserves and no backend uses is empty. */
static inline void check_spare_rows(const struct engine *e, const struct service *s)
{
	static const struct shunt_backend none;
	bool used[HOSTS * 5] = {true};
	struct shunt_backend there;
	struct shunt_owner owner;
	uint32_t i;

	for (i = 0; i < s->n_backends; i++)
		used[s->backends[i]->number] = true;
	for (i = 0; i < s->rows; i++) {
		assert_in_range(i, 0, HOSTS * 5 - 1);
		if (used[i])
			continue;
		dp_owner_read(e->dp, s->row + i, &owner);
		assert_string_equal(owner.service, "");
		dp_backend_read(e->dp, s->row + i, &there);
		assert_memory_equal(&there, &none, sizeof(none));
	}
}

/* Rows that nobody holds name nobody and lead nowhere; rows and lines are held by one or free. */
static inline void check_regions(const struct engine *e)
{
	uint32_t rows = dp_sizes(e->dp)->rows, row, free_rows = 0, held = 0, lines = 0;
	static const struct shunt_backend none;
	struct shunt_backend there;
	struct shunt_owner owner;
	size_t i;

	for (i = 0; i < e->rows.count; i++) {
		free_rows += e->rows.free[i].n;
		for (row = e->rows.free[i].at; row < e->rows.free[i].at + e->rows.free[i].n;
		     row++) {
			dp_owner_read(e->dp, row, &owner);
			assert_string_equal(owner.service, "");
			dp_backend_read(e->dp, row, &there);
			assert_memory_equal(&there, &none, sizeof(none));
		}
	}
	for (i = 0; i < e->n_services; i++) {
		held += e->services[i]->rows;
		lines += e->services[i]->slots / SHUNT_SLOTS_PER_LINE;
	}
	assert_int_equal(free_rows + held, rows);
	for (i = 0; i < e->lines.count; i++)
		lines += e->lines.free[i].n;
	assert_int_equal(lines, dp_sizes(e->dp)->slot_lines);
}

/* Numbers and words of policies are held by one or free. */
static inline void check_policies(const struct engine *e)
{
	uint32_t numbers = 0, words = 0;
	size_t i;

	for (i = 0; i < e->policies.n; i++)
		assert_in_range(e->policies.list[i].number, 1, dp_sizes(e->dp)->policies - 1);
	for (i = 0; i < e->policies.n_lists; i++)
		words += e->policies.lists[i].words;
	for (i = 0; i < e->policy_numbers.count; i++)
		numbers += e->policy_numbers.free[i].n;
	for (i = 0; i < e->source_words.count; i++)
		words += e->source_words.free[i].n;
	assert_int_equal(words, dp_sizes(e->dp)->source_words);
	if (dp_sizes(e->dp)->policies)
		assert_int_equal(numbers + e->policies.n, dp_sizes(e->dp)->policies - 1);
}

/* A SYN from a client of network @net that none came from before to service @number; returns the verdict's
 * XDP action with what came out in @out. */
static inline uint32_t send_syn_from(uint8_t net, int program_fd, int number,
				     enum wanted_ports ports, uint8_t out[static 256],
				     uint32_t *len)
{
	static uint32_t clients;
	uint8_t frame[64] = {[12] = 0x08, [14] = 0x45, [17] = 40, [22] = 64, [23] = 6, [26] = net};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = 54, .data_out = out,
		    .data_size_out = 256, .repeat = 1);
	uint8_t vip[4];
	uint16_t port = pick_target(ports, number, vip);

	memcpy(&frame[27], &(uint32_t){clients++ & 0xffffff}, 3);
	memcpy(&frame[30], vip, 4);
	frame[34] = (uint8_t)rand();
	frame[35] = (uint8_t)rand();
	frame[36] = (uint8_t)(port >> 8);
	frame[37] = (uint8_t)port;
	frame[46] = 0x50;
	frame[47] = 0x02;
	memset(out, 0, 256);
	assert_int_equal(bpf_prog_test_run_opts(program_fd, &run), 0);
	*len = run.data_size_out;
	return run.retval;
}

static inline uint32_t send_syn(int program_fd, int number, enum wanted_ports ports,
				uint8_t out[static 256], uint32_t *len)
{
	return send_syn_from(100, program_fd, number, ports, out, len);
}

/* A packet from @net is dropped as it came. */
static inline void check_dropped(uint8_t net, int program_fd, int number, enum wanted_ports ports)
{
	uint8_t out[256];
	uint32_t len;

	assert_int_equal(send_syn_from(net, program_fd, number, ports, out, &len), XDP_DROP);
	assert_int_equal(len, 54);
	assert_int_equal(out[5], 0);
}

static inline bool is_usable_mac(const struct service *s, uint8_t mac)
{
	size_t i;

	for (i = 0; i < s->n_backends; i++)
		if (s->backends[i]->usable && s->backends[i]->row.dmac[5] == mac)
			return true;
	return false;
}

/* A SYN to each service ends at one of its backends that takes flows, or nowhere if none does. */
static inline void check_packet(const struct bench *b, const struct service *s)
{
	const struct wanted_service *w = wanted_of(b, s);
	bool any = false;
	uint8_t out[256];
	uint32_t len;
	int i;

	if (!takes_others(w->policy))
		check_dropped(99, dp_program_fd(b->engine->dp), atoi(s->name + 1), w->ports);
	if (!takes(w->policy)) {
		check_dropped(100, dp_program_fd(b->engine->dp), atoi(s->name + 1), w->ports);
		return;
	}
	send_syn(dp_program_fd(b->engine->dp), atoi(s->name + 1), w->ports, out, &len);
	for (i = 0; i < HOSTS; i++) {
		if (!should_have_slots(b, w, i))
			continue;
		any = true;
		if (b->hosts[i].mac == out[5] && out[4] == 9)
			return;
	}
	if (s->moving && is_usable_mac(s, out[5]))
		return; /* no room to remember it: to the former owner */
	assert_int_equal(len, 54); /* as it came */
	assert_int_equal(out[5], 0);
	assert_false(any);
}

static inline void check_no_bad_table(const struct engine *e)
{
	uint64_t packets[SHUNT_VERDICT_MAX];

	dp_verdicts_read(e->dp, packets);
	assert_int_equal(packets[SHUNT_DROP_BAD_TABLE], 0);
}

static inline void check_all(const struct bench *b)
{
	const struct engine *e = b->engine;
	struct in_force in_force = {.e = e};
	size_t i;
	int k;

	assert_int_equal(e->n_services, e->conf->n_services);
	dp_services_each(e->dp, check_in_force, &in_force);
	check_regions(e);
	check_policies(e);
	for (i = 0; i < e->n_services; i++) {
		assert_string_equal(e->services[i]->name, e->conf->services[i].name);
		assert_true(wanted_of(b, e->services[i])->there);
		assert_int_equal(in_force.ports[atoi(e->services[i]->name + 1)],
				 ports_wanted(wanted_of(b, e->services[i])->ports));
		check_backends(b, e->services[i]);
		check_spare_rows(e, e->services[i]);
		check_slots(b, e->services[i]);
		for (k = 0; k < 8; k++)
			check_packet(b, e->services[i]);
	}
	check_no_bad_table(e);
}

#endif
