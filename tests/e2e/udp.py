#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A UDP server that says who it is, and a client that asks.

udp.py serve NAME PORT          answers every datagram with "NAME CLIENT'S-ADDRESS CLIENT'S-PORT", from
                                the address that was asked
udp.py ask ADDRESS PORT N [M]   N flows (sockets) of M datagrams each; prints "COUNT NAME" for each
                                server that answered, "COUNT lost", and "COUNT moved" for flows that
                                were answered by more than one
udp.py big ADDRESS PORT N BYTES N flows of a small datagram and three large ones; prints the same, and
                                "COUNT broken" for those that did not arrive as they were sent
udp.py hold ADDRESS PORT N S FILE  N flows that ask five times a second, for S seconds; each time FILE gets a
                                line for each server, "NAME FLOWS", and "moved FLOWS": that have had more than
                                one server so far

What is longer than a word is answered with its length and checksum besides.
"""
import os
import socket
import struct
import sys
import time
import zlib
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
        asked, control, _, peer = sock.recvmsg(65535, 256)
        answer = f"{name} {peer[0].removeprefix('::ffff:')} {peer[1]}"
        if len(asked) > 8:
            answer += f" {len(asked)} {zlib.crc32(asked)}"
        answer = answer.encode()
        source = [
            (level, kind, data[:16] + struct.pack("I", 0))
            for level, kind, data in control
            if (level, kind) == (socket.IPPROTO_IPV6, IPV6_PKTINFO)
        ]
        try:
            sock.sendmsg([answer], source, 0, peer)
        except OSError:
            pass


def tell(answers):
    for name in sorted(answers):
        print(answers[name], name)
    return 1 if answers["lost"] or answers["moved"] or answers["broken"] else 0


def one_flow(address, port, datagrams, answers):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    names = set()
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(3)
        sock.connect((address, port))
        for datagram in datagrams:
            try:
                sock.send(datagram)
                name, _, _, *what = sock.recv(512).decode().split()
            except OSError:
                answers["lost"] += 1
                continue
            names.add(name)
            if what and what != [str(len(datagram)), str(zlib.crc32(datagram))]:
                answers["broken"] += 1
    answers.update(sorted(names)[:1])
    if len(names) > 1:
        answers["moved"] += 1


def ask(address, port, flows, each):
    answers = Counter()
    for _ in range(flows):
        one_flow(address, port, [b"who?"] * each, answers)
    return tell(answers)


def big(address, port, flows, length):
    answers = Counter()
    for _ in range(flows):
        one_flow(address, port, [b"who?", *(os.urandom(length) for _ in range(3))], answers)
    return tell(answers)


def hold(address, port, flows, seconds, path):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    socks = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(flows)]
    now, moved = {}, set()
    for sock in socks:
        sock.connect((address, port))
        sock.setblocking(False)
    for _ in range(5 * seconds):
        for sock in socks:
            try:
                sock.send(b"?")
            except OSError:
                pass
        time.sleep(0.2)
        for i, sock in enumerate(socks):
            try:
                name = sock.recv(512).decode().split()[0]
            except OSError:
                continue
            if now.get(i, name) != name:
                moved.add(i)
            now[i] = name
        counts = Counter(now.values())
        with open(path + ".new", "w", encoding="ascii") as file:
            file.writelines(f"{name} {counts[name]}\n" for name in sorted(counts))
            file.write(f"moved {len(moved)}\n")
        os.rename(path + ".new", path)


def main(argv):
    if argv[1] == "serve":
        serve(argv[2], int(argv[3]))
    elif argv[1] == "hold":
        hold(argv[2], int(argv[3]), int(argv[4]), int(argv[5]), argv[6])
    elif argv[1] == "big":
        sys.exit(big(argv[2], int(argv[3]), int(argv[4]), int(argv[5])))
    else:
        sys.exit(ask(argv[2], int(argv[3]), int(argv[4]), int(argv[5]) if len(argv) > 5 else 1))


main(sys.argv)
