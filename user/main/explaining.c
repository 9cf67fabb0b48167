/* SPDX-License-Identifier: BSD-2-Clause */
#include "main/explaining.h"

#include <errno.h>
#include <string.h>

#include "main/table.h"
#include "pure/msg.h"
#include "pure/verdict.h"

#define INDENT 13

/* ---- asking -----------------------------------------------------------------------------------*/

static int take(void *arg, const struct nlmsghdr *m)
{
	struct explained *x = arg;
	struct view_frame frame;

	switch (msg_command(m)) {
	case SHUNT_MSG_EXPLAIN:
		return msg_get_explain(m, &x->packet);
	case SHUNT_MSG_STEP:
		if (x->n_steps == EXPLAIN_STEPS_MAX)
			return 0;
		return msg_get_step(m, &x->steps[x->n_steps++]);
	case SHUNT_MSG_FRAME:
		if (msg_get_frame(m, &frame))
			return -EBADMSG;
		*(frame.leaves ? &x->leaves : &x->comes) = frame;
		return 0;
	default:
		return 0; /* of a newer daemon */
	}
}

int explaining_ask(struct stats_client *c, const struct explain_ask *ask, struct explained *out,
		   struct client_error *e)
{
	uint64_t cursor = 0;
	const struct stats_taker taker = {take, out, &cursor};

	memset(out, 0, sizeof(*out));
	return stats_client_page(c, SHUNT_MSG_GET_EXPLAIN, ask, &taker, e);
}

/* ---- for people -------------------------------------------------------------------------------*/

static const char *colour_of(const struct explained *x, const char *what)
{
	enum shunt_verdict_class class = verdict_class(x->packet.verdict);

	if (strcmp(what, "do") == 0)
		return "\033[1m";
	if (strcmp(what, "verdict") != 0)
		return "";
	return class == SHUNT_CLASS_DROP   ? "\033[31m"
	       : class == SHUNT_CLASS_PASS ? "\033[33m"
					   : "\033[32m";
}

static void print_step(const struct cli *cli, const struct explained *x,
		       const struct explain_step *s, const char *former)
{
	char text[EXPLAIN_TEXT_MAX], *line = text, *end;
	const char *colour = cli->colour ? colour_of(x, s->what) : "";

	memcpy(text, s->text, sizeof(text));
	if (cli->width > INDENT + 20)
		table_fold(text, cli->width - INDENT);
	fprintf(cli->out, "%-*s", INDENT, strcmp(s->what, former) == 0 ? "" : s->what);
	for (; line; line = end ? end + 1 : NULL) {
		end = strchr(line, '\n');
		if (end)
			*end = '\0';
		if (line != text)
			fprintf(cli->out, "%*s", INDENT, "");
		fprintf(cli->out, "%s%s%s\n", colour, line, *colour ? "\033[0m" : "");
	}
}

/* Sixteen bytes a line, each with its offset. */
static void print_bytes(const struct cli *cli, const char *what, const struct msg_bytes *b)
{
	uint32_t i;

	if (!b->len)
		return;
	fprintf(cli->out, "\n%s, %u bytes:", what, b->len);
	for (i = 0; i < b->len; i++) {
		if (i % 16 == 0)
			fprintf(cli->out, "\n  %04x ", i);
		fprintf(cli->out, " %02x", b->at[i]);
	}
	fputc('\n', cli->out);
}

void explaining_print(const struct cli *cli, const struct explained *x, bool bytes)
{
	size_t i;

	for (i = 0; i < x->n_steps; i++)
		print_step(cli, x, &x->steps[i], i ? x->steps[i - 1].what : "");
	if (!bytes)
		return;
	print_bytes(cli, "as it comes", &x->comes.bytes);
	print_bytes(cli, "as it leaves", &x->leaves.bytes);
}

/* ---- for programs -----------------------------------------------------------------------------*/

static void json_hex(struct json *j, const char *name, const struct msg_bytes *b)
{
	char text[2 * SHUNT_MSG_BYTES_MAX + 1] = "";
	uint32_t i;

	for (i = 0; i < b->len; i++)
		snprintf(text + 2 * i, 3, "%02x", b->at[i]);
	json_text_or_null(j, name, text);
}

static void json_packet(struct json *j, const struct view_explain *p)
{
	static const char *const actions[] = {"aborted", "drop", "pass", "tx", "redirect"};
	const char *advice = verdict_advice(p->verdict);

	json_text(j, "verdict", verdict_name(p->verdict));
	json_text(j, "class", verdict_class_name(verdict_class(p->verdict)));
	json_text(j, "meaning", verdict_words(p->verdict));
	json_text_or_null(j, "advice", advice ? advice : "");
	json_text(j, "action", p->action < 5 ? actions[p->action] : "unknown");
	json_text_or_null(j, "service", p->service);
	json_text_or_null(j, "backend", p->backend);
	json_text_or_null(j, "forward", p->backend[0] ? conf_forward_name(p->forward) : "");
	json_text(j, "why", explain_why_name(p->why));
	json_text_or_null(j, "interface", p->interface);
	json_text_or_null(j, "egress", p->egress);
	json_number(j, "slot", p->slot);
	json_number(j, "slots", p->slots);
	json_bool(j, "in_transition", p->moves);
	json_text_or_null(j, "cur", p->cur);
	json_text_or_null(j, "base", p->base);
	json_text_or_null(j, "remembered_with", p->entry);
	json_bool(j, "remembers", p->remembers);
	json_bool(j, "no_room", p->no_room);
	json_bool(j, "opens", p->opens);
}

void explaining_json(struct json *j, const struct explained *x, bool bytes)
{
	size_t i;

	if (x->packet.verdict)
		json_packet(j, &x->packet);
	json_list(j, "steps");
	for (i = 0; i < x->n_steps; i++) {
		json_object(j, NULL);
		json_text(j, "what", x->steps[i].what);
		json_text(j, "text", x->steps[i].text);
		json_object_end(j);
	}
	json_list_end(j);
	if (!bytes)
		return;
	json_hex(j, "frame", &x->comes.bytes);
	json_hex(j, "leaves", &x->leaves.bytes);
}
