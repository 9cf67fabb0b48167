#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""One long TCP connection with every byte checked.

bulk.py serve PORT               sends back what it receives
bulk.py run ADDRESS PORT MBIT S  sends pseudo-random bytes at that rate for S seconds, and compares what
                                 comes back; prints the bytes that came back right
"""
import random
import socket
import socketserver
import sys
import threading
import time

CHUNK = 32768


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while True:
            data = self.request.recv(65536)
            if not data:
                return
            self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 4096  # of connections that come while it has no time; a full queue drops SYNs

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


def stream():
    source = random.Random(1)
    while True:
        yield source.randbytes(CHUNK)


def send(conn, mbit, seconds):
    start = time.monotonic()
    sent = 0
    for chunk in stream():
        if time.monotonic() - start >= seconds:
            break
        conn.sendall(chunk)
        sent += len(chunk)
        time.sleep(max(0, start + sent * 8 / (mbit * 1e6) - time.monotonic()))
    conn.shutdown(socket.SHUT_WR)


def run(address, port, mbit, seconds):
    conn = socket.create_connection((address, port), 10)
    conn.settimeout(10)
    sender = threading.Thread(target=send, args=(conn, mbit, seconds), daemon=True)
    sender.start()
    wanted, right = b"", 0
    chunks = stream()
    while True:
        data = conn.recv(65536)
        if not data:
            break
        while len(wanted) < len(data):
            wanted += next(chunks)
        if not wanted.startswith(data):
            print(f"wrong byte after {right}", file=sys.stderr)
            return 1
        wanted = wanted[len(data) :]
        right += len(data)
    sender.join(1)
    print(right)
    return 0 if right % CHUNK == 0 and right > 0 and not sender.is_alive() else 1


def main(argv):
    if argv[1] == "serve":
        Server(("::", int(argv[2])), Echo).serve_forever()
    try:
        sys.exit(run(argv[2], int(argv[3]), float(argv[4]), float(argv[5])))
    except OSError as error:
        sys.exit(f"broken: {error}")


main(sys.argv)
