# SPDX-License-Identifier: BSD-2-Clause
"""What strangers do to an HTTP server: strangers.py ADDRESS PORT.  Exit status 0 when it answers all the while.

Garbage of many kinds, connections by the thousand that say nothing, some that say a byte now and then, and
some that ask for much and read nothing; between them a client in its senses, who must be served."""
import random
import resource
import socket
import sys

WHERE = (sys.argv[1], int(sys.argv[2]))
random.seed(1)
GARBAGE = [
    b"", b"\n" * 5000, b"GET", b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00",
    b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"".join(b"h%d: x\r\n" % i for i in range(20000)),
    b"GET /%00%ff%zz/../.. HTTP/1.1\r\nHost: [::1\r\n\r\n", b"GET http://[ HTTP/1.1\r\n\r\n",
    b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n folded\r\n\r\n",
    b"GET /api/v1/backends?limit=-1&offset=99999999999999999999&service=%00 HTTP/1.1\r\nHost: ::1\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\n\r\n", b"OPTIONS * HTTP/1.1\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200,
] + [bytes(random.randrange(256) for _ in range(random.randrange(2000))) for _ in range(200)]


def connect(timeout=5):
    s = socket.socket()
    s.settimeout(timeout)
    s.connect(WHERE)
    return s


def throw(data):
    try:
        with connect(2) as s:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass
    except OSError:
        pass  # closed on us, or kept waiting: both are fine


def is_served(path=b"/healthz"):
    """Some are turned away while thousands come: three tries, as any client has."""
    for _ in range(3):
        try:
            with connect() as s:
                s.sendall(b"GET " + path + b" HTTP/1.0\r\n\r\n")
                if s.recv(65536).startswith(b"HTTP/1.0 200"):
                    return True
        except OSError:
            pass
    return False


def expect(what):
    if not is_served():
        sys.exit("not served " + what)


def main():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(12000, most), most))
    for data in GARBAGE:
        throw(data)
    expect("after garbage")
    silent = []
    for i in range(10000):
        try:
            silent.append(connect())
        except OSError:
            pass
        if i % 1000 == 999:
            expect("beside %d silent connections" % (i + 1))
        if len(silent) > 2000:
            silent.pop(0).close()
    readers = []
    for _ in range(200):
        try:
            s = connect()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50)
            readers.append(s)
        except OSError:
            pass
    expect("beside readers who do not read")
    for s in silent + readers:
        s.close()
    expect("in the end")


main()
