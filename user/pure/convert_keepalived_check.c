/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP_GET, TCP_CHECK and their like in keepalived.conf(5). */
#include <stdio.h>
#include <string.h>

#include "pure/convert_keepalived.h"

/* Where shunt's name for what it does is not the whole of it. */
#define GREETING_OF_SMTP "220"

static const struct {
	const char *theirs, *ours;
} kinds[] = {
	{"TCP_CHECK", "tcp"},	{"HTTP_GET", "http"},	{"SSL_GET", "https"},
	{"MISC_CHECK", "exec"}, {"SMTP_CHECK", "tcp"},	{"DNS_CHECK", "dns"},
	{"UDP_CHECK", "udp"},	{"PING_CHECK", "icmp"}, {NULL, NULL},
};

/* Seconds, perhaps with a fraction. */
static uint32_t milliseconds(const char *text)
{
	double s = 0;

	return sscanf(text, "%lf", &s) == 1 && s > 0 && s < 3600 ? (uint32_t)(s * 1000) : 0;
}

static void copy(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text);
}
#define COPY(member, text) copy(member, sizeof(member), text)

/* All words behind the first one. */
static void join(const struct keepalived_words *w, const char *between, char *out, size_t size)
{
	size_t i, at = 0;

	out[0] = '\0';
	for (i = 1; i < w->n && at < size; i++)
		at += (size_t)snprintf(out + at, size - at, "%s%s", i > 1 ? between : "",
				       w->word[i]);
}

bool keepalived_read_common(const struct keepalived_words *w, struct convert_check *k)
{
	const char *value = keepalived_word(w, 1);

	if (keepalived_is(w, "connect_timeout"))
		k->timeout_ms = milliseconds(value);
	else if (keepalived_is(w, "delay_loop"))
		k->interval_ms = milliseconds(value);
	else if (keepalived_is(w, "delay_before_retry"))
		k->fast_ms = milliseconds(value);
	else if (keepalived_is(w, "retry") || keepalived_is(w, "nb_get_retry"))
		k->fall = convert_number(value, 99, 2) + 1;
	else if (keepalived_is(w, "virtualhost"))
		COPY(k->host, value);
	else
		return keepalived_is(w, "warmup") || keepalived_is(w, "log_all_failures");
	return true;
}

/* ---- urls ---------------------------------------------------------------------------------------*/

static void read_url_key(struct keepalived *r, const struct keepalived_words *w,
			 struct convert_check *k)
{
	if (keepalived_is(w, "path"))
		COPY(k->path, keepalived_word(w, 1));
	else if (keepalived_is(w, "status_code"))
		join(w, ",", k->status, sizeof(k->status));
	else if (keepalived_is(w, "virtualhost"))
		COPY(k->host, keepalived_word(w, 1));
	else if (keepalived_is(w, "regex"))
		COPY(k->expect_regex, keepalived_word(w, 1));
	else
		keepalived_left_out(r, w, " of a url");
}

/* The first one is asked for. */
static void read_url(struct keepalived *r, unsigned int line, struct convert_check *k)
{
	const bool first = !k->path[0];
	enum keepalived_statement s;
	struct keepalived_words w;

	while ((s = keepalived_next(r, &w)) == KEEPALIVED_PLAIN)
		if (first)
			read_url_key(r, &w, k);
	if (s == KEEPALIVED_OPENS)
		keepalived_skip(r);
	if (!first)
		convert_remark(r->c, line,
			       "a second url of a check: one is asked for; name a check for each "
			       "in checks, and write checks: { all: [A, B] }");
	else if (!k->path[0])
		strcpy(k->path, "/");
}

/* ---- the others ---------------------------------------------------------------------------------*/

static void read_reply(struct keepalived *r, const struct keepalived_words *w,
		       struct convert_check *k)
{
	join(w, "", k->expect, sizeof(k->expect));
	k->expect_is_hex = true;
	if (w->n > 1 && strlen(k->expect) % 2 == 0 && !strpbrk(k->expect, "xX"))
		return;
	convert_remark(r->c, w->line,
		       w->n > 1 ? "require_reply with places that may be anything: any reply will "
				  "do; expect_regex tells more"
				: "require_reply: any reply will do");
	strcpy(k->expect_regex, "(?s).");
	k->expect[0] = '\0';
}

static void read_check_key(struct keepalived *r, const struct keepalived_words *w,
			   struct convert_check *k)
{
	if (keepalived_read_common(w, k))
		return;
	if (keepalived_is(w, "misc_timeout"))
		k->timeout_ms = milliseconds(keepalived_word(w, 1));
	else if (keepalived_is(w, "connect_port"))
		k->port = convert_number(keepalived_word(w, 1), 65535, 0);
	else if (keepalived_is(w, "misc_path"))
		COPY(k->command, keepalived_word(w, 1));
	else if (keepalived_is(w, "type"))
		snprintf(k->record, sizeof(k->record), "%.7s", keepalived_word(w, 1));
	else if (keepalived_is(w, "name") && strcmp(k->kind, "dns") == 0)
		COPY(k->name, keepalived_word(w, 1));
	else if (keepalived_is(w, "payload")) {
		join(w, "", k->send, sizeof(k->send));
		k->send_is_hex = true;
	} else if (keepalived_is(w, "require_reply"))
		read_reply(r, w, k);
	else if (!keepalived_is(w, "enable_sni") && !keepalived_is(w, "fast_recovery"))
		keepalived_left_out(r, w, " of a check");
}

/* What the kind has where nothing is said. */
static void fill(struct convert_check *k, const char *theirs)
{
	static const char *const records[] = {"A",   "AAAA", "CNAME", "MX",  "NS",
					      "PTR", "SOA",  "SRV",   "TXT", NULL};
	const bool http = strncmp(k->kind, "http", 4) == 0;

	if (strcmp(theirs, "SMTP_CHECK") == 0)
		strcpy(k->expect, GREETING_OF_SMTP);
	if (strcmp(k->kind, "dns") == 0 && !k->name[0])
		strcpy(k->name, ".");
	if (strcmp(k->kind, "dns") == 0 && convert_find(k->record, records) < 0)
		strcpy(k->record, "SOA");
	if (http && !k->status[0])
		strcpy(k->status, "200-299");
	if (k->send_is_hex && (strlen(k->send) % 2 || !k->send[0] ||
			       k->send[strspn(k->send, "0123456789abcdefABCDEF")])) {
		k->send[0] = '\0';
		k->send_is_hex = false;
	}
}

bool keepalived_read_check(struct keepalived *r, const struct keepalived_words *opening,
			   struct convert_check *k)
{
	const char *theirs = keepalived_word(opening, 0);
	const unsigned int line = opening->line;
	enum keepalived_statement s;
	struct keepalived_words w;
	size_t i = 0;

	while (kinds[i].theirs && strcmp(kinds[i].theirs, theirs) != 0)
		i++;
	if (!kinds[i].theirs) {
		keepalived_left_out(r, opening, "");
		keepalived_skip(r);
		return false;
	}
	theirs = kinds[i].theirs; /* the words are gone with the line */
	strcpy(k->kind, kinds[i].ours);
	while ((s = keepalived_next(r, &w)) == KEEPALIVED_PLAIN || s == KEEPALIVED_OPENS) {
		if (s == KEEPALIVED_OPENS && keepalived_is(&w, "url")) {
			read_url(r, w.line, k);
		} else if (s == KEEPALIVED_OPENS) {
			keepalived_left_out(r, &w, " of a check");
			keepalived_skip(r);
		} else {
			read_check_key(r, &w, k);
		}
	}
	fill(k, theirs);
	if (strcmp(theirs, "SMTP_CHECK") == 0)
		convert_remark(r->c, line,
			       "SMTP_CHECK: the greeting is waited for (220), and "
			       "nothing said to it");
	return true;
}
