/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt as an operator runs it, against a daemon of fixed rows. What it prints is compared with the
 * files in tests/unit/golden; with UPDATE_GOLDEN=1 in the environment they are written instead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>

#include "run_shunt.h"

/* Puts @with in place of each @what, so that what differs from run to run does not show. */
static void replace(char *text, const char *what, const char *with)
{
	char *at = text;

	while ((at = strstr(at, what))) {
		memmove(at + strlen(with), at + strlen(what), strlen(at + strlen(what)) + 1);
		memcpy(at, with, strlen(with));
		at += strlen(with);
	}
}

static void fix_time(char *text)
{
	char *at = strstr(text, "\"time\": "), *end;

	if (!at)
		return;
	at += strlen("\"time\": ");
	end = at + strspn(at, "0123456789");
	memmove(at, end, strlen(end) + 1);
}

/* ---- golden output ----------------------------------------------------------------------------*/

static void check_golden(const char *name, const char *arguments, const struct run *r)
{
	char path[PATH_MAX + 64], expected[2 * OUTPUT_MAX], got[2 * OUTPUT_MAX + 256];
	int fd;

	snprintf(got, sizeof(got), "$ shunt %s\n%s%s%sexit status %d\n", arguments, r->out,
		 r->err[0] ? "--- on standard error:\n" : "", r->err, r->exit);
	replace(got, fake->run_dir, "RUN");
	fix_time(got);
	snprintf(path, sizeof(path), "%s/%s.txt", golden_dir, name);
	if (getenv("UPDATE_GOLDEN")) {
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		assert_int_equal(write(fd, got, strlen(got)), strlen(got));
		close(fd);
		return;
	}
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	read_all(fd, expected);
	assert_string_equal(got, expected);
}

static void golden(const char *name, const char *arguments)
{
	static struct run r;

	run_shunt(&r, arguments);
	check_golden(name, arguments, &r);
}

static void golden_on_terminal(const char *name, const char *arguments)
{
	static struct run r;

	run_on_terminal(&r, arguments, 80);
	replace(r.out, "\r\n", "\n");
	check_golden(name, arguments, &r);
}

static void tables_are_as_they_were(void **state)
{
	(void)state;
	golden("status", "status");
	golden("upgrade-status", "upgrade --status");
	golden("services", "services");
	golden("backends", "backends");
	golden("backends-one", "backends dns");
	golden("stats", "stats");
	golden("stats-all", "stats --all dns");
	golden("fingerprint", "fingerprint");
	golden("fingerprint-one", "fingerprint web");
	golden("history", "history web web1");
}

static void tables_on_a_terminal_are_as_they_were(void **state)
{
	(void)state;
	golden_on_terminal("terminal-status", "status");
	golden_on_terminal("terminal-services", "services");
	golden_on_terminal("terminal-backends", "backends");
	golden_on_terminal("terminal-history", "history web web1");
	golden_on_terminal("terminal-stats", "--no-color stats");
	golden_on_terminal("terminal-no-daemon", "-i a-name-of-31-characters--------- stats");
}

static void json_is_as_it_was(void **state)
{
	(void)state;
	golden("json-status", "status --json");
	golden("json-upgrade-status", "upgrade --status --json");
	golden("json-services", "services --json");
	golden("json-backends", "backends --json");
	golden("json-stats", "--json stats");
	golden("json-fingerprint", "fingerprint --json");
	golden("json-fingerprint-one", "fingerprint web --json");
	golden("json-version", "version --json");
	golden("json-history", "history web web1 --json");
	golden("fail-unknown-backend", "history web nosuch");
}

static void tables_of_nothing_are_as_they_were(void **state)
{
	(void)state;
	fake->services = 0;
	golden("empty-status", "status");
	golden("empty-services", "services");
	golden("empty-backends", "backends");
	golden("empty-stats", "stats");
	golden("empty-fingerprint", "fingerprint");
	golden("empty-json-backends", "backends --json");
	golden("empty-json-stats", "stats --json");
	fake->services = COUNT(golden_services);
}

static void commands_say_what_the_daemon_says(void **state)
{
	(void)state;
	golden("drain", "drain web web1");
	golden("drain-wait", "drain web web10 --deadline 90s --wait");
	golden("enable", "enable web web1");
	golden("disable", "disable web web1 --reason why");
	golden("weight", "weight web web1 5");
	golden("log-level", "log-level");
	golden("json-log-level", "log-level debug --json");
	golden("drain-unknown", "drain nope web1");
	golden("drain-unknown-json", "drain nope web1 --json");
	golden("reload-refused", "reload");
	golden("upgrade-refused", "upgrade");
	golden("upgrade-accept", "upgrade --accept-changes --json");
	golden("upgrade-rollback", "upgrade --rollback");
}

static void plans_are_as_they_were(void **state)
{
	(void)state;
	golden("plan", "plan /etc/shunt/new.yaml");
	golden_on_terminal("terminal-plan", "plan /etc/shunt/new.yaml");
	golden("json-plan", "plan --json");
	golden("plan-exit-code", "plan --exit-code /etc/shunt/new.yaml > /dev/null");
	golden("plan-refused", "plan /etc/shunt/bad.yaml");
	golden("plan-refused-json", "plan /etc/shunt/bad.yaml --json");
	golden("plan-of-another", "plan /etc/shunt/other.yaml");
	golden("fail-plan-no-daemon", "-i nobody plan");
	golden("reload-yes", "reload --plan --yes");
	golden("misuse-reload-plan", "reload --plan < /dev/null");
	golden("misuse-reload-yes", "reload --yes");
	golden("misuse-reload-plan-json", "reload --plan --json");
	fake->services = 0;
	golden("empty-plan", "plan --exit-code /etc/shunt/new.yaml");
	golden("empty-json-plan", "plan --json");
	fake->services = COUNT(golden_services);
}

static void other_balancers_are_converted(void **state)
{
	(void)state;
	golden("convert", "convert ipvs configs/convert/ipvsadm.rules --interface eth9");
	golden("convert-vip", "convert haproxy configs/convert/haproxy.cfg --vip 203.0.113.54 "
			      "| grep 203.0.113.54");
	golden("convert-nothing", "convert haproxy configs/convert/ipvsadm.rules");
	golden("fail-convert-file", "convert ipvs /nonexistent/rules");
	golden("misuse-convert", "convert nginx configs/convert/haproxy.cfg");
	golden("misuse-convert-vip", "convert haproxy configs/convert/haproxy.cfg --vip here");
}

static void misuse_is_told_with_what_is_right(void **state)
{
	(void)state;
	golden("misuse-nothing", "");
	golden("misuse-unknown", "statsu");
	golden("misuse-unlike-any", "xyzzy");
	golden("misuse-too-few", "drain web");
	golden("misuse-too-many", "status now");
	golden("misuse-option", "status --watch");
	golden("misuse-reason", "disable web web1 --reason=");
	golden("misuse-reason-of", "services --reason why");
	golden("misuse-upgrade", "upgrade --status --rollback");
	golden("misuse-upgrade-of", "reload --rollback");
	golden("misuse-unknown-option", "stats --bogus");
	golden("misuse-option-slip", "stats --wacth=2");
	golden("misuse-option-slip-common", "--jsno status");
	golden("misuse-weight", "weight web web1 1001");
	golden("misuse-log-level", "log-level verbose");
	golden("misuse-weight-word", "weight web web1 -1x");
	golden("misuse-deadline", "drain web web1 --deadline 90");
	golden("misuse-deadline-long", "drain web web1 --deadline 169h --wait");
	golden("misuse-deadline-of", "enable web web1 --deadline 1m");
	golden("misuse-watch", "stats --watch=often");
	golden("help", "help");
	golden("help-stats", "help stats");
	golden("help-drain", "help drain");
	golden("help-upgrade", "help upgrade");
	golden("help-unknown", "help statsu");
}

static void failures_are_told_with_what_to_do(void **state)
{
	(void)state;
	golden("fail-no-daemon", "-i nobody status");
	golden("fail-no-daemon-ctl", "-i nobody reload");
	golden("fail-unknown-service", "backends nope");
	golden("fail-check", "check /nonexistent/shunt.yaml");
	golden("fail-full", "services > /dev/full");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_are_as_they_were),
		cmocka_unit_test(tables_on_a_terminal_are_as_they_were),
		cmocka_unit_test(json_is_as_it_was),
		cmocka_unit_test(tables_of_nothing_are_as_they_were),
		cmocka_unit_test(commands_say_what_the_daemon_says),
		cmocka_unit_test(plans_are_as_they_were),
		cmocka_unit_test(other_balancers_are_converted),
		cmocka_unit_test(misuse_is_told_with_what_is_right),
		cmocka_unit_test(failures_are_told_with_what_to_do),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
