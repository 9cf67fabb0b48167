#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes tests/packet/golden.txt to stdout: frames as they come in and as they must leave, for every
forwarding method and family, built by scapy, which computes all lengths and checksums.

What differs from flow to flow is computed here after include/shunt_abi.h.  test_golden.c sets up the
addresses below, runs the frames, and compares; and runs this again, where scapy is installed.
"""
import ipaddress
import itertools
import logging

logging.getLogger("scapy").setLevel(logging.ERROR)
# pylint: disable=wrong-import-position
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP  # noqa: E402,F401
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, PadN  # noqa: E402
from scapy.layers.l2 import GRE, Dot1AD, Dot1Q, Ether  # noqa: E402
from scapy.packet import Raw  # noqa: E402

M64 = (1 << 64) - 1
ROUTER, HOST = "02:00:00:00:00:01", "02:00:00:00:00:02"
NEXT_HOP, OUT = "02:be:00:00:00:01", "02:5c:00:00:00:01"
CLIENT = {4: "198.51.100.23", 6: "2001:db8:7:908:102:304:506:708"}
VIP = {4: "203.0.113.10", 6: "2001:db8::10"}
BACKEND = {4: "10.0.0.1", 6: "fd01::ab00:0:0:1"}
OURS = {4: "10.255.0.1", 6: "fd02::cd00:0:0:1"}
PORT, BACKEND_PORT, CLIENT_PORT = 8000, 8080, 12345  # which is one of ours
TOS, TTL = 0x2A, 57
ETHERTYPE = {4: 0x0800, 6: 0x86DD}
INSIDE = {4: 4, 6: 41}


# ---- what varies by flow ---------------------------------------------------------------------------

def words(data):
    return [int.from_bytes(data[i:i + 4], "little") for i in range(0, len(data), 4)]


def flow_hash(family, src, dst, sport, dport):
    key = [((0x9E3779B97F4A7C15 * (i + 5) & M64) >> 1) | 1 for i in range(10)]
    s = words(ipaddress.ip_address(src).packed)
    d = words(ipaddress.ip_address(dst).packed)
    p = words(sport.to_bytes(2, "big") + dport.to_bytes(2, "big"))
    order = [s[0], p[0], d[0]] + (s[1:] + d[1:] if family == 6 else [])
    return (key[0] + sum(k * w for k, w in zip(key[1:], order))) & M64


def entropy(h):
    return ((h ^ h >> 29) * 0xBF58476D1CE4E5B9 & M64) >> 32


def spread(address, h, bits):
    """The tunnel's source: of its last bits, 0 in the row, all but the lowest two are the flow's."""
    base = int(ipaddress.ip_address(address))
    if bits:
        base &= ~((1 << bits) - 1) | 3
        base |= entropy(h) & ((1 << bits) - 1) & ~3
    return str(type(ipaddress.ip_address(address))(base))


# ---- packets ---------------------------------------------------------------------------------------

def ether(smac, dmac, tags, family):
    frame = Ether(src=smac, dst=dmac, type=ETHERTYPE[family])
    tcis = {1: [0x0123], 2: [0x0123, 0x0456]}.get(tags, [])
    for i, tci in enumerate(tcis):
        kind = Dot1AD if tags == 2 and i == 0 else Dot1Q
        frame = frame / kind(prio=tci >> 13, vlan=tci & 0xFFF, type=ETHERTYPE[family])
    if tags:
        frame.type = 0x88A8 if tags == 2 else 0x8100
    if tags == 2:
        frame[Dot1AD].type = 0x8100
    return frame


def packet(family, proto, src, dst, ports, ttl, extra=False):
    """TCP or UDP in IP; @extra: with IPv4 options or IPv6 extension headers."""
    payload = Raw(bytes((7 * i + 1) & 255 for i in range(33)))
    l4 = TCP(sport=ports[0], dport=ports[1], flags="A", seq=0x01020304, ack=0x0A0B0C0D, window=4321)
    if proto == "udp":
        l4 = UDP(sport=ports[0], dport=ports[1])
    if family == 4:
        ip = IP(src=src, dst=dst, tos=TOS, ttl=ttl, id=0x1234, proto=6 if proto == "tcp" else 17)
        ip.options = [IPOption_NOP()] * 8 if extra else []
        return ip / l4 / payload
    ip = IPv6(src=src, dst=dst, tc=TOS, hlim=ttl, fl=0x12345)
    if extra:
        ip = ip / IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 4)])
        ip = ip / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 12)])
    return ip / l4 / payload


def request(family, proto, ttl, extra):
    return packet(family, proto, CLIENT[family], VIP[family], (CLIENT_PORT, PORT), ttl, extra)


# ---- tunnels ---------------------------------------------------------------------------------------

def shim(method, family, h, outer, csum):
    if method == "gre":
        return GRE(proto=ETHERTYPE[family])
    gue = Raw(bytes([0, INSIDE[family], 0, 0]))
    udp = UDP(sport=0xC000 | entropy(h) >> 18, dport=6080)
    if outer == 4 or not csum:
        udp.chksum = 0
    return udp / gue


def tunnel(method, outer, bits, csum, family, proto, extra):
    h = flow_hash(family, CLIENT[family], VIP[family], CLIENT_PORT, PORT)
    number = {"ipip": INSIDE[family], "gre": 47, "gue": 17}[method]
    source = spread(OURS[outer], h, bits)
    if outer == 4:
        head = IP(src=source, dst=BACKEND[4], tos=TOS, ttl=64, id=0, flags="DF", proto=number)
    else:
        head = IPv6(src=source, dst=BACKEND[6], tc=TOS, hlim=64, fl=h >> 44, nh=number)
    inside = request(family, proto, TTL - 1, extra)
    if method == "ipip":
        return head / inside
    return head / shim(method, family, h, outer, csum) / Raw(bytes(inside))


# ---- cases -----------------------------------------------------------------------------------------

def emit(name, pairs):
    print(f"case {name}")
    for came, left in pairs:
        print(f"in {bytes(came).hex()}\nout {bytes(left).hex()}")


def one_way(method, outer, bits, csum, shape):
    family, proto, in_tags, out_tags, extra = shape
    came = ether(ROUTER, HOST, in_tags, family) / request(family, proto, TTL, extra)
    if method == "local":
        left = came
    elif method == "dsr":
        left = ether(OUT, NEXT_HOP, out_tags, family) / request(family, proto, TTL - 1, extra)
    else:
        left = ether(OUT, NEXT_HOP, out_tags, outer) / tunnel(
            method, outer, bits, csum, family, proto, extra)
    emit(f"method={method} family={family} proto={proto} outer={outer} tags={out_tags} bits={bits} "
         f"csum={csum}", [(came, left)])


def crossed(ip):
    """Of RFC 7915: what was built for the other side has no options, no flow label, and, being short,
    no DF and an id that is not compared."""
    if ip.version == 4:
        ip.id = 0
    else:
        ip.fl = 0
    return ip


def both_ways(method, family2, shape):
    """To the backend, of @family2, and back, and what the client gets of the answer."""
    family, proto, in_tags, out_tags, extra = shape
    same = family == family2
    ours = CLIENT[family] if method == "masq" else OURS[family2]
    there = packet(family2, proto, ours, BACKEND[family2], (CLIENT_PORT, BACKEND_PORT), TTL - 1,
                   extra and same)
    answer = packet(family2, proto, BACKEND[family2], ours, (BACKEND_PORT, CLIENT_PORT), 44, extra)
    back = packet(family, proto, VIP[family], CLIENT[family], (PORT, CLIENT_PORT), 43, extra and same)
    if not same:
        there, back = crossed(there), crossed(back)
    emit(f"method={method} family={family} proto={proto} outer={family2} tags={out_tags} bits=0 csum=0", [
        (ether(ROUTER, HOST, in_tags, family) / request(family, proto, TTL, extra),
         ether(OUT, NEXT_HOP, out_tags, family2) / there),
        (ether(NEXT_HOP, OUT, out_tags, family2) / answer,
         ether(HOST, ROUTER, in_tags, family) / back)])


def main():
    print("# SPDX-License-Identifier: BSD-2-Clause\n# Made by tests/packet/golden.py.")
    shapes = [(family, proto, in_tags, out_tags, extra)
              for family, proto in itertools.product((4, 6), ("tcp", "udp"))
              for in_tags, out_tags, extra in ((0, 0, False), (2, 1, True), (1, 2, False))]
    for shape in shapes:
        one_way("local", 0, 0, 0, shape)
        one_way("dsr", 0, 0, 0, shape)
        for method, outer in itertools.product(("ipip", "gre", "gue"), (4, 6)):
            one_way(method, outer, 0, 1 if (method, outer) == ("gue", 6) else 0, shape)
        one_way("gue", 6, 0, 0, shape)
        one_way("ipip", 4, 16, 0, shape)
        one_way("gre", 6, 32, 0, shape)
        both_ways("nat", 4, shape)
        both_ways("nat", 6, shape)
        both_ways("masq", shape[0], shape)


main()
