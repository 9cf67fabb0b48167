/* SPDX-License-Identifier: BSD-2-Clause */
/* Makes the frame of a mismatch small and says what the packet path and the oracle made of it. */
#include "fuzz_report.h"

#include <inttypes.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

/* ---- small -------------------------------------------------------------------------------------*/

/* Whether both differ about @f too, from the state that stands in the oracle. */
static bool differ(struct fuzz_bench *b, const struct frame *f)
{
	bool agree;

	fuzz_world_to_maps(&b->world);
	agree = fuzz_agree(b, f);
	fuzz_take_back(b);
	return !agree;
}

/* Takes pieces of @n bytes out of the frame, or off its end when @from_end, as long as they differ. */
static void shorten(struct fuzz_bench *b, struct frame *f, size_t n, bool from_end)
{
	struct frame less;

	for (size_t at = from_end ? f->len - n : 14; f->len >= 14 + n && at + n <= f->len;) {
		less = *f;
		memmove(less.bytes + at, less.bytes + at + n, less.len - at - n);
		less.len -= n;
		if (differ(b, &less)) {
			*f = less;
			at = from_end ? f->len - n : at;
		} else if (from_end) {
			return;
		} else {
			at++;
		}
	}
}

static void clear_bytes(struct fuzz_bench *b, struct frame *f)
{
	for (size_t at = 0; at < f->len; at++) {
		uint8_t was = f->bytes[at];

		f->bytes[at] = 0;
		if (was && !differ(b, f))
			f->bytes[at] = was;
	}
}

static void minimize(struct fuzz_bench *b, struct frame *f)
{
	for (size_t n = 1024; n > 0; n /= 2)
		if (f->len >= 14 + n)
			shorten(b, f, n, true);
	for (size_t n = 64; n > 0; n /= 2)
		shorten(b, f, n, false);
	clear_bytes(b, f);
}

/* ---- words -------------------------------------------------------------------------------------*/

static const char *action_name(int action)
{
	static const char *const names[] = {"ABORTED", "DROP", "PASS", "TX", "REDIRECT"};

	return action >= 0 && action < 5 ? names[action] : "no action";
}

static void print_bytes(const char *says, const uint8_t *bytes, size_t len)
{
	printf("  %-8s %zu bytes ", says, len);
	for (size_t i = 0; i < len; i++)
		printf("%02x", bytes[i]);
	printf("\n");
}

static void print_row(uint32_t row, const struct shunt_counter *was, const struct shunt_counter *is)
{
	if (memcmp(was, is, sizeof(*was)))
		printf("           row %u: packets %+" PRId64 " bytes %+" PRId64 " flows %+" PRId64
		       " cursor %+" PRId64 "\n",
		       row, (int64_t)(is->packets - was->packets),
		       (int64_t)(is->bytes - was->bytes), (int64_t)(is->flows - was->flows),
		       (int64_t)(is->cursor - was->cursor));
}

static void print_word(size_t at, uint64_t was, uint64_t is)
{
	if (was != is)
		printf("           flow word %zu: %016" PRIx64 " -> %016" PRIx64 "\n", at, was, is);
}

/* What the packet path wrote: the maps against the oracle's state of before. */
static void print_path(const struct fuzz_bench *b)
{
	const struct oracle_state *was = &b->world.state;
	const struct fixture *is = b->world.f;

	printf("  path     %s%s\n", action_name(b->outcome.action),
	       b->poison ? ", headroom poisoned" : "");
	for (uint32_t i = 0; i < is->cpus * SHUNT_VERDICTS_PER_CPU; i++) {
		uint32_t cpu = i / SHUNT_VERDICTS_PER_CPU, v = i % SHUNT_VERDICTS_PER_CPU;

		if (is->verdicts[cpu].packets[v] != was->verdicts[cpu].packets[v])
			printf("           cpu %u: %s %+" PRId64 "\n", cpu, oracle_name(v),
			       (int64_t)(is->verdicts[cpu].packets[v] -
					 was->verdicts[cpu].packets[v]));
	}
	for (uint32_t i = 0; i < is->cpus * WORLD_ROWS; i++)
		print_row(i % WORLD_ROWS, &was->counters[i], &is->counters[i]);
	for (size_t i = 0; i < WORLD_FLOW_BUCKETS * SHUNT_FLOWS_PER_BUCKET; i++)
		print_word(i,
			   was->flows[i / SHUNT_FLOWS_PER_BUCKET].word[i % SHUNT_FLOWS_PER_BUCKET],
			   is->flows[i / SHUNT_FLOWS_PER_BUCKET].word[i % SHUNT_FLOWS_PER_BUCKET]);
	print_bytes("out", b->outcome.out.bytes, b->outcome.out.len);
}

static void print_oracle(const struct fuzz_bench *b)
{
	const struct oracle_result *r = &b->result;
	struct shunt_counter none = {0};
	struct shunt_counter row = {.packets = r->packets, .bytes = r->bytes, .flows = r->flows};
	struct shunt_counter turn = {.cursor = r->turns};

	printf("  oracle   %s: %s%s%s\n", action_name(r->action), oracle_name(r->verdict),
	       r->wrong ? "; wrong: " : "", r->wrong ? r->wrong : "");
	print_row(r->row, &none, &row);
	print_row(r->turn_row, &none, &turn);
	for (size_t i = 0; i < r->n_flow_writes; i++)
		print_word(r->flow_write[i].word, r->flow_write[i].was, r->flow_write[i].is);
	if (r->action != XDP_DROP)
		print_bytes("out", r->frame, r->len);
}

/* Both, from the state that stands in the oracle. */
static void print_both(struct fuzz_bench *b, const char *says, const struct frame *f)
{
	fuzz_world_to_maps(&b->world);
	fuzz_agree(b, f);
	fuzz_take_back(b);
	print_bytes(says, f->bytes, f->len);
	print_path(b);
	print_oracle(b);
}

void fuzz_report(struct fuzz_bench *b, uint64_t seed, uint64_t number, const struct frame *in)
{
	struct frame small = *in;

	fuzz_take_back(b);
	printf("mismatch: seed %" PRIu64 ", packet %" PRIu64 ", cpu %u, jiffies %" PRIu64 "\n",
	       seed, number, b->cpu, b->jiffies);
	print_both(b, "in", in);
	minimize(b, &small);
	print_both(b, "smallest", &small);
	/* as after the packet itself, for those that follow */
	fuzz_world_to_maps(&b->world);
	fuzz_agree(b, in);
}
