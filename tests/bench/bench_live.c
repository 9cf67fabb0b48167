/* SPDX-License-Identifier: BSD-2-Clause */
/* make bench: the rate at which shunt forwards frames that live, beside a program that swaps the MACs
 * and does nothing else.  One core does everything: BPF_PROG_TEST_RUN in live-frame mode makes frames
 * and sends them through a veth, behind whose other end the forwarder runs, natively attached; it
 * sends them back by XDP_TX, and a sink counts those that came back as they should.  The forwarders
 * take turns.  Everything is in a network namespace of its own, which goes with the process.
 * Environment: ROUNDS, CPU. */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cases.h"
#include "frame.h"
#include "live.h"
#include "rounds.h"
#include "tests/bench/live.skel.h"
#include "world.h"

#define ROUNDS_DEFAULT 25
#define PACKETS 500000 /* a measurement */
#define LOST_MOST 0.001 /* of them; the veth's ring overflows when the kernel puts its work off */
#define TRIES 20
#define BATCH 64
#define RATE_LEAST 0.75 /* of the MAC swap's */

/* A forwarder, and the veth in front of it. */
struct lane {
	const char *name;
	const struct bench_case *c; /* NULL: the MAC swap */
	unsigned int near, far; /* the generator's end, and the forwarder's */
	double ns[BENCH_ROUNDS_MAX]; /* a packet, in each round; sorted in the end */
};

enum { SWAP, DSR, IPIP, LANES };

struct scene {
	struct lane lane[LANES];
	struct bench_cases cases;
	struct live_bpf *skel;
	struct world *world;
};

static int complain(const char *what, int rc)
{
	fprintf(stderr, "bench_live: %s: %s\n", what, strerror(-rc));
	return rc;
}

/* The MAC swap has a veth of its own; the others share one, as they share the program. */
static int make_links(struct scene *s)
{
	if (unshare(CLONE_NEWNET))
		return -errno;
	if (system("ip link add near0 type veth peer name far0 && ip link set near0 up && "
		   "ip link set far0 up && ip link add near1 type veth peer name far1 && "
		   "ip link set near1 up && ip link set far1 up"))
		return -ENODEV;
	for (int i = 0; i < LANES; i++) {
		s->lane[i].near = if_nametoindex(i == SWAP ? "near0" : "near1");
		s->lane[i].far = if_nametoindex(i == SWAP ? "far0" : "far1");
	}
	return 0;
}

static int attach(unsigned int ifindex, const struct bpf_program *p)
{
	return bpf_xdp_attach(ifindex, bpf_program__fd(p), XDP_FLAGS_DRV_MODE, NULL);
}

static int attach_all(struct scene *s)
{
	struct dp_error err = {.text = ""};
	int rc = attach(s->lane[SWAP].near, s->skel->progs.sink);

	if (!rc)
		rc = attach(s->lane[DSR].near, s->skel->progs.sink);
	if (!rc)
		rc = attach(s->lane[SWAP].far, s->skel->progs.mac_swap);
	if (!rc)
		rc = dp_attach(world_dp(s->world), "far1", s->lane[DSR].far, DP_NATIVE, &err);
	return rc ? complain(*err.text ? err.text : "attaching", rc) : 0;
}

static int set_up(struct scene *s)
{
	int rc;

	bench_cases_fill(&s->cases);
	s->lane[SWAP].name = "mac-swap";
	s->lane[DSR].name = "dsr-v4-tcp-maglev";
	s->lane[IPIP].name = "ipip-v4-tcp-maglev";
	for (int i = DSR; i < LANES; i++)
		s->lane[i].c = bench_case_find(&s->cases, s->lane[i].name);
	rc = make_links(s);
	if (rc)
		return complain("making veths in a network namespace; needs root", rc);
	s->skel = live_bpf__open_and_load();
	if (!s->skel)
		return complain("loading live.bpf.c", -errno);
	s->world = world_open(&s->cases, BENCH_PLAIN, s->lane[DSR].far);
	return s->world ? attach_all(s) : -EIO;
}

/* Tells the generator and the sink about @l. */
static void prepare(struct scene *s, const struct lane *l)
{
	const struct bench_case *c = l->c ? l->c : s->lane[DSR].c;
	size_t mac_bytes = l->c ? ETH_ALEN - 1 : ETH_ALEN; /* backends differ in the last */
	struct bench_state of_frame;
	struct frame f;

	world_frame(s->world, c, &f);
	frame_state(&f, c->is_v6, &of_frame);
	s->skel->bss->state = (struct live_state){
		.ifindex = l->near,
		.flow_mask = (1 << 20) - 1,
		.dport = of_frame.dport,
		.back_len = LIVE_FRAME + (l->c ? c->pushed : 0),
	};
	memcpy(s->skel->bss->state.frame, f.bytes, LIVE_FRAME);
	memcpy(&s->skel->bss->state.back_front,
	       l->c ? world_backends(s->world, c)->dmac : f.bytes + ETH_ALEN, mac_bytes);
	memset(&s->skel->bss->state.back_mask, 0xff, mac_bytes);
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* Sends PACKETS through @l; @ns: of wall time, since a part of it runs in the kernel's own threads.
 * -EAGAIN: too many were lost on the way, so that the time is not that of forwarding them. */
static int run_once(struct scene *s, const struct lane *l, double *ns)
{
	uint8_t frame[LIVE_FRAME] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = LIVE_FRAME,
		    .repeat = PACKETS, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);
	double start;
	int rc;

	prepare(s, l);
	start = now_ns();
	rc = bpf_prog_test_run_opts(bpf_program__fd(s->skel->progs.generate), &o);
	*ns = (now_ns() - start) / PACKETS;
	if (rc)
		return complain(l->name, rc);
	return s->skel->bss->state.back >= PACKETS * (1 - LOST_MOST) ? 0 : -EAGAIN;
}

static int run(struct scene *s, const struct lane *l, double *ns)
{
	int rc = -EAGAIN;

	for (int try = 0; try < TRIES && rc == -EAGAIN; try++)
		rc = run_once(s, l, ns);
	if (rc == -EAGAIN)
		fprintf(stderr,
			"bench_live: %s: of %d packets %llu came back as they should, in the last "
			"of %d tries\n",
			l->name, PACKETS, (unsigned long long)s->skel->bss->state.back, TRIES);
	return rc;
}

/* The first round warms up and is not kept. */
static int measure(struct scene *s, int rounds)
{
	for (int round = -1; round < rounds; round++)
		for (int i = 0; i < LANES; i++) {
			double ns;
			int rc = run(s, &s->lane[i], &ns);

			if (rc)
				return rc;
			if (round >= 0)
				s->lane[i].ns[round] = ns;
		}
	return 0;
}

static void report(struct scene *s, int rounds)
{
	const double *swap = s->lane[SWAP].ns;

	printf("\nframes that live, over veth, one core for generator, forwarder and sink; 1 M "
	       "flows\n%-29s %8s %7s\n",
	       "", "ns", "median");
	for (int i = 0; i < LANES; i++) {
		sort_ns(s->lane[i].ns, rounds);
		printf("%-29s %8.1f %7.1f\n", s->lane[i].name, s->lane[i].ns[0],
		       s->lane[i].ns[rounds / 2]);
	}
	putchar('\n');
	for (int i = DSR; i < LANES; i++) {
		double best = swap[0] / s->lane[i].ns[0];
		double median = swap[rounds / 2] / s->lane[i].ns[rounds / 2];

		printf("%-4s  %-19s live, its rate over mac-swap's, best (and of medians) "
		       "%.2f (%.2f)  (at least %.2f)\n",
		       best >= RATE_LEAST ? "PASS" : "MISS", s->lane[i].name, best, median,
		       RATE_LEAST);
	}
}

int main(void)
{
	static struct scene s;
	int rounds = rounds_wanted(ROUNDS_DEFAULT);
	int rc = pin_to_cpu();

	if (!rc)
		rc = set_up(&s);
	if (!rc)
		rc = measure(&s, rounds);
	if (!rc)
		report(&s, rounds);
	world_close(s.world);
	live_bpf__destroy(s.skel);
	return rc ? 1 : 0;
}
