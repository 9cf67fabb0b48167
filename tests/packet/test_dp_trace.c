/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets are watched as they come and as they leave; expressions choose the same packets as libpcap; and
 * when nobody watches, or the daemon was killed, the packet path itself is in force. */
#include "dp_stage.h"

#define bpf_insn pcap_insn /* of which the kernel has one, too */
#include <pcap/pcap.h>
#undef bpf_insn

#include "io/dp_trace.h"
#include "pure/synth.h"

/* ---- expressions ------------------------------------------------------------------------------*/

/* Programs that end with what they are to be told apart by. */
static int ends_with(int32_t action)
{
	const struct bpf_insn insn[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = action},
		{.code = BPF_JMP | BPF_EXIT}};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_XDP);
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "ends", "GPL", insn, 2, &opts);

	assert_true(fd >= 0);
	return fd;
}

static int jumps_to(int32_t first, int32_t second)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "jumps", 4, 4, 2, NULL);
	int programs[2] = {ends_with(first), ends_with(second)};
	uint32_t i;

	assert_true(fd >= 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(bpf_map_update_elem(fd, &i, &programs[i], BPF_ANY), 0);
		close(programs[i]);
	}
	return fd;
}

static uint32_t run(int fd, const uint8_t *frame, uint32_t len)
{
	uint8_t out[4096];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len, .data_out = out,
		    .data_size_out = sizeof(out), .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(fd, &opts), 0);
	return opts.retval;
}

static uint32_t make_frame(uint32_t i, uint8_t frame[static SYNTH_FRAME_MAX])
{
	const uint8_t family = i % 2 ? 6 : 4;
	struct synth s = {.kind = i / 2 % 4,
			  .client = {family, {10, 0, 0, (uint8_t)(i % 5)}},
			  .vip = {family, {203, 0, 113, (uint8_t)(i % 3)}},
			  .client_port = (uint16_t)(4000 + i % 7),
			  .port = i % 3 ? 80 : 443,
			  .syn = i % 4 < 2};
	uint32_t len = (uint32_t)synth_frame(&s, frame);

	if (i % 13 == 0)
		frame[12] = 0x12; /* no IP */
	if (i % 11 == 0)
		frame[20] |= 0x20; /* a fragment of IPv4 */
	return i % 17 == 0 ? 20 + i % 30 : len;
}

static void expressions_choose_what_libpcap_chooses(void **state)
{
	static const char *const expressions[] = {
		"",
		"tcp",
		"udp port 443",
		"host 203.0.113.1",
		"ip6 and port 80",
		"tcp[tcpflags] & tcp-syn != 0 and not src host 10.0.0.1",
		"net 10.0.0.0/29 and dst port 80 and greater 50",
		"icmp or icmp6",
		"ip[8] * 2 + ip[9] / 3 > 100 and len < 60",
		"tcp portrange 4001-4003 or (vlan and udp)",
		"ether[6:4] & 0xffff0000 = 0x02000000",
		"ip6 proto 6 and ip6[40:2] % 5 = 1",
		"arp or less 30",
	};
	int jumps = jumps_to(XDP_TX, XDP_DROP);
	pcap_t *p = pcap_open_dead(DLT_EN10MB, 65535);
	struct dp_error err = {""};
	uint8_t frame[SYNTH_FRAME_MAX];
	uint32_t e, i, matched = 0;

	(void)state;
	for (e = 0; e < sizeof(expressions) / sizeof(expressions[0]); e++) {
		struct dp_trace_ask ask = {0};
		struct bpf_program program;
		int fd;

		assert_int_equal(pcap_compile(p, &program, expressions[e], 1, PCAP_NETMASK_UNKNOWN),
				 0);
		ask.filter = (const struct cbpf *)program.bf_insns;
		ask.n = program.bf_len;
		fd = dp_trace_filter(&ask, jumps, false, &err);
		if (fd < 0)
			fail_msg("%s: %s", expressions[e], err.text);
		for (i = 0; i < 400; i++) {
			uint32_t len = make_frame(i, frame);
			const struct pcap_pkthdr h = {.caplen = len, .len = len};
			bool match = pcap_offline_filter(&program, &h, frame);

			if (run(fd, frame, len) != (match ? XDP_TX : XDP_DROP))
				fail_msg("%s: packet %u", expressions[e], i);
			matched += match && e;
		}
		pcap_freecode(&program);
		close(fd);
	}
	assert_in_range(matched, 200, 4000);
	pcap_close(p);
	close(jumps);
}

static void filters_of_nobody_are_refused(void **state)
{
	static const struct cbpf endless[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0}},
				 far[] = {{BPF_JMP | BPF_JA, 0, 0, 9}, {BPF_RET, 0, 0, 1}},
				 by_zero[] = {{BPF_ALU | BPF_DIV, 0, 0, 0}, {BPF_RET, 0, 0, 1}},
				 memory[] = {{BPF_ST, 0, 0, 16}, {BPF_RET, 0, 0, 1}},
				 strange[] = {{BPF_LD | 0xe0, 0, 0, 0}, {BPF_RET, 0, 0, 1}};
	const struct dp_trace_ask asks[] = {
		{.filter = endless, .n = 1}, {.filter = far, .n = 2},
		{.filter = by_zero, .n = 2}, {.filter = memory, .n = 2},
		{.filter = strange, .n = 2}, {.filter = far, .n = CBPF_MAX + 1}};
	int jumps = jumps_to(XDP_TX, XDP_DROP);
	struct dp_error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
		err.text[0] = '\0';
		assert_int_equal(dp_trace_filter(&asks[i], jumps, false, &err), -EINVAL);
		assert_non_null(strstr(err.text, "cannot be used: it "));
	}
	close(jumps);
}

static void a_sample_is_of_about_so_many(void **state)
{
	const struct dp_trace_ask ask = {.one_of = 4};
	int jumps = jumps_to(XDP_TX, XDP_DROP), fd = dp_trace_filter(&ask, jumps, false, NULL);
	uint8_t frame[SYNTH_FRAME_MAX];
	uint32_t len = make_frame(1, frame), i, matched = 0;

	(void)state;
	assert_true(fd >= 0);
	for (i = 0; i < 4000; i++)
		matched += run(fd, frame, len) == XDP_TX;
	assert_in_range(matched, 700, 1300); /* 1000 on the average, deviation 27 */
	close(fd);
	close(jumps);
}

/* ---- in force ---------------------------------------------------------------------------------*/

struct seen {
	uint32_t n, forwarded, len;
	uint8_t before[64], after[64];
	uint32_t row;
};

static void on_packet(void *arg, const struct shunt_traced *t)
{
	struct seen *s = arg;

	s->n++;
	s->forwarded += t->verdict == SHUNT_FORWARD_LOCAL && t->action == XDP_PASS;
	s->len = t->before.len;
	s->row = t->row;
	memcpy(s->before, t->before.frame, sizeof(s->before));
	memcpy(s->after, t->after, sizeof(s->after));
}

static uint32_t runs_on(struct dp *dp)
{
	return dp_links_program(dp, 0);
}

static struct seen watched(struct dp *dp, uint32_t wanted)
{
	struct seen s = {0};
	int i;

	for (i = 0; i < 2000 && s.n < wanted; i++) {
		assert_true(dp_trace_read(dp, 3, on_packet, &s) >= 0);
		usleep(1000);
	}
	return s;
}

static void what_matches_is_told_of_and_counted_as_ever(void **state)
{
	static const struct cbpf udp_to_1000[] = {{BPF_LD | BPF_H | BPF_ABS, 0, 0, 12},
						  {BPF_JMP | BPF_JEQ, 0, 3, ETH_P_IP},
						  {BPF_LD | BPF_H | BPF_ABS, 0, 0, 36},
						  {BPF_JMP | BPF_JEQ, 0, 1, 1000},
						  {BPF_RET, 0, 0, 1},
						  {BPF_RET, 0, 0, 0}};
	const struct dp_trace_ask ask = {.filter = udp_to_1000, .n = 6};
	const struct dp_service one = test_service(0), other = test_service(2);
	struct dp_error err = {""};
	struct dp *dp = open_dp(N);
	struct seen s;

	(void)state;
	fill(dp);
	attach(dp, TWO, DP_NATIVE);
	if (dp_trace_begin(dp, &ask, &err))
		fail_msg("%s", err.text);
	assert_true(dp_is_traced(dp));
	assert_int_not_equal(runs_on(dp), dp->set.program_id);
	assert_int_equal(dp_trace_begin(dp, &ask, &err), -EBUSY);
	send_frames(&one, 10);
	send_frames(&other, 10);
	s = watched(dp, 10);
	assert_true(counts_soon(dp, 1, 10));
	assert_true(counts_soon(dp, 5, 10));
	assert_int_equal(s.n, 10);
	assert_int_equal(s.forwarded, 10);
	assert_int_equal(s.row, 1);
	assert_int_equal(s.len, udp_frame(&one.vip, 1000, 4000).len);
	assert_memory_equal(s.before, udp_frame(&one.vip, 1000, 4000).bytes, 60);
	assert_memory_equal(s.after, s.before, 60);
	assert_int_equal(watched(dp, 0).n, 0);
	dp_trace_end(dp);
	assert_false(dp_is_traced(dp));
	assert_int_equal(runs_on(dp), dp->set.program_id);
	assert_false(is_pinned("trace-jumps"));
	send_frames(&one, 10);
	assert_true(counts_soon(dp, 1, 20));
}

static void a_service_s_packets_alone_are_told_of_and_sampled(void **state)
{
	const struct dp_trace_ask ask = {.row = 4, .rows = 2, .one_of = 4};
	const struct dp_service one = test_service(0), other = test_service(2);
	struct dp *dp = open_dp(N);
	struct seen s;

	(void)state;
	fill(dp);
	attach(dp, TWO, DP_NATIVE);
	assert_int_equal(dp_trace_begin(dp, &ask, NULL), 0);
	send_frames(&one, 200);
	send_frames(&other, 400);
	assert_true(counts_soon(dp, 1, 200));
	assert_true(counts_soon(dp, 5, 400));
	s = watched(dp, 30);
	assert_int_equal(s.row, 5);
	assert_memory_equal(s.before, udp_frame(&other.vip, other.port, 4000).bytes, 32);
	s.n += watched(dp, 370).n;
	assert_in_range(s.n, 40, 200); /* of one in four a hundred */

	dp_trace_follow(dp, 0, 2);
	send_frames(&other, 100);
	assert_true(counts_soon(dp, 5, 500));
	assert_int_equal(watched(dp, 1).n, 0);
	send_frames(&one, 200);
	assert_true(counts_soon(dp, 1, 400));
	s = watched(dp, 10);
	assert_int_equal(s.row, 1);
}

static void
a_daemon_that_is_killed_leaves_packets_forwarded_and_the_next_puts_it_right(void **state)
{
	const struct dp_trace_ask ask = {0};
	const struct dp_service one = test_service(0);
	static struct dp_trace_state *left; /* what a process that is killed would take with it */
	struct dp *dp = open_dp(N);

	(void)state;
	fill(dp);
	attach(dp, TWO, DP_NATIVE);
	assert_int_equal(dp_trace_begin(dp, &ask, NULL), 0);
	assert_true(is_pinned("trace-jumps"));
	assert_true(is_pinned("trace-stages"));
	left = dp->trace; /* as if the process had gone: descriptors but no pins are closed below */
	dp->trace = NULL;
	close(*(int *)left);
	close(((int *)left)[1]);
	close(((int *)left)[2]);
	send_frames(&one, 10);
	assert_true(counts_soon(dp, 1, 10));
	assert_int_not_equal(runs_on(dp), dp->set.program_id);
	close_dp(dp);
	dp = open_dp(N);
	assert_int_equal(runs_on(dp), dp->old.program_id);
	assert_false(is_pinned("trace-jumps"));
	assert_false(is_pinned("trace-stages"));
	send_frames(&one, 10);
	commit(dp);
	assert_true(counts_soon(dp, 1, 20));
}

static void tables_that_grow_end_it(void **state)
{
	const struct dp_trace_ask ask = {0};
	struct dp_sizes more;
	struct dp *dp = open_dp(N);

	(void)state;
	fill(dp);
	attach(dp, TWO, DP_NATIVE);
	assert_int_equal(dp_trace_begin(dp, &ask, NULL), 0);
	more = *dp_sizes(dp);
	more.rows *= 20;
	assert_int_equal(dp_grow(dp, &more, NULL), 0);
	assert_false(dp_is_traced(dp));
	assert_int_equal(runs_on(dp), dp->set.program_id);
	assert_int_equal(dp_trace_begin(dp, &ask, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expressions_choose_what_libpcap_chooses),
		cmocka_unit_test(filters_of_nobody_are_refused),
		cmocka_unit_test(a_sample_is_of_about_so_many),
		STAGED(what_matches_is_told_of_and_counted_as_ever),
		STAGED(a_service_s_packets_alone_are_told_of_and_sampled),
		STAGED(a_daemon_that_is_killed_leaves_packets_forwarded_and_the_next_puts_it_right),
		STAGED(tables_that_grow_end_it),
	};

	if (unshare(CLONE_NEWNET))
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
