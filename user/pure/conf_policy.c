/* SPDX-License-Identifier: BSD-2-Clause */
/* From whom a service takes packets, and how many new flows: `allow`, `deny`, their files, `rate`. */
#include "pure/conf_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pure/hashkey.h"

static const struct conf_prefix_bounds any_length = {.what = "prefix"};

/* ---- lists -------------------------------------------------------------------------------------*/

static int append(struct conf_load *l, struct conf_prefixes *p, const struct conf_pos *pos,
		  const struct source_prefix *prefix)
{
	if (p->n == CONF_PREFIXES_MAX)
		return conf_complain(l->err, pos,
				     "this is prefix number %zu; allowed are %u in a list; join "
				     "neighbours into shorter prefixes, or block elsewhere",
				     p->n + 1, CONF_PREFIXES_MAX);
	if (l->n_prefixes == CONF_ALL_PREFIXES_MAX)
		return conf_complain(
			l->err, pos,
			"more than %u prefixes in all lists; join neighbours into shorter ones",
			CONF_ALL_PREFIXES_MAX);
	/* Room doubles whenever the number is a power of two. */
	if ((p->n & (p->n - 1)) == 0) {
		size_t room = p->n ? 2 * p->n : 1;
		struct source_prefix *grown = reallocarray(p->list, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		p->list = grown;
	}
	p->list[p->n++] = *prefix;
	l->n_prefixes++;
	return 0;
}

static int read_prefix(struct conf_load *l, const struct conf_piece *piece, const char *what,
		       struct source_prefix *out)
{
	struct conf_prefix_bounds bounds = any_length;

	bounds.what = what;
	memset(out, 0, sizeof(*out));
	return conf_read_prefix(l, &bounds, piece, &out->addr, &out->bits);
}

/* What two lists have that are the same. */
static void seal(struct conf_prefixes *p)
{
	static const uint64_t keys[2][2] = {{0x6c697374, 0x6f6e6500}, {0x6c697374, 0x74776f00}};
	_Static_assert(sizeof(struct source_prefix) == 18, "no padding is hashed");

	for (int i = 0; i < 2; i++)
		p->key[i] = siphash24(p->list, p->n * sizeof(*p->list), keys[i]);
}

/* ---- files -------------------------------------------------------------------------------------*/

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* What is on a line but blanks and a comment. */
static struct conf_piece content_of(const struct conf_piece *line)
{
	struct conf_piece c = *line;
	size_t end = 0, from = 0;

	while (end < c.len && c.text[end] != '#' && c.text[end] != ';')
		end++;
	while (end && is_blank(c.text[end - 1]))
		end--;
	while (from < end && is_blank(c.text[from]))
		from++;
	c.text += from;
	c.len = end - from;
	c.pos.column += (uint32_t)from;
	return c;
}

static int read_line(struct conf_load *l, const struct conf_piece *line, struct conf_prefixes *out)
{
	struct conf_piece content = content_of(line);
	struct source_prefix prefix;
	int rc;

	if (content.len == 0)
		return 0;
	rc = read_prefix(l, &content, any_length.what, &prefix);
	return rc < 0 ? rc : append(l, out, &content.pos, &prefix);
}

int conf_read_prefix_lines(struct conf_load *l, const struct conf_piece *text,
			   struct conf_prefixes *out)
{
	struct conf_piece line = {.text = NULL};
	int rc = 0;

	while (rc == 0 && conf_next_line(text, &line))
		rc = read_line(l, &line, out);
	seal(out);
	return rc;
}

static bool has_family(const struct conf_prefixes *p, uint8_t family)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->list[i].addr.family == family)
			return true;
	}
	return false;
}

/* A file may serve services of both families; one that leaves nobody is a mistake, or the half of a
 * file. */
static int read_files(struct conf_load *l, const struct conf_policy_nodes *nodes,
		      struct conf_service *s)
{
	int rc = 0;

	if (nodes->allow_file)
		rc = conf_read_prefixes_file(l, nodes->allow_file, &s->allow_file, &s->allowed);
	if (rc == 0 && nodes->deny_file)
		rc = conf_read_prefixes_file(l, nodes->deny_file, &s->deny_file, &s->denied);
	if (rc < 0 || !nodes->allow_file || nodes->allow || has_family(s->allowed, s->vip.family))
		return rc;
	return conf_fail(l, nodes->allow_file,
			 "%s has no IPv%u prefix, so that nobody could reach service \"%s\"; write "
			 "one, or remove allow_file",
			 QUOTE(s->allow_file, strlen(s->allow_file)), s->vip.family, s->name);
}

/* ---- inline ------------------------------------------------------------------------------------*/

static int read_item(struct conf_load *l, const struct conf_node *node, const char *what,
		     const struct conf_service *s, struct conf_prefixes *out)
{
	struct conf_pos pos = conf_node_pos(l, node);
	struct source_prefix prefix;
	struct conf_piece piece;
	int rc = conf_node_piece(l, node, what, &piece);

	if (rc == 0)
		rc = read_prefix(l, &piece, what, &prefix);
	if (rc < 0)
		return rc;
	if (prefix.addr.family != s->vip.family)
		return conf_fail(l, node,
				 "%s %s is IPv%u and the vip is IPv%u, to which only IPv%u packets "
				 "come; remove it",
				 what, QUOTE(piece.text, piece.len), prefix.addr.family,
				 s->vip.family, s->vip.family);
	return append(l, out, &pos, &prefix);
}

static int by_prefix(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct source_prefix));
}

static int check_items(struct conf_load *l, const struct conf_node *list, const char *what,
		       const struct conf_prefixes *p)
{
	const struct conf_node *item = list->first;
	char text[ADDR_PREFIX_TEXT_MAX];
	size_t pair[2];
	int rc = conf_first_duplicate(p->list, p->n, sizeof(*p->list), by_prefix, pair);

	if (rc <= 0)
		return rc;
	for (size_t i = 0; i < pair[1]; i++)
		item = item->next;
	return conf_fail(l, item, "prefix %s is in %s for the second time; remove one",
			 addr_prefix_format(&p->list[pair[1]].addr, p->list[pair[1]].bits, text),
			 what);
}

static int read_list(struct conf_load *l, const struct conf_node *node, const char *what,
		     const struct conf_service *s, struct conf_prefixes *out)
{
	const struct conf_node *list;
	int rc = conf_node_list(l, node, what, &list);

	if (rc < 0)
		return rc;
	if (list->n == 0)
		return conf_fail(l, node,
				 "%s is an empty list; write prefixes like 192.0.2.0/24, or remove "
				 "it; to refuse everybody deny %s",
				 what, s->vip.family == 6 ? "::/0" : "0.0.0.0/0");
	for (const struct conf_node *item = list->first; item && rc == 0; item = item->next)
		rc = read_item(l, item, what, s, out);
	if (rc == 0)
		rc = check_items(l, list, what, out);
	seal(out);
	return rc;
}

/* ---- rates -------------------------------------------------------------------------------------*/

enum {
	RATE_NEW_FLOWS,
	RATE_BURST,
	RATE_PER_SOURCE,
	RATE_SOURCE_BURST,
	RATE_MAX,
};

#define AT(member) CONF_AT(struct conf_rate, member)
#define PER_SECOND .min = 1, .max = SOURCE_RATE_MAX
#define AT_ONCE .min = 1, .max = SOURCE_RATE_MAX * (uint64_t)SOURCE_BURST_SECONDS

static const struct conf_key rate_keys[RATE_MAX] = {
	[RATE_NEW_FLOWS] = {"new_flows", conf_read_number, AT(new_flows), PER_SECOND},
	[RATE_BURST] = {"burst", conf_read_number, AT(burst), AT_ONCE},
	[RATE_PER_SOURCE] = {"per_source", conf_read_number, AT(per_source), PER_SECOND},
	[RATE_SOURCE_BURST] = {"source_burst", conf_read_number, AT(source_burst), AT_ONCE},
};

const struct conf_mapping conf_rate_mapping = {"rate", rate_keys, RATE_MAX};

/* @burst of @rate: a second's worth unless given. */
static int check_burst(struct conf_load *l, const struct conf_node *const *given, int rate_key,
		       uint32_t rate, uint32_t *burst)
{
	const struct conf_node *node = given[rate_key + 1];
	const char *rate_name = rate_keys[rate_key].name;
	const char *burst_name = rate_keys[rate_key + 1].name;

	if (!node) {
		*burst = rate;
		return 0;
	}
	if (!rate)
		return conf_fail(
			l, node,
			"%s is given without %s, the rate that it belongs to; add \"%s: N\" "
			"a second, or remove it",
			burst_name, rate_name, rate_name);
	if (*burst > (uint64_t)rate * SOURCE_BURST_SECONDS)
		return conf_fail(l, node,
				 "%s %u is more than an hour of %s %u; allowed are up to %llu, or "
				 "raise the rate",
				 burst_name, *burst, rate_name, rate,
				 (unsigned long long)rate * SOURCE_BURST_SECONDS);
	return 0;
}

static int read_rate(struct conf_load *l, const struct conf_node *node, struct conf_rate *r)
{
	const struct conf_node *given[CONF_KEYS_MAX];
	int rc = conf_read_mapping(l, &conf_rate_mapping, node, r, given);

	if (rc == 0)
		rc = check_burst(l, given, RATE_NEW_FLOWS, r->new_flows, &r->burst);
	if (rc == 0)
		rc = check_burst(l, given, RATE_PER_SOURCE, r->per_source, &r->source_burst);
	if (rc == 0 && !r->new_flows && !r->per_source)
		rc = conf_fail(l, node,
			       "rate limits nothing; write \"new_flows: N\" a second for the "
			       "service, \"per_source: N\" for each source, or both");
	return rc;
}

/* ---- a service ---------------------------------------------------------------------------------*/

int conf_read_policy(struct conf_load *l, const struct conf_policy_nodes *nodes,
		     struct conf_service *s)
{
	int rc = 0;

	if (nodes->allow)
		rc = read_list(l, nodes->allow, "allow", s, &s->allow);
	if (rc == 0 && nodes->deny)
		rc = read_list(l, nodes->deny, "deny", s, &s->deny);
	if (rc == 0)
		rc = read_files(l, nodes, s);
	if (rc == 0 && nodes->rate)
		rc = read_rate(l, nodes->rate, &s->rate);
	s->only_allowed = nodes->allow || nodes->allow_file;
	s->has_list = s->only_allowed || nodes->deny || nodes->deny_file;
	if (rc < 0 || (!s->has_list && !nodes->rate))
		return rc;
	if (l->n_policies++ == CONF_POLICIES_MAX)
		return conf_complain(
			l->err, &s->pos,
			"more than %d services have allow, deny or rate; remove them from some",
			CONF_POLICIES_MAX);
	return 0;
}
