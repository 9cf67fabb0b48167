/* SPDX-License-Identifier: BSD-2-Clause */
/* What the packet path sees of dp's tables while they change. */
#include "dp_tables.h"

#include <pthread.h>
#include <sys/mman.h>

struct reader {
	const struct dp *dp;
	const struct shunt_backend *row; /* a mapping of the test's own */
	bool stop;
	uint32_t looked, bad;
};

static void start(struct reader *r, void *(*fn)(void *), pthread_t *thread)
{
	assert_int_equal(pthread_create(thread, NULL, fn, r), 0);
}

static void stop(struct reader *r, pthread_t thread)
{
	__atomic_store_n(&r->stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_int_equal(r->bad, 0);
}

static bool goes_on(struct reader *r, uint32_t until)
{
	return __atomic_load_n(&r->looked, __ATOMIC_RELAXED) < until;
}

static uint64_t load_word(const struct shunt_backend *row, size_t offset)
{
	return __atomic_load_n((const uint64_t *)((const char *)row + offset), __ATOMIC_ACQUIRE);
}

#define DMAC_WORD offsetof(struct shunt_backend, dmac)
#define SMAC_WORD (DMAC_WORD + 8)
#define FLAGS_WORD (offsetof(struct shunt_backend, flags) / 8 * 8)

static void *read_dmac(void *arg)
{
	struct reader *r = arg;
	uint64_t dmac;

	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		dmac = load_word(r->row, DMAC_WORD) & 0xffffffffffff;
		r->bad += dmac != 0x010101010101 * (dmac & 0xff);
		__atomic_fetch_add(&r->looked, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* All words of the row carry the number that stands in its mtu. Where the flags' word is the same
 * before and after, and says usable, the others must be of that number. */
static void *read_usable_row(void *arg)
{
	struct reader *r = arg;
	uint64_t flags, dmac, smac;
	struct shunt_backend b;

	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		flags = load_word(r->row, FLAGS_WORD);
		dmac = load_word(r->row, DMAC_WORD);
		smac = load_word(r->row, SMAC_WORD);
		if (flags != load_word(r->row, FLAGS_WORD))
			continue;
		memcpy((char *)&b + FLAGS_WORD, &flags, sizeof(flags));
		memcpy((char *)&b + DMAC_WORD, &dmac, sizeof(dmac));
		memcpy((char *)&b + SMAC_WORD, &smac, sizeof(smac));
		if (!(b.flags & SHUNT_BE_USABLE))
			continue;
		r->bad += b.dmac[0] != (uint8_t)b.mtu || b.smac[5] != (uint8_t)b.mtu;
		__atomic_fetch_add(&r->looked, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static const struct shunt_backend *map_row(const struct dp *dp, uint32_t row)
{
	void *mem = mmap(NULL, 4096, PROT_READ, MAP_SHARED, dp_map_fd(dp, "backends"), 0);

	assert_ptr_not_equal(mem, MAP_FAILED);
	return (const struct shunt_backend *)mem + row;
}

static void nobody_sees_half_a_mac(void **state)
{
	struct dp *dp = open_dp(16, 64, 64);
	struct reader reader = {.dp = dp, .row = map_row(dp, 1)};
	struct shunt_backend b = dsr_backend(0x11);
	pthread_t thread;
	uint32_t i;

	(void)state;
	memset(b.dmac, 0, sizeof(b.dmac));
	dp_backend_write(dp, 1, &b);
	start(&reader, read_dmac, &thread);
	for (i = 0; i < 1000000 || goes_on(&reader, 100000); i++) {
		memset(b.dmac, (int)i, sizeof(b.dmac));
		dp_backend_write(dp, 1, &b);
	}
	stop(&reader, thread);
	munmap((void *)(reader.row - 1), 4096);
	dp_close(dp);
}

static void a_usable_row_is_of_one_piece(void **state)
{
	struct dp *dp = open_dp(16, 64, 64);
	struct reader reader = {.dp = dp, .row = map_row(dp, 1)};
	struct shunt_backend b = dsr_backend(0);
	pthread_t thread;
	uint32_t i;

	(void)state;
	memset(b.dmac, 0, 12);
	b.mtu = 0;
	dp_backend_write(dp, 1, &b);
	start(&reader, read_usable_row, &thread);
	for (i = 0; i < 1000000 || goes_on(&reader, 1000); i++) {
		memset(b.dmac, (int)i, sizeof(b.dmac));
		memset(b.smac, (int)i, sizeof(b.smac));
		b.mtu = (uint16_t)i;
		b.port = (uint16_t)(i >> 16); /* or it is the same word again after 65536 */
		dp_backend_write(dp, 1, &b);
	}
	stop(&reader, thread);
	munmap((void *)(reader.row - 1), 4096);
	dp_close(dp);
}

/* Services 0 and 1 are always among those in force. */
static void *send_packets(void *arg)
{
	struct reader *r = arg;
	struct dp_service s[2] = {test_service(0), test_service(1)};
	struct frame f[2] = {udp_frame(&s[0].vip, s[0].port, 1),
			     udp_frame(&s[1].vip, s[1].port, 1)};

	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		run_frame(r->dp, &f[r->looked % 2], NULL);
		__atomic_fetch_add(&r->looked, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void no_packet_falls_between_two_switches(void **state)
{
	struct dp *dp = open_dp(N, 2 * N, N);
	struct reader reader = {.dp = dp};
	struct dp_service *s = many(N);
	uint64_t verdicts[SHUNT_VERDICT_MAX];
	pthread_t thread;
	uint32_t i;

	(void)state;
	fill(dp, N);
	switch_to(dp, s, N);
	start(&reader, send_packets, &thread);
	for (i = 0; i < 20 || goes_on(&reader, 20000); i++)
		switch_to(dp, s, 2 + i * 77 % (N - 2));
	stop(&reader, thread);
	dp_verdicts_read(dp, verdicts);
	assert_int_equal(verdicts[SHUNT_PASS_NOT_VIP], 0);
	assert_int_equal(row_packets(dp, 1) + row_packets(dp, 3), reader.looked);
	free(s);
	dp_close(dp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_sees_half_a_mac),
		cmocka_unit_test(a_usable_row_is_of_one_piece),
		cmocka_unit_test(no_packet_falls_between_two_switches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
