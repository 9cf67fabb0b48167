/* SPDX-License-Identifier: BSD-2-Clause */
/* The process that posts one event to a webhook, and ends. */
#ifndef SHUNT_POST_H
#define SHUNT_POST_H

/* Posts the JSON on standard input to @url, an http or https one, within @timeout_ms; follows no
 * redirects and reads no reply beyond its status, of which 2xx is good. Returns the exit status: 0, or what
 * post_words() has words for. */
int post_main(const char *url, long timeout_ms);

const char *post_words(int status);

#endif
