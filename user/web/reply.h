/* SPDX-License-Identifier: BSD-2-Clause */
/* Replies, with the headers that all of them have. */
#ifndef SHUNT_REPLY_H
#define SHUNT_REPLY_H

#include <stddef.h>

#include "base/mono.h"

struct evhttp_request;
struct page_file;

#define REPLY_TEXT "text/plain; charset=utf-8"
#define REPLY_JSON "application/json"

/* A body that several replies share; whoever reads slowly keeps none of his own. */
struct body {
	unsigned int users;
	char *text;
	size_t len;
	mono_t of; /* when its snapshot was taken */
};

/* Gives up a share of @b; NULL is fine. */
void reply_body_release(struct body *b);

void reply_headers(struct evhttp_request *req, const char *type);
void reply_words(struct evhttp_request *req, int status, const char *words);
/* Takes a share of @b of its own. */
void reply_body(struct evhttp_request *req, int status, const char *type, struct body *b);
void reply_file(struct evhttp_request *req, const struct page_file *file);

#endif
