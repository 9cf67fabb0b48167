/* SPDX-License-Identifier: BSD-2-Clause */
/* From the configuration of checks to the questions that probes ask. */
#ifndef SHUNT_ENGINE_QUESTIONS_H
#define SHUNT_ENGINE_QUESTIONS_H

#include "engine/state.h"

/* A client's destination; of a prefix an address that is not the network's. */
struct addr question_asked(const struct conf_service *s);

/* The question that @check asks of @b of @s, NULL: of the address that it has itself. All bytes are set; kind
 * is CONF_CHECK_NONE when it asks nothing. Where a probe on a client's way comes from is said by family
 * alone: who starts it knows the address. */
void question_of(const struct conf_check *check, const struct conf_service *s,
		 const struct conf_backend *b, struct probe_question *q);

/* Whether all checks of a backend, as configured twice, ask the same. */
bool questions_are_same(const struct conf_service *s, const struct conf_backend *b,
			const struct conf_service *s2, const struct conf_backend *b2);

#endif
