/* SPDX-License-Identifier: BSD-2-Clause */
/* Conditions of HAProxy, as far as the address and port that clients connect to decide them. */
#include "pure/convert_haproxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In this order, so that "and" is the smaller one and "or" the larger one. */
enum truth { NO, MAYBE, YES };

static enum truth both(enum truth a, enum truth b)
{
	return a < b ? a : b;
}

static enum truth either(enum truth a, enum truth b)
{
	return a > b ? a : b;
}

static enum truth not(enum truth a) { return YES - a; }

/* ---- reading ------------------------------------------------------------------------------------*/

static struct haproxy_rule *add_rule(struct haproxy *r, const struct convert_line *l)
{
	struct haproxy_rule *grown = reallocarray(r->rules, r->n_rules + 1, sizeof(*grown));

	if (!grown) {
		r->c->out_of_memory = true;
		return NULL;
	}
	r->rules = grown;
	grown += r->n_rules++;
	*grown = (struct haproxy_rule){.of = r->at, .line = l->number};
	snprintf(grown->name, sizeof(grown->name), "%.63s", haproxy_word(l, 1));
	return grown;
}

/* The words from @i on. */
static void join(const struct convert_line *l, size_t i, char out[static HAPROXY_CONDITION_MAX])
{
	size_t at = 0;

	out[0] = '\0';
	for (; i < l->n && at < HAPROXY_CONDITION_MAX; i++)
		at += (size_t)snprintf(out + at, HAPROXY_CONDITION_MAX - at, "%s%s", at ? " " : "",
				       l->words[i]);
}

void haproxy_read_acl(struct haproxy *r, const struct convert_line *l)
{
	struct haproxy_rule *rule = add_rule(r, l);

	if (!rule)
		return;
	rule->is_acl = true;
	join(l, 2, rule->condition);
}

void haproxy_read_use_backend(struct haproxy *r, const struct convert_line *l)
{
	struct haproxy_rule *rule = add_rule(r, l);

	if (!rule)
		return;
	rule->unless = strcmp(haproxy_word(l, 2), "unless") == 0;
	rule->always = l->n < 3;
	join(l, 3, rule->condition);
}

/* ---- judging ------------------------------------------------------------------------------------*/

/* What a condition is judged for. */
struct judge {
	const struct haproxy *r;
	const struct haproxy_section *front;
	const struct haproxy_bind *bind;
	struct addr vip;
};

/* Takes the next word of *at; false: there is none. */
static bool next_word(const char **at, char out[static CONVERT_WORD_MAX])
{
	const size_t blanks = strspn(*at, " "), n = strcspn(*at + blanks, " ");

	snprintf(out, CONVERT_WORD_MAX, "%.*s", (int)n, *at + blanks);
	*at += blanks + n;
	return n > 0;
}

/* "81", "8000:8099" */
static enum truth judge_port(const struct judge *j, const char *value)
{
	const char *colon = strchr(value, ':');
	const uint32_t first = convert_number(value, 65535, colon ? (uint32_t)atoi(value) : 65536);
	const uint32_t last = colon ? convert_number(colon + 1, 65535, 65536) : first;
	const uint32_t from = j->bind->port;
	const uint32_t to = j->bind->last_port ? j->bind->last_port : from;

	if (first > 65535 || last > 65535)
		return MAYBE;
	if (to < first || from > last)
		return NO;
	return from >= first && to <= last ? YES : MAYBE;
}

/* "192.0.2.1", "192.0.2.0/24" */
static enum truth judge_address(const struct judge *j, const char *value)
{
	const size_t n = strcspn(value, "/");
	struct addr prefix;
	uint32_t bits;

	if (addr_is_none(&j->vip) || addr_parse(value, n, &prefix) < 0)
		return MAYBE;
	bits = addr_bits(&prefix);
	if (value[n])
		bits = convert_number(value + n + 1, bits, bits);
	return addr_is_within(&j->vip, &prefix, (uint8_t)bits) ? YES : NO;
}

/* "dst_port 81 443": one of its values is enough. */
static enum truth judge_expression(const struct judge *j, const char *text)
{
	enum truth (*judge)(const struct judge *j, const char *value);
	char word[CONVERT_WORD_MAX];
	enum truth result = NO;

	if (!next_word(&text, word))
		return MAYBE;
	if (strcmp(word, "always_true") == 0 || strcmp(word, "always_false") == 0)
		return word[7] == 't' ? YES : NO;
	if (strcmp(word, "dst_port") == 0)
		judge = judge_port;
	else if (strcmp(word, "dst") == 0)
		judge = judge_address;
	else
		return MAYBE;
	while (next_word(&text, word)) {
		if (strcmp(word, "-m") == 0)
			next_word(&text, word);
		else if (strcmp(word, "eq") != 0 && word[0] != '-')
			result = either(result, judge(j, word));
	}
	return result;
}

/* Lines of the same name are alternatives. */
static enum truth judge_name(const struct judge *j, const char *name)
{
	enum truth result = NO;
	bool found = false;
	size_t i;

	if (strcmp(name, "TRUE") == 0 || strcmp(name, "FALSE") == 0)
		return name[0] == 'T' ? YES : NO;
	for (i = 0; i < j->r->n_rules; i++) {
		const struct haproxy_rule *acl = &j->r->rules[i];

		if (!acl->is_acl || acl->of != j->front || strcmp(acl->name, name) != 0)
			continue;
		found = true;
		result = either(result, judge_expression(j, acl->condition));
	}
	return found ? result : MAYBE;
}

/* A name, or what stands between braces, from which *at is moved on. */
static enum truth judge_term(const struct judge *j, const char **at, const char *word)
{
	char expression[HAPROXY_CONDITION_MAX];
	const char *end;

	if (strcmp(word, "{") != 0)
		return judge_name(j, word);
	end = strstr(*at, " }");
	if (!end)
		return MAYBE;
	snprintf(expression, sizeof(expression), "%.*s", (int)(end - *at), *at);
	*at = end + 2;
	return judge_expression(j, expression);
}

/* "a !b || { dst_port 81 }" */
static enum truth judge_condition(const struct judge *j, const char *at)
{
	enum truth result = NO, all = YES, term;
	char word[CONVERT_WORD_MAX];

	while (next_word(&at, word)) {
		const char *name = word;
		bool negated = false;

		if (strcmp(word, "or") == 0 || strcmp(word, "||") == 0) {
			result = either(result, all);
			all = YES;
			continue;
		}
		for (; *name == '!'; name++)
			negated = !negated;
		if (!*name && next_word(&at, word))
			name = word;
		term = judge_term(j, &at, name);
		all = both(all, negated ? not(term) : term);
	}
	return either(result, all);
}

static enum truth judge_rule(const struct judge *j, const struct haproxy_rule *rule)
{
	enum truth result;

	if (strchr(rule->name, '%'))
		return MAYBE;
	if (rule->always)
		return YES;
	result = judge_condition(j, rule->condition);
	return rule->unless ? not(result) : result;
}

const char *haproxy_choose(struct haproxy *r, const struct haproxy_section *front,
			   const struct haproxy_bind *b)
{
	const struct judge j = {r, front, b, addr_is_none(&b->vip) ? r->c->options->vip : b->vip};
	size_t i;

	for (i = 0; i < r->n_rules; i++) {
		const struct haproxy_rule *rule = &r->rules[i];
		enum truth t;

		if (rule->is_acl || rule->of != front)
			continue;
		t = judge_rule(&j, rule);
		if (t == YES)
			return rule->name;
		if (t == MAYBE)
			convert_remark(
				r->c, rule->line,
				"use_backend %s: not carried over: shunt decides by the service's "
				"address and port alone: give %s one of its own, or keep HAProxy "
				"for it behind shunt",
				rule->name, rule->name);
	}
	return front->to;
}
