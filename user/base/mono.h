/* SPDX-License-Identifier: BSD-2-Clause */
/* Monotonic time with its unit in the type, so that an instant and a duration cannot be mixed up.
 * An instant is a mono_t; a duration is an int64_t whose name ends in its unit (_us, _ms). */
#ifndef SHUNT_MONO_H
#define SHUNT_MONO_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
	int64_t us; /* microseconds since an arbitrary start; 0 is "never" */
} mono_t;

/* Now, by CLOCK_MONOTONIC. Floor 1 never calls it: time comes in as an argument there. */
mono_t mono_now(void);

/* The kernel's HZ: how many jiffies a second has. */
uint32_t mono_kernel_hz(void);

static inline mono_t mono_never(void)
{
	return (mono_t){0};
}

static inline bool mono_is_never(mono_t t)
{
	return t.us == 0;
}

static inline mono_t mono_add_us(mono_t t, int64_t us)
{
	return (mono_t){t.us + us};
}

/* How long from @from to @to in microseconds; negative when @to is earlier. */
static inline int64_t mono_diff_us(mono_t from, mono_t to)
{
	return to.us - from.us;
}

#endif
