#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Many TCP connections held open, each moving bytes five times a second.

hold.py serve NAME PORT           says NAME, then sends back what it receives
hold.py run ADDRESS PORT N FILE [SOURCE ...]
                                  holds N connections until it is told to end, N from each SOURCE if there are
                                  any; FILE has a line for each server: NAME OPEN BROKEN; a file FILE.close
                                  with a NAME has those of that server closed
hold.py ask ADDRESS PORT N [SOURCE ...]
                                  N connections one after the other, N from each SOURCE if there are any; a
                                  line for each server: COUNT NAME
"""
import os
import random
import select
import socket
import socketserver
import sys
import time
from collections import Counter

PAUSE_S = 0.2
PATIENCE_S = 8  # a machine that has much to do may let a server wait; a reset is broken at once


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            self.request.sendall(NAME.encode() + b"\n")
            while data := self.request.recv(4096):
                self.request.sendall(data)
        except OSError:
            pass  # the client's part to complain


class Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


def dial(address, port, source=""):
    conn = socket.create_connection((address, port), PATIENCE_S, (source, 0) if source else None)
    conn.settimeout(PATIENCE_S)
    name = b""
    while not name.endswith(b"\n"):
        more = conn.recv(1)
        if not more:
            raise OSError("closed before it said its name")
        name += more
    return conn, name.decode().strip()


def exchange(conns):
    """Sends on each and takes what comes back; returns those that did not do it right."""
    broken, wanted = [], {}
    for conn in conns:
        wanted[conn] = random.randbytes(16)
        try:
            conn.sendall(wanted[conn])
        except OSError:
            broken.append(conn)
    waiting = {conn: b"" for conn in conns if conn not in broken}
    end = time.monotonic() + PATIENCE_S
    while waiting and time.monotonic() < end:
        for conn in select.select(list(waiting), [], [], 0.1)[0]:
            try:
                data = conn.recv(64)
            except OSError:
                data = b""
            waiting[conn] += data
            if not data or not wanted[conn].startswith(waiting[conn]):
                broken.append(conn)
                del waiting[conn]
            elif waiting[conn] == wanted[conn]:
                del waiting[conn]
    return broken + list(waiting)


def write(path, conns, broken):
    names = sorted(set(conns.values()) | set(broken))
    with open(path + ".new", "w") as out:
        for name in names:
            print(name, list(conns.values()).count(name), broken[name], file=out)
    os.rename(path + ".new", path)


def close_asked(path, conns):
    try:
        with open(path + ".close") as asked:
            name = asked.read().strip()
        os.unlink(path + ".close")
    except FileNotFoundError:
        return
    for conn in [conn for conn, at in conns.items() if at == name]:
        conn.close()
        del conns[conn]


def run(address, port, n, path, sources):
    conns, broken = {}, Counter()

    def move():
        for conn in exchange(list(conns)):
            broken[conns.pop(conn)] += 1

    moved = time.monotonic()
    for i in range(n * len(sources)):
        conn, name = dial(address, port, sources[i % len(sources)])
        conns[conn] = name
        if time.monotonic() - moved > PAUSE_S:  # or the first ones would be idle for too long
            move()
            moved = time.monotonic()
    while True:
        move()
        close_asked(path, conns)
        write(path, conns, broken)
        time.sleep(PAUSE_S)


def ask(address, port, n, sources):
    seen = Counter()
    for i in range(n * len(sources)):
        conn, name = dial(address, port, sources[i % len(sources)])
        seen[name] += 1
        conn.close()
    for name in sorted(seen):
        print(seen[name], name)


if sys.argv[1] == "serve":
    NAME = sys.argv[2]
    Server(("::", int(sys.argv[3])), Echo).serve_forever()
elif sys.argv[1] == "run":
    run(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], sys.argv[6:] or [""])
else:
    ask(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:] or [""])
