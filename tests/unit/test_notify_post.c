/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said of webhooks that do not take what is posted to them. */
#include "io/notify_post.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
/* cmocka wants the headers above first */
#include <cmocka.h>

#include "base/mono.h"

struct said {
	char words[8][512];
	size_t n;
};

static void complain(void *arg, const char *words)
{
	struct said *s = arg;

	if (s->n < 8)
		snprintf(s->words[s->n], sizeof(s->words[0]), "%s", words);
	s->n++;
}

static size_t times_said(const struct said *s, const char *words)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n && i < 8; i++)
		n += strstr(s->words[i], words) != NULL;
	return n;
}

/* Nobody listens at these ports: each event is tried three times, in three seconds. */
static void each_hook_is_complained_of_by_itself(void **state)
{
	static const char *const urls[] = {"http://127.0.0.1:1/", "http://127.0.0.1:2/", NULL};
	struct event_base *base = event_base_new();
	const mono_t start = mono_now();
	struct said said = {0};
	struct notify_post *p;

	(void)state;
	assert_int_equal(notify_post_open(
				 &(struct notify_post_setup){
					 .base = base,
					 .urls = urls,
					 .user = "nobody",
					 .timeout_ms = 1000,
					 .a_minute = 60,
					 .complain = complain,
					 .arg = &said,
				 },
				 &p),
			 0);
	notify_post_send(p, "{}");
	notify_post_send(p, "{}");
	while (said.n < 2 && mono_diff_us(start, mono_now()) < 60000000) {
		const struct timeval while_ms = {0, 100000};

		event_base_loopexit(base, &while_ms);
		event_base_dispatch(base);
	}
	assert_int_equal(times_said(&said, "webhook 127.0.0.1:1: "), 1);
	assert_int_equal(times_said(&said, "webhook 127.0.0.1:2: "), 1);
	assert_non_null(strstr(said.words[0], ", tried 3 times; events given up: 1"));
	notify_post_close(p);
	event_base_free(base);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_hook_is_complained_of_by_itself),
	};

	if (argc == 2 && strcmp(argv[1], "--post") == 0)
		return notify_post_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
