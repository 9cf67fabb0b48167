/* SPDX-License-Identifier: BSD-2-Clause */
/* Services that translate, and connections that come to an end.  Addresses and ports are few, so that
 * connections meet. */
#include "fuzz.h"

#include <arpa/inet.h>
#include <string.h>

#include "../packet/fixture_nat.h"

#define POOLS 4

struct oracle_nat fuzz_nat_maps(const struct fixture *f)
{
	return (struct oracle_nat){f->nat_requests, f->nat_replies, f->nat_conns, f->nat_addrs};
}

void fuzz_nat_open(struct fuzz_world *w)
{
	w->tables.nat = &w->nat_ctl;
	w->tables.nat_buckets = WORLD_NAT_BUCKETS;
	w->tables.nat_reply_buckets = 2 * WORLD_NAT_BUCKETS;
	w->state.nat =
		(struct oracle_nat){w->nat.requests, w->nat.replies, w->nat.conns, w->nat.addrs};
}

void fuzz_nat_from_maps(struct fuzz_world *w)
{
	memcpy(w->nat.requests, w->f->nat_requests, sizeof(w->nat.requests));
	memcpy(w->nat.replies, w->f->nat_replies, sizeof(w->nat.replies));
	memcpy(w->nat.conns, w->f->nat_conns, sizeof(w->nat.conns));
	memcpy(w->nat.addrs, w->f->nat_addrs, sizeof(w->nat.addrs));
}

/* What is made of the records between two packets, the cache apart. */
static void to_maps(const struct fuzz_world *w)
{
	memcpy(w->f->nat_requests, w->nat.requests, sizeof(w->nat.requests));
	memcpy(w->f->nat_replies, w->nat.replies, sizeof(w->nat.replies));
	memcpy(w->f->nat_conns, w->nat.conns, sizeof(w->nat.conns));
	memcpy(w->f->nat_addrs, w->nat.addrs, sizeof(w->nat.addrs));
}

void fuzz_nat_to_maps(const struct fuzz_world *w)
{
	to_maps(w);
	nat_backs_clear(w->f); /* or it might know what is yet to come */
}

/* ---- tables -------------------------------------------------------------------------------------*/

/* One of a few addresses, of backends or of ours. */
static void some_address(uint8_t family, bool ours, struct dice *d, void *out)
{
	uint8_t addr[16] = {0xfd, ours ? 2 : 1, [15] = (uint8_t)(1 + roll(d, 3))};

	if (family == 4) {
		memset(addr, 0, 16);
		memcpy(addr, (uint8_t[]){10, ours ? 255 : 0, 7, (uint8_t)(1 + roll(d, 3))}, 4);
	}
	memcpy(out, addr, 16);
}

/* A pool's family is that of the backends that name it: the lower half is IPv4's. */
static void pools_vary(struct shunt_nat_ctl *ctl, struct dice *d)
{
	for (uint32_t i = 1; i <= 2 * POOLS; i++) {
		ctl->pool[i].n = once_in(d, 8) ? 0 : 1 + roll(d, 4);
		for (uint32_t k = 0; k < ctl->pool[i].n; k++)
			some_address(i <= POOLS ? 4 : 6, true, d, ctl->pool[i].addr[k]);
	}
}

void fuzz_nat_fill(struct fuzz_world *w, struct dice *d)
{
	static const uint32_t timeouts[] = {1, 3, 10, 60, 300, 7500};
	struct shunt_nat_ctl *ctl = &w->nat_ctl;

	*ctl = (struct shunt_nat_ctl){.first_port = (uint16_t)(1024 + roll(d, 60000))};
	ctl->ports =
		(uint16_t)(once_in(d, 2) ? 1 + roll(d, 4) : 1 + roll(d, 65536u - ctl->first_port));
	for (int i = 0; i < SHUNT_NAT_T_MAX; i++)
		ctl->timeout[i] = timeouts[roll(d, 6)];
	pools_vary(ctl, d);
	*w->f->nat_ctl = *ctl;
}

void fuzz_nat_service(struct shunt_service *svc, struct dice *d)
{
	svc->flags |= SHUNT_SVC_NAT;
	if (once_in(d, 2))
		svc->flags &= (uint16_t)~SHUNT_SVC_FLOWS;
	else if (once_in(d, 2))
		svc->flags = (uint16_t)((svc->flags & ~SHUNT_SVC_FLOWS) | SHUNT_SVC_TURNS);
}

void fuzz_nat_backend(struct shunt_backend *be, uint8_t family, struct dice *d)
{
	be->method = once_in(d, 3) ? SHUNT_MASQ : SHUNT_NAT;
	if (be->method == SHUNT_NAT && once_in(d, 3))
		family = family == 4 ? 6 : 4;
	be->flags &= (uint8_t) ~(SHUNT_BE_ADDR6 | SHUNT_BE_UDP_CSUM);
	be->flags |= family == 6 ? SHUNT_BE_ADDR6 : 0;
	be->source_bits = 0;
	be->port = htons((uint16_t)(once_in(d, 4) ? 0 : 80 + roll(d, 3)));
	some_address(family, false, d, be->addr);
	some_address(family, true, d, be->source);
	if (once_in(d, 30))
		memset(be->source, 0, sizeof(be->source));
	be->nat_pool = once_in(d, 2) ? 0 : 1 + roll(d, POOLS) + (family == 6 ? POOLS : 0);
	if (once_in(d, 30))
		be->nat_pool = SHUNT_NAT_POOLS + roll(d, 3);
}

/* ---- between two packets ------------------------------------------------------------------------*/

static __u64 *word_of(struct fuzz_nat *n, uint32_t rec)
{
	return &n->requests[rec / SHUNT_NAT_WAYS].word[rec % SHUNT_NAT_WAYS];
}

/* The record as if so many ticks had passed; its word knows or does not. */
static void age(struct fuzz_world *w, uint32_t rec, uint32_t ticks, bool word_too)
{
	__u64 *word = word_of(&w->nat, rec);

	w->nat.conns[rec].seen -= ticks;
	w->nat.conns[rec].until -= ticks;
	nat_backs_age(w->f, rec, ticks);
	if (word_too && *word >> 33)
		*word -= (uint32_t)*word >= ticks ? ticks : 0;
}

/* About as long as some timeout is. */
static uint32_t some_ticks(const struct fuzz_world *w, struct dice *d)
{
	return w->nat_ctl.timeout[roll(d, SHUNT_NAT_T_MAX)] + roll(d, 5) - (once_in(d, 2) ? 1 : 0);
}

void fuzz_nat_disturb(struct fuzz_world *w, struct dice *d)
{
	uint32_t rec = roll(d, WORLD_NAT_RECORDS), ticks = some_ticks(w, d);

	switch (roll(d, 8)) {
	case 0:
	case 1: /* all at once */
		for (rec = 0; rec < WORLD_NAT_RECORDS; rec++)
			age(w, rec, ticks, true);
		break;
	case 2: /* somebody else is busy, or has done */
		if (*word_of(&w->nat, rec) == SHUNT_NAT_BUSY)
			*word_of(&w->nat, rec) = SHUNT_NAT_GONE;
		else if (*word_of(&w->nat, rec))
			*word_of(&w->nat, rec) = SHUNT_NAT_BUSY;
		break;
	case 3: /* the client is somewhere else */
		w->nat.conns[rec].ifindex =
			once_in(d, 2) ? WORLD_IFINDEX_MANAGED : WORLD_IFINDEX_UNMANAGED;
		nat_backs_age(w->f, rec, SHUNT_NAT_LAG + 1);
		break;
	default:
		age(w, rec, ticks, once_in(d, 2));
	}
	to_maps(w);
}

/* ---- frames -------------------------------------------------------------------------------------*/

/* In about one of eight something is not quite the connection's. */
bool fuzz_nat_reply(const struct fuzz_world *w, struct dice *d, struct recipe *r)
{
	uint32_t rec = roll(d, WORLD_NAT_RECORDS);
	const struct shunt_nat_conn *conn = &w->nat.conns[rec];
	bool is6 = conn->state & SHUNT_NAT_BACKEND6;

	if (!conn->backend_ports)
		return false;
	r->family = is6 ? 6 : 4;
	r->proto = SHUNT_NAT_PROTO(conn->state);
	memset(r->src, 0, 16);
	memset(r->dst, 0, 16);
	memcpy(r->src, is6 ? w->nat.addrs[rec].backend : &conn->backend, is6 ? 16 : 4);
	memcpy(r->dst, is6 ? w->nat.addrs[rec].pool : &conn->pool, is6 ? 16 : 4);
	r->sport = ntohs((uint16_t)conn->backend_ports);
	r->dport = ntohs((uint16_t)(conn->backend_ports >> 16));
	if (once_in(d, 30))
		r->sport ^= 1;
	if (once_in(d, 30))
		r->dport ^= 1;
	if (once_in(d, 30))
		r->src[roll(d, is6 ? 16 : 4)] ^= 1;
	if (once_in(d, 30))
		r->dst[roll(d, is6 ? 16 : 4)] ^= 1;
	return true;
}
