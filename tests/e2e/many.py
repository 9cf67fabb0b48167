#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Many TCP connections at once, every byte of each checked, against bulk.py's echo server.

many.py ADDRESS PORT N SECONDS   opens N connections, sends bytes of its own through each of them again
                                 and again for that long, and closes them; prints "OPENED RIGHT", the
                                 connections that opened and those whose every answer was right
"""
import asyncio
import hashlib
import sys
import time

ROUND = 0.5  # seconds between two messages of a connection
OPENING = 200  # at once


def message(number, turn):
    return hashlib.sha256(f"{number} {turn}".encode()).digest() * (1 + number % 40)


async def talk(address, port, number, until, gate):
    async with gate:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(address, port), 30)
    turn = 0
    while turn == 0 or time.monotonic() < until:
        wanted = message(number, turn)
        writer.write(wanted)
        if await asyncio.wait_for(reader.readexactly(len(wanted)), 30) != wanted:
            return False
        turn += 1
        await asyncio.sleep(ROUND)
    writer.write_eof()
    rest = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return rest == b""


async def run(address, port, n, seconds):
    gate = asyncio.Semaphore(OPENING)
    until = time.monotonic() + seconds
    results = await asyncio.gather(
        *(talk(address, port, i, until, gate) for i in range(n)), return_exceptions=True
    )
    wrong = [r for r in results if r is not True]
    for kind in {repr(r) for r in wrong}:
        print(f"{sum(repr(r) == kind for r in wrong)} times {kind}", file=sys.stderr)
    print(n - sum(isinstance(r, ConnectionError) for r in results), n - len(wrong))


asyncio.run(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
