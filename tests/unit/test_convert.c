/* SPDX-License-Identifier: BSD-2-Clause */
/* What is made of other balancers' configurations is what stands beside them in configs/convert and
 * tests/unit/convert, and whatever is made is a configuration that shuntd takes. With UPDATE_GOLDEN=1
 * these are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/conf_file.h"
#include "io/conf_include.h"
#include "pure/conf_parse.h"
#include "pure/convert.h"

typedef void reader_fn(struct convert *c, const char *text);

static const struct {
	const char *file, *made;
	reader_fn *read;
} examples[] = {
	{"configs/convert/ipvsadm.rules", "configs/convert/ipvsadm.yaml", convert_ipvsadm},
	{"configs/convert/keepalived.conf", "configs/convert/keepalived.yaml", convert_keepalived},
	{"configs/convert/haproxy.cfg", "configs/convert/haproxy.yaml", convert_haproxy},
	{"tests/unit/convert/options.rules", "tests/unit/convert/options.yaml", convert_ipvsadm},
	{"tests/unit/convert/groups.conf", "tests/unit/convert/groups.yaml", convert_keepalived},
	{"tests/unit/convert/checkers.conf", "tests/unit/convert/checkers.yaml",
	 convert_keepalived},
	{"tests/unit/convert/include.conf", "tests/unit/convert/include.yaml", convert_keepalived},
	{"tests/unit/convert/tcp.cfg", "tests/unit/convert/tcp.yaml", convert_haproxy},
};
#define EXAMPLES (sizeof(examples) / sizeof(examples[0]))

static int give_text(void *arg, const char *path, char **data, size_t *len)
{
	(void)path;
	*data = strdup(arg);
	*len = strlen(*data);
	return 0;
}

static const char *base_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

static char *read_example(const char *path)
{
	char *text = NULL;
	size_t len;

	if (conf_read_file(NULL, path, &text, &len) < 0)
		fail_msg("%s: cannot be read", path);
	return text;
}

/* *out is the caller's, NULL: no service was left. Fails when shuntd would not take it. */
static void convert(const char *path, reader_fn *read, const char *text, char **out)
{
	const struct convert_options options = {.file = strrchr(path, '/') ? base_name(path) : path,
						.path = path,
						.include = conf_include,
						.config_id = "main",
						.interface = "eth0",
						.vip = {4, {203, 0, 113, 54}}};
	struct convert c = {.options = &options};
	struct conf_error why = {""};
	struct conf *conf = NULL;
	int err;

	read(&c, text);
	err = convert_write(&c, out);
	convert_fini(&c);
	assert_true(err == 0 || err == -ENOENT);
	if (err) {
		free(*out);
		*out = NULL;
		return;
	}
	if (conf_parse("output", give_text, *out, &conf, &why) < 0)
		fail_msg("%s\nin:\n%s\nof:\n%s", why.text, *out, text);
	conf_free(conf);
}

static void examples_are_as_they_stand_beside(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < EXAMPLES; i++) {
		char *text = read_example(examples[i].file), *made = NULL, *expected;

		convert(examples[i].file, examples[i].read, text, &made);
		assert_non_null(made);
		if (getenv("UPDATE_GOLDEN")) {
			FILE *f = fopen(examples[i].made, "w");

			assert_non_null(f);
			fputs(made, f);
			fclose(f);
		}
		expected = read_example(examples[i].made);
		assert_string_equal(made, expected);
		free(expected);
		free(made);
		free(text);
	}
}

/* Also each read as what it is not. */
static void whatever_is_cut_off_shuntd_takes_what_is_made(void **state)
{
	size_t i, k, at;

	(void)state;
	for (i = 0; i < EXAMPLES; i++) {
		char *text = read_example(examples[i].file);

		for (at = strlen(text); at-- > 0;) {
			text[at] = '\0';
			for (k = 0; k < EXAMPLES; k++) {
				char *made = NULL;

				convert("cut", examples[(i + k) % EXAMPLES].read, text, &made);
				free(made);
				if (at % 16)
					break;
			}
		}
		free(text);
	}
}

static const struct {
	reader_fn *read;
	const char *text, *part; /* of what is made; NULL: no service is left */
} bounds[] = {
	{convert_ipvsadm, "-A -t 192.0.2.1:80\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -g -w 9999\n",
	 "weight: 1000"},
	{convert_ipvsadm, "-A -t 192.0.2.1:80\n-a -t 192.0.2.1:80 -r 10.0.0.1:81 -g\n",
	 "# x:1: port 81 of 10.0.0.1: dsr leaves ports as they are"},
	{convert_ipvsadm, "-A -t 192.0.2.1:80 -p 99999\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -i\n",
	 "affinity_timeout: 7200s"},
	{convert_ipvsadm, "-A -t 192.0.2.1:80 -p\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m\n",
	 "scheduler: sh"},
	{convert_ipvsadm, "-A -t 192.0.2.1:0\n-a -t 192.0.2.1:0 -r 10.0.0.1:0 -i --tun-type gue\n",
	 "port: any\n    protocol: tcp\n    scheduler: wlc\n    forward: gue"},
	{convert_ipvsadm, "-A -t 192.0.2.1:80\n-a -t 192.0.2.1:80 -r 192.0.2.1:80 -m\n", NULL},
	{convert_ipvsadm, "-A -t 192.0.2.1:80\n-a -t 192.0.2.1:80 -r [fd00::1]:80 -g\n", NULL},
	{convert_ipvsadm, "-A -t 192.0.2.1:80\n", NULL},
	{convert_ipvsadm, "", NULL},
	{convert_keepalived,
	 "virtual_server 192.0.2.1 80 { protocol TCP\n quorum 2\n real_server 10.0.0.1 80 "
	 "{ weight 1 } }",
	 "quorum 2: without a server"},
	{convert_keepalived, "virtual_server_group g {\n 192.0.2.1 80\n}\n", NULL},
	{convert_haproxy,
	 "defaults\n mode tcp\nlisten -a:b\n bind 192.0.2.1:80\n balance uri\n"
	 " server \"x y\" 10.0.0.1:80\n server z 10.0.0.1:81\n",
	 "name: _a-b\n    protocol: tcp\n    scheduler: maglev\n"},
	{convert_haproxy,
	 "listen a\n mode tcp\n bind 192.0.2.1:80\n option httpchk\n"
	 " http-check expect status 200,204\n timeout check 9s\n server x 10.0.0.1:80 "
	 "check\n",
	 "check: { type: http, interval: 9s, timeout: 9s, method: OPTIONS, status: [200, "
	 "204] }"},
	{convert_haproxy,
	 "frontend a\n bind 192.0.2.1:99999\n bind x:80\n server y 10.0.0.1:80\n"
	 " default_backend missing\n",
	 NULL},
	{convert_haproxy, "listen a\n mode http\n bind 192.0.2.1:80\n server x 10.0.0.1:80\n",
	 NULL},
	{convert_haproxy,
	 "listen a\n mode tcp\n bind 192.0.2.1:80\n"
	 " server-template web 3 10.0.0.1:80 weight 2\n",
	 "- { address: \"10.0.0.1\", port: 80, name: web1, weight: 6 }"},
	{convert_haproxy,
	 "listen a\n mode tcp\n bind 192.0.2.1:80\n server-template web 4-4 10.0.0.1:80\n",
	 "name: web4 }"},
};

static void what_shunt_cannot_have_is_brought_within_its_bounds(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		char *made = NULL;

		convert("x", bounds[i].read, bounds[i].text, &made);
		if (!made != !bounds[i].part || (made && !strstr(made, bounds[i].part)))
			fail_msg("\"%s\" is not in:\n%s\nof:\n%s",
				 bounds[i].part ? bounds[i].part : "", made ? made : "nothing",
				 bounds[i].text);
		free(made);
	}
}

static size_t include_what_cannot_be_read(const char *from, const char *pattern,
					  convert_file_fn *each, void *arg)
{
	(void)from;
	each(arg, pattern, NULL);
	return 1;
}

/* What is said of a text: the remarks, a line each. */
static void remarks_of(reader_fn *read, const char *text, char *out, size_t size)
{
	const struct convert_options options = {
		.file = "x", .interface = "eth0", .include = include_what_cannot_be_read};
	struct convert c = {.options = &options};
	char *made = NULL;
	size_t i, used = 0;

	read(&c, text);
	(void)convert_write(&c, &made);
	out[0] = '\0';
	for (i = 0; i < c.n_remarks && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%u: %s\n", c.remarks[i].at.line,
					 c.remarks[i].text);
	free(made);
	convert_fini(&c);
}

#define IPVS "-A -t 192.0.2.1:80\n"
#define KEEPALIVED "virtual_server 192.0.2.1 80 {\n"
#define LISTEN "listen a\n mode tcp\n bind 192.0.2.1:80\n"
#define FOUR_BINDS "bind :1\nbind :2\nbind :3\nbind :4\n"
#define SIXTEEN(x) x x x x x x x x x x x x x x x x

static const struct {
	reader_fn *read;
	const char *text, *remark;
} remarks[] = {
	{convert_ipvsadm, "-A -t 192.0.2.1:80 -s xx\n",
	 "1: scheduler xx: there is none like it; maglev is taken"},
	{convert_ipvsadm, IPVS "-a -t 192.0.2.1:80 -r 10.0.0.1:80 -i --tun-type ip6ip6\n",
	 "2: --tun-type ip6ip6: taken for ipip"},
	{convert_ipvsadm, IPVS "-a -t 192.0.2.1:80 -r web1:http -g\n",
	 "2: web1:http is no address: ipvsadm-save -n prints them"},
	{convert_ipvsadm, "-Z\n", "1: -Z: no rule of ipvsadm-save"},
	{convert_ipvsadm, IPVS "-a -t 192.0.2.1:80 -r 192.0.2.1:80 -g\n",
	 "1: backend 192.0.2.1 is left out: it is the service's own; write forward: local"},
	{convert_ipvsadm, IPVS "-a -t 192.0.2.1:80 -r 127.0.0.1:80 -g\n",
	 "1: backend 127.0.0.1 is left out: no server can have it"},
	{convert_ipvsadm, IPVS "-a -t 192.0.2.1:80 -r [fd00::1]:80 -g\n",
	 "is left out: it is of another family than the service's, which dsr and masq"},
	{convert_ipvsadm,
	 IPVS "-a -t 192.0.2.1:80 -r 10.0.0.1:80 -i\n-a -t 192.0.2.1:80 -r 10.0.0.1:81 -i\n",
	 "is left out: another backend has it, and shunt takes each address once"},
	{convert_keepalived, KEEPALIVED "lb_kind ROUTE\n}\n",
	 "2: method ROUTE: there is none like it; ipip is taken"},
	{convert_keepalived,
	 KEEPALIVED "real_server 10.0.0.1 80 {\nFILE_CHECK {\nretry 2\n}\n}\n}\n",
	 "3: FILE_CHECK: not carried over: a tcp check is made; type: exec can look"},
	{convert_keepalived, KEEPALIVED "real_server 10.0.0.1 80 {\nTCP_CHECK {\nwarp 9\n}\n}\n}\n",
	 "4: warp of a check: not carried over: shunt has nothing like it"},
	{convert_haproxy, "listen a\nmode tcp\nbind web.example:80\n",
	 "3: bind web.example:80: neither an address and port nor a range of ports: left"},
	{convert_keepalived,
	 KEEPALIVED "real_server 10.0.0.1 80 {\nUDP_CHECK {\nrequire_reply\n}\n}\n}\n",
	 "4: require_reply: any reply will do"},
	{convert_keepalived, "include a.conf\n", "1: include a.conf: it cannot be read"},
	{convert_keepalived, "@main router_id a\n",
	 "1: @main: not carried over: --config-id says which host it is for"},
	{convert_keepalived, "$A= \\\n $A x \\\n $A\n$A\n",
	 "4: more than 200000 lines come of this: the rest is left out"},
	{convert_keepalived, "$A=1\nx ${_ENV HOME}\n",
	 "2: ${_ENV HOME}: not carried over: write its value"},
	{convert_haproxy, LISTEN "server-template b 5-3 10.0.0.1:80\n",
	 "4: server-template b 5-3: neither a number nor a range: left out"},
	{convert_haproxy, LISTEN "server-template b 3 web.example:80\n",
	 "4: server-template b1: web.example:80 is no address: left out"},
	{convert_keepalived, "virtual_server web.example 80 {\n}\n",
	 "1: virtual_server web.example 80: no address"},
	{convert_haproxy, "frontend f\nserver b 10.0.0.1:80\n",
	 "2: server: it is no part of this section"},
	{convert_haproxy, LISTEN "server b 10.0.0.1:80 source 10.0.0.9\n",
	 "4: source of a server: not carried over"},
	{convert_haproxy, LISTEN "balance hdr(host)\n",
	 "4: balance hdr(host): there is none like it, since shunt does not look into"},
	{convert_haproxy, LISTEN "option mysql-check\n", "4: option mysql-check: not carried over"},
	{convert_haproxy, LISTEN "timeout tarpit 5s\n", "4: timeout tarpit: not carried over"},
	{convert_haproxy, LISTEN "stick on dst\n",
	 "4: stick on dst: not carried over: affinity: source knows sources alone"},
	{convert_haproxy, LISTEN "http-check send body x\n",
	 "4: http-check send: not carried over: probes have no body"},
	{convert_haproxy, LISTEN "server b 10.0.0.1:80\nuse_backend x if { src 10.0.0.9 }\n",
	 "5: use_backend x: not carried over: shunt decides by the service's address and port"},
	{convert_haproxy,
	 LISTEN "server b 10.0.0.1:80 check\noption httpchk\n"
		"http-check expect status 2xx\n",
	 "3: status 2xx of the check: 200 to 399 are taken"},
	{convert_haproxy, LISTEN "server b 10.0.0.1:80 check\noption httpchk GET here\n",
	 "3: path here of the check: / is taken"},
	{convert_haproxy, "listen a\n mode tcp\n bind :80\n", "a has no backend: left out"},
	{convert_haproxy, "listen a\n" SIXTEEN(FOUR_BINDS) "bind :80\n",
	 "66: more than 64 binds in a section: this one is left out"},
	{convert_haproxy, SIXTEEN(SIXTEEN("backend b\n")) "listen a\n",
	 "257: more than 256 sections: this one is left out"},
};

static void what_is_not_carried_over_is_said(void **state)
{
	char said[4096];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(remarks) / sizeof(remarks[0]); i++) {
		remarks_of(remarks[i].read, remarks[i].text, said, sizeof(said));
		if (!strstr(said, remarks[i].remark))
			fail_msg("\"%s\" is not said of:\n%s\nbut:\n%s", remarks[i].remark,
				 remarks[i].text, said);
	}
}

static void addresses_are_read_with_and_without_ports(void **state)
{
	static const struct {
		const char *text;
		int good, family, port;
	} rows[] = {
		{"1.2.3.4:80", 1, 4, 80},
		{"1.2.3.4", 1, 4, 0},
		{"[2001:db8::1]:80", 1, 6, 80},
		{"2001:db8::1", 1, 6, 0},
		{"[2001:db8::1]", 1, 6, 0},
		{"1.2.3.4:99999", 0, 0, 0},
		{"example.com:80", 0, 0, 0},
		{"[::1", 0, 0, 0},
		{"", 0, 0, 0},
		{"1.2.3.4:", 0, 0, 0},
		{"[::1]80", 0, 0, 0},
	};
	struct addr a;
	uint16_t port;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (convert_endpoint(rows[i].text, &a, &port) != rows[i].good)
			fail_msg("%s", rows[i].text);
		if (rows[i].good) {
			assert_int_equal(a.family, rows[i].family);
			assert_int_equal(port, rows[i].port);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_are_as_they_stand_beside),
		cmocka_unit_test(whatever_is_cut_off_shuntd_takes_what_is_made),
		cmocka_unit_test(what_shunt_cannot_have_is_brought_within_its_bounds),
		cmocka_unit_test(what_is_not_carried_over_is_said),
		cmocka_unit_test(addresses_are_read_with_and_without_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
