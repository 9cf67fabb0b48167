/* SPDX-License-Identifier: BSD-2-Clause */
/* Translation: which connection a packet is of, and what a new one may be given. */
#include "oracle_nat.h"

#include <string.h>

#define PROTO_TCP 6
#define PROTO_UDP 17
#define FIN 1
#define SYN 2
#define RST 4

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

struct oracle_tuple oracle_turned(const struct oracle_tuple *q)
{
	struct oracle_tuple t = {q->family, q->proto, .sport = q->dport, .dport = q->sport};

	memcpy(t.src, q->dst, 16);
	memcpy(t.dst, q->src, 16);
	return t;
}

/* ---- what is noted ------------------------------------------------------------------------------*/

/* The state after a packet, as shunt_abi.h has it.  A reset counts until something follows it; a client
 * that begins anew after the end begins anew. */
static uint32_t state_after(const struct oracle_case *c, uint32_t state, bool from_client)
{
	uint8_t flags = c->in->frame[c->p.l4 + 13];
	uint32_t both = SHUNT_NAT_FIN_CLIENT | SHUNT_NAT_FIN_BACKEND;
	bool is_over = state & SHUNT_NAT_RESET || (state & both) == both;

	if (c->p.proto == PROTO_UDP)
		return from_client ? state : state | SHUNT_NAT_REPLIED;
	if (from_client && flags & SYN && is_over)
		state &= ~(both | SHUNT_NAT_REPLIED | SHUNT_NAT_ESTABLISHED);
	if (!from_client)
		state |= SHUNT_NAT_REPLIED;
	else if (!(flags & SYN) && state & SHUNT_NAT_REPLIED)
		state |= SHUNT_NAT_ESTABLISHED;
	if (flags & FIN)
		state |= from_client ? SHUNT_NAT_FIN_CLIENT : SHUNT_NAT_FIN_BACKEND;
	return (state & ~SHUNT_NAT_RESET) | (flags & RST ? SHUNT_NAT_RESET : 0);
}

static uint32_t timeout_of(const struct oracle_case *c, uint32_t state)
{
	return c->t->nat->timeout[shunt_nat_timeout_of(state)];
}

/* A packet of the connection, which makes its state @state. */
static void note(const struct oracle_case *c, struct shunt_nat_conn *conn, uint32_t state)
{
	if (conn->state == state && conn->seen == c->in->tick)
		return;
	conn->state = state;
	conn->seen = c->in->tick;
	conn->until = c->in->tick + timeout_of(c, state);
	conn->until += shunt_nat_lag(timeout_of(c, state));
}

/* Whether a backend's packet, after which the record's state is @state, may go by without a note: of one
 * family, it neither begins nor ends anything, and the record lives on for long enough. */
static bool may_go_unnoted(const struct oracle_case *c, const struct shunt_nat_conn *conn,
			   uint32_t state)
{
	uint8_t flags = c->p.proto == PROTO_UDP ? 0 : c->in->frame[c->p.l4 + 13];

	return state == conn->state && !(flags & (FIN | RST)) &&
	       !(state & SHUNT_NAT_CLIENT6) == !(state & SHUNT_NAT_BACKEND6) &&
	       (int32_t)(conn->until - c->in->tick - timeout_of(c, state)) >= 0;
}

/* The layer 2 that the client's packet came by. */
static void note_l2(const struct oracle_case *c, struct shunt_nat_conn *conn)
{
	memcpy(conn->mac, c->in->frame, 12);
	conn->ifindex = c->in->ifindex;
	conn->tags = (uint8_t)((c->p.l3 - 14) / 4);
	for (int i = 0; i < conn->tags; i++)
		memcpy(&conn->vlan_tci[i], c->in->frame + 14 + 4 * i, 2);
}

/* Whether @must is in @is, but for what means nothing: tags beyond those that there are. */
static bool is_conn(struct shunt_nat_conn must, struct shunt_nat_conn is)
{
	for (int i = must.tags; i < 2; i++)
		must.vlan_tci[i] = is.vlan_tci[i] = 0;
	return memcmp(&must, &is, sizeof(is)) == 0;
}

/* ---- a new connection ---------------------------------------------------------------------------*/

/* The addresses and the ports that a connection may get. */
struct choice {
	struct oracle_tuple reply; /* of what the backend sends; without address and port of ours */
	const uint8_t *addrs;
	uint32_t n_addrs;
	uint32_t first, n; /* ports */
	uint16_t own; /* the client's */
	bool own_counts; /* it must be taken where it is free */
	uint32_t part_first, part; /* ports of this CPU, to be tried first */
};

static void choice_addrs(const struct oracle_case *c, const struct shunt_backend *be,
			 struct choice *can)
{
	const struct shunt_nat_pool *pool = &c->t->nat->pool[be->nat_pool % SHUNT_NAT_POOLS];
	bool has_pool = be->nat_pool && be->nat_pool < SHUNT_NAT_POOLS && pool->n &&
			pool->n <= SHUNT_NAT_POOL_ADDRS;

	can->addrs = has_pool ? (const uint8_t *)pool->addr : (const uint8_t *)be->source;
	can->n_addrs = has_pool ? pool->n : 1;
	if (be->method == SHUNT_MASQ)
		can->addrs = c->p.src;
	if (be->method == SHUNT_MASQ)
		can->n_addrs = 1;
}

static struct choice choice_of(const struct oracle_case *c, const struct shunt_backend *be,
			       const struct oracle_tuple *q)
{
	struct choice can = {
		.reply = {.family = be->flags & SHUNT_BE_ADDR6 ? 6 : 4, .proto = q->proto},
	};

	memcpy(can.reply.src, be->addr, can.reply.family == 4 ? 4 : 16);
	can.reply.sport = be->port ? get16((const uint8_t *)&be->port) : q->dport;
	choice_addrs(c, be, &can);
	can.first = be->method == SHUNT_MASQ ? 1024 : c->t->nat->first_port;
	can.n = be->method == SHUNT_MASQ ? 65536 - 1024 : c->t->nat->ports;
	can.own = q->sport;
	can.own_counts =
		be->method == SHUNT_MASQ || (q->sport >= can.first && q->sport < can.first + can.n);
	can.part = can.n / c->t->cpus;
	can.part_first = can.first + c->in->cpu * can.part;
	return can;
}

/* The reply tuple at the @i-th address. */
static struct oracle_tuple reply_at(const struct choice *can, uint32_t i)
{
	struct oracle_tuple reply = can->reply;

	memcpy(reply.dst, can->addrs + 16 * i, reply.family == 4 ? 4 : 16);
	return reply;
}

/* An address of which the first eight bytes, or all four, are 0 is none. */
static bool is_address(const struct oracle_tuple *reply)
{
	static const uint8_t none[8];

	return memcmp(reply->dst, none, reply->family == 4 ? 4 : 8) != 0;
}

/* Whether so many of the ports are taken, at some address, that no free one need be found. */
static bool is_crowded(const struct oracle_case *c, const struct choice *can, uint32_t first,
		       uint32_t n, uint32_t share)
{
	for (uint32_t i = 0; i < can->n_addrs; i++) {
		struct oracle_tuple reply = reply_at(can, i);

		if (!is_address(&reply) ||
		    oracle_nat_taken(c, &c->s->nat, &reply, first, n) * share >= n)
			return true;
	}
	return false;
}

/* Whether the client's own port is taken at some address. */
static bool own_is_taken(const struct oracle_case *c, const struct choice *can)
{
	return is_crowded(c, can, can->own, 1, 1);
}

/* What is wrong with address and port of the record that was opened; NULL: nothing. */
static const char *check_choice(const struct oracle_case *c, const struct choice *can, uint32_t rec)
{
	struct oracle_tuple got = oracle_nat_of_backend(&c->seen->nat, rec);
	bool known = false, is_own = got.dport == can->own && can->own_counts;

	for (uint32_t i = 0; i < can->n_addrs; i++) {
		struct oracle_tuple may = reply_at(can, i);

		may.dport = got.dport;
		known |= is_address(&may) && oracle_same_tuple(&may, &got);
	}
	if (!known)
		return "not the backend's address and port, or none of ours";
	if (oracle_nat_taken(c, &c->seen->nat, &got, got.dport, 1) != 1)
		return "somebody else has that port";
	if (is_own)
		return NULL;
	if (got.dport < can->first || got.dport >= can->first + can->n)
		return "a port that is not ours";
	if (oracle_nat_replies_full(c))
		return NULL; /* the ports that come first may have had no place */
	if (can->own_counts && !own_is_taken(c, can))
		return "the client's own port was free";
	if (can->part &&
	    (got.dport < can->part_first || got.dport >= can->part_first + can->part) &&
	    !is_crowded(c, can, can->part_first, can->part, 4))
		return "a port of another CPU's part";
	return NULL;
}

/* What is wrong with the record that was opened for the packet of tuple @q; NULL: nothing. */
static const char *check_opened(const struct oracle_case *c, const struct oracle_tuple *q,
				const struct shunt_backend *be, uint32_t number, uint32_t rec)
{
	const struct shunt_nat_conn *conn = &c->seen->nat.conns[rec];
	struct oracle_tuple reply = oracle_nat_of_backend(&c->seen->nat, rec);
	struct choice can = choice_of(c, be, q);
	uint64_t word = c->seen->nat.requests[rec / SHUNT_NAT_WAYS].word[rec % SHUNT_NAT_WAYS];
	uint32_t new_state = (uint32_t)q->proto << 8;

	if (conn->number != number || conn->method != be->method)
		return "another backend in the record";
	if (oracle_nat_find_reply(c, &c->seen->nat, &reply) != rec)
		return "the backend's packets do not find the record";
	if ((uint32_t)word != c->in->tick + c->t->nat->timeout[shunt_nat_timeout_of(new_state)])
		return "the word lives for another time";
	return check_choice(c, &can, rec);
}

/* ---- requests -----------------------------------------------------------------------------------*/

/* Whether record @rec still stands for the backend in its row. */
bool oracle_nat_holds(const struct oracle_case *c, const struct shunt_service *svc,
		      const struct oracle_tuple *q, uint32_t rec)
{
	const struct shunt_nat_conn *conn = &c->s->nat.conns[rec];
	struct oracle_tuple reply = oracle_nat_of_backend(&c->s->nat, rec);
	const struct shunt_backend *be = &c->t->backends[svc->row + conn->number];
	uint16_t port;

	if (conn->number > svc->backends || svc->row + conn->number >= c->t->rows)
		return false;
	port = be->port ? get16((const uint8_t *)&be->port) : q->dport;
	return be->flags & SHUNT_BE_USABLE && be->method == conn->method && reply.sport == port &&
	       reply.family == (be->flags & SHUNT_BE_ADDR6 ? 6 : 4) &&
	       memcmp(be->addr, reply.src, reply.family == 4 ? 4 : 16) == 0 &&
	       !(c->p.is_syn && be->flags & SHUNT_BE_NO_NEW);
}

/* The record of a connection that the packet opens, before the packet is taken note of. */
static void note_opened(const struct oracle_case *c, struct shunt_nat_conn *conn, uint8_t family)
{
	conn->seen = 0;
	note(c, conn,
	     (uint32_t)c->p.proto << 8 | (c->p.family == 6 ? SHUNT_NAT_CLIENT6 : 0) |
		     (family == 6 ? SHUNT_NAT_BACKEND6 : 0));
}

void oracle_nat_noted(const struct oracle_case *c, uint32_t rec, bool opened, bool from_client,
		      bool is_noted, struct oracle_result *r)
{
	struct oracle_tuple reply = oracle_nat_of_backend(&c->seen->nat, rec);
	struct shunt_nat_conn must = opened ? c->seen->nat.conns[rec] : c->s->nat.conns[rec];

	if (opened)
		note_opened(c, &must, reply.family);
	if (is_noted && from_client)
		note_l2(c, &must);
	if (is_noted)
		note(c, &must, state_after(c, must.state, from_client));
	if (!is_conn(must, c->seen->nat.conns[rec]))
		r->wrong = "the record does not say what came";
}

/* The packet goes by record @rec of the tables as seen, which was opened for it or not. */
static enum shunt_verdict go_by(const struct oracle_case *c, const struct shunt_backend *be,
				uint32_t rec, bool opened, struct oracle_result *r)
{
	struct oracle_tuple reply = oracle_nat_of_backend(&c->seen->nat, rec),
			    to = oracle_turned(&reply);
	struct shunt_nat_conn must = opened ? c->seen->nat.conns[rec] : c->s->nat.conns[rec];
	enum shunt_verdict verdict = oracle_translate(c, be, &to, be->mtu, r);

	note_l2(c, &must);
	if (opened)
		note_opened(c, &must, reply.family);
	if (verdict == SHUNT_GO_ON) {
		note(c, &must, state_after(c, must.state, true));
		r->egress = be->ifindex;
		verdict = be->method == SHUNT_MASQ ? SHUNT_FORWARD_MASQ : SHUNT_FORWARD_NAT;
	}
	if (!is_conn(must, c->seen->nat.conns[rec]))
		r->wrong = "the record does not say what came";
	return verdict;
}

/* No connection was opened: for which reason there is a verdict, and it must be a reason. */
static enum shunt_verdict not_opened(const struct oracle_case *c, const struct shunt_backend *be,
				     const struct oracle_nat_step *step, struct oracle_result *r)
{
	struct choice can = choice_of(c, be, step->failed);

	if (oracle_nat_is_full(c, step->failed, step->lost))
		return SHUNT_DROP_NAT_FULL;
	if (c->seen->verdict == SHUNT_DROP_NAT_FULL) {
		if (!oracle_nat_replies_full(c))
			r->wrong = "there was room";
		return SHUNT_DROP_NAT_FULL;
	}
	/* Of the tries some may have found no place, and the last one a port that is taken. */
	if (!is_crowded(c, &can, can.first, can.n, 2) && !oracle_nat_replies_full(c))
		r->wrong = "there were free ports";
	return SHUNT_DROP_NAT_EXHAUSTED;
}

enum shunt_verdict oracle_nat_open(const struct oracle_case *c, const struct shunt_service *svc,
				   const struct oracle_tuple *q, struct oracle_nat_step *step,
				   struct oracle_result *r)
{
	enum shunt_verdict verdict;
	const struct shunt_backend *be;
	uint32_t number = r->row - svc->row;

	verdict = svc->flags & SHUNT_SVC_NAT ? oracle_number(c, svc, &number, r) : SHUNT_GO_ON;
	if (verdict == SHUNT_GO_ON)
		verdict = oracle_backend(c, svc, number, r);
	if (verdict != SHUNT_GO_ON)
		return verdict;
	be = &c->t->backends[r->row];
	step->otherwise = !oracle_translates(be);
	if (step->otherwise)
		return SHUNT_GO_ON;
	if (be->method == SHUNT_MASQ && (be->flags & SHUNT_BE_ADDR6 ? 6 : 4) != q->family)
		return SHUNT_DROP_BAD_TABLE;
	if (c->p.proto == PROTO_UDP && svc->flags & SHUNT_SVC_NAT &&
	    !(svc->flags & SHUNT_SVC_FLOWS)) {
		verdict = oracle_new_flow(c, svc, r);
		if (verdict != SHUNT_GO_ON)
			return verdict;
	}
	step->used = oracle_nat_find_request(c, &c->seen->nat, q);
	step->opened = step->used != ORACLE_NOBODY;
	if (!step->opened) {
		step->failed = q;
		return not_opened(c, be, step, r);
	}
	r->flows |= c->p.proto == PROTO_UDP;
	r->wrong = check_opened(c, q, be, number, step->used);
	return r->wrong ? c->seen->verdict : SHUNT_GO_ON;
}

enum shunt_verdict oracle_nat_request(const struct oracle_case *c, const struct shunt_service *svc,
				      struct oracle_result *r)
{
	struct oracle_nat_step step = {.used = ORACLE_NOBODY, .lost = ORACLE_NOBODY};
	struct oracle_tuple q = oracle_tuple_of(&c->p);
	uint32_t rec = oracle_nat_find_request(c, &c->s->nat, &q);
	enum shunt_verdict verdict;
	const char *wrong;

	r->flows = c->p.is_syn;
	if (rec != ORACLE_NOBODY && oracle_nat_holds(c, svc, &q, rec)) {
		step.used = rec;
		r->row = svc->row + c->s->nat.conns[rec].number;
		verdict = go_by(c, &c->t->backends[r->row], rec, false, r);
	} else {
		step.lost = rec;
		verdict = oracle_nat_open(c, svc, &q, &step, r);
		if (step.otherwise)
			verdict = oracle_forward_to_row(c, r);
		else if (verdict == SHUNT_GO_ON && !r->wrong)
			verdict = go_by(c, &c->t->backends[r->row], step.used, true, r);
	}
	wrong = oracle_nat_check(c, &step);
	if (wrong)
		r->wrong = wrong;
	return verdict;
}

/* ---- replies ------------------------------------------------------------------------------------*/

/* Back to where the client's last packet came from. */
struct shunt_backend oracle_nat_way_back(const struct shunt_nat_conn *conn)
{
	struct shunt_backend way = {0};

	memcpy(way.dmac, &conn->mac[3], 6);
	memcpy(way.smac, &conn->mac[0], 6);
	way.tags = conn->tags;
	memcpy(way.vlan_tci, conn->vlan_tci, sizeof(way.vlan_tci));
	return way;
}

/* Whether the reply has left the record as it was, and might. */
static bool goes_unnoted(const struct oracle_case *c, uint32_t rec)
{
	const struct shunt_nat_conn *was = &c->s->nat.conns[rec], *is = &c->seen->nat.conns[rec];

	return may_go_unnoted(c, was, state_after(c, was->state, false)) && is_conn(*was, *is);
}

enum shunt_verdict oracle_nat_reply(const struct oracle_case *c, struct oracle_result *r)
{
	struct oracle_tuple q = oracle_tuple_of(&c->p), request, to;
	uint32_t rec = oracle_nat_find_reply(c, &c->s->nat, &q);
	struct oracle_nat_step step = {.used = rec, .lost = ORACLE_NOBODY};
	struct shunt_backend way;
	enum shunt_verdict verdict;
	struct shunt_nat_conn must;

	r->wrong = oracle_nat_check(c, &step);
	if (rec == ORACLE_NOBODY)
		return SHUNT_PASS_NOT_VIP;
	must = c->s->nat.conns[rec];
	way = oracle_nat_way_back(&must);
	request = oracle_nat_of_client(&c->s->nat, rec);
	to = oracle_turned(&request);
	verdict = oracle_translate(c, &way, &to, UINT16_MAX, r);
	if (verdict == SHUNT_GO_ON && !goes_unnoted(c, rec))
		note(c, &must, state_after(c, must.state, false));
	if (!r->wrong && !is_conn(must, c->seen->nat.conns[rec]))
		r->wrong = "the record does not say what came";
	r->egress = must.ifindex;
	return verdict == SHUNT_GO_ON ? SHUNT_RETURN_NAT : verdict;
}

void oracle_nat_untouched(const struct oracle_case *c, struct oracle_result *r)
{
	struct oracle_nat_step step = {.used = ORACLE_NOBODY, .lost = ORACLE_NOBODY};

	r->wrong = oracle_nat_check(c, &step);
}
