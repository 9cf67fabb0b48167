/* SPDX-License-Identifier: BSD-2-Clause */
/* Two hosts of a fleet, one after the other: the same configuration and the same health make the same
 * fingerprints, whatever the order of the files and the way that led there. */
#include "engine_world.h"

#include "pure/fingerprint.h"

#define ROWS (SERVICES + SERVICES * HOSTS)

/* What a host says: services and their backends, sorted by name. */
struct said {
	struct view_fingerprint rows[ROWS];
	size_t n;
};

static int by_name(const void *a, const void *b)
{
	const struct view_fingerprint *x = a, *y = b;
	int order = strcmp(x->service, y->service);

	return order ? order : strcmp(x->backend, y->backend);
}

static void ask(const struct bench *b, struct said *out)
{
	uint32_t s, i;

	memset(out, 0, sizeof(*out));
	for (s = 0; s < b->engine->n_services; s++)
		for (i = 0; fingerprints_view(b->engine, s, i, &out->rows[out->n]); i++)
			out->rows[out->n++].moving = 0;
	qsort(out->rows, out->n, sizeof(out->rows[0]), by_name);
}

/* ---- a host's own files -------------------------------------------------------------------------*/

static void shuffle(int *list, int n)
{
	for (int i = n - 1; i > 0; i--) {
		int k = rand() % (i + 1), kept = list[i];

		list[i] = list[k];
		list[k] = kept;
	}
}

static void write_shuffled_service(const struct bench *b, FILE *f, int number)
{
	const struct wanted_service *s = &b->services[number];
	int order[HOSTS], i;

	for (i = 0; i < HOSTS; i++)
		order[i] = i;
	shuffle(order, HOSTS);
	fprintf(f, "  - {name: s%d, scheduler: %s, forward: ipip, remove: drain, ", number,
		conf_scheduler_name(s->scheduler));
	write_ports(f, s->ports, number);
	fprintf(f,
		"check: {type: http, via: direct, path: %s/answers, interval: 1s, timeout: 1s, "
		"rise: 1, "
		"fall: 1}, backends: [",
		b->dir);
	for (i = 0; i < HOSTS; i++)
		if (s->backends[order[i]].there)
			fprintf(f, "{address: 10.9.0.%d, name: b%d, weight: %d}, ", 10 + order[i],
				order[i], s->backends[order[i]].weight);
	fprintf(f, "]}\n");
}

static void write_shuffled(const struct bench *b)
{
	FILE *f = fopen(b->config, "w");
	int order[SERVICES], i;

	assert_non_null(f);
	for (i = 0; i < SERVICES; i++)
		order[i] = i;
	shuffle(order, SERVICES);
	write_head(b, f);
	for (i = 0; i < SERVICES; i++)
		if (b->services[order[i]].there)
			write_shuffled_service(b, f, order[i]);
	assert_int_equal(fclose(f), 0);
}

/* ---- what all agree on --------------------------------------------------------------------------*/

#define AGREED 4

/* Service n has the backends of which n + 1 does not divide the number. */
static bool is_agreed(int service, int host)
{
	return service == 0 ? host < 40 : host % (service + 1) != 0;
}

static void want_agreed(struct bench *b)
{
	int i, k;

	for (i = 0; i < SERVICES; i++) {
		b->services[i] = (struct wanted_service){.there = i < AGREED, .checked = true};
		b->services[i].scheduler = (enum shunt_scheduler)(i % 3);
		for (k = 0; i < AGREED && k < HOSTS; k++)
			want_backend(&b->services[i], k, is_agreed(i, k), (uint16_t)(1 + k % 4));
	}
	for (k = 0; k < HOSTS; k++)
		b->answers[k] = k % 11 != 5;
}

/* Others than agreed: backends that are there or not, services too, and illness. */
static void want_anything(struct bench *b)
{
	int i, k;

	for (i = 0; i < SERVICES; i++) {
		struct wanted_service *s = &b->services[i];

		s->there = rand() % 3 > 0 || i == 0;
		s->checked = true;
		for (k = 0; k < HOSTS; k++)
			want_backend(s, k, rand() % 2 || k == 0, (uint16_t)(1 + rand() % 3));
	}
	for (k = 0; k < HOSTS; k++)
		b->answers[k] = rand() % 4 > 0;
}

static void reload_shuffled(struct bench *b)
{
	write_shuffled(b);
	reload_well(b);
	settle(b);
}

/* As shunt drain and shunt enable have it. */
static void drain(struct bench *b, bool drained)
{
	struct service *s = service_find(b->engine, "s0");
	struct backend *k = backend_find(s, "b7");
	struct edit x = {.service = "s0", .backend = "b7", .drained = drained};

	assert_int_equal(edits_put(b->engine->edits, &x), 0);
	edits_to_backend(b->engine, k);
	service_rebuild(b->engine, s);
}

static void live_through(struct bench *b)
{
	int turn;

	want_anything(b);
	write_shuffled(b);
	start(b);
	for (turn = 0; turn < 4; turn++) {
		want_anything(b);
		reload_shuffled(b);
		if (turn != 1)
			continue;
		stop(b);
		start(b);
	}
	for (turn = 0; turn < HOSTS; turn++)
		want_backend(&b->services[0], turn, true, 2);
	memset(b->answers, 1, HOSTS);
	reload_shuffled(b);
	want_agreed(b);
	reload_shuffled(b);
	drain(b, true);
	drain(b, false);
}

static void assert_same(const struct said *a, const struct said *b)
{
	size_t i;

	assert_int_equal(a->n, b->n);
	for (i = 0; i < a->n; i++)
		if (memcmp(&a->rows[i], &b->rows[i], sizeof(a->rows[i])) != 0)
			fail_msg("%s/%s differ", a->rows[i].service, a->rows[i].backend);
}

static bool has_leaving(const struct engine *e)
{
	const struct service *s = service_find(e, "s0");

	return s->backends[s->n_backends - 1]->leaving;
}

static void histories_do_not_count(void **state)
{
	static struct said fresh, lived;
	struct bench *b = *state;

	want_agreed(b);
	write_shuffled(b);
	start(b);
	ask(b, &fresh);
	assert_int_equal(fresh.n, AGREED + 40 + 30 + 40 + 45);
	stop(b);
	shell("rm -rf /sys/fs/bpf/shunt/%s", b->instance);
	live_through(b);
	ask(b, &lived);
	assert_true(has_leaving(b->engine));
	assert_same(&fresh, &lived);
}

/* Which rows differ: bit s for service s as a whole. */
static unsigned int services_that_differ(const struct said *a, const struct said *b)
{
	unsigned int differ = 0;
	size_t i;

	assert_int_equal(a->n, b->n);
	for (i = 0; i < a->n; i++)
		if (!a->rows[i].backend[0] && a->rows[i].whole != b->rows[i].whole)
			differ |= 1u << atoi(a->rows[i].service + 1);
	return differ;
}

static const struct view_fingerprint *row_of(const struct said *s, const char *service,
					     const char *backend)
{
	struct view_fingerprint key = {0};

	snprintf(key.service, sizeof(key.service), "%s", service);
	snprintf(key.backend, sizeof(key.backend), "%s", backend);
	return bsearch(&key, s->rows, s->n, sizeof(s->rows[0]), by_name);
}

static void what_differs_is_found_from_the_whole_to_the_backend(void **state)
{
	static struct said before, after;
	struct bench *b = *state;

	want_agreed(b);
	write_shuffled(b);
	start(b);
	ask(b, &before);
	b->services[1].backends[9].weight = 7;
	reload_shuffled(b);
	ask(b, &after);
	assert_int_equal(services_that_differ(&before, &after), 1 << 1);
	assert_true(row_of(&before, "s1", "")->settings == row_of(&after, "s1", "")->settings);
	assert_true(row_of(&before, "s1", "")->backends != row_of(&after, "s1", "")->backends);
	assert_true(row_of(&before, "s1", "b9")->settings != row_of(&after, "s1", "b9")->settings);
	assert_true(row_of(&before, "s1", "b3")->settings == row_of(&after, "s1", "b3")->settings);
	before = after;

	b->answers[10] = 0; /* of all but service 1 */
	settle(b);
	ask(b, &after);
	assert_int_equal(services_that_differ(&before, &after), 1 << 0 | 1 << 2 | 1 << 3);
	assert_true(row_of(&before, "s0", "")->backends == row_of(&after, "s0", "")->backends);
	assert_true(row_of(&before, "s0", "")->table != row_of(&after, "s0", "")->table);
	assert_int_equal(row_of(&after, "s0", "b10")->slots, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(histories_do_not_count, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_differs_is_found_from_the_whole_to_the_backend,
						set_up, tear_down),
	};

	if (is_probe_child(argc, argv))
		return fake_probe_child();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
