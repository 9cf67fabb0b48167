/* SPDX-License-Identifier: BSD-2-Clause */
/* A world whose slots are in transition: all those of the DSR services of one family, in which the seven
 * backends can be told apart. */
#ifndef FIXTURE_TRANSIT_H
#define FIXTURE_TRANSIT_H

#include "fixture_rare.h"

#define TRANSIT_BACKENDS (WORLD_ROWS_EACH - 1)
#define TRANSIT_WORDS (WORLD_FLOW_BUCKETS * SHUNT_FLOWS_PER_BUCKET)
#define TCP_FLAG_FIN 0x01
#define TCP_FLAG_RST 0x04
#define SYN TCP_FLAG_SYN
#define ACK TCP_FLAG_ACK
#define SYN_ACK (TCP_FLAG_SYN | TCP_FLAG_ACK)

extern uint8_t transit_family, transit_proto;

/* cmocka test fixtures: the family, TCP, and slots that are all settled on backend 1. */
int transit_setup4(void **state);
int transit_setup6(void **state);

struct shunt_service *transit_service(struct fixture *f);
struct shunt_backend *transit_backend(struct fixture *f, uint32_t number);
/* All slots begin to change from backend @base to @cur (or settle on @cur), at tick @since. */
void transit_begin(struct fixture *f, uint32_t base, uint32_t cur, uint16_t since);
void transit_end(struct fixture *f, uint32_t cur);
/* All slots get another cur and stay what they are otherwise. */
void transit_cur(struct fixture *f, uint32_t cur);
/* The flow tick that it is; the flow table stays as it is. */
uint16_t transit_tick(struct fixture *f);

/* Client number @n's packet. */
struct recipe transit_recipe(uint32_t n, uint8_t tcp_flags);
/* It comes; returns the number of the backend that it went to, 0 if there was none. */
uint32_t transit_arrive(struct fixture *f, const struct recipe *r, struct outcome *o);
uint32_t transit_send(struct fixture *f, uint32_t n, uint8_t tcp_flags);
/* What the last packet has counted. */
extern struct outcome transit_outcome;
/* The base of client @n's slot; by the hash of its source alone if the service has SHUNT_SVC_SOURCE. */
struct shunt_base *transit_base(struct fixture *f, uint32_t n);
uint16_t *transit_slot(struct fixture *f, uint32_t n);
uint64_t transit_hash(struct fixture *f, const struct recipe *r);

/* The flow table's words: how many are taken, the only one, and one for all of them. */
__u64 *transit_word(struct fixture *f, size_t i);
size_t transit_words(struct fixture *f);
__u64 *transit_only_word(struct fixture *f);
/* Fills every word with a flow of somebody else's that is confirmed and fresh. */
void transit_fill(struct fixture *f);
uint32_t transit_number_in(uint64_t word);
/* @word as if it had been written @ticks earlier. */
uint64_t transit_aged(uint64_t word, int ticks);

#endif
