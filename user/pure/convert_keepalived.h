/* SPDX-License-Identifier: BSD-2-Clause */
/* Statements of keepalived.conf(5), for the files that read its blocks. */
#ifndef SHUNT_CONVERT_KEEPALIVED_H
#define SHUNT_CONVERT_KEEPALIVED_H

#include "pure/convert.h"

/* One run. */
struct keepalived {
	struct convert *c;
	const char *text, *at;
	struct convert_line line;
	size_t next; /* word of it */
};

enum keepalived_statement {
	KEEPALIVED_PLAIN,
	KEEPALIVED_OPENS,
	KEEPALIVED_CLOSES,
	KEEPALIVED_ENDS
};

/* Words up to a brace or the line's end. */
struct keepalived_words {
	const char *word[CONVERT_WORDS + 1];
	size_t n;
	unsigned int line;
};

enum keepalived_statement keepalived_next(struct keepalived *r, struct keepalived_words *w);
/* Passes the rest of a block that has been opened. */
void keepalived_skip(struct keepalived *r);
/* "" where there is none. */
const char *keepalived_word(const struct keepalived_words *w, size_t i);
bool keepalived_is(const struct keepalived_words *w, const char *key);
/* A remark on a statement that is not carried over, with what there is instead. */
void keepalived_left_out(struct keepalived *r, const struct keepalived_words *w, const char *of);

/* Keys that servers, services and checks have alike, into @k; false: it is none of them. */
bool keepalived_read_common(const struct keepalived_words *w, struct convert_check *k);
/* The check that @w has opened. @k has what it inherits, and is the check when this returns true. */
bool keepalived_read_check(struct keepalived *r, const struct keepalived_words *w,
			   struct convert_check *k);

#endif
