/* SPDX-License-Identifier: BSD-2-Clause */
/* Prose for a terminal: folded between words. ASCII only, as what it gets is ours. */
#ifndef SHUNT_WRAP_H
#define SHUNT_WRAP_H

#include <stdio.h>

#define WRAP_WIDTH_MAX 80 /* lines beyond this read badly */

/* @lead, then @text folded to @columns with what follows the first line indented by @indent spaces, and
 * a newline. A lead that is wider than @indent has its text begin on a line of its own; one that
 * is narrower is filled up with spaces. */
void wrap_hang(FILE *out, int columns, const char *lead, int indent, const char *text);

/* "  WORD  text", the texts of words of up to @width columns below each other. */
void wrap_item(FILE *out, int columns, const char *word, int width, const char *text);

/* Paragraphs, each of them a line of @text and folded to @columns. A line that begins with a space is
 * kept; "  WORD  text" is folded below its text. */
void wrap_text(FILE *out, int columns, const char *text);

#endif
