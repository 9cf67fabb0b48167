/* SPDX-License-Identifier: BSD-2-Clause */
/* Fragments and ICMP errors of translated connections: which connection they are of, and that they become
 * what its whole packets become. */
#include "oracle_nat.h"
#include "oracle_rare.h"

#include <string.h>

#define PROTO_TCP 6

/* Whose a packet is, and what is checked of the tables. */
struct whose {
	uint32_t rec; /* or ORACLE_NOBODY */
	bool to_client;
	struct oracle_nat_step step;
};

#define NOBODY_YET                                                                                 \
	{                                                                                          \
		.rec = ORACLE_NOBODY, .step = {.used = ORACLE_NOBODY, .lost = ORACLE_NOBODY }      \
	}

/* The record of the client's tuple @q, if its backend may be used: that is the row then.  If not, the
 * client's packets find it no more. */
static bool is_request(const struct oracle_case *c, const struct oracle_tuple *q, struct whose *w,
		       struct oracle_result *r)
{
	struct oracle_case like = *c;
	const struct shunt_service *svc;
	uint32_t rec;

	like.p.proto = q->proto;
	like.p.sport = q->sport;
	like.p.dport = q->dport;
	memcpy(like.p.src, q->src, 16);
	memcpy(like.p.dst, q->dst, 16);
	svc = oracle_find(c->t, &like.p);
	if (!svc || oracle_martian(&like.p) != SHUNT_GO_ON)
		return false;
	rec = oracle_nat_find_request(c, &c->s->nat, q);
	if (rec == ORACLE_NOBODY)
		return false;
	if (!oracle_nat_holds(&like, svc, q, rec)) {
		w->step.lost = rec;
		return false;
	}
	w->rec = rec;
	w->to_client = false;
	r->row = svc->row + c->s->nat.conns[rec].number;
	return true;
}

static bool is_reply(const struct oracle_case *c, const struct oracle_tuple *q, struct whose *w)
{
	w->rec = oracle_nat_find_reply(c, &c->s->nat, q);
	w->to_client = w->rec != ORACLE_NOBODY;
	return w->to_client;
}

/* What becomes of the tuple, and the way that the packet leaves by. */
static struct shunt_backend way_of(const struct oracle_case *c, const struct whose *w,
				   struct oracle_tuple *to, struct oracle_result *r)
{
	const struct oracle_nat *n = &c->seen->nat;
	const struct shunt_nat_conn *conn =
		w->step.opened ? &n->conns[w->rec] : &c->s->nat.conns[w->rec];
	struct oracle_tuple other =
		w->to_client ? oracle_nat_of_client(n, w->rec) : oracle_nat_of_backend(n, w->rec);
	struct shunt_backend way;

	*to = oracle_turned(&other);
	if (w->to_client) {
		way = oracle_nat_way_back(conn);
		way.mtu = UINT16_MAX;
		way.ifindex = conn->ifindex;
	} else {
		way = c->t->backends[r->row];
	}
	r->egress = way.ifindex;
	return way;
}

static enum shunt_verdict sent(const struct whose *w, const struct shunt_backend *way)
{
	if (w->to_client)
		return SHUNT_RETURN_NAT;
	return way->method == SHUNT_MASQ ? SHUNT_FORWARD_MASQ : SHUNT_FORWARD_NAT;
}

/* ---- fragments ----------------------------------------------------------------------------------*/

/* Whether what is remembered of the first piece is a record whose addresses the piece has. */
static bool is_of(const struct oracle_case *c, uint64_t whereto, struct whose *w,
		  struct oracle_result *r)
{
	const struct oracle_nat *n = &c->s->nat;
	struct oracle_tuple q = oracle_tuple_of(&c->p), is;
	uint32_t rec = (uint32_t)whereto, row = r->row;

	if (whereto >= (uint64_t)c->t->nat_buckets * SHUNT_NAT_WAYS)
		return false;
	is = oracle_nat_of_client(n, rec);
	q.proto = is.proto;
	q.sport = is.sport;
	q.dport = is.dport;
	if (is_request(c, &q, w, r) && w->rec == rec)
		return true;
	r->row = row;
	is = oracle_nat_of_backend(n, rec);
	q.sport = is.sport;
	q.dport = is.dport;
	return is_reply(c, &q, w) && w->rec == rec;
}

/* The piece leaves by its record; only the first is taken note of. */
static enum shunt_verdict send_piece(struct oracle_case *c, const struct oracle_piece *f,
				     struct whose *w, struct oracle_result *r)
{
	struct oracle_tuple to;
	struct shunt_backend way = way_of(c, w, &to, r);
	enum shunt_verdict verdict = oracle_translate_piece(c, f, &way, &to, r);
	bool is_sent = verdict == SHUNT_GO_ON;

	w->step.used = w->rec;
	oracle_nat_noted(c, w->rec, w->step.opened, !w->to_client, is_sent && !f->offset, r);
	return is_sent ? sent(w, &way) : verdict;
}

static enum shunt_verdict later(struct oracle_case *c, const struct oracle_piece *f,
				struct whose *w, struct oracle_result *r)
{
	uint64_t whereto = oracle_whereto(c, f->hash ^ SHUNT_FRAG_NAT_KEY);

	if (whereto == SHUNT_FRAG_UNTOLD)
		return SHUNT_DROP_NAT_FAMILY;
	if (whereto == ORACLE_NOT_THERE || !is_of(c, whereto, w, r))
		return SHUNT_GO_ON;
	if (f->proto == PROTO_TCP && f->offset < 20)
		return SHUNT_DROP_FRAGMENT_BAD;
	c->p.l4 = f->at;
	return send_piece(c, f, w, r);
}

/* Which connection the first piece is of, or opens; w->rec, or w->step.otherwise. */
static enum shunt_verdict whose_first(const struct oracle_case *c, struct whose *w,
				      struct oracle_result *r)
{
	const struct shunt_service *svc = oracle_find(c->t, &c->p);
	enum shunt_verdict verdict = oracle_martian(&c->p);
	struct oracle_tuple q = oracle_tuple_of(&c->p);

	if (verdict == SHUNT_PASS_NOT_VIP || (verdict == SHUNT_GO_ON && !svc)) {
		is_reply(c, &q, w);
		return SHUNT_GO_ON;
	}
	if (verdict != SHUNT_GO_ON || !(svc->flags & SHUNT_SVC_NAT))
		return SHUNT_GO_ON;
	verdict = oracle_source(c, svc, r);
	if (verdict != SHUNT_GO_ON)
		return verdict;
	r->flows = c->p.is_syn;
	if (is_request(c, &q, w, r))
		return SHUNT_GO_ON;
	verdict = oracle_nat_open(c, svc, &q, &w->step, r);
	w->rec = w->step.used;
	return verdict;
}

static enum shunt_verdict first(struct oracle_case *c, const struct oracle_piece *f,
				struct whose *w, struct oracle_result *r)
{
	enum shunt_verdict verdict = whose_first(c, w, r);

	c->p.is_whole = false;
	if (verdict != SHUNT_GO_ON || r->wrong)
		return verdict;
	if (w->step.otherwise) {
		r->may_be_told = true;
		if (f->more)
			oracle_remember_piece(c, f->hash, r->row, r);
		r->egress = c->t->backends[r->row].ifindex;
		return oracle_forward(c->in, &c->p, f->hash, &c->t->backends[r->row], r);
	}
	if (w->rec == ORACLE_NOBODY)
		return SHUNT_GO_ON;
	r->may_be_told = true;
	verdict = send_piece(c, f, w, r);
	if (f->more)
		oracle_remember_piece(c, f->hash ^ SHUNT_FRAG_NAT_KEY,
				      verdict == SHUNT_DROP_NAT_FAMILY ? SHUNT_FRAG_UNTOLD : w->rec,
				      r);
	return verdict;
}

enum shunt_verdict oracle_nat_fragment(struct oracle_case *c, struct oracle_result *r)
{
	struct whose w = NOBODY_YET;
	enum shunt_verdict verdict = SHUNT_GO_ON;
	struct oracle_case own = *c;
	struct oracle_piece f = {0};
	const char *wrong;

	if (oracle_piece(c, &f) == SHUNT_GO_ON) {
		if (f.offset)
			verdict = later(&own, &f, &w, r);
		else if (oracle_piece_ports(&own, &f) == SHUNT_GO_ON)
			verdict = first(&own, &f, &w, r);
	}
	wrong = oracle_nat_check(c, &w.step);
	if (wrong)
		r->wrong = wrong;
	return verdict;
}

/* ---- ICMP ---------------------------------------------------------------------------------------*/

/* Whose error it is; where the ports are that it quotes, from its quote on. */
static size_t whose_error(const struct oracle_case *c, struct whose *w, struct oracle_result *r)
{
	size_t at = c->p.l4, end = c->p.l3 + c->p.l3_len, ports;
	struct oracle_case about = *c;
	struct oracle_tuple q;

	if (end < at + 8 || !oracle_is_error(&c->p, c->in->frame[at]))
		return 0;
	ports = oracle_quote(c->in->frame + at + 8, end - at - 8, &about.p);
	if (!ports)
		return 0;
	q = oracle_tuple_of(&about.p);
	return is_reply(c, &q, w) || is_request(c, &q, w, r) ? ports : 0;
}

static bool is_whole(const struct oracle_case *c)
{
	size_t len = c->p.l3 + c->p.l3_len - c->p.l4;

	return len <= ORACLE_READ_MAX && oracle_checksum(oracle_sum(c->in->frame + c->p.l4, len) +
							 oracle_pseudo_sum(&c->p, len)) == 0;
}

enum shunt_verdict oracle_nat_icmp(const struct oracle_case *c, struct oracle_result *r)
{
	struct whose w = NOBODY_YET;
	size_t ports = whose_error(c, &w, r);
	enum shunt_verdict verdict;
	struct shunt_backend way;
	struct oracle_tuple to;

	r->wrong = oracle_nat_check(c, &w.step);
	if (!ports)
		return SHUNT_GO_ON;
	way = way_of(c, &w, &to, r);
	if (c->p.ttl < 2)
		return SHUNT_DROP_TTL;
	if (to.family != c->p.family && !is_whole(c))
		return SHUNT_DROP_BAD_L4;
	verdict = oracle_translate_error(c, ports, &way, &to, r);
	return verdict == SHUNT_GO_ON ? sent(&w, &way) : verdict;
}
