"""
An echo of the standard library's ``socketserver``: a thread for each connection, which blocks in recv and send.
"""

from __future__ import annotations

import socketserver
import threading
from contextlib import suppress

from echoproto.compare.servers.arguments import BACKLOG, CHUNK, HOST, parse

STACK = 256 << 10
"""Bytes that each thread may use of the stack, which would else be 8 MiB of address space."""


class Echo(socketserver.BaseRequestHandler):
    """Sends back every byte of one connection."""

    def handle(self) -> None:  # noqa: D102
        with suppress(ConnectionError):  # the peer has gone away
            while data := self.request.recv(CHUNK):
                self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    """A thread per connection."""

    request_queue_size = BACKLOG
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    threading.stack_size(STACK)
    with Server((HOST, parse("tcp").port), Echo) as server:
        server.serve_forever()
