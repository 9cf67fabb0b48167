/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/convert_expand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

#define BLANKS " \t\r\f\v"
#define DEPTH_MAX 200 /* of parameters in parameters */
#define FILES_DEPTH_MAX 16
#define FILES_MAX 1000
#define LINES_MAX 200000
#define LINE_MAX_BYTES 65536

struct parameter {
	char *name, *value;
};

/* One run. */
struct expand {
	struct convert *c;
	char *out;
	size_t used, room;
	struct parameter *parameters;
	size_t n_parameters;
	const char *path; /* of the file that is read */
	struct convert_place at; /* the line that is read */
	unsigned int files, files_depth, lines;
	bool too_much; /* and it has been said */
};

/* ---- what is made -------------------------------------------------------------------------------*/

static void emit(struct expand *e, const char *line)
{
	const size_t len = strlen(line);

	if (e->used + len + 2 > e->room) {
		const size_t room = 2 * (e->room + len + 2);
		char *out = realloc(e->out, room);

		if (!out) {
			e->c->out_of_memory = true;
			return;
		}
		e->out = out;
		e->room = room;
	}
	memcpy(e->out + e->used, line, len);
	e->used += len;
	e->out[e->used++] = '\n';
	e->out[e->used] = '\0';
	convert_add_place(e->c, &e->at);
}

/* Whether there is room for one more line. */
static bool within_bounds(struct expand *e)
{
	if (e->too_much)
		return false;
	if (++e->lines <= LINES_MAX)
		return true;
	e->too_much = true;
	convert_remark_at(e->c, &e->at, "more than %d lines come of this: the rest is left out",
			  LINES_MAX);
	return false;
}

/* ---- parameters ---------------------------------------------------------------------------------*/

static size_t name_length(const char *s)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
	static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

	return *s && strchr(letters, *s) ? strspn(s, all) : 0;
}

static struct parameter *find(const struct expand *e, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < e->n_parameters; i++)
		if (strncmp(e->parameters[i].name, name, len) == 0 && !e->parameters[i].name[len])
			return &e->parameters[i];
	return NULL;
}

static void define(struct expand *e, const char *name, size_t len, const char *value)
{
	struct parameter *p = find(e, name, len), *grown;
	char *copy = strdup(value);

	if (!p && copy) {
		grown = reallocarray(e->parameters, e->n_parameters + 1, sizeof(*grown));
		if (grown) {
			e->parameters = grown;
			p = &grown[e->n_parameters];
			*p = (struct parameter){.name = strndup(name, len)};
		}
		if (p && p->name)
			e->n_parameters++;
		else
			p = NULL;
	}
	if (!p || !copy) {
		free(copy);
		e->c->out_of_memory = true;
		return;
	}
	free(p->value);
	p->value = copy;
}

/* "$NAME=VALUE"; 0: it is none, else the length of its name. */
static size_t definition(const char *line)
{
	const size_t len = *line == '$' ? name_length(line + 1) : 0;

	return len && line[1 + len] == '=' ? len : 0;
}

/* A "$NAME" before a blank or the end, or "${NAME}", at @s: its value, and *len of what stands for it. */
static const char *value_at(const struct expand *e, const char *s, size_t *len)
{
	const bool braces = s[1] == '{';
	const char *name = s + 1 + braces;
	const size_t n = name_length(name);
	const struct parameter *p;

	*len = 1 + n + 2 * (size_t)braces;
	if (n == 0 || (braces ? name[n] != '}' : name[n] && !strchr(BLANKS "\n", name[n])))
		return NULL;
	p = find(e, name, n);
	return p ? p->value : NULL;
}

/* The line with its first parameter replaced, the caller's; NULL: it has none that is defined. */
static char *replace_first(struct expand *e, const char *line)
{
	const char *at, *value = NULL;
	char *made = NULL;
	size_t len = 0;

	for (at = strchr(line, '$'); at; at = strchr(at + 1, '$')) {
		value = value_at(e, at, &len);
		if (value)
			break;
		if (strncmp(at, "${_", 3) == 0)
			convert_remark_at(e->c, &e->at, "%.*s: not carried over: write its value",
					  (int)strcspn(at, "}") + 1, at);
	}
	if (value && asprintf(&made, "%.*s%s%s", (int)(at - line), line, value, at + len) < 0) {
		e->c->out_of_memory = true;
		return NULL;
	}
	return made;
}

/* ---- lines --------------------------------------------------------------------------------------*/

/* Cuts the comment off, and blanks at the end. */
static void strip(char *line)
{
	char quote = 0, *s, *end;

	for (s = line; *s; s++) {
		if (quote ? *s == quote : *s == '"' || *s == '\'')
			quote = quote ? 0 : *s;
		else if (!quote && (*s == '#' || *s == '!') && (s == line || strchr(BLANKS, s[-1])))
			break;
	}
	*s = '\0';
	for (end = s; end > line && strchr(BLANKS, end[-1]);)
		*--end = '\0';
}

/* "@main WORDS", "@^main WORDS": whether it is for the host that is asked for; *line is behind it then. */
static bool for_this_host(const struct expand *e, char **line)
{
	const char *id = e->c->options->config_id, *name = *line + 1;
	const bool but = *name == '^';
	const size_t len = strcspn(name + but, BLANKS);

	*line += 1 + but + len;
	return (strlen(id) == len && strncmp(id, name + but, len) == 0) != but;
}

static void expand_line(struct expand *e, char *line, int depth);

/* Each of the lines that a parameter has made of one. */
static void expand_lines(struct expand *e, char *text, int depth)
{
	char *line;

	while ((line = strsep(&text, "\n")))
		expand_line(e, line, depth);
}

static void expand_line(struct expand *e, char *line, int depth)
{
	auto_free char *made = NULL;
	size_t len;

	if (!within_bounds(e))
		return;
	line += strspn(line, BLANKS);
	while (*line == '@' && e->c->options->config_id) {
		if (!for_this_host(e, &line))
			return emit(e, "");
		line += strspn(line, BLANKS);
	}
	len = definition(line);
	if (len) {
		define(e, line + 1, len, line + len + 2 + strspn(line + len + 2, BLANKS));
		return emit(e, "");
	}
	made = replace_first(e, line);
	if (!made)
		return emit(e, line);
	if (depth < DEPTH_MAX && strlen(made) < LINE_MAX_BYTES)
		return expand_lines(e, made, depth + 1);
	convert_remark_at(e->c, &e->at, "%.40s: its parameters never end: left out", line);
}

/* ---- files --------------------------------------------------------------------------------------*/

/* The next line without its comment, the caller's; NULL: no memory. */
static char *take_line(struct expand *e, const char **text)
{
	const size_t len = strcspn(*text, "\n");
	char *line = strndup(*text, len);

	*text += len + ((*text)[len] == '\n');
	if (!line)
		e->c->out_of_memory = true;
	else
		strip(line);
	return line;
}

/* Takes a "\" off the end; false: there is none. */
static bool goes_on(char *line)
{
	const size_t len = strlen(line);

	if (len == 0 || line[len - 1] != '\\')
		return false;
	line[len - 1] = '\0';
	strip(line);
	return true;
}

/* Behind "@ID ", if that is there. */
static const char *behind_condition(const char *line)
{
	line += strspn(line, BLANKS);
	if (*line == '@') {
		line += strcspn(line, BLANKS);
		line += strspn(line, BLANKS);
	}
	return line;
}

/* A definition of many lines: "$NAME=" and all behind it. Returns how many more lines it took. */
static unsigned int gather(struct expand *e, char **line, const char **text)
{
	unsigned int taken = 0;
	bool more = definition(behind_condition(*line)) && goes_on(*line);

	while (more && **text) {
		auto_free char *next = take_line(e, text), *former = *line;

		taken++;
		more = next && goes_on(next);
		if (!next || asprintf(line, "%s%s%s", former, taken > 1 ? "\n" : "", next) < 0) {
			e->c->out_of_memory = true;
			*line = NULL;
			return taken;
		}
	}
	return taken;
}

static void read_file(struct expand *e, const char *text);

static void include_one(void *arg, const char *path, const char *text)
{
	struct expand *e = arg;
	const struct convert_place at = e->at;
	const char *from = e->path;

	if (!text) {
		convert_remark_at(e->c, &at, "include %s: it cannot be read", path);
		return;
	}
	if (e->files_depth == FILES_DEPTH_MAX || e->files == FILES_MAX) {
		convert_remark_at(e->c, &at, "include %s: left out: files are included too often",
				  path);
		return;
	}
	e->files++;
	e->files_depth++;
	e->path = path;
	e->at = (struct convert_place){convert_keep_name(e->c, path), 0};
	read_file(e, text);
	e->files_depth--;
	e->path = from;
	e->at = at;
}

/* "include conf.d/", and all that asks for more: whether it is one and has been carried out. Its words are
 * looked at before anything is replaced. */
static bool include(struct expand *e, char *line)
{
	static const char *const words[] = {"include",	"includer", "includem", "includew",
					    "includeb", "includea", NULL};
	const struct convert_options *o = e->c->options;
	char *word = line + strspn(line, BLANKS), *pattern = word + strcspn(word, BLANKS);
	size_t len;

	if (!*pattern || !o->include)
		return false;
	*pattern = '\0';
	if (convert_find(word, words) < 0) {
		*pattern = ' ';
		return false;
	}
	pattern += 1 + strspn(pattern + 1, BLANKS);
	len = strlen(pattern);
	if (len > 1 && (*pattern == '"' || *pattern == '\'') && pattern[len - 1] == *pattern) {
		pattern[len - 1] = '\0';
		pattern++;
	}
	if (o->include(e->path, pattern, include_one, e) == 0)
		convert_remark_at(e->c, &e->at, "include %s: there is no such file", pattern);
	return true;
}

static void read_file(struct expand *e, const char *text)
{
	while (*text && !e->too_much) {
		auto_free char *line = NULL;
		unsigned int more;

		e->at.line++;
		line = take_line(e, &text);
		if (!line)
			return;
		more = gather(e, &line, &text);
		if (!line)
			return;
		if (!include(e, line))
			expand_line(e, line, 0);
		e->at.line += more;
	}
}

char *convert_expand(struct convert *c, const char *text)
{
	struct expand e = {.c = c, .path = c->options->path ? c->options->path : c->options->file};
	size_t i;

	e.at.file = c->options->file;
	emit(&e, ""); /* so that there is something; lines count from 1 */
	c->n_places = 0;
	e.used = 0;
	read_file(&e, text);
	for (i = 0; i < e.n_parameters; i++) {
		free(e.parameters[i].name);
		free(e.parameters[i].value);
	}
	free(e.parameters);
	if (e.out)
		e.out[e.used] = '\0';
	return e.out;
}
