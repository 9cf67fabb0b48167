/* SPDX-License-Identifier: BSD-2-Clause */
#include "web/web.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#include "io/web.h"
#include "web/jail.h"
#include "web/serve.h"

enum { EXIT_ASKED, EXIT_JAIL = 100, EXIT_SETUP };

/* A stop asked of the daemon reaches the whole group or control group; this process ends when the daemon
 * closes the socket. */
static void set_signals(void)
{
	sigset_t none;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* What strangers do is no news for the daemon's log. */
static void on_libevent(int severity, const char *words)
{
	(void)severity, (void)words;
}

int web_main(const char *uid, const char *gid, const char *limit)
{
	struct event_base *base;
	struct server *server;

	prctl(PR_SET_NAME, "shuntd-web", 0, 0, 0);
	set_signals();
	event_set_log_callback(on_libevent);
	tzset(); /* the reply's date wants the zone's file, which is out of reach later */
	base = event_base_new();
	server = base ? server_new(base, WEB_FD, WEB_LISTEN_FD, (uint32_t)strtoul(limit, NULL, 10))
		      : NULL;
	if (!server)
		return EXIT_SETUP;
	if (jail_enter((uid_t)strtoul(uid, NULL, 10), (gid_t)strtoul(gid, NULL, 10)) < 0)
		return EXIT_JAIL;
	event_base_dispatch(base);
	server_free(server);
	event_base_free(base);
	return EXIT_ASKED;
}
