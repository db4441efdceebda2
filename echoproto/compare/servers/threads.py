"""
An echo on the standard library's ``socketserver``: a thread for each connection blocks in recv and send.
"""

from __future__ import annotations

import socketserver
import threading
from contextlib import suppress

from echoproto.compare.servers.arguments import BACKLOG, HOST, RECEIVE_SIZE, parse

STACK_SIZE = 256 << 10
"""Stack size of each thread in bytes, in place of 8 MiB of address space."""


class Echo(socketserver.BaseRequestHandler):
    """Send back every byte of one connection."""

    def handle(self) -> None:  # noqa: D102
        with suppress(ConnectionError):  # the peer is gone
            while data := self.request.recv(RECEIVE_SIZE):
                self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    """Start a thread per connection."""

    request_queue_size = BACKLOG
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    threading.stack_size(STACK_SIZE)
    with Server((HOST, parse("tcp").port), Echo) as server:
        server.serve_forever()
