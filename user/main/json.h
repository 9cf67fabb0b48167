/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes one JSON document: an object whose lists have one element a line, so that people can read
 * it and line tools can count it; or all of it on one line. Commas and escapes are its business. */
#ifndef SHUNT_JSON_H
#define SHUNT_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Every document begins with "schema": this. Keys may come to it within one; it changes when a key goes
 * or means something else. */
#define JSON_SCHEMA 1

struct json {
	FILE *out;
	bool one_line;
	bool first; /* nothing has been written at this level yet */
	int depth;
};

/* @name is the member's, NULL in a list. A document begins and ends with an object. */
void json_open(struct json *j, FILE *out, bool one_line);
void json_close(struct json *j);
void json_object(struct json *j, const char *name);
void json_object_end(struct json *j);
void json_list(struct json *j, const char *name);
void json_list_end(struct json *j);
void json_number(struct json *j, const char *name, uint64_t value);
void json_bool(struct json *j, const char *name, bool value);
/* Bytes that are not UTF-8 become U+FFFD. */
void json_text(struct json *j, const char *name, const char *value);
/* The same, null when empty. */
void json_text_or_null(struct json *j, const char *name, const char *value);

#endif
