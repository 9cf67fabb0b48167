/* SPDX-License-Identifier: BSD-2-Clause */
/* AES-128 as FIPS 197 writes it, octet by octet. */
#ifndef ORACLE_QUIC_H
#define ORACLE_QUIC_H

#include "oracle.h"

void oracle_aes_encrypt(const uint8_t key[static 16], uint8_t block[static 16]);
void oracle_aes_decrypt(const uint8_t key[static 16], uint8_t block[static 16]);

#endif
