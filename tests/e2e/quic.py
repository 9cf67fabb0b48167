#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A client that sends what looks like QUIC, with connection ids after draft-ietf-quic-load-balancers-21,
encoded here with OpenSSL's AES and no line of shunt.

quic.py ADDRESS PORT CONFIG KEY|- NONCE-LENGTH SERVER-ID [N [FIRST]]
    N datagrams (50), each with a new nonce and from a new port, every other one with a long header of
    which FIRST (e3, Handshake) is the first octet; the server answers with its name (udp.py).  Prints "COUNT NAME" for each name, and "COUNT lost".
"""
import ctypes
import ctypes.util
import os
import socket
import sys
from collections import Counter


# Not a process for each block: on a slow machine flows would be idle for too long meanwhile.
CRYPTO = ctypes.CDLL(ctypes.util.find_library("crypto"))
CRYPTO.EVP_CIPHER_CTX_new.restype = CRYPTO.EVP_aes_128_ecb.restype = ctypes.c_void_p


def aes(key, block):
    out, length = ctypes.create_string_buffer(32), ctypes.c_int(0)
    context = ctypes.c_void_p(CRYPTO.EVP_CIPHER_CTX_new())
    cipher = ctypes.c_void_p(CRYPTO.EVP_aes_128_ecb())
    assert len(key) == len(block) == 16
    assert CRYPTO.EVP_EncryptInit_ex(context, cipher, None, key, None) == 1
    assert CRYPTO.EVP_EncryptUpdate(context, out, ctypes.byref(length), block, len(block)) == 1
    CRYPTO.EVP_CIPHER_CTX_free(context)
    return out.raw[:length.value]


def four_passes(key, plain):
    """Section 5.4.2, with the halves as numbers of half octets."""
    nibbles = plain.hex()
    half, width = len(nibbles) // 2, (len(plain) + 1) // 2
    odd = len(plain) % 2
    left, right = nibbles[:half], nibbles[half:]

    def cipher(number, text):
        octets = bytes.fromhex((text + "0" if number % 2 else "0" + text) if odd else text)
        block = octets + bytes(14 - width) + bytes([len(plain), number])
        out = aes(key, block)[:width].hex()
        if not odd:
            return out
        return out[1:] if number % 2 else out[:-1]

    def mix(a, b):
        return "".join(f"{int(x, 16) ^ int(y, 16):x}" for x, y in zip(a, b))

    for number in (1, 3):
        right = mix(right, cipher(number, left))
        left = mix(left, cipher(number + 1, right))
    return bytes.fromhex(left + right)


def connection_id(config, key, server_id, nonce):
    body = server_id + nonce
    if key:
        body = aes(key, body) if len(body) == 16 else four_passes(key, body)
    return bytes([config << 5 | len(body)]) + body


def ask(address, port, cid, first):
    header = first + b"\0\0\0\x01" + bytes([len(cid)]) if first[0] & 0x80 else first
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(8)
        sock.connect((address, port))
        sock.send(header + cid + bytes(30))
        try:
            return sock.recv(512).decode().split()[0]
        except OSError:
            return "lost"


def main(argv):
    address, port, config = argv[1], int(argv[2]), int(argv[3])
    key = None if argv[4] == "-" else bytes.fromhex(argv[4])
    nonce_length, server_id = int(argv[5]), bytes.fromhex(argv[6])
    long_first = bytes.fromhex(argv[8] if len(argv) > 8 else "e3")
    answers = Counter()
    for i in range(int(argv[7]) if len(argv) > 7 else 50):
        cid = connection_id(config, key, server_id, os.urandom(nonce_length))
        answers[ask(address, port, cid, long_first if i % 2 else b"\x43")] += 1
    for name in sorted(answers):
        print(answers[name], name)


if __name__ == "__main__":
    main(sys.argv)
