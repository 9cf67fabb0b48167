#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A server that dies in a way of its own, and the client that measures it.

health_out.py serve PORT FILE       HTTP; FILE says how: ok, 503, closes, hangs
health_out.py ask ADDRESS PORT FILE a request every two milliseconds until it is told to end; FILE gets when each
                                    of the lost ones began, in milliseconds since 1970
"""
import asyncio
import signal
import sys
import time

EVERY_S = 0.002
PATIENCE_S = 1
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
BAD = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


async def serve(port, path):
    async def one(reader, writer):
        how = open(path).read().strip()
        try:
            if how == "hangs":
                await asyncio.sleep(5)
            elif how != "closes":
                await reader.readuntil(b"\r\n\r\n")
                writer.write(BAD if how == "503" else GOOD)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        writer.close()

    server = await asyncio.start_server(one, "0.0.0.0", port, backlog=4096)
    await server.serve_forever()


async def attempt(address, port):
    reader, writer = await asyncio.open_connection(address, port)
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        return (await reader.read(64)).startswith(b"HTTP/1.1 200")
    finally:
        writer.close()


async def ask(address, port, path):
    out = open(path, "w", buffering=1)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async def one():
        began = time.time()
        try:
            good = await asyncio.wait_for(attempt(address, port), PATIENCE_S)
        except (OSError, asyncio.TimeoutError):
            good = False
        if not good:
            out.write(f"{began * 1000:.0f}\n")

    running = set()
    due = time.monotonic()
    while not stop.is_set():
        task = asyncio.create_task(one())
        running.add(task)
        task.add_done_callback(running.discard)
        due += EVERY_S
        await asyncio.sleep(max(0, due - time.monotonic()))


if sys.argv[1] == "serve":
    asyncio.run(serve(int(sys.argv[2]), sys.argv[3]))
else:
    asyncio.run(ask(sys.argv[2], int(sys.argv[3]), sys.argv[4]))
