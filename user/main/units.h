/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers for people: at most four digits and a unit. Each returns its buffer. */
#ifndef SHUNT_UNITS_H
#define SHUNT_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNITS_MAX 48
struct units {
	char text[UNITS_MAX];
};

struct units units_count(uint64_t n); /* "999", "1.2 k", "12.3 k", "123 k", "4.5 M" */
struct units units_bytes(uint64_t n); /* "999 B", "1.2 kB", "123 MB" */
struct units units_age(uint64_t ms); /* "120 ms", "12 s", "3 min", "5 h", "12 d" */
struct units units_long_age(uint64_t ms); /* the same with the next smaller unit: "5 h 3 min" */
/* Reads "90s", "1500ms", "10m", "2h" into *ms; false: it is none, or more than 2^53. */
bool units_read_duration(const char *text, uint64_t *ms);
struct units units_latency(uint32_t us); /* "830 us", "1.2 ms", "2.1 s" */

/* The digits of @n, without a NUL; returns how many. A table or document has them by the hundred thousand,
 * and printf takes ten times as long. */
#define UNITS_DIGITS_MAX 20
size_t units_digits(uint64_t n, char out[static UNITS_DIGITS_MAX]);

#endif
