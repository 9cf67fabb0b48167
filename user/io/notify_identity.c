/* SPDX-License-Identifier: BSD-2-Clause */
/* What programs and webhooks have in common: who they are, and how often. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "io/notify_impl.h"

int notify_identify(const char *user, struct notify_identity *out)
{
	const struct passwd *pw;

	*out = (struct notify_identity){0};
	if (geteuid() != 0)
		return 0;
	pw = getpwnam(user);
	if (!pw)
		return -ENOENT;
	if (pw->pw_uid == 0)
		return -EPERM;
	*out = (struct notify_identity){.becomes = true, .uid = pw->pw_uid, .gid = pw->pw_gid};
	return 0;
}

bool notify_become(const struct notify_identity *who)
{
	if (who->becomes && (setgroups(0, NULL) || setresgid(who->gid, who->gid, who->gid) ||
			     setresuid(who->uid, who->uid, who->uid)))
		return false;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

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
