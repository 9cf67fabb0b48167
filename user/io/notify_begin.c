/* SPDX-License-Identifier: BSD-2-Clause */
/* What programs and webhooks have in common: how they begin, and how often. */
#include <signal.h>

#include "io/notify_impl.h"

void notify_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

bool notify_rate_allows(struct notify_rate *r, uint32_t a_minute)
{
	const mono_t now = mono_now();

	if (mono_is_never(r->minute) || mono_diff_us(r->minute, now) >= 60000000) {
		r->minute = now;
		r->in_minute = 0;
	}
	return r->in_minute++ < a_minute;
}
