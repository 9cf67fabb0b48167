/* SPDX-License-Identifier: BSD-2-Clause */
/* shunt explain and flows as an operator runs them, against a daemon that knows a few packets and flows.
 * What is printed is compared with tests/unit/golden; with UPDATE_GOLDEN=1 it is written instead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>

#include "explain_facts.h"
#include "run_shunt.h"

/* ---- the daemon -------------------------------------------------------------------------------*/

static void fill(const struct explain_facts *f, struct explanation *out)
{
	out->about_packet = true;
	out->packet = (struct view_explain){.verdict = f->verdict,
					    .action = f->has_backend ? 3 : 1,
					    .service = "web",
					    .why = f->why,
					    .forward = SHUNT_IPIP,
					    .slots = f->has_slot ? f->slots : 0,
					    .slot = f->has_slot ? f->slot : 0,
					    .moves = f->moves,
					    .remembers = f->remembers,
					    .interface = "eth0"};
	if (f->has_backend) {
		strcpy(out->packet.backend, f->backend.name);
		strcpy(out->packet.egress, f->egress);
		strcpy(out->packet.cur, f->cur);
	}
	if (f->moves)
		strcpy(out->packet.base, f->base);
	out->n_steps = explain_words(f, out->steps);
	out->n_frames = f->has_backend ? 2 : 1;
	out->frames[0].bytes.len = 20;
	out->frames[1].leaves = true;
	out->frames[1].bytes.len = 17;
	memset(out->frames[1].bytes.at, 0xab, 17);
}

static int explains(void *arg, const struct explain_ask *ask, struct explanation *out)
{
	const struct explain_service s = facts_of_a_service();
	struct explain_facts f = facts_of_a_packet();

	(void)arg;
	if (ask->service[0]) {
		if (strcmp(ask->service, "web") != 0)
			return -ENOENT;
		out->n_steps = explain_service_words(&s, out->steps);
		return 0;
	}
	if (strcmp(ask->interface, "eth7") == 0) {
		strcpy(out->error, "there is no interface \"eth7\"; shunt is told to use: eth0");
		return -ENODEV;
	}
	if (ask->port == 81)
		f = facts_of_a_drop(SHUNT_DROP_RATE_SERVICE);
	if (ask->established)
		f = facts_in_transition();
	fill(&f, out);
	return 0;
}

#define FLOWS 5000

/* A page has no more than three, and none on the way to the second thousand. */
static uint64_t lists_flows(void *arg, const struct msg_get *get,
			    bool (*put)(void *to, const struct view_flow *f), void *to)
{
	struct view_flow f = {.kind = VIEW_FLOW_ALL,
			      .service = "web",
			      .backend = "web1",
			      .state = VIEW_FLOW_CONFIRMED,
			      .number = 1};
	uint64_t i = get->cursor;

	(void)arg;
	for (; i < 3; i++) {
		f.age_ms = i * 4000;
		put(to, &f);
	}
	if (i < FLOWS)
		return i + 1000 < FLOWS ? i + 1000 : FLOWS;
	f = (struct view_flow){.kind = VIEW_FLOW_NAT,
			       .state = VIEW_FLOW_ESTABLISHED,
			       .service = "web",
			       .backend = "web2",
			       .number = 2,
			       .age_ms = 60000,
			       .protocol = IPPROTO_TCP,
			       .client = V4(192, 0, 2, 7),
			       .vip = V4(203, 0, 113, 10),
			       .pool = V4(10, 0, 0, 2),
			       .client_port = 40000,
			       .port = 80,
			       .pool_port = 2000};
	put(to, &f);
	f = (struct view_flow){.kind = VIEW_FLOW_MOVING, .state = VIEW_FLOW_NEW, .number = 3};
	put(to, &f);
	return 0;
}

static int setup_explain(void **state)
{
	int rc = setup(state);

	if (rc || !fake_end(SIGTERM))
		return -1;
	fake->source.explain = explains;
	fake->source.flows = lists_flows;
	return fake_start();
}

/* ---- golden output ----------------------------------------------------------------------------*/

static void golden(const char *name, const char *arguments)
{
	char path[PATH_MAX + 64], expected[2 * OUTPUT_MAX], got[2 * OUTPUT_MAX + 256];
	static struct run r;
	int fd;

	run_shunt(&r, arguments);
	snprintf(got, sizeof(got), "$ shunt %s\n%s%s%sexit status %d\n", arguments, r.out,
		 r.err[0] ? "--- on standard error:\n" : "", r.err, r.exit);
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

static void packets_are_explained_as_they_were(void **state)
{
	(void)state;
	golden("explain", "explain 192.0.2.7:40000 203.0.113.10:80");
	golden("explain-drop", "explain 192.0.2.7:40000 203.0.113.10:81/tcp");
	golden("explain-moves", "explain --established 192.0.2.7:40000 203.0.113.10:80 --bytes");
	golden("explain-json", "explain 192.0.2.7:40000 203.0.113.10:80 --json --bytes");
	golden("explain-drop-json", "explain 192.0.2.7:40000 203.0.113.10:81 --json");
}

static void services_are_explained_as_they_were(void **state)
{
	(void)state;
	golden("explain-service", "explain web");
	golden("explain-service-json", "explain web --json");
	golden("explain-service-unknown", "explain nosuch");
}

static void flows_are_listed_as_they_were(void **state)
{
	(void)state;
	golden("flows", "flows");
	golden("flows-json", "flows --json");
	golden("flows-limit", "flows --limit 2 web");
	golden("flows-client", "flows --client 192.0.2.0/24 --json");
}

static void misuse_is_told_with_what_is_right(void **state)
{
	(void)state;
	golden("explain-nothing", "explain");
	golden("explain-port", "explain 192.0.2.7 203.0.113.10:80");
	golden("explain-families", "explain 192.0.2.7:1 [2001:db8::1]:80");
	golden("explain-protocols", "explain 192.0.2.7:1/udp 203.0.113.10:80/tcp");
	golden("explain-flags", "explain 192.0.2.7:1 203.0.113.10:80 --syn --established");
	golden("explain-udp", "explain 192.0.2.7:1 203.0.113.10:80/udp --established");
	golden("explain-interface", "explain 192.0.2.7:1 203.0.113.10:80 --interface eth7");
	golden("explain-interface-long", "explain web --interface a-name-of-16-xxx");
	golden("explain-no-file", "explain --pcap /nonexistent.pcap");
	golden("explain-both", "explain web --pcap /nonexistent.pcap");
	golden("flows-no-service", "flows --service none --json");
	golden("flows-no-backend", "flows --backend none");
	golden("flows-no-backend-of-it", "flows --backend none web");
	golden("flows-limit-word", "flows --limit many");
	golden("flows-client-word", "flows --client 192.0.2.0/33");
	golden("flows-twice", "flows web --service dns");
	golden("flows-unknown", "flows nosuch");
	golden("trace-filter", "trace --filter nonsense_x");
	golden("trace-sample", "trace --sample 100");
	golden("trace-count", "trace --count 0");
	golden("capture-no-file", "capture");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_are_explained_as_they_were),
		cmocka_unit_test(services_are_explained_as_they_were),
		cmocka_unit_test(flows_are_listed_as_they_were),
		cmocka_unit_test(misuse_is_told_with_what_is_right),
	};

	return cmocka_run_group_tests(tests, setup_explain, teardown);
}
