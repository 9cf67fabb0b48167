/* SPDX-License-Identifier: BSD-2-Clause */
/* Which backends get flows when others do not: pools, backups, and how many must be healthy. */
#include "pure/conf_parts.h"

int conf_read_min_healthy(struct conf_load *l, const struct conf_key *key,
			  const struct conf_piece *piece, void *at)
{
	struct conf_min_healthy *out = at;
	const size_t digits = conf_piece_digits(piece, &(uint64_t){0});
	const bool percent = digits + 1 == piece->len && piece->text[digits] == '%';
	uint64_t value;

	conf_piece_digits(piece, &value);
	if (digits == 0 || (digits != piece->len && !percent) || value == 0 ||
	    value > (percent ? 100 : SHUNT_BACKENDS_PER_SERVICE))
		return conf_piece_fail(
			l, piece,
			"%s %s is no number of backends; allowed are 1 to %d, and 1%% to 100%% "
			"of those of the first pool; write 2 or 50%%",
			key->name, QUOTE(piece->text, piece->len), SHUNT_BACKENDS_PER_SERVICE);
	*out = (struct conf_min_healthy){(uint16_t)value, percent};
	return 0;
}

int conf_read_backup(struct conf_load *l, const struct conf_key *key,
		     const struct conf_piece *piece, void *at)
{
	static const char *const words[] = {"no", "yes", NULL};
	struct conf_key with_words = *key;
	unsigned int yes = 0;
	int rc;

	with_words.words = words;
	rc = conf_read_word(l, &with_words, piece, &yes);
	if (rc < 0)
		return rc;
	*(uint16_t *)at = yes ? POOL_BACKUP : 0;
	return 0;
}

int conf_refuse_backup_in_pool(struct conf_load *l, const struct conf_pos *pos)
{
	return conf_complain(l->err, pos,
			     "a backend has either pool or backup: backups are the pool behind all "
			     "others; remove one of them");
}

static bool has_one_pool(const struct conf_service *s)
{
	for (size_t i = 1; i < s->n_backends; i++)
		if (s->backends[i].pool != s->backends[0].pool)
			return false;
	return true;
}

int conf_check_backups(struct conf_load *l, const struct conf_node *node,
		       const struct conf_service *s)
{
	if (!node || s->backends_file || !has_one_pool(s))
		return 0;
	return conf_fail(l, node,
			 "min_healthy does nothing for service \"%s\": its backends are all in one "
			 "pool, and there is none to help it; mark some with backup or pool=N, or "
			 "remove it",
			 s->name);
}
