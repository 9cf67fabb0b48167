/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes that find a service's flows by another hash, so that no table can say where they are: to and
 * from sh, of affinity and of source_prefix. What is remembered of every flow by the same words stays. */
#ifndef SHUNT_REHASH_H
#define SHUNT_REHASH_H

#include "engine/state.h"

struct rehash {
	struct engine_error *text; /* gets lines */
	size_t lines;
	bool ahead; /* it is only planned: nothing for the log */
};

/* Says, if that is so, that flows of @s will move when it has @flags and @conf, and how many; to the log,
 * too. Before it has. */
void rehash_tell(struct engine *e, const struct conf_service *conf, const struct service *s,
		 uint16_t flags, struct rehash *r);

#endif
