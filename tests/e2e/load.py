#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""HTTP load with every request accounted for.

load.py run URL RATE FILE       RATE requests a second, each a connection of its own, until SIGINT;
                                one line a request in FILE: START_MS MS ANSWER, or "!reason"
load.py keep URL RATE FILE      the same over one connection, which must not break
load.py total|failed FILE FROM_MS TO_MS   how many began in that time; TO_MS 0 is the end
load.py errors FILE             the failed ones, counted by reason
load.py last_failed FILE        when the last of them began, in ms
"""
import signal
import socket
import sys
import threading
import time
from collections import Counter
from urllib.parse import urlsplit

TIMEOUT_S = 8  # on a machine that has much to do
WORKERS = 16


def dial(url):
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port or 80), TIMEOUT_S)


def ask(conn, url, close):
    """Sends one request and returns the body; raises OSError or ValueError."""
    parts = urlsplit(url)
    kind = "close" if close else "keep-alive"
    conn.sendall(f"GET {parts.path or '/'} HTTP/1.1\r\nHost: x\r\nConnection: {kind}\r\n\r\n".encode())
    got = b""
    while b"\r\n\r\n" not in got:
        more = conn.recv(4096)
        if not more:
            raise ValueError("closed early")
        got += more
    head, body = got.split(b"\r\n\r\n", 1)
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise ValueError("status " + head.split(b"\r\n", 1)[0].decode())
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    want = int(fields[b"content-length"])
    while len(body) < want:
        more = conn.recv(4096)
        if not more:
            raise ValueError("closed early")
        body += more
    return body.decode().strip()


def reason(error):
    return "!" + (str(error) or type(error).__name__).replace(" ", "_")


def run(url, rate, path, keep):
    stop = threading.Event()
    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, lambda *_: stop.set())
    lock = threading.Lock()
    workers = 1 if keep else WORKERS
    with open(path, "w", buffering=1) as out:

        def worker(number):
            due = time.monotonic() + number / rate
            conn = dial(url) if keep else None
            while not stop.is_set():
                time.sleep(max(0, due - time.monotonic()))
                due = max(due + workers / rate, time.monotonic() - 1)
                start = time.time()
                try:
                    if keep:
                        said = ask(conn, url, False)
                    else:
                        with dial(url) as conn:
                            said = ask(conn, url, True)
                except (OSError, ValueError) as error:
                    said = reason(error)
                took = (time.time() - start) * 1000
                with lock:
                    out.write(f"{start * 1000:.0f} {took:.1f} {said}\n")
                if keep and said.startswith("!"):
                    return

        threads = [threading.Thread(target=worker, args=(n,), daemon=True) for n in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def records(path, since=0, until=0):
    with open(path) as lines:
        for line in lines:
            start, took, said = line.split(None, 2)
            if int(start) >= since and (not until or int(start) < until):
                yield int(start), float(took), said.strip()


def main(argv):
    if argv[1] in ("run", "keep"):
        run(argv[2], float(argv[3]), argv[4], argv[1] == "keep")
    elif argv[1] == "errors":
        for (said, count) in Counter(r[2] for r in records(argv[2]) if r[2][0] == "!").items():
            print(count, said)
    elif argv[1] == "last_failed":  # when it began, in milliseconds since 1970
        print(max((r[0] for r in records(argv[2]) if r[2][0] == "!"), default=0))
    else:
        failed = argv[1] == "failed"
        since, until = int(argv[3]), int(argv[4])
        print(sum(1 for r in records(argv[2], since, until) if not failed or r[2][0] == "!"))


main(sys.argv)
