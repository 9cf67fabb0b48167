/* SPDX-License-Identifier: BSD-2-Clause */
/* What the packet path must do with a frame, said a second time: from include/shunt_abi.h and the
 * standards, without a line of bpf/, by bytes and offsets, each stage one function.
 *
 *   parse -> find -> source -> choose (-> flow) -> forward -> finish
 *                           -> translate                  ->
 *
 * It reads its tables and its state and writes a result, nothing else: whoever calls applies it.
 * What the packet path may choose as it likes, the ports and places of translated connections, the
 * oracle does not foretell: it looks at what was chosen and says whether that may be (struct
 * oracle_seen).  Not modelled: a frame without headroom, and a perfect hash that points at nothing. */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shunt_abi.h"

#define ORACLE_FRAME_MAX 4096

/* ---- what the daemon writes --------------------------------------------------------------------*/

/* A service that can be found. Numbers are in host order; port 0 is any port.  Or, with @bits, what a
 * prefix has for the ports @port to @port_to, and with @nobody that it has nothing there. */
struct oracle_service {
	uint8_t family; /* 4 or 6 */
	uint8_t proto;
	uint16_t port;
	uint8_t addr[16]; /* IPv4 in the first four */
	uint8_t bits; /* 0: the address alone */
	bool nobody;
	uint16_t port_to;
	struct shunt_service svc;
};

/* What becomes of packets from a prefix: SHUNT_SOURCE_*. */
struct oracle_source {
	uint8_t addr[16];
	uint8_t bits;
	uint32_t answer;
};

/* From whom a service takes packets. */
struct oracle_policy {
	struct shunt_policy row; /* flags, rates and salt hold */
	const struct oracle_source *sources;
	size_t n_sources;
	uint32_t otherwise; /* for all others */
};

/* An address that has services, or a prefix. */
struct oracle_vip {
	uint8_t family;
	uint8_t addr[16];
	uint8_t bits;
	bool is_exact; /* it comes before all prefixes */
	bool is_live; /* one of its services has a live backend */
	bool is_nobody; /* a prefix that has none */
};

/* How the backends of a service put their ids into connection ids. */
struct oracle_quic_config {
	uint8_t id_len; /* 0: there is no such configuration */
	uint8_t nonce_len;
	bool has_key;
	uint8_t key[16];
};

#define ORACLE_SERVERS_MAX 16

struct oracle_quic {
	bool is_katran;
	struct oracle_quic_config config[SHUNT_QUIC_CONFIGS + 1];
	struct {
		uint8_t id[SHUNT_QUIC_ID_MAX];
		size_t len;
		uint32_t number;
	} server[ORACLE_SERVERS_MAX];
	size_t n_servers;
};

struct oracle_tables {
	const struct oracle_service *services;
	size_t n_services;
	const struct shunt_slot_line *slots;
	size_t n_lines;
	const struct shunt_backend *backends;
	uint32_t rows;
	const uint32_t *managed; /* ifindexes of the interfaces that shunt manages */
	size_t n_managed;
	uint64_t hash_key[SHUNT_HASH_WORDS];
	uint32_t cpus;
	uint32_t flow_buckets; /* a power of two */
	const struct shunt_nat_ctl *nat;
	uint32_t nat_buckets, nat_reply_buckets; /* powers of two */
	const struct oracle_policy *policies; /* by number; [0] is unused */
	size_t n_policies;
	uint32_t rate_lines; /* a power of two */
	const struct oracle_vip *vips;
	size_t n_vips;
	uint32_t frag_buckets; /* a power of two */
	uint32_t hz; /* jiffies a second */
	const struct oracle_quic *quics; /* by number; [0] is unused */
	size_t n_quics;
};

/* ---- what the packet path writes, laid out as in the maps --------------------------------------*/

struct oracle_nat {
	struct shunt_nat_bucket *requests, *replies;
	struct shunt_nat_conn *conns;
	struct shunt_nat_addrs *addrs;
};

struct oracle_state {
	struct shunt_counter *counters;
	struct shunt_verdict_line *verdicts;
	struct shunt_flow_bucket *flows;
	struct shunt_base_line *bases;
	struct oracle_nat nat;
	struct shunt_rate_line *rates;
	uint64_t *full; /* of each policy: when its service's bucket is full */
	struct shunt_frag_bucket *frags;
	struct shunt_answer *answers;
};

/* ---- a packet ----------------------------------------------------------------------------------*/

struct oracle_arrival {
	const uint8_t *frame;
	size_t len; /* 14 to ORACLE_FRAME_MAX less what a tunnel puts in front */
	uint32_t ifindex; /* that it came in by */
	uint32_t cpu; /* that runs the packet path */
	uint64_t jiffies; /* that it is */
	uint32_t tick; /* the NAT tick that it is; its lower half is the flow tick */
};

/* What the packet path made of a packet, where it had a choice. */
struct oracle_seen {
	enum shunt_verdict verdict; /* that was counted; SHUNT_GO_ON: none */
	struct oracle_nat nat; /* as it left the tables */
	const uint8_t *frame; /* that left */
	size_t len;
	const struct shunt_frag_bucket *frags; /* as it left them */
};

/* What the headers say of a sound packet.  Numbers are in host order.  Of one that is not TCP or UDP, or
 * a fragment, there are no ports, and @l4 is where what IP carries is, or IPv6's fragment header. */
struct oracle_parsed {
	uint8_t family;
	uint8_t proto;
	uint8_t tos; /* or traffic class */
	uint8_t ttl; /* or hop limit */
	uint8_t src[16], dst[16]; /* IPv4 in the first four */
	uint16_t sport, dport;
	bool is_syn; /* TCP, SYN without ACK */
	bool is_whole; /* TCP or UDP, and no fragment */
	size_t l3, l4; /* where the headers start in the frame */
	size_t l3_len; /* of the IP packet */
};

/* A source's, and its flow's, which may say somebody else and is corrected. */
#define ORACLE_FLOW_WRITES 4

struct oracle_result {
	enum shunt_verdict verdict;
	int action; /* XDP_* */
	/* what is added to the counters of one row, if anything */
	uint32_t row;
	uint64_t packets, bytes, flows;
	/* turns taken, in the service's own row: 0 or 1 */
	uint32_t turn_row;
	uint64_t turns;
	/* SHUNT_COUNT_* */
	uint64_t lookups, remembered, no_room;
	/* the words of the flow table that are written, one after the other */
	struct oracle_flow_write {
		size_t word; /* bucket * SHUNT_FLOWS_PER_BUCKET + place */
		uint64_t was, is;
	} flow_write[ORACLE_FLOW_WRITES];
	size_t n_flow_writes;
	/* the base that is written, if any, by its slot's place among all */
	bool base_written;
	size_t base_at;
	struct shunt_base base_was, base_is;
	/* the same of a source's word in the table of rates, and of a policy's bucket */
	bool source_written, full_written;
	size_t source_word, full_policy;
	uint64_t source_was, source_is, full_was, full_is;
	bool frag_written;
	size_t frag_word;
	uint64_t frag_was, frag_is;
	bool answer_written; /* on the CPU that runs */
	struct shunt_answer answer_was, answer_is;
	bool may_be_told; /* the sender, what has become of the packet */
	uint32_t egress; /* ifindex that it leaves by, if it leaves */
	const char *wrong; /* with what was seen; NULL: nothing */
	/* the frame as it leaves; of one that is dropped nothing is said */
	size_t len;
	uint8_t frame[ORACLE_FRAME_MAX];
};

/* All that one packet is judged by. */
struct oracle_case {
	const struct oracle_tables *t;
	const struct oracle_state *s;
	const struct oracle_arrival *in;
	const struct oracle_seen *seen;
	struct oracle_parsed p;
};

/* Fills @r with what must become of @c's packet; @c->p is filled in. */
void oracle_run(struct oracle_case *c, struct oracle_result *r);
/* Makes @s what it must be after a packet with result @r on @cpu, translated connections apart;
 * oracle_undo() takes it back. */
void oracle_apply(const struct oracle_tables *t, struct oracle_state *s, uint32_t cpu,
		  const struct oracle_result *r);
void oracle_undo(const struct oracle_tables *t, struct oracle_state *s, uint32_t cpu,
		 const struct oracle_result *r);

/* The verdict's name as in the ABI, without SHUNT_. */
const char *oracle_name(enum shunt_verdict verdict);

/* ---- stages, in files of their own -------------------------------------------------------------*/

/* The verdict that a frame of at least 14 bytes must get before any service is looked for;
 * SHUNT_GO_ON with @out filled when it is a sound TCP or UDP packet. */
enum shunt_verdict oracle_parse(const uint8_t *frame, size_t len, struct oracle_parsed *out);
/* The same for the TCP or UDP header at @l4, of which @len bytes are there. */
enum shunt_verdict oracle_parse_ports(const uint8_t *l4, size_t len, struct oracle_parsed *p);
/* Follows the extension headers of which the first is a @p->proto, from byte @at of @bytes to @end:
 * sets proto and l4 to what is behind them, or with PASS_FRAGMENT to the fragment header. */
enum shunt_verdict oracle_parse_chain(const uint8_t *bytes, size_t at, size_t end,
				      struct oracle_parsed *p);
bool oracle_is_ext(uint8_t proto);

/* The service that the packet is for; NULL when there is none. */
const struct shunt_service *oracle_find(const struct oracle_tables *t,
					const struct oracle_parsed *p);
/* Whether the source cannot be that of somebody who sends to the destination, and what becomes of a
 * packet for which a service is looked for: SHUNT_GO_ON, or the verdict. */
bool oracle_is_martian(const struct oracle_parsed *p);
enum shunt_verdict oracle_martian(const struct oracle_parsed *p);

/* Whether the service takes the packet from its source; and, if it opens a flow besides, another
 * flow.  SHUNT_GO_ON, or the verdict; in @r what is written. */
enum shunt_verdict oracle_source(const struct oracle_case *c, const struct shunt_service *svc,
				 struct oracle_result *r);
enum shunt_verdict oracle_new_flow(const struct oracle_case *c, const struct shunt_service *svc,
				   struct oracle_result *r);

/* A flow's place in the flow table, and the packet that asks for it. */
struct oracle_flow {
	uint64_t hash; /* that it is remembered by */
	uint64_t slot_hash; /* that its slot is found by */
	uint16_t tick;
	bool confirms; /* the packet is not the flow's first, if the flow is known */
	bool is_about; /* the packet is not the flow's: nothing is written */
	bool has_since; /* entries whose age is above `oldest` do not count, and new ones get `mark` */
	uint16_t oldest, mark;
	const struct shunt_service *svc;
};

struct oracle_tuple;
/* Sets both hashes of a flow with @tuple in the service: of itself, or of its source. */
void oracle_flow_hashes(const struct oracle_case *c, const struct shunt_service *svc,
			const struct oracle_tuple *tuple, struct oracle_flow *flow);

/* A slot, and where those of its flows are of which nothing is remembered. */
struct oracle_slot {
	size_t at; /* among all */
	bool changed;
	uint32_t cur, old;
	struct shunt_base base;
};
/* The slot of @hash; false when it is beyond the table. */
bool oracle_slot_at(const struct oracle_case *c, const struct shunt_service *svc, uint64_t hash,
		    struct oracle_slot *slot);
/* Entries of before the slot's `since` do not count, if it is in transition, and those that are written are
 * not older. */
void oracle_count_since(struct oracle_flow *flow, const struct oracle_slot *slot);
void oracle_slot_use(struct oracle_slot *slot, uint16_t tick, struct oracle_result *r);
void oracle_slot_is_full(struct oracle_slot *slot, struct oracle_result *r);
/* The number that the slot has for the flow, of a service that remembers only what it must. */
uint32_t oracle_by_slot(const struct oracle_case *c, struct oracle_flow *flow,
			struct oracle_slot *slot, struct oracle_result *r);

/* What the flow table says of a flow. */
enum oracle_memory { ORACLE_UNKNOWN, ORACLE_ORPHANED, ORACLE_KNOWN };

/* Says what is remembered; when ORACLE_KNOWN, the backend's number and, in @r, the refreshed word. */
enum oracle_memory oracle_recall(const struct oracle_tables *t, const struct oracle_state *s,
				 const struct oracle_flow *flow, uint32_t *number,
				 struct oracle_result *r);
/* Writes backend @number down for the flow, in @r; false when there is no place. */
bool oracle_remember(const struct oracle_tables *t, const struct oracle_state *s,
		     const struct oracle_flow *flow, uint32_t number, struct oracle_result *r);

/* The number in the slot that new connections of a service that takes turns get next, or else in
 * the slot of @hash; false when the slot is beyond the table. */
bool oracle_slot(const struct oracle_case *c, const struct shunt_service *svc, bool by_turn,
		 uint64_t hash, uint32_t *number, struct oracle_result *r);

/* The number of the backend that the service has for the packet, by its flow table or a slot;
 * SHUNT_GO_ON, or the verdict when it has none. */
enum shunt_verdict oracle_number(const struct oracle_case *c, const struct shunt_service *svc,
				 uint32_t *number, struct oracle_result *r);

/* The same for a packet that is only about the flow: nothing is remembered. */
enum shunt_verdict oracle_number_about(const struct oracle_case *c, const struct shunt_service *svc,
				       uint32_t *number, struct oracle_result *r);

/* The server's id in a connection id of @len octets; its length, or 0. */
size_t oracle_quic_id(const struct oracle_quic *q, const uint8_t *cid, size_t len,
		      uint8_t id[static SHUNT_QUIC_ID_MAX]);
/* Sets @r's row to that of the backend that has issued the packet's connection id; false when there is
 * none that may be used. */
bool oracle_quic_row(const struct oracle_case *c, const struct shunt_service *svc,
		     struct oracle_result *r);

/* Sets @r's row to that of the service's backend @number; SHUNT_GO_ON, or the verdict when it may not
 * be used. */
enum shunt_verdict oracle_backend(const struct oracle_case *c, const struct shunt_service *svc,
				  uint32_t number, struct oracle_result *r);

/* Writes the frame that must leave towards @be to @r and returns the verdict. */
enum shunt_verdict oracle_forward(const struct oracle_arrival *in, const struct oracle_parsed *p,
				  uint64_t hash, const struct shunt_backend *be,
				  struct oracle_result *r);
/* The same for the backend in @r's row, and where it leaves. */
enum shunt_verdict oracle_forward_to_row(const struct oracle_case *c, struct oracle_result *r);
/* Begins the frame with MACs and tags of @be and the type of the packet's family. */
void oracle_put_ethernet(const struct shunt_backend *be, uint8_t family, struct oracle_result *r);
/* Appends the packet as it came, with its padding, if that is some; returns where it is. */
uint8_t *oracle_put_packet(const struct oracle_arrival *in, const struct oracle_parsed *p,
			   struct oracle_result *r);

/* Addresses and ports of a packet, ports in host order. */
struct oracle_tuple {
	uint8_t family, proto;
	uint8_t src[16], dst[16]; /* IPv4 in the first four, the rest 0 */
	uint16_t sport, dport;
};
struct oracle_tuple oracle_tuple_of(const struct oracle_parsed *p);
/* As struct shunt_settings says. */
uint64_t oracle_hash(const struct oracle_tables *t, const struct oracle_tuple *q);

static inline bool oracle_translates(const struct shunt_backend *be)
{
	return be->method == SHUNT_NAT || be->method == SHUNT_MASQ;
}

/* Whether flows of the service may be backend @number's by slots and flow table: it is usable, and what
 * translates has its connections elsewhere, unless the service remembers every flow. */
bool oracle_may_have(const struct oracle_tables *t, const struct shunt_service *svc,
		     uint32_t number);

/* A client's packet for a service that translates, or, without SHUNT_SVC_NAT, one whose backend in
 * @r's row does; and a packet for no service. */
enum shunt_verdict oracle_nat_request(const struct oracle_case *c, const struct shunt_service *svc,
				      struct oracle_result *r);
enum shunt_verdict oracle_nat_reply(const struct oracle_case *c, struct oracle_result *r);
/* A fragment, and an ICMP message. */
enum shunt_verdict oracle_fragment(struct oracle_case *c, struct oracle_result *r);
enum shunt_verdict oracle_icmp(struct oracle_case *c, struct oracle_result *r);
/* The same, first, of translated connections; SHUNT_GO_ON: it is of none. */
enum shunt_verdict oracle_nat_fragment(struct oracle_case *c, struct oracle_result *r);
enum shunt_verdict oracle_nat_icmp(const struct oracle_case *c, struct oracle_result *r);
/* The packet ends with @verdict, DROP_TTL or DROP_TOO_BIG: tells its sender so, if that may be. */
enum shunt_verdict oracle_answer(const struct oracle_case *c, enum shunt_verdict verdict,
				 struct oracle_result *r);

/* Whether the tables of translated connections are as they were, with what was seen. */
void oracle_nat_untouched(const struct oracle_case *c, struct oracle_result *r);

#endif
