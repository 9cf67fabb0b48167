/* SPDX-License-Identifier: BSD-2-Clause */
/* How the probe child becomes a process that has nothing to lose. */
#include <cap-ng.h>
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/probe_msg.h"

static int set_limits(void)
{
	static const struct rlimit none = {0, 0};
	struct rlimit files;

	if (setrlimit(RLIMIT_CORE, &none) < 0 || getrlimit(RLIMIT_NOFILE, &files) < 0)
		return -errno;
	files.rlim_cur = files.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &files) < 0 ? -errno : 0;
}

static bool may_empty_bounding_set(void)
{
	return capng_get_caps_process() == 0 && capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
}

/* All capability sets with it. Where a daemon has no CAP_SETPCAP the bounding set stays, which a
 * process that can gain no privileges has no use for. */
static int switch_user(const struct probe_identity *who)
{
	capng_flags_t flags = CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_AMBIENT;

	if (may_empty_bounding_set())
		flags |= CAPNG_CLEAR_BOUNDING;
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_change_id((int)who->uid, (int)who->gid, flags) != 0)
		return -EPERM;
	if (getuid() != who->uid || geteuid() != who->uid || getgid() != who->gid ||
	    getegid() != who->gid || getgroups(0, NULL) != 0)
		return -EPERM;
	return 0;
}

static int drop_capabilities(void)
{
	capng_clear(CAPNG_SELECT_ALL);
	(void)capng_apply(CAPNG_SELECT_BOUNDS); /* fails without CAP_SETPCAP */
	if (capng_apply(CAPNG_SELECT_CAPS) != 0 || capng_apply(CAPNG_SELECT_AMBIENT) != 0)
		return -EPERM;
	return 0;
}

static int has_no_capabilities(void)
{
	if (capng_get_caps_process() != 0)
		return -EPERM;
	return capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE ? 0 : -EPERM;
}

static bool may_leave_as_is(void)
{
	return capng_get_caps_process() == 0 &&
	       capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN) &&
	       capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN);
}

static int enter_space(const struct probe_space *space)
{
	const struct probe_report here = {.type = PROBE_MSG_SPACE};
	int err = space->leave();

	if (err == 0 && send(PROBE_FD, &here, sizeof(here), MSG_NOSIGNAL) != sizeof(here))
		err = -errno;
	return err < 0 ? err : space->settle();
}

/* Who may make a network namespace does so before it gives that up, since hosts may not let users have any
 * (kernel.apparmor_restrict_unprivileged_userns); else it is in a user namespace of its own, where it has
 * all capabilities until it is settled. */
static int give_up(const struct probe_identity *who, const struct probe_space *space)
{
	bool first = space && may_leave_as_is();
	int err = first ? enter_space(space) : 0;

	if (err == 0)
		err = who->switch_user ? switch_user(who) : drop_capabilities();
	if (err < 0 || !space || first)
		return err;
	err = enter_space(space);
	return err < 0 ? err : drop_capabilities();
}

int probe_jail_enter(const struct probe_identity *who, const struct probe_space *space)
{
	int err = set_limits();

	if (err == 0 && chdir("/") < 0)
		err = -errno;
	if (err == 0)
		err = give_up(who, space);
	if (err == 0)
		err = has_no_capabilities();
	if (err < 0)
		return err;
	/* After the change of user, which resets both of the last two. Others of the same user may
	 * not trace the child: who holds its socket says what is up. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	return 0;
}
