/* SPDX-License-Identifier: BSD-2-Clause */
/* What operators changed at runtime, over the configuration: drained backends, those in
 * maintenance, and other weights.
 * Edits survive a restart of the daemon (as text) and a reload, with one rule for conflicts: an edit
 * holds as long as the configuration still says what it said when the edit was made; a
 * configuration that changes the weight itself wins and drops the weight edit, and one that no longer
 * has the backend drops both. */
#ifndef SHUNT_EDITS_H
#define SHUNT_EDITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shunt_abi.h"

struct edits;

#define EDIT_USER_MAX 33
#define EDIT_REASON_MAX 128
#define EDIT_BY_MAX 48

struct edit {
	char service[SHUNT_NAME_MAX], backend[SHUNT_NAME_MAX];
	bool drained;
	bool disabled; /* in maintenance: no packets */
	bool enabled; /* although its agent asks for one of these */
	int64_t deadline; /* when the flows that are left move, in seconds since 1970; 0: never */
	bool has_weight;
	uint16_t weight;
	uint16_t configured; /* weight that the configuration had when `weight` was set */
	uint32_t uid; /* who made the last change */
	int64_t at; /* when, in seconds since 1970 */
	char user[EDIT_USER_MAX]; /* as the client said; empty: it did not */
	char reason[EDIT_REASON_MAX]; /* empty: none was given */
};

/* Letters, digits and . _ - @, or empty. */
bool edit_user_is_good(const char *user);
/* One line without control characters, or empty; does not begin with a space. */
bool edit_reason_is_good(const char *reason);
/* "alice (uid 0)", "uid 0" */
const char *edit_by(const char *user, uint32_t uid, char out[static EDIT_BY_MAX]);

/* Without edits; NULL when there is no memory. */
struct edits *edits_new(void);
void edits_free(struct edits *e); /* NULL is fine */
size_t edits_count(const struct edits *e);

/* NULL when the backend has none. Valid until the next change. */
const struct edit *edits_find(const struct edits *e, const char *service, const char *backend);

/* Adds @edit or replaces the backend's; one that neither drains, disables, enables nor weighs removes it. Returns 0 or
 * -ENOMEM. */
int edits_put(struct edits *e, const struct edit *edit) __attribute__((warn_unused_result));

/* The configured weight of a backend, or -1 when the configuration does not have it. */
typedef int edits_configured_fn(void *arg, const char *service, const char *backend);
/* One sentence for each edit (or half of one) that is dropped. */
typedef void edits_dropped_fn(void *arg, const char *sentence);

/* Drops what the rule above says. Returns how many sentences were told. */
size_t edits_reconcile(struct edits *e, edits_configured_fn *configured, edits_dropped_fn *dropped,
		       void *arg);

/* One line an edit:
 *   SERVICE BACKEND drained=0|1 [disabled=1] [enabled=1] [weight=N configured=N] [deadline=SECONDS] uid=N
 *     at=SECONDS [user=NAME] [reason=TEXT TO THE END]
 * where only what is drained has a deadline.
 * *text is malloc'd, the caller's, NUL-terminated. Returns 0 or -ENOMEM. */
int edits_format(const struct edits *e, char **text, size_t *len)
	__attribute__((warn_unused_result));

/* Reads what edits_format wrote into @e, which is empty. Returns 0, -ENOMEM, or -EINVAL with *line
 * the number of the bad line (from 1); @e then has the lines before it. */
int edits_parse(struct edits *e, const char *text, size_t len, unsigned int *line)
	__attribute__((warn_unused_result));

#endif
