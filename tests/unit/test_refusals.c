/* SPDX-License-Identifier: BSD-2-Clause */
/* What the programs refuse to do: as one line on standard error that says what to do, with nothing printed,
 * and the status of its kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "run_shunt.h"

/* What is run, its exit status, and what it says. */
struct refusal {
	const char *arguments;
	int exit;
	const char *text;
};

static void is_refused(const struct refusal *x, const struct run *r)
{
	if (r->exit != x->exit || !strstr(r->err, x->text))
		fail_msg("%s: exit status %d, says: %s", x->arguments, r->exit, r->err);
	if (!strchr(r->err, '\n') || r->out[0])
		fail_msg("%s: also prints: %s", x->arguments, r->out);
}

static void shunt_refuses(const struct refusal *list)
{
	static struct run r;

	for (; list->arguments; list++) {
		run_shunt(&r, list->arguments);
		assert_int_equal(strncmp(r.err, "shunt: ", 7), 0);
		is_refused(list, &r);
	}
}

/* The same for another program that was built. */
static void program_refuses(const char *name, const struct refusal *list)
{
	char command[2 * PATH_MAX];
	static struct run r;

	for (; list->arguments; list++) {
		snprintf(command, sizeof(command), "exec %.*s%s %s",
			 (int)(strrchr(shunt_path, '/') + 1 - shunt_path), shunt_path, name,
			 list->arguments);
		run_by(&r, exec_shell, command);
		is_refused(list, &r);
	}
}

/* ---- files --------------------------------------------------------------------------------------*/

static void write_file(const char *name, const void *data, size_t len)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", fake->run_dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

static void remove_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", fake->run_dir, name);
	unlink(path);
}

/* ---- shunt --------------------------------------------------------------------------------------*/

#define NAME_16 "0123456789abcdef"
#define NAME_64 NAME_16 NAME_16 NAME_16 NAME_16
#define NAME_256 NAME_64 NAME_64 NAME_64 NAME_64

static void what_makes_no_sense_is_refused(void **state)
{
	static const struct refusal list[] = {
		{"drain web web1 --deadline", 2,
		 "--deadline wants TIME after it; see shunt help drain"},
		{"drain '' web1", 2, "the name of a service or backend cannot be empty"},
		{"drain " NAME_256 " web1", 1, "\": the name is too long"},
		{"drain web " NAME_256, 1, "\": the name is too long"},
		{"backends " NAME_256, 1, "\": the name is too long; shunt services lists them"},
		{"history web " NAME_256, 1, "\": the name is too long; shunt backends lists them"},
		{"flows " NAME_256, 2, "is no name of a service; shunt services lists them"},
		{"explain ''", 1, "no service \"\"; shunt services lists them"},
		{"flows --backend ''", 2,
		 "\"\" is no name of a backend; shunt backends lists them"},
		{"flows --client 192.0.2.7 --vip here", 2,
		 "--vip here: an address, with a port or without"},
		{"top --every 0.1", 2, "--every 0.1: seconds, from 0.25 to 60"},
		{"top --every often", 2, "--every often: seconds, from 0.25 to 60"},
		{"plan /" NAME_256 "/" NAME_256 "/" NAME_256 "/" NAME_256 "/" NAME_256, 1,
		 ": the path is too long; 1023 bytes are taken"},
		{"-i ../x status", 1,
		 "\"../x\" is no name of an instance (no \"/\", no dot in front), or --run-dir"},
		{"-i " NAME_256 " reload", 1, "\" is no name of an instance"},
		{0},
	};

	(void)state;
	shunt_refuses(list);
}

static void without_a_daemon_every_command_says_so(void **state)
{
	static const char *const commands[] = {"status",
					       "services",
					       "backends",
					       "stats",
					       "flows",
					       "fingerprint",
					       "history web web1",
					       "events",
					       "explain web",
					       "explain 192.0.2.7:1 203.0.113.10:80",
					       "plan",
					       "reload",
					       "enable web web1",
					       "disable web web1",
					       "weight web web1 1",
					       "drain web web1",
					       "drain web web1 --wait",
					       "trace",
					       "capture --write /dev/null",
					       "upgrade",
					       "upgrade --status",
					       "upgrade --rollback",
					       "stats --json"};
	char arguments[128];
	static struct run r;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(commands); i++) {
		snprintf(arguments, sizeof(arguments), "-i nobody %s", commands[i]);
		run_shunt(&r, arguments);
		is_refused(&(struct refusal){arguments, 1,
					     "shunt: no shuntd of instance \"nobody\" answers ("},
			   &r);
		assert_non_null(
			strstr(r.err, "Start it with systemctl start shunt, or shuntd -c FILE"));
	}
}

static const char config[] =
	"interfaces: [eth0]\n"
	"services:\n"
	"- {name: web, vip: 192.0.2.10, port: 80, forward: ipip, "
	"backends: [10.0.0.11 name=web1, 10.0.0.12 name=web2]}\n"
	"- {name: none, vip: 192.0.2.11, port: 80, backends_file: no.backends}\n";

static void setup_of_what_is_not_there_is_refused(void **state)
{
	static const struct refusal list[] = {
		{"setup backend web --json", 2,
		 "setup backend prints a script, and takes no --json"},
		{"setup backend web --config \"$C\" --from here,there", 2,
		 "--from here,there: addresses or prefixes, with commas between"},
		{"setup backend web --config \"$C\" --format networkd", 2,
		 "--format networkd is of one backend: say which; shunt backends web lists them"},
		{"setup backend web nosuch --config \"$C\"", 1,
		 "service web has no backend \"nosuch\" in /"},
		{"setup backend nosuch --config configs/shunt.yaml", 1,
		 "no service \"nosuch\" in configs/shunt.yaml; --config names another file"},
		{"setup backend web nosuch --config configs/shunt.yaml", 1,
		 "service web has no backend \"nosuch\" in configs/shunt.yaml; --config names "
		 "another file"},
		{"setup backend none --config \"$C\"", 1, "service none has no backends in /"},
		{0},
	};
	char path[128];

	(void)state;
	write_file("c.yaml", config, sizeof(config) - 1);
	write_file("no.backends", "\n", 1);
	snprintf(path, sizeof(path), "%s/c.yaml", fake->run_dir);
	setenv("C", path, 1);
	shunt_refuses(list);
	unsetenv("C");
	remove_file("c.yaml");
	remove_file("no.backends");
}

static void waiting_for_what_does_not_drain_ends(void **state)
{
	static struct run r;

	(void)state;
	run_shunt(&r, "drain web web1 --wait");
	assert_int_equal(r.exit, 1);
	assert_string_equal(r.err, "shunt: web/web1 is no longer drained; shunt history web web1 "
				   "says who changed that\n");
	run_shunt(&r, "drain web nosuch --wait");
	assert_int_equal(r.exit, 1);
	assert_string_equal(r.err,
			    "shunt: web/nosuch is no longer there; shunt backends lists who is\n");
}

static void what_shuntd_would_not_take_is_printed_with_what_is_wrong(void **state)
{
	static struct run r;

	(void)state;
	run_shunt(&r, "convert ipvs configs/convert/ipvsadm.rules --interface a/b");
	assert_int_equal(r.exit, 1);
	assert_non_null(strstr(r.err, "shunt: shuntd would not take it as it is: output:"));
	assert_non_null(strstr(r.err, "interface \"a/b\" cannot be a network interface"));
	assert_non_null(strstr(r.out, "services:"));
}

/* pcap-savefile(5): of the second packet there is less than is said. */
static void a_capture_that_is_cut_off_is_told(void **state)
{
	static const uint32_t capture[] = {
		0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1 /* Ethernet */, 0, 0, 4, 4, 0, 0, 0, 60, 60};
	static struct run r;
	char arguments[160];

	(void)state;
	write_file("cut.pcap", capture, sizeof(capture));
	snprintf(arguments, sizeof(arguments), "explain --pcap %s/cut.pcap", fake->run_dir);
	run_shunt(&r, arguments);
	assert_int_equal(r.exit, 1);
	assert_non_null(strstr(r.err, "shunt: after packet 1: "));
	assert_non_null(strstr(r.err, "truncated"));
	remove_file("cut.pcap");
}

static void without_the_program_beside_it_decap_says_where_it_is_from(void **state)
{
	char command[2 * PATH_MAX];
	static struct run r;

	(void)state;
	if (access("/usr/local/libexec/shunt/shunt-decap", F_OK) == 0)
		skip();
	snprintf(command, sizeof(command), "cp %s %s/alone && %s/alone decap status", shunt_path,
		 fake->run_dir, fake->run_dir);
	run_by(&r, exec_shell, command);
	remove_file("alone");
	assert_int_equal(r.exit, 1);
	assert_non_null(strstr(r.err, "shunt: cannot run shunt-decap, neither /"));
	assert_non_null(strstr(r.err, "; the package shunt-backend has it"));
}

/* Who is not root could put files where a daemon's are. */
static void a_daemon_of_somebody_else_is_not_asked(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	static struct run r;
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/strange.sock", fake->run_dir);
	assert_int_equal(chmod(fake->run_dir, 0777), 0);
	assert_int_equal(seteuid(65534), 0);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(fake->run_dir, 0755), 0);
	run_shunt(&r, "-i strange reload");
	close(fd);
	remove_file("strange.sock");
	assert_int_equal(r.exit, 1);
	assert_non_null(
		strstr(r.err, "is served by uid 65534, which is neither root, shunt nor you"));
}

/* ---- the other programs -------------------------------------------------------------------------*/

static void shuntd_refuses_what_makes_no_sense(void **state)
{
	static const struct refusal list[] = {
		{"--nonsense", 2, "try shuntd --help"},
		{"-c", 2, "try shuntd --help"},
		{"shunt.yaml", 2,
		 "shuntd: no arguments are expected besides options; try shuntd --help"},
		{"--check --remove", 2,
		 "shuntd: --check, --try, --remove and --accept-changes exclude each other; try"},
		{0},
	};

	(void)state;
	program_refuses("shuntd", list);
}

static void decap_refuses_what_makes_no_sense(void **state)
{
	static const struct refusal list[] = {
		{"", 2, "which command: attach, add, del, detach, status?"},
		{"fly", 2, "no such command: fly"},
		{"attach", 2, "which interface?"},
		{"add eth0", 2, "which addresses?"},
		{"detach eth0 eth1", 2, "one interface only; what is this: eth1"},
		{"attach eth0 nowhere", 2, "not the IPv4 or IPv6 address of a host: nowhere"},
		{"attach eth0 --native --generic", 2,
		 "--native and --generic contradict each other"},
		{"add eth0 --native", 2, "not an option here: --native"},
		{"attach eth0 10.0.0.12 --only", 2, "--only which sources?"},
		{"attach eth0 --only nobody", 2, "not the address or prefix of balancers: nobody"},
		{"attach eth0 --only 10.0.0.0/33", 2, "not a prefix's length: 10.0.0.0/33"},
		{"attach eth0 --only 10.0.0.1/24", 2, "has bits beyond its length: 10.0.0.1/24"},
		{"attach eth0 --only 10.0.0.1$(printf ',10.0.0.1%.0s' $(seq 1024))", 2,
		 "too many sources, at: 10.0.0.1"},
		{"attach eth0 $(printf '10.0.0.1 %.0s' $(seq 1025))", 2,
		 "too many addresses, at: 10.0.0.1"},
		{0},
	};

	(void)state;
	program_refuses("shunt-decap", list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_makes_no_sense_is_refused),
		cmocka_unit_test(without_a_daemon_every_command_says_so),
		cmocka_unit_test(setup_of_what_is_not_there_is_refused),
		cmocka_unit_test(waiting_for_what_does_not_drain_ends),
		cmocka_unit_test(what_shuntd_would_not_take_is_printed_with_what_is_wrong),
		cmocka_unit_test(a_capture_that_is_cut_off_is_told),
		cmocka_unit_test(without_the_program_beside_it_decap_says_where_it_is_from),
		cmocka_unit_test(a_daemon_of_somebody_else_is_not_asked),
		cmocka_unit_test(shuntd_refuses_what_makes_no_sense),
		cmocka_unit_test(decap_refuses_what_makes_no_sense),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
