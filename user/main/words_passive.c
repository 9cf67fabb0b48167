/* SPDX-License-Identifier: BSD-2-Clause */
/* What passive checks have to say of a backend. */
#include "main/words.h"

#include <stdio.h>

#include "main/json.h"
#include "main/units.h"

size_t words_passive(const struct view_backend *b, char *out, size_t size)
{
	const char *rest = b->health == HEALTH_DOWN || !b->passive_out ? "; " : "";
	int n;

	if (b->passive_out && b->passive_back_ms)
		n = snprintf(out, size, "%s; for %s yet%s", b->passive,
			     units_age(b->passive_back_ms).text, rest);
	else
		n = snprintf(out, size, "%s%s", b->passive, b->passive[0] ? rest : "");
	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

void words_json_passive(struct json *j, const struct view_backend *b)
{
	json_text_or_null(j, "passive", b->passive);
	json_bool(j, "passive_out", b->passive_out);
	json_number(j, "passive_age_ms", b->passive_age_ms);
	json_number(j, "passive_back_ms", b->passive_back_ms);
}
