/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages: what goes in comes out, and nothing else gets through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdio.h>
#include <string.h>

#include "pure/msg.h"
#include "pure/msg_fields.h"

#define ALL_COMMANDS 256

struct packet {
	char bytes[SHUNT_MSG_PAGE_MAX] __attribute__((aligned(8)));
	struct msg_out out;
};

static void packet_init(struct packet *p)
{
	memset(p, 0xa5, sizeof(*p)); /* so that forgotten bytes show */
	p->out = (struct msg_out){.buf = p->bytes, .size = sizeof(p->bytes), .seq = 7};
}

static const struct nlmsghdr *first(const struct packet *p)
{
	const void *data = p->bytes;
	size_t len = p->out.used;

	return msg_next(&data, &len);
}

/* Any struct that a message can carry. */
union any {
	union msg_row row;
	struct msg_get get;
	struct msg_reply reply;
	struct msg_event event;
	struct ctl_command command;
	struct explain_ask ask;
	struct view_frame frame;
	struct view_traced traced;
};

/* A value of its own in every member that the layout names. */
static void fill(const struct layout *l, union any *v, unsigned int salt)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		const struct field *f = &l->fields[i];
		char *member = (char *)v + f->offset;
		uint64_t number = 0x0123456789abcdefull * (salt + i + 1) | 1;
		uint32_t as_enum = (uint32_t)(f->limit ? (salt + i) % f->limit : 0);
		struct addr a = {.family = (salt + i) % 2 ? 4 : 6, .bytes = {1, 2, 3, 4}};
		struct msg_bytes bytes = {.len = 5 + (uint32_t)i, .at = {9, 8, 7, 0, 5}};

		switch (f->type) {
		case FIELD_TEXT:
			snprintf(member, f->size, "text %u of attribute %u", salt, f->attr);
			break;
		case FIELD_ADDR:
			memcpy(member, &a, sizeof(a));
			break;
		case FIELD_BYTES:
			memcpy(member, &bytes, sizeof(bytes));
			break;
		case FIELD_ENUM:
			memcpy(member, &as_enum, sizeof(as_enum));
			break;
		case FIELD_VERDICT:
			as_enum = 1 + salt % (SHUNT_VERDICT_MAX - 1);
			memcpy(member, &as_enum, sizeof(as_enum));
			break;
		case FIELD_BOOL:
			*member = 1;
			break;
		default:
			memcpy(member, &number, f->size);
		}
	}
}

static void every_member_of_every_message_survives(void **state)
{
	union any in, out;
	struct packet p;
	int command, seen = 0;

	(void)state;
	for (command = 0; command < ALL_COMMANDS; command++) {
		const struct layout *l = msg_layout(command);

		if (!l)
			continue;
		seen++;
		memset(&in, 0, sizeof(in));
		memset(&out, 0, sizeof(out));
		fill(l, &in, (unsigned int)command);
		packet_init(&p);
		assert_int_equal(msg_put(&p.out, command, &in), 0);
		assert_non_null(first(&p));
		assert_int_equal(msg_command(first(&p)), command);
		assert_int_equal(msg_version(first(&p)), SHUNT_MSG_VERSION);
		assert_int_equal(msg_seq(first(&p)), 7);
		assert_int_equal(msg_get(first(&p), command, &out), 0);
		assert_memory_equal(&in, &out, sizeof(in));
	}
	assert_true(seen >= 26); /* none that there was is lost */
}

/* The model must not have a member that the layout forgot. */
static void the_layouts_cover_their_structs(void **state)
{
	static const struct {
		enum shunt_msg_command command;
		size_t size;
	} structs[] = {
		{SHUNT_MSG_STATUS, sizeof(struct view_status)},
		{SHUNT_MSG_INTERFACE, sizeof(struct view_interface)},
		{SHUNT_MSG_SERVICE, sizeof(struct view_service)},
		{SHUNT_MSG_BACKEND, sizeof(struct view_backend)},
		{SHUNT_MSG_VERDICT, sizeof(struct view_verdict)},
		{SHUNT_MSG_FINGERPRINT, sizeof(struct view_fingerprint)},
		{SHUNT_MSG_HISTORY, sizeof(struct history_event)},
		{SHUNT_MSG_FIGURE, sizeof(struct view_figure)},
		{SHUNT_MSG_GET_EXPLAIN, sizeof(struct explain_ask)},
		{SHUNT_MSG_EXPLAIN, sizeof(struct view_explain)},
		{SHUNT_MSG_STEP, sizeof(struct explain_step)},
		{SHUNT_MSG_FRAME, sizeof(struct view_frame)},
		{SHUNT_MSG_FLOW, sizeof(struct view_flow)},
		{SHUNT_MSG_TRACED, sizeof(struct view_traced)},
		{SHUNT_MSG_EVENT, sizeof(struct msg_event)},
		{SHUNT_MSG_REPLY, sizeof(struct msg_reply)},
		{SHUNT_MSG_GET_STATUS, sizeof(struct msg_get)},
	};
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(structs) / sizeof(structs[0]); i++) {
		const struct layout *l = msg_layout(structs[i].command);
		char used[sizeof(union any)] = {0};
		size_t gap = 0;

		for (j = 0; j < l->n; j++)
			memset(used + l->fields[j].offset, 1, l->fields[j].size);
		for (j = 0; j < structs[i].size; j++) {
			gap = used[j] ? 0 : gap + 1;
			assert_in_range(gap, 0, 7); /* padding is shorter than any u64 or text */
		}
	}
}

static void what_is_zero_is_left_out(void **state)
{
	struct view_backend b = {0};
	struct packet p;

	(void)state;
	packet_init(&p);
	assert_int_equal(msg_put_backend(&p.out, &b), 0);
	assert_int_equal(p.out.used, MNL_NLMSG_HDRLEN + sizeof(struct shunt_msg_header));
	memset(&b, 0xff, sizeof(b));
	assert_int_equal(msg_get_backend(first(&p), &b), 0);
	assert_int_equal(b.weight, 0);
	assert_string_equal(b.name, "");
	assert_true(addr_is_none(&b.addr));
}

static void a_message_that_does_not_fit_leaves_nothing(void **state)
{
	union any v = {0};
	struct packet p;
	size_t whole, size;

	(void)state;
	fill(msg_layout(SHUNT_MSG_BACKEND), &v, 3);
	packet_init(&p);
	assert_int_equal(msg_put(&p.out, SHUNT_MSG_BACKEND, &v), 0);
	whole = p.out.used;
	for (size = 0; size < whole; size++) {
		packet_init(&p);
		p.out.size = size;
		assert_int_equal(msg_put(&p.out, SHUNT_MSG_BACKEND, &v), -EMSGSIZE);
		assert_int_equal(p.out.used, 0);
		assert_int_equal((uint8_t)p.bytes[size], 0xa5);
	}
}

static void messages_follow_one_another(void **state)
{
	struct view_verdict v = {.verdict = SHUNT_PASS_ICMP}, got;
	const struct nlmsghdr *m;
	struct packet p;
	const void *data;
	size_t len;
	int n = 0;

	(void)state;
	packet_init(&p);
	for (v.packets = 0; msg_put_verdict(&p.out, &v) == 0; v.packets++)
		;
	data = p.bytes;
	len = p.out.used;
	while ((m = msg_next(&data, &len))) {
		assert_int_equal(msg_get_verdict(m, &got), 0);
		assert_int_equal(got.packets, n++);
	}
	assert_int_equal(len, 0);
	assert_int_equal(n, v.packets);
	assert_true(n > 300);
}

static void a_cut_message_is_no_message(void **state)
{
	union any v = {0};
	struct packet p;
	size_t len;

	(void)state;
	fill(msg_layout(SHUNT_MSG_SERVICE), &v, 1);
	packet_init(&p);
	assert_int_equal(msg_put(&p.out, SHUNT_MSG_SERVICE, &v), 0);
	for (len = 0; len < p.out.used; len++) {
		const void *data = p.bytes;
		size_t left = len;

		assert_null(msg_next(&data, &left));
		assert_int_equal(left, len);
	}
}

static void a_message_that_claims_to_be_longer_is_no_message(void **state)
{
	static const uint32_t claims[] = {0, 15, 16, 19, 2000, 0x7fffffff, 0x80000014, 0xffffffff};
	struct view_status s = {0};
	struct packet p;
	size_t i;

	(void)state;
	packet_init(&p);
	assert_int_equal(msg_put_status(&p.out, &s), 0);
	for (i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
		((struct nlmsghdr *)p.bytes)->nlmsg_len = claims[i];
		assert_null(first(&p));
	}
}

static void another_programs_message_is_none_of_ours(void **state)
{
	struct view_status s = {.pid = 1};
	struct packet p;

	(void)state;
	packet_init(&p);
	assert_int_equal(msg_put_status(&p.out, &s), 0);
	((struct nlmsghdr *)p.bytes)->nlmsg_type = SHUNT_MSG_TYPE + 1;
	assert_null(first(&p));
}

/* A message with one attribute, made by hand. */
static const struct nlmsghdr *with_attribute(struct packet *p, enum shunt_msg_command command,
					     uint16_t attr, const void *value, size_t len)
{
	struct nlmsghdr *m;
	struct shunt_msg_header *h;

	packet_init(p);
	m = mnl_nlmsg_put_header(p->bytes);
	m->nlmsg_type = SHUNT_MSG_TYPE;
	h = mnl_nlmsg_put_extra_header(m, sizeof(*h));
	h->command = (uint8_t)command;
	h->version = SHUNT_MSG_VERSION;
	mnl_attr_put(m, attr, len, value);
	p->out.used = m->nlmsg_len;
	return first(p);
}

static void unknown_attributes_are_skipped(void **state)
{
	struct view_backend b;
	struct packet p;

	(void)state;
	assert_int_equal(
		msg_get_backend(with_attribute(&p, SHUNT_MSG_BACKEND, 999, "future", 6), &b), 0);
}

static void an_unknown_number_of_an_enum_becomes_one_past_the_last(void **state)
{
	struct view_backend b;
	struct view_verdict v;
	uint8_t number = 200;
	struct packet p;

	(void)state;
	assert_int_equal(msg_get_backend(with_attribute(&p, SHUNT_MSG_BACKEND,
							SHUNT_BACKEND_NEXTHOP, &number, 1),
					 &b),
			 0);
	assert_int_equal(b.nexthop, VIEW_NH_MAX);
	assert_int_equal(msg_get_verdict(with_attribute(&p, SHUNT_MSG_VERDICT, SHUNT_VERDICT_NAME,
							"drop_of_the_future", 19),
					 &v),
			 0);
	assert_int_equal(v.verdict, SHUNT_VERDICT_MAX);
}

static void a_value_of_the_wrong_size_is_refused(void **state)
{
	static const struct {
		uint16_t attr;
		const char *value;
		size_t len;
	} bad[] = {
		{SHUNT_BACKEND_NAME, "", 0},
		{SHUNT_BACKEND_NAME, "no end", 6},
		{SHUNT_BACKEND_NAME, "two\0ends", 9},
		{SHUNT_BACKEND_EGRESS, "an interface name far too long", 31},
		{SHUNT_BACKEND_ADDR, "12345", 5},
		{SHUNT_BACKEND_ADDR, "", 0},
		{SHUNT_BACKEND_PORT, "1", 1},
		{SHUNT_BACKEND_PORT, "1234", 4},
		{SHUNT_BACKEND_SLOTS, "12", 2},
		{SHUNT_BACKEND_PACKETS, "1234", 4},
		{SHUNT_BACKEND_MAC, "12345", 5},
		{SHUNT_BACKEND_HEALTH, "12", 2},
		{SHUNT_BACKEND_EDITED, "", 0},
	};
	struct view_backend b;
	struct packet p;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(msg_get_backend(with_attribute(&p, SHUNT_MSG_BACKEND, bad[i].attr,
								bad[i].value, bad[i].len),
						 &b),
				 -EBADMSG);
}

static void an_attribute_longer_than_its_message_is_refused(void **state)
{
	const struct nlmsghdr *m;
	struct view_backend b;
	struct nlattr *a;
	struct packet p;

	(void)state;
	m = with_attribute(&p, SHUNT_MSG_BACKEND, SHUNT_BACKEND_NAME, "name", 5);
	a = mnl_nlmsg_get_payload_offset(m, sizeof(struct shunt_msg_header));
	a->nla_len = 400;
	assert_int_equal(msg_get_backend(m, &b), -EBADMSG);
	a->nla_len = 2;
	assert_int_equal(msg_get_backend(m, &b), -EBADMSG);
}

static void a_text_without_an_end_is_cut_when_it_is_sent(void **state)
{
	struct view_interface in = {0}, out;
	struct packet p;

	(void)state;
	memset(in.name, 'x', sizeof(in.name));
	packet_init(&p);
	assert_int_equal(msg_put_interface(&p.out, &in), 0);
	assert_int_equal(msg_get_interface(first(&p), &out), 0);
	assert_string_equal(out.name, "xxxxxxxxxxxxxxx");
}

static void the_largest_rows_fit_a_page_many_times(void **state)
{
	struct packet p;
	union any v;

	(void)state;
	memset(&v, 'x', sizeof(v));
	v.row.backend.addr.family = 6;
	packet_init(&p);
	assert_int_equal(msg_put(&p.out, SHUNT_MSG_BACKEND, &v), 0);
	assert_true(p.out.used < SHUNT_MSG_PAGE_MAX / 13);
}

/* ---- commands ---------------------------------------------------------------------------------*/

static void every_verb_survives(void **state)
{
	struct ctl_command in = {.service = "web", .backend = "web1", .weight = 1000}, out;
	struct packet p;

	(void)state;
	for (in.verb = 0; in.verb < CTL_VERB_MAX; in.verb++) {
		packet_init(&p);
		out = (struct ctl_command){.uid = 42, .pid = 43};
		assert_int_equal(msg_put_command(&p.out, &in), 0);
		assert_int_equal(msg_get_command(first(&p), &out), 0);
		assert_int_equal(out.verb, in.verb);
		assert_string_equal(out.service, "web");
		assert_string_equal(out.backend, "web1");
		assert_int_equal(out.weight, 1000);
		assert_int_equal(out.uid, 42); /* not from the wire */
		assert_int_equal(out.pid, 43);
	}
	in.verb = CTL_VERB_MAX;
	assert_int_equal(msg_put_command(&p.out, &in), -EINVAL);
}

static int reread(const struct ctl_command *c)
{
	struct ctl_command out = {0};
	struct packet p;

	packet_init(&p);
	assert_int_equal(msg_put_command(&p.out, c), 0);
	return msg_get_command(first(&p), &out);
}

static void a_command_that_lacks_something_is_refused(void **state)
{
	struct ctl_command c = {.verb = CTL_RELOAD};

	(void)state;
	assert_int_equal(reread(&c), 0);
	c.verb = CTL_DRAIN;
	assert_int_equal(reread(&c), -EBADMSG);
	strcpy(c.service, "web");
	assert_int_equal(reread(&c), -EBADMSG);
	strcpy(c.backend, "web1");
	assert_int_equal(reread(&c), 0);
	c.verb = CTL_WEIGHT;
	c.weight = CONF_WEIGHT_MAX + 1;
	assert_int_equal(reread(&c), -EBADMSG);
	c = (struct ctl_command){.verb = CTL_UPGRADE, .accept = true};
	assert_int_equal(reread(&c), 0);
	c.verb = CTL_ROLLBACK;
	assert_int_equal(reread(&c), -EBADMSG);
}

static void a_request_of_one_socket_is_not_taken_on_the_other(void **state)
{
	struct ctl_command c = {.verb = CTL_RELOAD};
	struct msg_get get = {0};
	struct packet p;

	(void)state;
	packet_init(&p);
	assert_int_equal(msg_put_command(&p.out, &c), 0);
	assert_int_equal(msg_get_get(first(&p), &get), -EINVAL);
	packet_init(&p);
	assert_int_equal(msg_put_get(&p.out, SHUNT_MSG_GET_STATUS, &get), 0);
	assert_int_equal(msg_get_command(first(&p), &c), -EINVAL);
	assert_int_equal(msg_put_get(&p.out, SHUNT_MSG_RELOAD, &get), -EINVAL);
}

static void verdicts_go_by_name(void **state)
{
	struct view_verdict v;
	struct packet p;

	(void)state;
	assert_int_equal(msg_get_verdict(with_attribute(&p, SHUNT_MSG_VERDICT, SHUNT_VERDICT_NAME,
							"pass_not_vip", 13),
					 &v),
			 0);
	assert_int_equal(v.verdict, SHUNT_PASS_NOT_VIP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_member_of_every_message_survives),
		cmocka_unit_test(the_layouts_cover_their_structs),
		cmocka_unit_test(what_is_zero_is_left_out),
		cmocka_unit_test(a_message_that_does_not_fit_leaves_nothing),
		cmocka_unit_test(messages_follow_one_another),
		cmocka_unit_test(a_cut_message_is_no_message),
		cmocka_unit_test(a_message_that_claims_to_be_longer_is_no_message),
		cmocka_unit_test(another_programs_message_is_none_of_ours),
		cmocka_unit_test(unknown_attributes_are_skipped),
		cmocka_unit_test(an_unknown_number_of_an_enum_becomes_one_past_the_last),
		cmocka_unit_test(a_value_of_the_wrong_size_is_refused),
		cmocka_unit_test(an_attribute_longer_than_its_message_is_refused),
		cmocka_unit_test(a_text_without_an_end_is_cut_when_it_is_sent),
		cmocka_unit_test(the_largest_rows_fit_a_page_many_times),
		cmocka_unit_test(verdicts_go_by_name),
		cmocka_unit_test(every_verb_survives),
		cmocka_unit_test(a_command_that_lacks_something_is_refused),
		cmocka_unit_test(a_request_of_one_socket_is_not_taken_on_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
