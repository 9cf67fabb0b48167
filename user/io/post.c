/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/post.h"

#include <curl/curl.h>
#include <unistd.h>

#define INPUT_MAX 65536

/* The reply is nothing to us: ten bytes or ten gigabytes end alike. */
static size_t refuse(char *data, size_t size, size_t n, void *arg)
{
	long *seen = arg;

	(void)data;
	*seen += (long)(size * n);
	return *seen > INPUT_MAX ? 0 : size * n;
}

static size_t read_input(char *out, size_t size)
{
	size_t used = 0;
	ssize_t n;

	while (used < size && (n = read(STDIN_FILENO, out + used, size - used)) > 0)
		used += (size_t)n;
	return used;
}

int post_main(const char *url, long timeout_ms)
{
	static char body[INPUT_MAX];
	const size_t len = read_input(body, sizeof(body));
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	CURL *c = curl_easy_init();
	CURLcode code;
	long seen = 0;

	if (!c || !headers)
		return CURLE_OUT_OF_MEMORY;
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)len);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, timeout_ms);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, refuse);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &seen);
	code = curl_easy_perform(c);
	curl_easy_cleanup(c);
	curl_slist_free_all(headers);
	return code < 126 ? (int)code : 1;
}

const char *post_words(int status)
{
	if (status == CURLE_HTTP_RETURNED_ERROR)
		return "the webhook answered with an HTTP error";
	return status < 126 ? curl_easy_strerror((CURLcode)status) : "it could not be run";
}
