/* SPDX-License-Identifier: BSD-2-Clause */
/* rr and wrr: turns, and which flows are remembered.  Ages are written by hand, since no test waits
 * for a flow to expire. */
#include "fixture.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "pure/hashkey.h"

#define N_WORDS (WORLD_FLOW_BUCKETS * SHUNT_FLOWS_PER_BUCKET)
#define N_BACKENDS (WORLD_ROWS_EACH - 1)
#define FLOOD 5000

static const uint8_t families[] = {4, 6};

static __u64 *word_at(struct fixture *f, size_t i)
{
	return &f->flows[i / SHUNT_FLOWS_PER_BUCKET].word[i % SHUNT_FLOWS_PER_BUCKET];
}

static size_t words_used(struct fixture *f)
{
	size_t n = 0;

	for (size_t i = 0; i < N_WORDS; i++)
		n += *word_at(f, i) != 0;
	return n;
}

/* The only word in the table. */
static __u64 *only_word(struct fixture *f)
{
	__u64 *found = NULL;

	assert_int_equal(words_used(f), 1);
	for (size_t i = 0; i < N_WORDS; i++)
		if (*word_at(f, i))
			found = word_at(f, i);
	return found;
}

static uint32_t number_in(uint64_t w)
{
	return w >> 16 & SHUNT_SLOT_BACKEND;
}

static uint64_t aged(uint64_t w, int ticks)
{
	return (w & ~0xffffull) | (uint16_t)(w - (uint64_t)ticks);
}

static void stay_on_cpu(size_t cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

/* The service with all its backends in its slots, remembering flows. */
static struct shunt_service *rr_service(struct fixture *f, uint8_t family, uint8_t proto)
{
	struct shunt_service *svc = world_service(f, family, proto, WORLD_DSR);

	svc->flags |= SHUNT_SVC_FLOWS;
	svc->backends = N_BACKENDS;
	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++)
		*world_slot(f, svc, slot) = (uint16_t)(1 + slot % N_BACKENDS);
	return svc;
}

static struct recipe flow(uint8_t family, uint8_t proto, int n, uint8_t tcp_flags)
{
	struct recipe r = world_recipe(family, proto, WORLD_DSR);

	r.sport = (uint16_t)(1000 + n);
	r.tcp_flags = tcp_flags;
	return r;
}

/* A packet comes; returns the number of the backend that it went to. */
static uint32_t arrive(struct fixture *f, const struct recipe *r, struct outcome *o)
{
	struct frame in;

	frame_build(r, &in);
	fixture_run(f, &in, o);
	assert_int_equal(o->verdicts, 0);
	assert_int_equal(o->packets, 1);
	return o->row - world_service(f, r->family, r->proto, WORLD_DSR)->row;
}

static uint32_t syn(struct fixture *f, int n)
{
	struct recipe r = flow(4, IPPROTO_TCP, n, TCP_FLAG_SYN);
	struct outcome o;

	return arrive(f, &r, &o);
}

static uint32_t ack(struct fixture *f, int n)
{
	struct recipe r = flow(4, IPPROTO_TCP, n, TCP_FLAG_ACK);
	struct outcome o;

	return arrive(f, &r, &o);
}

static uint32_t by_hash(struct fixture *f, int n)
{
	struct recipe r = flow(4, IPPROTO_TCP, n, 0);
	uint32_t src, dst, ports = htons(r.sport) | (uint32_t)htons(r.dport) << 16;

	memcpy(&src, r.src, 4);
	memcpy(&dst, r.dst, 4);
	return *world_slot(
		f, world_service(f, 4, IPPROTO_TCP, WORLD_DSR),
		shunt_slot_of(hashkey_flow4(f->hash_key, src, dst, ports), WORLD_SLOTS - 1));
}

static int setup(void **state)
{
	struct fixture *f = *state;

	fixture_reset(state);
	stay_on_cpu(0);
	for (int i = 0; i < 4; i++)
		rr_service(f, families[i / 2], i % 2 ? IPPROTO_UDP : IPPROTO_TCP);
	return 0;
}

static void new_flows_take_turns(void **state)
{
	for (int n = 0; n < 300; n++)
		assert_int_equal(syn(*state, n), 1 + n % WORLD_SLOTS % N_BACKENDS);
}

static void each_cpu_starts_at_its_own_place(void **state)
{
	struct fixture *f = *state;
	uint32_t cpus = f->cpus;

	for (uint32_t cpu = 0; cpu < cpus && cpu < 4; cpu++) {
		stay_on_cpu(cpu);
		assert_int_equal(syn(f, 100 + (int)cpu), 1 + cpu * WORLD_SLOTS / cpus % N_BACKENDS);
	}
}

static void a_flow_stays_where_it_began(void **state)
{
	struct outcome o;

	for (int i = 0; i < 4; i++) {
		uint8_t family = families[i / 2], proto = i % 2 ? IPPROTO_UDP : IPPROTO_TCP;
		uint32_t began[N_BACKENDS * 2];

		for (int n = 0; n < N_BACKENDS * 2; n++) {
			struct recipe r = flow(family, proto, n, TCP_FLAG_SYN);

			began[n] = arrive(*state, &r, &o);
			assert_int_equal(o.flows, 1);
		}
		for (int n = 0; n < N_BACKENDS * 6; n++) {
			struct recipe r = flow(family, proto, n % (N_BACKENDS * 2), TCP_FLAG_ACK);

			assert_int_equal(arrive(*state, &r, &o), began[n % (N_BACKENDS * 2)]);
			assert_int_equal(o.flows, 0);
		}
	}
}

static void a_word_is_as_the_abi_says(void **state)
{
	struct fixture *f = *state;
	uint32_t number = syn(f, 1);
	uint64_t w = *only_word(f);

	assert_int_not_equal(w >> 32, 0);
	assert_int_equal(w & SHUNT_FLOW_CONFIRMED, 0);
	assert_int_equal(number_in(w), number);
	assert_int_equal(syn(f, 1), number); /* a retransmission confirms nothing */
	assert_int_equal(*only_word(f) & SHUNT_FLOW_CONFIRMED, 0);
	assert_int_equal(ack(f, 1), number);
	assert_true(*only_word(f) & SHUNT_FLOW_CONFIRMED);
	assert_int_equal(*only_word(f) >> 32, w >> 32);
	assert_int_equal(number_in(*only_word(f)), number);
	assert_int_equal(syn(f, 1), number); /* nor does it unconfirm */
	assert_true(*only_word(f) & SHUNT_FLOW_CONFIRMED);
}

static void the_second_datagram_confirms(void **state)
{
	struct fixture *f = *state;
	struct recipe r = flow(6, IPPROTO_UDP, 1, 0);
	struct outcome o;

	arrive(f, &r, &o);
	assert_int_equal(*only_word(f) & SHUNT_FLOW_CONFIRMED, 0);
	arrive(f, &r, &o);
	assert_true(*only_word(f) & SHUNT_FLOW_CONFIRMED);
}

static void a_packet_makes_its_flow_young(void **state)
{
	struct fixture *f = *state;
	uint32_t number = syn(f, 1);
	uint16_t now = (uint16_t)*only_word(f);

	*only_word(f) = aged(*only_word(f), WORLD_TIMEOUT - 2);
	assert_int_equal(ack(f, 1), number);
	assert_in_range((uint16_t)((uint16_t)*only_word(f) - now), 0, 5);
}

/* Another CPU may have written a tick that has not come here. */
static void an_age_from_the_next_tick_holds(void **state)
{
	struct fixture *f = *state;
	uint32_t number = syn(f, 1);

	*only_word(f) = aged(*only_word(f), -1);
	assert_int_equal(ack(f, 1), number);
	assert_int_equal(syn(f, 1), number);
}

/* The tick that it is now. */
static uint16_t tick(struct fixture *f)
{
	*only_word(f) = 0;
	syn(f, 60000);
	return (uint16_t)*only_word(f);
}

static void a_flow_holds_up_to_its_timeout(void **state)
{
	struct fixture *f = *state;
	uint32_t number, is;
	uint16_t before;

	/* once more if a tick begins meanwhile */
	do {
		memset(f->flows, 0, WORLD_FLOW_BUCKETS * sizeof(*f->flows));
		number = syn(f, 1);
		before = (uint16_t)*only_word(f);
		*only_word(f) = aged(*only_word(f), WORLD_TIMEOUT);
		is = syn(f, 1);
	} while (tick(f) != before);
	assert_int_equal(is, number);
}

static void an_expired_flow_begins_anew(void **state)
{
	struct fixture *f = *state;
	uint32_t number = syn(f, 1);

	assert_int_equal(ack(f, 1), number);
	*only_word(f) = aged(*only_word(f), WORLD_TIMEOUT + 1);
	assert_int_equal(syn(f, 1), number + 1);
	assert_int_equal(*only_word(f) & SHUNT_FLOW_CONFIRMED, 0);
	assert_int_equal(number_in(*only_word(f)), number + 1);
}

static void an_unknown_flow_goes_by_hash_and_is_not_remembered(void **state)
{
	struct fixture *f = *state;

	for (int n = 0; n < 50; n++) {
		assert_int_equal(ack(f, n), by_hash(f, n));
		assert_int_equal(words_used(f), 0);
	}
	for (size_t i = 0; i < f->cpus * WORLD_ROWS; i++)
		assert_int_equal(f->counters[i].cursor, 0);
	/* the same for one that has expired */
	syn(f, 7);
	*only_word(f) = aged(*only_word(f), WORLD_TIMEOUT + 1);
	assert_int_equal(ack(f, 7), by_hash(f, 7));
}

static void a_number_that_is_gone_holds_nothing(void **state)
{
	struct fixture *f = *state;
	struct shunt_service *svc = world_service(f, 4, IPPROTO_TCP, WORLD_DSR);

	for (int n = 1; n < 7; n++) {
		assert_int_equal(syn(f, 1), n);
		*only_word(f) = 0;
	}
	assert_int_equal(syn(f, 1), 7);
	svc->backends = 7;
	assert_int_equal(ack(f, 1), 7);
	svc->backends = 6;
	assert_int_equal(ack(f, 1), by_hash(f, 1));
}

static void a_flow_whose_backend_is_lost_gets_another_for_good(void **state)
{
	struct fixture *f = *state;
	struct shunt_service *svc = world_service(f, 4, IPPROTO_TCP, WORLD_DSR);
	uint32_t number = syn(f, 1), next;

	assert_int_equal(ack(f, 1), number);
	f->backends[svc->row + number].flags = 0;
	next = ack(f, 1);
	assert_int_not_equal(next, number);
	assert_int_equal(number_in(*only_word(f)), next);
	f->backends[svc->row + number].flags = SHUNT_BE_USABLE;
	for (int i = 0; i < 3; i++)
		assert_int_equal(ack(f, 1), next);
}

static void a_draining_backend_keeps_its_flows(void **state)
{
	struct fixture *f = *state;
	struct shunt_service *svc = world_service(f, 4, IPPROTO_TCP, WORLD_DSR);
	uint32_t number = syn(f, 1);

	f->backends[svc->row + number].flags |= SHUNT_BE_NO_NEW;
	for (uint32_t slot = 0; slot < WORLD_SLOTS; slot++)
		*world_slot(f, svc, slot) = 7;
	assert_int_equal(ack(f, 1), number);
	assert_int_equal(syn(f, 2), 7);
}

static void flows_stay_when_the_services_rows_move(void **state)
{
	struct fixture *f = *state;
	struct shunt_service *svc = world_service(f, 4, IPPROTO_TCP, WORLD_DSR);
	uint32_t number;

	syn(f, 0);
	*only_word(f) = 0;
	number = syn(f, 1);
	assert_int_not_equal(number, by_hash(f, 1));
	svc->row = world_row(4, IPPROTO_TCP, WORLD_EXACT);
	assert_int_equal(ack(f, 1), number);
	svc->salt++; /* but another service does not know them */
	assert_int_equal(ack(f, 1), by_hash(f, 1));
}

static void a_flood_of_syns_takes_nothing_from_the_connected(void **state)
{
	struct fixture *f = *state;
	uint32_t began[150];
	int remembered = 0;

	for (int n = 0; n < 150; n++) {
		began[n] = syn(f, n);
		assert_int_equal(ack(f, n), began[n]);
		remembered += began[n] != by_hash(f, n);
	}
	assert_true(remembered > 75);
	for (int n = 0; n < FLOOD; n++)
		syn(f, 1000 + n);
	assert_true(words_used(f) > N_WORDS / 2);
	for (int n = 0; n < 150; n++)
		assert_int_equal(ack(f, n), began[n]);
}

/* A word of some other flow, as old as a flow that has just been remembered. */
static uint64_t foreign(struct fixture *f, size_t i)
{
	uint64_t w;

	syn(f, 60000);
	w = *only_word(f) & 0xffff;
	*only_word(f) = 0;
	return w | (uint64_t)(0xf0000000 + 2 * i) << 32 | 1u << 16;
}

static void where_all_are_connected_a_new_flow_goes_by_hash(void **state)
{
	struct fixture *f = *state;
	uint64_t w = foreign(f, 0);

	for (size_t i = 0; i < N_WORDS; i++)
		*word_at(f, i) = (w + (i << 33)) | SHUNT_FLOW_CONFIRMED;
	for (int n = 0; n < 100; n++) {
		assert_int_equal(syn(f, n), by_hash(f, n));
		assert_int_equal(ack(f, n), by_hash(f, n));
	}
	for (size_t i = 0; i < N_WORDS; i++)
		assert_true(*word_at(f, i) == ((w + (i << 33)) | SHUNT_FLOW_CONFIRMED));
}

/* Every bucket has the same words but for the tags; returns at which place a new flow went. */
static size_t place_taken(struct fixture *f, const uint64_t words[static SHUNT_FLOWS_PER_BUCKET])
{
	size_t place = SHUNT_FLOWS_PER_BUCKET, changed = 0;
	uint64_t before[N_WORDS];

	for (size_t i = 0; i < N_WORDS; i++) {
		uint64_t w = words[i % SHUNT_FLOWS_PER_BUCKET];

		before[i] = *word_at(f, i) = w ? w + (i << 33) : 0;
	}
	syn(f, 1);
	for (size_t i = 0; i < N_WORDS; i++) {
		if (*word_at(f, i) == before[i])
			continue;
		changed++;
		place = i % SHUNT_FLOWS_PER_BUCKET;
	}
	assert_int_equal(changed, 1);
	return place;
}

static void the_place_is_free_or_expired_or_the_oldest_unconfirmed(void **state)
{
	struct fixture *f = *state;
	uint64_t words[SHUNT_FLOWS_PER_BUCKET], w = foreign(f, 0);

	for (size_t i = 0; i < SHUNT_FLOWS_PER_BUCKET; i++)
		words[i] = aged(w, 10 * (int)i) | SHUNT_FLOW_CONFIRMED;
	words[2] = aged(w, 5);
	words[3] = aged(w, 30);
	words[5] = aged(w, 20);
	words[7] = aged(w, SHUNT_FLOW_PROBATION - 1); /* its second packet may be on the way */
	assert_int_equal(place_taken(f, words), 3);
	words[3] |= SHUNT_FLOW_CONFIRMED;
	assert_int_equal(place_taken(f, words), 5);
	words[5] |= SHUNT_FLOW_CONFIRMED;
	assert_int_equal(place_taken(f, words), 2);
	words[2] = aged(w, SHUNT_FLOW_PROBATION);
	assert_int_equal(place_taken(f, words), 2);
	words[6] = aged(w, WORLD_TIMEOUT + 50) | SHUNT_FLOW_CONFIRMED;
	assert_int_equal(place_taken(f, words), 6);
	words[1] = aged(w, WORLD_TIMEOUT + 60) | SHUNT_FLOW_CONFIRMED;
	assert_int_equal(place_taken(f, words), 1);
	words[1] = aged(w, 65500); /* older than any age that a free word could be read as */
	words[4] = 0;
	assert_int_equal(place_taken(f, words), 4);
}

static void a_flow_may_stand_in_either_bucket(void **state)
{
	struct fixture *f = *state;
	uint64_t w = foreign(f, 0);
	uint32_t began[200];
	size_t before;

	for (size_t i = 0; i < N_WORDS; i++)
		if (i / SHUNT_FLOWS_PER_BUCKET % 2)
			*word_at(f, i) = (w + (i << 33)) | SHUNT_FLOW_CONFIRMED;
	before = words_used(f);
	for (int n = 0; n < 200; n++) {
		began[n] = syn(f, n);
		ack(f, n);
	}
	/* with one bucket a flow, half of them would find a place at most */
	assert_in_range(words_used(f) - before, 120, 200);
	for (int n = 0; n < 200; n++)
		assert_int_equal(ack(f, n), began[n]);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(new_flows_take_turns),
		TEST(each_cpu_starts_at_its_own_place),
		TEST(a_flow_stays_where_it_began),
		TEST(a_word_is_as_the_abi_says),
		TEST(the_second_datagram_confirms),
		TEST(a_packet_makes_its_flow_young),
		TEST(an_age_from_the_next_tick_holds),
		TEST(a_flow_holds_up_to_its_timeout),
		TEST(an_expired_flow_begins_anew),
		TEST(an_unknown_flow_goes_by_hash_and_is_not_remembered),
		TEST(a_number_that_is_gone_holds_nothing),
		TEST(a_flow_whose_backend_is_lost_gets_another_for_good),
		TEST(a_draining_backend_keeps_its_flows),
		TEST(flows_stay_when_the_services_rows_move),
		TEST(a_flood_of_syns_takes_nothing_from_the_connected),
		TEST(where_all_are_connected_a_new_flow_goes_by_hash),
		TEST(the_place_is_free_or_expired_or_the_oldest_unconfirmed),
		TEST(a_flow_may_stand_in_either_bucket),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
