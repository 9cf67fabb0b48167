/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests: which command carries what, and what has to be there. */
#include <errno.h>
#include <libmnl/libmnl.h>

#include "pure/msg.h"

static const enum shunt_msg_command verb_command[CTL_VERB_MAX] = {
	[CTL_RELOAD] = SHUNT_MSG_RELOAD,       [CTL_DRAIN] = SHUNT_MSG_DRAIN,
	[CTL_ENABLE] = SHUNT_MSG_ENABLE,       [CTL_WEIGHT] = SHUNT_MSG_WEIGHT,
	[CTL_DISABLE] = SHUNT_MSG_DISABLE,     [CTL_UPGRADE] = SHUNT_MSG_UPGRADE,
	[CTL_ROLLBACK] = SHUNT_MSG_ROLLBACK,   [CTL_MAKE_PLAN] = SHUNT_MSG_MAKE_PLAN,
	[CTL_TRACE] = SHUNT_MSG_TRACE,	       [CTL_TRACE_END] = SHUNT_MSG_TRACE_END,
	[CTL_LOG_LEVEL] = SHUNT_MSG_LOG_LEVEL,
};

static bool is_get(enum shunt_msg_command command)
{
	return command >= SHUNT_MSG_GET_STATUS && command < SHUNT_MSG_STATUS &&
	       command != SHUNT_MSG_GET_EXPLAIN;
}

int msg_put_get(struct msg_out *o, enum shunt_msg_command command, const struct msg_get *get)
{
	if (!is_get(command))
		return -EINVAL;
	return msg_put(o, command, get);
}

int msg_get_get(const struct nlmsghdr *m, struct msg_get *get)
{
	enum shunt_msg_command command = msg_command(m);

	if (!is_get(command))
		return -EINVAL;
	return msg_get(m, command, get);
}

int msg_put_command(struct msg_out *o, const struct ctl_command *c)
{
	if ((unsigned int)c->verb >= CTL_VERB_MAX)
		return -EINVAL;
	return msg_put(o, verb_command[c->verb], c);
}

int msg_get_command(const struct nlmsghdr *m, struct ctl_command *c)
{
	enum shunt_msg_command command = msg_command(m);
	unsigned int verb = 0;
	int err;

	while (verb < CTL_VERB_MAX && verb_command[verb] != command)
		verb++;
	if (verb == CTL_VERB_MAX)
		return -EINVAL;
	c->verb = verb;
	err = msg_get(m, command, c);
	if (err < 0)
		return err;
	if (ctl_is_of_backend(verb) && (!c->service[0] || !c->backend[0]))
		return -EBADMSG;
	if (c->deadline_s > CTL_DEADLINE_MAX_S || (c->deadline_s && verb != CTL_DRAIN))
		return -EBADMSG;
	if (c->accept && verb != CTL_UPGRADE)
		return -EBADMSG;
	if (c->file[0] && (verb != CTL_MAKE_PLAN || c->file[0] != '/'))
		return -EBADMSG;
	if (c->level[0] && verb != CTL_LOG_LEVEL)
		return -EBADMSG;
	if (!edit_user_is_good(c->user) || !edit_reason_is_good(c->reason))
		return -EBADMSG;
	return c->weight > CONF_WEIGHT_MAX ? -EBADMSG : 0;
}
