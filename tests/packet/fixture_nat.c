/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of translation share. */
#include "fixture_nat.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

const uint8_t nat_protos[2] = {IPPROTO_TCP, IPPROTO_UDP};
const uint32_t nat_timeouts[SHUNT_NAT_T_MAX] = {60, 50, 7500, 40, 10};

uint8_t nat_family, nat_backend_family;

static const uint8_t pool4[16] = {10, 255, 254, 253};
static const uint8_t pool6[16] = {0xfd, 2, [6] = 0xcd, [15] = 9};
uint32_t nat_life(enum shunt_nat_timeout type)
{
	return nat_timeouts[type] + shunt_nat_lag(nat_timeouts[type]);
}

static const uint8_t row_dmac[6] = {2, 0xbe, 0, 0, WORLD_DSR, 1};
static const uint8_t row_smac[6] = {2, 0x5c, 0, 0, WORLD_DSR, 1};

/* ---- the world ----------------------------------------------------------------------------------*/

/* The DSR service of the protocol, forwarding by @method to port BACKEND_PORT. */
static void backend_address(uint32_t number, uint8_t out[static 16])
{
	memset(out, 0, 16);
	if (nat_backend_family == 4)
		memcpy(out, (uint8_t[]){10, 0, WORLD_DSR, (uint8_t)number}, 4);
	else
		memcpy(out, (uint8_t[]){0xfd, 1, [7] = 0xab, [15] = (uint8_t)number}, 16);
}

struct shunt_service *nat_service(struct fixture *f, uint8_t proto, enum shunt_forward method)
{
	struct shunt_service *svc = world_service(f, nat_family, proto, WORLD_DSR);

	svc->flags = SHUNT_SVC_NAT;
	svc->backends = WORLD_ROWS_EACH - 1;
	for (uint32_t n = 1; n < WORLD_ROWS_EACH; n++) {
		backend_address(n, (uint8_t *)f->backends[svc->row + n].addr);
		memcpy(f->backends[svc->row + n].source, nat_backend_family == 4 ? pool4 : pool6,
		       16);
		f->backends[svc->row + n].flags |= nat_backend_family == 6 ? SHUNT_BE_ADDR6 : 0;
		f->backends[svc->row + n].method = (uint8_t)method;
		f->backends[svc->row + n].port = htons(BACKEND_PORT);
		f->backends[svc->row + n].nat_pool = 0;
	}
	return svc;
}

static int setup(void **state, uint8_t family, uint8_t backend_family)
{
	struct fixture *f = *state;

	nat_family = family;
	nat_backend_family = backend_family;
	fixture_reset(state);
	nat_service(f, IPPROTO_TCP, SHUNT_NAT);
	nat_service(f, IPPROTO_UDP, SHUNT_NAT);
	world_vip(f, nat_family, WORLD_DSR, true);
	memcpy(f->nat_ctl->timeout, nat_timeouts, sizeof(nat_timeouts));
	f->nat_ctl->first_port = FIRST_PORT;
	f->nat_ctl->ports = PORTS;
	return 0;
}

int nat_setup(void **state)
{
	return setup(state, 4, 4);
}

int nat_setup6(void **state)
{
	return setup(state, 6, 6);
}

int nat_setup46(void **state)
{
	return setup(state, 4, 6);
}

int nat_setup64(void **state)
{
	return setup(state, 6, 4);
}

int nat_setup_again(void **state)
{
	return setup(state, nat_family, nat_backend_family);
}

/* What becomes of @r on its way into the other family. */
static void cross(struct recipe *r, uint8_t family)
{
	size_t l4_len = (r->proto == IPPROTO_TCP ? 20u : 8u) + r->payload;

	if (r->family == family)
		return;
	r->family = family;
	r->option_words = 0;
	r->n_ext = 0;
	r->padding = 0;
	r->frag = family == 4 && 20 + l4_len > 1260 ? 0x4000 : 0;
}

struct recipe nat_request(uint8_t proto, uint16_t sport)
{
	struct recipe r = world_recipe(nat_family, proto, WORLD_DSR);

	r.sport = sport;
	return r;
}

/* What leaves for backend @number when @r comes and @port is taken. */
struct recipe nat_translated(const struct recipe *r, uint8_t number, uint16_t port)
{
	struct recipe t = *r;

	cross(&t, nat_backend_family);
	memcpy(t.src, nat_backend_family == 4 ? pool4 : pool6, 16);
	backend_address(number, t.dst);
	t.sport = port;
	t.dport = BACKEND_PORT;
	memcpy(t.dmac, row_dmac, 6);
	t.dmac[5] = number;
	memcpy(t.smac, row_smac, 6);
	t.tags = 0;
	t.ttl--;
	return t;
}

/* What the backend answers to @t, as it left. */
struct recipe nat_answer(const struct recipe *t)
{
	struct recipe a = *t;

	memcpy(a.src, t->dst, 16);
	memcpy(a.dst, t->src, 16);
	a.sport = t->dport;
	a.dport = t->sport;
	memcpy(a.dmac, row_smac, 6);
	memcpy(a.smac, row_dmac, 6);
	a.payload = 77;
	a.ttl = 61;
	return a;
}

/* What the client must get of the answer @a to its request @r. */
struct recipe nat_returned(const struct recipe *a, const struct recipe *r)
{
	struct recipe b = *a;

	cross(&b, nat_family);
	memcpy(b.src, r->dst, 16);
	memcpy(b.dst, r->src, 16);
	b.sport = r->dport;
	b.dport = r->sport;
	memcpy(b.dmac, r->smac, 6);
	memcpy(b.smac, r->dmac, 6);
	b.tags = r->tags;
	b.ttl--;
	memcpy(b.tci, r->tci, sizeof(b.tci));
	return b;
}

/* ---- sending and comparing ----------------------------------------------------------------------*/

void nat_assert_frame(const struct frame *is, const struct recipe *must)
{
	struct frame m;

	frame_build(must, &m);
	assert_int_equal(is->len, m.len);
	if (nat_family != nat_backend_family && must->family == 4 && !must->frag) {
		/* the id is by chance */
		memcpy(m.bytes + m.l3 + 4, is->bytes + m.l3 + 4, 2);
		put16(m.bytes + m.l3 + 10, 0);
		put16(m.bytes + m.l3 + 10, (uint16_t)~fold16(sum16(0, m.bytes + m.l3, 20)));
	}
	assert_memory_equal(is->bytes, m.bytes, m.len);
}

void nat_arrive(struct fixture *f, const struct recipe *r, struct outcome *o)
{
	struct frame in;

	frame_build(r, &in);
	fixture_run(f, &in, o);
}

void nat_assert_verdict(struct fixture *f, const struct recipe *r, enum shunt_verdict v)
{
	struct outcome o;

	nat_arrive(f, r, &o);
	assert_int_equal(o.verdict, v);
	assert_int_equal(o.verdicts, 1);
}

/* The port that the frame in @o was given. */
uint16_t nat_port_of(const struct outcome *o, const struct recipe *r)
{
	struct frame in;

	frame_build(r, &in);
	if (nat_family != nat_backend_family)
		return get16(o->out.bytes + 14 + (nat_backend_family == 4 ? 20 : 40));
	return get16(o->out.bytes + 14 + in.l4 - in.l3);
}

/* Sends a request that must be forwarded to backend @number; the port taken, in @t what left. */
uint16_t nat_forwarded(struct fixture *f, const struct recipe *r, uint8_t number, struct recipe *t)
{
	struct outcome o;

	nat_arrive(f, r, &o);
	assert_int_equal(o.verdicts, 0);
	assert_int_equal(o.action, XDP_TX);
	assert_int_equal(o.packets, 1);
	assert_int_equal(o.row, world_row(nat_family, r->proto, WORLD_DSR) + number);
	*t = nat_translated(r, number, nat_port_of(&o, r));
	nat_assert_frame(&o.out, t);
	return t->sport;
}

/* The answer to @t comes and must reach the client as an answer to @r. */
void nat_assert_returned(struct fixture *f, const struct recipe *t, const struct recipe *r)
{
	struct recipe a = nat_answer(t), must = nat_returned(&a, r);
	struct outcome o;

	nat_arrive(f, &a, &o);
	assert_int_equal(o.verdict, SHUNT_RETURN_NAT);
	assert_int_equal(o.verdicts, 1);
	assert_int_equal(o.rows, 0);
	assert_int_equal(o.action, XDP_TX);
	nat_assert_frame(&o.out, &must);
}

void nat_establish(struct fixture *f, const struct recipe *r, const struct recipe *t)
{
	struct recipe again;

	nat_assert_returned(f, t, r);
	assert_int_equal(nat_forwarded(f, r, 1, &again), t->sport);
}

static uint64_t *nat_word(struct shunt_nat_bucket *b, uint32_t i)
{
	return (uint64_t *)&b[i / SHUNT_NAT_WAYS].word[i % SHUNT_NAT_WAYS];
}

uint32_t nat_used(struct shunt_nat_bucket *b, uint32_t buckets)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < buckets * SHUNT_NAT_WAYS; i++)
		n += *nat_word(b, i) != 0;
	return n;
}

uint32_t nat_records(struct fixture *f)
{
	uint32_t n = nat_used(f->nat_requests, WORLD_NAT_BUCKETS);

	assert_int_equal(nat_used(f->nat_replies, 2 * WORLD_NAT_BUCKETS), n);
	return n;
}

struct shunt_nat_conn *nat_only_record(struct fixture *f)
{
	assert_int_equal(nat_records(f), 1);
	for (uint32_t i = 0; i < WORLD_NAT_RECORDS; i++)
		if (*nat_word(f->nat_requests, i))
			return &f->nat_conns[i];
	return NULL;
}

void nat_backs_age(struct fixture *f, uint32_t rec, uint32_t ticks)
{
	for (uint32_t i = 0; i < 2 * WORLD_NAT_BACKS; i++)
		if (f->nat_backs[i / 2].way[i % 2].rec == rec)
			f->nat_backs[i / 2].way[i % 2].until -= ticks;
	for (uint32_t i = 0; i < WORLD_NAT_BACKS6; i++)
		if (f->nat_backs6[i].b.rec == rec)
			f->nat_backs6[i].b.until -= ticks;
}

void nat_backs_clear(struct fixture *f)
{
	memset(f->nat_backs, 0, WORLD_NAT_BACKS * sizeof(*f->nat_backs));
	memset(f->nat_backs6, 0, WORLD_NAT_BACKS6 * sizeof(*f->nat_backs6));
}

uint32_t nat_backs_used(const struct fixture *f)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < 2 * WORLD_NAT_BACKS; i++)
		n += f->nat_backs[i / 2].way[i % 2].tag != 0;
	for (uint32_t i = 0; i < WORLD_NAT_BACKS6; i++)
		n += f->nat_backs6[i].b.tag != 0;
	return n;
}

/* All records, and what their words know, as if @ticks had passed. */
void nat_pass_time(struct fixture *f, uint32_t ticks)
{
	for (uint32_t i = 0; i < WORLD_NAT_RECORDS; i++) {
		f->nat_conns[i].seen -= ticks;
		f->nat_conns[i].until -= ticks;
		nat_backs_age(f, i, ticks);
		if (*nat_word(f->nat_requests, i))
			*nat_word(f->nat_requests, i) -= ticks;
	}
}
