/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections that come, send and go, in steps of 50 ms.  Each lives as long as a lognormal die says and
 * sends at exponential intervals; one that ends makes room for a new one, so that there are always as
 * many.  At the beginning there are those that one would meet: the longer they live the more often. */
#include "sim.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP 0.05 /* s */
#define RING 1024 /* steps that are planned ahead: more than a gap has */
#define LIFE_MU 3.0 /* log of seconds: half of them live for 20 s */
#define LIFE_SIGMA 1.5 /* and they live for 62 s on average */
#define GAP 10.0 /* s between two packets, on average */
#define GAP_MOST 40.0
#define RTT 0.05
#define WARM 45.0 /* s before the first change */

struct connection {
	uint32_t saddr, ports, next;
	float ends; /* s */
	uint16_t slot;
	uint8_t backend[SIM_WAYS]; /* who has it; 0: nobody yet */
	uint8_t state; /* 0: to send its SYN, 1: its ACK, 2: data */
	uint8_t broken; /* bit by way */
};

struct sim {
	const struct sim_options *opt;
	struct sim_path *path;
	struct sim_result *r;
	struct connection *c;
	uint32_t ring[RING]; /* the first that is due, and one */
	uint64_t dice;
	uint32_t step;
	bool wants[SIM_BACKENDS + 1];
	uint32_t done; /* changes */
};

static uint64_t roll(struct sim *s)
{
	uint64_t z = s->dice += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static double uniform(struct sim *s)
{
	return ((roll(s) >> 11) + 0.5) / (1ull << 53);
}

static double lognormal(struct sim *s, double mu)
{
	double normal = sqrt(-2 * log(uniform(s))) * cos(2 * M_PI * uniform(s));

	return exp(mu + LIFE_SIGMA * normal);
}

static double gap(struct sim *s)
{
	double g = -GAP * log(uniform(s));

	return g > GAP_MOST ? GAP_MOST : g;
}

static void plan(struct sim *s, uint32_t i, double in)
{
	uint32_t steps = 1 + (uint32_t)(in / STEP), at;

	if (steps >= RING)
		steps = RING - 1;
	at = (s->step + steps) % RING;
	s->c[i].next = s->ring[at];
	s->ring[at] = i + 1;
}

/* An address that may be a source, as on the wire. */
static uint32_t client_of(uint64_t who)
{
	return ((uint32_t)who & 0xffffff00) | (11 + (who & 63));
}

static void begin(struct sim *s, uint32_t i, double lives)
{
	uint64_t who = roll(s);

	s->c[i] = (struct connection){
		.saddr = client_of(who),
		.ports = (uint32_t)(who >> 32 & 0xffff) | 80u << 24,
		.ends = s->step * STEP + lives,
	};
	s->c[i].slot = sim_path_slot_of(s->path, s->c[i].saddr, s->c[i].ports);
}

/* Those that live at the beginning: of a length-biased lognormal a uniform rest. */
static void begin_all(struct sim *s)
{
	for (uint32_t i = 0; i < s->opt->connections; i++) {
		begin(s, i, lognormal(s, LIFE_MU + LIFE_SIGMA * LIFE_SIGMA) * uniform(s));
		s->c[i].state = 2;
		for (int w = 0; w < SIM_WAYS; w++)
			s->c[i].backend[w] = sim_path_table(s->path, s->c[i].slot);
		plan(s, i, gap(s));
	}
	for (int w = 0; w < SIM_WAYS; w++)
		s->r->begun[w] = s->opt->connections;
}

#define FLAG_SYN 2
#define FLAG_ACK 16

static void put(struct sim *s, struct sim_packet *p, uint32_t i)
{
	const struct connection *c = &s->c[i];

	*p = (struct sim_packet){.saddr = c->saddr,
				 .ports = c->ports,
				 .connection = i,
				 .slot = c->slot,
				 .flags = c->state ? FLAG_ACK : FLAG_SYN};
}

static void put_flood(struct sim *s, struct sim_packet *p)
{
	uint64_t who = roll(s);

	*p = (struct sim_packet){.saddr = client_of(who),
				 .ports = (uint32_t)(who >> 32 & 0xffff) | 80u << 24,
				 .connection = SIM_FLOOD,
				 .flags = FLAG_SYN};
	p->slot = sim_path_slot_of(s->path, p->saddr, p->ports);
}

/* Where the packet went decides whether its connection still is one. */
static void judge(struct sim *s, const struct sim_packet *p, enum sim_way way, uint8_t backend)
{
	struct connection *c = &s->c[p->connection];

	if (c->state == 0) {
		c->backend[way] = backend;
		s->r->begun[way]++;
	} else if (c->backend[way] != backend && !(c->broken & 1u << way)) {
		c->broken |= 1u << way;
		s->r->broken[way]++;
	}
}

static int send_all(struct sim *s, uint32_t n)
{
	struct sim_packet *batch = sim_path_batch(s->path);
	int rc = 0;

	for (int way = 0; way < SIM_WAYS && !rc; way++) {
		if (way == SIM_LRU && s->opt->without_lru)
			continue;
		if (way != SIM_TABLE)
			rc = sim_path_run(s->path, way, n);
		for (uint32_t i = 0; i < n; i++)
			if (batch[i].connection != SIM_FLOOD)
				judge(s, &batch[i], way,
				      way == SIM_TABLE ? sim_path_table(s->path, batch[i].slot)
						       : batch[i].backend);
	}
	return rc;
}

static void go_on(struct sim *s, uint32_t i)
{
	struct connection *c = &s->c[i];

	if (c->state && c->ends <= s->step * STEP) {
		begin(s, i, lognormal(s, LIFE_MU));
		plan(s, i, 0);
		return;
	}
	if (c->state < 2)
		c->state++;
	plan(s, i, c->state == 1 ? RTT : gap(s));
}

/* Sends what is in the batch and plans what comes after. */
static int flush(struct sim *s, uint32_t *n)
{
	const struct sim_packet *batch = sim_path_batch(s->path);
	int rc = send_all(s, *n);

	for (uint32_t i = 0; i < *n; i++) {
		if (batch[i].connection != SIM_FLOOD)
			go_on(s, batch[i].connection);
		else
			s->r->floods++;
		s->r->packets += batch[i].connection != SIM_FLOOD;
	}
	*n = 0;
	return rc;
}

/* All packets of one step, connections' and the flood's in turn. */
static int step(struct sim *s)
{
	struct sim_packet *batch = sim_path_batch(s->path);
	uint32_t flood = s->opt->flood * STEP, n = 0, i = s->ring[s->step % RING], next;
	int rc = 0;

	s->ring[s->step % RING] = 0;
	sim_path_time(s->path, s->step * STEP);
	for (; (i || flood) && !rc; i = next) {
		next = i;
		if (i) {
			next = s->c[i - 1].next;
			put(s, &batch[n++], i - 1);
		}
		for (int k = 0; k < 3 && flood; k++, flood--)
			put_flood(s, &batch[n++]);
		if (n > SIM_BATCH - 4)
			rc = flush(s, &n);
	}
	s->step++;
	return rc ? rc : flush(s, &n);
}

/* In turn one that comes and one that goes. */
static void change(struct sim *s)
{
	uint32_t k = s->done++, b;

	if (k % 2 == 0)
		b = 100 + 1 + k / 2;
	else
		b = 1 + (k / 2) * 7;
	s->wants[b] = k % 2 == 0;
	sim_path_change(s->path, s->wants);
}

static int run(struct sim *s)
{
	uint32_t changes = 2 * s->opt->changes, next = WARM / STEP;
	uint32_t every = s->opt->every / STEP, end = next + changes * every;
	int rc = 0;

	for (uint32_t b = 1; b <= 100; b++)
		s->wants[b] = true;
	sim_path_change(s->path, s->wants);
	begin_all(s);
	while (s->step < end && !rc) {
		if (s->step == next && s->done < changes) {
			sim_path_count(s->path, s->r);
			if (s->done == 0)
				s->r->first_packets = s->r->packets + s->r->floods;
			if (s->done == 1) {
				s->r->first_lookups = s->r->lookups;
				s->r->first_packets =
					s->r->packets + s->r->floods - s->r->first_packets;
			}
			change(s);
			next += every;
		}
		rc = step(s);
	}
	sim_path_count(s->path, s->r);
	s->r->seconds = s->step * STEP;
	return rc;
}

int sim_run(const struct sim_options *opt, struct sim_result *r)
{
	struct sim *s = calloc(1, sizeof(*s));
	int rc = -ENOMEM;

	memset(r, 0, sizeof(*r));
	if (!s)
		return rc;
	s->opt = opt;
	s->r = r;
	s->c = calloc(opt->connections, sizeof(*s->c));
	s->path = s->c ? sim_path_open(opt) : NULL;
	if (s->path)
		rc = run(s);
	sim_path_close(s->path);
	free(s->c);
	free(s);
	return rc;
}
