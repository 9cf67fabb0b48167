/* SPDX-License-Identifier: BSD-2-Clause */
/* make bench-health: what checks cost the probing process and how late its probes start: CHECKS
 * backends, each an address of its own, every 2 s, for SECONDS; by TCP, then half as many by HTTP. The
 * servers are in a namespace of their own, behind a veth. Beside each figure stands its limit. And how often a
 * backend comes and goes whose probes are lost at random. */
#include <arpa/inet.h>
#include <event2/event.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mono.h"
#include "io/probe.h"
#include "pure/health.h"

#define INTERVAL_MS 2000
#define SETTLE_S 4

struct bench {
	struct event_base *base;
	struct probe_pool *pool;
	uint64_t good, bad;
	uint32_t beat; /* the latest seen */
	uint64_t started, late; /* while measuring */
	bool measuring;
	char why[128];
};

struct figures {
	double core, mib, rate, late;
};

static int environment(const char *name, int fallback)
{
	const char *text = getenv(name);

	return text && atoi(text) > 0 ? atoi(text) : fallback;
}

/* ---- servers ------------------------------------------------------------------------------------ */

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (system(command) != 0) {
		fprintf(stderr, "bench_health: failed: %s\n", command);
		exit(1);
	}
}

static void answer_one(int epoll, struct epoll_event *e, int listener)
{
	static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	char in[1024];
	int fd = e->data.fd;

	if (fd == listener) {
		fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
		if (fd >= 0)
			epoll_ctl(epoll, EPOLL_CTL_ADD, fd,
				  &(struct epoll_event){.events = EPOLLIN, .data.fd = fd});
	} else if (read(fd, in, sizeof(in)) <= 0) {
		close(fd);
	} else {
		(void)!write(fd, reply, sizeof(reply) - 1);
	}
}

static void serve(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(80)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), epoll = epoll_create1(0);
	struct epoll_event events[64];
	int n;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 4096) < 0)
		_exit(1);
	epoll_ctl(epoll, EPOLL_CTL_ADD, fd,
		  &(struct epoll_event){.events = EPOLLIN, .data.fd = fd});
	for (;;) {
		n = epoll_wait(epoll, events, 64, -1);
		for (int i = 0; i < n; i++)
			answer_one(epoll, &events[i], fd);
	}
}

/* This process goes into a namespace of its own, and its servers into another. */
static pid_t make_world(void)
{
	int ready[2];
	char c;
	pid_t pid;

	if (unshare(CLONE_NEWNET) < 0 || pipe(ready) < 0) {
		perror("bench_health: needs root");
		exit(1);
	}
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		sleep(1); /* for the veth's other end */
		run("ip link set lo up && ip addr add 10.255.0.2/16 dev bench1 && "
		    "ip link set bench1 up && ip route add local 10.0.0.0/9 dev lo");
		run("sysctl -qw net.core.somaxconn=4096 net.ipv4.tcp_syncookies=0 "
		    "net.ipv4.tcp_max_syn_backlog=65536");
		serve();
	}
	if (pid < 0 || read(ready[0], &c, 1) != 1)
		exit(1);
	run("ip link set lo up && ip link add bench0 type veth peer name bench1 netns %d",
	    (int)pid);
	run("ip addr add 10.255.0.1/16 dev bench0 && ip link set bench0 up");
	sleep(2);
	run("ip route add 10.0.0.0/9 via 10.255.0.2");
	run("sysctl -qw net.ipv4.ip_local_port_range='1024 65535'");
	return pid;
}

/* ---- measuring ---------------------------------------------------------------------------------- */

static void on_result(void *arg, uint64_t id, const struct check_result *r)
{
	struct bench *b = arg;

	(void)id;
	if (!b->measuring)
		return;
	if (check_verdict(r) == CHECK_GOOD) {
		b->good++;
		return;
	}
	b->bad++;
	snprintf(b->why, sizeof(b->why), "%s", r->text);
}

static void on_restart(void *arg, const char *why)
{
	(void)arg;
	fprintf(stderr, "bench_health: the child: %s\n", why);
	exit(1);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct bench *b = arg;
	struct probe_vitals v = probe_pool_vitals(b->pool);

	(void)fd;
	(void)what;
	if (v.beat == b->beat)
		return;
	b->beat = v.beat;
	if (b->measuring) {
		b->started += v.started;
		b->late += v.late;
	}
}

static double cpu_s(pid_t pid)
{
	unsigned long user = 0, system_time = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			 &user, &system_time) != 2)
		fprintf(stderr, "bench_health: cannot read %s\n", path);
	if (f)
		fclose(f);
	return (double)(user + system_time) / (double)sysconf(_SC_CLK_TCK);
}

static double peak_mib(pid_t pid)
{
	char path[64], line[256];
	long kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "VmHWM: %ld", &kib);
	if (f)
		fclose(f);
	return (double)kib / 1024;
}

static void wait_s(struct bench *b, int seconds)
{
	event_base_loopexit(b->base, &(struct timeval){seconds, 0});
	event_base_dispatch(b->base);
}

static void add_checks(struct bench *b, enum conf_check_kind kind, int n)
{
	struct probe_question q = {.port = 80,
				   .kind = kind,
				   .interval_ms = INTERVAL_MS,
				   .timeout_ms = 1000,
				   .jitter = 10,
				   .addr = {.family = 4, .bytes = {10}}};

	for (int i = 0; i < n; i++) {
		q.addr.bytes[1] = (uint8_t)(i >> 16);
		q.addr.bytes[2] = (uint8_t)(i >> 8);
		q.addr.bytes[3] = (uint8_t)i;
		if (probe_pool_add(b->pool, (uint64_t)i + 1, &q) < 0) {
			fprintf(stderr, "bench_health: no memory\n");
			exit(1);
		}
	}
}

static struct figures measure(enum conf_check_kind kind, int checks, int seconds)
{
	struct timeval look = {0, 100000};
	struct bench b = {.base = event_base_new()};
	struct figures f = {0};
	struct event *looking;
	double before;
	mono_t began;

	if (!b.base || probe_pool_open(b.base, "nobody", on_result, on_restart, &b, &b.pool) < 0) {
		fprintf(stderr, "bench_health: no pool\n");
		exit(1);
	}
	looking = event_new(b.base, -1, EV_PERSIST, on_look, &b);
	event_add(looking, &look);
	add_checks(&b, kind, checks);
	wait_s(&b, SETTLE_S);
	b.measuring = true;
	began = mono_now();
	before = cpu_s(probe_pool_child(b.pool));
	wait_s(&b, seconds);
	f.core = (cpu_s(probe_pool_child(b.pool)) - before) /
		 ((double)mono_diff_us(began, mono_now()) / 1e6);
	f.mib = peak_mib(probe_pool_child(b.pool));
	f.rate = (double)(b.good + b.bad) / seconds;
	f.late = b.started ? (double)b.late / (double)b.started : 1;
	if (b.bad)
		printf("  %llu of %llu probes failed: %s\n", (unsigned long long)b.bad,
		       (unsigned long long)(b.good + b.bad), b.why);
	event_free(looking);
	probe_pool_close(b.pool);
	event_base_free(b.base);
	return f;
}

static int print(const char *what, int checks, const struct figures *f, double core_max)
{
	const double mib_max = 150, late_max = 0.01;
	bool good = f->core <= core_max && f->mib <= mib_max && f->late <= late_max;

	printf("%-5s %6d every 2 s: %5.0f probes/s, %3.0f%% of a core (at most %.0f%%), %.0f MiB "
	       "(at "
	       "most %.0f), %.1f%% more than %d ms late (at most %.0f%%)%s\n",
	       what, checks, f->rate, 100 * f->core, 100 * core_max, f->mib, mib_max, 100 * f->late,
	       PROBE_LATE_MS, 100 * late_max, good ? "  PASS" : "  FAIL");
	fflush(stdout);
	return good ? 0 : 1;
}

/* ---- flapping ----------------------------------------------------------------------------------- */

#define RISE 2
#define FALL 3
#define LOSS 10 /* percent */
#define PROBES 20000000

/* How many times a backend whose probes are lost at random goes down. The numbers are the same in every run:
 * xorshift, Marsaglia 2003. */
static uint64_t downs(uint32_t percent)
{
	const struct health_policy policy = {.rise = RISE, .fall = FALL, .interval_ms = 1000};
	const mono_t now = {1};
	uint64_t x = 88172645463325252ull, n = 0;
	struct health h;

	health_init(&h, HEALTH_UP, now);
	for (int i = 0; i < PROBES; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		n += health_note(&h, (x >> 32) % 100 >= percent, &policy, now) == HEALTH_GOES_DOWN;
	}
	return n;
}

/* Probes until @n of them in a row come out so as each does with probability @p: the sum of 1/p^k for k from 1
 * to n (Feller, An Introduction to Probability Theory, volume 1, XIII.7). */
static double until_run(double p, int n)
{
	double sum = 0;

	for (int k = 1; k <= n; k++)
		sum += pow(p, -k);
	return sum;
}

/* From up to down and back is one round; how many there are is spread like a count of rare events. */
static int flap(void)
{
	const double p = LOSS / 100.0;
	const double predicted = PROBES / (until_run(p, FALL) + until_run(1 - p, RISE));
	const uint64_t lossy = downs(LOSS), well = downs(0);
	const double most = predicted + 4 * sqrt(predicted);
	const bool good = (double)lossy <= most && well == 0;

	printf("flap  rise %d, fall %d: of %d probes %d%% lost: %llu times down (by arithmetic "
	       "%.0f, at "
	       "most %.0f); none lost: %llu (at most 0)  %s\n",
	       RISE, FALL, PROBES, LOSS, (unsigned long long)lossy, predicted, most,
	       (unsigned long long)well, good ? "PASS" : "FAIL");
	return good ? 0 : 1;
}

int main(int argc, char **argv)
{
	int checks = environment("CHECKS", 10000), seconds = environment("SECONDS_EACH", 10);
	struct rlimit files = {65536, 65536};
	struct figures f;
	pid_t servers;
	int over = 0;

	if (argc == 2 && strcmp(argv[1], "--probe-child") == 0)
		return probe_child_main(NULL);
	setrlimit(RLIMIT_NOFILE, &files);
	over |= flap();
	servers = make_world();
	f = measure(CONF_CHECK_TCP, checks, seconds);
	over |= print("tcp", checks, &f, 0.25);
	f = measure(CONF_CHECK_HTTP, checks / 2, seconds);
	over |= print("http", checks / 2, &f, 1.0);
	kill(servers, SIGKILL);
	waitpid(servers, NULL, 0);
	return over;
}
