#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A UDP server that says who it is, and a client that asks.

udp.py serve NAME PORT          answers every datagram with "NAME CLIENT'S-ADDRESS CLIENT'S-PORT", from
                                the address that was asked
udp.py ask ADDRESS PORT N [M]   N flows (sockets) of M datagrams each; prints "COUNT NAME" for each
                                server that answered, "COUNT lost", and "COUNT moved" for flows that
                                were answered by more than one
"""
import socket
import struct
import sys
from collections import Counter

IPV6_RECVPKTINFO, IPV6_PKTINFO = 49, 50


def serve(name, port):
    # One socket for both families; the reply must come from the VIP, so its address is kept.
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
    sock.bind(("::", port))
    while True:
        _, control, _, peer = sock.recvmsg(65535, 256)
        answer = f"{name} {peer[0].removeprefix('::ffff:')} {peer[1]}".encode()
        source = [
            (level, kind, data[:16] + struct.pack("I", 0))
            for level, kind, data in control
            if (level, kind) == (socket.IPPROTO_IPV6, IPV6_PKTINFO)
        ]
        try:
            sock.sendmsg([answer], source, 0, peer)
        except OSError:
            pass


def ask(address, port, flows, each):
    answers = Counter()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for _ in range(flows):
        names = set()
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(1)
            sock.connect((address, port))
            for _ in range(each):
                try:
                    sock.send(b"who?")
                    names.add(sock.recv(512).decode().split()[0])
                except OSError:
                    answers["lost"] += 1
        answers.update(sorted(names)[:1])
        if len(names) > 1:
            answers["moved"] += 1
    for name in sorted(answers):
        print(answers[name], name)
    return 1 if answers["lost"] or answers["moved"] else 0


def main(argv):
    if argv[1] == "serve":
        serve(argv[2], int(argv[3]))
    else:
        sys.exit(ask(argv[2], int(argv[3]), int(argv[4]), int(argv[5]) if len(argv) > 5 else 1))


main(sys.argv)
