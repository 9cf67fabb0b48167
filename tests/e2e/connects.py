#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""New TCP connections at a steady rate, each ended as soon as it stands; the kernel repeats SYNs that
nobody answers.  connects.py ADDRESS PORT RATE SECONDS [LOSS]; prints what became of them.  LOSS: percent of
what comes in that is lost, at random."""
import ctypes
import errno
import select
import socket
import struct
import sys
import time

PATIENCE_S = 8
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: ended by a RST, so that no port waits


class Program(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def lose(sock, percent):
    """Has the kernel drop segments for this socket before it looks at them: a classic filter by a random
    number (SKF_AD_RANDOM)."""
    code = struct.pack("HBBI" * 4,
                       0x20, 0, 0, 0xfffff000 + 56,  # a random number
                       0x35, 1, 0, int(percent / 100 * 2**32),  # of the lower ones
                       0x06, 0, 0, 0,  # nothing is taken,
                       0x06, 0, 0, 0xffffffff)  # of the others all
    buffer = ctypes.create_string_buffer(code)
    sock.setsockopt(socket.SOL_SOCKET, 26, bytes(Program(4, ctypes.addressof(buffer))))  # SO_ATTACH_FILTER


def begin(address, port, loss):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    if loss:
        lose(s, loss)
    err = s.connect_ex((address, port))
    if err not in (0, errno.EINPROGRESS):
        s.close()
        return None
    return s


def main():
    address, port, rate, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    loss = float(sys.argv[5]) if len(sys.argv) > 5 else 0
    poll, open_ones = select.poll(), {}
    counts = {"connected": 0, "refused": 0, "silent": 0, "failed": 0}
    start = time.monotonic()
    begun = 0
    while True:
        now = time.monotonic() - start
        if now >= seconds:
            break
        while begun < now * rate:
            begun += 1
            s = begin(address, port, loss)
            if s is None:
                counts["failed"] += 1
                continue
            open_ones[s.fileno()] = (s, now)
            poll.register(s, select.POLLOUT)
        for fd, _ in poll.poll(2):
            s = open_ones.pop(fd)[0]
            poll.unregister(s)
            err = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            counts["connected" if not err else "refused" if err == errno.ECONNREFUSED else "failed"] += 1
            s.close()
        for fd, (s, since) in list(open_ones.items())[:64]:  # in the order in which they began
            if now - since > PATIENCE_S:
                poll.unregister(s)
                del open_ones[fd]
                counts["silent"] += 1
                s.close()
    counts["silent"] += len(open_ones)
    print(" ".join(f"{k}={v}" for k, v in counts.items()))


main()
