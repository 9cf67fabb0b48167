/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/passive.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

#define RETRY_MS 1000 /* until a client sends its SYN again (RFC 6298, section 2.1) */
#define STEP_MIN_MS 100

uint32_t passive_step_ms(const struct passive_policy *p)
{
	const uint32_t ms = p->window_ms / PASSIVE_STEPS;

	return ms < STEP_MIN_MS ? STEP_MIN_MS : ms;
}

/* ---- readings ----------------------------------------------------------------------------------*/

void passive_forget(struct passive_track *t)
{
	t->n = 0;
}

/* What lies between two readings; false when they contradict each other. */
static bool between(const struct passive_totals *a, const struct passive_totals *b,
		    struct passive_count *out)
{
	const uint64_t syns = b->syns - a->syns, repeats = b->repeats - a->repeats;
	const uint64_t first = (uint32_t)repeats, again = repeats >> 32;
	const uint64_t refused = b->refused - a->refused;
	const uint64_t unreachable = b->unreachable - a->unreachable;

	if (syns > UINT32_MAX || first + again > syns || refused > UINT32_MAX ||
	    unreachable > UINT32_MAX)
		return false;
	*out = (struct passive_count){
		.opened = (uint32_t)(syns - first - again),
		.repeated = (uint32_t)first,
		.refused = (uint32_t)refused,
		.unreachable = (uint32_t)unreachable,
	};
	return true;
}

void passive_note(struct passive_track *t, const struct passive_totals *now)
{
	struct passive_count step;
	bool holds = t->has_last && between(&t->last, now, &step);

	t->last = *now;
	t->has_last = true;
	if (!holds) {
		t->n = 0;
		return;
	}
	t->newest = (uint8_t)((t->newest + 1) % PASSIVE_RING);
	t->steps[t->newest] = step;
	if (t->n < PASSIVE_RING)
		t->n++;
}

struct passive_count passive_sum(const struct passive_track *t, size_t skip, size_t n)
{
	struct passive_count sum = {0};

	for (size_t i = skip; i < skip + n && i < t->n; i++) {
		const struct passive_count *s =
			&t->steps[(t->newest + PASSIVE_RING - i) % PASSIVE_RING];

		sum.opened += s->opened;
		sum.repeated += s->repeated;
		sum.refused += s->refused;
		sum.unreachable += s->unreachable;
	}
	return sum;
}

/* ---- one against the others --------------------------------------------------------------------*/

struct sample {
	double bad, of;
};

static double share(const struct sample *s)
{
	return s->of > 0 ? s->bad / s->of : 0;
}

static int by_share(const void *a, const void *b)
{
	const double x = share(a), y = share(b);

	return (x > y) - (x < y);
}

/* Of a SYN that comes again the first came a second before: where fewer connections are opened than
 * then, it is these that it is one of. */
static double opened(const struct passive_policy *p, const struct passive_track *t, size_t steps)
{
	const size_t lag = (RETRY_MS + passive_step_ms(p) - 1) / passive_step_ms(p);
	const uint32_t now = passive_sum(t, 0, steps).opened;
	const uint32_t before = passive_sum(t, lag, steps).opened;

	return now > before ? now : before;
}

static struct sample sample_of(const struct passive_policy *p, const struct passive_track *t,
			       size_t steps, enum passive_sign sign)
{
	const struct passive_count c = passive_sum(t, 0, steps);
	struct sample s = {.of = c.opened};

	switch (sign) {
	case PASSIVE_SYN_RETRY:
		s = (struct sample){c.repeated, opened(p, t, steps)};
		break;
	case PASSIVE_RESET:
		s.bad = c.refused;
		break;
	default:
		break;
	}
	if (s.bad > s.of)
		s.bad = s.of;
	return s;
}

/* The better half of them together, at least one; of one alone nobody. @s is put in order. */
static struct sample better_half(struct sample *s, size_t n)
{
	struct sample sum = {0};

	qsort(s, n, sizeof(*s), by_share);
	for (size_t i = 0; n > 1 && i < (n + 1) / 2; i++) {
		sum.bad += s[i].bad;
		sum.of += s[i].of;
	}
	return sum;
}

/* Whether @s shows it clearly more than @others do. */
static bool stands_out(const struct sample *s, const struct sample *others)
{
	const double more = share(s) - share(others);
	double together;

	if (others->of <= 0)
		return true; /* nobody to compare it with */
	if (share(s) < 2 * share(others))
		return false;
	together = (s->bad + others->bad) / (s->of + others->of);
	return more > 0 && more * more >= PASSIVE_SIGMAS * PASSIVE_SIGMAS * together *
						  (1 - together) * (1 / s->of + 1 / others->of);
}

/* ---- judging -----------------------------------------------------------------------------------*/

static bool shows(const struct passive_policy *p, const struct sample *s, uint16_t percent)
{
	return s->of >= p->min && s->of > 0 && s->bad * 100 >= s->of * percent;
}

/* All of one sign over the newest @steps; who shows it is found, unless something has been found. */
static void judge_shares(const struct passive_policy *p, const struct passive_track *const tracks[],
			 size_t n, size_t steps, enum passive_sign sign, struct sample *scratch,
			 struct passive_finding out[])
{
	const uint16_t percent = sign == PASSIVE_RESET ? p->reset : p->syn_retry;
	struct sample *all = scratch, *sorted = scratch + n, others;
	size_t suspects = 0, some = 0;

	for (size_t i = 0; i < n; i++) {
		all[i] = sample_of(p, tracks[i], steps, sign);
		suspects += shows(p, &all[i], percent);
		if (all[i].of > 0)
			sorted[some++] = all[i];
	}
	if (!suspects || !percent)
		return;
	others = better_half(sorted, some);
	for (size_t i = 0; i < n; i++)
		if (!out[i].sign && shows(p, &all[i], percent) && stands_out(&all[i], &others))
			out[i] = (struct passive_finding){
				.sign = sign,
				.bad = (uint32_t)all[i].bad,
				.of = (uint32_t)all[i].of,
				.ms = (uint32_t)steps * passive_step_ms(p),
			};
}

static int by_number(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Errors over the window, by their number: at least twice as many as the median of all has. */
static void judge_errors(const struct passive_policy *p, const struct passive_track *const tracks[],
			 size_t n, uint32_t *scratch, struct passive_finding out[])
{
	uint32_t median;

	for (size_t i = 0; i < n; i++)
		scratch[i] = passive_sum(tracks[i], 0, PASSIVE_STEPS).unreachable;
	qsort(scratch, n, sizeof(*scratch), by_number);
	median = n > 1 ? scratch[(n - 1) / 2] : 0;
	for (size_t i = 0; i < n && p->unreachable; i++) {
		const struct passive_count c = passive_sum(tracks[i], 0, PASSIVE_STEPS);

		if (!out[i].sign && c.unreachable >= p->unreachable && c.unreachable >= 2 * median)
			out[i] = (struct passive_finding){
				.sign = PASSIVE_UNREACHABLE,
				.bad = c.unreachable,
				.of = c.opened,
				.ms = PASSIVE_STEPS * passive_step_ms(p),
			};
	}
}

int passive_judge(const struct passive_policy *p, const struct passive_track *const tracks[],
		  size_t n, struct passive_finding out[])
{
	auto_free struct sample *scratch = calloc(2 * n + 1, sizeof(*scratch));

	if (!scratch)
		return -ENOMEM;
	memset(out, 0, n * sizeof(*out));
	/* The longest first: it says the most of whom it finds. */
	for (size_t steps = PASSIVE_STEPS; steps > 0; steps--) {
		judge_shares(p, tracks, n, steps, PASSIVE_SYN_RETRY, scratch, out);
		judge_shares(p, tracks, n, steps, PASSIVE_RESET, scratch, out);
	}
	judge_errors(p, tracks, n, (uint32_t *)scratch, out);
	return 0;
}

const char *passive_words(const struct passive_finding *f, char out[static PASSIVE_WORDS_MAX])
{
	const uint32_t percent = f->of ? (uint32_t)((uint64_t)f->bad * 100 / f->of) : 0;
	const uint32_t tenths = (f->ms + 50) / 100;

	if (f->sign == PASSIVE_UNREACHABLE)
		snprintf(out, PASSIVE_WORDS_MAX,
			 "passive: %u ICMP errors in %u.%u s say it cannot be reached", f->bad,
			 tenths / 10, tenths % 10);
	else
		snprintf(out, PASSIVE_WORDS_MAX,
			 "passive: %u%% of %u new connections in %u.%u s %s", percent, f->of,
			 tenths / 10, tenths % 10,
			 f->sign == PASSIVE_RESET ? "were refused" : "repeated their SYN");
	return out;
}

/* ---- what comes of it --------------------------------------------------------------------------*/

bool passive_may_take(const struct passive_policy *p, const struct passive_room *room)
{
	const uint64_t most = (uint64_t)room->wanted * p->max_out / 100;

	if (room->up < 2 || room->out + 1 > (most ? most : 1))
		return false;
	return (uint64_t)(room->up - 1) * 100 >= (uint64_t)room->panic * room->wanted;
}

uint32_t passive_hold_ms(const struct passive_state *s, const struct passive_policy *p)
{
	uint32_t times = 1;

	for (uint8_t i = 0; i < s->times && times < PASSIVE_HOLD_TIMES; i++)
		times *= 2;
	return p->hold_ms * times;
}

/* A row of times ends when it has been in for as long as it would stay out now. */
static void end_row(struct passive_state *s, const struct passive_policy *p, mono_t now)
{
	if (!mono_is_never(s->came_back) &&
	    mono_diff_us(s->came_back, now) / 1000 >= (int64_t)passive_hold_ms(s, p))
		s->times = 0;
}

static enum passive_change take_out(struct passive_state *s, const struct passive_policy *p,
				    mono_t now)
{
	end_row(s, p, now);
	s->back_at = mono_add_us(now, (int64_t)passive_hold_ms(s, p) * 1000);
	s->times += s->times < UINT8_MAX;
	s->out = true;
	return PASSIVE_TAKEN_OUT;
}

enum passive_change passive_found(struct passive_state *s, const struct passive_policy *p,
				  const struct passive_finding *f, bool may_take, mono_t now)
{
	const bool was = !mono_is_never(s->suspected);

	if (!f->sign) {
		if (!was || mono_diff_us(s->suspected, now) < (int64_t)p->window_ms * 1000)
			return PASSIVE_SAME;
		s->suspected = mono_never();
		return PASSIVE_CLEARED;
	}
	s->finding = *f;
	s->suspected = now;
	if (p->action == PASSIVE_DOWN && may_take)
		return take_out(s, p, now);
	return was ? PASSIVE_SAME : PASSIVE_MARKED;
}

bool passive_returns(struct passive_state *s, bool check_bad, bool recovered, mono_t now)
{
	if (!s->out || check_bad || (!recovered && mono_diff_us(s->back_at, now) < 0))
		return false;
	s->out = false;
	s->suspected = mono_never();
	s->came_back = now;
	return true;
}
