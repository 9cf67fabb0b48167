/* SPDX-License-Identifier: BSD-2-Clause */
/* The JSON behind the page, as the command prints it with --json; docs/metrics.md has the paths. */
#include "main/json.h"
#include "main/words.h"
#include "web/serve.h"

#define ROWS 100 /* in a reply, unless asked for otherwise */
#define ROWS_MAX 500
#define OFFSET_MAX 1000000000

/* Which rows of a list are asked for: [from, to). */
struct rows {
	size_t from, to;
};

static bool read_rows(struct reply *r, size_t begin, size_t end, struct rows *out)
{
	const int64_t offset = reply_number(r, "offset", 0, OFFSET_MAX);
	const int64_t limit = reply_number(r, "limit", ROWS, ROWS_MAX);

	if (offset < 0 || limit < 0) {
		r->status = 400;
		fprintf(r->out,
			"{\"error\": \"offset and limit are numbers; limit is at most %d\"}\n",
			ROWS_MAX);
		return false;
	}
	out->from = begin + (size_t)offset < end ? begin + (size_t)offset : end;
	out->to = out->from + (size_t)limit < end ? out->from + (size_t)limit : end;
	return true;
}

void api_status(struct reply *r)
{
	const struct snapshot *s = r->snapshot;

	words_json_status(r->out, &(struct words_picture){
					  .status = &s->status,
					  .interfaces = s->interfaces,
					  .services = s->services,
					  .verdicts = s->verdicts,
					  .n_interfaces = s->n_interfaces,
					  .n_services = s->n_services,
					  .n_verdicts = s->n_verdicts,
				  });
}

void api_services(struct reply *r)
{
	const struct snapshot *s = r->snapshot;
	struct rows rows;
	struct json j;

	if (!read_rows(r, 0, s->n_services, &rows))
		return;
	json_open(&j, r->out, false);
	json_number(&j, "total", s->n_services);
	json_list(&j, "services");
	for (size_t i = rows.from; i < rows.to; i++)
		words_json_service(&j, &s->services[i]);
	json_list_end(&j);
	json_close(&j);
}

/* Those of one service, or of all; false: there is no such service. */
static bool find_backends(struct reply *r, size_t *begin, size_t *end)
{
	const char *service = reply_parameter(r, "service");
	const int64_t i = service[0] ? snapshot_service(r->snapshot, service) : 0;

	*begin = 0;
	*end = r->snapshot->n_backends;
	if (!service[0])
		return true;
	if (i < 0) {
		r->status = 404;
		fputs("{\"error\": \"there is no service of that name\"}\n", r->out);
		return false;
	}
	*begin = r->snapshot->first[i];
	*end = r->snapshot->first[i + 1];
	return true;
}

void api_backends(struct reply *r)
{
	size_t begin, end;
	struct rows rows;
	struct json j;

	if (!find_backends(r, &begin, &end) || !read_rows(r, begin, end, &rows))
		return;
	json_open(&j, r->out, false);
	json_number(&j, "total", end - begin);
	json_list(&j, "backends");
	for (size_t i = rows.from; i < rows.to; i++)
		words_json_backend(&j, &r->snapshot->backends[i]);
	json_list_end(&j);
	json_close(&j);
}

void api_verdicts(struct reply *r)
{
	struct json j;

	json_open(&j, r->out, false);
	json_list(&j, "verdicts");
	for (size_t i = 0; i < r->snapshot->n_verdicts; i++)
		words_json_verdict(&j, &r->snapshot->verdicts[i]);
	json_list_end(&j);
	json_close(&j);
}
