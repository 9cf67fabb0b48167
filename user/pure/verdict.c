/* SPDX-License-Identifier: BSD-2-Clause */
#include "pure/verdict.h"

static const struct {
	const char *name, *words;
	enum shunt_verdict_class class;
} verdicts[SHUNT_VERDICT_MAX] = {
#define X(name_, class_, words_)                                                                   \
	[SHUNT_##name_] = {.name = #name_, .words = words_, .class = SHUNT_CLASS_##class_},
	SHUNT_VERDICTS(X)
#undef X
};

#define LONGEST_NAME 32

static int is_verdict(enum shunt_verdict v)
{
	return v > SHUNT_GO_ON && v < SHUNT_VERDICT_MAX;
}

const char *verdict_name(enum shunt_verdict v)
{
	static char lower[SHUNT_VERDICT_MAX][LONGEST_NAME];

	if (!is_verdict(v))
		return "unknown";
	/* The preprocessor cannot write lower case; writing it again is harmless. */
	for (int i = 0; i < LONGEST_NAME - 1 && verdicts[v].name[i]; i++)
		lower[v][i] = verdicts[v].name[i] == '_' ? '_' : verdicts[v].name[i] | 0x20;
	return lower[v];
}

const char *verdict_words(enum shunt_verdict v)
{
	return is_verdict(v) ? verdicts[v].words : "a verdict that this version does not know";
}

enum shunt_verdict_class verdict_class(enum shunt_verdict v)
{
	return is_verdict(v) ? verdicts[v].class : SHUNT_CLASS_DROP;
}

const char *verdict_class_name(enum shunt_verdict_class c)
{
	switch (c) {
	case SHUNT_CLASS_FORWARD:
		return "forward";
	case SHUNT_CLASS_RETURN:
		return "return";
	case SHUNT_CLASS_REPLY:
		return "reply";
	case SHUNT_CLASS_PASS:
		return "pass";
	case SHUNT_CLASS_DROP:
		return "drop";
	}
	return "unknown";
}
