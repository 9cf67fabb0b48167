/* SPDX-License-Identifier: BSD-2-Clause */
/* What a configuration says of forwarding methods and of where tunnels come from; and which addresses
 * meet vips. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pure/conf_parse.h"
#include "pure/conf_vips.h"

#include "conf_good.h"

static void a_backend_may_have_a_method_of_its_own(void **state)
{
	struct conf *c = parse("interfaces: [eth0]\n"
			       "services:\n"
			       "  - vip: 192.0.2.1\n"
			       "    port: 80\n"
			       "    forward: nat\n"
			       "    backends: [10.0.0.1, 10.0.0.2 forward=dsr,\n"
			       "      {address: 10.0.0.3, forward: gue}, 192.0.2.1 forward=local]\n"
			       "    backends_file: b\n"
			       "  - {vip: 192.0.2.2, port: 80, backends: [10.0.0.1]}\n"
			       "  - {vip: 192.0.3.0/24, port: any, backends: [10.0.0.1,\n"
			       "     192.0.3.7 forward=local name=this]}\n",
			       "10.0.0.4:8080 weight=2 forward=masq name=m\n10.0.0.5:8080\n"
			       "2001:db8::1 forward=ipip\n");
	static const enum shunt_forward wanted[] = {SHUNT_NAT,	SHUNT_DSR, SHUNT_GUE, SHUNT_LOCAL,
						    SHUNT_MASQ, SHUNT_NAT, SHUNT_IPIP};

	(void)state;
	assert_int_equal(c->services[0].n_backends, 7);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(c->services[0].backends[i].forward, wanted[i]);
	assert_true(conf_service_translates(&c->services[0]));
	assert_int_equal(c->services[1].backends[0].forward, SHUNT_IPIP);
	assert_false(conf_service_translates(&c->services[1]));
	assert_int_equal(c->services[2].backends[1].forward, SHUNT_LOCAL);
	conf_free(c);
}

static void assert_source(const struct conf_source *s, const char *text, uint8_t bits)
{
	char is[ADDR_TEXT_MAX];

	assert_string_equal(addr_format(&s->addr, is), text);
	assert_int_equal(s->bits, bits);
}

static void a_service_may_say_where_its_tunnels_come_from(void **state)
{
	struct conf *c =
		parse("interfaces: [eth0]\n"
		      "tunnel_source: 100.64.0.0/28\n"
		      "tunnel_source6: 2001:db8:5::/96\n"
		      "gue_checksum: zero\n"
		      "services:\n"
		      "  - {vip: 192.0.2.1, port: 80, backends: [10.0.0.1]}\n"
		      "  - {vip: 192.0.2.1, port: 81, backends: [10.0.0.1], forward: gue,\n"
		      "     tunnel_source: 100.0.0.0/8, tunnel_source6: 2001:db8:6::/124,\n"
		      "     gue_checksum: full}\n"
		      "  - {vip: 192.0.2.1, port: 82, forward: dsr, tunnel_source: 100.64.1.7,\n"
		      "     backends_file: b}\n",
		      "");

	(void)state;
	assert_source(&c->services[0].tunnel.source4, "100.64.0.0", 4);
	assert_source(&c->services[0].tunnel.source6, "2001:db8:5::", 32);
	assert_int_equal(c->services[0].tunnel.gue_checksum, CONF_GUE_ZERO);
	assert_source(&c->services[1].tunnel.source4, "100.0.0.0", 24);
	assert_source(&c->services[1].tunnel.source6, "2001:db8:6::", 4);
	assert_int_equal(c->services[1].tunnel.gue_checksum, CONF_GUE_FULL);
	assert_source(&c->services[2].tunnel.source4, "100.64.1.7", 0);
	conf_free(c);
	c = parse("interfaces: [eth0]\nservices: []\n", "");
	assert_source(&c->tunnel.source4, "none", 0);
	assert_int_equal(c->tunnel.gue_checksum, CONF_GUE_FULL);
	conf_free(c);
}

/* ---- vips ---------------------------------------------------------------------------------------*/

#define N 40

static uint32_t word_of(const struct addr *a)
{
	return (uint32_t)a->bytes[2] << 8 | a->bytes[3];
}

/* A prefix within 10.0.0.0/16, or within 2001::/112. */
static struct addr pick(uint8_t *bits)
{
	struct addr a = {.family = 4, .bytes = {10, 0, (uint8_t)rand(), (uint8_t)rand()}};

	if (rand() % 2)
		a = (struct addr){.family = 6,
				  .bytes = {0x20, 1, (uint8_t)rand(), (uint8_t)rand()}};
	*bits = (uint8_t)(rand() % 2 ? addr_bits(&a) : 16 + rand() % 17);
	addr_clear_beyond(&a, *bits);
	return a;
}

static bool meet(const struct addr *a, uint8_t a_bits, const struct addr *b, uint8_t b_bits)
{
	uint8_t bits = a_bits < b_bits ? a_bits : b_bits;

	if (bits > 32)
		bits = 32; /* the rest is 0 in both */
	return a->family == b->family && (word_of(a) ^ word_of(b)) >> (32 - bits) == 0;
}

static void an_address_meets_a_vip_when_one_is_within_the_other(void **state)
{
	struct conf_service services[N] = {0};
	const struct conf conf = {.services = services, .n_services = N};
	unsigned int met = 0;

	(void)state;
	srand(3);
	for (int round = 0; round < 500; round++) {
		struct conf_vips v;

		for (int i = 0; i < N; i++)
			services[i].vip = pick(&services[i].vip_bits);
		assert_int_equal(conf_vips_init(&v, &conf), 0);
		for (int k = 0; k < 100; k++) {
			const struct conf_service *s;
			uint8_t bits;
			struct addr a = pick(&bits);
			bool any = false;

			for (int i = 0; i < N; i++)
				any |= meet(&a, bits, &services[i].vip, services[i].vip_bits);
			s = conf_vips_meet(&v, &a, bits);
			assert_int_equal(s != NULL, any);
			assert_true(!s || meet(&a, bits, &s->vip, s->vip_bits));
			met += any;
		}
		conf_vips_fini(&v);
	}
	assert_in_range(met, 1000, 49000);
}

static void without_services_nothing_meets(void **state)
{
	const struct conf conf = {0};
	struct addr a = {.family = 4, .bytes = {10, 0, 0, 1}};
	struct conf_vips v;

	(void)state;
	assert_int_equal(conf_vips_init(&v, &conf), 0);
	assert_null(conf_vips_meet(&v, &a, 32));
	conf_vips_fini(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_backend_may_have_a_method_of_its_own),
		cmocka_unit_test(a_service_may_say_where_its_tunnels_come_from),
		cmocka_unit_test(an_address_meets_a_vip_when_one_is_within_the_other),
		cmocka_unit_test(without_services_nothing_meets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
