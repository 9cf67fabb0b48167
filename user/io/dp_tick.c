/* SPDX-License-Identifier: BSD-2-Clause */
/* The packet path's clock. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>

#include "io/dp_impl.h"
#include "tick.skel.h"

int dp_tick_open(struct dp *dp)
{
	struct tick_bpf *skel = tick_bpf__open_and_load();
	int rc = 0;

	if (!skel)
		return -errno;
	dp->tick_fd = fcntl(bpf_program__fd(skel->progs.shunt_tick), F_DUPFD_CLOEXEC, 0);
	if (dp->tick_fd < 0)
		rc = -errno;
	tick_bpf__destroy(skel);
	return rc;
}

/* The kernel has the program and takes any frame of 14 bytes: it does not fail. */
uint16_t dp_tick(const struct dp *dp)
{
	uint8_t frame[14] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = sizeof(frame));

	bpf_prog_test_run_opts(dp->tick_fd, &run);
	return (uint16_t)run.retval;
}
