/* SPDX-License-Identifier: BSD-2-Clause */
/* model [short|long|mutants]: searches these worlds, says how many states each has; exit status 1 and the
 * shortest way to it when a promise does not hold, or when one holds that should not. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

static int search(const struct model_world *w, bool must_break)
{
	struct model_result r;
	bool good;

	if (model_search(w, &r)) {
		printf("FAIL %s: no memory\n", w->says);
		return 1;
	}
	good = must_break ? r.broken != NULL : r.complete;
	printf("%s %s: %llu states, %llu steps: ", good ? "ok  " : "FAIL", w->says,
	       (unsigned long long)r.states, (unsigned long long)r.steps);
	if (r.broken)
		printf("%s, in %zu steps\n", r.broken, r.trace_len);
	else
		puts(r.complete ? "all that there are, and none breaks a promise" : "not all");
	if (r.broken && (!must_break || getenv("TRACE")))
		model_print_trace(stdout, w, &r);
	fflush(stdout);
	free(r.trace);
	return !good;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "short";
	int failed = 0;

	if (strcmp(what, "long") == 0)
		for (size_t i = 0; i < model_longs; i++)
			failed |= search(&model_long[i], false);
	else if (strcmp(what, "mutants") == 0)
		for (size_t i = 0; i < model_mutant_count; i++)
			failed |= search(&model_mutants[i], true);
	else
		for (size_t i = 0; i < model_shorts; i++)
			failed |= search(&model_short[i], false);
	return failed;
}
