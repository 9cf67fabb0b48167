/* SPDX-License-Identifier: BSD-2-Clause */
/* The process that serves metrics, health and the page: shuntd --web.
 *
 * web.c       the process: jail, loop, end
 * jail.c      what it cannot do any more
 * snapshot.c  asks the daemon
 * guard.c     bounds connections: how many, how slow
 * serve.c     from a request to its reply; reply.c, page.c: how it goes out
 * metrics*.c, health.c, api.c  the replies
 * stream.c    events as they happen
 * page/       what browsers get, in the executable as it is */
#ifndef SHUNT_WEB_MAIN_H
#define SHUNT_WEB_MAIN_H

/* The process's main, with the arguments that io/web.h says: the user and group it becomes, unless it is who it is already,
 * and how many services and backends have metrics of their own. Returns the exit status. */
int web_main(const char *uid, const char *gid, const char *limit);

#endif
