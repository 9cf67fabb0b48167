/* SPDX-License-Identifier: BSD-2-Clause */
/* Fuzzes conf_parse(). An input is a configuration; what follows a line "%%%" is every other file.
 *
 *   make SAN=1 build-san/tests/fuzz/fuzz_conf
 *   build-san/tests/fuzz/fuzz_conf [-t SECONDS] [-s SEED] [FILE...]
 *
 * replays the files (default: those of the unit tests and the examples), then mutates them for 10
 * seconds. The input that runs stands in fuzz_conf.input beside the program: after a crash it is the
 * one to replay. With libFuzzer, which finds paths by itself:
 *
 *   make O=build/fuzz CC=clang LDFLAGS=-fsanitize=fuzzer,address,undefined \
 *        CFLAGS='-O1 -g -DLIBFUZZER -fsanitize=fuzzer-no-link,address,undefined' \
 *        build/fuzz/tests/fuzz/fuzz_conf
 *   build/fuzz/tests/fuzz/fuzz_conf -max_total_time=60 CORPUS tests/fuzz/conf tests/unit/conf configs
 */
#include "pure/conf_parse.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "io/conf_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX (64u << 10)
static const char marker[] = "\n%%%\n";

struct input {
	const char *text;
	size_t len;
};

static int read_input(void *arg, const char *path, char **data, size_t *len)
{
	const struct input *in = arg;
	const char *cut = memmem(in->text, in->len, marker, sizeof(marker) - 1);
	const char *from = in->text, *to = in->text + in->len;

	if (strcmp(path, "dir/x.yaml") == 0)
		to = cut ? cut + 1 : to;
	else if (cut)
		from = cut + sizeof(marker) - 1;
	else
		return -ENOENT;
	*len = (size_t)(to - from);
	*data = malloc(*len ? *len : 1);
	if (!*data)
		return -ENOMEM;
	memcpy(*data, from, *len);
	return 0;
}

/* A complaint is one printable line that begins with a file. */
static void check_complaint(const struct conf_error *err)
{
	size_t len = strnlen(err->text, sizeof(err->text));

	assert(len > 0 && len < sizeof(err->text));
	for (size_t i = 0; i < len; i++)
		assert((unsigned char)err->text[i] >= 0x20 && err->text[i] != 0x7f);
	assert(strncmp(err->text, "dir/", 4) == 0 || err->text[0] == '/' || err->text[0] == '.');
	assert(strstr(err->text, ": "));
}

static void check_source(const struct conf_source *source, uint8_t family)
{
	struct addr first = source->addr;

	if (addr_is_none(&first)) {
		assert(source->bits == 0);
		return;
	}
	assert(first.family == family && !addr_is_unusable(&first));
	assert(source->bits == 0 || (source->bits >= 4 && source->bits <= 32));
	addr_clear_beyond(&first, (uint8_t)(addr_bits(&first) - source->bits));
	assert(addr_compare(&first, &source->addr) == 0);
}

static void check_backend(const struct conf_service *s, const struct conf_backend *b)
{
	assert(b->name[0] && conf_find_backend(s, b->name) == b);
	assert(!addr_is_unusable(&b->addr));
	assert(b->pool <= POOL_BACKUP);
	assert(b->weight <= CONF_WEIGHT_MAX && b->pos.line && b->pos.column);
	assert(b->forward < SHUNT_FORWARD_MAX);
	assert(b->port == s->port || (s->port && conf_translates(b->forward)));
	assert(b->forward != SHUNT_MASQ || b->addr.family == s->vip.family);
	assert(addr_is_within(&b->addr, &s->vip, s->vip_bits) == (b->forward == SHUNT_LOCAL));
}

static void check_service(const struct conf *c, const struct conf_service *s)
{
	const struct conf_check *k = &s->check;

	assert(s->name[0] && conf_find_service(c, s->name) == s);
	assert(!addr_is_none(&s->vip) && !addr_is_unusable(&s->vip));
	assert((s->slots & (s->slots - 1)) == 0);
	assert(s->slots == 0 || s->n_backends <= s->slots);
	assert(s->flow_timeout_ms >= 1000);
	assert(s->drain_deadline_ms >= 1000 && s->slow_start_ms <= 3600000);
	assert(!s->min_healthy.percent || s->min_healthy.n <= 100);
	assert(k->timeout_ms > 0 && k->timeout_ms <= k->interval_ms && k->rise && k->fall);
	assert((k->kind == CONF_CHECK_HTTP) == (k->path != NULL));
	assert((k->kind == CONF_CHECK_HTTP) == (k->statuses > 0));
	assert(s->n_backends > 0 || s->backends_file);
	check_source(&s->tunnel.source4, 4);
	check_source(&s->tunnel.source6, 6);
	for (size_t i = 0; i < s->n_backends; i++)
		check_backend(s, &s->backends[i]);
}

static void check_conf(const struct conf *c)
{
	assert(c->n_interfaces > 0);
	assert(c->instance[0] && !strpbrk(c->instance, "/."));
	assert(c->run_dir[0] == '/' && c->state_dir[0] == '/');
	for (size_t i = 0; i < c->n_services; i++)
		check_service(c, &c->services[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {(const char *)data, size};
	struct conf_error err = {{0}};
	struct conf *conf = NULL;

	if (conf_parse("dir/x.yaml", read_input, &in, &conf, &err) == 0)
		check_conf(conf);
	else
		check_complaint(&err);
	conf_free(conf);
	return 0;
}

#ifndef LIBFUZZER

static uint64_t seed = 1;

/* xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2016. */
static uint32_t below(uint32_t n)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (uint32_t)((seed * 0x2545f4914f6cdd1dull) >> 32) % n;
}

static struct input *corpus;
static size_t n_corpus;

static void add_file(const char *path)
{
	char *data = NULL;
	size_t len = 0;

	if (conf_read_file(NULL, path, &data, &len) < 0 || len > INPUT_MAX) {
		fprintf(stderr, "cannot use %s\n", path);
		free(data);
		return;
	}
	corpus = reallocarray(corpus, n_corpus + 1, sizeof(*corpus));
	assert(corpus);
	corpus[n_corpus++] = (struct input){data, len};
}

static void add_pattern(const char *pattern)
{
	glob_t found;

	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		add_file(found.gl_pathv[i]);
	globfree(&found);
}

/* The input that runs: in a file, so that a crash leaves it. */
struct buffer {
	char *at;
	size_t len;
};

static void replace(struct buffer *b, size_t at, size_t len, const char *with, size_t with_len)
{
	if (b->len - len + with_len > INPUT_MAX)
		return;
	memmove(b->at + at + with_len, b->at + at + len, b->len - at - len);
	memcpy(b->at + at, with, with_len);
	b->len += with_len - len;
}

static void mutate(struct buffer *b)
{
	static const char *const words[] = {
		"\n",	  "  ",	    "- ",	    ": ",	"{",	  "}",	     "[",
		"]",	  "&a ",    "*a",	    "\"",	"'",	  "#",	     "|\n",
		"any",	  "0",	    "-1",	    "65536",	"1M",	  "2s",	     "99999999h",
		"tcp",	  "http",   "none",	    "\t",	"\r",	  "%%%",     "? ",
		"<<: *a", "!!str ", "\\x00",	    "vip: ",	"port: ", "::1",     "@",
		"---\n",  "check",  "path",	    "status: ", "name=",  "weight=", "10.0.0.1",
		"\xff",	  "\xc3",   "\xe2\x80\xa8",
	};
	const struct input *other = &corpus[below((uint32_t)n_corpus)];
	size_t at = b->len ? below((uint32_t)b->len) : 0;
	size_t len = b->len ? below(16) % (b->len - at) : 0;
	size_t from = other->len ? below((uint32_t)other->len) : 0;
	const char *word = words[below(sizeof(words) / sizeof(words[0]))];

	switch (below(6)) {
	case 0:
		if (b->len)
			b->at[at] ^= (char)(1u << below(8));
		break;
	case 1:
		replace(b, at, len, word, strlen(word));
		break;
	case 2:
		replace(b, at, 0, word, strlen(word));
		break;
	case 3:
		replace(b, at, len, "", 0);
		break;
	case 4:
		replace(b, at, len, other->text + from, below(64) % (other->len - from + 1));
		break;
	default:
		replace(b, at, 0, other->text + from, other->len - from);
		break;
	}
}

static void map_input(struct buffer *b, const char *program)
{
	char path[512];
	auto_close int fd = -1;

	snprintf(path, sizeof(path), "%s.input", program);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert(fd >= 0 && ftruncate(fd, INPUT_MAX) == 0);
	b->at = mmap(NULL, INPUT_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert(b->at != MAP_FAILED);
}

static void run(struct buffer *b, const struct input *in, uint32_t mutations)
{
	memset(b->at, 0, b->len);
	memcpy(b->at, in->text, in->len);
	b->len = in->len;
	while (mutations--)
		mutate(b);
	LLVMFuzzerTestOneInput((const uint8_t *)b->at, b->len);
}

int main(int argc, char **argv)
{
	struct buffer buffer = {0};
	unsigned long runs = 0;
	time_t end;
	int option, seconds = 10;

	while ((option = getopt(argc, argv, "t:s:")) != -1) {
		if (option == 't')
			seconds = atoi(optarg);
		else if (option == 's')
			seed = strtoull(optarg, NULL, 0) | 1;
		else
			return 2;
	}
	for (int i = optind; i < argc; i++)
		add_file(argv[i]);
	if (optind == argc) {
		add_pattern("tests/unit/conf/*.yaml");
		add_pattern("configs/*.yaml");
		add_pattern("tests/fuzz/conf/*.yaml");
	}
	if (n_corpus == 0)
		return 2;
	map_input(&buffer, argv[0]);
	end = time(NULL) + seconds;
	for (size_t i = 0; i < n_corpus; i++, runs++)
		run(&buffer, &corpus[i], 0);
	for (; time(NULL) < end; runs++)
		run(&buffer, &corpus[below((uint32_t)n_corpus)], 1 + below(8));
	printf("%lu inputs, nothing found\n", runs);
	for (size_t i = 0; i < n_corpus; i++)
		free((void *)(uintptr_t)corpus[i].text);
	free(corpus);
	return 0;
}

#endif
