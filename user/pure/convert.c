/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/convert.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the model ----------------------------------------------------------------------------------*/

/* Room for one more behind @n of @size at *list; NULL: no memory. */
static void *grow(struct convert *c, void *list, size_t n, size_t size)
{
	void *grown = reallocarray(*(void **)list, n + 1, size);

	if (!grown) {
		c->out_of_memory = true;
		return NULL;
	}
	*(void **)list = grown;
	memset((char *)grown + n * size, 0, size);
	return (char *)grown + n * size;
}

static void add_remark(struct convert *c, const struct convert_place *at, const char *format,
		       va_list args)
{
	struct convert_remark *r = grow(c, &c->remarks, c->n_remarks, sizeof(*r));
	size_t i;

	if (!r)
		return;
	r->at = *at;
	r->service = c->n_services ? c->n_services - 1 : 0;
	vsnprintf(r->text, sizeof(r->text), format, args);
	for (i = 0; i < c->n_remarks; i++)
		if (c->remarks[i].at.line == at->line &&
		    strcmp(c->remarks[i].at.file, at->file) == 0 &&
		    strcmp(c->remarks[i].text, r->text) == 0)
			return;
	c->n_remarks++;
}

void convert_remark(struct convert *c, unsigned int line, const char *format, ...)
{
	const struct convert_place at = convert_place(c, line);
	va_list args;

	va_start(args, format);
	add_remark(c, &at, format, args);
	va_end(args);
}

void convert_remark_at(struct convert *c, const struct convert_place *at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_remark(c, at, format, args);
	va_end(args);
}

struct convert_place convert_place(const struct convert *c, unsigned int number)
{
	if (number > 0 && number <= c->n_places)
		return c->places[number - 1];
	return (struct convert_place){c->options->file, number};
}

void convert_add_place(struct convert *c, const struct convert_place *place)
{
	struct convert_place *p = grow(c, &c->places, c->n_places, sizeof(*p));

	if (!p)
		return;
	*p = *place;
	c->n_places++;
}

const char *convert_keep_name(struct convert *c, const char *name)
{
	char **kept = grow(c, &c->names, c->n_names, sizeof(*kept));

	if (kept)
		*kept = strdup(name);
	if (!kept || !*kept)
		return c->options->file;
	return c->names[c->n_names++];
}

struct convert_service *convert_add_service(struct convert *c, unsigned int line)
{
	static struct convert_service nowhere;
	struct convert_service *s = grow(c, &c->services, c->n_services, sizeof(*s));

	if (!s) {
		nowhere = (struct convert_service){0};
		return &nowhere;
	}
	c->n_services++;
	s->line = line;
	s->protocol = 6;
	return s;
}

struct convert_backend *convert_add_backend(struct convert *c, struct convert_service *s)
{
	static struct convert_backend nowhere;
	struct convert_backend *b = grow(c, &s->backends, s->n_backends, sizeof(*b));

	if (!b)
		return &nowhere;
	s->n_backends++;
	b->weight = 1;
	return b;
}

struct convert_service *convert_copy_service(struct convert *c, const struct convert_service *from)
{
	const struct convert_service copy = *from; /* @from may move */
	struct convert_service *s = convert_add_service(c, copy.line);
	size_t i;

	*s = copy;
	s->backends = NULL;
	s->n_backends = 0;
	for (i = 0; i < copy.n_backends; i++)
		*convert_add_backend(c, s) = copy.backends[i];
	return s;
}

void convert_fini(struct convert *c)
{
	size_t i;

	for (i = 0; i < c->n_services; i++)
		free(c->services[i].backends);
	for (i = 0; i < c->n_names; i++)
		free(c->names[i]);
	free(c->names);
	free(c->places);
	free(c->services);
	free(c->remarks);
	*c = (struct convert){0};
}

/* ---- words --------------------------------------------------------------------------------------*/

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* One word from *at on; what is too long is cut. */
static void read_word(const char **at, char out[static CONVERT_WORD_MAX], const char *single)
{
	size_t n = 0;
	char quote = 0;

	if (strchr(single, **at)) {
		out[0] = *(*at)++;
		out[1] = '\0';
		return;
	}
	for (; **at && **at != '\n' && (quote || (!is_blank(**at) && !strchr(single, **at)));
	     ++*at) {
		if (**at == '\\' && (*at)[1] && strchr(" \t\"'#", (*at)[1])) {
			++*at; /* the next one is as any other */
		} else if (quote ? **at == quote : **at == '"' || **at == '\'') {
			quote = quote ? 0 : **at;
			continue;
		}
		if (n < CONVERT_WORD_MAX - 1)
			out[n++] = **at;
	}
	out[n] = '\0';
}

/* Words up to the line's end, which is not passed. */
static void read_line(const char **at, struct convert_line *line, const char *comments,
		      const char *single)
{
	char beyond[CONVERT_WORD_MAX];

	while (**at && **at != '\n') {
		if (is_blank(**at)) {
			++*at;
		} else if (strchr(comments, **at)) {
			*at += strcspn(*at, "\n");
		} else {
			read_word(at, line->n < CONVERT_WORDS ? line->words[line->n] : beyond,
				  single);
			line->n += line->n < CONVERT_WORDS;
		}
	}
}

bool convert_next_line(const char **at, struct convert_line *line, const char *comments,
		       const char *single)
{
	line->n = 0;
	while (**at && line->n == 0) {
		line->number++;
		read_line(at, line, comments, single);
		*at += **at == '\n';
	}
	return line->n > 0;
}

uint32_t convert_number(const char *text, uint32_t max, uint32_t otherwise)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	return *text < '0' || *text > '9' || *end || n > max ? otherwise : (uint32_t)n;
}

uint32_t convert_mask_bits(const char *text)
{
	const uint32_t bits = convert_number(text, 128, 0);
	struct addr mask;
	uint32_t n = 0;

	if (bits || addr_parse(text, strlen(text), &mask) < 0)
		return bits;
	while (n < addr_bits(&mask) && mask.bytes[n / 8] & 0x80 >> n % 8)
		n++;
	return n;
}

bool convert_endpoint(const char *text, struct addr *addr, uint16_t *port)
{
	const char *colon = strrchr(text, ':'), *end = text + strlen(text);
	uint32_t n;

	*port = 0;
	if (*text == '[') {
		const char *close = strchr(text, ']');

		if (!close || (close[1] && close[1] != ':'))
			return false;
		colon = close[1] ? close + 1 : NULL;
		end = close;
		text++;
	} else if (colon && strchr(text, ':') != colon) {
		colon = NULL; /* IPv6 without a port */
	} else if (colon) {
		end = colon;
	}
	if (colon) {
		n = convert_number(colon + 1, 65535, UINT32_MAX);
		if (n == UINT32_MAX)
			return false;
		*port = (uint16_t)n;
	}
	return addr_parse(text, (size_t)(end - text), addr) == 0;
}

int convert_find(const char *word, const char *const *words)
{
	int i;

	for (i = 0; words[i]; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	return -1;
}
