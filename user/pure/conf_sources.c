/* SPDX-License-Identifier: BSD-2-Clause */
/* The files beside the configuration, read through the caller's reader. */
#include "pure/conf_parts.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

/* A file that has been read. */
struct source {
	const char *path; /* owned by the configuration, in its `watched` */
	char *data;
	size_t len;
	const struct conf_prefixes *prefixes; /* it has, if that was asked */
};

static void source_free(void *p)
{
	struct source *source = p;

	free(source->data);
	free(source);
}

static int by_path(const void *a, const void *b)
{
	const struct source *x = a, *y = b;

	return strcmp(x->path, y->path);
}

void conf_sources_fini(struct conf_load *l)
{
	tdestroy(l->sources, source_free);
	l->sources = NULL;
}

static const char *error_words(int error)
{
	switch (error) {
	case -ENOENT:
	case -ENOTDIR:
		return "there is no such file; check the path";
	case -EACCES:
	case -EPERM:
		return "permission denied; check the owner and mode of the file and its folders";
	case -EKEYREJECTED:
		return "it is a secret that others may read or write; run \"chmod o= FILE\"";
	case -EISDIR:
		return "it is a folder; name a file";
	case -ENODEV:
		return "it is not a regular file; name one";
	case -EFBIG:
		return "it is larger than 32 MiB, the most that is read; is this the right file?";
	default:
		return strerror(-error);
	}
}

int conf_unreadable(struct conf_load *l, const struct conf_pos *pos, const char *what, int error)
{
	if (error != -ENOMEM)
		conf_complain(l->err, pos, "cannot read %s: %s", what, error_words(error));
	return error;
}

/* Makes the service's path relative to the configuration's folder, as the operator means it. */
static int resolve_path(const struct conf *conf, char **path)
{
	const char *slash = strrchr(conf->file, '/');
	int folder = slash ? (int)(slash - conf->file) + 1 : 0;
	char *joined = NULL;

	if ((*path)[0] == '/' || folder == 0)
		return 0;
	if (asprintf(&joined, "%.*s%s", folder, conf->file, *path) < 0)
		return -ENOMEM;
	free(*path);
	*path = joined;
	return 0;
}

static int watch(struct conf *conf, const char *path)
{
	/* Room doubles whenever the number is a power of two. */
	if ((conf->n_watched & (conf->n_watched - 1)) == 0) {
		size_t room = conf->n_watched ? 2 * conf->n_watched : 1;
		char **grown = reallocarray(conf->watched, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		conf->watched = grown;
	}
	conf->watched[conf->n_watched] = strdup(path);
	if (!conf->watched[conf->n_watched])
		return -ENOMEM;
	conf->n_watched++;
	return 0;
}

/* Reads the file for the first time. @pos: who names it. */
static int add_source(struct conf_load *l, const struct conf_pos *pos, const char *path,
		      struct source **out)
{
	struct source *source;
	struct conf_quoted quoted;
	int rc = watch(l->conf, path);

	if (rc < 0)
		return rc;
	source = calloc(1, sizeof(*source));
	if (!source)
		return -ENOMEM;
	source->path = l->conf->watched[l->conf->n_watched - 1];
	rc = l->read(l->arg, path, &source->data, &source->len);
	if (rc < 0)
		conf_unreadable(l, pos, conf_quote(&quoted, path, strlen(path)), rc);
	else
		rc = conf_text_check(source->data, source->len, source->path, l->err);
	if (rc == 0 && !tsearch(source, &l->sources, by_path))
		rc = -ENOMEM;
	if (rc < 0) {
		source_free(source);
		return rc;
	}
	*out = source;
	return 0;
}

/* The file that @node names, as *path is then. */
static int find_source(struct conf_load *l, const struct conf_node *node, char **path,
		       struct source **out)
{
	const struct conf_pos pos = conf_node_pos(l, node);
	struct source **known, key;
	int rc = resolve_path(l->conf, path);

	if (rc < 0)
		return rc;
	key.path = *path;
	known = tfind(&key, &l->sources, by_path);
	if (!known)
		return add_source(l, &pos, *path, out);
	*out = *known;
	return 0;
}

static struct conf_piece text_of(const struct source *source)
{
	return (struct conf_piece){{source->path, 1, 1}, source->data, source->len};
}

int conf_read_named_file(struct conf_load *l, const struct conf_node *node, char **path,
			 struct conf_piece *text)
{
	struct source *source = NULL;
	int rc = find_source(l, node, path, &source);

	if (rc == 0)
		*text = text_of(source);
	return rc;
}

int conf_read_backends_file(struct conf_load *l, const struct conf_node *node,
			    struct conf_service *s)
{
	struct source *source = NULL;
	struct conf_piece text;
	int rc = find_source(l, node, &s->backends_file, &source);

	if (rc < 0)
		return rc;
	text = text_of(source);
	return conf_read_backend_lines(l, &text, s);
}

/* A list that the configuration owns; NULL when there is no memory. */
static struct conf_prefixes *add_prefixes(struct conf *conf)
{
	size_t n = conf->n_prefix_files;
	struct conf_prefixes **grown;

	/* Room doubles whenever the number is a power of two. */
	if ((n & (n - 1)) == 0) {
		grown = reallocarray(conf->prefix_files, n ? 2 * n : 1,
				     sizeof(struct conf_prefixes *));
		if (!grown)
			return NULL;
		conf->prefix_files = grown;
	}
	conf->prefix_files[n] = calloc(1, sizeof(struct conf_prefixes));
	if (conf->prefix_files[n])
		conf->n_prefix_files++;
	return conf->prefix_files[n];
}

int conf_read_prefixes_file(struct conf_load *l, const struct conf_node *node, char **path,
			    const struct conf_prefixes **out)
{
	struct source *source = NULL;
	struct conf_prefixes *prefixes;
	struct conf_piece text;
	int rc = find_source(l, node, path, &source);

	if (rc == 0 && !source->prefixes) {
		prefixes = add_prefixes(l->conf);
		if (!prefixes)
			return -ENOMEM;
		text = text_of(source);
		rc = conf_read_prefix_lines(l, &text, prefixes);
		source->prefixes = prefixes;
	}
	if (rc == 0)
		*out = source->prefixes;
	return rc;
}
