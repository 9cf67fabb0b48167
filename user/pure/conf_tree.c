/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/conf_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "pure/conf_error.h"

/* ---- memory: freed in one go -------------------------------------------------------------------*/

#define CHUNK_SIZE (64u << 10)

struct conf_chunk {
	struct conf_chunk *next;
	size_t used, size;
	max_align_t at[];
};

/* @size bytes, zeroed and aligned for a node, or NULL. */
static void *tree_alloc(struct conf_tree *tree, size_t size)
{
	struct conf_chunk *chunk = tree->chunks;
	void *at;

	size = (size + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
	if (!chunk || chunk->size - chunk->used < size) {
		size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;

		chunk = calloc(1, sizeof(*chunk) + room);
		if (!chunk)
			return NULL;
		chunk->size = room;
		chunk->next = tree->chunks;
		tree->chunks = chunk;
	}
	at = (char *)chunk->at + chunk->used;
	chunk->used += size;
	return at;
}

void conf_tree_fini(struct conf_tree *tree)
{
	while (tree->chunks) {
		struct conf_chunk *next = tree->chunks->next;

		free(tree->chunks);
		tree->chunks = next;
	}
	tree->root = NULL;
}

const struct conf_node *conf_node_resolve(const struct conf_node *node)
{
	while (node->kind == CONF_NODE_ALIAS)
		node = node->target;
	return node;
}

/* ---- building ----------------------------------------------------------------------------------*/

struct anchor {
	const char *name;
	struct conf_node *node;
};

/* A list or mapping that is still open. */
struct open_node {
	struct conf_node *node;
	struct conf_node **tail; /* where the next child goes */
	const char *anchor; /* NULL: none */
};

struct builder {
	yaml_parser_t parser;
	const char *data;
	size_t len;
	const char *file;
	struct conf_error *err;
	struct conf_tree *tree;
	struct open_node open[CONF_TREE_DEPTH];
	size_t depth, nodes, anchors;
	struct anchor anchor[CONF_TREE_ANCHORS];
};

static struct conf_pos pos_of(const struct builder *b, const yaml_mark_t *mark)
{
	return (struct conf_pos){b->file, (uint32_t)mark->line + 1, (uint32_t)mark->column + 1};
}

#define fail_at(b, mark, ...)                                                                      \
	({                                                                                         \
		struct conf_pos pos_ = pos_of(b, mark);                                            \
		conf_complain((b)->err, &pos_, __VA_ARGS__);                                       \
	})

static const char *copy_text(struct builder *b, const void *text, size_t len)
{
	char *copy = tree_alloc(b->tree, len + 1);

	if (copy)
		memcpy(copy, text, len);
	return copy;
}

/* Puts a new node where the next one belongs. Returns 0 with *out, -EINVAL or -ENOMEM. */
static int add_node(struct builder *b, enum conf_node_kind kind, const yaml_mark_t *mark,
		    struct conf_node **out)
{
	struct conf_node *node;

	if (++b->nodes > CONF_TREE_NODES)
		return fail_at(b, mark, "more than %u values; that is too large a configuration",
			       CONF_TREE_NODES);
	node = tree_alloc(b->tree, sizeof(*node));
	if (!node)
		return -ENOMEM;
	node->kind = kind;
	node->line = (uint32_t)mark->line + 1;
	node->column = (uint32_t)mark->column + 1;
	if (b->depth > 0) {
		struct open_node *parent = &b->open[b->depth - 1];

		*parent->tail = node;
		parent->tail = &node->next;
		parent->node->n++;
	} else {
		b->tree->root = node;
	}
	*out = node;
	return 0;
}

/* Names a finished node, so that an alias cannot refer to what it stands in. */
static int set_anchor(struct builder *b, const char *name, struct conf_node *node,
		      const yaml_mark_t *mark)
{
	if (!name)
		return 0;
	if (b->anchors == CONF_TREE_ANCHORS)
		return fail_at(b, mark,
			       "more than %d anchors; put what services share in `defaults`",
			       CONF_TREE_ANCHORS);
	b->anchor[b->anchors++] = (struct anchor){name, node};
	return 0;
}

static int add_alias(struct builder *b, const yaml_event_t *ev)
{
	const char *name = (const char *)ev->data.alias.anchor;
	struct conf_node *node;
	int rc;

	for (size_t i = b->anchors; i-- > 0;) {
		if (strcmp(b->anchor[i].name, name) != 0)
			continue;
		rc = add_node(b, CONF_NODE_ALIAS, &ev->start_mark, &node);
		if (rc == 0)
			node->target = b->anchor[i].node;
		return rc;
	}
	return fail_at(
		b, &ev->start_mark,
		"alias *%.64s refers to nothing above it; define &%.64s first, or quote the text",
		name, name);
}

static int check_tag(struct builder *b, const yaml_char_t *tag, const yaml_mark_t *mark)
{
	if (!tag || strcmp((const char *)tag, "!") == 0)
		return 0;
	return fail_at(b, mark, "YAML tag %s is not used here; remove it, or quote the text",
		       QUOTE((const char *)tag, strlen((const char *)tag)));
}

/* Copies an anchor's name; *out stays NULL without one. */
static int copy_anchor(struct builder *b, const yaml_char_t *anchor, const char **out)
{
	if (!anchor)
		return 0;
	*out = copy_text(b, anchor, strlen((const char *)anchor));
	return *out ? 0 : -ENOMEM;
}

static int add_text(struct builder *b, const yaml_event_t *ev)
{
	const char *anchor = NULL;
	struct conf_node *node;
	int rc;

	rc = check_tag(b, ev->data.scalar.tag, &ev->start_mark);
	if (rc == 0)
		rc = copy_anchor(b, ev->data.scalar.anchor, &anchor);
	if (rc == 0)
		rc = add_node(b, CONF_NODE_TEXT, &ev->start_mark, &node);
	if (rc < 0)
		return rc;
	node->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	node->n = (uint32_t)ev->data.scalar.length;
	node->text = copy_text(b, ev->data.scalar.value, ev->data.scalar.length);
	if (!node->text)
		return -ENOMEM;
	return set_anchor(b, anchor, node, &ev->start_mark);
}

static int open_list_or_mapping(struct builder *b, const yaml_event_t *ev)
{
	bool list = ev->type == YAML_SEQUENCE_START_EVENT;
	const yaml_char_t *tag = list ? ev->data.sequence_start.tag : ev->data.mapping_start.tag;
	const yaml_char_t *name =
		list ? ev->data.sequence_start.anchor : ev->data.mapping_start.anchor;
	const char *anchor = NULL;
	struct conf_node *node;
	int rc;

	if (b->depth == CONF_TREE_DEPTH)
		return fail_at(b, &ev->start_mark,
			       "more than %d levels; no setting stands that deep", CONF_TREE_DEPTH);
	rc = check_tag(b, tag, &ev->start_mark);
	if (rc == 0)
		rc = copy_anchor(b, name, &anchor);
	if (rc == 0)
		rc = add_node(b, list ? CONF_NODE_LIST : CONF_NODE_MAPPING, &ev->start_mark, &node);
	if (rc < 0)
		return rc;
	b->open[b->depth++] = (struct open_node){node, &node->first, anchor};
	return 0;
}

static int close_list_or_mapping(struct builder *b, const yaml_event_t *ev)
{
	struct open_node *top = &b->open[--b->depth];

	return set_anchor(b, top->anchor, top->node, &ev->start_mark);
}

static int take_event(struct builder *b, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (b->tree->root)
			return fail_at(b, &ev->start_mark,
				       "a second document begins here; a configuration is one; "
				       "remove the \"---\" or \"...\" above");
		return 0;
	case YAML_SCALAR_EVENT:
		return add_text(b, ev);
	case YAML_ALIAS_EVENT:
		return add_alias(b, ev);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return open_list_or_mapping(b, ev);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return close_list_or_mapping(b, ev);
	default:
		return 0;
	}
}

/* ---- what libyaml complains about --------------------------------------------------------------*/

/* The character at @mark, 0 beyond the end. Line ends are those of conf_text_check(). */
static char char_at(const struct builder *b, const yaml_mark_t *mark)
{
	const char *at = b->data, *end = b->data + b->len;

	for (size_t line = 0; line < mark->line && at; line++) {
		at = memchr(at, '\n', (size_t)(end - at));
		at = at ? at + 1 : NULL;
	}
	if (!at || mark->column >= (size_t)(end - at))
		return 0;
	return at[mark->column];
}

/* libyaml's words, and what to tell the operator. */
static const struct {
	const char *problem, *words;
} remedies[] = {
	{"mapping values are not allowed in this context",
	 "a \":\" where no key can stand; check the indentation, and quote a value that holds \": "
	 "\""},
	{"did not find expected key", "this is not a key of the mapping above; check the "
				      "indentation, and quote special characters"},
	{"could not find expected ':'", "a key without a \":\"; write \"key: value\""},
	{"did not find expected '-' indicator",
	 "this is not an item of the list above; begin items with \"- \", and quote a value that "
	 "begins with \"[\""},
	{"did not find expected ',' or ']'",
	 "a list in brackets is not closed; put \",\" between items and \"]\" at the end"},
	{"did not find expected ',' or '}'",
	 "a mapping in braces is not closed; put \",\" between keys and \"}\" at the end"},
	{"found unexpected end of stream",
	 "the text in quotes is not closed; add the closing quote"},
	{"block sequence entries are not allowed in this context",
	 "a \"- \" where no list can stand; put lists on lines of their own below their key"},
	{"did not find expected <document start>",
	 "more text after the end of the configuration; check the indentation"},
};

static const char *remedy_of(const struct builder *b)
{
	if (char_at(b, &b->parser.problem_mark) == '\t')
		return "a tab; YAML is indented with spaces; replace the tab by spaces";
	for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++) {
		if (strcmp(b->parser.problem, remedies[i].problem) == 0)
			return remedies[i].words;
	}
	return b->parser.problem;
}

static int syntax_error(const struct builder *b)
{
	if (b->parser.error == YAML_MEMORY_ERROR || !b->parser.problem)
		return -ENOMEM;
	if (b->parser.context && b->parser.context_mark.line != b->parser.problem_mark.line)
		return fail_at(b, &b->parser.problem_mark,
			       "not valid YAML: %s; it begins in line %zu", remedy_of(b),
			       b->parser.context_mark.line + 1);
	return fail_at(b, &b->parser.problem_mark, "not valid YAML: %s", remedy_of(b));
}

int conf_tree_load(const char *data, size_t len, const char *file, struct conf_tree *out,
		   struct conf_error *err)
{
	struct conf_tree tree = {0};
	struct builder b = {.data = data, .len = len, .file = file, .err = err, .tree = &tree};
	bool ended = false;
	int rc = 0;

	if (!yaml_parser_initialize(&b.parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)data, len);
	while (rc == 0 && !ended) {
		yaml_event_t ev;

		if (!yaml_parser_parse(&b.parser, &ev)) {
			rc = syntax_error(&b);
			break;
		}
		rc = take_event(&b, &ev);
		ended = ev.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&ev);
	}
	yaml_parser_delete(&b.parser);
	if (rc < 0) {
		conf_tree_fini(&tree);
		return rc;
	}
	*out = tree;
	return 0;
}
