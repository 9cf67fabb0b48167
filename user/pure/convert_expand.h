/* SPDX-License-Identifier: BSD-2-Clause */
/* What comes before the statements of keepalived.conf(5), line by line: files that are included, lines for
 * one host of several (@ID), parameters ($NAME=VALUE, multi-line ones as well). */
#ifndef SHUNT_CONVERT_EXPAND_H
#define SHUNT_CONVERT_EXPAND_H

#include "pure/convert.h"

/* What @text is with all of them carried out; the caller's, NULL: no memory. c->places say where each of
 * its lines stands. What cannot be is remarked, and left as it is written. */
char *convert_expand(struct convert *c, const char *text);

#endif
