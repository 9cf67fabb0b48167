/* SPDX-License-Identifier: BSD-2-Clause */
/* Neighbours of watched addresses: found, lost, changing their MAC. Times are printed. */
#include "nl_world.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/if_ether.h>
#include <sys/socket.h>

/* ---- neighbours -------------------------------------------------------------------------------*/

static void a_silent_neighbour_is_reported_and_found_when_it_comes(void **state)
{
	struct seen *s = *state;
	struct addr v4 = watch(s, "10.9.0.50"), v6 = watch(s, "fd09::50");
	int64_t us =
		expect(s, (struct wanted){v4, NL_NO_NEIGHBOUR, NULL, "va", 0, NULL}, 6 * SECOND);

	print_message("# no answer: reported after %ld ms\n", (long)us / 1000);
	expect(s, (struct wanted){v6, NL_NO_NEIGHBOUR, NULL, "va", 0, NULL}, 6 * SECOND);
	/* Being asked for again is no news. */
	s->reports = 0;
	idle(s, 2 * SECOND);
	assert_int_equal(s->reports, 0);
	s->reports = 1;
	run_there("ip addr add 10.9.0.50/24 dev vb && ip addr add fd09::50/64 dev vb nodad");
	us = expect(s, (struct wanted){v4, NL_RESOLVED, NULL, "va", 0, NULL}, 3 * SECOND);
	print_message("# came: found after %ld ms\n", (long)us / 1000);
	expect(s, (struct wanted){v6, NL_RESOLVED, NULL, "va", 0, NULL}, 3 * SECOND);
	run_there("ip addr del 10.9.0.50/24 dev vb && ip addr del fd09::50/64 dev vb");
	us = expect(s, (struct wanted){v4, NL_NO_NEIGHBOUR, NULL, "va", 0, NULL}, 6 * SECOND);
	print_message("# went: reported after %ld ms\n", (long)us / 1000);
}

static int64_t follow_mac(struct seen *s, const struct addr *a, bool announced)
{
	const char *mac = change_mac(announced);
	int64_t us = expect(s, (struct wanted){*a, NL_RESOLVED, mac, "va", 0, NULL}, SECOND);

	print_message("# IPv%d: followed after %ld us\n", a->family, (long)us);
	return us;
}

static void an_announced_mac_change_is_followed_at_once(void **state)
{
	int64_t least[2] = {INT64_MAX, INT64_MAX}, us;
	struct seen *s = *state;
	struct addr v4 = watch(s, "10.9.0.2"), v6 = watch(s, "fd09::2");

	expect(s, (struct wanted){v4, NL_RESOLVED, NULL, NULL, 0, NULL}, SECOND);
	expect(s, (struct wanted){v6, NL_RESOLVED, NULL, NULL, 0, NULL}, SECOND);
	for (int i = 0; i < 6;
	     i++) { /* the least: a machine that has much to do may let one wait */
		us = follow_mac(s, i % 2 ? &v6 : &v4, true);
		least[i % 2] = us < least[i % 2] ? us : least[i % 2];
	}
	assert_in_range(least[0], 0, 50000);
	assert_in_range(least[1], 0, 50000);
}

static void a_silent_mac_change_is_followed_within_a_second(void **state)
{
	struct seen *s = *state;
	int in_time[2] = {0};
	int64_t us;
	struct addr v4 = watch(s, "10.9.0.2"), v6 = watch(s, "fd09::2");

	expect(s, (struct wanted){v4, NL_RESOLVED, NULL, NULL, 0, NULL}, SECOND);
	expect(s, (struct wanted){v6, NL_RESOLVED, NULL, NULL, 0, NULL}, SECOND);
	for (int i = 0; i < 6; i++) {
		idle(s, 500000 + i * 111000);
		us = follow_mac(s, i % 2 ? &v6 : &v4, false);
		in_time[i % 2] += us < SECOND;
	}
	assert_true(in_time[0] && in_time[1]); /* one that had to wait for its turn may be late */
}

static bool was_bad(struct seen *s, const void *arg)
{
	(void)arg;
	return s->last.state != NL_RESOLVED;
}

static void keeping_neighbours_alive_is_no_news(void **state)
{
	struct seen *s = *state;
	struct addr v4 = watch(s, "10.9.0.2"), v6 = watch(s, "fd09::2");

	expect(s, (struct wanted){v4, NL_RESOLVED, NULL, NULL, 0, NULL}, SECOND);
	expect(s, (struct wanted){v6, NL_RESOLVED, NULL, NULL, 0, NULL}, SECOND);
	idle(s, SECOND); /* time to notice what the last test did */
	s->reports = 0;
	assert_int_equal(until(s, was_bad, NULL, 3 * SECOND), -1);
	run("ip neigh flush dev va");
	run("ip neigh flush dev va");
	assert_int_equal(until(s, was_bad, NULL, SECOND), -1);
	assert_int_equal(s->reports, 0);
}

static void permanent_neighbours_are_taken_as_they_are_and_stay(void **state)
{
	struct seen *s = *state;
	struct addr a = address("10.9.0.60");

	run("ip neigh add 10.9.0.60 lladdr 02:00:00:00:00:60 dev va nud permanent");
	assert_int_equal(nl_watch(s->nl, &a), 0);
	expect(s, (struct wanted){a, NL_RESOLVED, "02:00:00:00:00:60", "va", 0, NULL}, SECOND);
	idle(s, 1500000);
	run("ip neigh show 10.9.0.60 | grep -q PERMANENT");
	run("ip neigh change 10.9.0.60 lladdr 02:00:00:00:00:61 dev va nud permanent");
	expect(s, (struct wanted){a, NL_RESOLVED, "02:00:00:00:00:61", "va", 0, NULL}, SECOND);
	run("ip neigh del 10.9.0.60 dev va");
	expect(s, (struct wanted){a, NL_NO_NEIGHBOUR, NULL, NULL, 0, NULL}, 6 * SECOND);
}

static void a_neighbour_made_permanent_behind_our_back_stays_so(void **state)
{
	struct seen *s = *state;
	struct addr a = watch(s, "10.9.0.61");

	expect(s, (struct wanted){a, NL_NO_NEIGHBOUR, NULL, NULL, 0, NULL}, 6 * SECOND);
	/* The event that tells of it is unread when the next asking is due. */
	run("for i in $(seq 0 999); do echo route add 10.100.$((i/250)).$((i%%250))/32 dev vc; "
	    "done | "
	    "ip -batch -");
	run("ip neigh replace 10.9.0.61 lladdr 02:00:00:00:00:61 dev va nud permanent");
	usleep(1200000);
	expect(s, (struct wanted){a, NL_RESOLVED, "02:00:00:00:00:61", NULL, 0, NULL}, SECOND);
	idle(s, SECOND);
	run("ip neigh show 10.9.0.61 | grep -q PERMANENT");
	run("ip route flush dev vc proto boot scope link && ip neigh del 10.9.0.61 dev va");
}

/* ---- a neighbour of our own making ------------------------------------------------------------*/

static const uint8_t mute_mac[6] = {2, 0, 0, 0, 0, 0x90}, mute_ip[4] = {10, 9, 0, 90};

struct mute {
	int fd;
	unsigned int unicast, broadcast; /* how often it was asked */
};

static void answer(const struct mute *m, const struct sockaddr_ll *to, const struct ether_arp *arp)
{
	struct {
		struct ether_header header;
		struct ether_arp arp;
	} __attribute__((packed)) frame = {.header.ether_type = htons(ETHERTYPE_ARP), .arp = *arp};

	memcpy(frame.header.ether_dhost, arp->arp_sha, 6);
	memcpy(frame.header.ether_shost, mute_mac, 6);
	frame.arp.ea_hdr.ar_op = htons(ARPOP_REPLY);
	memcpy(frame.arp.arp_tha, arp->arp_sha, 6);
	memcpy(frame.arp.arp_tpa, arp->arp_spa, 4);
	memcpy(frame.arp.arp_sha, mute_mac, 6);
	memcpy(frame.arp.arp_spa, mute_ip, 4);
	assert_int_equal(
		sendto(m->fd, &frame, sizeof(frame), 0, (const struct sockaddr *)to, sizeof(*to)),
		sizeof(frame));
}

/* Answers what is asked of everybody, but not what is asked of it alone. */
static void on_arp(evutil_socket_t fd, short what, void *arg)
{
	struct {
		struct ether_header header;
		struct ether_arp arp;
	} __attribute__((packed)) frame;
	struct sockaddr_ll from;
	socklen_t len = sizeof(from);
	struct mute *m = arg;
	struct ether_arp asked;

	(void)what;
	if (recvfrom(fd, &frame, sizeof(frame), 0, (struct sockaddr *)&from, &len) <
	    (ssize_t)sizeof(frame))
		return;
	if (memcmp(frame.arp.arp_tpa, mute_ip, 4) != 0 ||
	    frame.arp.ea_hdr.ar_op != htons(ARPOP_REQUEST))
		return;
	if (from.sll_pkttype == PACKET_BROADCAST) {
		m->broadcast++;
		asked = frame.arp;
		answer(m, &from, &asked);
	} else if (memcmp(frame.header.ether_dhost, mute_mac, 6) == 0) {
		m->unicast++;
	}
}

static void open_mute(struct mute *m)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ARP)};

	assert_int_equal(setns(there, CLONE_NEWNET), 0);
	m->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ARP));
	at.sll_ifindex = (int)if_nametoindex("vb");
	assert_true(m->fd >= 0);
	assert_int_equal(bind(m->fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(setns(here, CLONE_NEWNET), 0);
}

static void a_neighbour_deaf_to_unicast_stays_resolved_and_is_asked_less(void **state)
{
	struct seen *s = *state;
	struct mute m = {0};
	struct event *arp;
	struct addr a;

	open_mute(&m);
	arp = event_new(s->base, m.fd, EV_READ | EV_PERSIST, on_arp, &m);
	event_add(arp, NULL);
	a = watch(s, "10.9.0.90");
	expect(s, (struct wanted){a, NL_RESOLVED, "02:00:00:00:00:90", "va", 0, NULL}, SECOND);
	s->reports = 0;
	idle(s, 8 * SECOND);
	assert_int_equal(s->reports, 0);
	print_message("# asked %u times by unicast, %u by broadcast\n", m.unicast, m.broadcast);
	assert_in_range(m.unicast, 3, 7); /* every second it would be 9 */
	assert_in_range(m.broadcast, 3, 8);
	event_free(arp);
	close(m.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		story(a_silent_neighbour_is_reported_and_found_when_it_comes),
		story(an_announced_mac_change_is_followed_at_once),
		story(a_silent_mac_change_is_followed_within_a_second),
		story(keeping_neighbours_alive_is_no_news),
		story(permanent_neighbours_are_taken_as_they_are_and_stay),
		story(a_neighbour_made_permanent_behind_our_back_stays_so),
		story(a_neighbour_deaf_to_unicast_stays_resolved_and_is_asked_less),
	};

	return cmocka_run_group_tests(tests, make_world, end_world);
}
