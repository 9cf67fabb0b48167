#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What ICMP errors say to real sockets.

icmp_errors.py late PORT                answers each datagram "late" a second after it came, and prints the
                                        ICMP errors that come of it: "TYPE CODE ADDRESS" of the one who
                                        sent it
icmp_errors.py leave ADDRESS PORT       sends a datagram and is gone before the answer
icmp_errors.py probe ADDRESS PORT TTL   sends a datagram with that TTL or hop limit and prints the error
                                        that it meets, or "none"
"""
import select
import socket
import sys
import time

IP_RECVERR, IPV6_RECVERR = 11, 25
IPV6_RECVPKTINFO, IPV6_PKTINFO = 49, 50


def udp_socket(family):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    return sock


def read_error(sock):
    """The error at the head of the queue, or None."""
    try:
        _, control, _, _ = sock.recvmsg(512, 512, socket.MSG_ERRQUEUE)
    except BlockingIOError:
        return None
    for level, kind, data in control:
        if (level, kind) in ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)):
            code_type, code = data[5], data[6]
            if level == socket.IPPROTO_IP:
                who = socket.inet_ntop(socket.AF_INET, data[20:24])
            else:
                who = socket.inet_ntop(socket.AF_INET6, data[24:40])
            return f"{code_type} {code} {who}"
    return None


def late(port):
    socks = []
    for family, any_address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        sock = udp_socket(family)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO
        sock.bind((any_address, port))
        sock.setblocking(False)
        socks.append(sock)
    print("ready", flush=True)
    owed = []
    while True:
        select.select(socks, [], [], 0.05)
        for sock in socks:
            while error := read_error(sock):
                print(error, flush=True)
            try:
                _, control, _, peer = sock.recvmsg(512, 256)
                # sent again from the address that was asked: in_pktinfo's first word is the interface
                level, kind, data = control[0]
                source = data[:16] + b"\0\0\0\0" if level == socket.IPPROTO_IPV6 else b"\0\0\0\0" + data[8:12] * 2
                owed.append((time.monotonic() + 1, sock, [(level, kind, source)], peer))
            except OSError:
                pass
        while owed and owed[0][0] <= time.monotonic():
            _, sock, source, peer = owed.pop(0)
            try:
                sock.sendmsg([b"late"], source, 0, peer)
            except OSError:
                pass


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def leave(address, port):
    with udp_socket(family_of(address)) as sock:
        sock.sendto(b"who?", (address, port))


def probe(address, port, hops):
    with udp_socket(family_of(address)) as sock:
        if family_of(address) == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, hops)
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)
        sock.setblocking(False)
        sock.sendto(b"who?", (address, port))
        for _ in range(20):
            select.select([], [], [sock], 0.1)
            if error := read_error(sock):
                print(error)
                return
            time.sleep(0.05)
    print("none")


def main(argv):
    if argv[1] == "late":
        late(int(argv[2]))
    elif argv[1] == "leave":
        leave(argv[2], int(argv[3]))
    else:
        probe(argv[2], int(argv[3]), int(argv[4]))


main(sys.argv)
