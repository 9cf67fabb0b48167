/* SPDX-License-Identifier: BSD-2-Clause */
/* What a new configuration changes, with all memory, rows and slots that it takes, so that carrying
 * it out needs no more. */
#ifndef SHUNT_PLAN_H
#define SHUNT_PLAN_H

#include "base/own.h"
#include "engine/state.h"

struct change_backend {
	struct backend *backend;
	const struct conf_backend *conf; /* NULL: it leaves, by `kept` */
	struct conf_backend *kept;
	bool is_new;
	bool check_changed; /* the check in force asks another question than before */
};

/* rehash.h */
enum rehash_step {
	REHASH_NONE, /* its flows are found as before, or nobody has any */
	REHASH_KEEP, /* it goes on as it is, and flows are remembered */
	REHASH_SWITCH, /* they are: it finds them otherwise from now on */
};

/* What becomes of one configured service. */
struct change {
	struct service *service;
	bool is_new;
	const struct conf_service *conf;
	struct change_backend *backends; /* in the configuration's order, then those that leave */
	size_t n_backends;
	struct backend **list; /* room for as many, becomes service.backends */
	uint32_t row, rows, slots_at, slots;
	uint32_t former_row, former_rows; /* the service's, before they move */
	uint32_t logical; /* slots, by the configuration: not more than there are */
	uint16_t highest; /* number of a backend */
	uint16_t last_number; /* becomes the service's */
	uint16_t policy;
	struct scheme scheme; /* to be in force */
	enum rehash_step rehash;
	bool forgets; /* all flows were remembered so far, and will not be */
	struct quic_place quic; /* taken by the plan */
	bool new_rows, new_lines; /* taken by the plan */
};

struct gone_backend {
	struct backend *backend;
	uint32_t row; /* to be cleared; 0: in a region that is cleared as a whole */
};

struct plan {
	struct change *changes;
	size_t n_changes;
	struct service **services; /* in the configuration's order, becomes engine.services */
	struct vip *vips; /* the configuration's addresses, becomes engine.vips */
	size_t n_vips;
	struct service **gone_services;
	size_t n_gone_services;
	struct gone_backend *gone_backends;
	size_t n_gone_backends;
	struct range *gone_rows, *gone_lines;
	size_t n_gone_rows, n_gone_lines;
};

/* Capacities for @conf with room to grow, for dp_open. Returns 0 or -ENOMEM. */
int plan_sizes(const struct conf *conf, struct dp_sizes *sizes);

/* ---- entries.c ----------------------------------------------------------------------------------*/

/* What packets the services of @conf are for: one entry for each stretch of ports. svc.row is the
 * number of the service in @conf, the rest of svc 0. *out is the caller's. Returns 0 or -ENOMEM. */
int plan_entries(const struct conf *conf, struct dp_service **out, size_t *n);

/* Raises @sizes to what the services of @conf take to be found. Returns 0 or -errno. */
int plan_entries_need(const struct conf *conf, struct dp_sizes *sizes);

/* Raises what is too small in @sizes for that to twice what is needed now. The same. */
int plan_more_entries(const struct conf *conf, struct dp_sizes *sizes);

/* ---- plan_backends.c ----------------------------------------------------------------------------*/

/* Plans what becomes of the backends of c->service, those of c->conf included. Returns 0 or -errno. */
int plan_backends(struct change *c, struct plan *p);

/* ---- apply.c ------------------------------------------------------------------------------------*/

/* Writes whose row it is: @b's, or NULL, the service's own. */
void owner_write(struct engine *e, const struct service *s, const struct backend *b);

/* ---- plan.c -------------------------------------------------------------------------------------*/

/* Fills @p with what becomes of services and backends, without rows and slots: to look at, and then to
 * be given to plan_drop(). The same errors. */
int plan_compare(struct engine *e, const struct conf *conf, struct plan *p,
		 struct engine_error *err);

/* Fills @p. On failure -errno with @err, and nothing has changed. */
int plan_make(struct engine *e, const struct conf *conf, struct plan *p, struct engine_error *err);

/* A sorted copy of @n pointers, the caller's, or NULL when there is no memory. */
void *plan_sorted(const void *pointers, size_t n, int (*compare)(const void *, const void *));

/* Frees what the execution has not taken over. */
void plan_fini(struct plan *p);

/* Gives back what plan_make took, for a plan that is not executed. */
void plan_drop(struct engine *e, struct plan *p);

#endif
