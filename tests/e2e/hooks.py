#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Webhooks: hooks.py FOLDER PORT good|slow|fails|hangs writes what is posted to FOLDER/PORT, a line each, and
the largest number of requests at a time to FOLDER/PORT.most."""
import http.server
import os
import socketserver
import sys
import threading
import time

folder, port, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
lock = threading.Lock()
now = most = 0


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global now, most
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with lock:
            now += 1
            most = max(most, now)
            with open(f"{folder}/{port}", "ab") as f:
                f.write(body.strip() + b"\n")
            with open(f"{folder}/{port}.new", "w") as f:
                f.write(f"{most}\n")
            os.rename(f"{folder}/{port}.new", f"{folder}/{port}.most")
        time.sleep({"slow": 0.2, "hangs": 3600}.get(kind, 0))
        with lock:
            now -= 1
        self.send_response(500 if kind == "fails" else 204)
        self.end_headers()

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True

    def server_bind(self):  # not the base's, which asks a name server for its name
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "hook", port


Server(("127.0.0.1", port), Hook).serve_forever()
