/* SPDX-License-Identifier: BSD-2-Clause */
/* The verdict table of shunt_abi.h in words. */
#ifndef SHUNT_VERDICT_H
#define SHUNT_VERDICT_H

#include "shunt_abi.h"

/* @v in [1, SHUNT_VERDICT_MAX). Static strings: "pass_not_vip" (lower case), and the words. */
const char *verdict_name(enum shunt_verdict v);
const char *verdict_words(enum shunt_verdict v);
/* What to do about a packet that was dropped or that nobody steered, or what to look at: a sentence without
 * a stop; NULL where nothing is to be done. */
const char *verdict_advice(enum shunt_verdict v);
enum shunt_verdict_class verdict_class(enum shunt_verdict v);
const char *verdict_class_name(enum shunt_verdict_class c); /* "forward", "return", ... */

#endif
