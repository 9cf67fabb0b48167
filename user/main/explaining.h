/* SPDX-License-Identifier: BSD-2-Clause */
/* Asking the daemon about a packet, and the answer as it comes. */
#ifndef SHUNT_EXPLAINING_H
#define SHUNT_EXPLAINING_H

#include "io/stats_client.h"
#include "main/cli.h"
#include "main/json.h"
#include "pure/explain_view.h"

struct explained {
	struct view_explain packet; /* verdict SHUNT_GO_ON: it is not about a packet */
	struct explain_step steps[EXPLAIN_STEPS_MAX];
	size_t n_steps;
	struct view_frame comes, leaves; /* of length 0: none */
};

/* 0, or -errno with @e. */
int explaining_ask(struct stats_client *c, const struct explain_ask *ask, struct explained *out,
		   struct client_error *e);

/* The steps, a line each, folded to the terminal; with @bytes the frames too. */
void explaining_print(const struct cli *cli, const struct explained *x, bool bytes);
/* The same as members of the object that is open. */
void explaining_json(struct json *j, const struct explained *x, bool bytes);

/* shunt explain --pcap FILE: @ask says the rest. */
enum cli_exit explaining_file(struct cli *cli, const char *file, struct explain_ask *ask);

#endif
