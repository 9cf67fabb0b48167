/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/preview.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "engine/drain.h"
#include "engine/quic.h"
#include "engine/rehash.h"
#include "io/conf_file.h"
#include "pure/conf_diff.h"

#define ROWS_MAX 50000 /* 40 MB; nobody reads as many */

struct rows {
	struct view_plan *list;
	size_t n, room;
};

struct preview {
	struct rows rows;
};

/* One run. */
struct look {
	struct engine *e;
	const struct conf *conf;
	struct rows rows, warnings; /* these come last */
	struct edits *edits; /* that would be in force */
	struct plan plan;
	const char *service, *backend; /* whose settings are told */
	int err;
};

void preview_drop(struct engine *e)
{
	if (e->preview)
		free(e->preview->rows.list);
	free(e->preview);
	e->preview = NULL;
}

bool preview_view(void *arg, uint32_t i, struct view_plan *out)
{
	const struct preview *p = ((const struct engine *)arg)->preview;

	if (!p || i >= p->rows.n)
		return false;
	*out = p->rows.list[i];
	return true;
}

/* ---- rows ---------------------------------------------------------------------------------------*/

/* The next one, empty. Never NULL: where there is no room it takes the place of the last one, or of none
 * that is kept, and l->err says so. */
static struct view_plan *add_to(struct look *l, struct rows *rows, enum shunt_plan_kind kind)
{
	static struct view_plan nowhere;

	if (rows->n == rows->room && rows->n < ROWS_MAX) {
		size_t room = rows->room ? 2 * rows->room : 16;
		struct view_plan *list = reallocarray(rows->list, room, sizeof(*list));

		if (!list) {
			l->err = -ENOMEM;
			return &nowhere;
		}
		rows->list = list;
		rows->room = room;
	}
	if (rows->n == ROWS_MAX) {
		l->err = -E2BIG;
		return &nowhere;
	}
	rows->list[rows->n] = (struct view_plan){.kind = kind};
	return &rows->list[rows->n++];
}

static struct view_plan *add(struct look *l, enum shunt_plan_kind kind)
{
	return add_to(l, &l->rows, kind);
}

static void warn(struct look *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void warn(struct look *l, const char *format, ...)
{
	struct view_plan *row = add_to(l, &l->warnings, SHUNT_PLAN_WARNING);
	va_list args;

	va_start(args, format);
	vsnprintf(row->text, sizeof(row->text), format, args);
	va_end(args);
}

static void add_setting(void *arg, const char *key, const char *from, const char *to)
{
	struct look *l = arg;
	struct view_plan *row = add(l, SHUNT_PLAN_SETTING);

	snprintf(row->service, sizeof(row->service), "%s", l->service);
	snprintf(row->backend, sizeof(row->backend), "%s", l->backend);
	snprintf(row->key, sizeof(row->key), "%s", key);
	snprintf(row->from, sizeof(row->from), "%s", from);
	snprintf(row->to, sizeof(row->to), "%s", to);
}

/* ---- backends -----------------------------------------------------------------------------------*/

static struct view_plan *add_backend(struct look *l, const struct backend *b,
				     enum shunt_plan_change change)
{
	struct view_plan *row = add(l, SHUNT_PLAN_OF_BACKEND);
	const uint16_t port = b->conf ? b->conf->port : 0;
	char address[ADDR_PORT_TEXT_MAX];

	row->change = change;
	memcpy(row->service, b->service->name, sizeof(row->service));
	memcpy(row->backend, b->name, sizeof(row->backend));
	if (port)
		addr_port_format(&b->addr, port, address);
	else
		addr_format(&b->addr, address);
	snprintf(row->text, sizeof(row->text), "%s", address);
	row->slots_before = change == SHUNT_PLAN_ADDED ? 0 : b->slots;
	return row;
}

static void look_at_backend(struct look *l, const struct change_backend *cb)
{
	const struct backend *b = cb->backend;
	const uint32_t slots = l->e->scratch_counts[b->number];
	const size_t before = l->rows.n;
	enum shunt_plan_change change = SHUNT_PLAN_CHANGED;
	struct view_plan *row;

	if (cb->is_new)
		change = SHUNT_PLAN_ADDED;
	else if (!cb->conf)
		change = SHUNT_PLAN_LEAVES;
	if (!cb->conf && b->leaving)
		return; /* as it does already */
	row = add_backend(l, b, change);
	row->slots = slots;
	if (cb->is_new && cb->conf->port)
		addr_port_format(&b->addr, cb->conf->port, row->text);
	if (change != SHUNT_PLAN_CHANGED)
		return;
	l->backend = b->name;
	conf_diff_backend(b->conf, cb->conf, add_setting, l);
	l->backend = "";
	if (l->rows.n == before + 1 && !b->leaving)
		l->rows.n = before; /* nothing to tell of it */
}

/* ---- services -----------------------------------------------------------------------------------*/

static struct view_plan *add_service(struct look *l, const char *name,
				     const struct conf_service *conf, enum shunt_plan_change change)
{
	struct view_plan *row = add(l, SHUNT_PLAN_OF_SERVICE);
	char vip[ADDR_PREFIX_TEXT_MAX], ports[CONF_PORTS_TEXT_MAX];

	row->change = change;
	row->backends = change == SHUNT_PLAN_REMOVED ? 0 : (uint32_t)conf->n_backends;
	snprintf(row->service, sizeof(row->service), "%s", name);
	addr_prefix_format(&conf->vip, conf->vip_bits, vip);
	snprintf(row->text, sizeof(row->text), conf->vip.family == 6 ? "[%s]:%s/%s" : "%s:%s/%s",
		 vip, conf_ports_format(conf, ports), conf_protocol_name(conf->protocol));
	return row;
}

static void look_at_backends(struct look *l, const struct change *c)
{
	size_t i;

	for (i = 0; i < c->n_backends; i++)
		look_at_backend(l, &c->backends[i]);
	for (i = 0; i < l->plan.n_gone_backends; i++)
		if (l->plan.gone_backends[i].backend->service == c->service &&
		    !l->plan.gone_backends[i].backend->leaving)
			add_backend(l, l->plan.gone_backends[i].backend, SHUNT_PLAN_REMOVED);
}

static bool has_other_backends(const struct look *l, const struct change *c)
{
	size_t i;

	for (i = 0; i < c->n_backends; i++)
		if (c->backends[i].is_new ||
		    (c->backends[i].conf != NULL) == c->backends[i].backend->leaving)
			return true;
	for (i = 0; i < l->plan.n_gone_backends; i++)
		if (l->plan.gone_backends[i].backend->service == c->service)
			return true;
	return false;
}

static void count_difference(void *arg, const char *key, const char *from, const char *to)
{
	(void)key, (void)from, (void)to;
	++*(size_t *)arg;
}

static bool is_another(const struct look *l, const struct change *c)
{
	size_t n = 0, i;

	if (c->is_new || has_other_backends(l, c))
		return true;
	conf_diff_service(c->service->conf, c->conf, count_difference, &n);
	for (i = 0; i < c->n_backends && !n; i++)
		if (c->backends[i].conf)
			conf_diff_backend(c->backends[i].backend->conf, c->backends[i].conf,
					  count_difference, &n);
	return n > 0;
}

static void look_at_service(struct look *l, const struct change *c)
{
	struct view_plan *row;

	if (!is_another(l, c))
		return;
	row = add_service(l, c->service->name, c->conf,
			  c->is_new ? SHUNT_PLAN_ADDED : SHUNT_PLAN_CHANGED);
	if (!preview_slots(l->e, l->edits, &l->plan, c, row))
		warn(l, "service %s: none of its backends would be usable", c->service->name);
	l->service = c->service->name;
	if (!c->is_new)
		conf_diff_service(c->service->conf, c->conf, add_setting, l);
	l->service = "";
	look_at_backends(l, c);
}

static void look_at_gone(struct look *l)
{
	size_t i;

	for (i = 0; i < l->plan.n_gone_services; i++) {
		const struct service *s = l->plan.gone_services[i];
		struct view_plan *row = add_service(l, s->name, s->conf, SHUNT_PLAN_REMOVED);

		row->slots_before = row->slots_moved = s->slots;
		row->flows_moved = 1000000;
		row->flows_known = preview_flows(l->e, s, &row->flows);
	}
}

/* ---- warnings -----------------------------------------------------------------------------------*/

/* Each line of @text. */
static void warn_lines(struct look *l, char *text)
{
	char *line;

	while ((line = strsep(&text, "\n")))
		if (*line)
			warn(l, "%s", line);
}

static void warn_of_rehashes(struct look *l)
{
	struct engine_error text = {0};
	size_t i;

	for (i = 0; i < l->plan.n_changes; i++)
		rehash_tell(l->e, &l->plan.changes[i], true, &text);
	warn_lines(l, text.text);
}

/* What is made once, with the tables. */
static void warn_of_restarts(struct look *l)
{
	const struct conf *now = l->e->conf, *then = l->conf;

	if (now->flow_table != then->flow_table)
		warn(l, "flow_table: holds from the next start of shuntd on");
	if (now->fragments != then->fragments)
		warn(l, "fragments: holds from the next start of shuntd on");
}

static void warn_of_quic(struct look *l)
{
	size_t i;

	for (i = 0; i < l->conf->n_services; i++) {
		const struct conf_service *s = &l->conf->services[i];
		const size_t n = conf_is_quic(s) ? quic_without_id(s) : 0;

		if (n)
			warn(l,
			     "service %s: quic_lb: %zu of %zu backends have no server_id and get "
			     "only packets whose connection id names nobody",
			     s->name, n, s->n_backends);
	}
}

/* ---- edits --------------------------------------------------------------------------------------*/

static int configured_weight(void *arg, const char *service, const char *backend)
{
	const struct look *l = arg;
	const struct conf_service *s = conf_find_service(l->conf, service);
	const struct conf_backend *b = s ? conf_find_backend(s, backend) : NULL;

	return b ? b->weight : -1;
}

static void note_dropped(void *arg, const char *sentence)
{
	warn(arg, "%s", sentence);
}

/* Those there are, without those that the configuration overrules. */
static int find_edits(struct look *l)
{
	auto_free char *text = NULL;
	unsigned int line;
	size_t len;
	int ret = edits_format(l->e->edits, &text, &len);

	l->edits = edits_new();
	if (!ret)
		ret = l->edits ? edits_parse(l->edits, text, len, &line) : -ENOMEM;
	if (!ret)
		edits_reconcile(l->edits, configured_weight, note_dropped, l);
	return ret;
}

/* ---- the whole ----------------------------------------------------------------------------------*/

static void add_whole(struct look *l)
{
	struct view_plan *row = add(l, SHUNT_PLAN_WHOLE);
	size_t i;

	row->number = l->e->generation;
	row->services = (uint32_t)l->conf->n_services;
	for (i = 0; i < l->conf->n_services; i++)
		row->backends += (uint32_t)l->conf->services[i].n_backends;
	snprintf(row->text, sizeof(row->text), "%s", l->conf->file);
}

static void append_warnings(struct look *l)
{
	size_t i;

	for (i = 0; i < l->warnings.n; i++)
		*add(l, SHUNT_PLAN_WARNING) = l->warnings.list[i];
}

static int look(struct look *l, struct engine_error *err)
{
	int ret = plan_compare(l->e, l->conf, &l->plan, err);
	size_t i;

	if (ret)
		return ret;
	ret = find_edits(l);
	l->e->generation++; /* who reads a former plan begins anew */
	add_whole(l);
	conf_diff_top(l->e->conf, l->conf, add_setting, l);
	for (i = 0; !ret && i < l->plan.n_changes; i++)
		look_at_service(l, &l->plan.changes[i]);
	look_at_gone(l);
	warn_of_rehashes(l);
	warn_of_restarts(l);
	warn_of_quic(l);
	append_warnings(l);
	plan_drop(l->e, &l->plan);
	return ret ? ret : l->err;
}

static int keep(struct look *l)
{
	struct preview *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->rows = l->rows;
	l->rows = (struct rows){0};
	preview_drop(l->e);
	l->e->preview = p;
	return 0;
}

int preview_make(struct engine *e, const char *file, uint64_t *number, struct engine_error *err)
{
	struct look l = {.e = e, .service = "", .backend = ""};
	struct conf_error why = {0};
	struct conf *conf = NULL;
	int ret = conf_parse(*file ? file : e->config_path, conf_read_file, NULL, &conf, &why);

	if (ret)
		snprintf(err->text, sizeof(err->text), "%s", why.text);
	else
		ret = reload_allows(e, conf, err);
	l.conf = conf;
	if (!ret)
		ret = look(&l, err);
	if (!ret)
		ret = keep(&l);
	if (ret && !err->text[0])
		snprintf(err->text, sizeof(err->text), "cannot plan: %s",
			 ret == -E2BIG ? "there is more to tell than can be told" : strerror(-ret));
	*number = e->generation;
	free(l.rows.list);
	free(l.warnings.list);
	edits_free(l.edits);
	conf_free(conf);
	return ret;
}
