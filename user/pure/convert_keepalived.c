/* SPDX-License-Identifier: BSD-2-Clause */
/* virtual_server blocks of keepalived.conf(5). */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "pure/convert_ipvs.h"

/* One run. */
struct reader {
	struct convert *c;
	const char *at;
	struct convert_line line;
	size_t next; /* word of it */
};

enum statement { PLAIN, OPENS, CLOSES, ENDS };

/* Words up to a brace or the line's end, into @words. */
struct words {
	const char *word[CONVERT_WORDS + 1];
	size_t n;
	unsigned int line;
};

static enum statement next(struct reader *r, struct words *w)
{
	w->n = 0;
	while (r->next >= r->line.n) {
		r->next = 0;
		if (!convert_next_line(&r->at, &r->line, "#!", "{}"))
			return ENDS;
	}
	w->line = r->line.number;
	while (r->next < r->line.n) {
		const char *word = r->line.words[r->next];

		if (strcmp(word, "}") == 0) {
			r->next += w->n == 0;
			return w->n ? PLAIN : CLOSES;
		}
		r->next++;
		if (strcmp(word, "{") == 0)
			return OPENS;
		w->word[w->n++] = word;
	}
	return PLAIN;
}

/* The rest of a block that has been opened. */
static void skip(struct reader *r)
{
	struct words w;
	int depth = 1;

	while (depth > 0) {
		enum statement s = next(r, &w);

		if (s == ENDS)
			return;
		depth += s == OPENS ? 1 : s == CLOSES ? -1 : 0;
	}
}

static const char *word(const struct words *w, size_t i)
{
	return i < w->n ? w->word[i] : "";
}

static bool is(const struct words *w, const char *key)
{
	return w->n > 0 && strcmp(w->word[0], key) == 0;
}

/* Seconds, perhaps with a fraction. */
static uint32_t milliseconds(const char *text)
{
	double s = 0;

	return sscanf(text, "%lf", &s) == 1 && s > 0 && s < 3600 ? (uint32_t)(s * 1000) : 0;
}

/* ---- checks -------------------------------------------------------------------------------------*/

static void read_url(struct reader *r, struct convert_check *k)
{
	enum statement s;
	struct words w;

	while ((s = next(r, &w)) == PLAIN) {
		if (is(&w, "path"))
			snprintf(k->path, sizeof(k->path), "%s", word(&w, 1));
		else if (is(&w, "status_code"))
			snprintf(k->status, sizeof(k->status), "%.31s", word(&w, 1));
		else if (is(&w, "virtualhost"))
			snprintf(k->host, sizeof(k->host), "%s", word(&w, 1));
		else
			convert_remark(r->c, w.line, "%s of a url: not carried over", word(&w, 0));
	}
	if (s == OPENS)
		skip(r);
}

static void read_check_key(struct reader *r, const struct words *w, struct convert_check *k)
{
	static const char *const unneeded[] = {"delay_before_retry", "warmup", "delay_loop", NULL};

	if (is(w, "connect_timeout") || is(w, "misc_timeout"))
		k->timeout_ms = milliseconds(word(w, 1));
	else if (is(w, "connect_port"))
		k->port = convert_number(word(w, 1), 65535, 0);
	else if (is(w, "retry") || is(w, "nb_get_retry"))
		k->fall = convert_number(word(w, 1), 99, 2) + 1;
	else if (is(w, "misc_path"))
		snprintf(k->command, sizeof(k->command), "%s", word(w, 1));
	else if (is(w, "virtualhost"))
		snprintf(k->host, sizeof(k->host), "%s", word(w, 1));
	else if (convert_find(word(w, 0), unneeded) < 0)
		convert_remark(r->c, w->line, "%s of a check: not carried over", word(w, 0));
}

/* Of the kind that @w opens; of several backends the last one holds. */
static void read_check(struct reader *r, const struct words *w, struct convert_check *k)
{
	static const char *const kinds[] = {"TCP_CHECK", "HTTP_GET", "SSL_GET", "MISC_CHECK", NULL};
	static const char *const ours[] = {"tcp", "http", "https", "exec"};
	const uint32_t interval_ms = k->interval_ms;
	const int kind = convert_find(word(w, 0), kinds);
	enum statement s;
	struct words inner;

	if (kind < 0) {
		convert_remark(r->c, w->line, "%s: not carried over; a tcp check is taken",
			       word(w, 0));
		skip(r);
		return;
	}
	*k = (struct convert_check){.interval_ms = interval_ms};
	strcpy(k->kind, ours[kind]);
	while ((s = next(r, &inner)) == PLAIN || s == OPENS) {
		if (s == OPENS && is(&inner, "url"))
			read_url(r, k);
		else if (s == OPENS)
			skip(r);
		else
			read_check_key(r, &inner, k);
	}
}

/* ---- servers ------------------------------------------------------------------------------------*/

static bool read_backend_address(struct reader *r, const struct words *w, struct convert_backend *b)
{
	if (addr_parse(word(w, 1), strlen(word(w, 1)), &b->addr) < 0) {
		convert_remark(r->c, w->line, "%s %s is no address: left out", word(w, 0),
			       word(w, 1));
		return false;
	}
	b->port = (uint16_t)convert_number(word(w, 2), 65535, 0);
	return true;
}

static void read_real_server(struct reader *r, const struct words *opening,
			     struct convert_service *s)
{
	struct convert_backend *b = convert_add_backend(r->c, s);
	const bool good = read_backend_address(r, opening, b);
	enum statement kind;
	struct words w;

	while ((kind = next(r, &w)) == PLAIN || kind == OPENS) {
		if (kind == OPENS)
			read_check(r, &w, &s->check);
		else if (is(&w, "weight"))
			b->weight = convert_number(word(&w, 1), 65535, 1);
		else
			convert_remark(r->c, w.line, "%s of a real_server: not carried over",
				       word(&w, 0));
	}
	s->n_backends -= !good;
}

static void read_method(struct convert *c, const struct words *w, struct convert_service *s)
{
	static const char *const methods[] = {"DR", "TUN", "NAT", NULL};
	static const char *const ours[] = {"dsr", "ipip", "masq"};
	const int i = convert_find(word(w, 1), methods);

	if (i < 0)
		convert_remark(c, w->line, "method %s: there is none like it", word(w, 1));
	else
		s->forward = ours[i];
}

static void read_service_key(struct reader *r, const struct words *w, struct convert_service *s)
{
	if (is(w, "lb_algo") || is(w, "lvs_sched"))
		s->scheduler = convert_ipvs_scheduler(r->c, w->line, word(w, 1));
	else if (is(w, "lb_kind") || is(w, "lvs_method"))
		read_method(r->c, w, s);
	else if (is(w, "protocol"))
		s->protocol = strcmp(word(w, 1), "UDP") == 0 ? IPPROTO_UDP : IPPROTO_TCP;
	else if (is(w, "quorum"))
		s->min_healthy = convert_number(word(w, 1), 1000, 1);
	else if (is(w, "persistence_timeout"))
		s->affinity_s = w->n > 1 ? convert_number(word(w, 1), 1u << 30, 300) : 300;
	else if (is(w, "delay_loop"))
		s->check.interval_ms = milliseconds(word(w, 1));
	else if (is(w, "virtualhost"))
		snprintf(s->check.host, sizeof(s->check.host), "%s", word(w, 1));
	else if (is(w, "sorry_server") && convert_add_backend(r->c, s)) {
		struct convert_backend *b = &s->backends[s->n_backends - 1];

		b->backup = true;
		s->n_backends -= !read_backend_address(r, w, b);
	} else
		convert_remark(r->c, w->line, "%s: not carried over", word(w, 0));
}

static void read_virtual_server(struct reader *r, const struct words *opening)
{
	struct convert_service *s = convert_add_service(r->c, opening->line);
	enum statement kind;
	struct words w;

	s->scheduler = "wlc"; /* keepalived's default */
	if (addr_parse(word(opening, 1), strlen(word(opening, 1)), &s->vip) < 0)
		convert_remark(r->c, opening->line, "virtual_server %s %s: no address",
			       word(opening, 1), word(opening, 2));
	s->port = (uint16_t)convert_number(word(opening, 2), 65535, 0);
	while ((kind = next(r, &w)) == PLAIN || kind == OPENS) {
		if (kind == PLAIN) {
			read_service_key(r, &w, s);
		} else if (is(&w, "real_server")) {
			read_real_server(r, &w, s);
		} else {
			convert_remark(r->c, w.line, "%s: not carried over", word(&w, 0));
			skip(r);
		}
	}
}

void convert_keepalived(struct convert *c, const char *text)
{
	struct reader r = {.c = c, .at = text};
	enum statement s;
	struct words w;

	while ((s = next(&r, &w)) != ENDS) {
		if (s == OPENS && is(&w, "virtual_server")) {
			read_virtual_server(&r, &w);
		} else if (w.n && !is(&w, "global_defs")) {
			convert_remark(c, w.line, "%s: not carried over", w.word[0]);
			if (s == OPENS)
				skip(&r);
		} else if (s == OPENS) {
			skip(&r);
		}
	}
}
