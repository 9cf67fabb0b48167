/* SPDX-License-Identifier: BSD-2-Clause */
/* Complaints about a configuration: one line each, "FILE:LINE:COLUMN: what was found; what is
 * allowed; what to do", whatever bytes the file holds. */
#ifndef SHUNT_CONF_ERROR_H
#define SHUNT_CONF_ERROR_H

#include <stddef.h>
#include <stdint.h>

#include "pure/conf.h"

struct conf_error;

/* Writes the complaint into @err and returns -EINVAL. Line 0 leaves line and column away. What does
 * not fit is cut off between characters; control characters become '?'. */
int conf_complain(struct conf_error *err, const struct conf_pos *pos, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Room for input quoted in a complaint: at most 64 bytes of it. */
struct conf_quoted {
	char text[72];
};

/* Writes the @len bytes at @text, in quotes, into @out; what is too long ends in "...". Returns
 * out->text. */
const char *conf_quote(struct conf_quoted *out, const char *text, size_t len);
#define QUOTE(text, len) conf_quote(&(struct conf_quoted){{0}}, text, len)

/* What could have been written instead: "; allowed are a, b, c" and, where one of them is near,
 * "; did you mean "b"?". @words ends with NULL. Returns out->text. */
struct conf_allowed {
	char text[512];
};
const char *conf_allowed(struct conf_allowed *out, const char *const *words, const char *text,
			 size_t len);
#define ALLOWED(words, text, len) conf_allowed(&(struct conf_allowed){{0}}, words, text, len)

/* A duration in the largest unit that fits: "2s", "1500ms". Returns out->text. */
struct conf_ms_text {
	char text[24];
};
const char *conf_ms_format(struct conf_ms_text *out, uint64_t ms);
#define MS_TEXT(ms) conf_ms_format(&(struct conf_ms_text){{0}}, ms)

/* Looks for what no text file holds: NUL and other control characters, bytes that are not UTF-8,
 * line separators that editors do not show. Returns 0, or -EINVAL with the complaint in @err. */
int conf_text_check(const char *data, size_t len, const char *file, struct conf_error *err);

#endif
