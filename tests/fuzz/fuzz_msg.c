/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a datagram: nothing is read beyond them, and what is understood survives being
 * written and read again.  With clang's libFuzzer (-DLIBFUZZER -fsanitize=fuzzer), or alone: mutates
 * messages of our own; fuzz_msg [RUNS] [SEED]. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pure/msg.h"
#include "pure/msg_fields.h"

union any {
	union msg_row row;
	struct msg_get get;
	struct msg_reply reply;
	struct msg_event event;
	struct ctl_command command;
};

static void must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz_msg: %s\n", what);
	abort();
}

static void check_message(const struct nlmsghdr *m)
{
	static char again[2 * SHUNT_MSG_PAGE_MAX] __attribute__((aligned(8)));
	struct msg_out o = {.buf = again, .size = sizeof(again)};
	union any first = {0}, second = {0};
	enum shunt_msg_command command = msg_command(m);
	struct ctl_command c = {0};
	const void *data = again;
	int err = msg_get(m, command, &first);

	must(msg_get_command(m, &c) <= 0, "a command's result");
	must(err == 0 || err == -EBADMSG || err == -EINVAL, "a result of its own");
	must((err == -EINVAL) == !msg_layout(command), "EINVAL is for unknown commands");
	if (err < 0)
		return;
	must(msg_put(&o, command, &first) == 0, "what was read can be written");
	m = msg_next(&data, &o.used);
	must(m && msg_get(m, command, &second) == 0, "and read again");
	must(memcmp(&first, &second, sizeof(first)) == 0, "and is the same");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of just that size, so that ASan sees every byte beyond. */
	char *copy = malloc(size ? size : 1);
	const void *at = copy;
	const struct nlmsghdr *m;
	struct msg_port p;

	must(copy != NULL, "memory");
	memcpy(copy, data, size);
	(void)msg_port_parse(copy, size, &p);
	while ((m = msg_next(&at, &size)))
		check_message(m);
	free(copy);
	return 0;
}

#ifndef LIBFUZZER
static uint64_t state;

static uint32_t rnd(uint32_t below)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((state >> 33) % below);
}

/* A datagram of a few messages with members of random bytes. */
static size_t make(char *buf, size_t size)
{
	struct msg_out o = {.buf = buf, .size = size};
	union any v;
	size_t i;
	int n;

	for (n = (int)rnd(4); n >= 0; n--) {
		for (i = 0; i < sizeof(v); i++)
			((char *)&v)[i] = (char)(rnd(3) ? 'a' + rnd(26) : rnd(2));
		if (msg_put(&o, rnd(96), &v) == -EMSGSIZE)
			break;
	}
	return o.used;
}

static size_t mutate(char *buf, size_t len)
{
	int n;

	if (len == 0)
		return len;
	for (n = (int)rnd(4); n > 0; n--)
		buf[rnd((uint32_t)len)] = (char)rnd(256);
	if (rnd(3) == 0) /* near a header, where it hurts */
		buf[rnd(len < 28 ? (uint32_t)len : 28)] ^= (char)(1 << rnd(8));
	return rnd(4) ? len : rnd((uint32_t)len + 1);
}

int main(int argc, char **argv)
{
	static char buf[SHUNT_MSG_PAGE_MAX] __attribute__((aligned(8)));
	long runs = argc > 1 ? atol(argv[1]) : 20000, i;

	state = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	for (i = 0; i < runs; i++) {
		size_t len = make(buf, sizeof(buf));

		LLVMFuzzerTestOneInput((uint8_t *)buf, mutate(buf, len));
	}
	printf("fuzz_msg: %ld runs\n", runs);
	return 0;
}
#endif
