/* SPDX-License-Identifier: BSD-2-Clause */
#include "programs.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "tests/bench/bench.skel.h"

struct programs {
	struct bpf_object *obj;
	struct bench_state *state; /* inside bss */
	void *bss; /* mapped */
	size_t bss_bytes;
};

static struct bpf_map *section_map(const struct bpf_object *obj, const char *suffix)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj)
	{
		const char *name = bpf_map__name(map);
		size_t len = strlen(name), tail = strlen(suffix);

		if (len >= tail && strcmp(name + len - tail, suffix) == 0)
			return map;
	}
	return NULL;
}

/* Where in its section the variable @name is; -ENOENT. */
static long offset_of(const struct bpf_object *obj, const char *section, const char *name)
{
	const struct btf *btf = bpf_object__btf(obj);
	int id = btf__find_by_name_kind(btf, section, BTF_KIND_DATASEC);
	const struct btf_type *sec = id < 0 ? NULL : btf__type_by_id(btf, id);
	const struct btf_var_secinfo *var = sec ? btf_var_secinfos(sec) : NULL;

	for (int i = 0; sec && i < btf_vlen(sec); i++) {
		const struct btf_type *t = btf__type_by_id(btf, var[i].type);

		if (strcmp(btf__name_by_offset(btf, t->name_off), name) == 0)
			return var[i].offset;
	}
	return -ENOENT;
}

static uint32_t entries_of(const struct dp *dp, const char *map)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(dp_map_fd(dp, map), &info, &len) ? 0 : info.max_entries;
}

/* As dp fills its own. */
static void fill_settings(struct shunt_settings *s, const struct dp *dp, enum bench_world kind,
			  const uint64_t key[static SHUNT_HASH_WORDS])
{
	memcpy(s->hash_key, key, sizeof(s->hash_key));
	s->rows = entries_of(dp, "backends");
	s->flow_mask = entries_of(dp, "flows") - 1;
	s->frag_mask = entries_of(dp, "frags") - 1;
	s->rate_mask = entries_of(dp, "rates") - 1;
	s->cpus = entries_of(dp, "counters") / s->rows;
	if (kind != BENCH_FULL)
		return;
	s->nat_mask = entries_of(dp, "nat_requests") - 1;
	s->passive = 1;
	s->staged = SHUNT_SVC_NAT | SHUNT_SVC_QUIC;
	s->nat_reply_mask = entries_of(dp, "nat_replies") - 1;
}

static bool is_used(const struct bench_cases *cases, const char *program)
{
	for (size_t i = 0; i < cases->n; i++)
		if (strcmp(cases->c[i].program, program) == 0)
			return true;
	return false;
}

static int load(struct programs *p, const struct dp *dp, const struct bench_cases *cases)
{
	struct bpf_program *program;
	struct bpf_map *map;

	bpf_object__for_each_program(program, p->obj)
		bpf_program__set_autoload(program, is_used(cases, bpf_program__name(program)));
	bpf_object__for_each_map(map, p->obj)
	{
		int fd = dp_map_fd(dp, bpf_map__name(map));

		if (fd >= 0 && bpf_map__reuse_fd(map, fd))
			return -errno;
	}
	return bpf_object__load(p->obj);
}

static int map_state(struct programs *p)
{
	struct bpf_map *bss = section_map(p->obj, ".bss");
	long at = offset_of(p->obj, ".bss", "state"), page = sysconf(_SC_PAGESIZE);
	void *mapped;

	if (!bss || at < 0)
		return -ENOENT;
	p->bss_bytes = (bpf_map__value_size(bss) + page - 1) / page * page;
	mapped = mmap(NULL, p->bss_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(bss), 0);
	if (mapped == MAP_FAILED)
		return -errno;
	p->bss = mapped;
	p->state = (void *)((char *)mapped + at);
	return 0;
}

/* An object may have a table as a section .bss.<name> of its own, with what the map of that name
 * holds by now. */
static int copy_table(const struct dp *dp, const struct bpf_map *to, const char *name)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info), zero = 0;
	int from = dp_map_fd(dp, name), rc;
	size_t bytes;
	void *mem, *value;

	if (from < 0 || bpf_obj_get_info_by_fd(from, &info, &len))
		return -ENOENT;
	bytes = (size_t)info.max_entries * info.value_size;
	if (bytes > bpf_map__value_size(to))
		return -ENOSPC;
	mem = mmap(NULL, bytes, PROT_READ, MAP_SHARED, from, 0);
	if (mem == MAP_FAILED)
		return -errno;
	value = calloc(1, bpf_map__value_size(to));
	memcpy(value, mem, bytes);
	rc = bpf_map_update_elem(bpf_map__fd(to), &zero, value, 0);
	free(value);
	munmap(mem, bytes);
	return rc;
}

static int copy_tables(const struct programs *p, const struct dp *dp)
{
	static const char prefix[] = ".bss.";
	struct bpf_map *map;
	int rc = 0;

	bpf_object__for_each_map(map, p->obj)
	{
		const char *name = bpf_map__name(map);

		if (strncmp(name, prefix, strlen(prefix)) == 0 && !rc)
			rc = copy_table(dp, map, name + strlen(prefix));
	}
	return rc;
}

static const struct shunt_service *service_of(const void *entry, bool is_v6, uint64_t *key)
{
	const struct shunt_service6 *s6 = entry;
	const struct shunt_service4 *s4 = entry;
	uint64_t half[2];

	if (!is_v6) {
		*key = s4->key;
		return s4->key ? &s4->svc : NULL;
	}
	memcpy(half, s6->addr, sizeof(half));
	*key = shunt_key6(half[0], half[1], s6->port_proto);
	return s6->port_proto ? &s6->svc : NULL;
}

/* An object may have a hash map of its own for the services: from their key's word to each. */
static int fill_hash(const struct dp *dp, const struct bpf_map *to, const char *name, bool is_v6)
{
	size_t one = is_v6 ? sizeof(struct shunt_service6) : sizeof(struct shunt_service4);
	struct shunt_service6 entry;
	uint32_t n = entries_of(dp, name);
	uint64_t key;
	int rc = 0;

	for (uint32_t i = 0; i < n && !rc; i++) {
		const struct shunt_service *svc;

		memset(&entry, 0, one);
		rc = bpf_map_lookup_elem(dp_map_fd(dp, name), &i, &entry) ? -errno : 0;
		svc = rc ? NULL : service_of(&entry, is_v6, &key);
		if (svc)
			rc = bpf_map_update_elem(bpf_map__fd(to), &key, svc, 0) ? -errno : 0;
	}
	return rc;
}

static int fill_hashes(const struct programs *p, const struct dp *dp)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(p->obj, "services_hash");
	int rc = map ? fill_hash(dp, map, "services4", false) : 0;

	return map && !rc ? fill_hash(dp, map, "services6", true) : rc;
}

static int open_over(struct programs *p, const struct dp *dp,
		     const uint64_t key[static SHUNT_HASH_WORDS], enum bench_world kind,
		     const struct bench_cases *cases)
{
	struct bpf_map *rodata = section_map(p->obj, ".rodata");
	long at = offset_of(p->obj, ".rodata", "settings");
	size_t bytes;
	int rc;

	if (!rodata || at < 0)
		return -ENOENT;
	fill_settings((void *)((char *)bpf_map__initial_value(rodata, &bytes) + at), dp, kind, key);
	rc = load(p, dp, cases);
	if (!rc)
		rc = copy_tables(p, dp);
	if (!rc)
		rc = fill_hashes(p, dp);
	return rc ? rc : map_state(p);
}

int programs_open(const struct dp *dp, const uint64_t hash_key[static SHUNT_HASH_WORDS],
		  enum bench_world kind, const struct bench_cases *cases, const char *object,
		  struct programs **out)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "bench_bpf");
	struct programs *p = calloc(1, sizeof(*p));
	const void *elf;
	size_t bytes;
	int rc;

	if (!p)
		return -ENOMEM;
	elf = bench_bpf__elf_bytes(&bytes);
	p->obj = object ? bpf_object__open_file(object, &opts)
			: bpf_object__open_mem(elf, bytes, &opts);
	rc = p->obj ? open_over(p, dp, hash_key, kind, cases) : -errno;
	if (rc) {
		programs_close(p);
		return rc;
	}
	*out = p;
	return 0;
}

void programs_close(struct programs *p)
{
	if (!p)
		return;
	if (p->bss)
		munmap(p->bss, p->bss_bytes);
	bpf_object__close(p->obj);
	free(p);
}

struct bench_state *programs_state(const struct programs *p)
{
	return p->state;
}

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

int programs_run(const struct programs *p, const char *name, const struct frame *f, uint32_t repeat,
		 struct programs_result *out)
{
	struct bpf_program *program = bpf_object__find_program_by_name(p->obj, name);
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = f->bytes, .data_size_in = f->len,
		    .data_out = out->out.bytes, .data_size_out = FRAME_MAX, .repeat = repeat);
	double before;
	int rc;

	if (!program)
		return -ENOENT;
	before = cpu_ns();
	rc = bpf_prog_test_run_opts(bpf_program__fd(program), &o);
	out->ns = (cpu_ns() - before) / repeat;
	out->action = o.retval;
	out->out.len = o.data_size_out;
	return rc;
}

uint32_t programs_verified(const struct programs *p, const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(p->obj, name);
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);

	if (!program || bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &len))
		return 0;
	return info.verified_insns;
}
