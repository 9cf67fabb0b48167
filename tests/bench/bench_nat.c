/* SPDX-License-Identifier: BSD-2-Clause */
/* make bench: what translation costs a packet, each way, beside ipip in the same run.  Connections are
 * opened by packets, answered, and answered again, so that all are established; replies are made from
 * what their records say.  Environment: ROUNDS, CPU. */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "frame.h"
#include "io/dp.h"
#include "nat.h"
#include "pure/backend_row.h"
#include "pure/hashkey.h"
#include "pure/maglev.h"
#include "tests/bench/nat.skel.h"

#define BACKENDS 100
#define ROWS (BACKENDS + 1)
#define PORT 443
#define POOL_ADDRS 16
#define CONNECTIONS                                                                                \
	2097152 /* room for a million at half load, as the default has it for half of one */
#define REPEAT 400000
#define MILLION 1048576
#define LOOPBACK 1

enum row_kind { SHELL, IPIP, REQUEST, REPLY };
enum { SVC_IPIP4, SVC_IPIP6, SVC_NAT4, SVC_NAT6, SERVICES };

struct row {
	const char *name, *program;
	enum row_kind kind;
	bool is_v6;
	uint32_t flows;
	double least;
};

static struct row rows[] = {
	{"shell-v4", "shell4", SHELL, false, 1, 1e9},
	{"shell-v6", "shell6", SHELL, true, 1, 1e9},
	{"ipip-v4", "tunnel4", IPIP, false, 1, 1e9},
	{"ipip-v4", "tunnel4", IPIP, false, MILLION, 1e9},
	{"ipip-v6", "tunnel6", IPIP, true, 1, 1e9},
	{"ipip-v6", "tunnel6", IPIP, true, MILLION, 1e9},
	{"nat-v4-request", "plain4", REQUEST, false, 1, 1e9},
	{"nat-v4-reply", "plain4", REPLY, false, 1, 1e9},
	{"nat-v4-request", "plain4", REQUEST, false, MILLION, 1e9},
	{"nat-v4-reply", "plain4", REPLY, false, MILLION, 1e9},
	{"nat-v6-request", "plain6", REQUEST, true, 1, 1e9},
	{"nat-v6-reply", "plain6", REPLY, true, 1, 1e9},
	{"nat-v6-request", "plain6", REQUEST, true, MILLION, 1e9},
	{"nat-v6-reply", "plain6", REPLY, true, MILLION, 1e9},
};
#define N_ROWS (sizeof(rows) / sizeof(*rows))

struct bench {
	struct dp *dp;
	struct nat_bpf *skel;
	struct addr vips[SERVICES];
	struct nat_tuple4 *tuples4;
	struct nat_tuple6 *tuples6;
	struct shunt_nat_bucket *requests, *replies;
	struct shunt_nat_conn *conns;
	struct shunt_nat_addrs *addrs;
	struct shunt_nat_backs *backs;
	struct shunt_nat_back6 *backs6;
	uint32_t n_requests, n_replies;
};

/* ---- the world ---------------------------------------------------------------------------------*/

static struct addr address(bool is_v6, const char *v4, const char *v6, uint32_t last)
{
	char text[ADDR_TEXT_MAX];
	struct addr a = {0};
	int len = snprintf(text, sizeof(text), is_v6 ? "%s%x" : "%s%u", is_v6 ? v6 : v4, last);

	if (addr_parse(text, len, &a))
		abort();
	return a;
}

static bool is_v6(uint32_t service)
{
	return service & 1;
}

static void fill_backends(struct bench *b, uint32_t service)
{
	struct shunt_backend row;

	for (uint32_t i = 0; i < BACKENDS; i++) {
		struct backend_row_spec spec = {
			.addr = address(is_v6(service), "10.0.0.", "2001:db8::1:", i + 1),
			.source = address(is_v6(service), "192.0.2.", "2001:db8::2:", 1),
			.dmac = {2, 0, 0, 0xbe, (uint8_t)service, (uint8_t)i},
			.smac = {2, 0, 0, 0, 0, 1},
			.ifindex = LOOPBACK,
			.mtu = 1500,
			.method = service < SVC_NAT4 ? SHUNT_IPIP : SHUNT_NAT,
			.vip_family = is_v6(service) ? 6 : 4,
			.port = service < SVC_NAT4 ? 0 : 8080,
			.nat_pool = is_v6(service) ? 2 : 1,
			.usable = true,
		};

		backend_row_build(&spec, &row);
		dp_backend_write(b->dp, service * ROWS + 1 + i, &row);
	}
}

static int fill_slots(struct bench *b, uint32_t service)
{
	static uint16_t slots[65536];
	struct slot_backend pool[BACKENDS];
	uint32_t n = slots_for(BACKENDS);
	char name[32];
	int rc;

	for (uint32_t i = 0; i < BACKENDS; i++) {
		snprintf(name, sizeof(name), "backend-%u", i);
		pool[i] = (struct slot_backend){
			.id = slot_backend_id(name), .number = i + 1, .weight = 1, .up = true};
	}
	rc = maglev_fill(pool, BACKENDS, slots, n);
	if (!rc)
		dp_slots_write(b->dp, service * (n / SHUNT_SLOTS_PER_LINE), slots, n);
	return rc;
}

static int fill_tables(struct bench *b, struct dp_error *err)
{
	struct dp_service s[SERVICES];
	struct shunt_nat_ctl ctl = {.timeout = {1000000, 1000000, 1000000, 1000000, 1000000},
				    .first_port = 1024,
				    .ports = 64512};
	uint32_t n = slots_for(BACKENDS);

	for (int p = 1; p <= 2; p++) {
		ctl.pool[p].n = POOL_ADDRS;
		for (uint32_t i = 0; i < POOL_ADDRS; i++) {
			struct addr a = address(p == 2, "192.0.2.", "2001:db8::2:", i + 1);

			memcpy(ctl.pool[p].addr[i], a.bytes, 16);
		}
	}
	dp_nat_write(b->dp, &ctl);
	for (uint32_t i = 0; i < SERVICES; i++) {
		b->vips[i] = address(is_v6(i), "203.0.113.", "2001:db8:100::", i + 10);
		fill_backends(b, i);
		if (fill_slots(b, i))
			return -ENOMEM;
		s[i] = (struct dp_service){
			.vip = b->vips[i], .port = PORT, .protocol = IPPROTO_TCP};
		s[i].svc = (struct shunt_service){
			.slots_at = i * (n / SHUNT_SLOTS_PER_LINE),
			.slot_mask = n - 1,
			.row = i * ROWS,
			.backends = BACKENDS,
			.flags = i < SVC_NAT4 ? 0 : SHUNT_SVC_NAT,
			.flow_timeout = 300,
		};
	}
	return dp_services_switch(b->dp, s, SERVICES, err);
}

static uint32_t entries_of(int fd)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.max_entries;
}

static int load_programs(struct bench *b, const uint64_t key[static SHUNT_HASH_WORDS])
{
	struct shunt_settings *settings;
	struct bpf_map *map;
	uint32_t nat = SHUNT_STAGE_NAT;
	int rc, fd;

	b->skel = nat_bpf__open();
	if (!b->skel)
		return -errno;
	settings = (struct shunt_settings *)&b->skel->rodata->settings;
	memcpy(settings->hash_key, key, sizeof(settings->hash_key));
	settings->rows = entries_of(dp_map_fd(b->dp, "backends"));
	settings->flow_mask = entries_of(dp_map_fd(b->dp, "flows")) - 1;
	settings->cpus = entries_of(dp_map_fd(b->dp, "counters")) / settings->rows;
	settings->nat_mask = entries_of(dp_map_fd(b->dp, "nat_requests")) - 1;
	settings->staged = SHUNT_SVC_NAT;
	settings->nat_reply_mask = entries_of(dp_map_fd(b->dp, "nat_replies")) - 1;
	bpf_object__for_each_map(map, b->skel->obj)
	{
		fd = dp_map_fd(b->dp, bpf_map__name(map));
		if (fd >= 0 && strcmp(bpf_map__name(map), "stages") != 0 &&
		    bpf_map__reuse_fd(map, fd))
			return -errno;
	}
	rc = nat_bpf__load(b->skel);
	if (rc)
		return rc;
	fd = bpf_program__fd(b->skel->progs.shunt_nat);
	return bpf_map_update_elem(bpf_map__fd(b->skel->maps.stages), &nat, &fd, BPF_ANY);
}

static void *map_memory(int fd, size_t size)
{
	void *at = mmap(NULL, entries_of(fd) * size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		abort();
	return at;
}

static int open_bench(struct bench *b, struct dp_error *err)
{
	struct dp_options opt = {
		.sizes = {
			.services = SERVICES,
			.rows = SERVICES * ROWS,
			.slot_lines = SERVICES * slots_for(BACKENDS) / SHUNT_SLOTS_PER_LINE,
			.flows = 1024,
			.nat = CONNECTIONS,
			.nat6 = true,
		}};
	int rc;

	hashkey_derive(NULL, opt.hash_key);
	rc = dp_open(&opt, &b->dp, err);
	if (!rc)
		rc = fill_tables(b, err);
	if (!rc)
		rc = load_programs(b, opt.hash_key);
	if (rc)
		return rc;
	b->tuples4 = map_memory(bpf_map__fd(b->skel->maps.tuples4), sizeof(*b->tuples4));
	b->tuples6 = map_memory(bpf_map__fd(b->skel->maps.tuples6), sizeof(*b->tuples6));
	b->requests = map_memory(dp_map_fd(b->dp, "nat_requests"), sizeof(*b->requests));
	b->replies = map_memory(dp_map_fd(b->dp, "nat_replies"), sizeof(*b->replies));
	b->conns = map_memory(dp_map_fd(b->dp, "nat_conns"), sizeof(*b->conns));
	b->addrs = map_memory(dp_map_fd(b->dp, "nat_addrs"), sizeof(*b->addrs));
	b->backs = map_memory(dp_map_fd(b->dp, "nat_backs"), sizeof(*b->backs));
	b->backs6 = map_memory(dp_map_fd(b->dp, "nat_backs6"), sizeof(*b->backs6));
	b->n_requests = entries_of(dp_map_fd(b->dp, "nat_requests"));
	b->n_replies = entries_of(dp_map_fd(b->dp, "nat_replies"));
	return 0;
}

/* ---- tuples ------------------------------------------------------------------------------------*/

/* The tuple of run @i, from the client. */
static void request_tuple(struct bench *b, const struct row *r, uint32_t i)
{
	uint32_t flow = bench_flow(i, r->flows - 1);
	uint32_t ports = bench_ports(flow, (uint32_t)htons(PORT) << 16);
	const struct addr *vip = &b->vips[(r->kind == IPIP ? SVC_IPIP4 : SVC_NAT4) + r->is_v6];

	if (!r->is_v6) {
		uint32_t pair[2] = {bench_saddr4(flow)};

		memcpy(&pair[1], vip->bytes, 4);
		memcpy(&b->tuples4[i].addrs, pair, 8);
		b->tuples4[i].ports = ports;
		return;
	}
	b->tuples6[i].addrs[0] = 0x07000000b80d0120ull;
	b->tuples6[i].addrs[1] = bench_saddr6(flow);
	memcpy(&b->tuples6[i].addrs[2], vip->bytes, 16);
	b->tuples6[i].ports = ports;
}

/* Where the tuple of the client of a record stands, by its address. */
static int by_client(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Replaces the tuples by those of the answers: -1 if a connection is missing. */
static int reply_tuples(struct bench *b, const struct row *r)
{
	uint32_t n = 0, all = b->n_requests * SHUNT_NAT_WAYS;
	uint64_t(*known)[2] = calloc(r->flows, sizeof(*known));

	for (uint32_t rec = 0; rec < all; rec++) {
		if (!b->requests[rec / SHUNT_NAT_WAYS].word[rec % SHUNT_NAT_WAYS] || n == r->flows)
			continue;
		if (r->is_v6)
			memcpy(&known[n][0], &b->addrs[rec].client[2], 8);
		else
			known[n][0] = b->conns[rec].client;
		known[n++][1] = rec;
	}
	if (n != r->flows)
		return -1;
	qsort(known, n, sizeof(*known), by_client);
	for (uint32_t i = 0; i < r->flows; i++) {
		struct nat_tuple4 *t4 = &b->tuples4[i];
		struct nat_tuple6 *t6 = &b->tuples6[i];
		uint64_t key[2] = {r->is_v6 ? t6->addrs[1] : (uint32_t)t4->addrs};
		uint64_t(*k)[2] = bsearch(key, known, n, sizeof(*known), by_client);
		const struct shunt_nat_conn *conn = k ? &b->conns[(*k)[1]] : NULL;

		if (!conn)
			return -1;
		if (r->is_v6) {
			memcpy(&t6->addrs[0], b->addrs[(*k)[1]].backend, 16);
			memcpy(&t6->addrs[2], b->addrs[(*k)[1]].pool, 16);
			t6->ports = conn->backend_ports;
		} else {
			memcpy(&t4->addrs, &conn->backend, 8);
			t4->ports = conn->backend_ports;
		}
	}
	free(known);
	return 0;
}

/* ---- runs --------------------------------------------------------------------------------------*/

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* Returns ns a packet, negative when something is wrong. */
static double run(struct bench *b, const struct row *r, const struct frame *f, uint32_t repeat)
{
	struct bpf_program *p = bpf_object__find_program_by_name(b->skel->obj, r->program);
	uint64_t before[SHUNT_VERDICT_MAX], after[SHUNT_VERDICT_MAX];
	struct frame out;
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = f->bytes, .data_size_in = f->len,
		    .data_out = out.bytes, .data_size_out = FRAME_MAX, .repeat = (int)repeat);
	double ns;

	dp_verdicts_read(b->dp, before);
	ns = cpu_ns();
	if (bpf_prog_test_run_opts(bpf_program__fd(p), &o))
		return -1;
	ns = (cpu_ns() - ns) / repeat;
	dp_verdicts_read(b->dp, after);
	for (int v = 0; v < SHUNT_VERDICT_MAX; v++) {
		uint64_t must = r->kind == REPLY && v == SHUNT_RETURN_NAT ? repeat : 0;

		if (after[v] - before[v] != must)
			return -1;
	}
	return o.retval == XDP_TX ? ns : -1;
}

static void forget_connections(struct bench *b)
{
	memset(b->requests, 0, b->n_requests * sizeof(*b->requests));
	memset(b->replies, 0, b->n_replies * sizeof(*b->replies));
	memset(b->backs, 0, (size_t)b->n_replies * SHUNT_NAT_BACKS * sizeof(*b->backs));
	memset(b->backs6, 0, (size_t)b->n_replies * SHUNT_NAT_BACKS6 * sizeof(*b->backs6));
}

static int prepare(struct bench *b, const struct row *r, struct frame *f)
{
	const struct bench_case c = {.protocol = IPPROTO_TCP, .is_v6 = r->is_v6};
	struct nat_bench *state = (void *)&b->skel->bss->bench;
	struct bench_state plain;
	struct row request = *r, reply = *r;

	frame_build(&c, &b->vips[r->is_v6], PORT, FRAME_ACK, f);
	frame_state(f, r->is_v6, &plain);
	*state = (struct nat_bench){.mac_front = plain.mac_front,
				    .mac_back = plain.mac_back,
				    .mask = r->flows - 1,
				    .frame_len = plain.frame_len,
				    .ttl4 = plain.ttl4};
	for (uint32_t i = 0; i < r->flows; i++)
		request_tuple(b, r, i);
	if (r->kind == SHELL || r->kind == IPIP)
		return run(b, r, f, r->flows / 4 + 10000) < 0 ? -1 : 0;
	forget_connections(b);
	request.kind = REQUEST;
	reply.kind = REPLY;
	if (run(b, &request, f, r->flows) < 0 || reply_tuples(b, r) ||
	    run(b, &reply, f, r->flows) < 0)
		return -1;
	if (r->kind == REPLY)
		return run(b, &reply, f, r->flows) < 0 ? -1 : 0;
	for (uint32_t i = 0; i < r->flows; i++)
		request_tuple(b, r, i);
	return run(b, &request, f, r->flows) < 0 ? -1 : 0;
}

static int measure(struct bench *b, struct row *r)
{
	struct frame f;
	double ns;

	if (prepare(b, r, &f)) {
		fprintf(stderr, "bench: %s, %u connections: could not be prepared\n", r->name,
			r->flows);
		return -1;
	}
	ns = run(b, r, &f, r->flows > REPEAT ? r->flows : REPEAT);
	if (ns < 0) {
		fprintf(stderr, "bench: %s, %u connections: not every packet did as it must\n",
			r->name, r->flows);
		return -1;
	}
	r->least = ns < r->least ? ns : r->least;
	return 0;
}

/* ---- report ------------------------------------------------------------------------------------*/

static double least(const char *name, uint32_t flows)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (strcmp(rows[i].name, name) == 0 && rows[i].flows == flows)
			return rows[i].least;
	abort();
}

static void figure(const char *name, uint32_t flows, const char *to, double most)
{
	double ratio = least(name, flows) / least(to, 1);

	printf("%-4s  %s, %s / %s, 1 flow  %.2f  (at most %.1f)\n", ratio <= most ? "PASS" : "MISS",
	       name, flows == 1 ? "1 connection" : "1 M connections", to, ratio, most);
}

static void report(void)
{
	static const char *const names[] = {"nat-v4-request", "nat-v4-reply", "nat-v6-request",
					    "nat-v6-reply"};

	printf("%-16s %8s %7s %7s\n", "translation", "flows", "gross", "net");
	for (size_t i = 0; i < N_ROWS; i++)
		printf("%-16s %8u %7.1f %7.1f\n", rows[i].name, rows[i].flows, rows[i].least,
		       rows[i].least - rows[rows[i].is_v6].least);
	for (int i = 0; i < 4; i++) {
		figure(names[i], 1, i < 2 ? "ipip-v4" : "ipip-v6", 1.5);
		figure(names[i], MILLION, names[i], 5);
	}
}

static void pin_to_cpu(void)
{
	const char *cpu = getenv("CPU");
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu ? atoi(cpu) : sysconf(_SC_NPROCESSORS_ONLN) - 1, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

int main(void)
{
	const char *rounds = getenv("ROUNDS");
	struct dp_error err = {.text = ""};
	struct bench b = {0};
	int rc;

	pin_to_cpu();
	rc = open_bench(&b, &err);
	if (rc)
		fprintf(stderr, "bench: %s: %s\n", strerror(-rc), err.text);
	for (int round = 0; rc == 0 && round < (rounds ? atoi(rounds) : 5); round++)
		for (size_t i = 0; i < N_ROWS && rc == 0; i++)
			rc = measure(&b, &rows[i]);
	if (!rc)
		report();
	nat_bpf__destroy(b.skel);
	if (b.dp)
		dp_close(b.dp);
	return rc ? 1 : 0;
}
