/* SPDX-License-Identifier: BSD-2-Clause */
/* Mappings by table: which keys there are, what each may hold and where it goes. What a table does
 * not name is refused with what it does name. */
#ifndef SHUNT_CONF_SCHEMA_H
#define SHUNT_CONF_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pure/conf_error.h"
#include "pure/conf_parse.h"
#include "pure/conf_tree.h"

struct conf_key;

/* Which keys of a check were written, as opposed to defaults. */
struct conf_check_given {
	bool type, timeout, tls;
};

/* One run of conf_parse(). */
struct conf_load {
	struct conf *conf; /* being built */
	conf_read_fn *read;
	void *arg;
	struct conf_error *err;
	struct conf_service defaults; /* what every service starts as */
	struct conf_check_given defaults_given;
	struct conf_check_given *checks_given; /* of conf->checks */
	void *sources; /* tsearch() tree of the backend files already read */
	size_t n_backends; /* in all services so far */
	size_t n_prefixes; /* in all lists so far */
	size_t n_policies; /* services that have one, so far */
};

/* A piece of text and where it stands: the main file or a backend file. */
struct conf_piece {
	struct conf_pos pos;
	const char *text; /* NUL-terminated or not */
	size_t len;
};

/* Reads @piece into the member at @at, by @key. Returns 0, -EINVAL with the complaint, -ENOMEM. */
typedef int conf_key_read(struct conf_load *l, const struct conf_key *key,
			  const struct conf_piece *piece, void *at);

struct conf_key {
	const char *name;
	conf_key_read *read; /* NULL: no text; whoever reads the mapping takes the value */
	uint16_t offset, size; /* of the member */
	const char *fallback; /* the default, as one would write it; NULL: none */
	uint64_t min, max; /* numbers; durations in ms; texts in bytes */
	const char *const *words; /* conf_read_word: what is allowed; conf_read_number: {"any"} */
	const char *marks; /* conf_read_name: what is allowed beside letters and digits */
	bool required;
};

/* For a key's offset and size. */
#define CONF_AT(type, member) offsetof(type, member), sizeof(((type *)0)->member)

#define CONF_KEYS_MAX 40

struct conf_mapping {
	const char *what; /* "a service" */
	const struct conf_key *keys;
	size_t n; /* up to CONF_KEYS_MAX */
};

/* Those of conf_parse.c, conf_service.c, conf_check.c, conf_backends.c, conf_nat.c, conf_policy.c
 * and conf_passive.c. */
extern const struct conf_mapping conf_top_mapping, conf_service_mapping, conf_check_mapping,
	conf_backend_mapping, conf_nat_timeouts_mapping, conf_rate_mapping, conf_passive_mapping;

/* Reads a mapping's values into the struct at @base, in the order of the file. given[i] becomes the
 * value of keys[i], or NULL. */
int conf_read_mapping(struct conf_load *l, const struct conf_mapping *m,
		      const struct conf_node *node, void *base,
		      const struct conf_node *given[static CONF_KEYS_MAX])
	__attribute__((warn_unused_result));

/* Fills the members that have a default. */
int conf_read_fallbacks(struct conf_load *l, const struct conf_mapping *m, void *base)
	__attribute__((warn_unused_result));

/* The position of a node of the main file. */
struct conf_pos conf_node_pos(const struct conf_load *l, const struct conf_node *node);

/* Complains about @node; see conf_complain(). */
#define conf_fail(l, node, ...)                                                                    \
	({                                                                                         \
		struct conf_pos pos_ = conf_node_pos(l, node);                                     \
		conf_complain((l)->err, &pos_, __VA_ARGS__);                                       \
	})

#define conf_piece_fail(l, piece, ...) conf_complain((l)->err, &(piece)->pos, __VA_ARGS__)

/* True for a key without a value, "~" and "null". */
bool conf_node_is_empty(const struct conf_node *node);

/* What a node is, for complaints: "a list", "a mapping", "text", "empty". */
const char *conf_node_kind_words(const struct conf_node *node);

/* *out becomes the text that @node is or refers to, at the position of @node; @what names the value
 * in complaints. Lists, mappings, empty values and texts with a NUL are refused. */
int conf_node_piece(struct conf_load *l, const struct conf_node *node, const char *what,
		    struct conf_piece *out) __attribute__((warn_unused_result));
/* *out becomes the list that @node is or refers to. */
int conf_node_list(struct conf_load *l, const struct conf_node *node, const char *what,
		   const struct conf_node **out) __attribute__((warn_unused_result));

bool conf_piece_is(const struct conf_piece *piece, const char *word);

/* How many digits @piece begins with, and their value; beyond 64 bits some value above 2^60. */
size_t conf_piece_digits(const struct conf_piece *piece, uint64_t *value);

/* ---- readers of one value: the member's type, and what is accepted -----------------------------*/

conf_key_read conf_read_word; /* an enum: one of key->words */
conf_key_read conf_read_protocol; /* uint8_t: tcp or udp */
conf_key_read conf_read_number; /* uint16_t, uint32_t, uint64_t; "any" is 0 if key->words */
conf_key_read conf_read_size; /* the same; k is 1024, M is 1024 k */
conf_key_read conf_read_duration; /* uint32_t of milliseconds; a unit is needed */
conf_key_read conf_read_percent; /* uint16_t: "20%" */
conf_key_read conf_read_text; /* char *: any text without control characters */
conf_key_read conf_read_folder; /* char *: an absolute path */
conf_key_read conf_read_name; /* char []: letters, digits, key->marks; does not begin with - */
/* Reads ADDRESS[/LENGTH] without bits beyond the length, which is at least @min4 or @min6. */
struct conf_prefix_bounds {
	const char *what; /* names the value in complaints */
	uint8_t min4, min6;
};
int conf_read_prefix(struct conf_load *l, const struct conf_prefix_bounds *bounds,
		     const struct conf_piece *piece, struct addr *addr, uint8_t *bits)
	__attribute__((warn_unused_result));

conf_key_read conf_read_address; /* struct addr that can be a vip or a backend */

#endif
