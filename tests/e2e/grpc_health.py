#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A gRPC health service over python3-h2, to be checked: grpc_health.py PORT [empty | KEY CERT].

The server as a whole and shop.Cart are serving, shop.Till is not, others are not known; with "empty"
the server has no health service. (Debian 12's grpcio answers one call in three.)
"""
import socket
import ssl
import sys
import threading

import h2.config
import h2.connection
import h2.events
import h2.exceptions

SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"
STATES = {b"": SERVING, b"\x0a\x09shop.Cart": SERVING, b"\x0a\x09shop.Till": NOT_SERVING}


def answer(h2c, stream, path, body):
    head = [(":status", "200"), ("content-type", "application/grpc")]
    if "empty" in sys.argv or path != "/grpc.health.v1.Health/Check":
        h2c.send_headers(stream, head + [("grpc-status", "12")], end_stream=True)
    elif body[5:] not in STATES:
        h2c.send_headers(stream, head + [("grpc-status", "5")], end_stream=True)
    else:
        reply = STATES[body[5:]]
        h2c.send_headers(stream, head)
        h2c.send_data(stream, b"\0" + len(reply).to_bytes(4, "big") + reply)
        h2c.send_headers(stream, [("grpc-status", "0")], end_stream=True)


def serve(connection, context):
    paths, bodies = {}, {}
    if context:
        connection = context.wrap_socket(connection, server_side=True)
    h2c = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    h2c.initiate_connection()
    connection.sendall(h2c.data_to_send())
    while data := connection.recv(65536):
        for event in h2c.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                paths[event.stream_id] = dict(event.headers)[b":path"].decode()
                bodies[event.stream_id] = b""
            elif isinstance(event, h2.events.DataReceived):
                bodies[event.stream_id] += event.data
            elif isinstance(event, h2.events.StreamEnded):
                answer(h2c, event.stream_id, paths[event.stream_id], bodies[event.stream_id])
        connection.sendall(h2c.data_to_send())
    connection.close()


def serve_quietly(connection, context):
    try:
        serve(connection, context)
    except (OSError, h2.exceptions.ProtocolError):
        connection.close()


def main():
    context = None
    if len(sys.argv) == 4:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3], sys.argv[2])
        context.set_alpn_protocols(["h2"])
    listener = socket.create_server(("0.0.0.0", int(sys.argv[1])), backlog=64)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve_quietly, args=(connection, context), daemon=True).start()


main()
