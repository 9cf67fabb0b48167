/* SPDX-License-Identifier: BSD-2-Clause */
/* A world that translates: the DSR services of one family, TCP and UDP, forward by nat to another port. What
 * leaves is compared with frames built independently. */
#ifndef FIXTURE_NAT_H
#define FIXTURE_NAT_H

#include "fixture.h"

#define FIRST_PORT 10000
#define PORTS 20000
#define BACKEND_PORT 8080
#define TCP_FLAG_FIN 0x01
#define TCP_FLAG_RST 0x04
#define SYN_ACK (TCP_FLAG_SYN | TCP_FLAG_ACK)

extern const uint8_t nat_protos[2]; /* TCP, UDP */
extern const uint32_t nat_timeouts[SHUNT_NAT_T_MAX]; /* ticks */
/* Ticks after which a record that is noted now is void. */
uint32_t nat_life(enum shunt_nat_timeout type);

extern uint8_t nat_family, nat_backend_family; /* 4 or 6: of the client's side and the backends' */

/* cmocka test fixtures: the families, and all tables empty; the last one keeps the families. */
int nat_setup(void **state);
int nat_setup6(void **state);
int nat_setup46(void **state); /* IPv4 clients, IPv6 backends */
int nat_setup64(void **state);
int nat_setup_again(void **state);
/* Has the DSR service of the protocol forward by @method to BACKEND_PORT. */
struct shunt_service *nat_service(struct fixture *f, uint8_t proto, enum shunt_forward method);

/* A client's packet; what leaves for backend @number when it comes and @port is taken; what the backend
 * answers to that; and what the client must get of the answer @a to its request @r. */
struct recipe nat_request(uint8_t proto, uint16_t sport);
struct recipe nat_translated(const struct recipe *r, uint8_t number, uint16_t port);
struct recipe nat_answer(const struct recipe *t);
struct recipe nat_returned(const struct recipe *a, const struct recipe *r);

void nat_assert_frame(const struct frame *is, const struct recipe *must);
void nat_arrive(struct fixture *f, const struct recipe *r, struct outcome *o);
void nat_assert_verdict(struct fixture *f, const struct recipe *r, enum shunt_verdict v);
/* The port that the frame in @o, without VLAN tags, was given when @r came. */
uint16_t nat_port_of(const struct outcome *o, const struct recipe *r);
/* Sends a request that must be forwarded to backend @number; the port taken, in @t what left. */
uint16_t nat_forwarded(struct fixture *f, const struct recipe *r, uint8_t number, struct recipe *t);
/* The answer to @t comes and must reach the client as an answer to @r. */
void nat_assert_returned(struct fixture *f, const struct recipe *t, const struct recipe *r);

/* The backend answers to @t, which left for @r, and the client to that. */
void nat_establish(struct fixture *f, const struct recipe *r, const struct recipe *t);

uint32_t nat_used(struct shunt_nat_bucket *b, uint32_t buckets);
/* How many records there are; each has its two words. */
uint32_t nat_records(struct fixture *f);
struct shunt_nat_conn *nat_only_record(struct fixture *f);
/* All records, and what their words know, as if @ticks had passed. */
void nat_pass_time(struct fixture *f, uint32_t ticks);

/* The cache of the ways back: that of record @rec as if @ticks had passed; emptied, as whoever writes a
 * record behind the packet path's back has to; and how many elements are used. */
void nat_backs_age(struct fixture *f, uint32_t rec, uint32_t ticks);
void nat_backs_clear(struct fixture *f);
uint32_t nat_backs_used(const struct fixture *f);

#endif
