/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of a configuration that conf_parse() puts together: services, their checks and their
 * backends. All return 0, -EINVAL with the complaint in l->err, or -ENOMEM. */
#ifndef SHUNT_CONF_PARTS_H
#define SHUNT_CONF_PARTS_H

#include <stdbool.h>
#include <string.h>

#include "pure/conf_schema.h"
#include "pure/conf_words.h"

/* Names of services and backends may hold addresses with ports and prefixes. */
#define CONF_NAME_MARKS "._-:/[]"

/* Steps through the lines of @text, without their newlines: @line with .text NULL becomes the first,
 * one that was filled becomes the next. False after the last; a last newline begins no line. */
static inline bool conf_next_line(const struct conf_piece *text, struct conf_piece *line)
{
	const char *end = text->text + text->len;
	const char *at = line->text ? line->text + line->len + 1 : text->text;
	const char *newline;

	if (at >= end)
		return false;
	newline = memchr(at, '\n', (size_t)(end - at));
	line->pos = line->text ? line->pos : text->pos;
	line->pos.line += line->text != NULL;
	line->len = (size_t)((newline ? newline : end) - at);
	line->text = at;
	return true;
}

#define CONF_SERVICES_MAX 65536
#define CONF_BACKENDS_MAX (1u << 20) /* in all services */

/* ---- conf_ports.c ------------------------------------------------------------------------------*/

#define CONF_PORTS_MAX 256 /* items in a list */
/* Ports that are entries of their own in the packet path's tables, in all services; see lookup.h. */
#define CONF_PORTS_WRITTEN_OUT_MAX (1u << 20)

/* Reads `vip`: an address, or a prefix. */
int conf_read_vip(struct conf_load *l, const struct conf_node *node, struct conf_service *s)
	__attribute__((warn_unused_result));

/* Reads `port`: a number, a range, a list of these, or any. */
int conf_read_ports(struct conf_load *l, const struct conf_node *node, struct conf_service *s)
	__attribute__((warn_unused_result));

/* Refuses services that share a port of an address or prefix, and too many ports in all. */
int conf_check_ports(struct conf_load *l) __attribute__((warn_unused_result));

/* ---- conf_check.c ------------------------------------------------------------------------------*/

/* Fills l->defaults.check with the built-in defaults. */
int conf_check_fallbacks(struct conf_load *l) __attribute__((warn_unused_result));

/* Reads a `check`, a word or a mapping, over what is in @c; notes in @given what it says itself. */
int conf_read_check(struct conf_load *l, const struct conf_node *node, struct conf_check *c,
		    struct conf_check_given *given) __attribute__((warn_unused_result));

/* Decides what the check leaves to the service. @node: whom to complain about. */
int conf_finish_check(struct conf_load *l, const struct conf_node *node, struct conf_service *s,
		      const struct conf_check_given *given) __attribute__((warn_unused_result));

/* Gives @to texts of its own, equal to those of @from. Returns 0 or -ENOMEM; @to can be freed. */
int conf_check_copy_texts(const struct conf_check *from, struct conf_check *to)
	__attribute__((warn_unused_result));

void conf_check_fini(struct conf_check *c);

/* ---- conf_checks.c -----------------------------------------------------------------------------*/

/* Reads the `checks` of the configuration, those with names, once the defaults are read. */
int conf_read_checks(struct conf_load *l, const struct conf_node *node)
	__attribute__((warn_unused_result));

/* What a service says of its checks; NULL: nothing. */
struct conf_check_nodes {
	const struct conf_node *service, *check, *checks, *needs;
};
/* Reads a service's `check`, `checks` and `needs`, once its ports are known. */
int conf_read_service_checks(struct conf_load *l, const struct conf_check_nodes *nodes,
			     struct conf_service *s) __attribute__((warn_unused_result));

/* ---- conf_check_text.c -------------------------------------------------------------------------*/

/* Readers of a struct conf_text from one value. */
conf_key_read conf_read_request_word; /* printable ASCII without spaces */
conf_key_read conf_read_request_path; /* that, and begins with "/" */
conf_key_read conf_read_request_host; /* that without "/" */
conf_key_read conf_read_method; /* capital letters */
conf_key_read conf_read_check_text; /* no control characters */
conf_key_read conf_read_check_file; /* an absolute path */
conf_key_read conf_read_hex; /* pairs of hexadecimal digits */
conf_key_read conf_read_regex;
conf_key_read conf_read_days; /* uint16_t: "14d", or "no" as 0 */

/* One HTTP status, a range, or a list of them. */
int conf_read_status(struct conf_load *l, const struct conf_node *node, struct conf_check *c)
	__attribute__((warn_unused_result));

/* Any bytes; what YAML says in quotes. @key: its name, min and max. */
int conf_read_bytes(struct conf_load *l, const struct conf_key *key, const struct conf_node *node,
		    struct conf_text *out) __attribute__((warn_unused_result));

/* Mappings and lists as texts with a NUL behind each, of CONF_LONG_TEXT_MAX bytes at most. */
int conf_read_headers(struct conf_load *l, const struct conf_node *node, struct conf_text *out)
	__attribute__((warn_unused_result));
int conf_read_command(struct conf_load *l, const struct conf_node *node, struct conf_text *out)
	__attribute__((warn_unused_result));
int conf_read_shell(struct conf_load *l, const struct conf_node *node, struct conf_text *out)
	__attribute__((warn_unused_result));
int conf_read_environment(struct conf_load *l, const struct conf_node *node, struct conf_text *out)
	__attribute__((warn_unused_result));

/* *out becomes a copy of the bytes. Returns 0 or -ENOMEM. */
int conf_text_set(struct conf_text *out, const char *bytes, size_t len)
	__attribute__((warn_unused_result));
void conf_text_fini(struct conf_text *t);

/* ---- conf_notify.c -----------------------------------------------------------------------------*/

int conf_notify_fallbacks(struct conf_load *l) __attribute__((warn_unused_result));
int conf_read_notify(struct conf_load *l, const struct conf_node *node)
	__attribute__((warn_unused_result));

/* ---- conf_web.c --------------------------------------------------------------------------------*/

int conf_read_web(struct conf_load *l, const struct conf_node *node)
	__attribute__((warn_unused_result));

/* ---- conf_flap.c -------------------------------------------------------------------------------*/

/* Reads a check's `flap`: on, off, or a mapping. */
int conf_read_flap(struct conf_load *l, const struct conf_node *node, struct health_flap *out)
	__attribute__((warn_unused_result));

/* ---- conf_passive.c ----------------------------------------------------------------------------*/

/* Fills l->defaults.passive with the built-in defaults: off. */
int conf_passive_fallbacks(struct conf_load *l) __attribute__((warn_unused_result));
/* Reads a `passive`, its action alone or a mapping, over what is in @p. */
int conf_read_passive(struct conf_load *l, const struct conf_node *node, struct passive_policy *p)
	__attribute__((warn_unused_result));
/* Refuses a service's own, @node or NULL, of which nothing could be seen. */
int conf_check_passive(struct conf_load *l, const struct conf_node *node,
		       const struct conf_service *s) __attribute__((warn_unused_result));

/* ---- conf_backends.c ---------------------------------------------------------------------------*/

/* Reads `backends`. */
int conf_read_backends(struct conf_load *l, const struct conf_node *node, struct conf_service *s)
	__attribute__((warn_unused_result));

/* Reads the backends of a file: one a line, ADDRESS[:PORT] [name=NAME] [weight=N]
 * [forward=METHOD] [server_id=HEX] [pool=N] [backup]. @file is that of the positions, owned by l->conf. */
int conf_read_backend_lines(struct conf_load *l, const struct conf_piece *text,
			    struct conf_service *s) __attribute__((warn_unused_result));

/* Refuses names and addresses that a service has twice. */
int conf_check_backends(struct conf_load *l, const struct conf_service *s)
	__attribute__((warn_unused_result));

/* ---- conf_sources.c ----------------------------------------------------------------------------*/

/* Reads the file s->backends_file as @node says it, and makes that path relative to the
 * configuration's folder. A file that several services name is read once. May also return the
 * reader's error. */
int conf_read_backends_file(struct conf_load *l, const struct conf_node *node,
			    struct conf_service *s) __attribute__((warn_unused_result));

/* The same for a file of prefixes, named by @node; *out is the configuration's. */
int conf_read_prefixes_file(struct conf_load *l, const struct conf_node *node, char **path,
			    const struct conf_prefixes **out) __attribute__((warn_unused_result));

/* Reads any file that @node names, *path made relative to the configuration's folder; @text is it, valid
 * as long as @l. */
int conf_read_named_file(struct conf_load *l, const struct conf_node *node, char **path,
			 struct conf_piece *text) __attribute__((warn_unused_result));

void conf_sources_fini(struct conf_load *l);

/* Complains that @path cannot be read and returns @error, the reader's. @what names the file in the
 * sentence. */
int conf_unreadable(struct conf_load *l, const struct conf_pos *pos, const char *what, int error);

/* ---- conf_service.c ----------------------------------------------------------------------------*/

/* Fills l->defaults with the built-in defaults. */
int conf_service_fallbacks(struct conf_load *l) __attribute__((warn_unused_result));
/* Reads the `defaults` into l->defaults. */
int conf_read_defaults(struct conf_load *l, const struct conf_node *node)
	__attribute__((warn_unused_result));
/* Reads the `services` into l->conf. */
int conf_read_services(struct conf_load *l, const struct conf_node *node)
	__attribute__((warn_unused_result));

/* ---- conf_policy.c -----------------------------------------------------------------------------*/

#define CONF_PREFIXES_MAX 100000u /* in a list or file */
#define CONF_ALL_PREFIXES_MAX (1u << 20)
/* Half of the numbers that the packet path has: while a new policy is made the former one holds. */
#define CONF_POLICIES_MAX 32767

/* The keys' values; NULL: not given. */
struct conf_policy_nodes {
	const struct conf_node *allow, *deny, *allow_file, *deny_file, *rate;
};

/* Reads them, for a service whose vip and name are known. */
int conf_read_policy(struct conf_load *l, const struct conf_policy_nodes *nodes,
		     struct conf_service *s) __attribute__((warn_unused_result));

/* Reads a file's prefixes, one a line. */
int conf_read_prefix_lines(struct conf_load *l, const struct conf_piece *text,
			   struct conf_prefixes *out) __attribute__((warn_unused_result));

/* ---- conf_nat.c --------------------------------------------------------------------------------*/

/* Reads a `nat_pool`. */
int conf_read_nat_pool(struct conf_load *l, const struct conf_node *node,
		       struct conf_nat_pool *pool) __attribute__((warn_unused_result));
/* Reads `nat_timeouts` into l->conf, over the built-in ones. */
int conf_nat_fallbacks(struct conf_load *l) __attribute__((warn_unused_result));
int conf_read_nat_timeouts(struct conf_load *l, const struct conf_node *node)
	__attribute__((warn_unused_result));
/* A `nat_ports` of the form FIRST-LAST. */
conf_key_read conf_read_nat_ports;
/* Whether a backend's method is nat, or may become so by a backends file. */
bool conf_uses_pool(const struct conf_service *s);
/* Refuses what a service cannot translate. @node: whom to complain about. */
int conf_check_nat(struct conf_load *l, const struct conf_node *node, const struct conf_service *s)
	__attribute__((warn_unused_result));
/* Refuses pools that cannot be, once all services are read. */
int conf_check_pools(struct conf_load *l) __attribute__((warn_unused_result));

/* ---- conf_quic.c -------------------------------------------------------------------------------*/

/* Reads a `quic_lb`: the word katran, or a list of configurations. */
int conf_read_quic(struct conf_load *l, const struct conf_node *node, struct conf_quic *quic)
	__attribute__((warn_unused_result));
/* A backend's `server_id`, of the form HEX[,HEX]. */
conf_key_read conf_read_server_ids;
/* Refuses a quic_lb that a service cannot have, and backends' ids that do not go with it. @node: the
 * key's value, or NULL. */
int conf_check_quic(struct conf_load *l, const struct conf_node *node, const struct conf_service *s)
	__attribute__((warn_unused_result));

/* ---- conf_flows.c ------------------------------------------------------------------------------*/

/* Of a service; NULL where it has no such key itself: then it may have one from `defaults`. */
struct conf_flow_nodes {
	const struct conf_node *service, *scheduler, *flow_timeout, *affinity, *affinity_timeout,
		*source_prefix, *udp_flows;
};
/* Checks what is remembered of flows and sources against the rest of @s, and completes it. */
int conf_check_flows(struct conf_load *l, const struct conf_flow_nodes *given,
		     struct conf_service *s);

/* ---- conf_pool.c -------------------------------------------------------------------------------*/

conf_key_read conf_read_min_healthy; /* struct conf_min_healthy: a number, or N% */
conf_key_read conf_read_backup; /* the uint16_t pool: yes or no */
int conf_refuse_backup_in_pool(struct conf_load *l, const struct conf_pos *pos);
/* Refuses a service's own min_healthy, @node or NULL, where it can do nothing. */
int conf_check_backups(struct conf_load *l, const struct conf_node *node,
		       const struct conf_service *s) __attribute__((warn_unused_result));

/* ---- conf_peers.c ------------------------------------------------------------------------------*/

conf_key_read conf_read_peer; /* struct conf_peer */
/* ADDRESS:PORT or [ADDRESS]:PORT; false if it is neither. The port may be out of range. */
bool conf_split_address(const struct conf_piece *piece, struct addr *addr, uint64_t *port);
/* Reads `peers`, once all other keys of the configuration are read. */
int conf_read_peers(struct conf_load *l, const struct conf_node *node)
	__attribute__((warn_unused_result));

/* ---- conf_tunnel.c -----------------------------------------------------------------------------*/

/* An IPv4 or IPv6 tunnel_source, by the key's name: an address or a prefix. */
conf_key_read conf_read_tunnel_source;

/* Rows of the configuration's and of a service's table; @type has a struct conf_tunnel `tunnel`. */
#define CONF_ROW_TUNNEL_SOURCE(type)                                                               \
	{                                                                                          \
		"tunnel_source", conf_read_tunnel_source, CONF_AT(type, tunnel.source4)            \
	}
#define CONF_ROW_TUNNEL_SOURCE6(type)                                                              \
	{                                                                                          \
		"tunnel_source6", conf_read_tunnel_source, CONF_AT(type, tunnel.source6)           \
	}
#define CONF_ROW_GUE_CHECKSUM(type, default_)                                                      \
	{                                                                                          \
		"gue_checksum", conf_read_word, CONF_AT(type, tunnel.gue_checksum), default_,      \
			.words = conf_gue_checksum_words                                           \
	}

/* Refuses a service's own keys where none of its backends could take them. @sources: those of the two
 * keys, @checksum: that of gue_checksum; NULL where it says none. */
int conf_check_tunnel(struct conf_load *l, const struct conf_node *const sources[static 2],
		      const struct conf_node *checksum, const struct conf_service *s)
	__attribute__((warn_unused_result));

/* ---- conf_loops.c ------------------------------------------------------------------------------*/

/* Refuses, once all services are read, what would send packets back to this host or have a backend
 * take them for its own: backends, pools and tunnel sources that are vips, and tunnel sources that are
 * backends. */
int conf_check_loops(struct conf_load *l) __attribute__((warn_unused_result));

/* ---- conf_unique.c -----------------------------------------------------------------------------*/

typedef int conf_compare(const void *a, const void *b);

/* Looks for two of @n elements of @size bytes that @compare calls equal. Returns 1 with pair[0] <
 * pair[1] their indexes, pair[1] the least there is; 0; or -ENOMEM. O(n log n). */
int conf_first_duplicate(const void *base, size_t n, size_t size, conf_compare *compare,
			 size_t pair[static 2]) __attribute__((warn_unused_result));

/* ---- conf_via.c -------------------------------------------------------------------------------- */
/* Complains of `via: path` where a probe of that kind cannot go. */
int conf_check_via(struct conf_load *l, const struct conf_node *node, const struct conf_check *c)
	__attribute__((warn_unused_result));

#endif
