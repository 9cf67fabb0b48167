/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/edits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

struct edits {
	struct edit *list; /* sorted by service, then backend */
	size_t count, room;
};

#define LINE_MAX_BYTES (2 * SHUNT_NAME_MAX + EDIT_USER_MAX + EDIT_REASON_MAX + 224)

struct edits *edits_new(void)
{
	return calloc(1, sizeof(struct edits));
}

void edits_free(struct edits *e)
{
	if (!e)
		return;
	free(e->list);
	free(e);
}

size_t edits_count(const struct edits *e)
{
	return e->count;
}

bool edit_user_is_good(const char *user)
{
	for (; *user; user++)
		if (!((*user >= 'a' && *user <= 'z') || (*user >= 'A' && *user <= 'Z') ||
		      (*user >= '0' && *user <= '9') || strchr("._-@", *user)))
			return false;
	return true;
}

bool edit_reason_is_good(const char *reason)
{
	if (*reason == ' ')
		return false;
	for (; *reason; reason++)
		if ((unsigned char)*reason < ' ' || *reason == 0x7f)
			return false;
	return true;
}

const char *edit_by(const char *user, uint32_t uid, char out[static EDIT_BY_MAX])
{
	if (user[0])
		snprintf(out, EDIT_BY_MAX, "%s (uid %u)", user, uid);
	else
		snprintf(out, EDIT_BY_MAX, "uid %u", uid);
	return out;
}

static int compare(const struct edit *a, const char *service, const char *backend)
{
	int order = strcmp(a->service, service);

	return order ? order : strcmp(a->backend, backend);
}

/* Where the backend's edit stands or would stand. */
static size_t place_of(const struct edits *e, const char *service, const char *backend)
{
	size_t low = 0, high = e->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare(&e->list[middle], service, backend) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool stands_at(const struct edits *e, size_t i, const char *service, const char *backend)
{
	return i < e->count && compare(&e->list[i], service, backend) == 0;
}

const struct edit *edits_find(const struct edits *e, const char *service, const char *backend)
{
	size_t i = place_of(e, service, backend);

	return stands_at(e, i, service, backend) ? &e->list[i] : NULL;
}

static void remove_at(struct edits *e, size_t i)
{
	memmove(&e->list[i], &e->list[i + 1], (e->count - i - 1) * sizeof(e->list[0]));
	e->count--;
}

static int make_room_at(struct edits *e, size_t i)
{
	if (e->count == e->room) {
		size_t room = e->room ? e->room * 2 : 8;
		struct edit *grown = realloc(e->list, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		e->list = grown;
		e->room = room;
	}
	memmove(&e->list[i + 1], &e->list[i], (e->count - i) * sizeof(e->list[0]));
	e->count++;
	return 0;
}

static bool says_nothing(const struct edit *x)
{
	return !x->drained && !x->disabled && !x->enabled && !x->has_weight;
}

int edits_put(struct edits *e, const struct edit *edit)
{
	size_t i = place_of(e, edit->service, edit->backend);
	bool stands = stands_at(e, i, edit->service, edit->backend);

	if (says_nothing(edit)) {
		if (stands)
			remove_at(e, i);
		return 0;
	}
	if (!stands) {
		int err = make_room_at(e, i);

		if (err)
			return err;
	}
	e->list[i] = *edit;
	return 0;
}

/* What is left of @edit; tells what is not. */
static struct edit reconciled(const struct edit *edit, int configured, edits_dropped_fn *dropped,
			      void *arg, size_t *told)
{
	struct edit left = *edit;
	char sentence[2 * SHUNT_NAME_MAX + 160];

	if (configured < 0) {
		snprintf(sentence, sizeof(sentence),
			 "the edit of %s/%s is dropped: the configuration no longer has it",
			 edit->service, edit->backend);
		left.drained = left.disabled = left.enabled = left.has_weight = false;
	} else if (edit->has_weight && configured != edit->configured) {
		snprintf(sentence, sizeof(sentence),
			 "the runtime weight %u of %s/%s is dropped: the configuration changed its "
			 "weight from %u to %d, and wins",
			 edit->weight, edit->service, edit->backend, edit->configured, configured);
		left.has_weight = false;
	} else {
		return left;
	}
	dropped(arg, sentence);
	++*told;
	return left;
}

size_t edits_reconcile(struct edits *e, edits_configured_fn *configured, edits_dropped_fn *dropped,
		       void *arg)
{
	size_t told = 0, i, kept = 0;

	for (i = 0; i < e->count; i++) {
		const struct edit *edit = &e->list[i];
		struct edit left = reconciled(edit, configured(arg, edit->service, edit->backend),
					      dropped, arg, &told);

		if (!says_nothing(&left))
			e->list[kept++] = left;
	}
	e->count = kept;
	return told;
}

static int line_of(const struct edit *x, char out[LINE_MAX_BYTES])
{
	char weight[48] = "", deadline[48] = "";

	if (x->has_weight)
		snprintf(weight, sizeof(weight), " weight=%u configured=%u", x->weight,
			 x->configured);
	if (x->drained && x->deadline)
		snprintf(deadline, sizeof(deadline), " deadline=%" PRId64, x->deadline);
	return snprintf(
		out, LINE_MAX_BYTES, "%s %s drained=%d%s%s%s%s uid=%u at=%" PRId64 "%s%s%s%s\n",
		x->service, x->backend, x->drained, x->disabled ? " disabled=1" : "",
		x->enabled ? " enabled=1" : "", weight, deadline, x->uid, x->at,
		x->user[0] ? " user=" : "", x->user, x->reason[0] ? " reason=" : "", x->reason);
}

int edits_format(const struct edits *e, char **text, size_t *len)
{
	char *out = malloc(e->count * LINE_MAX_BYTES + 1);
	size_t used = 0, i;

	if (!out)
		return -ENOMEM;
	out[0] = '\0';
	for (i = 0; i < e->count; i++)
		used += (size_t)line_of(&e->list[i], out + used);
	*text = out;
	*len = used;
	return 0;
}

/* So that differences are no overflow. */
static bool is_date(int64_t s)
{
	return s >= 0 && s < (int64_t)1 << 40;
}

/* Who and why, up to the end of the line. */
static void read_who(const char *line, struct edit *x)
{
	int used = 0;

	if (sscanf(line, " user=%32s%n", x->user, &used) == 1)
		line += used;
	if (strncmp(line, " reason=", 8) == 0)
		snprintf(x->reason, sizeof(x->reason), "%.*s", (int)strcspn(line + 8, "\n"),
			 line + 8);
}

/* Exactly what line_of writes: it is read as such and must come out the same again. */
static int read_line(const char *whole, struct edit *x)
{
	const char *line = whole;
	char again[LINE_MAX_BYTES];
	int drained, used = 0;

	*x = (struct edit){0};
	if (sscanf(line, "%63s %63s drained=%d%n", x->service, x->backend, &drained, &used) != 3)
		return -EINVAL;
	x->drained = drained;
	line += used;
	if (strncmp(line, " disabled=1", 11) == 0) {
		x->disabled = true;
		line += 11;
	}
	if (strncmp(line, " enabled=1", 10) == 0) {
		x->enabled = true;
		line += 10;
	}
	if (sscanf(line, " weight=%hu configured=%hu%n", &x->weight, &x->configured, &used) == 2) {
		x->has_weight = true;
		line += used;
	}
	if (sscanf(line, " deadline=%" SCNd64 "%n", &x->deadline, &used) == 1)
		line += used;
	if (sscanf(line, " uid=%u at=%" SCNd64 "%n", &x->uid, &x->at, &used) != 2)
		return -EINVAL;
	read_who(line + used, x);
	if (!is_date(x->deadline) || !is_date(x->at) || !edit_user_is_good(x->user) ||
	    !edit_reason_is_good(x->reason))
		return -EINVAL;
	line_of(x, again);
	return strcmp(whole, again) == 0 ? 0 : -EINVAL;
}

int edits_parse(struct edits *e, const char *text, size_t len, unsigned int *line)
{
	char copy[LINE_MAX_BYTES];
	size_t at = 0;

	for (*line = 1; at < len; (*line)++) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t n = end ? (size_t)(end - (text + at)) + 1 : len - at;
		struct edit x;
		int err;

		if (!end || n >= sizeof(copy))
			return -EINVAL;
		memcpy(copy, text + at, n);
		copy[n] = '\0';
		err = read_line(copy, &x);
		if (!err)
			err = edits_put(e, &x);
		if (err)
			return err;
		at += n;
	}
	return 0;
}
