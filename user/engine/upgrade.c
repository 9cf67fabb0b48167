/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/upgrade.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>

#include "base/log.h"

#define INSIST "shuntd --accept-changes insists"

static void say_difference(const struct dp_check_result *r, const struct dp_error *first,
			   char *text, size_t size)
{
	snprintf(text, size,
		 "%s (%u of %u made-up packets are treated differently; a changed "
		 "hash_secret does that too)",
		 first->text, r->differ, r->packets);
}

/* Without the running one's tables there is no way to go on but by the program that came with them. */
static int refuse(struct engine *e, const char *difference, struct engine_error *err)
{
	if (dp_stay(e->dp)) {
		snprintf(err->text, sizeof(err->text),
			 "the packet path of this version is not put in force, as it would not do "
			 "what the running one does: %s; forwarding goes on as before; " INSIST,
			 difference);
		return -ESTALE;
	}
	snprintf(e->upgrade.refused, sizeof(e->upgrade.refused), "%s", difference);
	log_error(
		"the running packet path stays in force, as that of this version would not do the "
		"same: %s; " INSIST,
		difference);
	return 0;
}

static struct trial_count count(const struct engine *e)
{
	uint64_t verdicts[SHUNT_VERDICT_MAX];
	struct trial_count all = {0};
	struct dp_counter c;
	uint32_t i;

	dp_verdicts_read(e->dp, verdicts);
	for (i = 0; i < SHUNT_VERDICT_MAX; i++) {
		all.packets += verdicts[i];
		all.errors += trial_is_error(i) ? verdicts[i] : 0;
	}
	for (i = 0; i < dp_sizes(e->dp)->rows; i++) {
		dp_counter_read(e->dp, i, &c);
		all.packets += c.packets;
	}
	return all;
}

int upgrade_check(struct engine *e, struct engine_error *err)
{
	struct dp_check_result result;
	struct dp_error first = {""};
	char difference[640];
	int ret = dp_check(e->dp, &result, &first);

	e->upgrade.before = count(e);
	if (ret == 0) {
		if (result.packets)
			log_info("the packet path does what the running one does, as far as %u "
				 "packets for %u of %u services tell",
				 result.packets, result.asked, result.services);
		return 0;
	}
	if (ret != -ESTALE) {
		log_warning("the packet path could not be compared with the running one: %s",
			    first.text);
		return 0;
	}
	say_difference(&result, &first, difference, sizeof(difference));
	if (!e->accepts_changes)
		return refuse(e, difference, err);
	log_warning(
		"the packet path of this version does not do what the running one does, and is put "
		"in force as --accept-changes says: %s",
		difference);
	return 0;
}

/* ---- afterwards ---------------------------------------------------------------------------------*/

#define LOOK_US 500000

static void put_back(struct engine *e, const struct trial_count *since)
{
	struct dp_error why = {""};
	int ret = dp_put_back(e->dp, &why);

	if (ret) {
		log_error("the packet path of this version drops packets that the former one "
			  "forwarded (%llu of %llu), and cannot be taken back: %s",
			  (unsigned long long)since->errors, (unsigned long long)since->packets,
			  why.text);
		return;
	}
	snprintf(e->upgrade.refused, sizeof(e->upgrade.refused),
		 "of %llu packets %llu ended with an error of the tables, headroom or egress",
		 (unsigned long long)since->packets, (unsigned long long)since->errors);
	engine_tell(e, SHUNT_EVENT_OTHER, NULL, NULL,
		    "the former packet path is back in force: with that of this version, %s; the "
		    "daemon goes on with it until it is restarted",
		    e->upgrade.refused);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval soon = {.tv_usec = LOOK_US};
	struct engine *e = arg;
	struct trial_count since = count(e);

	(void)fd;
	(void)what;
	if (!dp_has_former(e->dp))
		return; /* the tables have grown */
	since.packets -= e->upgrade.swapped.packets;
	since.errors -= e->upgrade.swapped.errors;
	if (trial_failed(&e->upgrade.before, &since)) {
		put_back(e, &since);
	} else if (mono_diff_us(e->upgrade.until, mono_now()) >= 0) {
		dp_drop_former(e->dp);
		log_info("the packet path of this daemon is kept");
	} else {
		event_add(e->upgrade.watch, &soon);
	}
}

void upgrade_watch(struct engine *e)
{
	const struct timeval soon = {.tv_usec = LOOK_US};

	if (!e->conf->rollback_window_ms)
		dp_drop_former(e->dp);
	if (!dp_has_former(e->dp))
		return;
	e->upgrade.watch = evtimer_new(e->base, on_look, e);
	if (!e->upgrade.watch)
		return;
	e->upgrade.swapped = count(e);
	e->upgrade.until = mono_add_us(mono_now(), (int64_t)e->conf->rollback_window_ms * 1000);
	event_add(e->upgrade.watch, &soon);
}

void upgrade_close(struct engine *e)
{
	if (e->upgrade.watch)
		event_free(e->upgrade.watch);
}
