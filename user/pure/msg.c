/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/msg.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <string.h>

#include "pure/msg_fields.h"
#include "pure/verdict.h"

/* ---- writing ----------------------------------------------------------------------------------*/

static bool put_text(struct nlmsghdr *m, size_t room, const struct field *f, const char *text)
{
	char copy[SHUNT_MSG_TEXT_MAX];
	size_t len = strnlen(text, f->size - 1u);

	if (len == 0)
		return true;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return mnl_attr_put_check(m, room, f->attr, len + 1, copy);
}

static bool put_addr(struct nlmsghdr *m, size_t room, uint16_t attr, const struct addr *a)
{
	if (addr_is_none(a))
		return true;
	return mnl_attr_put_check(m, room, attr, a->family == 4 ? 4 : 16, a->bytes);
}

/* The value of a field that is a number, whatever its width. */
static uint64_t number_read(const struct field *f, const char *member)
{
	uint64_t u64;
	uint32_t u32;
	uint16_t u16;

	switch (f->size) {
	case 8:
		memcpy(&u64, member, 8);
		return u64;
	case 4:
		memcpy(&u32, member, 4);
		return u32;
	case 2:
		memcpy(&u16, member, 2);
		return u16;
	default:
		return (uint8_t)*member;
	}
}

static bool put_number(struct nlmsghdr *m, size_t room, const struct field *f, const char *member)
{
	uint64_t value = number_read(f, member);

	if (value == 0)
		return true;
	switch (f->type) {
	case FIELD_U64:
		return mnl_attr_put_u64_check(m, room, f->attr, value);
	case FIELD_U32:
		return mnl_attr_put_u32_check(m, room, f->attr, (uint32_t)value);
	case FIELD_U16:
		return mnl_attr_put_u16_check(m, room, f->attr, (uint16_t)value);
	default: /* U8, BOOL, ENUM */
		return mnl_attr_put_u8_check(m, room, f->attr, (uint8_t)value);
	}
}

static bool put_verdict(struct nlmsghdr *m, size_t room, uint16_t attr, enum shunt_verdict v)
{
	if (v == SHUNT_GO_ON)
		return true;
	return mnl_attr_put_strz_check(m, room, attr,
				       v < SHUNT_VERDICT_MAX ? verdict_name(v) : "?");
}

static bool put_bytes(struct nlmsghdr *m, size_t room, uint16_t attr, const struct msg_bytes *b)
{
	size_t len = b->len < sizeof(b->at) ? b->len : sizeof(b->at);

	return len == 0 || mnl_attr_put_check(m, room, attr, len, b->at);
}

static bool put_field(struct nlmsghdr *m, size_t room, const struct field *f, const char *member)
{
	static const char no_mac[6];

	switch (f->type) {
	case FIELD_TEXT:
		return put_text(m, room, f, member);
	case FIELD_ADDR:
		return put_addr(m, room, f->attr, (const struct addr *)member);
	case FIELD_BYTES:
		return put_bytes(m, room, f->attr, (const struct msg_bytes *)member);
	case FIELD_VERDICT:
		return put_verdict(m, room, f->attr, *(const enum shunt_verdict *)member);
	case FIELD_MAC:
		return memcmp(member, no_mac, sizeof(no_mac)) == 0 ||
		       mnl_attr_put_check(m, room, f->attr, sizeof(no_mac), member);
	default:
		return put_number(m, room, f, member);
	}
}

int msg_put(struct msg_out *o, enum shunt_msg_command command, const void *value)
{
	const struct layout *l = msg_layout(command);
	size_t room = o->size - o->used, i;
	struct shunt_msg_header *h;
	struct nlmsghdr *m;

	if (!l)
		return -EINVAL;
	if (room < MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(*h)))
		return -EMSGSIZE;
	m = mnl_nlmsg_put_header(o->buf + o->used);
	m->nlmsg_type = SHUNT_MSG_TYPE;
	m->nlmsg_flags = o->flags;
	m->nlmsg_seq = o->seq;
	h = mnl_nlmsg_put_extra_header(m, sizeof(*h));
	h->command = (uint8_t)command;
	h->version = SHUNT_MSG_VERSION;
	for (i = 0; i < l->n; i++)
		if (!put_field(m, room, &l->fields[i], (const char *)value + l->fields[i].offset))
			return -EMSGSIZE;
	o->used += m->nlmsg_len; /* a multiple of 4: every attribute is padded */
	return 0;
}

/* ---- reading ----------------------------------------------------------------------------------*/

const struct nlmsghdr *msg_next(const void **data, size_t *len)
{
	const struct nlmsghdr *m = *data;
	size_t step;

	/* Not mnl_nlmsg_ok(): it compares as int, so that a length of 2^31 and more is fine to it. */
	if (*len < MNL_NLMSG_HDRLEN || m->nlmsg_len > *len || m->nlmsg_len > INT32_MAX ||
	    m->nlmsg_len < MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(struct shunt_msg_header)) ||
	    m->nlmsg_type != SHUNT_MSG_TYPE)
		return NULL;
	step = MNL_ALIGN(m->nlmsg_len);
	if (step > *len)
		step = *len; /* the last one may go without padding */
	*data = (const char *)*data + step;
	*len -= step;
	return m;
}

enum shunt_msg_command msg_command(const struct nlmsghdr *m)
{
	const struct shunt_msg_header *h = mnl_nlmsg_get_payload(m);

	return h->command;
}

unsigned int msg_version(const struct nlmsghdr *m)
{
	const struct shunt_msg_header *h = mnl_nlmsg_get_payload(m);

	return h->version;
}

uint32_t msg_seq(const struct nlmsghdr *m)
{
	return m->nlmsg_seq;
}

static int get_text(const struct field *f, const struct nlattr *a, char *member)
{
	const char *text = mnl_attr_get_payload(a);
	size_t len = mnl_attr_get_payload_len(a);

	if (len == 0 || len > f->size || strnlen(text, len) != len - 1)
		return -EBADMSG;
	memset(member, 0, f->size); /* an attribute may come twice: the last one holds */
	memcpy(member, text, len);
	return 0;
}

static int get_addr(const struct nlattr *a, struct addr *out)
{
	size_t len = mnl_attr_get_payload_len(a);

	if (len != 4 && len != 16)
		return -EBADMSG;
	memset(out, 0, sizeof(*out));
	out->family = len == 4 ? 4 : 6;
	memcpy(out->bytes, mnl_attr_get_payload(a), len);
	return 0;
}

static int get_verdict(const struct nlattr *a, enum shunt_verdict *out)
{
	const char *name = mnl_attr_get_payload(a);
	size_t len = mnl_attr_get_payload_len(a);
	enum shunt_verdict v = SHUNT_GO_ON + 1;

	if (len == 0 || strnlen(name, len) != len - 1)
		return -EBADMSG;
	while (v < SHUNT_VERDICT_MAX && strcmp(verdict_name(v), name) != 0)
		v++;
	*out = v;
	return 0;
}

static int get_bytes(const struct nlattr *a, struct msg_bytes *out)
{
	size_t len = mnl_attr_get_payload_len(a);

	if (len > sizeof(out->at))
		return -EBADMSG;
	memcpy(out->at, mnl_attr_get_payload(a), len);
	out->len = (uint32_t)len;
	return 0;
}

static int get_u8(const struct field *f, const struct nlattr *a, char *member)
{
	uint8_t value = mnl_attr_get_u8(a);
	uint32_t as_enum = value < f->limit ? value : f->limit;

	if (f->type == FIELD_ENUM)
		memcpy(member, &as_enum, sizeof(as_enum));
	else
		*member = f->type == FIELD_BOOL ? value != 0 : (char)value;
	return 0;
}

static int get_field(const struct field *f, const struct nlattr *a, char *member)
{
	static const uint8_t wire_size[] = {
		[FIELD_U8] = 1,	 [FIELD_BOOL] = 1, [FIELD_ENUM] = 1, [FIELD_U16] = 2,
		[FIELD_U32] = 4, [FIELD_U64] = 8,  [FIELD_MAC] = 6,
	};

	if (f->type == FIELD_TEXT)
		return get_text(f, a, member);
	if (f->type == FIELD_BYTES)
		return get_bytes(a, (struct msg_bytes *)member);
	if (f->type == FIELD_VERDICT)
		return get_verdict(a, (enum shunt_verdict *)member);
	if (f->type == FIELD_ADDR)
		return get_addr(a, (struct addr *)member);
	if (mnl_attr_get_payload_len(a) != wire_size[f->type])
		return -EBADMSG;
	if (wire_size[f->type] == 1)
		return get_u8(f, a, member);
	memcpy(member, mnl_attr_get_payload(a), f->size);
	return 0;
}

static const struct field *find_field(const struct layout *l, uint16_t attr)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (l->fields[i].attr == attr)
			return &l->fields[i];
	return NULL;
}

int msg_get(const struct nlmsghdr *m, enum shunt_msg_command command, void *value)
{
	const struct layout *l = msg_layout(command);
	const char *end = (const char *)m + m->nlmsg_len;
	const struct nlattr *a = mnl_nlmsg_get_payload_offset(m, sizeof(struct shunt_msg_header));
	const struct field *f;
	size_t i;

	if (!l || msg_command(m) != command)
		return -EINVAL;
	for (i = 0; i < l->n; i++)
		memset((char *)value + l->fields[i].offset, 0, l->fields[i].size);
	for (; mnl_attr_ok(a, (int)(end - (const char *)a)); a = mnl_attr_next(a)) {
		f = find_field(l, mnl_attr_get_type(a));
		if (f && get_field(f, a, (char *)value + f->offset) < 0)
			return -EBADMSG;
	}
	return (const char *)a < end ? -EBADMSG : 0;
}
