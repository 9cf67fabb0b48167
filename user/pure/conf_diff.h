/* SPDX-License-Identifier: BSD-2-Clause */
/* What differs between two configurations, key by key, as an operator would name it: what is written
 * does not count, only what it comes to. */
#ifndef SHUNT_CONF_DIFF_H
#define SHUNT_CONF_DIFF_H

#include "pure/conf_schema.h"

#define CONF_DIFF_TEXT_MAX 96

/* @key as in the file, with the keys that it is below: "check.interval". @from and @to as one would write
 * them: cut where they are long, empty where nothing is given or it is no single value, and never a
 * secret. Both may look the same. */
typedef void conf_diff_fn(void *arg, const char *key, const char *from, const char *to);

/* Of what is not the services'. Addresses that services inherit are theirs. */
void conf_diff_top(const struct conf *from, const struct conf *to, conf_diff_fn *tell, void *arg);
/* Of a service itself; its backends are not looked at. */
void conf_diff_service(const struct conf_service *from, const struct conf_service *to,
		       conf_diff_fn *tell, void *arg);
/* Of two backends with the same name and address. */
void conf_diff_backend(const struct conf_backend *from, const struct conf_backend *to,
		       conf_diff_fn *tell, void *arg);

/* ---- conf_diff_value.c: keys whose value is one member -----------------------------------------*/

bool conf_diff_is_same(const struct conf_key *key, const void *from, const void *to);
/* Writes the value at @at and returns @out. */
const char *conf_diff_text(const struct conf_key *key, const void *at,
			   char out[static CONF_DIFF_TEXT_MAX]);

#endif
