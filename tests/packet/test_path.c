/* SPDX-License-Identifier: BSD-2-Clause */
/* Probes on a client's way: what leaves the namespace, what comes back, and that nothing else does. Frames
 * are built anew where they were rewritten, so their checksums are checked by other code. */
#include "fixture_rare.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "base/addr.h"
#include "io/dp_path.h"
#include "path.skel.h"
#include "shunt_abi.h"
#include "shunt_path.h"

#define NUMBER 7
#define ROW 5
#define PORT 40000
#define LO 1

static struct path_bpf *path;

static const uint8_t families[] = {4, 6}, protos[] = {IPPROTO_TCP, IPPROTO_UDP};
static const uint8_t to_backend[12] = {2, 0, 0, 0, 0, 0xb, 2, 0, 0, 0, 0, 0xa};
static const uint8_t to_probe[6] = {2, 0, 0, 0, 0, 2};
static const uint8_t hosts[2][16] = {{10, 9, 8, 7}, {0xfd, 9, [15] = 7}};
static const uint8_t vips[2][16] = {{192, 0, 2, 1}, {0x20, 1, 0x0d, 0xb8, [15] = 1}};
static const uint8_t backends[2][16] = {{10, 0, 0, 11}, {0xfd, 0, [15] = 0x11}};

static void update(const struct bpf_map *map, uint32_t key, const void *value)
{
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(map), &key, value, BPF_ANY), 0);
}

static void forget_all(const struct bpf_map *map)
{
	struct shunt_path_flow key;

	while (bpf_map_get_next_key(bpf_map__fd(map), NULL, &key) == 0)
		assert_int_equal(bpf_map_delete_elem(bpf_map__fd(map), &key), 0);
}

/* A backend by @method, behind the loopback interface. */
static void aim(uint8_t family, uint8_t method)
{
	struct shunt_path_target target = {.row = ROW};
	struct shunt_backend be = {
		.ifindex = LO,
		.mtu = 1500,
		.method = method,
		.flags = family == 6 ? SHUNT_BE_ADDR6 : 0,
		.port = method == SHUNT_DSR ? 0 : htons(8080),
	};

	memcpy(&target.host4, hosts[0], 4);
	memcpy(target.host6, hosts[1], 16);
	memcpy(be.addr, backends[family == 6], 16);
	memcpy(be.dmac, to_backend, 12);
	update(path->maps.path_targets, NUMBER, &target);
	update(path->maps.backends, ROW, &be);
	forget_all(path->maps.path_out);
	forget_all(path->maps.path_in);
}

/* What the probe sends. */
static struct recipe probe(uint8_t family, uint8_t proto, uint32_t number)
{
	struct addr from = dp_path_source(number, family);
	struct recipe r = {.family = family,
			   .proto = proto,
			   .sport = PORT,
			   .dport = 80,
			   .ttl = 64,
			   .payload = 33,
			   .tcp_flags = proto == IPPROTO_TCP ? TCP_FLAG_SYN : 0};

	memcpy(r.src, from.bytes, 16);
	memcpy(r.dst, vips[family == 6], 16);
	return r;
}

static int run(const struct bpf_program *program, const struct frame *in, struct frame *out)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->bytes,
		    .data_size_in = (uint32_t)in->len, .data_out = out->bytes,
		    .data_size_out = sizeof(out->bytes));

	if (bpf_prog_test_run_opts(bpf_program__fd(program), &opts))
		return -1;
	out->len = opts.data_size_out;
	return (int)opts.retval;
}

static void assert_frame(const struct frame *is, const struct recipe *r)
{
	struct frame must;

	frame_build(r, &must);
	assert_int_equal(is->len, must.len);
	assert_memory_equal(is->bytes, must.bytes, must.len);
}

/* What @r becomes on the way by @method. */
static struct recipe on_the_way(struct recipe r, uint8_t method)
{
	memcpy(r.src, hosts[r.family == 6], 16);
	memcpy(r.dmac, to_backend, 6);
	memcpy(r.smac, to_backend + 6, 6);
	r.ttl -= 2;
	if (method != SHUNT_DSR) {
		memcpy(r.dst, backends[r.family == 6], 16);
		r.dport = 8080;
	}
	return r;
}

static struct recipe turned(struct recipe r)
{
	struct recipe back = r;

	memcpy(back.src, r.dst, 16);
	memcpy(back.dst, r.src, 16);
	back.sport = r.dport;
	back.dport = r.sport;
	back.tcp_flags = r.tcp_flags | (r.tcp_flags ? TCP_FLAG_ACK : 0);
	memset(back.smac, 0x22, 6);
	memset(back.dmac, 0x44, 6);
	return back;
}

static void probes_go_a_clients_way_and_come_back(void **state)
{
	static const uint8_t methods[] = {SHUNT_DSR, SHUNT_NAT, SHUNT_MASQ};
	struct frame in, out;

	(void)state;
	for (int i = 0; i < 12; i++) {
		uint8_t method = methods[i / 4];
		struct recipe r = probe(families[i % 2], protos[i / 2 % 2], NUMBER), way, back;

		aim(r.family, method);
		way = on_the_way(r, method);
		frame_build(&r, &in);
		assert_int_equal(run(path->progs.shunt_path_out, &in, &out), XDP_REDIRECT);
		assert_frame(&out, &way);
		back = turned(way);
		frame_build(&back, &in);
		assert_int_equal(run(path->progs.shunt_path_in, &in, &out), TC_ACT_REDIRECT);
		way = turned(r);
		memcpy(way.dmac, to_probe, 6);
		way.ttl = back.ttl;
		assert_frame(&out, &way);
	}
}

/* Of two that would look the same on the way one gets another port, and each its own reply. */
static void two_probes_from_one_port_are_kept_apart(void **state)
{
	struct recipe one = probe(4, IPPROTO_TCP, NUMBER), two = probe(4, IPPROTO_TCP, NUMBER + 1),
		      back;
	struct shunt_path_target other = {.row = ROW};
	struct frame in, out;
	uint16_t port;

	(void)state;
	aim(4, SHUNT_DSR);
	memcpy(&other.host4, hosts[0], 4);
	update(path->maps.path_targets, NUMBER + 1, &other);
	frame_build(&one, &in);
	assert_int_equal(run(path->progs.shunt_path_out, &in, &out), XDP_REDIRECT);
	assert_int_equal(get16(out.bytes + 34), PORT);
	frame_build(&two, &in);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run(path->progs.shunt_path_out, &in, &out), XDP_REDIRECT);
		if (i == 0)
			port = get16(out.bytes + 34);
		assert_int_equal(get16(out.bytes + 34), port);
		assert_int_not_equal(port, PORT);
		assert_in_range(port, SHUNT_PATH_PORT_MIN, 65535);
	}
	back = turned(on_the_way(two, SHUNT_DSR));
	back.dport = port;
	frame_build(&back, &in);
	assert_int_equal(run(path->progs.shunt_path_in, &in, &out), TC_ACT_REDIRECT);
	assert_memory_equal(out.bytes + 30, two.src, 4);
	assert_int_equal(get16(out.bytes + 36), PORT);
}

static void what_names_no_backend_ends(void **state)
{
	struct recipe r;
	struct frame in, out;

	(void)state;
	for (int i = 0; i < 2; i++) {
		aim(families[i], SHUNT_DSR);
		r = probe(families[i], IPPROTO_TCP, NUMBER + 2);
		frame_build(&r, &in);
		assert_int_equal(run(path->progs.shunt_path_out, &in, &out), XDP_DROP);
		r = probe(families[i], IPPROTO_TCP, 0);
		frame_build(&r, &in);
		assert_int_equal(run(path->progs.shunt_path_out, &in, &out), XDP_DROP);
		r = probe(families[i], IPPROTO_TCP, NUMBER);
		memcpy(r.src, hosts[i], 16);
		frame_build(&r, &in);
		assert_int_equal(run(path->progs.shunt_path_out, &in, &out), XDP_DROP);
		aim(families[i], SHUNT_LOCAL);
		r = probe(families[i], IPPROTO_TCP, NUMBER);
		frame_build(&r, &in);
		assert_int_equal(run(path->progs.shunt_path_out, &in, &out), XDP_DROP);
	}
}

/* Cut at every length, the kernel's least one apart, and with every byte of its headers another. */
static void broken_frames_end(void **state)
{
	struct frame in, cut, out;

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct recipe r = probe(families[i % 2], protos[i / 2], NUMBER);

		aim(r.family, SHUNT_DSR);
		r.payload = 0;
		frame_build(&r, &in);
		for (size_t len = 14; len < in.len; len++) {
			cut = in;
			cut.len = len;
			assert_int_equal(run(path->progs.shunt_path_out, &cut, &out), XDP_DROP);
		}
		for (size_t at = 12; at < in.len; at++) {
			cut = in;
			cut.bytes[at] ^= 0xff;
			assert_true(run(path->progs.shunt_path_out, &cut, &out) >= 0);
		}
	}
}

static void what_is_no_reply_is_left_alone(void **state)
{
	struct frame in, out;

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct recipe r = probe(families[i % 2], protos[i / 2], NUMBER), back;

		aim(r.family, SHUNT_DSR);
		frame_build(&r, &in);
		assert_int_equal(run(path->progs.shunt_path_out, &in, &out), XDP_REDIRECT);
		back = turned(on_the_way(r, SHUNT_DSR));
		back.dport++;
		frame_build(&back, &in);
		assert_int_equal(run(path->progs.shunt_path_in, &in, &out), TC_ACT_UNSPEC);
		assert_frame(&out, &back);
		back.dport--;
		back.src[1]++;
		frame_build(&back, &in);
		assert_int_equal(run(path->progs.shunt_path_in, &in, &out), TC_ACT_UNSPEC);
		assert_frame(&out, &back);
		back.src[1]--;
		frame_build(&back, &in);
		for (size_t len = 14; len < in.l4 + 8; len++) {
			in.len = len;
			assert_int_not_equal(run(path->progs.shunt_path_in, &in, &out),
					     TC_ACT_REDIRECT);
		}
	}
}

/* ---- errors ------------------------------------------------------------------------------------*/

/* The first bytes of the packet of @way; with the addresses and ports of @as, and its TCP or UDP checksum as
 * it was, which nobody looks at. */
static size_t quote(const struct recipe *way, const struct recipe *as, size_t len, uint8_t *out)
{
	const size_t addr = way->family == 6 ? 16 : 4, at = way->family == 6 ? 8 : 12;
	struct frame f;
	uint8_t *l4;

	frame_build(way, &f);
	if (len > f.l3_len)
		len = f.l3_len;
	memcpy(&f.bytes[f.l3 + at], as->src, addr);
	memcpy(&f.bytes[f.l3 + at + addr], as->dst, addr);
	l4 = &f.bytes[f.l4];
	put16(l4, as->sport);
	put16(l4 + 2, as->dport);
	if (way->family == 4) {
		put16(&f.bytes[f.l3 + 10], 0);
		put16(&f.bytes[f.l3 + 10], (uint16_t)~fold16(sum16(0, &f.bytes[f.l3], 20)));
	}
	memcpy(out, &f.bytes[f.l3], len);
	return len;
}

/* An error of @type to @to about @way, quoted as @as has it. */
static void error_about(const struct recipe *way, const struct recipe *as, const uint8_t to[16],
			uint8_t type, size_t quoted, struct frame *out)
{
	struct recipe r = {.family = way->family, .ttl = 61};
	uint8_t body[FRAME_MAX];
	struct icmp m = {.type = type, .code = 1, .body = body};

	m.len = quote(way, as, quoted, body);
	memcpy(r.src, way->dst, 16);
	memcpy(r.dst, to, 16);
	memset(r.smac, 0x22, 6);
	memset(r.dmac, 0x44, 6);
	rare_icmp(&r, &m, out);
}

static void errors_about_probes_come_back(void **state)
{
	static const uint8_t methods[] = {SHUNT_DSR, SHUNT_NAT}, types[2][2] = {{3, 11}, {1, 3}};
	struct frame in, out, must;

	(void)state;
	for (int i = 0; i < 16; i++) {
		struct recipe r = probe(families[i % 2], protos[i / 2 % 2], NUMBER), way;
		const size_t quoted = i & 4 ? 28 + 20 * (r.family == 6) : 500;
		const uint8_t type = types[r.family == 6][i / 4 % 2];

		aim(r.family, methods[i / 8]);
		way = on_the_way(r, methods[i / 8]);
		frame_build(&r, &in);
		assert_int_equal(run(path->progs.shunt_path_out, &in, &out), XDP_REDIRECT);
		error_about(&way, &way, way.src, type, quoted, &in);
		assert_int_equal(run(path->progs.shunt_path_in, &in, &out), TC_ACT_REDIRECT);
		error_about(&way, &r, r.src, type, quoted, &must);
		memcpy(must.bytes, to_probe, 6);
		assert_int_equal(out.len, must.len);
		assert_memory_equal(out.bytes, must.bytes, must.len);
	}
}

static void errors_about_others_are_left_alone(void **state)
{
	struct frame in, cut, out;

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct recipe r = probe(families[i % 2], protos[i / 2], NUMBER), way, other;

		aim(r.family, SHUNT_DSR);
		way = on_the_way(r, SHUNT_DSR);
		other = way;
		frame_build(&r, &in);
		assert_int_equal(run(path->progs.shunt_path_out, &in, &out), XDP_REDIRECT);
		other.sport++;
		error_about(&way, &other, way.src, r.family == 6 ? 1 : 3, 500, &in);
		assert_int_equal(run(path->progs.shunt_path_in, &in, &out), TC_ACT_UNSPEC);
		assert_int_equal(out.len, in.len);
		assert_memory_equal(out.bytes, in.bytes, in.len);
		error_about(&way, &way, way.src, r.family == 6 ? 128 : 8, 500, &in);
		assert_int_equal(run(path->progs.shunt_path_in, &in, &out), TC_ACT_UNSPEC);
		error_about(&way, &way, way.src, r.family == 6 ? 1 : 3, 500, &in);
		for (size_t len = 14; len < 70 + 40u * (r.family == 6); len++) {
			cut = in;
			cut.len = len;
			assert_int_not_equal(run(path->progs.shunt_path_in, &cut, &out),
					     TC_ACT_REDIRECT);
		}
	}
}

static int load(void **state)
{
	struct shunt_path_veth veth = {.ifindex = LO};

	(void)state;
	memcpy(veth.mac, to_probe, 6);
	path = path_bpf__open_and_load();
	if (path)
		update(path->maps.path_veth, 0, &veth);
	return path ? 0 : -1;
}

static int unload(void **state)
{
	(void)state;
	path_bpf__destroy(path);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probes_go_a_clients_way_and_come_back),
		cmocka_unit_test(two_probes_from_one_port_are_kept_apart),
		cmocka_unit_test(what_names_no_backend_ends),
		cmocka_unit_test(broken_frames_end),
		cmocka_unit_test(what_is_no_reply_is_left_alone),
		cmocka_unit_test(errors_about_probes_come_back),
		cmocka_unit_test(errors_about_others_are_left_alone),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
