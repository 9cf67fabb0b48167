/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/check.h"

#include <stdio.h>
#include <string.h>

enum check_verdict check_verdict(const struct check_result *r)
{
	switch (r->code) {
	case CHECK_OK:
		return CHECK_GOOD;
	case CHECK_NO_RESOURCES:
	case CHECK_CANNOT_ASK:
		return CHECK_NO_VERDICT;
	default:
		return CHECK_BAD;
	}
}

static const char *ending(enum check_code code)
{
	switch (code) {
	case CHECK_OK:
		return "OK";
	case CHECK_TIMEOUT:
		return "TOUT";
	case CHECK_REFUSED:
	case CHECK_UNREACHABLE:
	case CHECK_CONNECT_FAILED:
		return "CON";
	case CHECK_BAD_STATUS:
	case CHECK_SAYS_DOWN:
		return "STS";
	default:
		return "RSP";
	}
}

static void name_of_program(const struct check_result *r, char out[static CHECK_NAME_MAX])
{
	if (r->code == CHECK_OK || r->code == CHECK_TIMEOUT)
		snprintf(out, CHECK_NAME_MAX, "PROC%s", ending(r->code));
	else if (r->code == CHECK_BAD_STATUS)
		snprintf(out, CHECK_NAME_MAX, "PROCERR %d", r->detail);
	else
		snprintf(out, CHECK_NAME_MAX, "PROCERR");
}

const char *check_name(const struct check_result *r, char out[static CHECK_NAME_MAX])
{
	if (r->code == CHECK_NO_RESOURCES)
		snprintf(out, CHECK_NAME_MAX, "SOCKERR");
	else if (r->code == CHECK_CANNOT_ASK)
		snprintf(out, CHECK_NAME_MAX, "CONFERR");
	else if (r->layer == CHECK_LAYER_PROGRAM)
		name_of_program(r, out);
	else if (r->code == CHECK_BAD_STATUS)
		snprintf(out, CHECK_NAME_MAX, "L%uSTS %d", r->layer, r->detail);
	else
		snprintf(out, CHECK_NAME_MAX, "L%u%s", r->layer, ending(r->code));
	return out;
}

static bool is_one_line(const char *text)
{
	const unsigned char *c = (const unsigned char *)text;

	if (*c == '\0' || !memchr(text, '\0', CHECK_TEXT_MAX))
		return false;
	for (; *c; c++)
		if (*c < ' ' || *c >= 0x7f)
			return false;
	return true;
}

bool check_is_sane(const struct check_result *r)
{
	if (r->code >= CHECK_CODE_MAX || r->layer > CHECK_LAYER_7 || r->notes & ~CHECK_NOTES_ALL)
		return false;
	return r->weight_percent <= CHECK_WEIGHT_PERCENT_MAX && is_one_line(r->text);
}
