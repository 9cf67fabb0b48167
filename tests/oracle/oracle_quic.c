/* SPDX-License-Identifier: BSD-2-Clause */
/* Connection ids of QUIC: which server has issued them, after draft-ietf-quic-load-balancers-21 and, in the
 * second format, as Katran has it. */
#include "oracle_quic.h"

#include <string.h>

#define CID_MAX 20

/* ---- the id that the packet has -----------------------------------------------------------------*/

/* RFC 8999 section 5: how many of up to CID_MAX octets there are, copied to @cid; 0: none. */
static size_t read_cid(const uint8_t *quic, size_t len, uint8_t cid[static CID_MAX])
{
	const uint8_t *at = quic + 1;
	size_t cid_len = len - 1;

	if (len < 2)
		return 0;
	if (quic[0] & 0x80) {
		if (len < 6 || quic[5] > len - 6)
			return 0;
		cid_len = quic[5];
		at = quic + 6;
	}
	cid_len = cid_len < CID_MAX ? cid_len : CID_MAX;
	memcpy(cid, at, cid_len);
	return cid_len;
}

/* ---- QUIC-LB ------------------------------------------------------------------------------------*/

/* Section 5.4.2: one half is added to what comes of the other half, its length and the pass. */
static void pass(const struct oracle_quic_config *c, const uint8_t *from, uint8_t *to, size_t half,
		 uint8_t number)
{
	uint8_t block[16] = {0};

	memcpy(block, from, half);
	block[14] = (uint8_t)(c->id_len + c->nonce_len);
	block[15] = number;
	oracle_aes_encrypt(c->key, block);
	for (size_t i = 0; i < half; i++)
		to[i] ^= block[i];
}

static void four_passes(const struct oracle_quic_config *c, uint8_t *text)
{
	size_t len = c->id_len + c->nonce_len, half = (len + 1) / 2;
	uint8_t left[16] = {0}, right[16] = {0}, left_end, right_start;

	memcpy(left, text, half);
	memcpy(right, text + len - half, half);
	left_end = len % 2 ? 0xf0 : 0xff;
	right_start = len % 2 ? 0x0f : 0xff;
	for (uint8_t number = 4; number > 0; number--) {
		left[half - 1] &= left_end;
		right[0] &= right_start;
		if (number % 2 == 0)
			pass(c, right, left, half, number);
		else
			pass(c, left, right, half, number);
	}
	left[half - 1] &= left_end;
	right[0] &= right_start;
	memset(text, 0, len);
	memcpy(text, left, half);
	for (size_t i = 0; i < half; i++)
		text[len - half + i] |= right[i];
}

static size_t lb_id(const struct oracle_quic *q, const uint8_t *cid, size_t len, uint8_t *id)
{
	const struct oracle_quic_config *c = &q->config[cid[0] >> 5];
	uint8_t text[16] = {0};
	size_t both = c->id_len + c->nonce_len;

	if (cid[0] >> 5 == SHUNT_QUIC_CONFIGS || !c->id_len || len < 1 + both)
		return 0;
	memcpy(text, cid + 1, both < 16 ? both : 16);
	if (c->has_key && both == 16) {
		oracle_aes_decrypt(c->key, text);
	} else if (c->has_key) {
		uint8_t all[CID_MAX] = {0};

		memcpy(all, cid + 1, both);
		four_passes(c, all);
		memcpy(text, all, 16);
	}
	memcpy(id, text, c->id_len);
	return c->id_len;
}

/* ---- Katran -------------------------------------------------------------------------------------*/

/* What no server has issued: ids of packets that only clients send before they have heard of one, which are
 * Initial and 0-RTT, and ids of less than eight octets.  Only a long header tells. */
static bool is_clients_own(const uint8_t *quic)
{
	uint8_t type = quic[0] >> 4 & 3;

	return quic[0] >> 7 && (type == 0 || type == 1 || quic[5] < 8);
}

/* The upper two bits are a version: 16 bits behind them, or 24 or 32 bits behind the octet. */
static size_t katran_id(const uint8_t *cid, size_t len, uint8_t *id)
{
	uint8_t version = cid[0] >> 6;
	size_t id_len = version + 1u;

	if (version == 0 || len < 1 + id_len)
		return 0;
	memcpy(id, cid + 1, id_len);
	if (version == 1) {
		id[0] = (uint8_t)(cid[0] << 2 | cid[1] >> 6);
		id[1] = (uint8_t)(cid[1] << 2 | cid[2] >> 6);
	}
	return id_len;
}

size_t oracle_quic_id(const struct oracle_quic *q, const uint8_t *cid, size_t len,
		      uint8_t id[static SHUNT_QUIC_ID_MAX])
{
	if (!len)
		return 0;
	return q->is_katran ? katran_id(cid, len, id) : lb_id(q, cid, len, id);
}

/* ---- the backend --------------------------------------------------------------------------------*/

bool oracle_quic_row(const struct oracle_case *c, const struct shunt_service *svc,
		     struct oracle_result *r)
{
	uint32_t record = c->t->backends[svc->row].addr[0], number = 0;
	const uint8_t *udp = c->in->frame + c->p.l4;
	size_t udp_len = (size_t)udp[4] << 8 | udp[5], len;
	uint8_t cid[CID_MAX], id[SHUNT_QUIC_ID_MAX];

	if (record == 0 || record >= c->t->n_quics)
		return false;
	len = read_cid(udp + 8, udp_len - 8, cid);
	if (len && c->t->quics[record].is_katran && is_clients_own(udp + 8))
		return false;
	len = oracle_quic_id(&c->t->quics[record], cid, len, id);
	for (size_t i = 0; len && i < c->t->quics[record].n_servers; i++)
		if (c->t->quics[record].server[i].len == len &&
		    memcmp(c->t->quics[record].server[i].id, id, len) == 0)
			number = c->t->quics[record].server[i].number;
	if (!number || number > svc->backends || svc->row + number >= c->t->rows ||
	    !(c->t->backends[svc->row + number].flags & SHUNT_BE_USABLE))
		return false;
	r->row = svc->row + number;
	return true;
}
