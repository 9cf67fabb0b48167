#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Servers that misbehave, to be checked: hostile.py PORT:WAY... Each does one thing to whoever connects.

silent    says nothing            slow     a byte a second
headers   header lines for ever   flood    a body for ever
garbage   bytes that mean nothing
"""
import os
import socket
import sys
import threading
import time

WAYS = {
    "silent": lambda c: time.sleep(600),
    "slow": lambda c: [(c.send(b"H"), time.sleep(1)) for _ in range(600)],
    "headers": lambda c: [c.send(b"HTTP/1.1 200 OK\r\n" if i == 0 else b"X: y\r\n" * 100) for i in range(1 << 20)],
    "flood": lambda c: [c.send(b"HTTP/1.1 200 OK\r\n\r\n" if i == 0 else b"x" * 65536) for i in range(1 << 20)],
    "garbage": lambda c: (c.send(os.urandom(256)), time.sleep(600)),
}


def serve_one(connection, way):
    try:
        way(connection)
    except OSError:
        pass
    connection.close()


def serve(port, way):
    listener = socket.create_server(("0.0.0.0", port), backlog=64)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve_one, args=(connection, way), daemon=True).start()


for word in sys.argv[1:]:
    number, name = word.split(":")
    threading.Thread(target=serve, args=(int(number), WAYS[name]), daemon=True).start()
time.sleep(3600)
