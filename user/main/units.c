/* SPDX-License-Identifier: BSD-2-Clause */
#include "main/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

size_t units_digits(uint64_t n, char out[static UNITS_DIGITS_MAX])
{
	char backward[UNITS_DIGITS_MAX];
	size_t len = 0, i;

	do {
		backward[len++] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	for (i = 0; i < len; i++)
		out[i] = backward[len - 1 - i];
	return len;
}

/* One decimal below 100, none above. Tenths are cut, not rounded, so that 999,999 is not "1000 k". */
static struct units scaled(uint64_t n, const char *unit)
{
	static const char prefixes[] = {'\0', 'k', 'M', 'G', 'T', 'P', 'E'};
	uint64_t step = 1, tenths;
	struct units u;
	size_t used;
	int p = 0;

	for (; n / step >= 1000; p++)
		step *= 1000;
	tenths = p ? n / (step / 10) : 0;
	used = units_digits(n / step, u.text);
	if (p && tenths < 1000) {
		u.text[used++] = '.';
		u.text[used++] = (char)('0' + tenths % 10);
	}
	if (p || *unit)
		u.text[used++] = ' ';
	if (p)
		u.text[used++] = prefixes[p];
	strcpy(u.text + used, unit);
	return u;
}

struct units units_count(uint64_t n)
{
	return scaled(n, "");
}

struct units units_bytes(uint64_t n)
{
	return scaled(n, "B");
}

static const struct {
	const char *name;
	uint64_t ms;
} ages[] = {{"d", 86400000}, {"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}};
#define AGES (sizeof(ages) / sizeof(ages[0]))

/* The largest unit that there is one of; days from two days on. */
static size_t age_unit(uint64_t ms)
{
	size_t i = ms >= 2 * ages[0].ms ? 0 : 1;

	while (i < AGES - 1 && ms < ages[i].ms)
		i++;
	return i;
}

struct units units_age(uint64_t ms)
{
	size_t i = age_unit(ms);
	struct units u;

	snprintf(u.text, sizeof(u.text), "%" PRIu64 " %s", ms / ages[i].ms, ages[i].name);
	return u;
}

struct units units_long_age(uint64_t ms)
{
	size_t i = age_unit(ms);
	struct units u;

	if (i + 2 >= AGES || ms % ages[i].ms < ages[i + 1].ms)
		return units_age(ms);
	snprintf(u.text, sizeof(u.text), "%" PRIu64 " %s %" PRIu64 " %s", ms / ages[i].ms,
		 ages[i].name, ms % ages[i].ms / ages[i + 1].ms, ages[i + 1].name);
	return u;
}

bool units_read_duration(const char *text, uint64_t *ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	uint64_t n = 0;
	const char *unit = text;
	size_t i;

	for (; *unit >= '0' && *unit <= '9' && n < 1ull << 31; unit++)
		n = n * 10 + (uint64_t)(*unit - '0');
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (unit == text || strcmp(unit, units[i].name) != 0)
			continue;
		*ms = n * units[i].ms;
		return true;
	}
	return false;
}

struct units units_latency(uint32_t us)
{
	struct units u;

	if (us < 1000)
		snprintf(u.text, sizeof(u.text), "%" PRIu32 " us", us);
	else if (us < 1000000)
		snprintf(u.text, sizeof(u.text), "%" PRIu32 ".%" PRIu32 " ms", us / 1000,
			 us % 1000 / 100);
	else
		snprintf(u.text, sizeof(u.text), "%" PRIu32 ".%" PRIu32 " s", us / 1000000,
			 us % 1000000 / 100000);
	return u;
}
