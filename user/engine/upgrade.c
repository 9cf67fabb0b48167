/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/upgrade.h"

#include <errno.h>
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

int upgrade_check(struct engine *e, struct engine_error *err)
{
	struct dp_check_result result;
	struct dp_error first = {""};
	char difference[640];
	int ret = dp_check(e->dp, &result, &first);

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
