/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames that scapy has built (golden.py): what comes in and what must leave, byte by byte, for every
 * method and family, and both ways where replies come back.  The file is made anew and compared where
 * scapy is installed. */
#include "fixture.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define GOLDEN "tests/packet/golden.txt"
#define MAKE_GOLDEN "/usr/bin/python3 tests/packet/golden.py 2>/dev/null"
#define LINE_MAX 8192

/* What a line that begins with "case" says of the backend. */
struct golden {
	char says[LINE_MAX];
	uint8_t family, proto; /* of the service */
	enum shunt_forward method;
	uint8_t outer; /* family of the backend; 0: none is needed */
	unsigned int tags, bits, csum;
};

static enum shunt_forward method_of(const char *name)
{
	static const char *const names[SHUNT_FORWARD_MAX] = {
		[SHUNT_DSR] = "dsr", [SHUNT_IPIP] = "ipip", [SHUNT_LOCAL] = "local",
		[SHUNT_NAT] = "nat", [SHUNT_MASQ] = "masq", [SHUNT_GUE] = "gue",
		[SHUNT_GRE] = "gre",
	};

	for (enum shunt_forward m = 0; m < SHUNT_FORWARD_MAX; m++)
		if (names[m] && strcmp(names[m], name) == 0)
			return m;
	fail_msg("%s: no such method", name);
	return SHUNT_FORWARD_MAX;
}

static void golden_read(const char *line, struct golden *g)
{
	unsigned int family, outer;
	char method[16], proto[16];

	assert_int_equal(sscanf(line,
				"case method=%15s family=%u proto=%15s outer=%u tags=%u bits=%u "
				"csum=%u",
				method, &family, proto, &outer, &g->tags, &g->bits, &g->csum),
			 7);
	snprintf(g->says, sizeof(g->says), "%s", line);
	g->method = method_of(method);
	g->family = (uint8_t)family;
	g->outer = (uint8_t)outer;
	g->proto = strcmp(proto, "tcp") == 0 ? IPPROTO_TCP : IPPROTO_UDP;
}

/* 10.0.0.1 and fd01::ab00:0:0:1; 10.255.0.1 and fd02::cd00:0:0:1, less the bits that flows fill in. */
static void addresses(const struct golden *g, struct shunt_backend *be)
{
	uint32_t *last = &be->source[g->outer == 6 ? 3 : 0];

	memset(be->addr, 0, 16);
	memset(be->source, 0, 16);
	if (g->outer == 6) {
		memcpy(be->addr, (uint8_t[]){0xfd, 1, [8] = 0xab, [15] = 1}, 16);
		memcpy(be->source, (uint8_t[]){0xfd, 2, [8] = 0xcd, [15] = 1}, 16);
	} else {
		memcpy(be->addr, (uint8_t[]){10, 0, 0, 1}, 4);
		memcpy(be->source, (uint8_t[]){10, 255, 0, 1}, 4);
	}
	if (g->bits)
		*last &= htonl(~(uint32_t)((1ull << g->bits) - 1) | 3);
}

/* Has the service forward as the case says. */
static void golden_setup(void **state, const struct golden *g)
{
	struct fixture *f = *state;
	struct shunt_service *svc;
	struct shunt_backend *be;

	fixture_reset(state);
	svc = world_service(f, g->family, g->proto, WORLD_DSR);
	if (g->method == SHUNT_NAT || g->method == SHUNT_MASQ)
		svc->flags |= SHUNT_SVC_NAT;
	be = &f->backends[svc->row + 1];
	memcpy(be->dmac, (uint8_t[]){2, 0xbe, 0, 0, 0, 1}, 6);
	memcpy(be->smac, (uint8_t[]){2, 0x5c, 0, 0, 0, 1}, 6);
	be->method = (uint8_t)g->method;
	be->flags = SHUNT_BE_USABLE | (g->outer == 6 ? SHUNT_BE_ADDR6 : 0) |
		    (g->csum ? SHUNT_BE_UDP_CSUM : 0);
	be->tags = (uint8_t)g->tags;
	be->vlan_tci[0] = htons(0x0123);
	be->vlan_tci[1] = htons(0x0456);
	be->source_bits = (uint8_t)g->bits;
	be->port = htons(8080);
	addresses(g, be);
	be->outer_csum = svc->flags & SHUNT_SVC_NAT ? 0 : world_outer_csum(g->family, be);
	f->nat_ctl->first_port = 10000;
	f->nat_ctl->ports = 20000;
	for (int i = 0; i < SHUNT_NAT_T_MAX; i++)
		f->nat_ctl->timeout[i] = 1000;
}

/* From one family to the other a short packet gets an id by chance: makes it 0, and the checksum what it
 * is then. */
static void clear_id(struct frame *f)
{
	uint8_t *ip = f->bytes + 12;

	while (get16(ip) == 0x8100 || get16(ip) == 0x88a8)
		ip += 4;
	if (get16(ip) != 0x0800)
		return;
	ip += 2;
	assert_int_equal(fold16(sum16(0, ip, 20)), 0xffff);
	put16(ip + 4, 0);
	put16(ip + 10, 0);
	put16(ip + 10, (uint16_t)~fold16(sum16(0, ip, 20)));
}

/* The frame in hex behind the first word of @line. */
static void frame_read(const char *line, struct frame *out)
{
	const char *hex = strchr(line, ' ');
	unsigned int byte;

	assert_non_null(hex);
	for (out->len = 0, hex++; sscanf(hex, "%2x", &byte) == 1; hex += 2) {
		assert_true(out->len < FRAME_MAX);
		out->bytes[out->len++] = (uint8_t)byte;
	}
}

static void golden_run(struct fixture *f, const struct golden *g, const struct frame *in,
		       const struct frame *out)
{
	struct outcome o;

	fixture_run_poisoned(f, in, 0xa5, &o);
	if (o.action != (g->method == SHUNT_LOCAL ? XDP_PASS : XDP_TX) || o.out.len != out->len)
		fail_msg("%s: action %d, %zu bytes, not %zu", g->says, o.action, o.out.len,
			 out->len);
	if (g->method == SHUNT_NAT && g->family != g->outer)
		clear_id(&o.out);
	for (size_t i = 0; i < out->len; i++)
		if (o.out.bytes[i] != out->bytes[i])
			fail_msg("%s: byte %zu is %02x, not %02x", g->says, i, o.out.bytes[i],
				 out->bytes[i]);
}

static void what_leaves_is_what_scapy_builds(void **state)
{
	static char line[LINE_MAX];
	FILE *file = fopen(GOLDEN, "r");
	struct golden g = {0};
	unsigned int cases = 0;
	struct frame in, out;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "case ", 5) == 0) {
			golden_read(line, &g);
			golden_setup(state, &g);
			cases++;
		} else if (strncmp(line, "in ", 3) == 0) {
			frame_read(line, &in);
		} else if (strncmp(line, "out ", 4) == 0) {
			frame_read(line, &out);
			golden_run(*state, &g, &in, &out);
		} else {
			assert_int_equal(line[0], '#');
		}
	}
	fclose(file);
	assert_true(cases > 100); /* else this tested nothing */
}

static void the_file_is_what_its_script_writes(void **state)
{
	static char line[LINE_MAX], must[LINE_MAX];
	FILE *file, *made;
	int n = 0;

	(void)state;
	if (system("/usr/bin/python3 -c 'import scapy' 2>/dev/null"))
		skip();
	file = fopen(GOLDEN, "r");
	made = popen(MAKE_GOLDEN, "r");
	assert_true(file && made);
	while (fgets(must, sizeof(must), made)) {
		n++;
		if (!fgets(line, sizeof(line), file) || strcmp(line, must))
			fail_msg(GOLDEN ":%d: python3 tests/packet/golden.py > " GOLDEN, n);
	}
	assert_null(fgets(line, sizeof(line), file));
	assert_int_equal(pclose(made), 0);
	fclose(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_leaves_is_what_scapy_builds),
		cmocka_unit_test(the_file_is_what_its_script_writes),
	};

	return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
