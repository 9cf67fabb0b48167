/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/policies.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/plan.h"
#include "pure/hashkey.h"
#include "pure/source_list.h"

/* ---- what a service wants -----------------------------------------------------------------------*/

struct wanted {
	size_t service; /* in the configuration */
	const struct conf_service *conf;
	struct shunt_policy record; /* without its list's place */
};

struct wants {
	struct wanted *all; /* by list_key */
	size_t n;
	uint64_t rate_sources; /* to make room for */
};

/* Which words source_list_build() makes: those that an earlier one made are none of ours, and are replaced
 * as if they were of another content. */
#define LIST_LAYOUT 2

static void list_key(const struct conf_service *s, __u64 key[static 2])
{
	static const uint64_t keys[2][2] = {{0x736f7572, 0x63650001}, {0x736f7572, 0x63650002}};
	const struct conf_prefixes *parts[4] = {&s->allow, &s->deny, s->allowed, s->denied};
	uint64_t words[9] = {(uint64_t)LIST_LAYOUT << 16 | (uint64_t)s->vip.family << 8 |
			     s->only_allowed};

	for (size_t i = 0; i < 4; i++)
		if (parts[i])
			memcpy(&words[1 + 2 * i], parts[i]->key, sizeof(parts[i]->key));
	for (size_t i = 0; i < 2; i++)
		key[i] = siphash24(words, sizeof(words), keys[i]);
}

static struct shunt_policy record_of(const struct conf_service *s)
{
	static const uint64_t owner_key[2] = {0x6f776e65, 0x72000000};
	const struct conf_rate *r = &s->rate;
	struct shunt_policy p = {0};

	if (s->has_list) {
		p.flags |= SHUNT_POLICY_LIST;
		list_key(s, p.list_key);
	}
	if (r->new_flows) {
		p.flags |= SHUNT_POLICY_SERVICE_RATE;
		p.service = source_rate_of(r->new_flows, r->burst, mono_kernel_hz());
	}
	if (r->per_source) {
		p.flags |= SHUNT_POLICY_SOURCE_RATE;
		p.source = source_rate_of(r->per_source, r->source_burst, mono_kernel_hz());
	}
	if (r->new_flows || r->per_source) {
		p.salt = service_salt(s->name);
		p.owner = siphash24(s->name, strlen(s->name), owner_key);
	}
	return p;
}

static int by_key(const void *a, const void *b)
{
	return memcmp(a, b, 2 * sizeof(uint64_t));
}

static int by_list(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;

	return by_key(x->record.list_key, y->record.list_key);
}

static int wants_of(const struct conf *conf, struct wants *w)
{
	size_t i;

	w->all = calloc(conf->n_services + 1, sizeof(*w->all));
	if (!w->all)
		return -ENOMEM;
	for (i = 0; i < conf->n_services; i++) {
		const struct conf_service *s = &conf->services[i];
		struct wanted one = {i, s, record_of(s)};

		if (one.record.flags)
			w->all[w->n++] = one;
		if (one.record.flags & SHUNT_POLICY_SOURCE_RATE)
			w->rate_sources = conf->rate_sources;
	}
	qsort(w->all, w->n, sizeof(*w->all), by_list);
	return 0;
}

/* Whether w->all[i] is the first with its list. */
static bool is_first(const struct wants *w, size_t i)
{
	return w->all[i].record.flags & SHUNT_POLICY_LIST &&
	       (i == 0 || by_list(&w->all[i - 1], &w->all[i]) != 0);
}

/* ---- lists --------------------------------------------------------------------------------------*/

static void add_rules(struct source_rule *rules, size_t *n, const struct conf_prefixes *p,
		      uint32_t answer)
{
	for (size_t i = 0; p && i < p->n; i++)
		rules[(*n)++] = (struct source_rule){&p->list[i], answer};
}

static int build(const struct conf_service *s, struct source_list *out)
{
	size_t n = 0, room = s->allow.n + s->deny.n + 1;
	auto_free struct source_rule *rules = NULL;

	room += (s->allowed ? s->allowed->n : 0) + (s->denied ? s->denied->n : 0);
	rules = calloc(room, sizeof(*rules));
	if (!rules)
		return -ENOMEM;
	add_rules(rules, &n, &s->allow, SHUNT_SOURCE_TAKEN);
	add_rules(rules, &n, s->allowed, SHUNT_SOURCE_TAKEN);
	add_rules(rules, &n, &s->deny, SHUNT_SOURCE_DENIED);
	add_rules(rules, &n, s->denied, SHUNT_SOURCE_DENIED);
	return source_list_build(rules, n, s->vip.family,
				 s->only_allowed ? SHUNT_SOURCE_NOT_ALLOWED : SHUNT_SOURCE_TAKEN,
				 out);
}

static struct policy_list *find_list(const struct policies *p, const __u64 key[static 2])
{
	return p->n_lists ? bsearch(key, p->lists, p->n_lists, sizeof(*p->lists), by_key) : NULL;
}

int policies_sizes(const struct conf *conf, struct dp_sizes *sizes)
{
	auto_free struct wanted *all = NULL;
	struct wants w = {0};
	uint64_t words = 0;
	size_t i;
	int err = wants_of(conf, &w);

	all = w.all;
	for (i = 0; i < w.n && !err; i++) {
		struct source_list list = {0};

		if (!is_first(&w, i))
			continue;
		err = build(w.all[i].conf, &list);
		words += list.n;
		source_list_fini(&list);
	}
	if (words * 2 > UINT32_MAX)
		return -E2BIG;
	sizes->source_words = (uint32_t)words * 2;
	sizes->policies = w.n ? (uint32_t)w.n * 2 + 1 : 0;
	sizes->rate_sources = w.rate_sources;
	return err;
}

/* ---- room ---------------------------------------------------------------------------------------*/

int policies_follow_sizes(struct engine *e)
{
	const struct dp_sizes *s = dp_sizes(e->dp);
	int err = ranges_grow(&e->policy_numbers, s->policies ? s->policies - 1 : 0);

	return err ? err : ranges_grow(&e->source_words, s->source_words);
}

static uint32_t free_numbers(const struct engine *e)
{
	uint32_t n = 0;

	for (size_t i = 0; i < e->policy_numbers.count; i++)
		n += e->policy_numbers.free[i].n;
	return n;
}

static int make_room(struct engine *e, const struct dp_sizes *need, struct engine_error *err)
{
	struct dp_sizes sizes = *dp_sizes(e->dp);
	struct dp_error why = {0};
	int ret;

	if (ranges_longest(&e->source_words) < need->source_words)
		sizes.source_words += need->source_words * 2;
	if (free_numbers(e) < need->policies)
		sizes.policies += need->policies * 2 + 1;
	if (sizes.policies > SHUNT_POLICIES_MAX)
		sizes.policies = SHUNT_POLICIES_MAX;
	if (sizes.rate_sources < need->rate_sources)
		sizes.rate_sources = need->rate_sources;
	ret = dp_grow(e->dp, &sizes, &why);
	if (ret)
		snprintf(err->text, sizeof(err->text), "%s", why.text);
	return ret ? ret : policies_follow_sizes(e);
}

/* ---- planning lists -----------------------------------------------------------------------------*/

/* The lists, those that are in force already or else built, in @built by their place. */
static int choose_lists(const struct engine *e, const struct wants *w, struct policies *out,
			struct source_list *built, struct dp_sizes *need)
{
	uint64_t words = 0;
	size_t i;
	int err;

	for (i = 0; i < w->n; i++) {
		const struct shunt_policy *r = &w->all[i].record;
		const struct policy_list *there = find_list(&e->policies, r->list_key);
		struct policy_list *list = &out->lists[out->n_lists];

		if (!is_first(w, i))
			continue;
		if (there) {
			*list = *there;
			out->n_lists++;
			continue;
		}
		err = build(w->all[i].conf, &built[out->n_lists]);
		if (err)
			return err;
		words += built[out->n_lists].n;
		memcpy(list->key, r->list_key, sizeof(list->key));
		out->n_lists++;
	}
	need->source_words = (uint32_t)words;
	return words > UINT32_MAX / 4 ? -E2BIG : 0;
}

static int write_lists(struct engine *e, struct policies *out, const struct source_list *built)
{
	size_t i;
	int err;

	for (i = 0; i < out->n_lists; i++) {
		struct policy_list *list = &out->lists[i];

		if (!built[i].words)
			continue;
		list->root = built[i].root;
		list->quick = built[i].quick;
		list->words = (uint32_t)built[i].n;
		err = ranges_take(&e->source_words, list->words, &list->at);
		if (err)
			return err;
		list->is_new = true;
		list->root_at = list->at + built[i].root_at;
		list->quick.at += list->at;
		dp_sources_write(e->dp, list->at, built[i].words, built[i].n);
	}
	return 0;
}

/* Makes room for all that the plan may take besides. */
static int plan_lists(struct engine *e, const struct wants *w, struct policies *out,
		      struct engine_error *err)
{
	auto_free struct source_list *built = calloc(w->n + 1, sizeof(*built));
	struct dp_sizes need = {.policies = (uint32_t)w->n, .rate_sources = w->rate_sources};
	size_t i;
	int ret = -ENOMEM;

	out->lists = calloc(w->n + 1, sizeof(*out->lists));
	if (!built || !out->lists)
		return ret;
	ret = choose_lists(e, w, out, built, &need);
	if (!ret && w->n)
		ret = make_room(e, &need, err);
	if (!ret)
		ret = write_lists(e, out, built);
	for (i = 0; i < w->n; i++)
		source_list_fini(&built[i]);
	return ret;
}

/* ---- planning policies --------------------------------------------------------------------------*/

static int by_record(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct shunt_policy));
}

static struct policy *find_policy(const struct policies *p, const struct shunt_policy *record)
{
	_Static_assert(offsetof(struct policy, record) == 0, "found by its record");
	return p->n ? bsearch(record, p->list, p->n, sizeof(*p->list), by_record) : NULL;
}

/* Fills the list's place into the records, and the different ones into @out, sorted. */
static int gather(struct wants *w, struct policies *out)
{
	size_t i, kept = 0;

	out->list = calloc(w->n + 1, sizeof(*out->list));
	if (!out->list)
		return -ENOMEM;
	for (i = 0; i < w->n; i++) {
		struct shunt_policy *r = &w->all[i].record;
		const struct policy_list *list = find_list(out, r->list_key);

		if (r->flags & SHUNT_POLICY_LIST && list) {
			r->root = list->root;
			r->root_at = list->root_at;
			r->quick = list->quick;
			r->list_at = list->at;
			r->list_words = list->words;
		}
		out->list[i].record = *r;
	}
	qsort(out->list, w->n, sizeof(*out->list), by_record);
	for (i = 0; i < w->n; i++)
		if (!kept || by_record(&out->list[kept - 1], &out->list[i]) != 0)
			out->list[kept++] = out->list[i];
	out->n = kept;
	return 0;
}

/* How full the service's bucket is outlives a change of its policy. */
static uint64_t full_of(const struct engine *e, const struct service *s)
{
	struct shunt_policy former;

	if (!s->policy || s->policy >= dp_sizes(e->dp)->policies)
		return 0;
	dp_policy_read(e->dp, s->policy, &former);
	return former.full;
}

/* @s: a service that is under it. */
static int plan_policy(struct engine *e, const struct service *s, struct policy *p)
{
	const struct policy *there = find_policy(&e->policies, &p->record);
	struct shunt_policy record = p->record;
	uint32_t at;
	int err;

	if (there) {
		p->number = there->number;
		return 0;
	}
	err = ranges_take(&e->policy_numbers, 1, &at);
	if (err)
		return err;
	p->number = at + 1;
	p->is_new = true;
	record.full = full_of(e, s);
	dp_policy_write(e->dp, p->number, &record);
	return 0;
}

static int plan_numbers(struct engine *e, const struct wants *w, struct plan *p,
			struct policies *out)
{
	size_t i;
	int err;

	for (i = 0; i < w->n; i++) {
		struct change *c = &p->changes[w->all[i].service];
		struct policy *policy = find_policy(out, &w->all[i].record);

		if (!policy->number) {
			err = plan_policy(e, c->service, policy);
			if (err)
				return err;
		}
		c->policy = (uint16_t)policy->number;
	}
	return 0;
}

int policies_plan(struct engine *e, const struct conf *conf, struct plan *p, struct policies *out,
		  struct engine_error *err)
{
	auto_free struct wanted *all = NULL;
	struct wants w = {0};
	int ret = wants_of(conf, &w);

	all = w.all;
	if (!ret)
		ret = plan_lists(e, &w, out, err);
	if (!ret)
		ret = gather(&w, out);
	if (!ret)
		ret = plan_numbers(e, &w, p, out);
	if (!ret)
		return 0;
	if (!err->text[0])
		snprintf(err->text, sizeof(err->text), "allow, deny and rate not applied: %s",
			 strerror(-ret));
	policies_drop(e, out);
	return ret;
}

/* ---- the end of a plan --------------------------------------------------------------------------*/

static void policies_fini(struct policies *p)
{
	free(p->lists);
	free(p->list);
	*p = (struct policies){0};
}

void policies_free(struct engine *e)
{
	policies_fini(&e->policies);
	ranges_fini(&e->policy_numbers);
	ranges_fini(&e->source_words);
}

void policies_drop(struct engine *e, struct policies *planned)
{
	size_t i;

	for (i = 0; i < planned->n_lists; i++)
		if (planned->lists[i].is_new)
			ranges_give(&e->source_words, planned->lists[i].at,
				    planned->lists[i].words);
	for (i = 0; i < planned->n; i++)
		if (planned->list[i].is_new)
			ranges_give(&e->policy_numbers, planned->list[i].number - 1, 1);
	policies_fini(planned);
}

void policies_switch(struct engine *e, struct policies *planned)
{
	struct policies *former = &e->policies;
	size_t i;

	for (i = 0; i < former->n_lists; i++)
		if (!find_list(planned, former->lists[i].key))
			ranges_give(&e->source_words, former->lists[i].at, former->lists[i].words);
	for (i = 0; i < former->n; i++)
		if (!find_policy(planned, &former->list[i].record))
			ranges_give(&e->policy_numbers, former->list[i].number - 1, 1);
	policies_fini(former);
	*former = *planned;
	*planned = (struct policies){0};
	for (i = 0; i < former->n_lists; i++)
		former->lists[i].is_new = false;
	for (i = 0; i < former->n; i++)
		former->list[i].is_new = false;
}

void policies_sort(struct policies *p)
{
	if (p->n_lists)
		qsort(p->lists, p->n_lists, sizeof(*p->lists), by_key);
	if (p->n)
		qsort(p->list, p->n, sizeof(*p->list), by_record);
}
