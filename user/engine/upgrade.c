/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/upgrade.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>

#include "base/log.h"
#include "engine/engine.h"

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
	dp_drop_former(e->dp);
	e->upgrade.state = SHUNT_UPGRADE_REFUSED;
	snprintf(e->upgrade.why, sizeof(e->upgrade.why), "%s", difference);
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

/* What a daemon has to know that goes on after this one. */
static struct dp_trial trial_of(const struct engine *e)
{
	return (struct dp_trial){
		.until_us = e->upgrade.until.us,
		.before_packets = e->upgrade.before.packets,
		.before_errors = e->upgrade.before.errors,
		.swapped_packets = e->upgrade.swapped.packets,
		.swapped_errors = e->upgrade.swapped.errors,
	};
}

static void begin_trial(struct engine *e)
{
	struct dp_trial trial;

	if (!e->conf->rollback_window_ms)
		return;
	e->upgrade.before = e->upgrade.swapped = count(e);
	e->upgrade.until = mono_add_us(mono_now(), (int64_t)e->conf->rollback_window_ms * 1000);
	trial = trial_of(e);
	dp_trial_begin(e->dp, &trial);
}

int upgrade_check(struct engine *e, struct engine_error *err)
{
	struct dp_check_result *result = &e->upgrade.compared;
	struct dp_error first = {""};
	char difference[640];
	int ret = dp_check(e->dp, result, &first);

	begin_trial(e);
	if (ret == 0) {
		if (result->packets)
			log_info("the packet path does what the running one does, as far as %u "
				 "packets for %u of %u services tell",
				 result->packets, result->asked, result->services);
		return 0;
	}
	if (ret != -ESTALE) {
		log_warning("the packet path could not be compared with the running one: %s",
			    first.text);
		return 0;
	}
	say_difference(result, &first, difference, sizeof(difference));
	if (!e->start->accepts_changes)
		return refuse(e, difference, err);
	log_warning(
		"the packet path of this version does not do what the running one does, and is put "
		"in force as --accept-changes says: %s",
		difference);
	return 0;
}

/* ---- afterwards ---------------------------------------------------------------------------------*/

#define LOOK_US 500000

static void fall_back(struct engine *e, const struct trial_count *since)
{
	struct dp_error why = {""};
	int ret = dp_put_back(e->dp, &why);

	if (ret) {
		e->upgrade.state = SHUNT_UPGRADE_ONE_WAY;
		snprintf(e->upgrade.why, sizeof(e->upgrade.why), "%s", why.text);
		log_error("the packet path of this version drops packets that the former one "
			  "forwarded (%llu of %llu), and cannot be taken back: %s",
			  (unsigned long long)since->errors, (unsigned long long)since->packets,
			  why.text);
		return;
	}
	e->upgrade.state = SHUNT_UPGRADE_FELL_BACK;
	snprintf(e->upgrade.why, sizeof(e->upgrade.why),
		 "of %llu packets %llu ended with an error of the tables, headroom or egress",
		 (unsigned long long)since->packets, (unsigned long long)since->errors);
	engine_tell(e, SHUNT_EVENT_OTHER, NULL, NULL,
		    "the former packet path is back in force: with that of this version, %s; the "
		    "daemon goes on with it until it is restarted",
		    e->upgrade.why);
}

static struct trial_count since_swap(const struct engine *e)
{
	struct trial_count now = count(e);

	return (struct trial_count){
		.packets = now.packets - e->upgrade.swapped.packets,
		.errors = now.errors - e->upgrade.swapped.errors,
	};
}

/* The former program is gone, and why that is so. */
static void note_one_way(struct engine *e)
{
	e->upgrade.state = SHUNT_UPGRADE_ONE_WAY;
	snprintf(e->upgrade.why, sizeof(e->upgrade.why),
		 "the tables have been made anew, larger or in another layout, which the former "
		 "program does not know; where a way back matters, upgrade first, and let "
		 "the configuration grow when rollback_window has passed");
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval soon = {.tv_usec = LOOK_US};
	struct engine *e = arg;
	struct trial_count since = since_swap(e);

	(void)fd;
	(void)what;
	if (e->upgrade.state != SHUNT_UPGRADE_WATCHED)
		return;
	if (!dp_has_former(e->dp)) {
		note_one_way(e);
		log_info("the former packet path cannot be put back any more: %s", e->upgrade.why);
	} else if (trial_failed(&e->upgrade.before, &since)) {
		fall_back(e, &since);
	} else if (mono_diff_us(e->upgrade.until, mono_now()) >= 0) {
		dp_drop_former(e->dp);
		e->upgrade.state = SHUNT_UPGRADE_KEPT;
		log_info("the packet path of this daemon is kept");
	} else {
		event_add(e->upgrade.watch, &soon);
	}
}

static void resume_or_begin(struct engine *e)
{
	struct dp_trial trial;

	if (dp_trial_resumed(e->dp, &trial)) {
		e->upgrade.until = (mono_t){trial.until_us};
		e->upgrade.before = (struct trial_count){trial.before_packets, trial.before_errors};
		e->upgrade.swapped =
			(struct trial_count){trial.swapped_packets, trial.swapped_errors};
		log_info("the packet path goes on being watched for %lld s",
			 (long long)mono_diff_us(mono_now(), e->upgrade.until) / 1000000);
		return;
	}
	e->upgrade.swapped = count(e);
	e->upgrade.until = mono_add_us(mono_now(), (int64_t)e->conf->rollback_window_ms * 1000);
	trial = trial_of(e);
	dp_trial_note(e->dp, &trial);
}

void upgrade_watch(struct engine *e)
{
	const struct timeval soon = {.tv_usec = LOOK_US};

	if (!e->conf->rollback_window_ms)
		dp_drop_former(e->dp);
	else if (dp_is_one_way(e->dp)) {
		note_one_way(e);
		log_info("the former packet path cannot be put back: %s", e->upgrade.why);
	}
	if (!dp_has_former(e->dp))
		return;
	e->upgrade.watch = evtimer_new(e->base, on_look, e);
	if (!e->upgrade.watch)
		return;
	e->upgrade.state = SHUNT_UPGRADE_WATCHED;
	resume_or_begin(e);
	event_add(e->upgrade.watch, &soon);
}

static const char *why_not(const struct engine *e)
{
	switch (e->upgrade.state) {
	case SHUNT_UPGRADE_KEPT:
		return "rollback_window is over, and the former program is gone";
	case SHUNT_UPGRADE_REFUSED:
	case SHUNT_UPGRADE_FELL_BACK:
	case SHUNT_UPGRADE_ROLLED_BACK:
		return "the former program is in force already";
	case SHUNT_UPGRADE_ONE_WAY:
		return e->upgrade.why;
	default:
		return "nothing was in force before that was kept";
	}
}

int upgrade_roll_back(struct engine *e, uint32_t uid, char *text, size_t size)
{
	struct dp_error why = {""};
	int ret;

	if (e->upgrade.state != SHUNT_UPGRADE_WATCHED || !dp_has_former(e->dp)) {
		snprintf(text, size, "there is no former packet path to put back: %s", why_not(e));
		return -ENOENT;
	}
	ret = dp_put_back(e->dp, &why);
	if (ret) {
		snprintf(text, size, "%s", why.text);
		return ret;
	}
	e->upgrade.state = SHUNT_UPGRADE_ROLLED_BACK;
	snprintf(e->upgrade.why, sizeof(e->upgrade.why), "uid %u wanted it", uid);
	snprintf(text, size,
		 "the former packet path is back in force; the daemon works with it until it is "
		 "restarted");
	engine_tell(e, SHUNT_EVENT_OTHER, NULL, NULL, "uid %u: %s", uid, text);
	return 0;
}

void upgrade_view(const struct engine *e, struct view_upgrade *out)
{
	int64_t left_us = mono_diff_us(mono_now(), e->upgrade.until);
	struct trial_count since = {0};

	if (e->upgrade.state == SHUNT_UPGRADE_WATCHED) {
		since = since_swap(e);
		out->left_ms = left_us > 0 ? (uint64_t)left_us / 1000 : 0;
	}
	out->state = e->upgrade.state;
	out->program = dp_program_age_ms(e->dp, &out->program_age_ms);
	out->asked = e->upgrade.compared.asked;
	out->compared = e->upgrade.compared.packets;
	out->packets = since.packets;
	out->errors = since.errors;
	snprintf(out->why, sizeof(out->why), "%s", e->upgrade.why);
	snprintf(out->from, sizeof(out->from), "%s", e->start->from ? e->start->from : "");
	snprintf(out->failed, sizeof(out->failed), "%s", e->start->failed ? e->start->failed : "");
}

void upgrade_close(struct engine *e)
{
	if (e->upgrade.watch)
		event_free(e->upgrade.watch);
}
