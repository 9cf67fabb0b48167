/* SPDX-License-Identifier: BSD-2-Clause */
/* What HAProxy's checks ask: option httpchk and its like, http-check, tcp-check. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pure/convert_haproxy.h"

static void left_out(struct haproxy *r, const struct convert_line *l, const char *instead)
{
	convert_remark(r->c, l->number, "%s %s: not carried over: %s", haproxy_word(l, 0),
		       haproxy_word(l, 1), instead);
}

static void copy(char out[static CONVERT_WORD_MAX], const char *text)
{
	snprintf(out, CONVERT_WORD_MAX, "%s", text);
}

/* "\r", "\n", "\t", "\x41", "\\" as the bytes that they stand for. */
static void unescape(char *text)
{
	char *out = text, hex[3] = "";

	for (; *text; text++) {
		if (*text != '\\' || !text[1]) {
			*out++ = *text;
			continue;
		}
		text++;
		if (*text == 'x' && text[1] && text[2]) {
			memcpy(hex, text + 1, 2);
			*out++ = (char)strtoul(hex, NULL, 16);
			text += 2;
		} else {
			*out++ = *text == 'r'	? '\r'
				 : *text == 'n' ? '\n'
				 : *text == 't' ? '\t'
						: *text;
		}
	}
	*out = '\0';
}

/* ---- http ---------------------------------------------------------------------------------------*/

/* `option httpchk [METHOD] [URI] [VERSION\r\nHost:\ NAME]` */
static void read_httpchk(struct haproxy *r, const struct convert_line *l)
{
	struct convert_check *k = &r->at->service.check;
	const char *host = strstr(haproxy_word(l, 4), "Host:");

	strcpy(k->kind, "http");
	snprintf(k->method, sizeof(k->method), "%.15s", l->n > 3 ? haproxy_word(l, 2) : "OPTIONS");
	if (l->n > 2)
		copy(k->path, haproxy_word(l, l->n > 3 ? 3 : 2));
	if (!host)
		return;
	host += 5 + strspn(host + 5, " ");
	snprintf(k->host, sizeof(k->host), "%.*s", (int)strcspn(host, "\\ "), host);
}

/* `http-check send meth GET uri / ver HTTP/1.1 hdr Host www.example.com` */
static void read_send(struct haproxy *r, const struct convert_line *l)
{
	struct convert_check *k = &r->at->service.check;
	size_t i;

	for (i = 2; i + 1 < l->n; i++) {
		const char *w = haproxy_word(l, i), *value = haproxy_word(l, ++i);

		if (strcmp(w, "meth") == 0)
			snprintf(k->method, sizeof(k->method), "%.15s", value);
		else if (strcmp(w, "uri") == 0)
			copy(k->path, value);
		else if (strcmp(w, "hdr") == 0 && strcasecmp(value, "host") == 0)
			copy(k->host, haproxy_word(l, ++i));
		else if (strcmp(w, "hdr") == 0 && ++i)
			left_out(r, l, "headers: of the check");
		else if (strcmp(w, "ver") != 0)
			left_out(r, l, "probes have no body");
	}
}

static void read_http_expect(struct haproxy *r, const struct convert_line *l)
{
	struct convert_check *k = &r->at->service.check;
	const char *what = haproxy_word(l, 2), *value = haproxy_word(l, 3);

	if (strcmp(what, "status") == 0)
		snprintf(k->status, sizeof(k->status), "%.63s", value);
	else if (strcmp(what, "string") == 0)
		copy(k->expect, value);
	else if (strcmp(what, "rstring") == 0)
		copy(k->expect_regex, value);
	else
		left_out(r, l, "status:, expect: and expect_regex: of the check judge the reply");
}

void haproxy_read_http_check(struct haproxy *r, const struct convert_line *l)
{
	struct convert_check *k = &r->at->service.check;
	const char *what = haproxy_word(l, 1);

	if (strcmp(what, "expect") == 0)
		read_http_expect(r, l);
	else if (strcmp(what, "send") == 0)
		read_send(r, l);
	else if (strcmp(what, "connect") == 0 && strcmp(haproxy_word(l, 2), "port") == 0)
		k->port = convert_number(haproxy_word(l, 3), 65535, 0);
	else if (strcmp(what, "disable-on-404") == 0)
		left_out(r, l, "a check of type agent says drain");
	else
		left_out(r, l, "see check: in shunt.yaml(5)");
}

/* ---- tcp ----------------------------------------------------------------------------------------*/

static void read_connect(struct haproxy *r, const struct convert_line *l)
{
	size_t i;

	for (i = 2; i < l->n; i++) {
		if (strcmp(haproxy_word(l, i), "port") == 0)
			r->at->service.check.port = convert_number(haproxy_word(l, ++i), 65535, 0);
		else if (strcmp(haproxy_word(l, i), "ssl") == 0)
			r->at->tls = true;
		else if (strcmp(haproxy_word(l, i), "default") != 0)
			left_out(r, l, "a check connects to one port, with TLS or without");
	}
}

/* True if there was none before. */
static bool is_first(struct haproxy *r, const struct convert_line *l, const char *there)
{
	if (*there)
		left_out(r, l, "a check sends once and expects once: type: exec can do more");
	return !*there;
}

void haproxy_read_tcp_check(struct haproxy *r, const struct convert_line *l)
{
	struct convert_check *k = &r->at->service.check;
	const char *what = haproxy_word(l, 1), *kind = haproxy_word(l, 2);
	const char *expected = k->expect[0] ? k->expect : k->expect_regex;
	const bool binary = strcmp(kind, "binary") == 0;

	if (strcmp(what, "connect") == 0) {
		read_connect(r, l);
	} else if (strcmp(what, "send") == 0 || strcmp(what, "send-binary") == 0) {
		if (!is_first(r, l, k->send))
			return;
		copy(k->send, kind);
		k->send_is_hex = what[4];
		if (!k->send_is_hex)
			unescape(k->send);
	} else if (strcmp(what, "expect") == 0 && (binary || strcmp(kind, "string") == 0)) {
		if (!is_first(r, l, expected))
			return;
		copy(k->expect, haproxy_word(l, 3));
		k->expect_is_hex = binary;
		if (!binary)
			unescape(k->expect);
	} else if (strcmp(what, "expect") == 0 && strcmp(kind, "rstring") == 0) {
		if (is_first(r, l, expected))
			copy(k->expect_regex, haproxy_word(l, 3));
	} else if (strcmp(what, "comment") != 0) {
		left_out(r, l, "see check: in shunt.yaml(5)");
	}
}

/* ---- options ------------------------------------------------------------------------------------*/

void haproxy_read_external_check(struct haproxy *r, const struct convert_line *l)
{
	if (strcmp(haproxy_word(l, 1), "command") == 0)
		copy(r->at->service.check.command, haproxy_word(l, 2));
	else
		left_out(r, l, "it has a PATH of its own");
}

static const struct {
	const char *option, *kind, *send, *expect;
} protocols[] = {
	{"tcp-check", "tcp", "", ""},
	{"smtpchk", "tcp", "", "220"},
	{"redis-check", "tcp", "PING\r\n", "+PONG"},
	{"ssl-hello-chk", "tls", "", ""},
	{"external-check", "exec", "", ""},
	{NULL, NULL, NULL, NULL},
};

static bool read_protocol(struct convert_check *k, const char *option)
{
	size_t i = 0;

	while (protocols[i].option && strcmp(protocols[i].option, option) != 0)
		i++;
	if (!protocols[i].option)
		return false;
	strcpy(k->kind, protocols[i].kind);
	copy(k->send, protocols[i].send);
	copy(k->expect, protocols[i].expect);
	return true;
}

void haproxy_read_option(struct haproxy *r, const struct convert_line *l)
{
	static const char *const needless[] = {"tcplog",
					       "httplog",
					       "dontlognull",
					       "dontlog-normal",
					       "tcpka",
					       "clitcpka",
					       "srvtcpka",
					       "redispatch",
					       "splice-auto",
					       "splice-request",
					       "splice-response",
					       "tcp-smart-accept",
					       "nolinger",
					       "tcp-smart-connect",
					       "log-health-checks",
					       "log-separate-errors",
					       "logasap",
					       "socket-stats",
					       "contstats",
					       "allbackups",
					       "independent-streams",
					       "abortonclose",
					       "persist",
					       NULL};
	static const char *const asks[] = {"mysql-check", "pgsql-check", "ldap-check", "spop-check",
					   NULL};
	const char *option = haproxy_word(l, 1);

	if (strcmp(option, "httpchk") == 0)
		read_httpchk(r, l);
	else if (strcmp(option, "transparent") == 0)
		left_out(r, l, "give the service a prefix as its vip");
	else if (convert_find(option, asks) >= 0)
		left_out(r, l, "a tcp check is made; type: exec can run what asks the server");
	else if (!read_protocol(&r->at->service.check, option) &&
		 convert_find(option, needless) < 0)
		left_out(r, l, "shunt does not look into connections");
}
