/* SPDX-License-Identifier: BSD-2-Clause */
/* The probe child as a process: what it is started with, and how it ended. */
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/child.h"
#include "base/own.h"
#include "io/probe_msg.h"

#define GRACE_MS 500 /* for the child to end when its socket closes */

/* Lets through echo replies only. Returns -1 where it is not allowed. */
static int raw_open(int family)
{
	struct icmp_filter filter4 = {~(1U << ICMP_ECHOREPLY)};
	struct icmp6_filter filter6;
	int protocol = family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	auto_close int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return -1;
	ICMP6_FILTER_SETBLOCKALL(&filter6);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter6);
	if (family == AF_INET6
		    ? setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter6, sizeof(filter6)) < 0
		    : setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter4, sizeof(filter4)) < 0)
		return -1;
	return take_fd(&fd);
}

int probe_process_start(const struct probe_program *program, struct child_process *out)
{
	auto_close int ping4 = raw_open(AF_INET);
	auto_close int ping6 = raw_open(AF_INET6);
	struct probe_command start;

	memset(&start, 0, sizeof(start));
	start.type = PROBE_MSG_START;
	start.identity = program->identity;
	return child_start(
		&(struct child_program){
			.path = program->path,
			.argv = program->argv,
			.given = (int[]){ping4, ping6},
			.n_given = 2,
			.first = &start,
			.first_len = probe_command_size(&start),
			.not_run = PROBE_EXIT_EXEC,
		},
		out);
}

static const char *exit_words(int status)
{
	switch (status) {
	case PROBE_EXIT_CLOSED:
		return "its socket was closed";
	case PROBE_EXIT_EXEC:
		return "the executable could not be run";
	case PROBE_EXIT_START:
		return "no first message";
	case PROBE_EXIT_JAIL:
		return "privileges could not be given up";
	case PROBE_EXIT_SPACE:
		return "no network namespace, or no way out of it: see user.max_user_namespaces, "
		       "or "
		       "write via: direct";
	case PROBE_EXIT_SETUP:
		return "no memory or descriptors";
	case PROBE_EXIT_MESSAGE:
		return "it did not understand a message";
	default:
		return "unexpected";
	}
}

void probe_process_end(struct child_process *process, char why[static PROBE_WHY_MAX])
{
	char how[64];
	int status;

	why[0] = '\0';
	if (!process->pid)
		return;
	status = child_end(process, GRACE_MS);
	child_words(status, how, sizeof(how));
	if (status != CHILD_LEFT && WIFEXITED(status))
		snprintf(why, PROBE_WHY_MAX, "%s (%s)", how, exit_words(WEXITSTATUS(status)));
	else
		snprintf(why, PROBE_WHY_MAX, "%s", how);
}
