/* SPDX-License-Identifier: BSD-2-Clause */
/* Of the host as a whole, of the daemon and of its configuration. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pure/doctor.h"
#include "pure/verdict.h"
#include "shunt_abi.h"

/* What the programs need: 5.12's atomics; bonds are taken natively since 5.15. */
#define KERNEL_MAJOR 5
#define KERNEL_MINOR 15
/* Since 5.11 maps are not charged to locked memory. */
#define KERNEL_MINOR_CHARGED 11

/* @remedy with @file in place of its "%s". */
static void put_file(struct doctor_finding *x, const char *remedy, const char *file)
{
	const char *at = strstr(remedy, "%s");

	if (at)
		doctor_says(x->remedy, "%.*s%s%s", (int)(at - remedy), remedy, file, at + 2);
	else
		doctor_says(x->remedy, "%s", remedy);
}

static bool is_older(const struct doctor_host *h, uint32_t major, uint32_t minor)
{
	return h->kernel[0] &&
	       (h->kernel[0] < major || (h->kernel[0] == major && h->kernel[1] < minor));
}

static void check_daemon(const struct doctor_facts *f, struct doctor_report *r)
{
	struct doctor_finding *x;

	if (f->daemon)
		return;
	if (f->forbidden) {
		x = doctor_find(r, DOCTOR_WARNING, "%s", f->daemon_error);
		doctor_says(x->consequence,
			    "what it could tell, and much of the rest, is not seen");
		doctor_says(x->remedy, "sudo shunt doctor");
		return;
	}
	x = doctor_find(r, DOCTOR_WARNING, "shuntd does not answer: %s", f->daemon_error);
	doctor_says(x->consequence, "%s",
		    f->host.pinned
			    ? "what it has left goes on forwarding, but nobody follows health, "
			      "next hops and files"
			    : "nothing is balanced; what follows is what it would find");
	if (!f->file_error[0] && f->file[0])
		doctor_says(x->remedy, "shuntd -c %s", f->file);
}

static void check_config(const struct doctor_facts *f, struct doctor_report *r)
{
	struct doctor_finding *x;

	if (f->file_error[0]) {
		x = doctor_find(r, DOCTOR_ERROR, "%s", f->file_error);
		doctor_says(x->consequence, "%s",
			    f->daemon
				    ? "a reload or restart would be refused; what is in force stays"
				    : "shuntd does not start with this file");
		doctor_says(x->remedy, "shunt check %s", f->file);
	} else if (f->daemon && f->file_differs) {
		x = doctor_find(r, DOCTOR_NOTE, "%s differs from what is in force", f->file);
		doctor_says(x->consequence, "a reload or restart would change something");
		doctor_says(x->remedy, "shunt reload --plan");
	}
	if (f->daemon && f->status.config_error[0] && !f->file_error[0]) {
		x = doctor_find(r, DOCTOR_WARNING, "the last reload was refused: %s",
				f->status.config_error);
		doctor_says(x->consequence, "what was in force before it still is");
		doctor_says(x->remedy, "shunt reload");
	}
}

static void check_secret(const struct doctor_facts *f, struct doctor_report *r)
{
	struct doctor_finding *x;

	if (!f->conf || f->conf->hash_secret)
		return;
	x = doctor_find(r, DOCTOR_NOTE, "there is no hash_secret in %s", f->file);
	doctor_says(x->consequence,
		    "everybody can tell which flows meet at one backend, and aim them");
	doctor_says(x->remedy, "echo \"hash_secret: $(openssl rand -hex 16)\" >> %s", f->file);
}

static void check_kernel(const struct doctor_facts *f, struct doctor_report *r)
{
	const struct doctor_host *h = &f->host;
	struct doctor_finding *x;

	if (!is_older(h, KERNEL_MAJOR, KERNEL_MINOR))
		return;
	x = doctor_find(r, f->daemon ? DOCTOR_WARNING : DOCTOR_ERROR,
			"the kernel is %" PRIu32 ".%" PRIu32 "; shunt needs %d.%d", h->kernel[0],
			h->kernel[1], KERNEL_MAJOR, KERNEL_MINOR);
	doctor_says(x->consequence, "its programs may not load, or not natively on bonds");
	doctor_says(x->remedy, "apt install linux-image-amd64 && reboot");
}

static void check_jit(const struct doctor_facts *f, struct doctor_report *r)
{
	struct doctor_finding *x;

	if (f->host.jit != 0)
		return;
	x = doctor_find(r, DOCTOR_WARNING,
			"the kernel interprets BPF programs: net.core.bpf_jit_enable is 0");
	doctor_says(x->consequence, "each packet costs many times what it should");
	doctor_says(x->remedy, "sysctl -w net.core.bpf_jit_enable=1");
}

static void check_bpffs(const struct doctor_facts *f, struct doctor_report *r)
{
	struct doctor_finding *x;

	if (f->host.bpffs)
		return;
	x = doctor_find(r, f->daemon ? DOCTOR_WARNING : DOCTOR_NOTE,
			"no BPF filesystem is mounted on /sys/fs/bpf here");
	doctor_says(
		x->consequence, "%s",
		f->daemon ? "tables that are pinned elsewhere, or not seen from here, may be lost "
			    "when the daemon ends"
			  : "shuntd mounts one if it may; in a unit it may not");
	doctor_says(x->remedy, "mount -t bpf bpf /sys/fs/bpf");
}

static void check_old_pins(const struct doctor_facts *f, struct doctor_report *r)
{
	size_t i;

	for (i = 0; i < f->host.n_old_pins; i++) {
		struct doctor_finding *x = doctor_find(
			r, DOCTOR_NOTE, "tables of another version of shunt are pinned in %s",
			f->host.old_pins[i]);

		doctor_says(x->consequence, "they take memory, and nothing uses them");
		doctor_says(x->remedy, "rm -r %s", f->host.old_pins[i]);
	}
}

static void check_memory(const struct doctor_facts *f, struct doctor_report *r)
{
	struct doctor_finding *x;

	if (!f->host.memory_limited || !is_older(&f->host, KERNEL_MAJOR, KERNEL_MINOR_CHARGED))
		return;
	x = doctor_find(r, DOCTOR_WARNING,
			"locked memory is limited, and this kernel charges tables to it");
	doctor_says(x->consequence, "tables cannot be made or grow");
	doctor_says(x->remedy, "ulimit -l unlimited");
}

static void check_clock(const struct doctor_facts *f, struct doctor_report *r)
{
	const bool matters = f->conf && f->conf->peers.n;
	struct doctor_finding *x;

	if (!f->host.clock_unsynced)
		return;
	x = doctor_find(r, matters ? DOCTOR_WARNING : DOCTOR_NOTE,
			"nobody keeps this host's clock (NTP)");
	doctor_says(
		x->consequence, "%s",
		matters ? "peers drop each other's datagrams once clocks differ by 30 s"
			: "times in logs and history may be wrong, and deadlines of drains after a "
			  "restart");
	doctor_says(x->remedy, "timedatectl set-ntp true");
}

static void check_upgrade(const struct doctor_facts *f, struct doctor_report *r)
{
	struct doctor_finding *x;

	if (!f->daemon || f->status.upgrade.state < SHUNT_UPGRADE_REFUSED ||
	    f->status.upgrade.state >= SHUNT_UPGRADE_MAX)
		return;
	x = doctor_find(r, DOCTOR_WARNING, "the former packet path is in force: %s",
			f->status.upgrade.why);
	doctor_says(x->consequence, "the daemon is newer than what forwards packets");
	doctor_says(x->remedy, "shunt upgrade --status");
}

static void check_flow_table(const struct doctor_facts *f, struct doctor_report *r)
{
	const struct view_status *s = &f->status;
	const uint64_t now = f->conf ? f->conf->flow_table >> 20 : 1;
	struct doctor_finding *x;

	if (!f->daemon || !s->flows_no_room)
		return;
	x = doctor_find(r, DOCTOR_WARNING,
			"the flow table had no room for %" PRIu64 " of %" PRIu64 " flows",
			s->flows_no_room, s->flows_no_room + s->flows_remembered);
	doctor_says(
		x->consequence,
		"these may change their backend when backends come or go, or at their next packet "
		"(rr, wrr, lc, wlc)");
	doctor_says(x->remedy, "sed -i '/^flow_table:/d; $a flow_table: %" PRIu64 "M' %s",
		    now ? 2 * now : 1, f->file);
}

static void check_peers(const struct doctor_facts *f, struct doctor_report *r)
{
	const uint64_t *fates = f->status.peers.fates;
	struct doctor_finding *x;

	if (!f->daemon || !f->status.peers.peers)
		return;
	if (fates[PEER_STALE]) {
		x = doctor_find(r, DOCTOR_WARNING, "%" PRIu64 " datagrams of peers were too old",
				fates[PEER_STALE]);
		doctor_says(x->consequence,
			    "flows that a router moves from or to those peers break");
		doctor_says(x->remedy, "timedatectl set-ntp true");
	}
	if (fates[PEER_FORGED] || fates[PEER_OTHER_SECRET] || fates[PEER_STRANGER]) {
		x = doctor_find(
			r, DOCTOR_WARNING,
			"%" PRIu64 " datagrams to peer_listen were not of a peer with the same "
			"secrets",
			fates[PEER_FORGED] + fates[PEER_OTHER_SECRET] + fates[PEER_STRANGER]);
		doctor_says(x->consequence, "either peers differ in peers, peer_secret or "
					    "hash_secret, or somebody else "
					    "sends there");
		doctor_says(x->remedy, "shunt fingerprint");
	}
}

/* Those that say something of this host; what senders bring about is none of its. */
static const struct {
	enum shunt_verdict verdict;
	enum doctor_severity severity;
	const char *consequence;
	const char *remedy; /* "%s": the configuration's file */
} troubles[] = {
	{SHUNT_DROP_NAT_FULL, DOCTOR_WARNING, "new connections are refused",
	 "sed -i '/^nat_connections:/d; $a nat_connections: 4M' %s && shunt reload"},
	{SHUNT_DROP_NAT_EXHAUSTED, DOCTOR_WARNING,
	 "new connections to that backend are refused; more addresses in nat_pool, or more "
	 "nat_ports, "
	 "make room",
	 "sed -i '/^nat_ports:/d; $a nat_ports: 10000-59999' %s && shunt reload"},
	{SHUNT_REPLY_TOO_BIG, DOCTOR_NOTE,
	 "senders are told and send smaller ones, where ICMP gets through; see the check mtu", ""},
	{SHUNT_DROP_TOO_BIG, DOCTOR_WARNING,
	 "senders are not told (icmp_rate), so that large transfers stall; see the check mtu", ""},
	{SHUNT_DROP_NO_HEADROOM, DOCTOR_ERROR,
	 "the driver leaves no room for a tunnel's header; another mode may", "shunt status"},
	{SHUNT_DROP_NO_EGRESS, DOCTOR_ERROR,
	 "packets for that backend are lost; name its interface in interfaces", "shunt backends"},
	{SHUNT_DROP_BAD_TABLE, DOCTOR_ERROR, "packets are lost, and it is shunt's own mistake",
	 "shunt stats --all"},
};

static void check_verdicts(const struct doctor_facts *f, struct doctor_report *r)
{
	size_t i, k;

	for (i = 0; i < f->n_verdicts; i++) {
		const struct view_verdict *v = &f->verdicts[i];

		for (k = 0; k < sizeof(troubles) / sizeof(troubles[0]); k++) {
			struct doctor_finding *x;

			if (troubles[k].verdict != v->verdict || !v->packets_per_s)
				continue;
			x = doctor_find(r, troubles[k].severity,
					"%" PRIu64 " packets a second: %s (%s)", v->packets_per_s,
					verdict_words(v->verdict), verdict_name(v->verdict));
			doctor_says(x->consequence, "%s", troubles[k].consequence);
			put_file(x, troubles[k].remedy, f->file);
		}
	}
}

const struct doctor_check doctor_host_checks[] = {
	{"daemon", check_daemon},
	{"config", check_config},
	{"secret", check_secret},
	{"kernel", check_kernel},
	{"jit", check_jit},
	{"bpffs", check_bpffs},
	{"old-pins", check_old_pins},
	{"memory", check_memory},
	{"clock", check_clock},
	{"upgrade", check_upgrade},
	{"flow-table", check_flow_table},
	{"peers", check_peers},
	{"verdicts", check_verdicts},
	{NULL, NULL},
};
