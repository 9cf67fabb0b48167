/* SPDX-License-Identifier: BSD-2-Clause */
/* Made-up rows for the fake daemon: services and backends by the thousand, every field told by its
 * number, and what the tests of the stats socket do with them. */
#ifndef SHUNT_FAKE_ROWS_H
#define SHUNT_FAKE_ROWS_H

#include <fcntl.h>
#include <sys/stat.h>

#include "io/stats_client.h"
#include "io/stats_sock.h"
#include "pure/msg.h"

#include "fake_daemon.h"

#define SERVICES 100
#define BACKENDS_EACH 100
#define NOBODY 65534

static inline void note_row(void)
{
	if (fake->rows_until_change == 0 || --fake->rows_until_change > 0)
		return;
	fake->generation++;
	fake->rows_until_change = fake->rows_between_changes;
}

static inline uint64_t row_generation(void *arg)
{
	(void)arg;
	return fake->generation;
}

static inline void row_status(void *arg, struct view_status *out)
{
	(void)arg;
	snprintf(out->version, sizeof(out->version), "9.9.9");
	out->services = fake->services;
}

static inline bool row_interface(void *arg, uint32_t i, struct view_interface *out)
{
	(void)arg;
	if (i >= 3)
		return false;
	snprintf(out->name, sizeof(out->name), "eth%u", i);
	return true;
}

static inline bool row_service(void *arg, uint32_t i, struct view_service *out)
{
	(void)arg;
	if (i >= fake->services)
		return false;
	snprintf(out->name, sizeof(out->name), "service-%05u", i);
	return true;
}

static inline int64_t row_find(void *arg, const char *name)
{
	unsigned int i;

	(void)arg;
	if (sscanf(name, "service-%5u", &i) != 1 || i >= fake->services)
		return -1;
	return i;
}

/* Every third service has no backends. */
static inline bool row_backend(void *arg, uint32_t service, uint32_t i, struct view_backend *out)
{
	(void)arg;
	if (service >= fake->services || i >= fake->backends_each || service % 3 == 2)
		return false;
	snprintf(out->service, sizeof(out->service), "service-%05u", service);
	snprintf(out->name, sizeof(out->name), "backend-%u-%u", service, i);
	snprintf(out->reason, sizeof(out->reason), "HTTP status 503, wanted 200-399");
	out->addr = (struct addr){.family = 6, .bytes = {0x20, 1, 0xd, 0xb8, [15] = 1}};
	out->port = 80;
	out->weight = out->configured_weight = 1;
	out->health_age_ms = 1234567;
	out->traffic = (struct view_traffic){i + 1, 2, 3, 4, 5, 6};
	note_row();
	return true;
}

static inline bool row_verdict(void *arg, enum shunt_verdict v, struct view_verdict *out)
{
	(void)arg;
	if (v <= SHUNT_FORWARD_LOCAL)
		return false;
	out->verdict = v;
	out->packets = v * 10;
	return true;
}

static inline bool row_fingerprint(void *arg, uint32_t service, uint32_t i,
				   struct view_fingerprint *out)
{
	(void)arg;
	if (service >= fake->services || i > fake->backends_each)
		return false;
	snprintf(out->service, sizeof(out->service), "service-%05u", service);
	if (i)
		snprintf(out->backend, sizeof(out->backend), "backend-%u-%u", service, i - 1);
	out->whole = service * 1000ull + i;
	return true;
}

static inline int64_t row_find_backend(void *arg, uint32_t service, const char *name)
{
	uint32_t of, number;

	(void)arg;
	if (sscanf(name, "backend-%u-%u", &of, &number) != 2 || of != service)
		return -1;
	return number;
}

static inline bool row_history(void *arg, uint32_t service, uint32_t backend, uint32_t i,
			       struct history_event *out)
{
	(void)arg;
	if (i >= HISTORY_MAX)
		return false;
	out->time_ms = service * 1000000ull + backend * 1000ull + i;
	memset(out->reason, 'r', sizeof(out->reason) - 1);
	return true;
}

static inline void no_command(void *arg, const struct ctl_command *c, struct ctl_reply *r)
{
	(void)arg, (void)c, (void)r;
}

static inline int setup(void **state)
{
	(void)state;
	if (fake_setup() < 0)
		return -1;
	fake->source = (struct stats_source){
		.generation = row_generation,
		.status = row_status,
		.interface = row_interface,
		.service = row_service,
		.find_service = row_find,
		.backend = row_backend,
		.verdict = row_verdict,
		.fingerprint = row_fingerprint,
		.find_backend = row_find_backend,
		.history = row_history,
	};
	fake->command = no_command;
	fake->services = SERVICES;
	fake->backends_each = BACKENDS_EACH * 3 / 2 + 1;
	fake->generation = 1;
	return fake_start();
}

static inline int teardown(void **state)
{
	bool ended = fake_end(SIGTERM);

	(void)state;
	fake_teardown();
	return ended ? 0 : -1;
}

static inline struct stats_client *client(void)
{
	struct stats_client *c = NULL;
	struct client_error e = {""};

	if (stats_client_open(fake->run_dir, "test", &c, &e) < 0)
		fail_msg("%s", e.text);
	return c;
}

static inline void check_backends(const struct view_backend *rows, size_t n, uint32_t services)
{
	size_t at = 0;
	uint32_t s, b;
	char name[64];

	for (s = 0; s < services; s++)
		for (b = 0; s % 3 != 2 && b < fake->backends_each; b++, at++) {
			assert_true(at < n);
			snprintf(name, sizeof(name), "backend-%u-%u", s, b);
			assert_string_equal(rows[at].name, name);
			assert_int_equal(rows[at].traffic.packets, b + 1);
			assert_int_equal(rows[at].health_age_ms, 1234567);
		}
	assert_int_equal(at, n);
}

static inline int dump_backends(struct client_error *e)
{
	struct stats_client *c = client();
	struct view_backend *rows = NULL;
	size_t n = 0;
	int err = stats_client_backends(c, NULL, &rows, &n, e);

	if (err == 0)
		check_backends(rows, n, fake->services);
	free(rows);
	stats_client_close(c);
	return err;
}

static inline void write_port_file(const char *instance, const struct msg_port *p, uid_t owner)
{
	char path[128], text[MSG_PORT_TEXT_MAX];
	size_t len = msg_port_format(p, text);
	int fd;

	snprintf(path, sizeof(path), "%s/%s.stats", fake->run_dir, instance);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	assert_int_equal(fchown(fd, owner, owner), 0);
	close(fd);
}

static inline void remove_port_file(const char *instance)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s.stats", fake->run_dir, instance);
	unlink(path);
}

#endif
