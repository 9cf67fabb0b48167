/* SPDX-License-Identifier: BSD-2-Clause */
/* What shunt doctor makes of facts: none that is well is told of, and each that is not is told with a
 * command. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pure/doctor.h"

/* A host where all is well, with a daemon; tests change what they are about. */
static struct {
	struct doctor_facts facts;
	struct conf conf;
	struct doctor_interface interfaces[2];
	struct doctor_service service;
	struct doctor_backend backends[2];
	struct view_verdict verdict;
} w;

static const struct addr vip = {.family = 4, .bytes = {203, 0, 113, 10}};
static const struct addr vip6 = {.family = 6, .bytes = {0x20, 1, 0xd, 0xb8, [15] = 0x10}};

static void all_is_well(void)
{
	size_t i;

	memset(&w, 0, sizeof(w));
	w.conf.hash_secret = (char *)"0123456789abcdef";
	w.conf.flow_table = 1 << 20;
	w.facts = (struct doctor_facts){
		.instance = "default",
		.daemon = true,
		.file = "/etc/shunt/shunt.yaml",
		.conf = &w.conf,
		.host = {.kernel = {6, 1},
			 .cpus = 4,
			 .jit = 1,
			 .bpffs = true,
			 .pinned = true,
			 .forwards4 = -1,
			 .forwards6 = -1},
		.interfaces = w.interfaces,
		.n_interfaces = 1,
		.services = &w.service,
		.n_services = 1,
		.backends = w.backends,
		.n_backends = 2,
		.verdicts = &w.verdict,
		.n_verdicts = 1,
	};
	for (i = 0; i < 2; i++)
		w.interfaces[i] = (struct doctor_interface){.name = "eth0",
							    .exists = true,
							    .up = true,
							    .mtu = 1600,
							    .driver = "virtio_net",
							    .program = 7,
							    .gro = true,
							    .told = true,
							    .xdp = VIEW_XDP_NATIVE};
	w.interfaces[1].name[3] = '1';
	w.service = (struct doctor_service){.name = "web",
					    .vip = vip,
					    .vip_bits = 32,
					    .asked = true,
					    .backends = 2,
					    .usable = 2};
	for (i = 0; i < 2; i++)
		w.backends[i] = (struct doctor_backend){.service = "web",
							.name = "web1",
							.addr = {4, {10, 0, 0, 11}},
							.vip = vip,
							.forward = SHUNT_IPIP,
							.egress = "eth0",
							.path_mtu = 1600,
							.mac = {2, 0, 0, 0, 0, 1},
							.health = HEALTH_UP};
	w.backends[1].name[3] = '2';
	w.backends[1].mac[5] = 2;
	w.verdict = (struct view_verdict){SHUNT_PASS_NOT_VIP, 1000, 10};
}

static const char *remedy, *where, *what, *consequence;

/* All that has been found, for the last test. */
static char words[65536];
static size_t words_used;

static void note(const struct doctor_finding *x)
{
	words_used += (size_t)snprintf(
		words + words_used, sizeof(words) - words_used, "%s %s: %s\n  %s\n%s%s%s%s%s%s",
		x->check, doctor_severity_name(x->severity), x->what, x->consequence,
		x->where[0] ? "  on " : "", x->where, x->where[0] ? ":\n" : "",
		x->remedy[0] ? "  $ " : "", x->remedy, x->remedy[0] ? "\n" : "");
	assert_true(words_used < sizeof(words));
}

/* Exactly one finding, of this check. */
static void finds(enum doctor_severity severity, const char *check)
{
	static struct doctor_report r;

	doctor_report_fini(&r);
	assert_int_equal(doctor_run(&w.facts, &r), 0);
	if (r.n != 1)
		fail_msg("%zu findings, the first %s: %s", r.n, r.n ? r.list[0].check : "none",
			 r.n ? r.list[0].what : "");
	if (r.list[0].severity != severity || strcmp(r.list[0].check, check) != 0)
		fail_msg("found %s %s: %s", doctor_severity_name(r.list[0].severity),
			 r.list[0].check, r.list[0].what);
	assert_true(r.list[0].consequence[0]);
	note(&r.list[0]);
	what = r.list[0].what;
	consequence = r.list[0].consequence;
	remedy = r.list[0].remedy;
	where = r.list[0].where;
}

static void finds_nothing(void)
{
	struct doctor_report r;

	assert_int_equal(doctor_run(&w.facts, &r), 0);
	if (r.n)
		fail_msg("%s: %s", r.list[0].check, r.list[0].what);
	assert_in_range(r.checks, 29, 100);
	doctor_report_fini(&r);
}

#define WELL_BUT(change)                                                                           \
	do {                                                                                       \
		all_is_well();                                                                     \
		change;                                                                            \
	} while (0)

static void a_host_that_is_well_has_no_findings(void **state)
{
	(void)state;
	all_is_well();
	finds_nothing();
	WELL_BUT(w.service.on_host = true);
	finds_nothing();
	WELL_BUT(w.facts.host.jit = -1);
	finds_nothing();
}

static void the_daemon_and_its_file_are_looked_at(void **state)
{
	(void)state;
	WELL_BUT(w.facts.daemon = false);
	strcpy(w.facts.daemon_error, "is it running?");
	finds(DOCTOR_WARNING, "daemon");
	assert_string_equal(remedy, "shuntd -c /etc/shunt/shunt.yaml");
	w.facts.forbidden = true;
	strcpy(w.facts.daemon_error, "no permission (default.stats)");
	finds(DOCTOR_WARNING, "daemon");
	assert_null(strstr(what, "does not answer"));
	assert_string_equal(remedy, "sudo shunt doctor");
	w.facts.forbidden = false;
	w.facts.host.pinned = false;
	w.interfaces[0].program = 0;
	finds(DOCTOR_WARNING, "daemon");
	WELL_BUT(strcpy(w.facts.file_error, "shunt.yaml:3:4: no"));
	finds(DOCTOR_ERROR, "config");
	assert_string_equal(remedy, "shunt check /etc/shunt/shunt.yaml");
	WELL_BUT(w.facts.file_differs = true);
	finds(DOCTOR_NOTE, "config");
	assert_string_equal(remedy, "shunt reload --plan");
	WELL_BUT(strcpy(w.facts.status.config_error, "shunt.yaml:3:4: no"));
	finds(DOCTOR_WARNING, "config");
	WELL_BUT(w.conf.hash_secret = NULL);
	finds(DOCTOR_NOTE, "secret");
	WELL_BUT(w.facts.status.upgrade.state = SHUNT_UPGRADE_FELL_BACK);
	finds(DOCTOR_WARNING, "upgrade");
	WELL_BUT(w.facts.status.flows_no_room = 3);
	finds(DOCTOR_WARNING, "flow-table");
	assert_non_null(strstr(remedy, "flow_table: 2M"));
}

static void the_kernel_is_looked_at(void **state)
{
	(void)state;
	WELL_BUT(w.facts.host.kernel[0] = 5; w.facts.host.kernel[1] = 14);
	finds(DOCTOR_WARNING, "kernel");
	w.facts.host.kernel[1] = 15;
	finds_nothing();
	w.facts.host.memory_limited = true; /* which is no matter there */
	finds_nothing();
	WELL_BUT(w.facts.host.jit = 0);
	finds(DOCTOR_WARNING, "jit");
	assert_string_equal(remedy, "sysctl -w net.core.bpf_jit_enable=1");
	WELL_BUT(w.facts.host.bpffs = false);
	finds(DOCTOR_WARNING, "bpffs");
	WELL_BUT(strcpy(w.facts.host.old_pins[0], "/sys/fs/bpf/shunt/default/v1");
		 w.facts.host.n_old_pins = 1);
	finds(DOCTOR_NOTE, "old-pins");
	assert_string_equal(remedy, "rm -r /sys/fs/bpf/shunt/default/v1");
	WELL_BUT(w.facts.host.clock_unsynced = true);
	finds(DOCTOR_NOTE, "clock");
	w.conf.peers.n = 1;
	finds(DOCTOR_WARNING, "clock");
	WELL_BUT(w.facts.status.peers.peers = 1; w.facts.status.peers.fates[PEER_FORGED] = 1);
	finds(DOCTOR_WARNING, "peers");
	WELL_BUT(w.facts.status.peers.peers = 1; w.facts.status.peers.fates[PEER_STALE] = 1);
	finds(DOCTOR_WARNING, "peers");
}

/* What is also worded otherwise while no daemon runs. */
static void without_a_daemon_consequences_are_others(void **state)
{
	struct doctor_report r;
	size_t i;

	(void)state;
	WELL_BUT(w.facts.daemon = false; strcpy(w.facts.file_error, "shunt.yaml:3:4: no");
		 w.facts.host.bpffs = false; w.interfaces[0].exists = false);
	assert_int_equal(doctor_run(&w.facts, &r), 0);
	assert_int_equal(r.n, 4);
	for (i = 0; i < r.n; i++)
		note(&r.list[i]);
	doctor_report_fini(&r);
}

static void old_kernels_need_locked_memory(void **state)
{
	struct doctor_report r;

	(void)state;
	WELL_BUT(w.facts.host.kernel[0] = 5; w.facts.host.kernel[1] = 10;
		 w.facts.host.memory_limited = true);
	assert_int_equal(doctor_run(&w.facts, &r), 0);
	assert_int_equal(r.n, 2);
	assert_string_equal(r.list[1].check, "memory");
	note(&r.list[1]);
	assert_string_equal(r.list[1].remedy, "ulimit -l unlimited");
	doctor_report_fini(&r);
}

static void interfaces_are_looked_at(void **state)
{
	(void)state;
	WELL_BUT(w.interfaces[0].up = false);
	finds(DOCTOR_ERROR, "link");
	assert_string_equal(remedy, "ip link set dev eth0 up");
	WELL_BUT(w.interfaces[0].exists = false; w.interfaces[0].told = false);
	finds(DOCTOR_ERROR, "link");
	WELL_BUT(w.interfaces[0].xdp = VIEW_XDP_NONE);
	finds(DOCTOR_ERROR, "xdp-mode");
	WELL_BUT(w.interfaces[0].xdp = VIEW_XDP_GENERIC; w.interfaces[0].gro = false);
	finds(DOCTOR_NOTE, "xdp-mode");
	WELL_BUT(w.interfaces[0].lro = true);
	finds(DOCTOR_WARNING, "lro");
	assert_string_equal(remedy, "ethtool -K eth0 lro off");
	WELL_BUT(w.interfaces[0].takes_tags = true);
	finds_nothing();
	w.interfaces[0].has_vlans = true;
	finds(DOCTOR_WARNING, "vlan-tags");
	WELL_BUT(w.interfaces[0].rx_queues = 1; w.interfaces[0].rx_queues_max = 8;
		 w.interfaces[0].combined = true);
	finds(DOCTOR_NOTE, "queues");
	assert_string_equal(remedy, "ethtool -L eth0 combined 4");
	w.interfaces[0].rx_queues = 4;
	finds_nothing();
	WELL_BUT(w.interfaces[0].peer_lacks_checksums = true);
	finds_nothing();
	strcpy(w.interfaces[0].peer, "veth7");
	w.service.translates = true;
	finds(DOCTOR_WARNING, "checksums");
	assert_string_equal(remedy, "ethtool -K veth7 tx off");
	WELL_BUT(w.interfaces[0].rp_filter = 1);
	finds_nothing();
	w.facts.n_interfaces = 2;
	finds(DOCTOR_NOTE, "rp-filter");
}

static void generic_mode_and_receive_offload_do_not_go_together(void **state)
{
	struct doctor_report r;

	(void)state;
	WELL_BUT(w.interfaces[0].xdp = VIEW_XDP_GENERIC);
	assert_int_equal(doctor_run(&w.facts, &r), 0);
	assert_int_equal(r.n, 2);
	assert_string_equal(r.list[0].check, "gro"); /* the worse one first */
	note(&r.list[0]);
	assert_string_equal(r.list[0].remedy, "ethtool -K eth0 gro off");
	doctor_report_fini(&r);
}

static void another_program_is_told_of_before_the_first_start(void **state)
{
	struct doctor_report r;

	(void)state;
	WELL_BUT(w.facts.daemon = false; w.facts.host.pinned = false);
	assert_int_equal(doctor_run(&w.facts, &r), 0);
	assert_int_equal(r.n, 2);
	assert_string_equal(r.list[0].check, "other-xdp");
	note(&r.list[0]);
	assert_string_equal(r.list[0].remedy, "ip link set dev eth0 xdpdrv off");
	doctor_report_fini(&r);
	w.conf.attach = CONF_ATTACH_SHARED;
	finds(DOCTOR_WARNING, "daemon");
}

static void who_holds_an_address_is_told(void **state)
{
	(void)state;
	WELL_BUT(w.service.on_link = true; strcpy(w.service.link, "eth0"));
	finds(DOCTOR_WARNING, "vip");
	assert_string_equal(remedy, "ip addr add 203.0.113.10/32 dev eth0");
	WELL_BUT(w.service.held = true; strcpy(w.service.holder_link, "eth0");
		 memcpy(w.service.holder, w.backends[1].mac, 6));
	finds(DOCTOR_NOTE, "vip"); /* routed, so it is no matter */
	w.service.on_host = true;
	finds(DOCTOR_ERROR, "vip");
	assert_string_equal(where, "backend web/web2");
	assert_non_null(strstr(remedy, "arp_ignore=1"));
	w.service.holder[0] = 0x52;
	w.service.vip = vip6;
	w.service.vip_bits = 128;
	finds(DOCTOR_ERROR, "vip");
	assert_string_equal(where, "the host with 52:00:00:00:00:02");
	assert_non_null(strstr(remedy, "ip addr replace 2001:db8::10/128 dev lo"));
	WELL_BUT(w.service.local = true);
	finds(DOCTOR_ERROR, "local");
	assert_string_equal(remedy, "ip addr add 203.0.113.10/32 dev lo");
}

static void backends_are_looked_at(void **state)
{
	static const struct {
		enum view_nexthop state;
		const char *remedy;
	} rows[] = {
		{VIEW_NH_NO_ROUTE, "ip route add 10.0.0.11/32 dev eth0"},
		{VIEW_NH_LINK_DOWN, "ip link set dev eth0 up"},
		{VIEW_NH_NO_NEIGHBOUR, "ping -c 3 10.0.0.11"},
		{VIEW_NH_IS_LOCAL, "ip addr flush to 10.0.0.11/32"},
		{VIEW_NH_ROUTER, "shunt check /etc/shunt/shunt.yaml"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		WELL_BUT(w.backends[0].nexthop = rows[i].state);
		finds(DOCTOR_ERROR, "next-hop");
		assert_string_equal(remedy, rows[i].remedy);
	}
	WELL_BUT(w.backends[0].nexthop = VIEW_NH_OTHER_INTERFACE; w.backends[0].egress[3] = '9');
	finds(DOCTOR_ERROR, "next-hop");
	assert_non_null(strstr(remedy, "eth9, "));
	WELL_BUT(w.backends[0].health = HEALTH_DOWN; strcpy(w.backends[0].reason, "refused"));
	finds(DOCTOR_WARNING, "health");
	assert_string_equal(remedy, "shunt history web web1");
	strcpy(w.backends[0].reason, "no answer by ipip: has it 203.0.113.10 on lo?");
	finds(DOCTOR_WARNING, "health");
	assert_string_equal(remedy, "ip addr add 203.0.113.10/32 dev lo");
	assert_string_equal(where, "backend web/web1");
	assert_string_equal(consequence, "it gets no packets");
	w.service.failing_open = true;
	finds(DOCTOR_WARNING, "health");
	assert_non_null(strstr(consequence, "all the same"));
	w.backends[0].by_hand = true;
	finds(DOCTOR_WARNING, "health");
	assert_string_equal(consequence, "it gets no packets");
	WELL_BUT(w.service.usable = 0);
	finds(DOCTOR_ERROR, "usable");
	assert_string_equal(consequence, "its clients are not served by any of them (on_empty)");
	w.service.failing_open = true;
	finds(DOCTOR_ERROR, "usable");
	assert_non_null(strstr(consequence, "all that have a next hop"));
	WELL_BUT(w.service.panicking = true);
	finds(DOCTOR_ERROR, "usable");
}

static void paths_that_are_too_small_are_told_once(void **state)
{
	(void)state;
	WELL_BUT(w.backends[0].path_mtu = w.backends[1].path_mtu = 1500);
	finds(DOCTOR_WARNING, "mtu");
	assert_string_equal(remedy, "ip link set dev eth0 mtu 1520");
	w.backends[1].forward = SHUNT_GUE;
	finds(DOCTOR_WARNING, "mtu");
	assert_string_equal(remedy, "ip link set dev eth0 mtu 1532");
	w.backends[1].addr.family = 6;
	finds(DOCTOR_WARNING, "mtu");
	assert_string_equal(remedy, "ip link set dev eth0 mtu 1552");
	WELL_BUT(w.backends[0].path_mtu = w.backends[1].path_mtu = 1520);
	finds_nothing();
	WELL_BUT(w.backends[0].path_mtu = w.backends[1].path_mtu = 1500;
		 w.backends[0].forward = w.backends[1].forward = SHUNT_DSR);
	finds_nothing();
}

static void masq_needs_a_host_that_forwards(void **state)
{
	(void)state;
	WELL_BUT(w.facts.host.forwards4 = w.facts.host.forwards6 = 0);
	finds_nothing();
	w.service.masquerades = true;
	finds(DOCTOR_WARNING, "forwarding");
	assert_string_equal(remedy, "sysctl -w net.ipv4.ip_forward=1");
	w.service.vip = vip6;
	w.service.vip_bits = 128;
	finds(DOCTOR_WARNING, "forwarding");
	assert_string_equal(remedy, "sysctl -w net.ipv6.conf.all.forwarding=1");
}

static void verdicts_that_speak_of_this_host_are_told(void **state)
{
	(void)state;
	WELL_BUT(w.verdict.verdict = SHUNT_DROP_NAT_FULL);
	finds(DOCTOR_WARNING, "verdicts");
	assert_non_null(strstr(remedy, "nat_connections"));
	assert_non_null(strstr(remedy, " /etc/shunt/shunt.yaml && "));
	assert_non_null(strstr(what, "no room for another translated connection"));
	WELL_BUT(w.verdict.verdict = SHUNT_DROP_BAD_TABLE);
	finds(DOCTOR_ERROR, "verdicts");
	w.verdict.packets_per_s = 0; /* long ago */
	finds_nothing();
	WELL_BUT(w.verdict.verdict = SHUNT_DROP_BAD_SOURCE); /* whoever sent it is to blame */
	finds_nothing();
	WELL_BUT(w.verdict.verdict = SHUNT_VERDICT_MAX); /* a newer daemon's */
	finds_nothing();
}

/* With UPDATE_GOLDEN=1 in the environment it is written instead. */
static void all_of_this_is_worded_as_it_was(void **state)
{
	static const char path[] = "tests/unit/golden/doctor.txt";
	static char expected[sizeof(words)];
	FILE *f = fopen(path, getenv("UPDATE_GOLDEN") ? "w+" : "r");
	size_t n;

	(void)state;
	assert_non_null(f);
	if (getenv("UPDATE_GOLDEN")) {
		fputs(words, f);
		rewind(f);
	}
	n = fread(expected, 1, sizeof(expected) - 1, f);
	expected[n] = '\0';
	fclose(f);
	assert_string_equal(words, expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_that_is_well_has_no_findings),
		cmocka_unit_test(the_daemon_and_its_file_are_looked_at),
		cmocka_unit_test(the_kernel_is_looked_at),
		cmocka_unit_test(without_a_daemon_consequences_are_others),
		cmocka_unit_test(old_kernels_need_locked_memory),
		cmocka_unit_test(interfaces_are_looked_at),
		cmocka_unit_test(generic_mode_and_receive_offload_do_not_go_together),
		cmocka_unit_test(another_program_is_told_of_before_the_first_start),
		cmocka_unit_test(who_holds_an_address_is_told),
		cmocka_unit_test(backends_are_looked_at),
		cmocka_unit_test(paths_that_are_too_small_are_told_once),
		cmocka_unit_test(masq_needs_a_host_that_forwards),
		cmocka_unit_test(verdicts_that_speak_of_this_host_are_told),
		cmocka_unit_test(all_of_this_is_worded_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
