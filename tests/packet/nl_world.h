/* SPDX-License-Identifier: BSD-2-Clause */
/* For the tests of next hops against the real kernel: a namespace of this process's own with two
 * links to a second one, both nameless, so that nothing is left behind however a test ends; `ip` to
 * change them; and what is reported. Included once a program. */
#ifndef SHUNT_TEST_NL_WORLD_H
#define SHUNT_TEST_NL_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* */
#include <cmocka.h>
#include <event2/event.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mono.h"
#include "io/nl.h"

#define SECOND 1000000

static int here, there; /* namespaces: this host's and its neighbours' */

struct seen {
	struct event_base *base;
	struct nl *nl;
	unsigned int reports, links, gone;
	struct addr last_addr;
	struct nl_nexthop last;
	struct nl_link last_link;
};

/* ---- the world --------------------------------------------------------------------------------*/

static inline void command(const char *format, va_list args)
{
	char line[512];

	vsnprintf(line, sizeof(line), format, args);
	if (system(line) != 0)
		fail_msg("%s", line);
}

static inline void run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void run(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	command(format, args);
	va_end(args);
}

static inline void run_there(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void run_there(const char *format, ...)
{
	va_list args;

	assert_int_equal(setns(there, CLONE_NEWNET), 0);
	va_start(args, format);
	command(format, args);
	va_end(args);
	assert_int_equal(setns(here, CLONE_NEWNET), 0);
}

static inline int new_namespace(void)
{
	int fd;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static inline void make_link(const char *ours, const char *theirs)
{
	run("ip link add %s type veth peer name %s", ours, theirs);
	run("ip link set %s netns /proc/%d/fd/%d", theirs, (int)getpid(), there);
	/* Who does not answer is given up after 0.75 s instead of 3. */
	run("sysctl -qw net.ipv4.neigh.%s.retrans_time_ms=250 "
	    "net.ipv6.neigh.%s.retrans_time_ms=250",
	    ours, ours);
	run("sysctl -qw net.ipv6.conf.%s.accept_dad=0 net.ipv6.conf.%s.keep_addr_on_down=1", ours,
	    ours);
	run_there("sysctl -qw net.ipv6.conf.%s.accept_dad=0 net.ipv6.conf.%s.keep_addr_on_down=1",
		  theirs, theirs);
	run_there("ip link set %s up", theirs);
	run("ip link set %s up", ours);
}

/* va - vb: 10.9.0.0/24 and fd09::/64, we are 1, they are 2 and 3.  vc - vd: 10.8.0.0/24. */
static inline int make_world(void **state)
{
	(void)state;
	there = new_namespace();
	run("ip link set lo up");
	here = new_namespace();
	run("ip link set lo up");
	make_link("va", "vb");
	make_link("vc", "vd");
	run_there("ip addr add 10.9.0.2/24 dev vb && ip addr add 10.9.0.3/24 dev vb");
	run_there("ip addr add fd09::2/64 dev vb nodad && ip addr add fd09::3/64 dev vb nodad");
	run_there("ip addr add 10.8.0.2/24 dev vd");
	run("ip addr add 10.9.0.1/24 dev va && ip addr add fd09::1/64 dev va nodad");
	run("ip addr add 10.8.0.1/24 dev vc");
	return 0;
}

static inline int end_world(void **state)
{
	(void)state;
	close(here);
	close(there);
	return 0;
}

/* ---- what is reported -------------------------------------------------------------------------*/

static inline void on_nexthop(void *arg, const struct addr *a, const struct nl_nexthop *nh)
{
	struct seen *s = arg;

	s->reports++;
	s->last_addr = *a;
	s->last = *nh;
}

static inline void on_link(void *arg, const struct nl_link *link, bool gone)
{
	struct seen *s = arg;

	s->links++;
	s->gone += gone;
	s->last_link = *link;
}

static inline int begin(void **state)
{
	struct seen *s = calloc(1, sizeof(*s));
	struct nl_events events = {.nexthop = on_nexthop, .link = on_link, .arg = s};

	assert_non_null(s);
	s->base = event_base_new();
	assert_int_equal(nl_open(s->base, &events, &s->nl), 0);
	*state = s;
	return 0;
}

static inline int end(void **state)
{
	struct seen *s = *state;

	nl_shutdown(s->nl);
	event_base_free(s->base);
	free(s);
	return 0;
}

static inline struct addr address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, strlen(text), &a), 0);
	return a;
}

static inline void on_alarm(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	*(bool *)arg = true;
}

typedef bool (*condition)(struct seen *s, const void *arg);

/* Runs the loop until the condition holds. Returns the microseconds it took, -1 after @limit_us. */
static inline int64_t until(struct seen *s, condition holds, const void *arg, int64_t limit_us)
{
	struct timeval tv = {.tv_sec = limit_us / SECOND, .tv_usec = limit_us % SECOND};
	mono_t start = mono_now();
	bool late = false;
	struct event *alarm_timer = evtimer_new(s->base, on_alarm, &late);
	bool ok;

	event_add(alarm_timer, &tv);
	while (!(ok = holds(s, arg)) && !late)
		event_base_loop(s->base, EVLOOP_ONCE);
	event_free(alarm_timer);
	return ok ? mono_diff_us(start, mono_now()) : -1;
}

struct wanted {
	struct addr addr;
	enum nl_state state;
	const char *mac; /* NULL: any */
	const char *ifname; /* NULL: any */
	uint32_t mtu; /* 0: any */
	const char *source; /* NULL: any */
};

static inline bool is_mac(const uint8_t mac[6], const char *text)
{
	char buffer[18];

	snprintf(buffer, sizeof(buffer), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	return strcmp(buffer, text) == 0;
}

static inline bool reported(struct seen *s, const void *arg)
{
	const struct wanted *w = arg;
	struct nl_nexthop nh;
	struct addr source;

	assert_int_equal(nl_nexthop(s->nl, &w->addr, &nh), 0);
	if (s->reports == 0 || nh.state != w->state || (w->mac && !is_mac(nh.dmac, w->mac)))
		return false;
	if ((w->ifname && strcmp(nh.ifname, w->ifname) != 0) || (w->mtu && nh.mtu != w->mtu))
		return false;
	if (!w->source)
		return true;
	source = address(w->source);
	return addr_compare(&source, &nh.source) == 0;
}

#define PATIENCE 5 /* times as long as it may take on a machine of its own */

/* Waits for @w; fails with what there is instead. */
static inline int64_t expect(struct seen *s, struct wanted w, int64_t limit_us)
{
	int64_t us = until(s, reported, &w, limit_us * PATIENCE);
	struct nl_nexthop nh;
	char text[ADDR_TEXT_MAX];

	nl_nexthop(s->nl, &w.addr, &nh);
	if (us < 0)
		fail_msg("%s: state %d, wanted %d; %s, mtu %u", addr_format(&w.addr, text),
			 nh.state, w.state, nh.ifname, nh.mtu);
	return us;
}

static inline bool never(struct seen *s, const void *arg)
{
	(void)s;
	(void)arg;
	return false;
}

static inline void idle(struct seen *s, int64_t us)
{
	until(s, never, NULL, us);
}

static inline struct addr watch(struct seen *s, const char *text)
{
	struct addr a = address(text);

	assert_int_equal(nl_watch(s->nl, &a), 0);
	return a;
}

static inline void mac_of(const char *peer, char out[static 18])
{
	char path[64];
	FILE *f;

	assert_int_equal(setns(there, CLONE_NEWNET), 0);
	snprintf(path, sizeof(path), "ip -br link show %s | awk '{print $3}'", peer);
	f = popen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(out, 18, f));
	pclose(f);
	assert_int_equal(setns(here, CLONE_NEWNET), 0);
}

/* Gives the neighbour the next MAC and returns it. With announcements it tells the new one, by
 * gratuitous ARP and unsolicited neighbour advertisement. */
static inline const char *change_mac(bool announced)
{
	static char mac[18];
	static int n;

	snprintf(mac, sizeof(mac), "02:00:00:00:01:%02x", ++n);
	run_there("sysctl -qw net.ipv4.conf.vb.arp_notify=%d net.ipv6.conf.vb.ndisc_notify=%d",
		  announced, announced);
	run_there("ip link set vb address %s", mac);
	return mac;
}

#define story(f) cmocka_unit_test_setup_teardown(f, begin, end)

#endif
