#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What somebody may send to the port of a balancer's peers (10.0.0.3:6082) who can also listen.

peers.py noise               2000 datagrams of anything from an address that is no peer's
peers.py catch FILE          waits for one of 10.0.0.2's and writes it to FILE
peers.py abuse FILE MAC      ten times each, as if from 10.0.0.2: the datagram of FILE once more, cut, too
                             long, of another version, changed, and anything; MAC is the balancer's
"""
import os
import socket
import struct
import sys
import time

HOME = ("10.0.0.3", 6082)


def noise():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for n in range(2000):
        s.sendto(os.urandom(n % 1500), HOME)
        if n % 20 == 0:
            time.sleep(0.01)  # or most of them find no room at a daemon that has to wait for its turn


def catch(name):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    s.bind(("eth0", 0x0800))
    s.settimeout(20)
    while True:
        p = s.recv(2048)
        if p[9] == 17 and p[12:16] == socket.inet_aton("10.0.0.2") and p[22:24] == b"\x17\xc2":
            break
    with open(name + ".new", "wb") as f:
        f.write(p[28:20 + struct.unpack("!H", p[24:26])[0]])
    os.rename(name + ".new", name)


def checksum(header):
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xffff) + (total >> 16)
    return ~((total & 0xffff) + (total >> 16)) & 0xffff


def say(s, data):
    udp = struct.pack("!HHHH", 6082, 6082, 8 + len(data), 0)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(data), 1, 0, 64, 17, 0,
                     socket.inet_aton("10.0.0.2"), socket.inet_aton("10.0.0.3"))
    s.send(ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + udp + data)


def abuse(name, mac):
    with open(name, "rb") as f:
        data = f.read()
    s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0x0800)

    class To:
        @staticmethod
        def send(packet):
            s.sendto(packet, ("eth0", 0x0800, 0, 0, bytes.fromhex(mac.replace(":", ""))))

    for _ in range(10):
        say(To, data)
        say(To, data[:-1])
        say(To, data + bytes(1400 - len(data)))
        say(To, data[:3] + b"\x07" + data[4:])
        say(To, data[:40] + bytes([data[40] ^ 1]) + data[41:])
        say(To, b"\x00" + os.urandom(len(data) - 1))


{"noise": noise, "catch": catch, "abuse": abuse}[sys.argv[1]](*sys.argv[2:])
