/* SPDX-License-Identifier: BSD-2-Clause */
/* Why: what becomes of a packet, how a service chooses, and which flows are remembered. */
#ifndef SHUNT_ENGINE_EXPLAIN_H
#define SHUNT_ENGINE_EXPLAIN_H

#include "engine/state.h"
#include "pure/ctl.h"
#include "io/stats_server.h"

/* As struct stats_source says; @arg is the engine. */
int explain_packet(void *arg, const struct explain_ask *ask, struct explanation *out);
uint64_t flows_page(void *arg, const struct msg_get *get,
		    bool (*put)(void *to, const struct view_flow *f), void *to);

int client_flows_check(void *arg, const struct msg_get *get, char *why, size_t size);

/* Number of the service that a packet to that address is for, by its configuration; -1: none. */
int64_t explain_match(const struct engine *e, const struct addr *vip, uint16_t port,
		      uint8_t protocol);

/* How the service of that name chooses; -ENOENT. */
int explain_service(struct engine *e, const char *name, struct explanation *out);

/* Has packets be watched, as the command says, until trace_end() or nobody asks for them. */
void trace_begin(struct engine *e, const struct ctl_command *c, struct ctl_reply *r);
/* Of who has watched before and is watched no more, it changes nothing. */
void trace_end(struct engine *e, const struct ctl_command *c, struct ctl_reply *r);
/* A service may have other rows than before, or be gone. */
void trace_follow(struct engine *e);
int trace_page(void *arg, uint64_t watch, size_t max,
	       void (*put)(void *to, const struct view_traced *t), void *to);

/* Once a second: has what explains packets ready where the daemon has nothing else to do. */
void explain_prepare(struct engine *e);

void explain_close(struct engine *e);

#endif
