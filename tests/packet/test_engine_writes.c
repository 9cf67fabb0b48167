/* SPDX-License-Identifier: BSD-2-Clause */
/* A daemon is killed at each single store of a reload into the maps' memory, and at each system call that
 * changes a map, one after the other: whatever it leaves forwards every packet to its flow's backend, and
 * the next daemon brings it to what is configured.
 *
 * The maps' memory is made read-only in the daemon: its stores fault, are counted, and then done one by one
 * by the processor's trap flag. So there is nothing in the daemon that knows of this. Environment:
 * KILLS=all tries every one; else every one up to 64 and then a part of them. */
#include "engine_checks.h"

#include <bpf/bpf.h>
#include <limits.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "base/own.h"
#include "pure/synth.h"

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)

/* ---- memory of maps ---------------------------------------------------------------------------*/

#define REGIONS 256

static struct region {
	char *at;
	size_t len;
	char *saved;
} regions[REGIONS];
static size_t n_regions;

static long raw(long nr, const long arg[static 6])
{
	register long r10 __asm__("r10") = arg[3];
	register long r8 __asm__("r8") = arg[4];
	register long r9 __asm__("r9") = arg[5];
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(arg[0]), "S"(arg[1]), "d"(arg[2]), "r"(r10), "r"(r8),
			   "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

/* In place of the C library's, which dp calls: only maps are mapped shared, writable and by descriptor. */
void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	const long arg[6] = {(long)at, (long)len, prot, flags, fd, offset};
	long ret = raw(SYS_mmap, arg);

	if (ret < 0 && ret > -4096) {
		errno = (int)-ret;
		return MAP_FAILED;
	}
	if (prot & PROT_WRITE && flags & MAP_SHARED && fd >= 0 && n_regions < REGIONS)
		regions[n_regions++] = (struct region){.at = (char *)ret, .len = len};
	return (void *)ret; // NOLINT
}

int munmap(void *at, size_t len)
{
	const long arg[6] = {(long)at, (long)len};
	size_t i;

	for (i = 0; i < n_regions; i++)
		if (regions[i].at == at) {
			free(regions[i].saved);
			regions[i] = regions[--n_regions];
			break;
		}
	return raw(SYS_munmap, arg) ? -1 : 0;
}

static void save(void)
{
	size_t i;

	for (i = 0; i < n_regions; i++) {
		if (!regions[i].saved)
			regions[i].saved = malloc(regions[i].len);
		memcpy(regions[i].saved, regions[i].at, regions[i].len);
	}
}

static void restore(void)
{
	size_t i;

	for (i = 0; i < n_regions; i++)
		memcpy(regions[i].at, regions[i].saved, regions[i].len);
}

/* ---- kills ------------------------------------------------------------------------------------*/

static long writes, kill_at; /* in the daemon that is to be killed; 0: not yet */
static void *stepping; /* page that is writable for one instruction, */
static long long stepping_at; /* which stands there */

static void count_write(void)
{
	if (kill_at && ++writes == kill_at)
		kill(getpid(), SIGKILL);
}

static const struct region *map_of(const char *at)
{
	size_t i;

	for (i = 0; i < n_regions; i++)
		if (at >= regions[i].at && at < regions[i].at + regions[i].len)
			return &regions[i];
	return NULL;
}

#define PAGE 4096ul
/* What is larger than this has halves of which one is not in force, and is written as a whole: each page
 * counts once. */
#define LARGE 0x40000
#define TRAP_FLAG 0x100

static void on_fault(int sig, siginfo_t *info, void *context)
{
	const struct region *r = map_of(info->si_addr);
	ucontext_t *u = context;

	(void)sig;
	if (!r)
		_exit(8);
	count_write();
	stepping = (void *)((uintptr_t)info->si_addr & ~(PAGE - 1));
	mprotect(stepping, PAGE, PROT_READ | PROT_WRITE); /* no store straddles: all are aligned */
	stepping_at = u->uc_mcontext.gregs[REG_RIP];
	if (r->len < LARGE)
		u->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void on_step(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	(void)sig, (void)info;
	if (u->uc_mcontext.gregs[REG_RIP] == stepping_at)
		return; /* a string instruction, which counts once a page, goes on */
	mprotect(stepping, PAGE, PROT_READ);
	u->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
}

/* In place of the C library's: a map's memory is cleared and filled as a whole, as one write. */
static const struct region *begin_bulk(void *to)
{
	const struct region *r = kill_at ? map_of(to) : NULL;

	if (r) {
		count_write();
		mprotect(r->at, (r->len + PAGE - 1) & ~(PAGE - 1), PROT_READ | PROT_WRITE);
	}
	return r;
}

static void *end_bulk(void *to, const struct region *r)
{
	if (r)
		mprotect(r->at, (r->len + PAGE - 1) & ~(PAGE - 1), PROT_READ);
	return to;
}

void *memset(void *to, int c, size_t n)
{
	const struct region *r = n > 64 ? begin_bulk(to) : NULL;
	void *at = to;

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(c) : "memory");
	return end_bulk(to, r);
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	const struct region *r = n > 64 ? begin_bulk(to) : NULL;
	void *at = to;

	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
	return end_bulk(to, r);
}

/* In place of the C library's, which libbpf calls. */
long syscall(long nr, ...)
{
	long arg[6], ret;
	va_list args;
	size_t i;

	va_start(args, nr);
	for (i = 0; i < 6; i++)
		arg[i] = va_arg(args, long);
	va_end(args);
	if (nr == SYS_bpf && (arg[0] == BPF_MAP_UPDATE_ELEM || arg[0] == BPF_MAP_DELETE_ELEM))
		count_write();
	ret = raw(nr, arg);
	if (ret < 0 && ret > -4096) {
		errno = (int)-ret;
		return -1;
	}
	return ret;
}

static void watch_writes(long at)
{
	struct sigaction fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	struct sigaction step = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
	size_t i;

	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGTRAP, &step, NULL);
	for (i = 0; i < n_regions; i++)
		mprotect(regions[i].at, (regions[i].len + PAGE - 1) & ~(PAGE - 1), PROT_READ);
	kill_at = at;
}

/* ---- configurations ---------------------------------------------------------------------------*/

#define FLOWS 48 /* of a service */

static void service(struct bench *b, int number, int first, int n)
{
	int i;

	b->services[number] = (struct wanted_service){.there = true, .slots = 32};
	for (i = first; i < first + n; i++)
		want_backend(&b->services[number], i, true, 1);
}

/* As large as it ever becomes. */
static void want_all(struct bench *b)
{
	int i;

	for (i = 0; i < 6; i++)
		service(b, i, 0, 10);
	service(b, 5, 0, 10);
	b->services[1].policy = POLICY_KEEPS_OUT;
	b->services[4].ports = PORTS_PREFIX;
	write_config(b);
}

static void want_before(struct bench *b)
{
	memset(b->services, 0, sizeof(b->services));
	service(b, 0, 0, 4);
	service(b, 1, 0, 4);
	b->services[1].policy = POLICY_KEEPS_OUT;
	service(b, 2, 0, 4);
	b->services[2].scheduler = SHUNT_WRR;
	service(b, 3, 2, 3);
	service(b, 5, 0, 10);
	write_config(b);
}

/* Adds, drains, reweights, removes; a service goes and one comes; a policy and a scheduler change. */
static void want_after(struct bench *b)
{
	want_backend(&b->services[0], 4, true, 1);
	want_backend(&b->services[0], 5, true, 2);
	want_backend(&b->services[1], 3, false, 0);
	want_backend(&b->services[1], 0, true, 3);
	b->services[1].policy_seed = 99;
	want_backend(&b->services[2], 1, true, 0);
	want_backend(&b->services[2], 2, true, 3);
	b->services[3] = (struct wanted_service){0};
	service(b, 4, 3, 4);
	b->services[4].ports = PORTS_PREFIX;
	b->services[5].scheduler = SHUNT_SH; /* which begins with noting flows */
	write_config(b);
}

/* ---- packets ----------------------------------------------------------------------------------*/

/* Which backend a flow that exists already gets: the last byte of its MAC; 0: none. */
static uint8_t backend_of(int program, int number, int flow)
{
	struct synth s = {.kind = SYNTH_TCP,
			  .client = {4, {100, 1, (uint8_t)number, (uint8_t)(1 + flow)}},
			  .vip = {4, {203, 0, 113, (uint8_t)(1 + number / 3)}},
			  .client_port = (uint16_t)(2000 + 7 * flow),
			  .port = (uint16_t)(1000 + number)};
	uint8_t frame[SYNTH_FRAME_MAX], out[256] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_out = out,
		    .data_size_out = sizeof(out), .repeat = 1);

	if (number == 4)
		memcpy(s.vip.bytes, (uint8_t[]){10, 104, 1, (uint8_t)flow}, 4);
	run.data_size_in = (uint32_t)synth_frame(&s, frame);
	assert_int_equal(bpf_prog_test_run_opts(program, &run), 0);
	return out[4] == 9 ? out[5] : 0;
}

struct seen {
	uint8_t backend[SERVICES][FLOWS];
	uint64_t bad;
};

static void see(const struct bench *b, struct seen *s)
{
	uint64_t packets[SHUNT_VERDICT_MAX];
	int number, flow;

	for (number = 0; number < SERVICES; number++)
		for (flow = 0; flow < FLOWS; flow++)
			s->backend[number][flow] =
				backend_of(dp_program_fd(b->engine->dp), number, flow);
	dp_verdicts_read(b->engine->dp, packets);
	s->bad = packets[SHUNT_DROP_BAD_TABLE];
}

static int moved(const struct seen *a, const struct seen *b, int number)
{
	int flow, n = 0;

	for (flow = 0; flow < FLOWS; flow++)
		n += a->backend[number][flow] != b->backend[number][flow];
	return n;
}

/* Each flow is where it was or where it is to be. */
static void check_flows(const struct bench *b, const struct seen *before, const struct seen *after,
			long at)
{
	struct seen now;
	int number, flow;

	see(b, &now);
	for (number = 0; number < SERVICES; number++)
		for (flow = 0; flow < FLOWS; flow++) {
			uint8_t there = now.backend[number][flow];

			if (there != before->backend[number][flow] &&
			    there != after->backend[number][flow])
				fail_msg("killed at write %ld: service %d, flow %d went to %d, "
					 "not %d or %d",
					 at, number, flow, there, before->backend[number][flow],
					 after->backend[number][flow]);
		}
	assert_int_equal(now.bad, before->bad);
}

/* ---- the tests --------------------------------------------------------------------------------*/

/* Reloads in another process, which is killed at its write number @at; whether it was. */
static bool reload_killed_at(struct bench *b, long at, long *count)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct engine_error text = {0};

		event_reinit(b->base);
		watch_writes(at);
		if (reload_now(b->engine, &text))
			_exit(9);
		slots_flush(b->engine);
		kill_at = 0;
		if (count)
			*count = writes;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return true;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	return false;
}

static long all_writes(struct bench *b)
{
	static const long arg[6] = {0,	4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				    -1, 0};
	long *count = (long *)raw(SYS_mmap, arg); // NOLINT

	assert_false(reload_killed_at(b, LONG_MAX, count));
	return *count;
}

static void begin(struct bench *b)
{
	want_all(b);
	start(b);
	want_before(b);
	reload_well(b);
	settle(b);
}

static bool takes_all(void)
{
	const char *text = getenv("KILLS");

	return text && strcmp(text, "all") == 0;
}

static void flows_stay_wherever_a_reload_is_killed(void **state)
{
	struct seen before = {0}, after = {0};
	struct bench *b = *state;
	long all, at, kills = 0;

	begin(b);
	see(b, &before);
	save();
	want_after(b);
	all = all_writes(b);
	see(b, &after);
	assert_true(all > 40); /* a list, however long, is one: a string instruction's */
	assert_int_equal(moved(&before, &after, 0), 0); /* their backends live */
	assert_int_equal(moved(&before, &after, 5), 0);
	assert_in_range(moved(&before, &after, 1), 1, FLOWS - 1); /* its fourth is gone */
	assert_int_equal(moved(&before, &after, 3), FLOWS);
	assert_int_equal(moved(&before, &after, 4), FLOWS);
	for (at = 1; at <= all; at += takes_all() || at < 64 ? 1 : 1 + all / 150) {
		restore();
		assert_true(reload_killed_at(b, at, NULL));
		check_flows(b, &before, &after, at);
		kills++;
	}
	print_message("# killed at %ld of %ld writes\n", kills, all);
}

static void the_next_daemon_brings_about_what_is_configured(void **state)
{
	struct bench *b = *state;
	long all, at, kills = 0, starts;

	begin(b);
	save();
	want_after(b);
	all = all_writes(b);
	restore();
	starts = takes_all() ? 200 : 8;
	for (at = 1; at <= all; at += 1 + all / starts) {
		want_after(b);
		assert_true(reload_killed_at(b, at, NULL));
		stop(b);
		start(b);
		check_all(b);
		want_before(b);
		reload_well(b);
		settle(b);
		kills++;
	}
	print_message("# %ld starts\n", kills);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(flows_stay_wherever_a_reload_is_killed, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_next_daemon_brings_about_what_is_configured,
						set_up, tear_down),
	};

	if (is_probe_child(argc, argv))
		return fake_probe_child();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
	return 77;
}

#endif
