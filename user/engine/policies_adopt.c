/* SPDX-License-Identifier: BSD-2-Clause */
/* Policies that an earlier daemon left: those that services in force name. */
#include "engine/policies.h"

#include <errno.h>
#include <stdlib.h>

int policies_init(struct engine *e)
{
	int err = ranges_init(&e->policy_numbers, 0);

	if (!err)
		err = ranges_init(&e->source_words, 0);
	return err ? err : policies_follow_sizes(e);
}

/* Room doubles whenever the number is a power of two. */
static void *one_more(void *list, size_t n, size_t size)
{
	return (n & (n - 1)) == 0 ? reallocarray(list, n ? 2 * n : 1, size) : list;
}

/* A list that another policy has too is there already. */
static int adopt_list(struct engine *e, const struct shunt_policy *r)
{
	struct policies *p = &e->policies;
	struct policy_list *grown;

	if (!(r->flags & SHUNT_POLICY_LIST) ||
	    ranges_claim(&e->source_words, r->list_at, r->list_words))
		return 0;
	grown = one_more(p->lists, p->n_lists, sizeof(*p->lists));
	if (!grown)
		return -ENOMEM;
	p->lists = grown;
	p->lists[p->n_lists++] = (struct policy_list){
		.key = {r->list_key[0], r->list_key[1]},
		.root = r->root,
		.quick = r->quick,
		.root_at = r->root_at,
		.at = r->list_at,
		.words = r->list_words,
	};
	return 0;
}

int policies_adopt(struct engine *e, const struct dp_service *found)
{
	struct policies *p = &e->policies;
	uint32_t number = found->svc.policy;
	struct policy *grown;

	if (!number || number >= dp_sizes(e->dp)->policies ||
	    ranges_claim(&e->policy_numbers, number - 1, 1))
		return 0;
	grown = one_more(p->list, p->n, sizeof(*p->list));
	if (!grown)
		return -ENOMEM;
	p->list = grown;
	p->list[p->n] = (struct policy){.number = number};
	dp_policy_read(e->dp, number, &p->list[p->n].record);
	p->list[p->n].record.full = 0;
	return adopt_list(e, &p->list[p->n++].record);
}
