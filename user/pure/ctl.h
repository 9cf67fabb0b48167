/* SPDX-License-Identifier: BSD-2-Clause */
/* A command of an operator and the answer to it, as the control socket carries them. */
#ifndef SHUNT_CTL_H
#define SHUNT_CTL_H

#include <stdbool.h>
#include <stdint.h>

#include "pure/edits.h"
#include "pure/explain_view.h"
#include "shunt_abi.h"
#include "shunt_msg.h"

enum ctl_verb {
	CTL_RELOAD,
	CTL_DRAIN,
	CTL_ENABLE,
	CTL_WEIGHT,
	CTL_DISABLE,
	CTL_UPGRADE,
	CTL_ROLLBACK,
	CTL_MAKE_PLAN,
	CTL_TRACE,
	CTL_TRACE_END,
	CTL_LOG_LEVEL,
	CTL_VERB_MAX
};

#define CTL_DEADLINE_MAX_S 604800
#define CTL_FILE_MAX 1024
#define CTL_LEVEL_MAX 16

struct ctl_command {
	enum ctl_verb verb;
	char service[SHUNT_NAME_MAX]; /* not empty where ctl_is_of_backend() */
	char backend[SHUNT_NAME_MAX]; /* the same */
	bool accept; /* UPGRADE only: whatever the packet path does otherwise */
	uint16_t weight; /* WEIGHT only; 0 to CONF_WEIGHT_MAX */
	uint32_t deadline_s; /* DRAIN only; from now; 0: as it is */
	char file[CTL_FILE_MAX]; /* MAKE_PLAN only; empty: the daemon's own */
	struct msg_bytes filter; /* TRACE only; of struct cbpf */
	uint32_t one_of; /* TRACE only */
	uint64_t watch; /* TRACE_END only: whose; 0: whoever's */
	char level[CTL_LEVEL_MAX]; /* LOG_LEVEL only; empty: it stays */
	char user[EDIT_USER_MAX]; /* as the client says; empty: it does not */
	char reason[EDIT_REASON_MAX]; /* empty: none */
	/* Who asks, by SO_PEERCRED; for the log. Not on the wire. */
	uint32_t uid, pid;
};

struct ctl_reply {
	int status; /* 0 or -errno */
	/* For people: what was done or why not. May have several lines; without a last newline;
	 * empty: nothing to say. Longer text is cut. */
	char text[SHUNT_MSG_TEXT_MAX];
	uint64_t plan; /* MAKE_PLAN: its number */
	uint64_t watch; /* TRACE: its number */
	char level[CTL_LEVEL_MAX],
		configured[CTL_LEVEL_MAX]; /* LOG_LEVEL: in force, and by the file */
};

static inline bool ctl_is_of_backend(enum ctl_verb verb)
{
	return verb != CTL_RELOAD && verb != CTL_UPGRADE && verb != CTL_ROLLBACK &&
	       verb != CTL_MAKE_PLAN && verb != CTL_TRACE && verb != CTL_TRACE_END &&
	       verb != CTL_LOG_LEVEL;
}

#endif
