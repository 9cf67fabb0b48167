/* SPDX-License-Identifier: BSD-2-Clause */
/* Interfaces: modes, adoption, what stands in the way and how that is said. */
#include "dp_stage.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/if_link.h>

#include "base/own.h"

static void refused(struct dp *dp, const char *ifname, enum dp_mode mode, int rc, const char *words)
{
	struct dp_error err = {""};

	assert_int_equal(dp_attach(dp, ifname, if_nametoindex(ifname), mode, &err), rc);
	if (!strstr(err.text, words) || !strstr(err.text, ifname))
		fail_msg("wanted \"%s\", got: %s", words, err.text);
}

static void the_mode_is_as_asked(void **state)
{
	struct dp *dp = open_dp(N);

	(void)state;
	assert_int_equal(dp_attached(dp, TWO), 0);
	attach(dp, TWO, DP_NATIVE);
	assert_int_equal(dp_attached(dp, TWO), DP_NATIVE);
	attach(dp, TWO, DP_NATIVE);
	attach(dp, TWO, DP_GENERIC);
	assert_int_equal(dp_attached(dp, TWO), DP_GENERIC);
	attach(dp, "lo", DP_GENERIC);
	assert_int_equal(dp_attached(dp, "lo"), DP_GENERIC);
	assert_int_equal(dp_detach(dp, TWO), 0);
	assert_int_equal(dp_attached(dp, TWO), 0);
	assert_int_equal(dp_detach(dp, TWO), -ENOENT);
	assert_false(is_pinned("link-" TWO));
	close_dp(dp);
}

static void ports_are_the_attached_interfaces(void **state)
{
	struct dp *dp = open_dp(N);
	uint32_t one = if_nametoindex(ONE), two = if_nametoindex(TWO), value = 0;
	int fd = dp_map_fd(dp, "tx_ports");

	(void)state;
	attach(dp, ONE, DP_NATIVE);
	attach(dp, TWO, DP_NATIVE);
	assert_int_equal(bpf_map_lookup_elem(fd, &one, &value), 0);
	assert_int_equal(value, one);
	assert_int_equal(bpf_map_lookup_elem(fd, &two, &value), 0);
	dp_detach(dp, ONE);
	assert_int_not_equal(bpf_map_lookup_elem(fd, &one, &value), 0);
	close_dp(dp);
}

static void native_refused_by_the_driver_is_said_in_words(void **state)
{
	struct dp *dp = open_dp(N);

	(void)state;
	refused(dp, "lo", DP_NATIVE, -EOPNOTSUPP, "the driver has no native XDP");
	assert_int_equal(run_command("ip link set " ONE " mtu 9000"), 0);
	assert_int_equal(run_command("ip link set " TWO " mtu 9000"), 0);
	refused(dp, TWO, DP_NATIVE, -ERANGE, "MTU 9000");
	attach(dp, TWO, DP_GENERIC);
	assert_false(is_pinned("link-lo"));
	close_dp(dp);
}

static void an_unknown_interface_is_refused(void **state)
{
	struct dp *dp = open_dp(N);
	struct dp_error err = {""};

	(void)state;
	assert_int_equal(dp_attach(dp, "dptest9", 77, DP_NATIVE, &err), -ENODEV);
	assert_non_null(strstr(err.text, "dptest9: no such interface"));
	close_dp(dp);
}

static void another_program_is_named(void **state)
{
	struct dp_options opt = options(N);
	struct dp *dp = open_dp(N), *other = NULL;
	struct dp_error err = {""};
	int ifindex = (int)if_nametoindex(TWO);

	(void)state;
	opt.pin_dir = NULL;
	assert_int_equal(dp_open(&opt, &other, &err), 0);
	assert_int_equal(dp_attach(other, TWO, (unsigned int)ifindex, DP_NATIVE, &err), 0);
	refused(dp, TWO, DP_NATIVE, -EBUSY, "name \"shunt_xdp\"");
	refused(dp, TWO, DP_NATIVE, -EBUSY, "attached by link ");
	refused(dp, TWO, DP_NATIVE, -EBUSY, "in native mode; take it off first (another shuntd's");
	refused(dp, TWO, DP_GENERIC, -EBUSY, "name \"shunt_xdp\"");
	assert_int_equal(dp_attached(dp, TWO), 0);
	dp_detach(other, TWO);
	assert_int_equal(bpf_xdp_attach(ifindex, dp_program_fd(other), XDP_FLAGS_SKB_MODE, NULL),
			 0); /* the old way, without a link */
	refused(dp, TWO, DP_NATIVE, -EBUSY, "attached by netlink in generic mode");
	refused(dp, TWO, DP_GENERIC, -EBUSY, "ip link set dev " TWO " xdpgeneric off");
	assert_int_equal(bpf_xdp_detach(ifindex, XDP_FLAGS_SKB_MODE, NULL), 0);
	assert_int_equal(bpf_xdp_attach(ifindex, dp_program_fd(other), XDP_FLAGS_DRV_MODE, NULL),
			 0);
	refused(dp, TWO, DP_NATIVE, -EBUSY, "ip link set dev " TWO " xdpdrv off");
	assert_int_equal(bpf_xdp_detach(ifindex, XDP_FLAGS_DRV_MODE, NULL), 0);
	attach(dp, TWO, DP_NATIVE);
	dp_close(other);
	close_dp(dp);
}

static void a_link_whose_interface_is_gone_goes_too(void **state)
{
	struct dp *dp = open_dp(N);

	(void)state;
	attach(dp, TWO, DP_NATIVE);
	close_dp(dp);
	assert_true(is_pinned("link-" TWO));
	assert_int_equal(run_command("ip link del " ONE), 0);
	assert_int_equal(run_command("ip link add " ONE " type veth peer name " TWO), 0);
	dp = open_dp(N);
	assert_int_equal(dp_attached(dp, TWO), 0);
	assert_false(is_pinned("link-" TWO));
	attach(dp, TWO, DP_NATIVE);
	assert_int_equal(dp_attached(dp, TWO), DP_NATIVE);
	assert_int_equal(run_command("ip link del " ONE), 0); /* and while it is open */
	assert_int_equal(run_command("ip link add " ONE " type veth peer name " TWO), 0);
	assert_int_equal(dp_attached(dp, TWO), 0);
	attach(dp, TWO, DP_NATIVE);
	assert_int_equal(dp_attached(dp, TWO), DP_NATIVE);
	close_dp(dp);
}

static void a_dot_in_the_name_does_no_harm(void **state)
{
	struct dp *dp = open_dp(N);

	(void)state;
	assert_int_equal(run_command("ip link set " TWO " down && ip link set " TWO
				     " name dp.7 && ip link set dp.7 up"),
			 0);
	attach(dp, "dp.7", DP_NATIVE);
	close_dp(dp);
	dp = open_dp(N);
	assert_int_equal(dp_attached(dp, "dp.7"), DP_NATIVE);
	assert_int_equal(dp_detach(dp, "dp.7"), 0);
	assert_false(is_pinned("link-dp:7"));
	close_dp(dp);
}

/* Two interfaces of one index and name in two namespaces are not the same. */
static void a_link_of_another_namespace_is_not_taken_for_this_ones(void **state)
{
	struct dp *dp = open_dp(N);
	auto_close int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	(void)state;
	attach(dp, "lo", DP_GENERIC);
	close_dp(dp);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	dp = open_dp(N);
	assert_int_equal(dp_attached(dp, "lo"), 0);
	close_dp(dp);
	assert_int_equal(setns(here, CLONE_NEWNET), 0);
	dp = open_dp(N);
	assert_int_equal(dp_attached(dp, "lo"), DP_GENERIC);
	close_dp(dp);
}

struct names {
	struct dp *dp;
	int n;
};

static void detach_it(void *arg, const char *ifname)
{
	struct names *names = arg;

	names->n++;
	assert_int_equal(dp_detach(names->dp, ifname), 0);
}

static void links_may_be_detached_while_listed(void **state)
{
	struct names names = {.dp = open_dp(N)};

	(void)state;
	attach(names.dp, ONE, DP_NATIVE);
	attach(names.dp, TWO, DP_NATIVE);
	attach(names.dp, "lo", DP_GENERIC);
	dp_each_link(names.dp, detach_it, &names);
	assert_int_equal(names.n, 3);
	dp_each_link(names.dp, detach_it, &names);
	assert_int_equal(names.n, 3);
	close_dp(names.dp);
}

/* What becomes of a frame sent on by DSR depends on tx_ports being right after growth too. */
static void a_frame_goes_out_of_the_other_interface(void **state)
{
	struct dp *dp = open_dp(N);
	struct shunt_backend b = {.mtu = 1500,
				  .method = SHUNT_DSR,
				  .flags = SHUNT_BE_USABLE,
				  .ifindex = if_nametoindex(ONE)};
	struct dp_service s = test_service(0);
	struct frame f = udp_frame(&s.vip, s.port, 1);
	struct dp_sizes more = {.rows = 999};
	uint64_t verdicts[SHUNT_VERDICT_MAX];

	(void)state;
	memcpy(b.dmac, "\2\2\2\2\2\2", 6);
	fill_rows(dp, 0, &b);
	assert_int_equal(dp_services_switch(dp, &s, 1, NULL), 0);
	attach(dp, ONE, DP_NATIVE);
	assert_int_equal(run_frame(dp, &f, NULL), 4); /* XDP_REDIRECT */
	assert_int_equal(dp_grow(dp, &more, NULL), 0);
	assert_int_equal(run_frame(dp, &f, NULL), 4);
	close_dp(dp);
	dp = open_dp(N);
	assert_int_equal(run_frame(dp, &f, NULL), 4);
	dp_detach(dp, ONE);
	assert_int_not_equal(run_frame(dp, &f, NULL), 4);
	dp_verdicts_read(dp, verdicts);
	assert_int_equal(verdicts[SHUNT_DROP_NO_EGRESS], 1);
	close_dp(dp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(the_mode_is_as_asked),
		STAGED(ports_are_the_attached_interfaces),
		STAGED(native_refused_by_the_driver_is_said_in_words),
		STAGED(an_unknown_interface_is_refused),
		STAGED(another_program_is_named),
		STAGED(a_link_whose_interface_is_gone_goes_too),
		STAGED(a_dot_in_the_name_does_no_harm),
		STAGED(links_may_be_detached_while_listed),
		STAGED(a_frame_goes_out_of_the_other_interface),
		STAGED(a_link_of_another_namespace_is_not_taken_for_this_ones),
	};

	if (unshare(CLONE_NEWNET))
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
