/* SPDX-License-Identifier: BSD-2-Clause */
#define CARES_NO_DEPRECATED
#include "io/probe_dns.h"

#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "io/probe_kind.h"
#include "io/probe_match.h"

#define HEADER 12
#define CLASS_IN 1
#define FLAG_REPLY 0x80 /* of the third byte */
#define FLAG_TRUNCATED 0x02
#define TEXT_MAX 512 /* of a record; what is longer is cut */
#define RECORDS_MAX 256 /* looked at in a reply */

static const uint16_t types[] = {
	[CONF_DNS_A] = 1,   [CONF_DNS_AAAA] = 28, [CONF_DNS_CNAME] = 5,
	[CONF_DNS_MX] = 15, [CONF_DNS_NS] = 2,	  [CONF_DNS_PTR] = 12,
	[CONF_DNS_SOA] = 6, [CONF_DNS_SRV] = 33,  [CONF_DNS_TXT] = 16,
};

static uint16_t type_of(const struct probe_question *q)
{
	return types[q->record <= CONF_DNS_TXT ? q->record : CONF_DNS_A];
}

size_t probe_dns_query(const struct probe_question *q, uint16_t id,
		       uint8_t out[static PROBE_DNS_QUERY_MAX], struct check_result *r)
{
	const char *name = probe_question_text(q, CONF_TEXT_NAME);
	unsigned char *built = NULL;
	int len = 0;
	int status = ares_create_query(name, CLASS_IN, type_of(q), id, 1, &built, &len, 0);
	size_t n = 0;

	if (status == ARES_SUCCESS && len > 0 && len <= PROBE_DNS_QUERY_MAX) {
		memcpy(out, built, (size_t)len);
		n = (size_t)len;
	} else if (status == ARES_ENOMEM) {
		*r = probe_failure(ENOMEM);
	} else {
		probe_cannot_ask(r, "\"%.60s\" is not a name that DNS can ask for", name);
	}
	ares_free_string(built);
	return n;
}

/* ---- a reply ------------------------------------------------------------------------------------ */

struct reader {
	const uint8_t *data;
	size_t len, at;
};

static unsigned int u16_at(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

static bool skip(struct reader *m, size_t n)
{
	if (n > m->len - m->at)
		return false;
	m->at += n;
	return true;
}

/* Reads a name, compressed or not, and moves behind it. */
static bool read_name(struct reader *m, char *out, size_t size)
{
	char *name = NULL;
	long used = 0;

	if (m->at >= m->len ||
	    ares_expand_name(m->data + m->at, m->data, (int)m->len, &name, &used) != ARES_SUCCESS)
		return false;
	snprintf(out, size, "%s", name);
	ares_free_string(name);
	return skip(m, (size_t)used);
}

/* "10 mail.example": @numbers of 16 bits, then a name. */
static bool numbers_and_name(struct reader m, int numbers, char *out, size_t size)
{
	size_t at = 0;

	for (int i = 0; i < numbers; i++) {
		if (m.len - m.at < 2)
			return false;
		at += (size_t)snprintf(out + at, size - at, "%u ", u16_at(m.data + m.at));
		m.at += 2;
	}
	return read_name(&m, out + at, size - at);
}

/* All strings of a TXT record as one. */
static bool strings(const uint8_t *data, size_t len, char *out, size_t size)
{
	size_t n = 0;

	for (size_t at = 0; at < len; at += 1u + data[at]) {
		size_t part = data[at];

		if (part > len - at - 1)
			return false;
		part = part < size - 1 - n ? part : size - 1 - n;
		memcpy(out + n, data + at + 1, part);
		n += part;
	}
	out[n] = '\0';
	return true;
}

/* The data of a record, @len bytes at @m, as one would write it. */
static bool record_text(const struct probe_question *q, struct reader m, size_t len, char *out,
			size_t size)
{
	switch (q->record) {
	case CONF_DNS_A:
		return len == 4 && inet_ntop(AF_INET, m.data + m.at, out, (socklen_t)size);
	case CONF_DNS_AAAA:
		return len == 16 && inet_ntop(AF_INET6, m.data + m.at, out, (socklen_t)size);
	case CONF_DNS_MX:
		return numbers_and_name(m, 1, out, size);
	case CONF_DNS_SRV:
		return numbers_and_name(m, 3, out, size);
	case CONF_DNS_TXT:
		return strings(m.data + m.at, len, out, size);
	default:
		return numbers_and_name(m, 0, out, size);
	}
}

static bool verdict(struct check_result *r, enum check_code code, int detail)
{
	*r = (struct check_result){.code = code, .layer = CHECK_LAYER_7, .detail = detail};
	return true;
}

static bool says(struct check_result *r, enum check_code code, const char *text)
{
	verdict(r, code, 0);
	snprintf(r->text, sizeof(r->text), "%s", text);
	return true;
}

/* What has been seen of the answers. */
struct answers {
	unsigned int of_type;
	bool found;
	char first[TEXT_MAX];
};

/* Reads one record. Returns false when it is cut off or wrong. */
static bool read_record(const struct probe_question *q, struct reader *m, struct probe_match *match,
			struct answers *a)
{
	char text[TEXT_MAX];
	size_t len;
	bool wanted;

	if (!read_name(m, text, sizeof(text)) || m->len - m->at < 10)
		return false;
	wanted = u16_at(m->data + m->at) == type_of(q) && u16_at(m->data + m->at + 2) == CLASS_IN;
	len = u16_at(m->data + m->at + 8);
	m->at += 10;
	if (len > m->len - m->at || (wanted && !record_text(q, *m, len, text, sizeof(text))))
		return false;
	m->at += len;
	if (!wanted)
		return true;
	if (a->of_type++ == 0)
		memcpy(a->first, text, sizeof(text));
	a->found = a->found || !match || probe_match_whole(match, text);
	return true;
}

static bool judge_answers(const struct probe_question *q, const struct answers *a,
			  struct check_result *r)
{
	const char *type = conf_dns_record_name(q->record);

	verdict(r, a->found ? CHECK_OK : CHECK_NO_MATCH, 0);
	if (a->found)
		snprintf(r->text, sizeof(r->text), "%u %s record%s, as expected", a->of_type, type,
			 a->of_type == 1 ? "" : "s");
	else if (a->of_type == 0)
		snprintf(r->text, sizeof(r->text), "no %s record for \"%.60s\"", type,
			 probe_question_text(q, CONF_TEXT_NAME));
	else
		snprintf(r->text, sizeof(r->text), "%u %s record%s, none as expected: \"%.50s\"",
			 a->of_type, type, a->of_type == 1 ? "" : "s", a->first);
	return true;
}

static bool judge_status(unsigned int status, struct check_result *r)
{
	static const char *const names[] = {"NOERROR",	"FORMERR", "SERVFAIL",
					    "NXDOMAIN", "NOTIMP",  "REFUSED"};

	verdict(r, CHECK_BAD_STATUS, (int)status);
	if (status < sizeof(names) / sizeof(names[0]))
		snprintf(r->text, sizeof(r->text), "DNS status %s", names[status]);
	else
		snprintf(r->text, sizeof(r->text), "DNS status %u", status);
	return true;
}

bool probe_dns_judge(const struct probe_question *q, uint16_t id, const uint8_t *reply, size_t len,
		     struct probe_match *match, struct check_result *r)
{
	struct reader m = {reply, len, HEADER};
	struct answers a = {.of_type = 0};
	char name[TEXT_MAX];
	unsigned int n;

	if (len < 2 || u16_at(reply) != id)
		return false;
	if (len < HEADER || !(reply[2] & FLAG_REPLY))
		return says(r, CHECK_BAD_REPLY, "reply is not DNS");
	if (reply[3] & 0xf)
		return judge_status(reply[3] & 0xf, r);
	for (n = u16_at(reply + 4); n > 0; n--)
		if (!read_name(&m, name, sizeof(name)) || !skip(&m, 4))
			return says(r, CHECK_BAD_REPLY, "DNS reply is cut off or damaged");
	n = u16_at(reply + 6);
	for (n = n < RECORDS_MAX ? n : RECORDS_MAX; n > 0; n--)
		if (!read_record(q, &m, match, &a))
			break;
	if (a.found || n == 0)
		return judge_answers(q, &a, r);
	if (reply[2] & FLAG_TRUNCATED)
		return says(r, CHECK_NO_MATCH, "DNS reply is truncated; ask with transport: tcp");
	return says(r, CHECK_BAD_REPLY, "DNS reply is cut off or damaged");
}
