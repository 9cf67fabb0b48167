/* SPDX-License-Identifier: BSD-2-Clause */
/* AES-128's key schedule (FIPS 197 section 5.2), in the form in which the packet path reads it. */
#ifndef SHUNT_AES_H
#define SHUNT_AES_H

#include <stdint.h>

#include "shunt_abi_quic.h"

#define AES_KEY_LEN 16 /* octets */

/* Fills @out as struct shunt_quic_config says. */
void aes_round_keys(const uint8_t key[static AES_KEY_LEN],
		    __u64 out[static SHUNT_AES_ROUND_KEYS][2]);

#endif
