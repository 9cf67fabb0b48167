/* SPDX-License-Identifier: BSD-2-Clause */
/* YAML text as a tree of nodes that know where they stand. Built from libyaml's events instead of
 * its documents, so that depth and number of nodes are bounded while the text is read, and an alias
 * keeps its own position. An alias is a reference, never a copy, and cannot refer to what it is part
 * of: neither "billion laughs" nor a cycle can be built. */
#ifndef SHUNT_CONF_TREE_H
#define SHUNT_CONF_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf_error;

#define CONF_TREE_DEPTH 16 /* the schema needs 6 */
#define CONF_TREE_NODES (4u << 20) /* 10,000 services with 4 backends take 0.5 M */
#define CONF_TREE_ANCHORS 256

enum conf_node_kind { CONF_NODE_TEXT, CONF_NODE_LIST, CONF_NODE_MAPPING, CONF_NODE_ALIAS };

struct conf_node {
	enum conf_node_kind kind;
	uint32_t line, column; /* from 1; column in characters */
	uint32_t n; /* text: length in bytes; else number of children */
	bool quoted; /* text: not written plain */
	struct conf_node *next; /* sibling */
	union {
		const char *text; /* NUL-terminated, may also hold NULs before its end */
		struct conf_node *first; /* list: items; mapping: keys and values in turn */
		struct conf_node *target; /* alias */
	};
};

struct conf_tree {
	struct conf_node *root; /* NULL: the text holds nothing but comments */
	struct conf_chunk *chunks;
};

/* Parses exactly one document. Returns 0 with @out filled (conf_tree_fini), -EINVAL with the
 * complaint in @err, or -ENOMEM. @data has passed conf_text_check(). */
int conf_tree_load(const char *data, size_t len, const char *file, struct conf_tree *out,
		   struct conf_error *err) __attribute__((warn_unused_result));

void conf_tree_fini(struct conf_tree *tree);

/* The node itself, or what it is an alias of. */
const struct conf_node *conf_node_resolve(const struct conf_node *node);

#endif
