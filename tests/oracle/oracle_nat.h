/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of translated connections, as oracle_nat.c asks them and as they may change. */
#ifndef ORACLE_NAT_H
#define ORACLE_NAT_H

#include "oracle.h"

#define ORACLE_NOBODY UINT32_MAX /* no record */

/* What a record says: the tuple of what the client sends, and of what its backend sends. */
struct oracle_tuple oracle_nat_of_client(const struct oracle_nat *n, uint32_t rec);
struct oracle_tuple oracle_nat_of_backend(const struct oracle_nat *n, uint32_t rec);
bool oracle_same_tuple(const struct oracle_tuple *a, const struct oracle_tuple *b);

/* The live record that is found by what the client or the backend sends; ORACLE_NOBODY. */
uint32_t oracle_nat_find_request(const struct oracle_case *c, const struct oracle_nat *n,
				 const struct oracle_tuple *q);
uint32_t oracle_nat_find_reply(const struct oracle_case *c, const struct oracle_nat *n,
			       const struct oracle_tuple *q);

/* Whether there is no record for a connection of that tuple, whose packet has @lost one, or
 * ORACLE_NOBODY. */
bool oracle_nat_is_full(const struct oracle_case *c, const struct oracle_tuple *q, uint32_t lost);
/* Whether a bucket of replies has no free word. */
bool oracle_nat_replies_full(const struct oracle_case *c);
/* How many words of replies, for the @n ports from @first on, name records that have the tuple @reply
 * with one of those in place of its dport. */
uint32_t oracle_nat_taken(const struct oracle_case *c, const struct oracle_nat *nat,
			  const struct oracle_tuple *reply, uint32_t first, uint32_t n);

/* Writes the packet to @r as @to's, in @to's family and with @way's layer 2, unless it is longer than
 * @most bytes then; SHUNT_GO_ON, or the verdict. */
enum shunt_verdict oracle_translate(const struct oracle_case *c, const struct shunt_backend *way,
				    const struct oracle_tuple *to, size_t most,
				    struct oracle_result *r);

/* The same for a fragment, which has ports when it is the first.  And for an error, whose quote's ports
 * are @ports bytes behind its beginning. */
struct oracle_piece;
enum shunt_verdict oracle_translate_piece(const struct oracle_case *c, const struct oracle_piece *f,
					  const struct shunt_backend *way,
					  const struct oracle_tuple *to, struct oracle_result *r);
enum shunt_verdict oracle_translate_error(const struct oracle_case *c, size_t ports,
					  const struct shunt_backend *way,
					  const struct oracle_tuple *to, struct oracle_result *r);

/* The checksum over what now sums up to @is, without the checksum itself: right if the one before was
 * right over @was, and else as wrong as that was.  (RFC 1071, RFC 1624.) */
uint16_t oracle_changed_checksum(uint16_t before, uint32_t was, uint32_t is);

/* What became of one packet in the tables. */
struct oracle_nat_step {
	uint32_t used; /* record whose content is judged elsewhere; ORACLE_NOBODY */
	bool opened; /* it was free, and is the packet's now */
	uint32_t lost; /* record that the client's packets find no more; ORACLE_NOBODY */
	const struct oracle_tuple *failed; /* for which no connection could be opened; NULL */
	bool otherwise; /* the backend in the result's row is reached by another method */
};

/* ---- connections, for packets that are not whole ------------------------------------------------*/

struct oracle_tuple oracle_turned(const struct oracle_tuple *q);
/* Whether record @rec still stands for the backend in its row, for a packet of the client's. */
bool oracle_nat_holds(const struct oracle_case *c, const struct shunt_service *svc,
		      const struct oracle_tuple *q, uint32_t rec);
/* Opens a connection for the packet of tuple @q: SHUNT_GO_ON with it in @step, or that the backend is
 * reached otherwise; or the verdict. */
enum shunt_verdict oracle_nat_open(const struct oracle_case *c, const struct shunt_service *svc,
				   const struct oracle_tuple *q, struct oracle_nat_step *step,
				   struct oracle_result *r);
/* Checks what record @rec says after the packet, of which it takes note if it @is_noted. */
void oracle_nat_noted(const struct oracle_case *c, uint32_t rec, bool opened, bool from_client,
		      bool is_noted, struct oracle_result *r);
/* The layer 2 by which packets for the client of that record leave. */
struct shunt_backend oracle_nat_way_back(const struct shunt_nat_conn *conn);

/* NULL, or what is wrong with the tables as seen: everything but what @step says must be as it was,
 * but that records void for long enough may be freed, and that a word may learn until when its record
 * lives. */
const char *oracle_nat_check(const struct oracle_case *c, const struct oracle_nat_step *step);

#endif
