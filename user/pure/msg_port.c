/* SPDX-License-Identifier: BSD-2-Clause */
/* The file that tells where the daemon is, and the names of its files. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pure/msg.h"

size_t msg_port_format(const struct msg_port *p, char out[static MSG_PORT_TEXT_MAX])
{
	return (size_t)snprintf(out, MSG_PORT_TEXT_MAX,
				"port=%" PRIu32 "\npid=%" PRIu32 "\nnetns=%" PRIu64
				"\nversion=%" PRIu32 "\nrelease=%s\n",
				p->port, p->pid, p->netns, p->version, p->release);
}

/* Digits up to @end into @out; false when there is anything else, or more than @max. */
static bool number_parse(const char *text, const char *end, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;

	if (text == end)
		return false;
	for (; text < end; text++) {
		unsigned int digit = (unsigned char)*text - '0';

		if (digit > 9 || value > (max - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*out = value;
	return true;
}

enum { KEY_PORT, KEY_PID, KEY_NETNS, KEY_VERSION, KEY_MAX };

static int line_parse(const char *line, const char *end, uint64_t values[static KEY_MAX])
{
	static const struct {
		const char *name;
		uint64_t max;
	} keys[KEY_MAX] = {
		[KEY_PORT] = {"port=", UINT32_MAX},
		[KEY_PID] = {"pid=", UINT32_MAX},
		[KEY_NETNS] = {"netns=", UINT64_MAX},
		[KEY_VERSION] = {"version=", UINT32_MAX},
	};
	size_t len, i;

	for (i = 0; i < KEY_MAX; i++) {
		len = strlen(keys[i].name);
		if ((size_t)(end - line) < len || memcmp(line, keys[i].name, len) != 0)
			continue;
		return number_parse(line + len, end, keys[i].max, &values[i]) ? 0 : -EBADMSG;
	}
	return 0;
}

/* What stands behind "release=" in the line, where it has room in @out; else @out stays. */
static void release_parse(const char *line, const char *end, char out[static 32])
{
	static const char key[] = "release=";
	const char *text = line + strlen(key);

	if ((size_t)(end - line) < strlen(key) || memcmp(line, key, strlen(key)) != 0 ||
	    end - text >= 32 || memchr(text, '\0', (size_t)(end - text)))
		return;
	memset(out, 0, 32);
	memcpy(out, text, (size_t)(end - text));
}

int msg_port_parse(const char *text, size_t len, struct msg_port *out)
{
	const char *end = text + len, *newline;
	char release[32] = "";
	uint64_t values[KEY_MAX] = {0};

	while (text < end) {
		newline = memchr(text, '\n', (size_t)(end - text));
		if (!newline) /* cut off */
			return -EBADMSG;
		if (line_parse(text, newline, values) < 0)
			return -EBADMSG;
		release_parse(text, newline, release);
		text = newline + 1;
	}
	if (!values[KEY_PORT] || !values[KEY_PID] || !values[KEY_VERSION])
		return -EBADMSG;
	*out = (struct msg_port){
		.port = (uint32_t)values[KEY_PORT],
		.pid = (uint32_t)values[KEY_PID],
		.version = (uint32_t)values[KEY_VERSION],
		.netns = values[KEY_NETNS],
	};
	memcpy(out->release, release, sizeof(release));
	return 0;
}

int msg_path(const char *run_dir, const char *instance, const char *suffix,
	     char out[static MSG_PATH_MAX])
{
	char path[MSG_PATH_MAX];
	int len;

	if (!instance[0] || instance[0] == '.' || strchr(instance, '/'))
		return -EINVAL;
	len = snprintf(path, sizeof(path), "%s/%s%s", run_dir, instance, suffix);
	if (len < 0 || (size_t)len >= sizeof(path))
		return -ENAMETOOLONG;
	memcpy(out, path, (size_t)len + 1);
	return 0;
}
