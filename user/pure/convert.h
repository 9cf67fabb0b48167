/* SPDX-License-Identifier: BSD-2-Clause */
/* From configurations of other balancers to shunt's: the common subset, and a remark for whatever is not
 * carried over, with its line. */
#ifndef SHUNT_CONVERT_H
#define SHUNT_CONVERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pure/conf.h"

#define CONVERT_WORD_MAX 256
#define CONVERT_WORDS 64

/* @text NULL: it cannot be read. */
typedef void convert_file_fn(void *arg, const char *path, const char *text);
/* Calls @each with the files that @pattern names where it stands in the file @from; returns how many. */
typedef size_t convert_include_fn(const char *from, const char *pattern, convert_file_fn *each,
				  void *arg);

/* What is not in the file. */
struct convert_options {
	const char *file; /* its name, for remarks */
	const char *path; /* of it, which what it includes is relative to; NULL: file */
	convert_include_fn *include; /* NULL: nothing is included */
	const char *
		config_id; /* of the host, for lines of keepalived's that begin with @; NULL: not said */
	const char *interface; /* that packets come in on; NULL: a guess, with a remark */
	struct addr vip; /* of services at all addresses; none: they are left out */
};

/* ---- what is read -------------------------------------------------------------------------------*/

struct convert_check {
	char kind[8]; /* as shunt has it; empty: not said */
	uint32_t interval_ms, timeout_ms, fast_ms, down_ms; /* 0: not said */
	uint32_t rise, fall, port; /* the same */
	char path[CONVERT_WORD_MAX], host[CONVERT_WORD_MAX], method[16], command[CONVERT_WORD_MAX];
	char status[64]; /* "200-299,404" */
	char send[CONVERT_WORD_MAX], expect[CONVERT_WORD_MAX], expect_regex[CONVERT_WORD_MAX];
	bool send_is_hex, expect_is_hex;
	char name[CONVERT_WORD_MAX], record[8]; /* of dns */
};

struct convert_backend {
	char name[SHUNT_NAME_MAX]; /* empty: none */
	struct addr addr;
	uint16_t port; /* 0: the service's */
	uint32_t weight; /* 1 unless said */
	const char *forward; /* NULL: the service's */
	bool backup, off; /* off: weight 0 */
};

struct convert_service {
	char name[SHUNT_NAME_MAX]; /* empty: none */
	struct addr vip;
	uint8_t vip_bits; /* of a prefix; 0: one address */
	uint16_t port; /* 0: any */
	uint16_t last_port; /* of a range; 0: one */
	uint8_t protocol;
	const char *scheduler, *forward; /* as one writes them; NULL: not said */
	uint32_t affinity_s; /* 0: none */
	uint32_t flow_timeout_s; /* 0: not said */
	uint32_t min_healthy; /* 0: not said */
	uint32_t slow_start_s, source_bits; /* the same */
	bool stateless; /* udp_flows */
	bool by_port; /* the hash is of the port, too, where it is of the source */
	bool is_pattern; /* of others that were copied from it, and none itself */
	bool gue_zero; /* gue_checksum: zero */
	struct convert_check check;
	struct convert_backend *backends;
	size_t n_backends;
	unsigned int line;
};

/* Where a line stands. */
struct convert_place {
	const char *file;
	unsigned int line; /* from 1 */
};

struct convert_remark {
	struct convert_place at;
	size_t service; /* before which it is written; as many as there are: behind all */
	char text[320]; /* begins with what it is about */
};

struct convert {
	const struct convert_options *options;
	struct convert_service *services;
	size_t n_services;
	struct convert_remark *remarks;
	size_t n_remarks;
	struct convert_place *places; /* of the lines that are read; none: the file's */
	size_t n_places;
	char **names; /* of files, for places */
	size_t n_names;
	bool out_of_memory;
};

/* Read @text, NUL-terminated, into @c, which has options alone. Nothing is refused: what is not understood
 * is remarked. */
void convert_ipvsadm(struct convert *c, const char *text);
void convert_keepalived(struct convert *c, const char *text);
void convert_haproxy(struct convert *c, const char *text);

/* The configuration; *out is the caller's. Services that shunt cannot have are left out, with a remark.
 * Returns 0, -ENOENT when no service is left, -ENOMEM. */
int convert_write(struct convert *c, char **out);
void convert_fini(struct convert *c);

/* ---- for the readers ----------------------------------------------------------------------------*/

/* Once, where several services come of one line. */
void convert_remark(struct convert *c, unsigned int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same of a line by its place. */
void convert_remark_at(struct convert *c, const struct convert_place *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Where line @number of what is read stands. */
struct convert_place convert_place(const struct convert *c, unsigned int number);
void convert_add_place(struct convert *c, const struct convert_place *place);
/* A copy of @name that lasts as long as @c does. */
const char *convert_keep_name(struct convert *c, const char *name);
/* Never NULL. The last one added is the one that remarks stand before. */
struct convert_service *convert_add_service(struct convert *c, unsigned int line);
struct convert_backend *convert_add_backend(struct convert *c, struct convert_service *s);
/* A copy of @from behind all, with its backends. */
struct convert_service *convert_copy_service(struct convert *c, const struct convert_service *from);

/* A line's words. */
struct convert_line {
	unsigned int number; /* from 1 */
	char words[CONVERT_WORDS][CONVERT_WORD_MAX];
	size_t n;
};
/* Reads the next line that has words, from *at; false at the end. @comments: characters that begin a
 * comment, where a word could begin; @single: characters that are a word each. Quotes hold words
 * together. */
bool convert_next_line(const char **at, struct convert_line *line, const char *comments,
		       const char *single);

/* "1.2.3.4:80", "[2001:db8::1]:80", "2001:db8::1"; a port is 0 where none is. False: it is none. */
bool convert_endpoint(const char *text, struct addr *addr, uint16_t *port);
/* The bits of "255.255.255.0" or "64"; 0: it is no mask. */
uint32_t convert_mask_bits(const char *text);
/* A number up to @max, or @otherwise. */
uint32_t convert_number(const char *text, uint32_t max, uint32_t otherwise);
/* The index of @word in @words, which ends with NULL; -1: not there. */
int convert_find(const char *word, const char *const *words);

#endif
