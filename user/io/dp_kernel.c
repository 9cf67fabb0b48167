/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/dp_kernel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/own.h"
#include "io/dp_sys.h"

static bool has_mapped_arrays(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	auto_close int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "probe", 4, 8, 1, &opts);

	return fd >= 0;
}

static bool has_devmap_hash(void)
{
	auto_close int fd = bpf_map_create(BPF_MAP_TYPE_DEVMAP_HASH, "probe", 4, 4, 1, NULL);

	return fd >= 0;
}

static bool loads(const struct bpf_insn *insns, size_t n)
{
	auto_close int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "probe", "GPL", insns, n, NULL);

	return fd >= 0;
}

static bool has_jiffies(void)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_jiffies64},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 2},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return loads(insns, sizeof(insns) / sizeof(insns[0]));
}

/* Memory as an argument of global functions, which there is no small program to try with, came in the
 * same release. */
static bool has_atomics(void)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_10, .off = -8},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = 1},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW,
		 .dst_reg = BPF_REG_10,
		 .src_reg = BPF_REG_1,
		 .off = -8,
		 .imm = BPF_ADD | BPF_FETCH},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 2},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return loads(insns, sizeof(insns) / sizeof(insns[0]));
}

/* What the packet path is built on, and the release that brought it. */
static const struct feature {
	const char *words, *since;
	bool (*has)(void);
} features[] = {
	{"maps of interfaces by number (devmap_hash)", "5.4", has_devmap_hash},
	{"arrays that can be mapped into memory", "5.5", has_mapped_arrays},
	{"the clock bpf_jiffies64", "5.6", has_jiffies},
	{"atomic instructions that give back the former value", "5.12", has_atomics},
};

bool dp_kernel_lacks(char *out, size_t size)
{
	struct utsname on = {0};
	bool lacks = false;
	size_t i, n = 0;
	int len;

	for (i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		if (features[i].has())
			continue;
		len = snprintf(out + n, size - n, "%s%s (Linux %s)", lacks ? ", " : "",
			       features[i].words, features[i].since);
		lacks = true;
		n = n + (size_t)len < size ? n + (size_t)len : size - 1;
	}
	if (!lacks)
		return false;
	uname(&on);
	snprintf(out + n, size - n, "; this is Linux %.40s, shunt needs 5.15 or later", on.release);
	return true;
}

int dp_kernel_fail(int rc, struct dp_error *err)
{
	char lacking[320];

	if (rc != -EPERM && dp_kernel_lacks(lacking, sizeof(lacking)))
		return dp_fail(err, rc, "this kernel cannot run the packet path: it lacks %s",
			       lacking);
	return dp_fail_os(err, rc, "cannot load the packet path into the kernel");
}
