#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""An agent: agent.py PORT FILE says the file's first line to whoever connects; of several lines one after
the other."""
import itertools
import socketserver
import sys

turns = itertools.count()


class Say(socketserver.BaseRequestHandler):
    def handle(self):
        lines = open(sys.argv[2], "rb").read().splitlines() or [b""]
        self.request.sendall(lines[next(turns) % len(lines)] + b"\n")


socketserver.TCPServer.allow_reuse_address = True
socketserver.TCPServer(("", int(sys.argv[1])), Say).serve_forever()
