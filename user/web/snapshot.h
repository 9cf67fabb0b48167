/* SPDX-License-Identifier: BSD-2-Clause */
/* All that the daemon shows, as it was at one moment, and who fetches it. */
#ifndef SHUNT_SNAPSHOT_H
#define SHUNT_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "base/mono.h"
#include "pure/view.h"

struct event_base;
struct fetcher;
struct msg_event;

struct snapshot {
	mono_t taken;
	uint64_t time_ms; /* since 1970, the same moment */
	int64_t took_us; /* to be fetched */
	struct view_status status;
	struct view_interface *interfaces;
	struct view_service *services;
	struct view_backend *backends; /* service by service, as the services are */
	struct view_verdict *verdicts;
	struct view_figure *figures;
	size_t n_interfaces, n_services, n_backends, n_verdicts, n_figures;
	size_t *first; /* [n_services + 1]: the service's first backend, and the next one's */
};

/* The figure of that name, 0 if there is none. */
uint64_t snapshot_figure(const struct snapshot *s, const char *name);
/* The service's number by name, or -1. */
int64_t snapshot_service(const struct snapshot *s, const char *name);

/* ---- fetching it ---------------------------------------------------------------------------------*/

struct fetcher_calls {
	/* What fetcher_want() asked for is here, or cannot be had: -ETIMEDOUT, the daemon does not answer;
	 * -ESTALE, it changes so fast that no snapshot comes through whole; -ENOMEM. */
	void (*done)(void *arg, int err);
	void (*event)(void *arg, const struct msg_event *e); /* happens now */
	/* An answer of @len bytes to a request of somebody else's over the same socket. */
	void (*other)(void *arg, uint32_t seq, const void *answer, size_t len);
	void (*lost)(void *arg); /* the daemon is gone: nothing more comes */
	void *arg;
};

/* Asks over @fd, as io/web.h says, and beats there. */
struct fetcher *fetcher_new(struct event_base *base, int fd, const struct fetcher_calls *calls);
void fetcher_free(struct fetcher *f);
/* The latest one; NULL: there is none yet. It stays until the loop has its turn. */
const struct snapshot *fetcher_latest(const struct fetcher *f);
/* Fetches a new one, unless that is under way. */
void fetcher_want(struct fetcher *f);

#endif
