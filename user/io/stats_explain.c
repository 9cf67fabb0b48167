/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/stats_explain.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"

/* ---- a packet ---------------------------------------------------------------------------------*/

static int put_explanation(const struct explanation *x, struct msg_out *o)
{
	const struct msg_get page = {0};
	size_t i;
	int err = 0;

	o->flags = NLM_F_MULTI;
	if (x->about_packet)
		err = msg_put_explain(o, &x->packet);
	for (i = 0; err == 0 && i < x->n_steps; i++)
		err = msg_put_step(o, &x->steps[i]);
	for (i = 0; err == 0 && i < x->n_frames; i++)
		err = msg_put_frame(o, &x->frames[i]);
	o->flags = 0;
	return err ? err : msg_put_page(o, &page);
}

int stats_explain(const struct stats_source *s, const struct nlmsghdr *m, struct msg_out *o,
		  char *text, size_t size)
{
	auto_free struct explain_ask *ask = calloc(1, sizeof(*ask));
	auto_free struct explanation *x = calloc(1, sizeof(*x));
	int err;

	if (!ask || !x)
		return -ENOMEM;
	if (!s->explain)
		return -EINVAL;
	err = msg_get_ask(m, ask);
	if (err == 0)
		err = s->explain(s->arg, ask, x);
	if (err == 0)
		err = put_explanation(x, o);
	else
		snprintf(text, size, "%s", x->error);
	return err;
}

/* ---- flows ------------------------------------------------------------------------------------*/

#define PAGE_ROOM 64 /* bytes that the PAGE message takes, at most */

static bool put_flow(void *arg, const struct view_flow *f)
{
	return msg_put_flow(arg, f) == 0;
}

int stats_flows(const struct stats_source *s, const struct msg_get *get, struct msg_out *o,
		char *text, size_t size)
{
	struct msg_get page = {.generation = s->generation(s->arg)};
	int err = 0;

	if (!s->flows)
		return -EINVAL;
	if (get->service[0] && s->find_service(s->arg, get->service) < 0)
		return -ENOENT;
	if (!get->cursor && !addr_is_none(&get->client) && s->flows_check)
		err = s->flows_check(s->arg, get, text, size);
	if (err)
		return err;
	o->flags = NLM_F_MULTI;
	o->size -= PAGE_ROOM;
	page.cursor = s->flows(s->arg, get, put_flow, o);
	o->size += PAGE_ROOM;
	o->flags = 0;
	return msg_put_page(o, &page);
}

/* ---- packets that were watched ----------------------------------------------------------------*/

#define TRACED_A_PAGE 4 /* of the largest there are */

static void put_traced(void *arg, const struct view_traced *t)
{
	int rc = msg_put_traced(arg, t); /* there is room */

	(void)rc;
}

int stats_traced(const struct stats_source *s, const struct msg_get *get, struct msg_out *o)
{
	struct msg_get page = {0};
	int n;

	if (!s->traced)
		return -EINVAL;
	o->flags = NLM_F_MULTI;
	n = s->traced(s->arg, get->generation, TRACED_A_PAGE, put_traced, o);
	o->flags = 0;
	if (n < 0)
		return n;
	page.cursor = n == TRACED_A_PAGE;
	return msg_put_page(o, &page);
}
