/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture_nat_error.h"

#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

void nat_assert_leaves(struct fixture *f, const struct frame *in, const struct frame *must,
		       bool to_client)
{
	struct outcome o;

	fixture_run(f, in, &o);
	assert_int_equal(o.action, XDP_TX);
	assert_int_equal(o.verdicts, to_client);
	if (to_client)
		assert_int_equal(o.verdict, SHUNT_RETURN_NAT);
	else
		assert_int_equal(o.packets, 1);
	assert_int_equal(o.out.len, must->len);
	assert_memory_equal(o.out.bytes, must->bytes, must->len);
	fixture_run_poisoned(f, in, 0xa5, &o);
	assert_int_equal(o.out.len, must->len);
	assert_memory_equal(o.out.bytes, must->bytes, must->len);
}

void nat_error_about(const struct recipe *from, const struct recipe *of, size_t quoted,
		     struct frame *out)
{
	struct frame whole;
	struct icmp m = {.type = from->family == 4 ? 3 : 1,
			 .code = from->family == 4 ? 1 : 3,
			 .rest = 0x05dc};

	frame_build(of, &whole);
	m.body = whole.bytes + whole.l3;
	m.len = quoted < whole.l3_len ? quoted : whole.l3_len;
	rare_icmp(from, &m, out);
}

struct recipe nat_router_of(const struct recipe *sent)
{
	struct recipe e = nat_answer(sent);

	memset(e.src, 0, 16);
	e.src[0] = e.family == 4 ? 172 : 0xfd;
	e.src[1] = 0x1f;
	e.src[3] = 9;
	e.payload = 0;
	e.n_ext = e.option_words = 0;
	return e;
}

void nat_error_of(const struct recipe *from, const struct recipe *of, size_t quoted, struct icmp m,
		  struct frame *out)
{
	struct frame whole;

	frame_build(of, &whole);
	m.body = whole.bytes + whole.l3;
	m.len = quoted;
	rare_icmp(from, &m, out);
}
