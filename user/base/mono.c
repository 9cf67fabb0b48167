/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/mono.h"

#include <time.h>

mono_t mono_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (mono_t){(int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000};
}

uint32_t mono_kernel_hz(void)
{
	struct timespec tick;

	/* The coarse clocks advance once a jiffy. */
	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) || tick.tv_nsec <= 0)
		return 250;
	return (uint32_t)((1000000000 + tick.tv_nsec / 2) / tick.tv_nsec);
}
