#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Many TCP connections that come, send, compare every byte that comes back, and go.

unbroken.py serve NAME PORT          says NAME to each connection, then sends back what it receives
unbroken.py run ADDRESS PORT N PAUSE LIFE DIR
    keeps N connections going, each with a message about every PAUSE seconds, for about LIFE seconds
    (half of them for all the time), until DIR/stop is there; writes DIR/count twice a second and, at
    the end, DIR/result, lines of "WORD NUMBER":
        opened     connections that said who serves them
        bytes      that came back right
        wrong      bytes that did not
        broken     connections that ended before they should, by a backend that never failed
        failed     the same by one that DIR/failed names
        unanswered connections that never opened
        open       now
unbroken.py flood syn|ack ADDRESS PORT RATE   packets of sources that are made up, so many a second
"""
import asyncio
import os
import random
import socket
import struct
import sys
import time

OPENING = 100  # at once
PATIENCE = 10  # s


class Echo(asyncio.Protocol):
    name = b""

    def connection_made(self, transport):
        self.transport = transport
        transport.write(self.name)

    def data_received(self, data):
        self.transport.write(data)


async def serve(name, port):
    Echo.name = name.encode() + b"\n"
    server = await asyncio.get_running_loop().create_server(Echo, "", port, backlog=4096)
    async with server:
        await server.serve_forever()


class Load:
    def __init__(self, address, port, pause, life, directory):
        self.address, self.port = address, port
        self.pause, self.life = pause, life
        self.directory = directory
        self.count = dict.fromkeys(
            ["opened", "bytes", "wrong", "broken", "failed", "unanswered", "open"], 0
        )
        self.gate = asyncio.Semaphore(OPENING)
        self.reasons = {}

    def there(self, name):
        return os.path.exists(f"{self.directory}/{name}")

    def has_failed(self, backend):
        try:
            with open(f"{self.directory}/failed") as names:
                return backend in names.read().split()
        except FileNotFoundError:
            return False

    def write(self, name):
        path = f"{self.directory}/{name}"
        with open(path + ".new", "w") as out:
            out.writelines(f"{word} {n}\n" for word, n in self.count.items())
        os.rename(path + ".new", path)

    async def open(self):
        async with self.gate:
            reader, writer = await asyncio.wait_for(
                asyncio.open_connection(self.address, self.port), PATIENCE
            )
            name = await asyncio.wait_for(reader.readline(), PATIENCE)
            if not name.endswith(b"\n"):
                raise ConnectionError("said nothing")
        return reader, writer, name.decode().strip()

    async def talk(self, reader, writer, until):
        while time.monotonic() < until and not self.stopping:
            wanted = random.randbytes(random.randint(1, 1400))
            writer.write(wanted)
            got = await asyncio.wait_for(reader.readexactly(len(wanted)), PATIENCE)
            right = got == wanted
            self.count["bytes" if right else "wrong"] += len(wanted)
            await asyncio.sleep(self.pause * random.uniform(0.5, 1.5))
        writer.write_eof()
        if await asyncio.wait_for(reader.read(), PATIENCE) != b"":
            self.count["wrong"] += 1

    async def one(self, life):
        try:
            reader, writer, name = await self.open()
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError) as error:
            self.count["unanswered"] += 1
            self.reasons[repr(error)] = self.reasons.get(repr(error), 0) + 1
            await asyncio.sleep(1)
            return
        self.count["opened"] += 1
        self.count["open"] += 1
        try:
            await self.talk(reader, writer, time.monotonic() + life)
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError) as error:
            self.count["failed" if self.has_failed(name) else "broken"] += 1
            said = f"{name} at {time.time():.1f}: {error!r}"
            self.reasons[said] = self.reasons.get(said, 0) + 1
        finally:
            self.count["open"] -= 1
            writer.close()

    async def again(self, forever):
        while not self.stopping:
            life = 1e9 if forever else random.expovariate(1 / self.life)
            await self.one(life)

    async def run(self, n):
        self.stopping = False
        tasks = [asyncio.create_task(self.again(i % 2)) for i in range(n)]
        while not self.there("stop"):
            await asyncio.sleep(0.5)
            self.write("count")
        self.stopping = True
        await asyncio.gather(*tasks)
        self.write("result")
        for reason, times in self.reasons.items():
            print(f"{times} times {reason}", file=sys.stderr)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def flood(kind, address, port, rate):
    flags = {"syn": 2, "ack": 16}[kind]
    out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    to = socket.inet_aton(address)
    begun, sent = time.monotonic(), 0
    while True:
        for _ in range(max(1, rate // 100)):
            source = bytes((10, 66, random.randrange(256), random.randrange(1, 255)))
            ports = struct.pack("!HH", random.randrange(1024, 65536), port)
            tcp = ports + struct.pack("!IIBBHHH", random.getrandbits(32), 0, 5 << 4, flags, 512, 0, 0)
            pseudo = source + to + struct.pack("!BBH", 0, 6, len(tcp))
            tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
            head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + source + to
            out.sendto(head + tcp, (address, 0))
            sent += 1
        time.sleep(max(0, begun + sent / rate - time.monotonic()))


def main(argv):
    if argv[1] == "serve":
        asyncio.run(serve(argv[2], int(argv[3])))
    elif argv[1] == "flood":
        flood(argv[2], argv[3], int(argv[4]), int(argv[5]))
    else:
        load = Load(argv[2], int(argv[3]), float(argv[5]), float(argv[6]), argv[7])
        asyncio.run(load.run(int(argv[4])))


main(sys.argv)
