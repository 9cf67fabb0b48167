/* SPDX-License-Identifier: BSD-2-Clause */
/* Which member of which struct travels as which attribute: the one place that joins shunt_msg.h to
 * the model. Only msg.c reads it. */
#ifndef SHUNT_MSG_FIELDS_H
#define SHUNT_MSG_FIELDS_H

#include <stddef.h>
#include <stdint.h>

#include "shunt_msg.h"

enum field_type {
	FIELD_U8,
	FIELD_BOOL, /* u8 on the wire */
	FIELD_ENUM, /* u8 on the wire; an unknown number is read as `limit` */
	FIELD_U16,
	FIELD_U32,
	FIELD_U64,
	FIELD_TEXT, /* char[size] */
	FIELD_ADDR, /* struct addr */
	FIELD_MAC, /* 6 bytes */
	FIELD_BYTES, /* struct msg_bytes */
	FIELD_VERDICT, /* enum shunt_verdict; its name on the wire; unknown: SHUNT_VERDICT_MAX */
};

struct field {
	uint16_t attr;
	uint16_t type; /* enum field_type */
	uint16_t offset, size; /* of the member in its struct, bytes */
	uint32_t limit; /* ENUM: one past the last known */
};

struct layout {
	const struct field *fields;
	size_t n;
};

/* NULL when there is no such command. */
const struct layout *msg_layout(enum shunt_msg_command command);

#endif
