/* SPDX-License-Identifier: BSD-2-Clause */
#include "kills.h"

#if KILLS_CAN

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
/* */
#include <cmocka.h>

/* ---- memory of maps ---------------------------------------------------------------------------*/

#define REGIONS 256

static struct region {
	char *at;
	size_t len;
	char *saved;
} regions[REGIONS];
static size_t n_regions;

static long writes, kill_at; /* in the process that is to be killed; 0: not yet */
static struct kills_log *seen;

#define PAGE 4096ul

static void protect(const struct region *r, int prot)
{
	mprotect(r->at, (r->len + PAGE - 1) & ~(PAGE - 1), prot);
}

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
	if (prot & PROT_WRITE && flags & MAP_SHARED && fd >= 0 && n_regions < REGIONS) {
		regions[n_regions++] = (struct region){.at = (char *)ret, .len = len};
		if (kill_at)
			protect(&regions[n_regions - 1], PROT_READ);
	}
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

void kills_save(void)
{
	size_t i;

	for (i = 0; i < n_regions; i++) {
		if (!regions[i].saved)
			regions[i].saved = malloc(regions[i].len);
		memcpy(regions[i].saved, regions[i].at, regions[i].len);
	}
}

void kills_restore(void)
{
	size_t i;

	for (i = 0; i < n_regions; i++)
		memcpy(regions[i].at, regions[i].saved, regions[i].len);
}

/* ---- kills ------------------------------------------------------------------------------------*/

static void *stepping; /* page that is writable for one instruction, */
static long long stepping_at; /* which stands there */

static void count_write(bool is_call)
{
	if (!kill_at)
		return;
	if (++writes == kill_at)
		kill(getpid(), SIGKILL);
	if (seen && writes < KILLS_WRITES_MAX) {
		seen->writes = writes;
		seen->is_call[writes] = is_call;
	}
}

static const struct region *map_of(const char *at)
{
	size_t i;

	for (i = 0; i < n_regions; i++)
		if (at >= regions[i].at && at < regions[i].at + regions[i].len)
			return &regions[i];
	return NULL;
}

#define TRAP_FLAG 0x100

static void on_fault(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	(void)sig;
	if (!map_of(info->si_addr))
		_exit(8);
	count_write(false);
	stepping = (void *)((uintptr_t)info->si_addr & ~(PAGE - 1));
	mprotect(stepping, PAGE, PROT_READ | PROT_WRITE); /* no store straddles: all are aligned */
	stepping_at = u->uc_mcontext.gregs[REG_RIP];
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
		count_write(false);
		protect(r, PROT_READ | PROT_WRITE);
	}
	return r;
}

static void *end_bulk(void *to, const struct region *r)
{
	if (r)
		protect(r, PROT_READ);
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

static bool is_change(long command)
{
	switch (command) {
	case BPF_MAP_UPDATE_ELEM:
	case BPF_MAP_DELETE_ELEM:
	case BPF_OBJ_PIN:
	case BPF_LINK_CREATE:
	case BPF_LINK_UPDATE:
	case BPF_LINK_DETACH:
		return true;
	default:
		return false;
	}
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
	if (nr == SYS_bpf && is_change(arg[0]))
		count_write(true);
	ret = raw(nr, arg);
	if (ret < 0 && ret > -4096) {
		errno = (int)-ret;
		return -1;
	}
	return ret;
}

/* In place of the C library's: pins come and go by these. */
int rename(const char *from, const char *to)
{
	count_write(true);
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlink(const char *path)
{
	count_write(true);
	return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

static void watch_writes(long at, struct kills_log *log)
{
	struct sigaction fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	struct sigaction step = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
	size_t i;

	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGTRAP, &step, NULL);
	for (i = 0; i < n_regions; i++)
		protect(&regions[i], PROT_READ);
	seen = log;
	kill_at = at;
}

/* ---- runs -------------------------------------------------------------------------------------*/

struct kills_log *kills_log_make(void)
{
	const long arg[6] = {
		0, sizeof(struct kills_log), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		0};

	return (struct kills_log *)raw(SYS_mmap, arg); // NOLINT
}

bool kills_run(int (*act)(void *), void *arg, long at, struct kills_log *log)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		watch_writes(at ? at : LONG_MAX, log);
		_exit(act(arg) ? 9 : 0);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return true;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	return false;
}

bool kills_takes_all(void)
{
	const char *text = getenv("KILLS");

	return text && strcmp(text, "all") == 0;
}

bool kills_tries(const struct kills_log *log, long n, long calls, long stores)
{
	long i, all = 0, before = 0;
	const long most = log->is_call[n] ? calls : stores;

	for (i = 1; i <= log->writes; i++) {
		all += log->is_call[i] == log->is_call[n];
		before += i < n && log->is_call[i] == log->is_call[n];
	}
	return kills_takes_all() || (all - 1 - before) % (1 + all / most) == 0;
}

#endif
