/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/dp_path.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/own.h"
#include "io/dp_kernel.h"
#include "io/dp_sys.h"
#include "path.skel.h"
#include "shunt_path.h"

/* Of the filter at tc's ingress: what an earlier daemon left there is replaced. */
#define TC_PRIORITY 21320
#define TC_HANDLE 1
#define INTERFACES_MAX 64

struct dp_path {
	struct path_bpf *skel; /* NULL: not bound yet */
	struct shunt_path_target *targets; /* its map's */
	uint32_t rows; /* targets, and backends */
	uint32_t backends_id; /* the map's that it is bound to */
	uint32_t veth; /* ifindex; 0: none */
	int link_fd; /* at the veth; -1: none */
	struct shunt_path_veth entry;
	uint32_t listening[INTERFACES_MAX];
	size_t n_listening;
};

int dp_path_open(struct dp_path **out, struct dp_error *err)
{
	struct dp_path *p = calloc(1, sizeof(*p));

	if (!p)
		return dp_fail_os(err, -ENOMEM, "path probes");
	p->link_fd = -1;
	*out = p;
	return 0;
}

static void skel_free(struct path_bpf *skel, struct shunt_path_target *targets, uint32_t rows)
{
	if (targets)
		munmap(targets, rows * sizeof(*targets));
	path_bpf__destroy(skel);
}

/* ---- replies ------------------------------------------------------------------------------------*/

/* libbpf tells of a qdisc that is there already. */
static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static struct bpf_tc_hook hook_at(uint32_t ifindex)
{
	return (struct bpf_tc_hook){
		.sz = sizeof(struct bpf_tc_hook),
		.ifindex = (int)ifindex,
		.attach_point = BPF_TC_INGRESS,
	};
}

static int hear(const struct dp_path *p, uint32_t ifindex)
{
	struct bpf_tc_hook hook = hook_at(ifindex);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY,
		    .prog_fd = bpf_program__fd(p->skel->progs.shunt_path_in),
		    .flags = BPF_TC_F_REPLACE);
	int rc = bpf_tc_hook_create(&hook);

	if (rc && rc != -EEXIST)
		return rc;
	return bpf_tc_attach(&hook, &opts);
}

/* The qdisc stays: others may have come to use it. */
static void leave(uint32_t ifindex)
{
	struct bpf_tc_hook hook = hook_at(ifindex);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY);

	bpf_tc_detach(&hook, &opts);
}

void dp_path_remove(const char *ifname)
{
	libbpf_print_fn_t before = libbpf_set_print(quiet);
	uint32_t ifindex = if_nametoindex(ifname);

	if (ifindex)
		leave(ifindex);
	libbpf_set_print(before);
}

static bool is_among(uint32_t ifindex, const uint32_t *list, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (list[i] == ifindex)
			return true;
	return false;
}

int dp_path_listen(struct dp_path *p, const uint32_t *ifindexes, size_t n, struct dp_error *err)
{
	libbpf_print_fn_t before = libbpf_set_print(quiet);
	char name[IF_NAMESIZE] = "?";
	int first = 0, rc;
	size_t i, kept = 0;

	for (i = 0; i < p->n_listening; i++)
		if (!is_among(p->listening[i], ifindexes, n))
			leave(p->listening[i]);
	for (i = 0; i < n && kept < INTERFACES_MAX; i++) {
		rc = hear(p, ifindexes[i]);
		if (rc == 0)
			p->listening[kept++] = ifindexes[i];
		else if (!first)
			first = dp_fail_os(err, rc,
					   "%s: probes' replies cannot be told from others",
					   if_indextoname(ifindexes[i], name) ? name : "?");
	}
	p->n_listening = kept;
	libbpf_set_print(before);
	return first;
}

/* ---- the tables ---------------------------------------------------------------------------------*/

static int keep_map(struct bpf_map *map, const struct bpf_map *before)
{
	return before ? bpf_map__reuse_fd(map, bpf_map__fd(before)) : 0;
}

/* Flows and the veth outlive a program. */
static int prepare(struct path_bpf *skel, const struct path_bpf *before, int backends,
		   uint32_t rows)
{
	int rc = bpf_map__reuse_fd(skel->maps.backends, backends);

	if (rc == 0)
		rc = bpf_map__set_max_entries(skel->maps.path_targets, rows);
	if (rc == 0)
		rc = keep_map(skel->maps.path_out, before ? before->maps.path_out : NULL);
	if (rc == 0)
		rc = keep_map(skel->maps.path_in, before ? before->maps.path_in : NULL);
	if (rc == 0)
		rc = keep_map(skel->maps.path_veth, before ? before->maps.path_veth : NULL);
	return rc ? rc : path_bpf__load(skel);
}

static int map_targets(const struct dp_path *p, const struct path_bpf *skel, uint32_t rows,
		       struct shunt_path_target **out)
{
	void *mem = mmap(NULL, rows * sizeof(**out), PROT_READ | PROT_WRITE, MAP_SHARED,
			 bpf_map__fd(skel->maps.path_targets), 0);

	if (mem == MAP_FAILED)
		return -errno;
	*out = mem;
	if (p->targets)
		memcpy(mem, p->targets, (p->rows < rows ? p->rows : rows) * sizeof(**out));
	return 0;
}

/* What is attached becomes the new programs'. */
static int exchange(struct dp_path *p, struct path_bpf *skel, struct shunt_path_target *targets,
		    uint32_t rows)
{
	struct path_bpf *before = p->skel;
	struct shunt_path_target *targets_before = p->targets;
	uint32_t rows_before = p->rows, there[INTERFACES_MAX];
	int rc = 0;

	p->skel = skel;
	p->targets = targets;
	p->rows = rows;
	memcpy(there, p->listening, sizeof(there));
	if (p->n_listening)
		rc = dp_path_listen(p, there, p->n_listening, NULL);
	if (p->link_fd >= 0 &&
	    bpf_link_update(p->link_fd, bpf_program__fd(skel->progs.shunt_path_out), NULL))
		rc = -errno;
	skel_free(before, targets_before, rows_before);
	return rc;
}

static int rebind(struct dp_path *p, int backends, uint32_t rows)
{
	struct shunt_path_target *targets = NULL;
	struct path_bpf *skel = path_bpf__open();
	int rc = skel ? prepare(skel, p->skel, backends, rows) : -errno;

	if (rc == 0)
		rc = map_targets(p, skel, rows, &targets);
	if (rc) {
		skel_free(skel, targets, rows);
		return rc;
	}
	return exchange(p, skel, targets, rows);
}

int dp_path_bind(struct dp_path *p, const struct dp *dp, struct dp_error *err)
{
	int backends = dp_map_fd(dp, "backends"), rc;
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);

	if (bpf_obj_get_info_by_fd(backends, &info, &len))
		return dp_fail_os(err, -errno, "path probes");
	if (info.id == p->backends_id)
		return 0;
	rc = rebind(p, backends, info.max_entries);
	if (rc)
		return dp_fail_os(err, rc, "cannot load the programs of path probes");
	p->backends_id = info.id;
	return 0;
}

int dp_path_target(struct dp_path *p, uint32_t number, uint32_t row, const struct addr *host)
{
	struct shunt_path_target t = {.row = row};

	if (!number || number >= p->rows)
		return -ENOENT;
	if (host->family == 4)
		memcpy(&t.host4, host->bytes, 4);
	if (host->family == 6)
		memcpy(t.host6, host->bytes, 16);
	p->targets[number] = t;
	return 0;
}

struct addr dp_path_source(uint32_t number, uint8_t family)
{
	const uint32_t prefix[3] = SHUNT_PATH_PREFIX6;
	uint32_t words[4] = {htonl(SHUNT_PATH_NET4 | number)};
	struct addr a = {.family = family};
	size_t i;

	if (family == 6) {
		for (i = 0; i < 3; i++)
			words[i] = htonl(prefix[i]);
		words[3] = htonl(number);
	}
	memcpy(a.bytes, words, family == 6 ? 16 : 4);
	return a;
}

/* ---- the veth -----------------------------------------------------------------------------------*/

static void forget_veth(struct dp_path *p)
{
	if (p->link_fd >= 0)
		close(take_fd(&p->link_fd));
	p->veth = 0;
}

int dp_path_enter(struct dp_path *p, uint32_t ifindex, const uint8_t mac[6], struct dp_error *err)
{
	struct shunt_path_veth entry = {.ifindex = ifindex};
	uint32_t first = 0;
	char name[IF_NAMESIZE];
	int rc;

	forget_veth(p);
	memcpy(entry.mac, mac, sizeof(entry.mac));
	if (bpf_map_update_elem(bpf_map__fd(p->skel->maps.path_veth), &first, &entry, BPF_ANY))
		return dp_fail_os(err, -errno, "path probes");
	if (!if_indextoname(ifindex, name))
		return dp_fail(err, -ENODEV, "path probes: their veth is gone");
	rc = dp_xdp_attach(bpf_program__fd(p->skel->progs.shunt_path_out), name, DP_NATIVE,
			   &p->link_fd, err);
	if (rc == 0)
		p->veth = ifindex;
	return rc;
}

void dp_path_close(struct dp_path *p)
{
	if (!p)
		return;
	if (p->skel)
		(void)!dp_path_listen(p, NULL, 0, NULL);
	forget_veth(p);
	skel_free(p->skel, p->targets, p->rows);
	free(p);
}
