/* SPDX-License-Identifier: BSD-2-Clause */
/* make bench-operate: what the command costs who looks: stats with all backends, idle and while a million
 * packets a second run through the packet path, backends, explain, top. tests/bench/operate.sh makes the
 * world. Usage: bench_operate PART SHUNT INSTANCE RUN_DIR PID VIP BACKENDS; PART is "stats", "explain WORDS" or
 * "top". Environment: ROUNDS, TIMES=no asserts what is said and no time. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "io/stats_client.h"

#define ROUNDS_MAX 99
#define RATE 1050000 /* packets a second, to be above a million in spite of pauses */
#define BATCH 64 /* packets a system call, all of one flow */
#define PORTS 10 /* services, at ports from 80 on */
#define TOP_S 10

static struct {
	const char *shunt, *instance, *run_dir, *vip;
	pid_t daemon;
	size_t backends;
	int rounds;
	bool times, failed;
} b;

/* One answer of the command. */
struct answer {
	double wall, cpu, daemon; /* ms */
	size_t n; /* backends */
	uint64_t services, backends, verdicts; /* packets, as each of them tells */
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench_operate: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* CPU time of the daemon so far. */
static double daemon_ms(void)
{
	char path[64];
	auto_fclose FILE *f = NULL;
	double ns = 0;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", b.daemon);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%lf", &ns) != 1)
		die(path);
	return ns / 1e6;
}

static double cpu_ms(const struct rusage *u)
{
	return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1e3 +
	       (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e3;
}

/* ---- figures ----------------------------------------------------------------------------------*/

static void print_row(const char *says, double value, const char *unit, double most)
{
	const bool good = value <= most;

	printf("%-4s  %-66s %6.2f%s  (at most %.2f)\n", good ? "PASS" : "MISS", says, value, unit,
	       most);
	fflush(stdout);
	b.failed |= !good;
}

static void print_same(const char *says, bool good)
{
	printf("%-4s  %s\n", good ? "PASS" : "MISS", says);
	fflush(stdout);
	b.failed |= !good;
}

static int by_size(const void *a, const void *c)
{
	const double *x = a, *y = c;

	return (*x > *y) - (*x < *y);
}

/* The median, with the least and the CPU time of both processes beside it. */
static void print_times(const char *what, const struct answer *all, double most)
{
	double wall[ROUNDS_MAX], cpu[ROUNDS_MAX];
	char says[160];
	int i;

	for (i = 0; i < b.rounds; i++) {
		wall[i] = all[i].wall;
		cpu[i] = all[i].cpu + all[i].daemon;
	}
	qsort(wall, (size_t)b.rounds, sizeof(*wall), by_size);
	qsort(cpu, (size_t)b.rounds, sizeof(*cpu), by_size);
	snprintf(says, sizeof(says), "%s (least %.1f, CPU %.1f)", what, wall[0], cpu[b.rounds / 2]);
	if (b.times)
		print_row(says, wall[b.rounds / 2], " ms", most);
}

/* ---- the command ------------------------------------------------------------------------------*/

static void run_child(int out, const char *const words[])
{
	const char *argv[16] = {b.shunt, "-i", b.instance, "--run-dir", b.run_dir};
	size_t n = 5;

	while (*words)
		argv[n++] = *words++;
	if (out >= 0)
		dup2(out, STDOUT_FILENO);
	execv(b.shunt, (char *const *)argv);
	_exit(127);
}

/* What it prints goes to @out. */
static void run(const char *const words[], FILE *out, struct answer *a)
{
	double began = now_ms(), before = daemon_ms();
	struct rusage used;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		run_child(fileno(out), words);
	if (pid < 0 || wait4(pid, &status, 0, &used) != pid)
		die("wait4");
	a->wall = now_ms() - began;
	a->cpu = cpu_ms(&used);
	a->daemon = daemon_ms() - before;
	if (status) {
		fprintf(stderr, "bench_operate: shunt %s ended with status %d\n", words[0], status);
		exit(1);
	}
}

/* The packets that a line of JSON tells of: the first number of them, and the sum of the others. */
static void add_line(const char *line, struct answer *a)
{
	static const char key[] = "\"packets\": ";
	const bool is_service = strstr(line, "\"backends\": [");
	const char *at = strstr(line, key);

	if (!at)
		return;
	if (!is_service) {
		if (strstr(line, "\"class\": \"forward\""))
			a->verdicts += strtoull(at + sizeof(key) - 1, NULL, 10);
		return;
	}
	a->services += strtoull(at + sizeof(key) - 1, NULL, 10);
	while ((at = strstr(at + 1, key))) {
		a->backends += strtoull(at + sizeof(key) - 1, NULL, 10);
		a->n++;
	}
}

static struct answer ask_stats(void)
{
	static const char *const words[] = {"stats", "--json", NULL};
	auto_fclose FILE *out = tmpfile();
	auto_free char *line = NULL;
	struct answer a = {0};
	size_t room = 0;

	if (!out)
		die("tmpfile");
	run(words, out, &a);
	rewind(out);
	while (getline(&line, &room, out) > 0)
		add_line(line, &a);
	return a;
}

static struct answer ask(const char *first, const char *second, const char *third)
{
	const char *const words[] = {first, second, third, NULL};
	auto_fclose FILE *out = tmpfile();
	struct answer a = {0};
	char c;

	if (!out)
		die("tmpfile");
	run(words, out, &a);
	rewind(out);
	while ((c = (char)getc(out)) != (char)EOF)
		a.n += c == '\n';
	return a;
}

/* ---- packets ----------------------------------------------------------------------------------*/

struct sender {
	int program_fd;
	atomic_bool stop;
	atomic_ullong begun,
		sent; /* packets; some of those that were begun may have been counted */
};

struct frame {
	struct ethhdr eth;
	struct iphdr ip;
	struct tcphdr tcp;
	char data[10];
} __attribute__((packed));

static struct frame make_frame(void)
{
	struct frame f = {
		.eth = {.h_proto = htons(ETH_P_IP), .h_dest = {2, 1}, .h_source = {2, 2}},
		.ip = {.version = 4,
		       .ihl = 5,
		       .ttl = 255, /* each run of a batch takes one */
		       .protocol = IPPROTO_TCP,
		       .tot_len = htons(sizeof(f) - sizeof(f.eth)),
		       .saddr = htonl(0x0a090000),
		       .daddr = inet_addr(b.vip)},
		.tcp = {.doff = 5, .ack = 1},
	};
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(f.ip); i += 2) {
		uint16_t word;

		memcpy(&word, (char *)&f.ip + i, 2);
		sum += word;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	f.ip.check = (uint16_t) ~(sum + (sum >> 16));
	return f;
}

static void send_batch(struct sender *s, uint32_t n)
{
	struct frame f = make_frame();
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &f, .data_size_in = sizeof(f),
		    .repeat = BATCH);

	f.tcp.source = htons((uint16_t)(1024 + n * 7919u % 60000));
	f.tcp.dest = htons((uint16_t)(80 + n % PORTS));
	atomic_fetch_add(&s->begun, BATCH);
	if (bpf_prog_test_run_opts(s->program_fd, &opts))
		die("the packet path's program does not run");
	atomic_fetch_add(&s->sent, BATCH);
}

static void *send_all(void *arg)
{
	struct sender *s = arg;
	const double began = now_ms();
	uint32_t n = 0;

	while (!atomic_load(&s->stop)) {
		if ((double)atomic_load(&s->sent) < (now_ms() - began) * (RATE / 1000.0))
			send_batch(s, n++);
		else
			usleep(200);
	}
	return NULL;
}

/* The one that the daemon has attached. */
static int open_program(void)
{
	struct view_status status = {0};
	struct stats_client *c;
	struct client_error e;
	int fd;

	if (stats_client_open(b.run_dir, b.instance, &c, &e) < 0 ||
	    stats_client_status(c, &status, &e) < 0) {
		fprintf(stderr, "bench_operate: %s\n", e.text);
		exit(1);
	}
	stats_client_close(c);
	fd = bpf_prog_get_fd_by_id(status.upgrade.program);
	if (fd < 0)
		die("the packet path's program");
	return fd;
}

/* ---- stats ------------------------------------------------------------------------------------*/

/* Services, backends and verdicts are read one after the other, of counters that only grow. */
static bool is_complete(const struct answer *a, uint64_t from, uint64_t to)
{
	const bool good = a->n == b.backends && from <= a->services && a->services <= a->backends &&
			  a->backends <= a->verdicts && a->verdicts <= to;

	if (!good)
		printf("  %zu backends; services %llu, backends %llu, verdicts %llu packets, sent "
		       "%llu to %llu\n",
		       a->n, (unsigned long long)a->services, (unsigned long long)a->backends,
		       (unsigned long long)a->verdicts, (unsigned long long)from,
		       (unsigned long long)to);
	return good;
}

static void measure_busy(struct sender *s, const struct answer *before)
{
	struct answer all[ROUNDS_MAX], text[ROUNDS_MAX];
	const double began = now_ms();
	const uint64_t base = before->verdicts;
	bool complete = true;
	char says[128];
	uint64_t from;
	double rate;
	int i;

	for (i = 0; i < b.rounds; i++) {
		usleep(200000);
		from = base + atomic_load(&s->sent);
		all[i] = ask_stats();
		complete &= is_complete(&all[i], from, base + atomic_load(&s->begun));
		text[i] = ask("stats", NULL, NULL);
	}
	rate = (double)atomic_load(&s->sent) / (now_ms() - began) / 1000;
	snprintf(says, sizeof(says), "stats while %.2f M packets/s run", rate);
	print_times(says, text, 150);
	snprintf(says, sizeof(says), "stats --json while %.2f M packets/s run", rate);
	print_times(says, all, 150);
	if (b.times)
		print_same("a million packets a second were reached", rate >= 1);
	print_same("meanwhile each answer has every backend, and sums between what was sent before "
		   "and after it",
		   complete);
}

static void measure_stats(void)
{
	struct answer all[4][ROUNDS_MAX], before, after;
	struct sender s = {.program_fd = open_program()};
	uint64_t sent;
	pthread_t thread;
	int i;

	for (i = 0; i < b.rounds; i++) {
		all[0][i] = ask("stats", NULL, NULL);
		all[1][i] = ask_stats();
		all[2][i] = ask("backends", NULL, NULL);
		all[3][i] = ask("backends", "--json", NULL);
	}
	print_times("stats", all[0], 150);
	print_times("stats --json", all[1], 150);
	print_times("backends", all[2], 150);
	print_times("backends --json", all[3], 150);
	before = ask_stats();
	if (pthread_create(&thread, NULL, send_all, &s))
		die("pthread_create");
	measure_busy(&s, &before);
	atomic_store(&s.stop, true);
	pthread_join(thread, NULL);
	after = ask_stats();
	sent = before.verdicts + atomic_load(&s.sent);
	print_same("afterwards services, backends and verdicts have as many packets as were sent",
		   is_complete(&after, sent, sent));
}

/* ---- explain, top -----------------------------------------------------------------------------*/

static void measure_explain(const char *words, const char *port)
{
	struct answer all[ROUNDS_MAX];
	char to[128];
	int i;

	snprintf(to, sizeof(to), "%s:%s/tcp", b.vip, port);
	for (i = 0; i < b.rounds; i++) {
		all[i] = ask("explain", "192.0.2.7:40000", to);
		b.failed |= all[i].n < 3;
	}
	print_times(words, all, 50);
}

/* Runs it on a terminal for so many seconds; its CPU time in ms. */
static double run_top(double seconds)
{
	static const char *const words[] = {"top", NULL};
	struct winsize size = {.ws_row = 50, .ws_col = 160};
	const double until = now_ms() + seconds * 1000;
	struct rusage used;
	char screen[65536];
	int fd, status;
	pid_t pid = forkpty(&fd, NULL, NULL, &size);

	if (pid == 0) {
		setenv("TERM", "xterm", 1);
		run_child(-1, words);
	}
	if (pid < 0)
		die("forkpty");
	while (now_ms() < until) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		if (poll(&p, 1, 100) > 0 && read(fd, screen, sizeof(screen)) <= 0)
			break;
	}
	if (write(fd, "q", 1) != 1 || wait4(pid, &status, 0, &used) != pid || status)
		die("top");
	close(fd);
	return cpu_ms(&used);
}

static void measure_top(void)
{
	double before, idle, own, daemon;

	before = daemon_ms();
	sleep(TOP_S);
	idle = daemon_ms() - before;
	before = daemon_ms();
	own = run_top(TOP_S);
	daemon = daemon_ms() - before - idle;
	print_row("top: its own share of a core", own / TOP_S / 10, " %", 2);
	print_row("top: what it makes the daemon use more", daemon > 0 ? daemon / TOP_S / 10 : 0,
		  " %", 2);
}

int main(int argc, char **argv)
{
	const char *rounds = getenv("ROUNDS"), *times = getenv("TIMES");

	if (argc < 8)
		return 2;
	b.shunt = argv[2];
	b.instance = argv[3];
	b.run_dir = argv[4];
	b.daemon = atoi(argv[5]);
	b.vip = argv[6];
	b.backends = (size_t)atoi(argv[7]);
	b.rounds = rounds && atoi(rounds) > 0 && atoi(rounds) <= ROUNDS_MAX ? atoi(rounds) : 7;
	b.times = !times || strcmp(times, "no") != 0;
	if (strcmp(argv[1], "stats") == 0)
		measure_stats();
	else if (strcmp(argv[1], "explain") == 0 && argc == 10)
		measure_explain(argv[8], argv[9]);
	else
		measure_top();
	return b.failed;
}
