/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/identity.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* By system calls, since a library allocates memory, which is not safe between fork and exec. */
static bool may_change_user(void)
{
	const uint32_t needed = 1u << CAP_SETUID | 1u << CAP_SETGID;
	struct __user_cap_header_struct self = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = {0};

	if (geteuid() == 0)
		return true;
	return syscall(SYS_capget, &self, caps) == 0 && (caps[0].effective & needed) == needed;
}

int identity_of(const char *user, struct identity *out)
{
	const struct passwd *pw;

	*out = (struct identity){.uid = geteuid(), .gid = getegid()};
	if (!may_change_user())
		return 0;
	errno = 0;
	pw = getpwnam(user);
	if (!pw)
		return errno ? -errno : -ENOENT;
	if (pw->pw_uid == 0 || pw->pw_uid == geteuid())
		return -EPERM;
	*out = (struct identity){.becomes = true, .uid = pw->pw_uid, .gid = pw->pw_gid};
	return 0;
}

/* A change from one user to another, neither root, takes none away; ambient ones would survive exec. */
static bool drop_capabilities(void)
{
	struct __user_cap_header_struct self = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

	return syscall(SYS_capset, &self, none) == 0;
}

bool identity_become(const struct identity *who)
{
	if (who->becomes && (setgroups(0, NULL) || setresgid(who->gid, who->gid, who->gid) ||
			     setresuid(who->uid, who->uid, who->uid)))
		return false;
	return drop_capabilities() && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

bool identity_is_daemon(uid_t uid)
{
	const struct passwd *pw;

	if (uid == 0 || uid == geteuid())
		return true;
	pw = getpwnam(IDENTITY_DAEMON);
	return pw && pw->pw_uid == uid;
}
